"""Half a minute of access logs, with a look at the results while they grow.

    python demo.py [--real]          DEMO_SECONDS=30   DEMO_RATE=5000

Four processes: a broker (librdkafka's mock cluster, or real Kafka), generator.py, job.py, and this
one, which draws the table. Results go to SQLite, or to real Elasticsearch. Halfway the job is
killed like by a power failure and started again from its last checkpoint. In the end every document
is compared with what generator.py says it must be; the exit code tells.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Protocol

import generator
from job import TOPIC

HERE = Path(__file__).resolve().parent
PARTITIONS = 4
RESULTS = {"url_counts": "url_count", "status_counts": "status_count", "org_latest": None}
# After the last line: windows close a second behind, idle partitions are noticed after another,
# sinks flush.
TAIL_SECONDS = 4
PATIENCE_SECONDS = 30

Documents = dict[str, dict[str, Any]]


class Failure(Exception):
    """The demo cannot go on."""


# --- Where results are ----------------------------------------------------------------------------


class Store(Protocol):
    """Reads the documents of a result by id."""

    name: str
    job_arguments: list[str]

    def documents(self, result: str) -> Documents: ...


class SqliteStore:
    def __init__(self, path: Path) -> None:
        self.name = "SQLite"
        self.job_arguments = ["--sqlite", str(path)]
        self._path = path

    def documents(self, result: str) -> Documents:
        if not self._path.exists():
            return {}
        with contextlib.closing(sqlite3.connect(self._path, timeout=5)) as database:
            database.row_factory = sqlite3.Row
            try:
                rows = [dict(row) for row in database.execute(f'SELECT * FROM "{result}"')]
            except sqlite3.OperationalError:
                return {}  # the job has not made the table yet
        return {row.pop("id"): row for row in rows}


class ElasticsearchStore:
    def __init__(self, server: Any) -> None:
        self.name = "Elasticsearch"
        self.job_arguments = ["--hosts", server.url]
        self._server = server

    def documents(self, result: str) -> Documents:
        try:
            return dict(self._server.documents(result))
        except Exception:  # the index is not there yet
            return {}


# --- Processes ------------------------------------------------------------------------------------


class Process:
    """A Python program of ours; its output goes to a file that is shown when it fails."""

    def __init__(self, name: str, log: Path, *arguments: str, read_output: bool = False) -> None:
        self.name = name
        self._log_path = log
        with log.open("ab") as errors:
            self.popen = subprocess.Popen(
                [sys.executable, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if read_output else errors,
                stderr=errors,
                text=True,
            )

    @property
    def output(self) -> IO[str]:
        assert self.popen.stdout is not None
        return self.popen.stdout

    def check(self) -> None:
        """Raises when the process is gone."""
        if self.popen.poll() is not None:
            raise self.failure(f"ended with exit code {self.popen.returncode}")

    def failure(self, what: str) -> Failure:
        lines = self._log_path.read_text(errors="replace").splitlines()[-25:]
        return Failure("\n".join([f"the {self.name} {what}; the end of its output:", *lines]))

    def end(self) -> None:
        if self.popen.poll() is None:
            self.popen.terminate()
            try:
                self.popen.wait(10)
            except subprocess.TimeoutExpired:
                self.popen.kill()
        self.popen.wait()


class Traffic:
    """The generator, and how many lines it has sent so far."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.sent = 0
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.output:
            if line.startswith("sent "):
                self.sent = int(line.split()[1])


@contextlib.contextmanager
def embedded_broker(folder: Path) -> Iterator[str]:
    """The mock cluster in a process of its own; it ends when our end of its input closes."""
    log = folder / "broker.log"
    arguments = ["-m", "pyflink._mock_kafka", "--topic", f"{TOPIC}:{PARTITIONS}"]
    process = Process("broker", log, *arguments, read_output=True)
    try:
        address = process.output.readline().strip()
        if not address:
            raise process.failure("did not start")
        yield address
    finally:
        process.end()


