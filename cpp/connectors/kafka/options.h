#pragma once

#include "connectors/kafka/client.h"
#include "connectors/options.h"
#include "formats/format.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace flott::kafka {

/// One option of the connector, for documents and for the check of spellings.
struct OptionInfo {
  const char* name;
  const char* type;
  const char* default_value;
  const char* doc;
};
/// The one table of all options of source and sink (`properties.*`, `format.*` by their prefix).
const std::vector<OptionInfo>& option_table();

enum class StartMode { kEarliest, kLatest, kCommitted, kTimestamp, kOffsets };
enum class StopMode { kNone, kLatest, kCommitted, kTimestamp, kOffsets };

struct TopicPartition {
  std::string topic;
  std::int32_t partition = 0;
  auto operator<=>(const TopicPartition&) const = default;
};

struct SourceOptions {
  std::string bootstrap_servers;
  std::string group_id;  ///< empty: offsets are neither read from nor committed to the broker
  std::vector<std::string> topics;
  std::string topic_pattern;
  std::vector<TopicPartition> partitions;
  StartMode start = StartMode::kEarliest;
  std::string reset;  ///< earliest, latest, none
  std::int64_t start_timestamp_ms = 0;
  std::map<TopicPartition, std::int64_t> start_offsets;
  StopMode stop = StopMode::kNone;
  bool stop_is_bounded = true;  ///< false: set_unbounded(): stops there, but runs as a stream
  std::int64_t stop_timestamp_ms = 0;
  std::map<TopicPartition, std::int64_t> stop_offsets;
  std::int64_t discovery_interval_ms = 0;
  bool commit_on_checkpoint = true;
  StartPatience patience;
  std::int64_t max_poll_records = 0;  ///< 0: no limit of ours
  std::string format;
  FormatOptions format_options;
  ClientSettings client;  ///< librdkafka's names

  /// Throws kInvalidArgument naming option and text.
  static SourceOptions parse(const Options& options);
};

struct SinkOptions {
  std::string bootstrap_servers;
  std::string topic;                ///< for records without topic; may be empty
  bool flush_on_checkpoint = true;  ///< false: what is unsent at a failure is lost (NONE)
  /// EXACTLY_ONCE: records are published by transactions when a checkpoint is complete. Subtask n
  /// has the transactional id `<prefix>-<n>`.
  bool exactly_once = false;
  std::string transactional_id_prefix;
  std::optional<std::int64_t> transaction_timeout_ms;  ///< the user's
  /// A restore goes on where the brokers' markers say that records will be lost or doubled.
  bool allow_duplicates_on_restore = false;
  bool write_timestamp = true;     ///< false: the client's clock stamps the messages
  bool log_failures_only = false;  ///< true: what cannot be delivered is logged and left out
  StartPatience patience;
  std::int64_t buffer_records = 200'000;
  ClientSettings client;

  static SinkOptions parse(const Options& options);
};

/// "topic-3".
std::string to_string(const TopicPartition& partition);

}  // namespace flott::kafka
