"""What the building blocks work on: orders and clicks of a shop, made up but always the same."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, NamedTuple

from pyflink.common import Duration, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import DataStream

# 2025-06-02 09:00 UTC: examples should not depend on today.
OPENING = 1_748_854_800_000

MINUTE = 60_000


class Order(NamedTuple):
    """A customer bought something."""

    time: int  # milliseconds since the epoch
    customer: str
    category: str
    amount: float


class Click(NamedTuple):
    """A visitor looked at a page."""

    time: int
    visitor: str
    page: str


class EventTime(TimestampAssigner):
    """Both carry their time."""

    def extract_timestamp(self, value: Any, record_timestamp: int) -> int:
        return value.time


def with_event_time(stream: DataStream, out_of_order_seconds: int = 5) -> DataStream:
    """Timestamps from the records; watermarks a few seconds behind them."""
    strategy = WatermarkStrategy.for_bounded_out_of_orderness(
        Duration.of_seconds(out_of_order_seconds)
    )
    return stream.assign_timestamps_and_watermarks(strategy.with_timestamp_assigner(EventTime()))


def orders(count: int = 200, seed: int = 1) -> Iterator[Order]:
    """Orders of one morning, a few of them out of order."""
    chance = random.Random(seed)
    time = OPENING
    for _ in range(count):
        time += chance.randrange(100, 20_000)
        yield Order(
            time - chance.choice([0, 0, 0, 3_000]),
            chance.choice(["ann", "bob", "cem", "dea"]),
            chance.choice(["books", "games", "garden"]),
            round(chance.uniform(2, 80), 2),
        )


def clicks(count: int = 200, seed: int = 2) -> Iterator[Click]:
    """Clicks of visitors who come and go."""
    chance = random.Random(seed)
    time = OPENING
    for _ in range(count):
        time += chance.choice([500, 4_000, 15_000, 500_000])
        visitor = chance.choice(["ann", "bob", "cem"])
        yield Click(time, visitor, chance.choice(["/", "/books", "/games", "/cart"]))
