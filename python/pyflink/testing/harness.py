"""Drives one function, or a few operators, element by element."""

from __future__ import annotations

from pyflink.datastream._graph import Edge, Transformation, declared_type
from pyflink.datastream.data_stream import DataStream, _unkeyed
from pyflink.datastream.functions import (
    AggregateFunction,
    AllWindowFunction,
    CoFlatMapFunction,
    CoMapFunction,
    FilterFunction,
    FlatMapFunction,
    Function,
    MapFunction,
    ProcessAllWindowFunction,
    ProcessWindowFunction,
    ReduceFunction,
    WindowFunction,
)
from pyflink.datastream.output_tag import OutputTag
from pyflink.testing.clock import FakeClock
from pyflink.testing.elements import StreamRecord, Watermark, WatermarkStatus, captured
from pyflink.testing.environment import TestStreamEnvironment

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from typing_extensions import Self

    from pyflink import _native
    from pyflink.common.typeinfo import TypeInformation
    from pyflink.datastream.data_stream import ConnectedStreams, KeyedStream
    from pyflink.datastream.state import MapStateDescriptor, StateDescriptor

    Element = StreamRecord | Watermark | WatermarkStatus

__all__ = [
    "BroadcastOperatorTestHarness",
    "HarnessSnapshot",
    "KeyedBroadcastOperatorTestHarness",
    "KeyedOneInputStreamOperatorTestHarness",
    "KeyedTwoInputStreamOperatorTestHarness",
    "OneInputStreamOperatorTestHarness",
    "ProcessFunctionTestHarnesses",
    "TwoInputStreamOperatorTestHarness",
]

_MISSING: Any = object()


class HarnessSnapshot:
    """State, timers and the time of a harness; give it to ``initialize_state`` of another one."""

    def __init__(self, native: _native.StepSnapshot, processing_time: int) -> None:
        self._native = native
        self._processing_time = processing_time

    def __repr__(self) -> str:
        return f"HarnessSnapshot(at processing time {self._processing_time})"


