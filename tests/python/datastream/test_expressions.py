"""Conditions on fields and projections: the engine does without Python what they say in Python."""

import copy
import json
import math
import pickle
import random

import pytest

from pyflink._mock_kafka import MockKafka
from pyflink.common import Row, Types, WatermarkStrategy
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors.file_system import BucketAssigner, FileSink
from pyflink.datastream.connectors.kafka import (
    KafkaOffsetsInitializer,
    KafkaRecordSerializationSchema,
    KafkaSink,
    KafkaSource,
)
from pyflink.datastream.expressions import field, value
from pyflink.datastream.formats.csv import CsvBulkWriters, CsvSchema
from pyflink.datastream.formats.json import (
    JsonRowDeserializationSchema,
    JsonRowSerializationSchema,
)
from pyflink.datastream.functions import SinkFunction

ROW = Types.ROW_NAMED(
    ["user", "n", "m", "amount", "flag", "tags"],
    [
        Types.STRING(),
        Types.INT(),
        Types.LONG(),
        Types.DOUBLE(),
        Types.BOOLEAN(),
        Types.LIST(Types.STRING()),
    ],
)


def records():
    rng = random.Random(3)

    def maybe(item):
        return None if rng.random() < 0.2 else item

    return [
        Row(
            user=maybe(rng.choice(["ann", "bob", "\u00e4nne", ""])),
            n=maybe(rng.randrange(-3, 4)),
            m=maybe(rng.randrange(-3, 4)),
            amount=maybe(rng.choice([-1.5, 0.0, 2.0, math.inf, math.nan])),
            flag=maybe(rng.random() < 0.5),
            tags=maybe(["x"]),
        )
        for _ in range(400)
    ]


class Watched(StreamExecutionEnvironment):
    """Says which operators of the last job need Python."""

    def _launch(self, graph, job_name, options):
        self.python_nodes = graph.python_nodes()
        return super()._launch(graph, job_name, options)


def environment():
    env = StreamExecutionEnvironment.get_execution_environment()
    env.__class__ = Watched
    env.set_parallelism(1)
    return env


def shown(row):
    return repr(tuple(row))


CONDITIONS = [
    field("n") > 1,
    field("n") <= 1.5,
    field("n") == 2,
    field("n") != 2,
    field(1) < field("m"),
    field("n") == field("m"),
    field("n") != field("m"),
    field("n") >= field("amount"),
    field("amount") >= 2,
    field("amount") != 2.0,
    field("amount") < 1e300,
    field("user") == "bob",
    field("user") > "b",
    field("user").is_in("ann", "bob"),
    field("user").is_in(["ann", None]),
    field("n").is_in(1, 2, -1),
    field("n").between(-1, 1),
    field("flag").is_true(),
    field("flag") == False,  # noqa: E712
    field("flag") != True,  # noqa: E712
    field("user").is_null(),
    field("amount") == None,  # noqa: E711
    field("amount") != None,  # noqa: E711
    field("tags").is_not_null(),
    (field("n") > 0) & (field("user") != "bob"),
    (field("n") > 0) | ~(field("amount") < 2),
    ~((field("n") > 0) & field("flag").is_true()),
]


@pytest.mark.parametrize("condition", CONDITIONS, ids=repr)
def test_the_engine_filters_as_the_definition_says(condition):
    rows = records()
    env = environment()
    stream = env.from_collection(rows, type_info=ROW).filter(condition)
    with stream.execute_and_collect() as results:
        got = [shown(row) for row in results]
    expected = [shown(row) for row in rows if condition(row)]
    assert got == expected
    assert 0 < len(expected) < len(rows)
    assert "Filter" not in env.python_nodes


@pytest.mark.parametrize("condition", CONDITIONS, ids=repr)
def test_untyped_records_are_filtered_in_python(condition):
    rows = records()
    env = environment()
    with env.from_collection(rows).filter(condition).execute_and_collect() as results:
        got = [shown(row) for row in results]
    assert got == [shown(row) for row in rows if condition(row)]
    assert "Filter" in env.python_nodes


