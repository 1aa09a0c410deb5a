"""One stream becomes several: side outputs, and a second stream that steers the first.

    python branching.py

Flights are checked against closures of airports. A flight from a closed airport goes to a side
output, a long flight is reported on another, and the rest passes. Runs on a few flights of its own
and needs no broker.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from models import Flight

from pyflink.common import Row, Types
from pyflink.datastream import DataStream, OutputTag, StreamExecutionEnvironment
from pyflink.datastream.functions import KeyedCoProcessFunction, ProcessFunction, RuntimeContext
from pyflink.datastream.state import ValueStateDescriptor

LONG_HAUL_MINUTES = 6 * 60

GROUNDED = OutputTag("grounded", Flight.row_type())
LONG_HAUL = OutputTag("long-haul", Types.STRING())


class HoldGroundedFlights(KeyedCoProcessFunction):
    """Both streams are keyed by airport, so they see the same state: is this airport closed?"""

    def open(self, runtime_context: RuntimeContext) -> None:
        self._closed = runtime_context.get_state(ValueStateDescriptor("closed", Types.BOOLEAN()))

    def process_element1(self, value: Row, ctx: KeyedCoProcessFunction.Context) -> Iterator[object]:
        yield (GROUNDED, value) if self._closed.value() else value

    def process_element2(
        self, value: tuple[str, bool], ctx: KeyedCoProcessFunction.Context
    ) -> None:
        self._closed.update(value[1])


class ReportLongHaul(ProcessFunction):
    """All flights pass; the numbers of long ones go to the side output as well."""

    def process_element(self, value: Row, ctx: ProcessFunction.Context) -> Iterator[object]:
        if Flight.from_row(value).duration_minutes >= LONG_HAUL_MINUTES:
            yield LONG_HAUL, value.flight_number
        yield value


class Branches(NamedTuple):
    """The three streams that come out."""

    departing: DataStream
    grounded: DataStream
    long_haul: DataStream


def define_workflow(flights: DataStream, closures: DataStream) -> Branches:
    """Rows of flights and (airport, is closed) pairs in, three streams out."""
    checked = (
        flights.connect(closures)
        .key_by(lambda flight: flight.departure_airport_code, lambda closure: closure[0])
        .process(HoldGroundedFlights(), Flight.row_type())
    )
    departing = checked.process(ReportLongHaul(), Flight.row_type())
    return Branches(
        departing, checked.get_side_output(GROUNDED), departing.get_side_output(LONG_HAUL)
    )


def main() -> None:
    from data_gen import BookingGenerator

    bookings = BookingGenerator(seed=1)
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(1)
    flights = env.from_collection(
        [bookings.skyone().to_flight().to_row() for _ in range(20)], Flight.row_type()
    )
    closures = env.from_collection([("SFO", True), ("LAX", True), ("LAX", False)])
    branches = define_workflow(flights, closures)
    branches.departing.map(lambda flight: flight.flight_number).print("departing")
    branches.grounded.map(lambda flight: flight.flight_number).print("grounded")
    branches.long_haul.print("long-haul")
    env.execute("flight branching")


if __name__ == "__main__":
    main()
