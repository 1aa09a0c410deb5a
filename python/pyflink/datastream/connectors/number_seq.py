"""A sequence of numbers."""

from __future__ import annotations

from pyflink.common.typeinfo import Types
from pyflink.datastream.connectors.base import Source

__all__ = ["NumberSequenceSource"]


class NumberSequenceSource(Source):
    """The numbers `start` to `end`, both included, read in parallel; bounded.

    :raises ValueError: when `start` is above `end`.
    """

    def __init__(self, start: int, end: int) -> None:
        if start > end:
            raise ValueError(f"'from' must be <= 'to', got {start} and {end}")
        super().__init__("sequence", {"start": str(start), "end": str(end)}, Types.LONG(), True)
