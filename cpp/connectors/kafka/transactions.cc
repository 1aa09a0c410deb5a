#include "connectors/kafka/transactions.h"

#include "base/clock.h"
#include "base/fault_point.h"
#include "base/log.h"
#include "connectors/kafka/producing_start.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>

namespace flott::kafka {
namespace {

/// A stop is seen between calls that take so long at most.
constexpr int kCallMs = 500;
constexpr int kPauseMs = 50;
constexpr int kLongestPauseMs = 2'000;
constexpr std::int64_t kDefaultTimeoutMs = 900'000;
constexpr int kDescribeMs = 5'000;
/// Settings that a consumer does not have.
constexpr const char* kProducerOnly[] = {"acks",
                                         "enable.idempotence",
                                         "partitioner",
                                         "linger.ms",
                                         "delivery.timeout.ms",
                                         "queue.buffering.max.messages",
                                         "queue.buffering.max.kbytes",
                                         "delivery.report.only.error",
                                         "compression.type",
                                         "compression.codec",
                                         "batch.size",
                                         "batch.num.messages",
                                         "message.send.max.retries",
                                         "retry.backoff.ms"};

struct ErrorDeleter {
  void operator()(rd_kafka_error_t* error) const { rd_kafka_error_destroy(error); }
};
using ErrorHandle = std::unique_ptr<rd_kafka_error_t, ErrorDeleter>;

struct EventDeleter {
  void operator()(rd_kafka_event_t* event) const { rd_kafka_event_destroy(event); }
};

struct GroupDeleter {
  void operator()(rd_kafka_consumer_group_metadata_t* group) const {
    rd_kafka_consumer_group_metadata_destroy(group);
  }
};

/// The name of any broker that is up.
std::optional<std::string> some_broker(rd_kafka_t* client) {
  const rd_kafka_metadata_t* raw = nullptr;
  if (rd_kafka_metadata(client, 0, nullptr, &raw, kDescribeMs) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return std::nullopt;
  }
  const Metadata metadata(raw);
  if (raw->broker_cnt == 0) {
    return std::nullopt;
  }
  return std::to_string(raw->brokers[0].id);
}

/// What a record that will be refused every time was refused with.
bool is_permanent(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ||
         code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
         code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC || code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
         code == RD_KAFKA_RESP_ERR_INVALID_RECORD || code == RD_KAFKA_RESP_ERR_POLICY_VIOLATION ||
         code == RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP;
}

bool is_fenced(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
         code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

/// What a transaction that the brokers know nothing of any more ends with.
bool is_bad_state(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR_INVALID_TXN_STATE || code == RD_KAFKA_RESP_ERR__STATE ||
         code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING ||
         code == RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID;
}

}  // namespace

std::string to_text(const Marker& marker) {
  std::string text = fmt::format("{}/{}", marker.run, marker.sequence);
  if (!marker.lineage.empty() || !marker.owner.empty()) {
    text += fmt::format("/{}/{}", marker.lineage, marker.owner);
  }
  return text;
}

std::optional<Marker> parse_marker(std::string_view text) {
  std::array<std::string_view, 4> parts;
  std::size_t count = 0;
  for (std::size_t begin = 0; begin <= text.size(); ++count) {
    if (count == parts.size()) {
      return std::nullopt;
    }
    const std::size_t slash = std::min(text.find('/', begin), text.size());
    parts[count] = text.substr(begin, slash - begin);
    begin = slash + 1;
  }
  const std::string_view digits = parts[1];
  if ((count != 2 && count != 4) || parts[0].empty() || digits.empty()) {
    return std::nullopt;
  }
  Marker marker{std::string(parts[0]), 0, std::string(parts[2]), std::string(parts[3])};
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), marker.sequence);
  if (error != std::errc{} || end != digits.data() + digits.size()) {
    return std::nullopt;
  }
  return marker;
}

std::string marker_topic(const SinkOptions& options) {
  // Without a topic of its own: the one that has every group's offsets, so it is always there.
  return options.topic.empty() ? "__consumer_offsets" : options.topic;
}

