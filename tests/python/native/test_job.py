"""Jobs: failures, signals, cancellation, collecting, context variables, leaks."""

from __future__ import annotations

import contextvars
import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import traceback
import weakref
from pathlib import Path
from typing import Any

import pytest
from graphs import Pipeline, drain

from pyflink import _native


def run_script(body: str, timeout: float = 20) -> subprocess.CompletedProcess[str]:
    here = str(Path(__file__).parent)
    paths = [here, *sys.path]
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(body)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in paths if p)},
        # a test run in the background of a shell has Ctrl-C ignored, and its children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        check=False,
    )


class Broken(Exception):
    pass


def test_a_users_exception_arrives_as_it_was_raised_with_a_note() -> None:
    def fail(value: int) -> int:
        if value == 2:
            raise Broken("no twos")
        return value

    with pytest.raises(Broken, match="no twos") as caught:
        Pipeline().source([1, 2, 3]).add("map", function=fail).collect()
    assert any(frame.name == "fail" for frame in traceback.extract_tb(caught.value.__traceback__))
    (note,) = caught.value.__notes__
    assert "Map" in note
    assert "subtask 1/1" in note
    assert "2" in note


def test_a_job_that_failed_raises_each_time_with_one_note() -> None:
    job = Pipeline().source([1]).add("map", function=lambda x: 1 / 0).add("print").start()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError) as caught:
            job.wait()
        assert len(caught.value.__notes__) == 1
    assert job.status() == "FAILED"


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (("nothing", "x"), ValueError, "unknown node kind"),
        (("map", "x"), ValueError, "needs an input"),
    ],
)
def test_wrong_nodes_fail_when_added(arguments: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=text):
        _native.StreamGraph().add(*arguments)


def test_wrong_parameters_fail_when_added() -> None:
    graph = _native.StreamGraph()
    source = graph.add("collection", "s", params={"values": [1]})
    edges = [_native.Edge(source)]
    with pytest.raises(ValueError, match="'function'"):
        graph.add("map", "m", inputs=edges)
    with pytest.raises(TypeError, match="callable"):
        graph.add("map", "m", inputs=edges, params={"function": 5})
    with pytest.raises(ValueError, match="forward, rebalance"):
        _native.Edge(source, "sideways")
    with pytest.raises(ValueError, match="tumbling"):
        graph.add(
            "window",
            "w",
            inputs=edges,
            params={"assigner": ("tumbling", "event"), "trigger": ("count", 1), "reduce": max},
        )
    with pytest.raises(ValueError, match="unknown job option"):
        graph.start("x", {"no_such_option": 1})


def test_contextvars_of_the_caller_are_seen() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")
    variable.set("caller")
    pipeline = Pipeline().source([1]).add("map", function=lambda x: variable.get())
    assert pipeline.collect() == ["caller"]


def test_collecting_slowly_holds_the_job_back() -> None:
    pulled: list[int] = []

    def watch(value: int) -> int:
        pulled.append(value)
        return value

    pipeline = Pipeline().source(list(range(20_000)))
    pipeline.queue = _native.CollectQueue(10)
    pipeline.add("map", function=watch)
    pipeline.add("collect", queue=pipeline.queue)
    job = pipeline.start()
    assert job.next_collected(pipeline.queue) == 0
    assert not job.wait(200)
    assert len(pulled) < 20_000
    assert drain(job, pipeline.queue) == list(range(1, 20_000))


def test_cancel() -> None:
    class Endless:
        def run(self, ctx: Any) -> None:
            while True:
                ctx.collect(1)

        def cancel(self) -> None:
            pass

    pipeline = Pipeline()
    pipeline.last = pipeline.graph.add("python_source", "e", params={"function": Endless()})
    pipeline.add("filter", function=lambda x: False).add("collect", queue=pipeline.queue)
    job = pipeline.start()
    assert not job.wait(50)
    job.cancel()
    assert job.wait(5000)
    assert job.status() == "CANCELED"


