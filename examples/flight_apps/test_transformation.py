from __future__ import annotations

from datetime import datetime, timedelta

from data_gen import BookingGenerator
from transformation import define_workflow

from pyflink.datastream import StreamExecutionEnvironment

BOOKINGS = BookingGenerator(seed=1)
SOON = datetime.now() + timedelta(hours=1)
JUST_NOW = datetime.now() - timedelta(minutes=1)


def test_a_booking_becomes_a_flight(env: StreamExecutionEnvironment) -> None:
    booking = BOOKINGS.skyone(arrival=SOON)
    flights = list(define_workflow(env.from_collection([booking.to_row()])).execute_and_collect())
    assert flights == [booking.to_flight()]


def test_flights_that_are_over_are_left_out(env: StreamExecutionEnvironment) -> None:
    coming, over = BOOKINGS.skyone(arrival=SOON), BOOKINGS.skyone(arrival=JUST_NOW)
    stream = env.from_collection([over.to_row(), coming.to_row()])
    with define_workflow(stream).execute_and_collect() as flights:
        assert [flight.confirmation for flight in flights] == [coming.confirmation]
