#include "connectors/kafka/kafka_writer.h"

#include "base/clock.h"
#include "base/log.h"
#include "connectors/kafka/producing_start.h"

#include <charconv>
#include <cstdlib>
#include <iterator>

namespace flott::kafka {
namespace {
constexpr int kIdlePollMs = 100;
constexpr int kWaitingPollMs = 1;

// What is gathered at most, in records and in time, before it goes to librdkafka behind
// unacknowledged ones.
constexpr std::int64_t kGatherRows = 10'000;
constexpr std::int64_t kGatherMs = 100;
// With a longer 'linger.ms' librdkafka gathers by itself.
constexpr double kGatherLingerMs = 5;

/// librdkafka (2.0 as well as 2.9) lets an idempotent producer have five *messages* of a partition
/// in flight where it means five requests. Whatever waits behind a request of five or more is due
/// at once when 'linger.ms' is over but must not be sent, and the broker's thread polls its socket
/// without a pause until the answer comes: a whole core at a few thousand records a second. So the
/// writer keeps such records back itself.
bool gathers(const ClientSettings& settings) {
  const auto idempotent = settings.find("enable.idempotence");
  const auto linger = settings.find("linger.ms");
  return idempotent != settings.end() && idempotent->second == "true" && linger != settings.end() &&
         std::strtod(linger->second.c_str(), nullptr) <= kGatherLingerMs;
}

}  // namespace

KafkaWriter::KafkaWriter(std::shared_ptr<const SinkOptions> options,
                         const SinkWriterContext& context)
    : options_(std::move(options)),
      context_(context),
      gathers_(gathers(options_->client)),
      outage_(fmt::format(
                  "{} ({}/{})", context.operator_name, context.subtask + 1, context.parallelism),
              options_->bootstrap_servers),
      send_time_ms_(std::make_shared<std::atomic<double>>(0)) {
  if (context_.metrics != nullptr) {
    records_ = &context_.metrics->counter("numRecordsSend");
    bytes_ = &context_.metrics->counter("numBytesOut");
    errors_ = &context_.metrics->counter("numRecordsSendErrors");
    context_.metrics->gauge("currentSendTime", [time = send_time_ms_] { return time->load(); });
  }
}

KafkaWriter::~KafkaWriter() {
  close();
}

void KafkaWriter::open() {
  Conf conf = make_conf(options_->client);
  set_events(conf.get(), this);
  if (gathers_) {
    check_kafka(rd_kafka_conf_interceptor_add_on_new(conf.get(), "flott", &on_new, this),
                "cannot watch the producer's acknowledgements");
  }
  client_ = make_client(RD_KAFKA_PRODUCER, std::move(conf));
  thread_ = std::thread([this] { serve(); });
}

rd_kafka_resp_err_t KafkaWriter::on_new(rd_kafka_t* client,
                                        const rd_kafka_conf_t* /*conf*/,
                                        void* opaque,
                                        char* /*text*/,
                                        std::size_t /*size*/) {
  return rd_kafka_interceptor_add_on_acknowledgement(client, "flott", &on_acknowledgement, opaque);
}

/// On librdkafka's threads, once a record, also for those that failed.
rd_kafka_resp_err_t KafkaWriter::on_acknowledgement(rd_kafka_t* /*client*/,
                                                    rd_kafka_message_t* /*message*/,
                                                    void* opaque) {
  auto& writer = *static_cast<KafkaWriter*>(opaque);
  const std::int64_t acknowledged = writer.acknowledged_.fetch_add(1) + 1;
  if (writer.gathering_.load() && acknowledged == writer.handed_over_.load()) {
    writer.context_.wakeup();
  }
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/// The writer's thread: failed deliveries, errors, log lines; and the watch for a drained queue.
void KafkaWriter::serve() {
  check_start();
  const int low = static_cast<int>(options_->buffer_records / 2);
  while (!stopped_.load(std::memory_order_acquire)) {
    const bool waiting = waiting_.load(std::memory_order_acquire);
    if (waiting && rd_kafka_outq_len(client_.get()) > 0) {
      // As a poll, but without waiting for 'linger.ms'.
      rd_kafka_flush(client_.get(), kWaitingPollMs);
    } else {
      rd_kafka_poll(client_.get(), waiting ? kWaitingPollMs : kIdlePollMs);
    }
    if (waiting) {
      // A flush waits for nothing left, back-pressure for half: the task looks which it was.
      const int left = rd_kafka_outq_len(client_.get());
      if (left == 0 || left < low) {
        context_.wakeup();
      }
    }
  }
}

void KafkaWriter::check_start() {
  try {
    if (await_topic(client_.get(), *options_, start_errors_, [this] {
          return stopped_.load(std::memory_order_acquire);
        })) {
      outage_.alive();
    }
  } catch (const Error& error) {
    fail(error);
  }
}

rd_kafka_topic_t* KafkaWriter::topic_of(std::string_view name) {
  if (last_topic_ != nullptr && name == last_topic_name_) {
    return last_topic_;
  }
  auto it = topics_.find(name);
  if (it == topics_.end()) {
    const std::string text(name);
    Topic made(rd_kafka_topic_new(client_.get(), text.c_str(), nullptr));
    if (!made) {
      throw_error(ErrorKind::kExternal,
                  "cannot write to the Kafka topic '{}': {}",
                  text,
                  rd_kafka_err2str(rd_kafka_last_error()));
    }
    it = topics_.emplace(text, std::move(made)).first;
  }
  last_topic_name_ = name;
  last_topic_ = it->second.get();
  return last_topic_;
}

std::int64_t KafkaWriter::produce(const Batch& batch, std::int64_t row) {
  const Column& topics = batch.column(0);
  const Column& partitions = batch.column(1);
  const Column& keys = batch.column(2);
  const Column& values = batch.column(3);
  const Column& timestamps = batch.column(4);
  rd_kafka_vu_t fields[6] = {};
  fields[0].vtype = RD_KAFKA_VTYPE_RKT;
  fields[1].vtype = RD_KAFKA_VTYPE_PARTITION;
  fields[2].vtype = RD_KAFKA_VTYPE_KEY;
  fields[3].vtype = RD_KAFKA_VTYPE_VALUE;
  fields[4].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
  fields[5].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  fields[5].u.i = RD_KAFKA_MSG_F_COPY;
  std::int64_t bytes = 0;
  const std::int64_t first = row;
  std::int64_t refused = 0;
  for (; row < batch.num_rows(); ++row) {
    const std::string_view name =
        topics.is_null(row) ? std::string_view(options_->topic) : topics.string_at(row);
    if (name.empty()) {
      throw_error(ErrorKind::kUserCode,
                  "a record names no Kafka topic, and the sink's option 'topic' is not set");
    }
    const std::int32_t partition =
        partitions.is_null(row) ? RD_KAFKA_PARTITION_UA : partitions.data<std::int32_t>()[row];
    const std::string_view key = keys.is_null(row) ? std::string_view() : keys.string_at(row);
    const std::string_view value = values.is_null(row) ? std::string_view() : values.string_at(row);
    const std::int64_t timestamp = timestamps.is_null(row) || !options_->write_timestamp
                                       ? 0
                                       : timestamps.data<std::int64_t>()[row];
    // A null pointer is a null key or value; an empty one still needs an address.
    const char* const key_data = keys.is_null(row) ? nullptr : (key.empty() ? "" : key.data());
    const char* const value_data =
        values.is_null(row) ? nullptr : (value.empty() ? "" : value.data());
    fields[0].u.rkt = topic_of(name);
    fields[1].u.i32 = partition;
    fields[2].u.mem.ptr = const_cast<char*>(key_data);
    fields[2].u.mem.size = key.size();
    fields[3].u.mem.ptr = const_cast<char*>(value_data);
    fields[3].u.mem.size = value.size();
    fields[4].u.i64 = timestamp;
    rd_kafka_error_t* const error = rd_kafka_produceva(client_.get(), fields, std::size(fields));
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    if (error != nullptr) [[unlikely]] {
      code = rd_kafka_error_code(error);
      rd_kafka_error_destroy(error);
    }
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      break;
    }
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
      errors_->inc();
      const std::string what = explain(std::string(name), partition, code, rd_kafka_err2str(code));
      if (!options_->log_failures_only) {
        throw Error(ErrorKind::kExternal, what);
      }
      log_failure(what);
      ++refused;
      continue;
    }
    bytes += static_cast<std::int64_t>(key.size() + value.size());
  }
  handed_over_.fetch_add(row - first - refused);
  records_->inc(row - first - refused);
  bytes_->inc(bytes);
  return row;
}

