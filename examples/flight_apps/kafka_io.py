"""How every flight application reads and writes Kafka: JSON rows of the models, with keys."""

from __future__ import annotations

import argparse

from models import Record

from pyflink.datastream.connectors.kafka import (
    DeliveryGuarantee,
    KafkaOffsetsInitializer,
    KafkaRecordSerializationSchema,
    KafkaSink,
    KafkaSource,
)
from pyflink.datastream.formats.json import (
    JsonRowDeserializationSchema,
    JsonRowSerializationSchema,
)


def source_of(arguments: argparse.Namespace, topic: str, record: type[Record]) -> KafkaSource:
    """Reads a topic of `record`: to the present end with --bounded, else for ever."""
    builder = (
        KafkaSource.builder()
        .set_bootstrap_servers(arguments.brokers)
        .set_topics(topic)
        .set_group_id(f"flight-apps-{topic}")
        .set_starting_offsets(KafkaOffsetsInitializer.earliest())
        .set_value_only_deserializer(
            JsonRowDeserializationSchema.builder().type_info(record.row_type()).build()
        )
    )
    if arguments.bounded:
        builder.set_bounded(KafkaOffsetsInitializer.latest())
    return builder.build()


def sink_of(arguments: argparse.Namespace, topic: str, record: type[Record], key: str) -> KafkaSink:
    """Writes rows of `record` to a topic; the record's key is a JSON object with field `key`."""
    keys = JsonRowSerializationSchema.builder().with_type_info(record.row_type(key)).build()
    values = JsonRowSerializationSchema.builder().with_type_info(record.row_type()).build()
    return (
        KafkaSink.builder()
        .set_bootstrap_servers(arguments.brokers)
        .set_record_serializer(
            KafkaRecordSerializationSchema.builder()
            .set_topic(topic)
            .set_key_serialization_schema(keys)
            .set_value_serialization_schema(values)
            .build()
        )
        .set_delivery_guarantee(DeliveryGuarantee.AT_LEAST_ONCE)
        .build()
    )


def parse_arguments(purpose: str | None) -> argparse.Namespace:
    """The arguments all applications take."""
    parser = argparse.ArgumentParser(description=purpose)
    parser.add_argument("--brokers", default="localhost:9092", help="Kafka, host:port,...")
    parser.add_argument("--bounded", action="store_true", help="stop at the topics' present end")
    return parser.parse_args()
