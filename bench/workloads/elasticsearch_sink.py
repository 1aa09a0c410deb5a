"""Elasticsearch sink against the raw `_bulk` rate: same server, same documents, same requests.

The engines take turns on one server that was warmed up by a turn that does not count. Each writes
the same documents into an index of its own with the same settings, in requests of as many
documents, as many of them at once, over connections that stay open; its time runs from the first
request (Flott: from `execute()`) until the last document is acknowledged.

- `raw`: what a client cannot do better. Its requests are complete before its time begins; a thread
  for each connection sends them and reads the answer to its end.
- `flott`: rows of a native source, described by `ElasticsearchEmitter.mapping`.
- `flott-map`: a Python `map` makes each row, `ElasticsearchEmitter.static_index` writes it.
- `flott-emitter`: rows of a native source, a Python function makes the action of each.

Server and client share the machine: a client's processor time (`client_us`, per document) is taken
from what the server (`server_us`) could have used, and is what makes the difference.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from measure import Goal, child_main, pyflink_environment

TITLE = "Elasticsearch sink against the server's raw _bulk rate"
GOALS = {"of_raw": Goal(at_least=0.95)}
ENGINES = ("raw", "flott", "flott-map", "flott-emitter")
INTERLEAVED = True
BULK = 1000
CONNECTIONS = 3  # what the sink keeps in flight
URLS = [f"/shop/{i}/item?page={i % 97}" for i in range(500)]


def request(url: str, method: str, path: str, body: Any = None) -> Any:
    """One small request for JSON."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=120)
    text = None if body is None else json.dumps(body)
    connection.request(method, path, text, {"Content-Type": "application/json"} if text else {})
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{method} {path}: status {answer.status}: {content!r}")
    return json.loads(content)


