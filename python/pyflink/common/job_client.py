"""A running job, seen from outside."""

from __future__ import annotations

from pyflink.common.completable_future import CompletableFuture
from pyflink.common.job_execution_result import JobExecutionResult, result_of
from pyflink.common.job_id import JobID
from pyflink.common.job_status import JobStatus

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyflink import _native

__all__ = ["JobClient"]


class JobClient:
    """Handle of a job started by :meth:`StreamExecutionEnvironment.execute_async`."""

    def __init__(self, job: _native.Job, places: dict[str, list[str]] | None = None) -> None:
        self._job = job
        self._places = places or {}

    def get_job_id(self) -> JobID:
        """The job's id."""
        return JobID(self._job.id)

    def get_job_status(self) -> CompletableFuture:
        """Future of the :class:`JobStatus` at this moment."""
        from pyflink._spellings import job_status_future

        future: CompletableFuture = job_status_future(lambda: JobStatus[self._job.status()])
        return future

    def cancel(self) -> CompletableFuture:
        """Stops the job without a final checkpoint.

        The future is done when all its threads ended.
        """
        self._job.cancel()
        return CompletableFuture(self._join, self.is_done)

    def get_job_execution_result(self) -> CompletableFuture:
        """Future of the :class:`JobExecutionResult`.

        Its ``result()`` raises what the job failed with.
        """
        return CompletableFuture(self._wait_for_result, self.is_done, self._job.cancel)

    def get_accumulators(self) -> CompletableFuture:
        """Future of the accumulators; always empty, as upstream's for jobs in Python."""
        return CompletableFuture.completed({})

    def get_metrics(self) -> CompletableFuture:
        """Future of all metrics at this moment; see :meth:`JobExecutionResult.get_metrics`.

        Upstream has no such method.
        """
        return CompletableFuture(self._job.metrics)

    def trigger_savepoint(self, savepoint_directory: str | None = None) -> CompletableFuture:
        """Takes a savepoint while the job goes on.

        It needs no checkpoint and can be restored with every state backend, at every parallelism,
        as often as wanted: set ``execution.savepoint.path`` to it. What sinks have written is not
        in it; a ``FileSink`` rolls its files for it, and they stay in the output folder.

        :param savepoint_directory: where its folder is made; default: ``state.savepoints.dir``.
        :return: future of the savepoint's path.
        """
        return self._savepoint(savepoint_directory, "go_on")

    def stop_with_savepoint(
        self, advance_to_end_of_event_time: bool, savepoint_directory: str | None = None
    ) -> CompletableFuture:
        """Takes a savepoint behind which the sources read nothing more, and ends the job.

        The job has finished when the savepoint is complete and what sinks kept back for it is
        published. When the savepoint fails, the job goes on. When something fails behind a
        complete savepoint - a function's ``close()``, a sink that publishes - the job has failed,
        as upstream: the future raises that failure, with the savepoint's path in a note. It can be
        started from there.

        :param advance_to_end_of_event_time: ends time first, so that all windows and timers
            fire: for a job that is not to be continued from the savepoint.
        :param savepoint_directory: see :meth:`trigger_savepoint`.
        :return: future of the savepoint's path.
        """
        return self._savepoint(
            savepoint_directory, "drain" if advance_to_end_of_event_time else "stop"
        )

    def cancel_with_savepoint(self, savepoint_directory: str | None = None) -> CompletableFuture:
        """Takes a savepoint, and cancels the job when it is complete.

        What the job does in between comes again after a restore: better is
        :meth:`stop_with_savepoint`. Upstream has this in Java only.

        :param savepoint_directory: see :meth:`trigger_savepoint`.
        :return: future of the savepoint's path; done when the job has ended.
        """
        return self._savepoint(savepoint_directory, "cancel")

    def _savepoint(self, directory: str | None, then: str) -> CompletableFuture:
        try:
            savepoint = self._job.trigger_savepoint(str(directory or ""), then)
        except Exception as error:
            refusal = error

            def refuse() -> str:
                raise refusal

            return CompletableFuture(refuse)

        def result() -> str:
            path = savepoint.wait()
            if then == "cancel":
                self._join()
            elif then != "go_on":
                self._wait_for_result()  # what fails now is raised, with the path in a note
            return path

        return CompletableFuture(
            result,
            lambda: savepoint.done() and (then == "go_on" or savepoint.failed() or self.is_done()),
        )

    def is_done(self) -> bool:
        """Whether the job ended, in whatever way."""
        return JobStatus[self._job.status()].is_globally_terminal_state()

    def _wait_for_result(self) -> JobExecutionResult:
        try:
            self._job.wait()
        except Exception as error:
            from pyflink.datastream._graph import note_place

            note_place(error, self._places)
            raise
        return result_of(self._job)

    def _join(self) -> None:
        # cancelling succeeded even when the job had failed before: its error belongs to the
        # result, not to cancel()
        try:
            self._job.wait()
        except Exception:
            if not self.is_done():
                raise
