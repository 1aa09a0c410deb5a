"""Runs scripts of others unchanged against real servers; compares with Apache Flink.

    python tests/seeds/run_acceptance.py --source <checkout of jaehyeon-kim/flink-demos>
                                         [--source <another checkout>]... [--only s16]

The interpreter that runs this must have Flott, pytest, confluent-kafka, kafka-python 2.0.2. Other
sources than the flight applications are in `datastream_sources.py`. Here: the
scripts are copied to a temporary folder and not changed. Sources start at the latest offset, so
each script first gets probe messages until every partition answers, then the same fixed messages;
what it prints or writes is compared, as a multiset and per key in order, with what Apache Flink
1.20 did (`recorded.json`). ACCEPTANCE.md describes every script. To record the real engine again:

    python tests/seeds/run_acceptance.py --source ... --record <python with apache-flink>
                                         --jar <jar>
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
RECORDED = FOLDER / "recorded.json"
sys.path[:0] = [str(FOLDER.parent / "services"), str(FOLDER)]

PORT = 29092  # s05_data_gen.py has it in its text
PARTITIONS = 5
TOPICS = ("skyone", "sunset", "flightdata", "userstatistics")
TESTS = (
    "test_s12_transformation",
    "test_s16_merge",
    "test_s18_aggregation",
    "test_s20_manage_state",
)
PRINTING = ("s04_intro", "s11_transformation", "s11_process_function", "s15_branching")
JAR_NAME = "flink-sql-connector-kafka-1.17.1.jar"  # the name the scripts add
BASE_MS = 1_735_689_600_000

Message = tuple[str, int, int, dict[str, str], dict[str, Any]]  # topic, partition, time, key, value
Output = tuple[str, ...]


def skyone(number: int, email: str, past: bool) -> dict[str, Any]:
    """A booking of the first kind."""
    year = 2019 if past else 2099
    return {
        "email_address": email,
        "flight_departure_time": f"{year}-03-{number % 27 + 1:02d}T08:15:{number % 60:02d}.125",
        "iata_departure_code": ("ATL", "JFK", "SFO")[number % 3],
        "flight_arrival_time": f"{year}-03-{number % 27 + 1:02d}T{9 + number % 12:02d}:45:00.500",
        "iata_arrival_code": ("BOS", "LAX")[number % 2],
        "flight_number": f"SKY1{number:03d}",
        "confirmation": f"SKY1REF{number:04d}",
        "ticket_price": 500 + number,
        "aircraft": 'Aircraft\u00e9 "Q"',
        "booking_agency_email": "agency@email.com",
    }


def sunset(number: int, email: str, past: bool) -> dict[str, Any]:
    """A booking of the second kind."""
    first = skyone(number, email, past)
    return {
        "customer_email_address": email,
        "departure_time": first["flight_departure_time"],
        "departure_airport": first["iata_departure_code"],
        "arrival_time": first["flight_arrival_time"],
        "arrival_airport": first["iata_arrival_code"],
        "flight_duration": 90 + number,
        "flight_id": f"SUN{number:03d}",
        "reference_number": f"SUNREF{number:04d}",
        "total_price": 300 + number,
        "aircraft_details": "AircraftABCD",
    }


def flight(number: int, email: str) -> dict[str, Any]:
    """What the importers write."""
    first = skyone(number, email, past=False)
    return {
        "email_address": email,
        "departure_time": first["flight_departure_time"],
        "departure_airport_code": first["iata_departure_code"],
        "arrival_time": first["flight_arrival_time"],
        "arrival_airport_code": first["iata_arrival_code"],
        "flight_number": first["flight_number"],
        "confirmation": first["confirmation"],
        "source": "skyone",
    }


def bookings(topics: tuple[str, ...]) -> list[Message]:
    """Fixed messages: every second flight has arrived already."""
    make = {"skyone": skyone, "sunset": sunset}
    return [
        (
            topic,
            i % PARTITIONS,
            BASE_MS + i,
            {"ref": f"{topic}{i}"},
            make[topic](i, f"u{i % 7}@email.com", i % 2 == 0),
        )
        for topic in topics
        for i in range(60)
    ]


def flights() -> list[Message]:
    """Six minutes of flights of five users, then one an hour later in each partition.

    The last ones close the windows.
    """
    out = [
        (
            "flightdata",
            i % PARTITIONS,
            BASE_MS + i * 3_000,
            {"confirmation": f"C{i}"},
            flight(i, f"u{i // 3 % 5}@email.com"),
        )
        for i in range(120)
    ]
    out += [
        ("flightdata", p, BASE_MS + 3_600_000, {"confirmation": "end"}, flight(1, "end@email.com"))
        for p in range(PARTITIONS)
    ]
    return out


def probes(topics: tuple[str, ...], turn: int) -> list[Message]:
    """One message a partition; the timestamps close the windows of the turn before."""
    make: dict[str, Callable[[int, str], dict[str, Any]]] = {
        "skyone": lambda i, email: skyone(i, email, False),
        "sunset": lambda i, email: sunset(i, email, False),
        "flightdata": flight,
    }
    at = BASE_MS - 360_000_000 + turn * 120_000
    return [
        (topic, p, at, {"ref": "probe"}, make[topic](p, f"probe-{topic}-{p}@"))
        for topic in topics
        for p in range(PARTITIONS)
    ]


class Broker:
    """The broker and our own clients."""

    def __init__(self) -> None:
        from confluent_kafka import Producer
        from servers import KafkaServer

        self.server = KafkaServer(partitions=PARTITIONS)
        self.server.port = PORT
        self.server.start()
        self.address = f"127.0.0.1:{PORT}"
        self.producer = Producer({"bootstrap.servers": self.address})

    def create_topics(self) -> None:
        """The topics of the data generator's `--create`."""
        from confluent_kafka.admin import AdminClient, NewTopic

        admin = AdminClient({"bootstrap.servers": self.address})
        for future in admin.create_topics(
            [NewTopic(name, PARTITIONS, 1) for name in TOPICS]
        ).values():
            future.result(30)

    def send(self, messages: list[Message]) -> None:
        """Keys and values as JSON, as the data generator writes them."""
        for topic, partition, at, key, value in messages:
            self.producer.produce(
                topic,
                json.dumps(value).encode(),
                key=json.dumps(key).encode(),
                partition=partition,
                timestamp=at,
            )
        if self.producer.flush(30):
            raise RuntimeError("the broker does not take the messages")

    def reader(self, topic: str) -> Callable[[], list[Output]]:
        """What arrives in the topic from now on: (partition, key, value)."""
        from confluent_kafka import Consumer, TopicPartition

        consumer = Consumer(
            {
                "bootstrap.servers": self.address,
                "group.id": f"a{time.time_ns()}",
                "enable.auto.commit": False,
            }
        )
        places = []
        for partition in range(PARTITIONS):
            place = TopicPartition(topic, partition)
            _, place.offset = consumer.get_watermark_offsets(place, 10)
            places.append(place)
        consumer.assign(places)
        seen: list[Output] = []

        def read() -> list[Output]:
            for message in consumer.consume(1000, timeout=0.3):
                if not message.error():
                    seen.append(
                        (
                            str(message.partition()),
                            (message.key() or b"").decode(),
                            message.value().decode(),
                        )
                    )
            return seen

        return read


