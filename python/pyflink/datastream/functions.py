"""Interfaces of the functions users write.

The engine calls a function object's methods directly; every subtask works on a copy of its own
(attributes are deep-copied before ``open``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import GenericAlias

from pyflink._generic import IN, KEY, OUT, W2, Generic, W
from pyflink.datastream.timerservice import TimerService

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from pyflink import _native
    from pyflink.datastream._dependencies import DistributedCache
    from pyflink.datastream._graph import Transformation
    from pyflink.datastream.data_stream import DataStream
    from pyflink.datastream.state import (
        AggregatingState,
        AggregatingStateDescriptor,
        BroadcastState,
        ListState,
        ListStateDescriptor,
        MapState,
        MapStateDescriptor,
        ReadOnlyBroadcastState,
        ReducingState,
        ReducingStateDescriptor,
        ValueState,
        ValueStateDescriptor,
    )
    from pyflink.datastream.time_domain import TimeDomain
    from pyflink.datastream.window import Window
    from pyflink.metrics import MetricGroup

__all__ = [
    "AggregateFunction",
    "AllWindowFunction",
    "AsyncFunction",
    "AsyncRetryPredicate",
    "AsyncRetryStrategy",
    "BaseBroadcastProcessFunction",
    "BroadcastProcessFunction",
    "CoFlatMapFunction",
    "CoMapFunction",
    "CoProcessFunction",
    "FilterFunction",
    "FlatMapFunction",
    "KeySelector",
    "KeyedBroadcastProcessFunction",
    "KeyedCoProcessFunction",
    "KeyedProcessFunction",
    "MapFunction",
    "Partitioner",
    "ProcessAllWindowFunction",
    "ProcessFunction",
    "ProcessWindowFunction",
    "ReduceFunction",
    "RuntimeContext",
    "SinkFunction",
    "SourceFunction",
    "TimerService",
    "WindowFunction",
]


class KeyedStateStore(ABC):
    """Hands out state of the current key."""

    @abstractmethod
    def get_state(self, state_descriptor: ValueStateDescriptor) -> ValueState:
        """One value."""

    @abstractmethod
    def get_list_state(self, state_descriptor: ListStateDescriptor) -> ListState:
        """A list."""

    @abstractmethod
    def get_map_state(self, state_descriptor: MapStateDescriptor) -> MapState:
        """A map."""

    @abstractmethod
    def get_reducing_state(self, state_descriptor: ReducingStateDescriptor) -> ReducingState:
        """One value, combined by a reduce function."""

    @abstractmethod
    def get_aggregating_state(
        self, state_descriptor: AggregatingStateDescriptor
    ) -> AggregatingState:
        """An accumulator of an aggregate function."""


class RuntimeContext(KeyedStateStore):
    """What a function learns of its surroundings when it is opened."""

    @abstractmethod
    def get_task_name(self) -> str:
        """Name of the task."""

    @abstractmethod
    def get_number_of_parallel_subtasks(self) -> int:
        """Parallelism of the operator."""

    @abstractmethod
    def get_max_number_of_parallel_subtasks(self) -> int:
        """Number of key groups."""

    @abstractmethod
    def get_index_of_this_subtask(self) -> int:
        """Which of the subtasks this is, from 0."""

    @abstractmethod
    def get_attempt_number(self) -> int:
        """How often the subtask was started before."""

    @abstractmethod
    def get_task_name_with_subtasks(self) -> str:
        """Name of the task with subtask and parallelism: ``Map (1/2)``."""

    @abstractmethod
    def get_job_parameter(self, key: str, default_value: str) -> str:
        """A global job parameter."""

    @abstractmethod
    def get_metrics_group(self) -> MetricGroup:
        """Metrics of this subtask."""


class StreamingRuntimeContext(RuntimeContext):
    """The engine's context: every question goes to the operator's native handle."""

    def __init__(self, handle: _native.OperatorHandle) -> None:
        self._handle = handle
        self._metrics: MetricGroup | None = None

    def get_task_name(self) -> str:
        return self._handle.task_name

    def get_number_of_parallel_subtasks(self) -> int:
        return self._handle.parallelism

    def get_max_number_of_parallel_subtasks(self) -> int:
        return self._handle.max_parallelism

    def get_index_of_this_subtask(self) -> int:
        return self._handle.subtask_index

    def get_attempt_number(self) -> int:
        return self._handle.attempt_number

    def get_task_name_with_subtasks(self) -> str:
        return self._handle.task_name_with_subtasks

    def get_job_parameter(self, key: str, default_value: str) -> str:
        return self._handle.job_parameters.get(key, default_value)

    def get_job_name(self) -> str:
        """Name of the job."""
        return self._handle.job_name

    def get_job_id(self) -> str:
        """Id of the job."""
        return self._handle.job_id

    def get_metrics_group(self) -> MetricGroup:
        if self._metrics is None:
            from pyflink.metrics.metricbase import _NativeMetricGroup

            self._metrics = _NativeMetricGroup(self._handle)
        return self._metrics

    get_metric_group = get_metrics_group

    def get_distributed_cache(self) -> DistributedCache:
        """Files registered by :meth:`StreamExecutionEnvironment.register_cached_file`."""
        from pyflink.datastream._dependencies import CACHED_FILES, DistributedCache

        return DistributedCache(self._handle.job_parameters.get(CACHED_FILES, ""))

    def _state(self, descriptor: Any, kind: str) -> Any:
        if getattr(descriptor, "_KIND", None) != kind:
            raise TypeError(
                f"{kind} state needs a {kind.capitalize()}StateDescriptor, got {descriptor!r}"
            )
        if not self._handle.is_keyed:
            raise RuntimeError(
                f"Keyed state {descriptor.get_name()!r} can only be used on a keyed stream, "
                "i.e. after a 'key_by()' operation."
            )
        return self._handle.get_state(descriptor._native())

    def get_state(self, state_descriptor: ValueStateDescriptor) -> ValueState:
        state: ValueState = self._state(state_descriptor, "value")
        return state

    def get_list_state(self, state_descriptor: ListStateDescriptor) -> ListState:
        state: ListState = self._state(state_descriptor, "list")
        return state

    def get_map_state(self, state_descriptor: MapStateDescriptor) -> MapState:
        state: MapState = self._state(state_descriptor, "map")
        return state

    def get_reducing_state(self, state_descriptor: ReducingStateDescriptor) -> ReducingState:
        state: ReducingState = self._state(state_descriptor, "reducing")
        return state

    def get_aggregating_state(
        self, state_descriptor: AggregatingStateDescriptor
    ) -> AggregatingState:
        state: AggregatingState = self._state(state_descriptor, "aggregating")
        return state


class Function(ABC):
    """Base of all functions: a life cycle of ``open``, calls, ``close``."""

    __class_getitem__: Any = classmethod(GenericAlias)

    def open(self, runtime_context: RuntimeContext) -> None:
        """Called once in every subtask before the first record."""

    def close(self) -> None:
        """Called once in every subtask after the last record, or when the job fails."""


class MapFunction(Function):
    """One record in, one out."""

    @abstractmethod
    def map(self, value: Any) -> Any:
        """The record that `value` becomes."""


class CoMapFunction(Function):
    """A map over two connected streams."""

    @abstractmethod
    def map1(self, value: Any) -> Any:
        """The record that `value` of the first stream becomes."""

    @abstractmethod
    def map2(self, value: Any) -> Any:
        """The record that `value` of the second stream becomes."""


class FlatMapFunction(Function):
    """One record in, any number out."""

    @abstractmethod
    def flat_map(self, value: Any) -> Iterable[Any]:
        """The records that `value` becomes: a generator or any iterable."""


class CoFlatMapFunction(Function):
    """A flat map over two connected streams."""

    @abstractmethod
    def flat_map1(self, value: Any) -> Iterable[Any]:
        """The records that `value` of the first stream becomes."""

    @abstractmethod
    def flat_map2(self, value: Any) -> Iterable[Any]:
        """The records that `value` of the second stream becomes."""


class ReduceFunction(Function):
    """Combines two records into one of the same type."""

    @abstractmethod
    def reduce(self, value1: Any, value2: Any) -> Any:
        """`value1` is what was combined so far, `value2` the new record."""


class AggregateFunction(Function):
    """Collects records in an accumulator of another type."""

    @abstractmethod
    def create_accumulator(self) -> Any:
        """An empty accumulator."""

    @abstractmethod
    def add(self, value: Any, accumulator: Any) -> Any:
        """The accumulator with `value` in it."""

    @abstractmethod
    def get_result(self, accumulator: Any) -> Any:
        """What the accumulator amounts to."""

    @abstractmethod
    def merge(self, acc_a: Any, acc_b: Any) -> Any:
        """Both accumulators as one; session windows need it."""


class KeySelector(Function):
    """The key of a record."""

    @abstractmethod
    def get_key(self, value: Any) -> Any:
        """The key; equal keys share state."""


class NullByteKeySelector(KeySelector):
    """One key for all records."""

    def get_key(self, value: Any) -> int:
        """Always 0."""
        return 0


class FilterFunction(Function):
    """Lets records pass or not."""

    @abstractmethod
    def filter(self, value: Any) -> bool:
        """True to keep the record."""


class Partitioner(Function):
    """Chooses the subtask a record goes to."""

    @abstractmethod
    def partition(self, key: Any, num_partitions: int) -> int:
        """A number from 0 to `num_partitions` - 1.

        `num_partitions` is the parallelism of the next operator.
        """


class SourceFunction:
    """A source written in Python: override :meth:`run` (and :meth:`cancel`).

    ``run(ctx)`` has a thread of its own and emits with ``ctx.collect(value)``,
    ``ctx.collect_with_timestamp(value, timestamp)`` and ``ctx.emit_watermark(timestamp)``.

    :param source_func: a Java class or object upstream; leave it out here.
    """

    def __init__(self, source_func: Any = None) -> None:
        if source_func is not None and type(self) is SourceFunction:
            raise _no_java("SourceFunction", source_func)
        self._source_func = source_func

    def run(self, ctx: Any) -> None:
        """Emits records until it is done or :meth:`cancel` was called."""
        raise NotImplementedError(f"{type(self).__name__} must override run(self, ctx)")

    def cancel(self) -> None:
        """Asks :meth:`run`, from another thread, to return soon."""


_DISCARDING_SINK = "org.apache.flink.streaming.api.functions.sink.DiscardingSink"


def _discard(stream: DataStream) -> list[Transformation]:
    return [stream._add("discard", "Unnamed", stream._type_info, {})]


class SinkFunction:
    """A sink written in Python: override :meth:`invoke` (and ``open``, ``close``).

    :param sink_func: a Java class or object upstream; leave it out here. One name is known:
        ``org.apache.flink.streaming.api.functions.sink.DiscardingSink`` drops every record.
    """

    def __init__(self, sink_func: Any = None) -> None:
        if sink_func == _DISCARDING_SINK:
            self._attach = _discard
        elif sink_func is not None and type(self) is SinkFunction:
            raise _no_java("SinkFunction", sink_func)
        self._sink_func = sink_func

    def open(self, runtime_context: RuntimeContext) -> None:
        """Called once in every subtask before the first record."""

    def invoke(self, value: Any, context: Any = None) -> None:
        """Writes one record."""
        raise NotImplementedError(
            f"{type(self).__name__} must override invoke(self, value, context)"
        )

    def close(self) -> None:
        """Called once in every subtask after the last record, or when the job fails."""


def _no_java(what: str, argument: Any) -> Exception:
    from pyflink._not_yet import not_yet

    if what == "SourceFunction":
        return not_yet("SourceFunction of a Java class", f"SourceFunction({argument!r})")
    return not_yet("SinkFunction of a Java class", f"SinkFunction({argument!r})")


class ProcessFunction(Function):
    """Any number of records out of one, with timestamp, timer service and side outputs.

    Yield records, or ``tag, record`` for a side output; a returned iterable is emitted item by
    item.
    """

    class Context(ABC):
        """What :meth:`ProcessFunction.process_element` may ask."""

        @abstractmethod
        def timer_service(self) -> TimerService:
            """Clock and watermark; timers only on keyed streams."""

        @abstractmethod
        def timestamp(self) -> int:
            """The record's timestamp, or None."""

    @abstractmethod
    def process_element(self, value: Any, ctx: ProcessFunction.Context) -> Iterable[Any] | None:
        """Called for every record."""


