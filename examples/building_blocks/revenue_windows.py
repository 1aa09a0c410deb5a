"""Revenue of each category: every five minutes, and of the last fifteen as a sliding picture.

    python revenue_windows.py [--bootstrap-servers localhost:9092
                               --topic orders --output-topic revenue]

The aggregate function keeps one small sum a window, however many orders there are; the window
function then puts the key and the window's bounds beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from connections import arguments_of, records, results
from shop import Order, orders, with_event_time

from pyflink.common import Time
from pyflink.datastream import DataStream, KeyedStream, StreamExecutionEnvironment
from pyflink.datastream.functions import AggregateFunction, ProcessWindowFunction
from pyflink.datastream.window import (
    SlidingEventTimeWindows,
    TumblingEventTimeWindows,
    WindowAssigner,
)


class Revenue(NamedTuple):
    """What a category took in during a window."""

    category: str
    start: int
    end: int
    orders: int
    total: float


class SumUp(AggregateFunction):
    """Number of orders, and their amounts in cents: floats would not add up."""

    def create_accumulator(self) -> tuple[int, int]:
        return 0, 0

    def add(self, value: Order, accumulator: tuple[int, int]) -> tuple[int, int]:
        count, cents = accumulator
        return count + 1, cents + round(value.amount * 100)

    def get_result(self, accumulator: tuple[int, int]) -> tuple[int, int]:
        return accumulator

    def merge(self, acc_a: tuple[int, int], acc_b: tuple[int, int]) -> tuple[int, int]:
        return acc_a[0] + acc_b[0], acc_a[1] + acc_b[1]


class Describe(ProcessWindowFunction):
    """The aggregate does not know its key and window; this function does."""

    def process(
        self,
        key: str,
        context: ProcessWindowFunction.Context,
        elements: Iterable[tuple[int, int]],
    ) -> Iterator[Revenue]:
        count, cents = next(iter(elements))
        window = context.window()
        yield Revenue(key, window.start, window.end, count, cents / 100)

    def clear(self, context: ProcessWindowFunction.Context) -> None:
        """Nothing is kept a window."""


def by_category(stream: DataStream) -> KeyedStream:
    """Orders with event time, by category."""
    return stream.key_by(lambda order: order.category)


def revenue(keyed: KeyedStream, windows: WindowAssigner) -> DataStream:
    """A Revenue for each category and window."""
    return keyed.window(windows).aggregate(SumUp(), window_function=Describe())


def every_five_minutes(stream: DataStream) -> DataStream:
    """Windows that do not overlap: each order counts once."""
    return revenue(by_category(stream), TumblingEventTimeWindows.of(Time.minutes(5)))


def last_fifteen_minutes(stream: DataStream) -> DataStream:
    """A new picture every five minutes: each order counts in three of them."""
    windows = SlidingEventTimeWindows.of(Time.minutes(15), Time.minutes(5))
    return revenue(by_category(stream), windows)


def main() -> None:
    arguments = arguments_of(__doc__)
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(1)
    stream = with_event_time(records(env, arguments, Order, orders()))
    results(every_five_minutes(stream), arguments, "5-minutes")
    results(last_fifteen_minutes(stream), arguments, "15-minutes")
    env.execute("revenue windows")


if __name__ == "__main__":
    main()
