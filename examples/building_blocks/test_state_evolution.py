import re
import subprocess
import sys
from pathlib import Path

import pytest
from shop import Order
from state_evolution import ProfileV1, ProfileV2, upgraded

from pyflink.common import Types
from pyflink.datastream.functions import KeyedProcessFunction
from pyflink.datastream.state import ValueStateDescriptor
from pyflink.testing import KeyedOneInputStreamOperatorTestHarness


def harness_of(function):
    return KeyedOneInputStreamOperatorTestHarness(
        function, lambda order: order.customer, Types.STRING()
    )


def order(customer="ann", amount=5.0):
    return Order(0, customer, "books", amount)


@pytest.fixture
def old():
    harness = harness_of(ProfileV1())
    harness.process_elements(order(), order(), order("bob"))
    return harness.snapshot()


def test_version_two_goes_on_where_version_one_stopped(old):
    harness = harness_of(ProfileV2())
    harness.initialize_state(old)
    harness.process_element(order())
    assert harness.extract_output_values() == [
        ("ann", {"version": 2, "orders": 3, "since_upgrade": 1, "spent": {"books": 5.0}})
    ]
    # others are brought up to date when they come
    assert harness.state("profile", "bob") == {"version": 1, "orders": 1}


def test_state_that_is_not_declared_any_more_is_carried_on(old):
    newer = harness_of(ProfileV2())
    newer.initialize_state(old)
    newer.process_element(order())

    again = harness_of(ProfileV1())  # back to the old version: it knows nothing of `spent`
    again.initialize_state(newer.snapshot())
    again.process_element(order("bob"))
    forward = harness_of(ProfileV2())
    forward.initialize_state(again.snapshot())
    forward.process_element(order())
    ((_, profile),) = forward.extract_output_values()
    assert profile["spent"] == {"books": 10.0}


def test_another_type_under_the_same_name_is_refused(old):
    class Wrong(KeyedProcessFunction):
        def open(self, runtime_context):
            self.profile = runtime_context.get_state(ValueStateDescriptor("profile", Types.INT()))

        def process_element(self, value, ctx):
            pass

    harness = harness_of(Wrong())
    harness.initialize_state(old)
    with pytest.raises(ValueError, match="state 'profile' is declared as value state of INT"):
        harness.open()


def test_upgrading_is_idempotent():
    once = upgraded({"version": 1, "orders": 4})
    assert upgraded(once) == once == {"version": 2, "orders": 4, "since_upgrade": 0}


def test_the_script_restores_a_real_checkpoint():
    script = Path(__file__).with_name("state_evolution.py")
    run = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    first, second = run.stdout.split("version 2")
    before = {c: int(n) for c, n in re.findall(r"(\w+): .*?'orders': (\d+)", first)}
    after = re.findall(r"(\w+): .*?'orders': (\d+), 'since_upgrade': (\d+)", second)
    assert sum(before.values()) == 20
    assert after
    for customer, total, since in after:
        assert int(total) == before.get(customer, 0) + int(since)
