"""Web requests in, alerts out: the shop, Kafka and the job together.

Each test runs with the embedded broker, and marked `services` with a real Kafka.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

fastapi = pytest.importorskip("fastapi")
httpx = pytest.importorskip("httpx")
confluent_kafka = pytest.importorskip("confluent_kafka")

from monitor_job import ALERTS, REQUESTS  # noqa: E402
from shop_api import make_app  # noqa: E402

from pyflink._mock_kafka import MockKafka  # noqa: E402
from tests.services.kafka_client import create_topic, values_of  # noqa: E402
from tests.services.servers import KafkaServer  # noqa: E402

JOB = Path(__file__).with_name("monitor_job.py")
ORDERS = "GET /orders/{order_id}"


@pytest.fixture
def embedded() -> Iterator[str]:
    with MockKafka() as kafka:
        kafka.create_topic(REQUESTS, 3)
        kafka.create_topic(ALERTS, 1)
        yield kafka.bootstrap_servers


@pytest.fixture
def real() -> Iterator[str]:
    with KafkaServer() as kafka:
        create_topic(kafka.bootstrap_servers, REQUESTS, 3)
        create_topic(kafka.bootstrap_servers, ALERTS, 1)
        yield kafka.bootstrap_servers


@pytest.fixture(
    params=[
        "embedded",
        pytest.param("real", marks=[pytest.mark.services, pytest.mark.timeout(600)]),
    ]
)
def brokers(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue(request.param)


class Shop:
    """The web shop on a server of its own."""

    def __init__(self, brokers: str) -> None:
        import uvicorn

        config = uvicorn.Config(make_app(brokers), host="127.0.0.1", port=0, log_level="warning")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)

    def __enter__(self) -> "Shop":
        self._thread.start()
        wait_for(lambda: self._server.started, "the web server")
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10)
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self._server.should_exit = True
        self._thread.join()

    def trouble(self, **how: float) -> None:
        self.client.post("/trouble", json=how).raise_for_status()

    def visit(self, count: int) -> None:
        for number in range(count):
            self.client.get("/products")
            self.client.get(f"/orders/{number}")


def wait_for(condition, what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come"
        threading.Event().wait(0.02)


def alerts_in(brokers: str) -> list[dict]:
    return [json.loads(value) for value in values_of(brokers, ALERTS)]


def test_requests_are_reported_by_route(brokers: str) -> None:
    with Shop(brokers) as shop:
        shop.visit(3)
        shop.trouble(failing=1.0)
        assert shop.client.get("/orders/7").status_code == 503
        assert shop.client.get("/nowhere").status_code == 404
    reported = [json.loads(value) for value in values_of(brokers, REQUESTS)]
    seen = sorted((each["endpoint"], each["status"]) for each in reported)
    assert seen == [
        ("GET (no route)", 404),
        *[(ORDERS, 200)] * 3,
        (ORDERS, 503),
        *[("GET /products", 200)] * 3,
        ("POST /trouble", 200),
    ]
    assert all(each["ms"] > 0 for each in reported)


def test_alerts_open_and_close_while_the_shop_runs(brokers: str) -> None:
    arguments = ["--brokers", brokers, "--period-ms", "1000"]
    job = subprocess.Popen([sys.executable, str(JOB), *arguments])
    try:
        with Shop(brokers) as shop:

            def visited_until(state: str):
                def look() -> bool:
                    shop.visit(10)
                    assert job.poll() is None, "the job ended"
                    return any(
                        (a["endpoint"], a["alert"], a["state"]) == (ORDERS, "failing", state)
                        for a in alerts_in(brokers)
                    )

                return look

            shop.visit(30)
            assert alerts_in(brokers) == []
            shop.trouble(failing=0.9)
            wait_for(visited_until("open"), "the alert")
            shop.trouble()
            wait_for(visited_until("closed"), "the all-clear")
    finally:
        job.terminate()
        job.wait()
    failing = [a for a in alerts_in(brokers) if a["alert"] == "failing"]
    assert {a["endpoint"] for a in failing} == {ORDERS}
    assert [a["state"] for a in failing] == ["open", "closed"]
    assert failing[0]["value"] > 0.2


def test_a_slow_endpoint(brokers: str) -> None:
    with Shop(brokers) as shop:
        shop.visit(40)
        shop.trouble(slow_ms=400)
        shop.visit(1)
    command = [sys.executable, str(JOB), "--brokers", brokers, "--bounded", "--parallelism", "2"]
    subprocess.run(command, check=True, timeout=60)
    slow = [a for a in alerts_in(brokers) if a["alert"] == "slow" and a["value"] > 400]
    assert [a["endpoint"] for a in slow] == ["GET /products"]


def test_a_shop_without_kafka_still_answers() -> None:
    with Shop("127.0.0.1:1") as shop:
        began = time.monotonic()
        assert shop.client.get("/products").status_code == 200
        assert time.monotonic() - began < 5
