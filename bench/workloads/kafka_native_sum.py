"""Kafka JSON -> native count and sum per field key in 1 s windows -> Kafka JSON.

Our side names fields only (`FieldAggregates`), so no Python runs; the peer says the same with a
Python AggregateFunction, which is all it has. The broker runs beside it. The goal of issue 3 is
judged here: with one result a record (`kafka_native_rolling`) the client library alone would take
longer than the goal allows.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from measure import Goal, child_main, pyflink_environment, rate_of

TITLE = "Kafka JSON -> native count and sum per field key, 1 s windows -> Kafka JSON"
GOALS = {"records_per_s": Goal(at_least=1.2e6)}
ENGINES = ("flott", "flink-thread")
RESULTS = ["user", "n", "total"]


def prepare(bench, engine):
    """Fills one topic a size; results go to a topic of their own."""
    import kafka_json_window

    options = kafka_json_window.prepare(bench, engine)
    options["out"] = bench.new_topic("sums")
    return options


def result_type():
    from pyflink.common import Types

    return Types.ROW_NAMED(RESULTS, [Types.STRING(), Types.LONG(), Types.DOUBLE()])


def json_sink(options, type_info):
    """Rows as JSON into the topic of the results."""
    from pyflink.datastream.connectors.kafka import KafkaRecordSerializationSchema, KafkaSink
    from pyflink.datastream.formats.json import JsonRowSerializationSchema

    return (
        KafkaSink.builder()
        .set_bootstrap_servers(options["bootstrap"])
        .set_record_serializer(
            KafkaRecordSerializationSchema.builder()
            .set_topic(options["out"])
            .set_value_serialization_schema(
                JsonRowSerializationSchema.builder().with_type_info(type_info).build()
            )
            .build()
        )
        .build()
    )


def counted(windows, engine):
    """Count and sum of each window."""
    if engine == "flott":
        from pyflink.datastream.aggregates import FieldAggregates

        return windows.aggregate(FieldAggregates().key("user").count("n").sum("amount", "total"))
    from pyflink.common import Row
    from pyflink.datastream import AggregateFunction

    class CountAndSum(AggregateFunction):
        def create_accumulator(self):
            return None, 0, 0.0

        def add(self, value, accumulator):
            return value.user, accumulator[1] + 1, accumulator[2] + value.amount

        def get_result(self, accumulator):
            return Row(*accumulator)

        def merge(self, acc_a, acc_b):
            return acc_a[0], acc_a[1] + acc_b[1], acc_a[2] + acc_b[2]

    return windows.aggregate(CountAndSum(), output_type=result_type())


def run(engine, options):
    """One measurement; see the module's text."""
    import kafka_json_window

    from pyflink.common import Duration, Time, Types, WatermarkStrategy
    from pyflink.common.watermark_strategy import TimestampAssigner
    from pyflink.datastream.window import TumblingEventTimeWindows

    class EventTime(TimestampAssigner):
        def extract_timestamp(self, value, record_timestamp):
            return value.event_time

    def job(records):
        env = pyflink_environment(engine, options)
        strategy = WatermarkStrategy.for_bounded_out_of_orderness(
            Duration.of_seconds(5)
        ).with_timestamp_assigner(EventTime())
        windows = (
            kafka_json_window.kafka_rows(env, options, records, strategy)
            .key_by(lambda row: row.user, key_type=Types.STRING())
            .window(TumblingEventTimeWindows.of(Time.seconds(1)))
        )
        counted(windows, engine).sink_to(json_sink(options, result_type()))
        env.execute()

    return rate_of(job, options["sizes"])


if __name__ == "__main__":
    child_main(run)
