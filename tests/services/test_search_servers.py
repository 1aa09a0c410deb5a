"""The Elasticsearch and OpenSearch servers of tests/services: bulk requests, TLS, restart."""

from __future__ import annotations

import http.client
import ssl

import pytest

from tests.services.servers import (
    ElasticsearchServer,
    OpenSearchServer,
    SearchServer,
    ServerError,
)

BULK = """{"index": {"_index": "%(index)s", "_id": "a"}}
{"count": 1}
{"update": {"_index": "%(index)s", "_id": "b"}}
{"doc": {"count": 2}, "doc_as_upsert": true}
{"update": {"_index": "%(index)s", "_id": "a"}}
{"doc": {"last": "x"}, "doc_as_upsert": true}
{"index": {"_index": "%(index)s", "_id": "gone"}}
{"count": 3}
{"delete": {"_index": "%(index)s", "_id": "gone"}}
"""


@pytest.fixture(params=["elasticsearch", "elasticsearch_8", "elasticsearch_tls", "opensearch"])
def server(request: pytest.FixtureRequest) -> SearchServer:
    return request.getfixturevalue(request.param)


def test_version_is_the_promised_one(
    elasticsearch: ElasticsearchServer,
    elasticsearch_8: ElasticsearchServer,
    opensearch: OpenSearchServer,
) -> None:
    (node,) = elasticsearch_8.request("GET", "/_nodes/_local")["nodes"].values()
    assert node["version"].startswith("8.")
    assert elasticsearch.request("GET", "/")["version"]["number"].startswith("7.17.")
    version = opensearch.request("GET", "/")["version"]
    assert version["distribution"] == "opensearch"
    assert version["number"].startswith("2.19.")


def test_bulk_indexes_updates_and_deletes(server: SearchServer) -> None:
    answer = server.request("POST", "/_bulk", BULK % {"index": "bulk"})
    assert answer["errors"] is False
    assert server.documents("bulk") == {"a": {"count": 1, "last": "x"}, "b": {"count": 2}}


def test_a_refused_item_has_a_status_of_its_own(server: SearchServer) -> None:
    server.request("PUT", "/typed", {"mappings": {"properties": {"n": {"type": "integer"}}}})
    lines = '{"index": {"_index": "typed", "_id": "%s"}}\n{"n": %s}\n'
    answer = server.request("POST", "/_bulk", lines % ("good", "1") + lines % ("bad", '"x"'))
    assert [item["index"]["status"] for item in answer["items"]] == [201, 400]


def test_tls_wants_the_authority_and_the_password(elasticsearch_tls: ElasticsearchServer) -> None:
    stranger = http.client.HTTPSConnection("127.0.0.1", elasticsearch_tls.port, timeout=10)
    with pytest.raises(ssl.SSLCertVerificationError):
        stranger.request("GET", "/")
    context = ssl.create_default_context(cafile=str(elasticsearch_tls.ca_file))
    nameless = http.client.HTTPSConnection(
        "127.0.0.1", elasticsearch_tls.port, timeout=10, context=context
    )
    nameless.request("GET", "/")
    assert nameless.getresponse().status == 401


@pytest.mark.parametrize("kind", [ElasticsearchServer, OpenSearchServer])
def test_restart_and_kill_keep_documents_and_address(
    kind: type[ElasticsearchServer] | type[OpenSearchServer],
) -> None:
    with kind() as server:
        url = server.url
        server.request("POST", "/_bulk", BULK % {"index": "kept"})
        server.stop()
        with pytest.raises(OSError, match="refused"):
            server.request("GET", "/")
        server.start()
        server.request("PUT", "/kept/_doc/c", {"count": 4})
        server.kill()
        server.start()
        assert server.url == url
        assert sorted(server.documents("kept")) == ["a", "b", "c"]


def test_an_error_carries_the_servers_explanation(elasticsearch: ElasticsearchServer) -> None:
    with pytest.raises(ServerError, match="index_not_found_exception"):
        elasticsearch.request("GET", "/no-such-index/_search")
