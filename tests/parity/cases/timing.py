"""More of timers and timestamps: deletion, order, time domains, connected streams, parallelism."""

from harness import case

from pyflink.common import Duration, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import OutputTag, RuntimeExecutionMode, TimeDomain
from pyflink.datastream.functions import (
    CoMapFunction,
    KeyedCoProcessFunction,
    KeyedProcessFunction,
    ProcessFunction,
)
from pyflink.datastream.state import ListStateDescriptor, ValueStateDescriptor

EVENTS = [("a", 10), ("b", 5), ("a", 30), ("b", 20), ("c", 30), ("a", 31)]
BATCH = RuntimeExecutionMode.BATCH


class SecondField(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return int(value[1])


def timed(env, values=EVENTS, strategy=None):
    strategy = strategy or WatermarkStrategy.for_monotonous_timestamps()
    return env.from_collection(values).assign_timestamps_and_watermarks(
        strategy.with_timestamp_assigner(SecondField())
    )


def keyed(env, values=EVENTS, strategy=None):
    return timed(env, values, strategy).key_by(lambda v: v[0], key_type=Types.STRING())


class Scripted(KeyedProcessFunction):
    """Registers and deletes what a key's list of commands says."""

    def __init__(self, *commands):
        self.commands = commands

    def process_element(self, value, ctx):
        service = ctx.timer_service()
        for what, at in self.commands:
            if what == "set":
                service.register_event_time_timer(at)
            else:
                service.delete_event_time_timer(at)
        return []

    def on_timer(self, timestamp, ctx):
        yield (ctx.get_current_key(), timestamp)


@case()
def timers_fire_in_the_order_of_time(env):
    return keyed(env, [("a", 1)]).process(Scripted(("set", 30), ("set", 10), ("set", 20)))


@case()
def timer_of_the_past_fires(env):
    return keyed(env, [("a", 100)]).process(Scripted(("set", 1), ("set", -5), ("set", 0)))


@case()
def deleting_what_is_not_set_does_nothing(env):
    return keyed(env, [("a", 1)]).process(Scripted(("delete", 5), ("set", 6)))


@case()
def deleted_timer_may_be_set_again(env):
    return keyed(env, [("a", 1)]).process(Scripted(("set", 5), ("delete", 5), ("set", 5)))


@case(ordered=False)
def deleting_is_per_key(env):
    class PerKey(Scripted):
        def process_element(self, value, ctx):
            ctx.timer_service().register_event_time_timer(100)
            if value[0] == "a":
                ctx.timer_service().delete_event_time_timer(100)
            return []

    return keyed(env).process(PerKey())


@case(ordered=False)
def timer_set_by_many_elements_fires_once_per_key(env):
    return keyed(env).process(Scripted(("set", 500)))


class LastTimerWins(KeyedProcessFunction):
    def open(self, runtime_context):
        self.at = runtime_context.get_state(ValueStateDescriptor("at", Types.LONG()))

    def process_element(self, value, ctx):
        if self.at.value() is not None:
            ctx.timer_service().delete_event_time_timer(self.at.value())
        self.at.update(value[1] + 100)
        ctx.timer_service().register_event_time_timer(value[1] + 100)
        return []

    def on_timer(self, timestamp, ctx):
        yield (ctx.get_current_key(), timestamp, self.at.value())


def add_modes(function, label, *settings):
    def add(mode, parallelism):
        def run(env):
            env.set_parallelism(parallelism)
            if mode == "batch":
                env.set_runtime_mode(BATCH)
            return keyed(env).process(function())

        run.__name__ = f"{label}_{mode}_at_{parallelism}"
        case(ordered=False)(run)

    for mode, parallelism in settings:
        add(mode, parallelism)


# Not at parallelism 2 in STREAMING: which record of a key is the last is then open.
add_modes(LastTimerWins, "session_by_timer", ("streaming", 1), ("batch", 1))


class SortedByTime(KeyedProcessFunction):
    def open(self, runtime_context):
        self.items = runtime_context.get_list_state(ListStateDescriptor("items", Types.LONG()))

    def process_element(self, value, ctx):
        self.items.add(ctx.timestamp())
        ctx.timer_service().register_event_time_timer(1000)
        return []

    def on_timer(self, timestamp, ctx):
        yield (ctx.get_current_key(), sorted(self.items))
        self.items.clear()


add_modes(SortedByTime, "buffered_until_the_end", ("streaming", 1), ("streaming", 2), ("batch", 1))


class TimerSide(KeyedProcessFunction):
    tag = OutputTag("fired", Types.STRING())

    def process_element(self, value, ctx):
        ctx.timer_service().register_event_time_timer(value[1] + 1000)
        yield value[1]

    def on_timer(self, timestamp, ctx):
        yield self.tag, f"{ctx.get_current_key()} at {timestamp}"


@case(ordered=False)
def side_output_of_a_timer(env):
    return keyed(env).process(TimerSide(), Types.INT()).get_side_output(TimerSide.tag)


class Domain(KeyedProcessFunction):
    def process_element(self, value, ctx):
        ctx.timer_service().register_event_time_timer(5000)
        return []

    def on_timer(self, timestamp, ctx):
        yield (
            ctx.time_domain() == TimeDomain.EVENT_TIME,
            ctx.time_domain().name,
            ctx.timestamp(),
            ctx.timer_service().current_watermark() >= timestamp,
        )


@case()
def time_domain_of_a_timer(env):
    return keyed(env, [("a", 1)]).process(Domain())


class ProcessingTimer(KeyedProcessFunction):
    def process_element(self, value, ctx):
        now = ctx.timer_service().current_processing_time()
        ctx.timer_service().register_processing_time_timer(now + 600_000)
        return []

    def on_timer(self, timestamp, ctx):
        yield (ctx.get_current_key(), ctx.time_domain().name)


@case(ordered=False)
def processing_timers_fire_at_the_end_in_batch(env):
    env.set_runtime_mode(BATCH)
    return (
        env.from_collection([("a", 1), ("b", 1)]).key_by(lambda v: v[0]).process(ProcessingTimer())
    )


class DeletedProcessingTimer(KeyedProcessFunction):
    def process_element(self, value, ctx):
        at = ctx.timer_service().current_processing_time() + 600_000
        ctx.timer_service().register_processing_time_timer(at)
        ctx.timer_service().delete_processing_time_timer(at)
        yield value

    def on_timer(self, timestamp, ctx):
        yield "fired"


@case(ordered=False)
def deleted_processing_timer_in_batch(env):
    env.set_runtime_mode(BATCH)
    return (
        env.from_collection([("a", 1), ("b", 1)])
        .key_by(lambda v: v[0])
        .process(DeletedProcessingTimer())
    )


class CoTimers(KeyedCoProcessFunction):
    def open(self, runtime_context):
        self.seen = runtime_context.get_list_state(ListStateDescriptor("seen", Types.STRING()))

    def process_element1(self, value, ctx):
        self.seen.add(f"one {value[1]}")
        ctx.timer_service().register_event_time_timer(1000)
        return []

    def process_element2(self, value, ctx):
        self.seen.add(f"two {value[1]}")
        ctx.timer_service().register_event_time_timer(2000)
        return []

    def on_timer(self, timestamp, ctx):
        yield (ctx.get_current_key(), timestamp, sorted(self.seen))


def co_timed(env, parallelism=1, mode=None):
    env.set_parallelism(parallelism)
    if mode is not None:
        env.set_runtime_mode(mode)
    one = timed(env)
    two = timed(env, [("a", 7), ("d", 8)])
    return (
        one.connect(two)
        .key_by(lambda v: v[0], lambda v: v[0], key_type=Types.STRING())
        .process(CoTimers())
    )


@case(ordered=False)
def timers_of_connected_streams(env):
    return co_timed(env)


@case(ordered=False)
def timers_of_connected_streams_at_two(env):
    return co_timed(env, 2)


@case(ordered=False)
def timers_of_connected_streams_in_batch(env):
    return co_timed(env, 1, BATCH)


class Stamp(ProcessFunction):
    def process_element(self, value, ctx):
        yield (value, ctx.timestamp())


@case(ordered=False)
def timestamps_pass_a_union(env):
    return timed(env).union(timed(env, [("x", 77)])).process(Stamp())


@case(ordered=False)
def timestamps_pass_a_rebalance(env):
    env.set_parallelism(2)
    return timed(env).rebalance().process(Stamp())


@case()
def timestamps_pass_a_flat_map(env):
    return timed(env).flat_map(lambda v: [v[0], v[1]]).process(Stamp())


class KeyedStamp(KeyedProcessFunction):
    def process_element(self, value, ctx):
        yield (value, ctx.timestamp())


@case()
def timestamps_pass_a_key_by(env):
    return keyed(env).process(KeyedStamp())


class Pass(CoMapFunction):
    def map1(self, value):
        return ("one", value)

    def map2(self, value):
        return ("two", value)


@case(ordered=False)
def timestamps_pass_a_co_map(env):
    return timed(env).connect(timed(env, [("x", 77)])).map(Pass()).process(Stamp())


class EmitsInTimer(KeyedProcessFunction):
    def process_element(self, value, ctx):
        ctx.timer_service().register_event_time_timer(value[1] + 1000)
        yield "element"

    def on_timer(self, timestamp, ctx):
        yield "timer"


@case(ordered=False)
def records_of_a_timer_have_its_timestamp(env):
    return keyed(env).process(EmitsInTimer()).process(Stamp())


@case()
def timestamps_are_assigned_again(env):
    class Later(TimestampAssigner):
        def extract_timestamp(self, value, record_timestamp):
            return record_timestamp + 1000

    again = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(Later())
    return timed(env).assign_timestamps_and_watermarks(again).process(Stamp())


@case()
def record_timestamp_before_the_first_assignment(env):
    class Seen(TimestampAssigner):
        def extract_timestamp(self, value, record_timestamp):
            return 1 if record_timestamp < 0 else record_timestamp

    first = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(Seen())
    return env.from_collection([1, 2]).assign_timestamps_and_watermarks(first).process(Stamp())


@case()
def negative_timestamps(env):
    return timed(env, [("a", -10), ("a", 0)]).process(Stamp())


@case(ordered=False)
def timers_with_bounded_out_of_orderness(env):
    late = WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_millis(50))
    return keyed(env, strategy=late).process(Scripted(("set", 40), ("set", 60)))


