"""Shapes of programs that people write around a job: watched, interrupted, loosely typed."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import time

import pytest

from pyflink._not_yet import NotSupportedError
from pyflink.common import Row, RowKind, Types
from pyflink.datastream import KeyedProcessFunction, StreamExecutionEnvironment
from pyflink.datastream.state import (
    ListStateDescriptor,
    MapStateDescriptor,
    ReducingStateDescriptor,
    ValueStateDescriptor,
)

WATCHED = """
import signal, sys, threading, time
from pyflink.common.state import ValueStateDescriptor
from pyflink.common import Row, RowKind, Types
from pyflink.datastream import KeyedProcessFunction, SourceFunction, StreamExecutionEnvironment

seen = 0
pause = threading.Event()


class Numbers(SourceFunction):
    def __init__(self):
        self.running = True

    def run(self, ctx):
        number = 0
        while self.running:
            ctx.collect(number)
            number += 1
            pause.wait(0.001)

    def cancel(self):
        self.running = False


class Counting(KeyedProcessFunction):
    def open(self, runtime_context):
        self.count = runtime_context.get_state(ValueStateDescriptor("n", Types.LONG()))

    def process_element(self, value, ctx, out):
        global seen
        seen += 1
        self.count.update((self.count.value() or 0) + 1)
        out.collect((value % 3, self.count.value()))


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(2)
env.enable_checkpointing(100)
env.set_state_backend("rocksdb")
env.add_source(Numbers()).key_by(lambda v: v % 3).process(Counting())
job = env.execute_async("watched")


def stop(number, frame):
    print("stopping", flush=True)
    job.cancel()
    raise KeyboardInterrupt


signal.signal(signal.SIGINT, stop)
try:
    end = time.monotonic() + float(sys.argv[1])
    while time.monotonic() < end and not job.is_done():
        if seen > 20:
            print("seen", flush=True)
        pause.wait(0.02)
except KeyboardInterrupt:
    print("interrupted")
if not job.is_done():
    job.cancel()