@contextlib.contextmanager
def real_servers(folder: Path) -> Iterator[tuple[str, Store]]:
    """Kafka and Elasticsearch, fetched from Maven Central at first use."""
    sys.path.insert(0, str(HERE.parents[1]))
    from tests.services.servers import ElasticsearchServer, KafkaServer

    print("starting Kafka and Elasticsearch ...", flush=True)
    with KafkaServer(partitions=PARTITIONS) as kafka, ElasticsearchServer() as elasticsearch:
        print(f"{kafka.name} at {kafka.address}, {elasticsearch.name} at {elasticsearch.address}")
        create_topic(kafka.bootstrap_servers, folder)
        yield kafka.bootstrap_servers, ElasticsearchStore(elasticsearch)


def create_topic(brokers: str, folder: Path) -> None:
    """The broker makes a topic when it is first written to: here, before the job looks for it."""
    arguments = [str(HERE / "generator.py"), "--brokers", brokers, "--count", "0", "--checks", "1"]
    process = Process("generator", folder / "topic.log", *arguments)
    if process.popen.wait(60) != 0:
        raise process.failure("could not write the first record")


# --- The picture ----------------------------------------------------------------------------------


class Picture:
    """The live table: redrawn in place on a terminal, a line every few seconds elsewhere."""

    def __init__(self, total: int, rate: int) -> None:
        self._total = total
        self._rate = rate
        self._begin = time.monotonic()
        self._lines = 0
        self._next = 0.0
        self._history: deque[tuple[float, int, int]] = deque(maxlen=12)
        self._terminal = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.note = ""

    def draw(self, sent: int, results: dict[str, Documents]) -> None:
        now = time.monotonic()
        counted = total_of(results, "url_counts")
        self._history.append((now, sent, counted))
        first = self._history[0]
        span = max(now - first[0], 0.001)
        rates = (max(0, sent - first[1]) / span, max(0, counted - first[2]) / span)
        lag = max(0, sent - counted)
        head = (
            f"{now - self._begin:5.1f} s   sent {sent:,} of {self._total:,} ({rates[0]:,.0f}/s)   "
            f"counted {counted:,} ({rates[1]:,.0f}/s)   "
            f"lag {lag:,} ({lag / self._rate:.1f} s)   {self.note}"
        )
        if not self._terminal:
            if now >= self._next:
                self._next = now + 2
                rows = ", ".join(f"{name} {len(found)}" for name, found in results.items())
                print(f"{head}   rows: {rows}", flush=True)
            return
        width = shutil.get_terminal_size().columns
        lines = [head, "", *table_of(results), ""]
        text = "".join(f"\x1b[2K{line[: width - 1]}\n" for line in lines)
        sys.stdout.write((f"\x1b[{self._lines}A" if self._lines else "") + text)
        sys.stdout.flush()
        self._lines = len(lines)


def total_of(results: dict[str, Documents], name: str) -> int:
    found = results.get(name, {}).values()
    return sum(document.get(RESULTS[name], 0) for document in found)


def table_of(results: dict[str, Documents]) -> list[str]:
    """Always the same number of lines: each result with its biggest or first five documents."""
    lines = []
    for name, count_field in RESULTS.items():
        found = results.get(name, {})
        total = f", {total_of(results, name):,} requests" if count_field else ""
        lines.append(f"\x1b[1m{name}\x1b[0m  {len(found)} rows{total}")
        if count_field:
            ranked = sorted(found.items(), key=lambda item: (-item[1][count_field], item[0]))
            shown = [f"  {id_:<36} {document[count_field]:>10,}" for id_, document in ranked[:5]]
        else:
            shown = [
                f"  {id_:<36} {d['latest_timestamp']}  {d['last_status']}  {d['last_url']}"
                for id_, d in sorted(found.items())[:5]
            ]
        lines += shown + [""] * (5 - len(shown))
    return lines


# --- The story ------------------------------------------------------------------------------------


