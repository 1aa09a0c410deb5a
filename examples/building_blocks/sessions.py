"""Visits: the clicks of a visitor with less than five minutes between them.

    python sessions.py [--bootstrap-servers localhost:9092
                        --topic clicks --output-topic visits]

Session windows have no fixed size. Each click opens a window of five minutes, and windows that
touch become one; a click that comes late can join two visits that looked separate.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from connections import arguments_of, records, results
from shop import Click, clicks, with_event_time

from pyflink.common import Time
from pyflink.datastream import DataStream, StreamExecutionEnvironment
from pyflink.datastream.functions import ProcessWindowFunction
from pyflink.datastream.window import EventTimeSessionWindows

GAP = Time.minutes(5)


class Visit(NamedTuple):
    """One stay of a visitor."""

    visitor: str
    start: int
    seconds: float
    pages: tuple[str, ...]
    bought: bool


class ToVisit(ProcessWindowFunction):
    """Here the single clicks are wanted, in their order, so the window keeps them all."""

    def process(
        self, key: str, context: ProcessWindowFunction.Context, elements: Iterable[Click]
    ) -> Iterator[Visit]:
        ordered = sorted(elements)
        pages = tuple(click.page for click in ordered)
        length = (ordered[-1].time - ordered[0].time) / 1000
        yield Visit(key, ordered[0].time, length, pages, "/cart" in pages)

    def clear(self, context: ProcessWindowFunction.Context) -> None:
        """Nothing is kept a window."""


def visits(stream: DataStream) -> DataStream:
    """Clicks with event time in, visits out."""
    return (
        stream.key_by(lambda click: click.visitor)
        .window(EventTimeSessionWindows.with_gap(GAP))
        .process(ToVisit())
    )


def main() -> None:
    arguments = arguments_of(__doc__)
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(1)
    stream = with_event_time(records(env, arguments, Click, clicks()))
    results(visits(stream), arguments)
    env.execute("sessions")


if __name__ == "__main__":
    main()
