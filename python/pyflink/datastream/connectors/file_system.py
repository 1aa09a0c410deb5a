"""Text files."""

from __future__ import annotations

from pyflink.common.serialization import BulkWriterFactory, Encoder
from pyflink.common.time import Duration, millis_of
from pyflink.common.typeinfo import Types
from pyflink.datastream.connectors.base import Sink, Source, SupportsPreprocessing, join_list
from pyflink.datastream.functions import SinkFunction

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pyflink.common.typeinfo import TypeInformation
    from pyflink.datastream._graph import Transformation
    from pyflink.datastream.connectors.base import StreamTransformer
    from pyflink.datastream.data_stream import DataStream

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

    def __init__(
        self, charset: str, type_info: TypeInformation, options: dict[str, str] | None = None
    ) -> None:
        self._charset = charset
        self._type_info = type_info
        self._options = options or {}

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

        raise not_yet("FileSource.for_bulk_file_format")


class FileSourceBuilder:
    """Builds a :class:`FileSource`."""

    def __init__(self, stream_format: StreamFormat, paths: list[str]) -> None:
        if not paths:
            raise ValueError("FileSource needs at least one path")
        self._format = stream_format
        for path in paths:
            if not path or (not hasattr(path, "__fspath__") and not isinstance(path, str)):
                raise TypeError(f"FileSource needs paths of files or folders, got {path!r}")
        self._paths = [_absolute(path) for path in paths]
        self._interval_ms = 0

    def monitor_continuously(self, discovery_interval: Duration) -> FileSourceBuilder:
        """Looks for more files at this interval, for ever; each file is read once.

        :raises ValueError: when it is not positive.
        """
        interval = millis_of(discovery_interval, "discovery_interval")
        if interval <= 0:
            raise ValueError(
                f"discovery_interval must be greater than zero, got {discovery_interval}"
            )
        self._interval_ms = interval
        return self

    def process_static_file_set(self) -> FileSourceBuilder:
        """Reads the files that are there now (the default)."""
        self._interval_ms = 0
        return self

    def set_file_enumerator(self, file_enumerator: FileEnumeratorProvider) -> FileSourceBuilder:
        """Accepted."""
        return self

    def set_split_assigner(self, split_assigner: FileSplitAssignerProvider) -> FileSourceBuilder:
        """Accepted."""
        return self

    def build(self) -> FileSource:
        """The source."""
        options = {
            "path": join_list(self._paths),
            "charset": self._format._charset,
            "discovery.interval.ms": str(self._interval_ms),
            **self._format._options,
        }
        return FileSource("filesystem", options, self._format._type_info, self._interval_ms == 0)


class BucketAssigner:
    """Folders below the base path."""

    def __init__(self, options: dict[str, str]) -> None:
        self._options = options

    @staticmethod
    def base_path_bucket_assigner() -> BucketAssigner:
        """All files in the base path."""
        return BucketAssigner({})

    @staticmethod
    def date_time_bucket_assigner(
        format_str: str = "yyyy-MM-dd--HH", timezone_id: str | None = None
    ) -> BucketAssigner:
        """A folder for each hour, or whatever the pattern says, of the wall clock.

        :param format_str: a pattern of Java's DateTimeFormatter, of numbers: y, M, d, H, m, s and
            text.
        :param timezone_id: such as ``Europe/Berlin``; this machine's when left out.
        :raises ValueError: for letters that cannot be used, or an unknown time zone.
        """
        options = {"bucket.pattern": _strftime_pattern(format_str)}
        if timezone_id is not None:
            options["bucket.utc-offsets"] = _utc_offsets(timezone_id)
        return BucketAssigner(options)


_PATTERN_LETTERS = {
    "yyyy": "%Y", "uuuu": "%Y", "yy": "%y", "MM": "%m", "dd": "%d", "DDD": "%j", "HH": "%H",
    "hh": "%I", "mm": "%M", "ss": "%S", "MMM": "%b", "MMMM": "%B", "E": "%a", "EEE": "%a",
    "EEEE": "%A", "a": "%p",
}  # fmt: skip


