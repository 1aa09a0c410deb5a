"""What a harness puts out besides plain values."""

from __future__ import annotations

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["StreamRecord", "Watermark", "WatermarkStatus"]


class StreamRecord:
    """A value with its event timestamp (None: it has none). Equal by both."""

    __slots__ = ("timestamp", "value")

    def __init__(self, value: Any, timestamp: int | None = None) -> None:
        self.value = value
        self.timestamp = timestamp

    def get_value(self) -> Any:
        """The value."""
        return self.value

    def get_timestamp(self) -> int | None:
        """The timestamp in milliseconds, or None."""
        return self.timestamp

    def has_timestamp(self) -> bool:
        """Whether there is a timestamp."""
        return self.timestamp is not None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, StreamRecord):
            return NotImplemented
        return bool(self.value == other.value) and self.timestamp == other.timestamp

    __hash__ = None  # type: ignore[assignment]  # values may be lists and dicts

    def __repr__(self) -> str:
        at = "" if self.timestamp is None else f", {self.timestamp}"
        return f"StreamRecord({self.value!r}{at})"


class Watermark:
    """No record with a timestamp up to this one is expected any more."""

    __slots__ = ("timestamp",)

    def __init__(self, timestamp: int) -> None:
        self.timestamp = timestamp

    def get_timestamp(self) -> int:
        """Milliseconds."""
        return self.timestamp

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Watermark) and self.timestamp == other.timestamp

    def __hash__(self) -> int:
        return hash((Watermark, self.timestamp))

    def __repr__(self) -> str:
        return f"Watermark({self.timestamp})"


class WatermarkStatus:
    """Whether a stream takes part in event time: ``WatermarkStatus.IDLE`` and ``ACTIVE``."""

    __slots__ = ("_idle",)

    IDLE: WatermarkStatus
    ACTIVE: WatermarkStatus

    def __init__(self, idle: bool) -> None:
        self._idle = idle

    def is_idle(self) -> bool:
        """The stream does not hold back the watermark."""
        return self._idle

    def is_active(self) -> bool:
        """The stream takes part."""
        return not self._idle

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WatermarkStatus) and self._idle == other._idle

    def __hash__(self) -> int:
        return hash((WatermarkStatus, self._idle))

    def __repr__(self) -> str:
        return f"WatermarkStatus.{'IDLE' if self._idle else 'ACTIVE'}"


WatermarkStatus.IDLE = WatermarkStatus(True)
WatermarkStatus.ACTIVE = WatermarkStatus(False)


def captured(entry: tuple[int, Any, int | None]) -> StreamRecord | Watermark | WatermarkStatus:
    """An entry of the engine's capture log."""
    kind, value, time = entry
    if kind == 0:
        return StreamRecord(value, time)
    if kind == 1:
        return Watermark(time or 0)
    return WatermarkStatus.IDLE if kind == 2 else WatermarkStatus.ACTIVE
