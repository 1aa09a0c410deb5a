"""What a checkpoint guarantees."""

from __future__ import annotations

from enum import Enum

__all__ = ["CheckpointingMode"]


class CheckpointingMode(Enum):
    """How often a record's effect on state may count after a restart."""

    EXACTLY_ONCE = 0
    AT_LEAST_ONCE = 1
