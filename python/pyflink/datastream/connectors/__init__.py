"""Sources and sinks; each system has a module of its own."""

from __future__ import annotations

from pyflink._lazy import lazy_exports

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyflink.datastream.connectors.base import DeliveryGuarantee, Sink, Source

__getattr__, __dir__, _ = lazy_exports(
    __name__,
    {
        "pyflink.datastream.connectors.base": "DeliveryGuarantee Sink Source",
        "pyflink.datastream.connectors.elasticsearch": (
            "Elasticsearch6SinkBuilder Elasticsearch7SinkBuilder ElasticsearchEmitter"
            " ElasticsearchSink FlushBackoffType"
        ),
        "pyflink.datastream.connectors.file_system": (
            "BucketAssigner BulkFormat FileEnumeratorProvider FileSink FileSource FileSourceBuilder"
            " FileSplitAssignerProvider OutputFileConfig RollingPolicy StreamFormat"
            " StreamingFileSink"
        ),
        "pyflink.datastream.connectors.kafka": (
            "FlinkKafkaConsumer FlinkKafkaProducer KafkaOffsetResetStrategy KafkaOffsetsInitializer"
            " KafkaRecordSerializationSchema KafkaSink KafkaSource KafkaTopicPartition Semantic"
        ),
        "pyflink.datastream.connectors.number_seq": "NumberSequenceSource",
        "pyflink.datastream.connectors.jdbc": "JdbcSink JdbcConnectionOptions JdbcExecutionOptions",
        "pyflink.datastream.connectors.pulsar": (
            "PulsarSource PulsarSourceBuilder PulsarSink PulsarSinkBuilder"
        ),
        "pyflink.datastream.connectors.rabbitmq": "RMQConnectionConfig RMQSource RMQSink",
    },
)

__all__ = ["DeliveryGuarantee", "Sink", "Source"]
