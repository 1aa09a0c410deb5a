from revenue_windows import (
    Describe,
    Revenue,
    SumUp,
    every_five_minutes,
    last_fifteen_minutes,
)
from shop import MINUTE, OPENING, Order, orders, with_event_time

from pyflink.common import Time
from pyflink.datastream.window import TumblingEventTimeWindows
from pyflink.testing import KeyedOneInputStreamOperatorTestHarness


def order(minute, amount, category="books"):
    return Order(OPENING + int(minute * MINUTE), "ann", category, amount)


def test_each_order_counts_once_in_tumbling_windows(env, collect):
    made = [order(0, 10.10), order(4.9, 0.20), order(5, 7), order(1, 3, "games")]
    results = collect(every_five_minutes(with_event_time(env.from_collection(made))))
    five = OPENING + 5 * MINUTE
    assert sorted(results) == [
        Revenue("books", OPENING, five, 2, 10.30),
        Revenue("books", five, five + 5 * MINUTE, 1, 7.0),
        Revenue("games", OPENING, five, 1, 3.0),
    ]


def test_each_order_counts_three_times_in_sliding_windows(env, collect):
    results = collect(last_fifteen_minutes(with_event_time(env.from_collection([order(7, 5)]))))
    assert [(r.start - OPENING) // MINUTE for r in results] == [-5, 0, 5]
    assert {r.total for r in results} == {5.0}


def test_nothing_is_lost_between_windows(env, collect):
    made = list(orders(500))
    results = collect(every_five_minutes(with_event_time(env.from_collection(made))))
    assert sum(r.orders for r in results) == 500
    assert round(sum(r.total for r in results), 2) == round(sum(o.amount for o in made), 2)


def test_a_window_keeps_one_sum_and_leaves_nothing_behind():
    harness = KeyedOneInputStreamOperatorTestHarness(
        lambda keyed: keyed.window(TumblingEventTimeWindows.of(Time.minutes(5))).aggregate(
            SumUp(), window_function=Describe()
        ),
        lambda o: o.category,
    )
    for second in range(100):
        harness.process_element(order(0, 1), OPENING + second)
    assert harness.num_keyed_state_entries() == 1
    harness.process_watermark(OPENING + 5 * MINUTE - 1)
    assert harness.extract_output_values() == [
        Revenue("books", OPENING, OPENING + 5 * MINUTE, 100, 100.0)
    ]
    assert (harness.num_keyed_state_entries(), harness.num_event_time_timers()) == (0, 0)
