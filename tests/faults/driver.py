"""Carries out a plan (tests/faults/plan.py): starts the job, kills it, starts it again from its
newest checkpoint, until the input is used up; then the oracle compares.

    outcome = Run(plan, servers, folder).carry_out()
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from tests.faults.oracle import (
    FilesReader,
    KafkaReader,
    Reader,
    SearchReader,
    differences,
    missing,
)
from tests.faults.plan import FALLBACK, ONCE, Attempt, Kill, Plan
from tests.faults.shapes import SHAPES, Chunk, Input
from tests.services.servers import SearchServer

QUIET = {"log_level": 4}
JOB = Path(__file__).parent / "job.py"
ROOT = Path(__file__).parent.parent.parent
PATIENCE_S = 90.0
"""How long a run may go without progress. Nothing waits that long unless something is wrong."""
TRANSACTION_MS = 60_000
FROZEN_TRANSACTION_MS = 1000
"""Of attempts that are to sleep through it; on a busy machine others could do so unasked."""
FREEZE_S = 2.0
BROKER = {"transaction.abort.timed.out.transaction.cleanup.interval.ms": "200"}
"""Settings of a broker that ends transactions soon after their time."""
FENCED = "has taken over the transactional id"
REFUSED = "allow.duplicates.on.restore"
ZOMBIE_TRIES = 10
KILLS_ITSELF = ("record", "later", "point")
ACTS = {"record": "kill", "later": "kill-later", "point": "", "raise": "raise"}
OUTPUT_PARTITIONS = 2


class Failure(AssertionError):
    """A run that did not do what it must."""


class Outcome(NamedTuple):
    """What a run did."""

    killed: tuple[Kill, ...]  # attempts that ended by SIGKILL, not those that were fenced
    results: int
    repeated: int  # written again, where the sink may do that
    seconds: float

    @property
    def kills(self) -> int:
        return len(self.killed)


class Servers(NamedTuple):
    """Where jobs read and write."""

    kafka: str
    search: SearchServer | None = None


def checkpoint_id(path: Path) -> int:
    return int(path.name.removeprefix("chk-"))


class Process:
    """One attempt's process."""

    def __init__(
        self,
        folder: Path,
        number: int,
        settings: dict[str, Any],
        fault: str,
        more: dict[str, str],
    ) -> None:
        """`more` are variables of its environment."""
        self.number = number
        self.log = folder / f"attempt-{number}.log"
        self.settings = settings
        path = settings["configuration"].get("execution.savepoint.path")
        self.restored = checkpoint_id(Path(path)) if path else 0
        self.kill_kind = ""
        file = folder / f"attempt-{number}.json"
        file.write_text(json.dumps(settings, indent=1), encoding="utf-8")
        environment = os.environ | more
        environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), *(p for p in sys.path if p)])
        environment.pop("FLOTT_FAULT", None)
        if fault:
            environment["FLOTT_FAULT"] = fault
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-u", str(JOB), str(file)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
            )

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def exit_code(self) -> int | None:
        return self.process.poll()

    @property
    def checkpoints(self) -> list[Path]:
        """Its complete checkpoints, oldest first."""
        for line in self.output.splitlines():
            if line.startswith("job "):
                folder = Path(self.settings["checkpoints"]) / line.removeprefix("job ")
                found = [path.parent for path in folder.glob("chk-*/_metadata")]
                return sorted(found, key=checkpoint_id)
        return []

    def newest(self) -> int:
        """The id of its newest checkpoint, or of the one that it started from."""
        found = self.checkpoints
        return checkpoint_id(found[-1]) if found else self.restored

    def send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)

    def stop(self) -> None:
        """Stops it in its tracks; returns when every thread stands still, or it has ended."""
        self.send(signal.SIGSTOP)
        deadline = time.monotonic() + PATIENCE_S
        while self.exit_code is None and set(self.thread_states()) - {"T", "Z", "X"}:
            if time.monotonic() > deadline:
                raise Failure(f"attempt {self.number} does not stop")
            time.sleep(0.001)

    def thread_states(self) -> Iterator[str]:
        for path in Path(f"/proc/{self.process.pid}/task").glob("*/stat"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                yield path.read_text(encoding="utf-8").rpartition(") ")[2][0]

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        self.process.wait()

    def wait(self, what: str) -> int:
        try:
            return self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise Failure(f"attempt {self.number}: {what}: not within {PATIENCE_S} s") from None


class Run:
    """One plan being carried out. `folder` gets checkpoints, logs and the plan; it stays when the
    run fails."""

    def __init__(self, plan: Plan, servers: Servers, folder: Path, name: str = "") -> None:
        self.plan = plan
        self.servers = servers
        self.folder = folder
        # A name that was used before is a topic that the broker may still be removing.
        self.name = name or f"faults-{plan.shape}-{plan.seed}-{uuid.uuid4().hex[:8]}"
        self.shape = SHAPES[plan.shape]
        chunks = len(plan.attempts) + 1
        self.input = self.shape.make_input(random.Random(plan.seed), chunks, plan.chunk)
        self.expected = self.shape.expect(self.input)
        self.topics = {topic: f"{self.name}-{topic}" for topic in self.shape.topics}
        self.restore: Path | None = None
        self.attempted: list[tuple[Process, Kill]] = []
        self.processes: list[Process] = []
        self.zombies: list[Process] = []
        self.transaction_ms = TRANSACTION_MS
        self.freezing = False
        self.fallback = f",{FALLBACK}"
        self.configuration: dict[str, str] = {}
        self.environment: dict[str, str] = {}
        self.checkpoints = folder / "checkpoints"
        self.results = folder / "results"
        self.readers: dict[str, Reader] = {}
        self.fed: list[Chunk] = []
        self.last_meter: dict[str, Any] = {}
        self.feed_last: Callable[[Process, Chunk], None] | None = None
        """Feeds the last attempt instead of `feed`, with faults of servers in the middle."""

    def carry_out(self) -> Outcome:
        """Runs the plan.

        Raises:
            Failure: with the plan and what differs; the folder stays.
        """
        begun = time.monotonic()
        with self.prepared():
            repeated = self.run()
            killed = tuple(k for p, k in self.attempted if p.exit_code == -signal.SIGKILL)
        return Outcome(killed, len(self.expected), repeated, time.monotonic() - begun)

    @contextlib.contextmanager
    def prepared(self) -> Iterator[None]:
        """Has topics and a folder for what happens inside; ends all processes after it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "plan.txt").write_text(f"{self.plan}\n", encoding="utf-8")
        try:
            self.make_topics()
            yield
        except (AssertionError, OSError, RuntimeError) as problem:
            raise Failure(f"{problem}\n{self.plan}\nits files: {self.folder}") from problem
        finally:
            for process in self.processes:
                process.kill()
            for reader in self.readers.values():
                reader.close()
            self.remove_topics()
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self) -> int:
        if self.plan.bounded:
            for chunk in [*self.input.chunks, self.input.closing]:
                self.feed(chunk)
        for number, attempt in enumerate(self.plan.attempts):
            if self.attempt(attempt, self.input.chunks[number]):
                break  # a bounded job was done sooner than the plan thought
        else:
            self.last_attempt([*self.input.chunks[-1], *self.input.closing])
        return self.compare()

    # --- Attempts ---------------------------------------------------------------------------------

    def start(self, parallelism: int, meter: dict[str, Any], fault: str = "") -> Process:
        configuration = {
            "execution.checkpointing.interval": f"{self.plan.interval_ms} ms",
            "execution.checkpointing.dir": self.checkpoints.as_uri(),
            "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
            "state.backend.type": self.plan.backend,
            "restart-strategy.type": "none",
        }
        if meter.get("act") == "raise":
            configuration |= {
                "restart-strategy.type": "fixed-delay",
                "restart-strategy.fixed-delay.attempts": "3",
                "restart-strategy.fixed-delay.delay": "1 ms",
            }
        if self.restore:
            configuration["execution.savepoint.path"] = str(self.restore)
        configuration |= self.configuration
        settings = {
            "name": self.name,
            "shape": self.plan.shape,
            "servers": self.servers.kafka,
            "topics": self.topics,
            "sinks": {sink: self.target(sink) for sink in self.plan.sinks},
            "bounded": self.plan.bounded,
            "parallelism": parallelism,
            "configuration": configuration,
            "checkpoints": str(self.checkpoints),
            "transaction_ms": FROZEN_TRANSACTION_MS if self.freezing else self.transaction_ms,
            "meter": {"pace_us": 0, "at_record": 0, "act": "", "delay_us": 0} | meter,
        }
        process = Process(self.folder, len(self.processes), settings, fault, self.environment)
        self.processes.append(process)
        return process

    def attempt(self, attempt: Attempt, chunk: Chunk) -> bool:
        """One that ends as the plan says. True: it had ended well before."""
        kill = attempt.kill
        meter = {
            "pace_us": attempt.pace_us,
            "at_record": 0 if kill.kind == "point" else kill.n,
            "act": ACTS.get(kill.kind, "tell"),
            "delay_us": kill.delay_us,
        }
        fault = f"{kill.point}:{kill.n}{self.fallback}" if kill.kind == "point" else ""
        self.freezing = kill.kind == "freeze"
        process = self.start_accepted(attempt.parallelism, meter, fault)
        self.freezing = False
        process.kill_kind = kill.kind
        self.attempted.append((process, kill))
        self.feed_unbounded(chunk)
        if kill.kind in KILLS_ITSELF:
            self.await_true(lambda: process.exit_code is not None, str(kill))
        else:
            self.await_output(process, "reached")
            if kill.kind == "freeze":
                process.stop()
                time.sleep(FREEZE_S)  # how long transactions last is up to the broker's clock
                process.send(signal.SIGCONT)
            # A zombie that has not begun to publish would take over from its successor.
            self.await_checkpoints(process, 1)
            if kill.kind in ("freeze", "raise"):
                process.kill()
            elif process.exit_code is None:
                for earlier in self.zombies:
                    self.end(earlier)
                self.zombies = [process]
                self.leave(process)
        if process not in self.zombies:
            self.note(process)
        code = process.exit_code
        if code == 0 and self.plan.bounded:
            return True
        froze = kill.kind == "freeze" and "transaction.timeout.ms" in process.output
        if code not in (None, -signal.SIGKILL) and not froze:
            raise Failure(
                f"attempt {process.number} ended with exit code {code} instead of being killed:\n"
                + tail(process.output)
            )
        return False

    def start_accepted(self, parallelism: int, meter: dict[str, Any], fault: str = "") -> Process:
        """Starts an attempt, and lets zombies go on when it has begun.

        A zombie may publish results before its successor stops it. The successor then refuses the
        older checkpoint it was given, and is started again from the zombie's newest.
        """
        for _ in range(ZOMBIE_TRIES):
            process = self.start(parallelism, meter, fault)
            if not self.zombies:
                return process
            (zombie,) = self.zombies
            if zombie.kill_kind == "pause":
                self.await_checkpoints(process, 1)
            else:
                self.await_output(process, "job ")  # it has read its checkpoint
            zombie.send(signal.SIGCONT)
            if "kafka-once" not in self.plan.sinks:
                return process
            self.await_true(
                lambda p=process, z=zombie: p.exit_code is not None or z.exit_code is not None,
                f"the end of attempt {zombie.number} or of its successor {process.number}",
            )
            self.await_checkpoints(process, 1)  # none before its sinks have taken over
            if process.exit_code is None or REFUSED not in process.output:
                return process
            self.leave(zombie)
        raise Failure(f"refused {ZOMBIE_TRIES} times:\n{tail(process.output)}")

    def leave(self, zombie: Process) -> None:
        """Stops it in its tracks. It may remove its checkpoints when it goes on: the next attempt
        gets a copy."""
        zombie.stop()
        self.note(zombie)
        if self.restore is not None and self.restore in zombie.checkpoints:
            kept = self.folder / f"kept-{len(self.processes)}" / self.restore.parent.name
            shutil.copytree(self.restore.parent, kept, copy_function=os.link)
            self.restore = kept / self.restore.name

    def last_attempt(self, chunk: Chunk) -> None:
        """One that ends well: a bounded job by itself, another when all its results are there."""
        process = self.start_accepted(self.plan.last_parallelism, self.last_meter)
        if self.feed_last:
            self.feed_last(process, chunk)
        else:
            self.feed_unbounded(chunk)
        if self.plan.bounded:
            code = process.wait("the end of the job")
            if code != 0:
                raise Failure(
                    f"the last attempt ended with exit code {code}:\n{tail(process.output)}"
                )
        else:
            for sink in self.plan.sinks:
                self.await_results(process, sink)
            # Whatever is still on its way, a double perhaps, comes with the next checkpoints.
            self.await_checkpoints(process, 2)
            if process.exit_code is not None:
                raise Failure(f"the last attempt ended by itself:\n{tail(process.output)}")
            process.kill()
        self.note(process)
        for zombie in self.zombies:
            self.end(zombie)

    def end(self, zombie: Process) -> None:
        """Its successors have stopped it by now if it could harm them."""
        if "kafka-once" in self.plan.sinks:
            code = zombie.wait("to be stopped by its successors")
            if FENCED not in zombie.output:
                raise Failure(f"a zombie ended with exit code {code}:\n{tail(zombie.output)}")
        zombie.kill()

    def note(self, process: Process) -> None:
        """The next attempt starts from the newest checkpoint of this one, if it has any."""
        checkpoints = process.checkpoints
        if checkpoints:
            self.restore = checkpoints[-1]

    def await_output(self, process: Process, text: str) -> None:
        self.await_true(
            lambda: text in process.output or process.exit_code is not None,
            f"{text!r} in {process.log}",
        )

    def await_checkpoints(self, process: Process, count: int) -> None:
        """Waits for so many more, or for the end of the process."""
        wanted = process.newest() + count
        self.await_true(
            lambda: process.exit_code is not None or process.newest() >= wanted,
            f"{count} more checkpoints of attempt {process.number}",
        )

    # --- Input and results ------------------------------------------------------------------------

    def make_topics(self) -> None:
        sizes = {self.topics[topic]: count for topic, count in self.shape.topics.items()}
        for sink in self.plan.sinks:
            if sink.startswith("kafka"):
                sizes[self.target(sink)] = OUTPUT_PARTITIONS
        # Times of the records are long past: the broker would remove them.
        forever = {"retention.ms": "-1"}
        topics = [NewTopic(topic, count, 1, config=forever) for topic, count in sizes.items()]
        if "search" in self.plan.sinks and self.servers.search:
            self.servers.search.request("PUT", f"/{self.name}")
        admin = AdminClient({"bootstrap.servers": self.servers.kafka, **QUIET})
        for future in admin.create_topics(topics).values():
            future.result(PATIENCE_S)

    def remove_topics(self) -> None:
        topics = list(self.topics.values())
        topics += [self.target(sink) for sink in self.plan.sinks if sink.startswith("kafka")]
        admin = AdminClient({"bootstrap.servers": self.servers.kafka, **QUIET})
        for future in admin.delete_topics(topics).values():
            with contextlib.suppress(Exception):  # tidying only; the broker may be gone
                future.result(5)

    def feed_unbounded(self, chunk: Chunk) -> None:
        """What comes while an attempt runs: a zombie must not have read it before."""
        if not self.plan.bounded:
            self.feed(chunk)

    def feed(self, chunk: Chunk) -> None:
        self.fed.append(chunk)
        refused: list[object] = []

        def delivered(error: object, _: object) -> None:
            if error is not None:
                refused.append(error)

        # Idempotent: a batch that a new topic refuses once would else come behind the next one.
        settings = {"linger.ms": 1, "enable.idempotence": True, **QUIET}
        producer = Producer({"bootstrap.servers": self.servers.kafka, **settings})
        for message in chunk:
            producer.produce(
                self.topics[message.topic],
                message.text,
                partition=message.partition,
                timestamp=message.timestamp,
                on_delivery=delivered,
            )
            producer.poll(0)
        left = producer.flush(PATIENCE_S)
        if left or refused:
            raise Failure(f"the broker did not take {left} records of the input: {refused[:3]}")

    def target(self, sink: str) -> str:
        """A topic, a folder, an index."""
        if sink == "files":
            return str(self.results)
        if sink == "search":
            assert self.servers.search is not None, "no search server"
            return f"{self.servers.search.url}/{self.name}"
        return f"{self.name}-{sink}"

    def reader(self, sink: str) -> Reader:
        if sink not in self.readers:
            self.readers[sink] = self.make_reader(sink)
        return self.readers[sink]

    def make_reader(self, sink: str) -> Reader:
        if sink == "files":
            return FilesReader(Path(self.target(sink)))
        if sink == "search":
            assert self.servers.search is not None, "no search server"
            return SearchReader(self.servers.search, self.name)
        return KafkaReader(self.servers.kafka, self.target(sink), OUTPUT_PARTITIONS)

    def outstanding(self, sink: str) -> int:
        """How many results of the records fed up to now are not there yet; for shapes that have a
        result for each record."""
        fed = self.shape.expect(Input(self.fed, []))
        return missing(fed, self.reader(sink).read())

    def await_results(self, process: Process, sink: str) -> None:
        """Waits until every result is there; only standing still for long is a failure."""
        best, since = len(self.expected) + 1, time.monotonic()
        while True:
            left = missing(self.expected, self.reader(sink).read())
            if left == 0:
                return
            if process.exit_code is not None:
                raise Failure(
                    f"the last attempt ended by itself with exit code {process.exit_code}, {left} "
                    f"results missing in {sink}:\n{tail(process.output)}"
                )
            now = time.monotonic()
            if left < best:
                best, since = left, now
            if now - since > PATIENCE_S:
                found = differences(sink, self.expected, self.reader(sink).read())
                raise Failure(f"no result for {PATIENCE_S} s:\n" + "\n".join(found))
            time.sleep(0.01)

    def compare(self) -> int:
        problems: list[str] = []
        repeated = 0
        for sink in self.plan.sinks:
            found = self.reader(sink).read()
            problems += differences(sink, self.expected, found)
            if sink not in ONCE:
                repeated += len(found) - len(set(found))
        if problems:
            for sink in self.plan.sinks:
                (self.folder / f"found-{sink}.txt").write_text(
                    "\n".join(self.reader(sink).read()), encoding="utf-8"
                )
            (self.folder / "expected.txt").write_text("\n".join(self.expected), encoding="utf-8")
            raise Failure("\n".join(problems))
        return repeated

    def await_true(self, holds: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            if time.monotonic() > deadline:
                raise Failure(f"{what}: not within {PATIENCE_S} s")
            time.sleep(0.005)


def tail(text: str, lines: int = 30) -> str:
    return "\n".join(text.splitlines()[-lines:])
