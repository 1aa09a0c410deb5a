"""Sources one after the other: history from files, then what goes on in Kafka."""

from __future__ import annotations

from pyflink.datastream.connectors.base import Source

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["HybridSource", "HybridSourceBuilder"]


class HybridSource(Source):
    """Reads each source to its end before the next begins; the last one may be unbounded."""

    @staticmethod
    def builder(first_source: Source) -> HybridSourceBuilder:
        """Starts with the source that is read first.

        :raises TypeError: when it is no connector's source.
        """
        return HybridSourceBuilder(first_source)


class HybridSourceBuilder:
    """Builds a :class:`HybridSource`."""

    def __init__(self, first_source: Source) -> None:
        self._sources: list[Any] = []
        self.add_source(first_source)

    def add_source(self, source: Source) -> HybridSourceBuilder:
        """What is read when the sources so far have ended.

        :raises TypeError: when it is no connector's source, or gives records of another type.
        :raises ValueError: when the source before it never ends.
        """
        spec = getattr(source, "_source_spec", None)
        if spec is None:
            hint = "; call .build() on it" if hasattr(source, "build") else ""
            raise TypeError(f"HybridSource needs sources such as FileSource, got {source!r}{hint}")
        connector, options, produced, bounded = spec()
        if self._sources:
            _, _, first, _ = self._sources[0]
            if produced != first:
                raise TypeError(
                    "all sources of a HybridSource must give records of one type: the first gives"
                    f" {first}, this one {produced}"
                )
            if not self._sources[-1][3]:
                raise ValueError(
                    "all sources of a HybridSource but the last must be bounded; the one before"
                    f" {type(source).__name__} never ends"
                )
        self._sources.append((connector, options, produced, bounded))
        return self

    def build(self) -> HybridSource:
        """The source."""
        options = {"count": str(len(self._sources))}
        for number, (connector, own, _, _) in enumerate(self._sources):
            options[f"{number}.connector"] = connector
            options.update({f"{number}.{key}": value for key, value in own.items()})
        _, _, produced, bounded = self._sources[-1]
        return HybridSource("hybrid", options, produced, bounded)
