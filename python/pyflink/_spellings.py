"""The one list of spellings that work here although upstream has none of them, or has others.

Scripts in the wild use names of Flink's Java API, of older and newer releases, and names that
never were. Each line of :data:`SPELLINGS` has a test (``tests/python/test_generous.py``) and a line
in ``docs/spellings.md``. What makes them work is here too; the modules of the API only ask for it
where their own names end, and the engine does not know any of them.
"""

from __future__ import annotations

import sys

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from pyflink.common.job_status import JobStatus
    from pyflink.datastream.output_tag import OutputTag

__all__ = ["SPELLINGS"]

SPELLINGS: list[tuple[str, str]] = [
    (
        "process_element(self, value, ctx, out): out.collect(x)",
        "process_element(self, value, ctx): yield x",
    ),
    (
        "on_timer(self, timestamp, ctx, out): out.collect(x)",
        "on_timer(self, timestamp, ctx): yield x",
    ),
    (
        "process(self, key, context, elements, out): out.collect(x)",
        "process(self, key, context, elements): yield x",
    ),
    (
        "process(self, context, elements, out) of a ProcessAllWindowFunction",
        "process(self, context, elements): yield x",
    ),
    (
        "apply(self, key, window, inputs, out) of a WindowFunction",
        "apply(self, key, window, inputs): yield x",
    ),
    (
        "apply(self, window, inputs, out) of an AllWindowFunction",
        "apply(self, window, inputs): yield x",
    ),
    (
        "process_element1(self, value, ctx, out), process_element2(self, value, ctx, out)",
        "process_element1(self, value, ctx): yield x",
    ),
    (
        "process_broadcast_element(self, value, ctx, out)",
        "process_broadcast_element(self, value, ctx): yield x",
    ),
    (
        "stream.window_all(assigner).process(a WindowFunction): the key is None",
        "stream.window_all(assigner).apply(an AllWindowFunction)",
    ),
    (
        "stream.count_window_all(size), stream.count_window_all(size, slide)",
        "none: only Java has it",
    ),
    ("flat_map(self, value, out), flat_map1, flat_map2", "flat_map(self, value): yield x"),
    ("ctx.output(tag, x)", "yield tag, x"),
    ("class Mine(SourceFunction): run(self, ctx), cancel(self)", "a Java class by its name"),
    ("class Mine(SinkFunction): invoke(self, value, context)", "a Java class by its name"),
    ("invoke(self, value) of a SinkFunction", "a Java class by its name"),
    (
        "TypeInformation.of(int), of(str), of(float), ...",
        "Types.LONG(), Types.STRING(), Types.DOUBLE()",
    ),
    ("TypeInformation.of(Types.LONG())", "Types.LONG()"),
    (
        "ValueStateDescriptor('n', int), a Python class as type of a state",
        "ValueStateDescriptor('n', Types.LONG())",
    ),
    (
        "from pyflink.common.state import ValueStateDescriptor, ...",
        "from pyflink.datastream.state import ...",
    ),
    (
        "BroadcastStateDescriptor(name, key_type, value_type)",
        "MapStateDescriptor(name, key_type, value_type)",
    ),
    ("StateTtlConfigBuilder.new_builder(ttl)", "StateTtlConfig.new_builder(ttl)"),
    ("StateTtlConfigBuilder(ttl)", "StateTtlConfig.new_builder(ttl)"),
    (
        "StateTtlConfig.UpdateType.ON_READ_AND_WRITE, ...",
        "StateTtlConfig.UpdateType.OnReadAndWrite",
    ),
    (
        "StateTtlConfig.StateVisibility.NEVER_RETURN_EXPIRED, ...",
        "StateTtlConfig.StateVisibility.NeverReturnExpired",
    ),
    (
        "StateTtlConfig.TtlTimeCharacteristic.PROCESSING_TIME",
        "StateTtlConfig.TtlTimeCharacteristic.ProcessingTime",
    ),
    (
        "from pyflink.datastream.state import RuntimeContext, Time",
        "from pyflink.datastream import RuntimeContext; from pyflink.common import Time",
    ),
    ("SessionWindows.with_gap(gap)", "EventTimeSessionWindows.with_gap(gap)"),
    (
        "from pyflink.datastream.functions import Trigger, TriggerResult",
        "from pyflink.datastream.window import Trigger, TriggerResult",
    ),
    ("a Trigger without on_merge and can_merge", "both are abstract"),
    (
        "window.start, window.end, window.get_start(), window.get_end() of every window",
        "TimeWindow.start, TimeWindow.end",
    ),
    (
        "CountEvictor.of(n), TimeEvictor.of(size), DeltaEvictor.of(limit, delta), class X(Evictor)",
        "none: Python has no evictors",
    ),
    ("windowed_stream.evictor(evictor)", "none: Python has no evictors"),
    (
        "env.set_state_backend('rocksdb'), 'hashmap'",
        "env.set_state_backend(EmbeddedRocksDBStateBackend())",
    ),
    (
        "env.set_restart_strategy_fixed_delay(attempts, delay)",
        "env.set_restart_strategy(RestartStrategies.fixed_delay_restart(attempts, delay))",
    ),
    (
        "env.set_restart_strategy_failure_rate(rate, interval, delay)",
        "env.set_restart_strategy(RestartStrategies.failure_rate_restart(rate, interval, delay))",
    ),
    (
        "env.set_restart_strategy_no_restart()",
        "env.set_restart_strategy(RestartStrategies.no_restart())",
    ),
    ("env.from_elements(1, 2, 3)", "env.from_collection([1, 2, 3])"),
    ("env.socket_text_stream(host, port, delimiter)", "none: only Java has it"),
    ("job_client.is_done()", "job_client.get_job_execution_result().done()"),
    (
        "job_client.get_job_status() == JobStatus.RUNNING, .name, .is_globally_terminal_state()",
        "job_client.get_job_status().result() == JobStatus.RUNNING",
    ),
    ("env.execute().wait()", "env.execute()"),
    ("stream.add_sink(any connector's sink)", "stream.sink_to(sink)"),
    ("stream.sink_to(a SinkFunction)", "stream.add_sink(sink_function)"),
    ("env.add_source(any connector's source)", "env.from_source(source, strategy, name)"),
    (
        "Elasticsearch7SinkBuilder().set_index('name').set_document_type('_doc')",
        "set_emitter(ElasticsearchEmitter.static_index('name'))",
    ),
    (
        "set_emitter(lambda record: json.dumps({'index': ..., 'id': ..., 'source': record}))",
        "set_emitter(ElasticsearchEmitter.dynamic_index('index_field', 'id_field'))",
    ),
    (
        "WatermarkStrategy.with_timestamp_assigner(lambda value, timestamp: ...)",
        "with_timestamp_assigner(an instance of TimestampAssigner)",
    ),
    (
        "TumblingEventTimeWindows.of(Duration.of_seconds(5)), a timedelta, plain milliseconds",
        "TumblingEventTimeWindows.of(Time.seconds(5)); newer releases take a Duration",
    ),
    (
        "from pyflink.common.serialization import JsonRowSerializationSchema, ... of formats",
        "from pyflink.datastream.formats.json import JsonRowSerializationSchema",
    ),
    (
        "from pyflink.table.descriptors import Kafka, Json, Kinesis, Schema, ...",
        "TableDescriptor.for_connector(...); removed in Flink 1.14",
    ),
    (
        "async_invoke(self, value, result_future): result_future.complete([x])",
        "async def async_invoke(self, value): return [x]",
    ),
    ("from pyflink.datastream.functions import RichAsyncFunction, ResultFuture", "AsyncFunction"),
    (
        "runtime_context.get_distributed_cache().get_file(name)",
        "none: registered files reach Java functions only",
    ),
    ("runtime_context.get_metric_group()", "runtime_context.get_metrics_group()"),
]
"""(what is written, what upstream's spelling is)."""

