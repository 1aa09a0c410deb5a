#include "connectors/kafka/kafka_sink.h"

#include "connectors/kafka/exactly_once_writer.h"
#include "connectors/kafka/kafka_writer.h"
#include "connectors/kafka_record.h"

namespace flott::kafka {

KafkaSink::KafkaSink(const Options& options)
    : options_(std::make_shared<const SinkOptions>(SinkOptions::parse(options))),
      ownership_(std::make_shared<SinkOwnership>()) {
  make_conf(options_->client);  // wrong settings fail when the graph is built
}

std::unique_ptr<Sink> KafkaSink::from_options(const Options& options,
                                              const LogicalTypePtr& /*type*/) {
  return std::make_unique<KafkaSink>(options);
}

LogicalTypePtr KafkaSink::input_type() const {
  return kafka_record_type();
}

std::unique_ptr<SinkWriter> KafkaSink::create_writer(const SinkWriterContext& context) {
  if (options_->exactly_once) {
    return std::make_unique<ExactlyOnceWriter>(options_, ownership_, context);
  }
  return std::make_unique<KafkaWriter>(options_, context);
}

}  // namespace flott::kafka
