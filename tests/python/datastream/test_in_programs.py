"""The package inside other programs: threads, asyncio, environments, copies of its objects."""

import asyncio
import copy
import importlib
import pickle
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import cloudpickle
import pytest

from pyflink._not_yet import NotSupportedError
from pyflink.common import (
    Configuration,
    Duration,
    Row,
    RowKind,
    SimpleStringSchema,
    Time,
    Types,
    WatermarkStrategy,
)
from pyflink.datastream import MapFunction, OutputTag, StreamExecutionEnvironment
from pyflink.datastream.connectors.kafka import KafkaSource
from pyflink.datastream.formats.json import JsonRowSerializationSchema
from pyflink.datastream.state import MapStateDescriptor, StateTtlConfig, ValueStateDescriptor
from pyflink.datastream.window import (
    CountTrigger,
    EventTimeSessionWindows,
    PurgingTrigger,
    TimeWindow,
    TumblingEventTimeWindows,
)

ROOT = Path(__file__).parents[3]


def doubled(count):
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(2)
    stream = env.from_collection(range(count)).map(lambda x: x * 2).key_by(lambda x: x % 3)
    with stream.map(lambda x: x).execute_and_collect() as records:
        return sorted(records)


def test_jobs_of_several_threads():
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(doubled(100)), daemon=True) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results == [[2 * i for i in range(100)]] * 4


def test_jobs_while_an_event_loop_runs():
    async def main():
        here = doubled(10)
        others = await asyncio.gather(*(asyncio.to_thread(doubled, 50) for _ in range(3)))
        return [len(here), *map(len, others)]

    assert asyncio.run(main()) == [10, 50, 50, 50]


def test_two_environments_do_not_mix(capfd):
    first = StreamExecutionEnvironment.get_execution_environment()
    second = StreamExecutionEnvironment.get_execution_environment()
    first.set_parallelism(1)
    second.set_parallelism(1)
    one, two = first.from_collection([1]), second.from_collection([2])
    two.print("second")
    one.print("first")
    first.execute()
    assert capfd.readouterr().out.split() == ["first>", "1"]
    second.execute()
    assert capfd.readouterr().out.split() == ["second>", "2"]


def test_several_asynchronous_jobs_of_one_environment(capfd):
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(1)
    clients = []
    for number in range(5):
        env.from_sequence(1, 100).filter(lambda x: x == 100).print(f"job{number}")
        clients.append(env.execute_async(f"job {number}"))
    results = [client.get_job_execution_result().result() for client in clients]
    assert len({str(result.get_job_id()) for result in results}) == 5
    printed = capfd.readouterr().out.split("\n")
    assert sorted(filter(None, printed)) == [f"job{number}> 100" for number in range(5)]


def test_asynchronous_jobs_run_at_the_same_time(capfd):
    meeting = threading.Barrier(3, timeout=30)  # each waits in its function for the two others
    env = StreamExecutionEnvironment.get_execution_environment().set_parallelism(1)
    clients = []
    for number in range(3):
        env.from_collection([number]).map(lambda x: (meeting.wait(), x)[1]).print()
        clients.append(env.execute_async(f"job {number}"))
    for client in clients:
        client.get_job_execution_result().result()
    assert sorted(capfd.readouterr().out.split()) == ["0", "1", "2"]


class Watched(MapFunction):
    """Says when its job has closed it."""

    closed = threading.Event()

    def map(self, value):
        return value

    def close(self):
        self.closed.set()


@pytest.mark.parametrize("failing", [False, True])
def test_leaving_the_results_early_cancels_the_job(failing, monkeypatch):
    Watched.closed.clear()
    jobs = []
    launch = StreamExecutionEnvironment._launch

    def watched(self, *arguments):
        jobs.append(launch(self, *arguments))
        return jobs[-1]

    monkeypatch.setattr(StreamExecutionEnvironment, "_launch", watched)
    env = StreamExecutionEnvironment.get_execution_environment().set_parallelism(2)
    stream = env.from_sequence(1, 10**15).map(Watched())

    def leave():
        with stream.execute_and_collect() as results:
            next(iter(results))
            assert jobs[0].status() == "RUNNING"
            if failing:
                raise KeyError("the user's own")

    if failing:
        with pytest.raises(KeyError, match="the user's own"):
            leave()
    else:
        leave()
    assert jobs[0].wait(10_000)
    assert jobs[0].status() == "CANCELED"
    assert Watched.closed.is_set()


