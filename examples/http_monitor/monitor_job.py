"""Watches each endpoint of a web service and raises alerts, and says when they are over.

    python monitor_job.py --brokers localhost:9092

Reads what request_reporter.py writes to the topic `http-requests`; writes `http-alerts`, one JSON
object an alert:

    {"endpoint": "GET /orders/{order_id}", "alert": "failing", "state": "open", "time": ...,
     "value": 0.5}

- `failing`: more than a fifth of a period's requests failed (status 500 and up). It is `closed` by
  the first period in which that is not so.
- `slow`: a request took much longer than requests of this endpoint usually do. At most one such
  alert a period; it closes itself.

Event time decides, so that a restart, or yesterday's topic read again, gives the same alerts.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pyflink.common import Duration, Row, SimpleStringSchema, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import DataStream, StreamExecutionEnvironment
from pyflink.datastream.connectors.kafka import (
    DeliveryGuarantee,
    KafkaOffsetsInitializer,
    KafkaRecordSerializationSchema,
    KafkaSink,
    KafkaSource,
)
from pyflink.datastream.formats.json import JsonRowDeserializationSchema
from pyflink.datastream.functions import KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import ValueStateDescriptor

REQUESTS = "http-requests"
ALERTS = "http-alerts"

REQUEST = Types.ROW_NAMED(
    ["time", "endpoint", "status", "ms"],
    [Types.LONG(), Types.STRING(), Types.INT(), Types.DOUBLE()],
)

FAILING_RATIO = 0.2
ENOUGH_REQUESTS = 5  # fewer say nothing about a ratio
WARM_UP = 20  # requests before "usual" means something
SIGMAS = 6.0
AT_LEAST_MS = 50.0  # nobody is woken up because 1 ms became 10
MEMORY = 0.05  # weight of a new request in the running mean


class Alert(NamedTuple):
    """What is written to `http-alerts`."""

    endpoint: str
    alert: str
    state: str
    time: int
    value: float

    def to_json(self) -> str:
        """As it stands in the topic."""
        return json.dumps(self._asdict())


class WatchEndpoint(KeyedProcessFunction):
    """One endpoint: the present period's counts, what is usual, and which alert is open."""

    def __init__(self, period_ms: int) -> None:
        self._period_ms = period_ms

    def open(self, runtime_context: RuntimeContext) -> None:
        counts = Types.ROW_NAMED(
            ["end", "requests", "failures"], [Types.LONG(), Types.INT(), Types.INT()]
        )
        usual = Types.ROW_NAMED(
            ["seen", "mean", "variance", "alerted_until"],
            [Types.LONG(), Types.DOUBLE(), Types.DOUBLE(), Types.LONG()],
        )
        self._counts = runtime_context.get_state(ValueStateDescriptor("counts", counts))
        self._usual = runtime_context.get_state(ValueStateDescriptor("usual", usual))
        self._failing = runtime_context.get_state(ValueStateDescriptor("failing", Types.BOOLEAN()))

    def process_element(self, value: Row, ctx: KeyedProcessFunction.Context) -> Iterator[Alert]:
        end = ctx.timestamp() - ctx.timestamp() % self._period_ms + self._period_ms
        if end - 1 <= ctx.timer_service().current_watermark():
            return  # its period was judged already
        counts = self._counts.value()
        if counts is None:
            counts = Row(end=end, requests=0, failures=0)
            ctx.timer_service().register_event_time_timer(end - 1)
        # A request that is early by a period counts in the present one; there it does no harm.
        failed = value.status >= 500
        self._counts.update(
            Row(
                end=counts.end,
                requests=counts.requests + 1,
                failures=counts.failures + int(failed),
            )
        )
        if not failed:
            yield from self._slow(value, ctx.timestamp())

    def _slow(self, request: Row, time: int) -> Iterator[Alert]:
        usual = self._usual.value() or Row(seen=0, mean=request.ms, variance=0.0, alerted_until=0)
        alerted_until = usual.alerted_until
        limit = max(AT_LEAST_MS, usual.mean + SIGMAS * math.sqrt(usual.variance))
        if usual.seen >= WARM_UP and request.ms > limit:
            if time >= alerted_until:
                yield Alert(request.endpoint, "slow", "open", time, request.ms)
                alerted_until = time + self._period_ms
            # What is unusual moves the mean only a little, else it would be usual soon.
            sample = limit
        else:
            sample = request.ms
        distance = sample - usual.mean
        self._usual.update(
            Row(
                seen=usual.seen + 1,
                mean=usual.mean + MEMORY * distance,
                variance=(1 - MEMORY) * (usual.variance + MEMORY * distance * distance),
                alerted_until=alerted_until,
            )
        )

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Alert]:
        counts = self._counts.value()
        self._counts.clear()
        ratio = counts.failures / counts.requests
        is_failing = ratio > FAILING_RATIO and counts.requests >= ENOUGH_REQUESTS
        if is_failing != bool(self._failing.value()):
            self._failing.update(is_failing)
            state = "open" if is_failing else "closed"
            yield Alert(ctx.get_current_key(), "failing", state, counts.end, round(ratio, 3))


