"""Every operation in STREAMING, BATCH and AUTOMATIC mode at parallelism 1, 2 and 4.

An operation is a function from an environment to a stream, and beside it stands what must come out,
computed from `RECORDS` in plain Python. STREAMING and BATCH differ where one result a key takes the
place of running ones, where processing time decides, and where something could be late; AUTOMATIC
is BATCH here, because all inputs end.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from itertools import accumulate
from typing import NamedTuple

import pytest

from pyflink.common import Duration, Row, Time, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import (
    AggregateFunction,
    AllWindowFunction,
    AsyncDataStream,
    AsyncFunction,
    BroadcastProcessFunction,
    CoFlatMapFunction,
    CoMapFunction,
    CoProcessFunction,
    KeyedBroadcastProcessFunction,
    KeyedCoProcessFunction,
    KeyedProcessFunction,
    MapFunction,
    OutputTag,
    Partitioner,
    ProcessAllWindowFunction,
    ProcessFunction,
    ProcessWindowFunction,
    RuntimeExecutionMode,
    StreamExecutionEnvironment,
    WindowFunction,
)
from pyflink.datastream.connectors.number_seq import NumberSequenceSource
from pyflink.datastream.state import (
    AggregatingStateDescriptor,
    ListStateDescriptor,
    MapStateDescriptor,
    ReducingStateDescriptor,
    ValueStateDescriptor,
)
from pyflink.datastream.window import (
    CountEvictor,
    CountTrigger,
    DeltaEvictor,
    EventTimeSessionWindows,
    Evictor,
    GlobalWindows,
    ProcessingTimeSessionWindows,
    PurgingTrigger,
    SessionWindowTimeGapExtractor,
    SlidingEventTimeWindows,
    TimeEvictor,
    TumblingEventTimeWindows,
    TumblingProcessingTimeWindows,
)
from pyflink.testing import ScriptedSource


class Record(NamedTuple):
    """What the operations work on; numbers differ, and times rise within a key."""

    key: str
    number: int
    time: int


RECORDS = [
    Record(key, number, time)
    for number, (key, time) in enumerate(
        [
            *[("a", 1), ("b", 2), ("a", 7), ("c", 3), ("b", 11)],
            *[("a", 12), ("d", 30), ("a", 13), ("b", 14), ("c", 25)],
        ]
    )
]
KEYS = "abcd"
END = 2**63 - 1
TYPE = Types.TUPLE([Types.STRING(), Types.INT(), Types.INT()])
SIDE = OutputTag("side", Types.STRING())
RULES = MapStateDescriptor("rules", Types.STRING(), Types.INT())

# --- What must come out, in plain Python ----------------------------------------------------------


def numbers():
    return [r.number for r in RECORDS]


def of(key):
    """Numbers of a key, in order."""
    return [r.number for r in RECORDS if r.key == key]


def windows_of(size, slide=None):
    """(key, start) -> the records in it."""
    slide = slide or size
    found = defaultdict(list)
    for record in RECORDS:
        start = record.time // slide * slide
        while start > record.time - size:
            found[record.key, start].append(record)
            start -= slide
    return found


def sessions_of(gap):
    """(key, start, end, records): `gap` is a function of a record."""
    found = []
    for key in KEYS:
        end = None
        for record in (r for r in RECORDS if r.key == key):
            if end is None or record.time > end:
                found.append([key, record.time, record.time + gap(record), []])
            found[-1][2] = end = max(found[-1][2], record.time + gap(record))
            found[-1][3].append(record)
    return [tuple(each) for each in found]


def running(fold):
    """What a rolling aggregation says of a key: each step, or in BATCH the last one."""
    steps = [(key, step) for key in KEYS for step in accumulate(of(key), fold)]
    last = [(key, list(accumulate(of(key), fold))[-1]) for key in KEYS]
    return {"streaming": steps, "batch": last}


# --- The operations -------------------------------------------------------------------------------

OPERATIONS = {}


def operation(expected=None, *, streaming=None, batch=None, name=None):
    """Registers an operation; `expected` is for both modes.

    A function gets the parallelism.
    """

    def register(build):
        known = name or build.__name__
        assert known not in OPERATIONS
        if expected is None:
            OPERATIONS[known] = (build, streaming, batch)
        else:
            OPERATIONS[known] = (build, expected, expected)
        return build

    return register


class ByTime(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value[2]


STRATEGY = WatermarkStrategy.for_bounded_out_of_orderness(
    Duration.of_millis(100)
).with_timestamp_assigner(ByTime())


def in_order(env, typed=True):
    """The records, at parallelism 1; a key's stay in order."""
    records = [tuple(r) for r in RECORDS]
    return env.from_collection(records, TYPE) if typed else env.from_collection(records)


