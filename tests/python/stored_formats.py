"""Jobs whose checkpoints stay in tests/data/formats: one of each kind of bytes that a job stores.

`python -m tests.python.stored_formats` stores all of them anew as the next generation: to be done
when the version of a format has been raised. The generations before it stay; the tests restore
all. Needs a Kafka server, which it starts.
"""

from __future__ import annotations

import contextlib
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from pyflink.common import Configuration, Duration, Encoder, Time, Types, WatermarkStrategy
from pyflink.common.serialization import SimpleStringSchema
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import StreamExecutionEnvironment, TimeDomain
from pyflink.datastream.connectors import DeliveryGuarantee
from pyflink.datastream.connectors.datagen import DataGeneratorSource
from pyflink.datastream.connectors.file_system import (
    BucketAssigner,
    FileCompactor,
    FileCompactStrategy,
    FileSink,
    FileSource,
    RollingPolicy,
    StreamFormat,
)
from pyflink.datastream.connectors.kafka import (
    KafkaOffsetsInitializer,
    KafkaRecordSerializationSchema,
    KafkaSink,
    KafkaSource,
)
from pyflink.datastream.functions import (
    AggregateFunction,
    KeyedBroadcastProcessFunction,
    ProcessWindowFunction,
    SourceFunction,
)
from pyflink.datastream.state import StateTtlConfig, ValueStateDescriptor
from pyflink.datastream.window import (
    EventTimeSessionWindows,
    SlidingEventTimeWindows,
    TumblingEventTimeWindows,
)
from tests.python import stored_job

ROOT = Path(__file__).parents[2]
FORMATS = ROOT / "tests" / "data" / "formats"
KEYS = ("a", "b", "c", "d", "e")
PAIR = Types.TUPLE([Types.STRING(), Types.LONG()])
LONG = "z"
PADDING = "." * 21_000
"""State of the key LONG. Its segment is longer than what lies in a manifest: a file in shared/."""
FILE_LINES = [f"{n:05}" for n in range(40_000)]
KEPT_LINES = FILE_LINES[::400]
HOLDS = ("01050", "20050")
"""Where the job with files stands still as a checkpoint begins; 8,000 lines are on their way."""


# --- Running a job


class Fed(SourceFunction):
    """Emits what is put into its queue, for ever."""

    def __init__(self, name):
        self._name = name

    def run(self, ctx):
        while (value := _fed[self._name].get()) is not None:
            ctx.collect(value)

    def cancel(self):
        _fed[self._name].put(None)


_fed: dict[str, queue.SimpleQueue] = {}


class Running:
    """A job, and the lines that it has brought."""

    def __init__(self, build, checkpoints, parallelism, restored_from=None, **options):
        self._lines = []
        self._grew = threading.Condition()
        configuration = Configuration()
        for key, value in options.items():
            configuration.set_string(key.replace("__", "-").replace("_", "."), value)
        configuration.set_string("restart-strategy.type", "none")
        configuration.set_string(
            "execution.checkpointing.externalized-checkpoint-retention", "RETAIN_ON_CANCELLATION"
        )
        if restored_from is not None:
            configuration.set_string("execution.savepoint.path", str(restored_from))
        env = StreamExecutionEnvironment.get_execution_environment(configuration)
        env.set_parallelism(parallelism).enable_checkpointing(3_600_000)
        env.get_checkpoint_config().set_checkpoint_storage_dir(Path(checkpoints).as_uri())
        for name in ("pairs", "rules"):
            _fed[name] = queue.SimpleQueue()
        build(env, self._note)
        self.job = env.execute_async("stored")

    def _note(self, line):
        with self._grew:
            self._lines.append(line)
            self._grew.notify_all()
        return line

    def feed(self, name, values):
        for value in values:
            _fed[name].put(value)

    def lines(self, count):
        """All of them, sorted, when there are `count`."""
        with self._grew:
            while len(self._lines) < count:
                if not self._grew.wait(1) and self.job.is_done():
                    self.job.get_job_execution_result().result()
            return sorted(self._lines)

    def checkpoint(self):
        return Path(self.job._job.trigger_checkpoint())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.job.cancel().result()


class SecondsOfPair(TimestampAssigner):
    """The number of a pair is its time."""

    def extract_timestamp(self, value, record_timestamp):
        return value[1] * 1000


def timed_pairs(env, strategy):
    stream = env.add_source(Fed("pairs"), type_info=PAIR).uid("pairs")
    return stream.assign_timestamps_and_watermarks(
        strategy.with_timestamp_assigner(SecondsOfPair())
    ).set_parallelism(1)


