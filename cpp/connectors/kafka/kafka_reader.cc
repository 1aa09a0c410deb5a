#include "connectors/kafka/kafka_reader.h"

#include "base/clock.h"
#include "base/log.h"

#include <algorithm>

namespace flott::kafka {
namespace {

// What all partitions of a reader may hold ahead of it.
constexpr std::int64_t kPrefetchKbytes = 32 * 1024;
// Which part of that is read before fetchers that stopped at the limit are told to look again.
constexpr std::int64_t kWakePart = 8;
constexpr int kEventPolls = 64;

/// Destroys what was not handled, also when decoding throws.
class MessageSpan {
 public:
  MessageSpan(rd_kafka_message_t** messages, std::size_t count) : at_(messages), left_(count) {}
  ~MessageSpan() {
    for (; left_ > 0; --left_) {
      rd_kafka_message_destroy(*at_++);
    }
  }
  MessageSpan(const MessageSpan&) = delete;
  MessageSpan& operator=(const MessageSpan&) = delete;

 private:
  rd_kafka_message_t** at_;
  std::size_t left_;
};

}  // namespace

KafkaReader::KafkaReader(std::shared_ptr<const SourceOptions> options,
                         const LogicalTypePtr& type,
                         const SourceReaderContext& context)
    : options_(std::move(options)),
      context_(context),
      decoder_(make_decoder(options_->format, options_->format_options, type)),
      builder_(decoder_->type()),
      outage_(fmt::format(
                  "{} ({}/{})", context.operator_name, context.subtask + 1, context.parallelism),
              options_->bootstrap_servers),
      pending_sum_(std::make_shared<std::atomic<std::int64_t>>(0)) {
  if (context_.metrics != nullptr) {
    bytes_in_ = &context_.metrics->counter("numBytesIn");
    errors_in_ = &context_.metrics->counter("numRecordsInErrors");
    ignored_in_ = &context_.metrics->counter("numRecordsIgnored");
  }
}

KafkaReader::~KafkaReader() {
  close();
}

void KafkaReader::connect(std::size_t partitions) {
  ClientSettings settings = options_->client;
  const std::int64_t share = std::clamp<std::int64_t>(
      kPrefetchKbytes / static_cast<std::int64_t>(partitions), 1024, 65536);
  settings.emplace("queued.max.messages.kbytes", std::to_string(share));
  wake_bytes_ = std::stoll(settings["queued.max.messages.kbytes"]) * 1024 *
                static_cast<std::int64_t>(partitions) / kWakePart;
  settings.emplace("queued.min.messages", "1000000");
  if (is_setting("fetch.queue.backoff.ms")) {
    settings.emplace("fetch.queue.backoff.ms", "20");
  }
  // While one partition's queue is full, a fetch of the empty ones must not hold it up for long.
  settings.emplace("fetch.wait.max.ms", "50");
  settings["enable.partition.eof"] = "true";
  settings.emplace("statistics.interval.ms", "2000");
  Conf conf = make_conf(settings);
  set_events(conf.get(), this);
  client_ = make_client(RD_KAFKA_CONSUMER, std::move(conf));
  // Errors, commits and statistics come through the main queue: an idle task must look at them,
  // too.
  events_.reset(rd_kafka_queue_get_main(client_.get()));
  rd_kafka_queue_cb_event_enable(
      events_.get(),
      [](rd_kafka_t* /*client*/, void* opaque) {
        static_cast<SourceReaderContext*>(opaque)->wakeup();
      },
      &context_);
  started_ns_ = monotonic_ns();
}

void KafkaReader::add_splits(const std::vector<SourceSplit>& splits) {
  if (splits.empty()) {
    return;
  }
  if (!client_) {
    connect(splits.size());
  }
  for (const SourceSplit& split : splits) {
    auto partition = std::make_unique<Partition>();
    partition->position = SplitPosition::decode(split);
    partition->gauges = std::make_shared<PartitionGauges>();
    if (partition->position.finished) {
      ++finished_;  // restored so
    } else {
      finish_if_at_stop(*partition);
    }
    if (!partition->position.finished) {
      start(*partition);
    }
    register_gauges(*partition);
    partitions_.push_back(std::move(partition));
  }
}

void KafkaReader::start(Partition& partition) {
  const TopicPartition& where = partition.position.partition;
  partition.topic.reset(rd_kafka_topic_new(client_.get(), where.topic.c_str(), nullptr));
  if (!partition.topic) {
    check_kafka(rd_kafka_last_error(), fmt::format("cannot read the topic '{}'", where.topic));
  }
  partition.queue.reset(rd_kafka_queue_new(client_.get()));
  partition.wakeup = context_.wakeup;
  rd_kafka_queue_cb_event_enable(
      partition.queue.get(),
      [](rd_kafka_t* /*client*/, void* opaque) {
        auto& ready = *static_cast<Partition*>(opaque);
        ready.ready.store(true, std::memory_order_release);
        ready.wakeup();
      },
      &partition);
  if (rd_kafka_consume_start_queue(
          partition.topic.get(), where.partition, partition.position.next, partition.queue.get()) ==
      -1) {
    check_kafka(rd_kafka_last_error(),
                fmt::format("cannot read topic '{}', partition {}", where.topic, where.partition));
  }
  partition.started = true;
}

PollResult KafkaReader::poll(SourceBatch& out, std::int64_t max_rows) {
  out = {};
  if (options_->max_poll_records > 0) {
    max_rows = std::min(max_rows, options_->max_poll_records);
  }
  if (client_ && (++polls_ >= kEventPolls)) {
    polls_ = 0;
    rd_kafka_poll(client_.get(), 0);
  }
  const std::size_t count = partitions_.size();
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t index = (current_ + i) % count;
    Partition& partition = *partitions_[index];
    if (partition.position.finished ||
        !partition.ready.exchange(false, std::memory_order_acquire)) {
      continue;
    }
    take(partition, std::max<std::int64_t>(max_rows, 1));
    if (!builder_.empty()) {
      current_ = (index + 1) % count;
      out.split = static_cast<int>(index);
      out.batch = builder_.finish();
      return PollResult::kMore;
    }
    if (partition.position.finished) {
      current_ = (index + 1) % count;
      out.split = static_cast<int>(index);
      return finished_ == count ? PollResult::kFinished : PollResult::kMore;
    }
  }
  if (finished_ == count) {
    return PollResult::kFinished;
  }
  if (client_) {
    rd_kafka_poll(client_.get(), 0);
    if (!connected_once_ && (start_errors_.refused() || outage_.is_out())) {
      const std::string what =
          fmt::format("cannot read topic '{}'", partitions_.front()->position.partition.topic);
      if (start_errors_.refused() || start_errors_.out_of_time(RD_KAFKA_RESP_ERR__TRANSPORT,
                                                               monotonic_ns() - started_ns_,
                                                               options_->patience,
                                                               options_->bootstrap_servers,
                                                               what)) {
        start_errors_.fail(options_->bootstrap_servers, what);
      }
    }
  }
  return PollResult::kIdle;
}

