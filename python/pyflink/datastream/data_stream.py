"""Streams and what can be done with them.

Every method adds to the program; nothing runs before ``execute()``.
"""

from __future__ import annotations

from enum import Enum

from pyflink.common.typeinfo import (
    PickledBytesTypeInfo,
    RowTypeInfo,
    TupleTypeInfo,
    TypeInformation,
    Types,
)
from pyflink.datastream._graph import (
    Edge,
    Transformation,
    check_job_name,
    declared_type,
    emitter_of_side_output,
    note_place,
)
from pyflink.datastream.functions import (
    AggregateFunction,
    AllWindowFunction,
    BroadcastProcessFunction,
    CoFlatMapFunction,
    CoMapFunction,
    CoProcessFunction,
    FilterFunction,
    FlatMapFunction,
    KeyedBroadcastProcessFunction,
    KeyedCoProcessFunction,
    KeyedProcessFunction,
    KeySelector,
    MapFunction,
    Partitioner,
    ProcessAllWindowFunction,
    ProcessFunction,
    ProcessWindowFunction,
    ReduceFunction,
    SinkFunction,
    WindowFunction,
)
from pyflink.datastream.output_tag import OutputTag

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from typing_extensions import Self

    from pyflink import _native
    from pyflink.common.execution_config import ExecutionConfig
    from pyflink.common.watermark_strategy import WatermarkStrategy
    from pyflink.datastream.connectors.base import Sink
    from pyflink.datastream.slot_sharing_group import SlotSharingGroup
    from pyflink.datastream.state import MapStateDescriptor
    from pyflink.datastream.stream_execution_environment import StreamExecutionEnvironment
    from pyflink.datastream.window import Trigger, WindowAssigner

__all__ = [
    "AllWindowedStream",
    "BroadcastConnectedStream",
    "BroadcastStream",
    "CachedDataStream",
    "CloseableIterator",
    "ConnectedStreams",
    "DataStream",
    "DataStreamSink",
    "KeyedStream",
    "WindowedStream",
]


def _spelled(how: str, function: Any, *arguments: Any) -> Any:
    """A function in another spelling in the form the engine knows (see ``_spellings``)."""
    from pyflink import _spellings  # not needed by the smallest programs

    return getattr(_spellings, how)(function, *arguments)