# -- names in other modules ------------------------------------------------------------------------

_STATE_NAMES = (
    "AggregatingState AggregatingStateDescriptor BroadcastState ListState ListStateDescriptor"
    " MapState MapStateDescriptor OperatorStateStore ReadOnlyBroadcastState ReducingState"
    " ReducingStateDescriptor StateDescriptor StateTtlConfig ValueState ValueStateDescriptor"
)
_WINDOW = "pyflink.datastream.window"
_EVICTORS = dict.fromkeys(
    ["CountEvictor", "DeltaEvictor", "Evictor", "TimeEvictor"], "pyflink.datastream.evictors"
)
_NAMES: dict[str, dict[str, str]] = {
    "pyflink.datastream.functions": {
        "ResultFuture": "pyflink.datastream._async",
        "Trigger": _WINDOW,
        "TriggerResult": _WINDOW,
    },
    _WINDOW: _EVICTORS,
    "pyflink.datastream.state": {"RuntimeContext": "pyflink.datastream.functions"},
    "pyflink.common.state": {
        **dict.fromkeys(_STATE_NAMES.split(), "pyflink.datastream.state"),
        "RuntimeContext": "pyflink.datastream.functions",
        "Time": "pyflink.common.time",
    },
    "pyflink.common.serialization": {
        **dict.fromkeys(
            ["JsonRowSerializationSchema", "JsonRowDeserializationSchema"],
            "pyflink.datastream.formats.json",
        ),
        **dict.fromkeys(
            ["CsvRowSerializationSchema", "CsvRowDeserializationSchema"],
            "pyflink.datastream.formats.csv",
        ),
    },
}


