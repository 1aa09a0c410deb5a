from __future__ import annotations

import pytest
from data_gen import BookingGenerator
from models import Flight, SkyoneBooking, SunsetBooking, UserStatistics

from pyflink.common import Types

BOOKINGS = BookingGenerator(seed=7)


@pytest.mark.parametrize("booking", [BOOKINGS.skyone(), BOOKINGS.sunset()])
def test_a_booking_survives_the_way_through_a_row(booking: SkyoneBooking | SunsetBooking) -> None:
    assert type(booking).from_row(booking.to_row()) == booking


def test_both_airlines_bookings_become_flights() -> None:
    skyone, sunset = BOOKINGS.skyone(), BOOKINGS.sunset()
    assert skyone.to_flight().confirmation == skyone.confirmation
    assert skyone.to_flight().source == "skyone"
    assert sunset.to_flight().confirmation == sunset.reference_number
    assert sunset.to_flight().duration_minutes == sunset.flight_duration


def test_the_row_type_names_all_fields_or_those_asked_for() -> None:
    assert Flight.row_type().get_field_names()[:2] == ["email_address", "departure_time"]
    assert UserStatistics.row_type("email_address") == Types.ROW_NAMED(
        ["email_address"], [Types.STRING()]
    )


def test_statistics_of_one_customer_add_up() -> None:
    first = UserStatistics("a@example.com", 90, 1)
    assert first.merged_with(UserStatistics("a@example.com", 30, 2)) == UserStatistics(
        "a@example.com", 120, 3
    )


def test_statistics_of_two_customers_do_not_merge() -> None:
    with pytest.raises(ValueError, match="cannot be merged"):
        UserStatistics("a@example.com", 1, 1).merged_with(UserStatistics("b@example.com", 1, 1))
