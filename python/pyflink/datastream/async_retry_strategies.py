"""When a record of asynchronous I/O is tried again."""

from __future__ import annotations

from pyflink._generic import OUT, Generic
from pyflink.datastream.functions import AsyncRetryPredicate, AsyncRetryStrategy

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "ExponentialBackoffDelayRetryStrategy",
    "FixedDelayRetryStrategy",
    "NoRetryStrategy",
    "RetryPredicate",
]


class RetryPredicate(AsyncRetryPredicate[OUT], Generic[OUT]):
    """Two conditions, each of which may be None."""

    def __init__(
        self,
        result_predicate: Callable[[list[OUT]], bool] | None,
        exception_predicate: Callable[[Exception], bool] | None,
    ) -> None:
        self._result_predicate = result_predicate
        self._exception_predicate = exception_predicate

    def result_predicate(self) -> Callable[[list[OUT]], bool] | None:
        """Asked with the results of an attempt; true: try again."""
        return self._result_predicate

    def exception_predicate(self) -> Callable[[Exception], bool] | None:
        """Asked with the exception of an attempt; true: try again."""
        return self._exception_predicate


class NoRetryStrategy(AsyncRetryStrategy[OUT], Generic[OUT]):
    """One attempt."""

    def can_retry(self, current_attempts: int) -> bool:
        """Never."""
        return False

    def get_backoff_time_millis(self, current_attempts: int) -> int:
        """-1."""
        return -1

    def get_retry_predicate(self) -> AsyncRetryPredicate[OUT]:
        """No conditions."""
        return RetryPredicate(None, None)


def _positive(**values: float) -> None:
    for name, value in values.items():
        if value <= 0:
            raise AssertionError(f"{name} should be greater than zero, got {value!r}")


class FixedDelayRetryStrategy(AsyncRetryStrategy[OUT], Generic[OUT]):
    """So many more attempts, with the same time between them.

    :param max_attempts: how often at most.
    :param backoff_time_millis: the time between two attempts.
    :param result_predicate: results for which to try again, or None.
    :param exception_predicate: exceptions for which to try again, or None.
    :raises AssertionError: when a number is not positive, as upstream.
    """

    def __init__(
        self,
        max_attempts: int,
        backoff_time_millis: int,
        result_predicate: Callable[[list[OUT]], bool] | None,
        exception_predicate: Callable[[Exception], bool] | None,
    ) -> None:
        _positive(max_attempts=max_attempts, backoff_time_millis=backoff_time_millis)
        self._max_attempts = max_attempts
        self._backoff_time_millis = backoff_time_millis
        self._predicate: RetryPredicate[OUT] = RetryPredicate(result_predicate, exception_predicate)

    def can_retry(self, current_attempts: int) -> bool:
        """Whether another attempt is allowed after so many."""
        return current_attempts <= self._max_attempts

    def get_backoff_time_millis(self, current_attempts: int) -> int:
        """The time before the next attempt."""
        return self._backoff_time_millis

    def get_retry_predicate(self) -> AsyncRetryPredicate[OUT]:
        """The conditions."""
        return self._predicate


class ExponentialBackoffDelayRetryStrategy(AsyncRetryStrategy[OUT], Generic[OUT]):
    """So many more attempts, with a time between them that grows.

    :param max_attempts: how often at most.
    :param initial_delay: milliseconds before the second attempt.
    :param max_retry_delay: the time grows up to this.
    :param multiplier: and by this factor.
    :param result_predicate: results for which to try again, or None.
    :param exception_predicate: exceptions for which to try again, or None.
    :raises AssertionError: when a number is not positive, as upstream.
    """

    def __init__(
        self,
        max_attempts: int,
        initial_delay: int,
        max_retry_delay: int,
        multiplier: float,
        result_predicate: Callable[[list[OUT]], bool] | None,
        exception_predicate: Callable[[Exception], bool] | None,
    ) -> None:
        _positive(
            max_attempts=max_attempts,
            initial_delay=initial_delay,
            max_retry_delay=max_retry_delay,
            multiplier=multiplier,
        )
        self._max_attempts = max_attempts
        self._initial_delay = initial_delay
        self._max_retry_delay = max_retry_delay
        self._multiplier = multiplier
        self._predicate: RetryPredicate[OUT] = RetryPredicate(result_predicate, exception_predicate)

    def can_retry(self, current_attempts: int) -> bool:
        """Whether another attempt is allowed after so many."""
        return current_attempts <= self._max_attempts

    def get_backoff_time_millis(self, current_attempts: int) -> int:
        """The time before the next attempt."""
        delay = self._initial_delay
        for _ in range(current_attempts - 1):
            delay = int(min(delay * self._multiplier, self._max_retry_delay))
        return delay

    def get_retry_predicate(self) -> AsyncRetryPredicate[OUT]:
        """The conditions."""
        return self._predicate


NO_RETRY_STRATEGY: AsyncRetryStrategy = NoRetryStrategy()