def _text_for(method: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{method}() needs a text, got {value!r}")
    return value


def _uid(method: str, value: Any) -> str:
    if not _text_for(method, value):
        raise ValueError(f"{method}() needs an id that is not empty, such as {method}('counts')")
    return value  # type: ignore[no-any-return]


def _slots(value: Any) -> Any:
    from pyflink.datastream.slot_sharing_group import SlotSharingGroup

    if not isinstance(value, (str, SlotSharingGroup)):
        raise TypeError(
            f"slot_sharing_group() needs the name of a group or a SlotSharingGroup, got {value!r}"
        )
    return value


_ASYNC = 0x80 | 0x200  # of code: a coroutine or an asynchronous generator


def _check_function(func: Any, interface: type, method: str) -> None:
    if isinstance(func, type) and hasattr(
        func, method
    ):  # other classes, such as str, can be called
        raise TypeError(
            f"got the class {func.__name__} where an instance is needed; write {func.__name__}()"
        )
    if (
        not isinstance(func, interface)
        and not callable(func)
        and not callable(getattr(func, method, None))
    ):
        raise TypeError(
            f"The input must be a {interface.__name__} or a callable function, got {func!r}"
        )
    code = getattr(getattr(func, method, func), "__code__", None)
    if code is not None and code.co_flags & _ASYNC:
        raise TypeError(
            f"{method}() got {func!r}, which is async; nobody would await it: write a plain"
            " function"
        )


def _check_process_function(func: Any, interface: type, method: str, on: str) -> None:
    if isinstance(func, type) and hasattr(func, method):
        raise TypeError(
            f"got the class {func.__name__} where an instance is needed; write {func.__name__}()"
        )
    if not isinstance(func, interface) and not callable(getattr(func, method, None)):
        raise TypeError(f"{interface.__name__} is required for {on}, got {func!r}")


_KEYED_ONLY = {
    "window": "window_all(...)",
    "count_window": "window_all(...)",
    "reduce": "window_all(...).reduce(...)",
    **dict.fromkeys(("sum", "min", "max", "min_by", "max_by"), "window_all(...).reduce(...)"),
}


class DataStream:
    """A stream of records of one type."""

    def __init__(
        self, env: StreamExecutionEnvironment, edges: list[Edge], type_info: TypeInformation
    ) -> None:
        self._env = env
        self._edges = edges
        self._type_info = type_info

    if not TYPE_CHECKING:  # only says more than Python would

        def __getattr__(self, name: str) -> Any:
            hint = ""
            if name in _KEYED_ONLY:
                hint = (
                    f": {name}() works on the records of a key; call key_by(...) first, or use"
                    f" {_KEYED_ONLY[name]} for the whole stream"
                )
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}{hint}",
                name=name,
                obj=self,
            )

    # -- the operator behind the stream ------------------------------------------------------------

    @property
    def _transformation(self) -> Transformation:
        return self._edges[0].source

    def _own(self, what: str) -> Transformation:
        """The operator, for settings that only make sense on one."""
        edge = self._edges[0]
        if len(self._edges) != 1:
            raise TypeError(
                f"{what} cannot be called on a union; call it on the streams before union(...)"
            )
        if edge.partitioner is not None or edge.tag is not None:
            kind = "partitioned stream" if edge.partitioner else "side output"
            raise TypeError(
                f"{what} cannot be called on a {kind}; call it on the operator before or after it"
            )
        return edge.source

    def get_name(self) -> str:
        """Name of the operator."""
        return self._transformation.name

    def name(self, name: str) -> DataStream:
        """Names the operator, for logs, metrics and the plan."""
        self._own("name()").name = _text_for("name", name)
        return self

    def uid(self, uid: str) -> DataStream:
        """An id of the operator that stays when the program changes; its state is found under it.

        :raises TypeError: when it is no text.
        :raises ValueError: when it is empty, and at ``execute()``, when two operators have the
            same.
        """
        self._own("uid()").uid = _uid("uid", uid)
        return self

    def set_uid_hash(self, uid_hash: str) -> DataStream:
        """As :meth:`uid`, with an id from an old job's log."""
        self._own("set_uid_hash()").uid = _uid("set_uid_hash", uid_hash)
        return self

    def set_parallelism(self, parallelism: int) -> DataStream:
        """Number of subtasks of the operator.

        :raises ValueError: below 1, or above 1 for an operator that cannot be parallel.
        """
        self._own("set_parallelism()").set_parallelism(parallelism)
        return self

    def set_max_parallelism(self, max_parallelism: int) -> DataStream:
        """Number of key groups of the operator."""
        if (
            isinstance(max_parallelism, bool)
            or not isinstance(max_parallelism, int)
            or not 0 < max_parallelism <= 32768
        ):
            raise ValueError(
                f"The maximum parallelism must be between 1 and 32768, got {max_parallelism!r}"
            )
        self._own("set_max_parallelism()").max_parallelism = max_parallelism
        return self

    def get_type(self) -> TypeInformation:
        """Type of the records."""
        return (
            self._type_info._named()
            if isinstance(self._type_info, RowTypeInfo)
            else self._type_info
        )

    def get_execution_environment(self) -> StreamExecutionEnvironment:
        """The environment the stream belongs to."""
        return self._env

    def get_execution_config(self) -> ExecutionConfig:
        """The environment's configuration."""
        return self._env.get_config()

    def force_non_parallel(self) -> DataStream:
        """Parallelism and maximum parallelism 1, for good."""
        transformation = self._own("force_non_parallel()")
        transformation.set_parallelism(1)
        transformation.max_parallelism = 1
        transformation.single = True
        return self

    def set_buffer_timeout(self, timeout_millis: int) -> DataStream:
        """Accepted: batches are sent on as soon as the source has nothing more."""
        self._own("set_buffer_timeout()")
        return self

    def start_new_chain(self) -> DataStream:
        """Does not fuse the operator with the one before it."""
        self._own("start_new_chain()").chaining = "head"
        return self

    def disable_chaining(self) -> DataStream:
        """Does not fuse the operator with any other."""
        self._own("disable_chaining()").chaining = "never"
        return self

    def slot_sharing_group(self, slot_sharing_group: str | SlotSharingGroup) -> DataStream:
        """Accepted: on one machine there are no slots."""
        self._own("slot_sharing_group()").slot_sharing_group = _slots(slot_sharing_group)
        return self

    def set_description(self, description: str) -> DataStream:
        """Text for the execution plan."""
        self._own("set_description()").description = _text_for("set_description", description)
        return self

    # -- operators ---------------------------------------------------------------------------------

    def _keyed(self) -> bool:
        return False

    def _add(
        self,
        kind: str,
        name: str,
        type_info: TypeInformation,
        params: dict[str, Any],
        *,
        single: bool = False,
        inherits_parallelism: bool = False,
    ) -> Transformation:
        return self._env._register(
            Transformation(
                self._env,
                kind,
                name,
                self._edges,
                type_info,
                params,
                keyed=self._keyed(),
                single=single,
                inherits_parallelism=inherits_parallelism,
            )
        )

    def _apply(
        self, kind: str, name: str, type_info: TypeInformation, params: dict[str, Any]
    ) -> DataStream:
        return DataStream(self._env, [Edge(self._add(kind, name, type_info, params))], type_info)

    def map(
        self, func: Callable[[Any], Any] | MapFunction, output_type: TypeInformation | None = None
    ) -> DataStream:
        """One record in, one out.

        :param func: a MapFunction or a callable of one record.
        :param output_type: type of the results; any Python object when left out.
        :raises TypeError: when `func` is neither.
        """
        _check_function(func, MapFunction, "map")
        return self._apply(
            "map", "Map", declared_type(output_type, "output_type of map"), {"function": func}
        )

    def flat_map(
        self,
        func: Callable[[Any], Any] | FlatMapFunction,
        output_type: TypeInformation | None = None,
    ) -> DataStream:
        """One record in, any number out.

        :param func: a FlatMapFunction or a callable that returns an iterable.
        :param output_type: type of the results; any Python object when left out.
        :raises TypeError: when `func` is neither.
        """
        _check_function(func, FlatMapFunction, "flat_map")
        func = _spelled("flat_map_function", func)
        return self._apply(
            "flat_map",
            "FlatMap",
            declared_type(output_type, "output_type of flat_map"),
            {"function": func},
        )

    def filter(self, func: Callable[[Any], bool] | FilterFunction) -> DataStream:
        """Keeps the records for which `func` is true.

        :param func: a FilterFunction or a callable of one record; a condition of
            ``pyflink.datastream.expressions`` needs no Python for records of declared types.
        :raises TypeError: when `func` is neither.
        """
        _check_function(func, FilterFunction, "filter")
        params = {"function": func}
        lowered = getattr(func, "_lowered", None)
        if lowered is not None:
            params["condition"] = lowered(self._type_info)
        return self._apply("filter", "Filter", self._type_info, params)

    def process(
        self, func: ProcessFunction, output_type: TypeInformation | None = None
    ) -> DataStream:
        """Any number of records out of one, with time and side outputs.

        :param func: a ProcessFunction.
        :param output_type: type of the main output; any Python object when left out.
        :raises TypeError: when `func` is none.
        """
        _check_process_function(func, ProcessFunction, "process_element", "DataStream.process")
        func = _spelled("process_function", func)
        return self._apply(
            "process",
            "PROCESS",
            declared_type(output_type, "output_type of process"),
            {"function": func},
        )

    def key_by(
        self,
        key_selector: Callable[[Any], Any] | KeySelector,
        key_type: TypeInformation | None = None,
    ) -> KeyedStream:
        """Groups records by a key; records of one key meet in one subtask and share state.

        :param key_selector: a KeySelector or a callable that returns the key. Keys may be None,
            numbers, strings, bytes, dates, enums, frozen dataclasses, tuples and rows of these.
        :param key_type: type of the keys; any of those when left out.
        :raises TypeError: when `key_selector` is neither.
        """
        if (isinstance(key_selector, type) and hasattr(key_selector, "get_key")) or not (
            isinstance(key_selector, KeySelector)
            or callable(key_selector)
            or callable(getattr(key_selector, "get_key", None))
        ):
            field = repr(key_selector) if isinstance(key_selector, (str, int)) else "0"
            raise TypeError(
                "Parameter key_selector should be type of KeySelector or a callable function such"
                f" as `lambda record: record[{field}]`, got {key_selector!r}"
            )
        declared = declared_type(key_type, "key_type of key_by")
        from pyflink.datastream._key_field import key_field

        node = self._add(
            "key_by",
            "_stream_key_by_map_operator",
            self._type_info,
            {
                "function": key_selector,
                "key_type": (
                    None if isinstance(declared, PickledBytesTypeInfo) else declared._logical()
                ),
                "field": key_field(key_selector, self._type_info),
            },
            inherits_parallelism=True,
        )
        return KeyedStream(self, node, key_selector, declared)

    def window_all(self, window_assigner: WindowAssigner) -> AllWindowedStream:
        """Windows over the whole stream, in one subtask.

        :raises TypeError: when `window_assigner` is no WindowAssigner.
        """
        return AllWindowedStream(self, window_assigner)

    def count_window_all(self, size: int, slide: int | None = None) -> AllWindowedStream:
        """Windows of `size` records of the whole stream, in one subtask.

        Upstream has it in Java only. As there, with `slide` the last `size` records, fewer at the
        begin, are a window after every `slide` records.

        :raises ValueError: when they are not positive.
        """
        from pyflink.datastream.window import CountTrigger, CountTumblingWindowAssigner

        tumbling = CountTumblingWindowAssigner(size)  # which checks the size
        if slide is None:
            return self.window_all(tumbling)
        if isinstance(slide, bool) or not isinstance(slide, int) or slide < 1:
            raise ValueError(f"count_window_all: the slide must be at least 1, got {slide!r}")
        from pyflink.datastream.evictors import CountEvictor
        from pyflink.datastream.window import GlobalWindows

        windows = self.window_all(GlobalWindows.create()).trigger(CountTrigger.of(slide))
        return windows.evictor(CountEvictor.of(size))

    def union(self, *streams: DataStream) -> DataStream:
        """This stream and others of the same type as one.

        :raises TypeError: for something that is no stream.
        :raises ValueError: for streams of different types or environments.
        """
        edges = list(self._edges)
        for stream in streams:
            if not isinstance(stream, DataStream):
                hint = "; write union(*streams)" if isinstance(stream, (list, tuple)) else ""
                raise TypeError(f"union() needs DataStreams, got {stream!r}{hint}")
            self._check_same_environment(stream, "union")
            if stream._type_info != self._type_info:
                raise ValueError(
                    f"Cannot union streams of different types: {self._type_info} and"
                    f" {stream._type_info}; map one of them first"
                )
            edges += (stream._values() if isinstance(stream, KeyedStream) else stream)._edges
        return DataStream(self._env, edges, self._type_info)

    def connect(self, ds: DataStream | BroadcastStream) -> Any:
        """This stream and another one side by side, for functions that see both.

        :returns: ConnectedStreams, or a BroadcastConnectedStream for a broadcast stream.
        :raises TypeError: for something that is no stream.
        """
        if isinstance(ds, BroadcastStream):
            return BroadcastConnectedStream(self, ds, ds.broadcast_state_descriptors)
        if not isinstance(ds, DataStream):
            raise TypeError(f"connect() needs a DataStream or BroadcastStream, got {ds!r}")
        return ConnectedStreams(self, ds)

    def _check_same_environment(self, other: DataStream, what: str) -> None:
        if other._env is not self._env:
            raise ValueError(
                f"{what}() needs streams of one environment; these two belong to different ones"
            )

    def _partitioned(
        self, partitioner: str, custom: Any = None, key_selector: Any = None
    ) -> DataStream:
        edges = [edge.partitioned(partitioner, custom, key_selector) for edge in self._edges]
        return DataStream(self._env, edges, self._type_info)

    def shuffle(self) -> DataStream:
        """Sends each record to a random subtask."""
        return self._partitioned("shuffle")

    def rebalance(self) -> DataStream:
        """Sends records to all subtasks in turn."""
        return self._partitioned("rebalance")

    def rescale(self) -> DataStream:
        """Sends records in turn to those subtasks that a subtask is responsible for."""
        return self._partitioned("rescale")

    def forward(self) -> DataStream:
        """Sends records to the subtask of the same number.

        :raises ValueError: at ``execute()``, when the parallelism differs.
        """
        return self._partitioned("forward")

    def global_(self) -> DataStream:
        """Sends all records to the first subtask."""
        return self._partitioned("global")

    def broadcast(
        self,
        broadcast_state_descriptor: MapStateDescriptor | None = None,
        *other_broadcast_state_descriptors: MapStateDescriptor,
    ) -> Any:
        """Sends each record to all subtasks.

        :param broadcast_state_descriptor: with one or more, the stream can be connected with
            another one and kept in broadcast state.
        :returns: a DataStream, or a BroadcastStream when state is named.
        :raises TypeError: for a descriptor that is no MapStateDescriptor.
        """
        stream = self._partitioned("broadcast")
        if broadcast_state_descriptor is None:
            return stream
        from pyflink.datastream.state import MapStateDescriptor

        descriptors = [broadcast_state_descriptor, *other_broadcast_state_descriptors]
        for descriptor in descriptors:
            if not isinstance(descriptor, MapStateDescriptor):
                raise TypeError(
                    f"broadcast_state_descriptor must be MapStateDescriptor, got {descriptor!r}"
                )
        return BroadcastStream(stream, descriptors)

    def partition_custom(
        self,
        partitioner: Callable[[Any, int], int] | Partitioner,
        key_selector: Callable[[Any], Any] | KeySelector,
    ) -> DataStream:
        """Sends each record to the subtask `partitioner` chooses.

        :param partitioner: a Partitioner or a callable of key and number of partitions, which is
            the parallelism of the operator after it.
        :param key_selector: a KeySelector or a callable that returns the key.
        :raises TypeError: when one of them is neither.
        """
        if not callable(partitioner) and not callable(getattr(partitioner, "partition", None)):
            raise TypeError(
                "Parameter partitioner should be type of Partitioner or a callable function, got"
                f" {partitioner!r}"
            )
        if not callable(key_selector) and not callable(getattr(key_selector, "get_key", None)):
            raise TypeError(
                "Parameter key_selector should be type of KeySelector or a callable function, got"
                f" {key_selector!r}"
            )
        return self._partitioned("custom", partitioner, key_selector)

    def project(self, *field_indexes: int) -> DataStream:
        """Some fields of a stream of tuples, in the order given.

        Beyond upstream, rows can be projected too, and their fields be given by name.

        :raises TypeError: when the records are no tuples or rows of declared type, or a field is
            neither an index nor (of rows) a name.
        :raises IndexError: for an index that is not there.
        :raises ValueError: for a name that is not there, and for a field of rows given twice.
        """
        type_info = self._type_info
        if not isinstance(type_info, (TupleTypeInfo, RowTypeInfo)):
            raise TypeError(
                "Only Tuple DataStreams can be projected; declare the type with Types.TUPLE([...])"
                " or Types.ROW([...])"
            )
        types = type_info.get_field_types()
        names = type_info.get_field_names() if isinstance(type_info, RowTypeInfo) else []
        indexes = []
        for field in field_indexes:
            if isinstance(field, str) and names:
                if field not in names:
                    raise ValueError(
                        f"project(): there is no field {field!r}; the row has {', '.join(names)}"
                    )
                field = names.index(field)
            if not isinstance(field, int) or isinstance(field, bool):
                raise TypeError(
                    f"project(): a field is given by its index{' or its name' if names else ''}, "
                    f"not {field!r}"
                )
            if not 0 <= field < len(types):
                raise IndexError(f"project(): there is no field {field} in {type_info}")
            if names and field in indexes:
                raise ValueError(f"project(): the field {names[field]!r} is given twice")
            indexes.append(field)
        projected = [types[index] for index in indexes]
        return self._apply(
            "project",
            "Projection",
            RowTypeInfo(projected, [names[index] for index in indexes])
            if names
            else TupleTypeInfo(projected),
            {"fields": indexes},
        )

    def assign_timestamps_and_watermarks(self, watermark_strategy: WatermarkStrategy) -> DataStream:
        """Gives records event timestamps and makes watermarks.

        :raises TypeError: when `watermark_strategy` is none.
        """
        watermarks = _watermarks(watermark_strategy, "assign_timestamps_and_watermarks")
        node = self._add(
            "timestamps",
            "Timestamps/Watermarks",
            self._type_info,
            {"watermarks": watermarks},
            # as upstream: only an assigner in Python is an operator with a parallelism of its own
            inherits_parallelism=watermarks[1] is None,
        )
        return DataStream(self._env, [Edge(node)], self._type_info)

    def get_side_output(self, output_tag: OutputTag) -> DataStream:
        """What the function behind this stream yields as ``output_tag, value``.

        :raises TypeError: when nothing above this stream can emit it.
        """
        if not isinstance(output_tag, OutputTag):
            raise TypeError(f"get_side_output() needs an OutputTag, got {output_tag!r}")
        emitter = emitter_of_side_output(self._edges, output_tag)
        emitter.add_tag(output_tag)
        return DataStream(self._env, [Edge(emitter, tag=output_tag.tag_id)], output_tag.type_info)

    def cache(self) -> CachedDataStream:
        """A stream that may be used by several jobs.

        For now each computes it again, with the same result.
        """
        return CachedDataStream(self._env, self._edges, self._type_info)

    # -- ends --------------------------------------------------------------------------------------

    def add_sink(self, sink_func: SinkFunction) -> DataStreamSink:
        """Ends the stream in a sink function.

        :param sink_func: a subclass of SinkFunction, or any sink of a connector.
        :raises TypeError: when it is no sink.
        """
        return _attach_sink(self, sink_func, "add_sink")

    def sink_to(self, sink: Sink) -> DataStreamSink:
        """Ends the stream in a connector's sink.

        :raises TypeError: when it is no sink.
        """
        return _attach_sink(self, sink, "sink_to")

    def print(self, sink_identifier: str | None = None) -> DataStreamSink:
        """Writes each record to standard output, with the subtask's number when there are several.

        :param sink_identifier: text before each record.
        """
        node = self._add(
            "print",
            "Print to Std. Out",
            self._type_info,
            {"identifier": sink_identifier or "", "to_stderr": False},
        )
        return DataStreamSink([node])

    def print_to_err(self, sink_identifier: str | None = None) -> DataStreamSink:
        """As :meth:`print`, to standard error."""
        node = self._add(
            "print",
            "Print to Std. Err",
            self._type_info,
            {"identifier": sink_identifier or "", "to_stderr": True},
        )
        return DataStreamSink([node])

    def execute_and_collect(
        self, job_execution_name: str | None = None, limit: int | None = None
    ) -> Any:
        """Executes the program and returns this stream's records.

        :param job_execution_name: name of the job.
        :param limit: stop after so many records.
        :returns: a CloseableIterator (a context manager), or a list when `limit` is given.
        """
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int)):
            raise TypeError(f"limit must be a number of records, got {limit!r}")
        if limit is not None and limit <= 0:
            raise ValueError(f"limit must be greater than 0, got {limit}")
        check_job_name(job_execution_name, "execute_and_collect")
        from pyflink._native import CollectQueue

        queue = CollectQueue()
        node = self._add(
            "collect", "Data stream collect sink", self._type_info, {"queue": queue}, single=True
        )
        try:
            job, places = self._env._start(job_execution_name or "DataStream Collect")
        except BaseException:
            self._env._unregister(node)
            raise
        iterator = CloseableIterator(job, queue, places)
        if limit is None:
            return iterator
        with iterator:
            # the numbers first: past the last one nobody may ask an endless source for a record
            return [record for _, record in zip(range(limit), iterator, strict=False)]