std::optional<std::int64_t> max_transaction_timeout_ms(rd_kafka_t* client) {
  const std::optional<std::string> broker = some_broker(client);
  if (!broker) {
    return std::nullopt;
  }
  rd_kafka_ConfigResource_t* resource =
      rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_BROKER, broker->c_str());
  rd_kafka_AdminOptions_t* const options =
      rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
  char text[256];
  rd_kafka_AdminOptions_set_request_timeout(options, kDescribeMs, text, sizeof text);
  const Queue queue(rd_kafka_queue_new(client));
  rd_kafka_DescribeConfigs(client, &resource, 1, options, queue.get());
  rd_kafka_AdminOptions_destroy(options);
  rd_kafka_ConfigResource_destroy(resource);
  const std::unique_ptr<rd_kafka_event_t, EventDeleter> event(
      rd_kafka_queue_poll(queue.get(), kDescribeMs + kCallMs));
  const rd_kafka_DescribeConfigs_result_t* const result =
      event ? rd_kafka_event_DescribeConfigs_result(event.get()) : nullptr;
  if (result == nullptr) {
    return std::nullopt;
  }
  std::size_t resources = 0;
  const rd_kafka_ConfigResource_t** const list =
      rd_kafka_DescribeConfigs_result_resources(result, &resources);
  for (std::size_t i = 0; i < resources; ++i) {
    std::size_t entries = 0;
    const rd_kafka_ConfigEntry_t** const configs =
        rd_kafka_ConfigResource_configs(list[i], &entries);
    for (std::size_t j = 0; j < entries; ++j) {
      const char* const value = rd_kafka_ConfigEntry_value(configs[j]);
      if (value != nullptr &&
          std::string_view(rd_kafka_ConfigEntry_name(configs[j])) == "transaction.max.timeout.ms") {
        return std::atoll(value);
      }
    }
  }
  log(LogLevel::kDebug,
      "flott.kafka",
      "the brokers do not tell their transaction.max.timeout.ms: {}",
      event ? rd_kafka_event_error_string(event.get()) : "no answer");
  return std::nullopt;
}

std::int64_t transaction_timeout_ms(const SinkOptions& options,
                                    std::optional<std::int64_t> max_timeout_ms) {
  if (!options.transaction_timeout_ms) {
    return std::min(kDefaultTimeoutMs, max_timeout_ms.value_or(kDefaultTimeoutMs));
  }
  const std::int64_t wanted = *options.transaction_timeout_ms;
  if (max_timeout_ms && wanted > *max_timeout_ms) {
    throw_error(ErrorKind::kInvalidArgument,
                "the Kafka sink's 'transaction.timeout.ms' is {}, and the brokers '{}' allow {} at "
                "most (their setting 'transaction.max.timeout.ms'); lower the sink's, or leave it "
                "out, or raise the brokers'",
                wanted,
                options.bootstrap_servers,
                *max_timeout_ms);
  }
  return wanted;
}

std::optional<Marker> read_marker(const SinkOptions& options,
                                  const std::string& transactional_id,
                                  const std::string& topic,
                                  PendingMarker pending,
                                  const std::atomic<bool>& stopped) {
  ClientSettings settings = options.client;
  for (const char* const name : kProducerOnly) {
    settings.erase(name);
  }
  settings["group.id"] = transactional_id;
  settings["enable.auto.commit"] = "false";
  // read_committed: the request waits for transactions that are not decided (require-stable).
  settings["isolation.level"] =
      pending == PendingMarker::kAwaited ? "read_committed" : "read_uncommitted";
  StartErrors errors;
  Conf conf = make_conf(settings);
  set_events(conf.get(), &errors);
  const Client client = make_client(RD_KAFKA_CONSUMER, std::move(conf));
  const std::int64_t begin = monotonic_ns();
  const std::string what =
      fmt::format("cannot read how far the transactions of '{}' got", transactional_id);
  while (!stopped.load(std::memory_order_acquire)) {
    const PartitionList list(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_t* const entry =
        rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), 0);
    rd_kafka_resp_err_t code = rd_kafka_committed(client.get(), list.get(), kCallMs);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
      code = entry->err;
    }
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
      if (entry->offset < 0 || entry->metadata == nullptr) {
        return std::nullopt;
      }
      return parse_marker({static_cast<const char*>(entry->metadata), entry->metadata_size});
    }
    rd_kafka_poll(client.get(), kPauseMs);
    if (errors.refused() || errors.out_of_time(RD_KAFKA_RESP_ERR__TIMED_OUT,
                                               monotonic_ns() - begin,
                                               options.patience,
                                               options.bootstrap_servers,
                                               what)) {
      errors.on_error(code, rd_kafka_err2str(code));
      errors.fail(options.bootstrap_servers, what);
    }
  }
  return std::nullopt;
}

