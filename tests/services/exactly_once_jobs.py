"""A job from Kafka through keyed state into Kafka, in a process of its own that a test may kill.

The oracle: each key's numbers are there once, in order, as a reader of committed records sees them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from tests.services.kafka_client import await_true, create_topic, produce, values_of

KEYS = 11

JOB = """
import sys
from pyflink.common import Configuration, Types, WatermarkStrategy
from pyflink.common.serialization import SimpleStringSchema
from pyflink.datastream import KeyedProcessFunction, StreamExecutionEnvironment
from pyflink.datastream.connectors import DeliveryGuarantee
from pyflink.datastream.connectors.kafka import (
    KafkaRecordSerializationSchema, KafkaSink, KafkaSource,
)
from pyflink.datastream.state import ValueStateDescriptor

servers, name, folder, restore, parallelism = sys.argv[1:6]
more = dict(argument.split("=", 1) for argument in sys.argv[6:])
configuration = {key[5:]: more.pop(key) for key in list(more) if key.startswith("conf:")}
topics = int(more.pop("topics", "1"))


class Count(KeyedProcessFunction):
    def open(self, context):
        self.count = context.get_state(ValueStateDescriptor("count", Types.LONG()))

    def process_element(self, value, ctx):
        n = (self.count.value() or 0) + 1
        self.count.update(n)
        yield f"{value} {n}"


env = StreamExecutionEnvironment.get_execution_environment().set_parallelism(int(parallelism))
settings = Configuration()
settings.set_string("execution.checkpointing.interval", "150ms")
settings.set_string("execution.checkpointing.dir", "file://" + folder)
settings.set_string("state.checkpoints.num-retained", "3")
settings.set_string("restart-strategy.type", "none")
settings.set_string(
    "execution.checkpointing.externalized-checkpoint-retention", "RETAIN_ON_CANCELLATION"
)
if restore:
    settings.set_string("execution.savepoint.path", restore)
for key, value in configuration.items():
    settings.set_string(key, value)
env.configure(settings)
source = KafkaSource.builder().set_bootstrap_servers(servers).set_topics(name + "-in")
source.set_value_only_deserializer(SimpleStringSchema())
record = KafkaRecordSerializationSchema.builder()
if topics == 1:
    record.set_topic(name + "-out")
else:  # each key has its own; partitions by the whole record
    record.set_topic_selector(lambda line: f"{name}-out-{int(line.split()[0][1:]) % topics}")
    record.set_key_serialization_schema(SimpleStringSchema())
record.set_value_serialization_schema(SimpleStringSchema())
sink = KafkaSink.builder().set_bootstrap_servers(servers).set_record_serializer(record.build())
sink.set_delivery_guarantee(DeliveryGuarantee.EXACTLY_ONCE).set_transactional_id_prefix(name)
for key, value in more.items():
    sink.set_property(key, value)
stream = env.from_source(source.build(), WatermarkStrategy.no_watermarks(), "kafka")
counted = stream.key_by(lambda value: value, Types.STRING()).process(Count(), Types.STRING())
counted.sink_to(sink.build())
env.execute(name)
"""


class Run:
    """One run of the job in a process of its own."""

    def __init__(self, folder: Path, arguments: list[str], fault: str | None, number: int) -> None:
        self._output = folder / f"run-{number}.out"
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        if fault is not None:
            environment["FLOTT_FAULT"] = fault
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", JOB, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
            )

    @property
    def output(self) -> str:
        return self._output.read_text(errors="replace")

    def wait(self, timeout_s: float = 60.0) -> int:
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still runs after {timeout_s} s:\n{self.output}") from None

    def await_text(self, text: str) -> None:
        """Waits until it has said so."""

        def said() -> bool:
            assert self.process.poll() is None, self.output
            return text in self.output

        await_true(said, text, 60)

    def interrupt(self) -> None:
        """Cancels it, as Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)
        self.wait()