class DataStreamSink:
    """The end of a stream."""

    def __init__(self, transformations: list[Transformation]) -> None:
        self._transformations = transformations

    @property
    def _transformation(self) -> Transformation:
        return self._transformations[-1]

    def name(self, name: str) -> DataStreamSink:
        """Names the sink."""
        self._transformation.name = _text_for("name", name)
        return self

    def uid(self, uid: str) -> DataStreamSink:
        """An id of the sink that stays when the program changes."""
        self._transformation.uid = _uid("uid", uid)
        return self

    def set_uid_hash(self, uid_hash: str) -> DataStreamSink:
        """As :meth:`uid`, with an id from an old job's log."""
        self._transformation.uid = _uid("set_uid_hash", uid_hash)
        return self

    def set_parallelism(self, parallelism: int) -> DataStreamSink:
        """Number of subtasks."""
        for transformation in self._transformations:
            transformation.set_parallelism(parallelism)
        return self

    def set_description(self, description: str) -> DataStreamSink:
        """Text for the execution plan."""
        self._transformation.description = _text_for("set_description", description)
        return self

    def disable_chaining(self) -> DataStreamSink:
        """Does not fuse the sink with the operator before it."""
        self._transformations[0].chaining = "never"
        return self

    def slot_sharing_group(self, slot_sharing_group: str | SlotSharingGroup) -> DataStreamSink:
        """Accepted: on one machine there are no slots."""
        self._transformation.slot_sharing_group = _slots(slot_sharing_group)
        return self