class KeyedProcessFunction(Function):
    """A process function on a keyed stream: keyed state and timers."""

    class Context(ABC):
        """What :meth:`KeyedProcessFunction.process_element` may ask."""

        @abstractmethod
        def get_current_key(self) -> Any:
            """The record's key."""

        @abstractmethod
        def timer_service(self) -> TimerService:
            """Clock, watermark and timers of this key."""

        @abstractmethod
        def timestamp(self) -> int:
            """The record's timestamp, or None."""

    class OnTimerContext(Context):
        """What :meth:`KeyedProcessFunction.on_timer` may ask."""

        @abstractmethod
        def time_domain(self) -> TimeDomain:
            """Which clock the timer went by."""

    @abstractmethod
    def process_element(
        self, value: Any, ctx: KeyedProcessFunction.Context
    ) -> Iterable[Any] | None:
        """Called for every record."""

    def on_timer(
        self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext
    ) -> Iterable[Any] | None:
        """Called when a timer fires; emits like :meth:`process_element`."""


class CoProcessFunction(Function):
    """A process function over two connected streams."""

    class Context(ABC):
        """What the methods may ask."""

        @abstractmethod
        def timer_service(self) -> TimerService:
            """Clock and watermark."""

        @abstractmethod
        def timestamp(self) -> int:
            """The record's timestamp, or None."""

    @abstractmethod
    def process_element1(self, value: Any, ctx: CoProcessFunction.Context) -> Iterable[Any] | None:
        """Called for every record of the first stream."""

    @abstractmethod
    def process_element2(self, value: Any, ctx: CoProcessFunction.Context) -> Iterable[Any] | None:
        """Called for every record of the second stream."""


