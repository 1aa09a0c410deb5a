"""Harnesses drive the real operators, one element at a time."""

import asyncio

import pytest

from pyflink.common import Row, Time, Types
from pyflink.datastream import AsyncDataStream, OutputTag
from pyflink.datastream.functions import (
    AggregateFunction,
    AsyncFunction,
    BroadcastProcessFunction,
    CoFlatMapFunction,
    CoMapFunction,
    CoProcessFunction,
    FilterFunction,
    FlatMapFunction,
    KeyedBroadcastProcessFunction,
    KeyedCoProcessFunction,
    KeyedProcessFunction,
    MapFunction,
    ProcessFunction,
    ProcessWindowFunction,
    ReduceFunction,
)
from pyflink.datastream.state import (
    AggregatingStateDescriptor,
    ListStateDescriptor,
    MapStateDescriptor,
    ReducingStateDescriptor,
    StateTtlConfig,
    ValueStateDescriptor,
)
from pyflink.datastream.window import (
    CountTrigger,
    EventTimeSessionWindows,
    SlidingEventTimeWindows,
    TimeWindow,
    TumblingEventTimeWindows,
    TumblingProcessingTimeWindows,
)
from pyflink.testing import (
    BroadcastOperatorTestHarness,
    KeyedBroadcastOperatorTestHarness,
    KeyedOneInputStreamOperatorTestHarness,
    KeyedTwoInputStreamOperatorTestHarness,
    OneInputStreamOperatorTestHarness,
    ProcessFunctionTestHarnesses,
    StreamRecord,
    TwoInputStreamOperatorTestHarness,
    Watermark,
    WatermarkStatus,
)

ODD = OutputTag("odd", Types.INT())


class Double(MapFunction):
    def map(self, value):
        return value * 2


class Repeat(FlatMapFunction):
    def flat_map(self, value):
        return [value] * value


class Even(FilterFunction):
    def filter(self, value):
        return value % 2 == 0


class Split(ProcessFunction):
    def process_element(self, value, ctx):
        if value % 2:
            yield ODD, value
        else:
            yield value, ctx.timestamp()


class Add(ReduceFunction):
    def reduce(self, value1, value2):
        return value1 + value2


class Sum(AggregateFunction):
    def create_accumulator(self):
        return 0

    def add(self, value, accumulator):
        return accumulator + value

    def get_result(self, accumulator):
        return accumulator

    def merge(self, acc_a, acc_b):
        return acc_a + acc_b


@pytest.mark.parametrize(
    ("function", "expected"),
    [(Double(), [2, 4, 6]), (Repeat(), [1, 2, 2, 3, 3, 3]), (Even(), [2])],
    ids=["map", "flat_map", "filter"],
)
def test_functions_without_state(function, expected):
    harness = OneInputStreamOperatorTestHarness(function)
    harness.process_elements(1, 2, 3)
    assert harness.extract_output_values() == expected


def test_elements_keep_their_timestamps_and_watermarks_their_place():
    harness = OneInputStreamOperatorTestHarness(Double())
    harness.process_element(1, 10)
    harness.process_watermark(10)
    harness.process_watermark(5)  # does not rise
    harness.process_element(StreamRecord(2, 20))
    harness.process_element(3)
    harness.process_watermark_status(WatermarkStatus.IDLE)
    harness.process_watermark(Watermark(30))
    assert harness.get_output() == [
        StreamRecord(2, 10),
        Watermark(10),
        StreamRecord(4, 20),
        StreamRecord(6),
        WatermarkStatus.IDLE,
        WatermarkStatus.ACTIVE,
        Watermark(30),
    ]
    harness.get_output().clear()
    harness.process_element(4, 40)
    assert harness.take_output_values() == [8]
    assert harness.take_output_values() == []


def test_side_outputs_are_found_in_the_functions_code():
    harness = ProcessFunctionTestHarnesses.for_process_function(Split())
    harness.process_element(1, 10)
    harness.process_element(2, 20)
    assert harness.extract_output_values() == [(2, 20)]
    assert harness.get_side_output(ODD) == [StreamRecord(1, 10)]


