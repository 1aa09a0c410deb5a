"""Keyed state, timers, broadcast state and windows, as Python functions see them."""

from __future__ import annotations

from typing import Any

import pytest
from graphs import Pipeline, drain

from pyflink import _native

D = _native.StateDescriptor
T = _native.LogicalType


class Handled:
    """A keyed function that gets its state from the native handle."""

    def open(self, context: Any) -> None:
        self.handle = context._handle
        self.prepare()

    def prepare(self) -> None:
        pass


def keyed(values: list[Any], function: Any, **options: Any) -> list[Any]:
    pipeline = Pipeline().source(values).key_by(lambda value: value % 2)
    return pipeline.add("process", function=function, **options).collect()


def test_value_state_is_per_key_and_isolated() -> None:
    class Lists(Handled):
        def prepare(self) -> None:
            self.state = self.handle.get_state(D("value", "items"))

        def process_element(self, value: int, ctx: Any) -> Any:
            items = self.state.value() or []
            items.append(value)
            self.state.update(items)
            yield items

    assert keyed([1, 2, 3, 5], Lists()) == [[1], [2], [1, 3], [1, 3, 5]]


def test_typed_value_state_coerces() -> None:
    class Typed(Handled):
        def prepare(self) -> None:
            row = T.row(["n", "name"], [T.simple("small_int"), T.simple("string")])
            self.state = self.handle.get_state(D("value", "row", value_type=row))

        def process_element(self, value: int, ctx: Any) -> Any:
            self.state.update((value + 65536, "x"))
            row = self.state.value()
            yield row.n, row["name"]
            self.state.clear()
            yield self.state.value()

    assert keyed([7], Typed()) == [(7, "x"), None]


def test_list_state() -> None:
    class Lists(Handled):
        def prepare(self) -> None:
            self.state = self.handle.get_state(D("list", "l", value_type=T.simple("big_int")))

        def process_element(self, value: int, ctx: Any) -> Any:
            self.state.add(value)
            self.state.add_all([10, 20])
            yield list(self.state.get()), list(self.state)
            self.state.update([1])
            yield list(self.state)
            self.state.clear()
            yield list(self.state)

    assert keyed([2], Lists()) == [([2, 10, 20], [2, 10, 20]), [1], []]


def test_map_state_behaves_like_a_dict() -> None:
    class Maps(Handled):
        def prepare(self) -> None:
            self.state = self.handle.get_state(D("map", "m"))

        def process_element(self, value: int, ctx: Any) -> Any:
            state = self.state
            yield state.is_empty()
            state.put("a", 1)
            state["b"] = [2]
            state.put_all({("t", 1): 3})
            yield "a" in state, state.contains("zz"), state.get("zz"), state["b"]
            yield list(state.items()), list(state.keys()), list(state.values()), list(state)
            state.remove("a")
            del state["b"]
            yield list(state)
            state.clear()
            yield state.is_empty()

    assert keyed([2], Maps()) == [
        True,
        (True, False, None, [2]),
        (
            [("a", 1), ("b", [2]), (("t", 1), 3)],
            ["a", "b", ("t", 1)],
            [1, [2], 3],
            ["a", "b", ("t", 1)],
        ),
        [("t", 1)],
        True,
    ]


@pytest.mark.parametrize(
    ("pairs", "text"),
    [
        ([1], "MapState.put_all.*gave 1 instead of a .key, value. pair"),
        ([("a",)], r"gave \('a',\) instead"),
        ([("a", 1, 2)], "instead of a .key, value. pair"),
    ],
)
def test_put_all_of_what_is_no_mapping(pairs: list[Any], text: str) -> None:
    class Odd:
        def items(self) -> list[Any]:
            return pairs

        def keys(self) -> list[Any]:
            return []

    class Maps(Handled):
        def prepare(self) -> None:
            self.state = self.handle.get_state(D("map", "m"))

        def process_element(self, value: int, ctx: Any) -> Any:
            self.state.put_all(Odd())
            yield value

    with pytest.raises(TypeError, match=text):
        keyed([1], Maps())


def test_put_all_takes_pairs_that_are_lists() -> None:
    class Pairs:
        def items(self) -> list[Any]:
            return [["a", 1], ("b", 2)]

    class Maps(Handled):
        def prepare(self) -> None:
            self.state = self.handle.get_state(D("map", "m"))

        def process_element(self, value: int, ctx: Any) -> Any:
            self.state.put_all(Pairs())
            yield sorted(self.state.items())

    assert keyed([1], Maps()) == [[("a", 1), ("b", 2)]]


