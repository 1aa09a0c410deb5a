"""The disk with the checkpoints is full for a while: no checkpoint is half there, and none of the
results is lost. The disk is a small tmpfs: mounting needs root (CI has it), else these are skipped.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.driver import Run, Servers, tail
from tests.faults.plan import BACKENDS, Plan
from tests.services.servers import KafkaServer

SEED = 20_261_121
CHUNK = 2000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"mounting is not allowed: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Takes all the room that is left."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return filler


def half_written(disk: Path) -> list[Path]:
    return [path for path in disk.glob("*/chk-*") if not (path / "_metadata").exists()]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_disk_that_is_full_for_a_while(kafka: KafkaServer, disk: Path, backend: str) -> None:
    plan = Plan(SEED, "state", backend, ("kafka",), False, 20, CHUNK, (), 2)
    run = Run(plan, Servers(kafka.bootstrap_servers), disk.parent / "run")
    run.checkpoints = disk
    run.configuration["execution.checkpointing.tolerable-failed-checkpoints"] = "100000"
    with run.prepared():
        run.feed(run.input.chunks[0])
        process = run.start(1, {"act": "tell", "at_record": 100, "pace_us": 200})
        run.await_output(process, "reached")
        run.await_checkpoints(process, 1)
        filler = fill(disk)
        run.await_output(process, "No space left on device")
        assert process.exit_code is None, tail(process.output)
        assert not half_written(disk)
        filler.unlink()
        run.await_checkpoints(process, 2)
        assert process.exit_code is None, tail(process.output)
        process.kill()
        run.note(process)
        run.last_attempt(run.input.closing)
        run.compare()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_full_disk_that_fails_the_job(kafka: KafkaServer, disk: Path, backend: str) -> None:
    plan = Plan(SEED + 1, "sessions", backend, ("kafka",), False, 20, CHUNK, (), 1)
    run = Run(plan, Servers(kafka.bootstrap_servers), disk.parent / "run")
    run.checkpoints = disk
    with run.prepared():
        run.feed(run.input.chunks[0])
        process = run.start(2, {"act": "tell", "at_record": 100, "pace_us": 200})
        run.await_output(process, "reached")
        run.await_checkpoints(process, 1)
        filler = fill(disk)
        assert process.wait("the failure of a checkpoint") not in (0, -signal.SIGKILL)
        assert "No space left on device" in process.output, tail(process.output)
        assert str(disk) in process.output, tail(process.output)
        assert not half_written(disk)
        run.note(process)
        filler.unlink()
        run.last_attempt(run.input.closing)
        run.compare()
