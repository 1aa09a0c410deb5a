"""What happens to a record of an asynchronous function until its results are there.

One :class:`AsyncRunner` per subtask; the engine's operator gives it records and watermarks and
emits what is ready (``cpp/bindings/io/async_wait.h`` has the contract).
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pyflink.datastream.functions import AsyncRetryStrategy

__all__ = ["AsyncRunner", "ResultFuture"]

_CLOSE_SECONDS = 5.0


class ResultFuture:
    """Where ``async_invoke(self, value, result_future)`` puts its results, from any thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._future: asyncio.Future[Any] = loop.create_future()

    def complete(self, result: list[Any]) -> None:
        """The results of the record; only the first call counts."""
        self._settle(lambda: self._future.set_result(result))

    def complete_exceptionally(self, error: BaseException) -> None:
        """What went wrong; only the first call counts."""
        self._settle(lambda: self._future.set_exception(error))

    def _settle(self, settle: Callable[[], None]) -> None:
        self._loop.call_soon_threadsafe(lambda: None if self._future.done() else settle())


class _Entry:
    """A record under way."""

    __slots__ = ("segment", "settled", "task", "timer", "timestamp", "value")

    task: asyncio.Task[None]

    def __init__(self, value: Any, timestamp: int, segment: _Segment) -> None:
        self.value = value
        self.timestamp = timestamp
        self.segment = segment
        self.settled = False
        self.timer: asyncio.TimerHandle | None = None


class _Segment:
    """Records between two watermarks, which they do not pass; ordered: each is one of its own."""

    __slots__ = ("finished", "open", "watermark")

    def __init__(self) -> None:
        self.open = 0  # records without results
        self.finished: list[tuple[int, list[Any]]] = []
        self.watermark: int | None = None  # what follows


