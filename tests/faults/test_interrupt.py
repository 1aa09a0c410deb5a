"""Ctrl-C: a running job ends within a second; a function that blocks in C is named."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import Any

from tests.services.kafka_client import create_topic, produce
from tests.services.servers import KafkaServer

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
    assert elapsed < 2, job.output  # one second, and room for a busy machine


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
