"""What happens when a job fails."""

from __future__ import annotations

from pyflink.common.time import millis_of

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import timedelta
    from typing import Any

__all__ = ["RestartStrategies", "RestartStrategyConfiguration"]


class RestartStrategyConfiguration:
    """Base of all restart strategies; they compare by value."""

    def _settings(self) -> dict[str, Any]:
        """The same strategy as configuration options."""
        return {}

    def _options(self, checkpointing: bool) -> dict[str, Any]:
        """What the engine needs of it; nothing: a failed job ends."""
        return {}

    def get_description(self) -> str:
        """The strategy in words."""
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((type(self).__name__, *self.__dict__.values()))

    def __repr__(self) -> str:
        return self.get_description()


def _iso(millis: int) -> str:
    """A duration as Java prints it: ``PT1H2M3.004S``."""
    seconds, rest = divmod(millis, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    text = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
    if seconds or rest or not text:
        text += f"{seconds}" + (f".{rest:03}".rstrip("0") if rest else "") + "S"
    return f"PT{text}"


def _interval(value: Any, what: str) -> int:
    if not (isinstance(value, int) or hasattr(value, "total_seconds")):
        raise TypeError(
            f"The parameter '{what}' only supports integer (milliseconds) and datetime.timedelta,"
            f" got {type(value)}."
        )
    return millis_of(value, what)


def _delta(millis: int) -> timedelta:
    from datetime import timedelta

    return timedelta(milliseconds=millis)


class _NoRestart(RestartStrategyConfiguration):
    """Fail for good."""

    def get_description(self) -> str:
        return "Restart deactivated."


class _FixedDelay(RestartStrategyConfiguration):
    """Restart so many times, with a pause before each."""

    def __init__(self, restart_attempts: int, delay_between_attempts_interval: Any) -> None:
        self._attempts = restart_attempts
        self._delay_ms = _interval(
            delay_between_attempts_interval, "delay_between_attempts_interval"
        )

    def _options(self, checkpointing: bool) -> dict[str, Any]:
        return {"kind": "fixed_delay", "attempts": self._attempts, "delay_ms": self._delay_ms}

    def get_restart_attempts(self) -> int:
        return self._attempts

    def get_delay_between_attempts_interval(self) -> timedelta:
        return _delta(self._delay_ms)

    def get_description(self) -> str:
        delay = _iso(self._delay_ms)
        return f"Restart with fixed delay ({delay}). #{self._attempts} restart attempts."


class _FailureRate(RestartStrategyConfiguration):
    """Restart unless failures come too often."""

    def __init__(
        self, max_failure_rate: int, failure_interval: Any, delay_between_attempts_interval: Any
    ) -> None:
        self._rate = max_failure_rate
        self._interval_ms = _interval(failure_interval, "failure_interval")
        self._delay_ms = _interval(
            delay_between_attempts_interval, "delay_between_attempts_interval"
        )

    def _options(self, checkpointing: bool) -> dict[str, Any]:
        return {
            "kind": "failure_rate",
            "max_failures_per_interval": self._rate,
            "failure_interval_ms": self._interval_ms,
            "delay_ms": self._delay_ms,
        }

    def get_max_failure_rate(self) -> int:
        return self._rate

    def get_failure_interval(self) -> timedelta:
        return _delta(self._interval_ms)

    def get_delay_between_attempts_interval(self) -> timedelta:
        return _delta(self._delay_ms)

    def get_description(self) -> str:
        return (
            f"Failure rate restart with maximum of {self._rate} failures within interval "
            f"{_iso(self._interval_ms)} and fixed delay {_iso(self._delay_ms)}."
        )


class _ExponentialDelay(RestartStrategyConfiguration):
    """Restart with pauses that grow; set by name only, as in upstream's Python."""

    def __init__(
        self,
        initial_backoff_ms: int,
        max_backoff_ms: int,
        backoff_multiplier: float,
        reset_backoff_threshold_ms: int,
        jitter_factor: float,
        attempts_before_reset_backoff: int,
    ) -> None:
        prefix = "restart-strategy.exponential-delay."
        if initial_backoff_ms < 1:
            raise ValueError(
                f"{prefix}initial-backoff must be at least 1 ms, got {initial_backoff_ms} ms"
            )
        if max_backoff_ms < initial_backoff_ms:
            raise ValueError(
                f"{prefix}max-backoff must not be below the initial one"
                f" ({initial_backoff_ms} ms), got {max_backoff_ms} ms"
            )
        if backoff_multiplier <= 1:
            raise ValueError(
                f"{prefix}backoff-multiplier must be greater than 1, got {backoff_multiplier}"
            )
        if not 0 <= jitter_factor <= 1:
            raise ValueError(f"{prefix}jitter-factor must be from 0 to 1, got {jitter_factor}")
        self._initial_backoff_ms = initial_backoff_ms
        self._max_backoff_ms = max_backoff_ms
        self._multiplier = backoff_multiplier
        self._reset_threshold_ms = reset_backoff_threshold_ms
        self._jitter = jitter_factor
        self._attempts = attempts_before_reset_backoff

    def _options(self, checkpointing: bool) -> dict[str, Any]:
        return {
            "kind": "exponential_delay",
            "delay_ms": self._initial_backoff_ms,
            "max_delay_ms": self._max_backoff_ms,
            "multiplier": repr(float(self._multiplier)),
            "jitter": repr(float(self._jitter)),
            "reset_threshold_ms": self._reset_threshold_ms,
            "attempts": self._attempts,
        }

    def get_description(self) -> str:
        return (
            f"Restart with exponential delay: starting at {_iso(self._initial_backoff_ms)},"
            f" increasing by {self._multiplier:g}, with maximum {_iso(self._max_backoff_ms)}."
            f" Delay resets after {_iso(self._reset_threshold_ms)} with jitter {self._jitter:g}"
        )


class _Fallback(RestartStrategyConfiguration):
    """Upstream's default: exponential delay for jobs with checkpoints, none for others."""

    def __init__(self, default: _ExponentialDelay | None = None) -> None:
        self._default = default

    def _options(self, checkpointing: bool) -> dict[str, Any]:
        if not checkpointing:
            return {}
        return (
            {"kind": "exponential_delay"} if self._default is None else self._default._options(True)
        )

    def get_description(self) -> str:
        return "Cluster level default restart strategy"


class RestartStrategies:
    """What happens when a job fails: given to ``env.set_restart_strategy``.

    Every failure leads to a restart, from the newest checkpoint, but one that is certain to come
    again: a program or configuration that is wrong.
    """

    NoRestartStrategyConfiguration = _NoRestart
    FixedDelayRestartStrategyConfiguration = _FixedDelay
    FailureRateRestartStrategyConfiguration = _FailureRate
    FallbackRestartStrategyConfiguration = _Fallback

    @staticmethod
    def no_restart() -> _NoRestart:
        """A failed job ends."""
        return _NoRestart()

    @staticmethod
    def fall_back_restart() -> _Fallback:
        """What the configuration says."""
        return _Fallback()

    @staticmethod
    def fixed_delay_restart(restart_attempts: int, delay_between_attempts: int) -> _FixedDelay:
        """At most `restart_attempts` restarts, `delay_between_attempts` ms (or timedelta) apart."""
        return _FixedDelay(restart_attempts, delay_between_attempts)

    @staticmethod
    def failure_rate_restart(
        failure_rate: int, failure_interval: int, delay_interval: int
    ) -> _FailureRate:
        """Restarts while there are fewer than `failure_rate` failures per `failure_interval`.

        Intervals are milliseconds or a timedelta.
        """
        return _FailureRate(failure_rate, failure_interval, delay_interval)
