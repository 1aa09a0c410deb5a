"""Kafka -> keyed state -> Kafka, exactly once, against a real broker.

A job is killed at each of the places where it hurts, and started again from its newest checkpoint.
The oracle reads the output as a consumer with `isolation.level=read_committed` does: each key's
numbers are there once, in order, without a gap.
"""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Producer

from pyflink.common import Configuration, Types, WatermarkStrategy
from pyflink.common.serialization import SimpleStringSchema
from pyflink.datastream import RuntimeExecutionMode, StreamExecutionEnvironment
from pyflink.datastream.connectors import DeliveryGuarantee
from pyflink.datastream.connectors.kafka import (
    KafkaOffsetsInitializer,
    KafkaRecordSerializationSchema,
    KafkaSink,
    KafkaSinkBuilder,
    KafkaSource,
)
from tests.services.exactly_once_jobs import KEYS, Pipeline
from tests.services.kafka_client import await_true, create_topic, produce, values_of
from tests.services.servers import KafkaServer


@pytest.mark.parametrize(
    "point",
    [
        "before-barrier:9",
        "after-prepare:7",
        "after-barrier:9",
        "during-snapshot-write:8",
        "between-manifest-and-commit:1",
        "between-manifest-and-commit:4",
        "during-commit:1",
        "during-commit:4",
        "between-commit-and-notify:1",
        "between-commit-and-notify:4",
    ],
)
def test_each_result_is_there_once_after_a_kill_and_a_restart(
    pipeline: Callable[[str], Pipeline], point: str
) -> None:
    pipe = pipeline(f"killed-{point.replace(':', '-')}")
    pipe.send(400)
    pipe.await_kill(pipe.start(fault=point))
    pipe.send(100)
    second = pipe.start()
    pipe.await_output(second)
    pipe.await_checkpoints(second, 2)
    second.interrupt()
    pipe.check()


@pytest.mark.parametrize("point", ["during-restore", "during-recovery", "during-recovery:2"])
def test_a_restore_that_is_killed_is_repeated(
    pipeline: Callable[[str], Pipeline], point: str
) -> None:
    pipe = pipeline(f"restoring-{point.replace(':', '-')}")
    pipe.send(400)
    # Killed where the newest checkpoint has something to commit.
    pipe.await_kill(pipe.start(fault="between-manifest-and-commit:2"))
    pipe.await_kill(pipe.start(fault=point))
    last = pipe.start()
    pipe.await_output(last)
    pipe.await_checkpoints(last, 1)
    last.interrupt()
    pipe.check()


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1), (3, 2)])
def test_a_restart_at_another_parallelism_commits_what_the_old_subtasks_had(
    pipeline: Callable[[str], Pipeline], before: int, after: int
) -> None:
    pipe = pipeline(f"rescaled-{before}-{after}")
    pipe.send(600)
    pipe.await_kill(pipe.start(before, fault="between-manifest-and-commit:3"))
    pipe.await_kill(pipe.start(after, fault="during-commit:2"))
    third = pipe.start(before)
    pipe.await_output(third)
    pipe.await_checkpoints(third, 1)
    third.interrupt()
    pipe.check()


def test_a_zombie_is_fenced_and_publishes_nothing_more(
    pipeline: Callable[[str], Pipeline],
) -> None:
    pipe = pipeline("zombie")
    pipe.send(300)
    zombie = pipe.start()
    pipe.await_output(zombie)
    zombie.process.send_signal(signal.SIGSTOP)
    pipe.send(300)
    heir = pipe.start()
    pipe.await_output(heir)
    zombie.process.send_signal(signal.SIGCONT)
    pipe.send(300)
    assert zombie.wait() == 1
    assert "another producer has taken over the transactional id 'zombie-" in zombie.output
    pipe.await_output(heir)
    pipe.await_checkpoints(heir, 2)
    heir.interrupt()
    pipe.check()


