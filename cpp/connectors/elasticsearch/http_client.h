#pragma once

#include "connectors/elasticsearch/elasticsearch_options.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace flott {

/// Why a request got no answer.
enum class HttpFailure : std::uint8_t {
  kNone,         ///< there is a status
  kUnknownHost,  ///< its name has no address
  kConnection,   ///< refused, reset, closed
  kTimeout,
  kTls,  ///< certificates; waiting does not help
  kOther,
};

struct HttpRequest {
  std::uint64_t tag = 0;  ///< the caller's; comes back
  std::string url;
  std::string body;  ///< empty: GET, else POST of application/x-ndjson
  bool gzip = false;
};

struct HttpResponse {
  std::uint64_t tag = 0;
  HttpFailure failure = HttpFailure::kNone;
  std::string failure_text;  ///< what curl says, without secrets
  int status = 0;
  std::string body;
};

/// Several HTTP requests at once over libcurl's multi interface. One thread calls everything but
/// wakeup(). Connections are kept and reused; destruction aborts what is under way.
class HttpClient {
 public:
  /// Throws kExternal when curl cannot start, kInvalidArgument when the CA file cannot be read.
  explicit HttpClient(const ElasticsearchOptions& options);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  void start(HttpRequest request);
  std::size_t in_flight() const;
  /// Waits until something happens, wakeup() or `timeout_ms`, and gives the requests that ended.
  std::vector<HttpResponse> poll(int timeout_ms);
  /// Ends the current or next poll(). Any thread.
  void wakeup();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace flott