def _from(module: str, name: str) -> Any:
    __import__(module)  # importlib would be one more import
    return getattr(sys.modules[module], name)


def _session_windows() -> Any:
    return _from(_WINDOW, "EventTimeSessionWindows")


def _rich_async_function() -> Any:
    return _from("pyflink.datastream.functions", "AsyncFunction")


def _broadcast_state_descriptor() -> Any:
    return _from("pyflink.datastream.state", "MapStateDescriptor")


def _ttl_config_builder() -> Any:
    builder = _from("pyflink.datastream.state", "StateTtlConfig").Builder

    class StateTtlConfigBuilder(builder):  # type: ignore[misc, valid-type]
        """Upstream's ``StateTtlConfig.Builder``, under the name some scripts use."""

        @staticmethod
        def new_builder(ttl: Any) -> Any:
            """Starts a configuration for values that live for `ttl`."""
            return StateTtlConfigBuilder(ttl)

    return StateTtlConfigBuilder


_MADE_OF_STATE: dict[str, Callable[[], Any]] = {
    "BroadcastStateDescriptor": _broadcast_state_descriptor,
    "StateTtlConfigBuilder": _ttl_config_builder,
}
_MADE: dict[str, dict[str, Callable[[], Any]]] = {
    _WINDOW: {"SessionWindows": _session_windows},
    "pyflink.datastream.functions": {"RichAsyncFunction": _rich_async_function},
    "pyflink.datastream.state": _MADE_OF_STATE,
    "pyflink.common.state": _MADE_OF_STATE,
}


def module_name(module: str, name: str) -> Any:
    """``__getattr__`` of the modules above: a name that upstream has elsewhere, or nowhere.

    :raises AttributeError: for a name of nobody.
    """
    where = _NAMES.get(module, {}).get(name)
    make = _MADE.get(module, {}).get(name)
    if where is not None:
        value = _from(where, name)
    elif make is not None:
        value = make()
    else:
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    setattr(sys.modules[module], name, value)  # the next access does not come here
    return value


def module_names(module: str) -> list[str]:
    """All spellings of one module."""
    return sorted({*_NAMES.get(module, {}), *_MADE.get(module, {})})


# -- methods upstream's classes do not have --------------------------------------------------------


def _fixed_delay(env: Any, restart_attempts: int, delay_between_attempts: int) -> Any:
    strategies = _from("pyflink.common.restart_strategy", "RestartStrategies")
    return env.set_restart_strategy(
        strategies.fixed_delay_restart(restart_attempts, delay_between_attempts)
    )


def _failure_rate(env: Any, failure_rate: int, failure_interval: int, delay_interval: int) -> Any:
    strategies = _from("pyflink.common.restart_strategy", "RestartStrategies")
    return env.set_restart_strategy(
        strategies.failure_rate_restart(failure_rate, failure_interval, delay_interval)
    )


def _no_restart(env: Any) -> Any:
    strategies = _from("pyflink.common.restart_strategy", "RestartStrategies")
    return env.set_restart_strategy(strategies.no_restart())


def _from_elements(env: Any, *elements: Any, type_info: Any = None) -> Any:
    return env.from_collection(list(elements), type_info)


def _socket_text_stream(
    env: Any, hostname: str, port: int, delimiter: str = "\n", max_retry: int = 0
) -> Any:
    source = _from("pyflink.datastream.connectors.socket", "SocketTextStreamFunction")
    types = _from("pyflink.common.typeinfo", "Types")
    return env.add_source(
        source(hostname, port, delimiter, max_retry), "Socket Stream", types.STRING()
    )


