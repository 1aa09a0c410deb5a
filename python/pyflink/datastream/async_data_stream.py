"""Asynchronous I/O: a function that waits for answers does not hold up the records behind it."""

from __future__ import annotations

from pyflink.common.time import millis_of
from pyflink.datastream._graph import declared_type
from pyflink.datastream.data_stream import DataStream, KeyedStream

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pyflink.common.time import Time
    from pyflink.common.typeinfo import TypeInformation
    from pyflink.datastream.functions import AsyncFunction, AsyncRetryStrategy

__all__ = ["AsyncDataStream"]


class AsyncDataStream:
    """Applies an :class:`AsyncFunction` to a stream.

    Each subtask runs the coroutines of at most `capacity` records at a time on an event loop of its
    own. Watermarks do not overtake records. Keyed state and timers are not available in the
    function, as upstream. Unlike upstream, it also runs with ``python.execution-mode: thread``.
    """

    @staticmethod
    def unordered_wait(
        data_stream: DataStream,
        async_function: AsyncFunction,
        timeout: Time,
        capacity: int = 100,
        output_type: TypeInformation | None = None,
    ) -> DataStream:
        """Emits results as they come; between two watermarks their order may change.

        :param data_stream: the records.
        :param async_function: an AsyncFunction.
        :param timeout: how long a record may take until ``timeout`` of the function is asked; 0 for
            no limit.
        :param capacity: how many records may be under way in a subtask.
        :param output_type: type of the results; any Python object when left out.
        :raises TypeError: when `async_function` has no coroutine ``async_invoke``.
        """
        from pyflink.datastream.async_retry_strategies import NO_RETRY_STRATEGY

        return AsyncDataStream.unordered_wait_with_retry(
            data_stream, async_function, timeout, NO_RETRY_STRATEGY, capacity, output_type
        )

    @staticmethod
    def unordered_wait_with_retry(
        data_stream: DataStream,
        async_function: AsyncFunction,
        timeout: Time,
        async_retry_strategy: AsyncRetryStrategy,
        capacity: int = 100,
        output_type: TypeInformation | None = None,
    ) -> DataStream:
        """As :meth:`unordered_wait`; asks again when the strategy says so.

        :param async_retry_strategy: whether and when; `timeout` is for all attempts together.
        :raises ValueError: when there is a strategy but no timeout.
        """
        return _add(
            data_stream, async_function, timeout, async_retry_strategy, capacity, output_type, False
        )

    @staticmethod
    def ordered_wait(
        data_stream: DataStream,
        async_function: AsyncFunction,
        timeout: Time,
        capacity: int = 100,
        output_type: TypeInformation | None = None,
    ) -> DataStream:
        """Emits results in the order of the records; see :meth:`unordered_wait`."""
        from pyflink.datastream.async_retry_strategies import NO_RETRY_STRATEGY

        return AsyncDataStream.ordered_wait_with_retry(
            data_stream, async_function, timeout, NO_RETRY_STRATEGY, capacity, output_type
        )

    @staticmethod
    def ordered_wait_with_retry(
        data_stream: DataStream,
        async_function: AsyncFunction,
        timeout: Time,
        async_retry_strategy: AsyncRetryStrategy,
        capacity: int = 100,
        output_type: TypeInformation | None = None,
    ) -> DataStream:
        """As :meth:`ordered_wait`; asks again when the strategy says so.

        :param async_retry_strategy: whether and when; `timeout` is for all attempts together.
        :raises ValueError: when there is a strategy but no timeout.
        """
        return _add(
            data_stream, async_function, timeout, async_retry_strategy, capacity, output_type, True
        )


_COROUTINE = 0x80  # of code


def _add(
    stream: DataStream,
    function: Any,
    timeout: Any,
    strategy: Any,
    capacity: int,
    output_type: TypeInformation | None,
    ordered: bool,
) -> DataStream:
    from pyflink.datastream._async import AsyncRunner, takes_result_future
    from pyflink.datastream.async_retry_strategies import NO_RETRY_STRATEGY

    if not isinstance(stream, DataStream):
        raise TypeError(f"AsyncDataStream needs a DataStream, got {stream!r}")
    if isinstance(function, type) or not callable(getattr(function, "async_invoke", None)):
        raise TypeError(
            "AsyncDataStream needs an AsyncFunction: an object with `async def async_invoke(self,"
            f" value)`, got {function!r}"
        )
    code = getattr(function.async_invoke, "__code__", None)
    is_coroutine = code is None or bool(code.co_flags & _COROUTINE)
    if not is_coroutine and not takes_result_future(function):
        raise TypeError(
            f"{type(function).__name__}.async_invoke must be declared with 'async def' and return a"
            " list; a plain function would hold up all records"
        )
    if not callable(getattr(strategy, "can_retry", None)):
        raise TypeError(
            "the retry strategy must be an AsyncRetryStrategy such as"
            f" AsyncRetryStrategy.fixed_delay(...), got {strategy!r}"
        )
    if strategy.get_retry_predicate() is None:
        raise ValueError(
            f"get_retry_predicate() of {type(strategy).__name__} returned None; return an"
            " AsyncRetryPredicate"
        )
    timeout_ms = millis_of(timeout, "timeout")
    if strategy is not NO_RETRY_STRATEGY and timeout_ms <= 0:
        raise ValueError(
            "asynchronous I/O with a retry strategy needs a timeout above 0, which ends its"
            f" attempts, got {timeout}"
        )
    if isinstance(capacity, bool) or not isinstance(capacity, int) or capacity < 1:
        raise ValueError(f"capacity must be at least 1, got {capacity!r}")
    if isinstance(stream, KeyedStream):
        stream = stream._values()
    return stream._apply(
        "async_wait",
        "async wait operator",
        declared_type(output_type, "output_type of AsyncDataStream"),
        {
            "function": AsyncRunner(function, timeout_ms, strategy, ordered),
            "capacity": capacity,
        },
    )
