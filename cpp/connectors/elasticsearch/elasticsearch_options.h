#pragma once

#include "connectors/options.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace flott {

enum class BackoffType : std::uint8_t { kNone, kConstant, kExponential };
enum class FailureHandling : std::uint8_t { kFail, kSkip, kDeadLetter };

/// The sink's settings, read and checked once. Names, types, defaults and meaning:
/// elasticsearch_option_docs().
struct ElasticsearchOptions {
  std::vector<std::string>
      hosts;  ///< `http://host:port`, with the path prefix, without a final slash
  std::int64_t max_actions = 1000;                ///< -1: no limit
  std::int64_t max_size_bytes = 2 * 1024 * 1024;  ///< -1: no limit
  std::int64_t interval_ms = -1;                  ///< -1: none
  BackoffType backoff = BackoffType::kExponential;
  std::int64_t backoff_delay_ms = 100;
  std::int64_t backoff_max_delay_ms = 30'000;
  std::int64_t max_retries = -1;  ///< -1: for ever
  std::string username;
  std::string password;
  std::string api_key;
  std::int64_t connect_timeout_ms = 10'000;
  std::int64_t request_timeout_ms = 60'000;
  std::int64_t socket_timeout_ms = 30'000;
  std::string ca_file;  ///< empty: the system's
  bool verify_tls = true;
  bool gzip = false;
  std::int64_t max_in_flight = 3;
  FailureHandling failure_handling = FailureHandling::kFail;
  std::string dead_letter_file;
  std::string document_type;  ///< Elasticsearch 6's; empty: none is sent

  /// Throws kInvalidArgument naming the option, what it holds and what it may hold. Options below
  /// `mapping.` are ElasticsearchMapping's.
  static ElasticsearchOptions from(const Options& options);
};

struct ElasticsearchOptionDoc {
  std::string_view key;
  std::string_view type;
  std::string_view default_value;  ///< empty: none
  std::string_view doc;
};

/// Every option of the sink, mapping included; the README's table is made from it.
std::span<const ElasticsearchOptionDoc> elasticsearch_option_docs();

}  // namespace flott
