"""Keyed state.

Descriptors name it, the engine keeps it. The state objects themselves are native.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum
from types import GenericAlias

from pyflink._generic import IN, OUT, Generic, K, T, V
from pyflink.common.time import Time, millis_of
from pyflink.common.typeinfo import (
    BasicTypeInfo,
    ListTypeInfo,
    MapTypeInfo,
    RowTypeInfo,
    TupleTypeInfo,
    TypeInformation,
    Types,
)

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from pyflink._native import StateDescriptor as NativeDescriptor
    from pyflink.common.time import Duration

__all__ = [
    "AggregatingState",
    "AggregatingStateDescriptor",
    "BroadcastState",
    "ListState",
    "ListStateDescriptor",
    "MapState",
    "MapStateDescriptor",
    "OperatorStateStore",
    "ReadOnlyBroadcastState",
    "ReducingState",
    "ReducingStateDescriptor",
    "StateTtlConfig",
    "ValueState",
    "ValueStateDescriptor",
]


class OperatorStateStore(ABC):
    """Hands out state that belongs to an operator, not to a key."""

    @abstractmethod
    def get_broadcast_state(self, state_descriptor: MapStateDescriptor) -> BroadcastState:
        """Broadcast state."""


class State(ABC):
    """Base of all state."""

    __class_getitem__: Any = classmethod(GenericAlias)

    @abstractmethod
    def clear(self) -> None:
        """Forgets the value of the current key."""


class ValueState(State, Generic[T]):
    """One value."""

    @abstractmethod
    def value(self) -> T:
        """The value, or None."""

    @abstractmethod
    def update(self, value: T) -> None:
        """Sets the value; None clears it."""


class AppendingState(State, Generic[IN, OUT]):
    """Something values are added to."""

    @abstractmethod
    def get(self) -> OUT:
        """What is there."""

    @abstractmethod
    def add(self, value: IN) -> None:
        """Adds a value."""


class MergingState(AppendingState[IN, OUT]):
    """State of two windows can become one."""


class ReducingState(MergingState[T, T]):
    """One value, combined by a reduce function."""


class AggregatingState(MergingState[IN, OUT]):
    """An accumulator of an aggregate function."""


class ListState(MergingState[T, "Iterable[T]"]):
    """A list."""

    @abstractmethod
    def update(self, values: list[T]) -> None:
        """Replaces the list."""

    @abstractmethod
    def add_all(self, values: list[T]) -> None:
        """Adds values at the end."""

    def __iter__(self) -> Iterator[T]:
        return iter(self.get())


class MapState(State, Generic[K, V]):
    """A map from keys of one's own to values."""

    @abstractmethod
    def get(self, key: K) -> V:
        """The value of `key`, or None."""

    @abstractmethod
    def put(self, key: K, value: V) -> None:
        """Sets one value."""

    @abstractmethod
    def put_all(self, dict_value: dict[K, V]) -> None:
        """Sets many values."""

    @abstractmethod
    def remove(self, key: K) -> None:
        """Forgets one value."""

    @abstractmethod
    def contains(self, key: K) -> bool:
        """Whether `key` has a value."""

    @abstractmethod
    def items(self) -> Iterable[tuple[K, V]]:
        """All pairs."""

    @abstractmethod
    def keys(self) -> Iterable[K]:
        """All keys."""

    @abstractmethod
    def values(self) -> Iterable[V]:
        """All values."""

    @abstractmethod
    def is_empty(self) -> bool:
        """Whether there is nothing in it."""

    def __getitem__(self, key: K) -> V:
        return self.get(key)

    def __setitem__(self, key: K, value: V) -> None:
        self.put(key, value)

    def __delitem__(self, key: K) -> None:
        self.remove(key)

    def __contains__(self, key: K) -> bool:
        return self.contains(key)

    def __iter__(self) -> Iterator[K]:
        return iter(self.keys())


