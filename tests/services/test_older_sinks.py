"""Elasticsearch 6 and its document types, and sinks given to `add_sink` as older releases did."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from pyflink.common import Types
from pyflink.common.serialization import SimpleStringSchema
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors.elasticsearch import (
    Elasticsearch6SinkBuilder,
    Elasticsearch7SinkBuilder,
    ElasticsearchEmitter,
)
from pyflink.datastream.connectors.kafka import KafkaRecordSerializationSchema, KafkaSink
from tests.services.elastic_jobs import COUNT, builder, count, metric, write
from tests.services.kafka_client import create_topic, values_of
from tests.services.servers import ElasticsearchServer, KafkaServer

_numbers = itertools.count()
PEOPLE = [{"id": "ada", "n": 1}, {"id": "bob", "n": 2}, {"id": "ada", "n": 3}]


@pytest.fixture
def index() -> str:
    return f"older-{next(_numbers)}"


def for_six(server: ElasticsearchServer, emitter: Any) -> Elasticsearch6SinkBuilder:
    return Elasticsearch6SinkBuilder().set_hosts([server.url]).set_emitter(emitter)


def typed(server: ElasticsearchServer, index: str) -> dict[str, tuple[str, Any]]:
    """Documents of an index with their types, by id."""
    server.request("POST", f"/{index}/_refresh")
    hits = server.request("POST", f"/{index}/_search", {"size": 100})["hits"]["hits"]
    return {hit["_id"]: (hit["_type"], hit["_source"]) for hit in hits}


@pytest.mark.parametrize(("doc_type", "stored"), [(None, "_doc"), ("person", "person")])
def test_documents_of_python_have_a_type_in_elasticsearch_6(
    elasticsearch_6: ElasticsearchServer, index: str, doc_type: str | None, stored: str
) -> None:
    emitter = ElasticsearchEmitter.static_index(index, "id", doc_type)
    write(for_six(elasticsearch_6, emitter), PEOPLE)
    assert typed(elasticsearch_6, index) == {
        "ada": (stored, {"id": "ada", "n": 3}),
        "bob": (stored, {"id": "bob", "n": 2}),
    }


def test_rows_that_the_engine_writes_have_a_type(
    elasticsearch_6: ElasticsearchServer, index: str
) -> None:
    rows = [count(f"{index}-a", "/x", 1), count(f"{index}-b", "/y", 2)]
    emitter = ElasticsearchEmitter.dynamic_index("org", "url", "count")
    write(for_six(elasticsearch_6, emitter), rows, COUNT)
    assert typed(elasticsearch_6, f"{index}-a") == {"/x": ("count", rows[0].as_dict())}
    assert typed(elasticsearch_6, f"{index}-b") == {"/y": ("count", rows[1].as_dict())}


def test_every_action_has_a_type(elasticsearch_6: ElasticsearchServer, index: str) -> None:
    def emit(step: tuple[str, str, Any]) -> Any:
        action, key, document = step
        return {"action": action, "index": index, "id": key, "doc": document}

    steps = [
        ("index", "a", {"n": 1, "m": 1}),
        ("create", "b", {"n": 2}),
        ("update", "a", {"n": 3}),
        ("upsert", "c", {"n": 4}),
        ("upsert", "b", {"n": 5}),
        ("create", "d", {"n": 6}),
        ("delete", "d", None),
    ]
    sink = for_six(elasticsearch_6, emit).set_document_type("step").set_bulk_flush_max_actions(1)
    metrics = write(sink, steps)
    assert metric(metrics, "numRecordsSendErrors") == 0
    assert typed(elasticsearch_6, index) == {
        "a": ("step", {"n": 3, "m": 1}),
        "b": ("step", {"n": 5}),
        "c": ("step", {"n": 4}),
    }


def test_the_sink_for_version_7_is_refused_by_version_6(
    elasticsearch_6: ElasticsearchServer, index: str
) -> None:
    emitter = ElasticsearchEmitter.static_index(index, "id", "person")
    with pytest.raises(Exception, match=r"type is missing.*use Elasticsearch6SinkBuilder"):
        write(builder(elasticsearch_6, emitter), PEOPLE)


def test_the_sink_for_version_7_tells_of_no_type(
    elasticsearch: ElasticsearchServer, index: str
) -> None:
    emitter = ElasticsearchEmitter.static_index(index, "id", "person")
    write(builder(elasticsearch, emitter), PEOPLE)
    assert {kind for kind, _ in typed(elasticsearch, index).values()} == {"_doc"}


# -- add_sink --------------------------------------------------------------------------------------


@pytest.mark.parametrize("parallelism", [1, 2])
def test_add_sink_takes_a_kafka_sink(kafka: KafkaServer, index: str, parallelism: int) -> None:
    servers = kafka.bootstrap_servers
    create_topic(servers, index)
    schema = KafkaRecordSerializationSchema.builder().set_topic(index)
    schema.set_value_serialization_schema(SimpleStringSchema())
    sink = KafkaSink.builder().set_bootstrap_servers(servers).set_record_serializer(schema.build())
    env = StreamExecutionEnvironment.get_execution_environment().set_parallelism(parallelism)
    env.from_collection(["a", "b", "c"], Types.STRING()).add_sink(sink.build()).name("to Kafka")
    env.execute()
    assert sorted(values_of(servers, index)) == ["a", "b", "c"]


@pytest.mark.parametrize("parallelism", [1, 2])
def test_add_sink_takes_an_elasticsearch_sink(
    elasticsearch: ElasticsearchServer, index: str, parallelism: int
) -> None:
    emitter = ElasticsearchEmitter.static_index(index, "id")
    sink = Elasticsearch7SinkBuilder().set_hosts([elasticsearch.url]).set_emitter(emitter).build()
    env = StreamExecutionEnvironment.get_execution_environment().set_parallelism(parallelism)
    env.from_collection(PEOPLE[:2]).add_sink(sink).name("to Elasticsearch")
    env.execute()
    assert elasticsearch.documents(index) == {"ada": PEOPLE[0], "bob": PEOPLE[1]}