def run(brokers: str, store: Store, folder: Path, seconds: float, rate: int) -> bool:
    """Runs generator and job for about `seconds`; tells whether all results are as they must be."""
    count = int(rate * max(4.0, seconds - TAIL_SECONDS))
    start_ms = int(time.time() * 1000)
    checkpoints = folder / "checkpoints"
    checkpoints.mkdir()
    common = ["--brokers", brokers]

    def start_job(*more: str) -> Process:
        arguments = [*common, *store.job_arguments, "--checkpoints", str(checkpoints), *more]
        return Process("job", folder / "job.log", str(HERE / "job.py"), *arguments)

    job = start_job()
    traffic = Traffic(
        Process(
            "generator",
            folder / "generator.log",
            str(HERE / "generator.py"),
            *common,
            *("--count", str(count), "--rate", str(rate), "--start-ms", str(start_ms)),
            *("--checks", "-1"),
            read_output=True,
        )
    )
    picture = Picture(count, rate)
    deadline = time.monotonic() + seconds + PATIENCE_SECONDS
    results: dict[str, Documents] = {}
    must_be: dict[str, Documents] = {}
    crashed = False
    try:
        while time.monotonic() < deadline:
            job.check()
            traffic.process.check()
            results = {name: store.documents(name) for name in RESULTS}
            picture.draw(traffic.sent, results)
            if total_of(results, "url_counts") == count:
                must_be = must_be or generator.expected(count, start_ms, rate)
                if results == must_be:
                    break
            if not crashed and traffic.sent > count // 2 and any(checkpoints.glob("*/chk-*")):
                crashed = True
                job.popen.kill()
                job.popen.wait()
                job = start_job("--restore", str(checkpoints))
                picture.note = "job was killed and restored"
            time.sleep(0.25)
    finally:
        traffic.process.end()
        job.end()
    must_be = must_be or generator.expected(count, start_ms, rate)
    return summary(store, count, crashed, results, must_be)


def summary(
    store: Store,
    count: int,
    crashed: bool,
    results: dict[str, Documents],
    must_be: dict[str, Documents],
) -> bool:
    """Prints what came out and compares it with the generator's own answer."""
    print(f"{count:,} log lines sent; results in {store.name}:")
    good = True
    for name, count_field in RESULTS.items():
        found, wanted = results.get(name, {}), must_be[name]
        wrong = [id_ for id_ in wanted.keys() | found.keys() if found.get(id_) != wanted.get(id_)]
        text = f"  {name}: {len(found)} rows"
        if count_field:
            text += f", sum of {count_field} {total_of(results, name):,}"
        good = good and not wrong
        print(text + (": as expected" if not wrong else f": {len(wrong)} of {len(wanted)} differ"))
        for id_ in sorted(wrong)[:3]:
            print(f"    {id_}: is {found.get(id_)}, must be {wanted.get(id_)}")
    if crashed:
        verdict = ": nothing lost, nothing doubled" if good else ""
        print(f"  the job was killed halfway and went on from its last checkpoint{verdict}")
    return good


def show_documents(store: Store) -> None:
    """Documents as they are read back, one of each index."""
    print("documents read back:")
    for name in RESULTS:
        for id_, document in sorted(store.documents(name).items())[:2]:
            print(f"  {name}/_doc/{id_}: {document}")


def main() -> int:
    parser = argparse.ArgumentParser(description="Access logs from Kafka to three results, live.")
    parser.add_argument("--real", action="store_true", help="real Kafka and Elasticsearch")
    arguments = parser.parse_args()
    seconds = float(os.environ.get("DEMO_SECONDS") or 30)
    rate = int(os.environ.get("DEMO_RATE") or 5000)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="flott-demo-")))
        store: Store
        try:
            if arguments.real:
                brokers, store = stack.enter_context(real_servers(folder))
            else:
                brokers = stack.enter_context(embedded_broker(folder))
                store = SqliteStore(folder / "results.db")
                print(f"embedded Kafka broker at {brokers}")
            good = run(brokers, store, folder, seconds, rate)
            if arguments.real:
                show_documents(store)
        except Failure as failure:
            print(f"demo: {failure}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return 130
    print("demo: " + ("all results are right" if good else "RESULTS ARE WRONG"))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
