"""Reads every sink of a run and counts every record in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from confluent_kafka import Consumer, KafkaError, TopicPartition

from tests.faults.plan import ONCE
from tests.services.servers import SearchServer

SHOWN = 5


class Reader(Protocol):
    """Results that a sink has published."""

    def read(self) -> list[str]:
        """All of them up to now."""

    def close(self) -> None: ...


class KafkaReader:
    """A topic, as readers of committed records see it."""

    def __init__(self, servers: str, topic: str, partitions: int) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": servers,
                "group.id": "flott-faults-oracle",
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",  # also when a new topic's leader is not ready
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 20,
            }
        )
        self._partitions = partitions
        self._consumer.assign([TopicPartition(topic, i, 0) for i in range(partitions)])
        self._found: list[str] = []

    def read(self) -> list[str]:
        """Up to the end of each partition as the broker says it is now."""
        ended: set[int] = set()
        while len(ended) < self._partitions:
            message = self._consumer.poll(0.5)
            if message is None:
                break
            if message.error() is None:
                self._found.append(message.value().decode())
            elif message.error().code() == KafkaError._PARTITION_EOF:
                ended.add(message.partition())
            else:
                raise AssertionError(message.error())
        return self._found

    def close(self) -> None:
        self._consumer.close()


class FilesReader:
    """The finished files of a folder; names of others begin with a dot."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self) -> list[str]:
        files = [
            path
            for path in sorted(self._folder.rglob("*"))
            if path.is_file() and not path.name.startswith((".", "_"))
        ]
        return [line for path in files for line in path.read_text(encoding="utf-8").splitlines()]

    def close(self) -> None: ...


class SearchReader:
    """The documents of an index."""

    def __init__(self, server: SearchServer, index: str) -> None:
        self._server = server
        self._index = index

    def read(self) -> list[str]:
        found = self._server.documents(self._index)
        return [
            f"{document['text']}" if key == document["text"] else f"{key}: {document}"
            for key, document in found.items()
        ]

    def close(self) -> None: ...


def missing(expected: Sequence[str], found: Sequence[str]) -> int:
    """How many results are not there yet."""
    return len(set(expected) - set(found))


def differences(sink: str, expected: Sequence[str], found: Sequence[str]) -> list[str]:
    """What is wrong in a sink: lost, doubled, never to be written. Empty: nothing."""
    assert len(set(expected)) == len(expected), "results of a shape must differ"
    wanted, counted = set(expected), Counter(found)
    problems = {
        "lost": sorted(wanted - counted.keys()),
        "wrong": sorted(counted.keys() - wanted),
    }
    if sink in ONCE:
        problems["doubled"] = sorted(text for text, n in counted.items() if n > 1)
    return [
        f"{sink}: {len(texts)} of {len(expected)} results {what}, such as "
        + "; ".join(repr(text) for text in texts[:SHOWN])
        for what, texts in problems.items()
        if texts
    ]
