"""What cannot work says why: each error names the topic, the broker and the setting to look at."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from pyflink.common import Types, WatermarkStrategy
from pyflink.common.serialization import SimpleStringSchema
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors import DeliveryGuarantee
from pyflink.datastream.connectors.kafka import (
    FlinkKafkaConsumer,
    KafkaOffsetsInitializer,
    KafkaRecordSerializationSchema,
    KafkaSink,
    KafkaSource,
)
from tests.services.kafka_client import create_topic, produce, values_of
from tests.services.servers import KafkaServer, free_port

PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"


@pytest.fixture(scope="module")
def strict() -> Iterator[KafkaServer]:
    """A broker that makes no topics by itself and has a listener with passwords."""
    properties = {"auto.create.topics.enable": "false"}
    with KafkaServer(properties=properties, users={"ada": "s3cret"}) as server:
        yield server


def environment() -> StreamExecutionEnvironment:
    return StreamExecutionEnvironment.get_execution_environment().set_parallelism(1)


def read(servers: str, topic: str, **properties: str) -> list[str]:
    builder = KafkaSource.builder().set_bootstrap_servers(servers).set_topics(topic)
    for name, value in properties.items():
        builder.set_property(name.replace("_", "."), value)
    builder.set_bounded(KafkaOffsetsInitializer.latest())
    source = builder.set_value_only_deserializer(SimpleStringSchema()).build()
    stream = environment().from_source(source, WatermarkStrategy.no_watermarks(), "reader")
    with stream.execute_and_collect() as results:
        return list(results)


def write(servers: str, topic: str, texts: list[str], **properties: str) -> None:
    record = KafkaRecordSerializationSchema.builder().set_topic(topic)
    record.set_value_serialization_schema(SimpleStringSchema())
    builder = KafkaSink.builder().set_bootstrap_servers(servers)
    builder.set_record_serializer(record.build())
    builder.set_delivery_guarantee(DeliveryGuarantee.AT_LEAST_ONCE)
    for name, value in properties.items():
        builder.set_property(name.replace("_", "."), value)
    env = environment()
    env.from_collection(texts, Types.STRING()).sink_to(builder.build())
    env.execute("writer")


def credentials(password: str) -> dict[str, str]:
    return {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "sasl_jaas_config": f'{PLAIN} required username="ada" password="{password}";',
    }


def test_a_topic_that_is_missing(strict: KafkaServer) -> None:
    servers = strict.bootstrap_servers
    with pytest.raises(RuntimeError) as failed:
        read(servers, "no-such-input")
    for word in ("'no-such-input'", "does not exist", servers, "'topics'", "reader"):
        assert word in str(failed.value) + "".join(failed.value.__notes__)
    with pytest.raises(RuntimeError) as failed:
        write(servers, "no-such-output", ["a"], delivery_timeout_ms="3000")
    for word in ("'no-such-output'", servers, "'topic'"):
        assert word in str(failed.value)


def test_the_older_source_makes_its_topic_where_brokers_make_topics() -> None:
    with KafkaServer(partitions=3) as kafka:
        servers = kafka.bootstrap_servers
        made = {"bootstrap.servers": servers, "group.id": "g", "auto.offset.reset": "earliest"}
        stream = environment().add_source(FlinkKafkaConsumer("made", SimpleStringSchema(), made))
        with stream.execute_and_collect() as results:
            produce(servers, "made", ["first"])
            assert next(iter(results)) == "first"
        kept = {**made, "allow.auto.create.topics": "false"}
        stream = environment().add_source(FlinkKafkaConsumer("not", SimpleStringSchema(), kept))
        with (
            pytest.raises(RuntimeError, match="'not' does not exist"),
            stream.execute_and_collect() as results,
        ):
            list(results)


def test_a_message_that_is_too_large(strict: KafkaServer) -> None:
    servers = strict.bootstrap_servers
    create_topic(servers, "narrow", max_message_bytes="2000")
    with pytest.raises(RuntimeError) as failed:
        write(servers, "narrow", ["x" * 5000])  # the broker refuses it
    for word in ("'narrow'", servers, "max.request.size", "max.message.bytes"):
        assert word in str(failed.value)
    with pytest.raises(RuntimeError) as failed:
        write(servers, "narrow", ["x" * 5000], max_request_size="1500")  # the client refuses it
    for word in ("'narrow'", servers, "max.request.size", "1500"):
        assert word in str(failed.value)


def test_the_right_password_is_taken(strict: KafkaServer) -> None:
    create_topic(strict.bootstrap_servers, "guarded")
    write(strict.sasl_bootstrap_servers, "guarded", ["a", "b"], **credentials("s3cret"))
    assert values_of(strict.bootstrap_servers, "guarded") == ["a", "b"]
    assert read(strict.sasl_bootstrap_servers, "guarded", **credentials("s3cret")) == ["a", "b"]


def test_a_wrong_password_is_refused_at_once(strict: KafkaServer) -> None:
    create_topic(strict.bootstrap_servers, "refused")
    produce(strict.bootstrap_servers, "refused", ["a"])
    servers = strict.sasl_bootstrap_servers
    started = time.monotonic()
    with pytest.raises(RuntimeError) as reading:
        read(servers, "refused", **credentials("wr0ng"))
    with pytest.raises(RuntimeError) as writing:
        write(servers, "refused", ["a"], **credentials("wr0ng"))
    assert time.monotonic() - started < 15
    for failed in (reading, writing):
        for word in ("'refused'", servers, "sasl.jaas.config"):
            assert word in str(failed.value)
        assert "wr0ng" not in str(failed.value)


def test_no_broker_there() -> None:
    servers = f"127.0.0.1:{free_port()}"
    with pytest.raises(RuntimeError) as reading:
        read(servers, "anything", default_api_timeout_ms="1500")
    for word in ("'anything'", servers, "'bootstrap.servers'", "1.5 s", "default.api.timeout.ms"):
        assert word in str(reading.value)
    with pytest.raises(RuntimeError) as writing:
        write(servers, "anything", ["a"], max_block_ms="1500")
    for word in ("'anything'", servers, "'bootstrap.servers'", "1.5 s", "max.block.ms"):
        assert word in str(writing.value)


def test_a_protocol_that_does_not_fit(strict: KafkaServer) -> None:
    """Plain text to the listener that wants SASL."""
    with pytest.raises(RuntimeError) as failed:
        read(strict.sasl_bootstrap_servers, "guarded")
    assert strict.sasl_bootstrap_servers in str(failed.value)