class _Harness:
    """What all harnesses share.

    The operators are opened by the first call that needs them. Every call returns when all that it
    leads to has been done; what a function raises comes out of the call that led to it.
    """

    __test__ = False  # for pytest: no test class

    def __init__(
        self,
        operator: Any,
        output_type: TypeInformation | None,
        side_outputs: Iterable[OutputTag] | None,
        processing_time: int | None,
        input_types: list[TypeInformation | None],
    ) -> None:
        self._operator = operator
        self._output_type = output_type
        self._declared_tags = None if side_outputs is None else list(side_outputs)
        self._processing_time = processing_time
        self._input_types = [declared_type(t, "the input type of a harness") for t in input_types]
        self._snapshot: HarnessSnapshot | None = None
        self._job: _native.StepJob | None = None
        self._closed = False
        self._clock = FakeClock()
        self._scripts: list[_native.Script] = []
        self._keys: list[Any] = [_MISSING] * len(input_types)
        self._probes: list[_native.OperatorProbe] = []
        self._log: _native.CaptureLog | None = None
        self._output: list[Element] = []
        self._side_logs: dict[str, _native.CaptureLog] = {}
        self._side_output: dict[str, list[StreamRecord]] = {}

    # -- life --------------------------------------------------------------------------------------

    def open(self) -> Self:
        """Makes and opens the operators; the first call that needs them does it too.

        :returns: this harness.
        :raises Exception: what a function's ``open`` raises.
        """
        from pyflink._native import CaptureLog, OperatorProbe, Script

        if self._closed:
            raise RuntimeError("the harness was closed; make a new one")
        if self._job is not None:
            return self
        start = self._processing_time
        if start is None:
            start = self._snapshot._processing_time if self._snapshot is not None else 0
        self._clock = FakeClock(start)
        env = TestStreamEnvironment(self._clock)
        streams = []
        for number, type_info in enumerate(self._input_types):
            logical = type_info._logical()
            script = Script(None if logical.kind == "object" else logical)
            self._scripts.append(script)
            source = Transformation(
                env,
                "script",
                f"Input {number + 1}" if len(self._input_types) > 1 else "Input",
                [],
                type_info,
                {"script": script, "resume": False},
                single=True,
            )
            streams.append(DataStream(env, [Edge(source)], type_info))
        result = self._build(streams)
        if not isinstance(result, DataStream):
            raise TypeError(
                f"the operator of a harness must lead to a DataStream, it gave {result!r}; return"
                " the stream from the function that builds it"
            )
        result = _unkeyed(result)
        for transformation in env._transformations:
            probe = OperatorProbe()
            self._probes.append(probe)
            transformation.params = {**transformation.params, "probe": probe}
        self._log = CaptureLog()
        result._add("capture", "Output", result._type_info, {"log": self._log}, single=True)
        tags = self._declared_tags
        for tag in _tags_in(self._operator) if tags is None else tags:
            if tag.tag_id in self._side_logs:
                continue
            try:
                side = result.get_side_output(tag)
            except TypeError:
                if tags is not None:
                    raise
                continue  # found by name only; no operator here emits it
            log = CaptureLog()
            self._side_logs[tag.tag_id] = log
            self._side_output[tag.tag_id] = []
            side._add("capture", f"Side {tag.tag_id}", side._type_info, {"log": log}, single=True)
        plan = env._plan()
        graph = plan.to_native()
        restore = None if self._snapshot is None else self._snapshot._native
        self._job = graph.step("Test harness", env._job_options(plan), restore, start)
        self._job.run_until_idle()
        return self

    def close(self) -> None:
        """Closes the operators. A harness used with ``with`` does it at the end."""
        self._closed = True
        if self._job is not None:
            self._job.close()
            self._job = None

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _build(self, streams: list[DataStream]) -> DataStream:
        raise NotImplementedError

    def _running(self) -> _native.StepJob:
        self.open()
        job = self._job
        if job is None:
            raise RuntimeError("the harness was closed; make a new one")
        return job

    def _copy(self) -> Self:
        raise NotImplementedError

    # -- input -------------------------------------------------------------------------------------

    def _element(self, number: int, value: Any, timestamp: int | None, key: Any) -> None:
        job = self._running()
        if isinstance(value, StreamRecord):
            if timestamp is None:
                timestamp = value.timestamp
            value = value.value
        self._check_key(number, key)
        self._keys[number] = key
        self._scripts[number].element(value, timestamp)
        job.run_until_idle()

    def _check_key(self, number: int, key: Any) -> None:
        if key is not _MISSING:
            raise TypeError(
                "key= is for keyed harnesses that were made without a key selector; this one"
                " takes the key from the value, or has none"
            )

    def _watermark(self, number: int, watermark: int | Watermark) -> None:
        job = self._running()
        time = watermark.timestamp if isinstance(watermark, Watermark) else watermark
        self._scripts[number].watermark(time)
        job.run_until_idle()

    def _status(self, number: int, status: WatermarkStatus) -> None:
        job = self._running()
        self._scripts[number].status(status.is_idle())
        job.run_until_idle()

    def set_processing_time(self, time: int) -> None:
        """Moves processing time to `time`, in milliseconds, and fires the timers due.

        :raises ValueError: for a time before the present one.
        """
        job = self._running()
        job.set_time(time)
        self._clock.set(time)

    def advance_processing_time(self, millis: int) -> None:
        """Moves processing time by `millis`."""
        self.set_processing_time(self.get_processing_time() + millis)

    def get_processing_time(self) -> int:
        """Processing time in milliseconds; 0 at first, unless the harness was made with one."""
        self._running()
        return self._clock.now()

    def end_input(self) -> None:
        """Ends all inputs, as a bounded source does: the last watermark comes, then the end.

        Timers of event time fire, those of processing time do not; the operators are closed.
        """
        job = self._running()
        for script in self._scripts:
            script.end()
        job.run_until_idle()

    # -- output ------------------------------------------------------------------------------------

    def get_output(self) -> list[Element]:
        """Records, watermarks and idleness in the order they came out.

        :returns: a list that grows with each call; it is always the same one, and may be cleared.
        """
        self._running()
        if self._log is not None:
            self._output.extend(captured(entry) for entry in self._log.take())
        return self._output

    def extract_output_stream_records(self) -> list[StreamRecord]:
        """The records that came out, with their timestamps."""
        return [element for element in self.get_output() if isinstance(element, StreamRecord)]

    def extract_output_values(self) -> list[Any]:
        """The values that came out."""
        return [record.value for record in self.extract_output_stream_records()]

    def take_output_values(self) -> list[Any]:
        """The values that came out since the last call; forgets them, and what lies between."""
        values = self.extract_output_values()
        self._output.clear()
        return values

    def await_output(self, count: int = 1, timeout: float = 10.0) -> list[Any]:
        """Waits until that many values came out that were not taken, and takes all there are.

        For asynchronous functions, whose results come when they are ready; others need no waiting.

        :param count: how many values, at least.
        :param timeout: seconds of real time.
        :returns: the values, as :meth:`take_output_values`.
        :raises TimeoutError: when fewer came in that time.
        """
        import time

        job = self._running()
        give_up = time.monotonic() + timeout
        while len(self.extract_output_values()) < count:
            if time.monotonic() > give_up:
                raise TimeoutError(
                    f"{len(self.extract_output_values())} of {count} values came out within"
                    f" {timeout:g} s; timers need set_processing_time(...) or a watermark, not"
                    " waiting"
                )
            time.sleep(0.001)
            job.run_until_idle()
        return self.take_output_values()

    def get_side_output(self, tag: OutputTag) -> list[StreamRecord]:
        """The records of a side output.

        :param tag: the tag, which the harness finds by itself when the function or its class
            refers to it, or as a global name in its code; else name it in ``side_outputs``.
        :returns: a list that grows with each call; it is always the same one, and may be cleared.
        :raises KeyError: for a side output that the harness does not know.
        """
        self._running()
        log = self._side_logs.get(tag.tag_id)
        if log is None:
            known = ", ".join(map(repr, self._side_logs)) or "none"
            raise KeyError(
                f"the harness does not listen to the side output {tag.tag_id!r} (it does to:"
                f" {known}); make it with side_outputs=[tag]"
            )
        records = self._side_output[tag.tag_id]
        for entry in log.take():
            element = captured(entry)
            if isinstance(element, StreamRecord):
                records.append(element)
        return records

    # -- state and timers --------------------------------------------------------------------------

    def num_keyed_state_entries(self) -> int:
        """Number of state entries: one for each state, key and window that holds something."""
        self._running()
        return sum(probe.state_entries() for probe in self._probes)

    def num_event_time_timers(self) -> int:
        """Number of registered timers of event time."""
        self._running()
        return sum(probe.timers(True) for probe in self._probes)

    def num_processing_time_timers(self) -> int:
        """Number of registered timers of processing time."""
        self._running()
        return sum(probe.timers(False) for probe in self._probes)

    def states(self, name: str | StateDescriptor, window: Any = None) -> dict[Any, Any]:
        """What a keyed state holds, by key; keys for which it is empty are left out.

        Value, reducing and aggregating state give their value, list state a list, map state a dict.

        :param name: the state's name or descriptor.
        :param window: the window whose state is meant, for ``context.window_state()`` of window
            functions and the state of triggers.
        :raises KeyError: when no function has declared the state.
        """
        self._running()
        text = name if isinstance(name, str) else name.get_name()
        for probe in self._probes:
            pairs = probe.state(text, window)
            if pairs is not None:
                return dict(pairs)
        raise KeyError(
            f"no operator of the harness has declared a state {text!r}; a function declares it in"
            " open(), or in the call that first uses it"
        )

    def state(self, name: str | StateDescriptor, key: Any, window: Any = None) -> Any:
        """What a keyed state holds for one key, as :meth:`states`; None when it is empty."""
        return self.states(name, window).get(key)

    def broadcast_state(self, name: str | MapStateDescriptor) -> dict[Any, Any]:
        """A copy of a broadcast state.

        :raises KeyError: when there is none of that name.
        """
        self._running()
        text = name if isinstance(name, str) else name.get_name()
        for probe in self._probes:
            found = probe.broadcast_state(text)
            if found is not None:
                return found
        raise KeyError(f"no operator of the harness has a broadcast state {text!r}")

    def snapshot(
        self, checkpoint_id: int | None = None, timestamp: int | None = None
    ) -> HarnessSnapshot:
        """State, timers and processing time as they are now. The harness can go on.

        :param checkpoint_id: accepted, as upstream; checkpoints are numbered by themselves.
        :param timestamp: accepted, as upstream.
        :raises ValueError: after :meth:`end_input`.
        """
        job = self._running()
        return HarnessSnapshot(job.snapshot(), self._clock.now())

    def initialize_state(self, snapshot: HarnessSnapshot) -> None:
        """Begins with the state of another harness; before the first element.

        The other harness may be of another version of the function: state is found by its name.

        :raises RuntimeError: when the operators are open already.
        """
        if self._job is not None:
            raise RuntimeError(
                "initialize_state() comes before open() and the first element; use"
                " restored(snapshot) for a new harness like this one"
            )
        self._snapshot = snapshot

    def restored(self, snapshot: HarnessSnapshot) -> Self:
        """A new harness like this one, with fresh functions and the state of `snapshot`."""
        other = self._copy()
        other.initialize_state(snapshot)
        return other


