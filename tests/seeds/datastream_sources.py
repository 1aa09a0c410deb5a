"""The DataStream scripts of three more sources, run unchanged; used by run_acceptance.py.

What they need is what they say: a Kafka broker at localhost:9092, Elasticsearch 7 at
localhost:9200. A script that prints something fixed is compared with what Apache Flink printed
(`recorded.json`). Those that draw random numbers, and those that Apache Flink cannot run, are
checked against what follows from their input: the input is kept, or their outputs must agree with
each other. A script that cannot work on any engine must end with the error its own bug makes.
"""

from __future__ import annotations

import collections
import contextlib
import hashlib
import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

KAFKA_PORT = 9092
SEARCH_PORT = 9200
KAFKA = f"localhost:{KAFKA_PORT}"
PARTITIONS = 4
BLOCKS = Path("building_block_apps", "flink", "python")
MONITOR = Path("Apache Flink")
APPS = Path("apps")
# the folder that a script has in its text
AUTHORS_FOLDER = Path("/Users/harshavardhan.reddy/Documents/ETL/pyflink-intro-elastic")

Result = dict[str, Any]

PRINTING = (
    "examples/datastream/basic_operations",
    "examples/datastream/event_time_timer",
    "examples/datastream/process_json_data",
    "examples/datastream/state_access",
    "examples/datastream/word_count",
    "examples/datastream/windowing/session_with_dynamic_gap_window",
    "examples/datastream/windowing/session_with_gap_window",
    "examples/datastream/windowing/sliding_time_window",
    "examples/datastream/windowing/tumbling_count_window",
    "examples/datastream/windowing/tumbling_time_window",
    "applied_practise/all-techniques",
    "applied_practise/file_processing",
    "applied_practise/real-data-alltech",
)
THROUGH_KAFKA = (
    "examples/datastream/connectors/kafka_csv_format",
    "examples/datastream/connectors/kafka_json_format",
)
PEOPLE = [{"name": "ada", "id": "1"}, {"name": "luna", "id": "2"}]
OWN_BUGS = {
    "hello/test2": 'line 10, in emit\n    "id": record["name"],',
    "hello/test4": "line 9, in __init__\n    gateway = get_gateway()",
    "hello/test5": 'line 30, in <lambda>\n    "id": record["name"],',
    "hello/test6": "line 44",
}
# what Apache Flink's own Python writes between the lines
NOISE = re.compile(r"No module named google|Using Any for unsupported")


class Mismatch(Exception):
    """A script's results are not what they should be."""


def expect(condition: bool, text: str) -> None:
    """Raises `Mismatch` with the text."""
    if not condition:
        raise Mismatch(text)


class Servers:
    """The broker and Elasticsearch, each started when first asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kafka: Any = None
        self._search: Any = None

    def kafka(self) -> None:
        """Starts the broker; it makes topics of four partitions when they are asked for."""
        from servers import KafkaServer

        with self._lock:
            if self._kafka is None:
                self._kafka = KafkaServer(partitions=PARTITIONS)
                self._kafka.port = KAFKA_PORT
                self._kafka.start()

    def search(self) -> Any:
        """Elasticsearch."""
        from servers import ElasticsearchServer

        with self._lock:
            if self._search is None:
                self._search = ElasticsearchServer()
                self._search.port = SEARCH_PORT
                self._search.start()
            return self._search

    def close(self) -> None:
        """Ends both."""
        for server in (self._kafka, self._search):
            if server is not None:
                server.close()


class Script:
    """A script that runs in a process group of its own; its output is in a file."""

    def __init__(self, python: str, path: Path, arguments: list[str], log: Path) -> None:
        environment = dict(os.environ, PYTHONUNBUFFERED="1")
        environment["PATH"] = f"{Path(python).parent}{os.pathsep}{environment['PATH']}"
        self.log = log
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                [python, path.name, *arguments],
                cwd=path.parent,
                env=environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # an interrupt counts, also when this runs in the background of a shell
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            )

    def __enter__(self) -> Script:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    @property
    def ended(self) -> bool:
        """Whether it did."""
        return self._process.poll() is not None

    def text(self) -> str:
        """What it wrote so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def lines(self) -> list[str]:
        """Its lines."""
        return self.text().splitlines()

    def await_text(self, done: Callable[[str], bool], patience_s: float, what: str) -> None:
        """Waits until what it wrote is `done`."""
        end = time.monotonic() + patience_s
        while not done(self.text()):
            if self.ended or time.monotonic() > end:
                tail = "\n".join(self.lines()[-8:])
                raise Mismatch(f"no {what} (exit code {self._process.poll()}):\n{tail}")
            time.sleep(0.1)

    def await_end(self, patience_s: float) -> int:
        """Its exit code."""
        try:
            return self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            raise Mismatch(f"still running after {patience_s:.0f} s") from None

    def interrupt(self, patience_s: float = 5) -> float:
        """Ends it as Ctrl-C does; the seconds that took."""
        begin = time.monotonic()
        self._process.send_signal(signal.SIGINT)
        self.await_end(patience_s)
        return round(time.monotonic() - begin, 2)


