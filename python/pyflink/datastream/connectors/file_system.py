"""Text files."""

from __future__ import annotations

from pyflink.common.serialization import BulkWriterFactory, Encoder
from pyflink.common.time import Duration
from pyflink.common.typeinfo import Types
from pyflink.datastream.connectors.base import Sink, Source, join_list

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pyflink.common.typeinfo import TypeInformation

__all__ = [
    "BucketAssigner",
    "BulkFormat",
    "FileCompactStrategy",
    "FileCompactor",
    "FileEnumeratorProvider",
    "FileSink",
    "FileSource",
    "FileSourceBuilder",
    "FileSplitAssignerProvider",
    "OutputFileConfig",
    "RollingPolicy",
    "StreamFormat",
    "StreamingFileSink",
]


class StreamFormat:
    """How the records of a file are read one after the other."""

    def __init__(self, charset: str, type_info: TypeInformation) -> None:
        self._charset = charset
        self._type_info = type_info

    @staticmethod
    def text_line_format(charset_name: str = "UTF-8") -> StreamFormat:
        """One record a line."""
        return StreamFormat(charset_name, Types.STRING())


class BulkFormat:
    """How the records of a file are read in batches."""

    def __init__(self, j_bulk_format: Any) -> None:
        self._format = j_bulk_format


class FileEnumeratorProvider:
    """How files are found. Accepted: folders are listed once."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    @staticmethod
    def default_splittable_file_enumerator() -> FileEnumeratorProvider:
        """Large files may be read in parts."""
        return FileEnumeratorProvider("splittable")

    @staticmethod
    def default_non_splittable_file_enumerator() -> FileEnumeratorProvider:
        """Files are read whole."""
        return FileEnumeratorProvider("non-splittable")


class FileSplitAssignerProvider:
    """How files are handed out. Accepted: each subtask has its own."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    @staticmethod
    def locality_aware_split_assigner() -> FileSplitAssignerProvider:
        """The near ones first."""
        return FileSplitAssignerProvider("locality-aware")


class FileSource(Source):
    """Reads files, or folders of files; bounded."""

    @staticmethod
    def for_record_stream_format(stream_format: StreamFormat, *paths: str) -> FileSourceBuilder:
        """Files of records one after the other.

        :raises ValueError: without a path.
        """
        if not isinstance(stream_format, StreamFormat):
            raise TypeError(f"for_record_stream_format needs a StreamFormat, got {stream_format!r}")
        return FileSourceBuilder(stream_format, list(paths))

    @staticmethod
    def for_bulk_file_format(bulk_format: BulkFormat, *paths: str) -> FileSourceBuilder:
        """Not yet.

        :raises NotSupportedError: always.
        """
        from pyflink._not_yet import not_yet

        raise not_yet("FileSource.for_bulk_file_format", "use for_record_stream_format")


class FileSourceBuilder:
    """Builds a :class:`FileSource`."""

    def __init__(self, stream_format: StreamFormat, paths: list[str]) -> None:
        if not paths:
            raise ValueError("FileSource needs at least one path")
        self._format = stream_format
        for path in paths:
            if not path or (not hasattr(path, "__fspath__") and not isinstance(path, str)):
                raise TypeError(f"FileSource needs paths of files or folders, got {path!r}")
        self._paths = [str(path) for path in paths]

    def monitor_continuously(self, discovery_interval: Duration) -> FileSourceBuilder:
        """Not yet.

        :raises NotSupportedError: always.
        """
        from pyflink._not_yet import not_yet

        raise not_yet(
            "FileSource.monitor_continuously", "read the files there are, or write a SourceFunction"
        )

    def process_static_file_set(self) -> FileSourceBuilder:
        """Reads the files that are there now (the default)."""
        return self

    def set_file_enumerator(self, file_enumerator: FileEnumeratorProvider) -> FileSourceBuilder:
        """Accepted."""
        return self

    def set_split_assigner(self, split_assigner: FileSplitAssignerProvider) -> FileSourceBuilder:
        """Accepted."""
        return self

    def build(self) -> FileSource:
        """The source."""
        options = {"path": join_list(self._paths), "charset": self._format._charset}
        return FileSource("filesystem", options, self._format._type_info, True)


class BucketAssigner:
    """Folders below the base path."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    @staticmethod
    def base_path_bucket_assigner() -> BucketAssigner:
        """All files in the base path."""
        return BucketAssigner("base-path")

    @staticmethod
    def date_time_bucket_assigner(
        format_str: str = "yyyy-MM-dd--HH", timezone_id: str | None = None
    ) -> BucketAssigner:
        """Not yet.

        :raises NotSupportedError: always.
        """
        from pyflink._not_yet import not_yet

        raise not_yet("BucketAssigner.date_time_bucket_assigner", "use base_path_bucket_assigner()")


class RollingPolicy:
    """When a file is closed and the next begun.

    Accepted: a file ends with a checkpoint or the job.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind

    @staticmethod
    def default_rolling_policy(
        part_size: int = 1024 * 1024 * 128,
        rollover_interval: int = 60 * 1000,
        inactivity_interval: int = 60 * 1000,
    ) -> RollingPolicy:
        """By size and time."""
        return RollingPolicy("default")

    @staticmethod
    def on_checkpoint_rolling_policy() -> RollingPolicy:
        """At every checkpoint."""
        return RollingPolicy("on-checkpoint")