class OneInputStreamOperatorTestHarness(_Harness):
    """Drives a function of one stream without keys, or whatever is built from such a stream.

    ``OneInputStreamOperatorTestHarness(MyMapFunction())``, or with a function of the stream:
    ``OneInputStreamOperatorTestHarness(lambda stream: stream.map(f).filter(g))``.
    """

    def __init__(
        self,
        operator: Any,
        *,
        input_type: TypeInformation | None = None,
        output_type: TypeInformation | None = None,
        side_outputs: Iterable[OutputTag] | None = None,
        processing_time: int | None = None,
    ) -> None:
        """Makes a harness.

        :param operator: a function, which is applied as its class says, or a callable that takes
            the stream and returns another.
        :param input_type: type of the elements; any Python object when left out.
        :param output_type: type of the function's results, as for ``map(..., output_type)``.
        :param side_outputs: tags of the side outputs to listen to; found in the function when left
            out.
        :param processing_time: where the clock begins, in milliseconds.
        """
        super().__init__(operator, output_type, side_outputs, processing_time, [input_type])

    def _copy(self) -> Self:
        return type(self)(
            self._operator,
            input_type=self._input_types[0],
            output_type=self._output_type,
            side_outputs=self._declared_tags,
            processing_time=self._processing_time,
        )

    def _build(self, streams: list[DataStream]) -> DataStream:
        return _applied(streams[0], self._operator, self._output_type)

    def process_element(
        self, value: Any, timestamp: int | None = None, key: Any = _MISSING
    ) -> None:
        """Gives one element to the operator.

        :param value: the element, or a :class:`StreamRecord`.
        :param timestamp: its event timestamp in milliseconds; without one it has none.
        :param key: the key, for a keyed harness without a key selector.
        """
        self._element(0, value, timestamp, key)

    def process_elements(self, *elements: Any) -> None:
        """Gives several elements: values, or :class:`StreamRecord` for those with timestamps."""
        for element in elements:
            self.process_element(element)

    def process_watermark(self, watermark: int | Watermark) -> None:
        """Moves event time to a watermark and fires the timers up to it."""
        self._watermark(0, watermark)

    def process_watermark_status(self, status: WatermarkStatus) -> None:
        """Makes the input idle or active."""
        self._status(0, status)


