"""Fixtures for pytest: ``env``, ``clock`` and ``collect``.

pytest finds them by itself once the package is installed (entry point ``pytest11``); nothing of
the engine is loaded before a test asks for one.
"""

from __future__ import annotations

import pytest

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pyflink.testing.clock import FakeClock
    from pyflink.testing.environment import TestStreamEnvironment


@pytest.fixture
def clock() -> FakeClock:
    """Processing time of the test's ``env``: stands at 0 until it is moved."""
    from pyflink.testing.clock import FakeClock

    return FakeClock()


@pytest.fixture
def env(clock: FakeClock) -> TestStreamEnvironment:
    """An environment that runs jobs on the test's thread, without waiting."""
    from pyflink.testing.environment import TestStreamEnvironment

    return TestStreamEnvironment(clock)


@pytest.fixture
def collect() -> Any:
    """Executes a program and gives the records of its streams: ``collect(stream, ...)``."""
    from pyflink.testing.environment import collect

    return collect
