"""Lets the tests import the applications beside them, and gives them an environment."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pyflink.datastream import StreamExecutionEnvironment

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def env() -> StreamExecutionEnvironment:
    """A fresh environment."""
    return StreamExecutionEnvironment.get_execution_environment()
