from sessions import Visit, visits
from shop import MINUTE, OPENING, Click

from pyflink.testing import OneInputStreamOperatorTestHarness, ScriptedSource


def click(minute, page, visitor="ann"):
    time = OPENING + int(minute * MINUTE)
    return Click(time, visitor, page), time


def test_a_gap_of_five_minutes_ends_a_visit(env, collect):
    source = ScriptedSource().elements(
        click(0, "/"), click(4, "/cart"), click(9.5, "/books"), click(1, "/games", "bob")
    )
    assert sorted(collect(visits(source.to_stream(env)))) == [
        Visit("ann", OPENING, 240.0, ("/", "/cart"), True),
        Visit("ann", OPENING + int(9.5 * MINUTE), 0.0, ("/books",), False),
        Visit("bob", OPENING + MINUTE, 0.0, ("/games",), False),
    ]


def test_a_click_out_of_order_joins_two_visits():
    harness = OneInputStreamOperatorTestHarness(visits)
    for each in (click(0, "/"), click(8, "/cart")):
        harness.process_element(*each)
    assert harness.num_event_time_timers() == 2
    harness.process_element(*click(4, "/books"))
    assert harness.num_event_time_timers() == 1
    harness.process_watermark(OPENING + 13 * MINUTE - 1)
    (visit,) = harness.extract_output_values()
    assert visit.pages == ("/", "/books", "/cart")
    assert harness.num_keyed_state_entries() == 0
