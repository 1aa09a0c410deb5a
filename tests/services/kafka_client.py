"""An independent Kafka client (confluent-kafka) on the other side of the broker: what a test puts
into topics before a job, and reads from them after it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

TIMEOUT_S = 30.0


def create_topic(servers: str, topic: str, partitions: int = 1, **config: str) -> None:
    """Makes a topic; `config` with underscores for dots."""
    settings = {key.replace("_", "."): value for key, value in config.items()}
    admin = AdminClient({"bootstrap.servers": servers})
    admin.create_topics([NewTopic(topic, partitions, 1, config=settings)])[topic].result(TIMEOUT_S)
    await_true(lambda: topic in admin.list_topics(timeout=TIMEOUT_S).topics, f"topic {topic}")


def add_partitions(servers: str, topic: str, count: int) -> None:
    """Raises the number of partitions to `count`."""
    admin = AdminClient({"bootstrap.servers": servers})
    admin.create_partitions([NewPartitions(topic, count)])[topic].result(TIMEOUT_S)


def produce(
    servers: str,
    topic: str,
    values: Iterable[bytes | str | None],
    *,
    partition: int = 0,
    key: bytes | str | None = None,
    timestamps: Iterable[int] | None = None,
    **settings: Any,
) -> None:
    """Writes values into one partition and returns when the broker has them."""
    refused: list[KafkaError] = []

    def delivered(error: KafkaError | None, _: object) -> None:
        if error is not None:
            refused.append(error)

    producer = Producer({"bootstrap.servers": servers, "linger.ms": 2, **settings})
    times = iter(timestamps) if timestamps is not None else None
    for value in values:
        options: dict[str, Any] = {} if times is None else {"timestamp": next(times)}
        producer.produce(
            topic, value, key=key, partition=partition, on_delivery=delivered, **options
        )
        producer.poll(0)
    assert producer.flush(TIMEOUT_S) == 0, "the broker did not take everything"
    assert not refused, refused[0]


def read_topic(servers: str, topic: str) -> list[Message]:
    """Everything that is in a topic now, partition by partition."""
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": "flott-tests-reader",
            "enable.partition.eof": True,
            "enable.auto.commit": False,
        }
    )
    try:
        partitions = sorted(consumer.list_topics(topic, TIMEOUT_S).topics[topic].partitions)
        consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
        messages: list[Message] = []
        open_partitions = set(partitions)
        deadline = time.monotonic() + TIMEOUT_S
        while open_partitions:
            assert time.monotonic() < deadline, f"no end of {topic} {open_partitions}"
            message = consumer.poll(1)
            if message is None:
                continue
            if message.error() is None:
                messages.append(message)
            elif message.error().code() == KafkaError._PARTITION_EOF:
                open_partitions.discard(message.partition())
            else:
                raise AssertionError(message.error())
        return sorted(messages, key=lambda m: (m.partition(), m.offset()))
    finally:
        consumer.close()


def values_of(servers: str, topic: str) -> list[str]:
    """The values of `read_topic` as text."""
    return [message.value().decode() for message in read_topic(servers, topic)]


def committed(servers: str, group: str, topic: str, partition: int = 0) -> int:
    """The offset a group has committed; negative when none."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": group})
    try:
        (position,) = consumer.committed([TopicPartition(topic, partition)], TIMEOUT_S)
        return int(position.offset)
    finally:
        consumer.close()


def stable_end(servers: str, topic: str, partition: int = 0) -> int:
    """The last stable offset: where a reader of committed records finds the end."""
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": "flott-tests-reader",
            "isolation.level": "read_committed",
        }
    )
    try:
        _, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), TIMEOUT_S)
        return int(high)
    finally:
        consumer.close()


def commit(servers: str, group: str, topic: str, offset: int, partition: int = 0) -> None:
    """Commits an offset for a group without members."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": group})
    try:
        position = TopicPartition(topic, partition, offset)
        consumer.commit(offsets=[position], asynchronous=False)
    finally:
        consumer.close()


def await_true(holds: Callable[[], bool], what: str, timeout_s: float = TIMEOUT_S) -> None:
    """Waits for something another process does."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, f"{what}: not within {timeout_s} s"
        time.sleep(0.02)
