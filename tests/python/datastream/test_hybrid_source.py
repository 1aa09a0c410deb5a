"""Sources one after the other."""

from __future__ import annotations

import shutil
import threading

import pytest

from pyflink.common import Configuration, Duration, SimpleStringSchema, Time, WatermarkStrategy
from pyflink.datastream import (
    ProcessFunction,
    StreamExecutionEnvironment,
)
from pyflink.datastream.connectors.file_system import FileSource, StreamFormat
from pyflink.datastream.connectors.hybrid_source import HybridSource
from pyflink.datastream.connectors.kafka import KafkaOffsetsInitializer, KafkaSource
from pyflink.datastream.connectors.number_seq import NumberSequenceSource
from pyflink.datastream.window import TumblingEventTimeWindows

NONE = WatermarkStrategy.no_watermarks()


@pytest.fixture
def env():
    environment = StreamExecutionEnvironment.get_execution_environment()
    environment.set_parallelism(1)
    return environment


def collected(stream):
    with stream.execute_and_collect() as results:
        return list(results)


def files(tmp_path, name, *contents):
    folder = tmp_path / name
    folder.mkdir()
    for number, text in enumerate(contents):
        (folder / f"{number}.txt").write_text(text)
    return FileSource.for_record_stream_format(StreamFormat.text_line_format(), str(folder))


def kafka():
    return (
        KafkaSource.builder()
        .set_bootstrap_servers("127.0.0.1:1")
        .set_topics("t")
        .set_value_only_deserializer(SimpleStringSchema())
        .set_starting_offsets(KafkaOffsetsInitializer.earliest())
    )


def test_each_source_begins_when_the_one_before_has_ended(env, tmp_path):
    source = (
        HybridSource.builder(files(tmp_path, "a", "1\n2\n", "3\n").build())
        .add_source(files(tmp_path, "b", "4\n").build())
        .add_source(files(tmp_path, "c", "5\n6\n").build())
        .build()
    )
    assert collected(env.from_source(source, NONE, "hybrid")) == ["1", "2", "3", "4", "5", "6"]


def test_also_in_several_subtasks(env, tmp_path):
    env.set_parallelism(3)
    source = HybridSource.builder(
        files(tmp_path, "a", *(f"a{i}\n" * 3 for i in range(4))).build()
    ).add_source(files(tmp_path, "b", *(f"b{i}\n" * 3 for i in range(4))).build())
    results = collected(env.from_source(source.build(), NONE, "hybrid"))
    assert sorted(results[:12]) == sorted(f"a{i}" for i in range(4) for _ in range(3))
    assert sorted(results[12:]) == sorted(f"b{i}" for i in range(4) for _ in range(3))


def test_a_source_may_have_nothing(env, tmp_path):
    source = HybridSource.builder(files(tmp_path, "a").build()).add_source(
        files(tmp_path, "b", "1\n").build()
    )
    assert collected(env.from_source(source.build(), NONE, "hybrid")) == ["1"]


def test_event_time_goes_on_from_source_to_source(env, tmp_path):
    class Seen(ProcessFunction):
        def process_element(self, value, ctx):
            yield int(value), ctx.timestamp()

    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(
        lambda value, _: int(value)
    )
    source = HybridSource.builder(files(tmp_path, "a", "1\n4\n").build()).add_source(
        files(tmp_path, "b", "5\n12\n").build()
    )
    stream = env.from_source(source.build(), strategy, "hybrid").process(Seen())
    windows = stream.window_all(TumblingEventTimeWindows.of(Time.milliseconds(10)))
    sums = windows.reduce(lambda a, b: (a[0] + b[0], b[1]))
    # 5 of the second source falls into the window the first one began
    assert collected(sums) == [(10, 5), (12, 12)]


def test_the_last_source_may_go_on_for_ever(env, tmp_path):
    source = HybridSource.builder(files(tmp_path, "a", "1\n").build()).add_source(
        files(tmp_path, "b", "2\n").monitor_continuously(Duration.of_millis(10)).build()
    )
    stream = env.from_source(source.build(), NONE, "hybrid")
    with stream.execute_and_collect() as lines:
        assert [next(lines), next(lines)] == ["1", "2"]
        (tmp_path / "b" / ".new").write_text("3\n")
        (tmp_path / "b" / ".new").rename(tmp_path / "b" / "new")
        assert next(lines) == "3"


