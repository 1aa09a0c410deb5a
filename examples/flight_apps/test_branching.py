from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from branching import LONG_HAUL_MINUTES, Branches, define_workflow
from data_gen import BookingGenerator
from models import Flight

from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

FLIGHT = BookingGenerator(seed=3).skyone(datetime(2025, 5, 20, 12)).to_flight()


def flight_from(airport: str, minutes: int = 60) -> Flight:
    hours, rest = divmod(minutes, 60)
    return replace(
        FLIGHT,
        departure_airport_code=airport,
        departure_time="2025-05-20T00:00:00.000",
        arrival_time=f"2025-05-20T{hours:02}:{rest:02}:00.000",
        flight_number=f"{airport}-{minutes}",
    )


def branches_of(
    env: StreamExecutionEnvironment, flights: list[Flight], closures: list[tuple[str, bool]]
) -> Branches:
    env.set_parallelism(1)
    return define_workflow(
        env.from_collection([flight.to_row() for flight in flights], Flight.row_type()),
        env.from_collection(closures, Types.TUPLE([Types.STRING(), Types.BOOLEAN()])),
    )


def test_every_flight_goes_one_way(env: StreamExecutionEnvironment) -> None:
    # Which of two inputs is read first is not defined: with either order nothing is lost.
    flights = [flight_from("SFO", 10), flight_from("JFK", 20), flight_from("JFK", 30)]
    branches = branches_of(env, flights, [("SFO", True)])
    numbers = branches.departing.union(branches.grounded).map(lambda row: row.flight_number)
    assert sorted(numbers.execute_and_collect()) == ["JFK-20", "JFK-30", "SFO-10"]


def test_an_open_airport_grounds_nobody(env: StreamExecutionEnvironment) -> None:
    branches = branches_of(env, [flight_from("SFO")], [("SFO", False), ("JFK", True)])
    assert list(branches.grounded.execute_and_collect()) == []


def test_long_flights_are_reported_and_still_pass(env: StreamExecutionEnvironment) -> None:
    flights = [flight_from("JFK", LONG_HAUL_MINUTES - 1), flight_from("JFK", LONG_HAUL_MINUTES)]
    branches = branches_of(env, flights, [("SFO", True)])
    reported = branches.long_haul.map(lambda number: f"long {number}", Types.STRING())
    passed = branches.departing.map(lambda row: row.flight_number, Types.STRING())
    assert sorted(reported.union(passed).execute_and_collect()) == [
        "JFK-359",
        "JFK-360",
        "long JFK-360",
    ]
