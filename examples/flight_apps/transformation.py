"""One airline's bookings become flights: map and filter.

python transformation.py --brokers localhost:9092
"""

from __future__ import annotations

from datetime import datetime

from kafka_io import parse_arguments, source_of
from models import SkyoneBooking

from pyflink.common import WatermarkStrategy
from pyflink.datastream import DataStream, StreamExecutionEnvironment


def define_workflow(bookings: DataStream) -> DataStream:
    """Rows of Sky One's bookings in, :class:`Flight` objects that are not over yet out.

    Without an output type a function may return any Python object; it travels as it is.
    """
    return bookings.map(lambda row: SkyoneBooking.from_row(row).to_flight()).filter(
        lambda flight: flight.arrives_after(datetime.now())
    )


def main() -> None:
    arguments = parse_arguments(__doc__)
    env = StreamExecutionEnvironment.get_execution_environment()
    bookings = env.from_source(
        source_of(arguments, "skyone", SkyoneBooking), WatermarkStrategy.no_watermarks(), "skyone"
    )
    define_workflow(bookings).print()
    env.execute("flight transformation")


if __name__ == "__main__":
    main()
