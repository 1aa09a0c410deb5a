"""Flott against what Apache Flink answered (`recorded.json`, written by `record.py`).

All cases that collect run in one process of this interpreter, all that print in a second one.
Where Flott answers otherwise, its own answer is in `otherwise.json`, so that a third one fails:

    python tests/parity/test_parity.py   # writes it; look at what changed
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from record import RECORDED, run

EXPECTED = json.loads(RECORDED.read_text(encoding="utf-8"))
OTHERWISE = RECORDED.with_name("otherwise.json")
OURS = json.loads(OTHERWISE.read_text(encoding="utf-8")) if OTHERWISE.exists() else {}

COERCED = (
    "a declared type holds at once; PyFlink applies it only where a fused group of functions ends"
)
GENEROUS = "PyFlink fails: the value is not exactly of the declared type"

LOST = "PyFlink in BATCH fires the timers of a key without what the key has written to its state"

DIFFERENT_ON_PURPOSE = {
    "exchange.collected_big_int": "PyFlink cannot make a source of this type",
    "exchange.collected_char": "PyFlink cannot make a source of this type",
    "exchanges.tuples_across_a_rebalance": GENEROUS,
    "exchanges.tuples_as_keys": GENEROUS,
    "modes.main_output_beside_a_late_tag": "PyFlink cannot pickle this job",
    "state.map_put_all_and_remove": "PyFlink fails: it takes a dictionary's keys for pairs",
    "state.map_with_none_values": "PyFlink denies with `in` a key that its `items()` gives",
    "state.value_updated_with_none_reads_none": GENEROUS,
    "timing.buffered_until_the_end_batch_at_1": LOST,
    "timing.session_by_timer_batch_at_1": LOST,
    "timing.timers_of_connected_streams_in_batch": LOST,
    "wiring.partition_custom_by_classes": "PyFlink fails: the partitioner is given -1",
    "keys.keyed_stream_collected": "PyFlink yields pickled bytes for a stream without a type",
    "streams.partition_custom_gets_the_next_parallelism": (
        "PyFlink fails: the partitioner is given -1"
    ),
    "streams.tuple_fields_become_python_values": COERCED,
    "values.bool_for_an_int_type": COERCED,
    "values.float_of_a_map_with_type": COERCED,
    "values.int_of_a_map_with_short_type": COERCED,
    "values.row_out_of_a_map_with_named_type": COERCED,
    "values.tuple_given_for_a_named_row": COERCED,
    "values.list_for_a_row_across_an_exchange": GENEROUS,
    "values.row_for_a_tuple_across_an_exchange": GENEROUS,
    "values.short_across_an_exchange": GENEROUS,
    "values.tuple_for_a_row_across_an_exchange": GENEROUS,
    "windows.continuous_event_time_trigger": (
        "at one watermark PyFlink fires timers registered on the way after all others, when the "
        "window is gone; Flott fires them in their order, as Flink in Java does"
    ),
    "windows.late_side_output_of_a_short_input_is_empty": "PyFlink cannot pickle this job",
    "windows.session_aggregate": "PyFlink loses an accumulator when a record joins two sessions",
    "windows.tumbling_process_batch": "PyFlink loses all windows but the first in BATCH",
}
"""Cases where Flott answers otherwise, and why. They fail when the difference goes away."""

NOT_YET = {
    "jobs.file_sink_of_decimals_and_dates": (
        "a tuple with a BIG_DEC is an object of Python here, and written as Python shows it"
    ),
}
"""Cases where Flott is wrong, and what is. They fail when it is mended."""

REFUSED_BY_BOTH = {
    "timing.timer_on_a_stream_that_is_not_keyed_is_refused": "timer",
    "rolling.second_field_of_a_plain_number_is_refused": "field",
    "values.none_of_a_map_to_long_is_refused": "null",
    "values.none_of_a_map_to_a_row_is_refused": "null",
    "values.none_that_a_filter_lets_pass_is_refused": "null",
    "wiring.error_in_a_filter_is_refused": "division by zero",
    "wiring.error_in_a_key_selector_is_refused": "tuple index out of range",
    "wiring.error_in_a_reduce_is_refused": "unsupported operand type(s) for -: 'tuple' and 'tuple'",
    "wiring.error_in_open_is_refused": "cannot open this",
    "wiring.project_of_an_untyped_stream_is_refused": "Only Tuple DataStreams can be projected",
    "wiring.unions_of_different_types_are_refused": "Cannot union streams of different types",
    "keys.name_on_a_keyed_stream_raises": "Set name for KeyedStream is not supported",
    "keys.rebalance_on_a_keyed_stream_raises": "Cannot override partitioning for KeyedStream",
}
"""Cases that both engines refuse, and the words that both messages have (the exceptions' types are
each engine's own)."""


@pytest.fixture(scope="module")
def ours() -> dict[str, dict[str, object]]:
    return run(sys.executable, "")


def test_there_is_a_recording_of_every_case(ours: dict[str, dict[str, object]]) -> None:
    assert sorted(ours) == sorted(EXPECTED), "python tests/parity/record.py records the new ones"


def answer(result: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in result.items() if not key.startswith("_")}


def test_our_own_answers_are_of_the_cases_that_differ() -> None:
    assert sorted(OURS) == sorted([*DIFFERENT_ON_PURPOSE, *NOT_YET]), (
        "python tests/parity/test_parity.py writes them; look at what changed"
    )


def test_what_differs_on_purpose_is_no_error_here() -> None:
    assert [name for name in DIFFERENT_ON_PURPOSE if "raises" in OURS.get(name, {})] == []


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_answers_as_apache_flink(ours: dict[str, dict[str, object]], name: str) -> None:
    got = answer(ours[name])
    assert got.get("raises") != "InternalError", ours[name].get("_text", "")
    if name in DIFFERENT_ON_PURPOSE:
        assert got != EXPECTED[name], f"no longer different: {DIFFERENT_ON_PURPOSE[name]}"
        assert got == OURS[name], ours[name].get("_text", "")
    elif name in NOT_YET:
        assert got != EXPECTED[name], f"mended, so compare it: {NOT_YET[name]}"
        assert got == OURS[name], ours[name].get("_text", "")
    elif name in REFUSED_BY_BOTH:
        assert "raises" in EXPECTED[name]
        assert "raises" in got, f"not refused: {got}"
        assert REFUSED_BY_BOTH[name] in str(ours[name]["_text"])
    else:
        assert got == EXPECTED[name], ours[name].get("_text", "")


if __name__ == "__main__":
    results = run(sys.executable, ",".join([*DIFFERENT_ON_PURPOSE, *NOT_YET]))
    own = {name: answer(results[name]) for name in [*DIFFERENT_ON_PURPOSE, *NOT_YET]}
    OTHERWISE.write_text(json.dumps(own, indent=1, sort_keys=True) + "\n", encoding="utf-8")
