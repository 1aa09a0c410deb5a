"""What the tests of the Elasticsearch sink share: one small job."""

from __future__ import annotations

from typing import Any

from pyflink.common import Row, Types
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors.elasticsearch import Elasticsearch7SinkBuilder
from tests.services.servers import SearchServer

COUNT = Types.ROW_NAMED(
    ["org", "date", "url", "hits", "note"],
    [Types.STRING(), Types.STRING(), Types.STRING(), Types.LONG(), Types.STRING()],
)


def count(org: str, url: str, hits: int, note: str | None = None) -> Row:
    """A row of type COUNT."""
    return Row(org=org, date="2025-05-20", url=url, hits=hits, note=note)


def builder(server: SearchServer, emitter: Any) -> Elasticsearch7SinkBuilder:
    """A sink for `server` with what it needs to be let in."""
    sink = Elasticsearch7SinkBuilder().set_hosts([server.url]).set_emitter(emitter)
    if server.ca_file:
        sink.set_ca_file(str(server.ca_file))
    if server.user:
        sink.set_connection_username(server.user).set_connection_password(server.password)
    return sink


def write(sink: Elasticsearch7SinkBuilder, records: list[Any], type_info: Any = None) -> Any:
    """Runs a job that writes the records; returns its metrics."""
    env = StreamExecutionEnvironment.get_execution_environment().set_parallelism(1)
    env.from_collection(records, type_info).sink_to(sink.build())
    job = env.execute_async("write")
    job.get_job_execution_result().result()
    return job._job.metrics()


def metric(metrics: dict[str, float], name: str) -> float:
    """The sum of a metric over all operators."""
    return sum(value for key, value in metrics.items() if key.split(".")[-1] == name)