class KeyedCoProcessFunction(Function):
    """A process function over two keyed streams that share state."""

    class Context(ABC):
        """What the methods may ask."""

        @abstractmethod
        def get_current_key(self) -> Any:
            """The record's key."""

        @abstractmethod
        def timer_service(self) -> TimerService:
            """Clock, watermark and timers of this key."""

        @abstractmethod
        def timestamp(self) -> int:
            """The record's timestamp, or None."""

    class OnTimerContext(Context):
        """What :meth:`KeyedCoProcessFunction.on_timer` may ask."""

        @abstractmethod
        def time_domain(self) -> TimeDomain:
            """Which clock the timer went by."""

    @abstractmethod
    def process_element1(
        self, value: Any, ctx: KeyedCoProcessFunction.Context
    ) -> Iterable[Any] | None:
        """Called for every record of the first stream."""

    @abstractmethod
    def process_element2(
        self, value: Any, ctx: KeyedCoProcessFunction.Context
    ) -> Iterable[Any] | None:
        """Called for every record of the second stream."""

    def on_timer(
        self, timestamp: int, ctx: KeyedCoProcessFunction.OnTimerContext
    ) -> Iterable[Any] | None:
        """Called when a timer fires."""


class AsyncRetryPredicate(ABC, Generic[OUT]):
    """Which outcomes of an attempt lead to another one."""

    @abstractmethod
    def result_predicate(self) -> Callable[[list[OUT]], bool] | None:
        """Asked with the results of an attempt; true: try again."""

    @abstractmethod
    def exception_predicate(self) -> Callable[[Exception], bool] | None:
        """Asked with the exception of an attempt; true: try again."""