def alerts(requests: DataStream, period_ms: int = 10_000) -> DataStream:
    """Rows of `REQUEST` with event time in, alerts out."""
    return (
        requests.key_by(lambda request: request.endpoint, Types.STRING())
        .process(WatchEndpoint(period_ms))
        .uid("watch-endpoint")
    )


class RequestTime(TimestampAssigner):
    """Event time is when the request ended."""

    def extract_timestamp(self, value: Any, record_timestamp: int) -> int:
        return value.time if value.time is not None else record_timestamp


def is_complete(request: Row) -> bool:
    """Whether a record is what request_reporter.py writes."""
    return all(field is not None for field in request)


def main() -> None:
    parser = argparse.ArgumentParser(description="Alerts about endpoints of a web service.")
    parser.add_argument("--brokers", default="localhost:9092", help="Kafka, host:port,...")
    parser.add_argument("--period-ms", type=int, default=10_000)
    parser.add_argument("--bounded", action="store_true", help="stop at the topic's present end")
    parser.add_argument("--parallelism", type=int, default=1)
    parser.add_argument("--checkpoints", type=Path, help="folder; without it there are none")
    arguments = parser.parse_args()

    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(arguments.parallelism)
    if arguments.checkpoints is not None:
        env.enable_checkpointing(1000)
        env.get_checkpoint_config().set_checkpoint_storage_dir(
            arguments.checkpoints.absolute().as_uri()
        )
    source = (
        KafkaSource.builder()
        .set_bootstrap_servers(arguments.brokers)
        .set_topics(REQUESTS)
        .set_group_id("http-monitor")
        .set_starting_offsets(KafkaOffsetsInitializer.earliest())
        .set_value_only_deserializer(
            JsonRowDeserializationSchema.builder().type_info(REQUEST).ignore_parse_errors().build()
        )
    )
    if arguments.bounded:
        source.set_bounded(KafkaOffsetsInitializer.latest())
    watermarks = (
        WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_millis(500))
        .with_timestamp_assigner(RequestTime())
        .with_idleness(Duration.of_seconds(1))
    )
    sink = (
        KafkaSink.builder()
        .set_bootstrap_servers(arguments.brokers)
        .set_record_serializer(
            KafkaRecordSerializationSchema.builder()
            .set_topic(ALERTS)
            .set_value_serialization_schema(SimpleStringSchema())
            .build()
        )
        .set_delivery_guarantee(DeliveryGuarantee.AT_LEAST_ONCE)
        .build()
    )
    requests = env.from_source(source.build(), watermarks, REQUESTS).filter(is_complete)
    found = alerts(requests, arguments.period_ms).map(Alert.to_json, Types.STRING())
    found.sink_to(sink).name(ALERTS)
    env.execute("http monitor")


if __name__ == "__main__":
    main()
