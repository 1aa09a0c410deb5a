"""State in RocksDB: the same results as in memory, its settings, and that nobody else loads it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pyflink.common import Configuration, Duration, Row, Time, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import (
    EmbeddedRocksDBStateBackend,
    PredefinedOptions,
    RocksDBStateBackend,
    StreamExecutionEnvironment,
)
from pyflink.datastream.functions import (
    AggregateFunction,
    KeyedProcessFunction,
    ProcessWindowFunction,
    ReduceFunction,
)
from pyflink.datastream.state import (
    AggregatingStateDescriptor,
    ListStateDescriptor,
    MapStateDescriptor,
    ReducingStateDescriptor,
    StateTtlConfig,
    ValueStateDescriptor,
)
from pyflink.datastream.window import (
    CountWindow,
    EventTimeSessionWindows,
    SlidingEventTimeWindows,
    TumblingEventTimeWindows,
)
from tests.python import stored_job
from tests.python.test_savepoints import expected_line

BACKENDS = ("hashmap", "rocksdb")
TINY = {"state.backend.rocksdb.memory.fixed-per-tm": "64 kb"}
"""Nearly everything goes through the database."""


def environment(backend, settings=None, parallelism=1):
    configuration = Configuration()
    configuration.set_string("state.backend.type", backend)
    for key, value in (settings or {}).items():
        configuration.set_string(key, value)
    env = StreamExecutionEnvironment.get_execution_environment(configuration)
    env.set_parallelism(parallelism)
    return env


def results(stream):
    with stream.execute_and_collect() as collected:
        return sorted(collected, key=repr)


class Longest(ReduceFunction):
    def reduce(self, a, b):
        return max(a, b, key=len)


class Spread(AggregateFunction):
    """An accumulator of Python objects that is changed in place."""

    def create_accumulator(self):
        return {"seen": []}

    def add(self, value, accumulator):
        accumulator["seen"].append(value)
        return accumulator

    def get_result(self, accumulator):
        return max(accumulator["seen"]) - min(accumulator["seen"])

    def merge(self, a, b):
        return {"seen": a["seen"] + b["seen"]}


class EveryKind(KeyedProcessFunction):
    def open(self, ctx):
        self.count = ctx.get_state(ValueStateDescriptor("count", Types.INT()))
        self.row = ctx.get_state(
            ValueStateDescriptor("row", Types.ROW_NAMED(["n", "s"], [Types.INT(), Types.STRING()]))
        )
        self.any = ctx.get_state(ValueStateDescriptor("any", Types.PICKLED_BYTE_ARRAY()))
        self.seen = ctx.get_list_state(ListStateDescriptor("seen", Types.INT()))
        self.by_name = ctx.get_map_state(MapStateDescriptor("m", Types.STRING(), Types.INT()))
        self.by_tuple = ctx.get_map_state(
            MapStateDescriptor("t", Types.PICKLED_BYTE_ARRAY(), Types.PICKLED_BYTE_ARRAY())
        )
        self.longest = ctx.get_reducing_state(
            ReducingStateDescriptor("longest", Longest(), Types.STRING())
        )
        self.spread = ctx.get_aggregating_state(
            AggregatingStateDescriptor("spread", Spread(), Types.PICKLED_BYTE_ARRAY())
        )

    def process_element(self, value, ctx):
        n = (self.count.value() or 0) + 1
        self.count.update(n)
        self.row.update(Row(n, f"text {value}"))
        kept = self.any.value() or {"list": [], "set": set()}
        kept["list"].append(value)
        kept["set"].add(value % 3)
        self.any.update(kept)
        self.seen.add(value)
        self.by_name.put(f"n{value % 5}", value)
        if value % 4 == 0:
            self.by_name.remove("n1")
        self.by_tuple.put((value % 2, "x"), [value])
        self.longest.add("x" * (value % 7))
        self.spread.add(value)
        if n % 40 == 0:
            self.seen.clear()
            self.by_tuple.clear()
        yield (
            ctx.get_current_key(),
            n,
            self.row.value(),
            sorted(kept["set"]),
            len(kept["list"]),
            list(self.seen.get()),
            list(self.by_name.items()),
            list(self.by_tuple.items()),
            self.by_name.contains("n2"),
            self.longest.get(),
            self.spread.get(),
        )


@pytest.mark.parametrize("settings", [{}, TINY], ids=["default", "tiny"])
@pytest.mark.parametrize(
    "key", [lambda v: v % 11, lambda v: (v % 11, "k"), lambda v: f"key {v % 11}"], ids=str
)
def test_every_kind_of_state_gives_what_it_gives_in_memory(key, settings):
    def run(backend):
        env = environment(backend, settings, parallelism=2)
        stream = env.from_collection(list(range(600)))
        return [repr(r) for r in results(stream.key_by(key).process(EveryKind()))]

    assert run("rocksdb") == run("hashmap")


class Stamp(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value[1]


class Listing(ProcessWindowFunction):
    def process(self, key, context, elements):
        window = context.window()
        bounds = (
            window.max_timestamp()
            if isinstance(window, CountWindow)
            else (window.start, window.end)
        )
        yield key, bounds, [e[1] for e in elements]


@pytest.mark.parametrize(
    "windows",
    [
        TumblingEventTimeWindows.of(Time.milliseconds(100)),
        SlidingEventTimeWindows.of(Time.milliseconds(100), Time.milliseconds(30)),
        EventTimeSessionWindows.with_gap(Time.milliseconds(15)),
    ],
    ids=["tumbling", "sliding", "sessions"],
)
@pytest.mark.parametrize("reduced", [False, True], ids=["listed", "reduced"])
def test_windows_give_what_they_give_in_memory(windows, reduced):
    def run(backend):
        env = environment(backend, TINY)
        records = [(f"k{n % 5}", (n * n * 7) % 4000) for n in range(500)]
        strategy = WatermarkStrategy.for_bounded_out_of_orderness(
            Duration.of_millis(10_000)
        ).with_timestamp_assigner(Stamp())
        windowed = (
            env.from_collection(records)
            .assign_timestamps_and_watermarks(strategy)
            .key_by(lambda v: v[0])
            .window(windows)
        )
        if reduced:
            return results(windowed.reduce(lambda a, b: (a[0], a[1] + b[1])))
        return results(windowed.process(Listing()))

    expected = run("hashmap")
    assert len(expected) > 5
    assert run("rocksdb") == expected


def test_sums_of_native_types_are_kept_too():
    def run(backend):
        env = environment(backend, TINY, parallelism=2)
        stream = env.from_collection(
            [(n % 700, n) for n in range(5000)], Types.TUPLE([Types.INT(), Types.LONG()])
        )
        return results(stream.key_by(lambda v: v[0]).sum(1))

    assert run("rocksdb") == run("hashmap")


@pytest.mark.parametrize("mode", ["STREAMING", "BATCH"])
def test_timers_and_batch_mode(mode):
    class OnTime(KeyedProcessFunction):
        def open(self, ctx):
            self.last = ctx.get_state(ValueStateDescriptor("last", Types.LONG()))

        def process_element(self, value, ctx):
            self.last.update((self.last.value() or 0) + value[1])
            ctx.timer_service().register_event_time_timer(10_000)

        def on_timer(self, timestamp, ctx):
            yield ctx.get_current_key(), self.last.value()

    def run(backend):
        env = environment(backend, {**TINY, "execution.runtime-mode": mode})
        strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(Stamp())
        return results(
            env.from_collection([(n % 50, n) for n in range(1000)])
            .assign_timestamps_and_watermarks(strategy)
            .key_by(lambda v: v[0])
            .process(OnTime())
        )

    assert run("rocksdb") == run("hashmap")
    assert len(run("rocksdb")) == 50


def test_a_change_without_update_is_lost():
    class Forgetful(KeyedProcessFunction):
        def open(self, ctx):
            self.kept = ctx.get_state(ValueStateDescriptor("l", Types.PICKLED_BYTE_ARRAY()))

        def process_element(self, value, ctx):
            kept = self.kept.value()
            if kept is None:
                self.kept.update([value])
            else:
                kept.append(value)
            yield list(self.kept.value())

    env = environment("rocksdb")
    stream = env.from_collection([1, 2, 3]).key_by(lambda v: 0).process(Forgetful())
    assert results(stream) == [[1], [1], [1]]


def test_expired_state_is_not_seen():
    class Timed(KeyedProcessFunction):
        def open(self, ctx):
            ttl = (
                StateTtlConfig.new_builder(Time.days(1))
                .cleanup_in_rocksdb_compact_filter(10)
                .build()
            )
            descriptor = MapStateDescriptor("m", Types.INT(), Types.INT())
            descriptor.enable_time_to_live(ttl)
            self.m = ctx.get_map_state(descriptor)

        def process_element(self, value, ctx):
            self.m.put(value, value)
            yield sum(self.m.values())

    env = environment("rocksdb", TINY)
    stream = env.from_collection([1, 2, 3]).key_by(lambda v: 0).process(Timed())
    assert results(stream) == [1, 3, 6]


# --- Settings


def test_the_working_directory_is_where_it_was_told_and_goes_at_the_end(tmp_path):
    seen = []

    class Look(KeyedProcessFunction):
        def open(self, ctx):
            self.v = ctx.get_state(ValueStateDescriptor("v", Types.STRING()))

        def process_element(self, value, ctx):
            self.v.update("x" * 1000)
            if value == 999:
                seen.extend(tmp_path.iterdir())
            yield value

    env = environment("rocksdb", TINY)
    backend = env.get_state_backend()
    assert isinstance(backend, EmbeddedRocksDBStateBackend)
    backend.set_db_storage_paths(f"file://{tmp_path}")
    results(env.from_collection(list(range(1000))).key_by(lambda v: v).process(Look()))
    assert len(seen) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("state.backend.rocksdb.memory.managed", "perhaps", "true or false"),
        ("state.backend.rocksdb.writebuffer.size", "big", "64mb"),
        ("state.backend.rocksdb.predefined-options", "FASTEST", "FLASH_SSD_OPTIMIZED"),
        ("state.backend.rocksdb.localdir", "here", "absolute"),
        ("taskmanager.memory.managed.size", "much", "64mb"),
    ],
)
def test_bad_values_are_refused_before_the_job_starts(key, value, wanted):
    env = environment("rocksdb", {key: value})
    env.from_collection([1]).key_by(lambda v: v).process(EveryKind()).print()
    with pytest.raises(ValueError, match=wanted) as refused:
        env.execute()
    assert key in str(refused.value)
    assert value in str(refused.value)


def test_the_backend_object_wins_over_settings(tmp_path):
    from pyflink.datastream._rocksdb import job_settings

    backend = EmbeddedRocksDBStateBackend(True)
    backend.set_db_storage_paths("/a", "file:///b")
    backend.set_predefined_options(PredefinedOptions.FLASH_SSD_OPTIMIZED)
    given = {
        "state.backend.rocksdb.localdir": "/c",
        "state.backend.incremental": "false",
        "state.backend.rocksdb.thread.num": 3,
        "state.backend.rocksdb.options-factory": "com.example.Factory",
        "parallelism.default": 4,
    }
    assert job_settings(backend, given, 2) == {
        "execution.checkpointing.incremental": "true",
        "slots": "2",
        "state.backend.incremental": "true",
        "state.backend.rocksdb.localdir": "/a,/b",
        "state.backend.rocksdb.predefined-options": "FLASH_SSD_OPTIMIZED",
        "state.backend.rocksdb.thread.num": "3",
    }
    silent = EmbeddedRocksDBStateBackend()
    assert job_settings(silent, {"state.backend.incremental": True}, 1) == {
        "slots": "1",
        "state.backend.incremental": "true",
    }
    older = RocksDBStateBackend(str(tmp_path), True)
    assert older.is_incremental_checkpoints_enabled()


def test_a_job_without_it_does_not_load_it():
    program = """
