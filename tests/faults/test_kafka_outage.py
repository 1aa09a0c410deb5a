"""Kafka -> map -> keyed count -> Kafka while the broker goes away: nothing is lost.

The oracle knows every record that was acknowledged to the producer. The sink is AT_LEAST_ONCE:
duplicates are allowed (and reported), a gap is not.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from pyflink.common import Types, WatermarkStrategy
from pyflink.common.serialization import SimpleStringSchema
from pyflink.datastream import KeyedProcessFunction, StreamExecutionEnvironment
from pyflink.datastream.connectors import DeliveryGuarantee
from pyflink.datastream.connectors.kafka import (
    KafkaRecordSerializationSchema,
    KafkaSink,
    KafkaSource,
)
from pyflink.datastream.state import ValueStateDescriptor
from tests.services.kafka_client import await_true, create_topic, produce, values_of
from tests.services.servers import KafkaServer

KEYS = 7


class Count(KeyedProcessFunction):
    def open(self, runtime_context: Any) -> None:
        self.count = runtime_context.get_state(ValueStateDescriptor("count", Types.LONG()))

    def process_element(self, value: tuple[str, str], ctx: Any) -> Any:
        n = (self.count.value() or 0) + 1
        self.count.update(n)
        yield f"{value[0]} {n} {value[1]}"


def start_job(servers: str, seen: list[str]) -> Any:
    env = StreamExecutionEnvironment.get_execution_environment().set_parallelism(1)
    env.enable_checkpointing(200)
    # A broker that is away for a moment makes checkpoints late, which is no reason to give up.
    env.get_checkpoint_config().set_tolerable_checkpoint_failure_number(1000)
    source = KafkaSource.builder().set_bootstrap_servers(servers).set_topics("in")
    source.set_group_id("outage").set_value_only_deserializer(SimpleStringSchema())
    record = KafkaRecordSerializationSchema.builder().set_topic("out")
    record.set_value_serialization_schema(SimpleStringSchema())
    sink = KafkaSink.builder().set_bootstrap_servers(servers)
    sink.set_record_serializer(record.build())
    sink.set_delivery_guarantee(DeliveryGuarantee.AT_LEAST_ONCE)

    def split(text: str) -> tuple[str, str]:
        seen.append(text)
        return f"k{int(text) % KEYS}", text

    stream = env.from_source(source.build(), WatermarkStrategy.no_watermarks(), "kafka")
    counted = stream.map(split).key_by(lambda pair: pair[0]).process(Count(), Types.STRING())
    counted.sink_to(sink.build())
    return env.execute_async("outage")


def stop_and_start(kafka: KafkaServer) -> None:
    kafka.stop()
    time.sleep(0.5)
    kafka.start()


def kill_and_start(kafka: KafkaServer) -> None:
    kafka.kill()
    kafka.start()


def pause_and_resume(kafka: KafkaServer) -> None:
    kafka.pause()
    time.sleep(3)
    kafka.resume()


def check(output: list[str], sent: int) -> int:
    """Compares with the oracle; returns the number of duplicates."""
    counts: dict[str, set[int]] = {}
    records: Counter[int] = Counter()
    for line in output:
        key, n, text = line.split()
        assert key == f"k{int(text) % KEYS}"
        counts.setdefault(key, set()).add(int(n))
        records[int(text)] += 1
    missing = set(range(sent)) - set(records)
    assert not missing, f"{len(missing)} of {sent} records lost, e.g. {sorted(missing)[:10]}"
    # Each key was counted 1, 2, 3, ... without a gap: state and output agree.
    for key, numbers in counts.items():
        expected = sum(1 for i in range(sent) if f"k{i % KEYS}" == key)
        assert numbers == set(range(1, expected + 1)), key
    return sum(records.values()) - sent


@pytest.mark.parametrize("fault", [stop_and_start, kill_and_start, pause_and_resume])
def test_nothing_is_lost_when_the_broker_goes_away(
    fault: Callable[[KafkaServer], None],
    caplog: pytest.LogCaptureFixture,
    record_property: Callable[[str, object], None],
) -> None:
    caplog.set_level(logging.INFO, "pyflink")
    with KafkaServer() as kafka:
        servers = kafka.bootstrap_servers
        create_topic(servers, "in")
        create_topic(servers, "out")
        seen: list[str] = []
        produce(servers, "in", [str(i) for i in range(1000)])
        job = start_job(servers, seen)
        await_true(lambda: len(seen) >= 100, "the first records")
        produce(servers, "in", [str(i) for i in range(1000, 3000)])
        fault(kafka)
        produce(servers, "in", [str(i) for i in range(3000, 4000)])
        await_true(lambda: len(set(seen)) == 4000, "all records", 60)
        job._job.trigger_checkpoint()  # everything before it is acknowledged then
        output = values_of(servers, "out")
        job.cancel().result()
    record_property("duplicates", check(output, 4000))
    if fault is not pause_and_resume:
        lines = [record.getMessage() for record in caplog.records]
        assert any("connection to Kafka lost" in line and servers in line for line in lines), lines


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_many_outages(record_property: Callable[[str, object], None]) -> None:
    with KafkaServer() as kafka:
        servers = kafka.bootstrap_servers
        create_topic(servers, "in")
        create_topic(servers, "out")
        seen: list[str] = []
        job = start_job(servers, seen)
        sent = 0
        for fault in [stop_and_start, kill_and_start, pause_and_resume] * 10:
            produce(servers, "in", [str(i) for i in range(sent, sent + 5000)])
            sent += 5000
            fault(kafka)
        await_true(lambda: len(set(seen)) == sent, "all records", 120)
        job._job.trigger_checkpoint()
        output = values_of(servers, "out")
        job.cancel().result()
    record_property("duplicates", check(output, sent))
