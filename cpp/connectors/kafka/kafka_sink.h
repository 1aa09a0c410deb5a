#pragma once

#include "connectors/kafka/options.h"
#include "connectors/sink.h"

#include <memory>

namespace flott::kafka {

/// Writes kafka_record_type() rows to Kafka: Flink's KafkaSink with NONE and AT_LEAST_ONCE. At a
/// checkpoint (AT_LEAST_ONCE only) and at the end of input (both) every record is acknowledged
/// before the flush is settled.
class KafkaSink final : public Sink {
 public:
  explicit KafkaSink(const Options& options);
  static std::unique_ptr<Sink> from_options(const Options& options, const LogicalTypePtr& type);

  LogicalTypePtr input_type() const override;
  std::unique_ptr<SinkWriter> create_writer(const SinkWriterContext& context) override;

 private:
  std::shared_ptr<const SinkOptions> options_;
};

}  // namespace flott::kafka
