#include "connectors/elasticsearch/elasticsearch_sink.h"

#include "connectors/elasticsearch/elasticsearch_writer.h"
#include "connectors/registry.h"

namespace flott {

ElasticsearchSink::ElasticsearchSink(const Options& options, const LogicalTypePtr& stream_type)
    : options_(ElasticsearchOptions::from(options)) {
  const Options mapping = options.sub("mapping");
  if (mapping.has("index")) {
    mapping_ = std::make_shared<const ElasticsearchMappingConfig>(mapping, stream_type);
  } else if (!mapping.values().empty()) {
    throw_error(ErrorKind::kInvalidArgument,
                "elasticsearch: option 'mapping.{}' needs 'mapping.index'",
                mapping.values().begin()->first);
  }
  input_type_ = mapping_ ? stream_type : bulk_action_type();
}

std::unique_ptr<SinkWriter> ElasticsearchSink::create_writer(const SinkWriterContext& context) {
  return std::make_unique<ElasticsearchWriter>(options_, mapping_, context);
}

}  // namespace flott

extern "C" __attribute__((visibility("default"))) void flott_register_connectors(
    flott::ConnectorRegistry* registry) {
  registry->add_sink("elasticsearch",
                     [](const flott::Options& options,
                        const flott::LogicalTypePtr& stream_type) -> std::unique_ptr<flott::Sink> {
                       return std::make_unique<flott::ElasticsearchSink>(options, stream_type);
                     });
}