def test_a_source_thread_that_outlives_its_job_is_told_so() -> None:
    go = threading.Event()
    outcome: list[BaseException] = []
    ended = threading.Event()

    class Deaf:
        def run(self, ctx: Any) -> None:
            ctx.collect(1)
            calls = [lambda: ctx.collect(2), lambda: ctx.emit_watermark(3)]
            while not go.is_set():
                try:
                    go.wait()
                except BaseException:  # not even the engine's exception stops it
                    continue
            for call in calls:
                try:
                    call()
                except BaseException as error:
                    outcome.append(error)
            ended.set()

        def __deepcopy__(self, memo: Any) -> Deaf:
            return self

    pipeline = Pipeline()
    pipeline.last = pipeline.graph.add("python_source", "e", params={"function": Deaf()})
    pipeline.add("collect", queue=pipeline.queue)
    job = pipeline.start()
    assert job.next_collected(pipeline.queue) == 1
    job.cancel()
    assert job.wait(10_000)
    del job, pipeline
    gc.collect()
    go.set()
    assert ended.wait(10)
    assert [type(error) for error in outcome] == [_native.JobCancelled] * 2


@pytest.mark.parametrize("kind", ["flat_map", "process"])
def test_cancel_within_one_record_that_yields_without_an_end(kind: str) -> None:
    started = threading.Event()
    closed = threading.Event()

    class Endless:
        def flat_map(self, value: int) -> Any:
            try:
                while True:
                    started.set()
                    yield value
            finally:
                closed.set()

        def process_element(self, value: int, ctx: Any) -> Any:
            return self.flat_map(value)

        def __deepcopy__(self, memo: Any) -> Endless:
            return self

    pipeline = Pipeline().source([1]).add(kind, function=Endless())
    pipeline.add("filter", function=lambda value: False).add("collect", queue=pipeline.queue)
    job = pipeline.start()
    assert started.wait(10)
    job.cancel()
    assert job.wait(5000)
    assert job.status() == "CANCELED"
    assert closed.is_set()


class Busy:
    """A map function that computes without an end, in Python."""

    def __init__(self, *, where: str = "map", swallow: int = 0) -> None:
        self.started = threading.Event()
        self.closed = threading.Event()
        self.seen: list[BaseException] = []
        self.where = where
        self.swallow = swallow

    def __deepcopy__(self, memo: Any) -> Busy:
        return self

    def compute(self) -> None:
        self.started.set()
        while True:
            try:
                while True:
                    pass
            except BaseException as error:
                self.seen.append(error)
                if len(self.seen) > self.swallow:
                    raise

    def open(self, context: Any) -> None:
        if self.where == "open":
            self.compute()

    def map(self, value: int) -> int:
        self.compute()
        return value

    def close(self) -> None:
        total = 0
        for number in range(3_000_000):  # longer than a call that is cancelled is left alone
            total += number
        self.closed.set()


@pytest.mark.parametrize(("where", "swallow"), [("map", 0), ("map", 2), ("open", 0)])
def test_cancel_ends_a_function_that_computes_in_python(where: str, swallow: int) -> None:
    busy = Busy(where=where, swallow=swallow)
    job = Pipeline().source([1, 2, 3]).add("map", function=busy).add("print").start()
    assert busy.started.wait(10)
    job.cancel()
    assert job.wait(5000)
    assert job.status() == "CANCELED"
    assert [type(error) for error in busy.seen] == [_native.JobCancelled] * (swallow + 1)
    # Its own clean-up is not cut short.
    assert busy.closed.is_set()


class CleansUp(Busy):
    """Computes without an end, and then long in a `finally` and an `__exit__`."""

    def __init__(self) -> None:
        super().__init__()
        self.cleaned: list[str] = []

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self.clean("exit")

    def clean(self, where: str) -> None:
        total = 0
        for number in range(10_000_000):  # several times as long as the interval of interrupts
            total += number
        self.cleaned.append(where)

    def map(self, value: int) -> int:
        with self:
            try:
                self.compute()
            finally:
                self.clean("finally")
        return value


def test_cancel_lets_a_function_clean_up() -> None:
    function = CleansUp()
    job = Pipeline().source([1]).add("map", function=function).add("print").start()
    assert function.started.wait(10)
    job.cancel()
    assert job.wait(20_000)
    assert job.status() == "CANCELED"
    assert function.cleaned == ["finally", "exit"]


