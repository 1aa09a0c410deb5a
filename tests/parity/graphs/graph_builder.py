"""Builds a pipeline from a graph's description with whichever `pyflink` the interpreter imports.

A graph is data (JSON):

    {"mode": "streaming" | "batch", "engine": PyFlink's execution mode, "thread" | "process",
     "nodes": [node, ...],          each node makes one stream
     "outputs": [{"node": 3, "side": null | "side" | "late", "order": "total" | "key" | "none"}]}

A node is `{"op": ..., "in": [earlier nodes], "shape": [form, key type, value type], ...}`; the
other fields are the operation's parameters. `order` says what of an output's order is defined.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import graph_functions as functions
from graph_functions import Key, Shape

from pyflink.common import Configuration, Duration, Time, Types, WatermarkStrategy
from pyflink.datastream import RuntimeExecutionMode, StreamExecutionEnvironment
from pyflink.datastream.window import (
    ContinuousEventTimeTrigger,
    CountTrigger,
    EventTimeSessionWindows,
    EventTimeTrigger,
    GlobalWindows,
    PurgingTrigger,
    SlidingEventTimeWindows,
    TumblingEventTimeWindows,
)

NEVER_MS = 3_600_000
"""The interval of periodic watermarks: none before the end of the input, on either engine."""


def environment(mode: str, options: dict[str, str] | None = None) -> StreamExecutionEnvironment:
    """A fresh environment of the job's mode."""
    configuration = Configuration()
    for key, value in (options or {}).items():
        configuration.set_string(key, value)
    env = StreamExecutionEnvironment.get_execution_environment(configuration)
    env.set_runtime_mode(
        RuntimeExecutionMode.BATCH if mode == "batch" else RuntimeExecutionMode.STREAMING
    )
    env.set_parallelism(1)
    env.get_config().set_auto_watermark_interval(NEVER_MS)
    return env


def strategy(watermarks: dict[str, Any]) -> WatermarkStrategy:
    """The watermark strategy of a source or of `assign`."""
    kind = watermarks["kind"]
    if kind == "per_record":
        delay, every = watermarks["delay"], watermarks["every"]
        if hasattr(WatermarkStrategy, "for_generator"):
            made = WatermarkStrategy.for_generator(
                lambda *_: functions.PerRecordGenerator(delay, every)
            )
        else:
            from pyflink.java_gateway import get_gateway

            made = WatermarkStrategy(
                get_gateway().jvm.flott.explore.PerRecordWatermarks(delay, every)
            )
    elif kind == "bounded":
        made = WatermarkStrategy.for_bounded_out_of_orderness(
            Duration.of_millis(watermarks["delay"])
        )
    elif kind == "no":
        made = WatermarkStrategy.no_watermarks()
    else:
        made = WatermarkStrategy.for_monotonous_timestamps()
    return made.with_timestamp_assigner(functions.ThirdField())


