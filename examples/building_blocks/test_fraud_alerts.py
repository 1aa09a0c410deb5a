import pytest
from fraud_alerts import Alert, DetectFraud, alerts
from shop import Order, with_event_time

from pyflink.testing import KeyedOneInputStreamOperatorTestHarness

SECOND = 1_000


@pytest.fixture
def harness():
    return KeyedOneInputStreamOperatorTestHarness(DetectFraud(), lambda order: order.customer)


def pay(harness, second, amount, customer="ann"):
    time = second * SECOND
    harness.process_element(Order(time, customer, "books", amount), time)


def test_a_tiny_payment_and_a_large_one_make_an_alert(harness):
    pay(harness, 0, 0.5)
    pay(harness, 30, 501.0)
    assert harness.extract_output_values() == [Alert("ann", 30 * SECOND, 501.0)]
    assert harness.num_keyed_state_entries() == 0
    assert harness.num_event_time_timers() == 0


@pytest.mark.parametrize(
    "payments",
    [
        [(0, 501.0), (1, 501.0)],
        [(0, 0.5), (1, 20.0), (2, 501.0)],
        [(0, 0.5), (60, 501.0)],
        [(0, 0.5), (1, 500.0)],
    ],
    ids=["no tiny one", "another between", "a minute later", "not large enough"],
)
def test_no_alert(harness, payments):
    for second, amount in payments:
        pay(harness, second, amount)
    assert harness.extract_output_values() == []


def test_customers_do_not_mix(harness):
    pay(harness, 0, 0.5, "ann")
    pay(harness, 1, 501.0, "bob")
    assert harness.extract_output_values() == []
    assert harness.states("suspicious until") == {"ann": 60 * SECOND}


def test_the_timer_forgets(harness):
    pay(harness, 0, 0.5)
    harness.process_watermark(60 * SECOND - 1)
    assert harness.num_keyed_state_entries() == 1
    harness.process_watermark(60 * SECOND)
    assert harness.num_keyed_state_entries() == 0


def test_a_restart_between_the_two_payments_changes_nothing(harness):
    pay(harness, 0, 0.5)
    restored = harness.restored(harness.snapshot())
    pay(restored, 30, 501.0)
    assert restored.extract_output_values() == [Alert("ann", 30 * SECOND, 501.0)]


def test_the_whole_program(env, collect):
    payments = [Order(0, "ann", "books", 0.5), Order(5_000, "ann", "books", 900.0)]
    stream = with_event_time(env.from_collection(payments))
    assert collect(alerts(stream)) == [Alert("ann", 5_000, 900.0)]