def test_a_condition_on_tuples_and_on_plain_values():
    env = environment()
    pairs = env.from_collection(
        [("a", 1), ("b", 2)], type_info=Types.TUPLE([Types.STRING(), Types.LONG()])
    )
    assert pairs.filter(field(1) > 1).execute_and_collect(limit=5) == [("b", 2)]
    numbers = environment().from_collection([1, 2, None, 3], type_info=Types.LONG())
    assert numbers.filter(value() >= 2).execute_and_collect(limit=5) == [2, 3]


def test_what_the_engine_cannot_compare_is_left_to_python():
    env = environment()
    stream = env.from_collection([("a", 1), ("b", 2)], Types.TUPLE([Types.STRING(), Types.LONG()]))
    assert stream.filter(field(1) == "1").execute_and_collect(limit=5) == []
    assert "Filter" in env.python_nodes


def test_conditions_can_be_copied_pickled_and_shown():
    condition = (field("n") > 1) & ~field("user").is_null()
    assert condition(Row(n=2, user="a"))
    for other in (copy.deepcopy(condition), pickle.loads(pickle.dumps(condition))):
        assert repr(other) == repr(condition)
        assert other(Row(n=2, user="a"))
        assert not other(Row(n=2, user=None))
    assert repr(condition) == "(field('n') > 1) & (~(field('user').is_null()))"


@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [
        (lambda: field(None), TypeError, "name or the index"),
        (lambda: field(-1), ValueError, "0 or more"),
        (lambda: field("a") > None, TypeError, "is_null()"),
        (lambda: field("a") == [1], TypeError, "plain value"),
        (lambda: bool(field("a")), TypeError, "compare it"),
        (lambda: 1 < field("a") < 3, TypeError, "between(a, b)"),
        (lambda: (field("a") > 1) and (field("b") > 1), TypeError, "combine conditions with &"),
        (lambda: (field("a") > 1) & True, TypeError, "binds stronger"),
        (lambda: True | (field("a") > 1), TypeError, "binds stronger"),
    ],
)
def test_wrong_use_says_what_to_write(wrong, error, says):
    with pytest.raises(error, match=says.replace("(", r"\(").replace(")", r"\)")):
        wrong()


def test_fields_that_are_not_there_fail_at_the_line():
    stream = environment().from_collection(records(), type_info=ROW)
    with pytest.raises(ValueError, match="the record has user, n"):
        stream.filter(field("nobody") > 1)
    with pytest.raises(IndexError, match="field\\(9\\)"):
        stream.filter(field(9) > 1)


def test_rows_and_tuples_are_projected_natively():
    rows = records()
    env = environment()
    stream = env.from_collection(rows, type_info=ROW).project(3, 0)
    assert repr(stream.get_type()) == "RowTypeInfo(amount: Double, user: String)"
    with stream.execute_and_collect() as results:
        got = list(results)
    assert [shown(row) for row in got] == [shown((row.amount, row.user)) for row in rows]
    assert got[0].as_dict().keys() == {"amount", "user"}
    assert "Projection" not in env.python_nodes
    stream = environment().from_collection(rows, type_info=ROW).project("user", "n")
    assert repr(stream.get_type()) == "RowTypeInfo(user: String, n: Integer)"


def test_python_records_are_projected_too():
    env = environment()
    triple = Types.TUPLE([Types.LONG(), Types.STRING(), Types.LONG()])
    stream = env.from_collection([1, 2]).map(lambda x: (x, "a", -x), triple).project(2, 0)
    assert stream.execute_and_collect(limit=5) == [(-1, 1), (-2, 2)]
    named = env.from_collection(records()).map(lambda row: row, ROW).project("m", "user")
    with named.execute_and_collect() as results:
        assert [shown(row) for row in results] == [shown((r.m, r.user)) for r in records()]


def test_projecting_what_is_not_there_fails_at_the_line():
    stream = environment().from_collection(records(), type_info=ROW)
    with pytest.raises(IndexError, match="no field 6"):
        stream.project(6)
    with pytest.raises(ValueError, match="no field 'nobody'"):
        stream.project("nobody")
    with pytest.raises(TypeError, match="Only Tuple DataStreams"):
        environment().from_collection([1], type_info=Types.LONG()).project(0)


