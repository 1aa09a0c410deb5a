"""Where a program begins and how it is run."""

from __future__ import annotations

from pyflink.common.typeinfo import PickledBytesTypeInfo, TypeInformation
from pyflink.datastream._graph import (
    Edge,
    Plan,
    Transformation,
    add_note,
    check_job_name,
    declared_type,
    note_place,
)
from pyflink.datastream.data_stream import DataStream, _watermarks
from pyflink.datastream.execution_mode import RuntimeExecutionMode

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from pyflink import _native
    from pyflink.common.configuration import Configuration
    from pyflink.common.execution_config import ExecutionConfig
    from pyflink.common.job_client import JobClient
    from pyflink.common.job_execution_result import JobExecutionResult
    from pyflink.common.restart_strategy import RestartStrategyConfiguration
    from pyflink.common.watermark_strategy import WatermarkStrategy
    from pyflink.datastream.checkpoint_config import CheckpointConfig
    from pyflink.datastream.checkpointing_mode import CheckpointingMode
    from pyflink.datastream.connectors.base import Source
    from pyflink.datastream.functions import SourceFunction
    from pyflink.datastream.slot_sharing_group import SlotSharingGroup
    from pyflink.datastream.state_backend import StateBackend
    from pyflink.datastream.time_characteristic import TimeCharacteristic

__all__ = ["StreamExecutionEnvironment"]

_DEFAULT_JOB_NAME = "Flink Streaming Job"

# Jobs started without waiting live as long as they run, whether or not somebody keeps their client.
_running_jobs: list[Any] = []