def test_a_list_that_shrinks_while_it_is_put_into_state() -> None:
    class Clearing:
        def __init__(self, values: list[Any]) -> None:
            self.values = values

        def __index__(self) -> int:
            self.values.clear()
            return 1

    class Lists(Handled):
        def prepare(self) -> None:
            self.state = self.handle.get_state(D("list", "l", value_type=T.simple("big_int")))

        def process_element(self, value: int, ctx: Any) -> Any:
            values: list[Any] = []
            values.extend([Clearing(values), *([0] * 50)])
            self.state.update(values)
            yield value

    with pytest.raises(RuntimeError, match="list changed size during conversion"):
        keyed([1], Lists())


def test_reducing_and_aggregating_state() -> None:
    class Average:
        def create_accumulator(self) -> Any:
            return (0, 0)

        def add(self, value: int, accumulator: Any) -> Any:
            return accumulator[0] + value, accumulator[1] + 1

        def get_result(self, accumulator: Any) -> float:
            return accumulator[0] / accumulator[1]

        def merge(self, a: Any, b: Any) -> Any:
            return a[0] + b[0], a[1] + b[1]

    class Both(Handled):
        def prepare(self) -> None:
            self.sum = self.handle.get_state(D("reducing", "s", function=lambda a, b: a + b))
            self.average = self.handle.get_state(D("aggregating", "a", function=Average()))

        def process_element(self, value: int, ctx: Any) -> Any:
            self.sum.add(value)
            self.average.add(value)
            yield self.sum.get(), self.average.get()

    assert keyed([2, 4], Both()) == [(2, 2.0), (6, 3.0)]


def test_state_of_a_closed_function_is_refused() -> None:
    kept: list[Any] = []

    class Keeps(Handled):
        def prepare(self) -> None:
            kept.append(self.handle.get_state(D("value", "v")))

        def process_element(self, value: int, ctx: Any) -> Any:
            kept.append(ctx)

    keyed([1], Keeps())
    with pytest.raises(ValueError, match="after its function was closed"):
        kept[0].value()
    with pytest.raises(ValueError, match="outside of the call"):
        kept[1].timestamp()


def test_state_without_keys_says_what_to_do() -> None:
    class Wants(Handled):
        def prepare(self) -> None:
            self.handle.get_state(D("value", "v"))

        def process_element(self, value: int, ctx: Any) -> Any:
            yield value

    with pytest.raises(ValueError, match="key_by"):
        Pipeline().source([1]).add("process", function=Wants()).collect()


def test_event_timers_fire_at_the_end_with_their_key() -> None:
    class Timers:
        def process_element(self, value: int, ctx: Any) -> Any:
            ctx.timer_service().register_event_time_timer(value * 10)
            ctx.timer_service().register_event_time_timer(77)
            ctx.timer_service().delete_event_time_timer(77)
            yield ctx.get_current_key(), ctx.timestamp()

        def on_timer(self, timestamp: int, ctx: Any) -> Any:
            yield timestamp, ctx.timestamp(), ctx.get_current_key(), ctx.time_domain().name

    lowest = -(2**63)
    assert keyed([2, 1], Timers()) == [
        (0, lowest),
        (1, lowest),
        (10, 10, 1, "EVENT_TIME"),
        (20, 20, 0, "EVENT_TIME"),
    ]


def test_broadcast_state_is_read_only_on_the_element_side() -> None:
    rules = D("map", "rules")

    class Rules:
        def process_element(self, value: int, ctx: Any) -> Any:
            state = ctx.get_broadcast_state(rules)
            try:
                state.put("x", 1)
            except ValueError as error:
                yield "read-only" in str(error)

        def process_broadcast_element(self, value: int, ctx: Any) -> Any:
            state = ctx.get_broadcast_state(rules)
            state.put("k", value)
            yield list(state.items()), "k" in state, state.get("none")

    pipeline = Pipeline()
    left = pipeline.source([1]).last
    right = pipeline.source([7]).last
    pipeline.add(
        "broadcast_process",
        function=Rules(),
        descriptors=[rules],
        inputs=[_native.Edge(left), _native.Edge(right, "broadcast", input=1)],
    )
    result = pipeline.collect()
    assert True in result
    assert ([("k", 7)], True, None) in result


def stamped(values: list[Any], **window: Any) -> Pipeline:
    """(key, milliseconds, number) rows with timestamps, keyed."""
    pipeline = Pipeline().source(values)
    pipeline.add("timestamps", watermarks=(("bounded", 0), lambda v, ts: v[1], 0))
    return pipeline.key_by(lambda value: value[0])


TUMBLING = {"assigner": ("tumbling", "event", 10, 0), "trigger": ("event_time",)}
ROWS = [("a", 1, 1), ("a", 9, 2), ("b", 3, 5), ("a", 12, 4)]


