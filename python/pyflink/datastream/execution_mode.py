"""Streaming or batch."""

from __future__ import annotations

from enum import Enum

__all__ = ["RuntimeExecutionMode"]


class RuntimeExecutionMode(Enum):
    """How a job runs: every intermediate result, or only the final ones of a bounded input."""

    STREAMING = 0
    BATCH = 1
    AUTOMATIC = 2
