"""The Kafka server of tests/services itself: it answers, keeps its data and can be taken away."""

from __future__ import annotations

import socket

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.services.servers import KafkaServer


def make_topic(kafka: KafkaServer, topic: str, partitions: int = 1) -> None:
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(30)


def produce(servers: str, topic: str, values: list[bytes], **settings: str) -> None:
    refused: list[KafkaError] = []

    def delivered(error: KafkaError | None, _: object) -> None:
        if error is not None:
            refused.append(error)

    producer = Producer({"bootstrap.servers": servers, **settings})
    for value in values:
        producer.produce(topic, value, on_delivery=delivered)
    assert producer.flush(30) == 0
    assert not refused


def consume(servers: str, topic: str, count: int) -> list[bytes]:
    """The first `count` values of partition 0."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": f"{topic}-reader"})
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        values: list[bytes] = []
        while len(values) < count:
            messages = consumer.consume(count - len(values), timeout=30)
            assert messages, f"only {len(values)} of {count} records came"
            for message in messages:
                assert message.error() is None, message.error()
                values.append(message.value())
        return values
    finally:
        consumer.close()


def test_records_come_back_in_order(kafka: KafkaServer) -> None:
    make_topic(kafka, "in-order")
    sent = [f"record {i}".encode() for i in range(1000)]
    produce(kafka.bootstrap_servers, "in-order", sent)
    assert consume(kafka.bootstrap_servers, "in-order", len(sent)) == sent


def test_topics_have_the_partitions_asked_for(kafka: KafkaServer) -> None:
    make_topic(kafka, "four", partitions=4)
    metadata = AdminClient({"bootstrap.servers": kafka.bootstrap_servers}).list_topics("four", 10)
    assert sorted(metadata.topics["four"].partitions) == [0, 1, 2, 3]


def test_restart_and_kill_keep_records_and_port() -> None:
    with KafkaServer() as kafka:
        make_topic(kafka, "kept")
        produce(kafka.bootstrap_servers, "kept", [b"before"])
        kafka.stop()
        assert kafka.pid is None
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", kafka.port), timeout=5)
        kafka.start()
        produce(kafka.bootstrap_servers, "kept", [b"between"])
        kafka.kill()
        kafka.start()
        produce(kafka.bootstrap_servers, "kept", [b"after"])
        assert consume(kafka.bootstrap_servers, "kept", 3) == [b"before", b"between", b"after"]


def test_a_paused_broker_is_silent_until_it_goes_on() -> None:
    with KafkaServer() as kafka:
        kafka.pause()
        admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
        with pytest.raises(KafkaException):
            admin.list_topics(timeout=0.5)
        kafka.resume()
        assert admin.list_topics(timeout=20).brokers


def test_a_wrong_password_is_refused_and_the_right_one_accepted() -> None:
    def settings(password: str) -> dict[str, str]:
        return {
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "PLAIN",
            "sasl.username": "ada",
            "sasl.password": password,
        }

    with KafkaServer(users={"ada": "correct"}) as kafka:
        produce(kafka.sasl_bootstrap_servers, "secured", [b"in"], **settings("correct"))
        errors: list[KafkaError] = []
        producer = Producer(
            {
                "bootstrap.servers": kafka.sasl_bootstrap_servers,
                "error_cb": errors.append,
                **settings("wrong"),
            }
        )
        while not errors:
            producer.poll(1)
        assert errors[0].code() == KafkaError._AUTHENTICATION