class CloseableIterator:
    """Records of a running job. Leaving it as a context manager, or :meth:`close`, ends the job."""

    def __init__(
        self, job: _native.Job, queue: _native.CollectQueue, places: dict[str, list[str]]
    ) -> None:
        self._job = job
        self._queue = queue
        self._places = places
        self._closed = False

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self._closed:
            raise StopIteration
        try:
            return self._job.next_collected(self._queue)
        except StopIteration:
            raise
        except Exception as error:
            note_place(error, self._places)
            raise

    def next(self) -> Any:
        """The next record.

        :raises StopIteration: when there is none.
        """
        return self.__next__()

    def close(self) -> None:
        """Ends the job, if it still runs, and waits for its threads."""
        if self._closed:
            return
        self._closed = True
        if self._job.status() in ("CREATED", "RUNNING", "RESTARTING"):
            self._job.cancel()
            try:
                self._job.wait()
            except Exception:
                if (
                    self._job.status() != "FAILED"
                ):  # a job that fails while it is cancelled is no news
                    raise

    def __enter__(self) -> CloseableIterator:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _attach_sink(stream: DataStream, sink: Any, what: str) -> DataStreamSink:
    attach = getattr(sink, "_attach", None)
    if attach is not None:
        return DataStreamSink(attach(stream))
    if isinstance(sink, type):
        raise TypeError(
            f"{what}() got the class {sink.__name__}; give it an instance: {sink.__name__}()"
        )
    if not callable(getattr(sink, "invoke", None)):
        hint = "; call .build() on it" if hasattr(sink, "build") else ""
        raise TypeError(
            f"{what}() needs a sink: a connector's sink, or a SinkFunction with invoke(value,"
            f" context); got {sink!r}{hint}"
        )
    return DataStreamSink(
        [stream._add("python_sink", "Unnamed", stream._type_info, {"function": sink})]
    )


