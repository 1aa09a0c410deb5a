"""Every operation of the DataStream API, one job each: records per second, and the ratio.

The script is the same for both engines. A job is a number sequence (native on both), a map to the
type the operation needs, the operation, and a sink that drops everything (native on both): rates
are of whole jobs. All jobs of an engine run one after another in one process, which is warm
by the second; starting a job is taken off by the difference of two sizes, the larger of which is
raised until the difference takes long enough to be told from the noise of starting.
`FLOTT_OPERATIONS=sum,map` runs only those whose name contains one of these.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from measure import Goal, child_main, pyflink_environment

TITLE = "each operation of the API, records/s of the job (source, map to the type, operation)"
GOALS = {"least_ratio": Goal(at_least=20)}
ENGINES = ("flott", "flink-thread")
GOAL, FLOOR = 20, 10
KEYS = 100
PER_MS = 10  # records a millisecond of event time: 10,000 in a window of 1 s


ONCE = True  # an hour of the peer otherwise


def prepare(bench, engine):
    """How many records the jobs of this engine get first, and how long the difference has to be."""
    sizes = {"flott": [20_000, 420_000], "flink-thread": [10_000, 70_000]}[engine]
    seconds = {"flott": 0.5, "flink-thread": 2.5}[engine]
    return {
        "sizes": sizes,
        "seconds": seconds / 2 if bench.quick else seconds,
        "only": os.environ.get("FLOTT_OPERATIONS", ""),
    }


def operations():
    """Name -> a function that builds the job over `records` numbers; it returns the stream or the
    streams that are dropped, None when there is a sink, False when the job has been run."""
    from pyflink.common import Row, Time, Types, WatermarkStrategy
    from pyflink.common.watermark_strategy import TimestampAssigner
    from pyflink.datastream import (
        AggregateFunction,
        BroadcastProcessFunction,
        CoFlatMapFunction,
        CoMapFunction,
        CoProcessFunction,
        KeyedBroadcastProcessFunction,
        KeyedCoProcessFunction,
        KeyedProcessFunction,
        OutputTag,
        ProcessFunction,
        ProcessWindowFunction,
    )
    from pyflink.datastream.connectors.number_seq import NumberSequenceSource
    from pyflink.datastream.functions import ProcessAllWindowFunction
    from pyflink.datastream.state import (
        AggregatingStateDescriptor,
        ListStateDescriptor,
        MapStateDescriptor,
        ReducingStateDescriptor,
        ValueStateDescriptor,
    )
    from pyflink.datastream.window import (
        EventTimeSessionWindows,
        SlidingEventTimeWindows,
        TumblingEventTimeWindows,
    )

    LONG, STRING = Types.LONG(), Types.STRING()
    PAIR = Types.TUPLE([LONG, LONG])
    TRIPLE = Types.TUPLE([LONG, LONG, LONG])
    ROW = Types.ROW_NAMED(["key", "amount"], [LONG, LONG])
    WIDE = Types.ROW_NAMED([f"f{i}" for i in range(12)], [LONG] * 6 + [STRING] * 6)
    SIDE = OutputTag("side", LONG)

    # Upstream cannot pickle a type that a job has used: functions make their own.
    def new_pair():
        return Types.TUPLE([Types.LONG(), Types.LONG()])

    table = {}

    def operation(name):
        def add(build):
            table[name] = build
            return build

        return add

    def numbers(env, records, name="numbers"):
        return env.from_source(
            NumberSequenceSource(1, records), WatermarkStrategy.no_watermarks(), name
        )

    def pairs(env, records):
        return numbers(env, records).map(lambda x: (x % KEYS, x), PAIR)

    def rows(env, records):
        return numbers(env, records).map(lambda x: Row(x % KEYS, x), ROW)

    def keyed(env, records):
        return pairs(env, records).key_by(lambda v: v[0], LONG)

    def two(env, records):
        return numbers(env, records // 2, "one"), numbers(env, records // 2, "two")

    class Timestamps(TimestampAssigner):
        def extract_timestamp(self, value, record_timestamp):
            return value[1] // PER_MS

    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(Timestamps())

    def timed(env, records):
        return pairs(env, records).assign_timestamps_and_watermarks(strategy)

    def windowed(env, records, assigner):
        return timed(env, records).key_by(lambda v: v[0], LONG).window(assigner)

    def add(a, b):
        return (a[0], a[1] + b[1])

    second = Time.seconds(1)

    # -- one record at a time

    @operation("map")
    def _(env, n):
        return numbers(env, n).map(lambda x: x + 1, LONG)

    @operation("map to an undeclared type")
    def _(env, n):
        return numbers(env, n).map(lambda x: (x, "a"))

    @operation("map of strings")
    def _(env, n):
        return numbers(env, n).map(str, STRING).map(lambda s: s + "!", STRING)

    @operation("flat_map")
    def _(env, n):
        def twice(x):
            yield x
            yield -x

        return numbers(env, n).flat_map(twice, LONG)

    @operation("filter")
    def _(env, n):
        return numbers(env, n).filter(lambda x: x % 2 == 0)

    @operation("process")
    def _(env, n):
        class Next(ProcessFunction):
            def process_element(self, value, ctx):
                yield value + 1

        return numbers(env, n).process(Next(), LONG)

    @operation("side output")
    def _(env, n):
        class Split(ProcessFunction):
            def process_element(self, value, ctx):
                if value % 2:
                    yield value
                else:
                    yield SIDE, value

        main = numbers(env, n).process(Split(), LONG)
        return main, main.get_side_output(SIDE)

    @operation("map, filter, map")
    def _(env, n):
        return pairs(env, n).filter(lambda v: v[1] % 4 != 0).map(lambda v: v[1], LONG)

    @operation("typed row, two of twelve fields")
    def _(env, n):
        def wide(x):
            return Row(x, x, x, x, x, x, "a", "b", "c", "d", "e", "f")

        return numbers(env, n).map(wide, WIDE).map(lambda r: r[1] + r[5], LONG)

    @operation("typed row over a channel, two of twelve fields")
    def _(env, n):
        def wide(x):
            return Row(x, x, x, x, x, x, "a", "b", "c", "d", "e", "f")

        return numbers(env, n).map(wide, WIDE).rebalance().map(lambda r: r[1] + r[5], LONG)

    @operation("project")
    def _(env, n):
        return numbers(env, n).map(lambda x: (x % KEYS, x, -x), TRIPLE).project(2, 0)

    @operation("timestamps and watermarks")
    def _(env, n):
        return timed(env, n)

    # -- keyed

    @operation("key_by, map")
    def _(env, n):
        return keyed(env, n).map(lambda v: v[1], LONG)

    @operation("key_by of a string, map")
    def _(env, n):
        named = numbers(env, n).map(
            lambda x: ("user" + str(x % KEYS), x), Types.TUPLE([STRING, LONG])
        )
        return named.key_by(lambda v: v[0], STRING).map(lambda v: v[1], LONG)

    @operation("reduce")
    def _(env, n):
        return keyed(env, n).reduce(add)

    for how in ("sum", "min", "max", "min_by", "max_by"):

        @operation(f"{how} of a tuple's field")
        def _(env, n, how=how):
            return getattr(keyed(env, n), how)(1)

        @operation(f"{how} of a row's field")
        def _(env, n, how=how):
            return getattr(rows(env, n).key_by(lambda r: r[0], LONG), how)("amount")

    def with_state(open_state, element):
        class Stateful(KeyedProcessFunction):
            def open(self, runtime_context):
                self.state = open_state(runtime_context)

            def process_element(self, value, ctx):
                yield element(self.state, value)

        return lambda env, n: keyed(env, n).process(Stateful(), LONG)

    def count(state, value):
        total = (state.value() or 0) + 1
        state.update(total)
        return total

    operation("value state")(
        with_state(lambda c: c.get_state(ValueStateDescriptor("v", Types.LONG())), count)
    )

    def remember(state, value):
        state.add(value[1])
        if value[1] // KEYS % 10 == 0:
            total = sum(state.get())
            state.clear()
            return total
        return 0

    operation("list state")(
        with_state(lambda c: c.get_list_state(ListStateDescriptor("l", Types.LONG())), remember)
    )

    def count_in_map(state, value):
        field = value[1] // KEYS % 5
        total = (state.get(field) or 0) + 1
        state.put(field, total)
        return total

    operation("map state")(
        with_state(
            lambda c: c.get_map_state(MapStateDescriptor("m", Types.LONG(), Types.LONG())),
            count_in_map,
        )
    )

    def accumulate(state, value):
        state.add(value[1])
        return state.get()

    operation("reducing state")(
        with_state(
            lambda c: c.get_reducing_state(
                ReducingStateDescriptor("r", lambda a, b: a + b, Types.LONG())
            ),
            accumulate,
        )
    )

    class Sum(AggregateFunction):
        def create_accumulator(self):
            return 0

        def add(self, value, accumulator):
            return accumulator + value

        def get_result(self, accumulator):
            return accumulator

        def merge(self, a, b):
            return a + b

    operation("aggregating state")(
        with_state(
            lambda c: c.get_aggregating_state(AggregatingStateDescriptor("a", Sum(), Types.LONG())),
            accumulate,
        )
    )

    @operation("event-time timers")
    def _(env, n):
        class Timers(KeyedProcessFunction):
            def process_element(self, value, ctx):
                ctx.timer_service().register_event_time_timer(ctx.timestamp() + 10)

            def on_timer(self, timestamp, ctx):
                yield timestamp

        return timed(env, n).key_by(lambda v: v[0], LONG).process(Timers(), LONG)

    @operation("processing-time timers")
    def _(env, n):
        class Timers(KeyedProcessFunction):
            def process_element(self, value, ctx):
                service = ctx.timer_service()
                service.register_processing_time_timer(service.current_processing_time() + 5)

            def on_timer(self, timestamp, ctx):
                yield timestamp

        return keyed(env, n).process(Timers(), LONG)

    # -- two streams

    @operation("union")
    def _(env, n):
        one, other = two(env, n)
        return one.map(lambda x: x, LONG).union(other.map(lambda x: -x, LONG)).map(abs, LONG)

    @operation("co-map")
    def _(env, n):
        class Both(CoMapFunction):
            def map1(self, value):
                return value

            def map2(self, value):
                return -value

        one, other = two(env, n)
        return one.connect(other).map(Both(), LONG)

    @operation("co-flat_map")
    def _(env, n):
        class Both(CoFlatMapFunction):
            def flat_map1(self, value):
                yield value

            def flat_map2(self, value):
                yield -value

        one, other = two(env, n)
        return one.connect(other).flat_map(Both(), LONG)

    @operation("co-process")
    def _(env, n):
        class Both(CoProcessFunction):
            def process_element1(self, value, ctx):
                yield value

            def process_element2(self, value, ctx):
                yield -value

        one, other = two(env, n)
        return one.connect(other).process(Both(), LONG)

    @operation("keyed co-process with state")
    def _(env, n):
        class Both(KeyedCoProcessFunction):
            def open(self, runtime_context):
                self.state = runtime_context.get_state(ValueStateDescriptor("v", Types.LONG()))

            def process_element1(self, value, ctx):
                yield count(self.state, value)

            def process_element2(self, value, ctx):
                yield -count(self.state, value)

        one, other = two(env, n)
        return (
            one.connect(other)
            .key_by(lambda x: x % KEYS, lambda x: x % KEYS, LONG)
            .process(Both(), LONG)
        )

    def rules():
        return MapStateDescriptor("rules", Types.LONG(), Types.LONG())

    @operation("broadcast process")
    def _(env, n):
        class Apply(BroadcastProcessFunction):
            def open(self, runtime_context):
                self.rules = rules()

            def process_element(self, value, ctx):
                found = ctx.get_broadcast_state(self.rules).get(value % 4)
                yield value + (found or 0)

            def process_broadcast_element(self, value, ctx):
                ctx.get_broadcast_state(self.rules).put(value % 4, value)

        return (
            numbers(env, n)
            .connect(numbers(env, 10, "rules").broadcast(rules()))
            .process(Apply(), LONG)
        )

    @operation("keyed broadcast process")
    def _(env, n):
        class Apply(KeyedBroadcastProcessFunction):
            def open(self, runtime_context):
                self.rules = rules()

            def process_element(self, value, ctx):
                found = ctx.get_broadcast_state(self.rules).get(value[1] % 4)
                yield value[1] + (found or 0)

            def process_broadcast_element(self, value, ctx):
                ctx.get_broadcast_state(self.rules).put(value % 4, value)

        return (
            keyed(env, n)
            .connect(numbers(env, 10, "rules").broadcast(rules()))
            .process(Apply(), LONG)
        )

    # -- windows

    class SumPairs(AggregateFunction):
        def create_accumulator(self):
            return (0, 0)

        def add(self, value, accumulator):
            return (accumulator[0] + 1, accumulator[1] + value[1])

        def get_result(self, accumulator):
            return accumulator[1]

        def merge(self, a, b):
            return (a[0] + b[0], a[1] + b[1])

    class Total(ProcessWindowFunction):
        def process(self, key, context, elements):
            yield (key, sum([value[1] for value in elements]))

    class TotalOfAll(ProcessAllWindowFunction):
        def process(self, context, elements):
            yield sum([value[1] for value in elements])

    tumbling = TumblingEventTimeWindows.of(second)
    sliding = SlidingEventTimeWindows.of(second, Time.milliseconds(500))
    sessions = EventTimeSessionWindows.with_gap(Time.milliseconds(50))

    def bursts(env, records):
        """Sessions of 100 records."""
        stream = timed(env, records).key_by(lambda v: v[1] // 100 % KEYS, LONG)
        return stream.window(sessions)

    @operation("tumbling window, reduce")
    def _(env, n):
        return windowed(env, n, tumbling).reduce(add)

    @operation("tumbling window, aggregate")
    def _(env, n):
        return windowed(env, n, tumbling).aggregate(
            SumPairs(), accumulator_type=new_pair(), output_type=LONG
        )

    @operation("tumbling window, process")
    def _(env, n):
        return windowed(env, n, tumbling).process(Total(), PAIR)

    @operation("tumbling window, reduce and process")
    def _(env, n):
        return windowed(env, n, tumbling).reduce(add, Total(), PAIR)

    @operation("sliding window (2x), reduce")
    def _(env, n):
        return windowed(env, n, sliding).reduce(add)

    @operation("sliding window (2x), process")
    def _(env, n):
        return windowed(env, n, sliding).process(Total(), PAIR)

    @operation("session window, reduce")
    def _(env, n):
        return bursts(env, n).reduce(add)

    @operation("session window, process")
    def _(env, n):
        return bursts(env, n).process(Total(), PAIR)

    @operation("session windows of one record, process")
    def _(env, n):
        return windowed(env, n, EventTimeSessionWindows.with_gap(Time.milliseconds(5))).process(
            Total(), PAIR
        )

    @operation("count window, reduce")
    def _(env, n):
        return keyed(env, n).count_window(10).reduce(add)

    @operation("count window, process")
    def _(env, n):
        return keyed(env, n).count_window(10).process(Total(), PAIR)

    @operation("window_all, reduce")
    def _(env, n):
        return timed(env, n).window_all(tumbling).reduce(add)

    @operation("window_all, aggregate")
    def _(env, n):
        return (
            timed(env, n)
            .window_all(tumbling)
            .aggregate(SumPairs(), accumulator_type=new_pair(), output_type=LONG)
        )

    @operation("window_all, process")
    def _(env, n):
        return timed(env, n).window_all(tumbling).process(TotalOfAll(), LONG)

    # -- partitioners

    for how in ("rebalance", "shuffle", "rescale", "broadcast", "global_", "forward"):

        @operation(how.rstrip("_"))
        def _(env, n, how=how):
            return getattr(pairs(env, n), how)().map(lambda v: v[1], LONG)

    @operation("partition_custom")
    def _(env, n):
        return (
            pairs(env, n)
            .partition_custom(lambda key, count: key % count, lambda v: v[0])
            .map(lambda v: v[1], LONG)
        )

    # -- ends

    @operation("print")
    def _(env, n):
        pairs(env, n).print()

    @operation("file sink")
    def _(env, n):
        from pyflink.common.serialization import Encoder
        from pyflink.datastream.connectors.file_system import FileSink

        folder = tempfile.mkdtemp(prefix="flott-operations-")
        numbers(env, n).map(str, STRING).sink_to(
            FileSink.for_row_format(folder, Encoder.simple_string_encoder()).build()
        )

    @operation("execute_and_collect")
    def _(env, n):
        with pairs(env, n).execute_and_collect() as results:
            for _ in results:
                pass
        return False

    return table


def cpu_seconds():
    """Processor time of this process and all below it (a JVM may be)."""
    parents, times = {}, {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            fields = (process / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        parents[int(process.name)] = int(fields[1])
        times[int(process.name)] = int(fields[11]) + int(fields[12])
    ours = {os.getpid()}
    while any(parent in ours and pid not in ours for pid, parent in parents.items()):
        ours |= {pid for pid, parent in parents.items() if parent in ours}
    seconds = sum(times.get(pid, 0) for pid in ours) / os.sysconf("SC_CLK_TCK")
    return seconds


def run(engine, options):
    """One measurement; see the module's text."""
    out = os.dup(1)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)  # before a JVM inherits it
    try:
        return measure(engine, options)
    finally:
        sys.stdout.flush()
        os.dup2(out, 1)


