"""Checkpoints and savepoints end to end: real jobs are stopped and go on from them."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pyflink.common import Configuration, Row, Types
from pyflink.datastream import KeyedProcessFunction, MapFunction, StreamExecutionEnvironment
from pyflink.datastream.state import ListStateDescriptor, ValueStateDescriptor
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
    if stored != "v1":
        assert not stored_job.sequence_seen, "the source goes on where it was: at its end"


def test_a_savepoint_of_the_present_version_is_among_the_stored_ones(tmp_path):
    job, _lines = started(tmp_path / "chk", (1,))
    path = Path(job.stop_with_savepoint(False, str(tmp_path / "save")).result())
    version = path.joinpath("_metadata").read_bytes().split(b"\n", 1)[0].split()[1].decode()
    assert (STORED / f"v{version}" / "stored-job" / "_metadata").exists()


class Visits(KeyedProcessFunction):
    """Counts per key in a row whose type changes from one version of the program to the next."""

    def __init__(self, names, types):
        self._names = names
        self._types = types

    def open(self, runtime_context):
        row_type = Types.ROW_NAMED(self._names, self._types)
        self.person = runtime_context.get_state(ValueStateDescriptor("person", row_type))
        self.all = runtime_context.get_list_state(ListStateDescriptor("all", row_type))

    def process_element(self, value, ctx):
        person = self.person.value()
        visits = (person["visits"] if person else 0) + 1
        fields = {"name": value, "visits": visits, "city": "Rome", "ratio": visits / 2}
        before = "-" if person is None else repr(person.as_dict())
        row = Row(**{name: fields[name] for name in self._names})
        self.person.update(row)
        self.all.add(row)
        yield f"{before} {[r.as_dict() for r in self.all.get()]}"


def run_visits(folder, names, types, restored_from=None):
    """Runs one version of the program; what it yields, and a checkpoint of it."""
    configuration = Configuration().set_string("restart-strategy.type", "none")
    if restored_from is not None:
        configuration.set_string("execution.savepoint.path", restored_from)
    env = StreamExecutionEnvironment.get_execution_environment(configuration)
    env.set_parallelism(1).enable_checkpointing(3_600_000)
    env.get_checkpoint_config().set_checkpoint_storage_dir(Path(folder).as_uri())
    lines, arrived = [], threading.Event()

    def note(line):
        lines.append(line)
        arrived.set()
        return line

    (
        env.add_source(stored_job.Silent(["ann"]), type_info=Types.STRING())
        .uid("source")
        .key_by(lambda name: name, Types.STRING())
        .process(Visits(names, types), Types.STRING())
        .name("count visits")
        .uid("visits")
        .map(note)
        .print()
    )
    job = env.execute_async()
    try:
        while not arrived.wait(0.01):
            if job.is_done():
                job.get_job_execution_result().result()
        path = job._job.trigger_checkpoint()
        kept = f"{path}-kept"
        shutil.copytree(path, kept)
        return lines, kept
    finally:
        job.cancel().result()


def test_rows_in_state_take_new_fields_lose_old_ones_and_widen(tmp_path):
    lines, first = run_visits(tmp_path, ["name", "visits"], [Types.STRING(), Types.INT()])
    assert lines == ["- [{'name': 'ann', 'visits': 1}]"]
    lines, second = run_visits(
        tmp_path,
        ["city", "visits", "ratio"],
        [Types.STRING(), Types.LONG(), Types.FLOAT()],
        first,
    )
    assert lines == [
        "{'city': None, 'visits': 1, 'ratio': None}"
        " [{'city': None, 'visits': 1, 'ratio': None}, {'city': 'Rome', 'visits': 2, 'ratio': 1.0}]"
    ]
    lines, _third = run_visits(
        tmp_path, ["visits", "ratio"], [Types.LONG(), Types.DOUBLE()], second
    )
    assert lines == [
        "{'visits': 2, 'ratio': 1.0} [{'visits': 1, 'ratio': None},"
        " {'visits': 2, 'ratio': 1.0}, {'visits': 3, 'ratio': 1.5}]"
    ]


@pytest.mark.parametrize(
    ("names", "types"),
    [
        (["name", "visits"], [Types.STRING(), Types.STRING()]),
        (["name", "visits"], [Types.STRING(), Types.SHORT()]),
        (["first", "second"], [Types.STRING(), Types.INT()]),
    ],
)
def test_other_changes_of_a_states_type_are_refused(tmp_path, names, types):
    _lines, stored = run_visits(tmp_path, ["name", "visits"], [Types.STRING(), Types.INT()])
    with pytest.raises(Exception, match="state 'person' is declared as") as caught:
        run_visits(tmp_path, names, types, stored)
    message = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])
    for part in ("ROW<name STRING, visits INT>", names[0], "another name", "count visits"):
        assert part in message


def started(folder, numbers, parallelism=2, restored_from=None, **options):
    """The stored job, when everything has arrived."""
    job, lines, arrived = stored_job.start(
        folder, numbers, ("x",), parallelism, restored_from, **options
    )
    while not arrived.wait(0.01):
        if job.is_done():
            job.get_job_execution_result().result()
    return job, lines


def test_a_savepoint_is_taken_while_the_job_goes_on(tmp_path):
    job, _lines = started(tmp_path / "chk", (1, 2))
    try:
        path = Path(job.trigger_savepoint(str(tmp_path / "save")).result())
        assert not job.is_done()
    finally:
        job.cancel().result()
    assert path.parent == tmp_path / "save"
    assert path.name.startswith(f"savepoint-{str(job.get_job_id())[:6]}-")
    moved = path.rename(tmp_path / "moved")
    for parallelism in (1, 3):
        lines = run_stored_job(tmp_path / "chk", (5,), (), parallelism, moved)
        assert lines == sorted(expected_line(key, (1, 2, 5), ("x",)) for key in stored_job.KEYS)


def test_stop_with_savepoint_finishes_the_job(tmp_path):
    job, _lines = started(tmp_path / "chk", (1, 2))
    path = job.stop_with_savepoint(False, (tmp_path / "save").as_uri()).result()
    assert job.get_job_status().result().name == "FINISHED"
    job.get_job_execution_result().result()
    lines = run_stored_job(tmp_path / "chk", (5,), (), 1, path)
    assert lines == sorted(expected_line(key, (1, 2, 5), ("x",)) for key in stored_job.KEYS)


def test_cancel_with_savepoint_cancels_the_job(tmp_path):
    job, _lines = started(tmp_path / "chk", (1,))
    path = job.cancel_with_savepoint(str(tmp_path / "save")).result()
    assert job.get_job_status().result().name == "CANCELED"
    assert Path(path, "_metadata").exists()


def test_rescaling_goes_from_savepoint_to_savepoint(tmp_path):
    numbers, path = [], None
    for parallelism, number in ((1, 1), (3, 2), (2, 3)):
        job, lines = started(tmp_path / "chk", (number,), parallelism, path)
        numbers.append(number)
        assert sorted(lines) == sorted(
            expected_line(key, tuple(numbers), ("x",)) for key in stored_job.KEYS
        )
        path = job.stop_with_savepoint(False, str(tmp_path / "save")).result()


def test_a_savepoint_without_a_folder_says_what_to_set(tmp_path):
    job, _lines = started(tmp_path / "chk", (1,))
    try:
        with pytest.raises(Exception, match="savepoint-dir"):
            job.trigger_savepoint().result()
    finally:
        job.cancel().result()


def test_a_savepoint_that_cannot_be_written_lets_the_job_go_on(tmp_path):
    (tmp_path / "file").write_text("no folder")
    job, _lines = started(tmp_path / "chk", (1,))
    try:
        with pytest.raises(Exception, match="Not a directory"):
            job.stop_with_savepoint(False, str(tmp_path / "file" / "save")).result()
        assert not job.is_done()
        assert job.trigger_savepoint(str(tmp_path / "save")).result()
    finally:
        job.cancel().result()


class FailsToClose(MapFunction):
    """Its close() raises."""

    def map(self, value):
        return value

    def close(self):
        raise RuntimeError("close() fails")


def test_a_failure_behind_a_complete_stop_fails_the_job_and_names_the_savepoint(tmp_path):
    env = StreamExecutionEnvironment.get_execution_environment().set_parallelism(1)
    env.enable_checkpointing(3_600_000)  # and with it restarts
    env.get_checkpoint_config().set_checkpoint_storage_dir((tmp_path / "chk").as_uri())
    arrived = threading.Event()

    def note(value):
        arrived.set()
        return value

    source = env.add_source(stored_job.Silent(["a"]), type_info=Types.STRING())
    source.map(note, Types.STRING()).map(FailsToClose()).print()
    job = env.execute_async()
    assert arrived.wait(30)
    with pytest.raises(RuntimeError, match=r"close\(\) fails") as caught:
        job.stop_with_savepoint(False, str(tmp_path / "save")).result()
    (path,) = (tmp_path / "save").iterdir()
    assert any(str(path) in note for note in caught.value.__notes__)
    assert job.get_job_status().result().name == "FAILED"


EXITS = """
import sys, threading, time
from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment
from tests.python import stored_job

