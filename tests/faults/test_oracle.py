"""The oracle finds what it is there for; no server is needed to see that."""

from __future__ import annotations

import random

import pytest

from tests.faults.oracle import differences
from tests.faults.plan import Choices, make_plan
from tests.faults.shapes import SHAPES

EXPECTED = ["k1 1 5", "k1 2 9", "k2 1 4"]


def test_what_is_whole_passes() -> None:
    assert differences("kafka-once", EXPECTED, EXPECTED[::-1]) == []


@pytest.mark.parametrize("sink", ["kafka", "kafka-once", "files", "search"])
def test_lost_and_wrong_results_are_found_in_every_sink(sink: str) -> None:
    lost, wrong = differences(sink, EXPECTED, [*EXPECTED[1:], "k1 1 6"])
    assert lost == f"{sink}: 1 of 3 results lost, such as 'k1 1 5'"
    assert wrong == f"{sink}: 1 of 3 results wrong, such as 'k1 1 6'"


def test_doubled_results_are_found_where_the_sink_may_not() -> None:
    found = [*EXPECTED, EXPECTED[0]]
    assert differences("kafka", EXPECTED, found) == []
    assert differences("kafka-once", EXPECTED, found) == [
        "kafka-once: 1 of 3 results doubled, such as 'k1 1 5'"
    ]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_seed_gives_the_same_run(shape: str) -> None:
    plans = [make_plan(5, Choices(shapes=(shape,))) for _ in range(2)]
    inputs = [SHAPES[shape].make_input(random.Random(5), 3, 50) for _ in range(2)]
    assert plans[0] == plans[1]
    assert inputs[0] == inputs[1]
    expected = SHAPES[shape].expect(inputs[0])
    assert len(set(expected)) == len(expected) > 20