def topic_values(topic: str) -> list[Any]:
    """All values of a topic, as JSON."""
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer(
        {
            "bootstrap.servers": KAFKA,
            "group.id": f"acceptance-{time.time_ns()}",
            "enable.auto.commit": False,
        }
    )
    known = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    left, places = 0, []
    for partition in known:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), 10)
        left += high - low
        places.append(TopicPartition(topic, partition, low))
    consumer.assign(places)
    values = []
    end = time.monotonic() + 30
    while len(values) < left and time.monotonic() < end:
        values += [json.loads(m.value()) for m in consumer.consume(1000, 0.5) if not m.error()]
    consumer.close()
    expect(len(values) >= left, f"{topic}: read {len(values)} of {left} messages")
    return values


def create_topics(names: list[str]) -> None:
    """Makes topics; waits until they are there."""
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": KAFKA})
    for future in admin.create_topics([NewTopic(n, PARTITIONS, 1) for n in names]).values():
        future.result(60)


def digest(value: Any) -> str:
    """Short fingerprint."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]


def printed_lines(text: str) -> list[str]:
    """Its lines without subtasks, sorted."""
    lines = [line for line in text.splitlines() if not NOISE.search(line)]
    return sorted(re.sub(r"^\d+> ", "", line) for line in lines)


# --- cs-sree/pyflink-intro-elastic ----------------------------------------------------------------


@contextlib.contextmanager
def at_authors_folder(checkout: Path) -> Iterator[None]:
    """The checkout at the path that a script has in its text."""
    if AUTHORS_FOLDER.exists():
        yield
        return
    try:
        AUTHORS_FOLDER.parent.mkdir(parents=True)
        AUTHORS_FOLDER.symlink_to(checkout)
    except OSError as error:
        raise Mismatch(f"the checkout must be at {AUTHORS_FOLDER}: {error}") from None
    try:
        yield
    finally:
        AUTHORS_FOLDER.unlink()
        for folder in AUTHORS_FOLDER.parents[:-1]:
            folder.rmdir()


def printing_script(python: str, path: Path, log: Path) -> Result:
    """A bounded script: what it printed."""
    environment = dict(os.environ, PYTHONUNBUFFERED="1")
    environment["PATH"] = f"{Path(python).parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        [python, path.name],
        cwd=path.parent,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    log.write_text(done.stdout + done.stderr, encoding="utf-8")
    expect(done.returncode == 0, "\n".join(done.stderr.splitlines()[-6:]))
    lines = printed_lines(done.stdout)
    return {"records": len(lines), "digest": digest(lines), "_lines": lines}


def through_kafka(python: str, path: Path, log: Path, patience_s: float) -> Result:
    """Writes seven records to a topic and prints what is there until it is interrupted."""
    with Script(python, path, [], log) as script:
        script.await_text(lambda text: text.count("+I[") >= 7, patience_s, "seven records")
        time.sleep(1)
        lines = [line for line in printed_lines(script.text()) if line.startswith("+I[")]
        seconds = script.interrupt(30)
    rows = [(1, "hi"), (2, "hello"), (3, "hi"), (4, "hello"), (5, "hi"), (6, "hello"), (6, "hello")]
    expect(lines == sorted(f"+I[{i},{text}]" for i, text in rows), f"the rows are {lines}")
    if path.stem == "kafka_csv_format":  # not recorded
        return {"checked": "7 rows", "_stopped_after_s": seconds}
    return {"records": len(lines), "digest": digest(lines), "_stopped_after_s": seconds}


def documents(search: Any, index: str) -> list[Any]:
    """The documents of an index, in order."""
    search.request("POST", f"/{index}/_refresh")
    return sorted(search.documents(index).values(), key=lambda document: document["name"])


def search_examples(python: str, path: Path, log: Path, search: Any) -> Result:
    """Four jobs that write the same two people."""
    with Script(python, path, [], log) as script:
        expect(script.await_end(60) == 0, "\n".join(script.lines()[-6:]))
    found = {index: documents(search, index) for index in ("foo", "ada", "luna")}
    expect(
        found == {"foo": PEOPLE, "ada": PEOPLE[:1], "luna": PEOPLE[1:]},
        f"the documents are {found}",
    )
    return {"checked": "2 documents in foo, 1 in ada, 1 in luna"}


def search_hello(python: str, path: Path, log: Path, search: Any) -> Result:
    """The builder's older spellings."""
    with Script(python, path, [], log) as script:
        expect(script.await_end(60) == 0, "\n".join(script.lines()[-6:]))
    found = documents(search, "my-index")
    expect(
        found == [{"name": "Alice", "age": 30}, {"name": "Bob", "age": 25}],
        f"the documents are {found}",
    )
    return {"checked": "2 documents in my-index"}