def key_of(pair):
    return pair[0]


# --- State and timers


class Everything(stored_job.Everything):
    """All kinds of keyed state, one with TTL, and timers of both kinds."""

    def __init__(self, due_ms, padded):
        self._due_ms = due_ms
        self._padded = padded

    def open(self, runtime_context):
        super().open(runtime_context)
        kept = ValueStateDescriptor("kept", Types.LONG())
        kept.enable_time_to_live(StateTtlConfig.new_builder(Time.days(36500)).build())
        self.kept = runtime_context.get_state(kept)
        if self._padded:
            padding = ValueStateDescriptor("padding", Types.STRING())
            self.padding = runtime_context.get_state(padding)

    def process_element(self, value, ctx):
        yield from super().process_element(value, ctx)
        key, number = value
        if self._padded and key == LONG and self.kept.value() is None:
            self.padding.update(PADDING)
        self.kept.update((self.kept.value() or 0) + 1)
        timers = ctx.timer_service()
        timers.register_event_time_timer((number + 10) * 1000)
        timers.register_processing_time_timer(self._due_ms + number)
        padding = self.padding.value() if self._padded else None
        yield repr((key, "kept", self.kept.value(), len(padding or "")))

    def on_timer(self, timestamp, ctx):
        key = ctx.get_current_key()
        if ctx.time_domain() == TimeDomain.EVENT_TIME:
            yield repr((key, "at", timestamp, self.total.get()))
        else:
            yield repr((key, "overdue"))


class WithRules(KeyedBroadcastProcessFunction):
    """Puts the rules that it knows before each line."""

    def process_element(self, value, ctx):
        yield f"{sorted(ctx.get_broadcast_state(stored_job.RULES).items())} {value}"

    def process_broadcast_element(self, value, ctx):
        ctx.get_broadcast_state(stored_job.RULES).put(value, f"rule {value}")
        yield f"put {value}"


def state_job(due_in_ms, padded):
    """Timers of its processing time are due in `due_in_ms`; `padded`: the key LONG has padding."""
    due_ms = time.time_ns() // 1_000_000 + due_in_ms

    def build(env, note):
        rules = env.add_source(Fed("rules"), type_info=Types.STRING()).uid("rules")
        (
            timed_pairs(env, WatermarkStrategy.for_monotonous_timestamps())
            .key_by(key_of, Types.STRING())
            .process(Everything(due_ms, padded), Types.STRING())
            .uid("everything")
            .key_by(lambda line: line[2], Types.STRING())
            .connect(rules.broadcast(stored_job.RULES))
            .process(WithRules(), Types.STRING())
            .uid("with-rules")
            .map(note)
            .set_parallelism(1)
            .print()
        )

    return build


def store_state(folder, backend):
    """After two checkpoints, with the second's changes beside the files of the first."""
    padded = backend == "heap"
    with Running(state_job(60_000, padded), folder, 2, **BACKENDS[backend]) as running:
        running.feed("rules", ("x", "y"))
        running.lines(2 * 2)
        # Not in the second: a delta is merged with a base that is no longer than it.
        first = [(LONG, 1)] if padded else []
        for number in (1, 2):
            running.feed("pairs", first + [(key, number) for key in KEYS])
            running.lines(2 * 2 + 2 * len(first) + 2 * number * len(KEYS))
            path = running.checkpoint()
            first = []
        if backend == "savepoint":
            return running.job.stop_with_savepoint(False, str(folder / "savepoints")).result()
    return path


# --- Windows


class Sum(stored_job.Sum, AggregateFunction):
    """Adds the numbers of pairs up."""

    def add(self, value, accumulator):
        return accumulator + value[1]


class Named(ProcessWindowFunction):
    """A line for each window: its kind, key, begin (unless it counts) and numbers."""

    def __init__(self, kind):
        self._kind = kind

    def process(self, key, context, elements):
        found = sorted(e[1] if isinstance(e, tuple) else e for e in elements)
        start = "" if self._kind == "count" else f" {context.window().start}"
        yield f"{self._kind} {key}{start} {found}"