class KeyedOneInputStreamOperatorTestHarness(OneInputStreamOperatorTestHarness):
    """Drives a function of a keyed stream, or whatever is built from it, such as windows.

    Without a key selector each element comes with its key: ``process_element("a", 5, key=1)``.
    """

    def __init__(
        self,
        operator: Any,
        key_selector: Any = None,
        key_type: TypeInformation | None = None,
        *,
        input_type: TypeInformation | None = None,
        output_type: TypeInformation | None = None,
        side_outputs: Iterable[OutputTag] | None = None,
        processing_time: int | None = None,
    ) -> None:
        """Makes a harness.

        :param operator: a KeyedProcessFunction or ReduceFunction, or a callable that takes the
            keyed stream and returns another: ``lambda s: s.window(...).reduce(...)``.
        :param key_selector: as for ``key_by``.
        :param key_type: as for ``key_by``.

        The other parameters are those of :class:`OneInputStreamOperatorTestHarness`.
        """
        super().__init__(
            operator,
            input_type=input_type,
            output_type=output_type,
            side_outputs=side_outputs,
            processing_time=processing_time,
        )
        self._key_selector = key_selector
        self._key_type = key_type

    def _copy(self) -> Self:
        return type(self)(
            self._operator,
            self._key_selector,
            self._key_type,
            input_type=self._input_types[0],
            output_type=self._output_type,
            side_outputs=self._declared_tags,
            processing_time=self._processing_time,
        )

    def _build(self, streams: list[DataStream]) -> DataStream:
        keyed = _keyed(streams[0], self._key_selector, self._key_type, self._keys, 0)
        return _applied(keyed, self._operator, self._output_type)

    def _check_key(self, number: int, key: Any) -> None:
        _check_given_key(self._key_selector, key)


