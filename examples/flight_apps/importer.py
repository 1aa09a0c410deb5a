"""Merges the bookings of two airlines into one topic of flights: union.

    python importer.py --brokers localhost:9092

Reads `skyone` and `sunset`, writes `flightdata`.
"""

from __future__ import annotations

from datetime import datetime

from kafka_io import parse_arguments, sink_of, source_of
from models import Flight, SkyoneBooking, SunsetBooking

from pyflink.common import WatermarkStrategy
from pyflink.datastream import DataStream, StreamExecutionEnvironment


def define_workflow(skyone: DataStream, sunset: DataStream) -> DataStream:
    """Rows of both airlines' bookings in, :class:`Flight` objects that are not over yet out."""
    flights = skyone.map(lambda row: SkyoneBooking.from_row(row).to_flight()).union(
        sunset.map(lambda row: SunsetBooking.from_row(row).to_flight())
    )
    return flights.filter(lambda flight: flight.arrives_after(datetime.now()))


def main() -> None:
    arguments = parse_arguments(__doc__)
    env = StreamExecutionEnvironment.get_execution_environment()
    skyone = env.from_source(
        source_of(arguments, "skyone", SkyoneBooking), WatermarkStrategy.no_watermarks(), "skyone"
    )
    sunset = env.from_source(
        source_of(arguments, "sunset", SunsetBooking), WatermarkStrategy.no_watermarks(), "sunset"
    )
    # A sink needs to know its fields: the map says the type of the rows it makes.
    define_workflow(skyone, sunset).map(
        lambda flight: flight.to_row(), output_type=Flight.row_type()
    ).sink_to(sink_of(arguments, "flightdata", Flight, "confirmation")).name("flightdata")
    env.execute("flight importer")


if __name__ == "__main__":
    main()
