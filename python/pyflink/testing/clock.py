"""Processing time in a test."""

from __future__ import annotations

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["FakeClock"]


class FakeClock:
    """A clock that moves only when told to; jobs of its environment see it as processing time.

    Timers, windows and TTL follow it. Python's ``time.time()`` does not: functions under test ask
    ``ctx.timer_service().current_processing_time()``.
    """

    def __init__(self, start: int = 0) -> None:
        self._now = start
        self._jobs: list[Any] = []

    def now(self) -> int:
        """Milliseconds since the epoch."""
        return self._now

    def set(self, time: int) -> None:
        """Moves the clock to `time`, in milliseconds; jobs do what has become due.

        :raises ValueError: for a time before the present one.
        """
        if time < self._now:
            raise ValueError(
                f"the clock is at {self._now} already and cannot go back to {time}; make a new"
                " FakeClock for another test"
            )
        self._now = time
        for job in list(self._jobs):
            job.set_time(time)

    def advance(self, millis: int) -> None:
        """Moves the clock by `millis`."""
        self.set(self._now + millis)

    def __repr__(self) -> str:
        return f"FakeClock({self._now})"
