"""Each line of `pyflink._spellings.SPELLINGS` works, and is documented.

A test says by `@spells(...)` which lines it is about; together they are about all of them.
"""

from __future__ import annotations

import datetime
import importlib
import socket
import threading
from pathlib import Path

import pytest

from pyflink._spellings import SPELLINGS
from pyflink.common import Duration, JobStatus, Time, Types, WatermarkStrategy
from pyflink.common.typeinfo import TypeInformation
from pyflink.datastream import (
    AllWindowFunction,
    BroadcastProcessFunction,
    CoFlatMapFunction,
    CoProcessFunction,
    FlatMapFunction,
    KeyedBroadcastProcessFunction,
    KeyedCoProcessFunction,
    KeyedProcessFunction,
    OutputTag,
    ProcessAllWindowFunction,
    ProcessFunction,
    ProcessWindowFunction,
    RuntimeExecutionMode,
    SinkFunction,
    SourceFunction,
    StreamExecutionEnvironment,
    WindowFunction,
)
from pyflink.datastream.window import (
    CountEvictor,
    CountTrigger,
    CountWindow,
    DeltaEvictor,
    EventTimeSessionWindows,
    Evictor,
    GlobalWindow,
    GlobalWindows,
    SessionWindows,
    TimeEvictor,
    TimeWindow,
    TumblingEventTimeWindows,
)

ROOT = Path(__file__).resolve().parents[2]
COVERED: set[str] = set()


def spells(*spellings):
    """The lines a test is about; a part of a line's text is enough when no other has it."""
    for part in spellings:
        found = [s for s, _ in SPELLINGS if part in s]
        assert len(found) == 1, (part, found)
        COVERED.add(found[0])
    return lambda test: test


@pytest.fixture
def env():
    environment = StreamExecutionEnvironment.get_execution_environment()
    environment.set_parallelism(1)
    return environment


def collected(stream):
    with stream.execute_and_collect() as results:
        return list(results)


def by_time(stream):
    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(
        lambda value, timestamp: value[1]
    )
    return stream.assign_timestamps_and_watermarks(strategy)


def timed(env, *pairs):
    return by_time(env.from_collection(list(pairs)))


# -- collectors ------------------------------------------------------------------------------------


@spells("process_element(self, value, ctx, out)")
def test_process_function_with_a_collector(env):
    class Doubled(ProcessFunction):
        def process_element(self, value, ctx, out):
            out.collect(value)
            out.collect(value * 2)

    assert collected(env.from_collection([1, 2]).process(Doubled())) == [1, 2, 2, 4]


def test_what_is_yielded_and_what_is_collected_keep_their_order(env):
    class Both(ProcessFunction):
        def process_element(self, value, ctx, out):
            out.collect("first")
            yield "second"
            out.collect("third")

    stream = env.from_collection([1]).process(Both(), Types.STRING())
    assert collected(stream) == ["first", "second", "third"]


@spells("on_timer(self, timestamp, ctx, out)")
def test_timers_with_a_collector(env):
    class Timed(KeyedProcessFunction):
        def open(self, runtime_context):
            self.factor = 10

        def process_element(self, value, ctx, out):
            ctx.timer_service().register_event_time_timer(value[1] + self.factor)
            out.collect(("value", ctx.get_current_key()))

        def on_timer(self, timestamp, ctx, out):
            out.collect(("timer", timestamp))

    stream = timed(env, ("a", 1)).key_by(lambda v: v[0]).process(Timed())
    assert collected(stream) == [("value", "a"), ("timer", 11)]


def test_each_subtask_still_has_a_function_of_its_own(env):
    class Counting(ProcessFunction):
        def __init__(self):
            self.seen = []

        def process_element(self, value, ctx, out):
            self.seen.append(value)
            out.collect(list(self.seen))

    function = Counting()
    collected(env.from_collection([1, 2]).process(function))
    assert function.seen == []


def test_an_error_shows_the_users_own_line(env):
    class Failing(ProcessFunction):
        def process_element(self, value, ctx, out):
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine") as caught:
        collected(env.from_collection([1]).process(Failing()))
    assert any(entry.path.name == "test_generous.py" for entry in caught.traceback[-1:])


