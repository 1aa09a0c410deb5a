"""Union, connect, side outputs, what functions may return, partitioning, errors."""

from harness import case

from pyflink.common import Row, Types
from pyflink.datastream import OutputTag
from pyflink.datastream.functions import (
    BroadcastProcessFunction,
    CoFlatMapFunction,
    CoMapFunction,
    CoProcessFunction,
    KeyedCoProcessFunction,
    ProcessFunction,
)
from pyflink.datastream.state import MapStateDescriptor, ValueStateDescriptor


@case(ordered=False)
def union_of_three(env):
    a = env.from_collection([1, 2])
    b = env.from_collection([3])
    c = env.from_collection([4, 5])
    return a.union(b, c).map(lambda v: v * 10)


@case(ordered=False)
def union_with_itself(env):
    a = env.from_collection([1, 2])
    return a.union(a)


class CoMap(CoMapFunction):
    def map1(self, value):
        return ("one", value)

    def map2(self, value):
        return None if value == "drop" else ("two", value)


@case(ordered=False)
def connect_map(env):
    return env.from_collection([1, 2]).connect(env.from_collection(["x", "drop"])).map(CoMap())


class CoFlat(CoFlatMapFunction):
    def flat_map1(self, value):
        yield from range(value)

    def flat_map2(self, value):
        return [value, value + "!"]


@case(ordered=False)
def connect_flat_map(env):
    return env.from_collection([1, 2]).connect(env.from_collection(["x"])).flat_map(CoFlat())


class CoCount(KeyedCoProcessFunction):
    def open(self, runtime_context):
        self.count = runtime_context.get_state(ValueStateDescriptor("c", Types.INT()))

    def bump(self):
        count = (self.count.value() or 0) + 1
        self.count.update(count)
        return count

    def process_element1(self, value, ctx):
        yield (ctx.get_current_key(), self.bump())

    def process_element2(self, value, ctx):
        yield (ctx.get_current_key(), self.bump())


@case(ordered=False)
def keyed_connect_shares_state(env):
    a = env.from_collection([("a", 1), ("b", 2)])
    b = env.from_collection([("a", 3), ("a", 4)])
    return (
        a.connect(b)
        .key_by(lambda v: v[0], lambda v: v[0], key_type=Types.STRING())
        .process(CoCount())
    )


@case(ordered=False)
def connect_of_keyed_streams(env):
    a = env.from_collection([("a", 1), ("b", 2)]).key_by(lambda v: v[0], key_type=Types.STRING())
    b = env.from_collection([("a", 3), ("a", 4)]).key_by(lambda v: v[0], key_type=Types.STRING())
    return a.connect(b).process(CoCount())


class CoSide(CoProcessFunction):
    tag = OutputTag("side", Types.STRING())

    def process_element1(self, value, ctx):
        yield value
        yield self.tag, f"one {value}"

    def process_element2(self, value, ctx):
        yield self.tag, f"two {value}"


@case(ordered=False)
def side_output_of_a_co_process(env):
    main = (
        env.from_collection([1, 2]).connect(env.from_collection([3])).process(CoSide(), Types.INT())
    )
    return main.get_side_output(CoSide.tag)


class Split(ProcessFunction):
    odd = OutputTag("odd", Types.INT())
    big = OutputTag("big", Types.STRING())

    def process_element(self, value, ctx):
        yield value
        if value % 2:
            yield self.odd, value
        if value > 2:
            yield self.big, f"big {value}"


@case(ordered=False)
def two_side_outputs(env):
    main = env.from_collection([1, 2, 3, 4]).process(Split(), Types.INT())
    return (
        main.map(lambda v: f"main {v}", Types.STRING())
        .union(main.get_side_output(Split.odd).map(lambda v: f"odd {v}", Types.STRING()))
        .union(main.get_side_output(Split.big))
    )


@case(ordered=False)
def side_output_with_unused_main(env):
    return (
        env.from_collection([1, 2, 3, 4]).process(Split(), Types.INT()).get_side_output(Split.big)
    )


class ReturnsRow(ProcessFunction):
    def process_element(self, value, ctx):
        return Row(value, "x")


@case()
def returned_row_is_iterated(env):
    return env.from_collection([1, 2]).process(ReturnsRow())


class ReturnsNothing(ProcessFunction):
    def process_element(self, value, ctx):
        if value > 1:
            return [value]


@case()
def process_may_return_nothing(env):
    return env.from_collection([1, 2, 3]).process(ReturnsNothing())


@case()
def flat_map_returns_a_list_or_a_range(env):
    return env.from_collection([1, 2]).flat_map(lambda v: [v, v] if v == 1 else range(3))


@case()
def flat_map_returns_a_string(env):
    return env.from_collection(["ab"]).flat_map(lambda v: v)


@case()
def map_returns_none(env):
    return env.from_collection([1, 2]).map(lambda v: None if v == 1 else v).map(lambda v: [v])


@case()
def filter_of_truthy_values(env):
    return env.from_collection([0, 1, "", "x", [], [0], None]).filter(lambda v: v)


@case(ordered=False)
def partition_custom_gets_the_next_parallelism(env):
    class Where(ProcessFunction):
        def open(self, runtime_context):
            self.me = runtime_context.get_index_of_this_subtask()

        def process_element(self, value, ctx):
            yield (self.me, value)

    return (
        env.from_collection([0, 1, 2, 3, 4])
        .partition_custom(lambda key, partitions: (key + partitions) % partitions, lambda v: v)
        .process(Where())
        .set_parallelism(2)
    )


@case(ordered=False)
def broadcast_partitioning(env):
    return env.from_collection([1, 2]).broadcast().map(lambda v: v).set_parallelism(2)


@case()
def project_of_a_tuple_stream(env):
    kind = Types.TUPLE([Types.INT(), Types.STRING(), Types.DOUBLE()])
    return env.from_collection([(1, "a", 1.5), (2, "b", 2.5)], type_info=kind).project(2, 0)


class Rules(BroadcastProcessFunction):
    descriptor = MapStateDescriptor("rules", Types.STRING(), Types.INT())

    def process_element(self, value, ctx):
        state = ctx.get_broadcast_state(self.descriptor)
        yield ("element", value, hasattr(state, "put"))

    def process_broadcast_element(self, value, ctx):
        ctx.get_broadcast_state(self.descriptor).put(value, 1)
        yield ("broadcast", value)


@case(ordered=False)
def broadcast_state(env):
    rules = env.from_collection(["r1", "r2"]).broadcast(Rules.descriptor)
    return env.from_collection([1, 2]).connect(rules).process(Rules()).map(lambda v: v[:2])


@case()
def sequence_source(env):
    return env.from_collection(range(5)).map(lambda v: v + 1, Types.LONG())


@case()
def tuple_fields_become_python_values(env):
    kind = Types.TUPLE([Types.INT(), Types.STRING()])
    return (
        env.from_collection([1], Types.INT())
        .map(lambda v: Row(v, "x"), kind)
        .map(lambda v: (type(v).__name__, list(v)))
    )


@case()
def user_exception_fails_the_job(env):
    def fail(value):
        raise ValueError("this text must arrive")

    try:
        list(env.from_collection([1]).map(fail).execute_and_collect())
    except Exception as error:
        return ["this text must arrive" in str(error)]
    return ["no error"]
