"""Each job shape is killed a few times and started again from its checkpoints; nothing is lost.

The long version is `make soak`; tests/faults/README.md says how to run one seed again.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.driver import Run, Servers
from tests.faults.plan import Choices, Plan, make_plan
from tests.faults.shapes import SHAPES
from tests.services.servers import KafkaServer

KILLS = 3
SEED = 20_261_121


def carry_out(plan: Plan, kafka: KafkaServer, folder: Path, record: Callable[..., None]) -> int:
    outcome = Run(plan, Servers(kafka.bootstrap_servers), folder).carry_out()
    record("plan", str(plan))
    record("kills", outcome.kills)
    record("repeated", outcome.repeated)
    return outcome.kills


@pytest.mark.parametrize("shape", SHAPES)
def test_killed_and_restarted(
    kafka: KafkaServer, tmp_path: Path, record_property: Callable[..., None], shape: str
) -> None:
    plan = make_plan(SEED, Choices(shapes=(shape,), kills=KILLS, bounded=0.0))
    assert carry_out(plan, kafka, tmp_path / "run", record_property) == KILLS


@pytest.mark.parametrize("kind", ["pause", "zombie"])
def test_predecessors_that_are_still_alive(
    kafka: KafkaServer, tmp_path: Path, record_property: Callable[..., None], kind: str
) -> None:
    plan = make_plan(SEED, Choices(shapes=("connected",), kinds=(kind,), kills=2, bounded=0.0))
    carry_out(plan, kafka, tmp_path / "run", record_property)


@pytest.mark.parametrize("shape", ["state", "sessions"])
def test_killed_with_an_input_that_ends(
    kafka: KafkaServer, tmp_path: Path, record_property: Callable[..., None], shape: str
) -> None:
    plan = make_plan(SEED, Choices(shapes=(shape,), kills=KILLS, bounded=1.0))
    carry_out(plan, kafka, tmp_path / "run", record_property)