@spells("process(self, key, context, elements, out)")
def test_process_window_function_with_a_collector(env):
    class Summed(ProcessWindowFunction):
        def process(self, key, context, elements, out):
            out.collect((key, context.window().end, sum(e[1] for e in elements)))

        def clear(self, context):
            pass

    stream = timed(env, ("a", 1), ("a", 2), ("b", 12)).key_by(lambda v: v[0])
    windows = stream.window(TumblingEventTimeWindows.of(Time.milliseconds(10)))
    assert collected(windows.process(Summed())) == [("a", 10, 3), ("b", 20, 12)]


def test_window_function_with_a_collector_after_an_aggregate(env):
    class Labelled(ProcessWindowFunction):
        def process(self, key, context, elements, out):
            out.collect((key, *elements))

    windows = (
        timed(env, ("a", 1), ("a", 2))
        .key_by(lambda v: v[0])
        .window(TumblingEventTimeWindows.of(Time.milliseconds(10)))
    )
    stream = windows.reduce(lambda a, b: (a[0], a[1] + b[1]), Labelled())
    assert collected(stream) == [("a", ("a", 3))]


@spells("process(self, context, elements, out) of a ProcessAllWindowFunction")
def test_process_all_window_function_with_a_collector(env):
    class Counted(ProcessAllWindowFunction):
        def process(self, context, elements, out):
            out.collect(len(list(elements)))

    windows = timed(env, ("a", 1), ("b", 2)).window_all(
        TumblingEventTimeWindows.of(Time.milliseconds(10))
    )
    assert collected(windows.process(Counted())) == [2]


@spells("apply(self, key, window, inputs, out)", "apply(self, window, inputs, out)")
def test_window_functions_with_a_collector(env):
    class Applied(WindowFunction):
        def apply(self, key, window, inputs, out):
            out.collect((key, window.start, len(list(inputs))))

    class AllApplied(AllWindowFunction):
        def apply(self, window, inputs, out):
            out.collect((window.end, len(list(inputs))))

    size = TumblingEventTimeWindows.of(Time.milliseconds(10))
    keyed = timed(env, ("a", 1)).key_by(lambda v: v[0]).window(size)
    assert collected(keyed.apply(Applied())) == [("a", 0, 1)]
    everything = timed(env, ("a", 1), ("b", 3)).window_all(size)
    assert collected(everything.apply(AllApplied())) == [(10, 2)]


@spells("stream.window_all(assigner).process(a WindowFunction)")
def test_a_window_function_on_windows_without_keys(env):
    class Applied(WindowFunction):
        def open(self, runtime_context):
            self.name = runtime_context.get_task_name()

        def apply(self, key, window, inputs):
            yield key, window.end, sorted(v[0] for v in inputs), bool(self.name)

    class Collecting(WindowFunction):
        def apply(self, key, window, inputs, out):
            out.collect((key, len(list(inputs))))

    everything = timed(env, ("a", 1), ("b", 3)).window_all(
        TumblingEventTimeWindows.of(Time.milliseconds(10))
    )
    assert collected(everything.process(Applied())) == [(None, 10, ["a", "b"], True)]
    assert collected(everything.apply(Collecting())) == [(None, 2)]


@spells("process_element1(self, value, ctx, out)")
def test_co_process_functions_with_a_collector(env):
    class Joined(CoProcessFunction):
        def process_element1(self, value, ctx, out):
            out.collect(("left", value))

        def process_element2(self, value, ctx, out):
            out.collect(("right", value))

    class KeyedJoined(KeyedCoProcessFunction):
        def process_element1(self, value, ctx, out):
            out.collect((ctx.get_current_key(), value))

        def process_element2(self, value, ctx):
            yield (ctx.get_current_key(), value)

    one, two = env.from_collection([1]), env.from_collection([2])
    assert sorted(collected(one.connect(two).process(Joined()))) == [("left", 1), ("right", 2)]
    one, two = env.from_collection([1]), env.from_collection([2])
    keyed = one.connect(two).key_by(lambda v: v % 2, lambda v: v % 2)
    assert sorted(collected(keyed.process(KeyedJoined()))) == [(0, 2), (1, 1)]


