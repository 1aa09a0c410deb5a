"""Broker and search server go away in the middle of runs in which the job is killed too."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.driver import BROKER, Run, Servers
from tests.faults.plan import Attempt, Kill, Plan
from tests.services.servers import ElasticsearchServer, KafkaServer

SEED = 20_261_121
ATTEMPTS = (
    Attempt(2, 100, Kill("record", 300)),
    Attempt(1, 300, Kill("later", 100, "", 5_000)),
    Attempt(3, 100, Kill("point", 2, "between-manifest-and-commit")),
)


@pytest.mark.parametrize("sink", ["kafka", "kafka-once"])
def test_broker_restarted(tmp_path: Path, sink: str) -> None:
    plan = Plan(SEED, "state", "hashmap", (sink,), False, 25, 400, ATTEMPTS, 2)
    with KafkaServer(properties=BROKER) as kafka:
        run = Run(plan, Servers(kafka.bootstrap_servers), tmp_path / "run")

        def restart() -> None:
            kafka.kill()
            kafka.start()

        run.while_last = restart
        run.transaction_ms = 120_000  # the broker may be away for that long
        run.configuration["execution.checkpointing.tolerable-failed-checkpoints"] = "100000"
        run.carry_out()


def test_search_server_restarted(
    kafka: KafkaServer, elasticsearch: ElasticsearchServer, tmp_path: Path
) -> None:
    """Documents are written again, under their own ids: their number is exact."""
    plan = Plan(SEED, "tumbling", "hashmap", ("search",), False, 25, 400, ATTEMPTS, 2)
    run = Run(plan, Servers(kafka.bootstrap_servers, elasticsearch), tmp_path / "run")

    def restart() -> None:
        elasticsearch.kill()
        elasticsearch.start()

    run.while_last = restart
    run.configuration["execution.checkpointing.tolerable-failed-checkpoints"] = "100000"
    run.carry_out()
