"""Fills a topic with JSON messages of 295 bytes (confluent-kafka).

    python fill_topic.py <bootstrap servers> <topic> <messages>

Event times rise by 1 ms every ten messages; a thousand users, who are also the messages' keys.
"""

from __future__ import annotations

import sys

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

BYTES = 295
AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/120.0 Safari/537.36"
)


def message(i: int) -> bytes:
    """Message number `i`."""
    text = (
        f'{{"id": {i}, "user": "user_{i * 7919 % 1000:04d}", '
        f'"event_time": {1_700_000_000_000 + i // 10}, "amount": {i % 10_000 / 100}, '
        f'"url": "/shop/{i % 500}/item?page={i % 97}", "agent": "{AGENT}'
    )
    return (text + " " * (BYTES - 2 - len(text)) + '"}').encode()


def main() -> None:
    """Creates the topic with four partitions and sends."""
    bootstrap, topic, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(topic, 4, 1)])[topic].result(30)
    if not count:
        return
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "linger.ms": 50,
            "batch.num.messages": 10_000,
            "batch.size": 1_000_000,
            "queue.buffering.max.messages": 200_000,
            "compression.type": "none",
        }
    )
    for i in range(count):
        while True:
            try:
                producer.produce(
                    topic, message(i), key=f"user_{i * 7919 % 1000:04d}", partition=i % 4
                )
                break
            except BufferError:
                producer.poll(0.05)
        if i % 10_000 == 0:
            producer.poll(0)
    if producer.flush(60):
        sys.exit("messages were left unsent")


if __name__ == "__main__":
    main()
