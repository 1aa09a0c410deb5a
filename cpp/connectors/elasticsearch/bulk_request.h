#pragma once

#include "connectors/elasticsearch/bulk_action.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace flott {

/// Path and query of bulk requests: only what is read comes back. The same for all servers.
inline constexpr std::string_view kBulkPath =
    "/_bulk?filter_path=took,errors,error,items.*.status,items.*.error.type,items.*.error.reason,"
    "items.*.error.caused_by.reason";

/// Appends the lines of one action (one or two) to the body of a bulk request. Elasticsearch 6
/// wants a document type; Elasticsearch 7, 8 and OpenSearch none (empty).
void append_bulk_action(const BulkAction& action,
                        std::string_view document_type,
                        std::string& body);

/// What the server says about one action.
struct BulkItemResult {
  int status = 0;
  std::string error_type;
  std::string reason;
};

struct BulkResponse {
  std::int64_t took_ms = 0;
  std::vector<BulkItemResult> items;  ///< in the order of the actions
};

/// Reads answers to bulk requests; keeps its memory from one to the next. One thread.
class BulkResponseParser {
 public:
  BulkResponseParser();
  ~BulkResponseParser();
  BulkResponseParser(const BulkResponseParser&) = delete;
  BulkResponseParser& operator=(const BulkResponseParser&) = delete;

  /// The answer, until the next call; null when `body` is none. May enlarge body's capacity.
  const BulkResponse* parse(std::string& body);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// Error answer to a whole request.
struct RequestError {
  std::string type;    ///< Elasticsearch's; empty when somebody else answered
  std::string reason;  ///< or the beginning of the text
};
RequestError parse_request_error(std::string_view body);
/// `type: reason`, or the beginning of the text.
std::string error_reason(std::string_view body);

enum class ItemOutcome : std::uint8_t {
  kDone,      ///< stored
  kObsolete,  ///< a newer external version is stored: as good as done
  kRetry,     ///< overloaded or broken for now
  kRefused,   ///< never going to work: the failure handler's
};
/// Also right for an action that was retried after a time-out and had been stored before: a create
/// that finds its document and a delete that does not find it are done.
ItemOutcome classify(const BulkAction& action, const BulkItemResult& result);

}  // namespace flott