def interruptible() -> None:
    """In the child: an interrupt counts, also when this runs in the background of a shell."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextlib.contextmanager
def running(
    python: str, folder: Path, script: str, broker: Broker, log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """The script in a process group of its own, ended by an interrupt as a user would."""
    environment = dict(os.environ, BOOTSTRAP_SERVERS=broker.address, PYTHONUNBUFFERED="1")
    environment["PATH"] = f"{Path(python).parent}{os.pathsep}{environment['PATH']}"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [python, f"{script}.py"],
            cwd=folder,
            env=environment,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=interruptible,
        )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def printed(log: Path) -> list[Output]:
    """Printed records without their subtask; the log lines of `logging` are not records."""
    lines = log.read_text(errors="replace").splitlines()
    return [
        (re.sub(r"^\d+> ", "", line),)
        for line in lines
        if re.match(r"\d+> |Flight|Skyone|\{", line)
    ]


def stream_script(
    python: str,
    folder: Path,
    script: str,
    sources: tuple[str, ...],
    sink: str | None,
    broker: Broker,
    log: Path,
    patience_s: float,
) -> dict[str, Any]:
    """Runs one unbounded script: probes, then the fixed messages, then what came out."""
    read = broker.reader(sink) if sink else lambda: printed(log)
    windows = sources == ("flightdata",)
    with running(python, folder, script, broker, log) as process:
        wanted = {f"probe-{topic}-{p}@" for topic in sources for p in range(PARTITIONS)}
        begin = time.monotonic()
        turn = 0
        while wanted:
            if process.poll() is not None or time.monotonic() - begin > patience_s:
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-8:])
                raise RuntimeError(
                    f"no answer in {len(wanted)} partitions (exit code {process.poll()}):\n{tail}"
                )
            broker.send(probes(sources, turn))
            turn += 1
            time.sleep(0.7)
            text = "\n".join("|".join(item) for item in read())
            wanted = {probe for probe in wanted if probe not in text}
        ready_s = time.monotonic() - begin
        broker.send(flights() if windows else bookings(sources))
        last, since = -1, time.monotonic()
        while time.monotonic() - since < 5:
            count = len(read())
            if count != last:
                last, since = count, time.monotonic()
            time.sleep(0.1)
        found = [item for item in read() if "probe-" not in item[-1]]
    result: dict[str, Any] = {"records": len(found), "digest": digest(sorted(found))}
    if sink == "userstatistics":
        by_key: dict[str, list[str]] = {}
        for _, _key, value in found:
            by_key.setdefault(json.loads(value)["email_address"], []).append(value)
        result["per_key_digest"] = digest(sorted(by_key.items()))
    return {**result, "_ready_s": round(ready_s, 1), "_found": sorted(found)}


def digest(value: Any) -> str:
    """Short fingerprint."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]


