import pytest
from custom_trigger import revenue_so_far
from shop import MINUTE, OPENING, Order

from pyflink.testing import OneInputStreamOperatorTestHarness


@pytest.fixture
def harness():
    return OneInputStreamOperatorTestHarness(lambda stream: revenue_so_far(stream, 3, 10_000))


def buy(harness, cents, minute=0):
    time = OPENING + minute * MINUTE
    harness.process_element(Order(time, "ann", "books", cents / 100), time)


def cents(harness):
    return [total for _, total in harness.take_output_values()]


def test_fires_after_so_many_orders(harness):
    for _ in range(7):
        buy(harness, 1)
    assert cents(harness) == [3, 6]


def test_fires_some_time_after_the_first_order_not_seen_yet(harness):
    buy(harness, 1)
    harness.set_processing_time(5_000)
    buy(harness, 1)
    assert cents(harness) == []
    harness.set_processing_time(10_000)
    assert cents(harness) == [2]
    harness.set_processing_time(60_000)
    assert cents(harness) == []  # nothing new came


def test_the_count_and_the_delay_do_not_fire_twice(harness):
    for _ in range(3):
        buy(harness, 1)
    assert harness.num_processing_time_timers() == 0
    harness.set_processing_time(10_000)
    assert cents(harness) == [3]


def test_the_exact_result_comes_at_the_end_and_nothing_stays(harness):
    buy(harness, 1)
    buy(harness, 2)
    harness.process_watermark(OPENING + 60 * MINUTE - 1)
    assert cents(harness) == [3]
    assert harness.num_keyed_state_entries() == 0
    assert harness.num_event_time_timers() == 0
    assert harness.num_processing_time_timers() == 0


def test_a_restart_keeps_count_and_delay(harness):
    buy(harness, 1)
    buy(harness, 1)
    restored = harness.restored(harness.snapshot())
    buy(restored, 1)
    assert cents(restored) == [3]