def measure(engine, options):
    from pyflink.datastream.functions import SinkFunction

    table = operations()

    def job(build, records):
        env = pyflink_environment(engine, options)
        ends = build(env, records)
        if ends is False:
            return
        for end in ends if isinstance(ends, tuple) else [ends]:
            if end is not None:
                end.add_sink(
                    SinkFunction("org.apache.flink.streaming.api.functions.sink.DiscardingSink")
                )
        env.execute()

    def spent_by(build, records):
        begin = time.perf_counter(), cpu_seconds()
        job(build, records)
        end = time.perf_counter(), cpu_seconds()
        return [b - a for a, b in zip(begin, end, strict=True)]

    small = options["sizes"][0]
    wanted = [part for part in options["only"].split(",") if part]
    values = {}
    job(table["reduce"], small)
    for name, build in table.items():
        if wanted and not any(part in name for part in wanted):  # FLOTT_OPERATIONS
            continue
        try:
            job(build, small)
            base, large = spent_by(build, small), options["sizes"][1]
            while True:
                spent = [b - a for a, b in zip(base, spent_by(build, large), strict=True)]
                if spent[0] >= options["seconds"]:
                    break
                large *= 4
            values[name] = (large - small) / spent[0]
            values[f"cpu_us {name}"] = spent[1] / (large - small) * 1e6
            said = f"{name}: {values[name]:,.0f}/s, {values[f'cpu_us {name}']:.2f} us of CPU time"
            print(said, file=sys.stderr, flush=True)
        except Exception as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            print(f"{name} failed: {lines[0]}", file=sys.stderr, flush=True)
            if engine == "flott":
                raise
    return values