print("end")
"""


def watched(seconds: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WATCHED, str(seconds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_job_that_is_watched_and_cancelled_ends_without_a_word():
    with watched(0.8) as program:
        out, err = program.communicate(timeout=30)
    assert (program.returncode, err) == (0, "")
    assert out.splitlines()[-1] == "end"
    assert "seen" in out


def test_a_job_that_is_interrupted_by_a_handler_of_the_program():
    with watched(60) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "seen\n"
        program.send_signal(signal.SIGINT)
        begin = time.monotonic()
        out, err = program.communicate(timeout=30)
    assert time.monotonic() - begin < 2
    assert (program.returncode, err) == (0, "")
    lines = out.splitlines()
    assert lines[lines.index("stopping") :] == ["stopping", "interrupted", "end"]


def test_a_failure_nobody_waits_for_is_logged(caplog):
    caplog.set_level(logging.INFO, "pyflink")
    env = StreamExecutionEnvironment.get_execution_environment()
    env.from_collection([1, 0]).map(lambda v: 1 // v).print()
    job = env.execute_async("quiet")
    with pytest.raises(ZeroDivisionError):
        job.get_job_execution_result().result()
    (record,) = [r for r in caplog.records if "failed in" in r.message]
    assert record.levelno == logging.ERROR
    assert "job 'quiet'" in record.message
    assert "ZeroDivisionError" in record.message


def test_a_failure_that_is_raised_is_not_logged_as_an_error(caplog):
    caplog.set_level(logging.INFO, "pyflink")
    env = StreamExecutionEnvironment.get_execution_environment()
    env.from_collection([0]).map(lambda v: 1 // v).print()
    with pytest.raises(ZeroDivisionError):
        env.execute()
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


def collected(values, type_info):
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(1)
    with env.from_collection(values, type_info).map(lambda v: v).execute_and_collect() as found:
        return list(found)


def test_numbers_where_text_is_declared_become_text():
    # each as Apache Flink 1.20 gave it
    text = Types.STRING()
    numbers = [1, 2.5, True, False, 1e10, 2**70, -0.0001, 1234567.0, 1e-5, 123456789.5, 0.0]
    assert collected(numbers, text) == [
        *("1", "2.5", "true", "false", "1.0E10", "1180591620717411303424", "-1.0E-4", "1234567.0"),
        *("1.0E-5", "1.234567895E8", "0.0"),
    ]
    assert collected([float("nan"), float("-inf"), -0.0], text) == ["NaN", "-Infinity", "-0.0"]
    people = [{"name": "Ada", "age": 30}, {"age": 2.5, "b": True}]
    assert collected(people, Types.MAP(text, text)) == [
        {"name": "Ada", "age": "30"},
        {"age": "2.5", "b": "true"},
    ]
    assert collected([(1, 2)], Types.TUPLE([text, Types.INT()])) == [("1", 2)]
    (row,) = collected([(1, 2)], Types.ROW([text, Types.INT()]))
    assert (row[0], row[1]) == ("1", 2)
    (row,) = collected([{"a": 1}], Types.ROW_NAMED(["a", "b"], [text, text]))
    assert (row.a, row.b) == ("1", None)
    assert collected([[1, "x"]], Types.LIST(text)) == [["1", "x"]]


def test_numbers_become_text_in_rows_and_objects():
    text = Types.STRING()
    pair = Types.ROW_NAMED(["a", "b"], [text, Types.INT()])
    deleted = Row(2.5, 2)
    deleted.set_row_kind(RowKind.DELETE)
    rows = collected([Row(True, 1), Row(b=3, a=4), deleted], pair)
    assert [(row.a, row.b) for row in rows] == [("true", 1), ("4", 3), ("2.5", 2)]
    assert rows[2].get_row_kind() == RowKind.DELETE
    nested = Types.ROW([Types.INT(), Types.LIST(text)])
    assert [tuple(row) for row in collected([Row(1, [2, "x"])], nested)] == [(1, ["2", "x"])]

    class Pair:
        def __init__(self, a):
            self.a = a
            self.b = 7

    assert [(row.a, row.b) for row in collected([Pair("x"), Pair(1)], pair)] == [("x", 7), ("1", 7)]


def test_numbers_become_text_wherever_they_are_in_a_collection():
    texts = [str(i) for i in range(3000)]
    mixed = [*texts[:2500], 2500, *texts[2501:]]
    assert collected(mixed, Types.STRING()) == texts
    # of a type that is partly any object
    pair = Types.TUPLE([Types.STRING(), Types.PICKLED_BYTE_ARRAY()])
    assert collected([("a", {})] * 1500 + [(1, {})], pair)[-1] == ("1", {})


def test_a_record_that_does_not_fit_is_numbered_wherever_it_is():
    env = StreamExecutionEnvironment.get_execution_environment()
    stream = env.from_collection([1] * 2000 + ["x"], Types.INT())
    stream.print()
    with pytest.raises(Exception, match="record 2000: the value 'x' of type str does not fit"):
        env.execute()


def test_what_is_no_number_does_not_become_text():
    with pytest.raises(TypeError, match="record 1: the value b'x' of type bytes does not fit"):
        collected([1, b"x"], Types.STRING())


def test_dicts_without_the_fields_of_their_row_are_warned_of(caplog):
    kind = Types.ROW([Types.STRING(), Types.INT()])
    (row,) = collected([{"name": "Ada", "age": 30}], kind)
    assert (row[0], row[1]) == (None, None)
    assert "has none of the fields f0, f1" in caplog.text
    assert "Types.ROW_NAMED(['name', 'age'], [...])" in caplog.text
    caplog.clear()
    collected([{"f0": "x"}], kind)
    assert caplog.text == ""


def test_sums_in_float_state_are_not_rounded_with_each_record():
    kind = Types.FLOAT()

    class Sums(KeyedProcessFunction):
        def open(self, runtime_context):
            self.value = runtime_context.get_state(ValueStateDescriptor("v", kind))
            self.list = runtime_context.get_list_state(ListStateDescriptor("l", kind))
            self.map = runtime_context.get_map_state(
                MapStateDescriptor("m", Types.STRING(), Types.TUPLE([kind, Types.INT()]))
            )
            self.sum = runtime_context.get_reducing_state(
                ReducingStateDescriptor("r", lambda a, b: a + b, kind)
            )

        def process_element(self, value, ctx):
            total = (self.value.value() or 0) + value[1]
            self.value.update(total)
            self.list.update([total])
            self.map.put("x", (total, 1))
            self.sum.add(value[1])
            yield self.value.value(), *self.list.get(), self.map.get("x")[0], self.sum.get()

    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(1)
    amounts = [("Alice", 110.1), ("Alice", 20.0), ("Alice", 13.1)]
    stream = env.from_collection(amounts, Types.TUPLE([Types.STRING(), kind]))
    with stream.key_by(lambda v: v[0]).process(Sums()).execute_and_collect() as found:
        *_, last = found
    # the records are rounded, as Apache Flink's are; what is added up of them is not
    assert last == (143.19999885559082,) * 4


def test_the_gateway_says_that_there_is_no_java():
    from pyflink.java_gateway import get_gateway

    with pytest.raises(NotSupportedError, match=r"pyflink.java_gateway .* there is no Java"):
        get_gateway()
