"""Flights and minutes of each customer since the beginning: windows that add to keyed state.

    python stateful_statistics.py --brokers localhost:9092

Reads `flightdata`, writes `userstatistics`. The window collects a minute, so that a customer who
books often makes one record a minute; its function adds the minute to what the state holds for all
windows of the key.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kafka_io import parse_arguments, sink_of, source_of
from models import Flight, UserStatistics

from pyflink.common import Time, WatermarkStrategy
from pyflink.datastream import DataStream, StreamExecutionEnvironment
from pyflink.datastream.functions import ProcessWindowFunction
from pyflink.datastream.state import ValueStateDescriptor
from pyflink.datastream.window import TumblingEventTimeWindows


class AddToTotal(ProcessWindowFunction):
    """Gets the window's reduced statistics and emits the customer's total."""

    # The declared type is how the value is kept and checkpointed: a row with named fields.
    _total = ValueStateDescriptor("total", UserStatistics.row_type())

    def process(
        self,
        key: str,
        context: ProcessWindowFunction.Context,
        elements: Iterable[UserStatistics],
    ) -> Iterator[UserStatistics]:
        total = context.global_state().get_state(self._total)
        before = total.value()
        statistics = next(iter(elements))
        if before is not None:
            statistics = UserStatistics.from_row(before).merged_with(statistics)
        total.update(statistics.to_row())
        yield statistics

    def clear(self, context: ProcessWindowFunction.Context) -> None:
        """Nothing is kept a window."""


def define_workflow(flights: DataStream) -> DataStream:
    """Rows of flights with timestamps in, totals of the customers who flew in a minute out."""
    return (
        flights.map(lambda row: UserStatistics.of_flight(Flight.from_row(row)))
        .key_by(lambda statistics: statistics.email_address)
        .window(TumblingEventTimeWindows.of(Time.minutes(1)))
        .reduce(UserStatistics.merged_with, window_function=AddToTotal())
    )


def main() -> None:
    arguments = parse_arguments(__doc__)
    env = StreamExecutionEnvironment.get_execution_environment()
    env.enable_checkpointing(10_000)
    flights = env.from_source(
        source_of(arguments, "flightdata", Flight),
        WatermarkStrategy.for_monotonous_timestamps(),
        "flightdata",
    )
    define_workflow(flights).map(
        lambda statistics: statistics.to_row(), output_type=UserStatistics.row_type()
    ).sink_to(sink_of(arguments, "userstatistics", UserStatistics, "email_address")).name(
        "userstatistics"
    )
    env.execute("stateful statistics")


if __name__ == "__main__":
    main()
