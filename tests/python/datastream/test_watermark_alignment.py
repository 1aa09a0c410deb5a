"""Sources of one group stay together in event time."""

from __future__ import annotations

import pytest

from pyflink.common import Duration, Types, WatermarkStrategy
from pyflink.datastream.connectors.datagen import DataGeneratorSource
from pyflink.testing import ScriptedSource, TestStreamEnvironment


class EveryRecord:
    def on_event(self, event, timestamp, output):
        output.emit_watermark(timestamp)

    def on_periodic_emit(self, output):
        pass


def strategy(group, drift, interval):
    made = WatermarkStrategy.for_generator(lambda *_: EveryRecord()).with_timestamp_assigner(
        lambda row, _: row.id
    )
    if drift is None:
        return made
    return made.with_watermark_alignment(
        group, Duration.of_millis(drift), Duration.of_millis(interval)
    )


def how_far(drift, slow_rate=10, slow_end=40, groups=("together", "together"), interval=100):
    """How far a quick source has come whenever a slow one emits, and at last: {slow: quick}.

    Both count, and a record's number is its time. Every 100 ms of a clock that a script moves, the
    quick one may emit 100 numbers, after the slow one's turn.
    """
    env = TestStreamEnvironment()
    row_type = Types.ROW_NAMED(["id"], [Types.LONG()])
    found, quick = {}, [0]

    def counting(name, rate, end, group):
        numbers = {"id": {"kind": "sequence", "start": 1, "end": end}}
        source = DataGeneratorSource(row_type, rate, end, numbers)
        return env.from_source(source, strategy(group, drift, interval), name)

    def slowly(row):
        found[row.id] = quick[0]
        return False

    def quickly(row):
        quick[0] = row.id
        return False

    counting("slow", slow_rate, slow_end, groups[0]).filter(slowly).print()
    counting("quick", 1000, 4000, groups[1]).filter(quickly).print()
    script = ScriptedSource()
    for _ in range(50):
        script.advance_processing_time(100)
    script.to_stream(env).print()
    env.execute()
    return found, quick[0]


def test_without_alignment_a_quick_source_runs_ahead():
    found, end = how_far(drift=None)
    assert found == {slow: 1 + 100 * (slow - 1) for slow in range(1, 41)}
    assert end == 4000


@pytest.mark.parametrize(("drift", "held_at"), [(0, 101), (5, 101), (200, 301), (1_000, 1_101)])
def test_a_source_waits_for_the_slowest_of_its_group_and_all_end(drift, held_at):
    found, end = how_far(drift)
    # What comes at once is not torn apart: the source looks at its group before the next hundred.
    assert found == {slow: min(1 + 100 * (slow - 1), held_at) for slow in range(1, 41)}
    assert end == 4000


def test_a_source_goes_on_when_the_slowest_has_caught_up():
    found, end = how_far(drift=5, slow_rate=100, slow_end=400)
    # It was held at 101 until the slow one was at 100, then makes up for the second it has waited.
    expected = {slow: 1 if slow <= 10 else 101 if slow <= 110 else 1101 for slow in range(1, 401)}
    assert found == expected
    assert end == 4000


def test_sources_of_different_groups_do_not_wait_for_each_other():
    assert how_far(drift=5, groups=("one", "other")) == how_far(drift=None)


def test_the_group_is_looked_at_in_intervals():
    found, _ = how_far(drift=5, interval=1_000)
    # at 0 ms neither had a watermark; at 1000 ms the quick one was ahead
    assert found == {slow: min(1 + 100 * (slow - 1), 901) for slow in range(1, 41)}


@pytest.mark.parametrize(
    ("group", "drift", "error", "message"),
    [
        ("", Duration.of_seconds(1), ValueError, "watermark_group must not be empty"),
        (7, Duration.of_seconds(1), TypeError, "watermark_group must be a name, got 7"),
        ("g", Duration.of_millis(-1), ValueError, "max_allowed_watermark_drift must not be neg"),
        ("g", None, TypeError, "max_allowed_watermark_drift"),
    ],
)
def test_group_and_drift_are_checked(group, drift, error, message):
    with pytest.raises(error, match=message):
        WatermarkStrategy.no_watermarks().with_watermark_alignment(group, drift)


@pytest.mark.parametrize("interval", [Duration.of_millis(0), Duration.of_millis(-1)])
def test_the_interval_must_be_positive(interval):
    with pytest.raises(ValueError, match="update_interval must be greater than zero"):
        WatermarkStrategy.no_watermarks().with_watermark_alignment(
            "g", Duration.of_seconds(1), interval
        )
