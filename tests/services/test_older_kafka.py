"""Upstream's older Kafka classes where the embedded broker is not enough: times, refused records.

`tests/python/datastream/test_older_kafka.py` has the rest.
"""

from __future__ import annotations

import pytest

from pyflink.common import Types, WatermarkStrategy
from pyflink.common.serialization import SimpleStringSchema
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors.kafka import FlinkKafkaConsumer, FlinkKafkaProducer, Semantic
from tests.services.kafka_client import await_true, create_topic, produce, read_topic, values_of
from tests.services.servers import KafkaServer


def environment(parallelism: int = 1) -> StreamExecutionEnvironment:
    return StreamExecutionEnvironment.get_execution_environment().set_parallelism(parallelism)


@pytest.mark.parametrize("parallelism", [1, 2])
def test_a_source_begins_at_a_time(kafka: KafkaServer, parallelism: int) -> None:
    servers = kafka.bootstrap_servers
    topic = f"older-time-{parallelism}"
    create_topic(servers, topic, 2)
    produce(servers, topic, ["a1", "a2", "a3"], timestamps=[1000, 2000, 3000])
    produce(servers, topic, ["b1", "b4"], partition=1, timestamps=[1000, 4000])
    consumer = FlinkKafkaConsumer(topic, SimpleStringSchema(), {"bootstrap.servers": servers})
    stream = environment(parallelism).add_source(consumer.set_start_from_timestamp(2000))
    assert sorted(stream.execute_and_collect(limit=3)) == ["a2", "a3", "b4"]


def narrow_producer(servers: str, topic: str) -> FlinkKafkaProducer:
    create_topic(servers, topic, max_message_bytes="2000")
    return FlinkKafkaProducer(topic, SimpleStringSchema(), {"bootstrap.servers": servers})


def test_a_record_that_the_broker_refuses_fails_the_job(kafka: KafkaServer) -> None:
    env = environment()
    stream = env.from_collection(["a", "x" * 5000], Types.STRING())
    stream.add_sink(narrow_producer(kafka.bootstrap_servers, "older-strict"))
    with pytest.raises(RuntimeError, match="could not be delivered to topic 'older-strict'"):
        env.execute()


def test_or_is_only_logged(kafka: KafkaServer, caplog: pytest.LogCaptureFixture) -> None:
    servers = kafka.bootstrap_servers
    env = environment()
    env.enable_checkpointing(50)
    stream = env.from_collection(["a", "x" * 5000, "b"], Types.STRING())
    stream.add_sink(narrow_producer(servers, "older-lenient").set_log_failures_only(True))
    env.execute()
    # the client may have sent the three as one batch, which the broker refuses as a whole
    written = values_of(servers, "older-lenient")
    logged = [r.getMessage() for r in caplog.records if r.levelname == "ERROR"]
    assert len(written) + len(logged) == 3
    assert logged
    assert all("the record is left out" in message for message in logged)


class ThousandsOf(TimestampAssigner):
    def extract_timestamp(self, value: str, record_timestamp: int) -> int:
        return 1000 * int(value)


def test_event_time_is_written_when_asked_for(kafka: KafkaServer) -> None:
    servers = kafka.bootstrap_servers
    create_topic(servers, "older-stamped")
    env = environment()
    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(ThousandsOf())
    stream = env.from_collection(["7", "8"], Types.STRING())
    producer = FlinkKafkaProducer(
        "older-stamped", SimpleStringSchema(), {"bootstrap.servers": servers}
    ).set_write_timestamp_to_kafka(True)
    stream.assign_timestamps_and_watermarks(strategy).add_sink(producer)
    env.execute()
    assert [m.timestamp()[1] for m in read_topic(servers, "older-stamped")] == [7000, 8000]


def exactly_once_producer(servers: str, topic: str) -> FlinkKafkaProducer:
    settings = {"bootstrap.servers": servers, "transaction.timeout.ms": "60000"}
    return FlinkKafkaProducer(topic, SimpleStringSchema(), settings, semantic=Semantic.EXACTLY_ONCE)


def test_two_exactly_once_sinks_of_one_job_share_a_topic(kafka: KafkaServer) -> None:
    servers = kafka.bootstrap_servers
    create_topic(servers, "sinks-out")
    env = environment()
    env.enable_checkpointing(100)
    for value in ("a", "b"):
        stream = env.from_collection([value], Types.STRING())
        stream.add_sink(exactly_once_producer(servers, "sinks-out"))
    env.execute()
    assert sorted(values_of(servers, "sinks-out")) == ["a", "b"]


def test_jobs_with_uids_share_a_topic_exactly_once(kafka: KafkaServer) -> None:
    servers = kafka.bootstrap_servers
    for topic in ("uids-in", "uids-out"):
        create_topic(servers, topic)
    env = environment()
    env.enable_checkpointing(100)
    consumer = FlinkKafkaConsumer("uids-in", SimpleStringSchema(), {"bootstrap.servers": servers})
    stream = env.add_source(consumer.set_start_from_earliest())
    stream.add_sink(exactly_once_producer(servers, "uids-out")).uid("long")
    long = env.execute_async("long")
    try:
        expected = set()
        for value in ("1", "2"):
            produce(servers, "uids-in", [value])
            expected.add(value)
            await_true(lambda: set(values_of(servers, "uids-out")) >= expected, value)
            short = environment()
            short.enable_checkpointing(100)
            stream = short.from_collection([f"short {value}"], Types.STRING())
            stream.add_sink(exactly_once_producer(servers, "uids-out")).uid("short")
            short.execute("short")
            expected.add(f"short {value}")
    finally:
        long.cancel().result()
    assert sorted(values_of(servers, "uids-out")) == ["1", "2", "short 1", "short 2"]
