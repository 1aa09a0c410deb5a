"""Makes bookings of two airlines and sends them to the topics `skyone` and `sunset`.

    python data_gen.py --brokers localhost:9092 --count 1000 --rate 50

It is a job too: numbers become bookings in a process function, a side output parts the airlines,
and two Kafka sinks write them.
"""

from __future__ import annotations

import argparse
import random
import string
import time
from collections.abc import Iterator
from datetime import datetime, timedelta

from kafka_io import sink_of
from models import SkyoneBooking, SunsetBooking

from pyflink.common import Types, WatermarkStrategy
from pyflink.datastream import OutputTag, StreamExecutionEnvironment
from pyflink.datastream.connectors.number_seq import NumberSequenceSource
from pyflink.datastream.functions import ProcessFunction

AIRPORTS = ["ATL", "BOS", "DEN", "DFW", "JFK", "LAS", "LAX", "MIA", "ORD", "PHX", "SEA", "SFO"]


class BookingGenerator:
    """Bookings of a fixed group of customers; the same seed makes the same bookings."""

    def __init__(self, seed: int | None = None, customers: int = 100) -> None:
        self._random = random.Random(seed)
        self._customers = [f"{self._letters(5).lower()}@example.com" for _ in range(customers)]

    def skyone(self, arrival: datetime | None = None) -> SkyoneBooking:
        """A Sky One booking, of a flight that arrives at `arrival` if that is given."""
        departure_time, arrival_time = self._times(arrival)
        return SkyoneBooking(
            email_address=self._random.choice(self._customers),
            flight_departure_time=_text(departure_time),
            iata_departure_code=self._random.choice(AIRPORTS),
            flight_arrival_time=_text(arrival_time),
            iata_arrival_code=self._random.choice(AIRPORTS),
            flight_number=f"SKY1{self._random.randrange(1000)}",
            confirmation=f"SKY1{self._letters(6)}",
            ticket_price=self._random.randrange(500, 1500),
            aircraft=f"Aircraft{self._letters(3)}",
            booking_agency_email=self._random.choice(self._customers),
        )

    def sunset(self, arrival: datetime | None = None) -> SunsetBooking:
        """A Sunset booking, of a flight that arrives at `arrival` if that is given."""
        departure_time, arrival_time = self._times(arrival)
        return SunsetBooking(
            customer_email_address=self._random.choice(self._customers),
            departure_time=_text(departure_time),
            departure_airport=self._random.choice(AIRPORTS),
            arrival_time=_text(arrival_time),
            arrival_airport=self._random.choice(AIRPORTS),
            flight_duration=int((arrival_time - departure_time).total_seconds()) // 60,
            flight_id=f"SUN{self._random.randrange(1000)}",
            reference_number=f"SUN{self._letters(6)}",
            total_price=self._random.randrange(300, 1800),
            aircraft_details=f"Aircraft{self._letters(4)}",
        )

    def _letters(self, count: int) -> str:
        return "".join(self._random.choices(string.ascii_uppercase, k=count))

    def _times(self, arrival: datetime | None) -> tuple[datetime, datetime]:
        duration = timedelta(seconds=self._random.randrange(30 * 60, 15 * 3600))
        if arrival is None:
            # From three weeks ago to two months ahead: some flights are over already.
            arrival = datetime.now() + timedelta(minutes=self._random.randrange(-28_800, 86_400))
        return arrival - duration, arrival


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


SUNSET = OutputTag("sunset", SunsetBooking.row_type())


class MakeBookings(ProcessFunction):
    """Numbers to bookings, `rate` a second: Sky One's in the stream, Sunset's in a side output."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._bookings = BookingGenerator()
        self._begin = 0.0

    def open(self, runtime_context: object) -> None:
        self._begin = time.monotonic()

    def process_element(self, value: int, ctx: ProcessFunction.Context) -> Iterator[object]:
        ahead = self._begin + value / self._rate - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
        if value % 2 == 0:
            yield self._bookings.skyone().to_row()
        else:
            yield SUNSET, self._bookings.sunset().to_row()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--brokers", default="localhost:9092", help="Kafka, host:port,...")
    parser.add_argument("--count", type=int, default=1000, help="bookings of both airlines")
    parser.add_argument("--rate", type=float, default=50, help="bookings a second")
    arguments = parser.parse_args()

    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(1)
    numbers = env.from_source(
        NumberSequenceSource(0, arguments.count - 1),
        WatermarkStrategy.no_watermarks(),
        "numbers",
        Types.LONG(),
    )
    skyone = numbers.process(MakeBookings(arguments.rate), SkyoneBooking.row_type())
    skyone.sink_to(sink_of(arguments, "skyone", SkyoneBooking, "confirmation")).name("skyone")
    skyone.get_side_output(SUNSET).sink_to(
        sink_of(arguments, "sunset", SunsetBooking, "reference_number")
    ).name("sunset")
    env.execute("flight data generator")
    print(f"{arguments.count} bookings sent")


if __name__ == "__main__":
    main()
