"""Windows: what they are, who assigns records to them, when they fire.

The built-in assigners and triggers only name a native one; classes derived from
:class:`WindowAssigner` and
:class:`Trigger` are called by the engine. The Python methods of the built-in ones exist so that
    such classes can use them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum
from types import GenericAlias

from pyflink._generic import Generic, T, W
from pyflink.common.constants import MAX_LONG_VALUE, MIN_LONG_VALUE
from pyflink.common.serializer import TypeSerializer
from pyflink.common.time import Time, millis_of

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from io import BytesIO
    from typing import Any

    from typing_extensions import Self

    from pyflink.datastream.functions import RuntimeContext
    from pyflink.datastream.state import ReducingState
    from pyflink.metrics import MetricGroup

__all__ = [
    "ContinuousEventTimeTrigger",
    "ContinuousProcessingTimeTrigger",
    "CountSlidingWindowAssigner",
    "CountTrigger",
    "CountTumblingWindowAssigner",
    "CountWindow",
    "CountWindowSerializer",
    "DynamicEventTimeSessionWindows",
    "DynamicProcessingTimeSessionWindows",
    "EventTimeSessionWindows",
    "EventTimeTrigger",
    "GlobalWindow",
    "GlobalWindowSerializer",
    "GlobalWindows",
    "MergingWindowAssigner",
    "NeverTrigger",
    "ProcessingTimeSessionWindows",
    "ProcessingTimeTrigger",
    "PurgingTrigger",
    "SessionWindowTimeGapExtractor",
    "SlidingEventTimeWindows",
    "SlidingProcessingTimeWindows",
    "TimeWindow",
    "TimeWindowSerializer",
    "Trigger",
    "TriggerResult",
    "TumblingEventTimeWindows",
    "TumblingProcessingTimeWindows",
    "Window",
    "WindowAssigner",
]


class Window(ABC):
    """A finite group of records."""

    __class_getitem__: Any = classmethod(GenericAlias)

    __slots__ = ()

    @abstractmethod
    def max_timestamp(self) -> int:
        """The largest timestamp that still belongs to it."""

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            from pyflink._spellings import window_bound

            return window_bound(self, name)


class TimeWindow(Window):
    """Records from `start` (inclusive) to `end` (exclusive), in milliseconds."""

    __slots__ = ("end", "start")

    def __init__(self, start: int, end: int) -> None:
        self.start = start
        self.end = end

    def max_timestamp(self) -> int:
        """`end` - 1."""
        return self.end - 1

    def intersects(self, other: TimeWindow) -> bool:
        """Whether the two touch or overlap."""
        return self.start <= other.end and self.end >= other.start

    def cover(self, other: TimeWindow) -> TimeWindow:
        """The smallest window that contains both."""
        return TimeWindow(min(self.start, other.start), max(self.end, other.end))

    @staticmethod
    def get_window_start_with_offset(timestamp: int, offset: int, window_size: int) -> int:
        """Start of the tumbling window that `timestamp` belongs to."""
        return timestamp - (timestamp - offset) % window_size

    @staticmethod
    def merge_windows(
        windows: Iterable[TimeWindow], callback: MergingWindowAssigner.MergeCallback
    ) -> None:
        """Tells `callback` which of `windows` overlap and what each group becomes."""
        group: list[TimeWindow] = []
        cover: TimeWindow | None = None
        for window in sorted(windows, key=lambda w: w.start):
            if cover is not None and cover.intersects(window):
                cover = cover.cover(window)
                group.append(window)
                continue
            if cover is not None and len(group) > 1:
                callback.merge(group, cover)
            group, cover = [window], window
        if cover is not None and len(group) > 1:
            callback.merge(group, cover)

    def __hash__(self) -> int:
        return hash((self.start, self.end))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TimeWindow) and self.start == other.start and self.end == other.end

    def __lt__(self, other: TimeWindow) -> bool:
        return (self.start, self.end) < (other.start, other.end)

    def __le__(self, other: TimeWindow) -> bool:
        return (self.start, self.end) <= (other.start, other.end)

    def __repr__(self) -> str:
        return f"TimeWindow(start={self.start}, end={self.end})"


class CountWindow(Window):
    """A number of records. `id` counts the windows of a key."""

    __slots__ = ("id",)

    def __init__(self, id: int) -> None:
        self.id = id

    def max_timestamp(self) -> int:
        """The largest 64-bit integer: time does not matter."""
        return MAX_LONG_VALUE

    def __hash__(self) -> int:
        return hash(self.id)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CountWindow) and self.id == other.id

    def __repr__(self) -> str:
        return f"CountWindow(id={self.id})"


class GlobalWindow(Window):
    """The one window that all records belong to."""

    __slots__ = ()

    @staticmethod
    def get() -> GlobalWindow:
        """The window."""
        return GlobalWindow()

    def max_timestamp(self) -> int:
        """The largest 64-bit integer."""
        return MAX_LONG_VALUE

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GlobalWindow)

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "GlobalWindow"


def _long_bytes(value: int) -> bytes:
    return value.to_bytes(8, "big", signed=True)


def _read_long(stream: BytesIO) -> int:
    return int.from_bytes(stream.read(8), "big", signed=True)


class TimeWindowSerializer(TypeSerializer):
    """16 bytes: start and end."""

    def serialize(self, element: TimeWindow, stream: BytesIO) -> None:
        """Writes a window."""
        stream.write(_long_bytes(element.start) + _long_bytes(element.end))

    def deserialize(self, stream: BytesIO) -> TimeWindow:
        """Reads a window."""
        start = _read_long(stream)
        return TimeWindow(start, _read_long(stream))


class CountWindowSerializer(TypeSerializer):
    """8 bytes: the id."""

    def serialize(self, element: CountWindow, stream: BytesIO) -> None:
        """Writes a window."""
        stream.write(_long_bytes(element.id))

    def deserialize(self, stream: BytesIO) -> CountWindow:
        """Reads a window."""
        return CountWindow(_read_long(stream))


class GlobalWindowSerializer(TypeSerializer):
    """One byte."""

    def serialize(self, element: GlobalWindow, stream: BytesIO) -> None:
        """Writes the window."""
        stream.write(b"\0")

    def deserialize(self, stream: BytesIO) -> GlobalWindow:
        """Reads the window."""
        stream.read(1)
        return GlobalWindow.get()


class TriggerResult(Enum):
    """What happens to a window: its two halves are fire and purge."""

    CONTINUE = (False, False)
    FIRE_AND_PURGE = (True, True)
    FIRE = (True, False)
    PURGE = (False, True)

    def is_fire(self) -> bool:
        """The window is evaluated."""
        return self.value[0]

    def is_purge(self) -> bool:
        """The window's records are forgotten."""
        return self.value[1]


