from __future__ import annotations

from datetime import datetime, timedelta

from data_gen import BookingGenerator
from importer import define_workflow

from pyflink.datastream import StreamExecutionEnvironment

BOOKINGS = BookingGenerator(seed=2)
SOON = datetime.now() + timedelta(hours=1)
JUST_NOW = datetime.now() - timedelta(minutes=1)


def test_both_airlines_are_merged(env: StreamExecutionEnvironment) -> None:
    skyone, sunset = BOOKINGS.skyone(arrival=SOON), BOOKINGS.sunset(arrival=SOON)
    workflow = define_workflow(
        env.from_collection([skyone.to_row()]), env.from_collection([sunset.to_row()])
    )
    flights = {flight.source: flight for flight in workflow.execute_and_collect()}
    assert flights == {"skyone": skyone.to_flight(), "sunset": sunset.to_flight()}


def test_flights_that_are_over_are_left_out(env: StreamExecutionEnvironment) -> None:
    skyone = [BOOKINGS.skyone(arrival=time) for time in (JUST_NOW, SOON)]
    sunset = [BOOKINGS.sunset(arrival=time) for time in (SOON, JUST_NOW)]
    workflow = define_workflow(
        env.from_collection([booking.to_row() for booking in skyone]),
        env.from_collection([booking.to_row() for booking in sunset]),
    )
    found = sorted(flight.confirmation for flight in workflow.execute_and_collect())
    assert found == sorted([skyone[1].confirmation, sunset[0].reference_number])
