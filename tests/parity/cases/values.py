"""How values pass between operators: copies, branches, state, rows, declared types."""

from decimal import Decimal

from harness import case

from pyflink.common import Row, RowKind, Types
from pyflink.datastream import OutputTag
from pyflink.datastream.functions import (
    FlatMapFunction,
    KeyedProcessFunction,
    MapFunction,
    ProcessFunction,
)
from pyflink.datastream.state import (
    ListStateDescriptor,
    MapStateDescriptor,
    ReducingStateDescriptor,
    ValueStateDescriptor,
)


class EmitThenMutate(FlatMapFunction):
    def flat_map(self, value):
        kept = [value]
        yield kept
        kept.append("changed")
        yield kept
        kept.clear()


@case()
def emit_then_mutate_into_a_map(env):
    return env.from_collection([1, 2]).flat_map(EmitThenMutate()).map(lambda v: (len(v), v))


@case()
def emit_then_mutate_into_collect(env):
    return env.from_collection([1, 2]).flat_map(EmitThenMutate())


@case()
def emit_then_mutate_across_a_key_by(env):
    return (
        env.from_collection([1, 2]).flat_map(EmitThenMutate()).key_by(lambda v: 0).map(lambda v: v)
    )


class Accumulate(MapFunction):
    """Returns the same list again and again."""

    def __init__(self):
        self.seen = []

    def map(self, value):
        self.seen.append(value)
        return self.seen


@case()
def one_list_returned_many_times(env):
    return env.from_collection([1, 2, 3]).map(Accumulate())


def append_and_return(mark):
    def run(value):
        value.append(mark)
        return value

    return run


@case(ordered=False)
def branches_do_not_share_a_list(env):
    ds = env.from_collection([[1], [2]]).map(lambda v: v)
    return ds.map(append_and_return("left")).union(ds.map(append_and_return("right")))


@case(ordered=False)
def branches_do_not_share_a_dict(env):
    def put(mark):
        def run(value):
            value[mark] = len(value)
            return value

        return run

    ds = env.from_collection([{"a": 1}]).map(lambda v: v)
    return ds.map(put("l")).union(ds.map(put("r")))


@case(ordered=False)
def side_output_and_main_do_not_share(env):
    tag = OutputTag("side", Types.PICKLED_BYTE_ARRAY())

    class Both(ProcessFunction):
        def process_element(self, value, ctx):
            yield value
            yield tag, value
            value.append("after")

    main = env.from_collection([[1], [2]]).process(Both())
    return main.map(append_and_return("main")).union(
        main.get_side_output(tag).map(append_and_return("side"))
    )


class Counter(MapFunction):
    def __init__(self):
        self.count = 0

    def map(self, value):
        self.count += 1
        return (value, self.count)


@case(ordered=False)
def two_uses_of_one_function_count_apart(env):
    counter = Counter()
    ds = env.from_collection(["a", "b", "c"])
    return ds.map(counter).union(ds.map(counter))


@case(ordered=False)
def subtasks_have_their_own_functions(env):
    ds = env.from_collection(list(range(8))).rebalance()
    return ds.map(Counter()).set_parallelism(2).map(lambda v: v[1])


class ListInValueState(KeyedProcessFunction):
    def open(self, runtime_context):
        self.state = runtime_context.get_state(
            ValueStateDescriptor("s", Types.PICKLED_BYTE_ARRAY())
        )

    def process_element(self, value, ctx):
        values = self.state.value() or []
        values.append(value)
        self.state.update(values)
        yield values


@case()
def state_value_appended_updated_and_emitted(env):
    return env.from_collection([1, 2, 3]).key_by(lambda v: 0).process(ListInValueState())


class MutateWithoutUpdate(KeyedProcessFunction):
    def open(self, runtime_context):
        self.state = runtime_context.get_state(ValueStateDescriptor("s", Types.LIST(Types.INT())))

    def process_element(self, value, ctx):
        values = self.state.value()
        if values is None:
            values = []
            self.state.update(values)
        values.append(value)
        yield list(self.state.value())


@case(ordered=False)
def state_of_two_keys_apart(env):
    return (
        env.from_collection([("a", 1), ("b", 2), ("a", 3), ("b", 4)])
        .key_by(lambda v: v[0])
        .process(ListInValueState())
    )


class UpdateThenMutate(KeyedProcessFunction):
    def open(self, runtime_context):
        self.state = runtime_context.get_state(
            ValueStateDescriptor("s", Types.PICKLED_BYTE_ARRAY())
        )

    def process_element(self, value, ctx):
        before = self.state.value()
        yield ("before", before)
        kept = [value]
        self.state.update(kept)
        yield ("after", self.state.value())


@case()
def value_state_reads_what_was_updated(env):
    return env.from_collection([1, 2, 3]).key_by(lambda v: 0).process(UpdateThenMutate())


