"""Files of real checkpoints are cut off, changed and removed: the job refuses each by its name, and
what is whole still restores."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.driver import Failure, Process, Run, Servers, tail
from tests.faults.plan import BACKENDS, Plan
from tests.services.servers import KafkaServer

SEED = 20_261_121
FLIPS = 2
FILES = 6
"""As many of a checkpoint are harmed: RocksDB's has a lot that are alike."""


def cut(path: Path, choose: random.Random) -> None:
    os.truncate(path, choose.randrange(path.stat().st_size))


def flip(path: Path, choose: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[choose.randrange(len(content))] ^= 1 << choose.randrange(8)
    path.write_bytes(content)


def lengthen(path: Path, choose: random.Random) -> None:
    with path.open("ab") as file:
        file.write(choose.randbytes(choose.randrange(1, 100)))


def remove(path: Path, choose: random.Random) -> None:
    path.unlink()


Started = tuple[Process, str, Path]
HARMS: list[Callable[[Path, random.Random], None]] = [cut, lengthen, remove, *[flip] * FLIPS]


def stop_with_checkpoint(run: Run) -> Path:
    """Lets a job make some checkpoints, then kills it; returns its folder."""
    run.feed(run.input.chunks[0])
    process = run.start(2, {"act": "tell", "at_record": run.plan.chunk})
    run.await_output(process, "reached")
    run.await_checkpoints(process, 3)
    process.stop()
    run.note(process)
    process.kill()
    assert run.restore is not None, tail(process.output)
    return run.restore.parent


def files_of(checkpoint: Path) -> list[Path]:
    """What restoring it reads: its own files, and those of the shared ones that it names."""
    manifest = checkpoint / "_metadata"
    named = manifest.read_bytes()
    others = [path for path in checkpoint.parent.rglob("*") if path.is_file()]
    of_it = [
        path
        for path in others
        if path.name.encode() in named and path.parent in (checkpoint, checkpoint.parent / "shared")
    ]
    return [manifest, *sorted(of_it)]


@pytest.mark.parametrize("backend", BACKENDS)
def test_damaged_files_are_refused_by_name(
    kafka: KafkaServer, tmp_path: Path, backend: str
) -> None:
    plan = Plan(SEED, "state", backend, ("kafka",), False, 20, 400, (), 1)
    choose = random.Random(SEED)
    run = Run(plan, Servers(kafka.bootstrap_servers), tmp_path / "run")
    with run.prepared():
        job = stop_with_checkpoint(run)
        whole = run.restore
        assert whole is not None
        manifest, *others = files_of(whole)
        assert others, f"no state in {whole}"
        files = [manifest, *choose.sample(others, min(len(others), FILES - 1))]
        started: list[Started] = []
        for number, path in enumerate(files):
            for kind, harm in enumerate(HARMS):
                # The job's folder keeps its name: it is part of the files' paths.
                copy = run.folder / f"harmed-{number}-{kind}" / job.name
                shutil.copytree(job, copy)
                harmed = copy / path.relative_to(job)
                before = harmed.read_bytes()
                harm(harmed, choose)
                assert not harmed.exists() or harmed.read_bytes() != before
                run.restore = copy / whole.name
                started.append((run.start(1, {}), harm.__name__, harmed))
                if len(started) == 4:
                    check(run, started)
        check(run, started)
        run.restore = whole
        run.last_attempt(run.input.closing)
        run.compare()


def check(run: Run, started: list[Started]) -> None:
    for process, what, harmed in started:
        code = process.wait(f"{what} {harmed}")
        if code == 0 or not names(harmed, process.output):
            raise Failure(f"{what} {harmed}: exit code {code}\n{tail(process.output)}")
    started.clear()


def names(harmed: Path, output: str) -> bool:
    """The message names the file; of a removed `_metadata`, the checkpoint that is none."""
    folder = harmed.parent if harmed.name == "_metadata" else harmed
    return str(folder) in output and ("Error" in output or "error" in output)