class ReadOnlyBroadcastState(State, Generic[K, V]):
    """Broadcast state as the side that is not broadcast sees it."""

    @abstractmethod
    def get(self, key: K) -> V:
        """The value of `key`, or None."""

    @abstractmethod
    def contains(self, key: K) -> bool:
        """Whether `key` has a value."""

    @abstractmethod
    def items(self) -> Iterable[tuple[K, V]]:
        """All pairs."""

    @abstractmethod
    def keys(self) -> Iterable[K]:
        """All keys."""

    @abstractmethod
    def values(self) -> Iterable[V]:
        """All values."""

    @abstractmethod
    def is_empty(self) -> bool:
        """Whether there is nothing in it."""

    def __getitem__(self, key: K) -> V:
        """As `get()`."""
        return self.get(key)

    def __contains__(self, key: K) -> bool:
        """As `contains()`."""
        return self.contains(key)

    def __iter__(self) -> Iterator[K]:
        """Over the keys."""
        return iter(self.keys())


class BroadcastState(ReadOnlyBroadcastState[K, V]):
    """State that is the same in every subtask."""

    @abstractmethod
    def put(self, key: K, value: V) -> None:
        """Sets one value."""

    @abstractmethod
    def put_all(self, dict_value: dict[K, V]) -> None:
        """Sets many values."""

    @abstractmethod
    def remove(self, key: K) -> None:
        """Forgets one value."""

    def __setitem__(self, key: K, value: V) -> None:
        """As `put()`."""
        self.put(key, value)

    def __delitem__(self, key: K) -> None:
        """As `remove()`."""
        self.remove(key)


def _kept_only(setting: str, why: str) -> None:
    from pyflink.datastream._logging import kept_only

    kept_only(setting, why)


def _without_rounding(type_info: TypeInformation) -> TypeInformation:
    """The type with DOUBLE for FLOAT: upstream gives a value back as it was put, for as long as its
    cache has it, so that a sum kept in FLOAT state is not rounded with each record."""
    if isinstance(type_info, BasicTypeInfo):
        return Types.DOUBLE() if type_info == Types.FLOAT() else type_info
    if isinstance(type_info, RowTypeInfo):
        fields = [_without_rounding(field) for field in type_info.get_field_types()]
        return RowTypeInfo(fields, type_info._field_names)
    if isinstance(type_info, TupleTypeInfo):
        return TupleTypeInfo([_without_rounding(field) for field in type_info.get_field_types()])
    if isinstance(type_info, ListTypeInfo):
        return ListTypeInfo(_without_rounding(type_info.elem_type))
    if isinstance(type_info, MapTypeInfo):
        return MapTypeInfo(type_info._key_type_info, _without_rounding(type_info._value_type_info))
    return type_info


def _state_type(type_info: Any, where: str) -> TypeInformation:
    if type_info is None:
        return Types.PICKLED_BYTE_ARRAY()
    if isinstance(type_info, (list, tuple)) and all(
        isinstance(t, TypeInformation) for t in type_info
    ):
        return RowTypeInfo(list(type_info))
    if isinstance(type_info, TypeInformation):
        return type_info
    from pyflink._spellings import state_type

    declared: TypeInformation | None = state_type(type_info)
    if declared is not None:
        return declared
    raise TypeError(
        f"{where}: the type must be a TypeInformation such as Types.INT(), got {type_info!r}"
    )