class EveryState(KeyedProcessFunction):
    def open(self, runtime_context):
        self.items = runtime_context.get_list_state(ListStateDescriptor("l", Types.INT()))
        self.map = runtime_context.get_map_state(
            MapStateDescriptor("m", Types.STRING(), Types.INT())
        )
        self.sum = runtime_context.get_reducing_state(
            ReducingStateDescriptor("r", lambda a, b: a + b, Types.INT())
        )

    def process_element(self, value, ctx):
        key, number = value
        self.items.add(number)
        if number in (3,):
            self.items.update([30, 31])
        if number == 4:
            self.items.clear()
        self.map.put(key + str(number % 2), number)
        self.sum.add(number)
        yield (
            ctx.get_current_key(),
            list(self.items),
            sorted(self.map.items()),
            sorted(self.map.keys()),
            self.map.contains("a1"),
            self.map.is_empty(),
            self.sum.get(),
        )


@case()
def list_map_and_reducing_state(env):
    data = [("a", 1), ("a", 2), ("b", 3), ("a", 4), ("b", 5), ("a", 6)]
    return env.from_collection(data).key_by(lambda v: v[0]).process(EveryState())


class RowFaces(MapFunction):
    def map(self, value):
        return (type(value).__name__, str(value), getattr(value, "_fields", None), list(value))


ROWS = [Row(1, "a"), Row(2, "b")]
ROW_TYPE = Types.ROW([Types.INT(), Types.STRING()])
NAMED_TYPE = Types.ROW_NAMED(["id", "text"], [Types.INT(), Types.STRING()])


@case()
def positional_row_without_type(env):
    return env.from_collection(ROWS).map(RowFaces())


@case()
def positional_row_with_row_type(env):
    return env.from_collection(ROWS, type_info=ROW_TYPE).map(RowFaces())


@case()
def positional_row_with_named_type(env):
    return env.from_collection(ROWS, type_info=NAMED_TYPE).map(RowFaces())


@case()
def named_row_without_type(env):
    return env.from_collection([Row(id=1, text="a")]).map(RowFaces())


@case()
def row_out_of_a_map_without_type(env):
    return env.from_collection([1]).map(lambda v: Row(v, "x")).map(RowFaces())


@case()
def row_out_of_a_map_with_named_type(env):
    return (
        env.from_collection([1]).map(lambda v: Row(v, "x"), output_type=NAMED_TYPE).map(RowFaces())
    )


@case()
def tuple_given_for_a_named_row(env):
    return env.from_collection([1]).map(lambda v: (v, "x"), output_type=NAMED_TYPE).map(RowFaces())


@case()
def named_row_in_other_order_than_its_type(env):
    return env.from_collection([1]).map(lambda v: Row(text="x", id=v), output_type=NAMED_TYPE)


@case()
def rows_collected_with_type(env):
    return env.from_collection(ROWS, type_info=NAMED_TYPE)


@case()
def rows_collected_without_type(env):
    return env.from_collection(ROWS)


@case()
def tuples_with_tuple_type(env):
    kind = Types.TUPLE([Types.INT(), Types.STRING()])
    return env.from_collection([(1, "a")], type_info=kind).map(lambda v: (type(v).__name__, v))


@case()
def row_kind_survives(env):
    def change(value):
        row = Row(value, "k")
        row.set_row_kind(RowKind.UPDATE_AFTER)
        return row

    return (
        env.from_collection([1])
        .map(change, output_type=ROW_TYPE)
        .map(lambda v: v, output_type=ROW_TYPE)
    )


@case()
def nested_row_with_types(env):
    kind = Types.ROW_NAMED(["id", "inner"], [Types.INT(), NAMED_TYPE])
    return env.from_collection([Row(1, Row(2, "x"))], type_info=kind).map(
        lambda v: (v.id, v.inner.text, v["inner"]["id"], v[1][0])
    )


@case()
def short_int_and_byte_wrap(env):
    kind = Types.ROW([Types.SHORT(), Types.INT(), Types.BYTE()])
    return env.from_collection([Row(43878, 9147483648, 300)], type_info=kind).map(list)


@case()
def long_keeps_64_bits(env):
    kind = Types.ROW([Types.LONG(), Types.LONG()])
    return env.from_collection([Row(2**63 - 1, -(2**63))], type_info=kind).map(list)


@case()
def float_is_rounded_to_single_precision(env):
    kind = Types.ROW([Types.FLOAT(), Types.DOUBLE()])
    return env.from_collection([Row(1.23, 1.23), Row(0.1, 0.1)], type_info=kind).map(list)


@case()
def float_of_a_map_with_type(env):
    return env.from_collection([1]).map(lambda v: 0.1, output_type=Types.FLOAT()).map(lambda v: v)


@case()
def int_of_a_map_with_short_type(env):
    return env.from_collection([1]).map(lambda v: 70000, output_type=Types.SHORT()).map(lambda v: v)


