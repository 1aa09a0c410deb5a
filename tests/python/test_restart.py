"""Jobs that fail and are started again, and what the reader of their results sees."""

from __future__ import annotations

import logging
import re
import threading

import pytest

from pyflink.common import Configuration, RestartStrategies, Types, WatermarkStrategy
from pyflink.common.job_status import JobStatus
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors.datagen import DataGeneratorSource
from pyflink.datastream.functions import KeyedProcessFunction, MapFunction
from pyflink.datastream.state import ValueStateDescriptor


class _Trap:
    """Shared by all copies of a function: a module's global, as a file or a server would be."""

    def __init__(self) -> None:
        self.failures = 0
        self.attempts: list[int] = []

    def __deepcopy__(self, memo):
        return self


Trap = _Trap()


@pytest.fixture(autouse=True)
def _trap():
    Trap.__init__()


class FailAt(MapFunction):
    """Fails at one value as often as Trap says."""

    def __init__(self, value: int) -> None:
        self._value = value
        self._calls = 0

    def open(self, runtime_context):
        assert self._calls == 0, "every attempt has an object of its own"
        Trap.attempts.append(runtime_context.get_attempt_number())

    def map(self, value):
        self._calls += 1
        if value == self._value and Trap.failures > 0:
            Trap.failures -= 1
            raise ValueError(f"the trap at {value}")
        return value


class Sum(KeyedProcessFunction):
    def open(self, runtime_context):
        self._sum = runtime_context.get_state(ValueStateDescriptor("sum", Types.LONG()))

    def process_element(self, value, ctx):
        total = (self._sum.value() or 0) + value
        self._sum.update(total)
        yield total


def environment(**settings: str) -> StreamExecutionEnvironment:
    configuration = Configuration()
    for key, value in settings.items():
        configuration.set_string(key.replace("__", "."), value)
    env = StreamExecutionEnvironment.get_execution_environment(configuration)
    env.set_parallelism(1)
    return env


def program(env: StreamExecutionEnvironment, fail_at: int = 50):
    return (
        env.from_collection(list(range(1, 101)), Types.LONG())
        .map(FailAt(fail_at), Types.LONG())
        .key_by(lambda _: "all", Types.STRING())
        .process(Sum(), Types.LONG())
    )


STRATEGIES = {
    "fixed-delay": {"fixed-delay.attempts": "3", "fixed-delay.delay": "1 ms"},
    "exponential-delay": {
        "exponential-delay.initial-backoff": "1 ms",
        "exponential-delay.max-backoff": "2 ms",
    },
    "failure-rate": {
        "failure-rate.max-failures-per-interval": "4",
        "failure-rate.delay": "1 ms",
    },
}


@pytest.mark.parametrize("name", STRATEGIES)
def test_each_strategy_restarts_with_fresh_functions_and_rows_come_once(name):
    env = environment()
    configuration = Configuration()
    configuration.set_string("restart-strategy.type", name)
    for key, value in STRATEGIES[name].items():
        configuration.set_string(f"restart-strategy.{key}", value)
    env.configure(configuration)
    env.enable_checkpointing(10)
    Trap.failures = 3
    with program(env).execute_and_collect() as rows:
        assert list(rows) == [n * (n + 1) // 2 for n in range(1, 101)]
    assert Trap.attempts == [0, 1, 2, 3]


def test_the_failure_after_the_last_attempt_is_the_jobs(caplog):
    env = environment()
    env.set_restart_strategy(RestartStrategies.fixed_delay_restart(2, 0))
    Trap.failures = 10
    program(env).print()
    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(ValueError, match="the trap at 50") as failure,
    ):
        env.execute()
    assert Trap.failures == 7
    assert "in attempt 3" in "".join(failure.value.__notes__)
    said = [r.getMessage() for r in caplog.records if "attempt" in r.getMessage()]
    assert [m for m in said if "the trap at 50; attempt 2 of 3 in 0 ms" in m]
    assert [m for m in said if "the trap at 50; attempt 3 of 3 in 0 ms" in m]


@pytest.mark.parametrize("spelling", ["none", "off", "disable", None])
def test_without_a_strategy_or_checkpoints_the_first_failure_is_the_last(spelling):
    env = environment()
    if spelling is not None:
        configuration = Configuration()
        configuration.set_string("restart-strategy.type", spelling)
        env.configure(configuration)
        env.enable_checkpointing(10_000)
    Trap.failures = 1
    program(env).print()
    with pytest.raises(ValueError, match="the trap"):
        env.execute()
    assert Trap.attempts == [0]


def test_with_checkpoints_the_default_is_exponential_delay():
    env = environment()
    env.enable_checkpointing(10_000)
    configuration = Configuration()  # the settings of the default, without its name
    configuration.set_string("restart-strategy.exponential-delay.initial-backoff", "1 ms")
    env.configure(configuration)
    Trap.failures = 4
    with program(env).execute_and_collect() as rows:
        assert len(list(rows)) == 100
    assert Trap.attempts == [0, 1, 2, 3, 4]


def test_rows_that_were_read_do_not_come_again_without_checkpoints():
    env = environment()
    env.set_restart_strategy_fixed_delay(1, 0)
    Trap.failures = 1
    gate = threading.Event()

    def wait_at_fifty(value):
        if value == 50:
            assert gate.wait(30)
        return value

    stream = (
        env.from_collection(list(range(1, 101)), Types.LONG())
        .map(wait_at_fifty, Types.LONG())
        .map(FailAt(50), Types.LONG())
    )
    with stream.execute_and_collect() as rows:
        assert next(rows) == 1
        gate.set()
        with pytest.raises(ValueError, match="had been read: they would come a second time"):
            list(rows)


