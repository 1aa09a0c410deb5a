"""The execution plan, and what gives operators names, ids and places."""

from __future__ import annotations

import ast
import shutil
import threading

import pytest

from pyflink.common import Configuration, Encoder, Types
from pyflink.datastream import (
    KeyedCoProcessFunction,
    KeyedProcessFunction,
    OutputTag,
    ProcessFunction,
    SinkFunction,
    SlotSharingGroup,
    SourceFunction,
    StreamExecutionEnvironment,
)
from pyflink.datastream.connectors.file_system import FileSink
from pyflink.datastream.state import ValueStateDescriptor

PAIR = Types.TUPLE([Types.STRING(), Types.INT()])


@pytest.fixture
def env():
    environment = StreamExecutionEnvironment.get_execution_environment()
    environment.set_parallelism(4)
    return environment


@pytest.fixture
def stream(env):
    return env.from_collection([("a", 1), ("b", 2)], PAIR).name("input")


def plan_of(env):
    return ast.literal_eval(env.get_execution_plan())["nodes"]


def named(env):
    return {node["type"]: node for node in plan_of(env)}


def predecessors(node):
    return [(p["id"], p["ship_strategy"]) for p in node["predecessors"]]


class Merge(KeyedCoProcessFunction):
    def process_element1(self, value, ctx):
        yield value

    def process_element2(self, value, ctx):
        yield value


class Nothing(SinkFunction):
    def invoke(self, value, context):
        pass


def test_a_node_is_all_that_is_known_of_it(env, stream):
    stream.map(lambda v: v, PAIR).name("same").set_parallelism(2).print()
    assert plan_of(env) == [
        {
            "id": 0,
            "type": "Source: input",
            "pact": "Data Source",
            "contents": "Source: input",
            "parallelism": 1,
        },
        {
            "id": 1,
            "type": "same",
            "pact": "Operator",
            "contents": "same",
            "parallelism": 2,
            "predecessors": [{"id": 0, "ship_strategy": "REBALANCE", "side": "second"}],
        },
        {
            "id": 2,
            "type": "Sink: Print to Std. Out",
            "pact": "Data Sink",
            "contents": "Sink: Print to Std. Out",
            "parallelism": 4,
            "predecessors": [{"id": 1, "ship_strategy": "REBALANCE", "side": "second"}],
        },
    ]


@pytest.mark.parametrize(
    ("partition", "strategy"),
    [
        (lambda s: s, "FORWARD"),
        (lambda s: s.forward(), "FORWARD"),
        (lambda s: s.shuffle(), "SHUFFLE"),
        (lambda s: s.rescale(), "RESCALE"),
        (lambda s: s.rebalance(), "REBALANCE"),
        (lambda s: s.broadcast(), "BROADCAST"),
        (lambda s: s.partition_custom(lambda key, n: key % n, lambda v: v[1]), "CUSTOM"),
        (lambda s: s.key_by(lambda v: v[0]), "HASH"),
    ],
)
def test_ways_to_the_next_operator(env, stream, partition, strategy):
    before = stream.map(lambda v: v, PAIR).name("before")
    partition(before).map(lambda v: v).name("after").print()
    nodes = named(env)
    (predecessor,) = nodes["after"]["predecessors"]
    if strategy == "HASH":  # the key is worked out beside the operator before
        (way,) = nodes["_stream_key_by_map_operator"]["predecessors"]
        assert (way["id"], way["ship_strategy"]) == (nodes["before"]["id"], "FORWARD")
        assert predecessor["id"] == nodes["_stream_key_by_map_operator"]["id"]
    else:
        assert predecessor["id"] == nodes["before"]["id"]
    assert predecessor["ship_strategy"] == strategy


def test_a_projection_is_called_so(env, stream):
    stream.project(1, 0).print()
    assert [(n["id"], n["type"], n["pact"]) for n in plan_of(env)] == [
        (0, "Source: input", "Data Source"),
        (1, "Projection", "Operator"),
        (2, "Sink: Print to Std. Out", "Data Sink"),
    ]