def timed(env, typed=True):
    """The records with event time, spread over all subtasks: in no order."""
    return in_order(env, typed).assign_timestamps_and_watermarks(STRATEGY)


def timed_in_order(env):
    """With event time; a key's stay in order."""
    return timed(env).set_parallelism(1)


def keyed(stream):
    return stream.key_by(lambda v: v[0], Types.STRING())


def add(one, other):
    return (one[0], one[1] + other[1], max(one[2], other[2]))


def pair(value):
    return (value[0], value[1])


# Without keys


@operation([n * 2 for n in numbers()])
def map_(env):
    return timed(env).map(lambda v: v[1] * 2)


@operation([n * 2 for n in numbers()])
def map_to_declared_type(env):
    return timed(env, typed=False).map(lambda v: v[1] * 2, Types.INT())


@operation([r.key for r in RECORDS for _ in range(r.number % 3)])
def flat_map(env):
    return timed(env).flat_map(lambda v: [v[0]] * (v[1] % 3))


@operation([tuple(r) for r in RECORDS if r.number % 2 == 0])
def filter_(env):
    return timed(env).filter(lambda v: v[1] % 2 == 0)


@operation([(r.number, r.key) for r in RECORDS])
def project(env):
    return timed(env).project(1, 0)


@operation(numbers() * 4)
def union_of_four(env):
    return timed(env).union(timed(env), in_order(env), timed(env)).map(lambda v: v[1])


@operation(numbers())
def rebalance(env):
    return timed(env).rebalance().map(lambda v: v[1])


@operation(numbers())
def rescale(env):
    return timed(env).rescale().map(lambda v: v[1])


@operation(numbers())
def shuffle(env):
    return timed(env).shuffle().map(lambda v: v[1])


@operation(numbers())
def forward(env):
    return timed(env).map(lambda v: v).forward().map(lambda v: v[1])


@operation(lambda parallelism: numbers() * parallelism)
def broadcast(env):
    return timed(env).broadcast().map(lambda v: v[1])


class Modulo(Partitioner):
    def partition(self, key, num_partitions):
        return key % num_partitions


class WithSubtask(MapFunction):
    def open(self, runtime_context):
        self.index = runtime_context.get_index_of_this_subtask()

    def map(self, value):
        return value[1], self.index


@operation(lambda parallelism: [(n, n % parallelism) for n in numbers()])
def partition_custom(env):
    return timed(env).partition_custom(Modulo(), lambda v: v[1]).map(WithSubtask())


class Times(ProcessFunction):
    def process_element(self, value, ctx):
        yield SIDE, value[0]
        yield value[0], ctx.timestamp()


@operation([(r.key, r.time) for r in RECORDS])
def process(env):
    return timed(env).process(Times())


@operation([r.key for r in RECORDS])
def process_side_output(env):
    return timed(env).process(Times()).get_side_output(SIDE)


@operation([r.key * 2 for r in RECORDS])
def side_output_after_two_operators_of_one_tag(env):
    once = timed(env).process(Times())
    again = once.get_side_output(SIDE).process(Twice())
    return again.get_side_output(SIDE)


