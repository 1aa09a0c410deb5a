"""Connected streams, broadcast state, side outputs, partitioning, projection, sources, contexts."""

import os
import tempfile

from harness import case

from pyflink.common import Row, Types, WatermarkStrategy
from pyflink.datastream import OutputTag, RuntimeExecutionMode
from pyflink.datastream.connectors.number_seq import NumberSequenceSource
from pyflink.datastream.functions import (
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
    ProcessFunction,
)
from pyflink.datastream.state import (
    MapStateDescriptor,
    ReducingStateDescriptor,
    ValueStateDescriptor,
)

PAIRS = [("a", 1), ("b", 2), ("a", 3), ("c", 4)]
BATCH = RuntimeExecutionMode.BATCH


class CoMap(CoMapFunction):
    def open(self, runtime_context):
        self.prefix = "opened"

    def map1(self, value):
        return f"{self.prefix} one {value}"

    def map2(self, value):
        return f"{self.prefix} two {value}"


class CoFlat(CoFlatMapFunction):
    def flat_map1(self, value):
        for _ in range(value[1]):
            yield value[0]

    def flat_map2(self, value):
        if value[1] % 2:
            yield value[0] * 2


def add_parallel(name, build, modes=("streaming", "batch")):
    def add(parallelism, mode):
        def run(env):
            env.set_parallelism(parallelism)
            if mode == "batch":
                env.set_runtime_mode(BATCH)
            return build(env)

        run.__name__ = f"{name}_{mode}_at_{parallelism}"
        case(ordered=False)(run)

    for mode in modes:
        add(2, mode)


def pairs(env, values=PAIRS):
    return env.from_collection(values)


add_parallel("co_map", lambda env: pairs(env).connect(pairs(env, [1, 2])).map(CoMap()))
add_parallel("co_flat_map", lambda env: pairs(env).connect(pairs(env)).flat_map(CoFlat()))
add_parallel(
    "union_of_four",
    lambda env: pairs(env).union(pairs(env), pairs(env, [("d", 5)]), pairs(env)).map(lambda v: v),
)
add_parallel("rescale", lambda env: pairs(env).rescale().map(lambda v: (v[1], v[0])))
add_parallel("rebalance", lambda env: pairs(env).rebalance().map(lambda v: (v[1], v[0])))
add_parallel("shuffle", lambda env: pairs(env).shuffle().map(lambda v: (v[1], v[0])))
add_parallel(
    "broadcast_stream",
    lambda env: pairs(env).broadcast().map(lambda v: (v[1], v[0])),
    ("streaming",),
)
add_parallel(
    "flat_map_then_filter",
    lambda env: pairs(env).flat_map(lambda v: [v[0]] * v[1]).filter(lambda v: v != "c"),
)


class KeyedCoMap(CoMapFunction):
    def open(self, runtime_context):
        self.total = runtime_context.get_reducing_state(
            ReducingStateDescriptor("total", lambda a, b: a + b, Types.INT())
        )

    def map1(self, value):
        self.total.add(value[1])
        return (value[0], self.total.get())

    def map2(self, value):
        return None


@case(ordered=False)
def keyed_co_map_with_state(env):
    one = pairs(env).key_by(lambda v: v[0], key_type=Types.STRING())
    two = pairs(env, [("a", 5)]).key_by(lambda v: v[0], key_type=Types.STRING())
    return one.connect(two).map(KeyedCoMap())


class Pair(CoProcessFunction):
    def process_element1(self, value, ctx):
        yield ("one", value, ctx.timestamp())

    def process_element2(self, value, ctx):
        return [("two", value, ctx.timestamp()), "twice"]


@case(ordered=False)
def co_process_of_different_types(env):
    numbers = env.from_collection([1, 2], Types.INT())
    return pairs(env).connect(numbers).process(Pair())


