"""The Elasticsearch sink against real Elasticsearch 7.17 and 8.15 and OpenSearch 2.19 servers."""

from __future__ import annotations

import itertools
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors.elasticsearch import (
    Elasticsearch7SinkBuilder,
    ElasticsearchEmitter,
)
from pyflink.datastream.functions import SourceFunction
from tests.services.elastic_jobs import COUNT, builder, count, metric, write
from tests.services.kafka_client import await_true
from tests.services.servers import ElasticsearchServer, SearchServer

_numbers = itertools.count()


@pytest.fixture(params=["elasticsearch", "elasticsearch_8", "opensearch"])
def server(request: pytest.FixtureRequest) -> SearchServer:
    return request.getfixturevalue(request.param)


@pytest.fixture
def index() -> str:
    return f"sink-{next(_numbers)}"


def test_static_index_with_and_without_ids(server: SearchServer, index: str) -> None:
    people = [{"id": "ada", "n": 1}, {"id": "bob", "n": 2}, {"id": "ada", "n": 3}]
    write(builder(server, ElasticsearchEmitter.static_index(index, "id")), people)
    assert server.documents(index) == {"ada": {"id": "ada", "n": 3}, "bob": {"id": "bob", "n": 2}}
    write(builder(server, ElasticsearchEmitter.static_index(index + "-auto")), people)
    assert sorted(d["n"] for d in server.documents(index + "-auto").values()) == [1, 2, 3]


def test_dynamic_index_takes_named_rows_too(server: SearchServer, index: str) -> None:
    rows = [count(f"{index}-a", "/x", 1), count(f"{index}-b", "/y", 2)]
    write(builder(server, ElasticsearchEmitter.dynamic_index("org", "url")), rows, COUNT)
    assert server.documents(f"{index}-a")["/x"]["hits"] == 1
    assert server.documents(f"{index}-b")["/y"]["hits"] == 2


def test_rows_are_the_same_documents_whoever_makes_them(server: SearchServer, index: str) -> None:
    rows = [count('örg\n"1"', "/\U0001f600", 2**53 + 1), count("org2", "/y", -1, "")]
    write(builder(server, ElasticsearchEmitter.static_index(index, "org")), rows, COUNT)
    untyped = ElasticsearchEmitter.static_index(f"{index}-python", "org")
    write(builder(server, untyped), [row.as_dict() for row in rows])
    assert server.documents(index) == server.documents(f"{index}-python")
    assert server.documents(index)["org2"] == rows[1].as_dict()


def test_one_id_that_is_too_long_refuses_no_other_document(
    server: SearchServer, index: str
) -> None:
    rows = [count("x" * 600 if n == 13 else f"org{n}", "/v1", n) for n in range(40)]
    sink = builder(server, ElasticsearchEmitter.static_index(index, "org"))
    metrics = write(sink.set_failure_handler("skip"), rows, COUNT)
    assert len(server.documents(index)) == 39
    assert metric(metrics, "numRecordsSendErrors") == 1


def test_a_python_emitter_does_every_action(server: SearchServer, index: str) -> None:
    def emit(step: tuple[str, str, Any]) -> Any:
        action, key, document = step
        if action == "nothing":
            return None
        one = {"action": action, "index": index, "id": key}
        return one if document is None else {**one, "doc": document}

    steps = [
        ("index", "a", {"n": 1, "old": True}),
        ("index", "a", {"n": 2}),  # replaces all of it
        ("update", "a", {"seen": "yes"}),  # merges into it
        ("upsert", "b", {"n": 3}),
        ("upsert", "b", {"m": 4}),
        ("nothing", "x", None),
        ("create", "c", {"n": 5}),
        ("index", "gone", {"n": 6}),
        ("delete", "gone", None),
    ]
    write(builder(server, emit), steps)
    assert server.documents(index) == {
        "a": {"n": 2, "seen": "yes"},
        "b": {"n": 3, "m": 4},
        "c": {"n": 5},
    }