def _watermarks(
    strategy: Any, what: str, type_info: TypeInformation | None = None
) -> tuple[Any, ...]:
    """The engine's form of a strategy; of a typed native source's when `type_info` is given."""
    from pyflink.common.watermark_strategy import WatermarkStrategy

    if not isinstance(strategy, WatermarkStrategy):
        raise TypeError(
            f"{what}() needs a WatermarkStrategy, for instance"
            f" WatermarkStrategy.for_monotonous_timestamps(), got {strategy!r}"
        )
    generator, assigner, *rest = strategy._native_spec()
    if type_info is not None and assigner is not None:
        from pyflink.datastream._key_field import timestamp_field

        field = timestamp_field(assigner, type_info)
        assigner = assigner if field < 0 else field
    return (generator, assigner, *rest)


class _PairWithKey(MapFunction):
    """Makes upstream's form of a keyed record, Row(f0=key, f1=value)."""

    def __init__(self, key_selector: Any) -> None:
        self._key_selector = key_selector
        self._get_key = getattr(key_selector, "get_key", key_selector)

    def open(self, runtime_context: Any) -> None:
        from pyflink.common.types import Row

        self._row = Row("f0", "f1")
        self._get_key = getattr(self._key_selector, "get_key", self._key_selector)
        if isinstance(self._key_selector, KeySelector):
            self._key_selector.open(runtime_context)

    def close(self) -> None:
        if isinstance(self._key_selector, KeySelector):
            self._key_selector.close()

    def map(self, value: Any) -> Any:
        return self._row(self._get_key(value), value)


def _not_on(what: str, instead: str = "") -> Callable[..., Any]:
    """A method that only raises, as upstream's do."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(f"{what} for {type(self).__name__} is not supported{instead}.")

    method.__doc__ = "Not supported.\n\n:raises TypeError: always."
    return method


def _fixed_partitioning(self: Any, *args: Any, **kwargs: Any) -> Any:
    """Not supported: the key decides.

    :raises TypeError: always.
    """
    raise TypeError(
        "Cannot override partitioning for KeyedStream: the key decides where a record goes. Call it"
        " before key_by()."
    )


class KeyedStream(DataStream):
    """A stream whose records are grouped by key."""

    class AccumulateType(Enum):
        """The aggregations of a field; upstream's methods use it."""

        MIN = 1
        MAX = 2
        MIN_BY = 3
        MAX_BY = 4
        SUM = 5

    def __init__(
        self,
        origin_stream: DataStream,
        key_by: Transformation,
        key_selector: Any,
        key_type: TypeInformation,
    ) -> None:
        super().__init__(origin_stream._env, [Edge(key_by, "hash")], origin_stream._type_info)
        self._origin_stream = origin_stream
        self._key_selector = key_selector
        self._key_type = key_type

    def _keyed(self) -> bool:
        return True

    def _values(self) -> DataStream:
        """The records without the grouping, where the key sent them."""
        return DataStream(self._env, self._edges, self._type_info)

    def process(  # type: ignore[override]  # upstream's signatures
        self, func: KeyedProcessFunction, output_type: TypeInformation | None = None
    ) -> DataStream:
        """Any number of records out of one, with keyed state, timers and side outputs.

        :param func: a KeyedProcessFunction.
        :param output_type: type of the main output; any Python object when left out.
        :raises TypeError: when `func` is none.
        """
        if isinstance(func, ProcessFunction):
            raise TypeError(
                "KeyedProcessFunction is required for KeyedStream, got the ProcessFunction"
                f" {func!r}"
            )
        _check_process_function(func, KeyedProcessFunction, "process_element", "KeyedStream")
        func = _spelled("process_function", func)
        return self._apply(
            "process",
            "KEYED PROCESS",
            declared_type(output_type, "output_type of process"),
            {"function": func},
        )

    def reduce(self, func: Callable[[Any, Any], Any] | ReduceFunction) -> DataStream:
        """Combines the records of each key.

        Emits every intermediate result, or the final ones in BATCH mode.

        :param func: a ReduceFunction or a callable of the combined value and the new record.
        :raises TypeError: when `func` is neither.
        """
        _check_function(func, ReduceFunction, "reduce")
        return self._apply("reduce", "Reduce", self._type_info, {"function": func})

    def _aggregation(self, how: str, field: int | str) -> DataStream:
        if isinstance(field, bool) or not isinstance(field, (int, str)):
            raise TypeError(
                "The field position must be of int or str type to locate the value to calculate"
                f" for {how}. The given type is: {type(field)}"
            )
        if isinstance(field, str) and isinstance(self._type_info, RowTypeInfo):
            names = self._type_info.get_field_names()
            if field not in names:
                raise ValueError(
                    f"{how}(): there is no field {field!r}; the row has {', '.join(names)}"
                )
        if isinstance(field, int) and isinstance(self._type_info, (RowTypeInfo, TupleTypeInfo)):
            count = len(self._type_info.get_field_types())
            if not 0 <= field < count:
                raise IndexError(f"{how}(): there is no field {field}; the record has {count}")
        return self._apply("aggregation", "Reduce", self._type_info, {"how": how, "field": field})

    def sum(self, position_to_sum: int | str = 0) -> DataStream:
        """The running sum of a field; the other fields are the first record's.

        :param position_to_sum: index or name; 0 for plain numbers.
        """
        return self._aggregation("sum", position_to_sum)

    def min(self, position_to_min: int | str = 0) -> DataStream:
        """The running minimum of a field; the other fields are the first record's."""
        return self._aggregation("min", position_to_min)

    def max(self, position_to_max: int | str = 0) -> DataStream:
        """The running maximum of a field; the other fields are the first record's."""
        return self._aggregation("max", position_to_max)

    def min_by(self, position_to_min_by: int | str = 0) -> DataStream:
        """The record with the smallest field so far; the earlier one on a tie."""
        return self._aggregation("min_by", position_to_min_by)

    def max_by(self, position_to_max_by: int | str = 0) -> DataStream:
        """The record with the largest field so far; the earlier one on a tie."""
        return self._aggregation("max_by", position_to_max_by)

    def key_by(
        self,
        key_selector: Callable[[Any], Any] | KeySelector,
        key_type: TypeInformation | None = None,
    ) -> KeyedStream:
        """Groups by another key."""
        return self._origin_stream.key_by(key_selector, key_type)

    def window(self, window_assigner: WindowAssigner) -> WindowedStream:
        """Windows for each key.

        :raises TypeError: when `window_assigner` is no WindowAssigner.
        """
        return WindowedStream(self, window_assigner)

    def window_all(self, window_assigner: WindowAssigner) -> AllWindowedStream:
        """Windows over the whole stream, whatever the key."""
        return self._values().window_all(window_assigner)

    def count_window(self, size: int, slide: int = 0) -> WindowedStream:
        """Windows of `size` records of a key; with `slide`, one starts every so many records.

        :raises ValueError: when they are not positive.
        """
        from pyflink.datastream.window import (
            CountSlidingWindowAssigner,
            CountTumblingWindowAssigner,
        )

        if slide == 0:
            return WindowedStream(self, CountTumblingWindowAssigner(size))
        return WindowedStream(self, CountSlidingWindowAssigner(size, slide))

    def union(self, *streams: DataStream) -> DataStream:
        """The values of this stream and others as one."""
        return self._values().union(*streams)

    def project(self, *field_indexes: int) -> DataStream:
        """Some fields of a stream of tuples."""
        return self._values().project(*field_indexes)

    def assign_timestamps_and_watermarks(self, watermark_strategy: WatermarkStrategy) -> DataStream:
        """Gives the values event timestamps and makes watermarks; the result is not keyed."""
        return self._values().assign_timestamps_and_watermarks(watermark_strategy)

    def add_sink(self, sink_func: SinkFunction) -> DataStreamSink:
        """Ends the stream of values in a sink function."""
        return self._values().add_sink(sink_func)

    def sink_to(self, sink: Sink) -> DataStreamSink:
        """Ends the stream of values in a connector's sink."""
        return self._values().sink_to(sink)

    def print(self, sink_identifier: str | None = None) -> DataStreamSink:
        """Prints the values; as upstream, without the identifier."""
        return self._values().print()

    def print_to_err(self, sink_identifier: str | None = None) -> DataStreamSink:
        """As :meth:`print`, to standard error."""
        return self._values().print_to_err()

    def execute_and_collect(
        self, job_execution_name: str | None = None, limit: int | None = None
    ) -> Any:
        """Executes the program; records come as ``Row(f0=key, f1=value)``, as upstream."""
        pairs = self._values().map(_PairWithKey(self._key_selector))
        return pairs.execute_and_collect(job_execution_name, limit)

    def get_side_output(self, output_tag: OutputTag) -> DataStream:
        """A side output of the operator before ``key_by``."""
        return self._origin_stream.get_side_output(output_tag)

    shuffle = rebalance = rescale = forward = global_ = broadcast = partition_custom = (
        _fixed_partitioning
    )
    set_parallelism = _not_on("Set parallelism", "; set it on the operator after key_by()")
    name = _not_on("Set name")
    get_name = _not_on("Get name")
    uid = _not_on("Set uid")
    set_uid_hash = _not_on("Set uid hash")
    set_max_parallelism = _not_on("Set max parallelism")
    force_non_parallel = _not_on("Set force non-parallel")
    set_buffer_timeout = _not_on("Set buffer timeout")
    start_new_chain = _not_on("Start new chain")
    disable_chaining = _not_on("Disable chaining")
    slot_sharing_group = _not_on("Setting slot sharing group")
    set_description = _not_on("Set description")
    cache = _not_on("Cache")