def test_side_outputs_that_only_the_caller_knows():
    class Emits(ProcessFunction):
        def process_element(self, value, ctx):
            yield OutputTag("hidden", Types.INT()), value

    tag = OutputTag("hidden", Types.INT())
    harness = OneInputStreamOperatorTestHarness(Emits())
    with pytest.raises(KeyError, match=r"'hidden'.*side_outputs=\[tag\]"):
        harness.get_side_output(tag)
    harness = OneInputStreamOperatorTestHarness(Emits(), side_outputs=[tag])
    harness.process_element(1)
    assert harness.get_side_output(tag) == [StreamRecord(1)]


class AllStates(KeyedProcessFunction):
    def open(self, runtime_context):
        get = runtime_context
        self.value = get.get_state(ValueStateDescriptor("value", Types.INT()))
        self.list = get.get_list_state(ListStateDescriptor("list", Types.INT()))
        self.map = get.get_map_state(MapStateDescriptor("map", Types.STRING(), Types.INT()))
        self.sum = get.get_reducing_state(ReducingStateDescriptor("sum", Add(), Types.INT()))
        self.aggregate = get.get_aggregating_state(
            AggregatingStateDescriptor("aggregate", Sum(), Types.INT())
        )

    def process_element(self, value, ctx):
        if value is None:
            for state in (self.value, self.list, self.map, self.sum, self.aggregate):
                state.clear()
            return
        self.value.update(value)
        self.list.add(value)
        self.map.put(str(value), value)
        self.sum.add(value)
        self.aggregate.add(value)


def test_state_can_be_read_by_name_key_and_descriptor():
    harness = KeyedOneInputStreamOperatorTestHarness(AllStates(), key_type=Types.STRING())
    harness.process_element(1, key="a")
    harness.process_element(2, key="a")
    harness.process_element(5, key="b")
    assert harness.states("value") == {"a": 2, "b": 5}
    assert harness.state("list", "a") == [1, 2]
    assert harness.states("map") == {"a": {"1": 1, "2": 2}, "b": {"5": 5}}
    assert harness.state(ValueStateDescriptor("value", Types.INT()), "b") == 5
    assert harness.states("sum") == {"a": 3, "b": 5}
    assert harness.state("aggregate", "a") == 3
    assert harness.state("value", "c") is None
    assert harness.num_keyed_state_entries() == 10
    harness.process_element(None, key="a")
    assert harness.states("list") == {"b": [5]}
    assert harness.num_keyed_state_entries() == 5
    with pytest.raises(KeyError, match="no operator of the harness has declared a state 'other'"):
        harness.states("other")


class Timers(KeyedProcessFunction):
    def process_element(self, value, ctx):
        service = ctx.timer_service()
        service.register_event_time_timer(ctx.timestamp() + value)
        service.register_processing_time_timer(service.current_processing_time() + value)

    def on_timer(self, timestamp, ctx):
        yield ctx.get_current_key(), ctx.time_domain().name, timestamp


def test_timers_are_counted_and_fire_in_their_own_time():
    harness = KeyedOneInputStreamOperatorTestHarness(Timers(), lambda v: v, processing_time=1000)
    assert harness.get_processing_time() == 1000
    harness.process_element(10, 100)
    harness.process_element(20, 100)
    assert (harness.num_event_time_timers(), harness.num_processing_time_timers()) == (2, 2)
    harness.process_watermark(110)
    assert harness.take_output_values() == [(10, "EVENT_TIME", 110)]
    harness.set_processing_time(1009)
    assert harness.take_output_values() == []
    harness.advance_processing_time(1)
    assert harness.take_output_values() == [(10, "PROCESSING_TIME", 1010)]
    with pytest.raises(ValueError, match="processing time is 1010 already"):
        harness.set_processing_time(5)
    assert (harness.num_event_time_timers(), harness.num_processing_time_timers()) == (1, 1)
    harness.end_input()
    assert harness.take_output_values() == [(20, "EVENT_TIME", 120)]