def names_of(values):
    """The operations in the values of an engine."""
    return [name for name in values if f"cpu_us {name}" in values]


def derive(medians):
    """The least and the median ratio."""
    ours, theirs = medians.get("flott"), medians.get("flink-thread")
    if ours is None or theirs is None:
        return
    ratios = sorted(ours[name] / theirs[name] for name in names_of(ours) if name in theirs)
    if ratios:
        ours["least_ratio"] = ratios[0]
        ours["median_ratio"] = ratios[len(ratios) // 2]


def report(medians):
    """The rows of the table: an operation each, with what misses the goal or the floor marked."""
    ours, theirs = medians.get("flott", {}), medians.get("flink-thread", {})
    rows = [
        "| operation | flott rec/s | PyFlink thread mode rec/s | ratio | ratio by CPU time | |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for name in names_of(ours):
        if name not in theirs:
            rows.append(f"| {name} | {ours[name]:,.0f} | not measured | | | |")
            continue
        ratio = ours[name] / theirs[name]
        cpu = theirs[f"cpu_us {name}"] / max(ours[f"cpu_us {name}"], 1e-9)
        mark = "BELOW 10x" if ratio < FLOOR else "below 20x" if ratio < GOAL else ""
        rows.append(
            f"| {name} | {ours[name]:,.0f} | {theirs[name]:,.0f} | {ratio:.1f} | {cpu:.1f}"
            f" | {mark} |"
        )
    low = sum(row.endswith("0x |") for row in rows)
    floor = sum("BELOW" in row for row in rows)
    if "least_ratio" in ours:
        rows.append("")
        rows.append(
            f"least {ours['least_ratio']:.1f}x, median {ours['median_ratio']:.1f}x; {low} below 20x"
            f" (goal {GOAL}x on each: {'MISSED' if low else 'met'}), {floor} of them below {FLOOR}x"
        )
    return rows


if __name__ == "__main__":
    child_main(run)