def _strftime_pattern(java: str) -> str:
    out = ""
    i = 0
    while i < len(java):
        c = java[i]
        if c == "'":
            end = java.find("'", i + 1)
            if end < 0:
                raise ValueError(f"the date pattern {java!r} has a quote that does not end")
            out += (java[i + 1 : end] or "'").replace("%", "%%")
            i = end + 1
        elif c.isalpha() and c.isascii():
            end = i
            while end < len(java) and java[end] == c:
                end += 1
            letters = java[i:end]
            if letters not in _PATTERN_LETTERS:
                raise ValueError(
                    f"the date pattern {java!r} uses {letters!r}; there are"
                    f" {', '.join(_PATTERN_LETTERS)} and text in single quotes"
                )
            out += _PATTERN_LETTERS[letters]
            i = end
        else:
            out += "%%" if c == "%" else c
            i += 1
    return out


_YEARS_AHEAD = 5


def _utc_offsets(timezone_id: str) -> str:
    """Offsets of a time zone from now on, with the seconds they begin at."""
    from datetime import datetime, timezone
    from time import time
    from zoneinfo import ZoneInfo

    try:
        zone = ZoneInfo(timezone_id)
    except Exception:
        raise ValueError(f"there is no time zone {timezone_id!r}") from None

    def offset_at(second: int) -> int:
        delta = datetime.fromtimestamp(second, timezone.utc).astimezone(zone).utcoffset()
        return 0 if delta is None else int(delta.total_seconds())

    day = 86400
    begin = int(time()) - day
    found = [(begin, offset_at(begin))]
    for after in range(begin + day, begin + _YEARS_AHEAD * 365 * day, day):
        if offset_at(after) == found[-1][1]:
            continue
        before = after - day
        while after - before > 1:
            middle = (before + after) // 2
            if offset_at(middle) == found[-1][1]:
                before = middle
            else:
                after = middle
        found.append((after, offset_at(after)))
    return ",".join(f"{second}:{offset}" for second, offset in found)


class RollingPolicy:
    """When a file is closed and the next begun: in any case at the end of the input."""

    def __init__(self, options: dict[str, str]) -> None:
        self._options = options

    @staticmethod
    def default_rolling_policy(
        part_size: int = 1024 * 1024 * 128,
        rollover_interval: int = 60 * 1000,
        inactivity_interval: int = 60 * 1000,
    ) -> DefaultRollingPolicy:
        """By size and time.

        :param part_size: bytes a file may have; the next record begins another.
        :param rollover_interval: milliseconds a file may be open.
        :param inactivity_interval: milliseconds without a record.
        :raises ValueError: when one is not positive.
        """
        for name, value in (
            ("part_size", part_size),
            ("rollover_interval", rollover_interval),
            ("inactivity_interval", inactivity_interval),
        ):
            if value is None or value <= 0:
                raise ValueError(f"{name} must be greater than zero, got {value!r}")
        return DefaultRollingPolicy(
            {
                "rolling.max-bytes": str(part_size),
                "rolling.interval.ms": str(rollover_interval),
                "rolling.inactivity.ms": str(inactivity_interval),
            }
        )

    @staticmethod
    def on_checkpoint_rolling_policy() -> OnCheckpointRollingPolicy:
        """At every checkpoint."""
        return OnCheckpointRollingPolicy({"rolling.on-checkpoint": "true"})


class DefaultRollingPolicy(RollingPolicy):
    """By size and time."""


class OnCheckpointRollingPolicy(RollingPolicy):
    """At every checkpoint."""


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
            """As soon as the waiting files of a folder have this many bytes.

            :raises ValueError: when it is no positive number.
            """
            self._settings["size"] = _positive("size_threshold", size_threshold)
            return self

        def enable_compaction_on_checkpoint(
            self, num_checkpoints_before_compaction: int
        ) -> FileCompactStrategy.Builder:
            """After so many checkpoints.

            :raises ValueError: when it is no positive number.
            """
            self._settings["checkpoints"] = _positive(
                "num_checkpoints_before_compaction", num_checkpoints_before_compaction
            )
            return self

        def set_num_compact_threads(self, num_compact_threads: int) -> FileCompactStrategy.Builder:
            """Accepted: each subtask compacts its own files.

            :raises ValueError: when it is no positive number.
            """
            self._settings["threads"] = _positive("num_compact_threads", num_compact_threads)
            return self

        def build(self) -> FileCompactStrategy:
            """The strategy.

            :raises ValueError: when nothing says when files are compacted, as upstream.
            """
            if "size" not in self._settings and "checkpoints" not in self._settings:
                raise ValueError(
                    "FileCompactStrategy needs set_size_threshold(bytes),"
                    " enable_compaction_on_checkpoint(n) or both: nothing says when files are"
                    " compacted"
                )
            return FileCompactStrategy(self._settings)

    def __init__(self, settings: dict[str, int]) -> None:
        self._settings = settings

    @staticmethod
    def builder() -> FileCompactStrategy.Builder:
        """Starts a strategy."""
        return FileCompactStrategy.Builder()


