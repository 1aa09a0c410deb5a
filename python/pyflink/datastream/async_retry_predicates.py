"""Ready-made conditions for asking again: arguments of the retry strategies."""

from __future__ import annotations

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["empty_result_predicate", "exception_type_predicate", "has_exception_predicate"]


def empty_result_predicate(result: list[Any]) -> bool:
    """There are no results."""
    return not result


def has_exception_predicate(error: Any) -> bool:
    """Something was raised."""
    return error is not None


def exception_type_predicate(error: Any, expected_error_type: Any) -> bool:
    """What was raised is of a type; bind the type, for instance by ``functools.partial``."""
    return isinstance(error, expected_error_type)
