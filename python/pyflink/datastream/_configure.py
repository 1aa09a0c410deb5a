"""Flink's configuration names, and what they set in an environment."""

from __future__ import annotations

from pyflink.common.configuration import _text, parse_duration_ms, parse_map

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pyflink.common.configuration import Configuration
    from pyflink.common.restart_strategy import RestartStrategyConfiguration
    from pyflink.datastream.stream_execution_environment import StreamExecutionEnvironment


def configure(env: StreamExecutionEnvironment, configuration: Configuration) -> None:
    """Applies every setting the table below knows; keeps all of them readable.

    A setting of Flink's that changes nothing here is named in the log, once; others are a
    program's own.
    """
    if not hasattr(configuration, "add_all_to_dict"):
        raise TypeError(f"configure() needs a Configuration, got {configuration!r}")
    values: dict[str, Any] = {}
    configuration.add_all_to_dict(values)
    env._settings.update(values)
    for key, value in values.items():
        apply = _SETTINGS.get(key)
        if apply is not None:
            apply(env, key, value)
        else:
            _say_what_has_no_effect(key)
    _restart_strategy(env, values)


def _integer(key: str, value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise ValueError(
            f"Could not parse value {value!r} for key {key!r}: expected an integer"
        ) from None


def _boolean(key: str, value: Any) -> bool:
    text = _text(value).lower()
    if text not in ("true", "false"):
        raise ValueError(f"Could not parse value {value!r} for key {key!r}: expected true or false")
    return text == "true"


def _member(key: str, value: Any, enum: Any) -> Any:
    wanted = _text(value).replace("-", "_").upper()
    for member in enum:
        if member.name.upper() == wanted:
            return member
    names = ", ".join(member.name for member in enum)
    raise ValueError(f"Could not parse value {value!r} for key {key!r}: expected one of {names}")


def _set_chaining(env: Any, key: str, value: Any) -> None:
    env._chaining = _boolean(key, value)


def _set_mixed_chaining(env: Any, key: str, value: Any) -> None:
    env._chaining_of_different_max_parallelism = _boolean(key, value)


def _set_object_reuse(env: Any, key: str, value: Any) -> None:
    env.get_config()._object_reuse = _boolean(key, value)


def _set_time_characteristic(env: Any, key: str, value: Any) -> None:
    from pyflink.datastream.time_characteristic import TimeCharacteristic

    text = _text(value).replace("-", "").replace("_", "").lower()
    for member in TimeCharacteristic:
        if member.name.lower() == text:
            env.set_stream_time_characteristic(member)
            return
    raise ValueError(
        f"Could not parse value {value!r} for key {key!r}: expected ProcessingTime, IngestionTime"
        " or EventTime"
    )


def _set_runtime_mode(env: Any, key: str, value: Any) -> None:
    from pyflink.datastream.execution_mode import RuntimeExecutionMode

    env.set_runtime_mode(_member(key, value, RuntimeExecutionMode))


def _set_sorted_inputs(env: Any, key: str, value: Any) -> None:
    env._sort_options["sort_inputs"] = _boolean(key, value)


def _set_sort_memory(env: Any, key: str, value: Any) -> None:
    from pyflink.datastream.slot_sharing_group import MemorySize

    try:
        size = MemorySize._parse(_text(value).strip()).get_bytes()
    except ValueError as error:
        raise ValueError(f"Could not parse value {value!r} for key {key!r}: {error}") from None
    if size <= 0:
        raise ValueError(f"{key!r} must be greater than zero, got {value!r}")
    env._sort_options["sort_memory_bytes"] = size


def _set_checkpointing_mode(env: Any, key: str, value: Any) -> None:
    from pyflink.datastream.checkpointing_mode import CheckpointingMode

    env.get_checkpoint_config().set_checkpointing_mode(_member(key, value, CheckpointingMode))


def _set_retention(env: Any, key: str, value: Any) -> None:
    from pyflink.datastream.externalized_checkpoint_retention import ExternalizedCheckpointRetention

    env.get_checkpoint_config().set_externalized_checkpoint_retention(
        _member(key, value, ExternalizedCheckpointRetention)
    )


def _set_retained(env: Any, key: str, value: Any) -> None:
    number = _integer(key, value)
    if number < 1:
        raise ValueError(f"{key!r} must be at least 1, got {value!r}")
    env.get_checkpoint_config()._retained = number


def _set_after_tasks_finish(env: Any, key: str, value: Any) -> None:
    env.get_checkpoint_config()._after_tasks_finish = _boolean(key, value)


def _checkpoint_folder(env: Any) -> str | None:
    settings = env._settings
    folder = settings.get("execution.checkpointing.dir", settings.get("state.checkpoints.dir"))
    return None if folder is None else _text(folder)


def _set_state_backend(env: Any, key: str, value: Any) -> None:
    from pyflink.datastream import state_backend

    text = _text(value)
    # the names of upstream's factories are as good: org...HashMapStateBackendFactory
    name = text.rpartition(".")[2].lower().removesuffix("factory").removesuffix("statebackend")
    if name == "hashmap":
        env.set_state_backend(state_backend.HashMapStateBackend())
    elif name in ("rocksdb", "embeddedrocksdb"):
        env.set_state_backend(state_backend.EmbeddedRocksDBStateBackend())
    elif name in ("jobmanager", "memory"):
        env.set_state_backend(state_backend.MemoryStateBackend())
    elif name in ("filesystem", "fs"):
        folder = _checkpoint_folder(env)
        if folder is None:
            raise ValueError(
                f"{key!r} is {text!r}, which needs a folder: set 'execution.checkpointing.dir' too"
            )
        env.set_state_backend(state_backend.FsStateBackend(folder))
    else:
        raise ValueError(
            f"Could not parse value {text!r} for key {key!r}: expected hashmap, rocksdb,"
            " filesystem or jobmanager; backends in Java cannot be used here"
        )


def _set_checkpoint_storage(env: Any, key: str, value: Any) -> None:
    text = _text(value)
    name = text.rpartition(".")[2].lower().removesuffix("factory")
    if name in ("jobmanager", "jobmanagercheckpointstorage"):
        from pyflink.datastream.checkpoint_storage import JobManagerCheckpointStorage

        env.get_checkpoint_config().set_checkpoint_storage(
            JobManagerCheckpointStorage(_checkpoint_folder(env))
        )
    elif name not in ("filesystem", "filesystemcheckpointstorage"):  # the folder says it all
        raise ValueError(
            f"Could not parse value {text!r} for key {key!r}: expected filesystem or jobmanager;"
            " checkpoint storages in Java cannot be used here"
        )


def _set_alignment_timeout(env: Any, key: str, value: Any) -> None:
    from pyflink.common.time import Duration

    env.get_checkpoint_config().set_alignment_timeout(
        Duration.of_millis(parse_duration_ms(key, value))
    )


_BUFFERS_TIME_OUT = "execution.buffer-timeout.enabled"


def _set_buffer_timeout(env: Any, key: str, value: Any) -> None:
    if key != _BUFFERS_TIME_OUT:
        env.set_buffer_timeout(parse_duration_ms(key, value))
    if not _boolean(_BUFFERS_TIME_OUT, env._settings.get(_BUFFERS_TIME_OUT, True)):
        env.set_buffer_timeout(-1)  # whichever of the two is named first


def _set_closure_cleaner(env: Any, key: str, value: Any) -> None:
    level = _text(value).upper()
    if level not in ("NONE", "TOP_LEVEL", "RECURSIVE"):
        raise ValueError(
            f"Could not parse value {value!r} for key {key!r}: expected NONE, TOP_LEVEL or"
            " RECURSIVE"
        )
    config = env.get_config()
    config.disable_closure_cleaner() if level == "NONE" else config.enable_closure_cleaner()


def _switch(on: str, off: str) -> Callable[[Any, str, Any], None]:
    """A setting that calls one of two methods of the ExecutionConfig."""
    return lambda env, key, value: getattr(env.get_config(), on if _boolean(key, value) else off)()


def _set_type_registration(env: Any, key: str, value: Any) -> None:
    if not _boolean(key, value):
        env.get_config().disable_auto_type_registration()


def _register_types(register: str) -> Callable[[Any, str, Any], None]:
    def apply(env: Any, key: str, value: Any) -> None:
        from pyflink.common.configuration import Configuration

        for name in Configuration.parse_list_value(_text(value)):
            getattr(env.get_config(), register)(name.strip())

    return apply


def _set_job_name(env: Any, key: str, value: Any) -> None:
    env._job_name = _text(value)


def _set_restore_path(env: Any, key: str, value: Any) -> None:
    from pyflink.datastream.checkpoint_storage import local_path

    env._restore_path = local_path(_text(value))


def _set_ignore_unclaimed(env: Any, key: str, value: Any) -> None:
    env._ignore_unclaimed_state = _boolean(key, value)


def _add_files(env: Any, key: str, value: Any) -> None:
    for path in _text(value).split(","):
        env.add_python_file(path.strip())


def _add_requirements(env: Any, key: str, value: Any) -> None:
    file, _, cache = _text(value).partition("#")
    env.set_python_requirements(file, cache or None)


def _add_archives(env: Any, key: str, value: Any) -> None:
    for item in _text(value).split(","):
        path, _, target = item.strip().partition("#")
        env.add_python_archive(path, target or None)


def _add_cached_files(env: Any, key: str, value: Any) -> None:
    from pyflink.datastream._dependencies import parse_cached_files

    for name, path, executable in parse_cached_files(key, _text(value)):
        env.register_cached_file(path, name, executable)


def _set_executable(env: Any, key: str, value: Any) -> None:
    env.set_python_executable(_text(value))


def _add_jars(env: Any, key: str, value: Any) -> None:
    from pyflink.common.configuration import Configuration

    env.add_jars(*Configuration.parse_list_value(_text(value)))


def _checkpoint(setter: str, convert: Callable[[str, Any], Any]) -> Callable[[Any, str, Any], None]:
    return lambda env, key, value: getattr(env.get_checkpoint_config(), setter)(convert(key, value))


def _environment(
    setter: str, convert: Callable[[str, Any], Any]
) -> Callable[[Any, str, Any], None]:
    return lambda env, key, value: getattr(env, setter)(convert(key, value))


def _execution(setter: str, convert: Callable[[str, Any], Any]) -> Callable[[Any, str, Any], None]:
    return lambda env, key, value: getattr(env.get_config(), setter)(convert(key, value))


def _plain(key: str, value: Any) -> str:
    return _text(value)


_SETTINGS: dict[str, Callable[[Any, str, Any], None]] = {
    "parallelism.default": _environment("set_parallelism", _integer),
    "pipeline.max-parallelism": _environment("set_max_parallelism", _integer),
    "pipeline.name": _set_job_name,
    "pipeline.operator-chaining": _set_chaining,
    "pipeline.operator-chaining.enabled": _set_chaining,
    "pipeline.operator-chaining.chain-operators-with-different-max-parallelism": (
        _set_mixed_chaining
    ),
    "pipeline.object-reuse": _set_object_reuse,
    "pipeline.auto-watermark-interval": _execution(
        "set_auto_watermark_interval", parse_duration_ms
    ),
    "pipeline.global-job-parameters": _execution("set_global_job_parameters", parse_map),
    "pipeline.time-characteristic": _set_time_characteristic,
    "pipeline.closure-cleaner-level": _set_closure_cleaner,
    "pipeline.force-kryo": _switch("enable_force_kryo", "disable_force_kryo"),
    "pipeline.force-avro": _switch("enable_force_avro", "disable_force_avro"),
    "pipeline.generic-types": _switch("enable_generic_types", "disable_generic_types"),
    "pipeline.auto-generate-uids": _switch(
        "enable_auto_generated_uids", "disable_auto_generated_uids"
    ),
    "pipeline.auto-type-registration": _set_type_registration,
    "pipeline.registered-kryo-types": _register_types("register_kryo_type"),
    "pipeline.registered-pojo-types": _register_types("register_pojo_type"),
    "task.cancellation.interval": _execution("set_task_cancellation_interval", parse_duration_ms),
    "task.cancellation.timeout": _execution("set_task_cancellation_timeout", parse_duration_ms),
    "metrics.latency.interval": _execution("set_latency_tracking_interval", parse_duration_ms),
    "pipeline.jars": _add_jars,
    "pipeline.classpaths": _add_jars,
    "pipeline.cached-files": _add_cached_files,
    "python.files": _add_files,
    "python.requirements": _add_requirements,
    "python.archives": _add_archives,
    "python.executable": _set_executable,
    "execution.runtime-mode": _set_runtime_mode,
    "execution.sorted-inputs.enabled": _set_sorted_inputs,
    "execution.sorted-inputs.memory": _set_sort_memory,
    "execution.buffer-timeout": _set_buffer_timeout,
    "execution.buffer-timeout.interval": _set_buffer_timeout,
    _BUFFERS_TIME_OUT: _set_buffer_timeout,
    "execution.savepoint.path": _set_restore_path,
    "execution.state-recovery.path": _set_restore_path,
    "execution.savepoint.ignore-unclaimed-state": _set_ignore_unclaimed,
    "execution.state-recovery.ignore-unclaimed-state": _set_ignore_unclaimed,
    "execution.checkpointing.interval": _checkpoint("set_checkpoint_interval", parse_duration_ms),
    "execution.checkpointing.timeout": _checkpoint("set_checkpoint_timeout", parse_duration_ms),
    "execution.checkpointing.min-pause": _checkpoint(
        "set_min_pause_between_checkpoints", parse_duration_ms
    ),
    "execution.checkpointing.max-concurrent-checkpoints": _checkpoint(
        "set_max_concurrent_checkpoints", _integer
    ),
    "execution.checkpointing.tolerable-failed-checkpoints": _checkpoint(
        "set_tolerable_checkpoint_failure_number", _integer
    ),
    "execution.checkpointing.num-retained": _set_retained,
    "state.checkpoints.num-retained": _set_retained,
    "execution.checkpointing.checkpoints-after-tasks-finish": _set_after_tasks_finish,
    "execution.checkpointing.checkpoints-after-tasks-finish.enabled": _set_after_tasks_finish,
    "execution.checkpointing.unaligned": _checkpoint("enable_unaligned_checkpoints", _boolean),
    "execution.checkpointing.unaligned.enabled": _checkpoint(
        "enable_unaligned_checkpoints", _boolean
    ),
    "execution.checkpointing.unaligned.forced": _checkpoint(
        "set_force_unaligned_checkpoints", _boolean
    ),
    "execution.checkpointing.aligned-checkpoint-timeout": _set_alignment_timeout,
    "execution.checkpointing.alignment-timeout": _set_alignment_timeout,
    "execution.checkpointing.snapshot-compression": _execution(
        "set_use_snapshot_compression", _boolean
    ),
    "execution.checkpointing.storage": _set_checkpoint_storage,
    "state.checkpoint-storage": _set_checkpoint_storage,
    "state.changelog.enabled": _environment("enable_changelog_state_backend", _boolean),
    "state.backend.changelog.enabled": _environment("enable_changelog_state_backend", _boolean),
    "execution.checkpointing.mode": _set_checkpointing_mode,
    "execution.checkpointing.externalized-checkpoint-retention": _set_retention,
    "execution.checkpointing.dir": _checkpoint("set_checkpoint_storage_dir", _plain),
    "execution.checkpointing.savepoint-dir": _environment(
        "set_default_savepoint_directory", _plain
    ),
    "state.checkpoints.dir": _checkpoint("set_checkpoint_storage_dir", _plain),
    "state.savepoints.dir": _environment("set_default_savepoint_directory", _plain),
    "state.backend": _set_state_backend,
    "state.backend.type": _set_state_backend,
}


_NOT_NEEDED = (
    "akka.",
    "blob.",
    "classloader.",
    "client.",
    "cluster.",
    "env.",
    "execution.attached",
    "execution.shutdown-on-",
    "execution.target",
    "heartbeat.",
    "high-availability",
    "historyserver.",
    "io.tmp.dirs",
    "jobmanager.",
    "jobstore.",
    "kubernetes.",
    "pekko.",
    "process.",
    "python.client.executable",
    "python.execution-mode",
    "python.fn-execution.",
    "python.map-state.",
    "python.metric.enabled",
    "python.operator-chaining.enabled",
    "python.profile.enabled",
    "python.pythonpath",
    "python.state.",
    "python.systemenv.enabled",
    "queryable-state.",
    "resourcemanager.",
    "rest.",
    "security.",
    "slot.",
    "slotmanager.",
    "taskmanager.",
    "web.",
    "yarn.",
    "zookeeper.",
)
"""Begins of settings of a cluster and of processes that there are none of here: results are the
same without them."""

_OF_FLINK = (
    "execution.",
    "fs.",
    "job-event.",
    "job.",
    "jobmanager.",
    "metrics.",
    "parallelism.",
    "pipeline.",
    "python.",
    "restart-strategy",
    "sql-client.",
    "state.",
    "table.",
    "task.",
)
"""Begins of Flink's other settings."""

_said: set[str] = set()


def _say_what_has_no_effect(key: str) -> None:
    if key in _said or key in _RESTART_SETTINGS:
        return
    if key.startswith(("state.backend.", "execution.checkpointing.inc", "taskmanager.memory.man")):
        from pyflink.datastream._rocksdb import KNOWN, say_what_is_kept

        if key in KNOWN:
            say_what_is_kept(key)
            return
    if key.startswith(_NOT_NEEDED):
        from pyflink.datastream._logging import info

        _said.add(key)
        info(f"the setting {key!r} is not needed: there is no cluster to be configured")
    elif key.startswith(_OF_FLINK):
        from difflib import get_close_matches

        from pyflink.datastream._logging import warning

        _said.add(key)
        near = get_close_matches(key, [*_SETTINGS, *_RESTART_SETTINGS], 1, 0.9)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        warning(f"the setting {key!r} has no effect here{hint}")


_RESTART_SETTINGS = {
    "restart-strategy",
    "restart-strategy.type",
    "restart-strategy.fixed-delay.attempts",
    "restart-strategy.fixed-delay.delay",
    "restart-strategy.failure-rate.max-failures-per-interval",
    "restart-strategy.failure-rate.failure-rate-interval",
    "restart-strategy.failure-rate.delay",
    "restart-strategy.exponential-delay.initial-backoff",
    "restart-strategy.exponential-delay.max-backoff",
    "restart-strategy.exponential-delay.backoff-multiplier",
    "restart-strategy.exponential-delay.reset-backoff-threshold",
    "restart-strategy.exponential-delay.jitter-factor",
    "restart-strategy.exponential-delay.attempts-before-reset-backoff",
}


def _number(key: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(
            f"Could not parse value {value!r} for key {key!r}: expected a number"
        ) from None


def _attempts(key: str, value: Any) -> int:
    return 2**31 - 1 if _text(value).lower() == "infinite" else _integer(key, value)


def _restart_strategy(env: StreamExecutionEnvironment, values: dict[str, Any]) -> None:
    """Restart strategies are spread over several names."""
    if not any(key in values for key in _RESTART_SETTINGS):
        return
    from pyflink.common.restart_strategy import RestartStrategies, _ExponentialDelay, _Fallback

    settings = env._settings  # what an earlier configure() said counts as well
    key = next((k for k in ("restart-strategy.type", "restart-strategy") if k in settings), None)

    def setting(name: str, convert: Callable[[str, Any], Any], default: Any) -> Any:
        return convert(name, settings.get(name, default))

    # without a type, the settings are those of the default
    chosen = "exponential-delay" if key is None else _text(settings[key])
    name = chosen.lower().replace("-", "").replace("_", "")
    strategy: RestartStrategyConfiguration
    if name in ("none", "off", "disable"):
        strategy = RestartStrategies.no_restart()
    elif name == "fixeddelay":
        prefix = "restart-strategy.fixed-delay."
        strategy = RestartStrategies.fixed_delay_restart(
            setting(prefix + "attempts", _integer, 1),
            setting(prefix + "delay", parse_duration_ms, "1 s"),
        )
    elif name == "failurerate":
        prefix = "restart-strategy.failure-rate."
        strategy = RestartStrategies.failure_rate_restart(
            setting(prefix + "max-failures-per-interval", _integer, 1),
            setting(prefix + "failure-rate-interval", parse_duration_ms, "1 min"),
            setting(prefix + "delay", parse_duration_ms, "1 s"),
        )
    elif name == "exponentialdelay":
        prefix = "restart-strategy.exponential-delay."
        strategy = _ExponentialDelay(
            setting(prefix + "initial-backoff", parse_duration_ms, "1 s"),
            setting(prefix + "max-backoff", parse_duration_ms, "1 min"),
            setting(prefix + "backoff-multiplier", _number, 1.5),
            setting(prefix + "reset-backoff-threshold", parse_duration_ms, "1 h"),
            setting(prefix + "jitter-factor", _number, 0.1),
            setting(prefix + "attempts-before-reset-backoff", _attempts, 2**31 - 1),
        )
        if key is None:
            strategy = _Fallback(strategy)
    else:
        raise ValueError(
            f"Could not parse value {chosen!r} for key {key!r}: expected none,"
            " fixed-delay, failure-rate or exponential-delay"
        )
    env.get_config().set_restart_strategy(strategy)