def test_a_union_has_a_predecessor_for_each_stream(env, stream):
    one = stream.map(lambda v: v, PAIR).name("one").set_parallelism(2)
    other = stream.filter(lambda v: True).name("other")
    one.union(other, one.shuffle()).map(lambda v: v).name("all").print()
    nodes = named(env)
    assert predecessors(nodes["all"]) == [
        (nodes["one"]["id"], "REBALANCE"),
        (nodes["other"]["id"], "FORWARD"),
        (nodes["one"]["id"], "SHUFFLE"),
    ]


def test_connected_streams_are_two_predecessors(env, stream):
    one = stream.map(lambda v: v, PAIR).name("one")
    other = stream.map(lambda v: v, PAIR).name("other")
    key = lambda v: v[0]  # noqa: E731
    one.key_by(key).connect(other.key_by(key)).process(Merge()).name("both").print()
    nodes = plan_of(env)
    (both,) = [n for n in nodes if n["type"] == "both"]
    keys = {n["id"]: n for n in nodes if n["type"] == "_stream_key_by_map_operator"}
    assert [strategy for _, strategy in predecessors(both)] == ["HASH", "HASH"]
    # as upstream, where every input is called so
    assert [p["side"] for p in both["predecessors"]] == ["second", "second"]
    behind = [predecessors(keys[id])[0][0] for id, _ in predecessors(both)]
    by_name = {n["type"]: n["id"] for n in nodes}
    assert behind == [by_name["one"], by_name["other"]]


def test_sinks_of_all_kinds_follow_their_input(env, stream, tmp_path):
    text = stream.map(str, Types.STRING()).name("text")
    files = FileSink.for_row_format(str(tmp_path), Encoder.simple_string_encoder()).build()
    text.sink_to(files).name("files").set_parallelism(1)
    text.add_sink(Nothing()).name("nothing")
    text.print("prefix").name("printed")
    nodes = named(env)
    ways = {
        name: (nodes[name]["pact"], nodes[name]["parallelism"], predecessors(nodes[name]))
        for name in ("Sink: files", "Sink: nothing", "Sink: printed")
    }
    before = nodes["text"]["id"]
    assert ways == {
        "Sink: files": ("Data Sink", 1, [(before, "REBALANCE")]),
        "Sink: nothing": ("Data Sink", 4, [(before, "FORWARD")]),
        "Sink: printed": ("Data Sink", 4, [(before, "FORWARD")]),
    }


def test_descriptions_are_the_contents(env, stream):
    stream.set_description("where it comes from")
    stream.map(lambda v: v).name("map").set_description("what it does").print().name(
        "out"
    ).set_description("where it goes")
    assert [(n["type"], n["contents"]) for n in plan_of(env)] == [
        ("Source: input", "where it comes from"),
        ("map", "what it does"),
        ("Sink: out", "where it goes"),
    ]


class Tagged(ProcessFunction):
    def process_element(self, value, ctx):
        yield TAG, value[0]
        yield value


TAG = OutputTag("tag", Types.STRING())


def test_a_side_output_comes_from_its_operator(env, stream):
    tagged = stream.process(Tagged()).name("tagged")
    tagged.get_side_output(TAG).map(lambda v: v).name("side").print()
    nodes = named(env)
    assert predecessors(nodes["side"]) == [(nodes["tagged"]["id"], "FORWARD")]


def test_the_plan_of_a_program_can_be_asked_for_and_the_program_then_run(env, stream):
    sums = stream.key_by(lambda v: v[0], Types.STRING()).sum(1)
    before = env.get_execution_plan()
    assert before == env.get_execution_plan()
    with sums.execute_and_collect() as results:
        assert sorted(results) == [("a", 1), ("b", 2)]


# -- what a job that runs accepts ------------------------------------------------------------------