def test_a_checkpoint_that_is_not_the_newest_stops_the_job_unless_duplicates_are_allowed(
    pipeline: Callable[[str], Pipeline],
) -> None:
    pipe = pipeline("older")
    pipe.send(200)
    first = pipe.start()
    pipe.await_checkpoints(first, 1)
    first.process.send_signal(signal.SIGSTOP)
    older = pipe.checkpoints()[-1]
    kept = pipe.checkpoint_folder.parent / "kept" / older.parent.name / older.name
    shutil.copytree(older.parent, kept.parent)
    first.process.send_signal(signal.SIGCONT)
    pipe.send(200)
    pipe.await_output(first)
    pipe.await_checkpoints(first, 2)
    first.process.kill()
    first.wait()
    refused = pipe.start(restore=kept)
    assert refused.wait() == 1
    assert "do not fit the checkpoint" in refused.output
    assert "epochs were committed after the checkpoint" in refused.output
    assert "allow.duplicates.on.restore" in refused.output
    allowed = pipe.start(restore=kept, settings={"allow.duplicates.on.restore": "true"})
    pipe.send(100)
    pipe.await_output(allowed)
    pipe.await_checkpoints(allowed, 2)
    allowed.interrupt()
    seen = set(pipe.output())
    assert seen >= {f"k{i} {n}" for i in range(KEYS) for n in range(1, 40)}


def test_what_another_run_left_open_is_settled_at_the_start(
    pipeline: Callable[[str], Pipeline],
) -> None:
    """Readers of committed records do not wait for the time-out of an abandoned transaction."""
    pipe = pipeline("abandoned")
    pipe.send(200)
    pipe.await_kill(pipe.start(3, fault="during-commit:4"))
    before = len(pipe.output())
    # A new job, not a restore, with fewer subtasks; its results stand behind the open transaction.
    shutil.rmtree(pipe.checkpoint_folder)
    second = pipe.start(1)
    await_true(lambda: len(pipe.output()) >= before + 200, "the new job's results", 60)
    second.interrupt()


@pytest.mark.parametrize("start", ["restored", "new"])
def test_an_open_transaction_of_a_subtask_that_is_no_more_is_ended_at_the_start(
    pipeline: Callable[[str], Pipeline], start: str
) -> None:
    """The id of a third subtask has an open transaction; a job of one subtask ends it, be the id in
    its checkpoint or only on the brokers."""
    pipe = pipeline(f"lingering-{start}")
    pipe.send(200)
    first = pipe.start(3)
    pipe.await_output(first)
    pipe.await_checkpoints(first, 1)
    first.interrupt()
    before = len(pipe.output())
    settings = {
        "bootstrap.servers": pipe.servers,
        "transactional.id": f"{pipe.name}-2",
        "transaction.timeout.ms": 900_000,  # nobody waits for that
    }
    left_open = Producer(settings)
    left_open.init_transactions(30)
    left_open.begin_transaction()
    left_open.produce(f"{pipe.name}-out", "never published")
    assert left_open.flush(30) == 0
    produce(pipe.servers, f"{pipe.name}-out", ["behind it"])
    assert len(pipe.output()) == before, "the transaction is not open"
    if start == "new":
        shutil.rmtree(pipe.checkpoint_folder)
    second = pipe.start(1)
    # A new job reads the input from its beginning.
    results = 100 if start == "restored" else 300
    pipe.send(100)
    await_true(lambda: len(pipe.output()) >= before + 1 + results, "what stood behind it", 60)
    second.interrupt()
    output = pipe.output()
    assert len(output) == before + 1 + results
    assert output.count("behind it") == 1
    assert "never published" not in output
    assert len(set(output)) == (before + 1 + results if start == "restored" else results + 1)


def sink(servers: str, topic: str, **properties: str) -> KafkaSinkBuilder:
    record = KafkaRecordSerializationSchema.builder().set_topic(topic)
    record.set_value_serialization_schema(SimpleStringSchema())
    builder = KafkaSink.builder().set_bootstrap_servers(servers)
    builder.set_record_serializer(record.build())
    builder.set_delivery_guarantee(DeliveryGuarantee.EXACTLY_ONCE)
    for key, value in properties.items():
        builder.set_property(key.replace("_", "."), value)
    return builder.set_transactional_id_prefix(topic)


def environment() -> StreamExecutionEnvironment:
    return StreamExecutionEnvironment.get_execution_environment().set_parallelism(1)