_ENVIRONMENT: dict[str, Callable[..., Any]] = {
    "set_restart_strategy_fixed_delay": _fixed_delay,
    "set_restart_strategy_failure_rate": _failure_rate,
    "set_restart_strategy_no_restart": _no_restart,
    "from_elements": _from_elements,
    "socket_text_stream": _socket_text_stream,
}


def environment_method(env: Any, name: str) -> Any:
    """A method of StreamExecutionEnvironment that upstream does not have.

    :raises AttributeError: for a name of nobody.
    """
    method = _ENVIRONMENT.get(name)
    if method is None:
        raise AttributeError(
            f"{type(env).__name__!r} object has no attribute {name!r}", name=name, obj=env
        )
    return method.__get__(env)


def _set_index(builder: Any, index: str) -> Any:
    emitter = _from("pyflink.datastream.connectors.elasticsearch", "ElasticsearchEmitter")
    return builder.set_emitter(emitter.static_index(index))


def _set_document_type(builder: Any, document_type: str) -> Any:
    return builder  # servers that know documents of one type only do not want to hear of it


_SEARCH_SINK: dict[str, Callable[..., Any]] = {
    "set_index": _set_index,
    "set_document_type": _set_document_type,
}


def search_sink_method(builder: Any, name: str) -> Any:
    """A method of an Elasticsearch sink's builder that upstream does not have.

    :raises AttributeError: for a name of nobody.
    """
    method = _SEARCH_SINK.get(name)
    if method is None:
        raise AttributeError(
            f"{type(builder).__name__!r} object has no attribute {name!r}", name=name, obj=builder
        )
    return method.__get__(builder)


_MIN_LONG, _MAX_LONG = -(2**63), 2**63 - 1


def window_bound(window: Any, name: str) -> Any:
    """``start``, ``end`` and their getters, also of windows without time.

    :raises AttributeError: for another name.
    """
    if name == "start":
        return _MIN_LONG
    if name == "end":
        return _MAX_LONG
    if name == "get_start":
        return lambda: window.start
    if name == "get_end":
        return lambda: window.end
    raise AttributeError(
        f"{type(window).__name__!r} object has no attribute {name!r}", name=name, obj=window
    )


def add_upper_case(enum: Any) -> None:
    """``OnReadAndWrite`` is also ``ON_READ_AND_WRITE``."""
    for member in list(enum):
        text = "".join(f"_{c}" if c.isupper() else c for c in member.name).lstrip("_")
        setattr(enum, text.upper(), member)


def state_type(wrong: Any) -> Any:
    """The type of a Python class given as a state's type, or None."""
    if not isinstance(wrong, type):
        return None
    return _from("pyflink.common.typeinfo", "TypeInformation").of(wrong)


def timestamp_assigner(function: Any) -> Any:
    """A TimestampAssigner that calls `function`, or None when that cannot be called."""
    if not callable(function) or isinstance(function, type):
        return None
    base = _from("pyflink.common.watermark_strategy", "TimestampAssigner")

    class CallableTimestampAssigner(base):  # type: ignore[misc, valid-type]
        def extract_timestamp(self, value: Any, record_timestamp: int) -> int:
            timestamp: int = function(value, record_timestamp)
            return timestamp

    assigner = CallableTimestampAssigner()
    assigner._called = function
    return assigner


def job_status_future(read: Callable[[], JobStatus]) -> Any:
    """A future of a job's status that is also the status."""
    future = _from("pyflink.common.completable_future", "CompletableFuture")
    status = _from("pyflink.common.job_status", "JobStatus")

    class JobStatusFuture(future):  # type: ignore[misc, valid-type]
        __hash__ = object.__hash__

        def __eq__(self, other: object) -> bool:
            return self.result() is other if isinstance(other, status) else self is other

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_"):
                raise AttributeError(name)
            return getattr(self.result(), name)

        def __str__(self) -> str:
            return str(self.result())

    return JobStatusFuture(read)


# -- functions with a collector --------------------------------------------------------------------

_ARGUMENTS = {
    "process_element": 2,
    "process_element1": 2,
    "process_element2": 2,
    "process_broadcast_element": 2,
    "on_timer": 2,
    "flat_map": 1,
    "flat_map1": 1,
    "flat_map2": 1,
}
PROCESS_METHODS = (
    "process_element",
    "process_element1",
    "process_element2",
    "process_broadcast_element",
    "on_timer",
)
FLAT_MAP_METHODS = ("flat_map", "flat_map1", "flat_map2")