class AsyncRetryStrategy(ABC, Generic[OUT]):
    """Whether and when a record of asynchronous I/O is tried again."""

    @abstractmethod
    def can_retry(self, current_attempts: int) -> bool:
        """Whether another attempt is allowed after so many."""

    @abstractmethod
    def get_backoff_time_millis(self, current_attempts: int) -> int:
        """The time before the next attempt."""

    @abstractmethod
    def get_retry_predicate(self) -> AsyncRetryPredicate[OUT]:
        """Which outcomes lead to another attempt."""

    @staticmethod
    def no_restart() -> AsyncRetryStrategy:
        """One attempt."""
        from pyflink.datastream.async_retry_strategies import NO_RETRY_STRATEGY

        return NO_RETRY_STRATEGY

    @staticmethod
    def fixed_delay(
        max_attempts: int,
        backoff_time_millis: int,
        result_predicate: Callable[[list[Any]], bool] | None,
        exception_predicate: Callable[[Exception], bool] | None,
    ) -> AsyncRetryStrategy:
        """So many more attempts, with the same time between them."""
        from pyflink.datastream.async_retry_strategies import FixedDelayRetryStrategy

        return FixedDelayRetryStrategy(
            max_attempts, backoff_time_millis, result_predicate, exception_predicate
        )

    @staticmethod
    def exponential_backoff(
        max_attempts: int,
        initial_delay: int,
        max_retry_delay: int,
        multiplier: float,
        result_predicate: Callable[[list[Any]], bool] | None,
        exception_predicate: Callable[[Exception], bool] | None,
    ) -> AsyncRetryStrategy:
        """So many more attempts, with a time between them that grows."""
        from pyflink.datastream.async_retry_strategies import ExponentialBackoffDelayRetryStrategy

        return ExponentialBackoffDelayRetryStrategy(
            max_attempts,
            initial_delay,
            max_retry_delay,
            multiplier,
            result_predicate,
            exception_predicate,
        )


