"""Flights and minutes of each customer, minute by minute: an event-time window with reduce.

    python window_statistics.py --brokers localhost:9092

Reads `flightdata`, writes `userstatistics`. Every window counts anew; stateful_statistics.py keeps
on adding.
"""

from __future__ import annotations

from kafka_io import parse_arguments, sink_of, source_of
from models import Flight, UserStatistics

from pyflink.common import Time, WatermarkStrategy
from pyflink.datastream import DataStream, StreamExecutionEnvironment
from pyflink.datastream.window import TumblingEventTimeWindows


def define_workflow(flights: DataStream) -> DataStream:
    """Rows of flights with timestamps in, a :class:`UserStatistics` a customer and minute out."""
    return (
        flights.map(lambda row: UserStatistics.of_flight(Flight.from_row(row)))
        .key_by(lambda statistics: statistics.email_address)
        .window(TumblingEventTimeWindows.of(Time.minutes(1)))
        .reduce(UserStatistics.merged_with)
    )


def main() -> None:
    arguments = parse_arguments(__doc__)
    env = StreamExecutionEnvironment.get_execution_environment()
    # No timestamp assigner: the time at which Kafka got the record counts.
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
    env.execute("window statistics")


if __name__ == "__main__":
    main()
