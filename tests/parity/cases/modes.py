"""Windows of every assigner with every kind of function at parallelism two; triggers; BATCH."""

from harness import case

from pyflink.common import Duration, Time, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import OutputTag, RuntimeExecutionMode
from pyflink.datastream.functions import (
    AggregateFunction,
    AllWindowFunction,
    ProcessAllWindowFunction,
    ProcessWindowFunction,
    WindowFunction,
)
from pyflink.datastream.window import (
    CountTrigger,
    EventTimeSessionWindows,
    EventTimeTrigger,
    GlobalWindows,
    PurgingTrigger,
    SlidingEventTimeWindows,
    TumblingEventTimeWindows,
)

EVENTS = [("a", 1), ("b", 2), ("a", 3), ("c", 4), ("a", 6), ("b", 8), ("a", 9), ("b", 15)]
EVENT_TYPE = Types.TUPLE([Types.STRING(), Types.INT()])
BATCH = RuntimeExecutionMode.BATCH


class SecondField(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return int(value[1])


def timed(env, values=EVENTS):
    strategy = WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_millis(2))
    return env.from_collection(values, type_info=EVENT_TYPE).assign_timestamps_and_watermarks(
        strategy.with_timestamp_assigner(SecondField())
    )


def keyed(env, values=EVENTS):
    return timed(env, values).key_by(lambda v: v[0], key_type=Types.STRING())


class Process(ProcessWindowFunction):
    def process(self, key, context, elements):
        window = context.window()
        yield (key, window.start, window.end, list(elements))

    def clear(self, context):
        pass


class Apply(WindowFunction):
    def apply(self, key, window, inputs):
        return [(key, window.start, window.end, len(list(inputs)))]


class Total(AggregateFunction):
    def create_accumulator(self):
        return [0, ""]

    def add(self, value, accumulator):
        return [accumulator[0] + value[1], accumulator[1] + value[0]]

    def get_result(self, accumulator):
        return (accumulator[1], accumulator[0])

    def merge(self, a, b):
        return [a[0] + b[0], a[1] + b[1]]


def add(a, b):
    return (a[0], a[1] + b[1])


ASSIGNERS = {
    "tumbling": TumblingEventTimeWindows.of(Time.milliseconds(5)),
    "sliding": SlidingEventTimeWindows.of(Time.milliseconds(6), Time.milliseconds(3)),
    "session": EventTimeSessionWindows.with_gap(Time.milliseconds(3)),
}
CALLS = {
    "reduce": lambda w: w.reduce(add),
    "aggregate": lambda w: w.aggregate(Total()),
    "process": lambda w: w.process(Process()),
    "apply": lambda w: w.apply(Apply()),
    "reduce_and_process": lambda w: w.reduce(add, window_function=Process()),
    "aggregate_and_process": lambda w: w.aggregate(Total(), window_function=Process()),
    "reduce_and_apply": lambda w: w.reduce(add, window_function=Apply()),
}


def add_family(assigner, call):
    def run(env):
        env.set_parallelism(2)
        return CALLS[call](keyed(env).window(ASSIGNERS[assigner]))

    run.__name__ = f"{assigner}_{call}_at_two"
    case(ordered=False)(run)


for one in ASSIGNERS:
    for other in CALLS:
        add_family(one, other)


def add_batch(assigner, call):
    def run(env):
        env.set_runtime_mode(BATCH)
        return CALLS[call](keyed(env, [("a", 1), ("a", 2), ("b", 3)]).window(ASSIGNERS[assigner]))

    run.__name__ = f"{assigner}_{call}_of_one_window_in_batch"
    case(ordered=False)(run)


add_batch("tumbling", "reduce")


class CountOnly(ProcessWindowFunction):
    def process(self, key, context, elements):
        yield (key, [v[1] for v in elements])


class Sums(WindowFunction):
    def apply(self, key, window, inputs):
        yield (key, sum(v[1] for v in inputs))


