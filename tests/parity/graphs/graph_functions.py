"""The user functions that drawn graphs are made of. One module for both engines.

A record is a triple `(k, v, t)` in one of several shapes (see `Shape`); every function here returns
records of exactly the declared shape and field types, because what happens otherwise is the
business of `cases/values.py`.
"""

from __future__ import annotations

import datetime
import json
from decimal import Decimal

from pyflink.common import Row, Types
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import OutputTag
from pyflink.datastream.functions import (
    AggregateFunction,
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
    ProcessAllWindowFunction,
    ProcessFunction,
    ProcessWindowFunction,
    ReduceFunction,
    WindowFunction,
)
from pyflink.datastream.state import (
    AggregatingStateDescriptor,
    ListStateDescriptor,
    MapStateDescriptor,
    ReducingStateDescriptor,
    ValueStateDescriptor,
)
from pyflink.datastream.window import (
    SessionWindowTimeGapExtractor,
    Trigger,
    TriggerResult,
)

FIELD_TYPES = {
    "STRING": Types.STRING,
    "INT": Types.INT,
    "LONG": Types.LONG,
    "SHORT": Types.SHORT,
    "DOUBLE": Types.DOUBLE,
    "FLOAT": Types.FLOAT,
    "BOOLEAN": Types.BOOLEAN,
}


LIMITS = {"SHORT": 10_000, "INT": 100_000, "LONG": 10**12, "FLOAT": 4096, "DOUBLE": 10**12}


EXTRA_TYPES = {
    "DECIMAL": Types.BIG_DEC,
    "DATE": Types.SQL_DATE,
    "TIME": Types.SQL_TIME,
    "TIMESTAMP": Types.SQL_TIMESTAMP,
    "LIST": lambda: Types.LIST(Types.INT()),  # PyFlink's sources refuse small LONGs in lists
    "MAP": lambda: Types.MAP(Types.STRING(), Types.INT()),
    "BYTES": lambda: Types.PRIMITIVE_ARRAY(Types.BYTE()),
    "PAIR": lambda: Types.TUPLE([Types.INT(), Types.STRING()]),
    "INNER": lambda: Types.ROW([Types.INT(), Types.STRING()]),
    "NULL": Types.STRING,
}


def extra_value(kind, v):
    """A value of the fourth field, made of the second."""
    n = int(number(v)) % 1000
    if kind == "DECIMAL":
        return Decimal(n) / 4
    if kind == "DATE":
        return datetime.date(2024, 2, 27) + datetime.timedelta(days=n % 900)
    if kind == "TIME":
        return datetime.time(n % 24, n % 60, 7)
    if kind == "TIMESTAMP":
        return datetime.datetime(2024, 2, 27, 23, 59) + datetime.timedelta(milliseconds=n)
    if kind == "LIST":
        return [n, -n]
    if kind == "MAP":
        return {"n": n, "square": n * n}
    if kind == "BYTES":
        return bytes([n % 256, 0, 255])
    if kind == "PAIR":
        return (n, str(n))
    if kind == "INNER":
        return Row(n, str(n))
    return None if n % 2 else str(n)


class Shape:
    """How the records of a stream look: `form`, the types of key and value, and perhaps a fourth
    field of a type that is only carried along."""

    def __init__(self, form, key, value, extra=None):
        self.form, self.key, self.value, self.extra = form, key, value, extra

    def type_info(self):
        """A new type, or None where values are pickled. (PyFlink keeps Java objects in types: one
        that was used cannot be pickled with a function.)"""
        fields = [FIELD_TYPES[self.key](), FIELD_TYPES[self.value](), Types.LONG()]
        names = ["k", "v", "t"]
        if self.extra:
            fields.append(EXTRA_TYPES[self.extra]())
            names.append("x")
        if self.form == "tuple":
            return Types.TUPLE(fields)
        if self.form == "row":
            return Types.ROW(fields)
        if self.form == "named":
            return Types.ROW_NAMED(names, fields)
        return None

    def make(self, k, v, t):
        if self.value == "STRING":
            v = v if isinstance(v, str) else str(v)
        else:
            v = number(v)
            if self.value == "BOOLEAN":
                v = bool(v)
            else:  # always in range: what a declared type does with others is not tested here
                limit = LIMITS[self.value]
                v = (v + limit) % (2 * limit) - limit
                v = float(v) if self.value in ("DOUBLE", "FLOAT") else int(v)
        extra = (extra_value(self.extra, v),) if self.extra else ()
        if self.form in ("row", "pyrow"):
            return Row(k, v, t, *extra)
        if self.form == "named":
            return Row(k=k, v=v, t=t, x=extra[0]) if extra else Row(k=k, v=v, t=t)
        if self.form == "list":
            return [k, v, t, *extra]
        return (k, v, t, *extra)


