"""The C++ tests that need a real broker: built by the part `cpp` of `make test`, run here."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.services.servers import KafkaServer

BINARY = Path(__file__).parents[2] / "build" / "dev" / "bin" / "connectors_kafka_broker_test"


def test_the_connector_with_a_real_broker(kafka: KafkaServer) -> None:
    if not BINARY.exists():
        pytest.skip("not built: make test ONLY=cpp")
    done = subprocess.run(
        [str(BINARY)],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"FLOTT_KAFKA_BROKERS": kafka.bootstrap_servers},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SKIPPED" not in done.stdout
