"""Kafka transactions that somebody else ends: other jobs with the same name, zombies that start
again by themselves, brokers that wait no longer, brokers that are not there yet."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from pyflink.common import Configuration, JobClient, Types, WatermarkStrategy
from pyflink.common.serialization import SimpleStringSchema
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors import DeliveryGuarantee
from pyflink.datastream.connectors.kafka import (
    KafkaRecordSerializationSchema,
    KafkaSink,
    KafkaSource,
)
from tests.services.exactly_once_jobs import Pipeline
from tests.services.kafka_client import (
    TIMEOUT_S,
    await_true,
    create_topic,
    produce,
    stable_end,
    values_of,
)
from tests.services.servers import KafkaServer

RESTARTING = {
    "conf:restart-strategy.type": "fixed-delay",
    "conf:restart-strategy.fixed-delay.attempts": "1000",
    "conf:restart-strategy.fixed-delay.delay": "50 ms",
}


@pytest.fixture(scope="module")
def hasty() -> Iterator[KafkaServer]:
    """A broker that looks for transactions that took too long twice a second."""
    properties = {"transaction.abort.timed.out.transaction.cleanup.interval.ms": "500"}
    with KafkaServer(properties=properties) as server:
        yield server


def end(servers: str, topic: str) -> int:
    """Where a reader that takes everything finds the end."""
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": "flott-tests-reader",
            "isolation.level": "read_uncommitted",
        }
    )
    try:
        return int(consumer.get_watermark_offsets(TopicPartition(topic, 0), TIMEOUT_S)[1])
    finally:
        consumer.close()


def test_two_jobs_from_one_checkpoint_do_not_take_each_others_results_for_their_own(
    pipeline: Callable[..., Pipeline],
) -> None:
    pipe = pipeline("forked")
    pipe.send(300)
    pipe.await_kill(pipe.start(1, fault="between-manifest-and-commit:3"))
    common = pipe.keep(pipe.checkpoints()[-1])
    # The first goes as far as a checkpoint whose results it does not publish any more.
    first = pipe.start(1, restore=common, fault="between-manifest-and-commit:1")
    pipe.await_kill(first)
    of_first = pipe.keep(pipe.checkpoints()[-1])
    pipe.send(100)
    second = pipe.start(1, restore=common)
    pipe.await_output(second)
    pipe.await_checkpoints(second, 1)
    second.process.kill()
    second.wait()
    pipe.check()
    newest = pipe.keep(pipe.checkpoints()[-1])
    refused = pipe.start(1, restore=of_first)
    assert refused.wait() == 1
    assert "the Kafka transactions of 'forked-0'" in refused.output
    assert "do not fit the checkpoint" in refused.output
    assert "estore the newest" in refused.output
    pipe.send(100)
    last = pipe.start(1, restore=newest)
    pipe.await_output(last)
    last.interrupt()
    pipe.check()


def test_a_restart_strategy_does_not_try_a_checkpoint_again_that_does_not_fit(
    pipeline: Callable[..., Pipeline],
) -> None:
    pipe = pipeline("unfit")
    pipe.send(200)
    first = pipe.start(1)
    pipe.await_checkpoints(first, 1)
    older = pipe.keep(pipe.checkpoints()[-1])
    pipe.send(200)
    pipe.await_output(first)
    pipe.await_checkpoints(first, 2)
    first.process.kill()
    first.wait()
    refused = pipe.start(1, restore=older, settings=RESTARTING)
    assert refused.wait() == 1
    assert "epochs were committed after the checkpoint" in refused.output
    assert "attempt 2" not in refused.output


def test_a_zombie_that_starts_again_by_itself_leaves_its_successor_alone(
    pipeline: Callable[..., Pipeline],
) -> None:
    pipe = pipeline("undead")
    pipe.send(300)
    zombie = pipe.start(settings=RESTARTING)
    pipe.await_output(zombie)
    pipe.await_checkpoints(zombie, 1)
    zombie.process.send_signal(signal.SIGSTOP)
    newest = pipe.keep(pipe.checkpoints()[-1])
    pipe.send(300)
    heir = pipe.start(restore=newest, settings=RESTARTING)
    pipe.await_output(heir)
    zombie.process.send_signal(signal.SIGCONT)
    pipe.send(300)
    assert zombie.wait() == 1
    assert "another producer has taken over the transactional id 'undead-" in zombie.output
    assert "for good" in zombie.output
    assert "set_transactional_id_prefix" in zombie.output
    pipe.await_output(heir)
    pipe.await_checkpoints(heir, 2)
    assert "attempt 2" not in heir.output, "it was not disturbed"
    heir.interrupt()
    pipe.check()


def test_two_jobs_with_one_prefix_do_not_fight_for_ever(pipeline: Callable[..., Pipeline]) -> None:
    pipe = pipeline("namesakes")
    pipe.send(200)
    first = pipe.start(settings=RESTARTING)
    pipe.await_output(first)
    # Not a restore: somebody gave a new job the name of one that runs.
    checkpoints = pipe.checkpoint_folder
    pipe.checkpoint_folder = checkpoints.parent / "others"
    second = pipe.start(settings=RESTARTING)
    assert first.wait() == 1
    assert "give each sink a prefix of its own" in first.output
    pipe.await_checkpoints(second, 3)
    second.interrupt()


def test_two_sinks_of_one_job_with_one_prefix_are_refused(kafka: KafkaServer) -> None:
    servers = kafka.bootstrap_servers
    env = StreamExecutionEnvironment.get_execution_environment().set_parallelism(1)
    env.enable_checkpointing(100)  # so that it restarts for ever
    create_topic(servers, "twins-in")
    source = KafkaSource.builder().set_bootstrap_servers(servers).set_topics("twins-in")
    source.set_value_only_deserializer(SimpleStringSchema())
    stream = env.from_source(source.build(), WatermarkStrategy.no_watermarks(), "in")
    for topic in ("twins-a", "twins-b"):
        create_topic(servers, topic)
        record = KafkaRecordSerializationSchema.builder().set_topic(topic)
        record.set_value_serialization_schema(SimpleStringSchema())
        sink = KafkaSink.builder().set_bootstrap_servers(servers)
        sink.set_record_serializer(record.build()).set_transactional_id_prefix("twins")
        sink.set_delivery_guarantee(DeliveryGuarantee.EXACTLY_ONCE)
        stream.map(lambda text: text, Types.STRING()).sink_to(sink.build())
    with pytest.raises(Exception, match=r"'twins-0'.*'twins-[ab]'.* give each a prefix of its own"):
        env.execute("twins")


@pytest.mark.parametrize("restarts", [False, True])
def test_a_transaction_that_the_brokers_ended_says_which_settings_to_look_at(
    hasty: KafkaServer, pipeline: Callable[..., Pipeline], restarts: bool
) -> None:
    servers = hasty.bootstrap_servers
    pipe = pipeline(f"late-{restarts}".lower(), servers=servers)
    topic = f"{pipe.name}-out"
    settings = {"transaction.timeout.ms": "1000"} | (RESTARTING if restarts else {})
    run = pipe.start(1, fault="during-commit:3:stop", settings=settings)
    pipe.await_stop(run)
    await_true(lambda: stable_end(servers, topic) == end(servers, topic), "the brokers' abort")
    run.process.send_signal(signal.SIGCONT)
    if restarts:
        pipe.await_output(run)
    else:
        assert run.wait() == 1
    for words in (
        f"'{pipe.name}-0'",
        "the transaction was open for",
        "longer than 1000 ms",
        "'transaction.timeout.ms'",
        "'transaction.max.timeout.ms' of the brokers",
        "'execution.checkpointing.interval'",
        "Nothing is lost",
    ):
        assert words in run.output
    if not restarts:
        run = pipe.start(1)
        pipe.await_output(run)
    pipe.await_checkpoints(run, 1)
    run.interrupt()
    pipe.check()


@pytest.mark.parametrize(
    "point",
    ["between-manifest-and-commit:3", "during-commit:4", "between-commit-and-notify:3"],
)
def test_records_that_choose_their_topics_are_there_once_after_a_kill(
    pipeline: Callable[..., Pipeline], point: str
) -> None:
    pipe = pipeline(f"chosen-{point.replace(':', '-')}", topics=3, partitions=2)
    pipe.send(400)
    pipe.await_kill(pipe.start(fault=point))
    pipe.send(100)
    # Fewer and more subtasks: the markers do not depend on the topics.
    pipe.await_kill(pipe.start(1, fault="between-commit-and-notify:2"))
    third = pipe.start(3)
    pipe.await_output(third)
    pipe.await_checkpoints(third, 1)
    third.interrupt()
    pipe.check()


def test_a_job_waits_for_brokers_that_are_not_there_yet(pipeline: Callable[..., Pipeline]) -> None:
    with KafkaServer() as kafka:
        pipe = pipeline("early", servers=kafka.bootstrap_servers)
        pipe.send(200)
        kafka.kill()
        run = pipe.start(1)
        run.await_text("cannot be reached")
        assert "waiting for up to 60.0 s" in run.output
        kafka.start()
        pipe.await_output(run)
        run.interrupt()
        pipe.check()


def test_jobs_that_go_on_from_savepoints(kafka: KafkaServer, tmp_path: Path) -> None:
    servers = kafka.bootstrap_servers
    for topic in ("saved-in", "saved-out"):
        create_topic(servers, topic)
    seen: list[str] = []

    def start(restore: str | None) -> JobClient:
        env = StreamExecutionEnvironment.get_execution_environment().set_parallelism(1)
        env.enable_checkpointing(3_600_000)
        env.get_checkpoint_config().set_checkpoint_storage_dir((tmp_path / "chk").as_uri())
        if restore is not None:
            settings = Configuration()
            settings.set_string("execution.savepoint.path", restore)
            env.configure(settings)
        source = KafkaSource.builder().set_bootstrap_servers(servers).set_topics("saved-in")
        source.set_value_only_deserializer(SimpleStringSchema())
        record = KafkaRecordSerializationSchema.builder().set_topic("saved-out")
        record.set_value_serialization_schema(SimpleStringSchema())
        sink = KafkaSink.builder().set_bootstrap_servers(servers)
        sink.set_record_serializer(record.build()).set_transactional_id_prefix("saved")
        sink.set_delivery_guarantee(DeliveryGuarantee.EXACTLY_ONCE)
        stream = env.from_source(source.build(), WatermarkStrategy.no_watermarks(), "in")
        stream.map(lambda text: seen.append(text) or text, Types.STRING()).sink_to(sink.build())
        return env.execute_async("saved")

    def feed(*texts: str) -> None:
        goal = len(seen) + len(texts)
        produce(servers, "saved-in", texts)
        await_true(lambda: len(seen) == goal, "the records")

    def output() -> list[str]:
        return values_of(servers, "saved-out")

    job = start(None)
    feed("a", "b")
    early = job.trigger_savepoint((tmp_path / "early").as_uri()).result()
    assert output() == [], "nobody restarts from it by himself, so that it publishes nothing"
    feed("lost with the job, and read again")
    job.cancel().result()
    job = start(early)
    await_true(lambda: output() == ["a", "b"], "what the savepoint held")
    await_true(lambda: len(seen) == 4, "the record behind it")
    late = job.stop_with_savepoint(False, (tmp_path / "late").as_uri()).result()
    expected = ["a", "b", "lost with the job, and read again"]
    assert output() == expected
    with pytest.raises(Exception, match="1 epochs were committed after the checkpoint"):
        start(early).get_job_execution_result().result()
    assert output() == expected
    job = start(late)
    feed("c")
    job.stop_with_savepoint(False, (tmp_path / "last").as_uri()).result()
    assert output() == [*expected, "c"]
