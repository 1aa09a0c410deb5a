import pytest
from shop import MINUTE, Click
from state_ttl import FirstOfTheHour, newsletters

from pyflink.testing import KeyedOneInputStreamOperatorTestHarness, ScriptedSource


@pytest.fixture
def harness():
    return KeyedOneInputStreamOperatorTestHarness(FirstOfTheHour(), lambda click: click.visitor)


def click(page="/", visitor="ann"):
    return Click(0, visitor, page)


def test_one_newsletter_an_hour(harness):
    for minute in (0, 1, 59, 60, 61, 119, 120):
        harness.set_processing_time(minute * MINUTE)
        harness.process_element(click())
    assert len(harness.extract_output_values()) == 3  # at 0, 60 and 120


def test_writing_counts_not_reading(harness):
    harness.process_element(click())
    harness.set_processing_time(40 * MINUTE)
    harness.process_element(click())  # reads `seen`, which does not renew it
    harness.set_processing_time(60 * MINUTE)
    harness.process_element(click())
    assert [count for _, _, count in harness.extract_output_values()] == [1, 3]


def test_each_page_is_forgotten_by_itself(harness):
    harness.process_element(click("/books"))
    harness.set_processing_time(30 * MINUTE)
    harness.process_element(click("/games"))
    harness.set_processing_time(60 * MINUTE)
    assert harness.state("pages", "ann") == {"/games": 1}


def test_forgetting_survives_a_restart(harness):
    harness.process_element(click())
    harness.set_processing_time(59 * MINUTE)
    restored = harness.restored(harness.snapshot())
    restored.process_element(click())
    assert restored.extract_output_values() == []
    restored.set_processing_time(60 * MINUTE)
    restored.process_element(click())
    assert restored.extract_output_values() == [("ann", "/", 3)]


def test_the_whole_program(env, collect):
    source = (
        ScriptedSource()
        .values([click("/"), click("/", "bob"), click("/books")])
        .advance_processing_time(60 * MINUTE)
        .values([click("/books")])
    )
    assert collect(newsletters(source.to_stream(env))) == [
        ("ann", "/", 1),
        ("bob", "/", 1),
        ("ann", "/books", 1),
    ]