def own_bug(python: str, path: Path, log: Path, error: str) -> Result:
    """Ends with the error the script makes by itself."""
    with Script(python, path, [], log) as script:
        code = script.await_end(60)
        text = script.text()
    expect(code != 0 and error in text, f"exit code {code}, expected {error!r}:\n{text[-800:]}")
    return {"fails by its own bug": error.split("\n")[0].split(",")[0]}


# --- jylhakos/Data-Analysis-and-Visualizations ----------------------------------------------------


def http_events() -> list[dict[str, Any]]:
    """Events as the source's FastAPI middleware sends them, in the order of their time."""
    out = []
    for i in range(400):
        path = ("/", "/api/users/1", "/api/data")[(i % 7) % 3]
        event = {
            "timestamp": f"2026-01-01T00:00:{i % 60:02d}.000000",
            "method": "POST" if path == "/api/data" else "GET",
            "url": f"http://localhost:8000{path}",
            "path": path,
            "client_ip": "127.0.0.1",
            "user_agent": "acceptance",
            "event_type": "http_request" if i % 11 == 10 else "http_response",
        }
        if event["event_type"] == "http_response":
            bad = path == "/api/data" and i % 4 == 0
            event |= {"status_code": 500 if bad else 200, "processing_time_ms": i / 10}
        out.append(event)
    return out


def monitor_results(events: list[dict[str, Any]]) -> dict[str, list[str]]:
    """What the two monitors say of these events, a line each, in order for each endpoint."""
    out: dict[str, list[str]] = collections.defaultdict(list)
    count: collections.Counter[str] = collections.Counter()
    errors: collections.Counter[str] = collections.Counter()
    alerted = set()
    for event in events:
        if event["event_type"] != "http_response":
            continue
        path = event["path"]
        count[path] += 1
        requests, errors_of = out[f"REQUEST_METRICS {path}"], out[f"ERROR_METRICS {path}"]
        requests.append(f"metrics {count[path]} {event['status_code']}")
        if count[path] > 100 and path not in alerted:
            alerted.add(path)
            requests.append(f"HIGH_REQUEST_RATE {count[path]}")
        errors[path] += event["status_code"] >= 400
        rate = errors[path] / count[path] * 100
        errors_of.append(f"error_metrics {count[path]} {errors[path]} {round(rate, 2)}")
        if count[path] >= 10 and rate > 10:
            errors_of.append(f"HIGH_ERROR_RATE {count[path]} {errors[path]} {round(rate, 2)}")
    return out