def windows_job(env, note):
    # Nothing fires before a record that is an hour ahead.
    pairs = timed_pairs(env, WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_hours(1)))
    pairs.map(lambda pair: note(f"got {pair}"), Types.STRING()).set_parallelism(1).print()
    pairs = pairs.key_by(key_of, Types.STRING())
    tumbling = pairs.window(TumblingEventTimeWindows.of(Time.seconds(10))).reduce(
        lambda a, b: (a[0], a[1] + b[1]), Named("tumbling"), output_type=Types.STRING()
    )
    sliding = pairs.window(SlidingEventTimeWindows.of(Time.seconds(20), Time.seconds(10)))
    sliding = sliding.aggregate(Sum(), Named("sliding"), Types.PICKLED_BYTE_ARRAY(), Types.STRING())
    sessions = pairs.window(EventTimeSessionWindows.with_gap(Time.seconds(5)))
    sessions = sessions.process(Named("session"), Types.STRING())
    counted = pairs.count_window(3).process(Named("count"), Types.STRING())
    streams = {"tumbling": tumbling, "sliding": sliding, "sessions": sessions, "counted": counted}
    for uid, stream in streams.items():
        stream.uid(uid)
    tumbling.union(sliding, sessions, counted).map(note).set_parallelism(1).print()


def store_windows(folder, backend):
    """With open windows: two sessions a key, and one record of three counted ones."""
    with Running(windows_job, folder, 1, **BACKENDS[backend]) as running:
        for numbers, lines in (((1, 4), 2), ((15, 16), 5)):  # the third is the fifth line
            running.feed("pairs", [(key, number) for number in numbers for key in KEYS])
            running.lines(lines * len(KEYS))
            path = running.checkpoint()
    return path


# --- Sources


def sources_job(count):
    """Sources that bring the numbers up to `count`, beside one that keeps the job alive."""

    def build(env, note):
        row = Types.ROW_NAMED(["n"], [Types.LONG()])
        numbers = {"n": {"kind": "sequence", "start": 0, "end": count - 1}}
        generator = DataGeneratorSource(row, number_of_rows=count, fields=numbers)
        collected = env.from_collection(list(range(count)), Types.LONG()).uid("collection")
        generated = env.from_source(generator, WatermarkStrategy.no_watermarks(), "generator")
        generated = generated.uid("generator").map(lambda row: row.n)
        for name, stream in (("collected", collected), ("generated", generated)):
            stream.map(lambda n, name=name: note(f"{name} {n}")).set_parallelism(1).print()
        env.add_source(Fed("pairs"), type_info=PAIR).uid("pairs").print()

    return build


def store_sources(folder):
    """All ten numbers were read; a longer job goes on behind them."""
    with Running(sources_job(10), folder, 1) as running:
        running.lines(20)
        return running.checkpoint()


# --- Files


def file_job(compacted, hold=lambda line: None):
    """Reads in.txt and writes into out, both in the working directory; at `hold` it may wait."""

    def build(env, note):
        def held(line):
            number = line.split()[0]
            hold(number)
            return note(number)

        lines = FileSource.for_record_stream_format(StreamFormat.text_line_format(), "file:in.txt")
        sink = FileSink.for_row_format("file:out", Encoder.simple_string_encoder())
        sink.with_bucket_assigner(BucketAssigner.base_path_bucket_assigner())
        sink.with_rolling_policy(RollingPolicy.default_rolling_policy(part_size=50))
        if compacted:
            strategy = FileCompactStrategy.builder().set_size_threshold(10_000).build()
            sink.enable_compact(strategy, FileCompactor.concat_file_compactor())
        (
            env.from_source(lines.build(), WatermarkStrategy.no_watermarks(), "lines")
            .uid("lines")
            .set_parallelism(1)
            .map(held, Types.STRING())
            .set_parallelism(1)
            .filter(lambda line: int(line) % 400 == 0)
            .set_parallelism(1)
            .rebalance()
            .sink_to(sink.build())
            .uid("files")
        )

    return build


def write_input():
    """Lines so long that most of the file is still unread while a line is held."""
    Path("in.txt").write_text("".join(f"{line} {'.' * 500}\n" for line in FILE_LINES))


def store_files(folder, compacted):
    """Ends as its process is killed: its second checkpoint is durable, and the sink not told."""
    os.chdir(folder)
    write_input()
    reached, go_on = queue.SimpleQueue(), queue.SimpleQueue()

    def hold(line):
        if line in HOLDS:
            reached.put(line)
            go_on.get()

    with Running(file_job(compacted, hold), folder, 2) as running:
        for _ in HOLDS:
            reached.get()
            taken = threading.Thread(target=running.checkpoint)
            taken.start()
            taken.join(1)  # the barrier waits behind the line that is held
            go_on.put(None)
            taken.join()


# --- Kafka