class Collector:
    """What ``out`` is in a function with a collector: it keeps records until it is asked."""

    def __init__(self) -> None:
        self._records: list[Any] = []

    def collect(self, record: Any) -> None:
        """Emits a record."""
        self._records.append(record)

    def close(self) -> None:
        """Nothing: kept for the name."""

    def _take(self) -> Iterator[Any]:
        while self._records:
            records, self._records = self._records, []
            yield from records


class _ContextWithOutput:
    """A context that also takes side outputs."""

    def __init__(self, context: Any, out: Collector) -> None:
        self._context = context
        self._out = out

    def output(self, output_tag: OutputTag, value: Any) -> None:
        """Emits to a side output."""
        self._out.collect((output_tag, value))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


class _Collecting:
    """Gives a function that collects the form of one that yields."""

    def __init__(self, function: Any) -> None:
        self._function = function

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_function":  # while it is copied
            raise AttributeError(name)
        return getattr(self._function, name)

    def __repr__(self) -> str:
        return repr(self._function)


def _yielding(method: str, takes_collector: bool, writes_side_outputs: bool) -> Any:
    def call(self: Any, *arguments: Any) -> Iterator[Any]:
        out = Collector()
        if writes_side_outputs:
            arguments = tuple(
                _ContextWithOutput(a, out)
                if hasattr(a, "timer_service") or hasattr(a, "timestamp")
                else a
                for a in arguments
            )
        if takes_collector:
            arguments = (*arguments, out)
        results = getattr(self._function, method)(*arguments)
        if results is not None:
            for result in results:
                yield from out._take()
                yield result
        yield from out._take()

    return call


def _wishes(function: Any, method: str, arguments: int) -> tuple[bool, bool]:
    """(takes one argument more, calls ``.output(...)``)."""
    found = getattr(function, method, None)
    code = getattr(found, "__code__", None)
    if code is None:
        return False, False
    own = 1 if getattr(found, "__self__", None) is not None else 0
    required = code.co_argcount - own - len(getattr(found, "__defaults__", None) or ())
    return required == arguments + 1, "output" in code.co_names


def yielding_function(function: Any, arguments: dict[str, int]) -> Any:
    """`function`, or a wrapper for one whose methods take a collector or call ``ctx.output``.

    :param arguments: how many arguments upstream gives to each method.
    """
    methods = {}
    for method, count in arguments.items():
        collector, sides = _wishes(function, method, count)
        if collector or (sides and method in PROCESS_METHODS):
            methods[method] = _yielding(method, collector, sides)
    if not methods:
        return function
    return type(type(function).__name__, (_Collecting,), methods)(function)


def process_function(function: Any) -> Any:
    """See :func:`yielding_function`: any process function."""
    return yielding_function(function, {m: _ARGUMENTS[m] for m in PROCESS_METHODS})


def flat_map_function(function: Any) -> Any:
    """See :func:`yielding_function`: a FlatMapFunction or CoFlatMapFunction, or a callable."""
    if not any(hasattr(function, method) for method in FLAT_MAP_METHODS):
        collector, _ = _wishes_of_callable(function)
        if not collector:
            return function
        return type("FlatMap", (_Collecting,), {"flat_map": _yielding("__call__", True, False)})(
            function
        )
    return yielding_function(function, {m: _ARGUMENTS[m] for m in FLAT_MAP_METHODS})


def _wishes_of_callable(function: Any) -> tuple[bool, bool]:
    code = getattr(function, "__code__", None)
    if code is None:
        return False, False
    own = 1 if getattr(function, "__self__", None) is not None else 0
    required = code.co_argcount - own - len(getattr(function, "__defaults__", None) or ())
    return required == 2, False


def window_function(function: Any, kind: str, all_windows: bool) -> Any:
    """See :func:`yielding_function`: a window function of the given kind (process or apply)."""
    return yielding_function(function, {kind: 2 if all_windows else 3})


def all_window_function(function: Any) -> Any:
    """A WindowFunction as an AllWindowFunction: it is called with None for the key."""
    keyed = window_function(function, "apply", False)

    def apply(self: Any, window: Any, inputs: Any) -> Any:
        return self._function.apply(None, window, inputs)

    return type(type(function).__name__, (_Collecting,), {"apply": apply})(keyed)
