#include "connectors/elasticsearch/bulk_request.h"

#include "formats/json_encoder.h"
#include "formats/scalar_text.h"

#include <simdjson.h>

namespace flott {

namespace {

/// Concurrent updates of one document from elsewhere: the server tries so often before it answers
/// 409.
constexpr std::string_view kRetryOnConflict = R"(,"retry_on_conflict":3)";

/// A line break between tokens is legal JSON but would end the line here; inside strings there is
/// none.
void append_one_line(std::string_view json, std::string& out) {
  const std::size_t begin = out.size();
  out += json;
  for (const char line_break : {'\n', '\r'}) {
    for (std::size_t i = out.find(line_break, begin); i != std::string::npos;
         i = out.find(line_break, i + 1)) {
      out[i] = ' ';
    }
  }
}

void append_script(const BulkAction& action, std::string& out) {
  out += "\"script\":";
  const std::string_view script = trim(action.script);
  const bool params = action.kind == ActionKind::kUpdate && !action.source.empty();
  if (script.starts_with('{')) {
    append_one_line(script, out);
    return;
  }
  out += R"({"lang":"painless","source":)";
  append_json_string(script, out);
  if (params) {
    out += ",\"params\":";
    append_one_line(action.source, out);
  }
  out.push_back('}');
}

}  // namespace

void append_bulk_action(const BulkAction& action,
                        std::string_view document_type,
                        std::string& body) {
  body += "{\"";
  body += action.partial() ? "update" : to_string(action.kind);
  body += R"(":{"_index":)";
  append_json_string(action.index, body);
  if (!document_type.empty()) {
    body += R"(,"_type":)";
    append_json_string(document_type, body);
  }
  if (action.id) {
    body += R"(,"_id":)";
    append_json_string(*action.id, body);
  }
  if (action.routing) {
    body += R"(,"routing":)";
    append_json_string(*action.routing, body);
  }
  if (action.version) {
    body += R"(,"version":)";
    append_integer(*action.version, body);
    body += R"(,"version_type":"external")";
  }
  if (action.partial()) {
    body += kRetryOnConflict;
  }
  body += "}}\n";
  if (action.kind == ActionKind::kDelete) {
    return;
  }
  if (!action.partial()) {
    append_one_line(action.source, body);
  } else if (action.script.empty()) {
    body += "{\"doc\":";
    append_one_line(action.source, body);
    body += action.kind == ActionKind::kUpsert ? R"(,"doc_as_upsert":true})" : "}";
  } else {
    body.push_back('{');
    append_script(action, body);
    if (action.kind == ActionKind::kUpsert) {
      if (action.source.empty()) {
        body += R"(,"scripted_upsert":true,"upsert":{})";
      } else {
        body += ",\"upsert\":";
        append_one_line(action.source, body);
      }
    }
    body.push_back('}');
  }
  body.push_back('\n');
}

class BulkResponseParser::Impl {
 public:
  const BulkResponse* parse(std::string& body) {
    body.reserve(body.size() + simdjson::SIMDJSON_PADDING);  // else simdjson copies it
    return read(body) ? &response_ : nullptr;
  }

 private:
  bool read(const std::string& body) {
    simdjson::dom::element root;
    simdjson::dom::array items;
    if (parser_.parse(body.data(), body.size(), false).get(root) != simdjson::SUCCESS ||
        root["items"].get(items) != simdjson::SUCCESS) {
      return false;
    }
    response_.took_ms = 0;
    if (std::int64_t took = 0; root["took"].get(took) == simdjson::SUCCESS) {
      response_.took_ms = took;
    }
    std::size_t count = 0;
    for (const simdjson::dom::element item : items) {
      if (count == response_.items.size()) {
        response_.items.emplace_back();
      }
      if (!read_item(item, response_.items[count++])) {
        return false;
      }
    }
    response_.items.resize(count);
    return true;
  }

  /// {"index": {"status": 201}}
  static bool read_item(const simdjson::dom::element& item, BulkItemResult& result) {
    simdjson::dom::object action;
    if (item.get(action) != simdjson::SUCCESS || action.begin() == action.end()) {
      return false;
    }
    const simdjson::dom::element outcome = (*action.begin()).value;
    std::int64_t status = 0;
    if (outcome["status"].get(status) != simdjson::SUCCESS) {
      return false;
    }
    result.status = static_cast<int>(status);
    result.error_type.clear();
    result.reason.clear();
    simdjson::dom::element error;
    if (outcome["error"].get(error) == simdjson::SUCCESS) {
      std::string_view text;
      if (error["type"].get(text) == simdjson::SUCCESS) {
        result.error_type = text;
      }
      if (error["reason"].get(text) == simdjson::SUCCESS) {
        result.reason = text;
      }
      if (error["caused_by"]["reason"].get(text) == simdjson::SUCCESS) {
        result.reason += ": ";
        result.reason += text;
      }
    }
    return true;
  }

  simdjson::dom::parser parser_;
  BulkResponse response_;
};

BulkResponseParser::BulkResponseParser() : impl_(std::make_unique<Impl>()) {}
BulkResponseParser::~BulkResponseParser() = default;
const BulkResponse* BulkResponseParser::parse(std::string& body) {
  return impl_->parse(body);
}

RequestError parse_request_error(std::string_view body) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  std::string_view type;
  std::string_view reason;
  if (parser.parse(body.data(), body.size()).get(root) == simdjson::SUCCESS) {
    if (root["error"]["type"].get(type) == simdjson::SUCCESS &&
        root["error"]["reason"].get(reason) == simdjson::SUCCESS) {
      return {std::string(type), std::string(reason)};
    }
    if (root["error"].get(reason) == simdjson::SUCCESS) {
      return {"", std::string(reason)};
    }
  }
  return {"", excerpt(trim(body))};
}

std::string error_reason(std::string_view body) {
  const RequestError error = parse_request_error(body);
  return error.type.empty() ? error.reason : error.type + ": " + error.reason;
}

ItemOutcome classify(const BulkAction& action, const BulkItemResult& result) {
  const int status = result.status;
  if (status >= 200 && status < 300) {
    return ItemOutcome::kDone;
  }
  if (status == 404 && action.kind == ActionKind::kDelete) {
    return ItemOutcome::kDone;  // no such document, or not even its index
  }
  if (status == 409) {
    if (action.version) {
      return ItemOutcome::kObsolete;
    }
    if (action.kind == ActionKind::kCreate) {
      // The document of an earlier attempt. After a 429 there was none: it is someone else's.
      return action.maybe_stored ? ItemOutcome::kDone : ItemOutcome::kRefused;
    }
    return ItemOutcome::kRetry;
  }
  if (status == 429 || status >= 500) {
    return ItemOutcome::kRetry;
  }
  return ItemOutcome::kRefused;
}

}  // namespace flott
