"""Access logs from Kafka to three Elasticsearch indices that are always up to date.

    python job.py --brokers localhost:9092 --hosts http://localhost:9200 --checkpoints /var/tmp/logs

Topic `test-logs` holds one JSON object a request, as a web edge writes it:

    {"EdgeEndTimestamp": "2025-05-20T10:00:00.123Z", "ClientRequestURI": "/v1_test",
     "EdgeResponseStatus": 404, "ResponseHeaders": {"x-org-uid": "org1"}}

What comes out, each document under an id that follows from its content:

    index          one document for                        id
    url_counts     organisation, date and URL: a count     org1_2025-05-20_/v1_test
    status_counts  organisation, date and status: a count  org1_2025-05-20_404
    org_latest     organisation: its latest request        org1

A document is written again whenever its count grows, always with the whole count. So it does not
matter that records after the last checkpoint are counted a second time when the job restarts:
counts go back to the checkpoint together with the position in Kafka, and the same documents are
written once more.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

from pyflink.common import Configuration, Duration, Row, Time, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import DataStream, OutputTag, StreamExecutionEnvironment
from pyflink.datastream.connectors.base import Sink
from pyflink.datastream.connectors.elasticsearch import (
    Elasticsearch7SinkBuilder,
    ElasticsearchEmitter,
)
from pyflink.datastream.connectors.kafka import KafkaOffsetsInitializer, KafkaSource
from pyflink.datastream.connectors.sqlite import SqliteSink
from pyflink.datastream.formats.json import JsonRowDeserializationSchema
from pyflink.datastream.functions import (
    AggregateFunction,
    KeyedProcessFunction,
    ProcessFunction,
    ProcessWindowFunction,
    RuntimeContext,
)
from pyflink.datastream.state import StateTtlConfig, ValueStateDescriptor
from pyflink.datastream.window import TumblingEventTimeWindows

TOPIC = "test-logs"
# Load balancers ask for it day and night. It is no traffic, but its lines carry event time forward
# in quiet hours.
HEALTH_CHECK = "/healthz"
# How long a count is remembered after it last grew.
KEEP = Time.days(3)

LOG_LINE = Types.ROW_NAMED(
    ["EdgeEndTimestamp", "ClientRequestURI", "EdgeResponseStatus", "ResponseHeaders"],
    [Types.STRING(), Types.STRING(), Types.INT(), Types.ROW_NAMED(["x-org-uid"], [Types.STRING()])],
)
REQUEST = Types.ROW_NAMED(
    ["org_id", "date", "url", "status_code", "timestamp"],
    [Types.STRING(), Types.STRING(), Types.STRING(), Types.INT(), Types.STRING()],
)


# --- From lines to requests -----------------------------------------------------------------------


class EdgeTime(TimestampAssigner):
    """Event time is when the request ended, not when Kafka got its line."""

    def extract_timestamp(self, value: Row, record_timestamp: int) -> int:
        try:
            return int(_utc(value.EdgeEndTimestamp).timestamp() * 1000)
        except (AttributeError, TypeError, ValueError):
            return record_timestamp  # such a line is rejected below; it must not stop the job


def _utc(text: str) -> datetime:
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return moment.astimezone(timezone.utc)


REJECTED = OutputTag("rejected", Types.STRING())


class ParseRequest(ProcessFunction):
    """Flattens a line into a request of its day (UTC); incomplete ones go to the side output."""

    def process_element(self, value: Row, ctx: ProcessFunction.Context) -> Iterator[Any]:
        text, url, status, headers = value
        if url == HEALTH_CHECK:
            return
        org_id = headers["x-org-uid"] if headers is not None else None
        try:
            if not org_id or not url or status is None:
                raise ValueError("organisation, URL or status is missing")
            date = text[:10] if text.endswith("Z") else _utc(text).date().isoformat()
            yield Row(org_id, date, url, status, text)
        except (AttributeError, TypeError, ValueError) as error:
            yield REJECTED, f"{value}: {error}"


def requests_of(lines: DataStream) -> DataStream:
    """Requests out of raw lines that have timestamps; `REJECTED` is a side output of the result."""
    return lines.process(ParseRequest(), REQUEST).name("parse")


# --- Counting -------------------------------------------------------------------------------------
#
# Counting happens twice. A window of one second turns the many requests of a key into one small
# sum, and only sums reach the running total: it changes, and is written to the index, at most once
# a second and key. A request that comes after its window was closed is not lost: the window hands
# it to a side output, and it joins the total as a sum of one.


class Count(AggregateFunction):
    def create_accumulator(self) -> int:
        return 0

    def add(self, value: Row, accumulator: int) -> int:
        return accumulator + 1

    def get_result(self, accumulator: int) -> int:
        return accumulator

    def merge(self, acc_a: int, acc_b: int) -> int:
        return acc_a + acc_b


class WithKey(ProcessWindowFunction):
    """A window's result does not know its key; this puts it in front."""

    def process(
        self, key: tuple[Any, ...], context: ProcessWindowFunction.Context, elements: Iterable[int]
    ) -> Iterator[Row]:
        yield Row(*key, next(iter(elements)))

    def clear(self, context: ProcessWindowFunction.Context) -> None:
        """Nothing is kept a window."""


