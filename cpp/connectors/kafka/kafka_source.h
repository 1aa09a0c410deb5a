#pragma once

#include "connectors/kafka/offset_lookup.h"
#include "connectors/kafka/options.h"
#include "connectors/source.h"

#include <memory>
#include <mutex>

namespace flott::kafka {

/// Reads topics of Kafka: Flink's KafkaSource. A split is a partition; starting and stopping
/// offsets are looked up by the coordinator in resolve_positions(), once and only for partitions
/// that are new to the job, so that a restored job goes on where it was.
class KafkaSource final : public Source {
 public:
  KafkaSource(const Options& options, LogicalTypePtr produced_type);
  static std::unique_ptr<Source> from_options(const Options& options, const LogicalTypePtr& type);

  Boundedness boundedness() const override;
  LogicalTypePtr produced_type() const override { return type_; }
  std::vector<SourceSplit> discover_splits(const std::function<bool()>& cancelled) override;
  void resolve_positions(std::vector<SourceSplit>& splits,
                         const std::function<bool()>& cancelled) override;
  std::int64_t discovery_interval_ms() const override { return options_->discovery_interval_ms; }
  SourceSplit as_new_split(SourceSplit split) const override;
  std::unique_ptr<SourceReader> create_reader(const SourceReaderContext& context) override;

 private:
  OffsetLookup& lookup();
  OffsetLookup::Offsets start_offsets(const std::vector<TopicPartition>& partitions,
                                      const std::function<bool()>& cancelled);
  OffsetLookup::Offsets stop_offsets(const std::vector<TopicPartition>& partitions,
                                     const std::function<bool()>& cancelled);
  /// Throws kExternal when there is none.
  std::int64_t found_offset(const OffsetLookup::Offsets& offsets,
                            const TopicPartition& partition) const;

  std::shared_ptr<const SourceOptions> options_;
  LogicalTypePtr type_;
  std::mutex lookup_mutex_;
  std::unique_ptr<OffsetLookup> lookup_;  ///< by lookup(); kept between discoveries
};

}  // namespace flott::kafka