class AsyncRunner:
    """Runs ``async_invoke`` of one subtask's function on an event loop in a thread of its own.

    :param function: the AsyncFunction.
    :param timeout_ms: for all attempts of a record together; 0 for none.
    :param strategy: whether and when to try again.
    :param ordered: whether results keep the order of the records.
    """

    def __init__(
        self, function: Any, timeout_ms: int, strategy: AsyncRetryStrategy, ordered: bool
    ) -> None:
        self._function = function
        self._timeout = timeout_ms / 1000 if timeout_ms > 0 else None
        self._strategy = strategy
        self._ordered = ordered
        self._with_future = takes_result_future(function)

    # -- calls of the operator ---------------------------------------------------------------------

    def open(self, runtime_context: Any) -> None:
        """Opens the function."""
        opening = getattr(self._function, "open", None)
        if opening is not None:
            opening(runtime_context)

    def start(self, wake: Callable[[], None]) -> None:
        """Starts the event loop; `wake` tells the operator that something is ready."""
        self._wake: Callable[[], None] | None = wake
        self._lock = threading.Lock()  # guards what follows
        self._segments: deque[_Segment] = deque([_Segment()])
        self._error: BaseException | None = None
        self._closing = False
        predicate = self._strategy.get_retry_predicate()
        self._retry_result = predicate.result_predicate() if predicate is not None else None
        self._retry_error = predicate.exception_predicate() if predicate is not None else None
        self._tasks: set[asyncio.Task[Any]] = set()  # the loop keeps only weak references
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run_loop, name="async function", daemon=True)
        self._thread.start()

    def submit(self, value: Any, timestamp: int) -> None:
        """Starts the work for a record."""
        with self._lock:
            segment = self._segments[-1]
            if self._ordered and segment.open:
                segment = _Segment()
                self._segments.append(segment)
            segment.open += 1
        entry = _Entry(value, timestamp, segment)
        self._loop.call_soon_threadsafe(self._begin, entry)

    def watermark(self, timestamp: int) -> None:
        """Notes a watermark behind the records so far."""
        with self._lock:
            self._segments[-1].watermark = timestamp
            self._segments.append(_Segment())

    def ready(self) -> list[Any]:
        """What may be emitted now, in order."""
        out: list[Any] = []
        with self._lock:
            if self._error is not None:
                raise self._error
            while True:
                segment = self._segments[0]
                out += segment.finished
                segment.finished = []
                if segment.open or len(self._segments) == 1:
                    return out
                if segment.watermark is not None:
                    out.append(segment.watermark)
                self._segments.popleft()

    def close(self) -> None:
        """Cancels what is under way, ends the event loop and closes the function."""
        self._wake = None
        self._closing = True
        loop = getattr(self, "_loop", None)
        if loop is not None:
            loop.call_soon_threadsafe(loop.stop)
            self._thread.join(_CLOSE_SECONDS)
        closing = getattr(self._function, "close", None)
        if closing is not None:
            closing()

    # -- on the event loop -------------------------------------------------------------------------

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            for task in self._tasks:
                task.cancel()
            if self._tasks:
                self._loop.run_until_complete(asyncio.wait(set(self._tasks), timeout=1))
        finally:
            self._loop.close()

    def _begin(self, entry: _Entry) -> None:
        entry.task = task = self._loop.create_task(self._settle(entry))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _settle(self, entry: _Entry) -> None:
        if self._timeout is not None:
            entry.timer = self._loop.call_later(self._timeout, self._expire, entry)
        try:
            results = await self._attempts(entry.value)
        except asyncio.CancelledError:
            # Of a time-out or close(), which have seen to the record; or of the user's own doing.
            if not self._closing:
                error = RuntimeError(
                    f"{type(self._function).__name__}.async_invoke() was cancelled"
                )
                self._finish(entry, None, "async_invoke", error)
        except BaseException as error:
            self._finish(entry, None, "async_invoke", error)
        else:
            self._finish(entry, results, "async_invoke")

    def _expire(self, entry: _Entry) -> None:
        """Settles the record whatever the function makes of its cancellation."""
        try:
            results, error = self._function.timeout(entry.value), None
        except BaseException as raised:
            results, error = None, raised
        self._finish(entry, results, "timeout", error)
        entry.task.cancel()

    def _finish(
        self, entry: _Entry, results: Any, method: str, error: BaseException | None = None
    ) -> None:
        """The record's first outcome counts; what comes later is dropped."""
        if entry.settled:
            return
        entry.settled = True
        if entry.timer is not None:
            entry.timer.cancel()
        if error is None:
            try:
                results = self._checked(results, method, entry.value)
            except TypeError as wrong:
                error = wrong
        if error is not None:
            # As Exception.add_note of Python 3.11. ready() raises it, in the task's own thread.
            notes = getattr(error, "__notes__", [])
            note = f"in {method}() of the record {entry.value!r:.200}"
            error.__notes__ = [*notes, note]  # type: ignore[attr-defined]
        with self._lock:
            entry.segment.open -= 1
            if error is None:
                entry.segment.finished.append((entry.timestamp, results))
            elif self._error is None:
                self._error = error
        wake = self._wake
        if wake is not None:
            wake()

    async def _attempts(self, value: Any) -> Any:
        attempt = 1
        while True:
            try:
                results = await self._invoke(value)
            except Exception as error:
                if not self._again(self._retry_error, error, attempt):
                    raise
            else:
                if not self._again(self._retry_result, results, attempt):
                    return results
            await asyncio.sleep(self._strategy.get_backoff_time_millis(attempt) / 1000)
            attempt += 1

    def _again(self, predicate: Callable[[Any], bool] | None, outcome: Any, attempt: int) -> bool:
        return predicate is not None and predicate(outcome) and self._strategy.can_retry(attempt)

    async def _invoke(self, value: Any) -> Any:
        if not self._with_future:
            return await self._function.async_invoke(value)
        result = ResultFuture(self._loop)
        begun = self._function.async_invoke(value, result)
        if begun is not None:
            await begun
        return await result._future

    def _checked(self, results: Any, method: str, value: Any) -> list[Any]:
        if not isinstance(results, list):
            raise TypeError(
                f"{type(self._function).__name__}.{method}() must return a list with the results of"
                f" a record (an empty one for none), got {results!r}"
                f" ({type(results).__name__}) for {value!r}"
            )
        return results


def takes_result_future(function: Any) -> bool:
    """Whether ``async_invoke`` has Java's form, with a ResultFuture."""
    method = function.async_invoke
    code = getattr(method, "__code__", None)
    return code is not None and code.co_argcount - len(method.__defaults__ or ()) == 3