@spells("process_broadcast_element(self, value, ctx, out)", "BroadcastStateDescriptor")
def test_broadcast_functions_with_a_collector(env):
    from pyflink.common.state import BroadcastStateDescriptor

    rules = BroadcastStateDescriptor("rules", Types.STRING(), Types.INT())

    class Ruled(BroadcastProcessFunction):
        def process_element(self, value, ctx, out):
            out.collect(("value", value))

        def process_broadcast_element(self, value, ctx, out):
            ctx.get_broadcast_state(rules).put("rule", value)
            out.collect(("rule", value))

    class KeyedRuled(KeyedBroadcastProcessFunction):
        def process_element(self, value, ctx, out):
            out.collect((ctx.get_current_key(), value))

        def process_broadcast_element(self, value, ctx, out):
            out.collect(("rule", value))

    broadcast = env.from_collection([7]).broadcast(rules)
    stream = env.from_collection([1]).connect(broadcast).process(Ruled())
    assert sorted(collected(stream)) == [("rule", 7), ("value", 1)]
    broadcast = env.from_collection([7]).broadcast(rules)
    keyed = env.from_collection([1]).key_by(lambda v: "k").connect(broadcast)
    assert sorted(collected(keyed.process(KeyedRuled()))) == [("k", 1), ("rule", 7)]


@spells("flat_map(self, value, out)")
def test_flat_map_functions_with_a_collector(env):
    class Words(FlatMapFunction):
        def flat_map(self, value, out):
            for word in value.split():
                out.collect(word)

    class CoWords(CoFlatMapFunction):
        def flat_map1(self, value, out):
            out.collect(value)

        def flat_map2(self, value, out):
            out.collect(value)

    def letters(value, out):
        for letter in value:
            out.collect(letter)

    assert collected(env.from_collection(["a b", "c"]).flat_map(Words())) == ["a", "b", "c"]
    assert collected(env.from_collection(["ab"]).flat_map(letters)) == ["a", "b"]
    one, two = env.from_collection(["a"]), env.from_collection(["b"])
    assert sorted(collected(one.connect(two).flat_map(CoWords()))) == ["a", "b"]


@spells("ctx.output(tag, x)")
def test_side_outputs_by_the_context(env):
    odd = OutputTag("odd", Types.INT())

    class Split(ProcessFunction):
        def process_element(self, value, ctx, out):
            if value % 2:
                ctx.output(odd, value)
            else:
                out.collect(value)

    class SplitByYield(ProcessFunction):
        def process_element(self, value, ctx):
            if value % 2:
                ctx.output(odd, value)
            else:
                yield value

    for function in (Split(), SplitByYield()):
        side = env.from_collection([1, 2, 3]).process(function).get_side_output(odd)
        assert collected(side) == [1, 3]
        assert collected(env.from_collection([1, 2, 3]).process(function)) == [2]


# -- sources and sinks -----------------------------------------------------------------------------


@spells(
    "class Mine(SourceFunction)",
    "class Mine(SinkFunction)",
    "invoke(self, value) of a SinkFunction",
    "env.execute().wait()",
)
def test_sources_and_sinks_in_python(env):
    class Numbers(SourceFunction):
        def run(self, ctx):
            for number in range(3):
                ctx.collect(number)

        def cancel(self):
            pass

    got, short = [], []

    class Kept(SinkFunction):
        def invoke(self, value, context):
            got.append(value)

    class Short(SinkFunction):
        def invoke(self, value):
            short.append(value)

    numbers = env.add_source(Numbers())
    numbers.add_sink(Kept())
    numbers.add_sink(Short())
    assert env.execute().wait().get_job_id() is not None
    assert got == short == [0, 1, 2]


@spells("stream.add_sink(any", "stream.sink_to(a SinkFunction)", "env.add_source(any")
def test_connectors_in_both_ways(env, tmp_path):
    from pyflink.common import Encoder
    from pyflink.datastream.connectors.file_system import FileSink
    from pyflink.datastream.connectors.number_seq import NumberSequenceSource

    got = []

    class Kept(SinkFunction):
        def invoke(self, value, context=None):
            got.append(value)

    stream = env.add_source(NumberSequenceSource(1, 3))
    stream.sink_to(Kept())
    text = stream.map(str, Types.STRING())
    text.add_sink(FileSink.for_row_format(str(tmp_path), Encoder.simple_string_encoder()).build())
    env.execute()
    assert got == [1, 2, 3]
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert [line for p in files for line in p.read_text().split()] == ["1", "2", "3"]