def test_what_the_engine_refuses_in_a_function_is_not_tried_again():
    env = environment()
    env.set_restart_strategy_fixed_delay(3, 0)

    class TwoKinds(Sum):
        def open(self, runtime_context):
            Trap.attempts.append(runtime_context.get_attempt_number())
            super().open(runtime_context)
            runtime_context.get_state(ValueStateDescriptor("sum", Types.STRING()))

    stream = env.from_collection([1], Types.LONG()).key_by(lambda _: 1, Types.LONG())
    stream.process(TwoKinds(), Types.LONG()).print()
    with pytest.raises(ValueError, match="sum"):
        env.execute()
    assert Trap.attempts == [0]


def test_a_job_that_waits_for_its_restart_can_be_cancelled():
    env = environment()
    env.set_restart_strategy(RestartStrategies.fixed_delay_restart(1, 3_600_000))
    Trap.failures = 1
    program(env).print()
    client = env.execute_async()
    while client.get_job_status().result() is not JobStatus.RESTARTING:
        pass
    metrics = client.get_metrics().result()
    assert any(name.endswith(".downtime") for name in metrics)
    client.cancel().result()
    assert client.get_job_status().result() is JobStatus.CANCELED


def test_metrics_count_restarts_and_checkpoints():
    env = environment()
    env.set_restart_strategy_fixed_delay(2, 0)
    Trap.failures = 2
    program(env).print()
    metrics = env.execute("counted").get_metrics()
    assert metrics["jobmanager.counted.numRestarts"] == 2
    assert metrics["jobmanager.counted.fullRestarts"] == 2
    assert metrics["jobmanager.counted.numberOfCompletedCheckpoints"] == 0
    assert metrics["jobmanager.counted.lastCheckpointSize"] == -1
    assert metrics["jobmanager.counted.lastCheckpointExternalPath"] == "n/a"


def test_a_completed_checkpoint_is_in_the_metrics_and_in_the_log(caplog, tmp_path):
    caplog.set_level(logging.INFO)
    env = environment()
    env.enable_checkpointing(10)
    env.get_checkpoint_config().set_checkpoint_storage_dir(tmp_path.as_uri())

    row = Types.ROW_NAMED(["id"], [Types.LONG()])
    source = DataGeneratorSource(row, rows_per_second=1000, number_of_rows=300)
    rows = env.from_source(source, WatermarkStrategy.no_watermarks(), "rows")
    numbers = rows.map(lambda r: r.id, Types.LONG()).key_by(lambda v: v % 7, Types.LONG())
    numbers.process(Sum(), Types.LONG()).print()
    metrics = env.execute("seen").get_metrics()
    assert metrics["jobmanager.seen.numberOfCompletedCheckpoints"] >= 1
    assert metrics["jobmanager.seen.lastCheckpointSize"] > 0
    assert metrics["jobmanager.seen.lastCheckpointDuration"] >= 0
    path = metrics["jobmanager.seen.lastCheckpointExternalPath"]
    assert path.removeprefix("file://").startswith(f"{tmp_path}/")
    said = [record for record in caplog.records if "completed" in record.getMessage()]
    assert any(
        re.fullmatch(
            r"checkpoint \d+ of job 'seen' completed: [1-9]\d* bytes .* aligned, .* to write\), "
            + re.escape(f"{tmp_path}/")
            + r"\w+/chk-\d+",
            record.getMessage().replace("file://", ""),
        )
        for record in said
    ), [record.getMessage() for record in said]


def test_unaligned_checkpoints_are_taken_as_aligned_ones_and_that_is_said(caplog):
    caplog.set_level(logging.INFO)
    env = environment()
    env.enable_checkpointing(3_600_000).get_checkpoint_config().enable_unaligned_checkpoints()
    env.from_collection([1, 2, 3], Types.LONG()).print()
    env.execute("unaligned")
    said = [r.getMessage() for r in caplog.records if "unaligned" in r.getMessage()]
    assert any("'unaligned': unaligned checkpoints are taken as aligned ones" in s for s in said)


@pytest.mark.parametrize("backend", ["hashmap", "rocksdb"])
def test_checkpoints_that_overlap_hold_the_state_exactly(backend, tmp_path):
    """The next one begins while others are written; restarts are from what is complete."""
    env = environment(state__backend__type=backend)
    configuration = Configuration()
    configuration.set_string("restart-strategy.type", "fixed-delay")
    configuration.set_string("restart-strategy.fixed-delay.attempts", "5")
    configuration.set_string("restart-strategy.fixed-delay.delay", "1 ms")
    env.configure(configuration)
    env.enable_checkpointing(10)
    checkpoints = env.get_checkpoint_config()
    checkpoints.set_max_concurrent_checkpoints(4)
    checkpoints.set_checkpoint_storage_dir(tmp_path.as_uri())
    Trap.failures = 4
    count = 20_000
    stream = (
        env.from_collection(list(range(1, count + 1)), Types.LONG())
        .map(FailAt(count - 100), Types.LONG())
        .key_by(lambda n: n % 500, Types.LONG())
        .process(Sum(), Types.LONG())
    )
    expected: dict[int, int] = {}
    sums = []
    for n in range(1, count + 1):
        expected[n % 500] = expected.get(n % 500, 0) + n
        sums.append(expected[n % 500])
    with stream.execute_and_collect() as rows:
        assert list(rows) == sums
    assert Trap.attempts == [0, 1, 2, 3, 4]