def test_kafka_may_be_the_last(tmp_path):
    built = HybridSource.builder(files(tmp_path, "a", "1\n").build()).add_source(kafka().build())
    connector, options, _, bounded = built.build()._source_spec()
    assert (connector, options["count"], bounded) == ("hybrid", "2", False)
    assert options["1.connector"] == "kafka"


@pytest.mark.parametrize(
    ("use", "error", "message"),
    [
        (lambda f: HybridSource.builder("x"), TypeError, "needs sources such as FileSource"),
        (lambda f: HybridSource.builder(kafka()), TypeError, r"call \.build\(\) on it"),
        (
            lambda f: HybridSource.builder(kafka().build()).add_source(f),
            ValueError,
            "the one before FileSource never ends",
        ),
        (
            lambda f: HybridSource.builder(f).add_source(NumberSequenceSource(1, 2)),
            TypeError,
            "records of one type",
        ),
    ],
)
def test_wrong_use_fails_at_once(tmp_path, use, error, message):
    with pytest.raises(error, match=message):
        use(files(tmp_path, "a", "1\n").build())


def test_files_and_then_kafka(env, tmp_path):
    from pyflink._mock_kafka import MockKafka
    from pyflink.common import Types
    from pyflink.datastream.connectors.kafka import KafkaRecordSerializationSchema, KafkaSink

    with MockKafka() as broker:
        broker.create_topic("t", 2)
        schema = (
            KafkaRecordSerializationSchema.builder()
            .set_topic("t")
            .set_value_serialization_schema(SimpleStringSchema())
            .build()
        )
        sink = (
            KafkaSink.builder()
            .set_bootstrap_servers(broker.bootstrap_servers)
            .set_record_serializer(schema)
            .build()
        )
        env.from_collection(["k1", "k2"], Types.STRING()).sink_to(sink)
        env.execute()
        live = (
            kafka()
            .set_bootstrap_servers(broker.bootstrap_servers)
            .set_bounded(KafkaOffsetsInitializer.latest())
            .build()
        )
        source = HybridSource.builder(files(tmp_path, "a", "f1\nf2\n").build()).add_source(live)
        results = collected(env.from_source(source.build(), NONE, "hybrid"))
    assert results[:2] == ["f1", "f2"]
    assert sorted(results[2:]) == ["k1", "k2"]


@pytest.mark.parametrize("afterwards", ["removed", "added to"])
def test_a_restored_job_does_not_look_at_finished_sources_again(tmp_path, afterwards):
    first = files(tmp_path, "a", "a1\n").build()
    second = files(tmp_path, "b", "b1\n").monitor_continuously(Duration.of_millis(20)).build()

    def start(last, restored_from=None):
        """A job, once it has read the line `last`, and what it has read."""
        configuration = Configuration()
        if restored_from is not None:
            configuration.set_string("execution.savepoint.path", restored_from)
        env = StreamExecutionEnvironment.get_execution_environment(configuration)
        env.set_parallelism(1).enable_checkpointing(3_600_000)
        env.get_checkpoint_config().set_checkpoint_storage_dir((tmp_path / "chk").as_uri())
        seen, arrived = [], threading.Event()

        def note(line):
            seen.append(line)
            if line == last:
                arrived.set()

        source = HybridSource.builder(first).add_source(second).build()
        env.from_source(source, NONE, "hybrid").uid("hybrid").map(note)
        job = env.execute_async()
        assert arrived.wait(30)
        return job, seen

    job, _ = start("b1")
    path = job._job.trigger_checkpoint()
    kept = shutil.copytree(path, tmp_path / "kept")
    job.cancel().result()
    if afterwards == "removed":
        shutil.rmtree(tmp_path / "a")
    else:
        (tmp_path / "a" / "late.txt").write_text("late history\n")
    (tmp_path / "b" / "1.txt").write_text("b2\n")
    job, seen = start("b2", str(kept))
    job.cancel().result()
    assert seen == ["b2"]
