"""Rows and their change kinds."""

from __future__ import annotations

from enum import Enum

__all__ = ["Row", "RowKind"]


class RowKind(Enum):
    """What a row of a changelog does."""

    INSERT = 0
    UPDATE_BEFORE = 1
    UPDATE_AFTER = 2
    DELETE = 3

    def __str__(self) -> str:
        return ("+I", "-U", "+U", "-D")[self.value]


# The native class asks this module for RowKind when a row's kind is first read, so RowKind comes
# first.
from pyflink._native import Row  # noqa: E402