class Twice(ProcessFunction):
    def process_element(self, value, ctx):
        yield SIDE, value * 2


class Answer(AsyncFunction):
    async def async_invoke(self, value):
        await asyncio.get_running_loop().run_in_executor(None, lambda: None)
        return [value[1]]


@operation(numbers())
def async_unordered(env):
    return AsyncDataStream.unordered_wait(timed(env), Answer(), Time.seconds(60), 3, Types.INT())


@operation(numbers())
def async_ordered(env):
    return AsyncDataStream.ordered_wait(timed(env), Answer(), Time.seconds(60), 3, Types.INT())


@operation(list(range(1, 51)))
def from_source(env):
    source = NumberSequenceSource(1, 50)
    return env.from_source(source, WatermarkStrategy.no_watermarks(), "numbers").map(lambda v: v)


@operation(list(range(1, 51)))
def from_sequence(env):
    return env.from_sequence(1, 50).map(lambda v: v)


# Keys, rolling aggregations, state


@operation(numbers())
def keyed_map(env):
    return keyed(timed(env)).map(lambda v: v[1])


@operation(**running(lambda one, other: one + other))
def reduce(env):
    return keyed(in_order(env)).reduce(add).map(pair)


@operation(**running(lambda one, other: one + other))
def reduce_untyped(env):
    return in_order(env, typed=False).key_by(lambda v: v[0]).reduce(add).map(pair)


@operation(**running(lambda one, other: one + other))
def sum_(env):
    return keyed(in_order(env)).sum(1).map(pair)


@operation(**running(lambda one, other: one + other))
def sum_untyped(env):
    return in_order(env, typed=False).key_by(lambda v: v[0]).sum(1).map(pair)


@operation(**running(lambda one, other: one + other))
def sum_by_field_of_a_row(env):
    names = Types.ROW_NAMED(["key", "number"], [Types.STRING(), Types.INT()])
    rows = [Row(r.key, r.number) for r in RECORDS]
    stream = env.from_collection(rows, names).key_by(lambda r: r.key, Types.STRING())
    return stream.sum("number").map(lambda r: (r.key, r.number))


@operation(**running(min))
def min_(env):
    return keyed(in_order(env)).min(1).map(pair)


@operation(**running(max))
def max_(env):
    return keyed(in_order(env)).max(1).map(pair)


@operation(**running(min))
def min_by(env):
    return keyed(in_order(env)).min_by(1).map(pair)


@operation(**running(max))
def max_by(env):
    return keyed(in_order(env)).max_by(1).map(pair)


class Average(AggregateFunction):
    def create_accumulator(self):
        return (0, 0)

    def add(self, value, accumulator):
        return accumulator[0] + value, accumulator[1] + 1

    def get_result(self, accumulator):
        return accumulator[0] / accumulator[1]

    def merge(self, one, other):
        return one[0] + other[0], one[1] + other[1]


class AllStates(KeyedProcessFunction):
    """Says on a timer what each kind of state holds of the key."""

    def open(self, runtime_context):
        self.sum = runtime_context.get_state(ValueStateDescriptor("sum", Types.INT()))
        self.list = runtime_context.get_list_state(ListStateDescriptor("list", Types.INT()))
        self.map = runtime_context.get_map_state(
            MapStateDescriptor("map", Types.INT(), Types.INT())
        )
        self.most = runtime_context.get_reducing_state(
            ReducingStateDescriptor("most", max, Types.INT())
        )
        self.average = runtime_context.get_aggregating_state(
            AggregatingStateDescriptor("average", Average(), Types.PICKLED_BYTE_ARRAY())
        )

    def process_element(self, value, ctx):
        number = value[1]
        self.sum.update((self.sum.value() or 0) + number)
        self.list.add(number)
        self.map.put(number, value[2])
        self.most.add(number)
        self.average.add(number)
        ctx.timer_service().register_event_time_timer(1000)

    def on_timer(self, timestamp, ctx):
        yield SIDE, ctx.get_current_key()
        yield (
            *(ctx.get_current_key(), timestamp, self.sum.value(), sorted(self.list.get())),
            *(sorted(self.map.items()), self.most.get(), self.average.get()),
        )


