"""Ctrl-C: a running job ends within a second; a function that blocks in C is named."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.services.kafka_client import create_topic, produce
from tests.services.servers import KafkaServer

WITHIN_S = 1.0

KAFKA_JOB = """
    import sys, threading
    from pyflink.common import Types, WatermarkStrategy
    from pyflink.common.serialization import SimpleStringSchema
    from pyflink.datastream import StreamExecutionEnvironment
    from pyflink.datastream.connectors.kafka import KafkaSource

    env = StreamExecutionEnvironment.get_execution_environment().set_parallelism(1)
    source = (
        KafkaSource.builder().set_bootstrap_servers(sys.argv[1]).set_topics(sys.argv[2])
        .set_value_only_deserializer(SimpleStringSchema()).build()
    )
    env.from_source(source, WatermarkStrategy.no_watermarks(), "kafka").map(
        lambda text: print("got", text)
    )
    try:
        env.execute("until Ctrl-C")
    finally:
        engine = [t for t in threading.enumerate() if t is not threading.main_thread()]
        print("left with", len(engine), "Python threads")
"""

# Each prints "ready" when a Ctrl-C is to come.
ENV = """
import threading
from pyflink.common import *
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import *
from pyflink.datastream.window import *

env = StreamExecutionEnvironment.get_execution_environment().set_parallelism(2)
ready = []

def first(value):
    if not ready:
        ready.append(1)
        print("ready", flush=True)
    return value

numbers = env.from_sequence(1, 10**15).map(first)

def nothing(stream):
    stream.filter(lambda value: False).print()
"""

PLACES = {
    "execute": "nothing(numbers); env.execute()",
    "collecting": """
with numbers.execute_and_collect() as results:
    for result in results: pass
""",
    "waiting for results": """
with numbers.filter(lambda value: False).execute_and_collect() as results:
    for result in results: pass
""",
    "result of a JobClient": """
nothing(numbers); env.execute_async().get_job_execution_result().result()
""",
    "windows": """
class Time0(TimestampAssigner):
    def extract_timestamp(self, value, timestamp): return value
strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(Time0())
numbers.assign_timestamps_and_watermarks(strategy).key_by(lambda value: value % 10_000).window(
    TumblingEventTimeWindows.of(Time.hours(9))).reduce(lambda a, b: a).print()
env.execute()
""",
    "checkpoints": """
env.enable_checkpointing(50)
nothing(numbers.key_by(lambda value: value % 10_000).reduce(lambda a, b: b))
env.execute()
""",
    "a record that yields without an end": """
def endless(value):
    first(value)
    while True: yield value
nothing(env.from_collection([1]).flat_map(endless)); env.execute()
""",
    "a call that computes without an end": """
def compute(value):
    first(value)
    while True: pass
env.from_collection([1]).map(compute).print(); env.execute()
""",
    "a source that waits": """
class Waits(SourceFunction):
    def run(self, ctx):
        first(1); ctx.collect(1); threading.Event().wait()
    def cancel(self): pass
env.add_source(Waits()).print(); env.execute()
""",
}

BLOCKED = """
    import time
    from pyflink.datastream import StreamExecutionEnvironment

    def stuck(value):
        print("blocking", flush=True)
        time.sleep(30)

    env = StreamExecutionEnvironment.get_execution_environment().set_parallelism(1)
    env.from_collection([1]).map(stuck).name("slow call")
    env.execute("blocked")
"""


def test_ctrl_c_ends_a_kafka_job_within_a_second(
    kafka: KafkaServer, script: Callable[..., Any]
) -> None:
    create_topic(kafka.bootstrap_servers, "interrupted")
    produce(kafka.bootstrap_servers, "interrupted", ["a"])
    job = script(KAFKA_JOB, kafka.bootstrap_servers, "interrupted")
    job.await_output("got a")
    started = time.monotonic()
    job.interrupt()
    code = job.wait(10)
    elapsed = time.monotonic() - started
    # As any Python program: KeyboardInterrupt reaches the script, `finally` runs.
    assert "KeyboardInterrupt" in job.output
    assert "left with 0 Python threads" in job.output
    assert code in (1, 130, -signal.SIGINT)
    assert elapsed < WITHIN_S, job.output


@pytest.mark.parametrize("place", PLACES)
def test_ctrl_c_ends_a_job_within_a_second_wherever_it_is(
    place: str, script: Callable[..., Any]
) -> None:
    job = script(ENV + PLACES[place])
    job.await_output("ready")
    time.sleep(0.5)  # in the midst of it
    started = time.monotonic()
    job.interrupt()
    code = job.wait(10)
    elapsed = time.monotonic() - started
    assert "KeyboardInterrupt" in job.output
    assert "JobCancelled" not in job.output
    assert code in (1, 130, -signal.SIGINT)
    assert elapsed < WITHIN_S, job.output


def test_a_blocked_function_is_named_and_a_second_ctrl_c_ends_the_process(
    script: Callable[..., Any],
) -> None:
    job = script(BLOCKED)
    job.await_output("blocking")
    job.await_output("slow call", 10)  # in the log, after a second
    job.interrupt()
    time.sleep(0.5)
    started = time.monotonic()
    job.interrupt()
    job.wait(10)
    assert time.monotonic() - started < 2, job.output
    assert job.process.returncode != 0
