#include "connectors/elasticsearch/elasticsearch_writer.h"

#include "base/clock.h"
#include "base/log.h"
#include "formats/json_encoder.h"
#include "formats/scalar_text.h"

#include <algorithm>
#include <utility>

namespace flott {

namespace {

constexpr const char* kLogger = "elasticsearch";
constexpr std::uint64_t kPingTag = 0;
constexpr std::int64_t kNsPerMs = 1'000'000;
constexpr std::int64_t kLongestWaitMs = 1000;
constexpr std::int64_t kWarningIntervalNs = 5000 * kNsPerMs;
/// Of buffered bytes when bulk-flush.max-size-bytes sets none.
constexpr std::size_t kDefaultBusyBytes = 64 * 1024 * 1024;

std::string cut(const std::string& text) {
  return excerpt(text);
}

}  // namespace

ElasticsearchWriter::ElasticsearchWriter(ElasticsearchOptions options,
                                         std::shared_ptr<const ElasticsearchMappingConfig> mapping,
                                         const SinkWriterContext& context)
    : options_(std::move(options)),
      mapping_(mapping ? std::make_unique<ElasticsearchMapping>(std::move(mapping)) : nullptr),
      context_(context),
      hosts_(options_.hosts),
      jitter_(static_cast<unsigned>(context.subtask) + 1U),
      records_send_(
          (context.metrics != nullptr ? *context.metrics : own_metrics_).counter("numRecordsSend")),
      bytes_send_(
          (context.metrics != nullptr ? *context.metrics : own_metrics_).counter("numBytesSend")),
      records_send_errors_((context.metrics != nullptr ? *context.metrics : own_metrics_)
                               .counter("numRecordsSendErrors")),
      bulk_requests_(
          (context.metrics != nullptr ? *context.metrics : own_metrics_).counter("bulkRequests")),
      bulk_retries_(
          (context.metrics != nullptr ? *context.metrics : own_metrics_).counter("bulkRetries")),
      deduplicated_(
          (context.metrics != nullptr ? *context.metrics : own_metrics_).counter("deduplicated")),
      dead_lettered_(
          (context.metrics != nullptr ? *context.metrics : own_metrics_).counter("deadLettered")),
      version_conflicts_((context.metrics != nullptr ? *context.metrics : own_metrics_)
                             .counter("versionConflicts")),
      current_send_time_((context.metrics != nullptr ? *context.metrics : own_metrics_)
                             .counter("currentSendTime")) {
  // Room for what is on its way, for the next request and for the one after it: the task never
  // waits for a round trip while the server keeps up.
  const auto requests = static_cast<std::size_t>(options_.max_in_flight) + 2;
  busy_bytes_ =
      options_.max_size_bytes < 0
          ? kDefaultBusyBytes
          : std::max<std::size_t>(static_cast<std::size_t>(options_.max_size_bytes) * requests, 1);
  busy_actions_ = options_.max_actions < 0
                      ? static_cast<std::size_t>(-1)
                      : static_cast<std::size_t>(options_.max_actions) * requests;
}

ElasticsearchWriter::~ElasticsearchWriter() {
  close();
}

void ElasticsearchWriter::open() {
  if (options_.failure_handling == FailureHandling::kDeadLetter) {
    std::string file = options_.dead_letter_file;
    if (context_.subtask > 0) {
      file += "." + std::to_string(context_.subtask);
    }
    dead_letters_.open(file, std::ios::app | std::ios::binary);
    if (!dead_letters_) {
      throw_error(ErrorKind::kInvalidArgument,
                  "elasticsearch: cannot write the file '{}' of option 'dead-letter.file'",
                  file);
    }
  }
  http_ = std::make_unique<HttpClient>(options_);
  io_ = std::thread([this] { run(); });
}

void ElasticsearchWriter::close() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  if (io_.joinable()) {
    http_->wakeup();
    io_.join();
  }
}

void ElasticsearchWriter::write(const BatchPtr& batch) {
  std::size_t count = 0;
  if (mapping_) {
    count = mapping_->map(*batch, incoming_);
  } else {
    for (std::int64_t row = 0; row < batch->num_rows(); ++row) {
      if (batch->kind_at(row) != RowKind::kUpdateBefore) {
        if (count == incoming_.size()) {
          incoming_.emplace_back();
        }
        read_bulk_action(*batch, row, incoming_[count++]);
      }
    }
  }
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    throw_pending_error();
    for (std::size_t i = 0; i < count; ++i) {
      buffer_.add(std::move(incoming_[i]));
      incoming_[i].release_large();  // of the document that this one took the place of
    }
    deduplicated_.set(buffer_.deduplicated());
    wake = can_send_ && (flush_all_ || over_limit() || full());
    can_send_ = can_send_ && !wake;
  }
  if (options_.interval_ms > 0 && next_flush_ms_ == kMaxTimestamp) {
    next_flush_ms_ = context_.clock->now_ms() + options_.interval_ms;
  }
  if (wake) {
    http_->wakeup();
  }
}

