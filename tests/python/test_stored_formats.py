"""Committed checkpoints of every format that a job stores are restored, from wherever they lie."""

from __future__ import annotations

import shutil

import pytest

from tests.python import stored_formats as stored
from tests.python.test_savepoints import expected_line

GENERATIONS = sorted((p.name for p in stored.FORMATS.iterdir()), key=int)


def copied(folder, generation, name):
    """The checkpoint, from a copy of its job's folder in another place."""
    shutil.copytree(stored.FORMATS / generation / name, folder / "moved")
    (path,) = (folder / "moved" / "job").glob("*/_metadata")
    return path.parent


def state_lines(key, numbers):
    """Behind the checkpoint comes 20; its watermark fires what was registered before."""
    rules = [(rule, f"rule {rule}") for rule in ("x", "y")]
    padding = len(stored.PADDING) if key == stored.LONG else 0
    yield expected_line(key, (*numbers, 20), ("x", "y"))
    yield f"{rules} {(key, 'kept', len(numbers) + 1, padding)}"
    for number in numbers:
        yield f"{rules} {(key, 'at', (number + 10) * 1000, f'sum {sum(numbers) + 20}')}"
        yield f"{rules} {(key, 'overdue')}"


def check_state(folder, path, parallelism, padded, options):
    numbers = dict.fromkeys(stored.KEYS, (1, 2))
    if padded:
        numbers[stored.LONG] = (1,)
    expected = [line for key in numbers for line in state_lines(key, numbers[key])]
    job = stored.state_job(3_600_000, padded)
    with stored.Running(job, folder, parallelism, path, **options) as running:
        running.feed("pairs", [(key, 20) for key in numbers])
        assert running.lines(len(expected)) == sorted(expected)


@pytest.mark.parametrize("parallelism", [1, 2, 3])
@pytest.mark.parametrize("backend", stored.BACKENDS)
@pytest.mark.parametrize("generation", GENERATIONS)
def test_state_and_timers_are_restored(tmp_path, generation, backend, parallelism):
    path = copied(tmp_path, generation, f"state-{backend}")
    check_state(tmp_path, path, parallelism, backend == "heap", stored.BACKENDS[backend])


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_savepoint_is_restored_by_the_other_backend(tmp_path, generation):
    path = copied(tmp_path, generation, "state-savepoint")
    check_state(tmp_path, path, 2, False, stored.BACKENDS["heap"])


def window_lines(key):
    """Before the checkpoint came 1, 4, 15 and 16, behind it 8 and 12, which join two sessions."""
    yield from (f"got {(key, number)}" for number in (8, 12))
    yield f"count {key} [8, 12, 16]"
    yield f"session {key} 1000 [1, 4, 8, 12, 15, 16]"
    yield from (f"tumbling {key} {start} [{total}]" for start, total in ((0, 13), (10_000, 43)))
    for start, total in ((-10_000, 13), (0, 56), (10_000, 43)):
        yield f"sliding {key} {start} ['sum {total}']"


@pytest.mark.parametrize("parallelism", [1, 2])
@pytest.mark.parametrize("backend", ["heap", "rocksdb"])
@pytest.mark.parametrize("generation", GENERATIONS)
def test_open_windows_are_restored(tmp_path, generation, backend, parallelism):
    path = copied(tmp_path, generation, f"windows-{backend}")
    last = ("a", 7200)
    expected = [f"got {last}", *(line for key in stored.KEYS for line in window_lines(key))]
    options = stored.BACKENDS[backend]
    with stored.Running(stored.windows_job, tmp_path, parallelism, path, **options) as running:
        running.feed("pairs", [(key, number) for number in (8, 12) for key in stored.KEYS])
        running.feed("pairs", [last])
        assert running.lines(len(expected)) == sorted(expected)


@pytest.mark.parametrize("parallelism", [1, 2])
@pytest.mark.parametrize("generation", GENERATIONS)
def test_sources_go_on_where_they_were(tmp_path, generation, parallelism):
    path = copied(tmp_path, generation, "sources")
    expected = [f"{name} {n}" for name in ("collected", "generated") for n in range(10, 15)]
    with stored.Running(stored.sources_job(15), tmp_path, parallelism, path) as running:
        assert running.lines(len(expected)) == expected


@pytest.mark.parametrize("parallelism", [1, 2, 3])
@pytest.mark.parametrize("how", ["plain", "compacted"])
@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_file_is_read_on_and_those_begun_are_finished(
    tmp_path, monkeypatch, generation, how, parallelism
):
    path = copied(tmp_path, generation, f"files-{how}")
    out = shutil.copytree(tmp_path / "moved" / "out", tmp_path / "out")
    assert any(out.glob(".part-*.inprogress.*"))
    monkeypatch.chdir(tmp_path)
    stored.write_input()
    job = stored.file_job(how == "compacted")
    with stored.Running(job, tmp_path, parallelism, path) as running:
        running.job.get_job_execution_result().result()
        read = running.lines(1)
    assert read == stored.FILE_LINES[-len(read) :], "it goes on where it was"
    assert len(read) < len(stored.FILE_LINES)
    files = list(out.iterdir())
    finished = [file for file in files if not file.name.startswith(".")]
    if how == "compacted":
        assert any(file.name.startswith("compacted-") for file in finished)
    else:
        assert finished == files, "what the checkpoint does not know is removed"
    lines = [line for file in finished for line in file.read_text().splitlines()]
    assert sorted(lines) == stored.KEPT_LINES


def test_the_newest_generation_has_each_kind_of_bytes():
    def read(name, files):
        folder = stored.FORMATS / GENERATIONS[-1] / name / "job"
        return [file.read_bytes() for file in sorted(folder.glob(files))]

    (manifest,) = read("state-heap", "chk-2/_metadata")
    assert manifest.count(b"\x25heap-") >= 3, "one of two subtasks has a base and a delta"
    assert any(len(bytes_) > len(stored.PADDING) for bytes_ in read("state-heap", "shared/heap-*"))
    tables = (stored.FORMATS / GENERATIONS[-1]).glob("state-rocksdb/job/shared/rocksdb-*.sst")
    assert len({table.name.rpartition("-")[0] for table in tables}) == 2
    assert read("state-savepoint", "*/frames-*")
    # A pending file and one in progress: version, kind, subtask, bucket, then the path.
    (parts,) = [bytes_ for bytes_ in read("files-plain", "chk-2/op-*") if b"file-parts" in bytes_]
    for kind in (b"\0", b"\1"):
        assert b"\1" + kind + b"\0\0\x39out/.part-0-" in parts
    assert any(b"files-to-compact" in bytes_ for bytes_ in read("files-compacted", "chk-2/op-*"))
    assert any(b"kafka-transactions" in bytes_ for bytes_ in read("kafka", "chk-2/op-*"))
    (manifest,) = read("kafka", "chk-2/_metadata")
    assert b"FLKS" in b"".join([manifest, *read("kafka", "shared/*")])


def test_a_format_with_another_version_has_a_generation_of_its_own():
    newest = stored.FORMATS / GENERATIONS[-1] / "versions.txt"
    assert newest.read_text() == stored.format_versions(), (
        "the version of a stored format has changed, or there is a new one:"
        " `python -m tests.python.stored_formats` stores files with it, which are then committed"
    )
