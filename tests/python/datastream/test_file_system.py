"""Text and CSV files: sources, sinks, buckets, rolling."""

from __future__ import annotations

import datetime
import re
import threading
import time

import pytest

from pyflink.common import Configuration, Duration, Encoder, Row, Types, WatermarkStrategy
from pyflink.datastream import RuntimeExecutionMode, StreamExecutionEnvironment
from pyflink.datastream.connectors.file_system import (
    BucketAssigner,
    FileCompactor,
    FileCompactStrategy,
    FileSink,
    FileSource,
    OutputFileConfig,
    RollingPolicy,
    StreamFormat,
    StreamingFileSink,
)
from pyflink.datastream.formats.csv import CsvBulkWriters, CsvReaderFormat, CsvSchema

NONE = WatermarkStrategy.no_watermarks()


@pytest.fixture
def env():
    environment = StreamExecutionEnvironment.get_execution_environment()
    environment.set_parallelism(1)
    return environment


def collected(stream):
    with stream.execute_and_collect() as results:
        return list(results)


def written(env, folder, lines, build):
    stream = env.from_collection(lines, Types.STRING())
    builder = FileSink.for_row_format(str(folder), Encoder.simple_string_encoder())
    stream.sink_to(build(builder).build())
    env.execute()
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}


def in_base(builder):
    return builder.with_bucket_assigner(BucketAssigner.base_path_bucket_assigner())


def test_files_lie_in_a_folder_for_each_hour(env, tmp_path):
    before = datetime.datetime.now()
    files = written(env, tmp_path, ["a", "b"], lambda builder: builder)
    after = datetime.datetime.now()
    (name,) = files
    assert name in {f"{t:%Y-%m-%d--%H}/part-0-0" for t in (before, after)}
    assert files[name] == "a\nb\n"


def test_buckets_by_pattern_and_time_zone(env, tmp_path):
    zone = datetime.timezone(datetime.timedelta(hours=14))
    assigner = BucketAssigner.date_time_bucket_assigner("'day='yyyyMMdd", "Pacific/Kiritimati")
    before = datetime.datetime.now(zone)
    files = written(env, tmp_path, ["a"], lambda b: b.with_bucket_assigner(assigner))
    after = datetime.datetime.now(zone)
    assert set(files) <= {f"day={t:%Y%m%d}/part-0-0" for t in (before, after)}


def test_offsets_of_a_time_zone_follow_its_summers():
    offsets = (
        BucketAssigner.date_time_bucket_assigner("HH", "Europe/Berlin")
        ._options["bucket.utc-offsets"]
        .split(",")
    )
    pairs = [tuple(map(int, item.split(":"))) for item in offsets]
    assert {offset for _, offset in pairs} == {3600, 7200}
    assert all(
        datetime.datetime.fromtimestamp(second, datetime.timezone.utc).minute == 0
        for second, _ in pairs[1:]
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("yyyy-ww",), "uses 'ww'"),
        (("yyyy'open",), "a quote that does not end"),
        (("yyyy", "Nowhere/City"), "no time zone 'Nowhere/City'"),
    ],
)
def test_wrong_patterns_say_what_there_is(arguments, message):
    with pytest.raises(ValueError, match=message):
        BucketAssigner.date_time_bucket_assigner(*arguments)


def test_names_of_files(env, tmp_path):
    config = OutputFileConfig.builder().with_part_prefix("log").with_part_suffix(".txt").build()
    build = lambda b: in_base(b).with_output_file_config(config)  # noqa: E731
    assert written(env, tmp_path, ["a"], build) == {"log-0-0.txt": "a\n"}
    # a second run replaces nothing
    assert written(env, tmp_path, ["b"], build) == {"log-0-0.txt": "a\n", "log-0-1.txt": "b\n"}


def test_a_file_ends_when_it_is_large_enough(env, tmp_path):
    policy = RollingPolicy.default_rolling_policy(part_size=5)
    files = written(
        env, tmp_path, ["aa", "bb", "cc", "dd"], lambda b: in_base(b).with_rolling_policy(policy)
    )
    assert files == {"part-0-0": "aa\nbb\n", "part-0-1": "cc\ndd\n"}


