"""Programs on the test's thread: scripted sources, the fake clock, the fixtures."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pyflink.common import Time, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import (
    KeyedProcessFunction,
    OutputTag,
    ProcessFunction,
    RuntimeExecutionMode,
    SourceFunction,
    StreamExecutionEnvironment,
)
from pyflink.datastream.window import TumblingEventTimeWindows, TumblingProcessingTimeWindows
from pyflink.testing import FakeClock, ScriptedSource, TestStreamEnvironment, collect

ROOT = Path(__file__).parents[3]


@pytest.fixture
def env():
    return TestStreamEnvironment()


def test_a_program_runs_on_the_calling_thread(env):
    threads = []

    def note(value):
        threads.append(threading.get_ident())
        return value + 1

    assert collect(env.from_collection([1, 2]).map(note)) == [2, 3]
    assert set(threads) == {threading.get_ident()}


def test_several_streams_and_side_outputs_are_collected_at_once(env):
    odd = OutputTag("odd", Types.INT())

    class Split(ProcessFunction):
        def process_element(self, value, ctx):
            if value % 2:
                yield odd, value
            else:
                yield value

    even = env.from_sequence(1, 4).process(Split())
    assert collect(even, even.get_side_output(odd), even.map(str)) == ([2, 4], [1, 3], ["2", "4"])


def test_collect_works_in_any_environment():
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(2)
    stream = env.from_sequence(1, 100).key_by(lambda v: v % 3).reduce(lambda a, b: a + b)
    assert max(collect(stream)) == sum(range(1, 101, 3))


def test_parallel_jobs_take_turns(env):
    env.set_parallelism(3)
    stream = env.from_sequence(1, 1000).key_by(lambda v: v % 7).map(lambda v: v)
    assert sorted(collect(stream)) == list(range(1, 1001))


def test_all_ways_to_execute(env, capfd):
    env.from_collection(["hello"]).print()
    result = env.execute("one")
    assert result.get_net_runtime() == 0
    assert "hello" in capfd.readouterr().out
    env.from_collection([1]).print()
    client = env.execute_async("two")
    assert client.get_job_status().result().name == "RUNNING"
    client.get_job_execution_result().result()
    assert client.get_job_status().result().name == "FINISHED"
    with env.from_collection([1, 2, 3]).execute_and_collect() as results:
        assert list(results) == [1, 2, 3]
    assert env.from_collection([1, 2, 3]).execute_and_collect(limit=2) == [1, 2]
    with pytest.raises(RuntimeError, match="No operators defined"):
        env.execute()


def test_more_records_than_a_collect_queue_holds(env):
    assert sum(1 for _ in env.from_sequence(1, 70_000).execute_and_collect()) == 70_000


def test_a_failure_is_the_functions_own(env):
    def fails(value):
        raise KeyError(value)

    env.from_collection(["k"]).map(fails).print()
    with pytest.raises(KeyError, match="k") as caught:
        env.execute()
    notes = " ".join(caught.value.__notes__)
    assert "in operator 'Map', subtask 1/1, record 'k'" in notes
    assert "test_environment.py:" in notes


def test_elements_and_watermarks_in_order(env):
    class Times(ProcessFunction):
        def process_element(self, value, ctx):
            yield value, ctx.timestamp(), ctx.timer_service().current_watermark()

    source = (
        ScriptedSource(Types.STRING())
        .element("a", 10)
        .watermark(20)
        .elements(("b", 15), ("c", 30))
        .watermark(25)
        .values(["d"])
    )
    lowest = -(2**63)
    assert collect(source.to_stream(env).process(Times())) == [
        ("a", 10, lowest),
        ("b", 15, 20),
        ("c", 30, 20),
        ("d", lowest, 25),
    ]


def test_event_time_windows_with_lateness(env):
    late = OutputTag("late")
    source = ScriptedSource().element(1, 0).watermark(9_999).element(2, 5).element(3, 10_000)
    sums = (
        source.to_stream(env)
        .key_by(lambda v: "k")
        .window(TumblingEventTimeWindows.of(Time.seconds(10)))
        .side_output_late_data(late)
        .reduce(lambda a, b: a + b)
    )
    assert collect(sums, sums.get_side_output(late)) == ([1, 3], [2])


def test_the_slower_of_two_sources_holds_back_time_unless_it_is_idle(env):
    class Sees(KeyedProcessFunction):
        def process_element(self, value, ctx):
            yield value, ctx.timer_service().current_watermark()

    def run(second):
        first = ScriptedSource().watermark(100).element("first", 50).element("again", 60)
        stream = first.to_stream(env, "first").union(second.to_stream(env, "second"))
        return collect(stream.key_by(lambda v: "k").process(Sees()))

    lowest = -(2**63)
    slow = run(ScriptedSource().watermark(30).element("second", 40).values(["x", "y"]))
    assert slow[:2] == [("first", 30), ("second", 30)]
    idle = run(ScriptedSource().idle().values([]).advance_processing_time(0).element("end"))
    assert idle[:2] == [("first", 100), ("again", 100)]
    assert lowest not in dict(idle).values()


def test_scripts_move_the_clock_together(env):
    class At(ProcessFunction):
        def process_element(self, value, ctx):
            yield value, ctx.timer_service().current_processing_time()

    env.clock.set(1_000)
    first = ScriptedSource().element("a").advance_processing_time(10).element("b")
    second = (
        ScriptedSource()
        .element("x")
        .advance_processing_time(5)
        .element("y")
        .advance_processing_time(20)
        .element("z")
    )
    stream = first.to_stream(env).union(second.to_stream(env))
    assert collect(stream.process(At())) == [
        ("a", 1_000),
        ("x", 1_000),
        ("y", 1_005),
        ("b", 1_010),
        ("z", 1_025),
    ]
    assert env.clock.now() == 1_025


def test_processing_time_windows(env):
    source = ScriptedSource()
    for value in range(4):
        source.element(value).advance_processing_time(600)
    windows = source.to_stream(env).window_all(TumblingProcessingTimeWindows.of(Time.seconds(1)))
    assert collect(windows.reduce(lambda a, b: a + b)) == [1, 5]


def test_a_strategys_watermarks_come_with_the_clock(env):
    class First(TimestampAssigner):
        def extract_timestamp(self, value, record_timestamp):
            return value

    class Sees(ProcessFunction):
        def process_element(self, value, ctx):
            yield value, ctx.timestamp(), ctx.timer_service().current_watermark()

    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(First())
    source = ScriptedSource().values([10, 20]).advance_processing_time(200).values([30])
    stream = source.to_stream(env).assign_timestamps_and_watermarks(strategy)
    assert collect(stream.process(Sees())) == [
        (10, 10, -(2**63)),
        (20, 20, -(2**63)),
        (30, 30, 19),
    ]


def test_a_script_can_be_played_more_than_once(env):
    source = ScriptedSource().element([1]).advance_processing_time(7)
    changed = source.to_stream(env).map(lambda v: v.append(2) or v)
    assert collect(changed) == [[1, 2]]
    assert collect(source.to_stream(env)) == [[1]]
    assert env.clock.now() == 14


def test_scripts_in_a_plain_environment():
    env = StreamExecutionEnvironment.get_execution_environment()
    source = ScriptedSource().elements((1, 0), (2, 10_000)).watermark(10_000).element(3, 5)
    sums = (
        source.to_stream(env)
        .window_all(TumblingEventTimeWindows.of(Time.seconds(10)))
        .reduce(lambda a, b: a + b)
    )
    assert collect(sums) == [1, 2]
    with pytest.raises(ValueError, match="only a TestStreamEnvironment has"):
        ScriptedSource().advance_processing_time(1).to_stream(env)


def test_batch_mode(env):
    env.set_runtime_mode(RuntimeExecutionMode.BATCH)
    source = ScriptedSource().elements((1, 0), (2, 0), (3, 0))
    assert collect(source.to_stream(env).key_by(lambda v: 0).reduce(lambda a, b: a + b)) == [6]


def test_a_source_function_with_a_thread_of_its_own(env):
    class Three(SourceFunction):
        def run(self, ctx):
            for value in range(3):
                ctx.collect(value)

        def cancel(self):
            pass

    assert collect(env.add_source(Three()).map(lambda v: v * v)) == [0, 1, 4]


def test_a_job_that_does_not_end_says_why(env, monkeypatch):
    monkeypatch.setattr("pyflink.testing.environment._PATIENCE_SECONDS", 0.05)
    stop = threading.Event()

    class Waits(SourceFunction):
        def run(self, ctx):
            stop.wait(30)

        def cancel(self):
            stop.set()

    env.add_source(Waits()).print()
    with pytest.raises(TimeoutError, match="has not ended, and nothing happened in it"):
        env.execute()


def test_wrong_records_name_the_step(env):
    stream = ScriptedSource(Types.INT()).values([1, "two"]).to_stream(env, "Numbers")
    with pytest.raises(TypeError, match=r"'Numbers', step 2: .*two"):
        collect(stream)


def test_wrong_use(env):
    with pytest.raises(ValueError, match="cannot go back"):
        ScriptedSource().advance_processing_time(-1)
    clock = FakeClock(10)
    with pytest.raises(ValueError, match="at 10 already"):
        clock.set(9)
    with pytest.raises(TypeError, match="at least one stream"):
        collect()
    with pytest.raises(TypeError, match=r"collect\(\*streams\)"):
        collect([env.from_collection([1])])
    other = TestStreamEnvironment().from_collection([1])
    with pytest.raises(ValueError, match="of one environment"):
        collect(env.from_collection([1]), other)


def test_the_plugins_fixtures_and_its_lightness(tmp_path):
    (tmp_path / "test_fixtures.py").write_text(
        """
import sys

def test_nothing_is_loaded_yet():
    assert "pyflink._native" not in sys.modules
    assert "pyflink.datastream" not in sys.modules

def test_fixtures(env, clock, collect):
    clock.set(5)
    assert env.clock is clock
    assert collect(env.from_collection([1]).map(lambda v: v + 1)) == [2]
"""
    )
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "pyflink.testing.pytest_plugin", "-p",
         "no:cacheprovider", "-p", "no:hypothesispytest", "test_fixtures.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_plugin_is_an_entry_point_under_the_modules_own_name():
    # then `-p pyflink.testing.pytest_plugin` beside an installed package is no second plugin
    project = (ROOT / "pyproject.toml").read_text()
    assert '"pyflink.testing.pytest_plugin" = "pyflink.testing.pytest_plugin"' in project
