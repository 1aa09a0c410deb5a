"""Fixtures: one server of each kind for the whole run, started when the first test asks for it.

A test that stops, kills or pauses a server makes one of its own (`with KafkaServer() as kafka:`),
or brings the shared one back before it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.services.exactly_once_jobs import Pipeline
from tests.services.servers import (
    ELASTICSEARCH_6_VERSION,
    ELASTICSEARCH_8_VERSION,
    ElasticsearchServer,
    KafkaServer,
    OpenSearchServer,
)

FOLDER = Path(__file__).parent
# The first use of a server fetches it from Maven Central.
TIMEOUT_S = 600


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is a test with real servers."""
    for item in items:
        if FOLDER in item.path.parents:
            item.add_marker(pytest.mark.services)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(TIMEOUT_S))


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaServer]:
    """A Kafka broker; topics appear on first use with one partition."""
    with KafkaServer() as server:
        yield server


@pytest.fixture(scope="session")
def elasticsearch() -> Iterator[ElasticsearchServer]:
    """Elasticsearch 7.17, plain HTTP."""
    with ElasticsearchServer() as server:
        yield server


@pytest.fixture(scope="session")
def elasticsearch_6() -> Iterator[ElasticsearchServer]:
    """Elasticsearch 6.8, plain HTTP."""
    with ElasticsearchServer(version=ELASTICSEARCH_6_VERSION) as server:
        yield server


@pytest.fixture(scope="session")
def elasticsearch_8() -> Iterator[ElasticsearchServer]:
    """Elasticsearch 8, plain HTTP; without `GET /`."""
    with ElasticsearchServer(version=ELASTICSEARCH_8_VERSION) as server:
        yield server


@pytest.fixture(scope="session")
def elasticsearch_tls() -> Iterator[ElasticsearchServer]:
    """Elasticsearch 7.17 with TLS (`ca_file`) and basic authentication (`user`, `password`)."""
    with ElasticsearchServer(tls=True) as server:
        yield server


@pytest.fixture(scope="session")
def opensearch() -> Iterator[OpenSearchServer]:
    """OpenSearch 2.19, plain HTTP."""
    with OpenSearchServer() as server:
        yield server


@pytest.fixture
def pipeline(kafka: KafkaServer, tmp_path: Path) -> Iterator[Callable[..., Pipeline]]:
    """Makes a `Pipeline` of that name; its jobs end with the test."""
    made: list[Pipeline] = []

    def make(name: str, servers: str | None = None, **more: int) -> Pipeline:
        made.append(Pipeline(servers or kafka.bootstrap_servers, name, tmp_path, **more))
        return made[-1]

    yield make
    for one in made:
        for run in one.runs:
            if run.process.poll() is None:
                run.process.kill()
                run.process.wait()