void KafkaReader::take(Partition& partition, std::int64_t max_rows) {
  std::int64_t left = max_rows;
  while (left > 0 && !partition.position.finished) {
    const auto wanted = static_cast<std::size_t>(std::min<std::int64_t>(left, kTake));
    const ssize_t got =
        rd_kafka_consume_batch_queue(partition.queue.get(), 0, taken_.data(), wanted);
    if (got <= 0) {
      break;
    }
    connected_once_ = true;
    const MessageSpan span(taken_.data(), static_cast<std::size_t>(got));
    std::int64_t bytes = 0;
    for (ssize_t i = 0; i < got; ++i) {
      bytes += static_cast<std::int64_t>(taken_[static_cast<std::size_t>(i)]->len);
      if (!handle(partition, *taken_[static_cast<std::size_t>(i)])) {
        break;
      }
    }
    bytes_in_->inc(bytes);
    wake_fetchers(bytes);
    left -= got;
    // Only a queue that was seen empty raises the event again: look once more in the next round.
    partition.ready.store(true, std::memory_order_relaxed);
    if (static_cast<std::size_t>(got) < wanted) {
      break;
    }
  }
  ignored_in_->set(decoder_->ignored());
  std::int64_t low = 0;
  std::int64_t high = -1;
  const TopicPartition& where = partition.position.partition;
  if (rd_kafka_get_watermark_offsets(
          client_.get(), where.topic.c_str(), where.partition, &low, &high) ==
          RD_KAFKA_RESP_ERR_NO_ERROR &&
      high >= 0 && partition.position.next >= 0) {
    const std::int64_t pending = std::max<std::int64_t>(high - partition.position.next, 0);
    pending_sum_->fetch_add(pending - partition.gauges->pending.exchange(pending));
  }
  partition.gauges->current.store(partition.position.next - 1, std::memory_order_relaxed);
}