TransactionalProducer::TransactionalProducer(const SinkOptions& options,
                                             std::string transactional_id,
                                             std::int64_t timeout_ms,
                                             const std::atomic<bool>& stopped)
    : options_(options),
      id_(std::move(transactional_id)),
      timeout_ms_(timeout_ms),
      stopped_(stopped),
      outage_(fmt::format("transactional id '{}'", id_), options.bootstrap_servers) {
  ClientSettings settings = options.client;
  settings["transactional.id"] = id_;
  settings["transaction.timeout.ms"] = std::to_string(timeout_ms);
  settings["enable.idempotence"] = "true";
  // librdkafka wants it to be at most that.
  const auto delivery = settings.find("delivery.timeout.ms");
  if (delivery != settings.end() && std::atoll(delivery->second.c_str()) > timeout_ms) {
    delivery->second = std::to_string(timeout_ms);
  }
  Conf conf = make_conf(settings);
  set_events(conf.get(), this);
  client_ = make_client(RD_KAFKA_PRODUCER, std::move(conf));
}

TransactionalProducer::~TransactionalProducer() {
  if (open_ && !fatal_ && client_) {
    // Readers of committed records wait behind an open transaction.
    rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    const ErrorHandle ignored(rd_kafka_abort_transaction(client_.get(), 2 * kCallMs));
  }
  last_topic_ = nullptr;
  topics_.clear();
  client_.reset();
}

std::string TransactionalProducer::timeout_hint() const {
  const std::int64_t open_ms = open_ ? (monotonic_ns() - begun_ns_) / 1'000'000 : aborted_after_ms_;
  if (open_ms < timeout_ms_) {
    return {};
  }
  return fmt::format(
      "the transaction was open for {} ms, and the brokers end those that last longer than {} ms. "
      "If this process was stopped meanwhile, a restart is all that is needed; if the records of "
      "one checkpoint take so long to send, raise 'transaction.timeout.ms' (up to "
      "'transaction.max.timeout.ms' of the brokers) or shorten 'execution.checkpointing.interval'. "
      "Nothing is lost: a restore sends them again",
      open_ms,
      timeout_ms_);
}

void TransactionalProducer::fail(std::string_view what,
                                 rd_kafka_resp_err_t code,
                                 std::string_view text) {
  throw_failure();
  const std::string timeout = timeout_hint();
  if (is_fenced(code)) {
    throw Error(
        ErrorKind::kExternal,
        fmt::format(
            "{}: {}another producer has taken over the transactional id '{}' of the Kafka "
            "brokers '{}'. If another job, another sink of this job, or an earlier run of it that "
            "is still alive, uses the prefix '{}' (set_transactional_id_prefix), end it or give it "
            "another prefix. What this one had not committed is committed after a restore",
            what,
            timeout.empty() ? "" : timeout + ". Or ",
            id_,
            options_.bootstrap_servers,
            options_.transactional_id_prefix),
        Retryable::kYes);
  }
  std::string hint = timeout.empty() ? "" : "; " + timeout;
  if (code == RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED) {
    hint =
        "; the user of 'properties.sasl.jaas.config' may not use transactional ids with this "
        "prefix";
  } else if (code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED) {
    hint =
        "; the user of 'properties.sasl.jaas.config' may not use groups that are named like "
        "the transactional ids";
  } else if (code == RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT) {
    hint =
        "; 'transaction.timeout.ms' of the sink is above 'transaction.max.timeout.ms' of the "
        "brokers";
  } else if (hint.empty() && is_bad_state(code)) {
    hint =
        "; the brokers end a transaction that takes longer than 'transaction.timeout.ms': if the "
        "records of one checkpoint take so long to send, raise it or shorten "
        "'execution.checkpointing.interval'. Nothing is lost: a restore sends them again";
  }
  throw Error(
      ErrorKind::kExternal,
      fmt::format("{} (transactional id '{}', {} = {} ms) on the Kafka brokers '{}': {}{}",
                  what,
                  id_,
                  "transaction.timeout.ms",
                  timeout_ms_,
                  options_.bootstrap_servers,
                  text,
                  hint),
      code == RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT ? Retryable::kNo : Retryable::kYes);
}

void TransactionalProducer::throw_failure() const {
  if (failure_) {
    throw Error(*failure_);
  }
}