bool ElasticsearchWriter::busy() const {
  const std::lock_guard lock(mutex_);
  return error_ ? false : over_limit();  // not busy: the next write throws
}

bool ElasticsearchWriter::over_limit() const {
  return buffer_.waiting_bytes() + buffer_.out_bytes() >= busy_bytes_ ||
         buffer_.waiting_actions() + buffer_.out_actions() >= busy_actions_;
}

bool ElasticsearchWriter::full() const {
  return (options_.max_actions >= 0 &&
          static_cast<std::int64_t>(buffer_.waiting_actions()) >= options_.max_actions) ||
         (options_.max_size_bytes >= 0 &&
          static_cast<std::int64_t>(buffer_.waiting_bytes()) >= options_.max_size_bytes);
}

void ElasticsearchWriter::start_flush() {
  {
    const std::lock_guard lock(mutex_);
    throw_pending_error();
    flush_all_ = !buffer_.empty();
  }
  next_flush_ms_ = kMaxTimestamp;
  http_->wakeup();
}

bool ElasticsearchWriter::flushed() {
  const std::lock_guard lock(mutex_);
  throw_pending_error();
  if (!buffer_.empty()) {
    return false;
  }
  // Not as soon as the buffer is empty: what is written before the task asks belongs to the flush.
  flush_all_ = false;
  return true;
}

void ElasticsearchWriter::on_time() {
  next_flush_ms_ = kMaxTimestamp;
  {
    const std::lock_guard lock(mutex_);
    throw_pending_error();
    flush_once_ = true;
  }
  http_->wakeup();
}

void ElasticsearchWriter::throw_pending_error() const {
  if (error_) {
    throw Error(*error_);
  }
}

void ElasticsearchWriter::run() {
  try {
    send_ping();
    while (true) {
      {
        const std::lock_guard lock(mutex_);
        if (stopping_) {
          return;
        }
      }
      run_once();
    }
  } catch (const Error& error) {
    fail(error);
  } catch (const std::exception& error) {
    fail(Error(ErrorKind::kInternal, std::string("elasticsearch: ") + error.what()));
  }
}

void ElasticsearchWriter::run_once() {
  std::vector<std::vector<BulkDocument*>> batches;
  std::int64_t wait_ms = kLongestWaitMs;
  {
    const std::lock_guard lock(mutex_);
    const std::int64_t now = monotonic_ns();
    const auto room = [&] {
      const std::size_t bulk_requests = requests_.size() - requests_.count(kPingTag);
      return bulk_requests + batches.size() < static_cast<std::size_t>(options_.max_in_flight);
    };
    while (!error_ && room()) {
      if (!split_.empty()) {
        batches.push_back(std::move(split_.back()));
        split_.pop_back();
        continue;
      }
      std::vector<BulkDocument*> documents = take_documents(now);
      if (documents.empty()) {
        break;
      }
      batches.push_back(std::move(documents));
    }
    can_send_ = room();
    if (!error_ && room() && buffer_.next_retry_ns() != BulkBuffer::kNever) {
      // A millisecond more than what is left, so as not to wake up before.
      wait_ms = std::clamp<std::int64_t>(
          (buffer_.next_retry_ns() - now) / kNsPerMs + 1, 0, kLongestWaitMs);
    }
  }
  for (std::vector<BulkDocument*>& documents : batches) {
    send(std::move(documents));
  }
  std::vector<HttpResponse> responses = http_->poll(static_cast<int>(wait_ms));
  for (HttpResponse& response : responses) {
    handle(std::move(response));
  }
  if (!responses.empty()) {
    if (dead_letters_.is_open()) {
      dead_letters_.flush();
      if (!dead_letters_) {
        throw_error_of_dead_letters();
      }
    }
    if (context_.wakeup) {
      context_.wakeup();
    }
  }
}