/// When the queues of all its partitions are full, a broker's thread sleeps for up to a second
/// (librdkafka 2.0; later versions have fetch.queue.backoff.ms), which reading at full speed would
/// spend waiting for it. Of the calls that wake these threads only this one changes nothing: the
/// credentials are what they were.
void KafkaReader::wake_fetchers(std::int64_t taken_bytes) {
  bytes_since_wake_ += taken_bytes;
  if (bytes_since_wake_ < wake_bytes_) {
    return;
  }
  bytes_since_wake_ = 0;
  const auto value_of = [this](const char* name) {
    const auto it = options_->client.find(name);
    return it == options_->client.end() ? "" : it->second.c_str();
  };
  rd_kafka_error_t* const error = rd_kafka_sasl_set_credentials(
      client_.get(), value_of("sasl.username"), value_of("sasl.password"));
  if (error != nullptr) {
    rd_kafka_error_destroy(error);
  }
}

bool KafkaReader::handle(Partition& partition, const rd_kafka_message_t& message) {
  SplitPosition& position = partition.position;
  if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) [[unlikely]] {
    handle_error(partition, message);
    return !position.finished;
  }
  if (position.stop >= 0 && message.offset >= position.stop) {
    position.next = position.stop;
    finish_if_at_stop(partition);
    return false;
  }
  rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  const std::int64_t timestamp = rd_kafka_message_timestamp(&message, &type);
  try {
    // A tombstone (null value) is no record of a value-only source; an empty value is one.
    if (message.payload != nullptr) {
      decoder_->decode(
          {static_cast<const char*>(message.payload), message.len},
          type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE || timestamp < 0 ? kNoTimestamp : timestamp,
          builder_);
    }
  } catch (const Error& error) {
    errors_in_->inc();
    throw_error(ErrorKind::kExternal,
                "cannot decode the record of topic '{}', partition {}, offset {} as {}: {}",
                position.partition.topic,
                position.partition.partition,
                message.offset,
                options_->format,
                error.what());
  }
  position.next = message.offset + 1;
  if (position.next == position.stop) {
    finish_if_at_stop(partition);
    return false;
  }
  return true;
}

void KafkaReader::handle_error(Partition& partition, const rd_kafka_message_t& message) {
  SplitPosition& position = partition.position;
  const char* const topic = position.partition.topic.c_str();
  const std::int32_t number = position.partition.partition;
  switch (message.err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
      // The consumer's position: behind transaction markers and compacted records.
      position.next = std::max(position.next, message.offset);
      outage_.alive();
      finish_if_at_stop(partition);
      return;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
      throw_error(
          ErrorKind::kExternal,
          "offset {} of topic '{}', partition {} is not on the Kafka brokers '{}' any more, and "
          "'scan.startup.reset' is none: {}",
          position.next,
          topic,
          number,
          options_->bootstrap_servers,
          rd_kafka_message_errstr(&message));
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
      throw_error(ErrorKind::kExternal,
                  "topic '{}', partition {} cannot be read from the Kafka brokers '{}': {}",
                  topic,
                  number,
                  options_->bootstrap_servers,
                  rd_kafka_message_errstr(&message));
    default:
      // librdkafka tries again by itself.
      log(LogLevel::kWarn,
          "flott.kafka",
          "topic '{}', partition {}: {}; trying again",
          topic,
          number,
          rd_kafka_message_errstr(&message));
  }
}

void KafkaReader::finish_if_at_stop(Partition& partition) {
  SplitPosition& position = partition.position;
  if (!position.finished && position.stop >= 0 &&
      (position.next >= position.stop || position.stop == 0)) {
    position.finished = true;
    ++finished_;
  }
}