def prepare(bench, engine):
    """An empty index."""
    url = bench.elasticsearch()
    index = bench.new_name("docs")
    settings = {"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "-1"}
    request(url, "PUT", f"/{index}", {"settings": settings})
    return {
        "url": url,
        "index": index,
        "documents": 100_000 if bench.quick else 500_000,
        "server_pid": bench.server_pid("elasticsearch"),
    }


def derive(values):
    """Adds each engine's share of the raw rate, and what it would be by processor time alone: the
    one that counts while something else runs on the machine."""

    def spent(measured):
        return measured["client_us"] + measured["server_us"]

    for engine, measured in values.items():
        if engine != "raw":
            measured["of_raw"] = measured["documents_per_s"] / values["raw"]["documents_per_s"]
            if "server_us" in measured:
                measured["of_raw_by_cpu"] = spent(values["raw"]) / spent(measured)


def source(count):
    """The documents, as rows of a native source."""
    from pyflink.common import Types
    from pyflink.datastream.connectors.datagen import DataGeneratorSource

    kind = Types.ROW_NAMED(
        ["id", "user", "count", "url"],
        [Types.LONG(), Types.STRING(), Types.LONG(), Types.STRING()],
    )
    fields = {
        "id": {"kind": "sequence", "start": 0, "end": count - 1},
        "user": {"values": [f"user{i}" for i in range(1000)]},
        "count": {"min": 0, "max": 1_000_000},
        "url": {"values": URLS},
    }
    return kind, DataGeneratorSource(kind, 0, count, fields, seed=1)


class Watch:
    """The time between its making and `stop()`: on the clock, of this process, of the server."""

    def __init__(self, options):
        self._options = options
        self._begin = (time.perf_counter(), time.process_time(), self._server_seconds())

    def _server_seconds(self):
        pid = self._options["server_pid"]
        if pid is None:
            return 0.0
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        end = (time.perf_counter(), time.process_time(), self._server_seconds())
        wall, client, server = (b - a for a, b in zip(self._begin, end, strict=True))
        count = self._options["documents"]
        values = {
            "documents_per_s": count / wall,
            "seconds": wall,
            "client_us": client / count * 1e6,
        }
        if self._options["server_pid"] is not None:
            values["server_us"] = server / count * 1e6
        return values


def check(options):
    """Every document is there, once."""
    request(options["url"], "POST", f"/{options['index']}/_refresh")
    found = request(options["url"], "GET", f"/{options['index']}/_count")["count"]
    request(options["url"], "DELETE", f"/{options['index']}")
    if found != options["documents"]:
        raise RuntimeError(f"{found} documents instead of {options['documents']}")


def raw_requests(options):
    """Complete HTTP requests, the last one first."""
    from pyflink.common import WatermarkStrategy

    env = pyflink_environment("flott", options)
    stream = env.from_source(
        source(options["documents"])[1], WatermarkStrategy.no_watermarks(), "documents"
    )
    with stream.execute_and_collect() as rows:
        lines = []
        for row in rows:
            document = row.as_dict()
            lines.append(
                f'{{"index":{{"_index":"{options["index"]}","_id":"doc{document["id"]}"}}}}'
            )
            lines.append(json.dumps(document, separators=(",", ":")))
    messages = []
    for start in range(0, len(lines), 2 * BULK):
        body = ("\n".join(lines[start : start + 2 * BULK]) + "\n").encode()
        head = (
            f"POST /_bulk HTTP/1.1\r\nHost: {urlsplit(options['url']).netloc}\r\n"
            f"Content-Type: application/x-ndjson\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        messages.append(head.encode() + body)
    messages.reverse()
    return messages


def exchange(connection, message, buffer):
    """Sends one request, reads the answer to its end; says when it is not all success."""
    connection.sendall(message)
    view = memoryview(buffer)
    size = 0
    while (head_end := buffer.find(b"\r\n\r\n", 0, size)) < 0:
        size += connection.recv_into(view[size:])
    head = bytes(buffer[:head_end]).lower()
    length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
    while size < head_end + 4 + length:
        size += connection.recv_into(view[size:])
    if b" 200 " not in head[:20] or buffer.find(b'"errors":true', head_end, size) >= 0:
        return bytes(buffer[:300])
    return None


def raw(options):
    """As many connections as the sink has requests in flight."""
    messages = raw_requests(options)
    address = urlsplit(options["url"])
    failures = []

    def send():
        buffer = bytearray(1 << 20)
        with socket.create_connection((address.hostname, address.port), 120) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while messages and not failures:
                try:
                    message = messages.pop()
                except IndexError:
                    return
                if failure := exchange(connection, message, buffer):
                    failures.append(failure)

    threads = [threading.Thread(target=send) for _ in range(CONNECTIONS)]
    watch = Watch(options)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    values = watch.stop()
    if failures:
        raise RuntimeError(f"the server refused: {failures[0]!r}")
    return values


def flott(engine, options):
    """A job of one subtask."""
    from pyflink.common import Row, WatermarkStrategy
    from pyflink.datastream.connectors.elasticsearch import (
        Elasticsearch7SinkBuilder,
        ElasticsearchEmitter,
    )
    from pyflink.datastream.connectors.number_seq import NumberSequenceSource

    index, count = options["index"], options["documents"]
    env = pyflink_environment("flott", options)
    no_watermarks = WatermarkStrategy.no_watermarks()
    kind, rows = source(count)
    if engine == "flott-map":
        stream = env.from_source(NumberSequenceSource(0, count - 1), no_watermarks, "numbers").map(
            lambda i: Row(id=i, user=f"user{i % 1000}", count=i, url=URLS[i % 500]), kind
        )
        emitter = ElasticsearchEmitter.static_index(index, "id")
    else:
        stream = env.from_source(rows, no_watermarks, "documents")
        if engine == "flott":
            emitter = ElasticsearchEmitter.mapping(index, id="doc{id}", action="index")
        else:
            emitter = ElasticsearchEmitter.of(
                lambda row: {"index": index, "id": f"doc{row.id}", "doc": row.as_dict()}
            )
    sink = (
        Elasticsearch7SinkBuilder()
        .set_hosts([options["url"]])
        .set_emitter(emitter)
        .set_bulk_flush_max_actions(BULK)
        .set_max_in_flight_requests(CONNECTIONS)
        .build()
    )
    stream.sink_to(sink)
    watch = Watch(options)
    env.execute()
    return watch.stop()


def run(engine, options):
    """One measurement; see the module's text."""
    values = raw(options) if engine == "raw" else flott(engine, options)
    check(options)
    return values


if __name__ == "__main__":
    child_main(run)