@spells("set_index('name').set_document_type", "json.dumps({'index': ..., 'id': ...")
def test_elasticsearch_sinks_as_older_releases_had_them():
    from pyflink.datastream.connectors.elasticsearch import (
        Elasticsearch6SinkBuilder,
        Elasticsearch7SinkBuilder,
    )

    for builder in (Elasticsearch6SinkBuilder, Elasticsearch7SinkBuilder):
        hosts = builder().set_hosts(["http://localhost:9200"])
        sink = hosts.set_index("people").set_document_type("_doc").build()
        action = sink._emitter._function({"name": "ada"})
        assert action == {"action": "index", "index": "people", "doc": {"name": "ada"}}
        # only version 6 is told of types
        told = {"document-type": "_doc"} if builder is Elasticsearch6SinkBuilder else {}
        assert sink._options == {"hosts": "http://localhost:9200", **told}
        hosts.set_emitter(lambda record: "{}").build()  # tests/python/native has what becomes of it
        with pytest.raises(AttributeError, match="has no attribute 'set_nothing'"):
            hosts.set_nothing(1)


@spells("env.socket_text_stream")
def test_lines_of_a_socket(env):
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"one\r\ntw")
            connection.sendall("o\ndrei ü".encode())

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        lines = collected(env.socket_text_stream("127.0.0.1", server.getsockname()[1]))
    finally:
        thread.join()
        server.close()
    assert lines == ["one", "two", "drei ü"]


def test_a_socket_nobody_serves_says_what_to_do(env):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(ConnectionError, match="start the server first"):
        collected(env.socket_text_stream("127.0.0.1", port))


@spells("env.from_elements")
def test_from_elements(env):
    assert collected(env.from_elements(1, 2, 3)) == [1, 2, 3]


@spells("async_invoke(self, value, result_future)", "import RichAsyncFunction, ResultFuture")
def test_asynchronous_functions_with_a_result_future(env):
    from pyflink.datastream import AsyncDataStream
    from pyflink.datastream.functions import ResultFuture, RichAsyncFunction

    class Asked(RichAsyncFunction):
        def async_invoke(self, value, result_future):
            assert isinstance(result_future, ResultFuture)
            threading.Thread(target=lambda: result_future.complete([value * 2])).start()

    class Refused(RichAsyncFunction):
        async def async_invoke(self, value, result_future):
            result_future.complete_exceptionally(KeyError("mine"))
            result_future.complete([value])

    numbers = env.from_collection([1, 2])
    asked = AsyncDataStream.ordered_wait(numbers, Asked(), Time.seconds(60))
    assert collected(asked) == [2, 4]
    refused = AsyncDataStream.ordered_wait(env.from_collection([1]), Refused(), Time.seconds(60))
    with pytest.raises(KeyError, match="mine"):
        collected(refused)


# -- types and state -------------------------------------------------------------------------------


@spells("TypeInformation.of(int)", "TypeInformation.of(Types.LONG())")
def test_type_information_of_classes_and_types():
    classes = {
        int: Types.LONG(),
        str: Types.STRING(),
        float: Types.DOUBLE(),
        bool: Types.BOOLEAN(),
        dict: Types.PICKLED_BYTE_ARRAY(),
    }
    for cls, expected in classes.items():
        assert TypeInformation.of(cls) == expected
    assert TypeInformation.of(Types.ROW([Types.INT()])) == Types.ROW([Types.INT()])


@spells("from pyflink.common.state import", "a Python class as type of a state")
def test_state_by_python_classes_and_from_the_common_package(env):
    from pyflink.common.state import (
        ListStateDescriptor,
        MapStateDescriptor,
        ValueStateDescriptor,
    )
    from pyflink.datastream import state

    assert ValueStateDescriptor is state.ValueStateDescriptor
    assert MapStateDescriptor is state.MapStateDescriptor
    assert ListStateDescriptor("l", str).type_info == Types.LIST(Types.STRING())

    class Counting(KeyedProcessFunction):
        def open(self, runtime_context):
            self.count = runtime_context.get_state(ValueStateDescriptor("count", int))

        def process_element(self, value, ctx):
            self.count.update((self.count.value() or 0) + 1)
            yield self.count.value()

    stream = env.from_collection(["a", "a"]).key_by(lambda v: v).process(Counting())
    assert collected(stream) == [1, 2]


