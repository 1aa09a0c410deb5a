"""Windows of both statistics: what is the same, and what the state adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import stateful_statistics
import window_statistics
from data_gen import BookingGenerator
from models import Flight, UserStatistics

from pyflink.common import WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import DataStream, StreamExecutionEnvironment

BOOKINGS = BookingGenerator(seed=4)
BOTH = pytest.mark.parametrize(
    "define_workflow", [window_statistics.define_workflow, stateful_statistics.define_workflow]
)


def flight_of(customer: str) -> Flight:
    return replace(BOOKINGS.skyone().to_flight(), email_address=customer)


def timed(env: StreamExecutionEnvironment, flights: Sequence[tuple[int, Flight]]) -> DataStream:
    """A stream of (second, flight) with that event time."""
    second_of = {flight.confirmation: second for second, flight in flights}

    class Seconds(TimestampAssigner):
        def extract_timestamp(self, value, record_timestamp):
            return second_of[value.confirmation] * 1000

    return env.from_collection(
        [flight.to_row() for _, flight in flights]
    ).assign_timestamps_and_watermarks(
        WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(Seconds())
    )


def total(*flights: Flight) -> UserStatistics:
    result = UserStatistics.of_flight(flights[0])
    for flight in flights[1:]:
        result = result.merged_with(UserStatistics.of_flight(flight))
    return result


def collected(stream: DataStream) -> list[UserStatistics]:
    return sorted(
        stream.execute_and_collect(), key=lambda s: (s.email_address, s.number_of_flights)
    )


@BOTH
def test_a_flight_becomes_statistics(env, define_workflow) -> None:
    flight = flight_of("ann@example.com")
    assert collected(define_workflow(timed(env, [(0, flight)]))) == [total(flight)]


@BOTH
def test_customers_are_counted_apart(env, define_workflow) -> None:
    ann, bob, again = map(flight_of, ["ann@example.com", "bob@example.com", "ann@example.com"])
    stream = timed(env, [(0, ann), (1, bob), (2, again)])
    assert collected(define_workflow(stream)) == [total(ann, again), total(bob)]


def test_every_minute_counts_anew(env) -> None:
    flights = [flight_of("ann@example.com") for _ in range(3)]
    stream = timed(env, list(zip([58, 59, 60], flights, strict=True)))
    assert collected(window_statistics.define_workflow(stream)) == [
        total(flights[2]),
        total(*flights[:2]),
    ]


def test_state_adds_the_minutes_up(env) -> None:
    flights = [flight_of("ann@example.com") for _ in range(3)]
    stream = timed(env, list(zip([58, 59, 60], flights, strict=True)))
    assert collected(stateful_statistics.define_workflow(stream)) == [
        total(*flights[:2]),
        total(*flights),
    ]
