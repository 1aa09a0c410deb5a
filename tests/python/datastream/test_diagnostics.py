"""What a user reads when something does not work: each message says what was wrong (with its
value), where (operator and line of the script), what to do. `docs/diagnostics.md` lists them."""

from __future__ import annotations

import datetime
import functools
import threading
from collections.abc import Callable
from typing import Any

import pytest

from pyflink.common import Row, Time, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import (
    DataStream,
    KeyedProcessFunction,
    MapFunction,
    OutputTag,
    ProcessFunction,
    RuntimeExecutionMode,
    StreamExecutionEnvironment,
)
from pyflink.datastream.state import MapStateDescriptor, ValueStateDescriptor
from pyflink.datastream.window import TumblingEventTimeWindows

PAIR = Types.TUPLE([Types.STRING(), Types.LONG()])
THIS_FILE = "test_diagnostics.py:"


def pairs(env: StreamExecutionEnvironment) -> DataStream:
    return env.from_collection([("a", 1), ("b", 2)], type_info=PAIR)


def message_of(
    build: Callable[[DataStream], Any], *, parallelism: int = 1, located: bool = True
) -> str:
    """What the job's failure says, notes included; it has to name this file's line."""
    env = StreamExecutionEnvironment.get_execution_environment().set_parallelism(parallelism)
    with pytest.raises(Exception) as failed:  # noqa: PT011 (the callers assert the text)
        list(build(pairs(env)).execute_and_collect())
    notes = "\n".join(getattr(failed.value, "__notes__", []))
    if located:
        assert THIS_FILE in notes, notes
    return f"{failed.value}\n{notes}"


def holds(text: str, *parts: str) -> None:
    missing = [part for part in parts if part not in text]
    assert not missing, f"{missing} not in: {text}"


class Locked(MapFunction):
    def __init__(self) -> None:
        self.lock = threading.Lock()

    def map(self, value: Any) -> Any:
        return value


def test_a_function_that_cannot_be_copied() -> None:
    text = message_of(lambda stream: stream.map(Locked()), parallelism=2)
    holds(text, "Locked", "'Map'", "2 subtasks", "'lock'", "_thread.lock", "Create it in open()")


class Plain:
    pass


@pytest.mark.parametrize(
    ("key", "shown"), [({"a"}, "{'a'} of type set"), ({"a": 1}, "dict"), ([1], "[1] of type list")]
)
def test_a_key_without_a_stable_encoding(key: object, shown: str) -> None:
    text = message_of(lambda stream: stream.key_by(lambda value: key).map(lambda value: value))
    holds(text, shown, "no stable encoding", "record ('a', 1)", "tuple or frozenset")
    holds(text, f"the key selector the lambda at {THIS_FILE}")


def test_a_key_of_a_class_names_the_way_out() -> None:
    text = message_of(lambda stream: stream.key_by(lambda value: Plain()).map(lambda value: value))
    holds(text, "Plain", "no stable encoding", "register_key_encoder()")


def test_a_key_that_is_not_of_its_declared_type() -> None:
    text = message_of(
        lambda stream: stream.key_by(lambda value: "x", key_type=Types.INT()).map(lambda v: v)
    )
    holds(text, "'x' of type str does not fit the declared type INT", "record ('a', 1)")
    holds(text, f"what the lambda at {THIS_FILE}", "declare another key_type")


def test_a_result_that_is_not_of_the_declared_type() -> None:
    text = message_of(lambda stream: stream.map(lambda value: "abc", output_type=Types.INT()))
    holds(text, "'abc' of type str", "declared type INT", "operator 'Map'", "record ('a', 1)")
    holds(text, f"what the lambda at {THIS_FILE}", "declare another output_type")


def parse_amount(value: Any) -> Any:
    return "abc"


