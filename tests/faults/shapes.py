"""The job shapes: what each reads, and what it must have written, computed in plain Python.

tests/faults/job.py builds the same shapes with PyFlink. Every result says whose it is (key and
number, or key and window) and what the state was, so that each is different from every other one,
and a result that is written twice must be the same text twice. All records of a key are in one
partition, timestamps of a partition are out of order by at most DISORDER_MS: results depend neither
on parallelism nor on when the job was killed.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import NamedTuple

PARTITIONS = 4
KEYS = 13
START_MS = 1_700_000_000_000
DISORDER_MS = 40
BUCKET_MS = 250
TUMBLING_MS = 300
SLIDING_MS, SLIDE_MS = 600, 200
GAP_MS = 60
CLOSING_MS = 3_600_000
CLOSING = "closing"
"""Key of the records that end event time: nothing is expected of them."""


class Message(NamedTuple):
    """One record of an input topic: `<key> <number of the record> <timestamp> <value>`."""

    topic: str
    partition: int
    timestamp: int
    key: str
    number: int
    value: int

    @property
    def text(self) -> str:
        return f"{self.key} {self.number} {self.timestamp} {self.value}"


Chunk = list[Message]


class Input(NamedTuple):
    """What the driver feeds: one chunk for each attempt, then the closing one."""

    chunks: list[Chunk]
    closing: Chunk

    def messages(self) -> Chunk:
        return [message for chunk in self.chunks for message in chunk]


def partition_of(key: str) -> int:
    return int(key.removeprefix("k")) % PARTITIONS


def _keyed(choose: random.Random, chunks: int, size: int, topics: tuple[str, ...]) -> list[Chunk]:
    clock = START_MS
    numbers: Counter[tuple[str, str]] = Counter()
    made: list[Chunk] = []
    for _ in range(chunks):
        chunk: Chunk = []
        for _ in range(size):
            clock += choose.choice((0, 1, 3, 10, 10, 30))
            key = f"k{min(choose.randrange(KEYS), choose.randrange(KEYS))}"
            for topic in topics:
                numbers[topic, key] += 1
                timestamp = clock - choose.randrange(DISORDER_MS)
                value = choose.randrange(1000)
                number = numbers[topic, key]
                chunk.append(Message(topic, partition_of(key), timestamp, key, number, value))
        made.append(chunk)
    return made


def keyed_input(choose: random.Random, chunks: int, size: int) -> Input:
    """Keyed records in the topic `in`, and at the end one far ahead in each partition."""
    made = _keyed(choose, chunks, size, ("in",))
    end = max(message.timestamp for chunk in made for message in chunk) + CLOSING_MS
    closing = [Message("in", partition, end, CLOSING, 0, 0) for partition in range(PARTITIONS)]
    return Input(made, closing)


def connected_input(choose: random.Random, chunks: int, size: int) -> Input:
    """Two topics with the same keys and numbers; each record's other half comes much sooner or
    later. A chunk has at least `size` records also when half of a topic's are held back."""
    made = _keyed(choose, chunks, (2 * size + 2) // 3, ("left", "right"))
    late: dict[str, Chunk] = {"left": [], "right": []}
    for chunk in made:
        held = choose.choice(("left", "right"))
        kept = [message for message in chunk if message.topic != held]
        own = [message for message in chunk if message.topic == held]
        half = len(own) // 2
        chunk[:] = kept + late[held] + own[:half]
        late[held] = own[half:]
    return Input(made, late["left"] + late["right"])


def broadcast_input(choose: random.Random, chunks: int, size: int) -> Input:
    """Records in `in` that name a rule; rules in `rules`, each before or after its first use."""
    made = _keyed(choose, chunks, size, ("in",))
    number = 0
    for index, chunk in enumerate(made):
        rules: Chunk = []
        for _ in range(3):
            number += 1
            multiplier = choose.randrange(2, 90)
            rules.append(Message("rules", 0, START_MS + index, "rule", number, multiplier))
        first = number - 2
        chunk[:] = [
            message._replace(value=choose.randrange(max(1, first - 3), number + 1))
            for message in chunk
        ]
        place = choose.randrange(len(chunk) + 1)
        chunk[place:place] = rules
    return Input(made, [])


# --- What is expected -----------------------------------------------------------------------------


def by_key(given: Input) -> dict[str, Chunk]:
    """The records of each key in the order of their partition."""
    found: dict[str, Chunk] = defaultdict(list)
    for message in given.messages():
        found[message.key].append(message)
    return found


def expect_map(given: Input) -> list[str]:
    return [f"{m.key} {m.number} {m.value * 2 + 1}" for m in given.messages()]


def expect_state(given: Input) -> list[str]:
    lines = []
    for key, messages in by_key(given).items():
        total, largest = 0, -1
        last: list[int] = []
        digits: Counter[int] = Counter()
        for count, message in enumerate(messages, 1):
            total += message.value
            largest = max(largest, message.value)
            last = [*last, message.value][-3:]
            digits[message.value % 7] += 1
            lines.append(state_line(key, count, total, largest, last, digits))
    return lines


def state_line(
    key: str, count: int, total: int, largest: int, last: list[int], digits: dict[int, int]
) -> str:
    """A result of the shape `state`, in which every kind of keyed state shows."""
    numbers = ",".join(f"{digit}:{n}" for digit, n in sorted(digits.items()))
    return f"{key} {count} {total} {largest} {last} {numbers}"


def expect_timers(given: Input) -> list[str]:
    """One result for each key and bucket when event time passes its end, with a running total."""
    lines = []
    for key, messages in by_key(given).items():
        buckets: Counter[int] = Counter()
        for message in messages:
            buckets[message.timestamp // BUCKET_MS] += message.value
        total = 0
        for fired, bucket in enumerate(sorted(buckets), 1):
            total += buckets[bucket]
            lines.append(f"{key} {fired} {bucket} {buckets[bucket]} {total}")
    return lines


def expect_clock(given: Input) -> list[str]:
    return [f"{m.key} {m.number} {m.value}" for m in given.messages()]


def _windows(given: Input, size: int, slide: int, kind: str) -> list[str]:
    sums: Counter[tuple[str, int]] = Counter()
    counts: Counter[tuple[str, int]] = Counter()
    for message in given.messages():
        start = message.timestamp - message.timestamp % slide
        while start > message.timestamp - size:
            sums[message.key, start] += message.value
            counts[message.key, start] += 1
            start -= slide
    return [
        f"{kind} {key} {start} {start + size} {n} {sums[key, start]}"
        for (key, start), n in counts.items()
    ]


def expect_tumbling(given: Input) -> list[str]:
    return _windows(given, TUMBLING_MS, TUMBLING_MS, "tumbling")


def expect_sliding(given: Input) -> list[str]:
    return _windows(given, SLIDING_MS, SLIDE_MS, "sliding")


def expect_sessions(given: Input) -> list[str]:
    lines = []
    for key, messages in by_key(given).items():
        session: list[Message] = []
        for message in [*sorted(messages, key=lambda m: m.timestamp), None]:
            if session and (message is None or message.timestamp > session[-1].timestamp + GAP_MS):
                start, end = session[0].timestamp, session[-1].timestamp + GAP_MS
                total = sum(m.value for m in session)
                lines.append(f"session {key} {start} {end} {len(session)} {total}")
                session = []
            if message is not None:
                session.append(message)
    return lines


def expect_connected(given: Input) -> list[str]:
    halves: dict[tuple[str, int], dict[str, int]] = defaultdict(dict)
    for message in [*given.messages(), *given.closing]:
        halves[message.key, message.number][message.topic] = message.value
    return [
        f"{key} {number} {half['left']} {half['right']}"
        for (key, number), half in halves.items()
        if len(half) == 2
    ]


def expect_broadcast(given: Input) -> list[str]:
    rules = {m.number: m.value for m in given.messages() if m.topic == "rules"}
    return [
        f"{m.key} {m.number} {m.value} {rules[m.value] * m.number}"
        for m in given.messages()
        if m.topic == "in"
    ]


class Shape(NamedTuple):
    """How the input of a shape is made and what must come out; `topics` with partitions."""

    make_input: Callable[[random.Random, int, int], Input]
    expect: Callable[[Input], list[str]]
    topics: dict[str, int]
    clock_timers: bool = False
    """Timers of processing time: the end of the input does not wait for them."""


ONE = {"in": PARTITIONS}
SHAPES: dict[str, Shape] = {
    "map": Shape(keyed_input, expect_map, ONE),
    "state": Shape(keyed_input, expect_state, ONE),
    "timers": Shape(keyed_input, expect_timers, ONE),
    "clock": Shape(keyed_input, expect_clock, ONE, clock_timers=True),
    "tumbling": Shape(keyed_input, expect_tumbling, ONE),
    "sliding": Shape(keyed_input, expect_sliding, ONE),
    "sessions": Shape(keyed_input, expect_sessions, ONE),
    "connected": Shape(
        connected_input, expect_connected, {"left": PARTITIONS, "right": PARTITIONS}
    ),
    "broadcast": Shape(
        broadcast_input, expect_broadcast, {"in": PARTITIONS, "rules": 1}, clock_timers=True
    ),
}