def test_a_snapshot_holds_state_timers_and_time():
    class Both(Timers):
        def open(self, runtime_context):
            self.last = runtime_context.get_state(ValueStateDescriptor("last", Types.INT()))

        def process_element(self, value, ctx):
            super().process_element(value, ctx)
            self.last.update(value)

    harness = KeyedOneInputStreamOperatorTestHarness(Both(), lambda v: v % 2, Types.INT())
    harness.set_processing_time(50)
    harness.process_element(10, 100)
    harness.process_element(11, 100)
    snapshot = harness.snapshot(1, 50)
    harness.process_element(12, 100)  # after it: not part of it

    again = harness.restored(snapshot)
    assert again.states("last") == {0: 10, 1: 11}
    assert again.get_processing_time() == 50
    assert (again.num_event_time_timers(), again.num_processing_time_timers()) == (2, 2)
    again.process_watermark(110)
    again.set_processing_time(61)
    assert again.extract_output_values() == [
        (0, "EVENT_TIME", 110),
        (0, "PROCESSING_TIME", 60),
        (1, "PROCESSING_TIME", 61),
    ]
    with pytest.raises(RuntimeError, match="before open"):
        again.initialize_state(snapshot)


def test_ttl_follows_processing_time():
    class Once(KeyedProcessFunction):
        def open(self, runtime_context):
            descriptor = ValueStateDescriptor("seen", Types.BOOLEAN())
            descriptor.enable_time_to_live(StateTtlConfig.new_builder(Time.seconds(1)).build())
            self.seen = runtime_context.get_state(descriptor)

        def process_element(self, value, ctx):
            if not self.seen.value():
                self.seen.update(True)
                yield value

    harness = KeyedOneInputStreamOperatorTestHarness(Once(), lambda v: v)
    harness.process_elements("a", "a")
    harness.set_processing_time(999)
    harness.process_element("a")
    harness.set_processing_time(1000)
    harness.process_element("a")
    assert harness.extract_output_values() == ["a", "a"]


def test_what_a_function_raises_comes_out_of_the_call():
    def fails(value):
        raise ValueError(f"no {value} please")

    harness = OneInputStreamOperatorTestHarness(lambda stream: stream.map(fails))
    with pytest.raises(ValueError, match="no 3 please") as caught:
        harness.process_element(3)
    assert caught.value.__notes__ == ["in operator 'Map', subtask 1/1, record 3"]


def test_what_open_raises_comes_out_of_open():
    class Fails(MapFunction):
        def open(self, runtime_context):
            raise ValueError("not today")

        def map(self, value):
            return value

    with pytest.raises(ValueError, match="not today"):
        OneInputStreamOperatorTestHarness(Fails()).open()


def test_functions_are_opened_and_closed_once():
    calls = []

    class Notes(MapFunction):
        def open(self, runtime_context):
            calls.append("open")

        def map(self, value):
            return value

        def close(self):
            calls.append("close")

    with OneInputStreamOperatorTestHarness(Notes()) as harness:
        harness.process_element(1)
        assert calls == ["open"]
    assert calls == ["open", "close"]
    with pytest.raises(RuntimeError, match="was closed"):
        harness.process_element(2)


def test_types_are_those_of_the_stream():
    harness = OneInputStreamOperatorTestHarness(
        lambda stream: stream.map(lambda row: row.name, Types.STRING()),
        input_type=Types.ROW_NAMED(["name"], [Types.STRING()]),
    )
    harness.process_element(Row(name="ann"))
    assert harness.extract_output_values() == ["ann"]
    with pytest.raises(Exception, match="42"):
        harness.process_element(42)


# -- windows


def counted(windows, **options):
    def build(stream):
        windowed = stream.window(windows)
        for name, value in options.items():
            windowed = getattr(windowed, name)(value)
        return windowed.aggregate(Sum())

    return KeyedOneInputStreamOperatorTestHarness(build, key_type=Types.STRING())