class StreamExecutionEnvironment:
    """Makes sources, holds the settings and executes what was built from them.

    :meth:`execute` runs everything built since the last execution; then the environment is ready
        for the next program.
    """

    def __init__(self, j_stream_execution_environment: Any = None, serializer: Any = None) -> None:
        self._transformations: list[Transformation] = []
        self._execution_config: ExecutionConfig | None = None
        self._checkpoints: CheckpointConfig | None = None
        self._parallelism: int | None = None
        self._runtime_mode = RuntimeExecutionMode.STREAMING
        self._chaining = True
        self._chaining_of_different_max_parallelism = True
        self._sort_options: dict[str, Any] = {}
        self._buffer_timeout = 100
        self._state_backend: StateBackend | None = None
        self._changelog: bool | None = None
        self._time_characteristic: TimeCharacteristic | None = None
        self._savepoint_directory: str | None = None
        self._restore_path = ""
        self._ignore_unclaimed_state = False
        self._job_name = _DEFAULT_JOB_NAME
        self._settings: dict[str, Any] = {}
        self._cached_files: dict[str, str] = {}
        self._requirements: tuple[str, str | None] | None = None
        self._archives: list[tuple[str, str]] = []

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            from pyflink._spellings import environment_method

            return environment_method(self, name)

    @staticmethod
    def get_execution_environment(
        configuration: Configuration | None = None,
    ) -> StreamExecutionEnvironment:
        """A new environment on this machine.

        :param configuration: settings by Flink's names.
        """
        env = StreamExecutionEnvironment()
        if configuration is not None:
            env.configure(configuration)
        return env

    # -- settings ----------------------------------------------------------------------------------

    def get_config(self) -> ExecutionConfig:
        """Parallelism, time, object reuse."""
        if self._execution_config is None:
            from pyflink.common.execution_config import ExecutionConfig

            self._execution_config = ExecutionConfig()
            if self._parallelism is not None:
                self._execution_config.set_parallelism(self._parallelism)
        return self._execution_config

    def configure(self, configuration: Configuration) -> None:
        """Sets what `configuration` names; names it does not know are kept and change nothing.

        :raises ValueError: for a value that does not fit its name.
        """
        from pyflink.datastream._configure import configure

        configure(self, configuration)

    def set_parallelism(self, parallelism: int) -> StreamExecutionEnvironment:
        """Parallelism of operators that set none.

        :raises ValueError: below 1.
        """
        if (
            isinstance(parallelism, bool)
            or not isinstance(parallelism, int)
            or not (parallelism >= 1 or parallelism == -1)
        ):
            raise ValueError(f"The parallelism must be at least 1, got {parallelism!r}")
        self._parallelism = None if parallelism == -1 else parallelism
        if self._execution_config is not None:
            self._execution_config.set_parallelism(parallelism)
        return self

    def get_parallelism(self) -> int:
        """Parallelism of operators that set none; the number of processors unless set."""
        if self._execution_config is not None:
            return self._execution_config.get_parallelism()
        if self._parallelism is not None:
            return self._parallelism
        return self.get_default_local_parallelism()

    def set_max_parallelism(self, max_parallelism: int) -> StreamExecutionEnvironment:
        """Number of key groups, to which keyed state can be rescaled.

        :raises ValueError: when it is not between 1 and 32768.
        """
        self.get_config().set_max_parallelism(max_parallelism)
        return self

    def get_max_parallelism(self) -> int:
        """See :meth:`set_max_parallelism`; -1 when not set."""
        return (
            -1 if self._execution_config is None else self._execution_config.get_max_parallelism()
        )

    def get_default_local_parallelism(self) -> int:
        """The number of processors, unless set."""
        if _default_local_parallelism is not None:
            return _default_local_parallelism
        return default_parallelism()

    def set_default_local_parallelism(self, parallelism: int) -> None:
        """Sets what environments of this process use when nothing else is set."""
        global _default_local_parallelism
        if isinstance(parallelism, bool) or not isinstance(parallelism, int) or parallelism < 1:
            raise ValueError(f"The parallelism must be at least 1, got {parallelism!r}")
        _default_local_parallelism = parallelism

    def register_slot_sharing_group(
        self, slot_sharing_group: SlotSharingGroup
    ) -> StreamExecutionEnvironment:
        """Accepted: on one machine there are no slots."""
        return self

    def set_runtime_mode(self, execution_mode: RuntimeExecutionMode) -> StreamExecutionEnvironment:
        """Streaming, batch, or whichever fits the sources.

        :raises TypeError: when it is no RuntimeExecutionMode.
        """
        if not isinstance(execution_mode, RuntimeExecutionMode):
            raise TypeError(
                f"set_runtime_mode needs a RuntimeExecutionMode, got {execution_mode!r}"
            )
        self._runtime_mode = execution_mode
        return self

    def set_buffer_timeout(self, timeout_millis: int) -> StreamExecutionEnvironment:
        """Accepted: batches are sent on as soon as a source has nothing more.

        :raises TypeError: when it is no number of milliseconds.
        :raises ValueError: below -1.
        """
        if isinstance(timeout_millis, bool) or not isinstance(timeout_millis, int):
            raise TypeError(
                f"Timeout of buffer must be a number of milliseconds, got {timeout_millis!r}"
            )
        if timeout_millis < -1:
            raise ValueError(f"Timeout of buffer must be non-negative or -1, got {timeout_millis}")
        self._buffer_timeout = timeout_millis
        return self

    def get_buffer_timeout(self) -> int:
        """See :meth:`set_buffer_timeout`."""
        return self._buffer_timeout

    def disable_operator_chaining(self) -> StreamExecutionEnvironment:
        """Gives every operator a task of its own."""
        self._chaining = False
        return self

    def is_chaining_enabled(self) -> bool:
        """Whether operators are fused."""
        return self._chaining

    def is_chaining_of_operators_with_different_max_parallelism_enabled(self) -> bool:
        """Whether operators with different numbers of key groups may be fused."""
        return self._chaining_of_different_max_parallelism

    def get_checkpoint_config(self) -> CheckpointConfig:
        """Settings of checkpoints."""
        if self._checkpoints is None:
            from pyflink.datastream.checkpoint_config import CheckpointConfig

            self._checkpoints = CheckpointConfig()
        return self._checkpoints

    def enable_checkpointing(
        self, interval: int, mode: CheckpointingMode | None = None
    ) -> StreamExecutionEnvironment:
        """Takes a checkpoint every `interval` milliseconds.

        :raises ValueError: below 10 ms.
        """
        config = self.get_checkpoint_config().set_checkpoint_interval(interval)
        if mode is not None:
            config.set_checkpointing_mode(mode)
        return self

    def get_checkpoint_interval(self) -> int:
        """Milliseconds between two checkpoints; -1 for none."""
        return self.get_checkpoint_config().get_checkpoint_interval()

    def get_checkpointing_mode(self) -> CheckpointingMode:
        """Exactly once, or at least once."""
        return self.get_checkpoint_config().get_checkpointing_mode()

    get_checkpointing_consistency_mode = get_checkpointing_mode

    def is_unaligned_checkpoints_enabled(self) -> bool:
        """Whether unaligned checkpoints were asked for."""
        return self.get_checkpoint_config().is_unaligned_checkpoints_enabled()

    def is_force_unaligned_checkpoints(self) -> bool:
        """Whether unaligned checkpoints were insisted on."""
        return self.get_checkpoint_config().is_force_unaligned_checkpoints()

    def set_state_backend(self, state_backend: StateBackend) -> StreamExecutionEnvironment:
        """Where state lives: HashMapStateBackend (memory, the default) or
        EmbeddedRocksDBStateBackend (the local disk); also "hashmap" and "rocksdb".

        :raises TypeError: when it is no StateBackend.
        """
        from pyflink.datastream.state_backend import (
            EmbeddedRocksDBStateBackend,
            HashMapStateBackend,
            StateBackend,
        )

        if isinstance(state_backend, str):
            known = {"rocksdb": EmbeddedRocksDBStateBackend, "hashmap": HashMapStateBackend}
            if state_backend.lower() not in known:
                raise TypeError(
                    f"set_state_backend: unknown state backend {state_backend!r}; use hashmap or"
                    " rocksdb"
                )
            state_backend = known[state_backend.lower()]()
        if not isinstance(state_backend, StateBackend):
            raise TypeError(
                "set_state_backend needs a StateBackend such as HashMapStateBackend(), got"
                f" {state_backend!r}"
            )
        self._state_backend = state_backend
        return self

    def get_state_backend(self) -> StateBackend | None:
        """What was set, or None."""
        return self._state_backend

    def enable_changelog_state_backend(self, enabled: bool) -> StreamExecutionEnvironment:
        """Kept: there is no changelog of state. A warning says so."""
        if enabled:
            from pyflink.datastream._logging import kept_only

            kept_only("enable_changelog_state_backend", "snapshots are incremental without one")
        self._changelog = enabled
        return self

    def is_changelog_state_backend_enabled(self) -> bool | None:
        """What was set, or None."""
        return self._changelog

    def set_default_savepoint_directory(self, directory: str) -> StreamExecutionEnvironment:
        """Where savepoints go that name no folder."""
        from pyflink.datastream.checkpoint_storage import normalise_path

        self._savepoint_directory = normalise_path(directory)
        return self

    def get_default_savepoint_directory(self) -> str | None:
        """See :meth:`set_default_savepoint_directory`."""
        return self._savepoint_directory

    def set_restart_strategy(
        self, restart_strategy_configuration: RestartStrategyConfiguration
    ) -> StreamExecutionEnvironment:
        """What happens when a job fails.

        Without a strategy, jobs with checkpoints are started again after delays that grow from 1 s
        to 1 min, as upstream, and jobs without them fail.
        """
        self.get_config().set_restart_strategy(restart_strategy_configuration)
        return self

    def get_restart_strategy(self) -> RestartStrategyConfiguration:
        """See :meth:`set_restart_strategy`."""
        return self.get_config().get_restart_strategy()

    def add_default_kryo_serializer(self, type_class_name: str, serializer_class_name: str) -> None:
        """Accepted: there is no Kryo here."""
        self.get_config().add_default_kryo_serializer(type_class_name, serializer_class_name)

    def register_type_with_kryo_serializer(
        self, type_class_name: str, serializer_class_name: str
    ) -> None:
        """Accepted: there is no Kryo here."""
        self.get_config().register_type_with_kryo_serializer(type_class_name, serializer_class_name)

    def register_type(self, type_class_name: str) -> None:
        """Accepted: types need no registration here."""
        self.get_config().register_pojo_type(type_class_name)

    def set_stream_time_characteristic(self, characteristic: TimeCharacteristic) -> None:
        """Accepted, as upstream, where it is deprecated: windows name their clock themselves."""
        from pyflink.datastream.time_characteristic import TimeCharacteristic

        if not isinstance(characteristic, TimeCharacteristic):
            raise TypeError(
                f"set_stream_time_characteristic needs a TimeCharacteristic, got {characteristic!r}"
            )
        self._time_characteristic = characteristic
        interval = 0 if characteristic is TimeCharacteristic.ProcessingTime else 200
        self.get_config().set_auto_watermark_interval(interval)

    def get_stream_time_characteristic(self) -> TimeCharacteristic:
        """Event time unless set."""
        from pyflink.datastream.time_characteristic import TimeCharacteristic

        return self._time_characteristic or TimeCharacteristic.EventTime

    # -- dependencies ------------------------------------------------------------------------------

    def add_jars(self, *jars_path: str) -> None:
        """Accepted: connectors and formats are built in, jars are not needed."""
        from pyflink.datastream._logging import info

        for path in jars_path:
            info(f"{path} is not needed: connectors and formats are built in")

    def add_classpaths(self, *classpaths: str) -> None:
        """Accepted: see :meth:`add_jars`."""
        self.add_jars(*classpaths)

    def add_python_file(self, file_path: str) -> None:
        """Makes a Python file, package folder or zip archive importable.

        Of a file it is this file alone, as in upstream: its neighbours stay where they are.

        :raises FileNotFoundError: when there is none.
        """
        import sys

        from pyflink.datastream._dependencies import alone, existing

        path = existing(file_path, "add_python_file")
        if path.endswith(".py"):
            path = alone(path)
        if path not in sys.path:
            sys.path.insert(0, path)

    def set_python_requirements(
        self, requirements_file_path: str, requirements_cache_dir: str | None = None
    ) -> None:
        """Installs packages for the functions, when a job starts.

        They go into a folder of their own, which is kept for the next run, and come before the
        packages of this environment.

        :param requirements_file_path: a file as pip takes it.
        :param requirements_cache_dir: a folder of downloaded packages; nothing is then downloaded.
        :raises FileNotFoundError: when one is not there.
        """
        from pyflink.datastream._dependencies import existing

        self._requirements = (
            existing(requirements_file_path, "set_python_requirements"),
            None
            if requirements_cache_dir is None
            else existing(requirements_cache_dir, "set_python_requirements"),
        )

    def add_python_archive(self, archive_path: str, target_dir: str | None = None) -> None:
        """Unpacks an archive for the functions, when a job starts.

        Functions find it in their working directory, below `target_dir`, or below the archive's
        name when that is left out: ``open("target/file.txt")``. The working directory of the
        program stays as it is.

        :param archive_path: a zip, tar, tar.gz, tar.bz2 or tar.xz file.
        :raises FileNotFoundError: when there is none.
        """
        from pyflink.datastream._dependencies import existing

        path = existing(archive_path, "add_python_archive")
        self._archives.append((path, target_dir or path.rstrip("/").rpartition("/")[2]))

    def set_python_executable(self, python_exec: str) -> None:
        """Accepted.

        Functions run in this process; they find the value in ``os.environ["python"]``.
        """
        import os

        os.environ["python"] = python_exec  # noqa: SIM112

    def register_cached_file(self, file_path: str, name: str, executable: bool = False) -> None:
        """Makes a file known to the functions by a name.

        They read it at ``runtime_context.get_distributed_cache().get_file(name)``; on one machine
        that is the file itself, or a copy that can be executed when `executable` asks for it and
        the file cannot.

        :raises FileNotFoundError: when there is none.
        :raises TypeError: when `name` or `file_path` is no text.
        """
        from pyflink.datastream._dependencies import executable_file, existing

        if not isinstance(name, str) or not name:
            raise TypeError(f"register_cached_file needs a name for the file, got {name!r}")
        path = existing(file_path, "register_cached_file")
        self._cached_files[name] = executable_file(path) if executable else path

    # -- sources -----------------------------------------------------------------------------------

    def from_collection(
        self, collection: Iterable[Any], type_info: TypeInformation | None = None
    ) -> DataStream:
        """A bounded stream of the given records, at parallelism 1.

        :param collection: the records; they are taken over now.
        :param type_info: their type; any Python object when left out. Numbers where it says STRING
            become text, as in upstream.
        :raises TypeError: when `collection` cannot be iterated, a type is no type, or a record is
            not of that type.
        """
        if isinstance(collection, (str, bytes)) or not hasattr(collection, "__iter__"):
            raise TypeError(f"from_collection needs a list of records, got {collection!r}")
        declared = declared_type(type_info, "type_info of from_collection")
        values = list(collection)
        logical = None if isinstance(declared, PickledBytesTypeInfo) else declared._logical()
        params: dict[str, Any] = {"values": values, "type": logical}
        if logical is not None:
            params["mend"] = lambda value: _with_texts(value, declared)
            _check_records(params, declared)
        return self._source("collection", "Collection Source", declared, params, single=True)

    def from_sequence(self, from_: int, to: int) -> DataStream:
        """The numbers `from_` to `to`, both included, in parallel."""
        from pyflink.common.watermark_strategy import WatermarkStrategy
        from pyflink.datastream.connectors.number_seq import NumberSequenceSource

        return self.from_source(
            NumberSequenceSource(from_, to), WatermarkStrategy.no_watermarks(), "Sequence Source"
        )

    generate_sequence = from_sequence

    def from_source(
        self,
        source: Source,
        watermark_strategy: WatermarkStrategy,
        source_name: str,
        type_info: TypeInformation | None = None,
    ) -> DataStream:
        """The records of a connector's source.

        :param source: what a source's builder built.
        :param watermark_strategy: timestamps and watermarks, made per split.
        :param source_name: name of the source.
        :param type_info: type of the records; the source's own when left out.
        :raises TypeError: for wrong arguments.
        """
        spec = getattr(source, "_source_spec", None)
        if spec is None:
            hint = "; call .build() on it" if hasattr(source, "build") else ""
            raise TypeError(f"from_source needs a source such as KafkaSource, got {source!r}{hint}")
        connector, options, produced, bounded = spec()
        declared = (
            produced if type_info is None else declared_type(type_info, "type_info of from_source")
        )
        params = {
            "connector": connector,
            "options": options,
            "watermarks": _watermarks(watermark_strategy, "from_source", declared),
        }
        return self._source(
            "source",
            source_name,
            declared,
            params,
            bounded=bounded,
            native_type=declared._format_logical(),
        )

    def add_source(
        self,
        source_func: SourceFunction,
        source_name: str = "Custom Source",
        type_info: TypeInformation | None = None,
    ) -> DataStream:
        """The records of a source function.

        :param source_func: a subclass of SourceFunction, or a connector's source.
        :param source_name: name of the source.
        :param type_info: type of the records; any Python object when left out.
        :raises TypeError: when it is no source.
        """
        if hasattr(source_func, "_source_spec"):
            from pyflink.common.watermark_strategy import WatermarkStrategy

            source: Any = source_func
            return self.from_source(
                source, WatermarkStrategy.no_watermarks(), source_name, type_info
            )
        if isinstance(source_func, type) or not callable(getattr(source_func, "run", None)):
            raise TypeError(
                "add_source needs a SourceFunction: an object with run(ctx) and cancel(), got"
                f" {source_func!r}"
            )
        params = {"function": source_func, "watermarks": None}
        declared = declared_type(type_info, "type_info of add_source")
        return self._source(
            "python_source", source_name, declared, params, single=True, bounded=False
        )

    def read_text_file(self, file_path: str, charset_name: str = "UTF-8") -> DataStream:
        """The lines of a file, or of all files in a folder.

        :param file_path: a path or ``file://`` URI.
        :param charset_name: only UTF-8.
        """
        from pyflink.common.serialization import SimpleStringSchema
        from pyflink.common.watermark_strategy import WatermarkStrategy
        from pyflink.datastream.connectors.file_system import FileSource, StreamFormat

        SimpleStringSchema(charset_name)  # checks the charset
        source = FileSource.for_record_stream_format(
            StreamFormat.text_line_format(charset_name), file_path
        ).build()
        return self.from_source(
            source, WatermarkStrategy.no_watermarks(), "Split Reader: Custom File Source"
        )

    def create_input(
        self, input_format: Any, type_info: TypeInformation | None = None
    ) -> DataStream:
        """The records of an input format.

        :raises NotSupportedError: for upstream's formats, which are Java objects.
        """
        if hasattr(input_format, "_source_spec"):
            from pyflink.common.watermark_strategy import WatermarkStrategy

            return self.from_source(
                input_format, WatermarkStrategy.no_watermarks(), "Custom Source", type_info
            )
        from pyflink._not_yet import not_yet

        raise not_yet("StreamExecutionEnvironment.create_input")

    def _source(
        self, kind: str, name: str, type_info: TypeInformation, params: dict[str, Any], **flags: Any
    ) -> DataStream:
        node = Transformation(self, kind, name, [], type_info, params, **flags)
        return DataStream(self, [Edge(node)], type_info)

    # -- execution ---------------------------------------------------------------------------------

    def _register(self, transformation: Transformation) -> Transformation:
        """Makes an operator part of the next execution."""
        self._transformations.append(transformation)
        return transformation

    def _unregister(self, transformation: Transformation) -> None:
        if transformation in self._transformations:
            self._transformations.remove(transformation)

    def _plan(self) -> Plan:
        if not self._transformations:
            raise RuntimeError(
                "No operators defined in streaming topology. Cannot execute. Add an operator or"
                " sink first, for instance stream.print(); execute() runs what was added since the"
                " last execution"
            )
        return Plan(self, self._transformations)

    def _start(
        self, job_name: str, detached: bool = False
    ) -> tuple[_native.Job, dict[str, list[str]]]:
        """Translates what was built, forgets it, and starts it.

        :returns: the job, and where its operators were made.
        """
        from pyflink.datastream._logging import connect_engine

        check_job_name(job_name, "execute")
        connect_engine()  # first: the translation of a connector's settings may warn already
        try:
            plan = self._plan()
            graph = plan.to_native()
        except Exception as error:
            if self._transformations:
                self._transformations = []  # it would be part of every later program
                add_note(error, "nothing of this program was executed; build it again")
            raise
        options = self._job_options(plan)  # settings can be mended, and the program run then
        if detached:
            options["detached"] = True  # perhaps nobody asks for the result: failures are logged
        self._transformations = []
        places = plan.places()
        try:
            return self._launch(graph, job_name, options), places
        except Exception as error:
            note_place(error, places)
            raise

    def _launch(
        self, graph: _native.StreamGraph, job_name: str, options: dict[str, Any]
    ) -> _native.Job:
        """Starts a job; pyflink.testing runs it in steps instead."""
        return graph.start(job_name, options)

    def _job_options(self, plan: Plan) -> dict[str, Any]:
        batch = self._runtime_mode is RuntimeExecutionMode.BATCH
        if batch and not plan.is_bounded():
            raise ValueError(
                "Detected an UNBOUNDED source with the 'execution.runtime-mode' set to 'BATCH'."
                " This combination is not allowed, please set the 'execution.runtime-mode' to"
                " STREAMING or AUTOMATIC"
            )
        if self._runtime_mode is RuntimeExecutionMode.AUTOMATIC:
            batch = plan.is_bounded()
        options: dict[str, Any] = {
            "batch_mode": batch,
            "chaining": self._chaining,
            "buffer_timeout_ms": self._buffer_timeout,
            **self._sort_options,
        }
        config = self._execution_config
        if config is not None:
            options["object_reuse"] = config.is_object_reuse_enabled()
            options["auto_watermark_interval_ms"] = config.get_auto_watermark_interval()
            parameters = config.get_global_job_parameters()
            if parameters:
                options["job_parameters"] = parameters
        checkpoints = self._checkpoints
        if checkpoints is not None:
            checkpoints._fill(options, batch)
        restart = self.get_restart_strategy()._options(options.get("checkpoint_interval_ms", 0) > 0)
        if restart:
            options["restart"] = restart
        backend = self._state_backend
        if backend is not None and hasattr(backend, "get_db_storage_paths"):
            from pyflink.datastream._rocksdb import job_settings

            options["state_backend"] = "rocksdb"
            options["state_backend_settings"] = job_settings(
                backend,  # type: ignore[arg-type]
                self._settings,
                self.get_parallelism(),
            )
        if "checkpoint_directory" not in options and self._state_backend is not None:
            from pyflink.datastream.checkpoint_storage import local_path

            if self._state_backend._checkpoint_path:
                options["checkpoint_directory"] = local_path(self._state_backend._checkpoint_path)
        if self._restore_path:
            options["restore_path"] = self._restore_path
            options["allow_unclaimed_state"] = self._ignore_unclaimed_state
        if self._savepoint_directory:
            from pyflink.datastream.checkpoint_storage import local_path

            options["savepoint_directory"] = local_path(self._savepoint_directory)
        if self._requirements or self._archives or self._cached_files:
            from pyflink.datastream._dependencies import prepare

            prepare(self, options)
        return options

    def execute(self, job_name: str | None = None) -> JobExecutionResult:
        """Runs what was built and waits for its end.

        :param job_name: name of the job.
        :raises RuntimeError: when nothing was built.
        :raises Exception: what a function raised, as it was, with a note naming operator, subtask
            and record.
        """
        from pyflink.common.job_execution_result import result_of

        job, places = self._start(job_name or self._job_name)
        try:
            job.wait()
        except Exception as error:
            note_place(error, places)
            raise
        return result_of(job)

    def execute_async(self, job_name: str = _DEFAULT_JOB_NAME) -> JobClient:
        """Starts what was built and returns at once.

        :param job_name: name of the job.
        :returns: the job's client; the job runs on when it is dropped.
        :raises RuntimeError: when nothing was built.
        """
        from pyflink.common.job_client import JobClient

        job, places = self._start(job_name or self._job_name, detached=True)
        _running_jobs[:] = [
            j
            for j in _running_jobs
            if j.status() in ("CREATED", "RUNNING", "RESTARTING", "CANCELLING", "FAILING")
        ]
        _running_jobs.append(job)
        return JobClient(job, places)

    def get_execution_plan(self) -> str:
        """What was built, as text: nodes with id, type, parallelism and predecessors.

        :raises RuntimeError: when nothing was built.
        """
        return self._plan().to_text()

    def close(self) -> None:
        """Forgets what was built; running jobs go on."""
        self._transformations = []


_default_local_parallelism: int | None = None


# so many records are checked when the program is built; the others when it is executed
_RECORDS_CHECKED = 1000


def _with_texts(value: Any, declared: TypeInformation) -> Any:
    from pyflink.datastream._collections import with_texts

    return with_texts(value, declared)


def _check_records(params: dict[str, Any], declared: TypeInformation) -> None:
    from pyflink import _native

    first: list[Any] = params["values"][:_RECORDS_CHECKED]
    try:
        _native.StreamGraph().add(
            "collection", "Collection Source", params={**params, "values": first}
        )
    except Exception as error:
        raise TypeError(f"from_collection: {error}; correct the record or type_info") from None
    if first and isinstance(first[0], dict):
        from pyflink.datastream._collections import warn_of_other_names

        warn_of_other_names(first[0], declared)


def default_parallelism() -> int:
    """Parallelism when nobody sets one.

    The processors this process may use, as Flink's local environment.
    """
    import os

    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1
