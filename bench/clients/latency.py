"""Producer and consumer of the latency measurement, each in a process of its own (confluent-kafka).

    python latency.py produce|consume <options as JSON>

The producer stamps each message with the wall clock in nanoseconds as it hands it to librdkafka;
the consumer takes the difference when it reads it and prints percentiles of what came after the
warm-up. The warm-up begins when the first message arrives.

A millisecond's messages go to one partition, the next one's to the next, as a producer's default
partitioner does it: one request each. Spread over the partitions one by one they would be four, and
the broker would spend a whole core on nothing but the producer's requests.
"""

from __future__ import annotations

import gc
import json
import sys
import time

from confluent_kafka import Consumer, Producer

PADDING = "x" * 80


def produce(options: dict) -> None:
    """Sends at the rate, a millisecond's records at a time."""
    producer = Producer(
        {
            "bootstrap.servers": options["bootstrap"],
            "linger.ms": 0,
            "acks": "1",
            "socket.nagle.disable": True,
        }
    )
    total = options["rate"] * (options["warm_up"] + options["seconds"] + 1)
    begin = time.perf_counter()
    sent = burst = 0
    while sent < total:
        due = min(total, int((time.perf_counter() - begin) * options["rate"]) + 1)
        while sent < due:
            producer.produce(options["source"], f"{time.time_ns()}:{PADDING}", partition=burst % 4)
            sent += 1
        burst += 1
        producer.poll(0)
        time.sleep(0.001 - (time.perf_counter() - begin) % 0.001)
    producer.flush(10)


def consume(options: dict) -> None:
    """Reads until the measured seconds have passed."""
    consumer = Consumer(
        {
            "bootstrap.servers": options["bootstrap"],
            "group.id": f"latency-{time.time_ns()}",
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 5,
            "fetch.error.backoff.ms": 1,
            "socket.nagle.disable": True,
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([options["target"]])
    gc.disable()
    latencies: list[int] = []
    first = None
    while True:
        for message in consumer.consume(500, timeout=0.001):
            if message.error():
                continue
            now = time.time_ns()
            stamp = int(message.value().split(b":", 1)[0])
            if first is None:
                first = stamp
            age_s = (stamp - first) / 1e9
            if age_s > options["warm_up"]:
                latencies.append(now - stamp)
            if age_s > options["warm_up"] + options["seconds"]:
                latencies.sort()
                count = len(latencies)
                at = {
                    f"p{str(p).replace('.', '_')}_ms": latencies[
                        min(count - 1, int(count * p / 100))
                    ]
                    / 1e6
                    for p in (50, 99, 99.9)
                }
                at["max_ms"] = latencies[-1] / 1e6
                at["records_per_s"] = count / options["seconds"]
                print(json.dumps(at), flush=True)
                return


if __name__ == "__main__":
    {"produce": produce, "consume": consume}[sys.argv[1]](json.loads(sys.argv[2]))