class StateDescriptor(ABC):
    """Names a state and says what is in it; the same name in one operator is the same state."""

    _KIND = ""

    def __init__(self, name: str, type_info: TypeInformation) -> None:
        if not isinstance(name, str) or not name:
            raise TypeError(
                f"{type(self).__name__}: the name must be a non-empty string, got {name!r}"
            )
        self.name = name
        self._value_type = _state_type(type_info, f"{type(self).__name__} {name!r}")
        self.type_info = self._value_type
        self._ttl_config: StateTtlConfig | None = None
        self._cached_native: NativeDescriptor | None = None

    def get_name(self) -> str:
        """The name."""
        return self.name

    def enable_time_to_live(self, ttl_config: StateTtlConfig) -> None:
        """Lets values expire.

        :raises TypeError: when `ttl_config` is no StateTtlConfig (build it with ``.build()``).
        """
        if not isinstance(ttl_config, StateTtlConfig):
            raise TypeError(
                "enable_time_to_live needs a StateTtlConfig (did you call build()?), got"
                f" {ttl_config!r}"
            )
        self._ttl_config = ttl_config
        self._cached_native = None

    def _ttl(self) -> tuple[int, str, str, int] | None:
        ttl = self._ttl_config
        if ttl is None or not ttl.is_enabled():
            return None
        cleanup = ttl.get_cleanup_strategies()
        in_compaction = cleanup.get_rocksdb_compact_filter_cleanup_strategy()
        return (
            ttl.get_ttl().to_milliseconds(),
            ttl.get_update_type().name,
            ttl.get_state_visibility().name,
            0 if in_compaction is None else in_compaction.get_query_time_after_num_entries(),
        )

    def _native(self) -> NativeDescriptor:
        """The engine's descriptor, made once."""
        if self._cached_native is None:
            self._cached_native = self._make_native()
        return self._cached_native

    def _make_native(self) -> NativeDescriptor:
        from pyflink import _native

        stored = _without_rounding(self._value_type)._logical()
        return _native.StateDescriptor(
            self._KIND, self.name, stored, ttl=self._ttl(), **self._extra()
        )

    def _extra(self) -> dict[str, Any]:
        return {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_cached_native": None}

    def __deepcopy__(self, memo: dict[int, Any]) -> StateDescriptor:
        return self  # says what state is, holds none

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self.type_info})"


class ValueStateDescriptor(StateDescriptor):
    """Describes a :class:`ValueState`."""

    _KIND = "value"

    def __init__(self, name: str, value_type_info: TypeInformation) -> None:
        super().__init__(name, value_type_info)


class ListStateDescriptor(StateDescriptor):
    """Describes a :class:`ListState`."""

    _KIND = "list"

    def __init__(self, name: str, elem_type_info: TypeInformation) -> None:
        super().__init__(name, elem_type_info)
        self.type_info = Types.LIST(self._value_type)


class MapStateDescriptor(StateDescriptor):
    """Describes a :class:`MapState`, or broadcast state."""

    _KIND = "map"

    def __init__(
        self, name: str, key_type_info: TypeInformation, value_type_info: TypeInformation
    ) -> None:
        super().__init__(name, value_type_info)
        self._key_type = _state_type(key_type_info, f"MapStateDescriptor {name!r}")
        self.type_info = Types.MAP(self._key_type, self._value_type)

    def _extra(self) -> dict[str, Any]:
        return {"key_type": self._key_type._logical()}


class ReducingStateDescriptor(StateDescriptor):
    """Describes a :class:`ReducingState`.

    :param reduce_function: a ReduceFunction or a callable of two values.
    """

    _KIND = "reducing"

    def __init__(self, name: str, reduce_function: Any, type_info: TypeInformation) -> None:
        super().__init__(name, type_info)
        if not callable(reduce_function) and not callable(getattr(reduce_function, "reduce", None)):
            raise TypeError(
                "The input must be a ReduceFunction or a callable function, got"
                f" {reduce_function!r}"
            )
        self._reduce_function = reduce_function

    def get_reduce_function(self) -> Any:
        """The function."""
        return self._reduce_function

    def _extra(self) -> dict[str, Any]:
        return {"function": self._reduce_function}


class AggregatingStateDescriptor(StateDescriptor):
    """Describes an :class:`AggregatingState`.

    :param agg_function: an AggregateFunction.
    :param state_type_info: type of its accumulator.
    """

    _KIND = "aggregating"

    def __init__(self, name: str, agg_function: Any, state_type_info: TypeInformation) -> None:
        super().__init__(name, state_type_info)
        if not callable(getattr(agg_function, "create_accumulator", None)):
            raise TypeError(f"The input must be an AggregateFunction, got {agg_function!r}")
        self._agg_function = agg_function

    def get_agg_function(self) -> Any:
        """The function."""
        return self._agg_function

    def _extra(self) -> dict[str, Any]:
        return {"function": self._agg_function}


