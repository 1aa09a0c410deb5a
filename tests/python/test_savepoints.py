"""Checkpoints and savepoints end to end: real jobs are stopped and go on from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.python import stored_job

STORED = Path(__file__).parent.parent / "data" / "checkpoints"


def run_stored_job(folder, numbers, rules, parallelism, restored_from):
    job, lines, arrived = stored_job.start(folder, numbers, rules, parallelism, restored_from)
    try:
        if not arrived.wait(30):
            job.get_job_execution_result().result()
    finally:
        job.cancel().result()
    return sorted(lines)


def expected_line(key, numbers, rules):
    named = sorted({f"n{n % 2}": n for n in numbers}.items())
    return f"{[(r, f'rule {r}') for r in rules]} " + repr(
        (
            key,
            len(numbers),
            {"numbers": list(numbers), "keys": {(key, None)}},
            (key.upper(), len(numbers)),
            [f"{key}{n}" for n in numbers],
            named,
            max(numbers),
            f"sum {sum(numbers)}",
        )
    )


@pytest.mark.parametrize("parallelism", [1, 2, 3])
@pytest.mark.parametrize("stored", sorted(p.name for p in STORED.iterdir()))
def test_stored_checkpoints_of_every_version_are_restored(tmp_path, stored, parallelism):
    lines = run_stored_job(tmp_path, (5,), (), parallelism, STORED / stored / "stored-job")
    assert lines == sorted(expected_line(key, (1, 2, 5), ("x", "y")) for key in stored_job.KEYS)