class FileCompactor:
    """How small files become a large one."""

    def __init__(self, kind: str, delimiter: bytes = b"") -> None:
        self._kind = kind
        self._delimiter = delimiter

    @staticmethod
    def concat_file_compactor(file_delimiter: bytes | None = None) -> FileCompactor:
        """One after the other.

        :param file_delimiter: what is written behind each; nothing when left out.
        :raises TypeError: when it is no bytes.
        """
        if file_delimiter is not None and not isinstance(file_delimiter, (bytes, bytearray)):
            raise TypeError(f"file_delimiter must be bytes, got {file_delimiter!r}")
        return FileCompactor("concat", bytes(file_delimiter or b""))

    @staticmethod
    def identical_file_compactor() -> FileCompactor:
        """Each as it is."""
        return FileCompactor("identical")


class FileSink(Sink, SupportsPreprocessing):
    """Writes files of lines, each subtask its own; the rolling policy says when one is closed.

    Files are called ``<prefix>-<subtask>-<number><suffix>`` and lie in a folder for each hour, as
    upstream, unless another bucket assigner is set. Exactly once: a file is hidden while it is in
    progress (``.<name>.inprogress.<id>``) and pending, and gets its name when a checkpoint that
    knows of it is complete. Without checkpoints it does when it is closed. A savepoint closes all
    files in progress, whatever the rolling policy: it could not be restored without them when the
    job has gone on.
    """

    @staticmethod
    def for_row_format(base_path: str, encoder: Encoder) -> FileSink.RowFormatBuilder:
        """Records one after the other.

        :raises TypeError: when `encoder` is no Encoder.
        """
        return FileSink.RowFormatBuilder(base_path, _checked_encoder(encoder))

    @staticmethod
    def for_bulk_format(
        base_path: str, writer_factory: BulkWriterFactory
    ) -> FileSink.BulkFormatBuilder:
        """Rows in a format of its own, such as ``CsvBulkWriters.for_schema(schema)``.

        :raises TypeError: when `writer_factory` is no BulkWriterFactory.
        """
        return FileSink.BulkFormatBuilder(base_path, _checked_factory(writer_factory))

    def get_transformer(self) -> StreamTransformer | None:
        """None: rows need no change before this sink."""
        return None

    class BaseBuilder:
        """What both builders have."""

        _sink: Any

        def __init__(self, base_path: str, options: dict[str, str]) -> None:
            self._options = {
                "path": _absolute(base_path),
                "file-prefix": "part",
                **options,
            }
            self._bucket = BucketAssigner.date_time_bucket_assigner()
            self._policy: RollingPolicy = RollingPolicy.default_rolling_policy()

        def with_bucket_check_interval(self, interval: int) -> Any:
            """How often the age of files is looked at, in milliseconds."""
            if interval <= 0:
                raise ValueError(f"interval must be greater than zero, got {interval!r}")
            self._options["bucket-check.interval.ms"] = str(interval)
            return self

        def with_bucket_assigner(self, bucket_assigner: BucketAssigner) -> Any:
            """The folders."""
            if not isinstance(bucket_assigner, BucketAssigner):
                raise TypeError(
                    "with_bucket_assigner needs a BucketAssigner such as"
                    f" BucketAssigner.base_path_bucket_assigner(), got {bucket_assigner!r}"
                )
            self._bucket = bucket_assigner
            return self

        def with_output_file_config(self, output_file_config: OutputFileConfig) -> Any:
            """Names of the files.

            :raises TypeError: when it is no OutputFileConfig.
            :raises ValueError: for a prefix or suffix that is no part of a file's name.
            """
            if not isinstance(output_file_config, OutputFileConfig):
                raise TypeError(
                    "with_output_file_config needs an OutputFileConfig, which"
                    f" OutputFileConfig.builder().build() makes, got {output_file_config!r}"
                )
            prefix, suffix = output_file_config.part_prefix, output_file_config.part_suffix
            self._options["file-prefix"] = _part_of_name("part_prefix", prefix)
            self._options["file-suffix"] = _part_of_name("part_suffix", suffix)
            return self

        def enable_compact(self, strategy: FileCompactStrategy, compactor: FileCompactor) -> Any:
            """Files that are complete become a larger one, ``compacted-<name of the first>``.

            Until then they are hidden, and checkpoints remember them. What waits at the end of the
            input is compacted then. Upstream merges the files of all subtasks; here each subtask
            merges its own.

            :param strategy: when.
            :param compactor: how; with the identical one each file stays as it is.
            :raises TypeError: for other arguments.
            """
            if not isinstance(strategy, FileCompactStrategy):
                raise TypeError(
                    "enable_compact needs a FileCompactStrategy, which"
                    " FileCompactStrategy.builder() makes, as first argument,"
                    f" got {strategy!r}"
                )
            if not isinstance(compactor, FileCompactor):
                raise TypeError(
                    "enable_compact needs a FileCompactor such as"
                    " FileCompactor.concat_file_compactor() as second argument,"
                    f" got {compactor!r}"
                )
            self.disable_compact()
            self._options["compact"] = compactor._kind
            self._options["compact.delimiter"] = compactor._delimiter.hex()
            for name in ("size", "checkpoints"):
                if name in strategy._settings:
                    self._options[f"compact.{name}"] = str(strategy._settings[name])
            return self

        def disable_compact(self) -> Any:
            """Undoes :meth:`enable_compact`; files that a checkpoint remembers get their names."""
            for name in [n for n in self._options if n.startswith("compact")]:
                del self._options[name]
            return self

        def with_rolling_policy(self, rolling_policy: Any) -> Any:
            """When a file is closed."""
            if not isinstance(rolling_policy, RollingPolicy):
                raise TypeError(
                    "with_rolling_policy needs a RollingPolicy such as"
                    f" RollingPolicy.default_rolling_policy(), got {rolling_policy!r}"
                )
            self._policy = rolling_policy
            return self

        def build(self) -> Any:
            """The sink."""
            options = {**self._options, **self._bucket._options, **self._policy._options}
            return FileSink("filesystem", options)

    class RowFormatBuilder(BaseBuilder):
        """Builds a :class:`FileSink` of lines."""

        def with_rolling_policy(self, rolling_policy: RollingPolicy) -> FileSink.RowFormatBuilder:
            """When a file is closed; by default after 128 MiB or a minute."""
            super().with_rolling_policy(rolling_policy)
            return self

    class BulkFormatBuilder(BaseBuilder):
        """Builds a :class:`FileSink` of rows in a format of their own."""

        def __init__(self, base_path: str, options: dict[str, str]) -> None:
            super().__init__(base_path, options)
            self._policy = RollingPolicy.on_checkpoint_rolling_policy()

        def with_rolling_policy(
            self, rolling_policy: OnCheckpointRollingPolicy
        ) -> FileSink.BulkFormatBuilder:
            """With checkpoints only, as upstream.

            :raises ValueError: for another policy.
            """
            if not isinstance(rolling_policy, OnCheckpointRollingPolicy):
                raise ValueError(
                    "bulk formats support RollingPolicy.on_checkpoint_rolling_policy() only, got"
                    f" {rolling_policy!r}"
                )
            super().with_rolling_policy(rolling_policy)
            return self


