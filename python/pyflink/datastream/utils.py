"""Helpers kept for their names."""

from __future__ import annotations

from abc import ABC, abstractmethod

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pyflink.common.typeinfo import TypeInformation

__all__ = ["ResultTypeQueryable"]


class ResultTypeQueryable(ABC):
    """Something that says what type its records have."""

    @abstractmethod
    def get_produced_type(self) -> TypeInformation:
        """Type of the records."""


def convert_to_python_obj(data: Any, type_info: TypeInformation) -> Any:
    """The value itself: the engine's values are Python's."""
    return data


def pickled_bytes_to_python_obj(data: bytes, type_info: TypeInformation) -> Any:
    """What was pickled."""
    from pickle import loads

    return loads(data)
