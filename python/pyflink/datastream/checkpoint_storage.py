"""Where checkpoints are kept."""

from __future__ import annotations

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


__all__ = [
    "CheckpointStorage",
    "CustomCheckpointStorage",
    "FileSystemCheckpointStorage",
    "JobManagerCheckpointStorage",
]


def normalise_path(path: str | None) -> str | None:
    """A path or URI as upstream reads it back: no slash at the end, no doubled ones."""
    if path is None:
        return None
    if not isinstance(path, str):
        path = str(path)
    if not path:
        raise ValueError("a checkpoint path must not be empty")
    scheme, colon, rest = path.partition("://")
    if not colon:
        scheme, rest = "", path
    head = "/" if rest.startswith("/") else ""
    rest = head + "/".join(part for part in rest.split("/") if part)
    return f"{scheme}{colon}{rest}" if colon else rest or "/"


def local_path(path: str) -> str:
    """The folder behind a path or ``file:`` URI.

    :raises ValueError: for other file systems.
    """
    if path.startswith("file:"):
        rest = path[len("file:") :]
        return "/" + rest.lstrip("/")
    if "://" in path:
        raise ValueError(
            "checkpoints are kept on the local file system; use a path or file:// instead of"
            f" {path!r}"
        )
    return path


class CheckpointStorage:
    """Base of all checkpoint storages."""

    def __init__(self, j_checkpoint_storage: Any = None) -> None:
        self._path: str | None = None

    def _directory(self) -> str:
        """The local folder, or an empty string to keep checkpoints in memory."""
        return "" if self._path is None else local_path(self._path)


class JobManagerCheckpointStorage(CheckpointStorage):
    """Keeps checkpoints in memory; with a path, in that folder."""

    DEFAULT_MAX_STATE_SIZE = 5 * 1024 * 1024

    def __init__(
        self,
        checkpoint_path: str | None = None,
        max_state_size: int | None = None,
        j_jobmanager_checkpoint_storage: Any = None,
    ) -> None:
        super().__init__()
        self._path = normalise_path(checkpoint_path)
        self._max_state_size = (
            self.DEFAULT_MAX_STATE_SIZE if max_state_size is None else max_state_size
        )

    def get_checkpoint_path(self) -> str | None:
        """The folder, or None."""
        return self._path

    def get_max_state_size(self) -> int:
        """Accepted: state of any size fits."""
        return self._max_state_size

    def get_savepoint_path(self) -> str | None:
        """None."""
        return None

    def __str__(self) -> str:
        return (
            f"JobManagerCheckpointStorage(checkpoints: {self._path}, max state size:"
            f" {self._max_state_size})"
        )


class FileSystemCheckpointStorage(CheckpointStorage):
    """Keeps checkpoints in a folder."""

    MAX_FILE_STATE_THRESHOLD = 1024 * 1024

    def __init__(
        self,
        checkpoint_path: str | None = None,
        file_state_size_threshold: int | None = None,
        write_buffer_size: int = -1,
        j_filesystem_checkpoint_storage: Any = None,
    ) -> None:
        super().__init__()
        if checkpoint_path is None:
            raise ValueError("checkpoint_path must not be None")
        if file_state_size_threshold is not None and not (
            0 <= file_state_size_threshold <= self.MAX_FILE_STATE_THRESHOLD
        ):
            raise ValueError(
                "file_state_size_threshold must be between 0 and 1 MiB, got"
                f" {file_state_size_threshold}"
            )
        self._path = normalise_path(checkpoint_path)
        self._threshold = 20480 if file_state_size_threshold is None else file_state_size_threshold
        self._write_buffer_size = write_buffer_size

    def get_checkpoint_path(self) -> str:
        """The folder."""
        return self._path or ""

    def get_savepoint_path(self) -> str | None:
        """None."""
        return None

    def get_min_file_size_threshold(self) -> int:
        """Accepted: all state goes to files."""
        return self._threshold

    def get_write_buffer_size(self) -> int:
        """Bytes written at once."""
        return (
            self._write_buffer_size if self._write_buffer_size >= 0 else max(self._threshold, 4096)
        )


class CustomCheckpointStorage(CheckpointStorage):
    """Upstream's wrapper of a Java storage; not usable here."""

    def __init__(self, j_custom_checkpoint_storage: Any) -> None:
        from pyflink._not_yet import not_yet

        raise not_yet("CustomCheckpointStorage")