template <typename Attempt>
TransactionalProducer::Outcome TransactionalProducer::call(std::string_view what,
                                                           const Attempt& attempt) {
  while (!stopped_.load(std::memory_order_acquire)) {
    const ErrorHandle error(attempt());
    rd_kafka_poll(client_.get(), 0);
    if (!error) {
      return Outcome::kDone;
    }
    const rd_kafka_resp_err_t code = rd_kafka_error_code(error.get());
    if (rd_kafka_error_is_fatal(error.get()) != 0) {
      fatal_ = true;
      fail(what, code, rd_kafka_error_string(error.get()));
    }
    if (rd_kafka_error_txn_requires_abort(error.get()) != 0) {
      const std::string timeout = timeout_hint();
      log(LogLevel::kWarn,
          "flott.kafka",
          "{} (transactional id '{}'): {}; the transaction is aborted and begun again{}{}",
          what,
          id_,
          rd_kafka_error_string(error.get()),
          timeout.empty() ? "" : ": ",
          timeout);
      return Outcome::kAbort;
    }
    if (rd_kafka_error_is_retriable(error.get()) == 0 && code != RD_KAFKA_RESP_ERR__TIMED_OUT) {
      fail(what, code, rd_kafka_error_string(error.get()));
    }
    if (code != RD_KAFKA_RESP_ERR__TIMED_OUT) {
      rd_kafka_poll(client_.get(), kPauseMs);
    }
  }
  return Outcome::kStopped;
}