def test_tumbling_window_with_a_process_function() -> None:
    class Process:
        def process(self, key: str, context: Any, elements: Any) -> Any:
            window = context.window()
            yield key, window.start, window.end, [e[2] for e in elements]

    result = stamped(ROWS).add("window", function=Process(), function_kind="process", **TUMBLING)
    assert sorted(result.collect()) == [
        ("a", 0, 10, [1, 2]),
        ("a", 10, 20, [4]),
        ("b", 0, 10, [5]),
    ]


def test_tumbling_window_with_reduce_and_apply() -> None:
    class Apply:
        def apply(self, key: str, window: Any, inputs: Any) -> Any:
            return [(key, window.max_timestamp(), next(iter(inputs))[2])]

    window = stamped(ROWS).add(
        "window",
        reduce=lambda a, b: (a[0], a[1], a[2] + b[2]),
        function=Apply(),
        function_kind="apply",
        **TUMBLING,
    )
    assert sorted(window.collect()) == [("a", 9, 3), ("a", 19, 4), ("b", 9, 5)]


def test_aggregate_without_a_window_function() -> None:
    class Count:
        def create_accumulator(self) -> int:
            return 0

        def add(self, value: Any, accumulator: int) -> int:
            return accumulator + 1

        def get_result(self, accumulator: int) -> int:
            return accumulator

        def merge(self, a: int, b: int) -> int:
            return a + b

    assert sorted(stamped(ROWS).add("window", aggregate=Count(), **TUMBLING).collect()) == [1, 1, 2]


def test_count_windows_and_global_state() -> None:
    class Numbered:
        def process(self, key: str, context: Any, elements: Any) -> Any:
            state = context.global_state().get_state(D("value", "n"))
            number = (state.value() or 0) + 1
            state.update(number)
            yield key, number, context.window().id, len(list(elements))

    window = stamped([("a", i, i) for i in range(5)]).add(
        "window",
        assigner=("count_tumbling", 2),
        trigger=("count", 2),
        function=Numbered(),
        function_kind="process",
    )
    assert window.collect() == [("a", 1, 0, 2), ("a", 2, 1, 2)]


def test_python_trigger_and_assigner() -> None:
    from pyflink.datastream.window import TimeWindow, TriggerResult

    class Every:
        def assign_windows(self, element: Any, timestamp: int, context: Any) -> Any:
            return [TimeWindow(0, 100)]

        def is_event_time(self) -> bool:
            return True

    class Second:
        def on_element(self, element: Any, timestamp: int, window: Any, ctx: Any) -> Any:
            count = ctx.get_partitioned_state(D("reducing", "c", function=lambda a, b: a + b))
            count.add(1)
            if count.get() == 2:
                count.clear()
                return TriggerResult.FIRE_AND_PURGE
            return TriggerResult.CONTINUE

        def on_processing_time(self, time: int, window: Any, ctx: Any) -> Any:
            return TriggerResult.CONTINUE

        def on_event_time(self, time: int, window: Any, ctx: Any) -> Any:
            return TriggerResult.CONTINUE

        def clear(self, window: Any, ctx: Any) -> None:
            pass

    class Numbers:
        def process(self, key: str, context: Any, elements: Any) -> Any:
            yield [e[2] for e in elements]

    window = stamped([("a", i, i) for i in range(5)]).add(
        "window",
        assigner=("python", Every()),
        trigger=("python", Second()),
        function=Numbers(),
        function_kind="process",
    )
    assert window.collect() == [[0, 1], [2, 3]]


def test_late_records_go_to_their_side_output() -> None:
    class Marks:
        def on_event(self, event: Any, timestamp: int, output: Any) -> None:
            output.emit_watermark(timestamp)

        def on_periodic_emit(self, output: Any) -> None:
            pass

    graph = _native.StreamGraph()
    source = graph.add("collection", "s", params={"values": [("a", 5), ("a", 25), ("a", 3)]})
    stamp = graph.add(
        "timestamps",
        "t",
        inputs=[_native.Edge(source)],
        params={"watermarks": (("python", Marks), lambda v, ts: v[1], 0)},
    )
    key = graph.add(
        "key_by", "k", inputs=[_native.Edge(stamp)], params={"function": lambda v: v[0]}
    )
    window = graph.add(
        "window",
        "w",
        keyed=True,
        inputs=[_native.Edge(key, "hash")],
        params={"reduce": lambda a, b: a, "late_tag": 0, **TUMBLING},
    )
    main, late = _native.CollectQueue(), _native.CollectQueue()
    graph.add("collect", "m", inputs=[_native.Edge(window)], params={"queue": main})
    graph.add("collect", "l", inputs=[_native.Edge(window, side=0)], params={"queue": late})
    job = graph.start("late", {})
    assert drain(job, main) == [("a", 5), ("a", 25)]
    assert drain(job, late) == [("a", 3)]