std::vector<BulkDocument*> ElasticsearchWriter::take_documents(std::int64_t now_ns) {
  const bool retry_due = buffer_.next_retry_ns() <= now_ns;
  if (buffer_.ready_actions() == 0) {
    flush_once_ = false;
  }
  const bool wanted =
      buffer_.ready_actions() > 0 && (flush_all_ || flush_once_ || full() || over_limit());
  if (!retry_due && !wanted) {
    return {};
  }
  return buffer_.take(options_.max_actions, options_.max_size_bytes, now_ns);
}

void ElasticsearchWriter::send_ping() {
  Request request;
  request.host = hosts_.pick(monotonic_ns());
  HttpRequest http;
  http.tag = kPingTag;
  http.url = hosts_.url(request.host) + "/";
  requests_.emplace(kPingTag, std::move(request));
  http_->start(std::move(http));
}

void ElasticsearchWriter::send(std::vector<BulkDocument*> documents) {
  Request request;
  HttpRequest http;
  std::size_t bytes = 0;
  for (const BulkDocument* const document : documents) {
    bytes += document->action.size_bytes();
  }
  http.body.reserve(bytes);
  for (const BulkDocument* const document : documents) {
    append_bulk_action(document->action, options_.document_type, http.body);
  }
  request.documents = std::move(documents);
  request.started_ns = monotonic_ns();
  request.host = hosts_.pick(request.started_ns);
  request.bytes = http.body.size();
  http.tag = next_tag_++;
  http.url = hosts_.url(request.host) + std::string(kBulkPath);
  http.gzip = options_.gzip;
  bulk_requests_.inc();
  requests_.emplace(http.tag, std::move(request));
  http_->start(std::move(http));
}

void ElasticsearchWriter::handle(HttpResponse response) {
  auto node = requests_.extract(response.tag);
  STREAM_CHECK(!node.empty(), "an answer to a request of ours");
  Request request = std::move(node.mapped());
  if (response.failure == HttpFailure::kNone) {
    connected_once_ = true;
    hosts_.mark_alive(request.host);
  }
  if (response.tag == kPingTag) {
    handle_ping(response, request.host);
    return;
  }
  current_send_time_.set((monotonic_ns() - request.started_ns) / kNsPerMs);
  if (response.failure != HttpFailure::kNone || response.status != 200) {
    handle_failure(request, response);
    return;
  }
  const BulkResponse* const answer = parser_.parse(response.body);
  if (answer == nullptr || answer->items.size() != request.documents.size()) {
    fail(Error(
        ErrorKind::kExternal,
        fmt::format(
            "elasticsearch: {} answered a bulk request of {} actions with something else: \"{}\"; "
            "check options 'hosts' and 'connection.path-prefix'",
            hosts_.url(request.host),
            request.documents.size(),
            cut(response.body))));
    return;
  }
  bytes_send_.inc(static_cast<std::int64_t>(request.bytes));
  handle_items(request, *answer);
}

void ElasticsearchWriter::handle_ping(const HttpResponse& response, std::size_t host) {
  // 403 is an answer too: a key may have privileges for its indices and none for the cluster.
  if (response.failure != HttpFailure::kNone || response.status == 401) {
    if (response.failure != HttpFailure::kNone) {
      hosts_.mark_dead(host, monotonic_ns());
    }
    if (!fail_if_hopeless(response, host)) {
      warn(fmt::format(
          "{} is not reachable yet ({}); trying on", hosts_.url(host), response.failure_text));
    }
    return;
  }
  log(LogLevel::kDebug, kLogger, "connected to {}", hosts_.url(host));
}

bool ElasticsearchWriter::fail_if_hopeless(const HttpResponse& response, std::size_t host) {
  const std::string& url = hosts_.url(host);
  if (response.failure == HttpFailure::kTls) {
    fail(Error(
        ErrorKind::kExternal,
        fmt::format(
            "elasticsearch: no trusted TLS connection to {}: {}; set option 'tls.ca-file' to the "
            "certificate of its authority",
            url,
            response.failure_text)));
    return true;
  }
  if (response.failure == HttpFailure::kUnknownHost && !connected_once_ && hosts_.all_dead()) {
    fail(Error(ErrorKind::kExternal,
               fmt::format("elasticsearch: {} cannot be found: {}; check option 'hosts'",
                           url,
                           response.failure_text)));
    return true;
  }
  if (response.failure != HttpFailure::kNone) {
    return false;
  }
  if (response.status == 401 || response.status == 403) {
    fail(Error(
        ErrorKind::kExternal,
        fmt::format(
            "elasticsearch: {} refused the credentials (status {}): {}; check options "
            "'connection.username' and 'connection.password' or 'api-key', and their permissions",
            url,
            response.status,
            error_reason(response.body))));
    return true;
  }
  if (response.status == 429 || response.status >= 500) {
    return false;
  }
  fail(Error(
      ErrorKind::kExternal,
      fmt::format(
          "elasticsearch: {} answered a bulk request with status {}: {}; check options 'hosts' and "
          "'connection.path-prefix'",
          url,
          response.status,
          error_reason(response.body))));
  return true;
}