class CachedDataStream(DataStream):
    """A stream several jobs may use; for now each computes it again."""

    def invalidate(self) -> None:
        """Forgets what was kept: nothing."""


def _type_names(*functions: Any) -> str:
    return ", ".join(type(f).__name__ for f in functions if f is not None)


class _Windows:
    """What windows with and without keys share."""

    _ALL = False

    def __init__(self, stream: DataStream, window_assigner: WindowAssigner) -> None:
        from pyflink.datastream.window import WindowAssigner

        if not isinstance(window_assigner, WindowAssigner):
            hint = (
                f"; write {window_assigner.__name__}.of(...)"
                if isinstance(window_assigner, type)
                else ""
            )
            raise TypeError(
                "window() needs a WindowAssigner such as"
                f" TumblingEventTimeWindows.of(Time.seconds(5)), got {window_assigner!r}{hint}"
            )
        self._stream = stream
        self._assigner = window_assigner
        self._trigger: Trigger | None = None
        self._evictor: Any = None
        self._lateness_ms = 0
        self._late_tag: OutputTag | None = None

    if not TYPE_CHECKING:  # only says more than Python would

        def __getattr__(self, name: str) -> Any:
            hint = ""
            if not name.startswith("_") and hasattr(KeyedStream, name):
                hint = ": windows become a stream by reduce(), aggregate(), apply() or process()"
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}{hint}",
                name=name,
                obj=self,
            )

    def get_execution_environment(self) -> StreamExecutionEnvironment:
        """The environment the stream belongs to."""
        return self._stream._env

    def get_input_type(self) -> TypeInformation:
        """Type of the records that are windowed."""
        return self._stream._type_info

    def trigger(self, trigger: Trigger) -> Self:
        """Decides when windows are evaluated, instead of the assigner's own trigger.

        :raises TypeError: when it is no Trigger, or cannot work on session windows.
        """
        from pyflink.datastream.window import MergingWindowAssigner, Trigger

        if not isinstance(trigger, Trigger):
            raise TypeError(f"trigger() needs a Trigger, got {trigger!r}")
        if isinstance(self._assigner, MergingWindowAssigner) and not trigger.can_merge():
            raise TypeError(
                "A merging window assigner cannot be used with a trigger that does not support"
                " merging."
            )
        self._trigger = trigger
        return self

    def evictor(self, evictor: Any) -> Self:
        """Removes records from a window before or after it is evaluated.

        :param evictor: an object with ``evict_before`` and ``evict_after`` (elements, size,
            window, context).
        :raises TypeError: for something else.
        """
        if isinstance(evictor, type) or not (
            callable(getattr(evictor, "evict_before", None))
            and callable(getattr(evictor, "evict_after", None))
        ):
            raise TypeError(
                "evictor() needs an object with evict_before and evict_after, such as"
                f" CountEvictor.of(10), got {evictor!r}"
            )
        self._evictor = evictor
        return self

    def allowed_lateness(self, time_ms: int) -> Self:
        """Keeps windows for late records so long after their end, in event time.

        :param time_ms: milliseconds, or a Time.
        :raises ValueError: when it is negative.
        """
        from pyflink.common.time import millis_of

        lateness = millis_of(time_ms, "allowed_lateness")
        if lateness < 0:
            raise ValueError(f"The allowed lateness cannot be negative, got {time_ms}")
        self._lateness_ms = lateness
        return self

    def side_output_late_data(self, output_tag: OutputTag) -> Self:
        """Sends records that come too late to a side output instead of dropping them."""
        if not isinstance(output_tag, OutputTag):
            raise TypeError(f"side_output_late_data() needs an OutputTag, got {output_tag!r}")
        self._late_tag = output_tag
        return self

    def _window_function(self, function: Any, method: str | None = None) -> str:
        """Kind of a window function: process or apply."""
        if self._ALL:
            process_class: type = ProcessAllWindowFunction
            apply_class: type = AllWindowFunction
            wrong: tuple[type, ...] = (ProcessWindowFunction, WindowFunction)
        else:
            process_class, apply_class = ProcessWindowFunction, WindowFunction
            wrong = (ProcessAllWindowFunction, AllWindowFunction)
        allowed = {
            None: f"a {apply_class.__name__} or {process_class.__name__}",
            "process": f"a {process_class.__name__}",
            "apply": f"a {apply_class.__name__}",
        }[method]
        message = f"window_function should be {allowed}, got {function!r}"
        if isinstance(function, type):
            message += f"; write {function.__name__}()"
        elif isinstance(function, wrong):
            message += (
                "; it is for windows of a keyed stream"
                if self._ALL
                else "; it is for window_all() on a stream without keys"
            )
        elif callable(function):
            message += "; write a class with that method, or use reduce() or aggregate()"
        if isinstance(function, (type, *wrong)):
            raise TypeError(message)
        for kind, interface in (("process", process_class), ("apply", apply_class)):
            if method in (None, kind) and (
                isinstance(function, interface) or callable(getattr(function, kind, None))
            ):
                return kind
        raise TypeError(message)

    def _build(
        self,
        functions: str,
        output_type: TypeInformation,
        function: Any = None,
        function_kind: str = "none",
        **params: Any,
    ) -> DataStream:
        trigger = self._trigger
        if trigger is None:
            trigger = self._assigner.get_default_trigger(self._stream._env)
        if function_kind != "none":
            function = _spelled("window_function", function, function_kind, self._ALL)
        element_type = self._stream._type_info._logical()
        node = self._stream._add(
            "window",
            type(self._assigner).__name__,
            output_type,
            {
                "assigner": self._assigner._native_spec(),
                "trigger": trigger._native_spec(),
                "evictor": self._evictor_spec(),
                "function": function,
                "function_kind": function_kind,
                "all": self._ALL,
                "lateness_ms": self._lateness_ms,
                "late_tag": -1,
                "element_type": element_type,
                **params,
            },
            single=self._ALL,
        )
        kind = "AllWindow" if self._ALL else "Window"
        node.description = f"{kind}({self._assigner}, {type(trigger).__name__}, {functions})"
        if self._late_tag is not None:
            node.add_tag(self._late_tag)
            node.params["late_tag"] = node.tags[self._late_tag.tag_id][0]
        return DataStream(self._stream._env, [Edge(node)], output_type)

    def _evictor_spec(self) -> tuple[Any, ...] | None:
        if self._evictor is None:
            return None
        spec = getattr(self._evictor, "_native_spec", None)
        return spec() if spec else ("python", self._evictor)

    def reduce(
        self,
        reduce_function: Callable[[Any, Any], Any] | ReduceFunction,
        window_function: Any = None,
        output_type: TypeInformation | None = None,
    ) -> DataStream:
        """Combines the records of a window as they come.

        :param reduce_function: a ReduceFunction or a callable of two records.
        :param window_function: gets the combined record and the window.
        :param output_type: type of the results; the records' own without window function.
        :raises TypeError: for wrong functions.
        """
        _check_function(reduce_function, ReduceFunction, "reduce")
        kind = "none" if window_function is None else self._window_function(window_function)
        if window_function is None and output_type is None:
            result = self._stream._type_info
        else:
            result = declared_type(output_type, "output_type of reduce")
        return self._build(
            _type_names(reduce_function, window_function),
            result,
            window_function,
            kind,
            reduce=reduce_function,
        )

    def aggregate(
        self,
        aggregate_function: AggregateFunction,
        window_function: Any = None,
        accumulator_type: TypeInformation | None = None,
        output_type: TypeInformation | None = None,
    ) -> DataStream:
        """Collects the records of a window in an accumulator as they come.

        :param aggregate_function: an AggregateFunction;
            :class:`~pyflink.datastream.aggregates.FieldAggregates` runs without Python over typed
            records.
        :param window_function: gets the result and the window.
        :param accumulator_type: type of the accumulator; any Python object when left out.
        :param output_type: type of the results; any Python object (FieldAggregates: its own type)
            when left out.
        :raises TypeError: for wrong functions.
        """
        if not isinstance(aggregate_function, AggregateFunction) and not callable(
            getattr(aggregate_function, "create_accumulator", None)
        ):
            raise TypeError(f"aggregate() needs an AggregateFunction, got {aggregate_function!r}")
        if isinstance(aggregate_function, type):
            raise TypeError(
                f"got the class {aggregate_function.__name__} where an instance is needed; write"
                f" {aggregate_function.__name__}()"
            )
        kind = "none" if window_function is None else self._window_function(window_function)
        result = declared_type(output_type, "output_type of aggregate")
        params: dict[str, Any] = {}
        lower = getattr(aggregate_function, "_lowered", None)  # FieldAggregates
        lowered = lower(self._stream._type_info) if lower is not None else None
        if lowered is not None:
            fields, fields_type = lowered
            if window_function is None and output_type is None:
                result = fields_type
            if window_function is not None or result == fields_type:
                params = {"fields": fields, "fields_type": fields_type._logical()}
        return self._build(
            _type_names(aggregate_function, window_function),
            result,
            window_function,
            kind,
            aggregate=aggregate_function,
            accumulator_type=declared_type(
                accumulator_type, "accumulator_type of aggregate"
            )._logical(),
            **params,
        )

    def apply(self, window_function: Any, output_type: TypeInformation | None = None) -> DataStream:
        """Evaluates each window with all its records.

        :param window_function: a WindowFunction (AllWindowFunction without keys).
        :param output_type: type of the results; any Python object when left out.
        :raises TypeError: for a wrong function.
        """
        if self._ALL and isinstance(window_function, WindowFunction):
            window_function = _spelled("all_window_function", window_function)
        kind = self._window_function(window_function, "apply")
        return self._build(
            _type_names(window_function),
            declared_type(output_type, "output_type of apply"),
            window_function,
            kind,
        )

    def process(
        self, process_window_function: Any, output_type: TypeInformation | None = None
    ) -> DataStream:
        """Evaluates each window with all its records, time and state.

        :param process_window_function: a ProcessWindowFunction (ProcessAllWindowFunction without
            keys).
        :param output_type: type of the results; any Python object when left out.
        :raises TypeError: for a wrong function.
        """
        method = "process"
        if self._ALL and isinstance(process_window_function, WindowFunction):
            process_window_function = _spelled("all_window_function", process_window_function)
            method = "apply"
        kind = self._window_function(process_window_function, method)
        return self._build(
            _type_names(process_window_function),
            declared_type(output_type, "output_type of process"),
            process_window_function,
            kind,
        )