def group(name):
    builder = SlotSharingGroup.builder(name).set_cpu_cores(1.0)
    return builder.set_task_heap_memory_mb(10).build()


def test_a_job_with_every_setting_of_an_operator_runs(env, stream, capfd):
    env.register_slot_sharing_group(group("one"))
    mapped = (
        stream.slot_sharing_group("one")
        .map(lambda v: (v[0], v[1] * 2), PAIR)
        .name("twice")
        .uid("twice")
        .set_description("doubles")
        .slot_sharing_group("two")
        .set_max_parallelism(8)
        .set_buffer_timeout(5)
        .set_parallelism(2)
        .disable_chaining()
    )
    filtered = (
        mapped.filter(lambda v: v[1] > 2)
        .start_new_chain()
        .slot_sharing_group(group("three"))
        .set_uid_hash("0123456789abcdef0123456789abcdef")
    )
    (
        filtered.print()
        .name("out")
        .uid("out")
        .set_description("prints")
        .slot_sharing_group(group("one"))
        .set_parallelism(1)
        .disable_chaining()
    )
    result = env.execute("settings")
    assert result.is_job_execution_result()
    assert capfd.readouterr().out == "(b,4)\n"


def test_uid_hashes_are_ids_too(env, stream):
    same = "0123456789abcdef0123456789abcdef"
    stream.map(lambda v: v).set_uid_hash(same).map(lambda v: v).set_uid_hash(same).print()
    with pytest.raises(ValueError, match=same):
        env.execute()


class Count(KeyedProcessFunction):
    def open(self, runtime_context):
        self.count = runtime_context.get_state(ValueStateDescriptor("count", Types.INT()))

    def process_element(self, value, ctx):
        count = (self.count.value() or 0) + 1
        self.count.update(count)
        yield value, count


class Numbers(SourceFunction):
    """Two records, then nothing until it is cancelled."""

    def run(self, ctx):
        self.stop = threading.Event()
        for _ in range(2):
            ctx.collect("a")
        self.stop.wait()

    def cancel(self):
        self.stop.set()


@pytest.mark.parametrize(
    ("hash_afterwards", "expected"), [("0" * 31 + "1", [3, 4]), ("0" * 31 + "2", None)]
)
def test_state_is_found_by_its_uid_hash(tmp_path, hash_afterwards, expected):
    """Under the hash, whatever the operator is called now and what comes before it."""

    def start(uid_hash, restored_from=None, operators_before=0):
        configuration = Configuration()
        if restored_from is not None:
            configuration.set_string("execution.savepoint.path", restored_from)
        env = StreamExecutionEnvironment.get_execution_environment(configuration)
        env.set_parallelism(1).enable_checkpointing(3_600_000)
        env.get_checkpoint_config().set_checkpoint_storage_dir((tmp_path / "chk").as_uri())
        stream = env.add_source(Numbers(), type_info=Types.STRING()).uid("numbers")
        for _ in range(operators_before):
            stream = stream.map(lambda v: v, Types.STRING())
        counts = stream.key_by(lambda v: v, Types.STRING()).process(Count())
        seen, arrived = [], threading.Event()

        def note(value):
            seen.append(value[1])
            if len(seen) == 2:
                arrived.set()

        counts.set_uid_hash(uid_hash).map(note).print()
        job = env.execute_async()
        assert arrived.wait(30)
        kept = shutil.copytree(job._job.trigger_checkpoint(), tmp_path / f"kept-{operators_before}")
        job.cancel().result()
        shutil.rmtree(tmp_path / "chk")
        return seen, str(kept)

    seen, checkpoint = start("0" * 31 + "1")
    assert seen == [1, 2]
    if expected is None:
        with pytest.raises(Exception, match="0" * 31 + "1"):
            start(hash_afterwards, checkpoint, operators_before=1)
    else:
        assert start(hash_afterwards, checkpoint, operators_before=1)[0] == expected