def printing_script(python: str, folder: Path, script: str) -> dict[str, Any]:
    """Runs a bounded script; its lines by section, without subtasks, sorted."""
    environment = dict(os.environ, PYTHONUNBUFFERED="1")
    environment["PATH"] = f"{Path(python).parent}{os.pathsep}{environment['PATH']}"
    begin = time.monotonic()
    done = subprocess.run(
        [python, f"{script}.py"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    if done.returncode != 0:
        raise RuntimeError("\n".join(done.stderr.splitlines()[-6:]))
    sections: dict[str, list[str]] = {"": []}
    current = sections[""]
    for line in done.stdout.splitlines():
        if line.startswith((">>>>", "====")):
            current = sections.setdefault(line, [])
        else:
            current.append(re.sub(r"^\d+> ", "", line))
    return {
        "sections": {name: sorted(lines) for name, lines in sections.items()},
        "_seconds": round(time.monotonic() - begin, 2),
    }


def test_file(python: str, folder: Path, name: str) -> dict[str, Any]:
    """Runs one pytest file."""
    environment = dict(os.environ)
    environment["PATH"] = f"{Path(python).parent}{os.pathsep}{environment['PATH']}"
    begin = time.monotonic()
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"{name}.py"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    counts = re.findall(r"(\d+) (passed|failed|error)", done.stdout)
    result: dict[str, Any] = {kind: int(number) for number, kind in counts}
    if done.returncode != 0:
        result["_text"] = done.stdout[-1500:] + done.stderr[-500:]
    return {**result, "_seconds": round(time.monotonic() - begin, 2)}


def data_generator(python: str, folder: Path, broker: Broker) -> dict[str, Any]:
    """`s05_data_gen.py --create` for ten seconds: topics, and bookings in both of them."""
    from confluent_kafka.admin import AdminClient

    log = folder / "s05.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [python, "s05_data_gen.py", "--create"],
            cwd=folder,
            stdout=out,
            stderr=subprocess.STDOUT,
            preexec_fn=interruptible,
        )
        time.sleep(8)
        alive = process.poll() is None
        process.send_signal(signal.SIGINT)
        process.wait()
    if not alive:
        raise RuntimeError("\n".join(log.read_text().splitlines()[-4:]))
    topics = AdminClient({"bootstrap.servers": broker.address}).list_topics(timeout=10).topics
    sent = log.read_text().count("record sent")
    return {
        "topics": {name: len(topics[name].partitions) for name in TOPICS if name in topics},
        "sends": sent > 5,
    }


STREAMS: dict[str, tuple[tuple[str, ...], str | None]] = {
    "s08_create_source": (("skyone",), None),
    "s10_deserialization": (("skyone",), None),
    "s12_transformation": (("skyone",), None),
    "s14_sink": (("skyone",), "flightdata"),
    "s16_merge": (("skyone", "sunset"), "flightdata"),
    "s18_aggregation": (("flightdata",), "userstatistics"),
    "s20_manage_state": (("flightdata",), "userstatistics"),
}


def show(name: str, result: dict[str, Any]) -> None:
    """One result, as soon as it is there."""
    shown = {k: v for k, v in result.items() if k not in ("_found", "_lines")}
    print(f"  {name}: {str(shown)[:1500]}", file=sys.stderr, flush=True)


def run_all(
    python: str, source: Path, jar: Path | None, only: str, patience_s: float, keep: Path
) -> dict[str, dict[str, Any]]:
    """Everything on one engine."""
    results: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "src"
        shutil.copytree(source, folder)
        (folder / "jars").mkdir(exist_ok=True)
        if jar:
            shutil.copy(jar, folder / "jars" / JAR_NAME)
        broker = Broker()
        try:

            def attempt(name: str, run: Callable[[], dict[str, Any]]) -> None:
                if only not in name:
                    return
                try:
                    results[name] = run()
                except Exception as error:
                    results[name] = {"failed": str(error)[-1200:]}
                show(name, results[name])

            if only in "s05_data_gen":
                attempt("s05_data_gen", lambda: data_generator(python, folder, broker))
            else:
                broker.create_topics()
            for name in TESTS:
                attempt(name, lambda name=name: test_file(python, folder, name))
            for name in PRINTING:
                attempt(name, lambda name=name: printing_script(python, folder, name))
            for name, (sources, sink) in STREAMS.items():
                log = keep / f"{name}.log"
                attempt(
                    name,
                    lambda n=name, s=sources, t=sink, g=log: stream_script(
                        python, folder, n, s, t, broker, g, patience_s
                    ),
                )
        finally:
            broker.server.close()
    (keep / "results.json").write_text(json.dumps(results, indent=1), encoding="utf-8")
    return results


def comparable(result: dict[str, Any]) -> dict[str, Any]:
    """What is recorded and compared."""
    return {key: value for key, value in result.items() if not key.startswith("_")}


def main() -> int:
    """See the module's text."""
    import datastream_sources

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--source",
        type=Path,
        required=True,
        action="append",
        help="checkout of the scripts; may be given more than once",
    )
    parser.add_argument("--only", default="", help="scripts whose name contains this")
    parser.add_argument("--record", help="python with apache-flink: record instead of compare")
    parser.add_argument("--jar", type=Path, help="Kafka connector jar for --record")
    parser.add_argument("--keep", type=Path, help="folder for logs and full results")
    options = parser.parse_args()
    keep = options.keep or Path(tempfile.mkdtemp(prefix="acceptance-"))
    keep.mkdir(parents=True, exist_ok=True)
    recorded = json.loads(RECORDED.read_text(encoding="utf-8")) if RECORDED.exists() else {}
    python = options.record or sys.executable
    if options.record:
        os.environ.pop("PYTHONPATH", None)
    found: dict[str, dict[str, Any]] = {}
    for source in options.source:
        patience_s = 180 if options.record else 60
        if datastream_sources.is_source(source):
            found |= datastream_sources.run_source(
                source, python, keep, options.only, patience_s, show, bool(options.record)
            )
            continue
        for inner in ("building-pyflink-apps", "src"):
            if (source / inner).is_dir():
                source = source / inner
        found |= run_all(python, source, options.jar, options.only, patience_s, keep)
    if options.record:
        recorded.update({name: comparable(result) for name, result in found.items()})
        RECORDED.write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        return 0
    failures = 0
    print("\n| script | Flott | Apache Flink 1.20 | same |\n| --- | --- | --- | --- |")
    for name, result in found.items():
        ours, theirs = comparable(result), recorded.get(name, {"not": "recorded"})
        if any(key in ours for key in ("checked", "fails by its own bug")):
            same, theirs = True, {"see": "ACCEPTANCE.md"}
        else:
            same = ours == theirs
        failures += not same

        def brief(values: dict[str, Any]) -> str:
            if "sections" in values:
                return f"{sum(map(len, values['sections'].values()))} lines"
            return (
                ", ".join(f"{k} {v}" for k, v in values.items())
                .replace("\n", " ")
                .replace("|", "/")[-160:]
            )

        print(f"| {name} | {brief(ours)} | {brief(theirs)} | {'yes' if same else 'NO'} |")
    print(f"\nlogs and full results: {keep}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
