"""User functions of every kind, called by the engine."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from graphs import Pipeline, drain

from pyflink import _native
from pyflink.datastream.output_tag import OutputTag


def test_map_filter_flat_map_of_plain_callables() -> None:
    pipeline = Pipeline().source([1, 2, 3, 4])
    pipeline.add("map", function=lambda x: x * 10)
    pipeline.add("filter", function=lambda x: x != 20)
    pipeline.add("flat_map", function=lambda x: [x, x + 1])
    assert pipeline.collect() == [10, 11, 30, 31, 40, 41]


def test_functions_with_methods_are_opened_and_closed() -> None:
    calls: list[Any] = []

    class Mapper:
        def open(self, context: Any) -> None:
            calls.append(("open", context.get_task_name(), context.get_index_of_this_subtask()))

        def map(self, value: int) -> int:
            return -value

        def close(self) -> None:
            calls.append("close")

    assert Pipeline().source([1, 2]).add("map", function=Mapper()).collect() == [-1, -2]
    assert calls == [("open", "Map", 0), "close"]


def test_none_is_a_value_of_map_and_nothing_of_flat_map() -> None:
    assert Pipeline().source([1, None]).add("map", function=lambda x: x).collect() == [1, None]
    assert Pipeline().source([1]).add("flat_map", function=lambda x: None).collect() == []


def test_generators_run_depth_first() -> None:
    trace: list[str] = []

    def source(value: int) -> Any:
        for i in range(2):
            trace.append(f"yield {i}")
            yield i

    def sink(value: int) -> int:
        trace.append(f"seen {value}")
        return value

    Pipeline().source([0]).add("flat_map", function=source).add("map", function=sink).collect()
    assert trace == ["yield 0", "seen 0", "yield 1", "seen 1"]


def test_emitted_values_are_isolated_from_later_changes() -> None:
    class Growing:
        def __init__(self) -> None:
            self.items: list[int] = []

        def flat_map(self, value: int) -> Any:
            self.items.append(value)
            yield self.items

    result = Pipeline().source([1, 2, 3]).add("flat_map", function=Growing()).collect()
    assert result == [[1], [1, 2], [1, 2, 3]]


def test_fan_out_branches_do_not_share_values() -> None:
    graph = _native.StreamGraph()
    source = graph.add("collection", "s", params={"values": [[1], [2]]})
    emit = graph.add("map", "m", inputs=[_native.Edge(source)], params={"function": lambda x: x})
    queues = [_native.CollectQueue(), _native.CollectQueue()]
    for number, queue in enumerate(queues):

        def change(value: list[int], number: int = number) -> list[int]:
            value.append(100 + number)
            return value

        branch = graph.add("map", "b", inputs=[_native.Edge(emit)], params={"function": change})
        graph.add("collect", "c", inputs=[_native.Edge(branch)], params={"queue": queue})
    job = graph.start("fan-out", {})
    job.wait()
    assert drain(job, queues[0]) == [[1, 100], [2, 100]]
    assert drain(job, queues[1]) == [[1, 101], [2, 101]]


def test_a_collection_is_not_changed_by_functions() -> None:
    values = [[1], [2]]

    def change(value: list[int]) -> list[int]:
        value.append(0)
        return value

    assert Pipeline().source(values).add("map", function=change).collect() == [[1, 0], [2, 0]]
    assert values == [[1], [2]]


class Counting:
    def __init__(self) -> None:
        self.seen: list[int] = []

    def map(self, value: int) -> int:
        self.seen.append(value)
        return len(self.seen)


def test_each_subtask_has_its_own_function() -> None:
    function = Counting()
    pipeline = Pipeline().source(list(range(10)))
    pipeline.add("map", function=function, parallelism=2)
    assert sorted(pipeline.collect()) == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert function.seen == []


class Uncopyable:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.calls = 0

    def map(self, value: int) -> int:
        self.calls += 1
        return value


def test_an_uncopyable_function_is_used_as_it_is_at_parallelism_one() -> None:
    function = Uncopyable()
    assert Pipeline().source([1, 2]).add("map", function=function).collect() == [1, 2]
    assert function.calls == 2


def test_an_uncopyable_function_is_refused_above_and_the_attribute_named() -> None:
    pipeline = Pipeline().source([1]).add("map", function=Uncopyable(), parallelism=2)
    with pytest.raises(TypeError, match="'lock'"):
        pipeline.collect()


def test_declared_types_coerce() -> None:
    short = _native.LogicalType.simple("small_int")
    pipeline = Pipeline().source([43878]).add("map", function=lambda x: x, output_type=short)
    assert pipeline.collect() == [-21658]


def test_process_function_and_side_outputs() -> None:
    read, unread = OutputTag("read"), OutputTag("unread")

    class Split:
        def process_element(self, value: int, ctx: Any) -> Any:
            yield value
            if value % 2:
                yield read, -value
            yield unread, value

    graph = _native.StreamGraph()
    source = graph.add("collection", "s", params={"values": [1, 2, 3]})
    split = graph.add(
        "process",
        "p",
        inputs=[_native.Edge(source)],
        params={"function": Split(), "tags": {"read": 0}},
    )
    main, side = _native.CollectQueue(), _native.CollectQueue()
    graph.add("collect", "m", inputs=[_native.Edge(split)], params={"queue": main})
    graph.add("collect", "s", inputs=[_native.Edge(split, side=0)], params={"queue": side})
    job = graph.start("side", {})
    assert drain(job, main) == [1, 2, 3]
    assert drain(job, side) == [-1, -3]


def test_co_functions() -> None:
    class Both:
        def map1(self, value: int) -> Any:
            return ("left", value)

        def map2(self, value: int) -> Any:
            return None if value == 0 else ("right", value)

        def flat_map1(self, value: int) -> Any:
            yield value

        def flat_map2(self, value: int) -> Any:
            yield -value
            yield -value

    for kind, expected in (
        ("co_map", [("left", 1), ("right", 7)]),
        ("co_flat_map", [-7, -7, 1]),
    ):
        pipeline = Pipeline()
        left = pipeline.source([1]).last
        right = pipeline.source([7]).last
        edges = [_native.Edge(left), _native.Edge(right, input=1)]
        pipeline.add(kind, function=Both(), inputs=edges)
        assert sorted(pipeline.collect()) == expected


def test_custom_partitioner_gets_key_and_parallelism() -> None:
    graph = _native.StreamGraph()
    source = graph.add("collection", "s", params={"values": [0, 1, 2, 3]})
    edge = _native.Edge(
        source, "custom", custom=lambda key, n: key % n, key_selector=lambda value: value + 1
    )

    class Where:
        def open(self, context: Any) -> None:
            self.subtask = context.get_index_of_this_subtask()

        def map(self, value: int) -> Any:
            return (value, self.subtask)

    mapped = graph.add("map", "m", inputs=[edge], parallelism=2, params={"function": Where()})
    queue = _native.CollectQueue()
    graph.add("collect", "c", inputs=[_native.Edge(mapped, "rebalance")], params={"queue": queue})
    assert sorted(drain(graph.start("custom", {}), queue)) == [(0, 1), (1, 0), (2, 1), (3, 0)]


def test_keyed_reduce_and_aggregations() -> None:
    rows = [("a", 1), ("b", 5), ("a", 3), ("a", 2)]
    keyed = Pipeline().source(rows).key_by(lambda row: row[0])
    keyed.add("reduce", function=lambda a, b: (a[0], a[1] + b[1]))
    assert keyed.collect() == [("a", 1), ("b", 5), ("a", 4), ("a", 6)]
    for how, expected in (("sum", 6), ("min", 1), ("max", 3), ("max_by", 3)):
        keyed = Pipeline().source(rows).key_by(lambda row: row[0])
        assert keyed.add("aggregation", how=how, field=1).collect()[-1] == ("a", expected)


def test_a_result_that_is_not_iterable_is_a_type_error_that_says_so() -> None:
    class Wrong:
        def process_element(self, value: int, ctx: Any) -> int:
            return value

    with pytest.raises(TypeError, match=r"process_element.*iterable"):
        Pipeline().source([1]).add("process", function=Wrong()).collect()


def test_python_source_stamps_and_ends_by_itself() -> None:
    class Numbers:
        def run(self, ctx: Any) -> None:
            for i in range(5):
                ctx.collect(i)
            ctx.collect_with_timestamp(99, 1234)

        def cancel(self) -> None:
            pass

    class Stamp:
        def process_element(self, value: int, ctx: Any) -> Any:
            yield value, ctx.timestamp()

    pipeline = Pipeline()
    pipeline.last = pipeline.graph.add("python_source", "n", params={"function": Numbers()})
    result = pipeline.add("process", function=Stamp()).collect()
    assert [value for value, _ in result] == [0, 1, 2, 3, 4, 99]
    assert result[-1] == (99, 1234)
    assert result[0][1] > 1_600_000_000_000


def test_python_source_is_cancelled() -> None:
    started, cancelled = threading.Event(), threading.Event()

    class Endless:
        def run(self, ctx: Any) -> None:
            while True:
                ctx.collect(1)
                started.set()

        def cancel(self) -> None:
            cancelled.set()

        def __deepcopy__(self, memo: Any) -> Any:
            return self

    pipeline = Pipeline()
    pipeline.last = pipeline.graph.add("python_source", "n", params={"function": Endless()})
    pipeline.add("filter", function=lambda x: False)
    pipeline.add("collect", queue=pipeline.queue)
    job = pipeline.start()
    assert started.wait(5)
    job.cancel()
    assert job.wait(5000)
    assert job.status() == "CANCELED"
    assert cancelled.is_set()


def test_python_sinks_with_and_without_context() -> None:
    seen: list[Any] = []

    class One:
        def invoke(self, value: int) -> None:
            seen.append(value)

    class Two:
        def invoke(self, value: int, context: Any) -> None:
            seen.append((value, context.current_watermark() <= 0))

        def finish(self) -> None:
            seen.append("finish")

    Pipeline().source([1]).add("python_sink", function=One()).start().wait()
    Pipeline().source([2]).add("python_sink", function=Two()).start().wait()
    assert seen == [1, (2, True), "finish"]


def test_print_goes_through_sys_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    Pipeline().source([1, "x"]).add("print", identifier="id").start().wait()
    assert capsys.readouterr().out == "id> 1\nid> x\n"
    Pipeline(2).source([5]).add("print", identifier="id", to_stderr=True).start().wait()
    assert capsys.readouterr().err in ("id:1> 5\n", "id:2> 5\n")
