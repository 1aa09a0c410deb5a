"""Where keyed state lives while a job runs: in memory, or in a RocksDB on the local disk."""

from __future__ import annotations

from enum import Enum

from pyflink.datastream.checkpoint_storage import normalise_path

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "CustomStateBackend",
    "EmbeddedRocksDBStateBackend",
    "FsStateBackend",
    "HashMapStateBackend",
    "MemoryStateBackend",
    "PredefinedOptions",
    "RocksDBStateBackend",
    "StateBackend",
]


class StateBackend:
    """Base of all state backends."""

    def __init__(self, j_state_backend: Any = None) -> None:
        self._checkpoint_path: str | None = None


class PredefinedOptions(Enum):
    """Sets of RocksDB options."""

    DEFAULT = 0
    SPINNING_DISK_OPTIMIZED = 1
    SPINNING_DISK_OPTIMIZED_HIGH_MEM = 2
    FLASH_SSD_OPTIMIZED = 3


class HashMapStateBackend(StateBackend):
    """State in memory."""

    def __init__(self, j_hashmap_state_backend: Any = None) -> None:
        super().__init__()


class EmbeddedRocksDBStateBackend(StateBackend):
    """State larger than memory, in an embedded RocksDB on the local disk.

    Its memory is bounded by ``taskmanager.memory.managed.size`` (by default 128 MB a slot, a slot
    for each parallel subtask) or ``state.backend.rocksdb.memory.fixed-per-slot``. Every value is
    stored as bytes: what a function changes in a value without ``update()`` is lost. Blocks are
    compressed by LZ4 (upstream: by Snappy), unless
    ``state.backend.rocksdb.compression.per.level`` says otherwise.

    :param enable_incremental_checkpointing: whether checkpoints share the files that have not
        changed; as ``state.backend.incremental`` says (false) when None.
    """

    def __init__(
        self,
        enable_incremental_checkpointing: bool | None = None,
        j_embedded_rocks_db_state_backend: Any = None,
    ) -> None:
        super().__init__()
        self._incremental = (
            None
            if enable_incremental_checkpointing is None
            else bool(enable_incremental_checkpointing)
        )
        self._paths: list[str] | None = None
        self._predefined = PredefinedOptions.DEFAULT
        self._options: str | None = None
        self._threads = 4

    def set_db_storage_paths(self, *paths: str) -> None:
        """Absolute folders for the local databases, one of which each takes.

        :raises ValueError: when there are none.
        """
        if not paths:
            raise ValueError("empty paths")
        self._paths = [normalise_path(p) or "" for p in paths]

    def get_db_storage_paths(self) -> list[str] | None:
        """Folders of the local database, or None."""
        return self._paths

    def is_incremental_checkpoints_enabled(self) -> bool:
        """Whether a checkpoint holds only what changed."""
        return bool(self._incremental)

    def set_predefined_options(self, options: PredefinedOptions) -> None:
        """A set of options; single settings win over it."""
        self._predefined = options

    def get_predefined_options(self) -> PredefinedOptions:
        """The set of options."""
        return self._predefined

    def set_options(self, options_factory_class_name: str) -> None:
        """Upstream's Java class that makes options; kept, without effect, which the log says."""
        from pyflink.datastream._logging import kept_only

        kept_only(
            "EmbeddedRocksDBStateBackend.set_options",
            f"a Java class cannot be run; use the settings 'state.backend.rocksdb.*' instead of"
            f" {options_factory_class_name!r}",
        )
        self._options = options_factory_class_name

    def get_options(self) -> str | None:
        """See :meth:`set_options`."""
        return self._options

    def get_number_of_transfer_threads(self) -> int:
        """See :meth:`set_number_of_transfer_threads`."""
        return self._threads

    def set_number_of_transfer_threads(self, number_of_transfering_threads: int) -> None:
        """Kept, without effect, which the log says: one thread of the job writes its checkpoints.

        :raises ValueError: when it is less than 1.
        """
        if number_of_transfering_threads < 1:
            raise ValueError(
                "The number of threads used to transfer files must be greater than zero, got"
                f" {number_of_transfering_threads}"
            )
        from pyflink.datastream._logging import kept_only

        kept_only(
            "EmbeddedRocksDBStateBackend.set_number_of_transfer_threads",
            "one thread of the job writes its checkpoints",
        )
        self._threads = number_of_transfering_threads