class Join(KeyedCoProcessFunction):
    def open(self, runtime_context):
        self.left = runtime_context.get_map_state(
            MapStateDescriptor("left", Types.INT(), Types.BOOLEAN())
        )
        self.right = runtime_context.get_map_state(
            MapStateDescriptor("right", Types.INT(), Types.BOOLEAN())
        )

    def process_element1(self, value, ctx):
        self.left.put(value[1], True)
        for other in self.right:
            yield (ctx.get_current_key(), value[1], other)

    def process_element2(self, value, ctx):
        self.right.put(value[1], True)
        for other in self.left:
            yield (ctx.get_current_key(), other, value[1])


add_parallel(
    "join_of_two_keyed_streams",
    lambda env: (
        pairs(env)
        .connect(pairs(env, [("a", 10), ("c", 20), ("d", 30)]))
        .key_by(lambda v: v[0], lambda v: v[0], key_type=Types.STRING())
        .process(Join())
    ),
)

RULES = MapStateDescriptor("rules", Types.STRING(), Types.INT())


class CountRules(BroadcastProcessFunction):
    def process_element(self, value, ctx):
        ctx.get_broadcast_state(RULES)
        yield ("element", value)

    def process_broadcast_element(self, value, ctx):
        state = ctx.get_broadcast_state(RULES)
        state.put(value, len(value))
        if value == "drop":
            state.remove("r1")
        yield ("rule", sorted(state.items()), "r1" in state, state.get("none"), state.is_empty())


@case(ordered=False)
def broadcast_state_is_changed_in_order(env):
    rules = env.from_collection(["r1", "r22", "drop"]).broadcast(RULES)
    return pairs(env).connect(rules).process(CountRules())


@case(ordered=False)
def broadcast_state_at_two(env):
    env.set_parallelism(2)
    rules = env.from_collection(["r1", "r22", "drop"]).broadcast(RULES)
    return pairs(env).rebalance().connect(rules).process(CountRules())


class KeyedRules(KeyedBroadcastProcessFunction):
    def open(self, runtime_context):
        self.count = runtime_context.get_state(ValueStateDescriptor("count", Types.INT()))

    def process_element(self, value, ctx):
        count = (self.count.value() or 0) + 1
        self.count.update(count)
        yield (ctx.get_current_key(), value[1], count)

    def process_broadcast_element(self, value, ctx):
        state = ctx.get_broadcast_state(RULES)
        state.put(value, 1)
        yield ("rule", value, sorted(state.keys()))


@case(ordered=False)
def keyed_broadcast_state(env):
    rules = env.from_collection(["r1", "r2"]).broadcast(RULES)
    keyed = pairs(env).key_by(lambda v: v[0], key_type=Types.STRING())
    return keyed.connect(rules).process(KeyedRules())


@case(ordered=False)
def keyed_broadcast_state_at_two(env):
    env.set_parallelism(2)
    rules = env.from_collection(["r1", "r2"]).broadcast(RULES)
    keyed = pairs(env).key_by(lambda v: v[0], key_type=Types.STRING())
    return keyed.connect(rules).process(KeyedRules())


SIDE = OutputTag("side", Types.STRING())


class ProcessSide(ProcessFunction):
    def process_element(self, value, ctx):
        yield SIDE, f"process {value[0]}"
        yield value


class KeyedSide(KeyedProcessFunction):
    def process_element(self, value, ctx):
        yield SIDE, f"{ctx.get_current_key()} {value[1]}"


class KeyedCoSide(KeyedCoProcessFunction):
    def process_element1(self, value, ctx):
        yield SIDE, f"one {value[1]}"

    def process_element2(self, value, ctx):
        yield SIDE, f"two {value[1]}"


class BroadcastSide(BroadcastProcessFunction):
    def process_element(self, value, ctx):
        yield SIDE, f"element {value[0]}"

    def process_broadcast_element(self, value, ctx):
        yield SIDE, f"rule {value}"