class RunningTotal(KeyedProcessFunction):
    """Adds the last field of each row to the key's total; emits the row with the total instead."""

    def __init__(self, keep: Time) -> None:
        self._keep = keep

    def open(self, runtime_context: RuntimeContext) -> None:
        descriptor = ValueStateDescriptor("total", Types.LONG())
        # A key holds a date: once the day is over and late lines are in, nobody asks for it again.
        descriptor.enable_time_to_live(StateTtlConfig.new_builder(self._keep).build())
        self._total = runtime_context.get_state(descriptor)

    def process_element(self, value: Row, ctx: KeyedProcessFunction.Context) -> Iterator[Row]:
        *key, count = value
        total = (self._total.value() or 0) + count
        self._total.update(total)
        yield Row(*key, total)


def count_by(
    requests: DataStream, fields: list[str], count_name: str, keep: Time = KEEP
) -> DataStream:
    """Running totals of requests with the same `fields`: rows of these fields and the count.

    A total is emitted when event time passes the end of a second in which it grew.
    """
    key_types = [REQUEST.get_field_types()[REQUEST.get_field_names().index(f)] for f in fields]
    key_type = Types.TUPLE(key_types)
    sums = Types.ROW_NAMED([*fields, count_name], [*key_types, Types.LONG()])
    late = OutputTag(f"late-{count_name}", REQUEST)

    def key_of(request: Row) -> tuple[Any, ...]:
        return tuple(request[field] for field in fields)

    seconds = (
        requests.key_by(key_of, key_type)
        .window(TumblingEventTimeWindows.of(Time.seconds(1)))
        .side_output_late_data(late)
        .aggregate(Count(), WithKey(), Types.LONG(), sums)
        .name(f"{count_name} a second")
    )
    stragglers = seconds.get_side_output(late).map(lambda r: Row(*key_of(r), 1), sums)
    return (
        seconds.union(stragglers)
        .key_by(lambda row: tuple(row)[:-1], key_type)
        .process(RunningTotal(keep), sums)
        .name(count_name)
    )


def latest_of(requests: DataStream) -> DataStream:
    """The latest request of each organisation, by the time it ended."""

    def later(a: Row, b: Row) -> Row:
        # Among those of one millisecond the choice must not depend on the order of arrival.
        return max(a, b, key=lambda r: (r.timestamp, r.url, r.status_code))

    late = OutputTag("late-latest", REQUEST)
    seconds = (
        requests.key_by(lambda r: r.org_id, Types.STRING())
        .window(TumblingEventTimeWindows.of(Time.seconds(1)))
        .side_output_late_data(late)
        .reduce(later)
        .name("latest of a second")
    )
    return (
        seconds.union(seconds.get_side_output(late))
        .key_by(lambda r: r.org_id, Types.STRING())
        .reduce(later)
        .name("latest")
    )


# --- Documents ------------------------------------------------------------------------------------


class Documents(NamedTuple):
    """One result: its index (or table), and a stream of rows whose first field is the id."""

    index: str
    rows: DataStream


# Elasticsearch takes ids of up to 512 bytes; longer ones keep their beginning and end in a digest.
MAX_ID_BYTES = 512


def document_id(*parts: object) -> str:
    """The parts joined by underscores: `org1_2025-05-20_/v1_test`."""
    text = "_".join(map(str, parts))
    data = text.encode()
    if len(data) <= MAX_ID_BYTES:
        return text
    import hashlib

    digest = hashlib.sha256(data).hexdigest()
    return data[: MAX_ID_BYTES - len(digest) - 1].decode(errors="ignore") + "_" + digest


def with_id(rows: DataStream, make: Callable[[Row], Row], names: list[str]) -> DataStream:
    """Rows of fields id, `names`... made by `make`."""
    numbers = {
        "url_count": Types.LONG(),
        "status_count": Types.LONG(),
        "status_code": Types.INT(),
        "last_status": Types.INT(),
    }
    types = [numbers.get(name, Types.STRING()) for name in names]
    return rows.map(make, Types.ROW_NAMED(["id", *names], [Types.STRING(), *types]))


def define_workflow(lines: DataStream, keep: Time = KEEP) -> list[Documents]:
    """The whole job but its ends: lines with timestamps in, three streams of documents out.

    :param lines: rows of type LOG_LINE.
    :param keep: how long a count is remembered after it last grew; longer than lines can be late.
    """
    requests = requests_of(lines)
    requests.get_side_output(REJECTED).print_to_err("rejected")
    urls = count_by(requests, ["org_id", "date", "url"], "url_count", keep)
    statuses = count_by(requests, ["org_id", "date", "status_code"], "status_count", keep)
    return [
        Documents(
            "url_counts",
            with_id(
                urls,
                lambda r: Row(document_id(r.org_id, r.date, r.url), *r),
                ["org_id", "date", "url", "url_count"],
            ),
        ),
        Documents(
            "status_counts",
            with_id(
                statuses,
                lambda r: Row(document_id(r.org_id, r.date, r.status_code), *r),
                ["org_id", "date", "status_code", "status_count"],
            ),
        ),
        Documents(
            "org_latest",
            with_id(
                latest_of(requests),
                lambda r: Row(r.org_id, r.org_id, r.date, r.status_code, r.url, r.timestamp),
                ["org_id", "latest_date", "last_status", "last_url", "latest_timestamp"],
            ),
        ),
    ]


