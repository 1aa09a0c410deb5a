"""What the workloads share: how a child process reports, and what the parent lends it.

Each file of `workloads/` is one workload. It says what it measures (`TITLE`, `METRIC`, `GOAL`,
`ENGINES`) without importing any engine, and has

- `prepare(bench, engine)`: in the parent; returns the options of the child (a dict), may start
  servers;
- `run(engine, options)`: in the child, under the engine's interpreter; returns the measured values.

The parent runs `python workloads/<name>.py <engine> <options as JSON>`; the child's last line on
its standard output is its values as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple


class Goal(NamedTuple):
    """A promise of DESIGN: the metric is at least, or at most, this."""

    at_least: float | None = None
    at_most: float | None = None

    def ratio(self, value: float) -> float:
        """1 or more when the goal is met, whichever direction it has."""
        if self.at_least is not None:
            return value / self.at_least
        assert self.at_most is not None
        return self.at_most / value if value else float("inf")

    def __str__(self) -> str:
        return f">= {self.at_least:,g}" if self.at_least is not None else f"<= {self.at_most:,g}"


def child_main(run: Callable[[str, dict[str, Any]], dict[str, Any]]) -> None:
    """The end of every workload file: runs it as the parent asked and reports."""
    engine, options = sys.argv[1], json.loads(sys.argv[2])
    values = run(engine, options)
    print(json.dumps(values), flush=True)


def rate_of(job: Callable[[int], None], sizes: list[int]) -> dict[str, Any]:
    """Records per second of `job(records)`.

    With two sizes the smaller one runs twice: the first time it only warms the engine up, the
    second time it says what starting a job takes, which is taken off. An engine that needs seconds
    to start is so measured at its steady rate. With one size the job's start counts.
    """
    if len(sizes) == 2:
        job(sizes[0])
    seconds = []
    for records in sizes:
        begin = time.perf_counter()
        job(records)
        seconds.append(time.perf_counter() - begin)
    if len(sizes) == 1:
        return {"records_per_s": sizes[0] / seconds[0], "seconds": seconds[0], "records": sizes[0]}
    spent = seconds[1] - seconds[0]
    if spent <= 0:
        raise RuntimeError(f"{sizes[1]} records took no longer than {sizes[0]}: {seconds}")
    return {"records_per_s": (sizes[1] - sizes[0]) / spent, "seconds": spent, "records": sizes[1]}


def pyflink_environment(engine: str, options: dict[str, Any]) -> Any:
    """The engine's `pyflink` environment at parallelism 1, the real one's at its best settings."""
    from pyflink.common import Configuration
    from pyflink.datastream import StreamExecutionEnvironment

    configuration = Configuration()
    if engine.startswith("flink-thread"):
        configuration.set_string("python.execution-mode", "thread")
    if engine.startswith("flink"):
        configuration.set_string("pipeline.object-reuse", "true")
        configuration.set_string("python.fn-execution.bundle.size", "10000")
    env = StreamExecutionEnvironment.get_execution_environment(configuration)
    env.set_parallelism(1)
    if engine.startswith("flink") and options.get("jars"):
        env.add_jars(*[f"file://{jar}" for jar in options["jars"]])
    return env
