"""Every building block as a program between two topics of Kafka.

Each test runs with the embedded broker, and marked `services` with a real Kafka. Expected results
are computed in plain Python from what the topics got.
"""

import itertools
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("confluent_kafka")

from broadcast_rules import Rule
from shop import MINUTE, OPENING, Click, Order, clicks, orders

from pyflink._mock_kafka import MockKafka
from tests.services.kafka_client import (
    await_true,
    create_topic,
    produce,
    values_of,
)
from tests.services.servers import KafkaServer

FOLDER = Path(__file__).parent
IN = ("orders", "clicks", "rules")
OUT = ("out", "out-5-minutes", "out-15-minutes", "out-too-late", "out-withdrawn")


@pytest.fixture
def embedded() -> Iterator[str]:
    with MockKafka() as kafka:
        for topic in (*IN, *OUT):
            kafka.create_topic(topic)
        yield kafka.bootstrap_servers


@pytest.fixture(scope="module")
def server() -> Iterator[KafkaServer]:
    with KafkaServer() as kafka:
        yield kafka


@pytest.fixture
def real(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue("server").bootstrap_servers


class Topics:
    """The topics of one test, and the block's program between them."""

    numbers = itertools.count()

    def __init__(self, servers: str, prefix: str) -> None:
        self.servers, self._prefix = servers, prefix

    def write(self, topic: str, records: list) -> None:
        produce(self.servers, self._prefix + topic, [json.dumps(r._asdict()) for r in records])

    def read(self, topic: str = "out") -> list:
        return [json.loads(text) for text in values_of(self.servers, self._prefix + topic)]

    def await_results(self, count: int, topic: str = "out") -> list:
        await_true(lambda: len(self.read(topic)) >= count, f"{count} results in {topic}")
        return self.read(topic)

    def command(self, script: str, topic: str, *further: str) -> list[str]:
        return [
            *(sys.executable, str(FOLDER / script), "--bootstrap-servers", self.servers),
            *("--topic", self._prefix + topic, "--output-topic", self._prefix + "out", *further),
        ]

    def run(self, script: str, topic: str) -> None:
        """From the topic's beginning to its present end."""
        command = self.command(script, topic, "--bounded")
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr

    def start(self, script: str, topic: str, *further: str) -> subprocess.Popen:
        """For ever."""
        command = self.command(script, topic, *further)
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def name(self, topic: str) -> str:
        return self._prefix + topic


@pytest.fixture(
    params=[
        "embedded",
        pytest.param("real", marks=[pytest.mark.services, pytest.mark.timeout(600)]),
    ]
)
def topics(request: pytest.FixtureRequest) -> Topics:
    servers = request.getfixturevalue(request.param)
    if request.param == "embedded":
        return Topics(servers, "")
    prefix = f"blocks-{next(Topics.numbers)}-"
    for topic in (*IN, *OUT):
        create_topic(servers, prefix + topic)
    return Topics(servers, prefix)


def by(records, key):
    groups = defaultdict(list)
    for record in records:
        groups[key(record)].append(record)
    return groups


def revenue(made, size, slide):
    """What the windows of `size` have taken in."""
    windows = defaultdict(list)
    for order in made:
        start = order.time // slide * slide
        while start > order.time - size:
            windows[order.category, start].append(round(order.amount * 100))
            start -= slide
    return [
        {
            "category": category,
            "start": start,
            "end": start + size,
            "orders": len(cents),
            "total": sum(cents) / 100,
        }
        for (category, start), cents in windows.items()
    ]


def same(found, expected):
    assert sorted(found, key=str) == sorted(expected, key=str)


def test_revenue_windows(topics):
    made = list(orders(300))
    topics.write("orders", made)
    topics.run("revenue_windows.py", "orders")
    same(topics.read("out-5-minutes"), revenue(made, 5 * MINUTE, 5 * MINUTE))
    same(topics.read("out-15-minutes"), revenue(made, 15 * MINUTE, 5 * MINUTE))


def test_sessions(topics):
    made = list(clicks(300))
    topics.write("clicks", made)
    topics.run("sessions.py", "clicks")
    visits = []
    for visitor, own in by(made, lambda click: click.visitor).items():
        visit = []
        for click in [*sorted(own), Click(2**60, visitor, "")]:
            if visit and click.time > visit[-1].time + 5 * MINUTE:
                pages = [c.page for c in visit]
                visits.append(
                    {
                        "visitor": visitor,
                        "start": visit[0].time,
                        "pages": pages,
                        "seconds": (visit[-1].time - visit[0].time) / 1000,
                        "bought": "/cart" in pages,
                    }
                )
                visit = []
            visit.append(click)
    assert len(visits) > 20
    same([sorted(v.items()) for v in topics.read()], [sorted(v.items()) for v in visits])


def test_fraud_alerts(topics):
    payments = [
        Order(OPENING, "ann", "books", 0.50),
        Order(OPENING + 10_000, "bob", "games", 0.70),
        Order(OPENING + 30_000, "ann", "games", 799.0),
        Order(OPENING + 90_000, "bob", "games", 820.0),
    ]
    topics.write("orders", payments)
    topics.run("fraud_alerts.py", "orders")
    assert topics.read() == [{"customer": "ann", "time": OPENING + 30_000, "amount": 799.0}]


def test_custom_trigger(topics):
    made = list(orders(500))
    topics.write("orders", made)
    topics.run("custom_trigger.py", "orders")
    expected = []
    hours = by(made, lambda order: (order.category, order.time // (60 * MINUTE)))
    for (category, _), own in hours.items():
        cents = list(itertools.accumulate(round(order.amount * 100) for order in own))
        early = cents[9::10]
        expected += [[category, each] for each in [*early, cents[-1]]]
    assert len(expected) > len(hours)
    same(topics.read(), expected)


def test_state_ttl(topics):
    made = list(clicks(50))
    topics.write("clicks", made)
    topics.run("state_ttl.py", "clicks")
    first = by(made, lambda click: click.visitor)
    same(topics.read(), [[visitor, own[0].page, 1] for visitor, own in first.items()])


def order(second, amount=1.0, category="books"):
    return Order(OPENING + second * 1000, "ann", category, amount)


def total(start_minute, amount, correction):
    start = OPENING + start_minute * MINUTE
    return {"category": "books", "start": start, "total": amount, "correction": correction}


def test_late_data(topics):
    job = topics.start("late_data.py", "orders")
    try:
        topics.write("orders", [order(0, 1), order(30, 2), order(70, 4)])
        assert topics.await_results(1) == [total(0, 3, 0)]
        topics.write("orders", [order(20, 8)])
        assert topics.await_results(2)[1:] == [total(0, 11, 1)]
        topics.write("orders", [order(300, 16)])
        assert topics.await_results(3)[2:] == [total(1, 4, 0)]
        topics.write("orders", [order(10, 32)])
        assert topics.await_results(1, "out-too-late") == [order(10, 32)._asdict()]
        assert len(topics.read()) == 3
    finally:
        job.terminate()
        job.communicate()


def test_broadcast_rules(topics):
    job = topics.start("broadcast_rules.py", "orders", "--rules-topic", topics.name("rules"))
    rules = [Rule("bookworm", "books", 2), Rule("gone", "books", 1), Rule("gone", "books", 0)]
    try:
        topics.write("rules", rules)
        # the rules are there when the last of them is withdrawn
        assert topics.await_results(1, "out-withdrawn") == ["gone"]
        topics.write("orders", [order(n) for n in range(5)])
        assert topics.await_results(2) == [["ann", "bookworm"]] * 2
        topics.write("rules", [Rule("third", "books", 3), Rule("bookworm", "books", 0)])
        assert topics.await_results(2, "out-withdrawn") == ["gone", "bookworm"]
        topics.write("orders", [order(5)])  # the sixth: two times three
        assert topics.await_results(3) == [["ann", "bookworm"]] * 2 + [["ann", "third"]]
    finally:
        job.terminate()
        job.communicate()


def test_state_evolution(topics, tmp_path):
    made = list(orders(40))
    topics.write("orders", made[:20])
    job = topics.start("state_evolution.py", "orders", "--checkpoints", str(tmp_path))
    try:
        # version 1 has read all there is, and version 2 goes on after it
        assert job.stdout is not None
        lines = iter(job.stdout.readline, "")
        assert next(lines) == "version 1:\n"
        assert any(line.startswith("version 2, from chk-") for line in lines)
        topics.write("orders", made[20:])
        job.communicate(timeout=60)
        assert job.returncode == 0
    finally:
        job.kill()
        job.communicate()
    found = topics.read()
    expected, counts, since = [], defaultdict(int), defaultdict(int)
    spent = defaultdict(lambda: defaultdict(float))
    for number, each in enumerate(made):
        name = each.customer
        counts[name] += 1
        profile = {"version": 1, "orders": counts[name]}
        if number >= 20:
            since[name] += 1
            spent[name][each.category] += each.amount
            profile |= {"version": 2, "since_upgrade": since[name], "spent": dict(spent[name])}
        expected.append([name, profile])
    assert found == expected