def test_the_discarding_sink_takes_everything():
    env = environment()
    sink = SinkFunction("org.apache.flink.streaming.api.functions.sink.DiscardingSink")
    env.from_collection(records(), type_info=ROW).add_sink(sink)
    env.from_collection([object]).add_sink(sink)
    env.execute()


# -- JSON to JSON


@pytest.fixture(scope="module")
def brokers():
    with MockKafka() as kafka:
        for topic in ("in", "out"):
            kafka.create_topic(topic, 1)
        env = environment()
        rows = [row for row in records() if row.amount is None or math.isfinite(row.amount)]
        env.from_collection(rows, type_info=ROW).sink_to(
            json_sink(kafka.bootstrap_servers, "in", ROW)
        )
        env.execute()
        yield kafka.bootstrap_servers


def json_sink(servers, topic, type_info):
    serializer = (
        KafkaRecordSerializationSchema.builder()
        .set_topic(topic)
        .set_value_serialization_schema(
            JsonRowSerializationSchema.builder().with_type_info(type_info).build()
        )
        .build()
    )
    return (
        KafkaSink.builder().set_bootstrap_servers(servers).set_record_serializer(serializer).build()
    )


def from_kafka(env, servers, topic, type_info):
    source = (
        KafkaSource.builder()
        .set_bootstrap_servers(servers)
        .set_topics(topic)
        .set_starting_offsets(KafkaOffsetsInitializer.earliest())
        .set_bounded(KafkaOffsetsInitializer.latest())
        .set_value_only_deserializer(
            JsonRowDeserializationSchema.builder().type_info(type_info).build()
        )
        .build()
    )
    return env.from_source(source, WatermarkStrategy.no_watermarks(), topic)


def test_json_to_json_needs_no_python(brokers):
    """Filter, projection, key and running sum between two topics: columns all the way."""
    env = environment()
    sums = (
        from_kafka(env, brokers, "in", ROW)
        .filter(field("n").is_not_null() & (field("user") != ""))
        .project("user", "n")
        .key_by(lambda row: row.user)
        .sum("n")
    )
    projected = sums.get_type()
    sums.sink_to(json_sink(brokers, "out", projected))
    env.execute()
    assert env.python_nodes == []

    totals = {}
    expected = []
    for row in records():
        finite = row.amount is None or math.isfinite(row.amount)
        if finite and row.n is not None and row.user != "":
            totals[row.user] = totals.get(row.user, 0) + row.n
            expected.append((row.user, totals[row.user]))
    env = environment()
    with from_kafka(env, brokers, "out", projected).execute_and_collect() as results:
        got = [tuple(row) for row in results]
    assert sorted(got, key=repr) == sorted(expected, key=repr)
    assert json.dumps(sorted(got, key=repr))


@pytest.mark.parametrize("parallelism", [1, 2])
def test_json_to_files_needs_no_python(brokers, tmp_path, parallelism):
    """The same to CSV files: decoded, filtered, projected and written without a Python object."""
    env = environment()
    env.set_parallelism(parallelism)
    columns = CsvSchema.builder().add_string_column("user").add_number_column("n", Types.INT())
    sink = FileSink.for_bulk_format(str(tmp_path), CsvBulkWriters.for_schema(columns.build()))
    flat = sink.with_bucket_assigner(BucketAssigner.base_path_bucket_assigner())
    (
        from_kafka(env, brokers, "in", ROW)
        .filter(field("n").is_not_null() & (field("user") != ""))
        .project("user", "n")
        .sink_to(flat.build())
    )
    env.execute()
    assert env.python_nodes == []
    lines = [line for part in tmp_path.iterdir() for line in part.read_text().splitlines()]
    assert sorted(lines) == sorted(
        f"{row.user or ''},{row.n}"
        for row in records()
        if row.n is not None
        and row.user != ""
        and (row.amount is None or math.isfinite(row.amount))
    )