def test_a_native_mapping_upserts_rows(server: SearchServer, index: str) -> None:
    mapping = ElasticsearchEmitter.mapping(
        index + "-{date}", id="{org}_{date}_{url}", exclude_fields=["url"], ignore_null_fields=True
    )
    rows = [count("org1", "/v1", n) for n in range(1, 6)] + [count("org2", "/v1", 9, "late")]
    write(builder(server, mapping), rows, COUNT)
    assert server.documents(index + "-2025-05-20") == {
        "org1_2025-05-20_/v1": {"org": "org1", "date": "2025-05-20", "hits": 5},
        "org2_2025-05-20_/v1": {"org": "org2", "date": "2025-05-20", "hits": 9, "note": "late"},
    }


def test_the_last_of_many_writes_per_id_wins(server: SearchServer, index: str) -> None:
    rows = [count(f"org{i % 17}", "/v1", i) for i in range(3000)]
    sink = builder(server, ElasticsearchEmitter.mapping(index, id="{org}"))
    sink.set_bulk_flush_max_actions(40).set_max_in_flight_requests(3).set_compression("gzip")
    write(sink, rows, COUNT)
    last = {f"org{i % 17}": i for i in range(3000)}
    assert {key: d["hits"] for key, d in server.documents(index).items()} == last


@pytest.mark.parametrize("limit", ["actions", "bytes"])
def test_requests_are_as_large_as_allowed(
    elasticsearch: ElasticsearchServer, index: str, limit: str
) -> None:
    sink = builder(elasticsearch, ElasticsearchEmitter.static_index(index, "id"))
    documents = [{"id": i, "text": "x" * 20_000} for i in range(200)]  # 4 MB
    if limit == "actions":
        sink.set_bulk_flush_max_actions(10).set_bulk_flush_max_size_mb(-1)
    else:
        sink.set_bulk_flush_max_actions(-1).set_bulk_flush_max_size_mb(1)
    metrics = write(sink, documents)
    requests = metric(metrics, "bulkRequests")
    assert requests >= (20 if limit == "actions" else 4), metrics
    assert metric(metrics, "numRecordsSend") == 200
    assert len(elasticsearch.documents(index)) == 200


def test_an_interval_flushes_what_is_buffered(
    elasticsearch: ElasticsearchServer, index: str
) -> None:
    env = StreamExecutionEnvironment.get_execution_environment().set_parallelism(1)
    sink = builder(elasticsearch, ElasticsearchEmitter.static_index(index, "n"))
    sink.set_bulk_flush_max_actions(1000).set_bulk_flush_interval(100)
    ended = threading.Event()

    class TwoThenAnother(SourceFunction):
        def run(self, ctx: Any) -> None:
            ctx.collect({"n": 1})
            ctx.collect({"n": 2})
            ended.wait()  # the job is running, with nothing more to give
            ctx.collect({"n": 3})

        def cancel(self) -> None:
            ended.set()

    env.add_source(TwoThenAnother(), "n").sink_to(sink.build())
    elasticsearch.request("PUT", f"/{index}")
    job = env.execute_async("interval")
    try:
        await_true(lambda: set(elasticsearch.documents(index)) == {"1", "2"}, "two documents")
    finally:
        ended.set()
        job.get_job_execution_result().result()
    assert set(elasticsearch.documents(index)) == {"1", "2", "3"}


def test_tls_and_password(elasticsearch_tls: ElasticsearchServer, index: str) -> None:
    write(builder(elasticsearch_tls, ElasticsearchEmitter.static_index(index, "id")), [{"id": 1}])
    assert set(elasticsearch_tls.documents(index)) == {"1"}


def test_a_wrong_password_is_refused(elasticsearch_tls: ElasticsearchServer) -> None:
    sink = builder(elasticsearch_tls, ElasticsearchEmitter.static_index("refused"))
    sink.set_connection_password("wr0ng")
    with pytest.raises(RuntimeError) as failed:
        write(sink, [{"n": 1}])
    for word in (elasticsearch_tls.url, "401", "connection.password"):
        assert word in str(failed.value)
    assert "wr0ng" not in str(failed.value)