void ElasticsearchWriter::handle_failure(const Request& request, const HttpResponse& response) {
  if (response.failure != HttpFailure::kNone) {
    hosts_.mark_dead(request.host, monotonic_ns());
  } else if (response.status == 413) {
    warn(fmt::format(
        "{} takes no request of {} bytes; sending it in halves (lower 'bulk-flush.max-size-bytes')",
        hosts_.url(request.host),
        request.bytes));
    split_or_refuse(
        request,
        413,
        {"too large", "the request is larger than the server takes (http.max_content_length)"});
    return;
  } else if (response.status == 400) {
    // Elasticsearch checks some things, such as the length of ids, for the request as a whole. A
    // proxy's 400 has no type and fails the writer below.
    if (const RequestError error = parse_request_error(response.body); !error.type.empty()) {
      split_or_refuse(request, 400, error);
      return;
    }
  }
  if (fail_if_hopeless(response, request.host)) {
    return;
  }
  if (response.failure != HttpFailure::kNone || response.status >= 500) {
    for (BulkDocument* const document : request.documents) {
      document->action.maybe_stored = true;  // a gateway's 5xx says as little as a lost answer
    }
  }
  const std::string cause =
      response.failure != HttpFailure::kNone
          ? response.failure_text
          : fmt::format("status {}: {}", response.status, error_reason(response.body));
  retry_all(request.documents, request.host, cause);
}

void ElasticsearchWriter::split_or_refuse(const Request& request,
                                          int status,
                                          const RequestError& error) {
  const std::vector<BulkDocument*>& all = request.documents;
  if (all.size() == 1) {
    if (refuse(all.front()->action, request.host, status, error.type, error.reason)) {
      settle(all);
    }
    return;
  }
  const auto middle = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
  split_.emplace_back(middle, all.end());
  split_.emplace_back(all.begin(), middle);
}

void ElasticsearchWriter::handle_items(const Request& request, const BulkResponse& answer) {
  std::vector<BulkDocument*> settled;
  std::vector<BulkDocument*> again;
  std::string cause;
  std::int64_t stored = 0;
  settled.reserve(request.documents.size());
  for (std::size_t i = 0; i < request.documents.size(); ++i) {
    BulkDocument* const document = request.documents[i];
    const BulkItemResult& result = answer.items[i];
    switch (classify(document->action, result)) {
      case ItemOutcome::kDone:
        ++stored;
        settled.push_back(document);
        break;
      case ItemOutcome::kObsolete:
        version_conflicts_.inc();
        ++stored;
        settled.push_back(document);
        break;
      case ItemOutcome::kRetry:
        cause =
            fmt::format("status {}: {}: {}", result.status, result.error_type, cut(result.reason));
        again.push_back(document);
        break;
      case ItemOutcome::kRefused:
        if (refuse(
                document->action, request.host, result.status, result.error_type, result.reason)) {
          settled.push_back(document);
        }
        break;
    }
  }
  records_send_.inc(stored);
  settle(settled);
  if (!again.empty()) {
    retry_all(again, request.host, cause);
  }
}

void ElasticsearchWriter::retry_all(const std::vector<BulkDocument*>& documents,
                                    std::size_t host,
                                    const std::string& cause) {
  int retries = 0;
  for (BulkDocument* const document : documents) {
    BulkAction& action = document->action;
    if (options_.max_retries >= 0 && action.retries >= options_.max_retries) {
      fail(Error(
          ErrorKind::kExternal,
          fmt::format(
              "elasticsearch: {} did not take the {} after {} retries: {}; raise "
              "'bulk-flush.backoff.max-retries' (-1: for ever) or look at the cluster's health",
              hosts_.url(host),
              action.describe(),
              action.retries,
              cause),
          Retryable::kYes));
      return;
    }
    retries = std::max(retries, ++action.retries);
  }
  bulk_retries_.inc();
  std::int64_t delay_ms = options_.backoff_delay_ms;
  if (options_.backoff == BackoffType::kExponential) {
    delay_ms = std::min(options_.backoff_delay_ms << std::min(retries - 1, 20),
                        options_.backoff_max_delay_ms);
  }
  // Half of it is left to chance: many subtasks that were refused together do not come back
  // together.
  std::uniform_real_distribution<double> share(0.5, 1.0);
  const auto delay_ns =
      static_cast<std::int64_t>(static_cast<double>(delay_ms * kNsPerMs) * share(jitter_));
  warn(fmt::format("{}: {} actions are sent again in {} ms: {}",
                   hosts_.url(host),
                   documents.size(),
                   delay_ns / kNsPerMs,
                   cause));
  const std::int64_t due = monotonic_ns() + delay_ns;
  const std::lock_guard lock(mutex_);
  for (BulkDocument* const document : documents) {
    buffer_.retry(*document, due);
  }
}

