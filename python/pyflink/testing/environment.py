"""An environment that runs programs on the caller's thread, under a fake clock."""

from __future__ import annotations

from pyflink.datastream.data_stream import DataStream, _unkeyed
from pyflink.datastream.stream_execution_environment import StreamExecutionEnvironment
from pyflink.testing.clock import FakeClock

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pyflink import _native
    from pyflink.testing.scripted_source import Play

__all__ = ["TestStreamEnvironment", "collect"]

# A source with a thread of its own may take so long between two records.
_PATIENCE_SECONDS = 30.0


class TestStreamEnvironment(StreamExecutionEnvironment):
    """Runs jobs to their end on the calling thread, always in the same order, without waiting.

    ``execute()``, ``execute_async()`` and ``execute_and_collect()`` work as they do elsewhere, with
    the same operators. Parallelism is 1 unless set: with more, subtasks take turns. Processing time
    is :attr:`clock`, which :meth:`ScriptedSource.advance_processing_time` moves; it stands still
    otherwise, so sources that emit by the clock (a rate limit) do not go on. Checkpoints are taken
    only when asked for, and a failure ends the job. For Kafka and other sources with threads, which
    deliver when they like, use a StreamExecutionEnvironment.
    """

    __test__ = False  # for pytest: no test class

    def __init__(self, clock: FakeClock | None = None) -> None:
        super().__init__()
        #: processing time of this environment's jobs
        self.clock = clock if clock is not None else FakeClock()
        self._plays: list[Play] = []
        self.set_parallelism(1)

    def _launch(self, graph: _native.StreamGraph, job_name: str, options: dict[str, Any]) -> Any:
        plays, self._plays = self._plays, []
        # what only a job in real time has
        for name in ("checkpoint_interval_ms", "checkpoint_directory"):
            options.pop(name, None)
        step_job = graph.step(job_name, options, None, self.clock.now())
        return SteppedJob(step_job, job_name, self.clock, plays)

    def __repr__(self) -> str:
        return f"TestStreamEnvironment({self.clock!r})"


