"""Kafka -> Kafka with a checkpoint each second: exactly-once against at-least-once delivery."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from measure import Goal, child_main, pyflink_environment, rate_of

TITLE = "Kafka -> Kafka, checkpoint each second, exactly-once beside at-least-once"
GOALS = {"of_at_least_once": Goal(at_least=0.6)}
ENGINES = ("flott", "flott-at-least-once", "flink-thread", "flink-thread-at-least-once")
INTERLEAVED = True


def prepare(bench, engine):
    """A full topic of each size, an empty one."""
    most = 1_000_000 if bench.quick else 4_000_000
    sizes = [most] if engine.startswith("flott") else [most // 8, most]
    return {
        "bootstrap": bench.kafka(),
        "sources": {str(size): bench.json_topic(size) for size in sizes},
        "target": bench.new_topic("copied"),
        "sizes": sizes,
        "jars": bench.jars(),
    }


def derive(values):
    """The ratio that is promised."""
    for engine in ("flott", "flink-thread"):
        if engine in values:
            exactly, at_least = values[engine], values[f"{engine}-at-least-once"]
            exactly["of_at_least_once"] = exactly["records_per_s"] / at_least["records_per_s"]


def run(engine, options):
    """One measurement; see the module's text."""
    from pyflink.common import WatermarkStrategy
    from pyflink.common.serialization import SimpleStringSchema
    from pyflink.datastream.connectors import DeliveryGuarantee
    from pyflink.datastream.connectors.kafka import (
        KafkaOffsetsInitializer,
        KafkaRecordSerializationSchema,
        KafkaSink,
        KafkaSource,
    )

    def kafka_source(records):
        return (
            KafkaSource.builder()
            .set_bootstrap_servers(options["bootstrap"])
            .set_topics(options["sources"][str(records)])
            .set_group_id("copy")
            .set_starting_offsets(KafkaOffsetsInitializer.earliest())
            .set_bounded(KafkaOffsetsInitializer.latest())
            .set_value_only_deserializer(SimpleStringSchema())
            .build()
        )

    def kafka_sink():
        builder = (
            KafkaSink.builder()
            .set_bootstrap_servers(options["bootstrap"])
            .set_record_serializer(
                KafkaRecordSerializationSchema.builder()
                .set_topic(options["target"])
                .set_value_serialization_schema(SimpleStringSchema())
                .build()
            )
        )
        if engine.endswith("at-least-once"):
            return builder.set_delivery_guarantee(DeliveryGuarantee.AT_LEAST_ONCE).build()
        return (
            builder.set_delivery_guarantee(DeliveryGuarantee.EXACTLY_ONCE)
            .set_transactional_id_prefix(options["target"])
            .set_property("transaction.timeout.ms", "600000")
            .build()
        )

    def job(records):
        env = pyflink_environment(engine, options)  # a JVM finds connectors once it has the jars
        env.enable_checkpointing(1000)
        env.get_checkpoint_config().set_checkpoint_storage_dir(f"file://{folder}")
        env.from_source(kafka_source(records), WatermarkStrategy.no_watermarks(), "kafka").sink_to(
            kafka_sink()
        )
        env.execute()

    with tempfile.TemporaryDirectory() as folder:
        return rate_of(job, options["sizes"])


if __name__ == "__main__":
    child_main(run)
