"""Each job shape is killed a few times and started again from its checkpoints: nothing is lost, and
what Kafka's readers of committed records see is not doubled.

The long version is `make soak`; tests/faults/README.md says how to run one seed again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.driver import BROKER, Failure, Run, Servers
from tests.faults.plan import (
    BACKENDS,
    POINTS,
    POINTS_OF_TRANSACTIONS,
    Attempt,
    Choices,
    Kill,
    Plan,
    make_plan,
)
from tests.faults.shapes import SHAPES
from tests.services.servers import KafkaServer

SEED = 20_261_121

CarryOut = Callable[[Plan], int]


@pytest.fixture(scope="module")
def broker() -> Iterator[KafkaServer]:
    with KafkaServer(properties=BROKER) as server:
        yield server


@pytest.fixture
def carry_out(
    broker: KafkaServer, tmp_path: Path, record_property: Callable[..., None]
) -> CarryOut:
    """Carries a plan out and returns the number of kills."""

    def carry_out(plan: Plan) -> int:
        outcome = Run(plan, Servers(broker.bootstrap_servers), tmp_path / "run").carry_out()
        record_property("plan", str(plan))
        record_property("kills", outcome.kills)
        record_property("repeated", outcome.repeated)
        return outcome.kills

    return carry_out


@pytest.mark.parametrize("number", range(len(SHAPES)), ids=list(SHAPES))
def test_killed_and_restarted(carry_out: CarryOut, number: int) -> None:
    choices = Choices(
        shapes=(list(SHAPES)[number],),
        backends=(BACKENDS[number % len(BACKENDS)],),
        sinks=(("kafka-once",),),
        kills=3,
        bounded=0.0,
    )
    assert carry_out(make_plan(SEED + number, choices)) == 3


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("point", POINTS + POINTS_OF_TRANSACTIONS)
def test_killed_at_named_points(
    broker: KafkaServer, tmp_path: Path, point: str, backend: str
) -> None:
    attempts = (
        Attempt(2, 300, Kill("point", 3, "between-manifest-and-commit")),  # leaves a checkpoint
        Attempt(2, 300, Kill("point", 1, point)),
        Attempt(3, 300, Kill("point", 1, point)),
    )
    plan = Plan(SEED, "state", backend, ("kafka-once",), False, 25, 300, attempts, 1)
    run = Run(plan, Servers(broker.bootstrap_servers), tmp_path / "run")
    run.fallback = ""
    assert run.carry_out().kills == 3


@pytest.mark.parametrize("kind", ["freeze", "pause", "zombie", "raise"])
def test_attempts_that_go_on(carry_out: CarryOut, kind: str) -> None:
    choices = Choices(
        shapes=("connected",), sinks=(("kafka-once",),), kinds=(kind,), kills=2, bounded=0.0
    )
    kills = carry_out(make_plan(SEED, choices))
    if kind == "freeze":
        assert kills <= 2  # the end of its transaction may end one before
    else:
        # Exactly once, those that others succeed end by themselves when these have taken over.
        assert kills == (2 if kind == "raise" else 0)


@pytest.mark.parametrize("shape", ["state", "timers", "clock"])
def test_killed_with_a_sink_that_repeats(carry_out: CarryOut, shape: str) -> None:
    choices = Choices(shapes=(shape,), sinks=(("kafka",),), kills=2, bounded=0.0)
    assert carry_out(make_plan(SEED, choices)) == 2


@pytest.mark.parametrize("shape", ["map", "sliding"])
def test_killed_with_files_and_kafka_at_once(carry_out: CarryOut, shape: str) -> None:
    sinks = (("kafka-once", "files"),)
    choices = Choices(shapes=(shape,), sinks=sinks, kills=3, bounded=0.0)
    assert carry_out(make_plan(SEED, choices)) == 3


@pytest.mark.parametrize("shape", ["state", "sessions"])
def test_killed_with_an_input_that_ends(carry_out: CarryOut, shape: str) -> None:
    sinks = (("kafka-once",),)
    choices = Choices(shapes=(shape,), sinks=sinks, kills=3, bounded=1.0)
    # A job may be done before it is killed for the last time, not before the first.
    assert 1 <= carry_out(make_plan(SEED, choices)) <= 3


def test_a_job_that_forgets_its_checkpoints_is_found_out(
    broker: KafkaServer, tmp_path: Path
) -> None:
    plan = Plan(SEED, "state", "hashmap", ("kafka-once",), False, 25, 300, (), 1)
    run = Run(plan, Servers(broker.bootstrap_servers), tmp_path / "run")

    def found() -> list[str]:
        return run.reader("kafka-once").read()

    with run.prepared():
        run.feed(run.input.chunks[0])
        first = run.start(2, {})
        run.await_true(lambda: bool(found()), "results of the first attempt")
        first.kill()
        second = run.start(1, {})
        run.await_true(lambda: len(found()) > len(run.expected), "more results than there are")
        second.kill()
        with pytest.raises(Failure, match="results doubled"):
            run.compare()
