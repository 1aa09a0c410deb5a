"""BATCH mode: keyed input is sorted, one key comes after the other."""

from __future__ import annotations

import itertools
import random
import threading

import pytest

from pyflink.common import Configuration, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import RuntimeExecutionMode, StreamExecutionEnvironment
from pyflink.datastream.functions import (
    BroadcastProcessFunction,
    KeyedCoProcessFunction,
    KeyedProcessFunction,
    ProcessWindowFunction,
)
from pyflink.datastream.state import ListStateDescriptor, MapStateDescriptor, ValueStateDescriptor
from pyflink.datastream.window import TumblingEventTimeWindows

MIN = -(2**63)
MAX = 2**63 - 1
PAIR = Types.TUPLE([Types.STRING(), Types.INT()])


class Second(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value[1]


def environment(parallelism=1, **settings):
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(parallelism)
    env.set_runtime_mode(RuntimeExecutionMode.BATCH)
    configuration = Configuration()
    for key, value in settings.items():
        configuration.set_string(f"execution.sorted-inputs.{key}", value)
    env.configure(configuration)
    return env


def timed(env, values, type_info=None):
    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(Second())
    return env.from_collection(values, type_info).assign_timestamps_and_watermarks(strategy)


def collect(stream):
    with stream.execute_and_collect() as results:
        return list(results)


class Log(KeyedProcessFunction):
    """Each record and timer with the watermark, and how much of the key came before."""

    def open(self, context):
        self.seen = context.get_list_state(ListStateDescriptor("seen", Types.INT()))

    def process_element(self, value, ctx):
        service = ctx.timer_service()
        service.register_event_time_timer(value[1] + 100)
        service.register_processing_time_timer(service.current_processing_time() + 3_600_000)
        self.seen.add(value[1])
        yield (value[0], value[1], service.current_watermark() == MIN)

    def on_timer(self, timestamp, ctx):
        last = ctx.timer_service().current_watermark() == MAX
        when = timestamp if timestamp < 10_000 else "clock"
        yield (ctx.get_current_key(), "timer", when, last, list(self.seen.get()))


MIXED = [("b", 4), ("a", 9), ("b", 1), ("a", 2), ("a", 5)]


def test_a_key_ends_before_the_next_begins():
    results = collect(timed(environment(), MIXED).key_by(lambda v: v[0]).process(Log()))
    clocks = [r for r in results if r[2] == "clock"]
    assert [r for r in results if r[2] != "clock"] == [
        ("a", 2, True),
        ("a", 5, True),
        ("a", 9, True),
        ("a", "timer", 102, True, [2, 5, 9]),
        ("a", "timer", 105, True, [2, 5, 9]),
        ("a", "timer", 109, True, [2, 5, 9]),
        ("b", 1, True),
        ("b", 4, True),
        ("b", "timer", 101, True, [1, 4]),
        ("b", "timer", 104, True, [1, 4]),
    ]
    assert {r[0] for r in clocks} == {"a", "b"}


def test_automatic_sorts_bounded_sources():
    env = environment()
    env.set_runtime_mode(RuntimeExecutionMode.AUTOMATIC)
    results = collect(timed(env, MIXED).key_by(lambda v: v[0]).process(Log()))
    assert [r[1] for r in results if len(r) == 3] == [2, 5, 9, 1, 4]


def test_sorting_can_be_switched_off():
    env = environment(enabled="false")
    results = collect(timed(env, MIXED).key_by(lambda v: v[0]).process(Log()))
    assert [r[1] for r in results if len(r) == 3] == [4, 9, 1, 2, 5]


def test_a_memory_size_that_is_none_is_refused():
    with pytest.raises(ValueError, match=r"execution\.sorted-inputs\.memory.*'much'"):
        environment(memory="much")
    with pytest.raises(ValueError, match="greater than zero"):
        environment(memory="0 mb")


class Numbered(KeyedProcessFunction):
    def open(self, context):
        self.last = context.get_state(ValueStateDescriptor("last", Types.INT()))

    def process_element(self, value, ctx):
        before = self.last.value()
        self.last.update(value[1])
        if before is not None and before > value[1]:
            raise AssertionError(f"{value} after {before}")
        yield value


@pytest.mark.parametrize("parallelism", [1, 3])
@pytest.mark.parametrize("type_info", [None, PAIR], ids=["objects", "typed"])
def test_what_does_not_fit_into_memory_is_sorted_too(parallelism, type_info):
    numbers = random.Random(5)
    values = [(f"key {numbers.randrange(50)}", numbers.randrange(1000)) for _ in range(5000)]
    env = environment(parallelism, memory="32 kb")
    results = collect(timed(env, values, type_info).key_by(lambda v: v[0]).process(Numbered()))
    assert sorted(results) == sorted(values)
    if parallelism == 1:
        keys = [key for key, _ in results]
        changes = sum(a != b for a, b in itertools.pairwise(keys))
        assert changes == len(set(keys)) - 1


class Both(KeyedCoProcessFunction):
    def process_element1(self, value, ctx):
        yield ("one", *value)

    def process_element2(self, value, ctx):
        yield ("two", *value)


def test_two_inputs_are_merged_by_key_and_time():
    env = environment()
    one = timed(env, [("b", 4), ("a", 1), ("a", 9)]).key_by(lambda v: v[0])
    two = timed(env, [("a", 5), ("b", 4), ("a", 0)]).key_by(lambda v: v[0])
    assert collect(one.connect(two).process(Both())) == [
        ("two", "a", 0),
        ("one", "a", 1),
        ("two", "a", 5),
        ("one", "a", 9),
        ("one", "b", 4),
        ("two", "b", 4),
    ]


class Gather(ProcessWindowFunction):
    def process(self, key, context, elements):
        yield (key, context.window().start, [e[1] for e in elements])


def test_windows_of_a_key_come_together():
    stream = timed(environment(), [("b", 14), ("a", 19), ("b", 1), ("a", 2), ("a", 5)])
    windows = stream.key_by(lambda v: v[0]).window(TumblingEventTimeWindows.of(10))
    assert collect(windows.process(Gather())) == [
        ("a", 0, [2, 5]),
        ("a", 10, [19]),
        ("b", 0, [1]),
        ("b", 10, [14]),
    ]


def test_all_windows_are_sorted_by_time():
    stream = timed(environment(), [("b", 14), ("a", 19), ("b", 1), ("a", 2), ("a", 5)])
    results = collect(
        stream.window_all(TumblingEventTimeWindows.of(10)).reduce(lambda x, y: (x[0] + y[0], y[1]))
    )
    assert results == [("baa", 5), ("ba", 19)]


def test_keyed_behind_keyed():
    env = environment()
    first = timed(env, MIXED).key_by(lambda v: v[0]).reduce(lambda x, y: (y[0], x[1] + y[1]))
    total = first.key_by(lambda v: 0).reduce(lambda x, y: (x[0] + y[0], x[1] + y[1]))
    assert collect(total) == [("ab", 21)]


def test_a_checkpoint_is_not_restored(tmp_path):
    env = environment()
    env.configure(Configuration().set_string("execution.savepoint.path", f"{tmp_path}/chk-1"))
    env.from_collection([1]).print()
    with pytest.raises(ValueError, match="cannot be restored in BATCH mode") as refused:
        env.execute()
    assert "set the runtime mode to STREAMING" in str(refused.value)


class Again(KeyedProcessFunction):
    """A timer that registers itself."""

    def process_element(self, value, ctx):
        service = ctx.timer_service()
        service.register_processing_time_timer(service.current_processing_time() + 3_600_000)

    def on_timer(self, timestamp, ctx):
        ctx.timer_service().register_processing_time_timer(timestamp + 1)
        yield ctx.get_current_key()


@pytest.mark.parametrize("enabled", ["true", "false"])
def test_processing_time_timers_that_register_themselves_end(enabled, caplog):
    # as in Apache Flink 1.20 (BatchExecutionInternalTimeService, PyFlink's thread mode)
    stream = timed(environment(enabled=enabled), [("a", 1), ("b", 2)])
    assert sorted(collect(stream.key_by(lambda v: v[0]).process(Again()))) == ["a", "b"]
    assert "a processing-time timer that on_timer() registered is ignored" in caplog.text


class Joined(BroadcastProcessFunction):
    """Each record with how many there were on the other side."""

    def process_element(self, value, ctx):
        yield (value, len(list(ctx.get_broadcast_state(COUNTS).items())))

    def process_broadcast_element(self, value, ctx):
        ctx.get_broadcast_state(COUNTS).put(value, True)


COUNTS = MapStateDescriptor("counts", Types.INT(), Types.BOOLEAN())
HELD = 3000
ALL_EMITTED = threading.Event()


def emitted(number):
    if number == HELD - 1:
        ALL_EMITTED.set()
    return number


def when_all_are_emitted(rule):
    assert ALL_EMITTED.wait(30)
    return rule


def test_what_waits_for_a_broadcast_stream_goes_through_a_file(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    env = environment(memory="1b")
    numbers = env.from_collection(list(range(HELD)), Types.INT()).map(emitted, Types.INT())
    rules = env.from_collection(list(range(50)), Types.INT()).map(when_all_are_emitted, Types.INT())
    joined = numbers.rebalance().connect(rules.broadcast(COUNTS)).process(Joined())
    assert sorted(collect(joined)) == [(n, 50) for n in range(HELD)]
    assert list(tmp_path.iterdir()) == []
    ALL_EMITTED.clear()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "missing"))
    with pytest.raises(Exception, match="rows of a BATCH job cannot be written to a file in"):
        collect(joined)
