"""Helpers kept for their names."""

from __future__ import annotations

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


__all__ = ["JavaObjectWrapper"]


class JavaObjectWrapper:
    """Base of upstream's wrappers of Java objects; there is no Java here."""

    def __init__(self, j_object: Any) -> None:
        self._j_object = j_object

    def get_java_object(self) -> Any:
        """The object it was made with."""
        return self._j_object