class SteppedJob:
    """A stepped job with the methods of a :class:`_native.Job`: it runs while it is waited for."""

    def __init__(
        self, job: _native.StepJob, name: str, clock: FakeClock, plays: list[Play]
    ) -> None:
        self.id = "0" * 32
        self.name = name
        self._job = job
        self._clock = clock
        self._plays = plays
        self._start = clock.now()
        self._status = "RUNNING"
        self._error: BaseException | None = None
        self._last_metrics: dict[str, float] = {}
        clock._jobs.append(self)

    def status(self) -> str:
        """Upstream's name of the job's status."""
        return self._status

    def cancel(self) -> None:
        """Ends the job."""
        if self._status == "RUNNING":
            self._end("CANCELED")

    def set_time(self, now: int) -> None:
        """Called by the clock."""
        self._guarded(lambda: self._job.set_time(now))

    def wait(self, timeout_ms: int | None = None) -> bool:
        """Runs the job to its end; raises what it failed with."""
        self._run(lambda: False)
        if self._error is not None:
            raise self._error
        return True

    def result(self) -> dict[str, Any]:
        """As _native.Job.result(); the time is the clock's."""
        self.wait()
        return {
            "status": self._status,
            "net_runtime_ms": self._clock.now() - self._start,
            "error_location": "",
        }

    def next_collected(self, queue: _native.CollectQueue) -> Any:
        """The next record of a collect sink; runs the job as far as it must."""
        found: list[Any] = []

        def look() -> bool:
            try:
                found.append(self._job.collected(queue))
            except StopIteration:
                return False
            return True

        if self._status == "RUNNING" or self._status == "FINISHED":
            self._run(look)
            if not found:
                look()
        if found:
            return found[0]
        if self._error is not None:
            raise self._error
        raise StopIteration

    def metrics(self) -> dict[str, float]:
        """As _native.Job.metrics()."""
        return self._job.metrics() if self._status == "RUNNING" else self._last_metrics

    def trigger_checkpoint(self) -> str:
        """Not here.

        :raises ValueError: always.
        """
        raise ValueError(
            "a TestStreamEnvironment takes no checkpoints; use a harness's snapshot(), or a"
            " StreamExecutionEnvironment"
        )

    def checkpoints(self) -> list[dict[str, Any]]:
        """None were taken."""
        return []

    def blocked_operators(self) -> list[str]:
        """None: the job is not running while somebody can ask."""
        return []

    def _end(self, status: str) -> None:
        self._status = status
        if self in self._clock._jobs:
            self._clock._jobs.remove(self)
        try:
            self._last_metrics = self._job.metrics()
        except Exception:  # gauges of user code may fail
            self._last_metrics = {}
        if status != "FINISHED":  # a finished job's collect queue may still be read
            self._job.close()

    def _guarded(self, action: Any) -> bool:
        """Runs `action`; False when the job failed."""
        try:
            action()
        except BaseException as error:
            self._error = error
            self._end("FAILED" if isinstance(error, Exception) else "CANCELED")
            return False
        return True

    def _run(self, enough: Any) -> None:
        """Steps until the job ends or `enough` says so."""
        import time

        give_up: float | None = None
        while self._status == "RUNNING":
            if not self._guarded(self._job.run_until_idle):
                return
            if enough():
                return
            if self._job.finished():
                self._end("FINISHED")
                return
            if self._guarded(self._play):
                if self._played:
                    give_up = None
                    continue
            else:
                return
            # Somebody else's turn: a source function's thread, or I/O in flight.
            now = time.monotonic()
            if give_up is None:
                give_up = now + _PATIENCE_SECONDS
            elif now > give_up:
                self._error = TimeoutError(
                    f"job {self.name!r} has not ended, and nothing happened in it for"
                    f" {_PATIENCE_SECONDS:.0f} s: a source that never ends, or one that emits by"
                    " the clock, which stands still here. Use a bounded source, or a"
                    " StreamExecutionEnvironment"
                )
                self._end("CANCELED")
                return
            time.sleep(0.001)

    _played = False

    def _play(self) -> None:
        """One step of every script that can; else moves the clock to where the first can."""
        self._played = False
        for play in self._plays:
            if not play.ended and not play.waits():
                play.step()
                self._played = True
                self._job.run_until_idle()
        if self._played:
            return
        waiting = [play for play in self._plays if play.waits()]
        if waiting:
            first = min(play.waits_until() for play in waiting)
            # The job is not in the clock's list meanwhile: what fails there fails here.
            if self._start + first > self._clock.now():
                self._clock.set(self._start + first)
                if self._error is not None:
                    raise self._error
            for play in waiting:
                if play.waits_until() == first:
                    play.wake()
            self._played = True


def collect(*streams: DataStream) -> Any:
    """Executes the program and returns all records of the given streams.

    :param streams: streams of one environment; side outputs too.
    :returns: a list for one stream, a tuple of lists for several, each in the order of arrival.
    :raises TypeError: for something that is no stream.
    :raises ValueError: for streams of different environments.
    """
    from pyflink._native import CaptureLog

    if not streams:
        raise TypeError("collect() needs at least one stream")
    for stream in streams:
        if not isinstance(stream, DataStream):
            hint = "; unpack it: collect(*streams)" if isinstance(stream, (list, tuple)) else ""
            raise TypeError(f"collect() needs DataStreams, got {stream!r}{hint}")
    env = streams[0].get_execution_environment()
    if any(stream.get_execution_environment() is not env for stream in streams):
        raise ValueError(
            "collect() executes one program; its streams must be of one environment: call it once"
            " for each"
        )
    logs = []
    for stream in streams:
        log = CaptureLog()
        logs.append(log)
        values = _unkeyed(stream)
        values._add("capture", "Collect", values._type_info, {"log": log}, single=True)
    env.execute()
    results = [[value for kind, value, _ in log.take() if kind == 0] for log in logs]
    return results[0] if len(results) == 1 else tuple(results)
