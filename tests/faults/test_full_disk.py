"""A disk is full for a while: that of the checkpoints, of RocksDB, of the temporary folder, of the
file sink. The message names it, and when there is room again nothing is lost or doubled.

The disk is a small tmpfs: mounting needs root (CI has it and must mount), else these are skipped.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.driver import Process, Run, Servers, tail
from tests.faults.plan import BACKENDS, Plan
from tests.faults.shapes import Input
from tests.services.servers import KafkaServer

SEED = 20_261_121
CHUNK = 2000


FULL = "No space left on device"
SINKS = (("kafka",), ("kafka-once", "files"))


@contextlib.contextmanager
def mounted(folder: Path, size: str) -> Iterator[Path]:
    folder.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mount.returncode != 0:
        # Where it must be possible, a test that is left out would be taken for one that passed.
        refuse = pytest.fail if os.environ.get("CI") else pytest.skip
        refuse(f"mounting is not allowed: {mount.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB."""
    with mounted(tmp_path / "disk", "4m") as folder:
        yield folder


@pytest.fixture
def larger_disk(tmp_path: Path) -> Iterator[Path]:
    """One of 64 MB, for what a job has on its disk besides checkpoints."""
    with mounted(tmp_path / "disk", "64m") as folder:
        yield folder


def fill(disk: Path) -> Path:
    """Takes all the room that is left."""
    filler = disk / "filler"
    with filler.open("ab", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return filler


def fill_until_said(run: Run, disk: Path, process: Process) -> Path:
    """Keeps the disk full, whatever the job removes there, until the job says so or has ended."""

    def said() -> bool:
        fill(disk)
        return FULL in process.output or process.exit_code is not None

    run.await_true(said, f"{FULL!r} in {process.log}")
    return fill(disk)


def half_written(disk: Path) -> list[Path]:
    return [path for path in disk.glob("*/chk-*") if not (path / "_metadata").exists()]


@pytest.mark.parametrize("sinks", SINKS, ids="+".join)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_disk_that_is_full_for_a_while(
    kafka: KafkaServer, disk: Path, backend: str, sinks: tuple[str, ...]
) -> None:
    plan = Plan(SEED, "state", backend, sinks, False, 20, CHUNK, (), 2)
    run = Run(plan, Servers(kafka.bootstrap_servers), disk.parent / "run")
    run.checkpoints = disk
    run.configuration["execution.checkpointing.tolerable-failed-checkpoints"] = "100000"
    with run.prepared():
        run.feed(run.input.chunks[0])
        process = run.start(1, {"act": "tell", "at_record": 100, "pace_us": 200})
        run.await_output(process, "reached")
        run.await_checkpoints(process, 1)
        filler = fill_until_said(run, disk, process)
        assert process.exit_code is None, tail(process.output)
        assert not half_written(disk)
        filler.unlink()
        run.await_checkpoints(process, 2)
        assert process.exit_code is None, tail(process.output)
        process.kill()
        run.note(process)
        run.last_attempt(run.input.closing)
        run.compare()


@pytest.mark.parametrize("sinks", SINKS, ids="+".join)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_full_disk_that_fails_the_job(
    kafka: KafkaServer, disk: Path, backend: str, sinks: tuple[str, ...]
) -> None:
    plan = Plan(SEED + 1, "sessions", backend, sinks, False, 20, CHUNK, (), 1)
    run = Run(plan, Servers(kafka.bootstrap_servers), disk.parent / "run")
    run.checkpoints = disk
    with run.prepared():
        run.feed(run.input.chunks[0])
        process = run.start(2, {"act": "tell", "at_record": 100, "pace_us": 200})
        run.await_output(process, "reached")
        run.await_checkpoints(process, 1)
        filler = fill_until_said(run, disk, process)
        assert process.wait("the failure of a checkpoint") not in (0, -signal.SIGKILL)
        assert FULL in process.output, tail(process.output)
        assert str(disk) in process.output, tail(process.output)
        assert not half_written(disk)
        run.note(process)
        filler.unlink()
        run.last_attempt(run.input.closing)
        run.compare()


RESTARTS = {
    "restart-strategy.type": "fixed-delay",
    "restart-strategy.fixed-delay.attempts": "100000",
    "restart-strategy.fixed-delay.delay": "50 ms",
}


def survive(run: Run, disk: Path, meter: dict[str, Any], restarts: bool) -> None:
    """Feeds the second half of the input while the disk is full, until the job says that it is.
    Either that fails the job, or it restarts by itself until there is room again; then all results
    are right."""
    run.configuration |= RESTARTS if restarts else {}
    (chunk,) = run.input.chunks
    half = len(chunk) // 2
    with run.prepared():
        process = run.start(run.plan.last_parallelism, {"act": "tell", "at_record": 100} | meter)
        run.feed(chunk[:half])
        run.await_output(process, "reached")
        run.await_checkpoints(process, 1)
        fill(disk)
        run.feed(chunk[half:])
        filler = fill_until_said(run, disk, process)
        if not restarts:
            assert process.wait("the failure of the job") not in (0, -signal.SIGKILL)
        (line, *_) = [line for line in process.output.splitlines() if FULL in line] or [""]
        assert str(disk) in line, tail(process.output)
        filler.unlink()
        if restarts:
            run.await_checkpoints(process, 2)
            assert process.exit_code is None, tail(process.output)
            process.kill()
        run.note(process)
        run.last_attempt(run.input.closing)
        run.compare()


PACE = {"pace_us": 200}


@pytest.mark.parametrize("restarts", [False, True], ids=["fails", "restarts"])
def test_the_disk_of_rocksdb_is_full(kafka: KafkaServer, larger_disk: Path, restarts: bool) -> None:
    plan = Plan(SEED + 2, "state", "rocksdb", ("kafka-once",), False, 20, CHUNK, (), 2)
    run = Run(plan, Servers(kafka.bootstrap_servers), larger_disk.parent / "run")
    run.configuration["state.backend.rocksdb.localdir"] = str(larger_disk)
    survive(run, larger_disk, PACE, restarts)


@pytest.mark.parametrize("restarts", [False, True], ids=["fails", "restarts"])
def test_the_disk_of_the_file_sink_is_full(
    kafka: KafkaServer, larger_disk: Path, restarts: bool
) -> None:
    plan = Plan(SEED + 3, "state", "hashmap", SINKS[1], False, 20, CHUNK, (), 2)
    run = Run(plan, Servers(kafka.bootstrap_servers), larger_disk.parent / "run")
    run.results = larger_disk / "results"
    survive(run, larger_disk, PACE, restarts)


@pytest.mark.parametrize("restarts", [False, True], ids=["fails", "restarts"])
def test_the_temporary_folder_is_full(
    kafka: KafkaServer, larger_disk: Path, restarts: bool
) -> None:
    """The exactly-once Kafka sink keeps there what is more than 4 MB between two checkpoints."""
    plan = Plan(SEED + 4, "map", "hashmap", ("kafka-once",), False, 5000, 6000, (), 1)
    run = Run(plan, Servers(kafka.bootstrap_servers), larger_disk.parent / "run")
    choose = random.Random(plan.seed)
    (chunk,) = run.input.chunks
    # So large that half of them are 4 MB also when a checkpoint comes in the middle.
    chunk = [message._replace(value=choose.randrange(10**3999, 10**4000)) for message in chunk]
    run.input = Input([chunk], run.input.closing)
    run.expected = run.shape.expect(run.input)
    run.environment = {"TMPDIR": str(larger_disk)}
    survive(run, larger_disk, {}, restarts)
