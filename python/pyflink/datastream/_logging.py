"""Our log lines, without importing ``logging`` before somebody wants to see one."""

from __future__ import annotations

import sys

_WARNING = 30


def _level() -> int:
    if "logging" not in sys.modules:  # nobody configured anything: Python's own default
        return _WARNING
    import logging

    return logging.getLogger("pyflink").getEffectiveLevel()


def info(message: str) -> None:
    """Logs at INFO, if that would be seen."""
    if _level() <= 20:
        import logging

        logging.getLogger("pyflink").info(message)


def warning(message: str) -> None:
    """Logs a warning."""
    import logging

    logging.getLogger("pyflink").warning(message)


_kept: set[str] = set()


def kept_only(setting: str, why: str) -> None:
    """Says once that a setting can be read back and does nothing."""
    if setting not in _kept:
        _kept.add(setting)
        warning(f"{setting} is kept and has no effect: {why}")


def _from_engine(level: int, name: str, message: str) -> None:
    import logging

    logging.getLogger(f"pyflink.{name}" if name else "pyflink").log(level, "%s", message)


def connect_engine() -> None:
    """Sends the engine's log to Python's, from the level that Python's loggers show now."""
    from pyflink._native import set_log_callback

    set_log_callback(_from_engine, _level())
