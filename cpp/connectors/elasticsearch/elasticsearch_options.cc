#include "connectors/elasticsearch/elasticsearch_options.h"

#include "base/error.h"

#include <array>

namespace flott {

namespace {

constexpr std::array kDocs = {
    ElasticsearchOptionDoc{"hosts",
                           "list",
                           "",
                           "Nodes of the cluster, http(s)://host:port, comma-separated. Required."},
    ElasticsearchOptionDoc{"bulk-flush.max-actions",
                           "int",
                           "1000",
                           "A request is sent when so many actions are buffered; -1: no limit."},
    ElasticsearchOptionDoc{"bulk-flush.max-size-bytes",
                           "int",
                           "2097152",
                           "A request is sent when so many bytes are buffered; -1: no limit."},
    ElasticsearchOptionDoc{
        "bulk-flush.interval-ms",
        "int",
        "-1",
        "What is buffered is sent at least so often; -1: only by size and at checkpoints."},
    ElasticsearchOptionDoc{
        "bulk-flush.backoff.type",
        "enum",
        "EXPONENTIAL",
        "Waiting before a retry: NONE (no retries), CONSTANT or EXPONENTIAL; always with jitter."},
    ElasticsearchOptionDoc{
        "bulk-flush.backoff.delay-ms", "int", "100", "The first (CONSTANT: every) wait."},
    ElasticsearchOptionDoc{"bulk-flush.backoff.max-delay-ms", "int", "30000", "The longest wait."},
    ElasticsearchOptionDoc{"bulk-flush.backoff.max-retries",
                           "int",
                           "-1",
                           "Retries of one action before the job fails; -1: for ever."},
    ElasticsearchOptionDoc{
        "delivery-guarantee",
        "enum",
        "AT_LEAST_ONCE",
        "NONE or AT_LEAST_ONCE. Either way a checkpoint waits until everything is settled."},
    ElasticsearchOptionDoc{"connection.username", "string", "", "Basic authentication."},
    ElasticsearchOptionDoc{"connection.password", "string", "", "Basic authentication."},
    ElasticsearchOptionDoc{"connection.path-prefix",
                           "string",
                           "",
                           "Prepended to every path, for a cluster behind a proxy."},
    ElasticsearchOptionDoc{
        "connection.timeout-ms", "int", "10000", "Time to establish a connection."},
    ElasticsearchOptionDoc{
        "connection.request-timeout-ms", "int", "60000", "Time for a whole request."},
    ElasticsearchOptionDoc{"socket.timeout-ms",
                           "int",
                           "30000",
                           "A request without a byte sent or received for so long is given up."},
    ElasticsearchOptionDoc{
        "tls.ca-file",
        "string",
        "",
        "Certificates to trust (PEM). Default: SSL_CERT_FILE, else the system's."},
    ElasticsearchOptionDoc{
        "tls.verify", "bool", "true", "Check the server's certificate and name."},
    ElasticsearchOptionDoc{
        "api-key", "string", "", "The encoded API key (id:key in base64), instead of a password."},
    ElasticsearchOptionDoc{"compression", "enum", "none", "none or gzip."},
    ElasticsearchOptionDoc{
        "max-in-flight-requests", "int", "3", "Requests on their way at once, a subtask."},
    ElasticsearchOptionDoc{"failure-handler",
                           "enum",
                           "fail",
                           "What happens to an action that is refused for good: fail, skip (and "
                           "count) or dead-letter."},
    ElasticsearchOptionDoc{
        "dead-letter.file",
        "string",
        "",
        "File that gets refused actions as JSON lines; subtask n > 0 appends .n."},
    ElasticsearchOptionDoc{"document-type",
                           "string",
                           "",
                           "Type of every document, which Elasticsearch 6 wants. Later servers "
                           "know no types: leave it away."},
    ElasticsearchOptionDoc{"mapping.index",
                           "string",
                           "",
                           "Index of a row: a name, with {field} replaced by the row's value. "
                           "Turns the mapping of rows on."},
    ElasticsearchOptionDoc{
        "mapping.id",
        "string",
        "",
        "Id of a row, e.g. {org_id}_{date}_{url}. Without: the server makes one."},
    ElasticsearchOptionDoc{"mapping.routing", "string", "", "Routing of a row."},
    ElasticsearchOptionDoc{
        "mapping.action",
        "enum",
        "upsert",
        "index, create, update or upsert; rows of kind -D are deleted. Without mapping.id: index."},
    ElasticsearchOptionDoc{"mapping.version-field",
                           "string",
                           "",
                           "BIGINT field that is the document's external version (action index)."},
    ElasticsearchOptionDoc{
        "mapping.exclude-fields", "list", "", "Fields that are not part of the document."},
    ElasticsearchOptionDoc{"mapping.ignore-null-fields",
                           "bool",
                           "false",
                           "Leave null fields away instead of writing null."},
    ElasticsearchOptionDoc{"mapping.ignore-row-kinds",
                           "bool",
                           "false",
                           "Rows of every kind are written as if they were inserts."},
    ElasticsearchOptionDoc{"mapping.timestamp-format.standard",
                           "enum",
                           "ISO-8601",
                           "Timestamps in documents: SQL, ISO-8601 or RFC-3339."},
};

[[noreturn]] void refuse(const std::string& key,
                         const std::string& value,
                         std::string_view allowed) {
  throw_error(ErrorKind::kInvalidArgument,
              "elasticsearch: option '{}' must be {}, not '{}'",
              key,
              allowed,
              value);
}

std::int64_t at_least(const Options& options,
                      const std::string& key,
                      std::int64_t default_value,
                      std::int64_t min,
                      std::string_view allowed) {
  const std::int64_t value = options.get_int(key, default_value);
  if (value < min) {
    refuse(key, std::to_string(value), allowed);
  }
  return value;
}

std::int64_t limit(const Options& options, const std::string& key, std::int64_t default_value) {
  const std::int64_t value = options.get_int(key, default_value);
  if (value != -1 && value < 1) {
    refuse(key, std::to_string(value), "positive, or -1 for no limit");
  }
  return value;
}

std::string upper(std::string text) {
  for (char& c : text) {
    c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    c = c == '-' ? '_' : c;
  }
  return text;
}

std::string host_url(std::string host, const std::string& path_prefix) {
  if (host.find("://") == std::string::npos) {
    host = "http://" + host;
  }
  if (!host.starts_with("http://") && !host.starts_with("https://")) {
    refuse("hosts", host, "http://host:port or https://host:port");
  }
  const std::size_t authority = host.find("://") + 3;
  if (host.find('@', authority) != std::string::npos) {
    // Never shown: it holds a password.
    throw Error(
        ErrorKind::kInvalidArgument,
        "elasticsearch: option 'hosts' must not hold credentials; use connection.username and "
        "connection.password");
  }
  while (host.ends_with('/')) {
    host.pop_back();
  }
  if (host.size() <= authority) {
    refuse("hosts", host, "http://host:port or https://host:port");
  }
  std::string prefix = path_prefix;
  while (prefix.ends_with('/')) {
    prefix.pop_back();
  }
  if (!prefix.empty() && prefix.front() != '/') {
    prefix.insert(prefix.begin(), '/');
  }
  return host + prefix;
}

}  // namespace

std::span<const ElasticsearchOptionDoc> elasticsearch_option_docs() {
  return kDocs;
}

ElasticsearchOptions ElasticsearchOptions::from(const Options& options) {
  for (const auto& [key, value] : options.values()) {
    bool known = false;
    for (const ElasticsearchOptionDoc& doc : kDocs) {
      known |= doc.key == key;
    }
    if (!known) {
      throw_error(ErrorKind::kInvalidArgument,
                  "elasticsearch: there is no option '{}'; cpp/connectors/elasticsearch/README.md "
                  "lists them",
                  key);
    }
  }
  ElasticsearchOptions out;
  const std::string prefix = options.get("connection.path-prefix", "");
  for (const std::string& host : options.get_list("hosts")) {
    out.hosts.push_back(host_url(host, prefix));
  }
  if (out.hosts.empty()) {
    throw Error(ErrorKind::kInvalidArgument,
                "elasticsearch: option 'hosts' is missing; set it to the nodes, e.g. "
                "http://localhost:9200");
  }
  out.max_actions = limit(options, "bulk-flush.max-actions", out.max_actions);
  out.max_size_bytes = limit(options, "bulk-flush.max-size-bytes", out.max_size_bytes);
  out.interval_ms = limit(options, "bulk-flush.interval-ms", out.interval_ms);
  const std::string backoff = upper(options.get("bulk-flush.backoff.type", "EXPONENTIAL"));
  if (backoff == "NONE") {
    out.backoff = BackoffType::kNone;
  } else if (backoff == "CONSTANT") {
    out.backoff = BackoffType::kConstant;
  } else if (backoff != "EXPONENTIAL") {
    refuse("bulk-flush.backoff.type", backoff, "NONE, CONSTANT or EXPONENTIAL");
  }
  out.backoff_delay_ms =
      at_least(options, "bulk-flush.backoff.delay-ms", out.backoff_delay_ms, 0, "0 or more");
  out.backoff_max_delay_ms = at_least(
      options, "bulk-flush.backoff.max-delay-ms", out.backoff_max_delay_ms, 0, "0 or more");
  out.max_retries = at_least(
      options, "bulk-flush.backoff.max-retries", out.max_retries, -1, "0 or more, or -1 for ever");
  if (out.backoff == BackoffType::kNone) {
    out.max_retries = 0;
  }
  const std::string guarantee = upper(options.get("delivery-guarantee", "AT_LEAST_ONCE"));
  if (guarantee == "EXACTLY_ONCE") {
    refuse("delivery-guarantee",
           guarantee,
           "NONE or AT_LEAST_ONCE (with deterministic ids, writing twice has the effect of once)");
  }
  if (guarantee != "NONE" && guarantee != "AT_LEAST_ONCE") {
    refuse("delivery-guarantee", guarantee, "NONE or AT_LEAST_ONCE");
  }
  out.username = options.get("connection.username", "");
  out.password = options.get("connection.password", "");
  out.api_key = options.get("api-key", "");
  if (!out.api_key.empty() && !out.username.empty()) {
    throw Error(
        ErrorKind::kInvalidArgument,
        "elasticsearch: api-key and connection.username exclude each other; set one of them");
  }
  if (out.username.empty() && !out.password.empty()) {
    throw Error(ErrorKind::kInvalidArgument,
                "elasticsearch: connection.password needs connection.username");
  }
  out.connect_timeout_ms =
      at_least(options, "connection.timeout-ms", out.connect_timeout_ms, 1, "positive");
  out.request_timeout_ms =
      at_least(options, "connection.request-timeout-ms", out.request_timeout_ms, 1, "positive");
  out.socket_timeout_ms =
      at_least(options, "socket.timeout-ms", out.socket_timeout_ms, 1, "positive");
  out.ca_file = options.get("tls.ca-file", "");
  out.verify_tls = options.get_bool("tls.verify", true);
  const std::string compression = upper(options.get("compression", "none"));
  if (compression != "NONE" && compression != "GZIP") {
    refuse("compression", compression, "none or gzip");
  }
  out.gzip = compression == "GZIP";
  out.document_type = options.get("document-type", "");
  out.max_in_flight = at_least(options, "max-in-flight-requests", out.max_in_flight, 1, "positive");
  const std::string handler = upper(options.get("failure-handler", "fail"));
  if (handler == "SKIP") {
    out.failure_handling = FailureHandling::kSkip;
  } else if (handler == "DEAD_LETTER") {
    out.failure_handling = FailureHandling::kDeadLetter;
  } else if (handler != "FAIL") {
    refuse("failure-handler", handler, "fail, skip or dead-letter");
  }
  out.dead_letter_file = options.get("dead-letter.file", "");
  if ((out.failure_handling == FailureHandling::kDeadLetter) == out.dead_letter_file.empty()) {
    throw Error(ErrorKind::kInvalidArgument,
                "elasticsearch: failure-handler dead-letter and dead-letter.file go together; set "
                "both or none");
  }
  return out;
}

}  // namespace flott