class Builder:
    """Adds graphs to an environment."""

    def __init__(self, env: StreamExecutionEnvironment) -> None:
        self.env = env

    def build(self, number: int, graph: dict[str, Any]) -> list[Any]:
        """The described outputs of one graph, each a stream of JSON text."""
        streams: list[Any] = []
        for node in graph["nodes"]:
            shape = Shape(*node["shape"])
            inputs = [streams[i] for i in node.get("in", [])]
            stream = getattr(self, "op_" + node["op"])(node, shape, *inputs)
            if node.get("parallelism"):
                stream.set_parallelism(node["parallelism"])
            streams.append(stream)
        outputs = []
        for index, output in enumerate(graph["outputs"]):
            stream = streams[output["node"]]
            if output.get("side"):
                node = graph["nodes"][output["node"]]
                stream = stream.get_side_output(self.tag(node, output["side"]))
            # PyFlink's thread mode gives no timestamps to side outputs; its default mode does.
            stamped = not (output.get("side") and graph["engine"] == "thread")
            outputs.append(
                stream.process(functions.Describe(number, index, stamped), Types.STRING())
            )
        return outputs

    @staticmethod
    def tag(node: dict[str, Any], side: str) -> Any:
        shape = node["late_shape"] if side == "late" else node["shape"]
        return functions.side_tag(side, Shape(*shape))

    def side(self, node: dict[str, Any]) -> Any:
        return self.tag(node, "side") if node.get("side") else None

    # Sources and what keeps streams as they are

    def op_source(self, node: dict[str, Any], shape: Shape) -> Any:
        records = [shape.make(*record) for record in node["records"]]
        stream = self.env.from_collection(records, type_info=shape.type_info())
        if node["watermarks"]:
            stream = stream.assign_timestamps_and_watermarks(strategy(node["watermarks"]))
        return stream

    def op_assign(self, node: dict[str, Any], shape: Shape, stream: Any) -> Any:
        return stream.assign_timestamps_and_watermarks(strategy(node["watermarks"]))

    def op_partition(self, node: dict[str, Any], shape: Shape, stream: Any) -> Any:
        how = node["how"]
        if how == "custom":
            stream = stream.partition_custom(lambda key, n: abs(hash_of(key)) % n, Key("k"))
        else:
            stream = getattr(stream, how)()
        return stream.map(functions.Mapper("same", 0, shape), shape.type_info())

    def op_union(self, node: dict[str, Any], shape: Shape, first: Any, *rest: Any) -> Any:
        return first.union(*rest)

    # One record at a time

    def op_map(self, node: dict[str, Any], shape: Shape, stream: Any) -> Any:
        return stream.map(functions.Mapper(node["kind"], node["n"], shape), shape.type_info())

    def op_filter(self, node: dict[str, Any], shape: Shape, stream: Any) -> Any:
        return stream.filter(functions.Keep(node["kind"], node["n"]))

    def op_flat_map(self, node: dict[str, Any], shape: Shape, stream: Any) -> Any:
        return stream.flat_map(functions.Flat(node["kind"], node["n"], shape), shape.type_info())

    def op_process(self, node: dict[str, Any], shape: Shape, stream: Any) -> Any:
        function = functions.Stamped(node["kind"], node["n"], shape, self.side(node))
        return stream.process(function, shape.type_info())

    # Per key

    @staticmethod
    def keyed(node: dict[str, Any], stream: Any) -> Any:
        key = node["key"]
        selector = Key(key["by"], key.get("n", 0))
        if not key["typed"]:
            return stream.key_by(selector)
        if key["by"] == "k":
            kind = functions.FIELD_TYPES[key["type"]]()
        elif key["by"] == "pair":
            kind = Types.TUPLE([functions.FIELD_TYPES[key["type"]](), Types.INT()])
        else:
            kind = Types.INT()
        return stream.key_by(selector, key_type=kind)

    def op_reduce(self, node: dict[str, Any], shape: Shape, stream: Any) -> Any:
        return self.keyed(node, stream).reduce(functions.Add(node["kind"], shape))

    def op_rolling(self, node: dict[str, Any], shape: Shape, stream: Any) -> Any:
        return getattr(self.keyed(node, stream), node["how"])(node["field"])

    def op_running(self, node: dict[str, Any], shape: Shape, stream: Any) -> Any:
        function = functions.Running(node["state"], node["limit"], shape, self.side(node))
        return self.keyed(node, stream).process(function, shape.type_info())

    def op_keyed_flat_map(self, node: dict[str, Any], shape: Shape, stream: Any) -> Any:
        function = functions.KeyedFlat(node["state"], node["n"], shape)
        return self.keyed(node, stream).flat_map(function, shape.type_info())

    def op_keyed_map(self, node: dict[str, Any], shape: Shape, stream: Any) -> Any:
        function = functions.KeyedMap(node["state"], shape)
        return self.keyed(node, stream).map(function, shape.type_info())

    def op_keyed_filter(self, node: dict[str, Any], shape: Shape, stream: Any) -> Any:
        return self.keyed(node, stream).filter(functions.KeyedKeep(node["n"]))

    def op_flush(self, node: dict[str, Any], shape: Shape, stream: Any) -> Any:
        function = functions.Flush(
            node["kind"], node["state"], node["n"], node["clear"], shape, self.side(node)
        )
        return self.keyed(node, stream).process(function, shape.type_info())

    # Windows

    @staticmethod
    def assigner(window: dict[str, Any]) -> Any:
        kind, size = window["kind"], window.get("size")
        if kind == "tumbling":
            if window.get("offset"):
                return TumblingEventTimeWindows.of(
                    Time.milliseconds(size), Time.milliseconds(window["offset"])
                )
            return TumblingEventTimeWindows.of(Time.milliseconds(size))
        if kind == "sliding":
            times = [Time.milliseconds(size), Time.milliseconds(window["slide"])]
            if window.get("offset"):
                times.append(Time.milliseconds(window["offset"]))
            return SlidingEventTimeWindows.of(*times)
        if kind == "session":
            return EventTimeSessionWindows.with_gap(Time.milliseconds(size))
        if kind == "dynamic":
            return EventTimeSessionWindows.with_dynamic_gap(functions.GapOfRecord(size))
        return GlobalWindows.create()

    @staticmethod
    def trigger(trigger: dict[str, Any]) -> Any:
        kind = trigger["kind"]
        if kind == "event":
            return EventTimeTrigger.create()
        if kind == "purging_event":
            return PurgingTrigger.of(EventTimeTrigger.create())
        if kind == "count":
            return CountTrigger.of(trigger["n"])
        if kind == "purging_count":
            return PurgingTrigger.of(CountTrigger.of(trigger["n"]))
        if kind == "continuous":
            return ContinuousEventTimeTrigger.of(Time.milliseconds(trigger["n"]))
        return functions.EveryNth(trigger["n"], kind == "nth_purging")

    def windowed(self, node: dict[str, Any], stream: Any) -> Any:
        window = node["window"]
        keyed = None if node["all"] else self.keyed(node, stream)
        if window["kind"] == "count":
            sizes = [window["size"], *([window["slide"]] if window.get("slide") else [])]
            made = stream.count_window_all(*sizes) if node["all"] else keyed.count_window(*sizes)
        else:
            assigner = self.assigner(window)
            made = stream.window_all(assigner) if node["all"] else keyed.window(assigner)
        if node.get("trigger"):
            made = made.trigger(self.trigger(node["trigger"]))
        if node.get("lateness"):
            made = made.allowed_lateness(node["lateness"])
        if node.get("late_shape"):
            made = made.side_output_late_data(self.tag(node, "late"))
        return made

    def op_window(self, node: dict[str, Any], shape: Shape, stream: Any) -> Any:
        made = self.windowed(node, stream)
        timed = node["window"]["kind"] not in ("count", "global")
        pre, kind = node["pre"], node["function"]
        if node["all"]:
            function: Any = functions.InAllWindow(kind, shape, timed)
        elif kind and kind.startswith("apply_"):
            function = functions.Applied(kind[len("apply_") :], shape, timed)
        else:
            by_key = node["key"]["by"] == "k"
            function = functions.InWindow(kind, shape, timed, by_key) if kind else None
        kind_info = shape.type_info()
        if pre is None:
            if kind.startswith("apply_"):
                return made.apply(function, kind_info)
            return made.process(function, kind_info)
        if pre["how"] == "reduce":
            reducer = functions.Add(pre["kind"], Shape(*pre["shape"]))
            if not kind:
                return made.reduce(reducer)
            return made.reduce(reducer, window_function=function, output_type=kind_info)
        aggregate = functions.Totals(pre["kind"], Shape(*pre["shape"]), None)
        accumulator = Types.PICKLED_BYTE_ARRAY() if pre.get("typed") else None
        if not kind:
            return made.aggregate(aggregate, accumulator_type=accumulator, output_type=kind_info)
        return made.aggregate(
            aggregate,
            window_function=function,
            accumulator_type=accumulator,
            output_type=kind_info,
        )

    # Two inputs

    def op_co(self, node: dict[str, Any], shape: Shape, one: Any, two: Any) -> Any:
        kind, kind_info = node["kind"], shape.type_info()
        connected = one.connect(two)
        if node.get("key"):
            selector = Key(node["key"]["by"], node["key"].get("n", 0))
            connected = connected.key_by(selector, Key(selector.by, selector.n))
        if kind == "map":
            return connected.map(functions.CoMapper(node["n"], shape), kind_info)
        if kind == "flat_map":
            return connected.flat_map(functions.CoFlat(node["n"], shape), kind_info)
        if kind == "gather":
            function: Any = functions.CoGather(node["state"], node["n"], shape, self.side(node))
        else:
            function = functions.CoProcess(node["n"], shape, self.side(node))
        return connected.process(function, kind_info)

    def op_broadcast(self, node: dict[str, Any], shape: Shape, one: Any, two: Any) -> Any:
        rules = two.broadcast(functions.rules_descriptor())
        if node.get("key"):
            keyed = self.keyed(node, one)
            return keyed.connect(rules).process(
                functions.KeyedRules(node["n"], shape), shape.type_info()
            )
        return one.connect(rules).process(
            functions.Rules(node["n"], shape, self.side(node)), shape.type_info()
        )


def hash_of(key: Any) -> int:
    """The same number in every process."""
    return sum(str(key).encode())


def run_job(
    graphs: Iterable[tuple[int, dict[str, Any]]], options: dict[str, str], jars: list[str]
) -> dict[int, list[list[list[str]]]]:
    """Runs graphs of one mode and parallelism as one job.

    Gives, for each graph, each output's records as `[first field, text]` in the order they came.
    """
    graphs = list(graphs)
    first = graphs[0][1]
    env = environment(first["mode"], options)
    for jar in jars:
        env.add_jars(jar)
    builder = Builder(env)
    outputs = [stream for number, graph in graphs for stream in builder.build(number, graph)]
    merged = outputs[0].union(*outputs[1:]) if len(outputs) > 1 else outputs[0]
    results: dict[int, list[list[list[str]]]] = {
        number: [[] for _ in graph["outputs"]] for number, graph in graphs
    }
    with merged.execute_and_collect() as lines:
        for line in lines:
            number, output, key, text = json.loads(line)
            results[number][output].append([key, text])
    return results