def logged(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @functools.wraps(function)
    def wrapper(value: Any) -> Any:
        return function(value)

    return wrapper


class ParseAmount(MapFunction):
    def map(self, value: Any) -> Any:
        return "abc"


class Callable1:
    def __call__(self, value: Any) -> Any:
        return "abc"


class Amounts:
    def parse(self, value: Any) -> Any:
        return "abc"


@pytest.mark.parametrize(
    ("function", "named"),
    [
        (parse_amount, "parse_amount (test_diagnostics.py:"),
        (logged(parse_amount), "parse_amount (test_diagnostics.py:"),
        (functools.partial(parse_amount), "parse_amount (test_diagnostics.py:"),
        (ParseAmount(), "ParseAmount.map (test_diagnostics.py:"),
        (Callable1(), "Callable1 (test_diagnostics.py:"),
        (Amounts().parse, "Amounts.parse (test_diagnostics.py:"),
        (repr, "what repr returned"),
    ],
)
def test_the_function_is_named(function: Any, named: str) -> None:
    holds(message_of(lambda stream: stream.map(function, output_type=Types.INT())), named)


def give_none(value: Any) -> Any:
    return None


@pytest.mark.parametrize(
    "output_type",
    [Types.LONG(), Types.BOOLEAN(), Types.ROW([Types.INT()]), PAIR, Types.LIST(Types.INT())],
)
def test_none_where_the_type_has_no_null(output_type: Any) -> None:
    text = message_of(lambda stream: stream.map(give_none, output_type=output_type))
    holds(
        text, f"what give_none ({THIS_FILE}", "None of type NoneType", "drop None before: filter("
    )


def test_none_that_a_filter_lets_pass() -> None:
    text = message_of(
        lambda stream: stream.map(give_none, output_type=Types.LONG()).filter(lambda value: True)
    )
    holds(text, f"the lambda at {THIS_FILE}", "let None pass", "operator 'Filter'")


class Beside(ProcessFunction):
    def __init__(self, tag: OutputTag) -> None:
        self.tag = tag

    def process_element(self, value: Any, ctx: ProcessFunction.Context) -> Any:
        yield self.tag, None
        yield value


def test_none_on_a_side_output() -> None:
    tag = OutputTag("beside", Types.LONG())
    text = message_of(lambda stream: stream.process(Beside(tag)).get_side_output(tag))
    holds(text, "Beside.process_element", "yielded to a side output", "drop None before: filter(")

    env = StreamExecutionEnvironment.get_execution_environment().set_parallelism(1)
    beside = pairs(env).process(Beside(tag)).get_side_output(tag)
    assert list(beside.map(repr).execute_and_collect()) == ["None", "None"]


def test_none_that_a_reduce_gives_is_refused_only_where_it_is_emitted() -> None:
    def none_at_two(env: StreamExecutionEnvironment, count: int) -> DataStream:
        numbers = env.from_collection(list(range(1, count + 1)), type_info=Types.LONG())
        return numbers.key_by(lambda v: 0).reduce(lambda a, b: None if b == 2 else a + b)

    env = StreamExecutionEnvironment.get_execution_environment().set_parallelism(1)
    with pytest.raises(Exception, match="None of type NoneType"):
        list(none_at_two(env, 3).execute_and_collect())
    env.set_runtime_mode(RuntimeExecutionMode.BATCH)
    assert list(none_at_two(env, 2).execute_and_collect()) == []
    assert list(none_at_two(env, 4).execute_and_collect()) == [7]


def test_none_passes_from_function_to_function() -> None:
    env = StreamExecutionEnvironment.get_execution_environment().set_parallelism(1)
    numbers = pairs(env).map(lambda v: v[1] if v[1] > 1 else None, output_type=Types.LONG())
    assert list(numbers.filter(lambda v: v is not None).execute_and_collect()) == [2]
    texts = pairs(env).map(give_none, output_type=Types.STRING())
    assert list(texts.execute_and_collect()) == [None, None]


def test_a_row_with_too_many_fields() -> None:
    text = message_of(
        lambda stream: stream.map(lambda value: (1, 2, 3), output_type=Types.ROW([Types.INT()]))
    )
    holds(text, "(1, 2, 3) has 3 fields", "ROW<f0 INT> has 1", "operator 'Map'")


def test_a_reduce_that_changes_the_type() -> None:
    text = message_of(lambda stream: stream.key_by(lambda v: 1).reduce(lambda a, b: "zz"))
    holds(text, "'zz' of type str", "TUPLE<STRING, BIGINT>", "operator 'Reduce'")
    holds(text, f"what the lambda at {THIS_FILE}")


def test_a_flat_map_that_gives_one_value() -> None:
    text = message_of(lambda stream: stream.flat_map(lambda value: 5))
    holds(text, "flat_map()", "not 5 (int)", "write `yield value` or return a list")


def test_a_text_that_a_flat_map_returns_is_taken_apart() -> None:
    text = message_of(lambda stream: stream.flat_map(lambda v: "abc", output_type=Types.INT()))
    holds(text, "'a' of type str", "declared type INT", "operator 'FlatMap'")


class Returning(KeyedProcessFunction):
    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Any:
        return 5


def test_a_process_function_that_returns_a_value() -> None:
    text = message_of(lambda stream: stream.key_by(lambda value: value[0]).process(Returning()))
    holds(text, "process_element()", "not 5 (int)", "write `yield value`")
    holds(text, f"Returning.process_element ({THIS_FILE}")


class Stamps(TimestampAssigner):
    def __init__(self, timestamp: object) -> None:
        self.timestamp = timestamp

    def extract_timestamp(self, value: Any, record_timestamp: int) -> Any:
        return self.timestamp


@pytest.mark.parametrize("timestamp", [None, 1.5, "12", datetime.datetime(2020, 1, 1)])
def test_a_timestamp_that_is_no_number_of_milliseconds(timestamp: object) -> None:
    strategy = WatermarkStrategy.for_monotonous_timestamps()
    strategy = strategy.with_timestamp_assigner(Stamps(timestamp))
    text = message_of(lambda stream: stream.assign_timestamps_and_watermarks(strategy))
    holds(text, "extract_timestamp()", "milliseconds", repr(timestamp), type(timestamp).__name__)
    holds(text, f"Stamps.extract_timestamp ({THIS_FILE}")


class WithoutKey(ProcessFunction):
    def open(self, runtime_context: Any) -> None:
        runtime_context.get_state(ValueStateDescriptor("seen", Types.INT()))

    def process_element(self, value: Any, ctx: ProcessFunction.Context) -> Any:
        yield value


def test_keyed_state_of_a_stream_without_keys() -> None:
    text = message_of(lambda stream: stream.process(WithoutKey()))
    holds(text, "'seen'", "keyed stream", "key_by()")


class InOpen(KeyedProcessFunction):
    def open(self, runtime_context: Any) -> None:
        runtime_context.get_state(ValueStateDescriptor("seen", Types.INT())).value()

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Any:
        yield value


def test_state_that_is_read_in_open() -> None:
    text = message_of(lambda stream: stream.key_by(lambda value: value[0]).process(InOpen()))
    holds(text, "'seen'", "no current key", "not in open()")


class DeclaresTwice(KeyedProcessFunction):
    def open(self, runtime_context: Any) -> None:
        runtime_context.get_state(ValueStateDescriptor("seen", Types.INT()))
        runtime_context.get_map_state(MapStateDescriptor("seen", Types.INT(), Types.INT()))

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Any:
        yield value


def test_one_name_for_two_states() -> None:
    text = message_of(lambda stream: stream.key_by(lambda v: v[0]).process(DeclaresTwice()))
    holds(text, "'seen'", "map state of INT to INT", "value state of INT", "use another name")


class WrongState(KeyedProcessFunction):
    def open(self, runtime_context: Any) -> None:
        self.seen = runtime_context.get_state(ValueStateDescriptor("seen", Types.INT()))

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Any:
        self.seen.update("many")
        yield value


def test_a_value_that_a_state_cannot_hold() -> None:
    text = message_of(lambda stream: stream.key_by(lambda v: v[0]).process(WrongState()))
    holds(text, "'many' of type str", "declared type INT", "record ('a', 1)")


class WrongSide(ProcessFunction):
    def process_element(self, value: Any, ctx: ProcessFunction.Context) -> Any:
        yield OutputTag("side", Types.INT()), "abc"


def test_a_side_output_that_is_not_of_its_type() -> None:
    text = message_of(
        lambda stream: stream.process(WrongSide()).get_side_output(OutputTag("side", Types.INT()))
    )
    holds(text, "'abc' of type str", "declared type INT", "operator 'PROCESS'")
    holds(text, f"WrongSide.process_element ({THIS_FILE}", "another type of the OutputTag")


def test_an_event_time_window_over_records_without_timestamps() -> None:
    text = message_of(
        lambda stream: (
            stream.key_by(lambda value: value[0])
            .window(TumblingEventTimeWindows.of(Time.seconds(1)))
            .reduce(lambda a, b: a)
        )
    )
    holds(text, "without a timestamp", "assign_timestamps_and_watermarks", "processing-time")


def test_a_value_that_cannot_be_kept() -> None:
    text = message_of(lambda stream: stream.map(lambda value: (x for x in [1])))
    holds(text, "generator", "cannot be copied", "emit plain data", "enable_object_reuse()")


def test_a_field_that_a_row_does_not_have() -> None:
    named = Types.ROW_NAMED(["user", "amount"], [Types.STRING(), Types.LONG()])
    text = message_of(
        lambda stream: stream.map(lambda v: Row(user=v[0], amount=v[1]), output_type=named).map(
            lambda row: row.usr
        )
    )
    holds(text, "'usr' is not a field", "('user', 'amount')", "operator 'Map'")


def test_a_field_asked_for_by_a_name_that_a_row_does_not_have() -> None:
    for row in (Row(user="a", amount=1), Row("user", "amount")("a", 1)):
        with pytest.raises(ValueError, match="'usr' is not a field of this Row") as failed:
            row["usr"]
        holds(str(failed.value), "'user', 'amount'")
        with pytest.raises(ValueError, match="'usr' is not a field of this Row"):
            row["usr"] = 1
    with pytest.raises(AttributeError, match=r"'usr': the fields of this Row have no names"):
        Row("a", 1)["usr"]


def test_a_window_without_a_key() -> None:
    text = message_of(
        lambda stream: stream.window(  # type: ignore[attr-defined]
            TumblingEventTimeWindows.of(Time.seconds(1))
        ),
        located=False,
    )
    holds(text, "call key_by(...) first", "window_all(...)")


def test_nothing_to_execute() -> None:
    env = StreamExecutionEnvironment.get_execution_environment()
    pairs(env)
    with pytest.raises(RuntimeError) as failed:
        env.execute()
    holds(str(failed.value), "No operators defined", "Add an operator or sink", "stream.print()")


@pytest.mark.parametrize("field", ["x", 1.0, True, None])
def test_a_field_of_tuples_that_is_no_index(field: Any) -> None:
    env = StreamExecutionEnvironment.get_execution_environment()
    with pytest.raises(TypeError) as failed:
        pairs(env).project(field)
    holds(str(failed.value), "project()", "by its index", repr(field))


def test_a_field_of_rows_that_is_projected_twice() -> None:
    env = StreamExecutionEnvironment.get_execution_environment()
    named = Types.ROW_NAMED(["user", "amount"], [Types.STRING(), Types.LONG()])
    stream = env.from_collection([Row("a", 1)], type_info=named)
    with pytest.raises(ValueError, match="'user' is given twice"):
        stream.project(0, "user")  # type: ignore[arg-type]
