"""Metrics that functions report; the engine's group hands out objects of these shapes."""

from __future__ import annotations

from abc import ABC, abstractmethod

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pyflink import _native

__all__ = ["Counter", "Distribution", "Meter", "Metric", "MetricGroup"]


class Metric(ABC):
    """Base of all metrics."""


class Counter(Metric, ABC):
    """A number that goes up and down."""

    @abstractmethod
    def inc(self, n: int = 1) -> None:
        """Adds `n`."""

    @abstractmethod
    def dec(self, n: int = 1) -> None:
        """Takes `n` away."""

    @abstractmethod
    def get_count(self) -> int:
        """The number."""


class Meter(Metric, ABC):
    """A rate."""

    @abstractmethod
    def mark_event(self, value: int = 1) -> None:
        """Notes `value` events."""

    @abstractmethod
    def get_count(self) -> int:
        """Number of events so far."""


class Distribution(Metric, ABC):
    """Sum, count, minimum and maximum of what is reported."""

    @abstractmethod
    def update(self, value: int) -> None:
        """Reports a value."""


class MetricGroup(ABC):
    """Metrics under a common name."""

    @abstractmethod
    def add_group(self, name: str, extra: str | None = None) -> MetricGroup:
        """A group below this one; with `extra`, a key and its value."""

    @abstractmethod
    def counter(self, name: str) -> Counter:
        """A counter of this group."""

    @abstractmethod
    def gauge(self, name: str, obj: Callable[[], float]) -> None:
        """A number that is asked for when somebody looks."""

    @abstractmethod
    def meter(self, name: str, time_span_in_seconds: int = 60) -> Meter:
        """A rate over `time_span_in_seconds`."""

    @abstractmethod
    def distribution(self, name: str) -> Distribution:
        """A distribution."""


class _NativeMeter(Meter):
    """Counts natively; the rate is taken over the span between two readings' marks."""

    def __init__(
        self, counter: Any, gauge: Callable[[str, Callable[[], float]], None], name: str, span: int
    ) -> None:
        from collections import deque

        self._counter = counter
        self._span = max(1, span)
        self._marks: deque[tuple[int, int]] = deque()  # (second, count in that second)
        gauge(name + ".rate", self._rate)

    def mark_event(self, value: int = 1) -> None:
        from time import monotonic

        self._counter.inc(value)
        now = int(monotonic())
        if self._marks and self._marks[-1][0] == now:
            self._marks[-1] = (now, self._marks[-1][1] + value)
        else:
            self._marks.append((now, value))
            while self._marks[0][0] <= now - self._span:
                self._marks.popleft()

    def get_count(self) -> int:
        count: int = self._counter.get_count()
        return count

    def _rate(self) -> float:
        from time import monotonic

        oldest = int(monotonic()) - self._span
        return sum(count for second, count in self._marks if second > oldest) / self._span


class _NativeDistribution(Distribution):
    """Keeps the four numbers and shows them as gauges."""

    def __init__(self, gauge: Callable[[str, Callable[[], float]], None], name: str) -> None:
        self._count = 0
        self._sum = 0.0
        self._min = self._max = 0.0
        gauge(name + ".count", lambda: self._count)
        gauge(name + ".sum", lambda: self._sum)
        gauge(name + ".min", lambda: self._min)
        gauge(name + ".max", lambda: self._max)

    def update(self, value: int) -> None:
        first = self._count == 0
        self._count += 1
        self._sum += value
        self._min = value if first else min(self._min, value)
        self._max = value if first else max(self._max, value)


class _NativeMetricGroup(MetricGroup):
    """The metrics of one subtask of an operator, over its handle."""

    def __init__(self, handle: _native.OperatorHandle, prefix: str = "") -> None:
        self._handle = handle
        self._prefix = prefix

    def add_group(self, name: str, extra: str | None = None) -> MetricGroup:
        below = name if extra is None else f"{name}.{extra}"
        return _NativeMetricGroup(self._handle, f"{self._prefix}{below}.")

    def counter(self, name: str) -> Counter:
        counter: Any = self._handle.counter(self._prefix + name)  # has a Counter's methods
        native: Counter = counter
        return native

    def gauge(self, name: str, obj: Callable[[], float]) -> None:
        self._handle.gauge(self._prefix + name, obj)

    def meter(self, name: str, time_span_in_seconds: int = 60) -> Meter:
        return _NativeMeter(self.counter(name), self.gauge, name, time_span_in_seconds)

    def distribution(self, name: str) -> Distribution:
        return _NativeDistribution(self.gauge, name)
