"""FieldAggregates: its definition in Python, and that the engine computes the same without it."""

import math
import random

import pytest

from pyflink._mock_kafka import MockKafka
from pyflink.common import Duration, Row, Time, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import ProcessWindowFunction, StreamExecutionEnvironment
from pyflink.datastream.aggregates import FieldAggregates
from pyflink.datastream.connectors.kafka import (
    KafkaOffsetsInitializer,
    KafkaRecordSerializationSchema,
    KafkaSink,
    KafkaSource,
)
from pyflink.datastream.formats.json import (
    JsonRowDeserializationSchema,
    JsonRowSerializationSchema,
)
from pyflink.datastream.window import (
    CountTrigger,
    EventTimeSessionWindows,
    GlobalWindows,
    PurgingTrigger,
    SlidingEventTimeWindows,
    TumblingEventTimeWindows,
)

ROW = Types.ROW_NAMED(
    ["user", "ts", "n", "amount", "word"],
    [Types.STRING(), Types.LONG(), Types.INT(), Types.DOUBLE(), Types.STRING()],
)
AGGREGATES = (
    FieldAggregates()
    .key("user")
    .count()
    .count("amounts", "amount")
    .sum("n")
    .sum("amount", "total")
    .min("amount", "lowest")
    .max("word")
    .avg("n", "mean")
)


class InPython(FieldAggregates):
    """A subclass is any AggregateFunction: the engine calls it."""


def in_python(aggregates):
    other = InPython()
    other.__dict__.update(aggregates.__dict__)
    return other


