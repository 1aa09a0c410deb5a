from late_data import LATENESS_MS, TOO_LATE, Total, totals
from shop import MINUTE, OPENING, Order

from pyflink.testing import OneInputStreamOperatorTestHarness, ScriptedSource


def order(amount, after_ms=0):
    return Order(OPENING + after_ms, "ann", "books", amount), OPENING + after_ms


def test_on_time_corrected_and_too_late(env, collect):
    source = (
        ScriptedSource()
        .elements(order(1), order(2, 30_000))
        .watermark(OPENING + MINUTE - 1)
        .element(*order(4, 10_000))
        .watermark(OPENING + MINUTE + LATENESS_MS - 1)
        .element(*order(8, 20_000))
    )
    results = totals(source.to_stream(env))
    assert collect(results, results.get_side_output(TOO_LATE)) == (
        [Total("books", OPENING, 3, 0), Total("books", OPENING, 7, 1)],
        [order(8, 20_000)[0]],
    )


def test_state_is_kept_as_long_as_lateness_lasts_and_no_longer():
    harness = OneInputStreamOperatorTestHarness(totals)
    harness.process_element(*order(1))
    harness.process_watermark(OPENING + MINUTE)
    assert harness.num_keyed_state_entries() == 2  # the orders and how often it fired
    harness.process_watermark(OPENING + MINUTE + LATENESS_MS)
    assert harness.num_keyed_state_entries() == 0
