"""Lengths and points of time."""

from __future__ import annotations

__all__ = ["Duration", "Instant", "Time"]


class Duration:
    """A length of time, exact to the nanosecond.

    Make one with :meth:`of_seconds` and its like; the constructor takes nanoseconds.
    """

    __slots__ = ("_nanos",)

    def __init__(self, nanos: int) -> None:
        if not isinstance(nanos, int):
            raise TypeError(
                f"a Duration is made of whole nanoseconds, got {nanos!r}; use"
                " Duration.of_millis(...)"
            )
        self._nanos = nanos

    @staticmethod
    def of_days(days: int) -> Duration:
        """That many times 24 hours."""
        return Duration(days * 86_400_000_000_000)

    @staticmethod
    def of_hours(hours: int) -> Duration:
        """That many hours."""
        return Duration(hours * 3_600_000_000_000)

    @staticmethod
    def of_millis(millis: int) -> Duration:
        """That many milliseconds."""
        return Duration(millis * 1_000_000)

    @staticmethod
    def of_minutes(minutes: int) -> Duration:
        """That many minutes."""
        return Duration(minutes * 60_000_000_000)

    @staticmethod
    def of_nanos(nanos: int) -> Duration:
        """That many nanoseconds."""
        return Duration(nanos)

    @staticmethod
    def of_seconds(seconds: int) -> Duration:
        """That many seconds."""
        return Duration(seconds * 1_000_000_000)

    def to_millis(self) -> int:
        """Whole milliseconds, rounded down."""
        return self._nanos // 1_000_000

    def to_nanos(self) -> int:
        """Nanoseconds."""
        return self._nanos

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Duration) and self._nanos == other._nanos

    def __hash__(self) -> int:
        return hash(self._nanos)

    def __repr__(self) -> str:
        if self._nanos % 1_000_000:
            return f"Duration.of_nanos({self._nanos})"
        return f"Duration.of_millis({self._nanos // 1_000_000})"


class Instant:
    """A point on the time line: seconds since the epoch and nanoseconds of that second."""

    __slots__ = ("nanos", "seconds")

    def __init__(self, seconds: int, nanos: int) -> None:
        self.seconds = seconds
        self.nanos = nanos

    def to_epoch_milli(self) -> int:
        """Milliseconds since the epoch, rounded down."""
        return self.seconds * 1000 + self.nanos // 1_000_000

    @staticmethod
    def of_epoch_milli(epoch_milli: int) -> Instant:
        """The instant of a millisecond timestamp."""
        return Instant(epoch_milli // 1000, epoch_milli % 1000 * 1_000_000)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Instant)
            and self.seconds == other.seconds
            and self.nanos == other.nanos
        )

    def __hash__(self) -> int:
        return hash((self.seconds, self.nanos))

    def __repr__(self) -> str:
        return f"Instant<{self.seconds}, {self.nanos}>"


class Time:
    """A length of time in milliseconds, as windows and state TTL take it."""

    def __init__(self, milliseconds: int) -> None:
        self._milliseconds = milliseconds

    def to_milliseconds(self) -> int:
        """The length in milliseconds."""
        return self._milliseconds

    @staticmethod
    def milliseconds(milliseconds: int) -> Time:
        """That many milliseconds."""
        return Time(milliseconds)

    @staticmethod
    def seconds(seconds: int) -> Time:
        """That many seconds."""
        return Time(seconds * 1000)

    @staticmethod
    def minutes(minutes: int) -> Time:
        """That many minutes."""
        return Time(minutes * 60_000)

    @staticmethod
    def hours(hours: int) -> Time:
        """That many hours."""
        return Time(hours * 3_600_000)

    @staticmethod
    def days(days: int) -> Time:
        """That many times 24 hours."""
        return Time(days * 86_400_000)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Time) and self._milliseconds == other._milliseconds

    def __hash__(self) -> int:
        return hash(self._milliseconds)

    def __str__(self) -> str:
        return f"{self._milliseconds} ms"

    __repr__ = __str__


def millis_of(value: object, what: str) -> int:
    """Milliseconds of a Time, Duration, timedelta or a plain number of milliseconds.

    :param what: names the argument in the error.
    """
    if isinstance(value, Time):
        value = value._milliseconds
    elif isinstance(value, Duration):
        return value.to_millis()
    elif hasattr(value, "total_seconds"):
        seconds: float = value.total_seconds()
        return round(seconds * 1000)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != int(value):
        raise TypeError(f"{what} must be a Time or Duration (whole milliseconds), got {value!r}")
    return int(value)
