"""Kafka -> Python map -> Kafka at 10,000 records a second.

Measured from the producer's stamp to the consumer's read.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from measure import Goal, child_main, pyflink_environment

TITLE = "Kafka -> map -> Kafka at 10,000 rec/s, latency"
GOALS = {"p99_ms": Goal(at_most=10)}
ENGINES = ("flott", "flink-thread", "bytewax", "none")  # none: the clients on one topic, for scale
CLIENT = Path(__file__).resolve().parents[1] / "clients" / "latency.py"


def prepare(bench, engine):
    """Two topics and the clients' interpreter."""
    source = bench.new_topic("latency-in")
    return {
        "bootstrap": bench.kafka(),
        "jars": bench.jars(),
        "source": source,
        "target": source if engine == "none" else bench.new_topic("latency-out"),
        "client": bench.client_python(),
        "seconds": 8 if bench.quick else 20,
        # A fresh broker's own code takes this long to be compiled; on two cores that is seen.
        "warm_up": 15,
        "rate": 10_000,
    }


def measured(options):
    """Runs producer and consumer beside the job and returns what the consumer saw."""
    client = [options["client"], str(CLIENT)]
    consumer = subprocess.Popen(
        [*client, "consume", json.dumps(options)], stdout=subprocess.PIPE, text=True
    )
    producer = subprocess.Popen([*client, "produce", json.dumps(options)])
    try:
        out, _ = consumer.communicate(timeout=options["warm_up"] + options["seconds"] + 120)
    finally:
        for process in (producer, consumer):
            if process.poll() is None:
                process.terminate()
            process.wait()
    return json.loads(out.splitlines()[-1])


def with_pyflink(engine, options):
    from pyflink.common import Types, WatermarkStrategy
    from pyflink.common.serialization import SimpleStringSchema
    from pyflink.datastream.connectors.kafka import (
        KafkaOffsetsInitializer,
        KafkaRecordSerializationSchema,
        KafkaSink,
        KafkaSource,
    )

    env = pyflink_environment(engine, options)
    env.set_buffer_timeout(0)
    source = (
        KafkaSource.builder()
        .set_bootstrap_servers(options["bootstrap"])
        .set_topics(options["source"])
        .set_group_id("latency")
        .set_starting_offsets(KafkaOffsetsInitializer.earliest())
        .set_value_only_deserializer(SimpleStringSchema())
        .build()
    )
    sink = (
        KafkaSink.builder()
        .set_bootstrap_servers(options["bootstrap"])
        .set_record_serializer(
            KafkaRecordSerializationSchema.builder()
            .set_topic(options["target"])
            .set_value_serialization_schema(SimpleStringSchema())
            .build()
        )
        .build()
    )
    env.from_source(source, WatermarkStrategy.no_watermarks(), "kafka").map(
        lambda line: line + "!", output_type=Types.STRING()
    ).sink_to(sink)
    client = env.execute_async()
    try:
        return measured(options)
    finally:
        client.cancel()


def with_bytewax(options):
    import os

    import bytewax.operators as op
    from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
    from bytewax.dataflow import Dataflow
    from bytewax.testing import run_main

    flow = Dataflow("latency")
    source = KafkaSource([options["bootstrap"]], [options["source"]], batch_size=100)
    mapped = op.map(
        "map",
        op.input("in", flow, source),
        lambda m: KafkaSinkMessage(None, m.value.decode().__add__("!").encode()),
    )
    op.output("out", mapped, KafkaSink([options["bootstrap"]], options["target"]))
    threading.Thread(target=run_main, args=(flow,), daemon=True).start()
    values = measured(options)
    print(json.dumps(values), flush=True)
    os._exit(0)  # the flow has no end


def run(engine, options):
    """One measurement; see the module's text."""
    if engine == "bytewax":
        return with_bytewax(options)
    if engine == "none":
        time.sleep(0.1)
        return measured(options)
    return with_pyflink(engine, options)


if __name__ == "__main__":
    child_main(run)
