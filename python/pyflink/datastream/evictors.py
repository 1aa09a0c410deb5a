"""Evictors: they remove records from a window before or after it is evaluated.

Upstream has them in Java only; names and behaviour are the Java ones.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from pyflink.common.time import millis_of

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pyflink.common.time import Time

__all__ = ["CountEvictor", "DeltaEvictor", "Evictor", "TimeEvictor"]


class Evictor(ABC):
    """Base of evictors of one's own.

    Both methods get a list of ``(timestamp, value)`` pairs in the order of arrival. They change it
    and return None, or return the pairs that stay.
    """

    @abstractmethod
    def evict_before(
        self, elements: list[tuple[int, Any]], size: int, window: Any, ctx: Any
    ) -> list[tuple[int, Any]] | None:
        """Called before the window function.

        :param elements: the window's records.
        :param size: how many there are.
        :param window: the window.
        :param ctx: clock, watermark and metrics, as triggers have them.
        """

    @abstractmethod
    def evict_after(
        self, elements: list[tuple[int, Any]], size: int, window: Any, ctx: Any
    ) -> list[tuple[int, Any]] | None:
        """Called after the window function, with what was there."""


class _Native(Evictor):
    """An evictor the engine has itself."""

    _spec: tuple[Any, ...]

    def evict_before(
        self, elements: list[tuple[int, Any]], size: int, window: Any, ctx: Any
    ) -> list[tuple[int, Any]] | None:
        """Removes records before the window function, unless made for after it."""
        return None if self._spec[2] else self._evict(elements)

    def evict_after(
        self, elements: list[tuple[int, Any]], size: int, window: Any, ctx: Any
    ) -> list[tuple[int, Any]] | None:
        """Removes records after the window function, if made for that."""
        return self._evict(elements) if self._spec[2] else None

    def _evict(self, elements: list[tuple[int, Any]]) -> list[tuple[int, Any]]:
        raise NotImplementedError

    def _native_spec(self) -> tuple[Any, ...]:
        return self._spec

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self._spec[1:]))})"


class CountEvictor(_Native):
    """Keeps the last `max_count` records.

    :raises ValueError: when `max_count` is negative.
    """

    def __init__(self, max_count: int, do_evict_after: bool = False) -> None:
        if isinstance(max_count, bool) or not isinstance(max_count, int) or max_count < 0:
            raise ValueError(f"CountEvictor must keep 0 or more elements, got {max_count!r}")
        self._spec = ("count", max_count, bool(do_evict_after))

    @staticmethod
    def of(max_count: int, do_evict_after: bool = False) -> CountEvictor:
        """Keeps the last `max_count` records."""
        return CountEvictor(max_count, do_evict_after)

    def _evict(self, elements: list[tuple[int, Any]]) -> list[tuple[int, Any]]:
        return elements[max(0, len(elements) - self._spec[1]) :]


class TimeEvictor(_Native):
    """Keeps the records newer than the newest one's timestamp minus `window_size`."""

    def __init__(self, window_size: int | Time, do_evict_after: bool = False) -> None:
        self._spec = ("time", millis_of(window_size, "window_size"), bool(do_evict_after))

    @staticmethod
    def of(window_size: Time, do_evict_after: bool = False) -> TimeEvictor:
        """Keeps the records newer than the newest one's timestamp minus `window_size`."""
        return TimeEvictor(window_size, do_evict_after)

    def _evict(self, elements: list[tuple[int, Any]]) -> list[tuple[int, Any]]:
        newest = max((timestamp for timestamp, _ in elements), default=0)
        return [e for e in elements if e[0] > newest - self._spec[1]]


class DeltaEvictor(Evictor):
    """Keeps the records that differ from the last one by less than `threshold`.

    :param delta_function: a callable of a record and the last record that returns a number, or an
        object with ``get_delta``.
    :raises TypeError: when it is neither.
    """

    def __init__(
        self,
        threshold: float,
        delta_function: Callable[[Any, Any], float],
        do_evict_after: bool = False,
    ) -> None:
        delta = getattr(delta_function, "get_delta", delta_function)
        if not callable(delta):
            raise TypeError(f"DeltaEvictor needs a callable of two records, got {delta_function!r}")
        self._threshold = threshold
        self._delta = delta
        self._after = bool(do_evict_after)

    @staticmethod
    def of(
        threshold: float,
        delta_function: Callable[[Any, Any], float],
        do_evict_after: bool = False,
    ) -> DeltaEvictor:
        """Keeps the records that differ from the last one by less than `threshold`."""
        return DeltaEvictor(threshold, delta_function, do_evict_after)

    def evict_before(
        self, elements: list[tuple[int, Any]], size: int, window: Any, ctx: Any
    ) -> list[tuple[int, Any]] | None:
        """Removes records before the window function, unless made for after it."""
        return None if self._after else self._kept(elements)

    def evict_after(
        self, elements: list[tuple[int, Any]], size: int, window: Any, ctx: Any
    ) -> list[tuple[int, Any]] | None:
        """Removes records after the window function, if made for that."""
        return self._kept(elements) if self._after else None

    def _kept(self, elements: list[tuple[int, Any]]) -> list[tuple[int, Any]]:
        if not elements:
            return elements
        last = elements[-1][1]
        return [e for e in elements if self._delta(e[1], last) < self._threshold]