def test_sliding_windows():
    harness = counted(SlidingEventTimeWindows.of(Time.seconds(10), Time.seconds(5)))
    harness.process_element(1, 6_000, key="a")
    assert harness.num_event_time_timers() == 2
    harness.process_watermark(9_999)
    harness.process_watermark(14_999)
    assert harness.extract_output_stream_records() == [
        StreamRecord(1, 9_999),
        StreamRecord(1, 14_999),
    ]
    assert harness.num_keyed_state_entries() == 0


def test_session_windows_merge():
    harness = counted(EventTimeSessionWindows.with_gap(Time.seconds(5)))
    harness.process_element(1, 0, key="a")
    harness.process_element(2, 8_000, key="a")
    assert harness.num_event_time_timers() == 2
    harness.process_element(4, 4_000, key="a")
    assert harness.num_event_time_timers() == 1
    restored = harness.restored(harness.snapshot())
    for each in (harness, restored):
        each.process_watermark(12_999)
        assert each.extract_output_stream_records() == [StreamRecord(7, 12_999)]
        assert each.num_keyed_state_entries() == 0


def test_lateness_and_triggers():
    late = OutputTag("late", Types.INT())

    def build(stream):
        windowed = stream.window(TumblingEventTimeWindows.of(Time.seconds(10)))
        return windowed.allowed_lateness(5_000).side_output_late_data(late).aggregate(Sum())

    harness = KeyedOneInputStreamOperatorTestHarness(build)
    harness.process_element(1, 1_000, key="a")
    harness.process_watermark(9_999)
    harness.process_element(2, 2_000, key="a")
    harness.process_watermark(14_999)
    harness.process_element(4, 3_000, key="a")
    assert harness.extract_output_values() == [1, 3]
    assert harness.get_side_output(late) == [StreamRecord(4, 3_000)]

    harness = counted(TumblingEventTimeWindows.of(Time.seconds(10)), trigger=CountTrigger.of(2))
    for value in (1, 2, 3):
        harness.process_element(value, 0, key="a")
    assert harness.extract_output_values() == [3]


def test_processing_time_windows_follow_the_clock():
    harness = counted(TumblingProcessingTimeWindows.of(Time.seconds(10)))
    harness.process_element(1, key="a")
    harness.process_element(2, key="a")
    assert harness.num_processing_time_timers() == 1
    harness.set_processing_time(9_999)
    assert harness.extract_output_values() == [3]


def test_state_of_a_window_is_read_with_the_window():
    class Fires(ProcessWindowFunction):
        def process(self, key, context, elements):
            state = context.window_state().get_state(ValueStateDescriptor("fired", Types.INT()))
            state.update((state.value() or 0) + 1)
            total = context.global_state().get_state(ValueStateDescriptor("total", Types.INT()))
            total.update((total.value() or 0) + 1)
            return [sum(elements)]

    harness = KeyedOneInputStreamOperatorTestHarness(
        lambda s: (
            s.window(TumblingEventTimeWindows.of(Time.seconds(10)))
            .trigger(CountTrigger.of(1))
            .process(Fires())
        )
    )
    harness.process_element(1, 0, key="a")
    harness.process_element(1, 0, key="a")
    harness.process_element(1, 10_000, key="a")
    assert harness.state("fired", "a", TimeWindow(0, 10_000)) == 2
    assert harness.state("fired", "a", TimeWindow(10_000, 20_000)) == 1
    assert harness.state("fired", "a", TimeWindow(20_000, 30_000)) is None
    assert harness.state("total", "a") == 3


def test_window_functions_alone_are_refused_with_the_way_out():
    class Window(ProcessWindowFunction):
        def process(self, key, context, elements):
            return []

    with pytest.raises(TypeError, match=r"Window works on windows: build them.*stream\.window"):
        KeyedOneInputStreamOperatorTestHarness(Window(), lambda v: v).process_element(1)


