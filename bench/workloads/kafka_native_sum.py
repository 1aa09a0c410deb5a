"""Kafka JSON -> native running sum per field key -> Kafka JSON.

No Python function; the broker runs beside it.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from measure import Goal, child_main, pyflink_environment, rate_of

TITLE = "Kafka JSON -> native sum per field key -> Kafka JSON (one result a record)"
GOALS = {"records_per_s": Goal(at_least=1.2e6)}
ENGINES = ("flott", "flink-thread")


def prepare(bench, engine):
    """Fills one topic a size; results go to a topic of their own."""
    import kafka_json_window

    options = kafka_json_window.prepare(bench, engine)
    options["out"] = bench.new_topic("sums")
    return options


def run(engine, options):
    """One measurement; see the module's text."""
    import kafka_json_window

    from pyflink.common import Types, WatermarkStrategy
    from pyflink.datastream.connectors.kafka import KafkaRecordSerializationSchema, KafkaSink
    from pyflink.datastream.formats.json import JsonRowSerializationSchema

    def job(records):
        env = pyflink_environment(engine, options)
        sink = (
            KafkaSink.builder()
            .set_bootstrap_servers(options["bootstrap"])
            .set_record_serializer(
                KafkaRecordSerializationSchema.builder()
                .set_topic(options["out"])
                .set_value_serialization_schema(
                    JsonRowSerializationSchema.builder()
                    .with_type_info(kafka_json_window.row_type())
                    .build()
                )
                .build()
            )
            .build()
        )
        rows = kafka_json_window.kafka_rows(
            env, options, records, WatermarkStrategy.no_watermarks()
        )
        rows.key_by(lambda row: row.user, key_type=Types.STRING()).sum("amount").sink_to(sink)
        env.execute()

    return rate_of(job, options["sizes"])


if __name__ == "__main__":
    child_main(run)
