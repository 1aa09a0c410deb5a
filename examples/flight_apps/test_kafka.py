"""The applications as processes, one after the other over the topics of an embedded broker."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka_io import source_of
from models import Flight, Record, SkyoneBooking, SunsetBooking, UserStatistics

from pyflink._mock_kafka import MockKafka
from pyflink.common import WatermarkStrategy
from pyflink.datastream import StreamExecutionEnvironment

BOOKINGS = 2000


@pytest.fixture
def brokers() -> Iterator[str]:
    with MockKafka() as kafka:
        for topic in ("skyone", "sunset", "flightdata", "userstatistics"):
            kafka.create_topic(topic, 5)
        yield kafka.bootstrap_servers


def run(script: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent / script), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def records_of(brokers: str, topic: str, record: type[Record]) -> list:
    env = StreamExecutionEnvironment.get_execution_environment()
    source = source_of(argparse.Namespace(brokers=brokers, bounded=True), topic, record)
    stream = env.from_source(source, WatermarkStrategy.no_watermarks(), topic)
    return list(stream.map(record.from_row).execute_and_collect())


def test_bookings_become_flights_and_statistics(brokers: str) -> None:
    run("data_gen.py", "--brokers", brokers, "--count", str(BOOKINGS), "--rate", "1000000")
    bookings = records_of(brokers, "skyone", SkyoneBooking) + records_of(
        brokers, "sunset", SunsetBooking
    )
    assert len(bookings) == BOOKINGS

    run("importer.py", "--brokers", brokers, "--bounded")
    flights = records_of(brokers, "flightdata", Flight)
    # Some flights are over, and one may have ended since the importer looked.
    assert BOOKINGS // 2 < len(flights) < BOOKINGS
    booked = {booking.to_flight().confirmation: booking.to_flight() for booking in bookings}
    assert all(booked[flight.confirmation] == flight for flight in flights)

    run("stateful_statistics.py", "--brokers", brokers, "--bounded")
    latest: dict[str, UserStatistics] = {}
    for statistics in records_of(brokers, "userstatistics", UserStatistics):
        known = latest.setdefault(statistics.email_address, statistics)
        if statistics.number_of_flights > known.number_of_flights:
            latest[statistics.email_address] = statistics
    wanted: dict[str, UserStatistics] = {}
    for flight in flights:
        new = UserStatistics.of_flight(flight)
        old = wanted.get(flight.email_address)
        wanted[flight.email_address] = new if old is None else old.merged_with(new)
    assert latest == wanted


def test_branching_runs_without_a_broker() -> None:
    output = run("branching.py")
    assert "departing" in output
    assert "long-haul" in output