def http_monitor(python: str, path: Path, log: Path, patience_s: float) -> Result:
    """Requests of three endpoints; counts, rates and alerts of each; Ctrl-C."""
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": KAFKA})

    def send(event: dict[str, Any], partition: int) -> None:
        # one endpoint in one partition: its events stay in order
        producer.produce("http-events", json.dumps(event), partition=partition)

    with Script(python, path, [], log) as script:
        probe = {"path": "probe", "event_type": "http_response", "status_code": 200}
        ready: set[int] = set()

        def ready_now(text: str) -> bool:
            for partition in range(PARTITIONS):
                if f'"endpoint": "probe{partition}"' in text:
                    ready.add(partition)
                else:
                    send({**probe, "path": f"probe{partition}"}, partition)
            producer.flush(10)
            time.sleep(0.3)
            return len(ready) == PARTITIONS

        # the script makes the topic: it was never written to before
        time.sleep(3)
        script.await_text(ready_now, patience_s, "answer in each partition")
        events = http_events()
        paths = sorted({event["path"] for event in events})
        for event in events:
            send(event, paths.index(event["path"]))
        producer.flush(10)
        wanted = monitor_results(events)
        number = sum(map(len, wanted.values()))

        def found() -> dict[str, list[str]]:
            out: dict[str, list[str]] = collections.defaultdict(list)
            for line in script.lines():
                match = re.match(r"(\w+_METRICS)(?::\d+)?> (\{.*)", line)
                value = json.loads(match[2]) if match else {"endpoint": "probe"}
                if match is None or value["endpoint"].startswith("probe"):
                    continue
                kind = value.get("event_type") or value["alert_type"]
                names = {
                    "metrics": ["request_count", "status_code"],
                    "HIGH_REQUEST_RATE": ["request_count"],
                }.get(kind, ["total_requests", "error_requests", "error_rate_percent"])
                out[f"{match[1]} {value['endpoint']}"].append(
                    " ".join([kind, *(str(value[name]) for name in names)])
                )
            return out

        script.await_text(
            lambda _: sum(map(len, found().values())) >= number, patience_s, f"{number} results"
        )
        time.sleep(1)
        results = found()
        seconds = script.interrupt()
        text = script.text()
    for name, lines in wanted.items():
        expect(results.get(name) == lines, f"{name}: {results.get(name)}, expected {lines}")
    expect(set(results) == set(wanted), f"also results for {set(results) - set(wanted)}")
    expect("KeyboardInterrupt" in text, "the interrupt does not show")
    expect(seconds < 2, f"stopping took {seconds} s")
    alerts = sum(line.startswith("HIGH") for lines in wanted.values() for line in lines)
    return {"checked": f"{number} results, {alerts} of them alerts", "_stopped_after_s": seconds}


# --- pavelkushtia/DataEngineering -----------------------------------------------------------------

GENERATE = """
import sys
from flink_common import SampleDataGenerator

class Out:
    def collect(self, value):
        print(value, flush=True)

SampleDataGenerator(50, 1_000_000).run(Out())
"""
OUT_OF_ORDER_MS = 20_000
STAGGER_S = 5
BLOCK_TOPICS = [
    "flink-events",
    "fraud-alerts",
    "revenue-metrics",
    *("state-user_profiles", "state-product_popularity", "state-features"),
    *("windowing-tumbling", "windowing-sliding", "windowing-session", "windowing-global"),
    *("windowing-minute", "windowing-five_minute", "windowing-fifteen_minute", "windowing-hourly"),
    "windowing-pattern",
]
TAIL_MS = 3_000  # what came so shortly before the end may be on its way


def millis_of(event: dict[str, Any]) -> int:
    """An event's time."""
    return int(datetime.fromisoformat(event["timestamp"]).timestamp() * 1000)