@operation(
    [
        (
            *(key, 1000, sum(of(key)), of(key)),
            *([(r.number, r.time) for r in RECORDS if r.key == key],),
            *(max(of(key)), sum(of(key)) / len(of(key))),
        )
        for key in KEYS
    ]
)
def keyed_process(env):
    return keyed(timed(env)).process(AllStates())


@operation(list(KEYS))
def keyed_process_side_output_of_a_timer(env):
    return keyed(timed(env)).process(AllStates()).get_side_output(SIDE)


class ProcessingTimer(KeyedProcessFunction):
    """A processing-time timer that is not due before the input ends."""

    def process_element(self, value, ctx):
        ctx.timer_service().register_processing_time_timer(END - 1)

    def on_timer(self, timestamp, ctx):
        yield ctx.get_current_key()


@operation(streaming=[], batch=list(KEYS))
def processing_time_timers(env):
    return keyed(timed(env)).process(ProcessingTimer())


# Two inputs


class Number(CoMapFunction):
    def map1(self, value):
        return value[1]

    def map2(self, value):
        return -value[1]


@operation([*numbers(), *[-n for n in numbers()]])
def connected_map(env):
    return timed(env).connect(timed(env)).map(Number())


class Both(CoFlatMapFunction):
    def flat_map1(self, value):
        yield from [value[1]] * 2

    def flat_map2(self, value):
        return []


@operation(numbers() * 2)
def connected_flat_map(env):
    return timed(env).connect(timed(env)).flat_map(Both())


class Connected(CoProcessFunction):
    def process_element1(self, value, ctx):
        yield "1", value[1], ctx.timestamp()
        yield SIDE, "1" + value[0]

    def process_element2(self, value, ctx):
        yield "2", value[1], ctx.timestamp()
        yield SIDE, "2" + value[0]


@operation([(side, r.number, r.time) for r in RECORDS for side in "12"])
def co_process(env):
    return timed(env).connect(timed(env)).process(Connected())


@operation([side + r.key for r in RECORDS for side in "12"])
def co_process_side_output(env):
    return timed(env).connect(timed(env)).process(Connected()).get_side_output(SIDE)


class KeyedConnected(KeyedCoProcessFunction):
    """Sums of both sides in one state, told by a timer."""

    def open(self, runtime_context):
        self.sums = runtime_context.get_map_state(
            MapStateDescriptor("sums", Types.STRING(), Types.INT())
        )

    def process_element1(self, value, ctx):
        yield from self._count("1", value[1], ctx)

    def process_element2(self, value, ctx):
        yield from self._count("2", value[1] * 10, ctx)

    def _count(self, side, number, ctx):
        self.sums.put(side, (self.sums.get(side) or 0) + number)
        ctx.timer_service().register_event_time_timer(500)
        yield SIDE, side + ctx.get_current_key()

    def on_timer(self, timestamp, ctx):
        yield SIDE, "timer" + ctx.get_current_key()
        yield ctx.get_current_key(), timestamp, sorted(self.sums.items())


@operation([(key, 500, [("1", sum(of(key))), ("2", sum(of(key)) * 10)]) for key in KEYS])
def keyed_co_process_with_timers(env):
    return keyed(timed(env)).connect(keyed(timed(env))).process(KeyedConnected())


@operation([*["timer" + k for k in KEYS], *[side + r.key for r in RECORDS for side in "12"]])
def keyed_co_process_side_output(env):
    connected = keyed(timed(env)).connect(keyed(timed(env)))
    return connected.process(KeyedConnected()).get_side_output(SIDE)


