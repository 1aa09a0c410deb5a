"""Serializers written in Python, for windows of one's own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import GenericAlias

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from io import BytesIO
    from typing import Any

__all__ = ["TypeSerializer", "VoidNamespaceSerializer"]


class TypeSerializer(ABC):
    """Writes values of one type to bytes and reads them back."""

    __class_getitem__: Any = classmethod(GenericAlias)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, self.__class__) and self.__dict__ == other.__dict__

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}()"

    def __hash__(self) -> int:
        return hash(repr(self))

    @abstractmethod
    def serialize(self, element: Any, stream: BytesIO) -> None:
        """Writes `element` to `stream`."""

    @abstractmethod
    def deserialize(self, stream: BytesIO) -> Any:
        """Reads what :meth:`serialize` wrote."""


class VoidNamespaceSerializer(TypeSerializer):
    """Serializer of the namespace of state outside windows: nothing to write."""

    def serialize(self, element: Any, stream: BytesIO) -> None:
        """Writes nothing."""

    def deserialize(self, stream: BytesIO) -> bytes:
        """Empty bytes."""
        return b""