@case(ordered=False)
def count_windows_at_two(env):
    env.set_parallelism(2)
    return keyed(env).count_window(2).process(CountOnly())


@case(ordered=False)
def count_windows_apply(env):
    return keyed(env).count_window(3).apply(Sums())


@case(ordered=False)
def count_windows_aggregate(env):
    return keyed(env).count_window(2).aggregate(Total())


@case(ordered=False)
def count_windows_of_one(env):
    return keyed(env).count_window(1).reduce(add)


@case(ordered=False)
def count_windows_sliding_reduce(env):
    return keyed(env).count_window(3, 2).reduce(add)


@case(ordered=False)
def tumbling_with_a_purging_count_trigger(env):
    trigger = PurgingTrigger.of(CountTrigger.of(2))
    return keyed(env).window(ASSIGNERS["tumbling"]).trigger(trigger).process(Process())


@case(ordered=False)
def tumbling_with_an_event_time_trigger(env):
    return (
        keyed(env)
        .window(ASSIGNERS["tumbling"])
        .trigger(EventTimeTrigger.create())
        .process(Process())
    )


@case(ordered=False)
def tumbling_with_a_purging_event_time_trigger(env):
    trigger = PurgingTrigger.of(EventTimeTrigger.create())
    return keyed(env).window(ASSIGNERS["tumbling"]).trigger(trigger).reduce(add)


@case(ordered=False)
def sliding_with_a_count_trigger(env):
    return keyed(env).window(ASSIGNERS["sliding"]).trigger(CountTrigger.of(2)).process(Process())


@case(ordered=False)
def global_windows_count_trigger_reduce(env):
    return keyed(env).window(GlobalWindows.create()).trigger(CountTrigger.of(2)).reduce(add)


@case(ordered=False)
def global_windows_purging_count_trigger_aggregate(env):
    trigger = PurgingTrigger.of(CountTrigger.of(2))
    return keyed(env).window(GlobalWindows.create()).trigger(trigger).aggregate(Total())


@case(ordered=False)
def allowed_lateness_fires_once_without_late_records(env):
    return keyed(env).window(ASSIGNERS["tumbling"]).allowed_lateness(10).process(Process())


@case(ordered=False)
def main_output_beside_a_late_tag(env):
    late = OutputTag("late", EVENT_TYPE)
    return keyed(env).window(ASSIGNERS["tumbling"]).side_output_late_data(late).process(Process())


class All(ProcessAllWindowFunction):
    def process(self, context, elements):
        yield (context.window().start, len(list(elements)))


class ApplyAll(AllWindowFunction):
    def apply(self, window, inputs):
        yield (window.start, window.max_timestamp(), sorted(inputs))


@case(ordered=False)
def window_all_session(env):
    return timed(env).window_all(ASSIGNERS["session"]).process(All())


@case(ordered=False)
def window_all_sliding_apply(env):
    return timed(env).window_all(ASSIGNERS["sliding"]).apply(ApplyAll())


@case(ordered=False)
def window_all_after_a_parallel_map(env):
    env.set_parallelism(2)
    return (
        timed(env)
        .map(lambda v: (v[0], v[1] * 2), EVENT_TYPE)
        .window_all(ASSIGNERS["tumbling"])
        .process(All())
    )


@case(ordered=False)
def window_all_reduce_and_process(env):
    return timed(env).window_all(ASSIGNERS["tumbling"]).reduce(add, window_function=All())


@case(ordered=False)
def session_joins_out_of_order_records(env):
    values = [("a", 1), ("a", 10), ("b", 1), ("a", 3), ("b", 2)]
    return keyed(env, values).window(ASSIGNERS["session"]).process(Process())


@case(ordered=False)
def windows_of_negative_times(env):
    values = [("a", -12), ("a", -5), ("a", -1), ("a", 0)]
    return keyed(env, values).window(ASSIGNERS["tumbling"]).process(Process())
