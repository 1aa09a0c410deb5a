"""Results that come later."""

from __future__ import annotations

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


__all__ = ["CompletableFuture"]


class CompletableFuture:
    """A result that may not be there yet.

    :param result: waits for the result and returns it, or raises what went wrong.
    :param done: tells whether :meth:`result` would return at once.
    :param cancel: asks whatever works on it to stop.
    """

    def __init__(
        self,
        result: Callable[[], Any],
        done: Callable[[], bool] | None = None,
        cancel: Callable[[], Any] | None = None,
    ) -> None:
        self._result = result
        self._done = done
        self._cancel = cancel
        self._cancelled = False

    @staticmethod
    def completed(value: Any) -> CompletableFuture:
        """A future whose result is there already."""
        return CompletableFuture(lambda: value)

    def cancel(self) -> bool:
        """Asks to stop; False when it is done already or cannot be cancelled."""
        if self._cancel is None or self._cancelled or self.done():
            return False
        self._cancel()
        self._cancelled = True
        return True

    def cancelled(self) -> bool:
        """Whether :meth:`cancel` stopped it."""
        return self._cancelled

    def done(self) -> bool:
        """Whether the result is there."""
        return self._done is None or self._done()

    def result(self) -> Any:
        """Waits for the result.

        :raises Exception: what the work ended with.
        """
        return self._result()

    def exception(self) -> BaseException | None:
        """Waits; the exception the work ended with, or None."""
        try:
            self._result()
        except Exception as error:
            return error
        return None

    def __repr__(self) -> str:
        return f"CompletableFuture({'done' if self.done() else 'pending'})"