class AsyncFunction(Function, Generic[IN, OUT]):
    """Waits for something outside without holding up other records: see AsyncDataStream.

    ``open`` and ``close`` run in the task's thread; :meth:`async_invoke` and :meth:`timeout` on the
    event loop of the subtask.
    """

    @abstractmethod
    async def async_invoke(self, value: IN) -> list[OUT]:
        """The results of a record: a list, empty for none."""

    def timeout(self, value: IN) -> list[OUT]:
        """The results of a record that took too long.

        :raises TimeoutError: unless overridden.
        """
        raise TimeoutError(
            f"{type(self).__name__}.async_invoke() did not answer in time for {value!r}; give"
            " AsyncDataStream a longer timeout, or override timeout(value)"
        )


class WindowFunction(Function, Generic[IN, OUT, KEY, W]):
    """Evaluates a window of one key."""

    @abstractmethod
    def apply(self, key: KEY, window: W, inputs: Iterable[IN]) -> Iterable[OUT]:
        """The results of a window with these records."""


class AllWindowFunction(Function, Generic[IN, OUT, W]):
    """Evaluates a window of a stream without keys."""

    @abstractmethod
    def apply(self, window: W, inputs: Iterable[IN]) -> Iterable[OUT]:
        """The results of a window with these records."""


class ProcessWindowFunction(Function, Generic[IN, OUT, KEY, W]):
    """Evaluates a window of one key, with time and state."""

    class Context(ABC, Generic[W2]):
        """What the function may ask."""

        __class_getitem__: Any = classmethod(GenericAlias)

        @abstractmethod
        def window(self) -> W2:
            """The window."""

        @abstractmethod
        def current_processing_time(self) -> int:
            """Milliseconds since the epoch."""

        @abstractmethod
        def current_watermark(self) -> int:
            """The operator's event time."""

        @abstractmethod
        def window_state(self) -> KeyedStateStore:
            """State of this key and window."""

        @abstractmethod
        def global_state(self) -> KeyedStateStore:
            """State of this key."""

    @abstractmethod
    def process(
        self, key: KEY, context: ProcessWindowFunction.Context[W], elements: Iterable[IN]
    ) -> Iterable[OUT]:
        """The results of a window with these records."""

    def clear(self, context: ProcessWindowFunction.Context[W]) -> None:
        """Called when the window is removed: clear what :meth:`Context.window_state` holds."""


class ProcessAllWindowFunction(Function, Generic[IN, OUT, W]):
    """Evaluates a window of a stream without keys, with state."""

    class Context(ABC, Generic[W2]):
        """What the function may ask."""

        __class_getitem__: Any = classmethod(GenericAlias)

        @abstractmethod
        def window(self) -> W2:
            """The window."""

        @abstractmethod
        def window_state(self) -> KeyedStateStore:
            """State of this window."""

        @abstractmethod
        def global_state(self) -> KeyedStateStore:
            """State of the operator."""

    @abstractmethod
    def process(
        self, context: ProcessAllWindowFunction.Context[W], elements: Iterable[IN]
    ) -> Iterable[OUT]:
        """The results of a window with these records."""

    def clear(self, context: ProcessAllWindowFunction.Context[W]) -> None:
        """Called when the window is removed: clear what :meth:`Context.window_state` holds."""