import sys
from pyflink.datastream import StreamExecutionEnvironment
env = StreamExecutionEnvironment.get_execution_environment()
env.set_state_backend(sys.argv[1])
env.from_collection([1, 2]).key_by(lambda v: v).reduce(lambda a, b: a).print()
env.execute()
print("loaded", "rocksdb" in open("/proc/self/maps").read())
"""
    for backend in BACKENDS:
        done = subprocess.run(
            [sys.executable, "-c", program, backend],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parent,
        )
        assert done.stdout.splitlines()[-1] == f"loaded {backend == 'rocksdb'}"


# --- Checkpoints

KEPT = {"execution_checkpointing_externalized__checkpoint__retention": "RETAIN_ON_CANCELLATION"}
ROCKSDB = {"state_backend_type": "rocksdb", **KEPT}
INCREMENTAL = {**ROCKSDB, "state_backend_incremental": "true"}
HEAP = {"state_backend_type": "hashmap", **KEPT}
STORED = Path(__file__).parents[1] / "data" / "checkpoints"


def run_stored(folder, numbers, rules, parallelism, restored_from, options):
    """Lines of the job's run, and a checkpoint of its end."""
    job, lines, arrived = stored_job.start(
        folder, numbers, rules, parallelism, restored_from, **options
    )
    try:
        if not arrived.wait(30):
            job.get_job_execution_result().result()
        return sorted(lines), job._job.trigger_checkpoint()
    finally:
        job.cancel().result()


