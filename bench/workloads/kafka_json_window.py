"""Kafka JSON -> Row -> Python timestamp assigner, map, key, 1 s window, Python reduce.

The broker runs beside it.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from measure import Goal, child_main, pyflink_environment, rate_of

TITLE = "Kafka JSON -> Row -> Python assigner, map, key, 1 s window, Python reduce"
GOALS = {"records_per_s": Goal(at_least=0.8e6)}
ENGINES = ("flott", "bytewax", "quix", "flink-thread", "flink")
NAMES = ["id", "user", "event_time", "amount", "url", "agent"]


def prepare(bench, engine):
    """Fills one topic a size."""
    sizes = {
        "flott": [3_000_000],
        "bytewax": [200_000],
        "quix": [100_000],
        "flink-thread": [20_000, 200_000],
        "flink": [20_000, 100_000],
    }[engine]
    if bench.quick and len(sizes) == 1:
        sizes = [max(size // 4, 20_000) for size in sizes]
    topics = {str(size): bench.json_topic(size) for size in sizes}
    return {"sizes": sizes, "topics": topics, "bootstrap": bench.kafka(), "jars": bench.jars()}


def row_type():
    from pyflink.common import Types

    return Types.ROW_NAMED(
        NAMES,
        [
            Types.LONG(),
            Types.STRING(),
            Types.LONG(),
            Types.DOUBLE(),
            Types.STRING(),
            Types.STRING(),
        ],
    )


def kafka_rows(env, options, records, strategy):
    """The topic of `records` messages as a stream of rows."""
    from pyflink.datastream.connectors.kafka import KafkaOffsetsInitializer, KafkaSource
    from pyflink.datastream.formats.json import JsonRowDeserializationSchema

    source = (
        KafkaSource.builder()
        .set_bootstrap_servers(options["bootstrap"])
        .set_topics(options["topics"][str(records)])
        .set_group_id("bench")
        .set_starting_offsets(KafkaOffsetsInitializer.earliest())
        .set_bounded(KafkaOffsetsInitializer.latest())
        .set_value_only_deserializer(
            JsonRowDeserializationSchema.builder().type_info(row_type()).build()
        )
        .build()
    )
    return env.from_source(source, strategy, "kafka")


def with_pyflink(engine, options):
    from pyflink.common import Duration, Time, WatermarkStrategy
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
        (
            kafka_rows(env, options, records, strategy)
            .map(lambda row: (row.user, row.amount, 1))
            .key_by(lambda v: v[0])
            .window(TumblingEventTimeWindows.of(Time.seconds(1)))
            .reduce(lambda a, b: (a[0], a[1] + b[1], a[2] + b[2]))
            .filter(lambda v: v[2] < 0)
            .print()
        )
        env.execute()

    return rate_of(job, options["sizes"])


def with_bytewax(options):
    from datetime import datetime, timedelta, timezone

    import bytewax.operators as op
    import orjson
    from bytewax.connectors.kafka import KafkaSource
    from bytewax.dataflow import Dataflow
    from bytewax.operators import windowing
    from bytewax.testing import TestingSink, run_main

    def job(records):
        flow = Dataflow("window")
        source = KafkaSource(
            [options["bootstrap"]], [options["topics"][str(records)]], tail=False, batch_size=1000
        )
        rows = op.map("json", op.input("in", flow, source), lambda m: orjson.loads(m.value))
        keyed = op.map("map", rows, lambda r: (r["user"], (r["event_time"], r["amount"], 1)))
        clock = windowing.EventClock(
            ts_getter=lambda v: datetime.fromtimestamp(v[0] / 1000, timezone.utc),
            wait_for_system_duration=timedelta(seconds=5),
        )
        windower = windowing.TumblingWindower(
            length=timedelta(seconds=1), align_to=datetime(2020, 1, 1, tzinfo=timezone.utc)
        )
        reduced = windowing.reduce_window(
            "reduce", keyed, clock, windower, lambda a, b: (a[0], a[1] + b[1], a[2] + b[2])
        )
        op.output(
            "out", op.filter("filter", reduced.down, lambda v: v[1][1][2] < 0), TestingSink([])
        )
        run_main(flow)

    return rate_of(job, options["sizes"])


def with_quix(options):
    import tempfile
    import uuid

    from quixstreams import Application

    def job(records):
        with tempfile.TemporaryDirectory() as state:
            app = Application(
                broker_address=options["bootstrap"],
                consumer_group=str(uuid.uuid4()),
                auto_offset_reset="earliest",
                state_dir=state,
                loglevel="ERROR",
            )
            topic = app.topic(
                options["topics"][str(records)],
                value_deserializer="json",
                timestamp_extractor=lambda value, headers, timestamp, kind: value["event_time"],
            )
            seen = 0

            def amount_and_one(row):
                # Not `app.run(count=...)`: it counts what leaves the flow, and nothing does.
                nonlocal seen
                seen += 1
                if seen == records:
                    app.stop()
                return row["amount"], 1

            frame = app.dataframe(topic).apply(amount_and_one)
            frame = (
                frame.tumbling_window(1000, grace_ms=5000)
                .reduce(lambda a, b: [a[0] + b[0], a[1] + b[1]], lambda v: list(v))
                .final()
            )
            frame.filter(lambda v: v["value"][1] < 0).print()
            app.run()

    return rate_of(job, options["sizes"])


def run(engine, options):
    """One measurement; see the module's text."""
    if engine == "bytewax":
        return with_bytewax(options)
    if engine == "quix":
        return with_quix(options)
    return with_pyflink(engine, options)


if __name__ == "__main__":
    child_main(run)