@case()
def decimals_keep_their_digits(env):
    return env.from_collection(
        [Decimal("2000000000000000000061111111111111.1234567890"), Decimal("1.50")],
        type_info=Types.BIG_DEC(),
    ).map(lambda v: (type(v).__name__, str(v)))


@case()
def none_in_rows(env):
    kind = Types.ROW([Types.INT(), Types.STRING(), Types.BOOLEAN()])
    return env.from_collection([Row(None, None, None), Row(1, "x", False)], type_info=kind).map(
        list
    )


@case()
def arrays_lists_and_maps_in_rows(env):
    kind = Types.ROW(
        [
            Types.OBJECT_ARRAY(Types.STRING()),
            Types.LIST(Types.INT()),
            Types.MAP(Types.STRING(), Types.DOUBLE()),
            Types.PRIMITIVE_ARRAY(Types.BYTE()),
        ]
    )
    return env.from_collection([Row(["a", "b"], [1, 2], {"k": 1.5}, b"fl")], type_info=kind).map(
        lambda v: [(type(f).__name__, f) for f in v]
    )


@case()
def bool_for_an_int_type(env):
    return env.from_collection([1]).map(lambda v: True, output_type=Types.INT()).map(lambda v: v)


@case()
def python_objects_pass_untyped(env):
    return env.from_collection([{1, 2}, frozenset([3]), complex(1, 2), b"x", bytearray(b"y")]).map(
        lambda v: (type(v).__name__, sorted(v) if isinstance(v, (set, frozenset)) else v)
    )


def across(env, value, kind):
    """`value` declared as `kind`, seen by a function behind an exchange."""
    return env.from_collection([1]).map(lambda v: value, output_type=kind).rebalance()


@case()
def row_across_an_exchange(env):
    return across(env, Row(1, "x"), NAMED_TYPE).map(RowFaces())


@case()
def tuple_for_a_row_across_an_exchange(env):
    return across(env, (1, "x"), NAMED_TYPE).map(RowFaces())


@case()
def row_for_a_tuple_across_an_exchange(env):
    kind = Types.TUPLE([Types.INT(), Types.STRING()])
    return across(env, Row(1, "x"), kind).map(lambda v: (type(v).__name__, list(v)))


@case()
def short_across_an_exchange(env):
    return across(env, 70000, Types.SHORT()).map(lambda v: v)


@case()
def float_across_an_exchange(env):
    return across(env, 0.1, Types.FLOAT()).map(lambda v: v)


@case()
def bool_for_an_int_across_an_exchange(env):
    return across(env, True, Types.INT()).map(lambda v: v)


@case()
def list_for_a_row_across_an_exchange(env):
    return across(env, [1, "x"], NAMED_TYPE).map(RowFaces())


@case()
def dict_for_a_map_across_an_exchange(env):
    return across(env, {"a": 1}, Types.MAP(Types.STRING(), Types.LONG())).map(lambda v: v)


def none_for_odd(value):
    return None if value % 2 else value


@case()
def none_of_a_typed_map_is_dropped_by_a_filter(env):
    numbers = env.from_collection([1, 2, 3, 4]).map(none_for_odd, output_type=Types.LONG())
    return numbers.filter(lambda v: v is not None)


@case()
def none_of_a_typed_map_reaches_the_next_map(env):
    numbers = env.from_collection([1, 2]).map(none_for_odd, output_type=Types.LONG())
    return numbers.map(lambda v: [v])


@case()
def none_of_a_typed_map_as_a_key(env):
    numbers = env.from_collection([1, 2, 3]).map(none_for_odd, output_type=Types.LONG())
    return numbers.key_by(lambda v: v).map(lambda v: [v])


@case()
def none_of_a_map_to_long_is_refused(env):
    return env.from_collection([1, 2]).map(none_for_odd, output_type=Types.LONG())


@case()
def none_of_a_map_to_a_row_is_refused(env):
    return env.from_collection([1]).map(lambda v: None, output_type=Types.ROW([Types.LONG()]))


@case()
def none_that_a_filter_lets_pass_is_refused(env):
    numbers = env.from_collection([1, 2]).map(none_for_odd, output_type=Types.LONG())
    return numbers.filter(lambda v: True)


@case()
def none_in_a_row_field(env):
    kind = Types.ROW([Types.LONG(), Types.STRING()])
    return env.from_collection([1]).map(lambda v: Row(None, None), output_type=kind)


@case()
def numbers_where_a_row_has_text(env):
    pair = Types.ROW_NAMED(["a", "b"], [Types.STRING(), Types.INT()])
    changed = Row(2.5, 3)
    changed.set_row_kind(RowKind.UPDATE_AFTER)
    return env.from_collection([Row(1, 2), Row(a=True, b=1), Row("x", 4), changed], pair)


@case()
def a_number_late_among_texts(env):
    texts = ["x"] * 1200
    return env.from_collection([*texts, 1.5], Types.STRING()).filter(lambda v: v != "x")