def test_a_file_ends_when_it_is_old_enough(env, tmp_path):
    policy = RollingPolicy.default_rolling_policy(rollover_interval=20)
    release = threading.Event()

    from pyflink.datastream import SourceFunction

    class TwoLines(SourceFunction):
        def run(self, ctx):
            ctx.collect("first")
            release.wait(30)
            ctx.collect("second")

        def __deepcopy__(self, memo):
            return self

    stream = env.add_source(TwoLines(), type_info=Types.STRING())
    builder = FileSink.for_row_format(str(tmp_path), Encoder.simple_string_encoder())
    stream.sink_to(in_base(builder).with_rolling_policy(policy).build())
    client = env.execute_async()
    first = tmp_path / "part-0-0"
    end = time.monotonic() + 30
    while not first.exists() and time.monotonic() < end:
        release.wait(0.01)
    assert first.read_text() == "first\n"
    release.set()
    client.get_job_execution_result().result()
    assert (tmp_path / "part-0-1").read_text() == "second\n"


def compacting(compactor):
    strategy = FileCompactStrategy.builder().set_size_threshold(1 << 20).build()
    policy = RollingPolicy.default_rolling_policy(part_size=1)
    return lambda b: in_base(b).with_rolling_policy(policy).enable_compact(strategy, compactor)


def test_finished_files_become_one(env, tmp_path):
    build = compacting(FileCompactor.concat_file_compactor(b"-\n"))
    assert written(env, tmp_path, ["a", "b", "c"], build) == {
        "compacted-part-0-0": "a\n-\nb\n-\nc\n-\n"
    }
    # a second run replaces nothing
    assert written(env, tmp_path, ["d"], build) == {
        "compacted-part-0-0": "a\n-\nb\n-\nc\n-\n",
        "compacted-part-0-1": "d\n-\n",
    }


def test_identical_compaction_renames(env, tmp_path):
    build = compacting(FileCompactor.identical_file_compactor())
    files = written(env, tmp_path, ["a", "b"], build)
    assert files == {"compacted-part-0-0": "a\n", "compacted-part-0-1": "b\n"}


def test_compaction_can_be_disabled_again(env, tmp_path):
    build = compacting(FileCompactor.concat_file_compactor())
    files = written(env, tmp_path, ["a"], lambda b: build(b).disable_compact())
    assert files == {"part-0-0": "a\n"}


def test_compaction_by_size_makes_several_files(env, tmp_path):
    strategy = FileCompactStrategy.builder().set_size_threshold(4).build()
    policy = RollingPolicy.default_rolling_policy(part_size=1)
    files = written(
        env,
        tmp_path,
        ["a", "b", "c", "d", "e"],
        lambda b: (
            in_base(b)
            .with_rolling_policy(policy)
            .enable_compact(strategy, FileCompactor.concat_file_compactor())
        ),
    )
    assert files == {
        "compacted-part-0-0": "a\nb\n",
        "compacted-part-0-2": "c\nd\n",
        "compacted-part-0-4": "e\n",
    }


def test_the_older_sink(env, tmp_path):
    sink = (
        StreamingFileSink.for_row_format(str(tmp_path), Encoder.simple_string_encoder())
        .with_bucket_assigner(BucketAssigner.base_path_bucket_assigner())
        .with_bucket_check_interval(100)
        .with_rolling_policy(RollingPolicy.on_checkpoint_rolling_policy())
        .build()
    )
    env.from_collection(["a"], Types.STRING()).add_sink(sink)
    env.execute()
    assert (tmp_path / "part-0-0").read_text() == "a\n"


