"""Flink's configuration names, and what they set in an environment."""

from __future__ import annotations

from pyflink.common.configuration import _text, parse_duration_ms

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pyflink.common.configuration import Configuration
    from pyflink.datastream.stream_execution_environment import StreamExecutionEnvironment


def configure(env: StreamExecutionEnvironment, configuration: Configuration) -> None:
    """Applies every setting the table below knows; keeps all of them readable."""
    if not hasattr(configuration, "add_all_to_dict"):
        raise TypeError(f"configure() needs a Configuration, got {configuration!r}")
    values: dict[str, Any] = {}
    configuration.add_all_to_dict(values)
    env._settings.update(values)
    for key, value in values.items():
        apply = _SETTINGS.get(key)
        if apply is not None:
            apply(env, key, value)
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


def _pairs(value: Any) -> dict[str, str]:
    """``k1:v1,k2:v2``."""
    pairs = (item.split(":", 1) for item in _text(value).split(",") if ":" in item)
    return {k.strip(): v.strip() for k, v in pairs}


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


def _set_state_backend(env: Any, key: str, value: Any) -> None:
    env.set_state_backend(_text(value))


def _set_job_name(env: Any, key: str, value: Any) -> None:
    env._job_name = _text(value)


def _set_restore_path(env: Any, key: str, value: Any) -> None:
    from pyflink.datastream.checkpoint_storage import local_path

    env._restore_path = local_path(_text(value))


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

    for name, path in parse_cached_files(_text(value)).items():
        env.register_cached_file(path, name)


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
    "pipeline.global-job-parameters": _execution(
        "set_global_job_parameters", lambda key, value: _pairs(value)
    ),
    "pipeline.time-characteristic": _set_time_characteristic,
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
    "execution.buffer-timeout": _environment("set_buffer_timeout", parse_duration_ms),
    "execution.buffer-timeout.interval": _environment("set_buffer_timeout", parse_duration_ms),
    "execution.savepoint.path": _set_restore_path,
    "execution.state-recovery.path": _set_restore_path,
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
    "execution.checkpointing.unaligned": _checkpoint("enable_unaligned_checkpoints", _boolean),
    "execution.checkpointing.unaligned.enabled": _checkpoint(
        "enable_unaligned_checkpoints", _boolean
    ),
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


def _restart_strategy(env: StreamExecutionEnvironment, values: dict[str, Any]) -> None:
    """Restart strategies are spread over several names."""
    kind = values.get("restart-strategy.type", values.get("restart-strategy"))
    if kind is None:
        return
    from pyflink.common.restart_strategy import RestartStrategies

    name = _text(kind).lower().replace("-", "").replace("_", "")
    if name in ("none", "off", "disable"):
        env.get_config().set_restart_strategy(RestartStrategies.no_restart())
    elif name == "fixeddelay":
        attempts = "restart-strategy.fixed-delay.attempts"
        delay = "restart-strategy.fixed-delay.delay"
        env.get_config().set_restart_strategy(
            RestartStrategies.fixed_delay_restart(
                _integer(attempts, values.get(attempts, 1)),
                parse_duration_ms(delay, values.get(delay, "1 s")),
            )
        )
    elif name == "failurerate":
        prefix = "restart-strategy.failure-rate."
        rate, interval, delay = (
            prefix + "max-failures-per-interval",
            prefix + "failure-rate-interval",
            prefix + "delay",
        )
        env.get_config().set_restart_strategy(
            RestartStrategies.failure_rate_restart(
                _integer(rate, values.get(rate, 1)),
                parse_duration_ms(interval, values.get(interval, "1 min")),
                parse_duration_ms(delay, values.get(delay, "1 s")),
            )
        )
