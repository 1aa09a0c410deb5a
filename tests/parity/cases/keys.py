"""Which values are one key, what a keyed stream gives, and the aggregations per key."""

import datetime
from decimal import Decimal

from harness import case

from pyflink.common import Row, Types
from pyflink.datastream import RuntimeExecutionMode
from pyflink.datastream.functions import FlatMapFunction, KeyedProcessFunction, ReduceFunction
from pyflink.datastream.state import ValueStateDescriptor

PAIRS = [("a", 3), ("b", 1), ("a", 1), ("a", 2), ("b", 5)]
PAIR_TYPE = Types.TUPLE([Types.STRING(), Types.INT()])


class CountPerKey(KeyedProcessFunction):
    def open(self, runtime_context):
        self.count = runtime_context.get_state(ValueStateDescriptor("c", Types.INT()))

    def process_element(self, value, ctx):
        count = (self.count.value() or 0) + 1
        self.count.update(count)
        yield (str(value), count)


def counted(env, values):
    return env.from_collection(values).key_by(lambda v: v).process(CountPerKey())


@case()
def one_as_int_float_and_bool(env):
    return counted(env, [1, 1.0, True, 1, 0, False])


@case()
def strings_bytes_and_none(env):
    return counted(env, ["1", b"1", None, "1", b"1", None])


@case()
def tuples_and_rows(env):
    return counted(env, [(1, "a"), (1, "b"), (1, "a"), Row(1, "a"), Row(1, "a")])


@case()
def dates_and_decimals(env):
    return counted(
        env,
        [datetime.date(2024, 1, 1), datetime.datetime(2024, 1, 1), datetime.date(2024, 1, 1)]
        + [Decimal("1.5"), Decimal("2.5"), Decimal("1.5")],
    )


@case()
def large_ints_and_floats(env):
    return counted(env, [2**70, 2**70 + 1, 2**70, -1, 1e300, 1e300, -1])


@case()
def int_key_type_of_different_ints(env):
    return (
        env.from_collection([1, 2, 1])
        .key_by(lambda v: v, key_type=Types.INT())
        .process(CountPerKey())
    )


class CurrentKey(KeyedProcessFunction):
    def process_element(self, value, ctx):
        key = ctx.get_current_key()
        yield (type(key).__name__, str(key), value[1])


@case()
def current_key_of_a_tuple_key(env):
    return env.from_collection(PAIRS).key_by(lambda v: (v[0], v[1] % 2)).process(CurrentKey())


@case()
def current_key_with_type(env):
    return (
        env.from_collection(PAIRS)
        .key_by(lambda v: v[0], key_type=Types.STRING())
        .process(CurrentKey())
    )


@case()
def current_key_with_row_type(env):
    return (
        env.from_collection(PAIRS)
        .key_by(lambda v: Row(v[0]), key_type=Types.ROW([Types.STRING()]))
        .process(CurrentKey())
    )


@case()
def reduce_streaming(env):
    return (
        env.from_collection(PAIRS).key_by(lambda v: v[0]).reduce(lambda a, b: (a[0], a[1] + b[1]))
    )


@case(ordered=False)
def reduce_batch(env):
    env.set_runtime_mode(RuntimeExecutionMode.BATCH)
    return (
        env.from_collection(PAIRS).key_by(lambda v: v[0]).reduce(lambda a, b: (a[0], a[1] + b[1]))
    )


@case()
def reduce_function_that_mutates(env):
    class Extend(ReduceFunction):
        def reduce(self, value1, value2):
            value1.extend(value2)
            return value1

    return env.from_collection([[1], [2], [3]]).key_by(lambda v: 0).reduce(Extend())


def aggregated(env, batch, how, *where, values=PAIRS, type_info=PAIR_TYPE):
    if batch:
        env.set_runtime_mode(RuntimeExecutionMode.BATCH)
    keyed = env.from_collection(values, type_info=type_info).key_by(lambda v: v[0])
    return getattr(keyed, how)(*where)


TRIPLES = [("a", 3, 1), ("b", 1, 2), ("a", 1, 3), ("a", 1, 4), ("b", 5, 5), ("a", 9, 6)]
TRIPLE_TYPE = Types.TUPLE([Types.STRING(), Types.INT(), Types.INT()])


@case()
def sum_streaming(env):
    return aggregated(env, False, "sum", 1)


@case(ordered=False)
def sum_batch(env):
    return aggregated(env, True, "sum", 1)


@case()
def min_streaming(env):
    return aggregated(env, False, "min", 1, values=TRIPLES, type_info=TRIPLE_TYPE)


@case()
def max_streaming(env):
    return aggregated(env, False, "max", 1, values=TRIPLES, type_info=TRIPLE_TYPE)


@case()
def min_by_streaming_with_tie(env):
    return aggregated(env, False, "min_by", 1, values=TRIPLES, type_info=TRIPLE_TYPE)


@case()
def max_by_streaming(env):
    return aggregated(env, False, "max_by", 1, values=TRIPLES, type_info=TRIPLE_TYPE)


@case(ordered=False)
def min_by_batch(env):
    return aggregated(env, True, "min_by", 1, values=TRIPLES, type_info=TRIPLE_TYPE)


@case(ordered=False)
def max_by_batch(env):
    return aggregated(env, True, "max_by", 1, values=TRIPLES, type_info=TRIPLE_TYPE)


@case()
def sum_by_field_name_of_named_rows(env):
    kind = Types.ROW_NAMED(["k", "n"], [Types.STRING(), Types.INT()])
    rows = [Row(k, n) for k, n in PAIRS]
    return aggregated(env, False, "sum", "n", values=rows, type_info=kind)


@case()
def sum_of_plain_numbers(env):
    return env.from_collection([1, 2, 3], type_info=Types.INT()).key_by(lambda v: v % 2).sum()


@case()
def keyed_stream_collected(env):
    return env.from_collection(PAIRS).key_by(lambda v: v[0])


@case()
def keyed_stream_with_types_collected(env):
    return env.from_collection(PAIRS, type_info=PAIR_TYPE).key_by(
        lambda v: v[0], key_type=Types.STRING()
    )


@case()
def map_and_filter_on_a_keyed_stream(env):
    keyed = env.from_collection(PAIRS).key_by(lambda v: v[0])
    return keyed.filter(lambda v: v[1] > 1).map(lambda v: v[1] * 10)


class KeyedFlatMap(FlatMapFunction):
    def open(self, runtime_context):
        self.total = runtime_context.get_state(ValueStateDescriptor("t", Types.INT()))

    def flat_map(self, value):
        total = (self.total.value() or 0) + value[1]
        if total > 4:
            yield (value[0], total)
            self.total.clear()
        else:
            self.total.update(total)


@case()
def keyed_state_in_a_flat_map(env):
    return env.from_collection(PAIRS).key_by(lambda v: v[0]).flat_map(KeyedFlatMap())


@case()
def name_on_a_keyed_stream_raises(env):
    env.from_collection(PAIRS).key_by(lambda v: v[0]).name("x")
    return []


@case()
def rebalance_on_a_keyed_stream_raises(env):
    env.from_collection(PAIRS).key_by(lambda v: v[0]).rebalance()
    return []