@spells(
    "StateTtlConfigBuilder.new_builder(ttl)",
    "StateTtlConfigBuilder(ttl)",
    "UpdateType.ON_READ_AND_WRITE",
    "StateVisibility.NEVER_RETURN_EXPIRED",
    "TtlTimeCharacteristic.PROCESSING_TIME",
    "import RuntimeContext, Time",
)
def test_time_to_live_in_java_spelling():
    from pyflink.common.state import StateTtlConfig, StateTtlConfigBuilder
    from pyflink.datastream import RuntimeContext, state

    assert state.RuntimeContext is RuntimeContext
    assert state.Time is Time
    for builder in (
        StateTtlConfigBuilder.new_builder(Time.hours(1)),
        StateTtlConfigBuilder(Time.hours(1)),
    ):
        config = (
            builder.set_update_type(StateTtlConfig.UpdateType.ON_READ_AND_WRITE)
            .set_state_visibility(StateTtlConfig.StateVisibility.NEVER_RETURN_EXPIRED)
            .set_ttl_time_characteristic(StateTtlConfig.TtlTimeCharacteristic.PROCESSING_TIME)
            .build()
        )
        assert config.get_update_type() is StateTtlConfig.UpdateType.OnReadAndWrite
        assert config.get_ttl() == Time.hours(1)
    assert [m.name for m in StateTtlConfig.UpdateType] == [
        "Disabled",
        "OnCreateAndWrite",
        "OnReadAndWrite",
    ]


@spells("get_distributed_cache")
def test_the_distributed_cache_in_java_spelling(env, tmp_path):
    class Named(ProcessFunction):
        def open(self, runtime_context):
            self.path = runtime_context.get_distributed_cache().get_file("mine")

        def process_element(self, value, ctx):
            yield self.path

    (tmp_path / "a.txt").write_text("")
    env.register_cached_file(str(tmp_path / "a.txt"), "mine")
    assert collected(env.from_collection([1]).process(Named())) == [str(tmp_path / "a.txt")]


@spells("runtime_context.get_metric_group()")
def test_metric_group_in_java_spelling(env):
    class Counting(ProcessFunction):
        def open(self, runtime_context):
            self.counter = runtime_context.get_metric_group().counter("seen")

        def process_element(self, value, ctx):
            self.counter.inc()
            yield self.counter.get_count()

    assert collected(env.from_collection([5, 6]).process(Counting())) == [1, 2]


# -- windows ---------------------------------------------------------------------------------------


@spells("SessionWindows.with_gap", "TumblingEventTimeWindows.of(Duration")
def test_window_assigners_in_java_spelling():
    assert repr(SessionWindows.with_gap(Time.seconds(3))) == repr(
        EventTimeSessionWindows.with_gap(Time.seconds(3))
    )
    sizes = (Time.seconds(5), Duration.of_seconds(5), datetime.timedelta(seconds=5), 5000)
    assert len({repr(TumblingEventTimeWindows.of(size)) for size in sizes}) == 1


@spells(
    "from pyflink.datastream.functions import Trigger, TriggerResult",
    "a Trigger without on_merge",
    "window.start, window.end",
)
def test_a_trigger_of_ones_own_on_windows_without_time(env):
    from pyflink.datastream.functions import Trigger, TriggerResult
    from pyflink.datastream.state import ValueStateDescriptor

    class EverySecond(Trigger):
        def __init__(self):
            self.seen = ValueStateDescriptor("seen", Types.INT())

        def on_element(self, element, timestamp, window, ctx):
            state = ctx.get_partitioned_state(self.seen)
            state.update((state.value() or 0) + 1)
            return (
                TriggerResult.FIRE_AND_PURGE if state.value() % 2 == 0 else TriggerResult.CONTINUE
            )

        def on_processing_time(self, time, window, ctx):
            return TriggerResult.CONTINUE

        def on_event_time(self, time, window, ctx):
            return TriggerResult.CONTINUE

        def clear(self, window, ctx):
            ctx.get_partitioned_state(self.seen).clear()

    class Listed(ProcessWindowFunction):
        def process(self, key, context, elements):
            window = context.window()
            yield window.start < 0, window.get_end() > 0, list(elements)

    keyed = env.from_collection([1, 2, 3, 4, 5]).key_by(lambda v: 0)
    stream = keyed.window(GlobalWindows.create()).trigger(EverySecond()).process(Listed())
    assert collected(stream) == [(True, True, [1, 2]), (True, True, [3, 4])]