@pytest.mark.parametrize(
    ("use", "error", "message"),
    [
        (lambda b: b.with_rolling_policy("daily"), TypeError, "needs a RollingPolicy"),
        (lambda b: b.with_bucket_assigner("hour"), TypeError, "needs a BucketAssigner"),
        (lambda b: b.with_bucket_check_interval(0), ValueError, "greater than zero"),
        (lambda b: RollingPolicy.default_rolling_policy(0), ValueError, "part_size"),
        (lambda b: FileSink.for_row_format("x", str), TypeError, "needs an Encoder"),
        (lambda b: FileSink.for_bulk_format("x", str), TypeError, "needs a BulkWriterFactory"),
        (lambda b: b.with_output_file_config(None), TypeError, "needs an OutputFileConfig"),
        (
            lambda b: b.with_output_file_config(OutputFileConfig("a/b", "")),
            ValueError,
            "part_prefix must be a part of a file's name, without '/', got 'a/b'",
        ),
        (
            lambda b: b.with_output_file_config(OutputFileConfig("a", None)),
            ValueError,
            "part_suffix",
        ),
        (lambda b: b.enable_compact(None, None), TypeError, "needs a FileCompactStrategy"),
        (
            lambda b: b.enable_compact(
                FileCompactStrategy.builder().set_size_threshold(1).build(), "concat"
            ),
            TypeError,
            "needs a FileCompactor",
        ),
        (lambda b: FileCompactStrategy.builder().build(), ValueError, "nothing says when"),
        (
            lambda b: FileCompactStrategy.builder().set_size_threshold(0),
            ValueError,
            "size_threshold must be greater than zero",
        ),
        (
            lambda b: FileCompactStrategy.builder().enable_compaction_on_checkpoint(0),
            ValueError,
            "num_checkpoints_before_compaction",
        ),
        (lambda b: FileCompactor.concat_file_compactor("-"), TypeError, "must be bytes"),
        (
            lambda b: FileSink.for_row_format("s3://b/x", Encoder.simple_string_encoder()),
            NotImplementedError,
            r"'s3://b/x' is not supported yet: only local files can be read",
        ),
        (
            lambda b: FileSource.for_record_stream_format(
                StreamFormat.text_line_format(), "hdfs://x/y"
            ),
            NotImplementedError,
            "the path 'hdfs://x/y' is not supported yet",
        ),
    ],
)
def test_wrong_use(use, error, message):
    builder = FileSink.for_row_format("x", Encoder.simple_string_encoder())
    with pytest.raises(error, match=message):
        use(builder)


# -- csv -------------------------------------------------------------------------------------------


def schema():
    return (
        CsvSchema.builder()
        .add_number_column("id", Types.INT())
        .add_string_column("name")
        .add_boolean_column("ok")
        .add_array_column("tags", "#")
        .set_column_separator("|")
    )


ROWS = [
    Row(id=1, name="one", ok=True, tags=["a", "b"]),
    Row(id=2, name="with | in it", ok=False, tags=[]),
]


def test_csv_there_and_back(env, tmp_path):
    built = schema().build()
    assert len(built) == built.size() == 4
    assert str(built) == '[CsvSchema: columns=["id","name","ok","tags"]]'
    out = tmp_path / "out"
    stream = env.from_collection(ROWS, built._type())
    sink = (
        FileSink.for_bulk_format(str(out), CsvBulkWriters.for_schema(built))
        .with_bucket_assigner(BucketAssigner.base_path_bucket_assigner())
        .build()
    )
    stream.sink_to(sink)
    env.execute()
    assert (out / "part-0-0").read_text() == '1|"one"|true|"a#b"\n2|"with | in it"|false|\n'
    source = FileSource.for_record_stream_format(CsvReaderFormat.for_schema(built), str(out))
    rows = collected(env.from_source(source.build(), NONE, "csv"))
    assert rows == ROWS


