"""Broker and search server go away in the middle of runs in which the job is killed too."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.driver import BROKER, Process, Run, Servers, tail
from tests.faults.plan import Attempt, Kill, Plan
from tests.faults.shapes import Chunk
from tests.services.servers import ElasticsearchServer, KafkaServer

SEED = 20_261_121
CHUNK = 1000
PACE_US = 2000
ATTEMPTS = (
    Attempt(2, 300, Kill("record", 300)),
    Attempt(1, 300, Kill("later", 100, "", 5_000)),
    Attempt(3, 300, Kill("point", 2, "between-manifest-and-commit")),
)


def restart_mid_flow(
    run: Run, sink: str, kill: Callable[[], None], start: Callable[[], None]
) -> None:
    """Lets the server of `sink` be away while the last attempt has results to bring there. Half of
    its records come when the server is back."""

    def feed_last(process: Process, chunk: Chunk) -> None:
        quarter, half = len(chunk) // 4, len(chunk) // 2
        # A checkpoint with results of the first ones is followed by their publication; the others
        # are read, at their pace, meanwhile.
        run.await_checkpoints(process, 1)
        run.feed(chunk[:quarter])
        run.await_checkpoints(process, 1)
        run.feed(chunk[quarter:half])
        # Stopped, so that nothing is brought between the count and the kill.
        process.stop()
        left = run.outstanding(sink)
        run.readers.pop(sink).close()  # it would tell of each attempt to reach the server
        kill()
        process.send(signal.SIGCONT)
        assert left > 0, "all results were there before the server was killed"
        start()
        assert process.exit_code is None, tail(process.output)
        run.feed(chunk[half:])

    run.feed_last = feed_last
    run.last_meter = {"pace_us": PACE_US}
    run.configuration["execution.checkpointing.tolerable-failed-checkpoints"] = "100000"


@pytest.mark.parametrize("sink", ["kafka", "kafka-once"])
def test_broker_restarted(tmp_path: Path, sink: str) -> None:
    plan = Plan(SEED, "state", "hashmap", (sink,), False, 25, CHUNK, ATTEMPTS, 2)
    with KafkaServer(properties=BROKER) as kafka:
        run = Run(plan, Servers(kafka.bootstrap_servers), tmp_path / "run")
        restart_mid_flow(run, sink, kafka.kill, kafka.start)
        run.transaction_ms = 120_000  # the broker may be away for that long
        assert run.carry_out().kills == len(ATTEMPTS)


def test_search_server_restarted(
    kafka: KafkaServer, elasticsearch: ElasticsearchServer, tmp_path: Path
) -> None:
    """Documents are written again, under their own ids: their number is exact."""
    plan = Plan(SEED, "state", "hashmap", ("search",), False, 25, CHUNK, ATTEMPTS, 2)
    run = Run(plan, Servers(kafka.bootstrap_servers, elasticsearch), tmp_path / "run")
    restart_mid_flow(run, "search", elasticsearch.kill, elasticsearch.start)
    assert run.carry_out().kills == len(ATTEMPTS)