class WindowedStream(_Windows):
    """Windows of each key."""

    def __init__(self, keyed_stream: KeyedStream, window_assigner: WindowAssigner) -> None:
        if not isinstance(keyed_stream, KeyedStream):
            raise TypeError(
                "window() needs a keyed stream: call key_by() first, or use window_all()"
            )
        super().__init__(keyed_stream, window_assigner)


class AllWindowedStream(_Windows):
    """Windows of a whole stream."""

    _ALL = True

    def __init__(self, data_stream: DataStream, window_assigner: WindowAssigner) -> None:
        from pyflink.datastream.functions import NullByteKeySelector

        super().__init__(data_stream, window_assigner)
        # one key for all, as upstream, but without asking a function for it
        node = data_stream._add(
            "key_by",
            "_stream_key_by_map_operator",
            data_stream._type_info,
            {"constant": True},
            inherits_parallelism=True,
        )
        self._stream = KeyedStream(data_stream, node, NullByteKeySelector(), Types.BYTE())


class ConnectedStreams:
    """Two streams side by side."""

    def __init__(self, stream1: DataStream, stream2: DataStream) -> None:
        for stream in (stream1, stream2):
            if not isinstance(stream, DataStream):
                raise TypeError(f"connect() needs a DataStream, got {stream!r}")
        stream1._check_same_environment(stream2, "connect")
        self.stream1 = stream1
        self.stream2 = stream2

    def key_by(
        self, key_selector1: Any, key_selector2: Any, key_type: TypeInformation | None = None
    ) -> ConnectedStreams:
        """Groups both by keys of one type; records of one key share state.

        :raises TypeError: for a wrong key selector.
        """
        return ConnectedStreams(
            _unkeyed(self.stream1).key_by(key_selector1, key_type),
            _unkeyed(self.stream2).key_by(key_selector2, key_type),
        )

    def _is_keyed_stream(self) -> bool:
        return isinstance(self.stream1, KeyedStream) and isinstance(self.stream2, KeyedStream)

    def _apply(self, kind: str, name: str, function: Any, output_type: Any) -> DataStream:
        type_info = declared_type(output_type, f"output_type of {name}")
        env = self.stream1._env
        node = env._register(
            Transformation(
                env,
                kind,
                name,
                [e.into(0) for e in self.stream1._edges] + [e.into(1) for e in self.stream2._edges],
                type_info,
                {"function": function},
                keyed=self._is_keyed_stream(),
            )
        )
        return DataStream(env, [Edge(node)], type_info)

    def map(self, func: CoMapFunction, output_type: TypeInformation | None = None) -> DataStream:
        """One record out for each record of either stream.

        :raises TypeError: when `func` is no CoMapFunction.
        """
        if not isinstance(func, CoMapFunction) and not callable(getattr(func, "map1", None)):
            raise TypeError(f"The input function must be a CoMapFunction, got {func!r}")
        return self._apply("co_map", "Co-Map", func, output_type)

    def flat_map(
        self, func: CoFlatMapFunction, output_type: TypeInformation | None = None
    ) -> DataStream:
        """Any number of records out for each record of either stream.

        :raises TypeError: when `func` is no CoFlatMapFunction.
        """
        if not isinstance(func, CoFlatMapFunction) and not callable(
            getattr(func, "flat_map1", None)
        ):
            raise TypeError(f"The input must be a CoFlatMapFunction, got {func!r}")
        func = _spelled("flat_map_function", func)
        return self._apply("co_flat_map", "Co-Flat Map", func, output_type)

    def process(
        self,
        func: CoProcessFunction | KeyedCoProcessFunction,
        output_type: TypeInformation | None = None,
    ) -> DataStream:
        """Any number of records out, with time and side outputs; keyed, also state and timers.

        :raises TypeError: when `func` does not fit the streams.
        """
        _check_process_function(func, CoProcessFunction, "process_element1", "ConnectedStreams")
        if isinstance(func, KeyedCoProcessFunction) and not self._is_keyed_stream():
            raise TypeError(
                "KeyedCoProcessFunction needs two keyed streams: call key_by() on both first"
            )
        func = _spelled("process_function", func)
        name = "Keyed Co-Process" if self._is_keyed_stream() else "Co-Process"
        return self._apply("co_process", name, func, output_type)


