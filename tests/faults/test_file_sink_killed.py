"""A job that writes files, killed where it hurts: every line is there once when it has ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

JOB = """
import sys
from pyflink.common import Configuration, Encoder, Types, WatermarkStrategy
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors.datagen import DataGeneratorSource
from pyflink.datastream.connectors.file_system import (
    BucketAssigner, FileCompactor, FileCompactStrategy, FileSink, RollingPolicy,
)

out, checkpoints, restore, parallelism, policy = sys.argv[1:6]
env = StreamExecutionEnvironment.get_execution_environment().set_parallelism(int(parallelism))
settings = Configuration()
settings.set_string("execution.checkpointing.interval", "50ms")
settings.set_string("execution.checkpointing.dir", "file://" + checkpoints)
settings.set_string("restart-strategy.type", "none")
if restore:
    settings.set_string("execution.savepoint.path", restore)
env.configure(settings)


source = DataGeneratorSource(
    Types.ROW_NAMED(["n"], [Types.LONG()]),
    rows_per_second=10_000 if restore else 1_000,
    fields={"n": {"kind": "sequence", "start": 1, "end": 2000}},
)
numbers = env.from_source(source, WatermarkStrategy.no_watermarks(), "numbers").set_parallelism(1)
sink = FileSink.for_row_format(out, Encoder.simple_string_encoder())
sink.with_bucket_assigner(BucketAssigner.base_path_bucket_assigner())
if policy == "checkpoint":
    sink.with_rolling_policy(RollingPolicy.on_checkpoint_rolling_policy())
else:
    sink.with_rolling_policy(RollingPolicy.default_rolling_policy(part_size=600))
if policy == "compact":
    strategy = FileCompactStrategy.builder().set_size_threshold(1500).build()
    sink.enable_compact(strategy, FileCompactor.concat_file_compactor())
numbers.map(lambda row: str(row.n), Types.STRING()).rebalance().sink_to(sink.build()).uid("files")
env.execute("files")
"""


def run(folder: Path, restore: str, parallelism: int, policy: str, fault: str | None) -> int:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    if fault is not None:
        environment["FLOTT_FAULT"] = fault
    arguments = [
        str(folder / "out"),
        str(folder / "checkpoints"),
        restore,
        str(parallelism),
        policy,
    ]
    done = subprocess.run(
        [sys.executable, "-c", JOB, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=False,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


def newest(folder: Path) -> str:
    found = [path.parent for path in (folder / "checkpoints").glob("*/chk-*/_metadata")]
    return str(max(found, key=lambda path: int(path.name[4:]))) if found else ""


@pytest.mark.parametrize("policy", ["size", "checkpoint", "compact"])
@pytest.mark.parametrize(
    ("first", "second", "parallelism"),
    [
        ("before-barrier:9", "during-restore", 2),
        ("after-prepare:6", "during-recovery", 2),
        ("between-manifest-and-commit:4", "during-recovery", 1),
        ("during-commit:4", "during-commit:2", 3),
        ("between-commit-and-notify:4", "during-snapshot-write:2", 2),
    ],
)
def test_each_line_is_in_the_finished_files_once(
    tmp_path: Path, policy: str, first: str, second: str, parallelism: int
) -> None:
    run_to_the_end(tmp_path, policy, first, second, parallelism)


@pytest.mark.parametrize(
    ("first", "second", "parallelism"),
    [
        ("during-compaction:1", "during-compaction:3", 3),
        ("during-compaction:2", "during-compaction:1", 1),
        ("during-compaction:4", "during-recovery:2", 3),
    ],
)
def test_files_that_were_just_compacted_are_not_compacted_again(
    tmp_path: Path, first: str, second: str, parallelism: int
) -> None:
    run_to_the_end(tmp_path, "compact", first, second, parallelism)


def run_to_the_end(folder: Path, policy: str, first: str, second: str, parallelism: int) -> None:
    assert run(folder, "", 2, policy, first) == -signal.SIGKILL
    assert newest(folder), "the first run was to be killed behind a checkpoint"
    # The second may end before it gets there.
    if run(folder, newest(folder), parallelism, policy, second) != 0:
        assert run(folder, newest(folder), 2, policy, None) == 0
    finished = [path for path in (folder / "out").iterdir() if not path.name.startswith(".")]
    lines = [line for path in finished for line in path.read_text().splitlines()]
    assert sorted(map(int, lines)) == list(range(1, 2001))