def keyed_pairs(env):
    return pairs(env).key_by(lambda v: v[0], key_type=Types.STRING())


SIDES = {
    "process": lambda env: pairs(env).process(ProcessSide(), Types.PICKLED_BYTE_ARRAY()),
    "keyed_process": lambda env: keyed_pairs(env).process(KeyedSide(), Types.INT()),
    "keyed_co_process": lambda env: (
        keyed_pairs(env).connect(keyed_pairs(env)).process(KeyedCoSide(), Types.INT())
    ),
    "broadcast_process": lambda env: (
        pairs(env)
        .connect(env.from_collection(["r"]).broadcast(RULES))
        .process(BroadcastSide(), Types.INT())
    ),
}


def add_side(name):
    def run(env):
        return SIDES[name](env).get_side_output(SIDE)

    run.__name__ = f"side_output_of_{name}"
    case(ordered=False)(run)


for one in SIDES:
    add_side(one)


@case(ordered=False)
def side_output_is_used_further(env):
    main = pairs(env).process(ProcessSide(), Types.PICKLED_BYTE_ARRAY())
    return main.get_side_output(SIDE).key_by(lambda v: v[-1]).map(lambda v: v.upper())


@case(ordered=False)
def side_output_of_rows(env):
    tag = OutputTag("rows", Types.ROW_NAMED(["k", "n"], [Types.STRING(), Types.INT()]))

    class Rows(ProcessFunction):
        def process_element(self, value, ctx):
            yield tag, Row(value[0], value[1])

    return pairs(env).process(Rows(), Types.INT()).get_side_output(tag)


class Modulo(Partitioner):
    def partition(self, key, num_partitions):
        return key % num_partitions


class Second(KeySelector):
    def get_key(self, value):
        return value[1]


class WithSubtask(MapFunction):
    def open(self, runtime_context):
        self.here = runtime_context.get_index_of_this_subtask()
        self.of = runtime_context.get_number_of_parallel_subtasks()

    def map(self, value):
        return (self.here, self.of, value)


@case(ordered=False)
def partition_custom_by_classes(env):
    env.set_parallelism(3)
    return pairs(env).partition_custom(Modulo(), Second()).map(WithSubtask())


@case(ordered=False)
def broadcast_reaches_every_subtask(env):
    env.set_parallelism(3)
    return pairs(env).broadcast().map(WithSubtask())


@case()
def key_selector_class(env):
    return pairs(env).key_by(Second()).map(lambda v: v[0])


TRIPLE = Types.TUPLE([Types.INT(), Types.STRING(), Types.DOUBLE()])


@case()
def project_one_field(env):
    return env.from_collection([(1, "a", 0.5), (2, "b", 1.5)], TRIPLE).project(1)


@case()
def project_in_another_order(env):
    return env.from_collection([(1, "a", 0.5), (2, "b", 1.5)], TRIPLE).project(2, 0)


@case()
def project_then_map(env):
    projected = env.from_collection([(1, "a", 0.5)], TRIPLE).project(1, 2)
    return projected.map(lambda v: (type(v).__name__, v[0], v[1]))


@case(ordered=False)
def number_sequence_source(env):
    env.set_parallelism(2)
    source = NumberSequenceSource(5, 14)
    strategy = WatermarkStrategy.no_watermarks()
    return env.from_source(source, strategy, "numbers", Types.LONG()).map(lambda v: v * 2)


@case(ordered=False)
def number_sequence_from_negative(env):
    source = NumberSequenceSource(-2, 2)
    return env.from_source(source, WatermarkStrategy.no_watermarks(), "numbers", Types.LONG())


