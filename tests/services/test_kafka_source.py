"""KafkaSource against a real broker: where it begins, what it reads, where it stops."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from pyflink.common import Configuration, WatermarkStrategy
from pyflink.common.serialization import SimpleStringSchema
from pyflink.datastream import (
    ExternalizedCheckpointRetention,
    ProcessFunction,
    StreamExecutionEnvironment,
)
from pyflink.datastream.connectors.kafka import (
    KafkaOffsetResetStrategy,
    KafkaOffsetsInitializer,
    KafkaSource,
    KafkaSourceBuilder,
    KafkaTopicPartition,
)
from tests.services.kafka_client import (
    add_partitions,
    await_true,
    commit,
    committed,
    create_topic,
    produce,
    stable_end,
)
from tests.services.servers import KafkaServer

Offsets = KafkaOffsetsInitializer


@pytest.fixture
def servers(kafka: KafkaServer) -> str:
    return kafka.bootstrap_servers


@pytest.fixture
def topic(servers: str, request: pytest.FixtureRequest) -> str:
    """A topic of one partition with r0 to r4."""
    name = request.node.name.replace("[", "-").replace("]", "")
    create_topic(servers, name)
    produce(servers, name, [f"r{i}" for i in range(5)])
    return name


def source(servers: str, *topics: str) -> KafkaSourceBuilder:
    builder = KafkaSource.builder().set_bootstrap_servers(servers)
    if topics:
        builder.set_topics(*topics)
    return builder.set_value_only_deserializer(SimpleStringSchema())


def environment(parallelism: int = 1) -> StreamExecutionEnvironment:
    return StreamExecutionEnvironment.get_execution_environment().set_parallelism(parallelism)


def read(builder: KafkaSourceBuilder, parallelism: int = 1) -> list[str]:
    """All records of a bounded source."""
    if builder._stop is None:
        builder.set_bounded(Offsets.latest())
    stream = environment(parallelism).from_source(
        builder.build(), WatermarkStrategy.no_watermarks(), "kafka"
    )
    with stream.execute_and_collect() as results:
        return list(results)


Running = Callable[[KafkaSourceBuilder], list[str]]


@pytest.fixture
def running() -> Iterator[Running]:
    """Starts an unbounded job whose records appear in the list it returns."""
    jobs: list[Any] = []

    def start(builder: KafkaSourceBuilder) -> list[str]:
        env = environment()
        env.enable_checkpointing(100)
        seen: list[str] = []
        stream = env.from_source(builder.build(), WatermarkStrategy.no_watermarks(), "kafka")
        stream.map(lambda value: seen.append(value))
        jobs.append(env.execute_async("running"))
        return seen

    yield start
    for job in jobs:
        job.cancel().result()


def test_everything_from_the_beginning_by_default(servers: str, topic: str) -> None:
    assert read(source(servers, topic)) == ["r0", "r1", "r2", "r3", "r4"]


def test_an_empty_topic_ends(servers: str) -> None:
    create_topic(servers, "nothing-here", 2)
    assert read(source(servers, "nothing-here")) == []


def test_latest_reads_only_what_comes_after_the_start(servers: str, topic: str) -> None:
    builder = source(servers, topic).set_starting_offsets(Offsets.latest())
    stream = environment().from_source(builder.build(), WatermarkStrategy.no_watermarks(), "kafka")
    seen: list[str] = []
    stream.map(lambda value: seen.append(value))
    job = stream._env.execute_async("latest")
    # Nobody knows from outside when it looked the end up: send until something comes through.
    number = iter(range(1000))
    await_true(
        lambda: produce(servers, topic, [f"new{next(number)}"]) or bool(seen), "a new record"
    )
    job.cancel().result()
    assert all(value.startswith("new") for value in seen)


def test_timestamp_starts_at_the_first_record_of_that_time(servers: str) -> None:
    create_topic(servers, "timed")
    produce(servers, "timed", ["a", "b", "c", "d"], timestamps=[1000, 2000, 2001, 3000])
    assert read(source(servers, "timed").set_starting_offsets(Offsets.timestamp(2000))) == [
        "b",
        "c",
        "d",
    ]
    bounded = source(servers, "timed").set_bounded(Offsets.timestamp(2001))
    assert read(bounded) == ["a", "b"]
    beyond = source(servers, "timed").set_starting_offsets(Offsets.timestamp(9000))
    assert read(beyond) == []


def test_offsets_by_partition_and_the_rest_by_reset(servers: str) -> None:
    create_topic(servers, "by-offset", 2)
    for partition in (0, 1):
        produce(servers, "by-offset", [f"{partition}{i}" for i in range(4)], partition=partition)
    start = Offsets.offsets({KafkaTopicPartition("by-offset", 0): 3})
    assert sorted(read(source(servers, "by-offset").set_starting_offsets(start))) == [
        "03",
        "10",
        "11",
        "12",
        "13",
    ]
    start = Offsets.offsets(
        {KafkaTopicPartition("by-offset", 0): 3}, KafkaOffsetResetStrategy.LATEST
    )
    assert read(source(servers, "by-offset").set_starting_offsets(start)) == ["03"]
    stop = Offsets.offsets(
        {KafkaTopicPartition("by-offset", 0): 1, KafkaTopicPartition("by-offset", 1): 2}
    )
    assert sorted(read(source(servers, "by-offset").set_bounded(stop))) == ["00", "10", "11"]


def test_an_offset_that_is_gone_follows_the_reset(
    servers: str, topic: str, running: Running
) -> None:
    def start(reset: KafkaOffsetResetStrategy) -> KafkaSourceBuilder:
        where = Offsets.offsets({KafkaTopicPartition(topic, 0): 99}, reset)
        return source(servers, topic).set_starting_offsets(where)

    earliest = running(start(KafkaOffsetResetStrategy.EARLIEST))
    await_true(lambda: earliest == ["r0", "r1", "r2", "r3", "r4"], "the oldest records")
    latest = running(start(KafkaOffsetResetStrategy.LATEST))
    number = iter(range(1000))
    await_true(
        lambda: produce(servers, topic, [f"new{next(number)}"]) or bool(latest), "a new record"
    )
    assert all(value.startswith("new") for value in latest)
    env = environment()
    none = start(KafkaOffsetResetStrategy.NONE).build()
    env.from_source(none, WatermarkStrategy.no_watermarks(), "kafka").print()
    with pytest.raises(RuntimeError) as refused:
        env.execute("none")
    for word in (topic, "partition 0", "99", servers, "scan.startup.reset"):
        assert word in str(refused.value)


def test_committed_offsets_and_their_reset(servers: str, topic: str) -> None:
    def start(*reset: KafkaOffsetResetStrategy) -> KafkaSourceBuilder:
        builder = source(servers, topic).set_group_id("readers-of-" + topic)
        return builder.set_starting_offsets(Offsets.committed_offsets(*reset))

    with pytest.raises(RuntimeError) as refused:
        read(start())
    for word in ("readers-of-" + topic, topic, servers, "scan.startup.reset"):
        assert word in str(refused.value)
    assert read(start(KafkaOffsetResetStrategy.EARLIEST)) == ["r0", "r1", "r2", "r3", "r4"]
    assert read(start(KafkaOffsetResetStrategy.LATEST)) == []
    commit(servers, "readers-of-" + topic, topic, 3)
    assert read(start()) == ["r3", "r4"]


def test_several_topics_a_pattern_and_single_partitions(servers: str) -> None:
    for name, partitions in (("family-a", 1), ("family-b", 2), ("a-family", 1)):
        create_topic(servers, name, partitions)
        for partition in range(partitions):
            produce(servers, name, [f"{name}/{partition}"], partition=partition)
    both = source(servers, "family-a", "a-family")
    assert sorted(read(both)) == ["a-family/0", "family-a/0"]
    pattern = source(servers).set_topic_pattern("family-.*")  # of the whole name
    assert sorted(read(pattern)) == ["family-a/0", "family-b/0", "family-b/1"]
    chosen = {KafkaTopicPartition("family-b", 1), KafkaTopicPartition("family-a", 0)}
    assert sorted(read(source(servers).set_partitions(chosen))) == ["family-a/0", "family-b/1"]


def test_parallel_readers_share_the_partitions(servers: str) -> None:
    create_topic(servers, "shared", 3)
    for partition in range(3):
        produce(servers, "shared", [f"{partition}-{i}" for i in range(20)], partition=partition)
    rows = read(source(servers, "shared"), parallelism=2)
    assert sorted(rows) == sorted(f"{p}-{i}" for p in range(3) for i in range(20))
    for partition in range(3):  # in order within each
        ours = [row for row in rows if row.startswith(f"{partition}-")]
        assert ours == [f"{partition}-{i}" for i in range(20)]


def test_a_bounded_stop_behind_transaction_markers_ends(servers: str) -> None:
    create_topic(servers, "transactional")
    producer = Producer({"bootstrap.servers": servers, "transactional.id": "flott-test"})
    producer.init_transactions(30)
    for value, keep in (("kept", True), ("aborted", False)):
        producer.begin_transaction()
        producer.produce("transactional", value)
        producer.flush(30)  # an abort would drop what has not been sent
        producer.commit_transaction(30) if keep else producer.abort_transaction(30)
    # The broker writes the markers after it has answered: two records, two markers.
    await_true(lambda: stable_end(servers, "transactional") == 4, "the transaction markers")
    committed_only = source(servers, "transactional").set_property(
        "isolation.level", "read_committed"
    )
    assert read(committed_only) == ["kept"]


def test_records_carry_kafkas_timestamps(servers: str) -> None:
    create_topic(servers, "stamped")
    produce(servers, "stamped", ["a", "b"], timestamps=[1234, 5678])

    class Stamp(ProcessFunction):
        def process_element(self, value: str, ctx: Any) -> Iterator[Any]:
            yield value, ctx.timestamp()

    builder = source(servers, "stamped").set_bounded(Offsets.latest())
    stream = environment().from_source(
        builder.build(), WatermarkStrategy.for_monotonous_timestamps(), "kafka"
    )
    with stream.process(Stamp()).execute_and_collect() as results:
        assert list(results) == [("a", 1234), ("b", 5678)]


def test_records_without_value_are_skipped(servers: str) -> None:
    create_topic(servers, "tombstones")
    produce(servers, "tombstones", ["a", None, "", "b", None], key="k")
    assert read(source(servers, "tombstones")) == ["a", "", "b"]


def test_new_partitions_are_found_while_running(servers: str, topic: str, running: Running) -> None:
    interval = ("partition.discovery.interval.ms", "100")
    seen = running(source(servers, topic).set_property(*interval))
    await_true(lambda: len(seen) == 5, "the first partition")
    add_partitions(servers, topic, 2)
    produce(servers, topic, ["x", "y"], partition=1)
    await_true(lambda: len(seen) == 7, "the new partition's records")
    assert seen[5:] == ["x", "y"]  # from its beginning


def test_new_topics_of_a_pattern_are_found_while_running(servers: str, running: Running) -> None:
    create_topic(servers, "season-1")
    produce(servers, "season-1", ["one"])
    builder = source(servers).set_topic_pattern(r"season-\d")
    seen = running(builder.set_property("partition.discovery.interval.ms", "100"))
    await_true(lambda: seen == ["one"], "the first topic")
    create_topic(servers, "season-2")
    produce(servers, "season-2", ["two"])
    await_true(lambda: seen == ["one", "two"], "the new topic")


def test_offsets_are_committed_at_checkpoints(servers: str, topic: str, running: Running) -> None:
    seen = running(source(servers, topic).set_group_id("commits"))
    await_true(lambda: len(seen) == 5, "all records")
    await_true(lambda: committed(servers, "commits", topic) == 5, "the commit")
    produce(servers, topic, ["more"])
    await_true(lambda: committed(servers, "commits", topic) == 6, "the next commit")


def test_a_checkpoint_goes_on_where_it_was_taken(servers: str, topic: str, tmp_path: Path) -> None:
    def run(restore: str | None) -> tuple[Any, list[str]]:
        env = environment()
        env.enable_checkpointing(100)
        checkpoints = env.get_checkpoint_config()
        checkpoints.set_checkpoint_storage_dir(f"file://{tmp_path}")
        checkpoints.set_externalized_checkpoint_retention(
            ExternalizedCheckpointRetention.RETAIN_ON_CANCELLATION
        )
        if restore:
            configuration = Configuration()
            configuration.set_string("execution.savepoint.path", restore)
            env.configure(configuration)
        seen: list[str] = []
        stream = env.from_source(
            source(servers, topic).build(), WatermarkStrategy.no_watermarks(), "kafka"
        )
        stream.map(lambda value: seen.append(value))
        return env.execute_async("restart"), seen

    job, seen = run(None)
    await_true(lambda: len(seen) == 5, "all records")
    taken = job._job.trigger_checkpoint()
    job.cancel().result()
    produce(servers, topic, ["after"])
    job, seen = run(taken)
    await_true(lambda: bool(seen), "the record that came in between")
    job.cancel().result()
    assert seen == ["after"]
