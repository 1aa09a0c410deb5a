"""Elasticsearch sink against the raw `_bulk` rate: same server, same documents, same requests."""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from measure import Goal, child_main, pyflink_environment

TITLE = "Elasticsearch sink against the server's raw _bulk rate"
GOALS = {"of_raw": Goal(at_least=0.95)}
ENGINES = ("raw", "flott")  # raw first: the ratio is taken to its median
BULK = 1000
CONNECTIONS = 3  # what the sink keeps in flight


def prepare(bench, engine):
    """An empty index."""
    url = bench.elasticsearch()
    index = bench.new_name("docs")
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
    settings = {
        "settings": {"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "-1"}
    }
    connection.request(
        "PUT", f"/{index}", json.dumps(settings), {"Content-Type": "application/json"}
    )
    answer = connection.getresponse()
    if answer.status != 200:
        raise RuntimeError(f"cannot make the index: {answer.read()!r}")
    return {"url": url, "index": index, "documents": 60_000 if bench.quick else 200_000}


def derive(medians):
    """Adds the ratio to the raw rate once both are known."""
    if "raw" in medians and "flott" in medians:
        medians["flott"]["of_raw"] = (
            medians["flott"]["documents_per_s"] / medians["raw"]["documents_per_s"]
        )


def document(i):
    return {
        "id": f"doc{i}",
        "user": f"user{i % 1000}",
        "count": i,
        "url": f"/shop/{i % 500}/item?page={i % 97}",
    }


def check(options, count):
    """Every document is there, once."""
    address = urlsplit(options["url"])
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=120)
    connection.request("POST", f"/{options['index']}/_refresh")
    connection.getresponse().read()
    connection.request("GET", f"/{options['index']}/_count")
    found = json.loads(connection.getresponse().read())["count"]
    connection.request("DELETE", f"/{options['index']}")
    connection.getresponse().read()
    if found != count:
        raise RuntimeError(f"{found} documents instead of {count}")


def raw(options):
    """Bodies made beforehand, sent by as many connections as the sink has requests in flight."""
    count = options["documents"]
    bodies = []
    for start in range(0, count, BULK):
        lines = []
        for i in range(start, min(start + BULK, count)):
            lines.append(f'{{"index":{{"_index":"{options["index"]}","_id":"doc{i}"}}}}')
            lines.append(json.dumps(document(i), separators=(",", ":")))
        bodies.append(("\n".join(lines) + "\n").encode())
    bodies.reverse()
    address = urlsplit(options["url"])
    failures = []

    def send():
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=120)
        while True:
            try:
                body = bodies.pop()
            except IndexError:
                return
            connection.request("POST", "/_bulk", body, {"Content-Type": "application/x-ndjson"})
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 200 or b'"errors":true' in text:
                failures.append(text[:300])
                return

    threads = [threading.Thread(target=send) for _ in range(CONNECTIONS)]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent = time.perf_counter() - begin
    if failures:
        raise RuntimeError(f"the server refused: {failures[0]!r}")
    check(options, count)
    return {"documents_per_s": count / spent, "seconds": spent}


def flott(options):
    from pyflink.common import Types, WatermarkStrategy
    from pyflink.datastream.connectors.elasticsearch import (
        Elasticsearch7SinkBuilder,
        ElasticsearchEmitter,
    )
    from pyflink.datastream.connectors.number_seq import NumberSequenceSource

    env = pyflink_environment("flott", options)
    sink = (
        Elasticsearch7SinkBuilder()
        .set_hosts([options["url"]])
        .set_emitter(ElasticsearchEmitter.static_index(options["index"], "id"))
        .set_bulk_flush_max_actions(BULK)
        .build()
    )
    kind = Types.ROW_NAMED(
        ["id", "user", "count", "url"],
        [Types.STRING(), Types.STRING(), Types.LONG(), Types.STRING()],
    )
    from pyflink.common import Row

    env.from_source(
        NumberSequenceSource(0, options["documents"] - 1),
        WatermarkStrategy.no_watermarks(),
        "sequence",
    ).map(lambda i: Row(**document(i)), kind).sink_to(sink)
    begin = time.perf_counter()
    env.execute()
    spent = time.perf_counter() - begin
    check(options, options["documents"])
    return {"documents_per_s": options["documents"] / spent, "seconds": spent}


def run(engine, options):
    """One measurement; see the module's text."""
    return raw(options) if engine == "raw" else flott(options)


if __name__ == "__main__":
    child_main(run)