class EventTime(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value.ts


def strategy():
    # its own class each time: one test replaces the method
    class Own(EventTime):
        def extract_timestamp(self, value, record_timestamp):
            """The event time."""
            return value["ts"]

    return WatermarkStrategy.for_bounded_out_of_orderness(
        Duration.of_millis(500)
    ).with_timestamp_assigner(Own())


def records():
    rng = random.Random(7)
    rows = []
    for i in range(600):
        # some of them late, some fields null
        ts = i * 10 - rng.choice([0, 0, 0, 100, 400, 3000])
        amount = None if rng.random() < 0.1 else rng.uniform(-5, 5)
        n = None if rng.random() < 0.1 else rng.randrange(-100, 100)
        word = rng.choice(["a", "bb", "\u00e4", "a longer word than fits inline", None])
        rows.append(Row(user=rng.choice("abc"), ts=ts, n=n, amount=amount, word=word))
    return rows


@pytest.fixture(scope="module")
def brokers():
    with MockKafka() as kafka:
        kafka.create_topic("rows", 1)
        env = StreamExecutionEnvironment.get_execution_environment()
        env.set_parallelism(1)
        serializer = (
            KafkaRecordSerializationSchema.builder()
            .set_topic("rows")
            .set_value_serialization_schema(
                JsonRowSerializationSchema.builder().with_type_info(ROW).build()
            )
            .build()
        )
        env.from_collection(records(), type_info=ROW).sink_to(
            KafkaSink.builder()
            .set_bootstrap_servers(kafka.bootstrap_servers)
            .set_record_serializer(serializer)
            .build()
        )
        env.execute()
        yield kafka.bootstrap_servers


def from_kafka(brokers, watermarks):
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(1)
    source = (
        KafkaSource.builder()
        .set_bootstrap_servers(brokers)
        .set_topics("rows")
        .set_starting_offsets(KafkaOffsetsInitializer.earliest())
        .set_bounded(KafkaOffsetsInitializer.latest())
        .set_value_only_deserializer(JsonRowDeserializationSchema.builder().type_info(ROW).build())
        .build()
    )
    return env.from_source(source, watermarks, "rows")


def collect(stream):
    with stream.execute_and_collect() as results:
        return list(results)


class WithWindow(ProcessWindowFunction):
    def process(self, key, context, elements):
        for row in elements:
            yield key, context.window().start, tuple(row)


def by_user(stream):
    return stream.key_by(lambda row: row.user, Types.STRING())


WINDOWS = {
    "tumbling": lambda s: by_user(s).window(TumblingEventTimeWindows.of(Time.seconds(1))),
    "lateness": lambda s: (
        by_user(s)
        .window(TumblingEventTimeWindows.of(Time.milliseconds(300)))
        .allowed_lateness(2000)
    ),
    "sliding": lambda s: by_user(s).window(
        SlidingEventTimeWindows.of(Time.seconds(1), Time.milliseconds(250))
    ),
    "session": lambda s: by_user(s).window(EventTimeSessionWindows.with_gap(Time.milliseconds(60))),
    "global": lambda s: (
        by_user(s).window(GlobalWindows.create()).trigger(PurgingTrigger.of(CountTrigger.of(7)))
    ),
    "count": lambda s: by_user(s).count_window(10),
    "count sliding": lambda s: by_user(s).count_window(10, 3),
    "all": lambda s: s.window_all(TumblingEventTimeWindows.of(Time.seconds(1))),
}


@pytest.mark.parametrize("kind", WINDOWS)
def test_the_engine_computes_what_the_definition_says(brokers, kind):
    windows = WINDOWS[kind]
    expected = collect(windows(from_kafka(brokers, strategy())).aggregate(in_python(AGGREGATES)))
    assert expected
    native = windows(from_kafka(brokers, strategy())).aggregate(AGGREGATES)
    assert repr(native.get_type()) == (
        "RowTypeInfo(user: String, count: Long, amounts: Long, sum_n: Long, total: Double,"
        " lowest: Double, max_word: String, mean: Double)"
    )
    key = str
    assert sorted(collect(native), key=key) == sorted(expected, key=key)
    # declared types behind a Python function: its values are converted
    mapped = from_kafka(brokers, strategy()).map(lambda row: row, ROW)
    assert sorted(collect(windows(mapped).aggregate(AGGREGATES)), key=key) == sorted(
        expected, key=key
    )


def test_nothing_of_it_runs_in_python(brokers, monkeypatch):
    watermarks = strategy()
    stream = WINDOWS["tumbling"](from_kafka(brokers, watermarks)).aggregate(AGGREGATES)

    def fail(*args):
        raise AssertionError("called")

    for method in ("create_accumulator", "add", "get_result", "merge"):
        monkeypatch.setattr(FieldAggregates, method, fail)
    monkeypatch.setattr(type(watermarks._timestamp_assigner), "extract_timestamp", fail)
    assert sum(row.count for row in collect(stream)) > 400


def test_timestamps_that_are_assigned_behind_the_source(brokers):
    stream = from_kafka(brokers, WatermarkStrategy.no_watermarks())
    stamped = stream.assign_timestamps_and_watermarks(strategy())
    expected = collect(WINDOWS["tumbling"](from_kafka(brokers, strategy())).aggregate(AGGREGATES))
    stream = WINDOWS["tumbling"](stamped).aggregate(AGGREGATES)
    assert sorted(collect(stream), key=str) == sorted(expected, key=str)


def test_a_window_function_gets_the_result(brokers):
    windows = WINDOWS["tumbling"]
    expected = collect(
        windows(from_kafka(brokers, strategy())).aggregate(in_python(AGGREGATES), WithWindow())
    )
    found = collect(windows(from_kafka(brokers, strategy())).aggregate(AGGREGATES, WithWindow()))
    assert sorted(found) == sorted(expected)
    assert found


def test_another_output_type_is_made_by_python(brokers):
    kind = Types.ROW_NAMED(["user", "n"], [Types.STRING(), Types.INT()])
    aggregates = FieldAggregates().key("user").count("n")
    stream = WINDOWS["tumbling"](from_kafka(brokers, strategy()))
    result = stream.aggregate(aggregates, output_type=kind)
    assert result.get_type() == kind
    assert sum(row.n for row in collect(result)) > 400


def test_records_without_type_are_aggregated_in_python():
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(1)
    stream = env.from_collection([{"k": "a", "n": 1}, {"k": "b", "n": 5}, {"k": "a", "n": 2}])
    sums = (
        stream.key_by(lambda d: d["k"])
        .count_window(1)
        .aggregate(FieldAggregates().key("k").sum("n"))
    )
    assert sorted(collect(sums), key=str) == [
        Row(k="a", sum_n=1),
        Row(k="a", sum_n=2),
        Row(k="b", sum_n=5),
    ]


def test_tuples_by_index():
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(1)
    pairs = Types.TUPLE([Types.STRING(), Types.LONG()])
    stream = env.from_collection([("a", 1), ("a", 2), ("b", 3)], type_info=pairs)
    sums = (
        stream.key_by(lambda t: t[0])
        .count_window(1)
        .aggregate(FieldAggregates().key(0).sum(1).max(0, "last"))
    )
    assert sorted(map(tuple, collect(sums))) == [("a", 1, "a"), ("a", 2, "a"), ("b", 3, "b")]


def results(aggregates, rows):
    whole = aggregates.create_accumulator()
    halves = [aggregates.create_accumulator(), aggregates.create_accumulator()]
    for i, row in enumerate(rows):
        whole = aggregates.add(row, whole)
        half = 2 * i >= len(rows)
        halves[half] = aggregates.add(row, halves[half])
    result = aggregates.get_result(whole)
    assert str(aggregates.get_result(aggregates.merge(*halves))) == str(result)
    return tuple(result)


def test_the_definition():
    everything = FieldAggregates().key(0).count().count("some", 1).sum(1).min(1).max(1).avg(1)
    assert results(everything, []) == (None, 0, 0, None, None, None, None)
    assert results(everything, [("a", None)]) == ("a", 1, 0, None, None, None, None)
    assert results(everything, [("a", 1), ("a", None), ("a", -3)]) == ("a", 3, 2, -2, -3, 1, -1.0)
    total = FieldAggregates().sum(0)
    assert results(total, [(2**63 - 1,), (1,)]) == (-(2**63),)
    extremes = FieldAggregates().min(0).max(0)
    assert results(extremes, [(1.0,), (math.nan,)]) == (1.0, 1.0)
    from decimal import Decimal

    assert results(total, [(Decimal("1e30"),), (Decimal("1e-5"),)]) == (
        Decimal("1000000000000000000000000000000.00001"),
    )


def test_each_call_makes_a_new_one():
    base = FieldAggregates().key("user")
    one, two = base.count(), base.sum("n")
    assert [len(a._parts) for a in (base, one, two)] == [1, 2, 2]


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: FieldAggregates().sum(None), TypeError, "name or the index"),
        (lambda: FieldAggregates().sum(True), TypeError, "name or the index"),
        (lambda: FieldAggregates().sum(-1), ValueError, "0 or more"),
        (lambda: FieldAggregates().sum("a").sum("a"), ValueError, "already"),
        (lambda: FieldAggregates().sum("a", ""), TypeError, "name of a result"),
        (lambda: FieldAggregates().create_accumulator(), ValueError, "computes nothing"),
        (lambda: FieldAggregates().sum("missing")._lowered(ROW), ValueError, "no field 'missing'"),
        (lambda: FieldAggregates().sum(9)._lowered(ROW), IndexError, "no field 9"),
        (lambda: FieldAggregates().sum("word")._lowered(ROW), TypeError, "takes numbers"),
        (
            lambda: FieldAggregates().sum("a")._lowered(Types.TUPLE([Types.INT()])),
            ValueError,
            "give an index",
        ),
    ],
)
def test_wrong_use(make, error, text):
    with pytest.raises(error, match=text):
        make()
