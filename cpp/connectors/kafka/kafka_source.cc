#include "connectors/kafka/kafka_source.h"

#include "connectors/kafka/kafka_reader.h"
#include "connectors/kafka/split_position.h"

namespace flott::kafka {

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

std::vector<SourceSplit> KafkaSource::discover_splits(const std::function<bool()>& cancelled) {
  const std::lock_guard lock(lookup_mutex_);
  if (!lookup_) {
    lookup_ = std::make_unique<OffsetLookup>(*options_);
  }
  const std::vector<TopicPartition> partitions = lookup_->partitions(cancelled);

  OffsetLookup::Offsets ends;
  bool ends_known = false;
  const auto end_of = [&](const TopicPartition& partition) {
    if (!ends_known) {
      ends = lookup_->offsets_at(partitions, RD_KAFKA_OFFSET_END, cancelled);
      ends_known = true;
    }
    const auto it = ends.find(partition);
    return it == ends.end() ? std::int64_t{0} : it->second;
  };

  OffsetLookup::Offsets begins;
  bool begins_known = false;
  // A number rather than "the beginning": librdkafka waits half a second before it resolves that
  // itself.
  const auto begin_of = [&](const TopicPartition& partition) {
    if (!begins_known) {
      begins = lookup_->offsets_at(partitions, RD_KAFKA_OFFSET_BEGINNING, cancelled);
      begins_known = true;
    }
    const auto it = begins.find(partition);
    return it == begins.end() ? std::int64_t{RD_KAFKA_OFFSET_BEGINNING} : it->second;
  };

  OffsetLookup::Offsets found;
  if (options_->start == StartMode::kCommitted) {
    found = lookup_->committed(partitions, cancelled);
  } else if (options_->start == StartMode::kTimestamp) {
    found = lookup_->offsets_at(partitions, options_->start_timestamp_ms, cancelled);
  } else if (options_->start == StartMode::kOffsets) {
    found = options_->start_offsets;
  }
  OffsetLookup::Offsets stops;
  if (options_->stop == StopMode::kCommitted) {
    stops = lookup_->committed(partitions, cancelled);
  } else if (options_->stop == StopMode::kTimestamp) {
    stops = lookup_->offsets_at(partitions, options_->stop_timestamp_ms, cancelled);
  } else if (options_->stop == StopMode::kOffsets) {
    stops = options_->stop_offsets;
  }

  std::vector<SourceSplit> splits;
  for (const TopicPartition& partition : partitions) {
    SplitPosition position;
    position.partition = partition;
    const auto it = found.find(partition);
    if (it != found.end()) {
      position.next = it->second;
    } else if (options_->start == StartMode::kEarliest) {
      position.next = begin_of(partition);
    } else if (options_->start == StartMode::kLatest || options_->start == StartMode::kTimestamp) {
      // No record at or after the time: only what comes later.
      position.next = end_of(partition);
    } else if (options_->reset == "earliest") {
      position.next = begin_of(partition);
    } else if (options_->reset == "latest") {
      position.next = end_of(partition);
    } else {
      throw_error(ErrorKind::kExternal,
                  "group '{}' has no committed offset for topic '{}', partition {} (Kafka brokers "
                  "'{}'), and 'scan.startup.reset' is none; set it to earliest or latest",
                  options_->group_id,
                  partition.topic,
                  partition.partition,
                  options_->bootstrap_servers);
    }
    if (options_->stop != StopMode::kNone) {
      const auto stop = stops.find(partition);
      position.stop = stop != stops.end() ? stop->second : end_of(partition);
    }
    splits.push_back(position.encode());
  }
  if (options_->discovery_interval_ms == 0) {
    lookup_.reset();
  }
  return splits;
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
