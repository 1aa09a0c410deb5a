"""Windows: every kind, with reduce, aggregate and process; late data, triggers, end of input."""

from harness import case

from pyflink.common import Duration, Time, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import OutputTag, RuntimeExecutionMode
from pyflink.datastream.functions import (
    AggregateFunction,
    ProcessAllWindowFunction,
    ProcessFunction,
    ProcessWindowFunction,
)
from pyflink.datastream.window import (
    ContinuousEventTimeTrigger,
    CountSlidingWindowAssigner,
    CountTrigger,
    CountTumblingWindowAssigner,
    EventTimeSessionWindows,
    GlobalWindows,
    PurgingTrigger,
    SessionWindowTimeGapExtractor,
    SlidingEventTimeWindows,
    TumblingEventTimeWindows,
)

EVENTS = [("a", 1), ("b", 2), ("a", 3), ("a", 6), ("b", 8), ("a", 9), ("b", 15), ("a", 21)]
EVENT_TYPE = Types.TUPLE([Types.STRING(), Types.INT()])


class SecondField(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return int(value[1])


def timed(env, values=EVENTS):
    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(SecondField())
    return env.from_collection(values, type_info=EVENT_TYPE).assign_timestamps_and_watermarks(
        strategy
    )


def keyed(env, values=EVENTS):
    return timed(env, values).key_by(lambda v: v[0], key_type=Types.STRING())


class Show(ProcessWindowFunction):
    def process(self, key, context, elements):
        window = context.window()
        yield (key, window.start, window.end, window.max_timestamp(), list(elements))


class ShowCount(ProcessWindowFunction):
    def process(self, key, context, elements):
        yield (key, list(elements))


class SumAndCount(AggregateFunction):
    def create_accumulator(self):
        return (0, 0)

    def add(self, value, accumulator):
        return (accumulator[0] + value[1], accumulator[1] + 1)

    def get_result(self, accumulator):
        return accumulator

    def merge(self, a, b):
        return (a[0] + b[0], a[1] + b[1] + 100)  # shows that it was really called


def add(a, b):
    return (a[0], a[1] + b[1])


TUMBLING = TumblingEventTimeWindows.of(Time.milliseconds(5))
SLIDING = SlidingEventTimeWindows.of(Time.milliseconds(5), Time.milliseconds(2))
SESSION = EventTimeSessionWindows.with_gap(Time.milliseconds(4))


@case(ordered=False)
def tumbling_process(env):
    return keyed(env).window(TUMBLING).process(Show())


@case(ordered=False)
def tumbling_process_with_offset(env):
    offset = TumblingEventTimeWindows.of(Time.milliseconds(5), Time.milliseconds(2))
    return keyed(env).window(offset).process(Show())


@case(ordered=False)
def tumbling_reduce(env):
    return keyed(env).window(TUMBLING).reduce(add)


@case(ordered=False)
def tumbling_reduce_with_process(env):
    return keyed(env).window(TUMBLING).reduce(add, window_function=Show())


@case(ordered=False)
def tumbling_aggregate(env):
    return keyed(env).window(TUMBLING).aggregate(SumAndCount())


@case(ordered=False)
def tumbling_aggregate_with_process(env):
    return keyed(env).window(TUMBLING).aggregate(SumAndCount(), window_function=Show())


@case(ordered=False)
def tumbling_process_batch(env):
    env.set_runtime_mode(RuntimeExecutionMode.BATCH)
    return keyed(env).window(TUMBLING).process(Show())


@case(ordered=False)
def sliding_process(env):
    return keyed(env).window(SLIDING).process(Show())


@case(ordered=False)
def sliding_reduce(env):
    return keyed(env).window(SLIDING).reduce(add)


@case(ordered=False)
def sliding_aggregate(env):
    return keyed(env).window(SLIDING).aggregate(SumAndCount())


@case(ordered=False)
def session_process(env):
    return keyed(env).window(SESSION).process(Show())


@case(ordered=False)
def session_reduce(env):
    return keyed(env).window(SESSION).reduce(add)


@case(ordered=False)
def session_aggregate(env):
    values = [("a", 1), ("a", 9), ("a", 5), ("a", 30), ("b", 2)]
    strategy = WatermarkStrategy.for_bounded_out_of_orderness(
        Duration.of_millis(100)
    ).with_timestamp_assigner(SecondField())
    return (
        env.from_collection(values, type_info=EVENT_TYPE)
        .assign_timestamps_and_watermarks(strategy)
        .key_by(lambda v: v[0], key_type=Types.STRING())
        .window(EventTimeSessionWindows.with_gap(Time.milliseconds(5)))
        .aggregate(SumAndCount())
    )


class GapOfElement(SessionWindowTimeGapExtractor):
    def extract(self, element):
        return 2 if element[0] == "a" else 20


@case(ordered=False)
def session_with_dynamic_gap(env):
    return (
        keyed(env).window(EventTimeSessionWindows.with_dynamic_gap(GapOfElement())).process(Show())
    )


@case()
def count_window_reduce(env):
    return keyed(env).count_window(2).reduce(add)


@case()
def count_window_process(env):
    return keyed(env).window(CountTumblingWindowAssigner.of(2)).process(ShowCount())


@case()
def count_window_sliding(env):
    return keyed(env).window(CountSlidingWindowAssigner.of(3, 1)).process(ShowCount())


@case()
def count_window_sliding_step_two(env):
    return keyed(env).count_window(3, 2).process(ShowCount())


@case()
def global_window_with_count_trigger(env):
    return (
        keyed(env).window(GlobalWindows.create()).trigger(CountTrigger.of(2)).process(ShowCount())
    )


@case()
def global_window_with_purging_count_trigger(env):
    return (
        keyed(env)
        .window(GlobalWindows.create())
        .trigger(PurgingTrigger.of(CountTrigger.of(2)))
        .process(ShowCount())
    )


@case(ordered=False)
def tumbling_with_count_trigger(env):
    return keyed(env).window(TUMBLING).trigger(CountTrigger.of(2)).process(Show())


@case(ordered=False)
def continuous_event_time_trigger(env):
    return (
        keyed(env)
        .window(TumblingEventTimeWindows.of(Time.milliseconds(10)))
        .trigger(ContinuousEventTimeTrigger.of(Time.milliseconds(3)))
        .process(Show())
    )


class ShowAll(ProcessAllWindowFunction):
    def process(self, context, elements):
        yield (context.window().start, context.window().end, list(elements))


@case()
def window_all_process(env):
    return timed(env).window_all(TUMBLING).process(ShowAll())


@case()
def window_all_reduce(env):
    return timed(env).window_all(TUMBLING).reduce(add)


@case()
def window_all_aggregate(env):
    return timed(env).window_all(TUMBLING).aggregate(SumAndCount())


@case(ordered=False)
def short_input_has_no_late_records(env):
    out_of_order = [("a", 1), ("a", 30), ("a", 2), ("a", 31)]
    return keyed(env, out_of_order).window(TUMBLING).process(Show())


@case(ordered=False)
def late_side_output_of_a_short_input_is_empty(env):
    out_of_order = [("a", 1), ("a", 30), ("a", 2), ("a", 31)]
    late = OutputTag("late", EVENT_TYPE)
    main = keyed(env, out_of_order).window(TUMBLING).side_output_late_data(late).process(Show())
    return main.get_side_output(late)


class CountPerWindowState(ProcessWindowFunction):
    def process(self, key, context, elements):
        from pyflink.datastream.state import ValueStateDescriptor

        state = context.global_state().get_state(ValueStateDescriptor("n", Types.INT()))
        total = (state.value() or 0) + len(list(elements))
        state.update(total)
        yield (key, context.window().start, total)


@case(ordered=False)
def window_function_with_global_state(env):
    return keyed(env).window(TUMBLING).process(CountPerWindowState())


@case()
def window_result_timestamps(env):
    class Stamp(ProcessFunction):
        def process_element(self, value, ctx):
            yield (value, ctx.timestamp())

    values = [("a", 1), ("a", 3), ("a", 8)]
    return keyed(env, values).window(TUMBLING).reduce(add).process(Stamp())


@case(ordered=False)
def two_windows_in_a_row(env):
    return (
        keyed(env)
        .window(TUMBLING)
        .reduce(add)
        .key_by(lambda v: 0)
        .window(TumblingEventTimeWindows.of(Time.milliseconds(10)))
        .reduce(lambda a, b: (a[0] if a[0] < b[0] else b[0], a[1] + b[1]))
    )


@case()
def window_elements_come_as_declared_tuples(env):
    class Kinds(ProcessWindowFunction):
        def process(self, key, context, elements):
            return [(type(e).__name__, e) for e in elements]

    return keyed(env, [("a", 1)]).window(TUMBLING).process(Kinds())