void KafkaWriter::write(const BatchPtr& batch) {
  throw_failure();
  backlog_.emplace_back(batch, 0);
  backlog_rows_ += batch->num_rows();
  drain();
  if (busy()) {
    waiting_.store(true, std::memory_order_release);
  }
}

bool KafkaWriter::must_gather() {
  if (!gathers_ || queue_full_ || backlog_rows_ >= kGatherRows) {
    return false;
  }
  // First say that we wait, then look: the last acknowledgement counts first and then looks whether
  // somebody waits.
  gathering_.store(true);
  if (all_acknowledged()) {
    return false;
  }
  // A partition without a leader must not keep back the others' records for long.
  const Timestamp now = context_.clock->now_ms();
  if (gathering_since_ == kMaxTimestamp) {
    gathering_since_ = now;
    if (look_again_at_ == kMaxTimestamp) {
      look_again_at_ = now + kGatherMs;
    }
  }
  return now - gathering_since_ < kGatherMs;
}

void KafkaWriter::drain() {
  if (backlog_.empty() || must_gather()) {
    return;
  }
  gathering_.store(false);
  gathering_since_ = kMaxTimestamp;
  queue_full_ = false;
  while (!backlog_.empty()) {
    auto& [batch, row] = backlog_.front();
    const std::int64_t next = produce(*batch, row);
    backlog_rows_ -= next - row;
    row = next;
    if (row < batch->num_rows()) {
      queue_full_ = true;
      return;
    }
    backlog_.pop_front();
  }
}