class TwoInputStreamOperatorTestHarness(_Harness):
    """Drives a function of two connected streams."""

    def __init__(
        self,
        operator: Any,
        *,
        input_type1: TypeInformation | None = None,
        input_type2: TypeInformation | None = None,
        output_type: TypeInformation | None = None,
        side_outputs: Iterable[OutputTag] | None = None,
        processing_time: int | None = None,
    ) -> None:
        """Makes a harness.

        :param operator: a CoMapFunction, CoFlatMapFunction or CoProcessFunction, or a callable
            that takes the ConnectedStreams and returns a stream.
        :param input_type1: type of the first stream; any Python object when left out.
        :param input_type2: type of the second stream; likewise.

        The other parameters are those of :class:`OneInputStreamOperatorTestHarness`.
        """
        super().__init__(
            operator, output_type, side_outputs, processing_time, [input_type1, input_type2]
        )

    def _copy(self) -> Self:
        return type(self)(self._operator, **self._options())

    def _options(self) -> dict[str, Any]:
        return {
            "input_type1": self._input_types[0],
            "input_type2": self._input_types[1],
            "output_type": self._output_type,
            "side_outputs": self._declared_tags,
            "processing_time": self._processing_time,
        }

    def _connected(self, streams: list[DataStream]) -> Any:
        return streams[0].connect(streams[1])

    def _build(self, streams: list[DataStream]) -> DataStream:
        connected: ConnectedStreams = self._connected(streams)
        operator, output_type = self._operator, self._output_type
        if isinstance(operator, CoMapFunction):
            return connected.map(operator, output_type)
        if isinstance(operator, CoFlatMapFunction):
            return connected.flat_map(operator, output_type)
        if hasattr(operator, "process_element1") or isinstance(operator, (Function, type)):
            return connected.process(operator, output_type)
        result: DataStream = operator(connected)
        return result

    def process_element1(
        self, value: Any, timestamp: int | None = None, key: Any = _MISSING
    ) -> None:
        """Gives one element to the first input, as ``process_element`` of the other harnesses."""
        self._element(0, value, timestamp, key)

    def process_element2(
        self, value: Any, timestamp: int | None = None, key: Any = _MISSING
    ) -> None:
        """Gives one element to the second input."""
        self._element(1, value, timestamp, key)

    def process_watermark1(self, watermark: int | Watermark) -> None:
        """Moves the first input's event time; the operator's is the smaller of both."""
        self._watermark(0, watermark)

    def process_watermark2(self, watermark: int | Watermark) -> None:
        """Moves the second input's event time."""
        self._watermark(1, watermark)

    def process_both_watermarks(self, watermark: int | Watermark) -> None:
        """Moves the event time of both inputs."""
        self._watermark(0, watermark)
        self._watermark(1, watermark)

    def process_watermark_status1(self, status: WatermarkStatus) -> None:
        """Makes the first input idle or active."""
        self._status(0, status)

    def process_watermark_status2(self, status: WatermarkStatus) -> None:
        """Makes the second input idle or active."""
        self._status(1, status)


