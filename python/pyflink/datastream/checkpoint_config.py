"""Settings of checkpoints."""

from __future__ import annotations

from enum import Enum

from pyflink.common.time import Duration
from pyflink.datastream.checkpointing_mode import CheckpointingMode
from pyflink.datastream.externalized_checkpoint_retention import ExternalizedCheckpointRetention

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pyflink.datastream.checkpoint_storage import CheckpointStorage

__all__ = ["CheckpointConfig", "ExternalizedCheckpointCleanup"]


class ExternalizedCheckpointCleanup(Enum):
    """What becomes of the checkpoints when a job is cancelled; the older name."""

    DELETE_ON_CANCELLATION = 0
    RETAIN_ON_CANCELLATION = 1
    NO_EXTERNALIZED_CHECKPOINTS = 2


class CheckpointConfig:
    """Settings of checkpoints.

    :meth:`StreamExecutionEnvironment.get_checkpoint_config` returns the job's.
    """

    DEFAULT_MODE = CheckpointingMode.EXACTLY_ONCE
    DEFAULT_TIMEOUT = 10 * 60 * 1000
    DEFAULT_MIN_PAUSE_BETWEEN_CHECKPOINTS = 0
    DEFAULT_MAX_CONCURRENT_CHECKPOINTS = 1

    def __init__(self, j_checkpoint_config: Any = None) -> None:
        self._mode = self.DEFAULT_MODE
        self._interval = -1
        self._timeout = self.DEFAULT_TIMEOUT
        self._min_pause = self.DEFAULT_MIN_PAUSE_BETWEEN_CHECKPOINTS
        self._max_concurrent = self.DEFAULT_MAX_CONCURRENT_CHECKPOINTS
        self._tolerable_failures = 0
        self._retention = ExternalizedCheckpointRetention.NO_EXTERNALIZED_CHECKPOINTS
        self._unaligned = False
        self._force_unaligned = False
        self._alignment_timeout = Duration.of_millis(0)
        self._storage: CheckpointStorage | None = None
        self._retained = 1
        self._after_tasks_finish = True

    def is_checkpointing_enabled(self) -> bool:
        """Whether checkpoints are taken."""
        return self._interval > 0

    def get_checkpointing_mode(self) -> CheckpointingMode:
        """Exactly once, or at least once."""
        return self._mode

    def set_checkpointing_mode(self, checkpointing_mode: CheckpointingMode) -> CheckpointConfig:
        """Exactly once, or at least once."""
        self._mode = checkpointing_mode
        return self

    def get_checkpoint_interval(self) -> int:
        """Milliseconds between two checkpoints; -1 for none."""
        return self._interval

    def set_checkpoint_interval(self, checkpoint_interval: int) -> CheckpointConfig:
        """Milliseconds between two checkpoints.

        :raises ValueError: below 10 ms.
        """
        if isinstance(checkpoint_interval, bool) or not isinstance(checkpoint_interval, int):
            raise TypeError(
                f"Checkpoint interval must be a number of milliseconds, got {checkpoint_interval!r}"
            )
        if checkpoint_interval < 10:
            raise ValueError(
                "Checkpoint interval must be larger than or equal to 10 ms, got"
                f" {checkpoint_interval}"
            )
        self._interval = checkpoint_interval
        return self

    def get_checkpoint_timeout(self) -> int:
        """Milliseconds after which a checkpoint is given up."""
        return self._timeout

    def set_checkpoint_timeout(self, checkpoint_timeout: int) -> CheckpointConfig:
        """Milliseconds after which a checkpoint is given up.

        :raises ValueError: below 10 ms.
        """
        if checkpoint_timeout < 10:
            raise ValueError(
                "Checkpoint timeout must be larger than or equal to 10 ms, got"
                f" {checkpoint_timeout}"
            )
        self._timeout = checkpoint_timeout
        return self

    def get_min_pause_between_checkpoints(self) -> int:
        """Milliseconds between the end of a checkpoint and the next one."""
        return self._min_pause

    def set_min_pause_between_checkpoints(
        self, min_pause_between_checkpoints: int
    ) -> CheckpointConfig:
        """Milliseconds between the end of a checkpoint and the next one."""
        if min_pause_between_checkpoints < 0:
            raise ValueError(
                f"Pause value must be zero or positive, got {min_pause_between_checkpoints}"
            )
        self._min_pause = min_pause_between_checkpoints
        return self

    def get_max_concurrent_checkpoints(self) -> int:
        """How many may be under way."""
        return self._max_concurrent

    def set_max_concurrent_checkpoints(self, max_concurrent_checkpoints: int) -> CheckpointConfig:
        """Accepted: one is under way at a time; the log says so for more."""
        if max_concurrent_checkpoints < 1:
            raise ValueError(
                "The maximum number of concurrent attempts must be at least one, got"
                f" {max_concurrent_checkpoints}"
            )
        self._max_concurrent = max_concurrent_checkpoints
        return self

    def is_fail_on_checkpointing_errors(self) -> bool:
        """Whether a failed checkpoint fails the job."""
        return self._tolerable_failures == 0

    def set_fail_on_checkpointing_errors(
        self, fail_on_checkpointing_errors: bool
    ) -> CheckpointConfig:
        """Whether a failed checkpoint fails the job."""
        self._tolerable_failures = 0 if fail_on_checkpointing_errors else 2**31 - 1
        return self

    def get_tolerable_checkpoint_failure_number(self) -> int:
        """How many checkpoints in a row may fail."""
        return self._tolerable_failures

    def set_tolerable_checkpoint_failure_number(
        self, tolerable_checkpoint_failure_number: int
    ) -> CheckpointConfig:
        """How many checkpoints in a row may fail."""
        if tolerable_checkpoint_failure_number < 0:
            raise ValueError(
                "The tolerable failure checkpoint number must be non-negative, got"
                f" {tolerable_checkpoint_failure_number}"
            )
        self._tolerable_failures = tolerable_checkpoint_failure_number
        return self

    def enable_externalized_checkpoints(
        self, cleanup_mode: ExternalizedCheckpointCleanup
    ) -> CheckpointConfig:
        """What becomes of the checkpoints when the job is cancelled."""
        return self.set_externalized_checkpoint_cleanup(cleanup_mode)

    def set_externalized_checkpoint_cleanup(
        self, cleanup_mode: ExternalizedCheckpointCleanup
    ) -> CheckpointConfig:
        """What becomes of the checkpoints when the job is cancelled."""
        self._retention = ExternalizedCheckpointRetention[cleanup_mode.name]
        return self

    def set_externalized_checkpoint_retention(
        self, retention_mode: ExternalizedCheckpointRetention
    ) -> CheckpointConfig:
        """What becomes of the checkpoints when the job is cancelled."""
        self._retention = ExternalizedCheckpointRetention[retention_mode.name]
        return self

    def is_externalized_checkpoints_enabled(self) -> bool:
        """Whether checkpoints outlive the job in some case."""
        return self._retention is not ExternalizedCheckpointRetention.NO_EXTERNALIZED_CHECKPOINTS

    def get_externalized_checkpoint_cleanup(self) -> ExternalizedCheckpointCleanup | None:
        """What becomes of the checkpoints when the job is cancelled."""
        return ExternalizedCheckpointCleanup[self._retention.name]

    def get_externalized_checkpoint_retention(self) -> ExternalizedCheckpointRetention | None:
        """What becomes of the checkpoints when the job is cancelled."""
        return self._retention

    def is_unaligned_checkpoints_enabled(self) -> bool:
        """See :meth:`enable_unaligned_checkpoints`."""
        return self._unaligned

    def enable_unaligned_checkpoints(self, enabled: bool = True) -> CheckpointConfig:
        """Accepted: checkpoints are aligned, which the log says; results are the same."""
        self._unaligned = enabled
        return self

    def disable_unaligned_checkpoints(self) -> CheckpointConfig:
        """Undoes :meth:`enable_unaligned_checkpoints`."""
        return self.enable_unaligned_checkpoints(False)

    def set_alignment_timeout(self, alignment_timeout: Duration) -> CheckpointConfig:
        """Kept, without effect, which the log says: checkpoints stay aligned."""
        from pyflink.datastream._logging import kept_only

        kept_only("CheckpointConfig.set_alignment_timeout", "checkpoints stay aligned")
        self._alignment_timeout = alignment_timeout
        return self

    def get_alignment_timeout(self) -> Duration:
        """See :meth:`set_alignment_timeout`."""
        return self._alignment_timeout

    def set_force_unaligned_checkpoints(
        self, force_unaligned_checkpoints: bool = True
    ) -> CheckpointConfig:
        """Accepted: checkpoints are aligned."""
        self._force_unaligned = force_unaligned_checkpoints
        return self

    def is_force_unaligned_checkpoints(self) -> bool:
        """See :meth:`set_force_unaligned_checkpoints`."""
        return self._force_unaligned

    def set_checkpoint_storage(self, storage: CheckpointStorage) -> CheckpointConfig:
        """Where checkpoints are kept.

        :raises TypeError: when it is no CheckpointStorage.
        """
        from pyflink.datastream.checkpoint_storage import CheckpointStorage

        if not isinstance(storage, CheckpointStorage):
            raise TypeError(
                f"set_checkpoint_storage needs a CheckpointStorage, got {storage!r}; for a folder,"
                " use set_checkpoint_storage_dir(path)"
            )
        self._storage = storage
        return self

    def set_checkpoint_storage_dir(self, checkpoint_path: str) -> CheckpointConfig:
        """The folder checkpoints are kept in: a path or ``file://`` URI."""
        from pyflink.datastream.checkpoint_storage import FileSystemCheckpointStorage

        self._storage = FileSystemCheckpointStorage(checkpoint_path)
        return self

    def get_checkpoint_storage(self) -> CheckpointStorage | None:
        """Where checkpoints are kept, or None when not set."""
        return self._storage

    def _fill(self, options: dict[str, Any], batch: bool) -> None:
        """What the engine needs of this."""
        storage = self._storage
        if not batch and self.is_checkpointing_enabled():
            options["checkpoint_interval_ms"] = self._interval
            options["unaligned_checkpoints"] = self._unaligned or self._force_unaligned
            options["max_concurrent_checkpoints"] = self._max_concurrent
        options["checkpoint_mode"] = self._mode.name.lower()
        options["checkpoint_timeout_ms"] = self._timeout
        options["min_pause_between_checkpoints_ms"] = self._min_pause
        options["tolerable_checkpoint_failures"] = self._tolerable_failures
        options["checkpoint_retention"] = _RETENTION[self._retention.name]
        options["retained_checkpoints"] = self._retained
        options["checkpoints_after_tasks_finish"] = self._after_tasks_finish
        if storage is not None:
            options["checkpoint_directory"] = storage._directory()
            if options.get("checkpoint_interval_ms", 0) > 0:
                _check_writable(options["checkpoint_directory"])


_RETENTION = {
    "RETAIN_ON_CANCELLATION": "on_cancellation",
    "DELETE_ON_CANCELLATION": "on_failure",
    "NO_EXTERNALIZED_CHECKPOINTS": "never",
}


def _check_writable(directory: str) -> None:
    import os

    if not directory:
        return
    try:
        os.makedirs(directory, exist_ok=True)  # noqa: PTH103
        writable = os.access(directory, os.W_OK | os.X_OK)
    except OSError as error:
        raise type(error)(
            error.errno,
            f"checkpoints cannot be kept there ({error.strerror}); give"
            " set_checkpoint_storage_dir(...) a folder that can be written",
            directory,
        ) from None
    if not writable:
        raise PermissionError(
            13,
            "checkpoints cannot be kept there (no permission to write); give"
            " set_checkpoint_storage_dir(...) a folder that can be written",
            directory,
        )