class MemoryStateBackend(StateBackend):
    """State and checkpoints in memory; upstream's older name."""

    DEFAULT_MAX_STATE_SIZE = 5 * 1024 * 1024

    def __init__(
        self,
        checkpoint_path: str | None = None,
        savepoint_path: str | None = None,
        max_state_size: int | None = None,
        using_asynchronous_snapshots: bool | None = None,
        j_memory_state_backend: Any = None,
    ) -> None:
        super().__init__()
        self._checkpoint_path = normalise_path(checkpoint_path)
        self._savepoint_path = normalise_path(savepoint_path)
        self._max_state_size = (
            self.DEFAULT_MAX_STATE_SIZE if max_state_size is None else max_state_size
        )
        self._asynchronous = using_asynchronous_snapshots is not False

    def get_max_state_size(self) -> int:
        """Accepted: state of any size fits."""
        return self._max_state_size

    def is_using_asynchronous_snapshots(self) -> bool:
        """As set; True by default."""
        return self._asynchronous

    def __str__(self) -> str:
        return (
            "MemoryStateBackend (data in heap memory / checkpoints to JobManager) "
            f"(checkpoints: '{self._checkpoint_path}', savepoints: '{self._savepoint_path}', "
            f"asynchronous: {self._asynchronous}, maxStateSize: {self._max_state_size})"
        )


class FsStateBackend(StateBackend):
    """State in memory, checkpoints in a folder; upstream's older name."""

    def __init__(
        self,
        checkpoint_directory_uri: str | None = None,
        default_savepoint_directory_uri: str | None = None,
        file_state_size_threshold: int | None = None,
        write_buffer_size: int | None = None,
        using_asynchronous_snapshots: bool | None = None,
        j_fs_state_backend: Any = None,
    ) -> None:
        super().__init__()
        if checkpoint_directory_uri is None:
            raise ValueError("The parameter 'checkpoint_directory_uri' is required!")
        self._checkpoint_path = normalise_path(checkpoint_directory_uri)
        self._threshold = 20480 if file_state_size_threshold is None else file_state_size_threshold
        self._write_buffer_size = write_buffer_size
        self._asynchronous = using_asynchronous_snapshots is not False

    def get_checkpoint_path(self) -> str:
        """The folder."""
        return self._checkpoint_path or ""

    def get_min_file_size_threshold(self) -> int:
        """Accepted: all state goes to files."""
        return self._threshold

    def get_write_buffer_size(self) -> int:
        """Bytes written at once."""
        return (
            max(self._threshold, 4096)
            if self._write_buffer_size is None
            else self._write_buffer_size
        )

    def is_using_asynchronous_snapshots(self) -> bool:
        """As set; True by default."""
        return self._asynchronous


class RocksDBStateBackend(EmbeddedRocksDBStateBackend):
    """RocksDB with its checkpoint folder; upstream's older name."""

    def __init__(
        self,
        checkpoint_data_uri: str | None = None,
        enable_incremental_checkpointing: bool | None = None,
        checkpoint_stream_backend: StateBackend | None = None,
        j_rocks_db_state_backend: Any = None,
    ) -> None:
        super().__init__(enable_incremental_checkpointing)
        if checkpoint_data_uri is None and checkpoint_stream_backend is None:
            raise ValueError(
                "The parameter 'checkpoint_data_uri' or 'checkpoint_stream_backend' is required!"
            )
        self._stream_backend = checkpoint_stream_backend or FsStateBackend(checkpoint_data_uri)
        self._checkpoint_path = self._stream_backend._checkpoint_path

    def get_checkpoint_backend(self) -> StateBackend:
        """What writes the checkpoints."""
        return self._stream_backend

    def get_number_of_transfering_threads(self) -> int:
        """See :meth:`set_number_of_transfer_threads`."""
        return self._threads

    def set_number_of_transfering_threads(self, number_of_transfering_threads: int) -> None:
        """See :meth:`set_number_of_transfer_threads`."""
        self.set_number_of_transfer_threads(number_of_transfering_threads)


class CustomStateBackend(StateBackend):
    """Upstream's wrapper of a Java backend; not usable here."""

    def __init__(self, j_custom_state_backend: Any) -> None:
        from pyflink._not_yet import not_yet

        raise not_yet("CustomStateBackend")