def run_for(script: Script, seconds: int) -> None:
    """Waits for the end that the script makes by itself."""
    code = script.await_end(seconds + 45)
    text = script.text()
    expect(code == 0, f"exit code {code}:\n" + "\n".join(script.lines()[-6:]))
    expect("Traceback" not in text, "a traceback: " + text[text.find("Traceback") :][:800])
    expect("METRICS SUMMARY" in text, "no summary")


def totals(events: list[dict[str, Any]]) -> tuple[Any, ...]:
    """What the revenue of a window is, comparable."""
    amounts = [e["price"] * e["quantity"] for e in events]
    return (
        len(events),
        round(sum(amounts), 2),
        len({e["user_id"] for e in events}),
        len({e["product_id"] for e in events}),
        round(max(amounts), 2),
        round(min(amounts), 2),
    )


def fraud(event: dict[str, Any]) -> tuple[int, list[str]]:
    """Score and reasons of an event."""
    amount = event["price"] * event["quantity"]
    hour = datetime.fromisoformat(event["timestamp"]).hour
    signs = [
        (30, "suspicious_amount", amount in (999.99, 1000.0, 1111.11, 1234.56)),
        (20, "high_value", amount > 500),
        (15, "high_risk_category", event["category"] in ("ELECTRONICS", "JEWELRY")),
        (10, "unusual_time", hour < 6 or hour > 23),
    ]
    return sum(s for s, _, is_so in signs if is_so), [name for _, name, is_so in signs if is_so]