@pytest.mark.parametrize("options", [ROCKSDB, INCREMENTAL], ids=["full", "incremental"])
def test_checkpoints_are_restored_at_any_parallelism(tmp_path, options):
    _, path = run_stored(tmp_path, (1, 2), ("x", "y"), 2, None, options)
    for numbers, parallelism in (((1, 2, 5), 2), ((1, 2, 5, 6), 3), ((1, 2, 5, 6, 7), 1)):
        lines, path = run_stored(tmp_path, numbers[-1:], (), parallelism, path, options)
        assert lines == sorted(expected_line(key, numbers, ("x", "y")) for key in stored_job.KEYS)


def test_a_checkpoint_of_state_in_memory_is_taken_over(tmp_path):
    stored = min(STORED.iterdir()) / "stored-job"
    lines, path = run_stored(tmp_path, (5,), (), 2, stored, INCREMENTAL)
    assert lines == sorted(expected_line(key, (1, 2, 5), ("x", "y")) for key in stored_job.KEYS)
    lines, _ = run_stored(tmp_path, (6,), (), 2, path, INCREMENTAL)
    assert lines == sorted(expected_line(key, (1, 2, 5, 6), ("x", "y")) for key in stored_job.KEYS)


def test_its_checkpoints_need_it(tmp_path):
    _, path = run_stored(tmp_path, (1,), ("x",), 1, None, INCREMENTAL)
    with pytest.raises(Exception, match=r"state\.backend\.type to 'rocksdb'"):
        run_stored(tmp_path, (2,), (), 1, path, HEAP)


def test_incremental_checkpoints_share_files(tmp_path):
    job, _, arrived = stored_job.start(tmp_path, (1, 2), ("x",), 2, None, **INCREMENTAL)
    try:
        assert arrived.wait(30)
        tables = []
        for _ in range(2):
            job._job.trigger_checkpoint()
            tables.append({p.name for p in tmp_path.glob("*/shared/rocksdb-*.sst")})
    finally:
        job.cancel().result()
    assert tables[0]
    assert tables[0] & tables[1]