class Pipeline:
    """A job's topics, its runs, and what should have come out."""

    def __init__(
        self, servers: str, name: str, folder: Path, topics: int = 1, partitions: int = 1
    ) -> None:
        self.servers = servers
        self.name = name
        self._topics = [f"{name}-out"]
        if topics > 1:
            self._topics = [f"{name}-out-{n}" for n in range(topics)]
        self._folder = folder
        self.checkpoint_folder = folder / "checkpoints"
        self.runs: list[Run] = []
        self._sent: Counter[str] = Counter()
        create_topic(servers, f"{name}-in", 2)
        for topic in self._topics:
            create_topic(servers, topic, partitions)

    def send(self, count: int) -> None:
        for partition in (0, 1):
            keys = [f"k{(i * 7 + partition) % KEYS}" for i in range(count // 2)]
            self._sent.update(keys)
            produce(self.servers, f"{self.name}-in", keys, partition=partition)

    def checkpoints(self) -> list[Path]:
        """Complete ones, oldest first."""
        found = {}
        for path in self.checkpoint_folder.glob("*/chk-*/_metadata"):
            with contextlib.suppress(FileNotFoundError):  # it may just be removed
                found[path.parent] = path.stat().st_mtime_ns
        return sorted(found, key=lambda path: found[path])

    def keep(self, checkpoint: Path) -> Path:
        """A copy that no job removes."""
        copy = self._folder / "kept" / str(len(self.runs)) / checkpoint.parent.name
        shutil.copytree(checkpoint.parent, copy)
        return copy / checkpoint.name

    def start(
        self,
        parallelism: int = 2,
        fault: str | None = None,
        restore: Path | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> Run:
        """From the newest checkpoint unless another is given."""
        newest = restore or next(iter(reversed(self.checkpoints())), None)
        more = [f"{key}={value}" for key, value in (settings or {}).items()]
        more.append(f"topics={len(self._topics)}")
        arguments = [self.servers, self.name, str(self.checkpoint_folder)]
        arguments += ["" if newest is None else str(newest), str(parallelism), *more]
        run = Run(self._folder, arguments, fault, len(self.runs))
        self.runs.append(run)
        return run

    def output(self) -> list[str]:
        return [line for topic in self._topics for line in values_of(self.servers, topic)]

    def await_kill(self, run: Run) -> None:
        """Sends records until the run has killed itself."""
        deadline = time.monotonic() + 60
        while run.process.poll() is None:
            assert time.monotonic() < deadline, run.output
            self.send(20)
            time.sleep(0.03)
        assert run.process.returncode == -signal.SIGKILL, run.output

    def await_stop(self, run: Run) -> None:
        """Sends records until the run has stopped itself."""

        def stopped() -> bool:
            assert run.process.poll() is None, run.output
            self.send(20)
            state = Path(f"/proc/{run.process.pid}/stat").read_text().rpartition(")")[2].split()[0]
            return state == "T"

        await_true(stopped, "the fault point", 60)

    def await_checkpoints(self, run: Run, count: int) -> None:
        """As many new ones as `count`."""
        before = set(self.checkpoints())
        seen: set[Path] = set()

        def enough() -> bool:
            assert run.process.poll() is None, run.output
            seen.update(set(self.checkpoints()) - before)
            return len(seen) >= count

        await_true(enough, f"{count} checkpoints", 60)

    def await_output(self, run: Run) -> None:
        expected = sum(self._sent.values())

        def complete() -> bool:
            assert run.process.poll() is None, run.output
            return len(self.output()) >= expected

        await_true(complete, f"{expected} records", 60)

    def check(self) -> None:
        """Each key's numbers are 1, 2, 3, ... once each; in order where there is one partition."""
        numbers: dict[str, list[int]] = {}
        for line in self.output():
            key, number = line.split()
            numbers.setdefault(key, []).append(int(number))
        if len(self._topics) > 1:
            numbers = {key: sorted(values) for key, values in numbers.items()}
        expected = {key: list(range(1, count + 1)) for key, count in self._sent.items()}
        wrong = {key: numbers.get(key) for key in expected if numbers.get(key) != expected[key]}
        assert numbers == expected, f"{wrong}\n" + "\n".join(run.output for run in self.runs)