class KeyedTwoInputStreamOperatorTestHarness(TwoInputStreamOperatorTestHarness):
    """Drives a function of two connected streams with keys.

    Without key selectors each element comes with its key: ``process_element1("a", 5, key=1)``.
    """

    def __init__(
        self,
        operator: Any,
        key_selector1: Any = None,
        key_selector2: Any = None,
        key_type: TypeInformation | None = None,
        *,
        input_type1: TypeInformation | None = None,
        input_type2: TypeInformation | None = None,
        output_type: TypeInformation | None = None,
        side_outputs: Iterable[OutputTag] | None = None,
        processing_time: int | None = None,
    ) -> None:
        """Makes a harness.

        :param operator: a KeyedCoProcessFunction, or what TwoInputStreamOperatorTestHarness takes.
        :param key_selector1: of the first stream, as for ``key_by``.
        :param key_selector2: of the second stream.
        :param key_type: of both.

        The other parameters are those of :class:`TwoInputStreamOperatorTestHarness`.
        """
        super().__init__(
            operator,
            input_type1=input_type1,
            input_type2=input_type2,
            output_type=output_type,
            side_outputs=side_outputs,
            processing_time=processing_time,
        )
        self._key_selectors = [key_selector1, key_selector2]
        self._key_type = key_type

    def _copy(self) -> Self:
        first, second = self._key_selectors
        return type(self)(self._operator, first, second, self._key_type, **self._options())

    def _connected(self, streams: list[DataStream]) -> Any:
        first, second = (
            _keyed(stream, selector, self._key_type, self._keys, number)
            for number, (stream, selector) in enumerate(
                zip(streams, self._key_selectors, strict=True)
            )
        )
        return first.connect(second)

    def _check_key(self, number: int, key: Any) -> None:
        _check_given_key(self._key_selectors[number], key)


class BroadcastOperatorTestHarness(_Harness):
    """Drives a BroadcastProcessFunction: elements on one side, broadcast elements on the other."""

    def __init__(
        self,
        operator: Any,
        *descriptors: MapStateDescriptor,
        input_type: TypeInformation | None = None,
        broadcast_type: TypeInformation | None = None,
        output_type: TypeInformation | None = None,
        side_outputs: Iterable[OutputTag] | None = None,
        processing_time: int | None = None,
    ) -> None:
        """Makes a harness.

        :param operator: a BroadcastProcessFunction.
        :param descriptors: of the broadcast states, as for ``broadcast(...)``.
        :param input_type: type of the elements; any Python object when left out.
        :param broadcast_type: type of the broadcast elements; likewise.

        The other parameters are those of :class:`OneInputStreamOperatorTestHarness`.
        """
        super().__init__(
            operator, output_type, side_outputs, processing_time, [input_type, broadcast_type]
        )
        self._descriptors = descriptors

    def _copy(self) -> Self:
        return type(self)(self._operator, *self._descriptors, **self._options())

    def _options(self) -> dict[str, Any]:
        return {
            "input_type": self._input_types[0],
            "broadcast_type": self._input_types[1],
            "output_type": self._output_type,
            "side_outputs": self._declared_tags,
            "processing_time": self._processing_time,
        }

    def _elements(self, stream: DataStream) -> DataStream:
        return stream

    def _build(self, streams: list[DataStream]) -> DataStream:
        rules = streams[1].broadcast(*self._descriptors)
        connected = self._elements(streams[0]).connect(rules)
        result: DataStream = connected.process(self._operator, self._output_type)
        return result

    def process_element(
        self, value: Any, timestamp: int | None = None, key: Any = _MISSING
    ) -> None:
        """Gives an element to the side that is not broadcast."""
        self._element(0, value, timestamp, key)

    def process_broadcast_element(self, value: Any, timestamp: int | None = None) -> None:
        """Gives an element to the broadcast side."""
        job = self._running()
        if isinstance(value, StreamRecord):
            value, timestamp = value.value, value.timestamp
        self._scripts[1].element(value, timestamp)
        job.run_until_idle()

    def process_watermark(self, watermark: int | Watermark) -> None:
        """Moves the elements' event time; the operator's is the smaller of both sides."""
        self._watermark(0, watermark)

    def process_broadcast_watermark(self, watermark: int | Watermark) -> None:
        """Moves the broadcast side's event time."""
        self._watermark(1, watermark)

    def process_both_watermarks(self, watermark: int | Watermark) -> None:
        """Moves the event time of both sides."""
        self._watermark(0, watermark)
        self._watermark(1, watermark)