class Trigger(ABC, Generic[T, W]):
    """Decides when a window is evaluated.

    Derived classes keep what they remember in the context's state.
    """

    __class_getitem__: Any = classmethod(GenericAlias)

    class TriggerContext(ABC):
        """Timers and state of the current key and window."""

        @abstractmethod
        def get_current_processing_time(self) -> int:
            """Milliseconds since the epoch."""

        @abstractmethod
        def get_metric_group(self) -> MetricGroup:
            """Metrics of the operator."""

        @abstractmethod
        def get_current_watermark(self) -> int:
            """The operator's event time."""

        @abstractmethod
        def register_processing_time_timer(self, time: int) -> None:
            """Calls ``on_processing_time`` at `time`."""

        @abstractmethod
        def register_event_time_timer(self, time: int) -> None:
            """Calls ``on_event_time`` at `time`."""

        @abstractmethod
        def delete_processing_time_timer(self, time: int) -> None:
            """Forgets a timer."""

        @abstractmethod
        def delete_event_time_timer(self, time: int) -> None:
            """Forgets a timer."""

        @abstractmethod
        def get_partitioned_state(self, state_descriptor: Any) -> Any:
            """State of this key and window."""

    class OnMergeContext(TriggerContext):
        """Also merges state of windows that became one."""

        @abstractmethod
        def merge_partitioned_state(self, state_descriptor: Any) -> None:
            """Merges the state of the old windows into the new one's."""

    @abstractmethod
    def on_element(
        self, element: Any, timestamp: int, window: Any, ctx: Trigger.TriggerContext
    ) -> TriggerResult:
        """Called for every record that is put into a window."""

    @abstractmethod
    def on_processing_time(
        self, time: int, window: Any, ctx: Trigger.TriggerContext
    ) -> TriggerResult:
        """Called when a processing-time timer fires."""

    @abstractmethod
    def on_event_time(self, time: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        """Called when an event-time timer fires."""

    def can_merge(self) -> bool:
        """Whether it works on windows that merge (sessions)."""
        return False

    def on_merge(self, window: Any, ctx: Trigger.OnMergeContext) -> None:
        """Called when windows became `window`; only for triggers that can merge."""

    @abstractmethod
    def clear(self, window: Any, ctx: Trigger.TriggerContext) -> None:
        """Forgets timers and state of a window that is removed."""

    def _native_spec(self) -> tuple[Any, ...]:
        return ("python", self)


class WindowAssigner(ABC, Generic[T, W]):
    """Puts each record into windows."""

    __class_getitem__: Any = classmethod(GenericAlias)

    class WindowAssignerContext(ABC):
        """What an assigner may ask."""

        @abstractmethod
        def get_current_processing_time(self) -> int:
            """Milliseconds since the epoch."""

        @abstractmethod
        def get_runtime_context(self) -> RuntimeContext:
            """The operator's context."""

    @abstractmethod
    def assign_windows(
        self, element: Any, timestamp: int, context: WindowAssigner.WindowAssignerContext
    ) -> Collection[Any]:
        """The windows of a record."""

    @abstractmethod
    def get_default_trigger(self, env: Any) -> Trigger:
        """The trigger when none is set."""

    @abstractmethod
    def get_window_serializer(self) -> TypeSerializer:
        """How its windows are written to bytes."""

    @abstractmethod
    def is_event_time(self) -> bool:
        """Whether windows go by event time."""

    def _native_spec(self) -> tuple[Any, ...]:
        return ("python", self)


class MergingWindowAssigner(WindowAssigner[T, W]):
    """An assigner whose windows may merge."""

    class MergeCallback(ABC):
        """Learns which windows merge."""

        __class_getitem__: Any = classmethod(GenericAlias)

        @abstractmethod
        def merge(self, to_be_merged: Iterable[Any], merge_result: Any) -> None:
            """`to_be_merged` become `merge_result`."""

    @abstractmethod
    def merge_windows(
        self, windows: Iterable[Any], callback: MergingWindowAssigner.MergeCallback
    ) -> None:
        """Tells `callback` which of `windows` merge."""


# -- triggers --------------------------------------------------------------------------------------


class EventTimeTrigger(Trigger):
    """Fires when the watermark passes the end of the window."""

    @staticmethod
    def create() -> EventTimeTrigger:
        """The trigger."""
        return EventTimeTrigger()

    def on_element(
        self, element: Any, timestamp: int, window: Any, ctx: Trigger.TriggerContext
    ) -> TriggerResult:
        """Fires a late record's window at once."""
        if window.max_timestamp() <= ctx.get_current_watermark():
            return TriggerResult.FIRE
        ctx.register_event_time_timer(window.max_timestamp())
        return TriggerResult.CONTINUE

    def on_processing_time(
        self, time: int, window: Any, ctx: Trigger.TriggerContext
    ) -> TriggerResult:
        """Does nothing."""
        return TriggerResult.CONTINUE

    def on_event_time(self, time: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        """Fires at the end of the window."""
        return TriggerResult.FIRE if time == window.max_timestamp() else TriggerResult.CONTINUE

    def can_merge(self) -> bool:
        """True."""
        return True

    def on_merge(self, window: Any, ctx: Trigger.OnMergeContext) -> None:
        """Sets the timer of the new window."""
        if window.max_timestamp() > ctx.get_current_watermark():
            ctx.register_event_time_timer(window.max_timestamp())

    def clear(self, window: Any, ctx: Trigger.TriggerContext) -> None:
        """Forgets the timer."""
        ctx.delete_event_time_timer(window.max_timestamp())

    def _native_spec(self) -> tuple[Any, ...]:
        return ("event_time",) if type(self) is EventTimeTrigger else ("python", self)


class ProcessingTimeTrigger(Trigger):
    """Fires when the clock passes the end of the window."""

    @staticmethod
    def create() -> ProcessingTimeTrigger:
        """The trigger."""
        return ProcessingTimeTrigger()

    def on_element(
        self, element: Any, timestamp: int, window: Any, ctx: Trigger.TriggerContext
    ) -> TriggerResult:
        """Sets the timer."""
        ctx.register_processing_time_timer(window.max_timestamp())
        return TriggerResult.CONTINUE

    def on_processing_time(
        self, time: int, window: Any, ctx: Trigger.TriggerContext
    ) -> TriggerResult:
        """Fires."""
        return TriggerResult.FIRE

    def on_event_time(self, time: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        """Does nothing."""
        return TriggerResult.CONTINUE

    def can_merge(self) -> bool:
        """True."""
        return True

    def on_merge(self, window: Any, ctx: Trigger.OnMergeContext) -> None:
        """Sets the timer of the new window."""
        if window.max_timestamp() > ctx.get_current_processing_time():
            ctx.register_processing_time_timer(window.max_timestamp())

    def clear(self, window: Any, ctx: Trigger.TriggerContext) -> None:
        """Forgets the timer."""
        ctx.delete_processing_time_timer(window.max_timestamp())

    def _native_spec(self) -> tuple[Any, ...]:
        return ("processing_time",) if type(self) is ProcessingTimeTrigger else ("python", self)


class _ContinuousTrigger(Trigger):
    """What the two continuous triggers share.

    The next firing, kept in reducing state (the earliest wins).
    """

    def __init__(self, interval: int) -> None:
        self.interval = _positive(interval, f"{type(self).__name__}: the interval")
        self._state_descriptor: Any = None

    def _fire_state(self, ctx: Trigger.TriggerContext) -> Any:
        if self._state_descriptor is None:
            from pyflink.common.typeinfo import Types
            from pyflink.datastream.state import ReducingStateDescriptor

            self._state_descriptor = ReducingStateDescriptor("fire-timestamp", min, Types.LONG())
        return ctx.get_partitioned_state(self._state_descriptor)

    def can_merge(self) -> bool:
        """True."""
        return True


class ContinuousEventTimeTrigger(_ContinuousTrigger):
    """Fires every so often in event time, and at the end of the window."""

    @staticmethod
    def of(interval: Time) -> ContinuousEventTimeTrigger:
        """Fires every `interval`."""
        return ContinuousEventTimeTrigger(millis_of(interval, "interval"))

    def on_element(
        self, element: Any, timestamp: int, window: Any, ctx: Trigger.TriggerContext
    ) -> TriggerResult:
        """Sets the first timer."""
        if window.max_timestamp() <= ctx.get_current_watermark():
            return TriggerResult.FIRE
        ctx.register_event_time_timer(window.max_timestamp())
        state = self._fire_state(ctx)
        if state.get() is None:
            self.register_next_fire_timestamp(
                timestamp - timestamp % self.interval, window, ctx, state
            )
        return TriggerResult.CONTINUE

    def on_processing_time(
        self, time: int, window: Any, ctx: Trigger.TriggerContext
    ) -> TriggerResult:
        """Does nothing."""
        return TriggerResult.CONTINUE

    def on_event_time(self, time: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        """Fires and sets the next timer."""
        if time == window.max_timestamp():
            return TriggerResult.FIRE
        state = self._fire_state(ctx)
        if state.get() == time:
            state.clear()
            self.register_next_fire_timestamp(time, window, ctx, state)
            return TriggerResult.FIRE
        return TriggerResult.CONTINUE

    def on_merge(self, window: Any, ctx: Trigger.OnMergeContext) -> None:
        """Sets the timer of the new window."""
        state = self._fire_state(ctx)
        ctx.merge_partitioned_state(self._state_descriptor)
        if state.get() is not None:
            ctx.register_event_time_timer(state.get())

    def clear(self, window: Any, ctx: Trigger.TriggerContext) -> None:
        """Forgets timers and state."""
        state = self._fire_state(ctx)
        if state.get() is not None:
            ctx.delete_event_time_timer(state.get())
            state.clear()

    def register_next_fire_timestamp(
        self,
        time: int,
        window: Any,
        ctx: Trigger.TriggerContext,
        fire_timestamp_state: ReducingState,
    ) -> None:
        """Sets the timer after `time`, at the latest at the end of the window."""
        next_time = min(time + self.interval, window.max_timestamp())
        fire_timestamp_state.add(next_time)
        ctx.register_event_time_timer(next_time)

    def _native_spec(self) -> tuple[Any, ...]:
        if type(self) is ContinuousEventTimeTrigger:
            return ("continuous_event_time", self.interval)
        return ("python", self)


class ContinuousProcessingTimeTrigger(_ContinuousTrigger):
    """Fires every so often by the clock."""

    @staticmethod
    def of(interval: Time) -> ContinuousProcessingTimeTrigger:
        """Fires every `interval`."""
        return ContinuousProcessingTimeTrigger(millis_of(interval, "interval"))

    def on_element(
        self, element: Any, timestamp: int, window: Any, ctx: Trigger.TriggerContext
    ) -> TriggerResult:
        """Sets the first timer."""
        state = self._fire_state(ctx)
        if state.get() is None:
            now = ctx.get_current_processing_time()
            self.register_next_fire_timestamp(now - now % self.interval, window, ctx, state)
        return TriggerResult.CONTINUE

    def on_processing_time(
        self, time: int, window: Any, ctx: Trigger.TriggerContext
    ) -> TriggerResult:
        """Fires and sets the next timer."""
        state = self._fire_state(ctx)
        if state.get() == time:
            state.clear()
            self.register_next_fire_timestamp(time, window, ctx, state)
            return TriggerResult.FIRE
        return TriggerResult.CONTINUE

    def on_event_time(self, time: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        """Does nothing."""
        return TriggerResult.CONTINUE

    def on_merge(self, window: Any, ctx: Trigger.OnMergeContext) -> None:
        """Sets the timer of the new window."""
        state = self._fire_state(ctx)
        ctx.merge_partitioned_state(self._state_descriptor)
        if state.get() is not None:
            ctx.register_processing_time_timer(state.get())

    def clear(self, window: Any, ctx: Trigger.TriggerContext) -> None:
        """Forgets timers and state."""
        state = self._fire_state(ctx)
        if state.get() is not None:
            ctx.delete_processing_time_timer(state.get())
            state.clear()

    def register_next_fire_timestamp(
        self,
        time: int,
        window: Any,
        ctx: Trigger.TriggerContext,
        fire_timestamp_state: ReducingState,
    ) -> None:
        """Sets the timer after `time`, at the latest at the end of the window."""
        next_time = min(time + self.interval, window.max_timestamp())
        fire_timestamp_state.add(next_time)
        ctx.register_processing_time_timer(next_time)

    def _native_spec(self) -> tuple[Any, ...]:
        if type(self) is ContinuousProcessingTimeTrigger:
            return ("continuous_processing_time", self.interval)
        return ("python", self)


class CountTrigger(Trigger):
    """Fires when a window has so many records."""

    def __init__(self, window_size: int) -> None:
        self._window_size = _count_of(window_size, "CountTrigger: the count")
        self._count_descriptor: Any = None

    @staticmethod
    def of(window_size: int) -> CountTrigger:
        """Fires every `window_size` records."""
        return CountTrigger(window_size)

    def _count(self, ctx: Trigger.TriggerContext) -> Any:
        if self._count_descriptor is None:
            from pyflink.common.typeinfo import Types
            from pyflink.datastream.state import ReducingStateDescriptor

            self._count_descriptor = ReducingStateDescriptor(
                "trigger_counter", _add, Types.BIG_INT()
            )
        return ctx.get_partitioned_state(self._count_descriptor)

    def on_element(
        self, element: Any, timestamp: int, window: Any, ctx: Trigger.TriggerContext
    ) -> TriggerResult:
        """Counts."""
        count = self._count(ctx)
        count.add(1)
        if count.get() >= self._window_size:
            count.clear()
            return TriggerResult.FIRE
        return TriggerResult.CONTINUE

    def on_processing_time(
        self, time: int, window: Any, ctx: Trigger.TriggerContext
    ) -> TriggerResult:
        """Does nothing."""
        return TriggerResult.CONTINUE

    def on_event_time(self, time: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        """Does nothing."""
        return TriggerResult.CONTINUE

    def can_merge(self) -> bool:
        """True."""
        return True

    def on_merge(self, window: Any, ctx: Trigger.OnMergeContext) -> None:
        """Adds the counts up."""
        self._count(ctx)
        ctx.merge_partitioned_state(self._count_descriptor)

    def clear(self, window: Any, ctx: Trigger.TriggerContext) -> None:
        """Forgets the count."""
        self._count(ctx).clear()

    def _native_spec(self) -> tuple[Any, ...]:
        return ("count", self._window_size) if type(self) is CountTrigger else ("python", self)


def _add(a: int, b: int) -> int:
    return a + b


class PurgingTrigger(Trigger):
    """Another trigger, whose window is emptied whenever it fires."""

    def __init__(self, nested_trigger: Trigger) -> None:
        if not isinstance(nested_trigger, Trigger):
            raise TypeError(f"PurgingTrigger.of needs a Trigger, got {nested_trigger!r}")
        self.nested_trigger = nested_trigger

    @staticmethod
    def of(nested_trigger: Trigger) -> PurgingTrigger:
        """Empties the window when `nested_trigger` fires."""
        return PurgingTrigger(nested_trigger)

    @staticmethod
    def _purged(result: TriggerResult) -> TriggerResult:
        return TriggerResult.FIRE_AND_PURGE if result is TriggerResult.FIRE else result

    def on_element(
        self, element: Any, timestamp: int, window: Any, ctx: Trigger.TriggerContext
    ) -> TriggerResult:
        """As the nested trigger."""
        return self._purged(self.nested_trigger.on_element(element, timestamp, window, ctx))

    def on_processing_time(
        self, time: int, window: Any, ctx: Trigger.TriggerContext
    ) -> TriggerResult:
        """As the nested trigger."""
        return self._purged(self.nested_trigger.on_processing_time(time, window, ctx))

    def on_event_time(self, time: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        """As the nested trigger."""
        return self._purged(self.nested_trigger.on_event_time(time, window, ctx))

    def can_merge(self) -> bool:
        """As the nested trigger."""
        return self.nested_trigger.can_merge()

    def on_merge(self, window: Any, ctx: Trigger.OnMergeContext) -> None:
        """As the nested trigger."""
        self.nested_trigger.on_merge(window, ctx)

    def clear(self, window: Any, ctx: Trigger.TriggerContext) -> None:
        """As the nested trigger."""
        self.nested_trigger.clear(window, ctx)

    def _native_spec(self) -> tuple[Any, ...]:
        nested = self.nested_trigger._native_spec()
        if type(self) is PurgingTrigger and nested[0] != "python":
            return ("purging", nested)
        return ("python", self)


class NeverTrigger(Trigger):
    """Never fires."""

    def on_element(
        self, element: Any, timestamp: int, window: Any, ctx: Trigger.TriggerContext
    ) -> TriggerResult:
        """Does nothing."""
        return TriggerResult.CONTINUE

    def on_processing_time(
        self, time: int, window: Any, ctx: Trigger.TriggerContext
    ) -> TriggerResult:
        """Does nothing."""
        return TriggerResult.CONTINUE

    def on_event_time(self, time: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        """Does nothing."""
        return TriggerResult.CONTINUE

    def can_merge(self) -> bool:
        """True."""
        return True

    def on_merge(self, window: Any, ctx: Trigger.OnMergeContext) -> None:
        """Does nothing."""

    def clear(self, window: Any, ctx: Trigger.TriggerContext) -> None:
        """Does nothing."""

    def _native_spec(self) -> tuple[Any, ...]:
        return ("never",) if type(self) is NeverTrigger else ("python", self)


# -- assigners -------------------------------------------------------------------------------------


def _positive(value: Any, what: str) -> int:
    millis = millis_of(value, what)
    if millis <= 0:
        raise ValueError(f"{what} must be greater than zero, got {value}")
    return millis


def _count_of(value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{what} must be a number of records, got {value!r}")
    if value <= 0:
        raise ValueError(f"{what} must be greater than zero, got {value}")
    return value


class _TimeWindows(WindowAssigner):
    """Base of the assigners of time windows."""

    _EVENT_TIME = True
    _KIND = ""

    def get_default_trigger(self, env: Any) -> Trigger:
        """Fires at the end of the window."""
        return EventTimeTrigger() if self._EVENT_TIME else ProcessingTimeTrigger()

    def get_window_serializer(self) -> TypeSerializer:
        """Writes start and end."""
        return TimeWindowSerializer()

    def is_event_time(self) -> bool:
        """Whether windows go by event time."""
        return self._EVENT_TIME

    def _time(self, timestamp: int, context: WindowAssigner.WindowAssignerContext) -> int:
        if not self._EVENT_TIME:
            return context.get_current_processing_time()
        if timestamp is None or timestamp <= MIN_LONG_VALUE:
            raise ValueError(
                "Record has no timestamp. Is the time characteristic set to 'ProcessingTime', or"
                " did you forget to call 'DataStream.assign_timestamps_and_watermarks(...)'?"
            )
        return timestamp

    def _settings(self) -> tuple[Any, ...]:
        raise NotImplementedError

    def _native_spec(self) -> tuple[Any, ...]:
        if type(self).__module__ != __name__:
            return ("python", self)
        return (self._KIND, "event" if self._EVENT_TIME else "processing", *self._settings())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(str, self._settings()))})"


class _Tumbling(_TimeWindows):
    """Windows of one size, one after the other."""

    _KIND = "tumbling"

    def __init__(self, size: int, offset: int) -> None:
        name = type(self).__name__
        self._size = _positive(size, f"{name}: the size")
        self._offset = millis_of(offset, f"{name}: the offset")
        if abs(self._offset) >= self._size:
            raise ValueError(
                f"{name} parameters must satisfy abs(offset) < size, got {offset} and {size}"
            )

    @classmethod
    def of(cls, size: Time, offset: Time | None = None) -> Self:
        """Windows of `size`, which start at multiples of it plus `offset`.

        :raises ValueError: when the size is not positive or the offset not smaller.
        """
        return cls(millis_of(size, "size"), 0 if offset is None else millis_of(offset, "offset"))

    def assign_windows(
        self, element: Any, timestamp: int, context: WindowAssigner.WindowAssignerContext
    ) -> Collection[TimeWindow]:
        """The one window."""
        time = self._time(timestamp, context)
        start = TimeWindow.get_window_start_with_offset(time, self._offset, self._size)
        return [TimeWindow(start, start + self._size)]

    def _settings(self) -> tuple[Any, ...]:
        return (self._size, self._offset)


class TumblingEventTimeWindows(_Tumbling):
    """Windows of one size, one after the other, in event time."""


class TumblingProcessingTimeWindows(_Tumbling):
    """Windows of one size, one after the other, by the clock."""

    _EVENT_TIME = False


class _Sliding(_TimeWindows):
    """Windows of one size that start every so often and may overlap."""

    _KIND = "sliding"

    def __init__(self, size: int, slide: int, offset: int) -> None:
        name = type(self).__name__
        self._size = _positive(size, f"{name}: the size")
        self._slide = _positive(slide, f"{name}: the slide")
        self._offset = millis_of(offset, f"{name}: the offset")
        if abs(self._offset) >= self._slide:
            raise ValueError(
                f"{name} parameters must satisfy abs(offset) < slide and size > 0, got {offset} and"
                f" {slide}"
            )

    @classmethod
    def of(cls, size: Time, slide: Time, offset: Time | None = None) -> Self:
        """Windows of `size` that start every `slide`, plus `offset`.

        :raises ValueError: when size or slide are not positive or the offset not smaller than the
            slide.
        """
        return cls(
            millis_of(size, "size"),
            millis_of(slide, "slide"),
            0 if offset is None else millis_of(offset, "offset"),
        )

    def assign_windows(
        self, element: Any, timestamp: int, context: WindowAssigner.WindowAssignerContext
    ) -> Collection[TimeWindow]:
        """All windows the record is in, the latest first."""
        time = self._time(timestamp, context)
        last = TimeWindow.get_window_start_with_offset(time, self._offset, self._slide)
        return [TimeWindow(s, s + self._size) for s in range(last, time - self._size, -self._slide)]

    def _settings(self) -> tuple[Any, ...]:
        return (self._size, self._slide, self._offset)


class SlidingEventTimeWindows(_Sliding):
    """Windows that start every so often, in event time."""


class SlidingProcessingTimeWindows(_Sliding):
    """Windows that start every so often, by the clock."""

    _EVENT_TIME = False


class SessionWindowTimeGapExtractor(ABC):
    """The gap after each record, in milliseconds, for sessions with a dynamic gap."""

    __class_getitem__: Any = classmethod(GenericAlias)

    @abstractmethod
    def extract(self, element: Any) -> int:
        """Milliseconds of silence after this record that end the session."""


class _Session(_TimeWindows, MergingWindowAssigner):
    """Windows that last until nothing came for a while."""

    _KIND = "session"

    def __init__(self, session_gap: int) -> None:
        self._session_gap = _positive(session_gap, f"{type(self).__name__}: the session gap")

    @classmethod
    def with_gap(cls, size: Time) -> Self:
        """A session ends when nothing came for `size`.

        :raises ValueError: when it is not positive.
        """
        return cls(millis_of(size, "size"))

    def assign_windows(
        self, element: Any, timestamp: int, context: WindowAssigner.WindowAssignerContext
    ) -> Collection[TimeWindow]:
        """A window of the record alone, which may merge with others."""
        time = self._time(timestamp, context)
        return [TimeWindow(time, time + self._session_gap)]

    def merge_windows(
        self, windows: Iterable[TimeWindow], callback: MergingWindowAssigner.MergeCallback
    ) -> None:
        """Merges windows that overlap."""
        TimeWindow.merge_windows(windows, callback)

    def _settings(self) -> tuple[Any, ...]:
        return (self._session_gap,)


class _DynamicSession(_Session):
    """Sessions whose gap depends on the record."""

    _KIND = "dynamic_session"

    def __init__(self, session_window_time_gap_extractor: SessionWindowTimeGapExtractor) -> None:
        if not callable(getattr(session_window_time_gap_extractor, "extract", None)):
            raise TypeError(
                f"{type(self).__name__} needs a SessionWindowTimeGapExtractor, got"
                f" {session_window_time_gap_extractor!r}"
            )
        self._extractor = session_window_time_gap_extractor

    def assign_windows(
        self, element: Any, timestamp: int, context: WindowAssigner.WindowAssignerContext
    ) -> Collection[TimeWindow]:
        """A window of the record alone, which may merge with others."""
        time = self._time(timestamp, context)
        gap = self._extractor.extract(element)
        if gap <= 0:
            raise ValueError(f"Dynamic session time gap must satisfy 0 < gap, got {gap}")
        return [TimeWindow(time, time + gap)]

    def _settings(self) -> tuple[Any, ...]:
        return (self._extractor,)


class DynamicEventTimeSessionWindows(_DynamicSession):
    """Sessions with a gap of each record's own, in event time."""

    @staticmethod
    def with_dynamic_gap(
        extractor: SessionWindowTimeGapExtractor,
    ) -> DynamicEventTimeSessionWindows:
        """The extractor tells each record's gap."""
        return DynamicEventTimeSessionWindows(extractor)


class DynamicProcessingTimeSessionWindows(_DynamicSession):
    """Sessions with a gap of each record's own, by the clock."""

    _EVENT_TIME = False

    @staticmethod
    def with_dynamic_gap(
        extractor: SessionWindowTimeGapExtractor,
    ) -> DynamicProcessingTimeSessionWindows:
        """The extractor tells each record's gap."""
        return DynamicProcessingTimeSessionWindows(extractor)


class EventTimeSessionWindows(_Session):
    """Sessions in event time."""

    @staticmethod
    def with_dynamic_gap(
        extractor: SessionWindowTimeGapExtractor,
    ) -> DynamicEventTimeSessionWindows:
        """The extractor tells each record's gap."""
        return DynamicEventTimeSessionWindows(extractor)


class ProcessingTimeSessionWindows(_Session):
    """Sessions by the clock."""

    _EVENT_TIME = False

    @staticmethod
    def with_dynamic_gap(
        extractor: SessionWindowTimeGapExtractor,
    ) -> DynamicProcessingTimeSessionWindows:
        """The extractor tells each record's gap."""
        return DynamicProcessingTimeSessionWindows(extractor)


class GlobalWindows(WindowAssigner):
    """One window for everything; set a trigger, or it never fires."""

    @staticmethod
    def create() -> GlobalWindows:
        """The assigner."""
        return GlobalWindows()

    def __repr__(self) -> str:
        return "GlobalWindows()"

    def assign_windows(
        self, element: Any, timestamp: int, context: WindowAssigner.WindowAssignerContext
    ) -> Collection[GlobalWindow]:
        """The one window."""
        return [GlobalWindow.get()]

    def get_default_trigger(self, env: Any) -> Trigger:
        """Never fires."""
        return NeverTrigger()

    def get_window_serializer(self) -> TypeSerializer:
        """Writes one byte."""
        return GlobalWindowSerializer()

    def is_event_time(self) -> bool:
        """False."""
        return False

    def _native_spec(self) -> tuple[Any, ...]:
        return ("global",) if type(self) is GlobalWindows else ("python", self)


class _CountWindows(WindowAssigner):
    """Base of the assigners that count."""

    def __init__(self, window_size: int, window_slide: int) -> None:
        self._window_size = _count_of(window_size, "a count window: the size")
        self._window_slide = _count_of(window_slide, "a count window: the slide")
        self._counter: Any = None

    def _next(self, context: WindowAssigner.WindowAssignerContext) -> int:
        """Number of records of this key so far; counts this one."""
        if self._counter is None:
            from pyflink.common.typeinfo import Types
            from pyflink.datastream.state import ValueStateDescriptor

            self._counter = ValueStateDescriptor("assigner_counter", Types.LONG())
        state = context.get_runtime_context().get_state(self._counter)
        count: int = state.value() or 0
        state.update(count + 1)
        return count

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._window_size}, {self._window_slide})"

    def get_window_serializer(self) -> TypeSerializer:
        """Writes the id."""
        return CountWindowSerializer()

    def is_event_time(self) -> bool:
        """False."""
        return False

    def get_default_trigger(self, env: Any) -> Trigger:
        """Fires when the window is full."""
        return CountTrigger(self._window_size)


class CountTumblingWindowAssigner(_CountWindows):
    """Windows of so many records, one after the other."""

    def __init__(self, window_size: int) -> None:
        super().__init__(window_size, window_size)

    def __repr__(self) -> str:
        return f"CountTumblingWindowAssigner({self._window_size})"

    @staticmethod
    def of(window_size: int) -> CountTumblingWindowAssigner:
        """Windows of `window_size` records."""
        return CountTumblingWindowAssigner(window_size)

    def assign_windows(
        self, element: Any, timestamp: int, context: WindowAssigner.WindowAssignerContext
    ) -> Collection[CountWindow]:
        """The one window."""
        return [CountWindow(self._next(context) // self._window_size)]

    def _native_spec(self) -> tuple[Any, ...]:
        if type(self) is CountTumblingWindowAssigner:
            return ("count_tumbling", self._window_size)
        return ("python", self)


class CountSlidingWindowAssigner(_CountWindows):
    """Windows of so many records that start every few records."""

    @staticmethod
    def of(window_size: int, window_slide: int) -> CountSlidingWindowAssigner:
        """Windows of `window_size` records that start every `window_slide` records."""
        return CountSlidingWindowAssigner(window_size, window_slide)

    def assign_windows(
        self, element: Any, timestamp: int, context: WindowAssigner.WindowAssignerContext
    ) -> Collection[CountWindow]:
        """All windows the record is in."""
        count = self._next(context)
        last = count // self._window_slide
        first = max(0, -(-(count - self._window_size + 1) // self._window_slide))
        return [CountWindow(i) for i in range(first, last + 1)]

    def _native_spec(self) -> tuple[Any, ...]:
        if type(self) is CountSlidingWindowAssigner:
            return ("count_sliding", self._window_size, self._window_slide)
        return ("python", self)


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        from pyflink._spellings import module_name

        return module_name(__name__, name)