class Broadcast(BroadcastProcessFunction):
    def process_element(self, value, ctx):
        yield "element", value[1], ctx.timestamp()
        yield SIDE, value[0]

    def process_broadcast_element(self, value, ctx):
        ctx.get_broadcast_state(RULES).put(value[0], value[1])
        yield "rule", value[1], ctx.timestamp()
        yield SIDE, "rule " + value[0]


@operation(
    lambda parallelism: (
        [("element", r.number, r.time) for r in RECORDS]
        + [("rule", r.number, r.time) for r in RECORDS] * parallelism
    )
)
def broadcast_state(env):
    return timed(env).connect(timed(env).broadcast(RULES)).process(Broadcast())


@operation(
    lambda parallelism: [r.key for r in RECORDS] + ["rule " + r.key for r in RECORDS] * parallelism
)
def broadcast_state_side_output(env):
    connected = timed(env).connect(timed(env).broadcast(RULES))
    return connected.process(Broadcast()).get_side_output(SIDE)


class KeyedBroadcast(KeyedBroadcastProcessFunction):
    """A timer at the end of both inputs tells the key's sum and all rules."""

    def open(self, runtime_context):
        self.sum = runtime_context.get_state(ValueStateDescriptor("sum", Types.INT()))

    def process_element(self, value, ctx):
        self.sum.update((self.sum.value() or 0) + value[1])
        ctx.timer_service().register_event_time_timer(700)
        yield SIDE, value[0]

    def process_broadcast_element(self, value, ctx):
        ctx.get_broadcast_state(RULES).put(value[0], 0)
        yield SIDE, "rule " + value[0]

    def on_timer(self, timestamp, ctx):
        rules = "".join(sorted(name for name, _ in ctx.get_broadcast_state(RULES).items()))
        yield SIDE, "timer " + ctx.get_current_key()
        yield ctx.get_current_key(), self.sum.value(), timestamp, ctx.timestamp(), rules


def keyed_and_broadcast(env):
    connected = keyed(timed(env)).connect(timed(env).broadcast(RULES))
    return connected.process(KeyedBroadcast())


@operation([(key, sum(of(key)), 700, 700, KEYS) for key in KEYS])
def keyed_broadcast_with_timers(env):
    return keyed_and_broadcast(env)


@operation(
    lambda parallelism: (
        [r.key for r in RECORDS]
        + ["timer " + key for key in KEYS]
        + ["rule " + r.key for r in RECORDS] * parallelism
    )
)
def keyed_broadcast_side_output(env):
    return keyed_and_broadcast(env).get_side_output(SIDE)


# Windows


TEN = TumblingEventTimeWindows.of(Time.milliseconds(10))
TEN_BY_FIVE = SlidingEventTimeWindows.of(Time.milliseconds(10), Time.milliseconds(5))
GAP = EventTimeSessionWindows.with_gap(Time.milliseconds(5))
HUNDRED = TumblingEventTimeWindows.of(Time.milliseconds(100))


def windowed(env, assigner, stream=timed):
    return keyed(stream(env)).window(assigner)


class Described(ProcessWindowFunction):
    """A window's key, bounds and numbers; its key on the side output too."""

    def process(self, key, context, elements):
        window = context.window()
        yield SIDE, key
        yield key, window.start, window.end, sorted(e[1] for e in elements)


class Listed(ProcessWindowFunction):
    """Numbers in their order."""

    def process(self, key, context, elements):
        numbers = [e[1] for e in elements]
        yield SIDE, f"{key}{len(numbers)}"
        yield key, numbers


class AllDescribed(ProcessAllWindowFunction):
    def process(self, context, elements):
        numbers = sorted(e[1] for e in elements)
        yield SIDE, str(len(numbers))
        yield context.window().start, numbers


class Applied(WindowFunction):
    def apply(self, key, window, inputs):
        yield key, window.start, [e[1] for e in inputs]


