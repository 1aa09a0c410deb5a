"""What all connectors share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pyflink.common.typeinfo import TypeInformation
    from pyflink.datastream._graph import Transformation
    from pyflink.datastream.data_stream import DataStream

__all__ = ["DeliveryGuarantee", "Sink", "Source", "StreamTransformer", "SupportsPreprocessing"]


class DeliveryGuarantee(Enum):
    """How often a record arrives when a job restarts."""

    # these values are upstream's
    EXACTLY_ONCE = (0,)
    AT_LEAST_ONCE = (1,)
    NONE = 2


class Source:
    """Base of a connector's source.

    It names a native connector, its options and the type of its records.
    """

    def __init__(
        self, connector: str, options: dict[str, str], type_info: TypeInformation, bounded: bool
    ) -> None:
        self._connector = connector
        self._options = options
        self._type_info = type_info
        self._bounded = bounded

    def _source_spec(self) -> tuple[str, dict[str, str], TypeInformation, bool]:
        """(connector, options, type of the records, whether it ends)."""
        return self._connector, dict(self._options), self._type_info, self._bounded

    def get_java_function(self) -> Any:
        """Not available.

        :raises NotSupportedError: always.
        """
        from pyflink._not_yet import not_yet

        raise not_yet("Source.get_java_function")


class Sink:
    """Base of a connector's sink: it adds its operators to a stream."""

    def __init__(self, connector: str, options: dict[str, str], name: str = "Writer") -> None:
        self._connector = connector
        self._options = options
        self._name = name

    def _prepare(self, stream: DataStream, added: list[Transformation]) -> DataStream:
        """Operators before the sink, which are appended to `added`."""
        return stream

    def _options_for(self, stream: DataStream) -> dict[str, str]:
        """The engine's options, for this stream."""
        return dict(self._options)

    def _attach(self, stream: DataStream) -> list[Transformation]:
        from pyflink.datastream.data_stream import KeyedStream

        if isinstance(stream, KeyedStream):
            stream = stream._values()
        added: list[Transformation] = []
        prepared = self._prepare(stream, added)
        params = {"connector": self._connector, "options": self._options_for(stream)}
        added.append(prepared._add("sink", self._name, prepared._type_info, params))
        return added

    def get_java_function(self) -> Any:
        """Not available.

        :raises NotSupportedError: always.
        """
        from pyflink._not_yet import not_yet

        raise not_yet("Sink.get_java_function")


class StreamTransformer(ABC):
    """Changes a stream before its sink."""

    @abstractmethod
    def apply(self, ds: DataStream) -> DataStream:
        """The stream the sink gets."""


class SupportsPreprocessing(ABC):
    """A sink whose stream is changed before it."""

    @abstractmethod
    def get_transformer(self) -> StreamTransformer | None:
        """What changes it, or None."""


def join_list(values: Any) -> str:
    """A list option of the engine: commas between, commas inside escaped."""
    return ",".join(str(value).replace(",", "\\,") for value in values)


def text(value: Any) -> str:
    """An option's value as the engine reads it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
