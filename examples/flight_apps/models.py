"""The records of the flight applications, and their way to and from Row.

Two airlines report bookings in formats of their own (:class:`SkyoneBooking`,
:class:`SunsetBooking`); both become a :class:`Flight`, and flights are summed up to
:class:`UserStatistics`. Functions of a job work with these classes; what travels through Kafka or
is kept in typed state is a Row with named fields, see :meth:`Record.row_type`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from pyflink.common import Row, Types
from pyflink.common.typeinfo import RowTypeInfo

# Annotations are texts here (`from __future__ import annotations`).
_TYPES = {"str": Types.STRING, "int": Types.INT}


@dataclass
class Record:
    """What the records share: their fields say how the row looks."""

    @classmethod
    def row_type(cls, *names: str) -> RowTypeInfo:
        """The type of the record's row, or of some of its fields (a Kafka key, say)."""
        chosen = [field for field in fields(cls) if not names or field.name in names]
        return Types.ROW_NAMED(
            [field.name for field in chosen], [_TYPES[str(field.type)]() for field in chosen]
        )

    @classmethod
    def from_row(cls, row: Row) -> Any:
        return cls(**{field.name: row[field.name] for field in fields(cls)})

    def to_row(self) -> Row:
        return Row(**asdict(self))


@dataclass
class Flight(Record):
    """A booked flight of any airline; times are ISO 8601 texts."""

    email_address: str
    departure_time: str
    departure_airport_code: str
    arrival_time: str
    arrival_airport_code: str
    flight_number: str
    confirmation: str
    source: str

    @property
    def duration_minutes(self) -> int:
        took = datetime.fromisoformat(self.arrival_time) - datetime.fromisoformat(
            self.departure_time
        )
        return int(took.total_seconds()) // 60

    def arrives_after(self, moment: datetime) -> bool:
        return datetime.fromisoformat(self.arrival_time) > moment


@dataclass
class SkyoneBooking(Record):
    """A booking as the airline Sky One reports it, on topic `skyone`."""

    email_address: str
    flight_departure_time: str
    iata_departure_code: str
    flight_arrival_time: str
    iata_arrival_code: str
    flight_number: str
    confirmation: str
    ticket_price: int
    aircraft: str
    booking_agency_email: str

    def to_flight(self) -> Flight:
        return Flight(
            email_address=self.email_address,
            departure_time=self.flight_departure_time,
            departure_airport_code=self.iata_departure_code,
            arrival_time=self.flight_arrival_time,
            arrival_airport_code=self.iata_arrival_code,
            flight_number=self.flight_number,
            confirmation=self.confirmation,
            source="skyone",
        )


@dataclass
class SunsetBooking(Record):
    """A booking as the airline Sunset reports it, on topic `sunset`."""

    customer_email_address: str
    departure_time: str
    departure_airport: str
    arrival_time: str
    arrival_airport: str
    flight_duration: int
    flight_id: str
    reference_number: str
    total_price: int
    aircraft_details: str

    def to_flight(self) -> Flight:
        return Flight(
            email_address=self.customer_email_address,
            departure_time=self.departure_time,
            departure_airport_code=self.departure_airport,
            arrival_time=self.arrival_time,
            arrival_airport_code=self.arrival_airport,
            flight_number=self.flight_id,
            confirmation=self.reference_number,
            source="sunset",
        )


@dataclass
class UserStatistics(Record):
    """How often and how long one customer flies."""

    email_address: str
    total_flight_duration: int
    number_of_flights: int

    @classmethod
    def of_flight(cls, flight: Flight) -> UserStatistics:
        return cls(flight.email_address, flight.duration_minutes, 1)

    def merged_with(self, other: UserStatistics) -> UserStatistics:
        """Both together; they must belong to the same customer."""
        if self.email_address != other.email_address:
            raise ValueError(
                f"statistics of {self.email_address} and {other.email_address} cannot be merged"
            )
        return UserStatistics(
            self.email_address,
            self.total_flight_duration + other.total_flight_duration,
            self.number_of_flights + other.number_of_flights,
        )