class KeyedBroadcastOperatorTestHarness(BroadcastOperatorTestHarness):
    """Drives a KeyedBroadcastProcessFunction.

    Without a key selector each element comes with its key: ``process_element("a", 5, key=1)``.
    """

    def __init__(
        self,
        operator: Any,
        *descriptors: MapStateDescriptor,
        key_selector: Any = None,
        key_type: TypeInformation | None = None,
        input_type: TypeInformation | None = None,
        broadcast_type: TypeInformation | None = None,
        output_type: TypeInformation | None = None,
        side_outputs: Iterable[OutputTag] | None = None,
        processing_time: int | None = None,
    ) -> None:
        """Makes a harness.

        :param operator: a KeyedBroadcastProcessFunction.
        :param key_selector: of the elements, as for ``key_by``.
        :param key_type: likewise.

        The other parameters are those of :class:`BroadcastOperatorTestHarness`.
        """
        super().__init__(
            operator,
            *descriptors,
            input_type=input_type,
            broadcast_type=broadcast_type,
            output_type=output_type,
            side_outputs=side_outputs,
            processing_time=processing_time,
        )
        self._key_selector = key_selector
        self._key_type = key_type

    def _options(self) -> dict[str, Any]:
        return {
            **super()._options(),
            "key_selector": self._key_selector,
            "key_type": self._key_type,
        }

    def _elements(self, stream: DataStream) -> DataStream:
        return _keyed(stream, self._key_selector, self._key_type, self._keys, 0)

    def _check_key(self, number: int, key: Any) -> None:
        _check_given_key(self._key_selector, key)


class ProcessFunctionTestHarnesses:
    """Upstream's short ways to an open harness of a process function."""

    __test__ = False

    @staticmethod
    def for_process_function(function: Any, **options: Any) -> OneInputStreamOperatorTestHarness:
        """A harness of a ProcessFunction."""
        return OneInputStreamOperatorTestHarness(function, **options).open()

    @staticmethod
    def for_keyed_process_function(
        function: Any,
        key_selector: Any = None,
        key_type: TypeInformation | None = None,
        **options: Any,
    ) -> KeyedOneInputStreamOperatorTestHarness:
        """A harness of a KeyedProcessFunction."""
        return KeyedOneInputStreamOperatorTestHarness(
            function, key_selector, key_type, **options
        ).open()

    @staticmethod
    def for_co_process_function(function: Any, **options: Any) -> TwoInputStreamOperatorTestHarness:
        """A harness of a CoProcessFunction."""
        return TwoInputStreamOperatorTestHarness(function, **options).open()

    @staticmethod
    def for_keyed_co_process_function(
        function: Any,
        key_selector1: Any = None,
        key_selector2: Any = None,
        key_type: TypeInformation | None = None,
        **options: Any,
    ) -> KeyedTwoInputStreamOperatorTestHarness:
        """A harness of a KeyedCoProcessFunction."""
        return KeyedTwoInputStreamOperatorTestHarness(
            function, key_selector1, key_selector2, key_type, **options
        ).open()

    @staticmethod
    def for_broadcast_process_function(
        function: Any, *descriptors: MapStateDescriptor, **options: Any
    ) -> BroadcastOperatorTestHarness:
        """A harness of a BroadcastProcessFunction."""
        return BroadcastOperatorTestHarness(function, *descriptors, **options).open()

    @staticmethod
    def for_keyed_broadcast_process_function(
        function: Any,
        key_selector: Any = None,
        key_type: TypeInformation | None = None,
        *descriptors: MapStateDescriptor,
        **options: Any,
    ) -> KeyedBroadcastOperatorTestHarness:
        """A harness of a KeyedBroadcastProcessFunction."""
        return KeyedBroadcastOperatorTestHarness(
            function, *descriptors, key_selector=key_selector, key_type=key_type, **options
        ).open()


