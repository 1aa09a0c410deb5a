"""Event time: timestamps and watermarks."""

from __future__ import annotations

from abc import ABC, abstractmethod

from pyflink.common.time import Duration, millis_of

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["AssignerWithPeriodicWatermarksWrapper", "TimestampAssigner", "WatermarkStrategy"]


class TimestampAssigner(ABC):
    """Gives each record its event timestamp."""

    @abstractmethod
    def extract_timestamp(self, value: Any, record_timestamp: int) -> int:
        """Milliseconds since the epoch.

        :param value: the record.
        :param record_timestamp: the timestamp it has so far (Kafka's, for instance), or the
            smallest 64-bit integer.
        """


class WatermarkStrategy:
    """How a stream gets timestamps and watermarks.

    Immutable except for the assigner, as upstream.
    """

    def __init__(self, generator: tuple[Any, ...] | None = None) -> None:
        if generator is not None and not isinstance(generator, tuple):
            raise TypeError(
                "make a WatermarkStrategy with no_watermarks(), for_monotonous_timestamps(), "
                "for_bounded_out_of_orderness(...) or for_generator(...)"
            )
        self._generator = generator
        self._timestamp_assigner: TimestampAssigner | None = None
        self._idle_timeout_ms = 0
        self._alignment: tuple[str, int, int] | None = None

    def _copy(self) -> WatermarkStrategy:
        other = WatermarkStrategy(self._generator)
        other._timestamp_assigner = self._timestamp_assigner
        other._idle_timeout_ms = self._idle_timeout_ms
        other._alignment = self._alignment
        return other

    def with_timestamp_assigner(self, timestamp_assigner: TimestampAssigner) -> WatermarkStrategy:
        """Takes the event timestamp from `timestamp_assigner`.

        Changes and returns this strategy, as upstream.

        :raises TypeError: when it has no method ``extract_timestamp``.
        """
        if not callable(getattr(timestamp_assigner, "extract_timestamp", None)):
            from pyflink._spellings import timestamp_assigner as calling

            timestamp_assigner, given = calling(timestamp_assigner), timestamp_assigner
            if timestamp_assigner is not None:
                self._timestamp_assigner = timestamp_assigner
                return self
            raise TypeError(
                "with_timestamp_assigner needs an instance of TimestampAssigner "
                f"(a method extract_timestamp(value, record_timestamp)), got {given!r}"
            )
        self._timestamp_assigner = timestamp_assigner
        return self

    def with_idleness(self, idle_timeout: Duration) -> WatermarkStrategy:
        """Marks a split idle after `idle_timeout` without a record: it holds no other back."""
        millis = millis_of(idle_timeout, "idle_timeout")
        if millis <= 0:
            raise ValueError(f"idle_timeout must be greater than zero, got {idle_timeout}")
        other = self._copy()
        other._idle_timeout_ms = millis
        return other

    def with_watermark_alignment(
        self,
        watermark_group: str,
        max_allowed_watermark_drift: Duration,
        update_interval: Duration | None = None,
    ) -> WatermarkStrategy:
        """Keeps sources of one job together in event time.

        A subtask of a source whose watermark is more than the drift ahead of the slowest one's in
        the group reads nothing until that has caught up. Whole subtasks wait, with all their
        splits: upstream can also hold back single splits (partitions) of one subtask.

        :param watermark_group: sources with this name stay together.
        :param max_allowed_watermark_drift: how far ahead one may be; not negative.
        :param update_interval: how often watermarks are compared; a second when left out.
        :raises TypeError: when the group is no text.
        :raises ValueError: when the group is empty, the drift negative or the interval not
            positive.
        """
        if not isinstance(watermark_group, str):
            raise TypeError(f"watermark_group must be a name, got {watermark_group!r}")
        if not watermark_group:
            raise ValueError(
                "watermark_group must not be empty: sources with the same name stay together"
            )
        other = self._copy()
        other._alignment = (
            watermark_group,
            millis_of(max_allowed_watermark_drift, "max_allowed_watermark_drift"),
            1000 if update_interval is None else millis_of(update_interval, "update_interval"),
        )
        if other._alignment[1] < 0:
            raise ValueError(
                "max_allowed_watermark_drift must not be negative, got"
                f" {max_allowed_watermark_drift}"
            )
        if other._alignment[2] <= 0:
            raise ValueError(f"update_interval must be greater than zero, got {update_interval}")
        return other

    @staticmethod
    def for_monotonous_timestamps() -> WatermarkStrategy:
        """Timestamps never decrease within a split."""
        return WatermarkStrategy(("monotonous",))

    @staticmethod
    def for_bounded_out_of_orderness(max_out_of_orderness: Duration) -> WatermarkStrategy:
        """Records are at most `max_out_of_orderness` behind the newest one seen."""
        millis = millis_of(max_out_of_orderness, "max_out_of_orderness")
        if millis < 0:
            raise ValueError(
                f"max_out_of_orderness must not be negative, got {max_out_of_orderness}"
            )
        return WatermarkStrategy(("bounded", millis))

    @staticmethod
    def for_generator(generator_supplier: Callable[..., Any]) -> WatermarkStrategy:
        """Watermarks of one's own (Flink's WatermarkStrategy.forGenerator).

        :param generator_supplier: called once a split; returns an object with ``on_event(event,
            timestamp, output)`` and ``on_periodic_emit(output)``, which call
            ``output.emit_watermark(timestamp)``.
        """
        if not callable(generator_supplier):
            raise TypeError(
                f"for_generator needs a callable that makes a generator, got {generator_supplier!r}"
            )
        return WatermarkStrategy(("python", generator_supplier))

    @staticmethod
    def no_watermarks() -> WatermarkStrategy:
        """No watermarks at all: processing time only."""
        return WatermarkStrategy()

    def _native_spec(self) -> tuple[Any, ...]:
        spec = (self._generator, self._timestamp_assigner, self._idle_timeout_ms)
        return spec if self._alignment is None else (*spec, self._alignment)


class AssignerWithPeriodicWatermarksWrapper:
    """Upstream's wrapper of a Java assigner; kept for its name."""

    def __init__(self, j_assigner_with_periodic_watermarks: Any) -> None:
        self._assigner = j_assigner_with_periodic_watermarks
