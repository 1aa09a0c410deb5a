"""A committed checkpoint with records that are still to be committed to Kafka is restored."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.python import stored_formats as stored
from tests.services.kafka_client import await_true, create_topic, produce, values_of
from tests.services.servers import KafkaServer

GENERATIONS = sorted((p.name for p in stored.FORMATS.iterdir()), key=int)


@pytest.mark.parametrize("parallelism", [1, 2])
@pytest.mark.parametrize("generation", GENERATIONS)
def test_pending_records_are_published_once_it_is_allowed(
    tmp_path: Path, generation: str, parallelism: int
) -> None:
    moved = shutil.copytree(stored.FORMATS / generation / "kafka" / "job", tmp_path / "moved")
    path = moved / "chk-2"
    with KafkaServer() as kafka:
        servers = kafka.bootstrap_servers
        create_topic(servers, "stored-in", 2)
        create_topic(servers, "stored-out")
        # 20 were read before the checkpoint, whose first ten had been published by then.
        produce(servers, "stored-in", [f"record {n}" for n in range(25)])
        with (
            pytest.raises(Exception, match=r"the brokers have forgotten how far they got"),
            stored.Running(stored.kafka_job(servers), tmp_path, parallelism, path) as refused,
        ):
            refused.job.get_job_execution_result().result()
        assert values_of(servers, "stored-out") == []
        job = stored.kafka_job(servers, allow_duplicates_on_restore="true")
        with stored.Running(job, tmp_path, parallelism, path) as running:
            assert running.lines(5) == [f"record {n}" for n in range(20, 25)]
            pending = {f"record {n}" for n in range(10, 20)}
            await_true(
                lambda: set(values_of(servers, "stored-out")) == pending, "the pending records", 60
            )
            running.checkpoint()
            await_true(
                lambda: len(values_of(servers, "stored-out")) >= 15, "the checkpoint's records", 60
            )
            found = values_of(servers, "stored-out")
        assert sorted(found) == [f"record {n}" for n in range(10, 25)]