def streaming_analytics(python: str, path: Path, log: Path, patience_s: float) -> Result:
    """`--duration 120`: events of the source's own generator through Kafka."""
    from confluent_kafka import Producer

    seconds = 120
    producer = Producer({"bootstrap.servers": KAFKA, "linger.ms": 5})
    arguments = ["--duration", str(seconds), "--kafka-servers", KAFKA]
    sent: list[dict[str, Any]] = []
    with Script(python, path, arguments, log) as script:
        begin = time.time()

        def ready_now(text: str) -> bool:
            ready = True
            for partition in range(PARTITIONS):
                user = f"probe-{partition}"
                if f"'user_id': '{user}', 'fraud_score'" in text:
                    continue
                ready = False
                probe = {
                    "event_id": user,
                    "user_id": user,
                    "product_id": "probe",
                    "category": "PROBE",
                    "action": "view",
                    "price": 1000.0,
                    "quantity": 1,
                    "timestamp": datetime.now().isoformat(),
                }
                producer.produce("flink-events", json.dumps(probe), partition=partition)
            producer.flush(10)
            time.sleep(0.3)
            return ready

        script.await_text(ready_now, patience_s, "answer in each partition")
        with subprocess.Popen(
            [python, "-c", GENERATE], cwd=path.parent, stdout=subprocess.PIPE, text=True
        ) as generator:
            assert generator.stdout is not None
            for number, line in enumerate(generator.stdout):
                producer.produce("flink-events", line.strip(), partition=number % PARTITIONS)
                producer.poll(0)
                sent.append(json.loads(line))
                if script.ended or time.time() - begin > seconds + 30:
                    break
            generator.kill()
        producer.flush(10)
        run_for(script, 10)
        text = script.text()
    end_ms = millis_of(sent[-1])

    alerts = [a for a in topic_values("fraud-alerts") if not a["user_id"].startswith("probe")]
    by_id = {a["event_id"]: (a["fraud_score"], a["fraud_reasons"]) for a in alerts}
    expect(len(by_id) == len(alerts), "an alert came twice")
    wanted = {e["event_id"]: fraud(e) for e in sent if fraud(e)[0] >= 30}
    late = {e["event_id"] for e in sent if millis_of(e) > end_ms - TAIL_MS}
    missing = set(wanted) - set(by_id) - late
    expect(not missing, f"no alerts for {sorted(missing)[:5]} ({len(missing)})")
    for event_id, value in by_id.items():
        expect(wanted.get(event_id) == value, f"{event_id}: {value}, not {wanted.get(event_id)}")

    windows: dict[tuple[str, int], list[dict[str, Any]]] = collections.defaultdict(list)
    for event in sent:
        windows[event["category"], millis_of(event) // 60_000].append(event)
    fired: collections.Counter[tuple[Any, ...]] = collections.Counter()
    for result in topic_values("revenue-metrics"):
        if result["min_order_value"] == result["max_order_value"] == 1000.0:
            continue  # the probes
        numbers = ["order_count", "total_revenue", "unique_users", "unique_products"]
        numbers += ["max_order_value", "min_order_value"]
        fired[tuple(round(result[name], 2) for name in numbers)] += 1
    complete = {k: totals(v) for k, v in windows.items()}
    for (category, minute), wanted_totals in complete.items():
        must = (minute + 1) * 60_000 < end_ms - OUT_OF_ORDER_MS - TAIL_MS
        if fired[wanted_totals] > 0:
            fired[wanted_totals] -= 1
        else:
            expect(not must, f"no result for {category}, minute {minute}: {wanted_totals}")
    expect(not +fired, f"results that do not follow from the events: {+fired}")
    number = len(topic_values("revenue-metrics"))
    expect(number >= 5, f"only {number} windows")
    expect(text.count("HIGH_VALUE") > 100, "no transactions of high value")
    parsed = metric_of(text, "events_parsed")
    expect(0 <= len(sent) - parsed + 4 * 20 <= 400, f"{parsed} of {len(sent)} events parsed")
    return {"checked": "alerts and revenue windows follow from the events", "_events": len(sent)}


def metric_of(text: str, name: str) -> int:
    """A number of the script's own summary."""
    found = re.findall(rf"^   {name}: (\d+)$", text, re.MULTILINE)
    expect(bool(found), f"the summary has no {name}")
    return int(found[-1])


def windowing_aggregations(python: str, path: Path, log: Path) -> Result:
    """All windows over the built-in generator's events: they must agree with each other."""
    arguments = ["--window-types", "all", "--tumbling-minutes", "1", "--session-timeout", "1"]
    with Script(
        python, path, [*arguments, "--duration", "180", "--kafka-servers", KAFKA], log
    ) as script:
        run_for(script, 180)
        text = script.text()
    events = metric_of(text, "events_parsed")
    expect(1000 < events <= 3600, f"{events} events")  # fewer where the machine is busy

    tumbling = topic_values("windowing-tumbling")
    minutes = topic_values("windowing-minute")
    count: dict[tuple[str, int], int] = {}
    for result in tumbling:
        data = result["aggregated_data"]
        expect(
            result["window_end"] - result["window_start"] == 60_000
            and result["window_start"] % 60_000 == 0
            and result["watermark"] >= result["window_end"] - 1,
            f"window {result}",
        )
        key = (result["window_key"], result["window_end"])
        expect(key not in count, f"{key} fired twice")
        count[key] = data["order_count"]
        expect(list(data["categories"]) == [result["window_key"]], f"categories of {data}")
        expect(sum(data["actions"].values()) == data["order_count"], f"actions of {data}")
        expect(sum(data["price_ranges"].values()) == data["order_count"], f"prices of {data}")
    ends = sorted({end for _, end in count})
    expect(len(ends) >= 2 and len(count) == 5 * len(ends), f"{len(count)} tumbling windows")

    def multiset(results: list[Any]) -> collections.Counter[tuple[Any, ...]]:
        # floats are added in the order of arrival, which the two need not share
        names = ("order_count", "unique_users", "unique_products", "unique_sessions")
        return collections.Counter(
            (*(r[name] for name in names), round(r["total_revenue"], 2)) for r in results
        )

    extra = multiset([r["aggregated_data"] for r in tumbling])
    extra.subtract(multiset(minutes))
    different = [k for k, n in extra.items() if n]
    expect(not different, f"windows of one minute are not all twice: {different[:4]}")
    for result in topic_values("windowing-sliding"):
        # it began before the first event: all minutes up to its end are in it
        wanted = sum(
            n
            for (category, end), n in count.items()
            if category == result["window_key"] and end <= result["window_end"]
        )
        found = result["aggregated_data"]["order_count"]
        expect(found == wanted, f"sliding window with {found} instead of {wanted} events: {result}")
    sessions = topic_values("windowing-session")
    expect(len(sessions) > 50, f"{len(sessions)} sessions")
    for session in sessions:
        length = session["session_end"] - session["session_start"]
        expect(length >= 60_000 and (length > 60_000 or session["event_count"] >= 1), f"{session}")
        expect(len(session["action_sequence"].split(" -> ")) == session["event_count"], "actions")
    first: dict[str, int] = {}
    fired: collections.Counter[str] = collections.Counter()
    for result in topic_values("windowing-global"):
        key, number = result["window_key"], result["aggregated_data"]["order_count"]
        first[key] = max(first.get(key, 0), number)
        fired[key] += 1
    # its count is never taken back: the 50th event fires with all, each later one alone
    expect(set(first.values()) == {50} and len(first) == 5, f"global windows fired with {first}")
    expect(
        events - 20 <= sum(fired.values()) + 49 * 5 <= events,
        f"{sum(fired.values())} global windows",
    )
    return {
        "checked": "tumbling, sliding, session and global windows agree",
        "_windows": len(tumbling),
        "_sessions": len(sessions),
    }


def state_management(python: str, path: Path, log: Path) -> Result:
    """Profiles, products and features of the built-in generator's events."""
    arguments = ["--state-types", "user_profiles,products,features", "--kafka-servers", KAFKA]
    with Script(python, path, arguments, log) as script:
        run_for(script, 60)
        text = script.text()
    events = metric_of(text, "events_parsed")
    expect(500 < events <= 1800, f"{events} events")  # fewer where the machine is busy
    features = topic_values("state-features")
    profiles = [p for p in topic_values("state-user_profiles") if "event_type" not in p]
    products = topic_values("state-product_popularity")
    for name, values in (("features", features), ("profiles", profiles), ("products", products)):
        # what was on its way when the job was cancelled
        expect(
            0.95 * events - 10 <= len(values) <= events, f"{len(values)} {name} of {events} events"
        )

    by_user: dict[str, list[Any]] = collections.defaultdict(list)
    for event in profiles:
        by_user[event["user_id"]].append(event)
    for user, of_user in by_user.items():
        bought = [e["total_amount"] for e in of_user if e["action"] == "purchase"]
        viewed = collections.Counter(e["category"] for e in of_user if e["action"] == "view")
        last = max(
            (e["user_profile"] for e in of_user),
            key=lambda p: (p["total_spent"], sum(p["preferences"].values())),
        )
        expect(abs(last["total_spent"] - sum(bought)) < 0.01, f"{user} spent {last}, {bought}")
        expect(len(last["purchase_history"]) == min(10, len(bought)), f"history of {user}: {last}")
        expect(sum(last["preferences"].values()) <= sum(viewed.values()), f"views of {user}")
    views: collections.Counter[str] = collections.Counter()
    buyers: dict[str, set[str]] = collections.defaultdict(set)
    for event in profiles:
        views[event["product_id"]] += event["action"] == "view"
        buyers[event["product_id"]].add(event["user_id"])
    most: dict[str, tuple[int, int]] = collections.defaultdict(lambda: (0, 0))
    for value in products:
        before = most[value["product_id"]]
        most[value["product_id"]] = (
            max(before[0], value["total_views"]),
            max(before[1], value["unique_users"]),
        )
    wrong = [p for p in views if most[p] != (views[p], len(buyers[p]))]
    expect(len(wrong) <= 10, f"views of products differ: {wrong[:5]} ({len(wrong)})")
    return {
        "checked": "profiles, popularity and features follow from the events",
        "_events": events,
    }


# --- all of them ----------------------------------------------------------------------------------


def attempts_of(
    source: Path, python: str, servers: Servers, keep: Path, patience_s: float
) -> tuple[dict[str, Callable[[], Result]], dict[str, Callable[[], Result]]]:
    """(what runs one after the other, what runs side by side) of a checkout."""

    def log_of(name: str) -> Path:
        return keep / (name.replace("/", "_").replace(" ", "_") + ".log")

    one_by_one: dict[str, Callable[[], Result]] = {}
    together: dict[str, Callable[[], Result]] = {}
    if (source / APPS / "examples").is_dir():

        def at(name: str) -> Path:
            return source / APPS / f"{name}.py"

        for name in PRINTING:
            one_by_one[name] = lambda n=name: printing_script(python, at(n), log_of(n))
        processing = one_by_one["applied_practise/file_processing"]

        def in_authors_folder() -> Result:
            with at_authors_folder(source.resolve()):
                return processing()

        one_by_one["applied_practise/file_processing"] = in_authors_folder

        def kafka_script(name: str) -> Result:
            servers.kafka()
            return through_kafka(python, at(name), log_of(name), patience_s)

        for name in THROUGH_KAFKA:
            one_by_one[name] = lambda n=name: kafka_script(n)
        name = "examples/datastream/connectors/elasticsearch"
        one_by_one[name] = lambda n=name: search_examples(
            python, at(n), log_of(n), servers.search()
        )
        one_by_one["hello/test"] = lambda: search_hello(
            python, at("hello/test"), log_of("hello/test"), servers.search()
        )

        def bug(name: str, error: str) -> Result:
            servers.search()
            return own_bug(python, at(name), log_of(name), error)

        for name, error in OWN_BUGS.items():
            one_by_one[name] = lambda n=name, e=error: bug(n, e)
    monitor = source / MONITOR / "pyflink_event_processor.py"
    if monitor.is_file():

        def monitoring() -> Result:
            servers.kafka()
            return http_monitor(python, monitor, log_of(monitor.stem), patience_s)

        one_by_one["pyflink_event_processor"] = monitoring
    if (source / BLOCKS).is_dir():
        folder = source / BLOCKS

        def block(name: str, run: Callable[[Path, Path], Result]) -> Callable[[], Result]:
            def attempt() -> Result:
                servers.kafka()
                return run(folder / f"{name}.py", log_of(name))

            return attempt

        together["windowing_aggregations"] = block(
            "windowing_aggregations", lambda p, g: windowing_aggregations(python, p, g)
        )
        together["streaming_analytics"] = block(
            "streaming_analytics", lambda p, g: streaming_analytics(python, p, g, patience_s)
        )
        together["state_management"] = block(
            "state_management", lambda p, g: state_management(python, p, g)
        )
    return one_by_one, together


def is_source(source: Path) -> bool:
    """Whether it is a checkout of one of the three."""
    return any((source / part).is_dir() for part in (BLOCKS, MONITOR, APPS / "examples"))


def run_source(
    source: Path,
    python: str,
    keep: Path,
    only: str,
    patience_s: float,
    report: Callable[[str, Result], None],
    recording: bool = False,
) -> dict[str, Result]:
    """Runs the scripts of a checkout; a result each."""
    results: dict[str, Result] = {}
    servers = Servers()
    lock = threading.Lock()

    def attempt(item: tuple[str, Callable[[], Result]]) -> None:
        name, run = item
        if only not in name or (recording and name not in (*PRINTING, *THROUGH_KAFKA)):
            return
        try:
            result = run()
        except Exception as error:
            result = {"failed": f"{type(error).__name__}: {error}"[:1500]}
        with lock:
            results[name] = result
            report(name, result)

    try:
        one_by_one, together = attempts_of(source, python, servers, keep, patience_s)
        for item in one_by_one.items():
            attempt(item)
        if any(only in name for name in together) and not recording:
            servers.kafka()  # here: a server ends with the thread that started it
            create_topics(BLOCK_TOPICS)
            with ThreadPoolExecutor(len(together)) as pool:
                for item in together.items():
                    pool.submit(attempt, item)
                    time.sleep(STAGGER_S)
    finally:
        servers.close()
    return results


def is_recorded(name: str) -> bool:
    """Whether Apache Flink's results decide; otherwise the checks here do."""
    return name in (*PRINTING, *THROUGH_KAFKA)
