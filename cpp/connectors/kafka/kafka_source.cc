#include "connectors/kafka/kafka_source.h"

#include "connectors/kafka/kafka_reader.h"
#include "connectors/kafka/split_position.h"

namespace flott::kafka {
namespace {

std::vector<TopicPartition> without_offset(const std::vector<TopicPartition>& partitions,
                                           const OffsetLookup::Offsets& offsets) {
  std::vector<TopicPartition> out;
  for (const TopicPartition& partition : partitions) {
    if (!offsets.contains(partition)) {
      out.push_back(partition);
    }
  }
  return out;
}

}  // namespace

KafkaSource::KafkaSource(const Options& options, LogicalTypePtr produced_type)
    : options_(std::make_shared<const SourceOptions>(SourceOptions::parse(options))),
      type_(std::move(produced_type)) {
  // Wrong settings are found here, at the user's line, not in the running job.
  make_conf(options_->client);
  const auto decoder = make_decoder(options_->format, options_->format_options, type_);
  type_ = decoder->type();
}

std::unique_ptr<Source> KafkaSource::from_options(const Options& options,
                                                  const LogicalTypePtr& type) {
  return std::make_unique<KafkaSource>(options, type);
}

Boundedness KafkaSource::boundedness() const {
  return options_->stop != StopMode::kNone && options_->stop_is_bounded ? Boundedness::kBounded
                                                                        : Boundedness::kUnbounded;
}

OffsetLookup& KafkaSource::lookup() {
  if (!lookup_) {
    lookup_ = std::make_unique<OffsetLookup>(*options_);
  }
  return *lookup_;
}

std::vector<SourceSplit> KafkaSource::discover_splits(const std::function<bool()>& cancelled) {
  const std::lock_guard lock(lookup_mutex_);
  std::vector<SourceSplit> splits;
  for (const TopicPartition& partition : lookup().partitions(cancelled)) {
    SplitPosition position;
    position.partition = partition;
    position.next = SplitPosition::kOpen;
    position.stop =
        options_->stop == StopMode::kNone ? SplitPosition::kNoStop : SplitPosition::kOpen;
    splits.push_back(position.encode());
  }
  return splits;
}

void KafkaSource::resolve_positions(std::vector<SourceSplit>& splits,
                                    const std::function<bool()>& cancelled) {
  const std::lock_guard lock(lookup_mutex_);
  std::vector<SplitPosition> positions;
  std::vector<TopicPartition> to_start;
  std::vector<TopicPartition> to_stop;
  for (const SourceSplit& split : splits) {
    positions.push_back(SplitPosition::decode(split));
    const SplitPosition& position = positions.back();
    if (position.next == SplitPosition::kOpen) {
      to_start.push_back(position.partition);
    }
    if (position.stop == SplitPosition::kOpen) {
      to_stop.push_back(position.partition);
    }
  }
  const OffsetLookup::Offsets starts = start_offsets(to_start, cancelled);
  const OffsetLookup::Offsets stops = stop_offsets(to_stop, cancelled);
  if (options_->discovery_interval_ms == 0) {
    lookup_.reset();
  }
  if (cancelled && cancelled()) {
    return;  // what was looked up is incomplete, and nobody wants it
  }
  for (std::size_t i = 0; i < splits.size(); ++i) {
    SplitPosition& position = positions[i];
    if (position.next == SplitPosition::kOpen) {
      position.next = found_offset(starts, position.partition);
    }
    if (position.stop == SplitPosition::kOpen) {
      position.stop = found_offset(stops, position.partition);
    }
    splits[i] = position.encode();
  }
}

std::int64_t KafkaSource::found_offset(const OffsetLookup::Offsets& offsets,
                                       const TopicPartition& partition) const {
  const auto it = offsets.find(partition);
  if (it == offsets.end()) {
    throw_error(ErrorKind::kExternal,
                "the Kafka brokers '{}' gave no offset for topic '{}', partition {}; check their "
                "state and start the job again",
                options_->bootstrap_servers,
                partition.topic,
                partition.partition);
  }
  return it->second;
}

OffsetLookup::Offsets KafkaSource::start_offsets(const std::vector<TopicPartition>& partitions,
                                                 const std::function<bool()>& cancelled) {
  if (partitions.empty()) {
    return {};
  }
  OffsetLookup::Offsets offsets;
  if (options_->start == StartMode::kCommitted) {
    offsets = lookup().committed(partitions, cancelled);
  } else if (options_->start == StartMode::kTimestamp) {
    offsets = lookup().offsets_at(partitions, options_->start_timestamp_ms, cancelled);
  } else if (options_->start == StartMode::kOffsets) {
    offsets = options_->start_offsets;
  }
  const std::vector<TopicPartition> open = without_offset(partitions, offsets);
  if (open.empty() || (cancelled && cancelled())) {
    return offsets;
  }
  std::int64_t edge = RD_KAFKA_OFFSET_END;
  if (options_->start == StartMode::kLatest || options_->start == StartMode::kTimestamp) {
    // No record at or after the time: only what comes later.
  } else if (options_->start == StartMode::kEarliest || options_->reset == "earliest") {
    // A number rather than "the beginning": librdkafka waits half a second before it resolves that
    // itself.
    edge = RD_KAFKA_OFFSET_BEGINNING;
  } else if (options_->reset != "latest") {
    throw_error(ErrorKind::kExternal,
                "group '{}' has no committed offset for topic '{}', partition {} (Kafka brokers "
                "'{}'), and 'scan.startup.reset' is none; set it to earliest or latest",
                options_->group_id,
                open.front().topic,
                open.front().partition,
                options_->bootstrap_servers);
  }
  offsets.merge(lookup().offsets_at(open, edge, cancelled));
  return offsets;
}

OffsetLookup::Offsets KafkaSource::stop_offsets(const std::vector<TopicPartition>& partitions,
                                                const std::function<bool()>& cancelled) {
  if (partitions.empty()) {
    return {};
  }
  OffsetLookup::Offsets offsets;
  if (options_->stop == StopMode::kCommitted) {
    offsets = lookup().committed(partitions, cancelled);
  } else if (options_->stop == StopMode::kTimestamp) {
    offsets = lookup().offsets_at(partitions, options_->stop_timestamp_ms, cancelled);
  } else if (options_->stop == StopMode::kOffsets) {
    offsets = options_->stop_offsets;
  }
  offsets.merge(
      lookup().offsets_at(without_offset(partitions, offsets), RD_KAFKA_OFFSET_END, cancelled));
  return offsets;
}

SourceSplit KafkaSource::as_new_split(SourceSplit split) const {
  SplitPosition position = SplitPosition::decode(split);
  position.next = RD_KAFKA_OFFSET_BEGINNING;
  return position.encode();
}

std::unique_ptr<SourceReader> KafkaSource::create_reader(const SourceReaderContext& context) {
  return std::make_unique<KafkaReader>(options_, type_, context);
}

}  // namespace flott::kafka