@pytest.mark.parametrize("how", ["checkpoints", "no checkpoints", "batch"])
def test_a_bounded_job_publishes_everything_before_it_ends(kafka: KafkaServer, how: str) -> None:
    topic = f"bounded-{how.replace(' ', '-')}"
    servers = kafka.bootstrap_servers
    create_topic(servers, topic)
    produce(servers, f"{topic}-in", [f"line {i}" for i in range(5000)])
    source = KafkaSource.builder().set_bootstrap_servers(servers).set_topics(f"{topic}-in")
    source.set_bounded(KafkaOffsetsInitializer.latest())
    source.set_value_only_deserializer(SimpleStringSchema())
    env = environment()
    if how == "checkpoints":
        env.enable_checkpointing(100)
    elif how == "batch":
        env.set_runtime_mode(RuntimeExecutionMode.BATCH)
    stream = env.from_source(source.build(), WatermarkStrategy.no_watermarks(), "in")
    stream.map(lambda text: text, Types.STRING()).sink_to(sink(servers, topic).build())
    env.execute(topic)
    assert values_of(servers, topic) == [f"line {i}" for i in range(5000)]


def test_nothing_is_visible_before_a_checkpoint_is_complete(
    kafka: KafkaServer, tmp_path: Path
) -> None:
    servers = kafka.bootstrap_servers
    create_topic(servers, "hidden-in")
    create_topic(servers, "hidden")
    produce(servers, "hidden-in", ["a", "b", "c"])
    source = KafkaSource.builder().set_bootstrap_servers(servers).set_topics("hidden-in")
    source.set_value_only_deserializer(SimpleStringSchema())
    env = environment()
    env.enable_checkpointing(3_600_000)
    env.get_checkpoint_config().set_checkpoint_storage_dir(f"file://{tmp_path}")
    seen: list[str] = []
    stream = env.from_source(source.build(), WatermarkStrategy.no_watermarks(), "in")
    stream.map(lambda text: seen.append(text) or text, Types.STRING()).sink_to(
        sink(servers, "hidden").build()
    )
    job = env.execute_async("hidden")
    await_true(lambda: len(seen) == 3, "the records")
    assert values_of(servers, "hidden") == []
    job._job.trigger_checkpoint()
    await_true(lambda: values_of(servers, "hidden") == ["a", "b", "c"], "the results")
    job.cancel().result()


def test_a_time_out_above_the_brokers_maximum_names_both(kafka: KafkaServer) -> None:
    servers = kafka.bootstrap_servers
    create_topic(servers, "patient")
    env = environment()
    env.from_collection(["a"], Types.STRING()).sink_to(
        sink(servers, "patient", transaction_timeout_ms="3600000").build()
    )
    with pytest.raises(Exception, match=r"'transaction.timeout.ms' is 3600000.* allow 900000"):
        env.execute("patient")


def test_a_prefix_is_required() -> None:
    record = KafkaRecordSerializationSchema.builder().set_topic("t")
    record.set_value_serialization_schema(SimpleStringSchema())
    builder = KafkaSink.builder().set_bootstrap_servers("127.0.0.1:1")
    builder.set_record_serializer(record.build())
    builder.set_delivery_guarantee(DeliveryGuarantee.EXACTLY_ONCE)
    with pytest.raises(ValueError, match="set_transactional_id_prefix"):
        builder.build()


def test_another_producer_with_the_same_prefix_is_named(kafka: KafkaServer) -> None:
    servers = kafka.bootstrap_servers
    create_topic(servers, "taken-over-in")
    create_topic(servers, "taken-over")
    source = KafkaSource.builder().set_bootstrap_servers(servers).set_topics("taken-over-in")
    source.set_value_only_deserializer(SimpleStringSchema())
    env = environment()
    env.enable_checkpointing(100)
    settings = Configuration()
    settings.set_string("restart-strategy.type", "none")
    env.configure(settings)
    stream = env.from_source(source.build(), WatermarkStrategy.no_watermarks(), "in")
    stream.sink_to(sink(servers, "taken-over").build())
    job = env.execute_async("taken-over")
    produce(servers, "taken-over-in", ["a"])
    await_true(lambda: values_of(servers, "taken-over") == ["a"], "the first result")
    thief = Producer({"bootstrap.servers": servers, "transactional.id": "taken-over-0"})
    thief.init_transactions(30)
    with pytest.raises(Exception, match=r"another producer has taken over .*'taken-over-0'"):
        job.get_job_execution_result().result()
