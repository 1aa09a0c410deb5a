"""The access-log job end to end, its scripts as processes, and a kill in the middle.

What the documents must be, generator.py computes without Kafka and without the engine. Each test
runs with the embedded broker and SQLite, and marked `services` with real Kafka and Elasticsearch.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import demo
import generator
import job
import pytest

from pyflink._mock_kafka import MockKafka
from tests.services.servers import ElasticsearchServer, KafkaServer

ACCESS_LOGS = Path(job.__file__).parent
# Twelve seconds around midnight, so that there are two days. The embedded broker keeps 5 MB a
# partition and partitions are not filled evenly: half of that is safe.
START_MS = 1_747_785_594_000
RATE = 5000
COUNT = 12 * RATE


def run(script: str, *arguments: str, timeout: float = 60, **environment: str) -> str:
    """Runs a script of the example to its end; the output."""
    done = subprocess.run(
        [sys.executable, str(ACCESS_LOGS / script), *arguments],
        env=dict(os.environ, **environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


class Place:
    """Where a test's lines come from and its documents go."""

    def __init__(self, brokers: str, store: demo.Store) -> None:
        self.store = store
        self.job_arguments = ["--brokers", brokers, *store.job_arguments, "--bounded"]
        sizes = ["--count", str(COUNT), "--rate", str(RATE), "--start-ms", str(START_MS)]
        run("generator.py", "--brokers", brokers, "--fast", *sizes)

    def documents(self) -> dict[str, demo.Documents]:
        return {name: self.store.documents(name) for name in demo.RESULTS}


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Place]:
    with MockKafka() as kafka:
        kafka.create_topic(job.TOPIC, demo.PARTITIONS)
        yield Place(kafka.bootstrap_servers, demo.SqliteStore(tmp_path / "results.db"))


@pytest.fixture
def real() -> Iterator[Place]:
    with KafkaServer(partitions=demo.PARTITIONS) as kafka, ElasticsearchServer() as elasticsearch:
        yield Place(kafka.bootstrap_servers, demo.ElasticsearchStore(elasticsearch))


@pytest.fixture(
    params=[
        "embedded",
        pytest.param("real", marks=[pytest.mark.services, pytest.mark.timeout(600)]),
    ]
)
def place(request: pytest.FixtureRequest) -> Place:
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def oracle() -> dict[str, demo.Documents]:
    return generator.expected(COUNT, START_MS, RATE)


def test_the_oracle_covers_two_days_and_late_lines(oracle) -> None:
    assert {document["date"] for document in oracle["url_counts"].values()} == {
        "2025-05-20",
        "2025-05-21",
    }
    assert COUNT > 10 * generator.LATE_EVERY


@pytest.mark.parametrize("parallelism", [1, 3])
def test_documents_equal_the_oracle(place: Place, parallelism: int, oracle) -> None:
    run("job.py", *place.job_arguments, "--parallelism", str(parallelism))
    assert place.documents() == oracle


def test_documents_equal_the_oracle_after_a_kill_and_a_restart(
    place: Place, tmp_path: Path, oracle
) -> None:
    checkpoints = tmp_path / "checkpoints"
    arguments = [
        *place.job_arguments,
        *("--checkpoints", str(checkpoints), "--checkpoint-interval-ms", "50"),
    ]
    victim = subprocess.Popen([sys.executable, str(ACCESS_LOGS / "job.py"), *arguments])
    try:
        deadline = time.monotonic() + 60
        while job.newest_checkpoint(checkpoints) is None:
            assert victim.poll() is None, "the job ended before it had a checkpoint"
            assert time.monotonic() < deadline, "no checkpoint"
            time.sleep(0.001)
    finally:
        victim.kill()
        victim.wait()
    assert place.documents() != oracle, "the job was done before it was killed: give it more lines"
    output = run("job.py", *arguments, "--restore", str(checkpoints))
    assert "restoring" in output
    assert place.documents() == oracle


def test_the_demo_ends_by_itself_and_names_its_results() -> None:
    output = run("demo.py", DEMO_SECONDS="8", DEMO_RATE="2000")
    for name in ("url_counts", "status_counts", "org_latest"):
        assert f"{name}: " in output
    assert "all results are right" in output
