"""`kill -9` in the middle, and a restart from the last checkpoint: every key's count is exact."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.services.kafka_client import await_true, create_topic, produce
from tests.services.servers import ElasticsearchServer, KafkaServer

JOB = """
    import sys, time
    from pyflink.common import Configuration, Types, WatermarkStrategy
    from pyflink.common.serialization import SimpleStringSchema
    from pyflink.datastream import KeyedProcessFunction, StreamExecutionEnvironment
    from pyflink.datastream.connectors.elasticsearch import (
        Elasticsearch7SinkBuilder, ElasticsearchEmitter,
    )
    from pyflink.datastream.connectors.kafka import KafkaSource
    from pyflink.datastream.state import ValueStateDescriptor

    servers, topic, url, index, folder, restore = sys.argv[1:7]

    class Count(KeyedProcessFunction):
        def open(self, context):
            self.count = context.get_state(ValueStateDescriptor("count", Types.LONG()))

        def process_element(self, value, ctx):
            if not restore:
                time.sleep(0.0005)  # slow enough to be killed on the way
            n = (self.count.value() or 0) + 1
            self.count.update(n)
            yield {"key": value, "count": n}

    env = StreamExecutionEnvironment.get_execution_environment().set_parallelism(1)
    settings = Configuration()
    settings.set_string("execution.checkpointing.interval", "100ms")
    settings.set_string("execution.checkpointing.dir", "file://" + folder)
    settings.set_string(
        "execution.checkpointing.externalized-checkpoint-retention", "RETAIN_ON_CANCELLATION"
    )
    if restore:
        settings.set_string("execution.savepoint.path", restore)
    env.configure(settings)
    source = KafkaSource.builder().set_bootstrap_servers(servers).set_topics(topic)
    source.set_value_only_deserializer(SimpleStringSchema())
    sink = Elasticsearch7SinkBuilder().set_hosts([url]).set_bulk_flush_max_actions(10)
    sink.set_emitter(ElasticsearchEmitter.static_index(index, "key"))
    stream = env.from_source(source.build(), WatermarkStrategy.no_watermarks(), "kafka")
    stream.key_by(lambda value: value, Types.STRING()).process(Count()).sink_to(sink.build())
    env.execute("counts")
    print("finished")
"""


def checkpoints(folder: Path) -> list[Path]:
    """Complete checkpoints, oldest first."""
    found = [p.parent for p in folder.glob("*/chk-*/_metadata")]
    return sorted(found, key=lambda p: int(p.name.removeprefix("chk-")))


@pytest.mark.parametrize("kill_after", [2, 6])
def test_counts_are_exact_after_kill_and_restart(
    kafka: KafkaServer,
    elasticsearch: ElasticsearchServer,
    script: Callable[..., Any],
    tmp_path: Path,
    kill_after: int,
) -> None:
    topic = index = f"killed-{kill_after}"
    create_topic(kafka.bootstrap_servers, topic, 2)
    choose = random.Random(kill_after)
    oracle: Counter[str] = Counter()

    def send(count: int) -> None:
        for partition in (0, 1):
            keys = [f"k{choose.randrange(40)}" for _ in range(count)]
            oracle.update(keys)
            produce(kafka.bootstrap_servers, topic, keys, partition=partition)

    def counted() -> int:
        found = elasticsearch.documents(index).values()
        return sum(document["count"] for document in found)

    elasticsearch.request("PUT", f"/{index}")
    folder = tmp_path / "checkpoints"
    arguments = [kafka.bootstrap_servers, topic, elasticsearch.url, index, str(folder)]
    send(500)
    first = script(JOB, *arguments, "")

    def far_enough() -> bool:
        assert first.process.poll() is None, first.output
        found = checkpoints(folder)
        return bool(found) and int(found[-1].name.removeprefix("chk-")) >= kill_after

    await_true(far_enough, "checkpoints")
    await_true(lambda: counted() == 1000, "the first records")
    # A barrier waits behind what is buffered: the last checkpoint is well behind the documents.
    send(3000)
    await_true(lambda: counted() > 1500, "some of the last records")
    first.kill()
    last = checkpoints(folder)[-1]
    assert counted() < sum(oracle.values())
    second = script(JOB, *arguments, str(last))
    await_true(lambda: counted() >= sum(oracle.values()), "the rest", 60)
    assert second.process.poll() is None, second.output
    second.interrupt()
    second.wait()
    documents = elasticsearch.documents(index)
    assert {key: document["count"] for key, document in documents.items()} == dict(oracle)