class PassThroughWindowFunction(WindowFunction):
    """Emits what is in the window."""

    def apply(self, key: Any, window: Window, inputs: Iterable[Any]) -> Iterable[Any]:
        """The records themselves."""
        return inputs


class PassThroughAllWindowFunction(AllWindowFunction):
    """Emits what is in the window."""

    def apply(self, window: Window, inputs: Iterable[Any]) -> Iterable[Any]:
        """The records themselves."""
        return inputs


class BaseBroadcastProcessFunction(Function):
    """Base of functions with a broadcast side."""

    class BaseContext(ABC):
        """What both sides may ask."""

        @abstractmethod
        def timestamp(self) -> int:
            """The record's timestamp, or None."""

        @abstractmethod
        def current_processing_time(self) -> int:
            """Milliseconds since the epoch."""

        @abstractmethod
        def current_watermark(self) -> int:
            """The operator's event time."""

    class Context(BaseContext):
        """What the broadcast side may ask."""

        @abstractmethod
        def get_broadcast_state(self, state_descriptor: MapStateDescriptor) -> BroadcastState:
            """Broadcast state, to read and write."""

    class ReadOnlyContext(BaseContext):
        """What the other side may ask."""

        @abstractmethod
        def get_broadcast_state(
            self, state_descriptor: MapStateDescriptor
        ) -> ReadOnlyBroadcastState:
            """Broadcast state, to read."""


class BroadcastProcessFunction(BaseBroadcastProcessFunction):
    """A process function over a stream and a broadcast stream."""

    class Context(BaseBroadcastProcessFunction.Context, ABC):
        """What the broadcast side may ask."""

    class ReadOnlyContext(BaseBroadcastProcessFunction.ReadOnlyContext, ABC):
        """What the other side may ask."""

    @abstractmethod
    def process_element(
        self, value: Any, ctx: BroadcastProcessFunction.ReadOnlyContext
    ) -> Iterable[Any] | None:
        """Called for every record of the stream that is not broadcast."""

    @abstractmethod
    def process_broadcast_element(
        self, value: Any, ctx: BroadcastProcessFunction.Context
    ) -> Iterable[Any] | None:
        """Called, in every subtask, for every record of the broadcast stream."""


class KeyedBroadcastProcessFunction(BaseBroadcastProcessFunction):
    """A process function over a keyed stream and a broadcast stream."""

    class Context(BaseBroadcastProcessFunction.Context, ABC):
        """What the broadcast side may ask."""

    class ReadOnlyContext(BaseBroadcastProcessFunction.ReadOnlyContext, ABC):
        """What the keyed side may ask."""

        @abstractmethod
        def timer_service(self) -> TimerService:
            """Clock, watermark and timers of this key."""

        @abstractmethod
        def get_current_key(self) -> Any:
            """The record's key."""

    class OnTimerContext(ReadOnlyContext, ABC):
        """What :meth:`KeyedBroadcastProcessFunction.on_timer` may ask."""

        @abstractmethod
        def time_domain(self) -> TimeDomain:
            """Which clock the timer went by."""

    @abstractmethod
    def process_element(
        self, value: Any, ctx: KeyedBroadcastProcessFunction.ReadOnlyContext
    ) -> Iterable[Any] | None:
        """Called for every record of the keyed stream."""

    @abstractmethod
    def process_broadcast_element(
        self, value: Any, ctx: KeyedBroadcastProcessFunction.Context
    ) -> Iterable[Any] | None:
        """Called, in every subtask, for every record of the broadcast stream."""

    def on_timer(
        self, timestamp: int, ctx: KeyedBroadcastProcessFunction.OnTimerContext
    ) -> Iterable[Any] | None:
        """Called when a timer fires."""


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        from pyflink._spellings import module_name

        return module_name(__name__, name)