# --- Both ends ------------------------------------------------------------------------------------


def kafka_source(brokers: str, bounded: bool) -> KafkaSource:
    """The topic from its beginning (a restored job: from where it was), for ever or to its end."""
    builder = (
        KafkaSource.builder()
        .set_bootstrap_servers(brokers)
        .set_topics(TOPIC)
        .set_group_id("access-logs")
        .set_starting_offsets(KafkaOffsetsInitializer.earliest())
        .set_value_only_deserializer(
            # Decoded straight into columns. A line that is no JSON is dropped; a field that is
            # missing is None.
            JsonRowDeserializationSchema.builder().type_info(LOG_LINE).ignore_parse_errors().build()
        )
    )
    if bounded:
        builder.set_bounded(KafkaOffsetsInitializer.latest())
    return builder.build()


def watermarks() -> WatermarkStrategy:
    """Lines come up to a second out of order; a partition silent for a second is not waited for."""
    return (
        WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_seconds(1))
        .with_timestamp_assigner(EdgeTime())
        .with_idleness(Duration.of_seconds(1))
    )


def elasticsearch_sink(hosts: list[str], index: str) -> Sink:
    """Upserts under the rows' ids every half second; what changes a document twice is sent once.

    The mapping makes documents of rows in the engine. Upstream's emitters work too, and so does a
    Python function: `lambda row: {"action": "upsert", "index": ..., "id": row.id, "doc": {...}}`.
    """
    return (
        Elasticsearch7SinkBuilder()
        .set_hosts(hosts)
        .set_emitter(
            ElasticsearchEmitter.mapping(index, id="{id}", action="upsert", exclude_fields=["id"])
        )
        .set_bulk_flush_interval(500)
        .build()
    )


def sqlite_sink(path: str, table: str) -> Sink:
    """The same without a server: upserts into a table whose primary key is the id."""
    return SqliteSink(path, table, key=["id"])


def newest_checkpoint(path: Path) -> Path | None:
    """`path` if it is a checkpoint, else the newest complete one somewhere below it."""
    if path.name.startswith("chk-"):
        return path
    # A checkpoint appears whole, by a rename; what is still being written has another name.
    found = [folder for folder in path.glob("*/chk-*") if folder.name[4:].isdigit()]
    return max(found, key=lambda folder: folder.stat().st_mtime, default=None)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Counts access logs by URL and status, keeps each organisation's latest."
    )
    parser.add_argument("--brokers", default="localhost:9092", help="Kafka, host:port,...")
    parser.add_argument(
        "--hosts", default="http://localhost:9200", help="Elasticsearch nodes, url,..."
    )
    parser.add_argument("--sqlite", help="write to tables of this SQLite file instead")
    parser.add_argument(
        "--checkpoints", type=Path, help="folder for checkpoints; without it there are none"
    )
    parser.add_argument("--checkpoint-interval-ms", type=int, default=1000)
    parser.add_argument(
        "--restore",
        type=Path,
        help="go on from this checkpoint, or from the newest in this folder if there is one",
    )
    parser.add_argument("--bounded", action="store_true", help="stop at the topic's present end")
    parser.add_argument("--parallelism", type=int, default=1)
    parser.add_argument("--keep-days", type=int, default=3, help="how long counts are remembered")
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    configuration = Configuration()
    if arguments.restore is not None:
        checkpoint = newest_checkpoint(arguments.restore)
        if checkpoint is not None:
            configuration.set_string("execution.savepoint.path", str(checkpoint.absolute()))
            print(f"restoring {checkpoint}", flush=True)
    env = StreamExecutionEnvironment.get_execution_environment(configuration)
    env.set_parallelism(arguments.parallelism)
    if arguments.checkpoints is not None:
        env.enable_checkpointing(arguments.checkpoint_interval_ms)
        env.get_checkpoint_config().set_checkpoint_storage_dir(
            arguments.checkpoints.absolute().as_uri()
        )

    lines = env.from_source(kafka_source(arguments.brokers, arguments.bounded), watermarks(), TOPIC)
    for index, rows in define_workflow(lines, Time.days(arguments.keep_days)):
        if arguments.sqlite:
            sink = sqlite_sink(arguments.sqlite, index)
        else:
            sink = elasticsearch_sink(arguments.hosts.split(","), index)
        # State is found again by the operators' ids, so give ids to what you will change around.
        rows.sink_to(sink).name(index).uid(index)
    env.execute("access logs")


if __name__ == "__main__":
    main()