def _absolute(path: Any) -> str:
    """Against the working directory of the program; that of functions may be another."""
    text = str(path) if path is not None else ""
    if not text:
        raise ValueError(f"a path is needed, got {path!r}")
    scheme = text.partition("://")[0]
    if scheme != text and scheme != "file":
        from pyflink._not_yet import not_yet

        raise not_yet("files that are not local", f"the path {text!r}")
    return text if "://" in text or text.startswith(("/", "file:")) else f"{_here()}/{text}"


def _positive(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise ValueError(f"{name} must be greater than zero, got {value!r}")
    return value


def _part_of_name(name: str, value: Any) -> str:
    if not isinstance(value, str) or "/" in value or "\0" in value:
        raise ValueError(
            f"{name} must be a part of a file's name, without '/', got {value!r}; folders are the"
            " bucket assigner's (with_bucket_assigner)"
        )
    return value


def _here() -> str:
    import os

    return os.getcwd()  # noqa: PTH109


def _checked_encoder(encoder: Any) -> dict[str, str]:
    if not isinstance(encoder, Encoder):
        raise TypeError(
            "for_row_format needs an Encoder such as Encoder.simple_string_encoder(), got"
            f" {encoder!r}"
        )
    if str(encoder._charset).upper().replace("_", "-") not in ("UTF-8", "UTF8"):
        from pyflink._not_yet import not_yet

        raise not_yet("charset of an Encoder", f"writing text as {encoder._charset}")
    return {}


def _checked_factory(factory: Any) -> dict[str, str]:
    options = getattr(factory, "_options", None)
    if not isinstance(factory, BulkWriterFactory) or options is None:
        raise TypeError(
            "for_bulk_format needs a BulkWriterFactory such as CsvBulkWriters.for_schema(schema),"
            f" got {factory!r}"
        )
    return dict(options)


class StreamingFileSink(SinkFunction):
    """Upstream's older name of :class:`FileSink`, for ``add_sink``."""

    def __init__(self, sink: FileSink) -> None:
        super().__init__()
        self._sink = sink

    def _attach(self, stream: DataStream) -> list[Transformation]:
        return self._sink._attach(stream)

    class BaseBuilder:
        """What both builders have."""

        def __init__(self, builder: Any) -> None:
            self._builder = builder

        def with_bucket_check_interval(self, interval: int) -> Any:
            """How often the age of files is looked at, in milliseconds."""
            self._builder.with_bucket_check_interval(interval)
            return self

        def with_bucket_assigner(self, bucket_assigner: BucketAssigner) -> Any:
            """The folders."""
            self._builder.with_bucket_assigner(bucket_assigner)
            return self

        def with_rolling_policy(self, policy: Any) -> Any:
            """When a file is closed."""
            self._builder.with_rolling_policy(policy)
            return self

        def with_output_file_config(self, output_file_config: OutputFileConfig) -> Any:
            """Names of the files."""
            self._builder.with_output_file_config(output_file_config)
            return self

        def build(self) -> StreamingFileSink:
            """The sink."""
            return StreamingFileSink(self._builder.build())

    class DefaultRowFormatBuilder(BaseBuilder):
        """Builds a :class:`StreamingFileSink` of lines."""

        def with_rolling_policy(
            self, policy: RollingPolicy
        ) -> StreamingFileSink.DefaultRowFormatBuilder:
            """When a file is closed; by default after 128 MiB or a minute."""
            super().with_rolling_policy(policy)
            return self

    @staticmethod
    def for_row_format(
        base_path: str, encoder: Encoder
    ) -> StreamingFileSink.DefaultRowFormatBuilder:
        """Records one after the other."""
        return StreamingFileSink.DefaultRowFormatBuilder(
            FileSink.for_row_format(base_path, encoder)
        )

    class DefaultBulkFormatBuilder(BaseBuilder):
        """Builds a :class:`StreamingFileSink` of rows in a format of their own."""

        def with_rolling_policy(
            self, policy: OnCheckpointRollingPolicy
        ) -> StreamingFileSink.DefaultBulkFormatBuilder:
            """With checkpoints only, as upstream."""
            super().with_rolling_policy(policy)
            return self

    @staticmethod
    def for_bulk_format(
        base_path: str, writer_factory: BulkWriterFactory
    ) -> StreamingFileSink.DefaultBulkFormatBuilder:
        """Rows in a format of their own."""
        return StreamingFileSink.DefaultBulkFormatBuilder(
            FileSink.for_bulk_format(base_path, writer_factory)
        )
