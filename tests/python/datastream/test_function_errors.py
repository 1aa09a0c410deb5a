"""An exception of a user's function arrives at execute() as it was raised.

Its own traceback comes first, then notes: operator, subtask, record, and the operator's line.
"""

import traceback

import pytest

from pyflink.common import Time, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import (
    AggregateFunction,
    AllWindowFunction,
    BroadcastProcessFunction,
    CoFlatMapFunction,
    CoMapFunction,
    CoProcessFunction,
    FilterFunction,
    FlatMapFunction,
    KeyedProcessFunction,
    KeySelector,
    MapFunction,
    ProcessAllWindowFunction,
    ProcessFunction,
    ProcessWindowFunction,
    ReduceFunction,
    SinkFunction,
    SourceFunction,
    StreamExecutionEnvironment,
    WindowFunction,
)
from pyflink.datastream.state import MapStateDescriptor
from pyflink.datastream.window import (
    GlobalWindows,
    Trigger,
    TriggerResult,
    TumblingEventTimeWindows,
)


class OrderError(Exception):
    """An exception of the user's own."""


def fail(record):
    raise OrderError(f"cannot take {record}")


class FailingMap(MapFunction):
    def map(self, value):
        return fail(value)


class FailingOpen(MapFunction):
    def open(self, runtime_context):
        fail("anything")

    def map(self, value):
        return value


class FailingClose(MapFunction):
    def map(self, value):
        return value

    def close(self):
        fail("the end")


class FailingFlatMap(FlatMapFunction):
    def flat_map(self, value):
        yield value
        fail(value)


class FailingFilter(FilterFunction):
    def filter(self, value):
        return fail(value)


class FailingKey(KeySelector):
    def get_key(self, value):
        return fail(value)


class FailingReduce(ReduceFunction):
    def reduce(self, value1, value2):
        return fail(value2)


class FailingProcess(ProcessFunction):
    def process_element(self, value, ctx):
        yield value
        fail(value)


class FailingKeyedProcess(KeyedProcessFunction):
    def process_element(self, value, ctx):
        fail(value)


class FailingTimer(KeyedProcessFunction):
    def process_element(self, value, ctx):
        ctx.timer_service().register_event_time_timer(5)

    def on_timer(self, timestamp, ctx):
        fail(f"the timer at {timestamp}")


class FailingCoMap(CoMapFunction):
    def map1(self, value):
        return value

    def map2(self, value):
        return fail(value)


class FailingCoFlatMap(CoFlatMapFunction):
    def flat_map1(self, value):
        yield fail(value)

    def flat_map2(self, value):
        yield value


class FailingCoProcess(CoProcessFunction):
    def process_element1(self, value, ctx):
        fail(value)

    def process_element2(self, value, ctx):
        yield value


class FailingBroadcast(BroadcastProcessFunction):
    def process_element(self, value, ctx):
        yield value

    def process_broadcast_element(self, value, ctx):
        fail(value)


class FailingAggregate(AggregateFunction):
    def __init__(self, where):
        self.where = where

    def create_accumulator(self):
        return fail("nothing") if self.where == "create_accumulator" else 0

    def add(self, value, accumulator):
        return fail(value) if self.where == "add" else accumulator + value

    def get_result(self, accumulator):
        return fail(accumulator) if self.where == "get_result" else accumulator

    def merge(self, acc_a, acc_b):
        return acc_a + acc_b


class FailingWindow(ProcessWindowFunction):
    def process(self, key, context, elements):
        fail(list(elements))


class FailingApply(WindowFunction):
    def apply(self, key, window, inputs):
        return fail(list(inputs))


class FailingAllWindow(ProcessAllWindowFunction):
    def process(self, context, elements):
        yield 1
        fail(list(elements))


class FailingAllApply(AllWindowFunction):
    def apply(self, window, inputs):
        return fail(list(inputs))


class FailingTrigger(Trigger):
    def on_element(self, element, timestamp, window, ctx):
        fail(element)

    def on_processing_time(self, time, window, ctx):
        return TriggerResult.CONTINUE

    def on_event_time(self, time, window, ctx):
        return TriggerResult.CONTINUE

    def clear(self, window, ctx):
        pass


class FailingSource(SourceFunction):
    def run(self, ctx):
        ctx.collect(1)
        fail("more")

    def cancel(self):
        pass


class FailingSink(SinkFunction):
    def invoke(self, value, context):
        fail(value)