def test_reduce_and_aggregations():
    harness = KeyedOneInputStreamOperatorTestHarness(Add(), lambda v: v % 2)
    harness.process_elements(1, 2, 3)
    assert harness.extract_output_values() == [1, 2, 4]
    harness = KeyedOneInputStreamOperatorTestHarness(
        lambda s: s.sum(1),
        lambda v: v[0],
        input_type=Types.TUPLE([Types.STRING(), Types.INT()]),
    )
    harness.process_elements(("a", 1), ("a", 2))
    assert harness.extract_output_values() == [("a", 1), ("a", 3)]


# -- two inputs


def test_two_inputs():
    class CoMap(CoMapFunction):
        def map1(self, value):
            return "1", value

        def map2(self, value):
            return "2", value

    class CoFlat(CoFlatMapFunction):
        def flat_map1(self, value):
            yield value

        def flat_map2(self, value):
            yield value
            yield value

    class CoProcess(CoProcessFunction):
        def process_element1(self, value, ctx):
            yield value, ctx.timestamp()

        def process_element2(self, value, ctx):
            yield ODD, value

    harness = TwoInputStreamOperatorTestHarness(CoMap())
    harness.process_element1("a")
    harness.process_element2("b")
    assert harness.extract_output_values() == [("1", "a"), ("2", "b")]

    harness = TwoInputStreamOperatorTestHarness(CoFlat())
    harness.process_element1("a")
    harness.process_element2("b")
    assert harness.extract_output_values() == ["a", "b", "b"]

    harness = ProcessFunctionTestHarnesses.for_co_process_function(CoProcess())
    harness.process_element1("a", 5)
    harness.process_element2(7, 6)
    assert harness.extract_output_values() == [("a", 5)]
    assert harness.get_side_output(ODD) == [StreamRecord(7, 6)]


class Join(KeyedCoProcessFunction):
    def open(self, runtime_context):
        self.left = runtime_context.get_state(ValueStateDescriptor("left", Types.STRING()))

    def process_element1(self, value, ctx):
        self.left.update(value)
        ctx.timer_service().register_event_time_timer(ctx.timestamp() + 10)

    def process_element2(self, value, ctx):
        yield self.left.value(), value

    def on_timer(self, timestamp, ctx):
        yield "gone", self.left.value()
        self.left.clear()


def test_keyed_two_inputs_watermarks_combine():
    harness = KeyedTwoInputStreamOperatorTestHarness(Join(), lambda v: v[0], lambda v: v[0])
    harness.process_element1("left", 0)
    harness.process_element2("later", 1)
    assert harness.extract_output_values() == [("left", "later")]
    harness.process_watermark1(10)
    assert harness.num_event_time_timers() == 1
    harness.process_watermark2(10)
    assert harness.get_output()[1:] == [StreamRecord(("gone", "left"), 10), Watermark(10)]
    assert harness.states("left") == {}


def test_an_idle_input_holds_back_nothing():
    harness = KeyedTwoInputStreamOperatorTestHarness(Join())
    harness.process_element1("x", 0, key=1)
    harness.process_watermark_status2(WatermarkStatus.IDLE)
    harness.process_watermark1(10)
    assert harness.extract_output_values() == [("gone", "x")]


RULES = MapStateDescriptor("rules", Types.STRING(), Types.INT())


def test_broadcast_state():
    class Apply(BroadcastProcessFunction):
        def process_element(self, value, ctx):
            yield value, ctx.get_broadcast_state(RULES).get(value)

        def process_broadcast_element(self, value, ctx):
            ctx.get_broadcast_state(RULES).put(*value)

    harness = BroadcastOperatorTestHarness(Apply(), RULES)
    harness.process_element("a", 1)
    harness.process_broadcast_element(("a", 5))
    harness.process_element("a", 2)
    assert harness.extract_output_values() == [("a", None), ("a", 5)]
    assert harness.broadcast_state(RULES) == {"a": 5}
    assert harness.restored(harness.snapshot()).broadcast_state("rules") == {"a": 5}
    harness.process_both_watermarks(9)
    assert harness.get_output()[-1] == Watermark(9)
    with pytest.raises(KeyError, match="has a broadcast state 'x'"):
        harness.broadcast_state("x")