def test_the_table_api_says_that_it_comes_later():
    table = importlib.import_module("pyflink.table")
    assert "StreamTableEnvironment" in table.__all__
    with pytest.raises(NotSupportedError, match="later release"):
        table.StreamTableEnvironment.create(StreamExecutionEnvironment.get_execution_environment())
    with pytest.raises(AttributeError):
        table.no_such_name  # noqa: B018


def test_an_unbounded_job_ends_with_its_limit():
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(1)
    stream = env.from_sequence(1, 10**15).map(lambda x: x)
    assert stream.execute_and_collect(limit=3) == [1, 2, 3]


ROWS = Types.ROW_NAMED(["a"], [Types.LIST(Types.MAP(Types.STRING(), Types.BIG_DEC()))])
OBJECTS = {
    "row": Row(a=1, b=[Row(1, 2)]),
    "row class": Row("a", "b"),
    "row kind": RowKind.DELETE,
    "type": ROWS,
    "tuple type": Types.TUPLE([Types.INT(), Types.PRIMITIVE_ARRAY(Types.BYTE())]),
    "any type": Types.PICKLED_BYTE_ARRAY(),
    "time": Time.seconds(3),
    "duration": Duration.of_seconds(1),
    "tag": OutputTag("late", Types.INT()),
    "configuration": Configuration().set_string("a", "b"),
    "strategy": WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_seconds(1)),
    "value state": ValueStateDescriptor("v", Types.INT()),
    "map state": MapStateDescriptor("m", Types.STRING(), Types.INT()),
    "ttl": StateTtlConfig.new_builder(Time.seconds(1)).build(),
    "assigner": TumblingEventTimeWindows.of(Time.seconds(1)),
    "session assigner": EventTimeSessionWindows.with_gap(Time.seconds(1)),
    "trigger": PurgingTrigger.of(CountTrigger.of(3)),
    "window": TimeWindow(1, 2),
    "schema": SimpleStringSchema(),
    "JSON schema": JsonRowSerializationSchema.builder().with_type_info(ROWS).build(),
    "source": KafkaSource.builder()
    .set_bootstrap_servers("localhost:1")
    .set_topics("t")
    .set_value_only_deserializer(SimpleStringSchema())
    .build(),
}
COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda o: pickle.loads(pickle.dumps(o)),
    "cloudpickle": lambda o: pickle.loads(cloudpickle.dumps(o)),
}


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("name", OBJECTS)
def test_objects_of_the_api_can_be_copied(name, how):
    original = OBJECTS[name]
    other = COPIES[how](original)
    assert type(other) is type(original)
    if type(original).__eq__ is not object.__eq__:
        assert other == original


def run_strictly(code):
    return subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_readmes_example_runs_without_a_warning():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    code = readme.split("```python\n")[1].split("```")[0]
    done = run_strictly(code)
    assert (done.returncode, done.stderr) == (0, "")
    counts = {line.rpartition("> ")[2] for line in done.stdout.splitlines()}
    assert counts == {"(to,1)", "(to,2)", "(be,1)", "(be,2)", "(or,1)", "(not,1)"}


def test_a_program_that_ends_while_a_job_runs_ends_cleanly():
    done = run_strictly("""
        from pyflink.datastream import StreamExecutionEnvironment
        env = StreamExecutionEnvironment.get_execution_environment()
        env.from_sequence(1, 10**15).map(lambda x: x).filter(lambda x: False).print()
        client = env.execute_async()
        assert not client.is_done()
        client.cancel().result()
        assert client.is_done()
    """)
    assert (done.returncode, done.stderr) == (0, "")


def test_importing_the_api_loads_nothing_heavy():
    done = run_strictly("""
        import sys
        from pyflink.common import Types, WatermarkStrategy
        from pyflink.datastream import StreamExecutionEnvironment
        env = StreamExecutionEnvironment.get_execution_environment()
        env.from_collection([1], Types.INT()).map(lambda x: x).print()
        env.execute()
        heavy = {"typing", "dataclasses", "inspect", "asyncio", "json", "logging", "numpy"}
        print(sorted(heavy & set(sys.modules)))
    """)
    assert done.stdout.splitlines()[-1] == "[]", done.stdout + done.stderr