def test_every_window_has_a_start_and_an_end():
    assert TimeWindow(1, 5).get_start() == 1
    assert TimeWindow(1, 5).get_end() == 5
    for window in (CountWindow(3), GlobalWindow()):
        assert window.start < window.end
        with pytest.raises(AttributeError, match="no attribute 'begin'"):
            window.begin  # noqa: B018


@spells("CountEvictor.of(n)", "windowed_stream.evictor(evictor)")
def test_evictors(env):
    class Listed(ProcessWindowFunction):
        def process(self, key, context, elements):
            yield list(elements)

    class WithoutOdd(Evictor):
        def evict_before(self, elements, size, window, ctx):
            return [e for e in elements if e[1][1] % 2 == 0]

        def evict_after(self, elements, size, window, ctx):
            return None

    def windows(evictor):
        pairs = [("a", time) for time in (1, 2, 3, 4)]
        keyed = timed(env, *pairs).key_by(lambda v: v[0])
        windows = keyed.window(TumblingEventTimeWindows.of(Time.milliseconds(10)))
        (elements,) = collected(windows.evictor(evictor).process(Listed()))
        return [time for _, time in elements]

    assert windows(CountEvictor.of(3)) == [2, 3, 4]
    assert windows(TimeEvictor.of(Time.milliseconds(2))) == [3, 4]
    assert windows(DeltaEvictor.of(3, lambda a, b: b[1] - a[1])) == [2, 3, 4]
    assert windows(WithoutOdd()) == [2, 4]
    assert windows(CountEvictor.of(1, True)) == [1, 2, 3, 4]
    keyed = timed(env, *[("a", time) for time in (1, 2, 3, 4)]).key_by(lambda v: v[0])
    sliding = keyed.window(GlobalWindows.create()).trigger(CountTrigger.of(1))
    results = collected(sliding.evictor(CountEvictor.of(2)).process(Listed()))
    assert [[t for _, t in r] for r in results] == [[1], [1, 2], [2, 3], [3, 4]]


class AllListed(ProcessAllWindowFunction):
    def process(self, context, elements):
        yield list(elements)


@spells("stream.count_window_all(size), stream.count_window_all(size, slide)")
@pytest.mark.parametrize("mode", [RuntimeExecutionMode.STREAMING, RuntimeExecutionMode.BATCH])
@pytest.mark.parametrize("parallelism", [1, 2])
def test_count_windows_of_a_whole_stream(env, mode, parallelism):
    env.set_runtime_mode(mode)
    env.set_parallelism(parallelism)
    numbers = env.from_collection([1, 2, 3, 4, 5, 6, 7], Types.INT())
    # as Java: what does not fill a window is not emitted at the end
    assert collected(numbers.count_window_all(3).process(AllListed())) == [[1, 2, 3], [4, 5, 6]]
    assert collected(numbers.count_window_all(3).reduce(lambda a, b: a + b)) == [6, 15]
    # every two records the last three
    sliding = [[1, 2], [2, 3, 4], [4, 5, 6]]
    assert collected(numbers.count_window_all(3, 2).process(AllListed())) == sliding
    assert collected(numbers.count_window_all(3, 2).reduce(lambda a, b: a + b)) == [3, 9, 15]
    # the keys of a keyed stream make no difference
    keyed = numbers.key_by(lambda n: n % 2).count_window_all(7).process(AllListed())
    assert [sorted(window) for window in collected(keyed)] == [[1, 2, 3, 4, 5, 6, 7]]


# -- environment and jobs --------------------------------------------------------------------------


