"""Sources of one group stay together in event time."""

from __future__ import annotations

import pytest

from pyflink.common import Duration, Types, WatermarkStrategy
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors.datagen import DataGeneratorSource
from pyflink.datastream.connectors.number_seq import NumberSequenceSource


class EveryRecord:
    def on_event(self, event, timestamp, output):
        output.emit_watermark(timestamp)

    def on_periodic_emit(self, output):
        pass


SLOW = 40


def strategy(drift, time_of):
    made = WatermarkStrategy.for_generator(lambda *_: EveryRecord()).with_timestamp_assigner(
        lambda value, _: time_of(value)
    )
    if drift is None:
        return made
    return made.with_watermark_alignment(
        "together", Duration.of_millis(drift), Duration.of_millis(1)
    )


def seen_before_the_slow_one_ended(drift):
    """The largest number of a quick source while a slow one still counts up to 40."""
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(1)
    slow_type = Types.ROW_NAMED(["id"], [Types.LONG()])
    slow = DataGeneratorSource(
        slow_type, 200, SLOW, {"id": {"kind": "sequence", "start": 1, "end": SLOW}}
    )
    state = {"slow": 0, "most": 0}

    def slowly(row):
        state["slow"] = row.id
        return False

    def quickly(value):
        if 0 < state["slow"] < SLOW:
            state["most"] = max(state["most"], value)
        return False

    env.from_source(slow, strategy(drift, lambda row: row.id), "slow").filter(slowly).print()
    quick = NumberSequenceSource(1, 20_000)
    env.from_source(quick, strategy(drift, lambda n: n), "quick").filter(quickly).print()
    env.execute()
    return state["most"]


def test_a_source_waits_for_the_slowest_of_its_group_and_all_end():
    assert seen_before_the_slow_one_ended(drift=5) < 10_000


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
