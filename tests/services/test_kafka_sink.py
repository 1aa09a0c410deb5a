"""KafkaSink against a real broker: keys, values, topics, guarantees."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pyflink.common import Row, Types, WatermarkStrategy
from pyflink.common.serialization import SimpleStringSchema
from pyflink.datastream import ProcessFunction, StreamExecutionEnvironment
from pyflink.datastream.connectors import DeliveryGuarantee
from pyflink.datastream.connectors.kafka import (
    KafkaOffsetsInitializer,
    KafkaRecordSerializationSchema,
    KafkaSink,
    KafkaSinkBuilder,
    KafkaSource,
    KafkaTopicSelector,
)
from pyflink.datastream.formats.csv import CsvRowSerializationSchema
from pyflink.datastream.formats.json import JsonRowSerializationSchema
from tests.services.kafka_client import await_true, create_topic, produce, read_topic, values_of
from tests.services.servers import KafkaServer

ORDER = Types.ROW_NAMED(["id", "amount"], [Types.STRING(), Types.INT()])
ORDERS = [Row(id="a", amount=1), Row(id="b", amount=2), Row(id="a", amount=None)]


@pytest.fixture
def servers(kafka: KafkaServer) -> str:
    return kafka.bootstrap_servers


def sink(servers: str, topic: str, **schemas: Any) -> KafkaSinkBuilder:
    """A sink of `topic`; `schemas`: value (text by default) and key."""
    record = KafkaRecordSerializationSchema.builder().set_topic(topic)
    record.set_value_serialization_schema(schemas.get("value", SimpleStringSchema()))
    if "key" in schemas:
        record.set_key_serialization_schema(schemas["key"])
    builder = KafkaSink.builder().set_bootstrap_servers(servers)
    return builder.set_record_serializer(record.build())


def environment(parallelism: int = 1) -> StreamExecutionEnvironment:
    return StreamExecutionEnvironment.get_execution_environment().set_parallelism(parallelism)


def json_schema(names: list[str], types: list[Any]) -> JsonRowSerializationSchema:
    row_type = Types.ROW_NAMED(names, types)
    return JsonRowSerializationSchema.builder().with_type_info(row_type).build()


@pytest.mark.parametrize("guarantee", [DeliveryGuarantee.NONE, DeliveryGuarantee.AT_LEAST_ONCE])
def test_text_arrives_in_order_before_the_job_ends(
    servers: str, guarantee: DeliveryGuarantee
) -> None:
    topic = f"text-{guarantee.name}"
    create_topic(servers, topic)
    texts = [f"line {i}" for i in range(500)] + ["", "ünï 😀"]
    env = environment()
    stream = env.from_collection(texts, Types.STRING())
    stream.sink_to(sink(servers, topic).set_delivery_guarantee(guarantee).build())
    env.execute("text")
    assert values_of(servers, topic) == texts


def test_json_rows_with_a_key(servers: str) -> None:
    create_topic(servers, "orders")
    key = json_schema(["id"], [Types.STRING()])
    value = json_schema(["id", "amount"], [Types.STRING(), Types.INT()])
    env = environment()
    env.from_collection(ORDERS, ORDER).sink_to(
        sink(servers, "orders", key=key, value=value).build()
    )
    env.execute("orders")
    messages = read_topic(servers, "orders")
    assert [json.loads(message.key()) for message in messages] == [
        {"id": "a"},
        {"id": "b"},
        {"id": "a"},
    ]
    assert [json.loads(message.value()) for message in messages] == [
        {"id": "a", "amount": 1},
        {"id": "b", "amount": 2},
        {"id": "a", "amount": None},
    ]


def test_csv_rows(servers: str) -> None:
    create_topic(servers, "csv-orders")
    env = environment()
    value = CsvRowSerializationSchema.Builder(ORDER).set_field_delimiter(";").build()
    env.from_collection([*ORDERS, Row(id="x;y", amount=4)], ORDER).sink_to(
        sink(servers, "csv-orders", value=value).build()
    )
    env.execute("csv")
    # Each message is a line with its end, as upstream writes it.
    assert values_of(servers, "csv-orders") == ["a;1\n", "b;2\n", "a;\n", '"x;y";4\n']


def test_rows_made_by_python_functions(servers: str) -> None:
    create_topic(servers, "doubled")
    env = environment()
    doubled = env.from_collection(ORDERS[:2], ORDER).map(
        lambda row: Row(row.id, row.amount * 2), output_type=ORDER
    )
    value = json_schema(["id", "amount"], [Types.STRING(), Types.INT()])
    doubled.sink_to(sink(servers, "doubled", value=value).build())
    env.execute("doubled")
    assert [json.loads(text)["amount"] for text in values_of(servers, "doubled")] == [2, 4]


class ByLetter(KafkaTopicSelector):
    def apply(self, data: str) -> str:
        return f"letter-{data[0]}"


@pytest.mark.parametrize("selector", [ByLetter(), lambda data: f"letter-{data[0]}"])
def test_a_topic_for_each_record(servers: str, selector: Any) -> None:
    kind = type(selector).__name__
    record = KafkaRecordSerializationSchema.builder().set_topic_selector(selector)
    record.set_value_serialization_schema(SimpleStringSchema())
    builder = KafkaSink.builder().set_bootstrap_servers(servers)
    env = environment()
    env.from_collection([f"x{kind}", f"y{kind}", f"x2{kind}"], Types.STRING()).sink_to(
        builder.set_record_serializer(record.build()).build()
    )
    env.execute("letters")
    ours = [text for text in values_of(servers, "letter-x") if text.endswith(kind)]
    assert ours == [f"x{kind}", f"x2{kind}"]
    assert f"y{kind}" in values_of(servers, "letter-y")


def test_equal_keys_go_to_one_partition_and_keep_their_order(servers: str) -> None:
    create_topic(servers, "by-key", 3)
    rows = [Row(id=f"k{i % 7}", amount=i) for i in range(210)]
    env = environment()
    key = json_schema(["id"], [Types.STRING()])
    value = json_schema(["id", "amount"], [Types.STRING(), Types.INT()])
    env.from_collection(rows, ORDER).sink_to(sink(servers, "by-key", key=key, value=value).build())
    env.execute("by key")
    partitions: dict[bytes, set[int]] = {}
    amounts: dict[bytes, list[int]] = {}
    for message in read_topic(servers, "by-key"):
        partitions.setdefault(message.key(), set()).add(message.partition())
        amounts.setdefault(message.key(), []).append(json.loads(message.value())["amount"])
    assert len(partitions) == 7
    assert all(len(used) == 1 for used in partitions.values())
    assert all(numbers == sorted(numbers) for numbers in amounts.values())
    assert sum(len(numbers) for numbers in amounts.values()) == 210


def test_records_keep_their_event_time(servers: str) -> None:
    create_topic(servers, "from-past")
    create_topic(servers, "to-past")
    produce(servers, "from-past", ["a", "b"], timestamps=[1000, 2000])
    source = (
        KafkaSource.builder()
        .set_bootstrap_servers(servers)
        .set_topics("from-past")
        .set_bounded(KafkaOffsetsInitializer.latest())
        .set_value_only_deserializer(SimpleStringSchema())
        .build()
    )

    class Twice(ProcessFunction):
        def process_element(self, value: str, ctx: Any) -> Iterator[str]:
            yield value
            yield value + value

    env = environment()
    stream = env.from_source(source, WatermarkStrategy.no_watermarks(), "past")
    stream.process(Twice(), Types.STRING()).sink_to(sink(servers, "to-past").build())
    env.execute("past")
    times = [(m.value().decode(), m.timestamp()[1]) for m in read_topic(servers, "to-past")]
    assert times == [("a", 1000), ("aa", 1000), ("b", 2000), ("bb", 2000)]


def test_at_least_once_is_delivered_when_a_checkpoint_is_complete(
    servers: str, tmp_path: Path
) -> None:
    """With a linger of a minute only the checkpoint's flush can have sent the records."""
    create_topic(servers, "lingering-in")
    create_topic(servers, "lingering-out")
    produce(servers, "lingering-in", ["a", "b"])
    source = (
        KafkaSource.builder()
        .set_bootstrap_servers(servers)
        .set_topics("lingering-in")
        .set_value_only_deserializer(SimpleStringSchema())
        .build()
    )
    env = environment()
    env.enable_checkpointing(3_600_000)
    env.get_checkpoint_config().set_checkpoint_storage_dir(f"file://{tmp_path}")
    stream = env.from_source(source, WatermarkStrategy.no_watermarks(), "in")
    seen: list[str] = []
    stream.map(lambda value: seen.append(value) or value, Types.STRING()).sink_to(
        sink(servers, "lingering-out")
        .set_delivery_guarantee(DeliveryGuarantee.AT_LEAST_ONCE)
        .set_property("linger.ms", "60000")
        .set_property("delivery.timeout.ms", "120000")
        .build()
    )
    job = env.execute_async("lingering")
    await_true(lambda: seen == ["a", "b"], "both records")
    assert values_of(servers, "lingering-out") == []
    job._job.trigger_checkpoint()
    assert values_of(servers, "lingering-out") == ["a", "b"]
    job.cancel().result()


def test_unknown_settings_are_named_in_a_warning(
    servers: str, caplog: pytest.LogCaptureFixture
) -> None:
    create_topic(servers, "warned")
    env = environment()
    builder = sink(servers, "warned").set_property("lingr.ms", "5").set_property("linger.ms", "5")
    env.from_collection(["a"], Types.STRING()).sink_to(builder.build())
    with caplog.at_level(logging.INFO, "pyflink"):
        env.execute("warned")
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert any("lingr.ms" in text for text in warnings), warnings
    assert not any("'linger.ms'" in text for text in warnings)


def test_a_setting_that_cannot_be_used_is_refused_by_name(servers: str) -> None:
    env = environment()
    builder = sink(servers, "never").set_property("linger.ms", "soon")
    env.from_collection(["a"], Types.STRING()).sink_to(builder.build())
    with pytest.raises(Exception, match=r"linger\.ms"):
        env.execute("refused")