def test_a_failure_ends_the_functions_of_other_subtasks_that_compute() -> None:
    busy = Busy()

    def fail_on_2(value: int) -> int:
        if value == 2:
            assert busy.started.wait(10)
            raise Broken("two")
        return busy.map(value)

    pipeline = Pipeline(parallelism=2).source([1, 2]).add("map", function=fail_on_2).add("print")
    job = pipeline.start()
    with pytest.raises(Broken, match="two"):
        job.wait(10_000)
    assert job.status() == "FAILED"
    assert [type(error) for error in busy.seen] == [_native.JobCancelled]


def test_ctrl_c_ends_a_function_that_computes_in_python() -> None:
    script = INTERRUPT.replace("FUNCTION", "spin").replace("TIMES", "1")
    script = script.replace("    started = threading", SPIN, 1)
    done = run_script(script)
    assert done.stdout == "interrupted CANCELED True\n", done.stderr
    assert done.returncode == 0
    assert "JobCancelled" not in done.stderr


SPIN = """
    def spin(x):
        while True: pass
    started = threading"""


def test_a_function_that_catches_everything_is_named_and_a_second_ctrl_c_ends_the_process() -> None:
    script = INTERRUPT.replace("FUNCTION", "deaf").replace("TIMES", "2")
    script = script.replace("time.sleep(0.3)", "time.sleep(1.8)")  # tidy: sleeping is the subject
    done = run_script(script.replace("    started = threading", DEAF, 1))
    assert done.returncode == 130, done.stderr
    assert "does not end, blocked in: e -> Filter" in done.stderr


DEAF = """
    def spin():
        while True: max(1, 2)
    def guard(function):
        while True:
            try: function()
            except BaseException: pass  # what comes up at the jump back is caught further out
    def deaf(x): guard(lambda: guard(lambda: guard(spin)))
    started = threading"""


def test_a_record_that_takes_long_is_called_a_step() -> None:
    done = run_script("""
        import time
        from graphs import Pipeline
        pipeline = Pipeline().source([1])
        pipeline.add("map", function=lambda x: time.sleep(2.5))  # tidy: sleeping is the subject
        pipeline.collect()
    """)
    assert "one step has been running for more than a second in" in done.stderr
    assert "one call" not in done.stderr


def test_ctrl_c_while_a_checkpoint_is_waited_for() -> None:
    script = INTERRUPT.replace("FUNCTION", "wait").replace("TIMES", "1")
    script = script.replace("    started = threading", CHECKPOINT_WAIT, 1)
    # After the first record: a barrier in front of it would have nothing to wait for.
    trigger = "started.wait(); began = time.monotonic(); job.trigger_checkpoint()"
    script = script.replace("job.wait()", trigger)
    script = script.replace("pipeline.start()", "pipeline.start(checkpoint_interval_ms=3600_000)")
    done = run_script(script)
    assert done.stdout == "interrupted CANCELED True\n", done.stderr
    assert done.returncode == 0


CHECKPOINT_WAIT = """
    def wait(x):  # long enough that no barrier passes before the signal
        time.sleep(1)  # tidy: sleeping is the subject
    started = threading"""


INTERRUPT = """
    import signal, sys, threading, time
    from graphs import Pipeline
    started = threading.Event()
    class Endless:
        def run(self, ctx):
            while True:
                ctx.collect(1); started.set(); time.sleep(0.001)  # tidy: sleeping is the subject
        def cancel(self): pass
        def __deepcopy__(self, memo): return self
    pipeline = Pipeline()
    pipeline.last = pipeline.graph.add("python_source", "e", params={"function": Endless()})
    pipeline.add("filter", function=FUNCTION)
    pipeline.add("collect", queue=pipeline.queue)
    job = pipeline.start()
    def interrupt():
        started.wait()
        for _ in range(TIMES):
            time.sleep(0.3)  # tidy: sleeping is the subject
            signal.raise_signal(signal.SIGINT)
    threading.Thread(target=interrupt, daemon=True).start()
    began = time.monotonic()
    try:
        job.wait()
    except KeyboardInterrupt:
        print("interrupted", job.status(), time.monotonic() - began < 1.3)
"""