std::vector<SourceSplit> KafkaReader::positions() {
  std::vector<SourceSplit> splits;
  splits.reserve(partitions_.size());
  for (const auto& partition : partitions_) {
    splits.push_back(partition->position.encode());
  }
  return splits;
}

bool KafkaReader::split_finished(int index) const {
  return partitions_[static_cast<std::size_t>(index)]->position.finished;
}

void KafkaReader::on_checkpoint(CheckpointId id) {
  if (!options_->commit_on_checkpoint || options_->group_id.empty()) {
    return;
  }
  std::vector<SplitPosition>& positions = uncommitted_[id];
  positions.clear();
  for (const auto& partition : partitions_) {
    if (partition->position.next >= 0) {
      positions.push_back(partition->position);
    }
  }
}

void KafkaReader::notify_checkpoint_complete(CheckpointId id) {
  const auto it = uncommitted_.find(id);
  if (it != uncommitted_.end() && !it->second.empty() && client_) {
    const PartitionList list(
        rd_kafka_topic_partition_list_new(static_cast<int>(it->second.size())));
    for (const SplitPosition& position : it->second) {
      rd_kafka_topic_partition_list_add(
          list.get(), position.partition.topic.c_str(), position.partition.partition)
          ->offset = position.next;
    }
    // Asynchronous; the result comes to on_committed(). The checkpoint is what counts: a failed
    // commit only means that the group's lag is shown late.
    const rd_kafka_resp_err_t code = rd_kafka_commit(client_.get(), list.get(), 1);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
      on_committed(code, nullptr);
    }
  }
  uncommitted_.erase(uncommitted_.begin(), uncommitted_.upper_bound(id));
}

void KafkaReader::close() {
  if (!client_) {
    return;
  }
  for (const auto& partition : partitions_) {
    if (partition->started) {
      rd_kafka_queue_cb_event_enable(partition->queue.get(), nullptr, nullptr);
      rd_kafka_consume_stop(partition->topic.get(), partition->position.partition.partition);
      partition->started = false;
    }
    partition->queue.reset();
    partition->topic.reset();
  }
  rd_kafka_queue_cb_event_enable(events_.get(), nullptr, nullptr);
  events_.reset();
  client_.reset();
}

void KafkaReader::register_gauges(const Partition& partition) {
  if (context_.metrics == nullptr) {
    return;
  }
  const std::string group = fmt::format("KafkaSourceReader.topic.{}.partition.{}.",
                                        partition.position.partition.topic,
                                        partition.position.partition.partition);
  context_.metrics->gauge(group + "currentOffset", [gauges = partition.gauges] {
    return static_cast<double>(gauges->current.load(std::memory_order_relaxed));
  });
  context_.metrics->gauge(group + "committedOffset", [gauges = partition.gauges] {
    return static_cast<double>(gauges->committed.load(std::memory_order_relaxed));
  });
  if (partitions_.empty()) {
    context_.metrics->gauge("pendingRecords", [sum = pending_sum_] {
      return static_cast<double>(sum->load(std::memory_order_relaxed));
    });
  }
}

void KafkaReader::on_error(rd_kafka_resp_err_t code, std::string_view text) {
  start_errors_.on_error(code, text);
  outage_.lost(text);
}

void KafkaReader::on_committed(rd_kafka_resp_err_t code,
                               const rd_kafka_topic_partition_list_t* offsets) {
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    log(LogLevel::kWarn,
        "flott.kafka",
        "the offsets of group '{}' could not be committed: {}; the next checkpoint tries again",
        options_->group_id,
        rd_kafka_err2str(code));
    return;
  }
  for (int i = 0; offsets != nullptr && i < offsets->cnt; ++i) {
    const rd_kafka_topic_partition_t& entry = offsets->elems[i];
    for (const auto& partition : partitions_) {
      if (partition->position.partition.partition == entry.partition &&
          partition->position.partition.topic == entry.topic) {
        partition->gauges->committed.store(entry.offset, std::memory_order_relaxed);
      }
    }
  }
}

void KafkaReader::on_statistics(std::string_view json) {
  // After an outage without new records nothing else tells that a broker answers again.
  if (outage_.is_out() && json.find("\"state\":\"UP\"") != std::string_view::npos) {
    outage_.alive();
  }
}

}  // namespace flott::kafka
