#include "connectors/kafka/kafka_sink.h"

#include "connectors/kafka/exactly_once_writer.h"
#include "connectors/kafka/kafka_writer.h"
#include "connectors/kafka/settling_writer.h"
#include "connectors/kafka_record.h"

namespace flott::kafka {

KafkaSink::KafkaSink(const Options& options)
    : given_(options),
      options_(std::make_shared<const SinkOptions>(SinkOptions::parse(options))),
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

namespace {

/// The settings of a sink that is not EXACTLY_ONCE any more, as they were when it was.
Options transactional(const Options& options, std::string prefix) {
  std::map<std::string, std::string> values = options.values();
  values["delivery.guarantee"] = "exactly-once";
  values["transactional.id.prefix"] = std::move(prefix);
  // What a producer with transactions refuses, or decides itself.
  for (const char* name : {"acks",
                           "request.required.acks",
                           "enable.idempotence",
                           "max.in.flight.requests.per.connection",
                           "max.in.flight",
                           "retries",
                           "message.send.max.retries"}) {
    values.erase(fmt::format("properties.{}", name));
  }
  return Options(std::move(values));
}

}  // namespace

std::unique_ptr<SinkWriter> KafkaSink::create_writer(const SinkWriterContext& context) {
  if (options_->exactly_once) {
    return std::make_unique<ExactlyOnceWriter>(options_, ownership_, context);
  }
  auto plain = std::make_unique<KafkaWriter>(options_, context);
  if (context.restored != nullptr) {
    if (const auto prefix = ExactlyOnceWriter::prefix_in(*context.restored)) {
      return std::make_unique<SettlingWriter>(
          std::make_unique<ExactlyOnceWriter>(
              std::make_shared<const SinkOptions>(
                  SinkOptions::parse(transactional(given_, *prefix))),
              ownership_,
              context),
          std::move(plain),
          context.operator_name);
    }
  }
  return plain;
}

}  // namespace flott::kafka
