"""Outcome of a job."""

from __future__ import annotations

from pyflink.common.job_id import JobID

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pyflink import _native

__all__ = ["JobExecutionResult"]


class JobExecutionResult:
    """Outcome of a job that finished."""

    def __init__(
        self,
        job_id: JobID,
        net_runtime: int,
        accumulators: dict[str, Any] | None = None,
        metrics: dict[str, Any] | None = None,
    ) -> None:
        self._job_id = job_id
        self._net_runtime = net_runtime
        self._accumulators = accumulators or {}
        self._metrics = metrics or {}

    def get_job_id(self) -> JobID:
        """The job's id."""
        return self._job_id

    def get_net_runtime(self) -> int:
        """Milliseconds from start to end of the job."""
        return self._net_runtime

    def get_accumulator_result(self, accumulator_name: str) -> Any:
        """One accumulator's value, or None."""
        return self._accumulators.get(accumulator_name)

    def get_all_accumulator_results(self) -> dict[str, Any]:
        """All accumulators by name."""
        return dict(self._accumulators)

    def get_metrics(self) -> dict[str, Any]:
        """Last values of all metrics, the functions' own included; upstream has no such method.

        Names are ``task.subtask.operator.metric``; groups of the metric are part of it. A meter has
        its count under its name and ``.rate``; a distribution has ``.count``, ``.sum``, ``.min``
        and ``.max``. Values are numbers, but for the path in ``lastCheckpointExternalPath``.
        """
        return dict(self._metrics)

    def get_metric_sum(self, name: str) -> float:
        """A metric's values in all operators and subtasks together; 0 when there is none.

        :param name: the metric with its groups: ``group.counter``.
        """
        ending = f".{name}"
        total: float = sum(
            value
            for key, value in self._metrics.items()
            if key.endswith(ending) and not isinstance(value, str)
        )
        return total

    def wait(self, timeout_ms: int | None = None) -> JobExecutionResult:
        """Returns at once: the job is over. Lets scripts written for ``execute().wait()`` run."""
        return self

    def is_job_execution_result(self) -> bool:
        """True: the job ran to its end."""
        return True

    def __str__(self) -> str:
        return (
            "Program execution finished\n"
            f"Job with JobID {self._job_id} has finished.\n"
            f"Job Runtime: {self._net_runtime} ms\n"
        )

    def __repr__(self) -> str:
        return f"JobExecutionResult({self._job_id}, {self._net_runtime} ms)"


def result_of(job: _native.Job) -> JobExecutionResult:
    """The result of a job that ended; raises when it was cancelled."""
    if job.status() == "CANCELED":
        raise RuntimeError(f"Job {job.name!r} ({job.id}) was cancelled.")
    result = job.result()
    return JobExecutionResult(
        JobID(job.id), int(result.get("net_runtime_ms", 0)), None, job.metrics()
    )
