"""Kafka JSON -> native running sum per field key -> Kafka JSON, one result a record.

No Python function; the broker runs beside it. Without a goal: every record goes through the broker
twice, and that alone costs librdkafka (2.0.2) about 1.6 us a record, so what is measured here is
mostly the client library. `kafka_native_sum` has the goal.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from measure import Goal, child_main, pyflink_environment, rate_of

TITLE = "Kafka JSON -> native sum per field key -> Kafka JSON, one result a record (no goal)"
GOALS: dict[str, Goal] = {}
ENGINES = ("flott", "flink-thread")


def prepare(bench, engine):
    """Fills one topic a size; results go to a topic of their own."""
    import kafka_native_sum

    return kafka_native_sum.prepare(bench, engine)


def run(engine, options):
    """One measurement; see the module's text."""
    import kafka_json_window
    import kafka_native_sum

    from pyflink.common import Types, WatermarkStrategy

    def job(records):
        env = pyflink_environment(engine, options)
        rows = kafka_json_window.kafka_rows(
            env, options, records, WatermarkStrategy.no_watermarks()
        )
        sums = rows.key_by(lambda row: row.user, key_type=Types.STRING()).sum("amount")
        sums.sink_to(kafka_native_sum.json_sink(options, kafka_json_window.row_type()))
        env.execute()

    return rate_of(job, options["sizes"])


if __name__ == "__main__":
    child_main(run)