def test_ctrl_c_cancels_joins_and_raises() -> None:
    script = INTERRUPT.replace("FUNCTION", "lambda x: False").replace("TIMES", "1")
    done = run_script(script)
    assert done.stdout == "interrupted CANCELED True\n", done.stderr
    assert done.returncode == 0


def test_a_second_ctrl_c_ends_a_process_that_is_blocked_in_c() -> None:
    block = "lambda x: time.sleep(60)"  # tidy: sleeping is the subject
    script = INTERRUPT.replace("FUNCTION", block).replace("TIMES", "2")
    done = run_script(script)
    assert done.returncode == 130, done.stderr
    assert "interrupted again" in done.stderr


def test_the_end_of_the_program_cancels_running_jobs_with_a_warning() -> None:
    done = run_script("""
        import threading
        from graphs import Pipeline
        started = threading.Event()
        class Endless:
            def run(self, ctx):
                while True: ctx.collect(1); started.set()
            def cancel(self): print("cancelled")
            def __deepcopy__(self, memo): return self
        pipeline = Pipeline()
        pipeline.last = pipeline.graph.add("python_source", "e", params={"function": Endless()})
        pipeline.add("filter", function=lambda x: False).add("collect", queue=pipeline.queue)
        pipeline.start()
        started.wait()
    """)
    assert done.returncode == 0, done.stderr
    assert "still running" in done.stderr
    assert "cancelled" in done.stdout


def test_after_a_fork_the_childs_engine_says_that_it_is_dead() -> None:
    done = run_script("""
        import os
        from graphs import Pipeline
        Pipeline().source([1]).collect()
        pid = os.fork()
        if pid == 0:
            try:
                Pipeline().source([1]).collect()
            except ValueError as error:
                os.write(1, str(error).encode())
            os._exit(0)
        os.waitpid(pid, 0)
    """)
    assert "forked" in done.stdout, done.stderr


def test_log_callback_and_its_removal() -> None:
    lines: list[Any] = []
    _native.set_log_callback(lambda *line: lines.append(line), 20)
    try:
        Pipeline().source([1]).collect()
    finally:
        _native.set_log_callback(None, 30)
    assert all(len(line) == 3 for line in lines)


class Token:
    pass


def test_values_and_functions_are_released() -> None:
    token = Token()
    kept = weakref.ref(token)
    pipeline = Pipeline().source([1, 2])
    pipeline.add("map", function=lambda value, token=token: value)
    assert pipeline.collect() == [1, 2]
    del token, pipeline
    gc.collect()
    Pipeline().source([1]).collect()  # empties what threads without the GIL released
    gc.collect()
    assert kept() is None


def test_records_keep_their_reference_counts() -> None:
    value = "x" * 50
    before = sys.getrefcount(value)
    for _ in range(3):
        pipeline = Pipeline().source([value] * 100).key_by(lambda x: x)
        result = pipeline.add("reduce", function=lambda a, b: a).collect()
        del result, pipeline
    gc.collect()
    assert sys.getrefcount(value) <= before + 2


def test_jobs_run_from_any_thread() -> None:
    results: list[Any] = []
    thread = threading.Thread(
        target=lambda: results.append(Pipeline().source([1]).add("map", function=str).collect())
    )
    thread.start()
    thread.join(10)
    assert results == [["1"]]


def test_metrics_and_job_parameters() -> None:
    class Uses:
        def open(self, context: Any) -> None:
            handle = context._handle
            self.counter = handle.counter("mine")
            handle.gauge("answer", lambda: 42.0)
            self.parameter = handle.job_parameters["name"]

        def map(self, value: int) -> Any:
            self.counter.inc()
            self.counter.inc(2)
            self.counter.dec()
            return self.parameter, self.counter.get_count()

    pipeline = Pipeline().source([1, 2]).add("map", function=Uses())
    assert pipeline.collect(job_parameters={"name": "value"}) == [("value", 2), ("value", 4)]