def test_an_unknown_authority_is_not_trusted(elasticsearch_tls: ElasticsearchServer) -> None:
    sink = Elasticsearch7SinkBuilder().set_hosts([elasticsearch_tls.url])
    sink.set_emitter(ElasticsearchEmitter.static_index("refused"))
    with pytest.raises(RuntimeError) as failed:
        write(sink, [{"n": 1}])
    assert elasticsearch_tls.url in str(failed.value)
    assert "tls.ca-file" in str(failed.value)


@pytest.fixture
def typed(elasticsearch: ElasticsearchServer, index: str) -> str:
    """An index whose field n is an integer."""
    mapping = {"mappings": {"properties": {"n": {"type": "integer"}}}}
    elasticsearch.request("PUT", f"/{index}", mapping)
    return index


MIXED = [{"id": "a", "n": 1}, {"id": "b", "n": "many"}, {"id": "c", "n": 3}]


def test_a_mapping_conflict_fails_the_job(elasticsearch: ElasticsearchServer, typed: str) -> None:
    with pytest.raises(RuntimeError) as failed:
        write(builder(elasticsearch, ElasticsearchEmitter.static_index(typed, "id")), MIXED)
    for word in (elasticsearch.url, typed, "'b'", "400", "mapper_parsing", "failure-handler"):
        assert word in str(failed.value)


def test_a_mapping_conflict_is_skipped_and_counted(
    elasticsearch: ElasticsearchServer, typed: str
) -> None:
    sink = builder(elasticsearch, ElasticsearchEmitter.static_index(typed, "id"))
    metrics = write(sink.set_failure_handler("skip"), MIXED)
    assert set(elasticsearch.documents(typed)) == {"a", "c"}
    assert metric(metrics, "numRecordsSendErrors") == 1


def test_a_mapping_conflict_goes_to_the_dead_letters(
    elasticsearch: ElasticsearchServer, typed: str, tmp_path: Path
) -> None:
    letters = tmp_path / "letters.jsonl"
    sink = builder(elasticsearch, ElasticsearchEmitter.static_index(typed, "id"))
    metrics = write(sink.set_failure_handler("dead-letter", str(letters)), MIXED)
    assert set(elasticsearch.documents(typed)) == {"a", "c"}
    (letter,) = [json.loads(line) for line in letters.read_text().splitlines()]
    assert (letter["index"], letter["id"], letter["status"]) == (typed, "b", 400)
    assert "many" in str(letter["source"])
    assert metric(metrics, "deadLettered") == 1


def test_a_checkpoint_is_complete_when_the_documents_are_there(
    server: SearchServer, index: str, tmp_path: Path
) -> None:
    """Nothing else would send them: the buffer is far from full and has no interval. Sent again
    after a restore, they replace themselves."""
    release = threading.Event()

    class Waiting(SourceFunction):
        def run(self, ctx: Any) -> None:
            for number in range(10):
                ctx.collect({"id": f"d{number}", "n": number})
            release.wait(30)

        def __deepcopy__(self, memo: Any) -> Any:
            return self

    server.request("PUT", f"/{index}")
    seen: list[Any] = []
    for _ in range(2):
        release.clear()
        env = StreamExecutionEnvironment.get_execution_environment().set_parallelism(1)
        env.enable_checkpointing(3_600_000)
        env.get_checkpoint_config().set_checkpoint_storage_dir(f"file://{tmp_path}")
        seen.clear()
        stream = env.add_source(Waiting()).map(lambda value: seen.append(value) or value)
        sink = builder(server, ElasticsearchEmitter.static_index(index, "id"))
        stream.sink_to(sink.set_bulk_flush_max_actions(100_000).build())
        job = env.execute_async("documents")
        await_true(lambda: len(seen) == 10, "the records")
        job._job.trigger_checkpoint()
        assert len(server.documents(index)) == 10
        release.set()
        job.get_job_execution_result().result()
    assert server.documents(index) == {f"d{n}": {"id": f"d{n}", "n": n} for n in range(10)}
