"""Time characteristic of a job."""

from __future__ import annotations

from enum import Enum

__all__ = ["TimeCharacteristic"]


class TimeCharacteristic(Enum):
    """Which time windows go by when they do not say; event time unless set."""

    ProcessingTime = 0
    IngestionTime = 1
    EventTime = 2
