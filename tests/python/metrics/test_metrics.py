"""Metrics of functions: during the job, and in its result."""

from __future__ import annotations

import threading

import pytest

from pyflink.datastream import ProcessFunction, StreamExecutionEnvironment


class Measuring(ProcessFunction):
    def open(self, runtime_context):
        group = runtime_context.get_metrics_group().add_group("mine").add_group("kind", "a")
        self.seen = group.counter("seen")
        self.meter = group.meter("rate", 1)
        self.sizes = group.distribution("sizes")
        self.last = -1
        group.gauge("last", lambda: self.last)
        group.gauge("broken", lambda: 1 / 0)

    def process_element(self, value, ctx):
        self.seen.inc(2)
        self.seen.dec()
        self.meter.mark_event(value)
        self.sizes.update(value)
        self.last = value
        yield self.seen.get_count(), self.meter.get_count()


@pytest.fixture
def env():
    environment = StreamExecutionEnvironment.get_execution_environment()
    environment.set_parallelism(1)
    return environment


def test_the_result_has_the_last_values(env):
    env.from_collection([3, 5]).process(Measuring()).name("Measured").print()
    metrics = env.execute().get_metrics()
    own = {
        name.partition("Measured.mine.kind.a.")[2]: value
        for name, value in metrics.items()
        if ".Measured.mine." in name
    }
    assert own.pop("broken") != own.get("last")  # not a number
    assert own.pop("rate.rate") >= 0
    assert own == {
        "seen": 2,
        "rate": 8,
        "sizes.count": 2,
        "sizes.sum": 8,
        "sizes.min": 3,
        "sizes.max": 5,
        "last": 5,
    }


def test_a_sum_over_all_subtasks(env):
    env.set_parallelism(2)
    env.from_sequence(1, 10).process(Measuring()).print()
    result = env.execute()
    assert result.get_metric_sum("mine.kind.a.seen") == 10
    assert result.get_metric_sum("mine.kind.a.sizes.sum") == 55
    assert result.get_metric_sum("nobody") == 0
    assert result.get_all_accumulator_results() == {}


def test_there_are_no_accumulators_as_upstream_has_none_of_python(env):
    """Apache Flink 1.20 gives these answers for a job in Python (run with it once)."""
    env.from_collection([1, 2]).map(lambda n: n).print()
    result = env.execute()
    assert result.get_all_accumulator_results() == {}
    assert result.get_accumulator_result("records") is None
    result.get_all_accumulator_results()["records"] = 5
    assert result.get_accumulator_result("records") is None, "a copy"
    env.from_collection([1, 2]).map(lambda n: n).print()
    client = env.execute_async()
    assert client.get_accumulators().result() == {}
    assert client.get_job_execution_result().result().get_all_accumulator_results() == {}


def test_metrics_of_a_running_job(env):
    seen, go_on = threading.Event(), threading.Event()

    class Waiting(Measuring):
        def process_element(self, value, ctx):
            yield from super().process_element(value, ctx)
            seen.set()
            go_on.wait(30)

    env.from_collection([7]).process(Waiting()).print()
    client = env.execute_async()
    assert seen.wait(30)
    metrics = client.get_metrics().result()
    go_on.set()
    client.get_job_execution_result().result()
    (last,) = [value for name, value in metrics.items() if name.endswith(".a.last")]
    assert last == 7
