"""Settings of a program."""

from __future__ import annotations

from pyflink.common.execution_mode import ExecutionMode
from pyflink.common.input_dependency_constraint import InputDependencyConstraint
from pyflink.common.restart_strategy import RestartStrategies, RestartStrategyConfiguration

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["ExecutionConfig"]


def _kept_only(setter: str, why: str) -> None:
    from pyflink.datastream._logging import kept_only

    kept_only(f"ExecutionConfig.{setter}", why)


class ExecutionConfig:
    """Settings of a program: parallelism, time, object reuse. Compares and hashes by value."""

    PARALLELISM_DEFAULT = -1
    PARALLELISM_UNKNOWN = -2

    def __init__(self, j_execution_config: Any = None) -> None:
        self._parallelism = -1
        self._max_parallelism = -1
        self._auto_watermark_interval = 200
        self._latency_tracking_interval = 0
        self._task_cancellation_interval = 30_000
        self._task_cancellation_timeout = 180_000
        self._restart_strategy: RestartStrategyConfiguration = RestartStrategies.fall_back_restart()
        self._execution_mode = ExecutionMode.PIPELINED
        self._input_dependency_constraint = InputDependencyConstraint.ANY
        self._closure_cleaner = True
        self._force_kryo = False
        self._force_avro = False
        self._generic_types_disabled = False
        self._auto_generated_uids = True
        self._object_reuse = False
        self._auto_type_registration_disabled = False
        self._snapshot_compression = False
        self._global_job_parameters: dict[str, str] = {}
        self._kryo_default_serializers: dict[str, str] = {}
        self._kryo_serializers: dict[str, str] = {}
        self._kryo_types: list[str] = []
        self._pojo_types: list[str] = []

    def enable_closure_cleaner(self) -> ExecutionConfig:
        """Accepted: functions are copied, not shipped."""
        self._closure_cleaner = True
        return self

    def disable_closure_cleaner(self) -> ExecutionConfig:
        """Undoes :meth:`enable_closure_cleaner`."""
        self._closure_cleaner = False
        return self

    def is_closure_cleaner_enabled(self) -> bool:
        """See :meth:`enable_closure_cleaner`."""
        return self._closure_cleaner

    def enable_force_kryo(self) -> ExecutionConfig:
        """Accepted: there is no Kryo here."""
        self._force_kryo = True
        return self

    def disable_force_kryo(self) -> ExecutionConfig:
        """Undoes :meth:`enable_force_kryo`."""
        self._force_kryo = False
        return self

    def is_force_kryo_enabled(self) -> bool:
        """See :meth:`enable_force_kryo`."""
        return self._force_kryo

    def enable_force_avro(self) -> ExecutionConfig:
        """Accepted: types decide the storage here."""
        self._force_avro = True
        return self

    def disable_force_avro(self) -> ExecutionConfig:
        """Undoes :meth:`enable_force_avro`."""
        self._force_avro = False
        return self

    def is_force_avro_enabled(self) -> bool:
        """See :meth:`enable_force_avro`."""
        return self._force_avro

    def enable_auto_generated_uids(self) -> ExecutionConfig:
        """Whether operators without uid get one; without, state needs explicit uids."""
        self._auto_generated_uids = True
        return self

    def disable_auto_generated_uids(self) -> ExecutionConfig:
        """Undoes :meth:`enable_auto_generated_uids`."""
        self._auto_generated_uids = False
        return self

    def has_auto_generated_uids_enabled(self) -> bool:
        """See :meth:`enable_auto_generated_uids`."""
        return self._auto_generated_uids

    def enable_object_reuse(self) -> ExecutionConfig:
        """Passes records on without copying mutable ones."""
        self._object_reuse = True
        return self

    def disable_object_reuse(self) -> ExecutionConfig:
        """Undoes :meth:`enable_object_reuse`."""
        self._object_reuse = False
        return self

    def is_object_reuse_enabled(self) -> bool:
        """See :meth:`enable_object_reuse`."""
        return self._object_reuse

    def set_auto_watermark_interval(self, interval: int) -> ExecutionConfig:
        """Milliseconds between two watermarks of a periodic generator; 0 turns them off."""
        if interval < 0:
            raise ValueError(f"Auto watermark interval must not be negative, got {interval}")
        self._auto_watermark_interval = interval
        return self

    def get_auto_watermark_interval(self) -> int:
        """See :meth:`set_auto_watermark_interval`."""
        return self._auto_watermark_interval

    def set_parallelism(self, parallelism: int) -> ExecutionConfig:
        """Parallelism of operators that set none; -1 for the number of processors."""
        if (
            isinstance(parallelism, bool)
            or not isinstance(parallelism, int)
            or not (parallelism >= 1 or parallelism == -1)
        ):
            raise ValueError(
                f"Parallelism must be at least one, or -1 for the default, got {parallelism!r}"
            )
        self._parallelism = parallelism
        return self

    def get_parallelism(self) -> int:
        """See :meth:`set_parallelism`."""
        if self._parallelism == -1:
            from pyflink.datastream.stream_execution_environment import default_parallelism

            return default_parallelism()
        return self._parallelism

    def set_max_parallelism(self, max_parallelism: int) -> ExecutionConfig:
        """Number of key groups, to which keyed state can be rescaled."""
        if (
            isinstance(max_parallelism, bool)
            or not isinstance(max_parallelism, int)
            or not 0 < max_parallelism <= 32768
        ):
            raise ValueError(
                f"The maximum parallelism must be between 1 and 32768, got {max_parallelism!r}"
            )
        self._max_parallelism = max_parallelism
        return self

    def get_max_parallelism(self) -> int:
        """See :meth:`set_max_parallelism`; -1 when not set."""
        return self._max_parallelism

    def set_restart_strategy(
        self, restart_strategy_configuration: RestartStrategyConfiguration
    ) -> ExecutionConfig:
        """What happens when a job fails.

        :raises TypeError: for anything but a strategy of ``RestartStrategies``.
        """
        from pyflink.common.restart_strategy import RestartStrategyConfiguration

        if not isinstance(restart_strategy_configuration, RestartStrategyConfiguration):
            raise TypeError(
                "set_restart_strategy() needs a strategy such as"
                f" RestartStrategies.fixed_delay_restart(3, 1000), got"
                f" {restart_strategy_configuration!r}"
            )
        self._restart_strategy = restart_strategy_configuration
        return self

    def get_restart_strategy(self) -> RestartStrategyConfiguration:
        """See :meth:`set_restart_strategy`."""
        return self._restart_strategy

    def set_execution_mode(self, execution_mode: ExecutionMode) -> ExecutionConfig:
        """Accepted; exchanges are always pipelined."""
        self._execution_mode = execution_mode
        return self

    def get_execution_mode(self) -> ExecutionMode:
        """See :meth:`set_execution_mode`."""
        return self._execution_mode

    def set_default_input_dependency_constraint(
        self, input_dependency_constraint: InputDependencyConstraint
    ) -> ExecutionConfig:
        """Without effect, as upstream."""
        self._input_dependency_constraint = input_dependency_constraint
        return self

    def get_default_input_dependency_constraint(self) -> InputDependencyConstraint:
        """See :meth:`set_default_input_dependency_constraint`."""
        return self._input_dependency_constraint

    def enable_generic_types(self) -> ExecutionConfig:
        """Allows records of undeclared types (the default)."""
        self._generic_types_disabled = False
        return self

    def disable_generic_types(self) -> ExecutionConfig:
        """Undoes :meth:`enable_generic_types`."""
        self._generic_types_disabled = True
        return self

    def has_generic_types_disabled(self) -> bool:
        """See :meth:`disable_generic_types`."""
        return self._generic_types_disabled

    def set_global_job_parameters(
        self, global_job_parameters_dict: dict[str, Any]
    ) -> ExecutionConfig:
        """Parameters every function can read with ``runtime_context.get_job_parameter``.

        Values become text.

        :raises TypeError: when it is no dictionary.
        """
        if not hasattr(global_job_parameters_dict, "items"):
            raise TypeError(
                "set_global_job_parameters needs a dict such as {'threshold': 5}, got"
                f" {global_job_parameters_dict!r}"
            )
        self._global_job_parameters = {
            str(k): str(v) for k, v in global_job_parameters_dict.items()
        }
        return self

    def get_global_job_parameters(self) -> dict[str, str]:
        """See :meth:`set_global_job_parameters`."""
        return dict(self._global_job_parameters)

    def add_default_kryo_serializer(
        self, type_class_name: str, serializer_class_name: str
    ) -> ExecutionConfig:
        """Accepted: there is no Kryo here."""
        self._kryo_default_serializers[type_class_name] = serializer_class_name
        return self

    def register_type_with_kryo_serializer(
        self, type_class_name: str, serializer_class_name: str
    ) -> ExecutionConfig:
        """Accepted: there is no Kryo here."""
        self._kryo_serializers[type_class_name] = serializer_class_name
        return self

    def register_pojo_type(self, type_class_name: str) -> ExecutionConfig:
        """Accepted: there are no Java classes here."""
        if type_class_name not in self._pojo_types:
            self._pojo_types.append(type_class_name)
        return self

    def register_kryo_type(self, type_class_name: str) -> ExecutionConfig:
        """Accepted: there is no Kryo here."""
        if type_class_name not in self._kryo_types:
            self._kryo_types.append(type_class_name)
        return self

    def get_registered_types_with_kryo_serializer_classes(self) -> dict[str, str]:
        """What was registered."""
        return dict(self._kryo_serializers)

    def get_default_kryo_serializer_classes(self) -> dict[str, str]:
        """What was registered."""
        return dict(self._kryo_default_serializers)

    def get_registered_kryo_types(self) -> list[str]:
        """What was registered."""
        return list(self._kryo_types)

    def get_registered_pojo_types(self) -> list[str]:
        """What was registered."""
        return list(self._pojo_types)

    def disable_auto_type_registration(self) -> ExecutionConfig:
        """Accepted: types need no registration here."""
        self._auto_type_registration_disabled = True
        return self

    def is_auto_type_registration_disabled(self) -> bool:
        """See :meth:`disable_auto_type_registration`."""
        return self._auto_type_registration_disabled

    def set_use_snapshot_compression(self, use_snapshot_compression: bool) -> ExecutionConfig:
        """Kept; snapshots are not compressed. A warning says so."""
        if use_snapshot_compression:
            _kept_only("set_use_snapshot_compression", "snapshots are not compressed")
        self._snapshot_compression = use_snapshot_compression
        return self

    def is_use_snapshot_compression(self) -> bool:
        """See :meth:`set_use_snapshot_compression`."""
        return self._snapshot_compression

    def set_latency_tracking_interval(self, interval: int) -> ExecutionConfig:
        """Milliseconds between two latency markers. Kept; there are none, a warning says so."""
        if interval > 0:
            _kept_only("set_latency_tracking_interval", "there are no latency markers")
        self._latency_tracking_interval = interval
        return self

    def get_latency_tracking_interval(self) -> int:
        """See :meth:`set_latency_tracking_interval`."""
        return self._latency_tracking_interval

    def set_task_cancellation_interval(self, interval: int) -> ExecutionConfig:
        """Milliseconds between two attempts to interrupt a task that does not stop.

        Kept; here a Python function is interrupted every 100 ms. A warning says so.
        """
        _kept_only("set_task_cancellation_interval", "functions are interrupted every 100 ms")
        self._task_cancellation_interval = interval
        return self

    def get_task_cancellation_interval(self) -> int:
        """See :meth:`set_task_cancellation_interval`."""
        return self._task_cancellation_interval

    def set_task_cancellation_timeout(self, timeout: int) -> ExecutionConfig:
        """Milliseconds until a task that does not stop is given up.

        Kept; there is no other process that could go on without it. A warning says so.
        """
        _kept_only("set_task_cancellation_timeout", "a task that does not stop is waited for")
        self._task_cancellation_timeout = timeout
        return self

    def get_task_cancellation_timeout(self) -> int:
        """See :meth:`set_task_cancellation_timeout`."""
        return self._task_cancellation_timeout

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ExecutionConfig) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash(
            (
                self._parallelism,
                self._max_parallelism,
                self._auto_watermark_interval,
                self._object_reuse,
            )
        )