void KafkaWriter::on_time() {
  throw_failure();
  look_again_at_ = kMaxTimestamp;
  drain();
  if (gathering_since_ != kMaxTimestamp && look_again_at_ == kMaxTimestamp) {
    look_again_at_ = gathering_since_ + kGatherMs;
  }
}

bool KafkaWriter::busy() const {
  return queue_full_ ||
         (client_ && rd_kafka_outq_len(client_.get()) + backlog_rows_ > options_->buffer_records);
}

void KafkaWriter::start_flush() {
  throw_failure();
  flushing_ = true;
  drain();
  waiting_.store(true, std::memory_order_release);
}

bool KafkaWriter::flushed() {
  throw_failure();
  drain();
  const bool settled = backlog_.empty() && rd_kafka_outq_len(client_.get()) == 0;
  if (settled) {
    // The last record may have left the queue because it failed.
    throw_failure();
    flushing_ = false;
  }
  if (!flushing_ && !busy()) {
    waiting_.store(false, std::memory_order_release);
  }
  return settled;
}

void KafkaWriter::close() {
  if (!client_) {
    return;
  }
  stopped_.store(true, std::memory_order_release);
  if (thread_.joinable()) {
    rd_kafka_yield(client_.get());
    thread_.join();
  }
  backlog_.clear();
  gathering_.store(false);
  // What is still unsent is lost by contract; destroy must not wait for it.
  if (rd_kafka_outq_len(client_.get()) > 0) {
    rd_kafka_purge(
        client_.get(),
        RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
  }
  last_topic_ = nullptr;
  topics_.clear();
  client_.reset();
}

void KafkaWriter::fail(Error error) {
  {
    const std::lock_guard lock(mutex_);
    if (!failure_) {
      failure_ = std::move(error);
    }
  }
  failed_.store(true, std::memory_order_release);
  context_.wakeup();
}

void KafkaWriter::log_failure(std::string_view what) const {
  log(LogLevel::kError,
      "flott.kafka",
      "{} ({}/{}): {}; the record is left out",
      context_.operator_name,
      context_.subtask + 1,
      context_.parallelism,
      what);
}

void KafkaWriter::throw_failure() {
  if (!failed_.load(std::memory_order_acquire)) {
    return;
  }
  const std::lock_guard lock(mutex_);
  throw Error(*failure_);
}

std::string KafkaWriter::explain(const std::string& topic,
                                 std::int32_t partition,
                                 rd_kafka_resp_err_t code,
                                 std::string_view text) const {
  std::string where = fmt::format("topic '{}'", topic);
  if (partition != RD_KAFKA_PARTITION_UA) {
    where += fmt::format(", partition {}", partition);
  }
  return fmt::format("a record could not be delivered to {} of the Kafka brokers '{}': {}{}",
                     where,
                     options_->bootstrap_servers,
                     text,
                     delivery_hint(*options_, code));
}

void KafkaWriter::on_error(rd_kafka_resp_err_t code, std::string_view text) {
  start_errors_.on_error(code, text);
  char fatal[256];
  if (rd_kafka_fatal_error(client_.get(), fatal, sizeof fatal) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    fail(Error(ErrorKind::kExternal,
               fmt::format("the Kafka producer for brokers '{}' cannot go on: {}",
                           options_->bootstrap_servers,
                           fatal),
               Retryable::kYes));
    return;
  }
  outage_.lost(text);
}

void KafkaWriter::on_delivery_failed(const rd_kafka_message_t& message) {
  errors_->inc();
  if (message.err == RD_KAFKA_RESP_ERR__PURGE_QUEUE ||
      message.err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT) {
    return;
  }
  std::string what = explain(rd_kafka_topic_name(message.rkt),
                             message.partition,
                             message.err,
                             rd_kafka_err2str(message.err));  // _message_errstr has the payload
  if (options_->log_failures_only) {
    log_failure(what);
  } else {
    fail(Error(ErrorKind::kExternal, std::move(what), Retryable::kYes));
  }
}

void KafkaWriter::on_statistics(std::string_view json) {
  if (outage_.is_out() && json.find("\"state\":\"UP\"") != std::string_view::npos) {
    outage_.alive();
  }
  // The first broker's round trip: {"rtt":{"min":..,"max":..,"avg":4711,...
  const std::size_t rtt = json.find("\"rtt\"");
  const std::size_t average = rtt == std::string_view::npos ? rtt : json.find("\"avg\":", rtt);
  if (average != std::string_view::npos) {
    std::int64_t micros = 0;
    const char* const begin = json.data() + average + 6;
    std::from_chars(begin, json.data() + json.size(), micros);
    if (micros > 0) {
      send_time_ms_->store(static_cast<double>(micros) / 1000.0);
    }
  }
}

}  // namespace flott::kafka
