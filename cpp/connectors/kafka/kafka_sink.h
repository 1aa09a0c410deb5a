#pragma once

#include "connectors/kafka/options.h"
#include "connectors/sink.h"

#include <memory>

namespace flott::kafka {

class SinkOwnership;

/// Writes kafka_record_type() rows to Kafka: Flink's KafkaSink. At a checkpoint (AT_LEAST_ONCE) and
/// at the end of input (also NONE) every record is acknowledged before the flush is settled; with
/// EXACTLY_ONCE each checkpoint's records are one transaction (ExactlyOnceWriter).
class KafkaSink final : public Sink {
 public:
  explicit KafkaSink(const Options& options);
  static std::unique_ptr<Sink> from_options(const Options& options, const LogicalTypePtr& type);

  LogicalTypePtr input_type() const override;
  std::unique_ptr<SinkWriter> create_writer(const SinkWriterContext& context) override;
  bool has_two_phases() const override { return options_->exactly_once; }

 private:
  const Options given_;
  std::shared_ptr<const SinkOptions> options_;
  std::shared_ptr<SinkOwnership> ownership_;  ///< EXACTLY_ONCE: of all its writers
};

}  // namespace flott::kafka