def kafka_job(servers, **properties):
    """Copies the topic stored-in to stored-out, exactly once."""

    def build(env, note):
        source = KafkaSource.builder().set_bootstrap_servers(servers).set_topics("stored-in")
        source.set_value_only_deserializer(SimpleStringSchema())
        source.set_starting_offsets(KafkaOffsetsInitializer.earliest())
        record = KafkaRecordSerializationSchema.builder().set_topic("stored-out")
        record.set_value_serialization_schema(SimpleStringSchema())
        sink = KafkaSink.builder().set_bootstrap_servers(servers)
        sink.set_record_serializer(record.build()).set_transactional_id_prefix("stored")
        sink.set_delivery_guarantee(DeliveryGuarantee.EXACTLY_ONCE)
        for key, value in properties.items():
            sink.set_property(key.replace("_", "."), value)
        (
            env.from_source(source.build(), WatermarkStrategy.no_watermarks(), "records")
            .uid("records")
            .map(note, Types.STRING())
            .set_parallelism(1)
            .rebalance()
            .sink_to(sink.build())
            .uid("topic")
        )

    return build


def store_kafka(folder, servers):
    """Ends as its process is killed: its second checkpoint is durable, and nothing of it sent."""
    from tests.services.kafka_client import await_true, create_topic, produce, values_of

    create_topic(servers, "stored-in", 2)
    create_topic(servers, "stored-out")
    with Running(kafka_job(servers), folder, 2) as running:
        for end in (10, 20):
            produce(servers, "stored-in", [f"record {n}" for n in range(end - 10, end)])
            running.lines(end)
            running.checkpoint()
            await_true(lambda: len(values_of(servers, "stored-out")) == 10, "the first epoch")


# --- Storing


BACKENDS = {
    "heap": {"state_backend_type": "hashmap"},
    "rocksdb": {"state_backend_type": "rocksdb", "state_backend_incremental": "true"},
    "savepoint": {"state_backend_type": "rocksdb"},
}
NAMES = (
    "state-heap",
    "state-rocksdb",
    "state-savepoint",
    "windows-heap",
    "windows-rocksdb",
    "sources",
    "files-plain",
    "files-compacted",
    "kafka",
)


def store_until_killed(call):
    program = f"from tests.python import stored_formats as s; from pathlib import Path; s.{call}"
    environment = os.environ | {"FLOTT_FAULT": "between-manifest-and-commit:2"}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), *(p for p in sys.path if p)])
    done = subprocess.run([sys.executable, "-c", program], env=environment, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, "the fault point was not reached"


def keep(path, kept):
    """The checkpoint `path`, with the files that it shares, as `kept`/job/chk-<n>."""
    shutil.copytree(path, kept / "job" / Path(path).name)
    if (path.parent / "shared").exists():
        shutil.copytree(path.parent / "shared", kept / "job" / "shared")


def keep_newest(folder, kept):
    keep(max(folder.glob("*/chk-*/_metadata")).parent, kept)


def format_versions():
    """The version constants of the engine, one a line with its place."""
    constant = re.compile(r"^(?:inline )?constexpr [\w:]+ (k\w*Version) = (\d+);", re.MULTILINE)
    found = [
        f"{path.relative_to(ROOT)} {name} {number}"
        for path in (ROOT / "cpp").rglob("*")
        if path.suffix in (".h", ".cc")
        for name, number in constant.findall(path.read_text(encoding="utf-8"))
    ]
    return "".join(f"{line}\n" for line in sorted(found))


def store_one(name, kept):
    """Stores what tests/data/formats/<generation>/`name` holds as `kept`."""
    kind, _, variant = name.partition("-")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if kind == "state":
            keep(Path(store_state(folder, variant)), kept)
        elif kind == "windows":
            keep(store_windows(folder, variant), kept)
        elif kind == "sources":
            keep(store_sources(folder), kept)
        elif kind == "files":
            store_until_killed(f"store_files(Path({str(folder)!r}), {variant == 'compacted'})")
            keep_newest(folder, kept)
            shutil.copytree(folder / "out", kept / "out")
        else:
            from tests.services.servers import KafkaServer

            servers = stack.enter_context(KafkaServer()).bootstrap_servers
            store_until_killed(f"store_kafka(Path({str(folder)!r}), {servers!r})")
            keep_newest(folder, kept)


def main():
    """Stores one generation."""
    target = FORMATS / str(1 + max((int(p.name) for p in FORMATS.glob("*")), default=0))
    target.mkdir(parents=True)
    for name in NAMES:
        store_one(name, target / name)
    (target / "versions.txt").write_text(format_versions())


if __name__ == "__main__":
    main()