class OutputFileConfig:
    """Names of the files."""

    def __init__(self, part_prefix: str, part_suffix: str) -> None:
        self.part_prefix = part_prefix
        self.part_suffix = part_suffix

    @staticmethod
    def builder() -> OutputFileConfig.OutputFileConfigBuilder:
        """Starts a configuration."""
        return OutputFileConfig.OutputFileConfigBuilder()

    def get_part_prefix(self) -> str:
        """Begin of the names."""
        return self.part_prefix

    def get_part_suffix(self) -> str:
        """End of the names."""
        return self.part_suffix

    class OutputFileConfigBuilder:
        """Builds an :class:`OutputFileConfig`."""

        def __init__(self) -> None:
            self.part_prefix = "part"
            self.part_suffix = ""

        def with_part_prefix(self, prefix: str) -> OutputFileConfig.OutputFileConfigBuilder:
            """Begin of the names."""
            self.part_prefix = prefix
            return self

        def with_part_suffix(self, suffix: str) -> OutputFileConfig.OutputFileConfigBuilder:
            """End of the names."""
            self.part_suffix = suffix
            return self

        def build(self) -> OutputFileConfig:
            """The configuration."""
            return OutputFileConfig(self.part_prefix, self.part_suffix)


class FileCompactStrategy:
    """When small files become a large one."""

    class Builder:
        """Builds a :class:`FileCompactStrategy`."""

        def __init__(self) -> None:
            self._settings: dict[str, int] = {}

        def set_size_threshold(self, size_threshold: int) -> FileCompactStrategy.Builder:
            """By size."""
            self._settings["size"] = size_threshold
            return self

        def enable_compaction_on_checkpoint(
            self, num_checkpoints_before_compaction: int
        ) -> FileCompactStrategy.Builder:
            """By checkpoints."""
            self._settings["checkpoints"] = num_checkpoints_before_compaction
            return self

        def set_num_compact_threads(self, num_compact_threads: int) -> FileCompactStrategy.Builder:
            """Threads that do it."""
            self._settings["threads"] = num_compact_threads
            return self

        def build(self) -> FileCompactStrategy:
            """The strategy."""
            return FileCompactStrategy(self._settings)

    def __init__(self, settings: dict[str, int]) -> None:
        self._settings = settings

    @staticmethod
    def builder() -> FileCompactStrategy.Builder:
        """Starts a strategy."""
        return FileCompactStrategy.Builder()


class FileCompactor:
    """How small files become a large one."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    @staticmethod
    def concat_file_compactor(file_delimiter: bytes | None = None) -> FileCompactor:
        """One after the other."""
        return FileCompactor("concat")

    @staticmethod
    def identical_file_compactor() -> FileCompactor:
        """Each as it is."""
        return FileCompactor("identical")


class FileSink(Sink):
    """Writes text files: one line a record, one file a subtask and checkpoint."""

    @staticmethod
    def for_row_format(base_path: str, encoder: Encoder) -> FileSink.RowFormatBuilder:
        """Records one after the other.

        :raises TypeError: when `encoder` is no Encoder.
        """
        if not isinstance(encoder, Encoder):
            raise TypeError(
                "for_row_format needs an Encoder such as Encoder.simple_string_encoder(), got"
                f" {encoder!r}"
            )
        return FileSink.RowFormatBuilder(base_path)

    @staticmethod
    def for_bulk_format(base_path: str, writer_factory: BulkWriterFactory) -> Any:
        """Not yet.

        :raises NotSupportedError: always.
        """
        from pyflink._not_yet import not_yet

        raise not_yet(
            "FileSink.for_bulk_format", "use for_row_format(path, Encoder.simple_string_encoder())"
        )

    def get_transformer(self) -> None:
        """None."""
        return

    class RowFormatBuilder:
        """Builds a :class:`FileSink`."""

        def __init__(self, base_path: str) -> None:
            self._base_path = str(base_path)
            self._prefix = "part"

        def with_bucket_check_interval(self, interval: int) -> FileSink.RowFormatBuilder:
            """Accepted."""
            return self

        def with_bucket_assigner(
            self, bucket_assigner: BucketAssigner
        ) -> FileSink.RowFormatBuilder:
            """Accepted: all files are in the base path."""
            return self

        def with_output_file_config(
            self, output_file_config: OutputFileConfig
        ) -> FileSink.RowFormatBuilder:
            """Names of the files."""
            if output_file_config.part_suffix:
                from pyflink._not_yet import not_yet

                raise not_yet("OutputFileConfig.with_part_suffix", "use with_part_prefix")
            self._prefix = output_file_config.part_prefix
            return self

        def with_rolling_policy(self, rolling_policy: RollingPolicy) -> FileSink.RowFormatBuilder:
            """Accepted."""
            return self

        def enable_compact(
            self, strategy: FileCompactStrategy, compactor: FileCompactor
        ) -> FileSink.RowFormatBuilder:
            """Accepted: files are not merged."""
            return self

        def disable_compact(self) -> FileSink.RowFormatBuilder:
            """Undoes :meth:`enable_compact`."""
            return self

        def build(self) -> FileSink:
            """The sink."""
            return FileSink("filesystem", {"path": self._base_path, "file-prefix": self._prefix})


class StreamingFileSink(FileSink):
    """Upstream's older name of :class:`FileSink`, for ``add_sink``."""