def number(v):
    """A number for any value of the vocabulary."""
    return len(v) if isinstance(v, str) else v


# Keys and timestamps


class Key:
    """What a stream is keyed by."""

    def __init__(self, by, n=0):
        self.by, self.n = by, n

    def __call__(self, record):
        if self.by == "k":
            return record[0]
        if self.by == "mod":
            return int(number(record[1])) % self.n
        if self.by == "pair":
            return (record[0], int(number(record[1])) % 2)
        return 0


class ThirdField(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return int(value[2])


class PerRecordGenerator:
    """Flott's side of PerRecordWatermarks.java: a watermark on every n-th record."""

    def __init__(self, delay, every):
        self.delay, self.every, self.seen, self.highest = delay, every, 0, None

    def on_event(self, event, timestamp, output):
        self.highest = timestamp if self.highest is None else max(timestamp, self.highest)
        self.seen += 1
        if self.seen % self.every == 0:
            output.emit_watermark(self.highest - self.delay - 1)

    def on_periodic_emit(self, output):
        pass


# Stateless functions


class Mapper(MapFunction):
    def __init__(self, kind, n, shape):
        self.kind, self.n, self.shape = kind, n, shape

    def map(self, value):
        k, v, t = value[0], value[1], value[2]
        if self.kind == "add":
            v = number(v) + self.n
        elif self.kind == "times":
            v = number(v) * self.n
        elif self.kind == "negate":
            v = -number(v)
        elif self.kind == "swap":
            v, t = t % 100, t + int(number(v)) % 7
        elif self.kind == "rekey":
            k = k.upper() if isinstance(k, str) else (not k if isinstance(k, bool) else k % 2)
        return self.shape.make(k, v, t)


class Keep(FilterFunction):
    def __init__(self, kind, n):
        self.kind, self.n = kind, n

    def filter(self, value):
        if self.kind == "above":
            return number(value[1]) > self.n
        if self.kind == "odd":
            return int(number(value[1])) % 2 == 1
        if self.kind == "truthy":
            return value[1]
        return value[2] % 3 != 0


class Flat(FlatMapFunction):
    def __init__(self, kind, n, shape):
        self.kind, self.n, self.shape = kind, n, shape

    def flat_map(self, value):
        k, v, t = value[0], value[1], value[2]
        if self.kind == "repeat":
            return [self.shape.make(k, number(v) + i, t) for i in range(self.n)]
        if self.kind == "maybe":
            return self.some(k, v, t)
        if int(number(v)) % 2:
            return []
        return iter([self.shape.make(k, v, t)])

    def some(self, k, v, t):
        for i in range(int(number(v)) % (self.n + 1)):
            yield self.shape.make(k, number(v) - i, t)


class Stamped(ProcessFunction):
    """Puts the timestamp (or -1) into the third field; odd values also go to a side output."""

    def __init__(self, kind, n, shape, tag=None):
        self.kind, self.n, self.shape, self.tag = kind, n, shape, tag

    def process_element(self, value, ctx):
        stamp = ctx.timestamp()
        if self.kind == "watermark":
            mark = ctx.timer_service().current_watermark()
            yield self.shape.make(value[0], value[1], max(mark, -1))
        elif self.kind == "stamp":
            yield self.shape.make(value[0], value[1], -1 if stamp is None else stamp)
        elif self.kind == "twice":
            yield self.shape.make(value[0], value[1], value[2])
            yield self.shape.make(value[0], number(value[1]) + 1, value[2])
        if self.kind == "only_side" or (self.tag and int(number(value[1])) % 2 == 1):
            yield self.tag, self.shape.make(value[0], value[1], value[2])


# Keyed functions


class Add(ReduceFunction):
    def __init__(self, kind, shape):
        self.kind, self.shape = kind, shape

    def reduce(self, a, b):
        t = max(a[2], b[2])
        if self.kind == "max":
            return self.shape.make(a[0], max(a[1], b[1]), t)
        if self.kind == "last":
            return self.shape.make(b[0], b[1], b[2])
        if self.kind == "first":
            return self.shape.make(a[0], a[1], a[2])
        return self.shape.make(a[0], number(a[1]) + number(b[1]), t)


class Totals(AggregateFunction):
    """Sum, count and key; `last` keeps the newest value instead, so that the order shows."""

    def __init__(self, kind, shape, key):
        self.kind, self.shape, self.key = kind, shape, key

    def create_accumulator(self):
        return (0, 0, None, -1)

    def add(self, value, accumulator):
        total, count, key, t = accumulator
        v = number(value[1])
        if self.kind == "last":
            total = v
        elif self.kind == "max":
            total = v if count == 0 else max(total, v)
        else:
            total += v
        key = value[0] if key is None else min(key, value[0])
        return (total, count + 1, key, max(t, value[2]))

    def get_result(self, accumulator):
        total, count, key, t = accumulator
        return self.shape.make(key, count if self.kind == "count" else total, t)

    def merge(self, a, b):
        if a[1] == 0:
            return b
        if b[1] == 0:
            return a
        total = max(a[0], b[0]) if self.kind == "max" else a[0] + b[0]
        return (total, a[1] + b[1], min(a[2], b[2]), max(a[3], b[3]))


class StateSum(AggregateFunction):
    def create_accumulator(self):
        return (0, 0)

    def add(self, value, accumulator):
        return (accumulator[0] + value, accumulator[1] + 1)

    def get_result(self, accumulator):
        return accumulator[0] * 100 + accumulator[1]

    def merge(self, a, b):
        return (a[0] + b[0], a[1] + b[1])


class Cell:
    """One keyed state of a given kind, holding numbers; `total` depends on no order."""

    def __init__(self, kind, name, runtime_context):
        self.kind = kind
        if kind == "value":
            self.state = runtime_context.get_state(ValueStateDescriptor(name, Types.DOUBLE()))
        elif kind == "list":
            self.state = runtime_context.get_list_state(ListStateDescriptor(name, Types.DOUBLE()))
        elif kind == "map":
            self.state = runtime_context.get_map_state(
                MapStateDescriptor(name, Types.STRING(), Types.DOUBLE())
            )
        elif kind == "reducing":
            self.state = runtime_context.get_reducing_state(
                ReducingStateDescriptor(name, lambda a, b: a + b, Types.DOUBLE())
            )
        else:
            self.state = runtime_context.get_aggregating_state(
                AggregatingStateDescriptor(name, StateSum(), Types.PICKLED_BYTE_ARRAY())
            )

    def add(self, x):
        x = float(x)
        if self.kind == "value":
            self.state.update((self.state.value() or 0.0) + x)
        elif self.kind == "map":
            slot = str(int(x) % 3)
            self.state.put(slot, (self.state.get(slot) or 0.0) + x)
        else:
            self.state.add(x)

    def total(self):
        if self.kind == "value":
            return self.state.value() or 0.0
        if self.kind == "list":
            return sum(self.state.get() or [])
        if self.kind == "map":
            return sum(value for _, value in self.state.items()) + 1000 * len(
                list(self.state.keys())
            )
        return self.state.get() or 0.0

    def clear(self):
        self.state.clear()


class Running(KeyedProcessFunction):
    """Emits what the state holds after each record; clears it above a limit."""

    def __init__(self, state, limit, shape, tag=None):
        self.kind, self.limit, self.shape, self.tag = state, limit, shape, tag

    def open(self, runtime_context):
        self.cell = Cell(self.kind, "cell", runtime_context)

    def process_element(self, value, ctx):
        self.cell.add(number(value[1]))
        total = self.cell.total()
        yield self.shape.make(value[0], total, value[2])
        if total > self.limit:
            self.cell.clear()
            if self.tag:
                yield self.tag, self.shape.make(value[0], total, value[2])


class KeyedFlat(FlatMapFunction):
    """A flat_map on a keyed stream: every n-th record of a key, with the sum since the last."""

    def __init__(self, state, n, shape):
        self.kind, self.n, self.shape = state, n, shape

    def open(self, runtime_context):
        self.cell = Cell(self.kind, "sum", runtime_context)
        self.seen = runtime_context.get_state(ValueStateDescriptor("seen", Types.INT()))

    def flat_map(self, value):
        seen = (self.seen.value() or 0) + 1
        self.cell.add(number(value[1]))
        if seen < self.n:
            self.seen.update(seen)
            return
        yield self.shape.make(value[0], self.cell.total(), value[2])
        self.seen.clear()
        self.cell.clear()


class KeyedMap(MapFunction):
    def __init__(self, state, shape):
        self.kind, self.shape = state, shape

    def open(self, runtime_context):
        self.cell = Cell(self.kind, "sum", runtime_context)

    def map(self, value):
        self.cell.add(number(value[1]))
        return self.shape.make(value[0], self.cell.total(), value[2])


class KeyedKeep(FilterFunction):
    """The first n records of each key."""

    def __init__(self, n):
        self.n = n

    def open(self, runtime_context):
        self.seen = runtime_context.get_state(ValueStateDescriptor("seen", Types.INT()))

    def filter(self, value):
        seen = (self.seen.value() or 0) + 1
        self.seen.update(seen)
        return seen <= self.n


class Flush(KeyedProcessFunction):
    """Gathers into a state, emits it when an event timer fires.

    `each`: a timer per record at `timestamp + n`. `aligned`: at the end of the record's n
    milliseconds. `moved`: one timer per key, moved by each record (the old one is deleted).
    `chain`: aligned, and the timer sets another one until it has fired three times.
    """

    def __init__(self, kind, state, n, clear, shape, tag=None):
        self.kind, self.state, self.n, self.clear = kind, state, n, clear
        self.shape, self.tag = shape, tag

    def open(self, runtime_context):
        self.cell = Cell(self.state, "cell", runtime_context)
        self.name = runtime_context.get_state(
            ValueStateDescriptor("name", Types.PICKLED_BYTE_ARRAY())
        )
        self.timer = runtime_context.get_state(ValueStateDescriptor("timer", Types.LONG()))
        self.fired = runtime_context.get_state(ValueStateDescriptor("fired", Types.INT()))

    def process_element(self, value, ctx):
        self.cell.add(number(value[1]))
        name = self.name.value()
        self.name.update(value[0] if name is None else min(name, value[0]))
        stamp = ctx.timestamp()
        when = stamp + self.n
        if self.kind in ("aligned", "chain"):
            when = (stamp // self.n + 1) * self.n
        elif self.kind == "moved":
            old = self.timer.value()
            if old is not None:
                ctx.timer_service().delete_event_time_timer(old)
            self.timer.update(when)
        ctx.timer_service().register_event_time_timer(when)

    def on_timer(self, timestamp, ctx):
        name = self.name.value()
        yield self.shape.make(name, self.cell.total(), timestamp)
        if self.tag:
            yield self.tag, self.shape.make(name, 1, ctx.timestamp())
        if self.clear:
            self.cell.clear()
        if self.kind == "moved":
            self.timer.clear()
        if self.kind == "chain":
            fired = (self.fired.value() or 0) + 1
            self.fired.update(fired)
            if fired < 3:
                ctx.timer_service().register_event_time_timer(timestamp + self.n)


# Windows


class InWindow(ProcessWindowFunction):
    def __init__(self, kind, shape, timed, by_key):
        self.kind, self.shape, self.timed, self.by_key = kind, shape, timed, by_key

    def process(self, key, context, elements):
        yield from window_results(self, context, list(elements))
        if self.kind == "global_state":
            state = context.global_state().get_state(ValueStateDescriptor("n", Types.INT()))
            total = (state.value() or 0) + 1
            state.update(total)
            yield self.shape.make(key if self.by_key else elements[0][0], total, 0)

    def clear(self, context):
        pass


class InAllWindow(ProcessAllWindowFunction):
    def __init__(self, kind, shape, timed):
        self.kind, self.shape, self.timed = kind, shape, timed

    def process(self, context, elements):
        yield from window_results(self, context, list(elements))

    def clear(self, context):
        pass


class Applied(WindowFunction):
    def __init__(self, kind, shape, timed):
        self.kind, self.shape, self.timed = kind, shape, timed

    def apply(self, key, window, inputs):
        class Context:
            pass

        context = Context()
        context.window = lambda: window
        yield from window_results(self, context, list(inputs))


def window_results(function, context, elements):
    """What a window function emits, by its kind; only `each` and `ends` depend on the order."""
    kind, shape = function.kind, function.shape
    window = context.window()
    start, end, last = (
        (window.start, window.end, window.max_timestamp()) if function.timed else (0, 0, 0)
    )
    least = min(element[0] for element in elements)
    if kind == "each":
        for element in elements:
            yield shape.make(element[0], element[1], end)
    elif kind == "ends":
        yield shape.make(elements[0][0], elements[0][1], start)
        yield shape.make(elements[-1][0], elements[-1][1], last)
    elif kind == "count":
        yield shape.make(least, len(elements), end)
    elif kind == "watermark":
        mark = context.current_watermark()
        yield shape.make(least, len(elements), mark if mark < 1_000_000 else 1_000_000)
    else:
        yield shape.make(least, sum(number(element[1]) for element in elements), start)


class GapOfRecord(SessionWindowTimeGapExtractor):
    def __init__(self, n):
        self.n = n

    def extract(self, element):
        return self.n + int(number(element[1])) % 4


class EveryNth(Trigger):
    """Fires on every n-th element of a window and at its end; purges then if told to."""

    def __init__(self, n, purge):
        self.n, self.purge = n, purge

    def on_element(self, element, timestamp, window, ctx):
        ctx.register_event_time_timer(window.max_timestamp())
        seen = ctx.get_partitioned_state(
            ReducingStateDescriptor("seen", lambda a, b: a + b, Types.LONG())
        )
        seen.add(1)
        if seen.get() % self.n == 0:
            return TriggerResult.FIRE_AND_PURGE if self.purge else TriggerResult.FIRE
        return TriggerResult.CONTINUE

    def on_processing_time(self, time, window, ctx):
        return TriggerResult.CONTINUE

    def on_event_time(self, time, window, ctx):
        if time == window.max_timestamp():
            return TriggerResult.FIRE_AND_PURGE if self.purge else TriggerResult.FIRE
        return TriggerResult.CONTINUE

    def can_merge(self):
        return False

    def on_merge(self, window, ctx):
        raise NotImplementedError

    def clear(self, window, ctx):
        ctx.delete_event_time_timer(window.max_timestamp())
        ctx.get_partitioned_state(
            ReducingStateDescriptor("seen", lambda a, b: a + b, Types.LONG())
        ).clear()


# Two inputs


class CoMapper(CoMapFunction):
    def __init__(self, n, shape):
        self.n, self.shape = n, shape

    def map1(self, value):
        return self.shape.make(value[0], number(value[1]) + self.n, value[2])

    def map2(self, value):
        return None if int(number(value[1])) % 3 == 0 else self.shape.make(value[0], 0, value[2])


class CoFlat(CoFlatMapFunction):
    def __init__(self, n, shape):
        self.n, self.shape = n, shape

    def flat_map1(self, value):
        for i in range(self.n):
            yield self.shape.make(value[0], i, value[2])

    def flat_map2(self, value):
        return [self.shape.make(value[0], value[1], value[2])]


class CoProcess(CoProcessFunction):
    def __init__(self, n, shape, tag=None):
        self.n, self.shape, self.tag = n, shape, tag

    def process_element1(self, value, ctx):
        yield self.shape.make(value[0], number(value[1]) + self.n, value[2])
        if self.tag:
            yield self.tag, self.shape.make(value[0], 1, value[2])

    def process_element2(self, value, ctx):
        stamp = ctx.timestamp()
        yield self.shape.make(value[0], 2, -1 if stamp is None else stamp)
        if self.tag:
            yield self.tag, self.shape.make(value[0], 2, value[2])


class CoGather(KeyedCoProcessFunction):
    """Both inputs of a key in one state, which timers emit."""

    def __init__(self, state, n, shape, tag=None):
        self.state, self.n, self.shape, self.tag = state, n, shape, tag

    def open(self, runtime_context):
        self.left = Cell(self.state, "left", runtime_context)
        self.right = Cell("value", "right", runtime_context)
        self.name = runtime_context.get_state(
            ValueStateDescriptor("name", Types.PICKLED_BYTE_ARRAY())
        )

    def seen(self, value, ctx):
        name = self.name.value()
        self.name.update(value[0] if name is None else min(name, value[0]))
        ctx.timer_service().register_event_time_timer((ctx.timestamp() // self.n + 1) * self.n)

    def process_element1(self, value, ctx):
        self.left.add(number(value[1]))
        self.seen(value, ctx)
        if self.tag:
            yield self.tag, self.shape.make(value[0], value[1], value[2])

    def process_element2(self, value, ctx):
        self.right.add(number(value[1]))
        self.seen(value, ctx)
        yield self.shape.make(value[0], value[1], 0)

    def on_timer(self, timestamp, ctx):
        total = self.left.total() * 10 + self.right.total()
        yield self.shape.make(self.name.value(), total, timestamp)


RULES = "rules"


def rules_descriptor():
    return MapStateDescriptor(RULES, Types.STRING(), Types.LONG())


class Rules(BroadcastProcessFunction):
    """Both sides are shown, and what a rule is does not depend on when it comes."""

    def __init__(self, n, shape, tag=None):
        self.n, self.shape, self.tag = n, shape, tag
        self.descriptor = rules_descriptor()

    def process_element(self, value, ctx):
        state = ctx.get_broadcast_state(self.descriptor)
        missing = state.get("never put")
        yield self.shape.make(value[0], value[1], 0 if missing is None else 1)
        if self.tag:
            yield self.tag, self.shape.make(value[0], 1, value[2])

    def process_broadcast_element(self, value, ctx):
        state = ctx.get_broadcast_state(self.descriptor)
        state.put(str(value[0]), int(number(value[1])))
        yield self.shape.make(value[0], state.get(str(value[0])), self.n)


class KeyedRules(KeyedBroadcastProcessFunction):
    """What the broadcast state holds is read when the timers fire, at the end of the input."""

    def __init__(self, n, shape):
        self.n, self.shape = n, shape
        self.descriptor = rules_descriptor()

    def open(self, runtime_context):
        self.sum = runtime_context.get_state(ValueStateDescriptor("sum", Types.DOUBLE()))
        self.name = runtime_context.get_state(
            ValueStateDescriptor("name", Types.PICKLED_BYTE_ARRAY())
        )

    def process_element(self, value, ctx):
        self.sum.update((self.sum.value() or 0.0) + number(value[1]))
        name = self.name.value()
        self.name.update(value[0] if name is None else min(name, value[0]))
        ctx.timer_service().register_event_time_timer((ctx.timestamp() // self.n + 1) * self.n)

    def process_broadcast_element(self, value, ctx):
        state = ctx.get_broadcast_state(self.descriptor)
        key = str(value[0])
        state.put(key, max(int(number(value[1])), state.get(key) or 0))

    def on_timer(self, timestamp, ctx):
        state = ctx.get_broadcast_state(self.descriptor)
        rules = sum(value for _, value in state.items())
        yield self.shape.make(self.name.value(), self.sum.value() * 100 + rules, timestamp)


# The end of every graph


def describe(value):
    """A text that keeps types apart. Rows lose their names: PyFlink gives a row its declared names
    only where a fused group of functions ends."""
    if isinstance(value, Row):
        kind = "" if str(value.get_row_kind()) == "+I" else str(value.get_row_kind())
        return f"Row{kind}({', '.join(describe(item) for item in value)})"
    if isinstance(value, (list, tuple)):
        inner = ", ".join(describe(item) for item in value)
        return f"[{inner}]" if isinstance(value, list) else f"({inner})"
    if isinstance(value, dict):
        return str(sorted((describe(key), describe(item)) for key, item in value.items()))
    return repr(value)


class Describe(ProcessFunction):
    """Each record as one line of JSON: graph, output, first field, text with the timestamp."""

    def __init__(self, graph, output, stamped):
        self.graph, self.output, self.stamped = graph, output, stamped

    def process_element(self, value, ctx):
        key = None if value is None else describe(value[0])
        text = f"{describe(value)} @{ctx.timestamp()}" if self.stamped else describe(value)
        yield json.dumps([self.graph, self.output, key, text])


def side_tag(name, shape):
    return OutputTag(name, shape.type_info())
