import pytest
from broadcast_rules import RULES, WITHDRAWN, ApplyRules, Rule, gifts
from shop import Order

from pyflink.testing import KeyedBroadcastOperatorTestHarness, ScriptedSource, StreamRecord


@pytest.fixture
def harness():
    return KeyedBroadcastOperatorTestHarness(
        ApplyRules(), RULES, key_selector=lambda order: (order.customer, order.category)
    )


def order(customer="ann", category="books"):
    return Order(0, customer, category, 9.0)


def test_every_second_book(harness):
    harness.process_broadcast_element(Rule("bookworm", "books", 2))
    for each in [order(), order("bob"), order(), order(category="games")]:
        harness.process_element(each)
    assert harness.extract_output_values() == [("ann", "bookworm")]
    assert harness.state("orders", ("ann", "books")) == 2


def test_a_rule_counts_what_came_before_it(harness):
    harness.process_element(order())
    harness.process_broadcast_element(Rule("bookworm", "books", 2))
    harness.process_element(order())
    assert harness.extract_output_values() == [("ann", "bookworm")]


def test_rules_are_changed_and_withdrawn(harness):
    harness.process_broadcast_element(Rule("bookworm", "books", 1))
    harness.process_broadcast_element(Rule("bookworm", "books", 3))
    assert harness.broadcast_state(RULES) == {"bookworm": Rule("bookworm", "books", 3)}
    harness.process_broadcast_element(Rule("bookworm", "books", 0))
    harness.process_broadcast_element(Rule("unknown", "books", 0))
    assert harness.broadcast_state(RULES) == {}
    assert harness.get_side_output(WITHDRAWN) == [StreamRecord("bookworm")]


def test_rules_survive_a_restart(harness):
    harness.process_broadcast_element(Rule("bookworm", "books", 1))
    restored = harness.restored(harness.snapshot())
    restored.process_element(order())
    assert restored.extract_output_values() == [("ann", "bookworm")]


def test_the_whole_program_on_several_subtasks(env, collect):
    env.set_parallelism(3)
    rules = ScriptedSource().element(Rule("bookworm", "books", 1)).to_stream(env)
    orders = (
        ScriptedSource()
        .advance_processing_time(1)  # the rule is there first
        .values([order("ann"), order("bob"), order("cem")])
        .to_stream(env)
    )
    assert sorted(collect(gifts(orders, rules))) == [
        ("ann", "bookworm"),
        ("bob", "bookworm"),
        ("cem", "bookworm"),
    ]
