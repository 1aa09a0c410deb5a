"""When windows hold data and nothing fires, the log says why and what to do.

The causes one by one are in tests/cpp/runtime/stall_watch_test.cc and
tests/cpp/job/event_time_watch_test.cc; here they are seen as a user does.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from pyflink.common import Duration, Time, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import DataStream, RuntimeExecutionMode, SourceFunction
from pyflink.datastream.window import (
    EventTimeSessionWindows,
    GlobalWindows,
    Trigger,
    TriggerResult,
    TumblingEventTimeWindows,
    TumblingProcessingTimeWindows,
)
from pyflink.testing import FakeClock, ScriptedSource, TestStreamEnvironment, collect

NOW = 1_769_860_800_000  # 2026-01-31T12:00:00Z


@pytest.fixture
def env() -> TestStreamEnvironment:
    return TestStreamEnvironment(FakeClock(NOW))


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.WARNING and record.name.startswith("pyflink")
    ]


def one_warning(caplog: pytest.LogCaptureFixture, *parts: str) -> None:
    lines = warnings(caplog)
    assert len(lines) == 1, lines
    missing = [part for part in parts if part not in lines[0]]
    assert not missing, f"{missing} not in: {lines[0]}"


def pause(source: ScriptedSource, seconds: int) -> ScriptedSource:
    for _ in range(seconds // 5):
        source.advance_processing_time(5_000)
    return source


def sums(stream: DataStream, assigner: Any = None) -> Any:
    return (
        stream.key_by(lambda value: value[0])
        .window(assigner or TumblingEventTimeWindows.of(Time.minutes(1)))
        .reduce(lambda a, b: (a[0], a[1] + b[1]))
    )


def test_no_watermark_ever_comes(env: Any, caplog: pytest.LogCaptureFixture) -> None:
    source = ScriptedSource().elements((("ann", 1), NOW), (("bob", 2), NOW + 70_000))
    assert len(collect(sums(pause(source, 600).to_stream(env, "orders")))) == 2
    one_warning(
        caplog,
        "holds 2 windows and nothing fires: no watermark has come yet, the first needs one of",
        "2026-01-31T12:00:59.999",
        "'orders' takes records, but makes no watermark of them",
        "assign_timestamps_and_watermarks(",
    )


def test_one_of_two_streams_is_silent(env: Any, caplog: pytest.LogCaptureFixture) -> None:
    busy = ScriptedSource()
    for second in range(0, 60, 5):
        time = NOW + second * 20_000
        busy.element(("ann", second), time).watermark(time).advance_processing_time(5_000)
    silent = pause(ScriptedSource(), 60)
    both = busy.to_stream(env, "busy").union(silent.to_stream(env, "silent"))
    collect(sums(both))
    one_warning(
        caplog, "'silent' has had no records yet and holds back the others", "with_idleness("
    )


def test_no_later_records_come(env: Any, caplog: pytest.LogCaptureFixture) -> None:
    source = ScriptedSource().element(("ann", 1), NOW).watermark(NOW - 1)
    collect(sums(pause(source, 60).to_stream(env, "orders")))
    one_warning(caplog, "has stood at 2026-01-31T11:59:59.999", "no records come")


class InSeconds(TimestampAssigner):
    def extract_timestamp(self, value: Any, record_timestamp: int) -> int:
        return int(value[1])


def test_timestamps_in_seconds(env: Any, caplog: pytest.LogCaptureFixture) -> None:
    strategy = WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_seconds(1))
    strategy = strategy.with_timestamp_assigner(InSeconds())
    values = [("ann", NOW // 1000 + i) for i in range(10)]
    collect(sums(env.from_collection(values).assign_timestamps_and_watermarks(strategy)))
    one_warning(caplog, "timestamps look like seconds", "2026-01-31T12:00:09", "multiply by 1000")


def test_many_late_records(env: Any, caplog: pytest.LogCaptureFixture) -> None:
    source = ScriptedSource()
    for i in range(20):
        source.element(("ann", 1), NOW + i)
    source.watermark(NOW + 60_000)
    for i in range(20):
        source.element(("ann", 1), NOW + i)
    source.element(("ann", 1), NOW + 70_000).advance_processing_time(5_000).watermark(NOW + 75_000)
    collect(sums(source.to_stream(env)))
    while_it_runs, at_the_end = warnings(caplog)
    assert "48 % of the records (20 of 41) came after the watermark" in while_it_runs
    assert "allowed_lateness(" in while_it_runs
    assert "dropped 20 of 41 records (48.8 %)" in at_the_end


def test_a_record_from_the_future(env: Any, caplog: pytest.LogCaptureFixture) -> None:
    source = ScriptedSource().element(("ann", 1), NOW + 10 * 86_400_000)
    source.watermark(NOW + 10 * 86_400_000)
    for i in range(20):
        source.element(("ann", 1), NOW + i)
    collect(sums(source.advance_processing_time(5_000).to_stream(env)))
    assert "a record from the future moved the watermark to 2026-02-10T12:00" in warnings(caplog)[0]
    assert "9 days ahead" in warnings(caplog)[0]


def test_processing_time_windows_of_a_bounded_job(
    env: Any, caplog: pytest.LogCaptureFixture
) -> None:
    stream = env.from_collection([("ann", 1), ("bob", 2)])
    assert collect(sums(stream, TumblingProcessingTimeWindows.of(Time.minutes(1)))) == []
    one_warning(
        caplog,
        "held 2 processing-time windows when its input ended",
        "as Apache Flink does",
        "BATCH mode",
    )


def test_processing_time_windows_in_batch_mode_fire(
    env: Any, caplog: pytest.LogCaptureFixture
) -> None:
    env.set_runtime_mode(RuntimeExecutionMode.BATCH)
    stream = env.from_collection([("ann", 1), ("bob", 2)])
    fired = collect(sums(stream, TumblingProcessingTimeWindows.of(Time.minutes(1))))
    assert sorted(fired) == [("ann", 1), ("bob", 2)]
    assert warnings(caplog) == []


def test_global_windows_without_a_trigger(env: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert collect(sums(env.from_collection([("ann", 1)]), GlobalWindows.create())) == []
    one_warning(caplog, "its windows never fire", "CountTrigger.of(")


def test_count_windows_that_never_get_full(env: Any, caplog: pytest.LogCaptureFixture) -> None:
    env.set_parallelism(2)
    stream = env.from_collection([("ann", 1), ("bob", 2), ("ann", 3)])
    assert collect(stream.key_by(lambda value: value[0]).count_window(3).reduce(max)) == []
    one_warning(caplog, "took 3 records and gave no result", "as its trigger counts up to")


def test_count_windows_beside_others_of_the_same_name(
    env: Any, caplog: pytest.LogCaptureFixture
) -> None:
    keyed = env.from_collection([("ann", 1), ("bob", 2), ("ann", 3)]).key_by(lambda value: value[0])
    never, full = keyed.count_window(3).reduce(max), keyed.count_window(2).reduce(max)
    assert collect(never.union(full)) == [("ann", 3)]
    one_warning(caplog, "took 3 records and gave no result", "as its trigger counts up to")


def test_count_windows_of_which_one_gets_full(env: Any, caplog: pytest.LogCaptureFixture) -> None:
    env.set_parallelism(2)
    stream = env.from_collection([("ann", 1), ("bob", 2), ("ann", 3)])
    full = stream.key_by(lambda value: value[0]).count_window(2).reduce(max)
    assert collect(full) == [("ann", 3)]
    assert warnings(caplog) == []


class Deaf(Trigger):
    """Never fires."""

    def on_element(self, element: Any, timestamp: int, window: Any, ctx: Any) -> TriggerResult:
        return TriggerResult.CONTINUE

    def on_processing_time(self, time: int, window: Any, ctx: Any) -> TriggerResult:
        return TriggerResult.CONTINUE

    def on_event_time(self, time: int, window: Any, ctx: Any) -> TriggerResult:
        return TriggerResult.CONTINUE

    def on_merge(self, window: Any, ctx: Any) -> None:
        pass

    def clear(self, window: Any, ctx: Any) -> None:
        pass


def test_a_trigger_that_never_fires(env: Any, caplog: pytest.LogCaptureFixture) -> None:
    source = ScriptedSource().elements(*((("ann", 1), NOW + i * 60_000) for i in range(12)))
    windows = (
        source.to_stream(env)
        .key_by(lambda value: value[0])
        .window(TumblingEventTimeWindows.of(Time.minutes(1)))
        .trigger(Deaf())
    )
    assert collect(windows.reduce(lambda a, b: a)) == []
    one_warning(caplog, "12 windows have ended and the trigger has not fired", "TriggerResult.FIRE")


def test_a_session_that_goes_on_is_no_stall(env: Any, caplog: pytest.LogCaptureFixture) -> None:
    source = ScriptedSource()
    for i in range(60):
        time = NOW + i * 5_000
        source.element(("ann", 1), time).watermark(time).advance_processing_time(5_000)
    session = EventTimeSessionWindows.with_gap(Time.seconds(30))
    assert collect(sums(source.to_stream(env), session)) == [("ann", 60)]
    assert warnings(caplog) == []


def test_a_long_window_is_no_stall(env: Any, caplog: pytest.LogCaptureFixture) -> None:
    source = ScriptedSource()
    for i in range(60):
        time = NOW + i * 5_000
        source.element(("ann", 1), time).watermark(time).advance_processing_time(5_000)
    day = TumblingEventTimeWindows.of(Time.days(1))
    assert collect(sums(source.to_stream(env), day)) == [("ann", 60)]
    assert warnings(caplog) == []


class Endless(SourceFunction):
    """Emits, makes no watermark, and does not end by itself."""

    def __init__(self) -> None:
        self.emitted = threading.Event()
        self.cancelled = threading.Event()

    def run(self, ctx: Any) -> None:
        for i in range(10):
            ctx.collect_with_timestamp(("ann", i), NOW + i)
        self.emitted.set()
        self.cancelled.wait(60)

    def cancel(self) -> None:
        self.cancelled.set()


def test_an_endless_job_says_so_while_it_runs(env: Any, caplog: pytest.LogCaptureFixture) -> None:
    source = Endless()
    sums(env.add_source(source, "endless")).print()
    client = env.execute_async()
    env.clock.advance(0)  # the job begins
    assert source.emitted.wait(60)
    for _ in range(5):
        env.clock.advance(5_000)
    one_warning(
        caplog,
        "holds 1 window and nothing fires: no watermark has come yet",
        "'Source: endless' takes",
    )
    client.cancel().result()
    assert source.cancelled.is_set()
    assert len(warnings(caplog)) == 1


@pytest.fixture(autouse=True)
def _every_warning(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.WARNING):
        yield