class FailingAssigner(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return fail(value)


class OwnTime(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value


class FailingGenerator:
    def on_event(self, event, event_timestamp, output):
        fail(event)

    def on_periodic_emit(self, output):
        pass


BY_VALUE = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(OwnTime())
SECOND = TumblingEventTimeWindows.of(Time.seconds(1))


def numbers(env):
    return env.from_collection([1, 2, 3], Types.INT())


def timed(env):
    return numbers(env).assign_timestamps_and_watermarks(BY_VALUE)


def windows(env):
    return timed(env).key_by(lambda value: "key").window(SECOND)


def rules(env):
    return numbers(env).broadcast(MapStateDescriptor("rules", Types.INT(), Types.INT()))


# what fails -> (how the stream is made, operator in the note, whether a record is named)
FAILING = {
    "map": (lambda e: numbers(e).map(FailingMap()), "operator 'Map'", True),
    "lambda": (lambda e: numbers(e).map(lambda value: fail(value)), "operator 'Map'", True),
    "open": (lambda e: numbers(e).map(FailingOpen()), "operator 'Map'", False),
    "close": (lambda e: numbers(e).map(FailingClose()), "operator 'Map'", False),
    "flat map": (lambda e: numbers(e).flat_map(FailingFlatMap()), "operator 'FlatMap'", True),
    "filter": (lambda e: numbers(e).filter(FailingFilter()), "operator 'Filter'", True),
    "named": (lambda e: numbers(e).map(fail).name("orders"), "operator 'orders'", True),
    "process": (lambda e: numbers(e).process(FailingProcess()), "operator 'PROCESS'", True),
    "key selector": (
        lambda e: numbers(e).key_by(FailingKey()).reduce(lambda a, b: a),
        "operator '_stream_key_by_map_operator'",
        True,
    ),
    "reduce": (
        lambda e: numbers(e).key_by(lambda value: 0).reduce(FailingReduce()),
        "operator 'Reduce'",
        True,
    ),
    "keyed process": (
        lambda e: numbers(e).key_by(lambda value: 0).process(FailingKeyedProcess()),
        "operator 'KEYED PROCESS'",
        True,
    ),
    "timer": (
        lambda e: timed(e).key_by(lambda value: 0).process(FailingTimer()),
        "operator 'KEYED PROCESS'",
        False,
    ),
    "co map": (lambda e: numbers(e).connect(numbers(e)).map(FailingCoMap()), "'Co-Map'", True),
    "co flat map": (
        lambda e: numbers(e).connect(numbers(e)).flat_map(FailingCoFlatMap()),
        "operator 'Co-Flat Map'",
        True,
    ),
    "co process": (
        lambda e: numbers(e).connect(numbers(e)).process(FailingCoProcess()),
        "operator 'Co-Process'",
        True,
    ),
    "broadcast process": (
        lambda e: numbers(e).connect(rules(e)).process(FailingBroadcast()),
        "operator 'Co-Process-Broadcast'",
        True,
    ),
    "window reduce": (
        lambda e: windows(e).reduce(FailingReduce()),
        "operator 'TumblingEventTimeWindows'",
        True,
    ),
    "aggregate create_accumulator": (
        lambda e: windows(e).aggregate(FailingAggregate("create_accumulator")),
        "operator 'TumblingEventTimeWindows'",
        True,
    ),
    "aggregate add": (
        lambda e: windows(e).aggregate(FailingAggregate("add")),
        "operator 'TumblingEventTimeWindows'",
        True,
    ),
    "aggregate get_result": (
        lambda e: windows(e).aggregate(FailingAggregate("get_result")),
        "operator 'TumblingEventTimeWindows'",
        False,
    ),
    "process window": (
        lambda e: windows(e).process(FailingWindow()),
        "operator 'TumblingEventTimeWindows'",
        False,
    ),
    "apply window": (
        lambda e: windows(e).apply(FailingApply()),
        "'TumblingEventTimeWindows'",
        False,
    ),
    "process all windows": (
        lambda e: timed(e).window_all(SECOND).process(FailingAllWindow()),
        "operator 'TumblingEventTimeWindows'",
        False,
    ),
    "apply all windows": (
        lambda e: timed(e).window_all(SECOND).apply(FailingAllApply()),
        "operator 'TumblingEventTimeWindows'",
        False,
    ),
    "trigger": (
        lambda e: (
            numbers(e)
            .key_by(lambda value: 0)
            .window(GlobalWindows.create())
            .trigger(FailingTrigger())
            .reduce(lambda a, b: a)
        ),
        "operator 'GlobalWindows'",
        True,
    ),
    "timestamp assigner": (
        lambda e: numbers(e).assign_timestamps_and_watermarks(
            WatermarkStrategy.no_watermarks().with_timestamp_assigner(FailingAssigner())
        ),
        "operator 'Timestamps/Watermarks'",
        True,
    ),
    "watermark generator": (
        lambda e: numbers(e).assign_timestamps_and_watermarks(
            WatermarkStrategy.for_generator(FailingGenerator)
        ),
        "operator 'Timestamps/Watermarks'",
        True,
    ),
    "partitioner": (
        lambda e: (
            numbers(e)
            .partition_custom(lambda key, partitions: fail(key), lambda value: value)
            .map(lambda value: value)
            .set_parallelism(2)
        ),
        "in ",
        False,
    ),
    "source function": (
        lambda e: e.add_source(FailingSource(), "orders"),
        "operator 'Source: orders'",
        False,
    ),
}


def check(error, operator, names_a_record):
    assert type(error) is OrderError
    innermost = traceback.extract_tb(error.__traceback__)[-1]
    assert (innermost.filename, innermost.name) == (__file__, "fail")
    assert error.__cause__ is None
    assert error.__context__ is None
    notes = error.__notes__
    assert operator in notes[0]
    assert not names_a_record or ", record " in notes[0]
    text = "".join(traceback.format_exception(error))
    assert text.index('raise OrderError(f"cannot take') < text.index("OrderError: cannot take")
    assert text.index("OrderError: cannot take") < text.index(notes[0])


@pytest.mark.parametrize("what", FAILING)
def test_a_functions_exception_arrives_with_its_traceback_and_then_the_place(what):
    build, operator, names_a_record = FAILING[what]
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(1)
    build(env).print()
    with pytest.raises(OrderError, match="cannot take") as raised:
        env.execute("failing")
    check(raised.value, operator, names_a_record)


def hundreds(env):
    return numbers(env).map(lambda value: value * 100)


class SinkOf200(SinkFunction):
    def invoke(self, value, context):
        if value == 200:
            fail(value)


class ProcessOf200(ProcessFunction):
    def process_element(self, value, ctx):
        yield value
        if value == 200:
            fail(value)


class GeneratorOf200:
    def on_event(self, value, timestamp, output):
        fail_on_200(value)

    def on_periodic_emit(self, output):
        pass


def fail_on_200(value):
    return fail(value) if value == 200 else value


# The second function of a chain gets other records than the chain.
SECONDS = {
    "map": lambda stream: stream.map(fail_on_200),
    "map of a declared type": lambda stream: stream.map(fail_on_200, output_type=Types.INT()),
    "filter": lambda stream: stream.filter(fail_on_200),
    "flat map": lambda stream: stream.flat_map(lambda value: [fail_on_200(value)]),
    "flat map, later": lambda stream: stream.flat_map(
        lambda value: (fail_on_200(value) for _ in range(2))
    ),
    "process": lambda stream: stream.process(ProcessOf200()),
    "key selector": lambda stream: stream.key_by(fail_on_200).map(lambda value: value),
    "watermark generator": lambda stream: stream.assign_timestamps_and_watermarks(
        WatermarkStrategy.for_generator(GeneratorOf200)
    ),
    "third": lambda stream: stream.map(lambda value: value).map(fail_on_200).map(lambda v: v),
}


@pytest.mark.parametrize("second", SECONDS)
def test_the_record_is_the_one_that_the_function_got(second):
    env = StreamExecutionEnvironment.get_execution_environment().set_parallelism(1)
    SECONDS[second](hundreds(env)).print()
    with pytest.raises(OrderError, match="cannot take 200") as raised:
        env.execute()
    assert raised.value.__notes__[0].endswith(", record 200")


def test_the_record_is_one_of_those_that_a_flat_map_made():
    env = StreamExecutionEnvironment.get_execution_environment().set_parallelism(1)
    numbers(env).flat_map(lambda value: [value * 50, None, value * 200]).map(fail_on_200).print()
    with pytest.raises(OrderError, match="cannot take 200") as raised:
        env.execute()
    assert raised.value.__notes__[0].endswith(", record 200")


def test_a_record_may_be_none():
    env = StreamExecutionEnvironment.get_execution_environment().set_parallelism(1)
    numbers(env).map(lambda value: None).map(lambda value: value + 1).name("plus one").print()
    with pytest.raises(TypeError) as raised:
        env.execute()
    assert raised.value.__notes__[0] == "in operator 'plus one', subtask 1/1, record None"


def test_a_sinks_record_is_the_one_that_it_got():
    env = StreamExecutionEnvironment.get_execution_environment().set_parallelism(1)
    hundreds(env).add_sink(SinkOf200()).name("warehouse")
    with pytest.raises(OrderError, match="cannot take 200") as raised:
        env.execute()
    assert raised.value.__notes__[0].endswith(", record 200")


def test_a_sinks_exception_arrives_too():
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(1)
    numbers(env).add_sink(FailingSink()).name("warehouse")
    with pytest.raises(OrderError, match="cannot take 1") as raised:
        env.execute()
    check(raised.value, "'Sink: warehouse'", True)


def test_the_same_exception_arrives_from_a_collecting_job():
    env = StreamExecutionEnvironment.get_execution_environment()
    with (
        pytest.raises(OrderError, match="cannot take") as raised,
        numbers(env).map(fail).execute_and_collect() as records,
    ):
        list(records)
    check(raised.value, "operator 'Map'", True)
    assert any(note.startswith(f"'Map' was made at {__file__}:") for note in raised.value.__notes__)


def test_the_same_exception_arrives_from_an_asynchronous_job():
    env = StreamExecutionEnvironment.get_execution_environment()
    numbers(env).map(fail).print()
    client = env.execute_async()
    with pytest.raises(OrderError, match="cannot take") as raised:
        client.get_job_execution_result().result()
    check(raised.value, "operator 'Map'", True)