class Slow:
    def __del__(self, sleep=time.sleep):
        sleep(0.2)  # other threads come back while the interpreter is being finalized

env = StreamExecutionEnvironment.get_execution_environment().set_parallelism(1)
env.add_source(stored_job.Silent(["a"]), type_info=Types.STRING()).print()
job = env.execute_async()
job.trigger_savepoint(sys.argv[1])
slow, started = Slow(), threading.Event()

def wait():
    while True:
        started.set()
        try:
            job._job.wait(1)
        except Exception:
            pass

for _ in range(4):
    threading.Thread(target=wait, daemon=True).start()
started.wait()
print("the end")
"""


def test_a_program_ends_in_order_while_a_savepoint_and_threads_are_waited_for(tmp_path):
    for _ in range(3):
        ended = subprocess.run(
            [sys.executable, "-c", EXITS, str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        assert "the end" in ended.stdout


class Late(KeyedProcessFunction):
    """Yields what it has when time has come to its end."""

    def process_element(self, value, ctx):
        ctx.timer_service().register_event_time_timer(1 << 60)
        yield f"seen {value}"

    def on_timer(self, timestamp, ctx):
        yield f"end of {ctx.get_current_key()}"


@pytest.mark.parametrize("drain", [True, False])
def test_draining_ends_event_time_before_the_savepoint(tmp_path, drain):
    env = StreamExecutionEnvironment.get_execution_environment().set_parallelism(1)
    env.set_default_savepoint_directory(tmp_path.as_uri())
    lines, arrived = [], threading.Event()

    def note(line):
        lines.append(line)
        arrived.set()
        return line

    env.add_source(stored_job.Silent(["a"]), type_info=Types.STRING()).key_by(
        lambda v: v, Types.STRING()
    ).process(Late(), Types.STRING()).map(note).print()
    job = env.execute_async()  # without checkpoints: savepoints need none
    assert arrived.wait(30)
    path = job.stop_with_savepoint(drain).result()
    assert Path(path).parent == tmp_path
    assert job.get_job_status().result().name == "FINISHED"
    assert lines == (["seen a", "end of a"] if drain else ["seen a"])


@pytest.mark.parametrize("backend", ["hashmap", "rocksdb"])
@pytest.mark.parametrize("ignore", [True, False])
def test_state_of_an_operator_that_is_gone_is_refused_or_left_behind(tmp_path, ignore, backend):
    job, _lines = started(tmp_path / "chk", (1,), state__backend__type=backend)
    path = job.stop_with_savepoint(False, str(tmp_path / "save")).result()
    configuration = Configuration().set_string("execution.savepoint.path", path)
    if ignore:
        configuration.set_string("execution.savepoint.ignore-unclaimed-state", "true")
    env = StreamExecutionEnvironment.get_execution_environment(configuration).set_parallelism(1)
    arrived = threading.Event()
    env.add_source(stored_job.Silent(["a"]), type_info=Types.STRING()).uid("pairs").map(
        lambda v: arrived.set()
    ).print()
    if not ignore:
        with pytest.raises(Exception, match=r"ignore-unclaimed-state") as refused:
            env.execute_async()
        for part in (
            "uid 'everything'), which this job does not have: 'any', 'by_name', 'count', 'items', ",
            "'largest', 'person', 'total', timers",
            "uid 'with-rules'), which this job does not have: 'rules'",
        ):
            assert part in str(refused.value)
        return
    job = env.execute_async()
    assert arrived.wait(30)
    job.cancel().result()
