"""Makes access logs and sends them to Kafka; knows what the job must make of them.

    python generator.py --brokers localhost:9092 --rate 5000 --count 100000

Log line number i is a pure function of i, the start time and the rate, so `expected()` can tell the
three results without having seen Kafka: demo.py and the tests compare them with what the job wrote,
document by document.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from job import HEALTH_CHECK, LOG_LINE, TOPIC, document_id

from pyflink.common import Row, Types, WatermarkStrategy
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors.kafka import KafkaRecordSerializationSchema, KafkaSink
from pyflink.datastream.connectors.number_seq import NumberSequenceSource
from pyflink.datastream.formats.json import JsonRowSerializationSchema
from pyflink.datastream.functions import MapFunction, RuntimeContext

# Each appears as often as it stands here.
ORGANISATIONS = ["org1"] * 8 + ["org2"] * 4 + ["org3"] * 2 + ["org4", "org5"]
URLS = (
    ["/v1_test"] * 6 + ["/v1_search"] * 4 + ["/v1_users"] * 3 + ["/v2_orders"] * 2 + ["/v2_login"]
)
STATUSES = [200] * 26 + [404] * 3 + [304, 500, 503]

OUT_OF_ORDER_MS = 800  # lines overtake each other by so much all the time
LATE_EVERY, LATE_MS = 500, 8000  # and some come when the window they belong to is long closed

HEALTH_CHECKS_A_SECOND = 20
_EPOCH = datetime(1970, 1, 1)


def access_log(i: int, start_ms: int, rate: int) -> tuple[str, str, int, str]:
    """Time, URL, status and organisation of line i."""
    dice = (i + 1) * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF
    dice ^= dice >> 29
    delay_ms = LATE_MS if i % LATE_EVERY == LATE_EVERY - 1 else dice % OUT_OF_ORDER_MS
    moment = _EPOCH + timedelta(milliseconds=start_ms + i * 1000 // rate - delay_ms)
    return (
        moment.isoformat(timespec="milliseconds") + "Z",
        URLS[(dice >> 12) % len(URLS)],
        STATUSES[(dice >> 24) % len(STATUSES)],
        ORGANISATIONS[(dice >> 36) % len(ORGANISATIONS)],
    )


def expected(count: int, start_ms: int, rate: int) -> dict[str, dict[str, dict[str, Any]]]:
    """The documents of each index by id, after the first `count` lines."""
    urls: Counter[tuple[str, str, str]] = Counter()
    statuses: Counter[tuple[str, str, int]] = Counter()
    latest: dict[str, tuple[str, str, int]] = {}
    for i in range(count):
        timestamp, url, status, org_id = access_log(i, start_ms, rate)
        date = timestamp[:10]
        urls[org_id, date, url] += 1
        statuses[org_id, date, status] += 1
        latest[org_id] = max(latest.get(org_id, ("", "", 0)), (timestamp, url, status))
    return {
        "url_counts": {
            document_id(*key): dict(zip(("org_id", "date", "url"), key, strict=True))
            | {"url_count": count}
            for key, count in urls.items()
        },
        "status_counts": {
            document_id(*key): dict(zip(("org_id", "date", "status_code"), key, strict=True))
            | {"status_count": count}
            for key, count in statuses.items()
        },
        "org_latest": {
            org_id: {
                "org_id": org_id,
                "latest_date": timestamp[:10],
                "last_status": status,
                "last_url": url,
                "latest_timestamp": timestamp,
            }
            for org_id, (timestamp, url, status) in latest.items()
        },
    }


class MakeLogs(MapFunction):
    """Number in, row of a log line out, `rate` a second; health checks after `count` lines.

    :param fast: as quickly as possible instead; event time still follows the rate.
    """

    def __init__(self, count: int, start_ms: int, rate: int, fast: bool) -> None:
        self._count = count
        self._start_ms = start_ms
        self._rate = rate
        self._fast = fast

    def open(self, runtime_context: RuntimeContext) -> None:
        self._begin = time.monotonic()
        self._reported = self._begin

    def map(self, value: int) -> Row:
        i: int = value
        lines = min(i, self._count)
        checks = i - lines
        due = lines / self._rate + checks / HEALTH_CHECKS_A_SECOND
        if not self._fast:
            ahead = self._begin + due - time.monotonic()
            if ahead > 0.005:
                time.sleep(ahead)
        now = time.monotonic()
        if now - self._reported > 0.2:
            self._reported = now
            print(f"sent {lines}", flush=True)
        if checks == 0 and i < self._count:
            timestamp, url, status, org_id = access_log(i, self._start_ms, self._rate)
            return Row(timestamp, url, status, Row(org_id))
        moment = _EPOCH + timedelta(milliseconds=self._start_ms + int(due * 1000))
        text = moment.isoformat(timespec="milliseconds") + "Z"
        return Row(text, HEALTH_CHECK, 200, Row(None))


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes access logs and sends them to Kafka.")
    parser.add_argument("--brokers", default="localhost:9092", help="Kafka, host:port,...")
    parser.add_argument("--count", type=int, default=100_000, help="log lines to send")
    parser.add_argument("--rate", type=int, default=5000, help="lines a second")
    parser.add_argument("--start-ms", type=int, help="time of the first line; default: now")
    parser.add_argument("--fast", action="store_true", help="as quickly as possible")
    parser.add_argument(
        "--checks", type=int, default=0, help="health checks afterwards; -1: endless"
    )
    arguments = parser.parse_args()
    start_ms = arguments.start_ms if arguments.start_ms is not None else int(time.time() * 1000)

    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(1)
    last = 2**60 if arguments.checks < 0 else arguments.count + arguments.checks - 1
    sink = (
        KafkaSink.builder()
        .set_bootstrap_servers(arguments.brokers)
        .set_record_serializer(
            KafkaRecordSerializationSchema.builder()
            .set_topic(TOPIC)
            .set_value_serialization_schema(
                JsonRowSerializationSchema.builder().with_type_info(LOG_LINE).build()
            )
            .build()
        )
        .build()
    )
    numbers = env.from_source(
        NumberSequenceSource(0, last), WatermarkStrategy.no_watermarks(), "numbers", Types.LONG()
    )
    make_logs = MakeLogs(arguments.count, start_ms, arguments.rate, arguments.fast)
    numbers.map(make_logs, LOG_LINE).sink_to(sink).name(TOPIC)
    env.execute("access log generator")
    print(f"sent {arguments.count}", flush=True)


if __name__ == "__main__":
    main()