bool ElasticsearchWriter::refuse(const BulkAction& action,
                                 std::size_t host,
                                 int status,
                                 const std::string& type,
                                 const std::string& reason) {
  records_send_errors_.inc();
  const std::string message = fmt::format("{} refused the {} (status {}, {}): {}",
                                          hosts_.url(host),
                                          action.describe(),
                                          status,
                                          type,
                                          reason);
  // What Elasticsearch 6 says to a request for later versions.
  const bool wants_type =
      options_.document_type.empty() && reason.find("type is missing") != std::string::npos;
  switch (options_.failure_handling) {
    case FailureHandling::kFail:
      fail(Error(
          ErrorKind::kExternal,
          "elasticsearch: " + message +
              (wants_type ? "; the server is Elasticsearch 6, which wants the type of documents: "
                            "use Elasticsearch6SinkBuilder, which sets 'document-type'"
                          : "; correct the document or the index's mapping, or set "
                            "'failure-handler' to skip or dead-letter")));
      return false;
    case FailureHandling::kSkip:
      warn(message + "; skipped");
      break;
    case FailureHandling::kDeadLetter:
      write_dead_letter(action, status, type, reason);
      dead_lettered_.inc();
      warn(message + "; written to the dead-letter file");
      break;
  }
  return true;
}

void ElasticsearchWriter::write_dead_letter(const BulkAction& action,
                                            int status,
                                            const std::string& type,
                                            const std::string& reason) {
  std::string line = R"({"action":")" + std::string(to_string(action.kind)) + R"(","index":)";
  const auto member = [&](const char* name, const std::string& text) {
    line += std::string(",\"") + name + "\":";
    append_json_string(text, line);
  };
  append_json_string(action.index, line);
  if (action.id) {
    member("id", *action.id);
  }
  if (action.routing) {
    member("routing", *action.routing);
  }
  if (action.version) {
    line += ",\"version\":" + std::to_string(*action.version);
  }
  if (!action.source.empty()) {
    member("source", action.source);
  }
  if (!action.script.empty()) {
    member("script", action.script);
  }
  line += ",\"status\":" + std::to_string(status);
  member("type", type);
  member("reason", reason);
  dead_letters_ << line << "}\n";
}

void ElasticsearchWriter::throw_error_of_dead_letters() const {
  flott::throw_error(ErrorKind::kExternal,
                     "elasticsearch: cannot write to the file of option 'dead-letter.file' ('{}'); "
                     "is the disk full?",
                     options_.dead_letter_file);
}

void ElasticsearchWriter::warn(const std::string& message) {
  const std::int64_t now = monotonic_ns();
  if (last_warning_ns_ != 0 && now - last_warning_ns_ < kWarningIntervalNs) {
    ++suppressed_warnings_;
    return;
  }
  last_warning_ns_ = now;
  const std::int64_t suppressed = std::exchange(suppressed_warnings_, 0);
  if (suppressed > 0) {
    log(LogLevel::kWarn, kLogger, "{} (and {} more like it)", message, suppressed);
  } else {
    log(LogLevel::kWarn, kLogger, "{}", message);
  }
}

void ElasticsearchWriter::settle(const std::vector<BulkDocument*>& documents) {
  const std::lock_guard lock(mutex_);
  for (BulkDocument* const document : documents) {
    buffer_.settle(*document);
  }
}

void ElasticsearchWriter::fail(Error error) {
  {
    const std::lock_guard lock(mutex_);
    if (!error_) {
      error_ = std::move(error);
    }
  }
  if (context_.wakeup) {
    context_.wakeup();
  }
}

}  // namespace flott
