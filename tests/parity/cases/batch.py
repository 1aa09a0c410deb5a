"""BATCH mode: keyed input sorted by key and time, one key after the other, one watermark."""

from harness import case

from pyflink.common import Types, WatermarkStrategy
from pyflink.common.time import Time
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import OutputTag, RuntimeExecutionMode
from pyflink.datastream.functions import (
    BroadcastProcessFunction,
    CoProcessFunction,
    KeyedBroadcastProcessFunction,
    KeyedCoProcessFunction,
    KeyedProcessFunction,
    ProcessFunction,
    ProcessWindowFunction,
)
from pyflink.datastream.state import (
    ListStateDescriptor,
    MapStateDescriptor,
    ValueStateDescriptor,
)
from pyflink.datastream.window import EventTimeSessionWindows, TumblingEventTimeWindows

PAIR = Types.TUPLE([Types.STRING(), Types.INT()])
MIXED = [("a", 10), ("b", 5), ("a", 3), ("b", 20), ("a", 7), ("b", 1)]
MIN = -9223372036854775808


class SecondField(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return int(value[1])


def batch(env):
    env.set_runtime_mode(RuntimeExecutionMode.BATCH)
    return env


def timed(env, values=MIXED):
    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(SecondField())
    return env.from_collection(values, type_info=PAIR).assign_timestamps_and_watermarks(strategy)


def untimed(env, values=MIXED):
    return env.from_collection(values, type_info=PAIR)


def by_name(stream):
    return stream.key_by(lambda v: v[0], key_type=Types.STRING())


class Seen(KeyedProcessFunction):
    """Which record of its key each record is."""

    def open(self, context):
        self.count = context.get_state(ValueStateDescriptor("count", Types.INT()))

    def process_element(self, value, ctx):
        count = (self.count.value() or 0) + 1
        self.count.update(count)
        yield (value[0], value[1], count)


@case()
def keyed_input_is_sorted_by_time(env):
    return by_name(timed(batch(env))).process(Seen())


@case()
def keys_come_one_after_the_other(env):
    values = [("b", 1), ("a", 1), ("c", 1), ("b", 2), ("a", 2), ("c", 2)]
    return by_name(timed(batch(env), values)).process(Seen())


@case(ordered=False)
def keyed_input_without_time(env):
    return by_name(untimed(batch(env))).process(Seen())


@case()
def automatic_is_batch_for_collections(env):
    env.set_runtime_mode(RuntimeExecutionMode.AUTOMATIC)
    return by_name(timed(env)).process(Seen())


@case()
def integer_keys_in_order(env):
    values = [("x", 3), ("x", 1), ("x", 2), ("x", 3), ("x", 1)]
    return timed(batch(env), values).key_by(lambda v: v[1], key_type=Types.INT()).process(Seen())


class Watermarks(KeyedProcessFunction):
    def process_element(self, value, ctx):
        yield (value[0], value[1], ctx.timer_service().current_watermark() == MIN)


@case()
def watermark_while_records_come(env):
    return by_name(timed(batch(env))).process(Watermarks())


class TimerAtEach(KeyedProcessFunction):
    def process_element(self, value, ctx):
        ctx.timer_service().register_event_time_timer(value[1])
        yield ("record", value[0], value[1])

    def on_timer(self, timestamp, ctx):
        yield ("timer", ctx.get_current_key(), timestamp)


@case(ordered=False)
def timers_of_one_key(env):
    return by_name(timed(batch(env), [("a", 10), ("a", 3), ("a", 7)])).process(TimerAtEach())


@case(ordered=False)
def timers_of_two_keys(env):
    return by_name(timed(batch(env))).process(TimerAtEach())


class TimerOfState(KeyedProcessFunction):
    """Sums up per key and tells at the end of it."""

    def open(self, context):
        self.total = context.get_state(ValueStateDescriptor("total", Types.INT()))

    def process_element(self, value, ctx):
        self.total.update((self.total.value() or 0) + value[1])
        ctx.timer_service().register_event_time_timer(1000)

    def on_timer(self, timestamp, ctx):
        yield (ctx.get_current_key(), self.total.value(), timestamp)


@case(ordered=False)
def sums_at_a_timer(env):
    return by_name(timed(batch(env))).process(TimerOfState())


class TimerInTimer(KeyedProcessFunction):
    def process_element(self, value, ctx):
        ctx.timer_service().register_event_time_timer(100)

    def on_timer(self, timestamp, ctx):
        yield (ctx.get_current_key(), timestamp)
        if timestamp < 300:
            ctx.timer_service().register_event_time_timer(timestamp + 100)


@case(ordered=False)
def timer_set_in_a_timer(env):
    return by_name(timed(batch(env), [("a", 1)])).process(TimerInTimer())


class ProcessingTimer(KeyedProcessFunction):
    def process_element(self, value, ctx):
        now = ctx.timer_service().current_processing_time()
        ctx.timer_service().register_processing_time_timer(now + 3_600_000)

    def on_timer(self, timestamp, ctx):
        yield ("late timer", ctx.get_current_key())


@case(ordered=False)
def processing_timer_of_one_key(env):
    return by_name(timed(batch(env), [("a", 1)])).process(ProcessingTimer())


class ListOfKey(KeyedProcessFunction):
    def open(self, context):
        self.values = context.get_list_state(ListStateDescriptor("values", Types.INT()))

    def process_element(self, value, ctx):
        self.values.add(value[1])
        yield (value[0], list(self.values.get()))


@case()
def list_state_of_sorted_input(env):
    return by_name(timed(batch(env))).process(ListOfKey())


class MapOfKey(KeyedProcessFunction):
    def open(self, context):
        self.values = context.get_map_state(
            MapStateDescriptor("values", Types.INT(), Types.STRING())
        )

    def process_element(self, value, ctx):
        self.values.put(value[1], value[0])
        yield (value[0], sorted(self.values.keys()))


@case()
def map_state_of_sorted_input(env):
    return by_name(timed(batch(env))).process(MapOfKey())


class SideOfKey(KeyedProcessFunction):
    def process_element(self, value, ctx):
        yield value
        yield OutputTag("side", Types.STRING()), f"{value[0]}{value[1]}"


@case()
def side_output_of_sorted_input(env):
    main = by_name(timed(batch(env))).process(SideOfKey(), output_type=PAIR)
    return main.get_side_output(OutputTag("side", Types.STRING()))


@case()
def keyed_behind_keyed(env):
    first = by_name(timed(batch(env))).process(
        Seen(), output_type=Types.TUPLE([Types.STRING(), Types.INT(), Types.INT()])
    )
    return by_name(first).process(Seen())


@case(ordered=False)
def keyed_map_in_batch(env):
    return by_name(timed(batch(env))).map(lambda v: (v[0], v[1] * 2), output_type=PAIR)


@case()
def reduce_after_sorting(env):
    return by_name(timed(batch(env))).reduce(lambda x, y: (x[0] + y[0], x[1] * 10 + y[1]))


@case(ordered=False)
def sum_in_batch(env):
    return by_name(timed(batch(env))).sum(1)


class Two(KeyedCoProcessFunction):
    def open(self, context):
        self.seen = context.get_list_state(ListStateDescriptor("seen", Types.STRING()))

    def process_element1(self, value, ctx):
        self.seen.add(f"1:{value[1]}")
        yield (value[0], ",".join(self.seen.get()))

    def process_element2(self, value, ctx):
        self.seen.add(f"2:{value[1]}")
        yield (value[0], ",".join(self.seen.get()))


@case()
def two_inputs_are_merged_by_key_and_time(env):
    batch(env)
    left = by_name(timed(env, [("b", 4), ("a", 1), ("a", 9), ("b", 2)]))
    right = by_name(timed(env, [("a", 5), ("b", 3), ("a", 2)]))
    return left.connect(right).process(Two())


class TwoTimers(KeyedCoProcessFunction):
    def process_element1(self, value, ctx):
        ctx.timer_service().register_event_time_timer(value[1] + 100)
        yield ("one", value[0], value[1])

    def process_element2(self, value, ctx):
        ctx.timer_service().register_event_time_timer(value[1] + 100)
        yield ("two", value[0], value[1])

    def on_timer(self, timestamp, ctx):
        yield ("timer", ctx.get_current_key(), timestamp)


@case(ordered=False)
def two_inputs_and_timers(env):
    batch(env)
    left = by_name(timed(env, [("b", 4), ("a", 1)]))
    right = by_name(timed(env, [("a", 5), ("b", 3)]))
    return left.connect(right).process(TwoTimers())


class Gather(ProcessWindowFunction):
    def process(self, key, context, elements):
        window = context.window()
        yield (key, window.start, window.end, [e[1] for e in elements])


@case(ordered=False)
def tumbling_windows_of_one_key(env):
    stream = timed(batch(env), [("a", 10), ("a", 3), ("a", 7)])
    return (
        by_name(stream).window(TumblingEventTimeWindows.of(Time.milliseconds(5))).process(Gather())
    )


@case(ordered=False)
def session_windows_of_one_key(env):
    stream = timed(batch(env), [("a", 10), ("a", 3), ("a", 7), ("a", 30)])
    return (
        by_name(stream)
        .window(EventTimeSessionWindows.with_gap(Time.milliseconds(5)))
        .process(Gather())
    )


@case(ordered=False)
def window_reduce_in_batch(env):
    return (
        by_name(timed(batch(env)))
        .window(TumblingEventTimeWindows.of(Time.milliseconds(100)))
        .reduce(lambda x, y: (x[0] + y[0], x[1] * 10 + y[1]))
    )


@case(ordered=False)
def count_windows_in_batch(env):
    return (
        by_name(timed(batch(env)))
        .count_window(2)
        .reduce(lambda x, y: (x[0] + y[0], x[1] * 10 + y[1]))
    )


RULES = MapStateDescriptor("rules", Types.STRING(), Types.INT())


class WithRules(KeyedBroadcastProcessFunction):
    def process_element(self, value, ctx):
        yield (value[0], value[1], ctx.get_broadcast_state(RULES).get(value[0]))

    def process_broadcast_element(self, value, ctx):
        ctx.get_broadcast_state(RULES).put(value[0], value[1])


@case()
def keyed_broadcast_reads_the_rules_first(env):
    batch(env)
    rules = untimed(env, [("a", 1), ("b", 2)]).broadcast(RULES)
    return by_name(timed(env)).connect(rules).process(WithRules())


class WithRulesUnkeyed(BroadcastProcessFunction):
    def process_element(self, value, ctx):
        yield (value[0], value[1], ctx.get_broadcast_state(RULES).get(value[0]))

    def process_broadcast_element(self, value, ctx):
        ctx.get_broadcast_state(RULES).put(value[0], value[1])


@case()
def broadcast_reads_the_rules_first(env):
    batch(env)
    rules = untimed(env, [("a", 1), ("b", 2)]).broadcast(RULES)
    return timed(env).connect(rules).process(WithRulesUnkeyed())


class Unkeyed(ProcessFunction):
    def process_element(self, value, ctx):
        yield (value[0], ctx.timestamp(), ctx.timer_service().current_watermark() == MIN)


@case()
def unkeyed_input_keeps_its_order(env):
    return timed(batch(env)).process(Unkeyed())


class Both(CoProcessFunction):
    def process_element1(self, value, ctx):
        yield ("one", value[1])

    def process_element2(self, value, ctx):
        yield ("two", value[1])


@case(ordered=False)
def unkeyed_connect_in_batch(env):
    batch(env)
    return timed(env).connect(timed(env)).process(Both())