class AllApplied(AllWindowFunction):
    def apply(self, window, inputs):
        yield window.start, sorted(e[1] for e in inputs)


class SumAndCount(AggregateFunction):
    def create_accumulator(self):
        return (0, 0)

    def add(self, value, accumulator):
        return accumulator[0] + value[1], accumulator[1] + 1

    def get_result(self, accumulator):
        return accumulator

    def merge(self, one, other):
        return one[0] + other[0], one[1] + other[1]


class Around(ProcessWindowFunction):
    """What was aggregated, with the window."""

    def process(self, key, context, elements):
        (only,) = elements
        yield key, context.window().start, only


def described(size, slide=None):
    windows = windows_of(size, slide)
    return [(k, s, s + size, [r.number for r in rs]) for (k, s), rs in windows.items()]


def described_sessions(gap):
    return [(k, s, e, [r.number for r in rs]) for k, s, e, rs in sessions_of(gap)]


@operation(described(10))
def tumbling(env):
    return windowed(env, TEN).process(Described())


@operation([key for key, _ in windows_of(10)])
def tumbling_side_output(env):
    return windowed(env, TEN).process(Described()).get_side_output(SIDE)


@operation([(k, sum(r.number for r in rs)) for (k, _), rs in windows_of(10).items()])
def tumbling_reduce(env):
    return windowed(env, TEN).reduce(add).map(pair)


@operation([(sum(r.number for r in rs), len(rs)) for rs in windows_of(10).values()])
def tumbling_aggregate(env):
    return windowed(env, TEN).aggregate(SumAndCount())


@operation([(k, s, (sum(r.number for r in rs), len(rs))) for (k, s), rs in windows_of(10).items()])
def tumbling_aggregate_with_window_function(env):
    return windowed(env, TEN).aggregate(SumAndCount(), Around())


@operation([(k, s, [r.number for r in rs]) for (k, s), rs in windows_of(10).items()])
def tumbling_apply(env):
    return windowed(env, TEN, timed_in_order).apply(Applied())


@operation(described(10, 5))
def sliding(env):
    return windowed(env, TEN_BY_FIVE).process(Described())


@operation(
    [(k, s, (sum(r.number for r in rs), len(rs))) for (k, s), rs in windows_of(10, 5).items()]
)
def sliding_aggregate(env):
    return windowed(env, TEN_BY_FIVE).aggregate(SumAndCount(), Around())


@operation(described_sessions(lambda r: 5))
def sessions(env):
    return windowed(env, GAP).process(Described())


@operation([(sum(r.number for r in rs), len(rs)) for *_, rs in sessions_of(lambda r: 5)])
def sessions_aggregate(env):
    return windowed(env, GAP).aggregate(SumAndCount())


class GapOfKey(SessionWindowTimeGapExtractor):
    def extract(self, element):
        return 20 if element[0] == "c" else 4


@operation(described_sessions(lambda r: 20 if r.key == "c" else 4))
def sessions_of_dynamic_gap(env):
    windows = EventTimeSessionWindows.with_dynamic_gap(GapOfKey())
    return windowed(env, windows).process(Described())