@case(ordered=False)
def timers_with_idleness(env):
    idle = WatermarkStrategy.for_monotonous_timestamps().with_idleness(Duration.of_seconds(5))
    return keyed(env, strategy=idle).process(Scripted(("set", 40)))


@case(ordered=False)
def timers_without_watermarks_fire_at_the_end(env):
    return keyed(env, strategy=WatermarkStrategy.no_watermarks()).process(Scripted(("set", 40)))


@case(ordered=False)
def timers_without_timestamps_fire_at_the_end(env):
    return env.from_collection(EVENTS).key_by(lambda v: v[0]).process(Scripted(("set", 40)))


@case()
def timer_on_a_stream_that_is_not_keyed_is_refused(env):
    class Wrong(ProcessFunction):
        def process_element(self, value, ctx):
            ctx.timer_service().register_event_time_timer(1)
            yield value

    return timed(env).process(Wrong())


@case(ordered=False)
def timer_two_operators_in_a_row(env):
    class Again(KeyedProcessFunction):
        def process_element(self, value, ctx):
            ctx.timer_service().register_event_time_timer(ctx.timestamp() + 5)
            return []

        def on_timer(self, timestamp, ctx):
            yield (ctx.get_current_key(), timestamp)

    first = keyed(env).process(Scripted(("set", 50), ("set", 70)))
    return first.key_by(lambda v: v[0]).process(Again())
