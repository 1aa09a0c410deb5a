"""Jobs with sinks in two phases that are restored from savepoints, or with other sinks."""

from __future__ import annotations

import threading

import pytest

from pyflink.common import Configuration, Encoder, Types
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors.file_system import (
    BucketAssigner,
    FileCompactor,
    FileCompactStrategy,
    FileSink,
    RollingPolicy,
)
from tests.python import stored_job

LINES = ["a", "b", "c"]


def files(folder):
    return sorted(
        line
        for path in folder.iterdir()
        if not path.name.startswith(".")
        for line in path.read_text().splitlines()
    )


class Lines:
    """A job that writes lines until it is told to end."""

    def __init__(self, folder, sink, savepoint=None, more=None):
        settings = Configuration()
        settings.set_string("execution.checkpointing.interval", "1h")
        settings.set_string("restart-strategy.type", "none")
        if savepoint is not None:
            settings.set_string("execution.savepoint.path", savepoint)
        for key, value in (more or {}).items():
            settings.set_string(key, value)
        env = StreamExecutionEnvironment.get_execution_environment(settings).set_parallelism(1)
        arrived = threading.Event()

        def note(line):
            if line == LINES[-1]:
                arrived.set()
            return line

        stream = (
            env.add_source(stored_job.Silent(LINES), type_info=Types.STRING())
            .uid("lines")
            .map(note, Types.STRING())
            .uid("note")
        )
        if sink is None:
            stream.print().uid("sink")
        else:
            stream.sink_to(sink).uid("sink")
        self.arrived = arrived
        self.job = env.execute_async()

    def wait(self):
        while not self.arrived.wait(0.01):
            if self.job.is_done():
                self.job.get_job_execution_result().result()

    def stop(self, folder):
        return self.job.stop_with_savepoint(False, str(folder)).result()


def sink_into(folder, compact):
    builder = FileSink.for_row_format(str(folder), Encoder.simple_string_encoder())
    builder.with_bucket_assigner(BucketAssigner.base_path_bucket_assigner())
    builder.with_rolling_policy(RollingPolicy.default_rolling_policy())
    if compact:
        strategy = FileCompactStrategy.builder().set_size_threshold(1000).build()
        builder.enable_compact(strategy, FileCompactor.concat_file_compactor())
    return builder.build()


@pytest.mark.parametrize("compact", [False, True])
def test_a_savepoint_is_restored_when_the_job_has_gone_on(tmp_path, compact):
    out = tmp_path / "out"
    first = Lines(tmp_path, sink_into(out, compact))
    first.wait()
    savepoint = first.job.trigger_savepoint(str(tmp_path / "savepoints")).result()
    first.stop(tmp_path / "others")
    assert files(out) == LINES
    for times in (2, 3):  # the source has no position: it sends all of them again
        again = Lines(tmp_path, sink_into(out, compact), savepoint)
        again.wait()
        again.stop(tmp_path / "others")
        assert files(out) == sorted(LINES * times)


def test_another_sink_with_the_uid_of_one_that_kept_files_is_refused(tmp_path):
    out = tmp_path / "out"
    first = Lines(tmp_path, sink_into(out, False))
    first.wait()
    savepoint = first.stop(tmp_path)
    with pytest.raises(Exception, match="holds the state 'file-parts'") as caught:
        Lines(tmp_path, None, savepoint).wait()
    message = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])
    for part in ("(uid 'sink')", "execution.savepoint.ignore-unclaimed-state"):
        assert part in message
    allowed = Lines(
        tmp_path, None, savepoint, {"execution.savepoint.ignore-unclaimed-state": "true"}
    )
    allowed.wait()
    allowed.job.cancel().result()
