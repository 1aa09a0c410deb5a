"""Faults with an oracle: servers that go away, proxies that misbehave, processes that are killed.

All tests here need real servers or processes of their own: marker `services`. Long ones are also
`soak` and run only when the marker expression names it: `pytest -m soak tests/faults`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.services.conftest import elasticsearch, kafka

__all__ = ["elasticsearch", "kafka"]

FOLDER = Path(__file__).parent
TIMEOUT_S = 180


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if FOLDER in item.path.parents:
            if item.get_closest_marker("soak") is None:
                item.add_marker(pytest.mark.services)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(TIMEOUT_S))


class Script:
    """A PyFlink script in a process of its own; what it prints can be waited for."""

    def __init__(self, path: Path, source: str, *arguments: str) -> None:
        path.write_text(textwrap.dedent(source), encoding="utf-8")
        self._output = path.with_suffix(".out")
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-u", str(path), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
            )

    @property
    def output(self) -> str:
        return self._output.read_text(errors="replace")

    def await_output(self, text: str, timeout_s: float = 30.0) -> None:
        deadline = time.monotonic() + timeout_s
        while text not in self.output:
            assert self.process.poll() is None, f"ended early:\n{self.output}"
            assert time.monotonic() < deadline, f"{text!r} not printed:\n{self.output}"
            time.sleep(0.01)

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def wait(self, timeout_s: float = 30.0) -> int:
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still runs after {timeout_s} s:\n{self.output}") from None


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Callable[..., Script]]:
    """Starts scripts: `script(source, *arguments)`."""
    started: list[Script] = []

    def start(source: str, *arguments: str) -> Script:
        started.append(Script(tmp_path / f"script{len(started)}.py", source, *arguments))
        return started[-1]

    yield start
    for one in started:
        with contextlib.suppress(ProcessLookupError):
            one.kill()