class StateTtlConfig:
    """How long values of a state live: ``StateTtlConfig.new_builder(Time.days(1)).build()``."""

    class UpdateType(Enum):
        """What renews a value's time."""

        Disabled = 0
        OnCreateAndWrite = 1
        OnReadAndWrite = 2

    class StateVisibility(Enum):
        """Whether an expired value that is still there can be read."""

        ReturnExpiredIfNotCleanedUp = 0
        NeverReturnExpired = 1

    class TtlTimeCharacteristic(Enum):
        """Which clock values expire by."""

        ProcessingTime = 0

    def __init__(
        self,
        update_type: UpdateType,
        state_visibility: StateVisibility,
        ttl_time_characteristic: TtlTimeCharacteristic,
        ttl: Time,
        cleanup_strategies: StateTtlConfig.CleanupStrategies,
    ) -> None:
        self._update_type = update_type
        self._state_visibility = state_visibility
        self._ttl_time_characteristic = ttl_time_characteristic
        self._ttl = ttl if isinstance(ttl, Time) else Time(millis_of(ttl, "ttl"))
        self._cleanup_strategies = cleanup_strategies
        if (
            self._ttl.to_milliseconds() <= 0
            and update_type is not StateTtlConfig.UpdateType.Disabled
        ):
            raise ValueError(f"TTL is expected to be positive, got {ttl}")

    @staticmethod
    def new_builder(ttl: Time) -> StateTtlConfig.Builder:
        """Starts a configuration for values that live for `ttl`.

        :raises TypeError: when `ttl` is not a length of time.
        """
        return StateTtlConfig.Builder(ttl)

    def get_update_type(self) -> StateTtlConfig.UpdateType:
        """What renews a value's time."""
        return self._update_type

    def get_state_visibility(self) -> StateTtlConfig.StateVisibility:
        """Whether an expired value can be read."""
        return self._state_visibility

    def get_ttl(self) -> Time:
        """How long values live."""
        return self._ttl

    def get_ttl_time_characteristic(self) -> StateTtlConfig.TtlTimeCharacteristic:
        """Which clock values expire by."""
        return self._ttl_time_characteristic

    def is_enabled(self) -> bool:
        """Whether values expire at all."""
        return self._update_type.value != StateTtlConfig.UpdateType.Disabled.value

    def get_cleanup_strategies(self) -> StateTtlConfig.CleanupStrategies:
        """How expired values are removed."""
        return self._cleanup_strategies

    def __repr__(self) -> str:
        return (
            f"StateTtlConfig<update_type={self._update_type},"
            f" state_visibility={self._state_visibility},ttl_time_characteristic"
            f" ={self._ttl_time_characteristic},ttl={self._ttl}>"
        )

    class Builder:
        """Builds a :class:`StateTtlConfig`."""

        def __init__(self, ttl: Time) -> None:
            if not hasattr(ttl, "to_milliseconds"):
                raise TypeError(
                    "StateTtlConfig.new_builder() needs a time such as Time.seconds(10), got"
                    f" {ttl!r}"
                )
            self._ttl = ttl
            self._update_type = StateTtlConfig.UpdateType.OnCreateAndWrite
            self._state_visibility = StateTtlConfig.StateVisibility.NeverReturnExpired
            self._ttl_time_characteristic = StateTtlConfig.TtlTimeCharacteristic.ProcessingTime
            self._is_cleanup_in_background = True
            self._strategies: dict[Any, Any] = {}

        def set_update_type(self, update_type: StateTtlConfig.UpdateType) -> StateTtlConfig.Builder:
            """What renews a value's time."""
            self._update_type = update_type
            return self

        def update_ttl_on_create_and_write(self) -> StateTtlConfig.Builder:
            """Writing renews it (the default)."""
            return self.set_update_type(StateTtlConfig.UpdateType.OnCreateAndWrite)

        def update_ttl_on_read_and_write(self) -> StateTtlConfig.Builder:
            """Reading renews it too."""
            return self.set_update_type(StateTtlConfig.UpdateType.OnReadAndWrite)

        def set_state_visibility(
            self, state_visibility: StateTtlConfig.StateVisibility
        ) -> StateTtlConfig.Builder:
            """Whether an expired value that is still there can be read."""
            self._state_visibility = state_visibility
            return self

        def return_expired_if_not_cleaned_up(self) -> StateTtlConfig.Builder:
            """It can."""
            return self.set_state_visibility(
                StateTtlConfig.StateVisibility.ReturnExpiredIfNotCleanedUp
            )

        def never_return_expired(self) -> StateTtlConfig.Builder:
            """It cannot (the default)."""
            return self.set_state_visibility(StateTtlConfig.StateVisibility.NeverReturnExpired)

        def set_ttl_time_characteristic(
            self, ttl_time_characteristic: StateTtlConfig.TtlTimeCharacteristic
        ) -> StateTtlConfig.Builder:
            """Which clock values expire by."""
            self._ttl_time_characteristic = ttl_time_characteristic
            return self

        def use_processing_time(self) -> StateTtlConfig.Builder:
            """The wall clock (the default)."""
            return self.set_ttl_time_characteristic(
                StateTtlConfig.TtlTimeCharacteristic.ProcessingTime
            )

        def cleanup_full_snapshot(self) -> StateTtlConfig.Builder:
            """Expired values stay out of full snapshots."""
            strategies = StateTtlConfig.CleanupStrategies
            self._strategies[strategies.Strategies.FULL_STATE_SCAN_SNAPSHOT] = (
                strategies.EmptyCleanupStrategy()
            )
            return self

        def cleanup_incrementally(
            self, cleanup_size: int, run_cleanup_for_every_record: bool
        ) -> StateTtlConfig.Builder:
            """A few values are looked at on every access.

            :param cleanup_size: kept, without effect: state in memory looks at five.
            :param run_cleanup_for_every_record: kept, without effect: only accesses to the state
                look at values.
            """
            if cleanup_size != 5:
                _kept_only(
                    "StateTtlConfig: cleanup_size",
                    "state in memory looks at five values an access",
                )
            if run_cleanup_for_every_record:
                _kept_only(
                    "StateTtlConfig: run_cleanup_for_every_record",
                    "values are looked at when the state is accessed",
                )
            strategies = StateTtlConfig.CleanupStrategies
            self._strategies[strategies.Strategies.INCREMENTAL_CLEANUP] = (
                strategies.IncrementalCleanupStrategy(cleanup_size, run_cleanup_for_every_record)
            )
            return self

        def cleanup_in_rocksdb_compact_filter(
            self,
            query_time_after_num_entries: int,
            periodic_compaction_time: Duration | None = None,
        ) -> StateTtlConfig.Builder:
            """RocksDB removes them when it compacts.

            :param query_time_after_num_entries: after so many entries the clock is read again.
            :param periodic_compaction_time: kept, without effect: files are compacted when new ones
                make it worth while, not by their age.
            """
            if periodic_compaction_time is not None:
                _kept_only(
                    "StateTtlConfig: periodic_compaction_time",
                    "files are not compacted by their age",
                )
            strategies = StateTtlConfig.CleanupStrategies
            self._strategies[strategies.Strategies.ROCKSDB_COMPACTION_FILTER] = (
                strategies.RocksdbCompactFilterCleanupStrategy(
                    query_time_after_num_entries, periodic_compaction_time
                )
            )
            return self

        def disable_cleanup_in_background(self) -> StateTtlConfig.Builder:
            """RocksDB's compactions remove nothing then.

            State in memory goes on looking at values on every access, which the log says.
            """
            _kept_only(
                "StateTtlConfig: disable_cleanup_in_background, for state in memory,",
                "state in memory looks at values on every access",
            )
            self._is_cleanup_in_background = False
            return self

        def set_ttl(self, ttl: Time) -> StateTtlConfig.Builder:
            """How long values live."""
            self._ttl = ttl
            return self

        def build(self) -> StateTtlConfig:
            """The configuration.

            :raises ValueError: when the time to live is not positive.
            """
            return StateTtlConfig(
                self._update_type,
                self._state_visibility,
                self._ttl_time_characteristic,
                self._ttl,
                StateTtlConfig.CleanupStrategies(self._strategies, self._is_cleanup_in_background),
            )

    class CleanupStrategies:
        """How expired values are removed."""

        class Strategies(Enum):
            """Names of the ways."""

            FULL_STATE_SCAN_SNAPSHOT = 0
            INCREMENTAL_CLEANUP = 1
            ROCKSDB_COMPACTION_FILTER = 2

        class CleanupStrategy(ABC):
            """Base of the ways."""

        class EmptyCleanupStrategy(CleanupStrategy):
            """A way without settings."""

        class IncrementalCleanupStrategy(CleanupStrategy):
            """A few values on every access."""

            def __init__(self, cleanup_size: int, run_cleanup_for_every_record: bool) -> None:
                self._cleanup_size = cleanup_size
                self._run_cleanup_for_every_record = run_cleanup_for_every_record

            def get_cleanup_size(self) -> int:
                """How many."""
                return self._cleanup_size

            def run_cleanup_for_every_record(self) -> bool:
                """Whether for every record, too."""
                return self._run_cleanup_for_every_record

        class RocksdbCompactFilterCleanupStrategy(CleanupStrategy):
            """RocksDB removes them when it compacts."""

            def __init__(
                self,
                query_time_after_num_entries: int,
                periodic_compaction_time: Duration | None = None,
            ) -> None:
                from pyflink.common.time import Duration

                self._query_time_after_num_entries = query_time_after_num_entries
                self._periodic_compaction_time = periodic_compaction_time or Duration.of_days(30)

            def get_query_time_after_num_entries(self) -> int:
                """After how many entries the clock is read again."""
                return self._query_time_after_num_entries

            def get_periodic_compaction_time(self) -> Duration:
                """Files older than this are compacted."""
                return self._periodic_compaction_time

        def __init__(self, strategies: dict[Any, Any], is_cleanup_in_background: bool) -> None:
            self._strategies = strategies
            self._is_cleanup_in_background = is_cleanup_in_background

        def is_cleanup_in_background(self) -> bool:
            """Whether values that nobody touches go too."""
            return self._is_cleanup_in_background

        def in_full_snapshot(self) -> bool:
            """Whether full snapshots leave expired values out."""
            return self.Strategies.FULL_STATE_SCAN_SNAPSHOT in self._strategies

        def get_incremental_cleanup_strategy(self) -> Any:
            """Settings of the incremental way, or None."""
            default = (
                self.IncrementalCleanupStrategy(5, False)
                if self._is_cleanup_in_background
                else None
            )
            return self._strategies.get(self.Strategies.INCREMENTAL_CLEANUP, default)

        def get_rocksdb_compact_filter_cleanup_strategy(self) -> Any:
            """Settings of RocksDB's way, or None."""
            default = (
                self.RocksdbCompactFilterCleanupStrategy(1000)
                if self._is_cleanup_in_background
                else None
            )
            return self._strategies.get(self.Strategies.ROCKSDB_COMPACTION_FILTER, default)


def _spell_in_upper_case() -> None:
    from pyflink._spellings import add_upper_case

    for enum in (
        StateTtlConfig.UpdateType,
        StateTtlConfig.StateVisibility,
        StateTtlConfig.TtlTimeCharacteristic,
    ):
        add_upper_case(enum)


_spell_in_upper_case()

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        from pyflink._spellings import module_name

        return module_name(__name__, name)