# -- applying functions ----------------------------------------------------------------------------


def _keyed(
    stream: DataStream,
    key_selector: Any,
    key_type: TypeInformation | None,
    given: list[Any],
    number: int,
) -> KeyedStream:
    if key_selector is None:
        # Functions are not copied for a subtask, so this one sees what the harness puts there.
        def key_selector(value: Any) -> Any:
            return given[number]

    return stream.key_by(key_selector, key_type)


def _check_given_key(key_selector: Any, key: Any) -> None:
    if key_selector is None and key is _MISSING:
        raise TypeError(
            "the harness has no key selector: give each element its key, as in"
            " process_element(value, timestamp, key=...), or make the harness with one"
        )
    if key_selector is not None and key is not _MISSING:
        raise TypeError(
            "key= is for harnesses without a key selector; this one takes the key from the value"
        )


_WINDOW_FUNCTIONS = (
    AggregateFunction,
    AllWindowFunction,
    ProcessAllWindowFunction,
    ProcessWindowFunction,
    WindowFunction,
)


def _applied(stream: Any, operator: Any, output_type: TypeInformation | None) -> DataStream:
    """The stream that the function's class, or the user's builder, makes of `stream`."""
    result: DataStream
    if isinstance(operator, MapFunction):
        result = stream.map(operator, output_type)
    elif isinstance(operator, FlatMapFunction):
        result = stream.flat_map(operator, output_type)
    elif isinstance(operator, FilterFunction):
        result = stream.filter(operator)
    elif isinstance(operator, ReduceFunction):
        result = stream.reduce(operator)
    elif isinstance(operator, _WINDOW_FUNCTIONS):
        raise TypeError(
            f"{type(operator).__name__} works on windows: build them, for instance with"
            " KeyedOneInputStreamOperatorTestHarness(lambda stream:"
            " stream.window(TumblingEventTimeWindows.of(Time.seconds(10))).process(function),"
            " key_selector)"
        )
    elif hasattr(operator, "process_element") or isinstance(operator, (Function, type)):
        result = stream.process(operator, output_type)
    elif callable(operator):
        result = operator(stream)
    else:
        raise TypeError(
            "a harness needs a function, such as a ProcessFunction, or a callable that takes the"
            f" stream and returns another, got {operator!r}"
        )
    return result


def _tags_in(operator: Any) -> list[OutputTag]:
    """The output tags that a function's attributes, class, closures and code refer to."""
    tags: dict[str, OutputTag] = {}
    seen: set[int] = set()

    def look(thing: Any, depth: int) -> None:
        if isinstance(thing, OutputTag):
            tags.setdefault(thing.tag_id, thing)
            return
        if depth == 0 or id(thing) in seen:
            return
        seen.add(id(thing))
        code = getattr(thing, "__code__", None)
        if code is not None:
            names = getattr(thing, "__globals__", {})
            for used in _names_in(code):
                look_again(names.get(used), depth)
            for cell in getattr(thing, "__closure__", None) or ():
                try:
                    look_again(cell.cell_contents, depth)
                except ValueError:  # not filled yet
                    continue
        elif isinstance(thing, type):
            for base in thing.__mro__:
                if not base.__module__.startswith("pyflink.") and base is not object:
                    for attribute in vars(base).values():
                        look(attribute, depth - 1)
        elif isinstance(thing, (list, tuple, set)):
            for item in thing:
                look_again(item, depth)
        elif isinstance(thing, dict):
            for item in thing.values():
                look_again(item, depth)
        elif hasattr(thing, "__dict__"):
            for attribute in vars(thing).values():
                look_again(attribute, depth)
            look(type(thing), depth)

    def look_again(thing: Any, depth: int) -> None:
        """Follows only what may be part of the function: not modules and the like."""
        if isinstance(thing, (OutputTag, list, tuple, set, dict)) or (
            isinstance(thing, Function)
            or (isinstance(thing, type) and issubclass(thing, Function))
            or hasattr(thing, "__code__")
        ):
            look(thing, depth - 1)

    look(operator, 5)
    return list(tags.values())


def _names_in(code: Any) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if hasattr(constant, "co_names"):
            names |= _names_in(constant)
    return names