bool TransactionalProducer::init() {
  const std::int64_t begin = monotonic_ns();
  const std::int64_t patience_ns =
      std::max<std::int64_t>(options_.patience.away_ms, kSilenceFactor * 10'000) * 1'000'000;
  const std::string_view what = "cannot take over the transactions";
  return call(what, [&] {
           rd_kafka_error_t* const error = rd_kafka_init_transactions(client_.get(), kCallMs);
           if (error != nullptr && monotonic_ns() - begin > patience_ns) {
             const ErrorHandle handle(error);
             fail(what, RD_KAFKA_RESP_ERR__TIMED_OUT, rd_kafka_error_string(error));
           }
           return error;
         }) == Outcome::kDone;
}

void TransactionalProducer::poll() {
  rd_kafka_poll(client_.get(), 0);
}

bool TransactionalProducer::publish(const SnapshotFile* segment,
                                    const Marker& marker,
                                    const std::string& marker_topic) {
  int pause_ms = kPauseMs;
  while (!stopped_.load(std::memory_order_acquire)) {
    const Outcome outcome = try_publish(segment, marker, marker_topic);
    if (outcome != Outcome::kAbort) {
      outage_.alive();
      return outcome == Outcome::kDone;
    }
    if (!abort()) {
      return false;
    }
    throw_failure();
    rd_kafka_poll(client_.get(), pause_ms);
    pause_ms = std::min(2 * pause_ms, kLongestPauseMs);
  }
  return false;
}

TransactionalProducer::Outcome TransactionalProducer::try_publish(const SnapshotFile* segment,
                                                                  const Marker& marker,
                                                                  const std::string& topic) {
  Outcome outcome =
      call("cannot begin a transaction", [&] { return rd_kafka_begin_transaction(client_.get()); });
  if (outcome != Outcome::kDone) {
    return outcome;
  }
  open_ = true;
  begun_ns_ = monotonic_ns();
  if (segment != nullptr) {
    outcome = send(*segment);
  }
  if (outcome == Outcome::kDone) {
    outcome = send_marker(marker, topic);
  }
  if (outcome == Outcome::kDone && segment != nullptr) {
    fault_point(FaultPoint::kDuringCommit);
  }
  if (outcome == Outcome::kDone) {
    outcome = call("cannot commit a transaction",
                   [&] { return rd_kafka_commit_transaction(client_.get(), kCallMs); });
  }
  if (outcome == Outcome::kDone) {
    open_ = false;
    aborted_after_ms_ = 0;
    if (segment != nullptr) {
      fault_point(FaultPoint::kBetweenCommitAndNotify);
    }
  }
  return outcome;
}

bool TransactionalProducer::abort() {
  rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  const Outcome outcome = call("cannot abort a transaction",
                               [&] { return rd_kafka_abort_transaction(client_.get(), kCallMs); });
  aborted_after_ms_ = (monotonic_ns() - begun_ns_) / 1'000'000;
  open_ = outcome != Outcome::kDone;
  return outcome == Outcome::kDone;
}

rd_kafka_topic_t* TransactionalProducer::topic_of(std::string_view name) {
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

TransactionalProducer::Outcome TransactionalProducer::send(const SnapshotFile& segment) {
  SegmentReader reader(segment);
  rd_kafka_vu_t fields[6] = {};
  fields[0].vtype = RD_KAFKA_VTYPE_RKT;
  fields[1].vtype = RD_KAFKA_VTYPE_PARTITION;
  fields[2].vtype = RD_KAFKA_VTYPE_KEY;
  fields[3].vtype = RD_KAFKA_VTYPE_VALUE;
  fields[4].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
  fields[5].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  fields[5].u.i = RD_KAFKA_MSG_F_COPY;
  // A null pointer is a null key or value; an empty one still needs an address.
  const auto set = [](rd_kafka_vu_t& field, const std::optional<std::string_view>& bytes) {
    const char* const data = !bytes ? nullptr : (bytes->empty() ? "" : bytes->data());
    field.u.mem.ptr = const_cast<char*>(data);
    field.u.mem.size = bytes ? bytes->size() : 0;
  };
  std::int64_t sent = 0;
  for (OutgoingRecord record; reader.next(record);) {
    fields[0].u.rkt = topic_of(record.topic);
    fields[1].u.i32 = record.partition < 0 ? RD_KAFKA_PARTITION_UA : record.partition;
    set(fields[2], record.key);
    set(fields[3], record.value);
    fields[4].u.i64 = record.timestamp;
    for (;;) {
      const ErrorHandle error(rd_kafka_produceva(client_.get(), fields, std::size(fields)));
      if (!error) [[likely]] {
        break;
      }
      const rd_kafka_resp_err_t code = rd_kafka_error_code(error.get());
      if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        if (stopped_.load(std::memory_order_acquire)) {
          return Outcome::kStopped;
        }
        rd_kafka_poll(client_.get(), 1);
        continue;
      }
      rd_kafka_poll(client_.get(), 0);
      throw_failure();
      if (code == RD_KAFKA_RESP_ERR__STATE || rd_kafka_error_txn_requires_abort(error.get()) != 0) {
        return Outcome::kAbort;  // an earlier record failed
      }
      fail(fmt::format("a record cannot be sent to topic '{}'", record.topic),
           code,
           fmt::format("{}{}", rd_kafka_error_string(error.get()), delivery_hint(options_, code)));
    }
    if ((++sent & 0xfff) == 0) {
      rd_kafka_poll(client_.get(), 0);
      if (stopped_.load(std::memory_order_acquire)) {
        return Outcome::kStopped;
      }
    }
  }
  // In pieces, so that a stop is seen. What failed makes the next call ask for an abort.
  while (rd_kafka_flush(client_.get(), kCallMs) == RD_KAFKA_RESP_ERR__TIMED_OUT) {
    if (stopped_.load(std::memory_order_acquire)) {
      return Outcome::kStopped;
    }
  }
  throw_failure();
  return Outcome::kDone;
}

TransactionalProducer::Outcome TransactionalProducer::send_marker(const Marker& marker,
                                                                  const std::string& topic) {
  const PartitionList list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_t* const entry =
      rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), 0);
  entry->offset = marker.sequence;
  const std::string text = to_text(marker);
  entry->metadata = ::strdup(text.c_str());  // the list frees it
  entry->metadata_size = text.size();
  const std::unique_ptr<rd_kafka_consumer_group_metadata_t, GroupDeleter> group(
      rd_kafka_consumer_group_metadata_new(id_.c_str()));
  return call("cannot write how far the transactions got", [&] {
    return rd_kafka_send_offsets_to_transaction(client_.get(), list.get(), group.get(), kCallMs);
  });
}

void TransactionalProducer::on_error(rd_kafka_resp_err_t code, std::string_view text) {
  if (code != RD_KAFKA_RESP_ERR__FATAL && !is_fenced(code)) {
    outage_.lost(text);
  }
}

void TransactionalProducer::on_delivery_failed(const rd_kafka_message_t& message) {
  if (failure_ || !is_permanent(message.err)) {
    return;  // the transaction is aborted and tried again
  }
  failure_ =
      Error(ErrorKind::kExternal,
            fmt::format("a record could not be delivered to topic '{}', partition {}, of the "
                        "Kafka brokers '{}': {}{}",
                        rd_kafka_topic_name(message.rkt),
                        message.partition,
                        options_.bootstrap_servers,
                        rd_kafka_err2str(message.err),
                        delivery_hint(options_, message.err)),
            Retryable::kYes);
}

}  // namespace flott::kafka