def test_keyed_broadcast_state():
    class Apply(KeyedBroadcastProcessFunction):
        def open(self, runtime_context):
            self.count = runtime_context.get_state(ValueStateDescriptor("count", Types.INT()))

        def process_element(self, value, ctx):
            self.count.update((self.count.value() or 0) + 1)
            if self.count.value() >= (ctx.get_broadcast_state(RULES).get("limit") or 100):
                yield ctx.get_current_key(), self.count.value()

        def process_broadcast_element(self, value, ctx):
            ctx.get_broadcast_state(RULES).put("limit", value)

    harness = ProcessFunctionTestHarnesses.for_keyed_broadcast_process_function(
        Apply(), None, Types.STRING(), RULES
    )
    assert isinstance(harness, KeyedBroadcastOperatorTestHarness)
    harness.process_element("x", key="a")
    harness.process_broadcast_element(2)
    harness.process_element("x", key="a")
    harness.process_element("x", key="b")
    assert harness.extract_output_values() == [("a", 2)]
    assert harness.states("count") == {"a": 2, "b": 1}


# -- asynchronous functions


class Lookup(AsyncFunction):
    async def async_invoke(self, value):
        if value < 0:
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        return [value * 10]

    def timeout(self, value):
        return ["no answer"]


def looked_up(timeout_ms=10_000):
    return OneInputStreamOperatorTestHarness(
        lambda s: AsyncDataStream.ordered_wait(s, Lookup(), Time.milliseconds(timeout_ms), 10)
    )


def test_asynchronous_results_are_waited_for():
    harness = looked_up()
    harness.process_elements(1, 2, 3)
    assert harness.await_output(3) == [10, 20, 30]
    with pytest.raises(TimeoutError, match=r"0 of 1 values came out within 0.01 s"):
        harness.await_output(1, timeout=0.01)


def test_asynchronous_time_outs_follow_real_time():
    harness = looked_up(timeout_ms=20)
    harness.process_element(-1)
    assert harness.await_output() == ["no answer"]


def test_a_snapshot_waits_for_what_is_in_flight():
    harness = looked_up()
    harness.process_elements(1, 2)
    harness.snapshot()
    assert harness.await_output(2) == [10, 20]


# -- wrong use


def test_keys_are_given_or_selected_but_not_both():
    harness = KeyedOneInputStreamOperatorTestHarness(Timers())
    with pytest.raises(TypeError, match="has no key selector: give each element its key"):
        harness.process_element(1, 0)
    harness = KeyedOneInputStreamOperatorTestHarness(Timers(), lambda v: v)
    with pytest.raises(TypeError, match="takes the key from the value"):
        harness.process_element(1, 0, key=3)
    with pytest.raises(TypeError, match="key= is for keyed harnesses"):
        OneInputStreamOperatorTestHarness(Double()).process_element(1, 0, key=3)


def test_what_is_no_operator():
    with pytest.raises(TypeError, match="a harness needs a function, such as a ProcessFunction"):
        OneInputStreamOperatorTestHarness(42).open()
    with pytest.raises(TypeError, match="must lead to a DataStream, it gave None"):
        OneInputStreamOperatorTestHarness(lambda stream: None).open()
    with pytest.raises(TypeError, match=r"write Double\(\)"):
        OneInputStreamOperatorTestHarness(lambda stream: stream.map(Double)).open()


def test_no_snapshot_after_the_end():
    harness = OneInputStreamOperatorTestHarness(Double())
    harness.end_input()
    with pytest.raises(ValueError, match="no snapshot can be taken any more"):
        harness.snapshot()
    with pytest.raises(ValueError, match="nothing can follow end"):
        harness.process_element(1)