def test_headers_and_comments_are_skipped(env, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id|name|ok|tags\n0|skipped|true|\n# a comment\n7|seven|true|x\n")
    built = schema().set_use_header().set_skip_first_data_row().set_allow_comments().build()
    source = FileSource.for_record_stream_format(CsvReaderFormat.for_schema(built), str(path))
    rows = collected(env.from_source(source.build(), NONE, "csv"))
    assert rows == [Row(id=7, name="seven", ok=True, tags=["x"])]


def test_timestamps_come_from_the_rows_of_a_csv_file(env, tmp_path):
    from pyflink.datastream import ProcessFunction

    class Stamped(ProcessFunction):
        def process_element(self, value, ctx):
            yield ctx.timestamp()

    path = tmp_path / "a.csv"
    path.write_text("5\n9\n")
    built = CsvSchema.builder().add_number_column("time").build()
    source = FileSource.for_record_stream_format(CsvReaderFormat.for_schema(built), str(path))
    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(
        lambda row, _: row.time
    )
    stream = env.from_source(source.build(), strategy, "csv").process(Stamped())
    assert collected(stream) == [5, 9]


def test_a_line_that_is_no_row_is_named(env, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("1\nx\n")
    built = CsvSchema.builder().add_number_column("id", Types.INT()).build()
    source = FileSource.for_record_stream_format(CsvReaderFormat.for_schema(built), str(path))
    with pytest.raises(Exception, match=rf"at byte 2 of the file '{re.escape(str(path))}'"):
        collected(env.from_source(source.build(), NONE, "csv"))


# -- sources ---------------------------------------------------------------------------------------


def test_a_folder_that_is_watched_gives_later_files_too(env, tmp_path):
    (tmp_path / "one.txt").write_text("one\n")
    source = (
        FileSource.for_record_stream_format(StreamFormat.text_line_format(), str(tmp_path))
        .monitor_continuously(Duration.of_millis(10))
        .build()
    )
    with env.from_source(source, NONE, "watched").execute_and_collect() as lines:
        assert next(lines) == "one"
        (tmp_path / ".two.txt").write_text("two\n")
        (tmp_path / ".two.txt").rename(tmp_path / "two.txt")
        assert next(lines) == "two"


def test_a_watched_folder_is_not_read_again_after_a_restore(tmp_path):
    def lines_after(name, restored_from):
        """The lines read when a file has appeared, and a checkpoint that knows of it."""
        env = StreamExecutionEnvironment.get_execution_environment()
        env.set_parallelism(1)
        env.enable_checkpointing(3_600_000)
        settings = Configuration()
        settings.set_string(
            "execution.checkpointing.externalized-checkpoint-retention", "RETAIN_ON_CANCELLATION"
        )
        settings.set_string("execution.checkpointing.dir", f"file://{tmp_path}/checkpoints")
        if restored_from is not None:
            settings.set_string("execution.savepoint.path", restored_from)
        env.configure(settings)
        (tmp_path / name).write_text(f"{name}\n")
        (tmp_path / name).rename(folder / name)
        source = FileSource.for_record_stream_format(StreamFormat.text_line_format(), str(folder))
        watched = source.monitor_continuously(Duration.of_millis(10)).build()
        lines, arrived = [], threading.Event()

        def note(line):
            lines.append(line)
            if line == name:
                arrived.set()
            return line

        env.from_source(watched, NONE, "watched").map(note, Types.STRING()).print()
        job = env.execute_async()
        try:
            assert arrived.wait(30)
            return lines, job._job.trigger_checkpoint()
        finally:
            job.cancel().result()

    folder = tmp_path / "watched"
    folder.mkdir()
    lines, path = lines_after("one", None)
    assert lines == ["one"]
    lines, _ = lines_after("two", path)
    assert lines == ["two"]


def test_a_watched_folder_cannot_be_a_batch(env, tmp_path):
    from pyflink.datastream import RuntimeExecutionMode

    builder = FileSource.for_record_stream_format(
        StreamFormat.text_line_format(), str(tmp_path)
    ).monitor_continuously(Duration.of_seconds(1))
    env.set_runtime_mode(RuntimeExecutionMode.BATCH)
    env.from_source(builder.build(), NONE, "watched").print()
    with pytest.raises(ValueError, match="UNBOUNDED source"):
        env.execute()
    with pytest.raises(ValueError, match="greater than zero"):
        builder.monitor_continuously(Duration.of_seconds(0))


def test_a_sink_refuses_what_it_cannot_write():
    with pytest.raises(NotImplementedError, match="writing text as UTF-16 is not supported yet"):
        FileSink.for_row_format("/tmp/x", Encoder.simple_string_encoder("UTF-16"))
    with pytest.raises(ValueError, match="a path is needed, got None"):
        FileSink.for_row_format(None, Encoder.simple_string_encoder())


# -- several subtasks, and batches -----------------------------------------------------------------

LINES = [f"line {number:03}" for number in range(100)]
each_mode = pytest.mark.parametrize("mode", ["STREAMING", "BATCH", "AUTOMATIC"])
each_parallelism = pytest.mark.parametrize("parallelism", [1, 2, 4])


@pytest.fixture
def parallel_env(mode, parallelism):
    environment = StreamExecutionEnvironment.get_execution_environment()
    environment.set_parallelism(parallelism)
    environment.set_runtime_mode(RuntimeExecutionMode[mode])
    return environment


@each_mode
@each_parallelism
def test_each_subtask_writes_files_of_its_own(parallel_env, parallelism, tmp_path):
    before = datetime.datetime.now()
    files = written(parallel_env, tmp_path, LINES, lambda builder: builder)
    after = datetime.datetime.now()
    folders = {f"{t:%Y-%m-%d--%H}" for t in (before, after)}
    assert {name.split("/")[0] for name in files} <= folders
    assert {name.split("/")[1] for name in files} == {f"part-{i}-0" for i in range(parallelism)}
    assert sorted("".join(files.values()).splitlines()) == LINES


@each_mode
@each_parallelism
def test_each_subtask_rolls_by_itself(parallel_env, parallelism, tmp_path):
    policy = RollingPolicy.default_rolling_policy(part_size=25)
    config = OutputFileConfig.builder().with_part_prefix("log").with_part_suffix(".txt").build()

    def build(builder):
        return in_base(builder).with_rolling_policy(policy).with_output_file_config(config)

    files = written(parallel_env, tmp_path, LINES, build)
    assert sorted("".join(files.values()).splitlines()) == LINES
    # a line has 9 bytes: the third one makes a file large enough
    for subtask in range(parallelism):
        own = {name: text for name, text in files.items() if name.startswith(f"log-{subtask}-")}
        assert set(own) == {f"log-{subtask}-{number}.txt" for number in range(len(own))}
        sizes = [len(own[f"log-{subtask}-{number}.txt"]) for number in range(len(own))]
        assert set(sizes[:-1]) <= {27}
        assert sizes[-1] in (9, 18, 27)


@each_mode
@each_parallelism
def test_the_older_sink_at_any_parallelism(parallel_env, parallelism, tmp_path):
    stream = parallel_env.from_collection(LINES, Types.STRING())
    builder = StreamingFileSink.for_row_format(str(tmp_path), Encoder.simple_string_encoder())
    stream.add_sink(in_base(builder).build())
    parallel_env.execute()
    files = {p.name: p.read_text() for p in tmp_path.iterdir()}
    assert set(files) == {f"part-{i}-0" for i in range(parallelism)}
    assert sorted("".join(files.values()).splitlines()) == LINES


@each_mode
@each_parallelism
def test_each_file_is_read_once(parallel_env, tmp_path):
    for number in range(5):
        text = "".join(f"{line}\n" for line in LINES[number::5])
        (tmp_path / f"{number}.txt").write_text(text)
    source = FileSource.for_record_stream_format(StreamFormat.text_line_format(), str(tmp_path))
    stream = parallel_env.from_source(source.build(), NONE, "files")
    assert sorted(collected(stream)) == LINES


@each_mode
@each_parallelism
def test_csv_there_and_back_at_any_parallelism(parallel_env, tmp_path):
    rows = [
        Row(id=n, name=f"name {n}", ok=n % 2 == 0, tags=["a"] * (n % 3)) for n in range(len(LINES))
    ]
    built = schema().build()
    stream = parallel_env.from_collection(rows, built._type())
    sink = FileSink.for_bulk_format(str(tmp_path), CsvBulkWriters.for_schema(built))
    stream.sink_to(in_base(sink).build())
    parallel_env.execute()
    source = FileSource.for_record_stream_format(CsvReaderFormat.for_schema(built), str(tmp_path))
    back = collected(parallel_env.from_source(source.build(), NONE, "files"))
    assert sorted(back, key=lambda row: row.id) == rows