def all_windows(size):
    found = defaultdict(list)
    for record in RECORDS:
        found[record.time // size * size].append(record.number)
    return found


@operation(list(all_windows(10).items()))
def window_all(env):
    return timed(env).window_all(TEN).process(AllDescribed())


@operation([str(len(ns)) for ns in all_windows(10).values()])
def window_all_side_output(env):
    return timed(env).window_all(TEN).process(AllDescribed()).get_side_output(SIDE)


@operation(list(all_windows(10).items()))
def window_all_apply(env):
    return timed(env).window_all(TEN).apply(AllApplied())


@operation([sum(ns) for ns in all_windows(10).values()])
def window_all_reduce(env):
    return timed(env).window_all(TEN).reduce(add).map(lambda v: v[1])


@operation([(sum(ns), len(ns)) for ns in all_windows(10).values()])
def window_all_aggregate(env):
    return timed(env).window_all(TEN).aggregate(SumAndCount())


def in_twos():
    return [(k, of(k)[i : i + 2]) for k in KEYS for i in range(0, len(of(k)) - 1, 2)]


@operation([(key, sum(two)) for key, two in in_twos()])
def count_windows(env):
    return keyed(in_order(env)).count_window(2).reduce(add).map(pair)


@operation([f"{key}2" for key, _ in in_twos()])
def count_windows_side_output(env):
    return keyed(in_order(env)).count_window(2).process(Listed()).get_side_output(SIDE)


@operation([(k, of(k)[i : i + 3]) for k in KEYS for i in range(len(of(k)) - 2)])
def sliding_count_windows(env):
    return keyed(in_order(env)).count_window(3, 1).process(Listed())


@operation([(key, sum(two)) for key, two in in_twos()])
def global_windows_purged_by_count(env):
    windows = keyed(in_order(env)).window(GlobalWindows.create())
    return windows.trigger(PurgingTrigger.of(CountTrigger.of(2))).reduce(add).map(pair)


# The next boundary of such a window is decades away.
AGES = TumblingProcessingTimeWindows.of(Time.days(20_000))


@operation(streaming=[], batch=[(key, sum(of(key))) for key in KEYS])
def processing_time_windows(env):
    return windowed(env, AGES).reduce(add).map(pair)


@operation(streaming=[], batch=[(key, sum(of(key))) for key in KEYS])
def processing_time_sessions(env):
    windows = ProcessingTimeSessionWindows.with_gap(Time.days(1))
    return windowed(env, windows).reduce(add).map(pair)


def with_late_record(env):
    script = ScriptedSource(TYPE).element(("a", 1, 5), 5).element(("b", 2, 15), 15)
    return script.watermark(10).element(("a", 3, 6), 6).to_stream(env)


def late_and_not(env):
    windows = keyed(with_late_record(env)).window(TEN).side_output_late_data(LATE)
    return windows.process(Described())


LATE = OutputTag("late", TYPE)


@operation(
    streaming=[("a", 0, 10, [1]), ("b", 10, 20, [2])],
    batch=[("a", 0, 10, [1, 3]), ("b", 10, 20, [2])],
)
def late_records(env):
    return late_and_not(env)


@operation(streaming=[("a", 3, 6)], batch=[])
def late_records_side_output(env):
    return late_and_not(env).get_side_output(LATE)


@operation(
    streaming=[("a", 0, 10, [1]), ("a", 0, 10, [1, 3]), ("b", 10, 20, [2])],
    batch=[("a", 0, 10, [1, 3]), ("b", 10, 20, [2])],
)
def allowed_lateness(env):
    return keyed(with_late_record(env)).window(TEN).allowed_lateness(100).process(Described())


# Evictors


def last(count, windows):
    return [(k, [r.number for r in rs][-count:]) for (k, *_), rs in windows]


@operation(last(1, windows_of(10).items()))
def evictor_before_process(env):
    return windowed(env, TEN, timed_in_order).evictor(CountEvictor.of(1)).process(Listed())


@operation([f"{key}{len(ns)}" for key, ns in last(1, windows_of(10).items())])
def evictor_and_side_output(env):
    windows = windowed(env, TEN, timed_in_order).evictor(CountEvictor.of(1))
    return windows.process(Listed()).get_side_output(SIDE)


@operation([(key, sum(ns)) for key, ns in last(2, windows_of(100).items())])
def evictor_before_reduce(env):
    windows = windowed(env, HUNDRED, timed_in_order).evictor(CountEvictor.of(2))
    return windows.reduce(add).map(pair)


@operation([(sum(ns), len(ns)) for _, ns in last(2, windows_of(100).items())])
def evictor_before_aggregate(env):
    windows = windowed(env, HUNDRED, timed_in_order).evictor(CountEvictor.of(2))
    return windows.aggregate(SumAndCount())


@operation([(key, 0, ns) for key, ns in last(2, windows_of(100).items())])
def evictor_before_apply(env):
    windows = windowed(env, HUNDRED, timed_in_order).evictor(CountEvictor.of(2))
    return windows.apply(Applied())


@operation(last(1, windows_of(10, 5).items()))
def evictor_of_sliding_windows(env):
    windows = windowed(env, TEN_BY_FIVE, timed_in_order).evictor(CountEvictor.of(1))
    return windows.process(Listed())


@operation([(key, [r.number for r in rs][-1:]) for key, _, _, rs in sessions_of(lambda r: 5)])
def evictor_of_sessions(env):
    windows = windowed(env, GAP, timed_in_order).evictor(CountEvictor.of(1))
    return windows.process(Listed())


@operation([(start, 1) for start in all_windows(10)])
def evictor_of_window_all(env):
    windows = timed(env).window_all(TEN).evictor(CountEvictor.of(1))
    return windows.process(AllDescribed()).map(lambda v: (v[0], len(v[1])))


@operation(
    [
        (k, [r.number for r in rs if r.time > max(x.time for x in rs) - 3])
        for (k, _), rs in windows_of(100).items()
    ]
)
def evictor_by_time(env):
    windows = windowed(env, HUNDRED, timed_in_order)
    return windows.evictor(TimeEvictor.of(Time.milliseconds(3))).process(Listed())


@operation(
    [
        (k, [r.number for r in rs if rs[-1].number - r.number < 3])
        for (k, _), rs in windows_of(100).items()
    ]
)
def evictor_by_delta(env):
    windows = windowed(env, HUNDRED, timed_in_order)
    return windows.evictor(DeltaEvictor.of(3, lambda a, b: b[1] - a[1])).process(Listed())


class WithoutOdd(Evictor):
    """Takes odd numbers away, before the function or after it."""

    def __init__(self, after):
        self.after = after

    def evict_before(self, elements, size, window, ctx):
        return None if self.after else self._even(elements)

    def evict_after(self, elements, size, window, ctx):
        return self._even(elements) if self.after else None

    def _even(self, elements):
        return [e for e in elements if e[1][1] % 2 == 0]


@operation([(k, [n for n in of(k) if n % 2 == 0]) for k in KEYS])
def evictor_of_ones_own_before(env):
    windows = windowed(env, HUNDRED, timed_in_order)
    return windows.evictor(WithoutOdd(after=False)).process(Listed())


def grows(keep):
    """What a window that fires for each record holds, when `keep` says what stays after firing."""
    results = []
    for key in KEYS:
        held = []
        for number in of(key):
            held = [*held, number]
            results.append((key, held))
            held = keep(held)
    return results


def fired_for_each(env):
    return keyed(in_order(env)).window(GlobalWindows.create()).trigger(CountTrigger.of(1))


@operation(grows(lambda held: [n for n in held if n % 2 == 0]))
def evictor_of_ones_own_after(env):
    return fired_for_each(env).evictor(WithoutOdd(after=True)).process(Listed())


@operation(grows(lambda held: held[-1:]))
def evictor_after_by_count(env):
    return fired_for_each(env).evictor(CountEvictor.of(1, True)).process(Listed())


# --- All of them ----------------------------------------------------------------------------------


@pytest.mark.parametrize("parallelism", [1, 2, 4])
@pytest.mark.parametrize("mode", ["STREAMING", "BATCH", "AUTOMATIC"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_operation(name, mode, parallelism):
    build, streaming, batch = OPERATIONS[name]
    expected = streaming if mode == "STREAMING" else batch
    if callable(expected):
        expected = expected(parallelism)
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(parallelism)
    env.set_runtime_mode(RuntimeExecutionMode[mode])
    with build(env).execute_and_collect() as results:
        assert sorted(results, key=repr) == sorted(expected, key=repr)
