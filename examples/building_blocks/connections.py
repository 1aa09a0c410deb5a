"""Where a building block's records come from and where its results go: what its command line says.

Without arguments the records are the block's own and the results go to the screen. With Kafka,

    python sessions.py --bootstrap-servers localhost:9092 --topic clicks --output-topic visits

records and results are JSON: a record of the shop is an object with its fields.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from typing import Any

from pyflink.common import Types, WatermarkStrategy
from pyflink.common.serialization import SimpleStringSchema
from pyflink.datastream import DataStream, StreamExecutionEnvironment
from pyflink.datastream.connectors.kafka import (
    DeliveryGuarantee,
    KafkaOffsetsInitializer,
    KafkaRecordSerializationSchema,
    KafkaSink,
    KafkaSource,
)


def arguments_of(purpose: str | None, *further: str) -> argparse.Namespace:
    """The command line; `further` options are text, and topics among them needed with Kafka."""
    parser = argparse.ArgumentParser(description=(purpose or "").partition("\n")[0])
    parser.add_argument("--bootstrap-servers", help="Kafka; without it the block has its own data")
    options = ("--topic", "--output-topic", *further)
    for option in options:
        parser.add_argument(option)
    parser.add_argument("--bounded", action="store_true", help="stop at the topic's present end")
    arguments = parser.parse_args()
    for option in options:
        given = getattr(arguments, option.removeprefix("--").replace("-", "_"))
        if arguments.bootstrap_servers and option.endswith("topic") and not given:
            parser.error(f"--bootstrap-servers needs {option} too")
    return arguments


def read_topic(
    env: StreamExecutionEnvironment,
    arguments: argparse.Namespace,
    topic: str,
    record: Callable[..., Any],
) -> DataStream:
    """JSON objects of a topic from its beginning, each made into `record(**fields)`."""
    builder = (
        KafkaSource.builder()
        .set_bootstrap_servers(arguments.bootstrap_servers)
        .set_topics(topic)
        .set_group_id(f"building-blocks-{topic}")
        .set_starting_offsets(KafkaOffsetsInitializer.earliest())
        .set_value_only_deserializer(SimpleStringSchema())
    )
    if arguments.bounded:
        builder.set_bounded(KafkaOffsetsInitializer.latest())
    texts = env.from_source(builder.build(), WatermarkStrategy.no_watermarks(), topic)
    return texts.uid(f"topic {topic}").map(lambda text: record(**json.loads(text)))


def records(
    env: StreamExecutionEnvironment,
    arguments: argparse.Namespace,
    record: Callable[..., Any],
    own: Iterable[Any],
) -> DataStream:
    """The records of --topic, or the block's own."""
    if arguments.bootstrap_servers:
        return read_topic(env, arguments, arguments.topic, record)
    return env.from_collection(list(own))


def to_json(result: Any) -> str:
    """A named tuple as an object with its fields; anything else as it is in JSON."""
    return json.dumps(result._asdict() if hasattr(result, "_asdict") else result)


def results(stream: DataStream, arguments: argparse.Namespace, name: str = "") -> None:
    """Results to --output-topic or to the screen; those with a name to `<output topic>-<name>`."""
    if not arguments.bootstrap_servers:
        stream.print(name) if name else stream.print()
        return
    topic = f"{arguments.output_topic}-{name}" if name else arguments.output_topic
    record = (
        KafkaRecordSerializationSchema.builder()
        .set_topic(topic)
        .set_value_serialization_schema(SimpleStringSchema())
        .build()
    )
    sink = (
        KafkaSink.builder()
        .set_bootstrap_servers(arguments.bootstrap_servers)
        .set_record_serializer(record)
        .set_delivery_guarantee(DeliveryGuarantee.AT_LEAST_ONCE)
        .build()
    )
    stream.map(to_json, Types.STRING()).sink_to(sink)