@spells(
    "env.set_state_backend('rocksdb')",
    "set_restart_strategy_fixed_delay",
    "set_restart_strategy_failure_rate",
    "set_restart_strategy_no_restart",
)
def test_settings_by_name(env):
    from pyflink.common import RestartStrategies
    from pyflink.datastream import EmbeddedRocksDBStateBackend, HashMapStateBackend

    env.set_state_backend("rocksdb")
    assert isinstance(env.get_state_backend(), EmbeddedRocksDBStateBackend)
    env.set_state_backend("hashmap")
    assert isinstance(env.get_state_backend(), HashMapStateBackend)
    env.set_restart_strategy_fixed_delay(3, 10)
    assert env.get_restart_strategy() == RestartStrategies.fixed_delay_restart(3, 10)
    env.set_restart_strategy_failure_rate(3, 100, 10)
    assert env.get_restart_strategy() == RestartStrategies.failure_rate_restart(3, 100, 10)
    env.set_restart_strategy_no_restart()
    assert env.get_restart_strategy() == RestartStrategies.no_restart()
    with pytest.raises(AttributeError, match="no attribute 'set_restart'"):
        env.set_restart  # noqa: B018


@spells("job_client.is_done()", "job_client.get_job_status() ==")
def test_a_status_is_a_future_and_a_status(env):
    env.from_collection([1]).map(lambda v: v).print()
    client = env.execute_async()
    client.get_job_execution_result().result()
    status = client.get_job_status()
    assert client.is_done()
    assert status.result() is JobStatus.FINISHED
    assert status == JobStatus.FINISHED
    assert status != JobStatus.RUNNING
    assert status.name == "FINISHED"
    assert status.is_globally_terminal_state()
    assert str(status) == str(JobStatus.FINISHED)


@spells("with_timestamp_assigner(lambda")
def test_a_lambda_as_timestamp_assigner(env):
    class Stamped(ProcessFunction):
        def process_element(self, value, ctx):
            yield ctx.timestamp()

    assert collected(timed(env, ("a", 5)).process(Stamped())) == [5]


# -- imports ---------------------------------------------------------------------------------------


@spells("from pyflink.common.serialization import Json", "from pyflink.table.descriptors import")
def test_names_in_other_places():
    from pyflink._not_yet import NotSupportedError
    from pyflink.common.serialization import (
        CsvRowSerializationSchema,
        JsonRowDeserializationSchema,
        JsonRowSerializationSchema,
    )
    from pyflink.datastream.formats import csv, json

    assert JsonRowSerializationSchema is json.JsonRowSerializationSchema
    assert JsonRowDeserializationSchema is json.JsonRowDeserializationSchema
    assert CsvRowSerializationSchema is csv.CsvRowSerializationSchema
    descriptors = importlib.import_module("pyflink.table.descriptors")
    for name in ("Kafka", "Json", "Kinesis", "Schema"):
        with pytest.raises(NotSupportedError, match="DataStream API"):
            getattr(descriptors, name)()


@pytest.mark.parametrize(
    "module",
    ["functions", "state", "window"],
)
def test_a_name_of_nobody_is_an_attribute_error(module):
    with pytest.raises(AttributeError, match="has no attribute 'Nobody'"):
        importlib.import_module(f"pyflink.datastream.{module}").Nobody  # noqa: B018


# -- the list itself -------------------------------------------------------------------------------


def test_every_spelling_has_a_test():
    assert {s for s, _ in SPELLINGS} - COVERED == set()


def documented():
    lines = [
        "# Spellings",
        "",
        "What scripts in the wild write although Apache PyFlink has no such name, or another. It"
        " works here; on the right is",
        "upstream's own spelling, for programs that are to run on Apache Flink as well. The list"
        " is `python/pyflink/_spellings.py`;",
        "`python tests/python/test_generous.py` writes this page.",
        "",
        "| works here | upstream |",
        "| --- | --- |",
        *(
            f"| `{spelling}` | "
            + (upstream if upstream.startswith(("none", "a Java", "both")) else f"`{upstream}`")
            + " |"
            for spelling, upstream in SPELLINGS
        ),
    ]
    return "\n".join(lines) + "\n"


def test_the_documentation_lists_them_all():
    page = ROOT / "docs" / "spellings.md"
    assert page.read_text(encoding="utf-8") == documented()


if __name__ == "__main__":
    (ROOT / "docs" / "spellings.md").write_text(documented(), encoding="utf-8")