def text_file(text):
    handle, path = tempfile.mkstemp(suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
        file.write(text)
    return path


@case()
def read_text_file(env):
    return env.read_text_file(text_file("one\n\ntwo words\nünï\nlast"))


@case()
def read_text_file_with_windows_line_ends(env):
    return env.read_text_file(text_file("one\r\ntwo\r\n")).map(lambda v: [v, len(v)])


class Lifecycle(FlatMapFunction):
    def __init__(self):
        self.log = ["init"]

    def open(self, runtime_context):
        self.log.append("open")

    def flat_map(self, value):
        self.log.append(value)
        yield list(self.log)


@case()
def open_comes_before_the_first_record(env):
    return env.from_collection([1, 2]).flat_map(Lifecycle())


class Context(MapFunction):
    def open(self, runtime_context):
        self.seen = (
            runtime_context.get_number_of_parallel_subtasks(),
            runtime_context.get_index_of_this_subtask(),
            runtime_context.get_attempt_number(),
            runtime_context.get_max_number_of_parallel_subtasks(),
        )

    def map(self, value):
        return self.seen


@case(ordered=False)
def runtime_context_numbers_at_two(env):
    env.set_parallelism(2)
    return env.from_collection([1, 2]).rebalance().map(Context())


class Greater(FilterFunction):
    def __init__(self, limit):
        self.limit = limit

    def filter(self, value):
        return value[1] > self.limit


@case()
def filter_function_with_an_argument(env):
    return pairs(env).filter(Greater(2))


@case()
def map_of_a_bound_method(env):
    return pairs(env).map("{0[0]}={0[1]}".format)


@case()
def empty_collection_through_a_chain(env):
    empty = env.from_collection([], Types.INT()).map(lambda v: v)
    return empty.union(env.from_collection([7])).map(lambda v: v + 1)


@case()
def unions_of_different_types_are_refused(env):
    return env.from_collection([1], Types.INT()).union(env.from_collection(["a"], Types.STRING()))


@case()
def project_of_an_untyped_stream_is_refused(env):
    return env.from_collection([(1, 2)]).project(0)


@case()
def error_in_a_key_selector_is_refused(env):
    return pairs(env).key_by(lambda v: v[9]).map(lambda v: v)


@case()
def error_in_open_is_refused(env):
    class Broken(MapFunction):
        def open(self, runtime_context):
            raise ValueError("cannot open this")

        def map(self, value):
            return value

    return pairs(env).map(Broken())


@case()
def error_in_a_filter_is_refused(env):
    return pairs(env).filter(lambda v: v[1] / 0 > 1)


@case()
def error_in_a_reduce_is_refused(env):
    return pairs(env).key_by(lambda v: v[0]).reduce(lambda a, b: a - b)


class Largest(MapFunction):
    """The record, and the largest parallelism that the function is told."""

    def open(self, runtime_context):
        self.largest = runtime_context.get_max_number_of_parallel_subtasks()

    def map(self, value):
        return f"{value},{self.largest}"


def largest(stream):
    return stream.map(Largest(), Types.STRING())


def one(env):
    return env.from_collection([7], Types.INT())


@case()
def max_parallelism_chained_to_a_collection(env):
    return largest(largest(one(env)))


@case()
def max_parallelism_behind_a_new_chain(env):
    return largest(largest(largest(one(env))).start_new_chain())


@case()
def max_parallelism_behind_a_key(env):
    return largest(largest(one(env)).key_by(lambda v: v))


@case()
def max_parallelism_of_its_own_in_a_chain(env):
    numbers = env.from_source(
        NumberSequenceSource(1, 1), WatermarkStrategy.no_watermarks(), "numbers"
    )
    return largest(largest(numbers).set_max_parallelism(32)).set_max_parallelism(64)


@case()
def max_parallelism_of_the_environment_and_a_collection(env):
    env.set_max_parallelism(50)
    return largest(largest(one(env)).rebalance())


@case()
def max_parallelism_without_chains(env):
    env.disable_operator_chaining()
    return largest(one(env))


@case(ordered=False)
def max_parallelism_of_a_union(env):
    return largest(one(env).union(one(env)))