def _unkeyed(stream: DataStream) -> DataStream:
    return stream._origin_stream if isinstance(stream, KeyedStream) else stream


class BroadcastStream:
    """A stream every subtask sees, with the broadcast state it feeds."""

    def __init__(
        self, input_stream: DataStream, broadcast_state_descriptors: list[MapStateDescriptor]
    ) -> None:
        self.input_stream = input_stream
        self.broadcast_state_descriptors = broadcast_state_descriptors


class BroadcastConnectedStream:
    """A stream, keyed or not, beside a broadcast stream."""

    def __init__(
        self,
        non_broadcast_stream: DataStream,
        broadcast_stream: BroadcastStream,
        broadcast_state_descriptors: list[MapStateDescriptor],
    ) -> None:
        non_broadcast_stream._check_same_environment(broadcast_stream.input_stream, "connect")
        self.non_broadcast_stream = non_broadcast_stream
        self.broadcast_stream = broadcast_stream
        self.broadcast_state_descriptors = broadcast_state_descriptors

    def process(
        self,
        func: BroadcastProcessFunction | KeyedBroadcastProcessFunction,
        output_type: TypeInformation | None = None,
    ) -> DataStream:
        """Sees the records of both; the broadcast side writes broadcast state, the other reads it.

        :param func: a BroadcastProcessFunction, or a KeyedBroadcastProcessFunction for a keyed
            stream.
        :param output_type: type of the main output; any Python object when left out.
        :raises TypeError: when `func` does not fit the stream.
        """
        keyed = isinstance(self.non_broadcast_stream, KeyedStream)
        needed = KeyedBroadcastProcessFunction if keyed else BroadcastProcessFunction
        other = BroadcastProcessFunction if keyed else KeyedBroadcastProcessFunction
        if isinstance(func, other):
            raise TypeError(
                f"{needed.__name__} is required for a {'keyed' if keyed else 'non-keyed'} stream,"
                f" got {func!r}"
            )
        _check_process_function(
            func, needed, "process_broadcast_element", "BroadcastConnectedStream"
        )
        func = _spelled("process_function", func)
        type_info = declared_type(output_type, "output_type of process")
        env = self.non_broadcast_stream._env
        node = env._register(
            Transformation(
                env,
                "broadcast_process",
                "Keyed Co-Process-Broadcast" if keyed else "Co-Process-Broadcast",
                [e.into(0) for e in self.non_broadcast_stream._edges]
                + [e.into(1) for e in self.broadcast_stream.input_stream._edges],
                type_info,
                {
                    "function": func,
                    "descriptors": [d._native() for d in self.broadcast_state_descriptors],
                },
                keyed=keyed,
            )
        )
        return DataStream(env, [Edge(node)], type_info)
