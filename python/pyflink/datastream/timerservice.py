"""Timers."""

from __future__ import annotations

from abc import ABC, abstractmethod

__all__ = ["TimerService"]


class TimerService(ABC):
    """The clock and the timers of a function; the engine's objects have these methods."""

    @abstractmethod
    def current_processing_time(self) -> int:
        """Milliseconds since the epoch."""

    @abstractmethod
    def current_watermark(self) -> int:
        """The operator's event time; the smallest 64-bit integer before the first watermark."""

    @abstractmethod
    def register_event_time_timer(self, timestamp: int) -> None:
        """Calls ``on_timer`` for this key when the watermark reaches `timestamp`.

        Once, however often registered.
        """

    @abstractmethod
    def register_processing_time_timer(self, timestamp: int) -> None:
        """Calls ``on_timer`` for this key when the clock reaches `timestamp`."""

    @abstractmethod
    def delete_event_time_timer(self, timestamp: int) -> None:
        """Forgets an event-time timer; unknown ones are ignored."""

    @abstractmethod
    def delete_processing_time_timer(self, timestamp: int) -> None:
        """Forgets a processing-time timer; unknown ones are ignored."""
