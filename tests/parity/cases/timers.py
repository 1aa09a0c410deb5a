"""Timers, watermarks and timestamps, also at the end of input and in BATCH."""

from harness import case

from pyflink.common import Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import RuntimeExecutionMode
from pyflink.datastream.functions import KeyedProcessFunction, ProcessFunction
from pyflink.datastream.state import ValueStateDescriptor

EVENTS = [("a", 10), ("b", 5), ("a", 30), ("b", 20)]
MAX = 9223372036854775807


class SecondField(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return int(value[1])


def timed(env, values=EVENTS):
    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(SecondField())
    return env.from_collection(values).assign_timestamps_and_watermarks(strategy)


class EventTimers(KeyedProcessFunction):
    def process_element(self, value, ctx):
        ctx.timer_service().register_event_time_timer(value[1] + 7)
        ctx.timer_service().register_event_time_timer(value[1] + 7)
        yield ("element", value, ctx.timestamp())

    def on_timer(self, timestamp, ctx):
        yield ("timer", ctx.get_current_key(), timestamp, ctx.timestamp(), str(ctx.time_domain()))


@case(ordered=False)
def event_timers_fire_at_end_of_input(env):
    return timed(env).key_by(lambda v: v[0]).process(EventTimers())


@case()
def event_timers_of_one_key_in_order(env):
    return (
        timed(env, [("a", 10), ("a", 3), ("a", 30)]).key_by(lambda v: v[0]).process(EventTimers())
    )


@case(ordered=False)
def event_timers_in_batch(env):
    env.set_runtime_mode(RuntimeExecutionMode.BATCH)
    return timed(env).key_by(lambda v: v[0]).process(EventTimers())


class Deleted(KeyedProcessFunction):
    def process_element(self, value, ctx):
        ctx.timer_service().register_event_time_timer(100)
        ctx.timer_service().register_event_time_timer(200)
        ctx.timer_service().delete_event_time_timer(100)
        return []

    def on_timer(self, timestamp, ctx):
        yield (ctx.get_current_key(), timestamp)


@case(ordered=False)
def deleted_timer_does_not_fire(env):
    return timed(env).key_by(lambda v: v[0]).process(Deleted())


class TimerInTimer(KeyedProcessFunction):
    def process_element(self, value, ctx):
        ctx.timer_service().register_event_time_timer(50)

    def on_timer(self, timestamp, ctx):
        yield (ctx.get_current_key(), timestamp)
        if timestamp < 53:
            ctx.timer_service().register_event_time_timer(timestamp + 1)


@case(ordered=False)
def timer_registers_a_timer(env):
    return timed(env).key_by(lambda v: v[0]).process(TimerInTimer())


class ProcessingTimers(KeyedProcessFunction):
    def process_element(self, value, ctx):
        now = ctx.timer_service().current_processing_time()
        ctx.timer_service().register_processing_time_timer(now + 600_000)
        yield value

    def on_timer(self, timestamp, ctx):
        yield ("timer", ctx.get_current_key())


@case(ordered=False)
def pending_processing_timers_are_dropped(env):
    return env.from_collection(EVENTS).key_by(lambda v: v[0]).process(ProcessingTimers())


class StateInTimer(KeyedProcessFunction):
    def open(self, runtime_context):
        self.sum = runtime_context.get_state(ValueStateDescriptor("sum", Types.LONG()))

    def process_element(self, value, ctx):
        self.sum.update((self.sum.value() or 0) + value[1])
        ctx.timer_service().register_event_time_timer(1000)
        return []

    def on_timer(self, timestamp, ctx):
        yield (ctx.get_current_key(), self.sum.value())
        self.sum.clear()


@case(ordered=False)
def timer_reads_the_state_of_its_key(env):
    return timed(env).key_by(lambda v: v[0]).process(StateInTimer())


class Watermarks(ProcessFunction):
    def process_element(self, value, ctx):
        yield (value[1], ctx.timestamp(), ctx.timer_service().current_watermark())


@case()
def watermark_before_the_first_interval(env):
    return timed(env).process(Watermarks())


class NoTimestamp(ProcessFunction):
    def process_element(self, value, ctx):
        yield (value, ctx.timestamp())


@case()
def no_timestamp_without_a_strategy(env):
    return env.from_collection([1, 2]).process(NoTimestamp())


@case()
def timestamps_pass_map_and_filter(env):
    return timed(env).map(lambda v: v).filter(lambda v: v[1] > 5).process(NoTimestamp())


class AtMaxTimestamp(KeyedProcessFunction):
    def process_element(self, value, ctx):
        ctx.timer_service().register_event_time_timer(MAX)
        return []

    def on_timer(self, timestamp, ctx):
        yield (ctx.get_current_key(), timestamp, ctx.timer_service().current_watermark())


@case(ordered=False)
def timer_at_the_end_of_time(env):
    return timed(env).key_by(lambda v: v[0]).process(AtMaxTimestamp())
