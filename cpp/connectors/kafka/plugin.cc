#include "connectors/kafka/kafka_sink.h"
#include "connectors/kafka/kafka_source.h"
#include "connectors/registry.h"

extern "C" void flott_register_connectors(flott::ConnectorRegistry* registry) {
  registry->add_source("kafka", &flott::kafka::KafkaSource::from_options);
  registry->add_sink("kafka", &flott::kafka::KafkaSink::from_options);
}
