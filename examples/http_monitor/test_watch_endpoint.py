"""The function that watches an endpoint, request by request."""

import pytest
from monitor_job import REQUEST, WARM_UP, Alert, WatchEndpoint, alerts

from pyflink.common import Row, Types
from pyflink.testing import KeyedOneInputStreamOperatorTestHarness, ScriptedSource

PERIOD = 10_000


@pytest.fixture
def harness():
    return KeyedOneInputStreamOperatorTestHarness(
        WatchEndpoint(PERIOD), lambda request: request.endpoint, Types.STRING(), input_type=REQUEST
    )


def request(time, status=200, ms=5.0, endpoint="GET /"):
    return Row(time=time, endpoint=endpoint, status=status, ms=ms)


def feed(harness, requests):
    for each in requests:
        harness.process_element(each, each.time)


def test_an_endpoint_fails_and_recovers(harness):
    feed(harness, [request(t, 503 if t % 2 else 200) for t in range(10)])
    assert harness.extract_output_values() == []  # the period is not over
    harness.process_watermark(PERIOD - 1)
    feed(harness, [request(PERIOD + t, 503) for t in range(10)])
    harness.process_watermark(2 * PERIOD - 1)
    feed(harness, [request(2 * PERIOD + t) for t in range(10)])
    harness.process_watermark(3 * PERIOD - 1)
    assert harness.extract_output_values() == [
        Alert("GET /", "failing", "open", PERIOD, 0.5),
        Alert("GET /", "failing", "closed", 3 * PERIOD, 0.0),
    ]


@pytest.mark.parametrize(
    "requests",
    [
        [request(t, 503) for t in range(4)],
        [request(t, 503 if t == 0 else 200) for t in range(5)],
        [request(t, 404) for t in range(10)],
    ],
    ids=["too few", "a fifth", "the client's fault"],
)
def test_no_alert(harness, requests):
    feed(harness, requests)
    harness.process_watermark(PERIOD)
    assert harness.extract_output_values() == []


def test_an_unusually_slow_request(harness):
    feed(harness, [request(t, ms=20.0 + t % 3) for t in range(WARM_UP)])
    feed(harness, [request(100, ms=300.0), request(101, ms=300.0), request(102, ms=22.0)])
    assert harness.take_output_values() == [Alert("GET /", "slow", "open", 100, 300.0)]
    feed(harness, [request(100 + PERIOD, ms=300.0)])
    assert harness.take_output_values() == [Alert("GET /", "slow", "open", 100 + PERIOD, 300.0)]


def test_what_is_slow_for_one_endpoint_is_usual_for_another(harness):
    feed(harness, [request(t, ms=300.0 + t % 7, endpoint="GET /report") for t in range(WARM_UP)])
    feed(harness, [request(t, ms=5.0) for t in range(WARM_UP)])
    feed(harness, [request(50, ms=306.0, endpoint="GET /report"), request(50, ms=306.0)])
    assert harness.extract_output_values() == [Alert("GET /", "slow", "open", 50, 306.0)]


def test_a_request_after_its_period_was_judged_changes_nothing(harness):
    feed(harness, [request(t) for t in range(5)])
    harness.process_watermark(PERIOD)
    feed(harness, [request(7, 503)])
    assert harness.num_event_time_timers() == 0


def test_a_restart_within_a_period(harness):
    feed(harness, [request(t, 503) for t in range(3)])
    restored = harness.restored(harness.snapshot())
    feed(restored, [request(t, 503) for t in range(3, 6)])
    restored.process_watermark(PERIOD)
    assert restored.extract_output_values() == [Alert("GET /", "failing", "open", PERIOD, 1.0)]


def test_the_workflow(env, collect):
    source = ScriptedSource(REQUEST)
    for t in range(10):
        source.element(request(t, 503, endpoint="GET /a"), t)
        source.element(request(t, 200, endpoint="GET /b"), t)
    assert collect(alerts(source.to_stream(env))) == [
        Alert("GET /a", "failing", "open", PERIOD, 1.0)
    ]
