"""Values of every declared type behind an exchange, as elements and as keys."""

import datetime
from decimal import Decimal

from harness import case

from pyflink.common import Row, Types
from pyflink.datastream.functions import KeyedProcessFunction

NAMED = Types.ROW_NAMED(["id", "text"], [Types.INT(), Types.STRING()])
TYPED = {
    "booleans": (Types.BOOLEAN(), [True, False]),
    "bytes_as_numbers": (Types.BYTE(), [1, -128, 127]),
    "shorts": (Types.SHORT(), [1, -32768, 32767]),
    "ints": (Types.INT(), [0, -(2**31), 2**31 - 1]),
    "longs": (Types.LONG(), [0, -(2**63), 2**63 - 1]),
    "floats": (Types.FLOAT(), [1.5, -0.0, float("inf")]),
    "doubles": (Types.DOUBLE(), [1e-300, -0.0, float("inf"), 0.1]),
    "strings": (Types.STRING(), ["", "a b", "ünïcode ✓", "line\nbreak", "\U0001f600"]),
    "decimals": (Types.BIG_DEC(), [Decimal("1.50"), Decimal("-1E+3"), Decimal(0)]),
    "dates": (Types.SQL_DATE(), [datetime.date(1970, 1, 1), datetime.date(2024, 2, 29)]),
    "times": (Types.SQL_TIME(), [datetime.time(0, 0), datetime.time(23, 59, 58)]),
    "timestamps": (
        Types.SQL_TIMESTAMP(),
        [datetime.datetime(1970, 1, 1), datetime.datetime(2024, 2, 29, 1, 2, 3, 456000)],
    ),
    "byte_arrays": (Types.PRIMITIVE_ARRAY(Types.BYTE()), [b"", b"\x00\xff"]),
    "int_arrays": (Types.PRIMITIVE_ARRAY(Types.INT()), [[], [1, -2, 3]]),
    "double_arrays": (Types.PRIMITIVE_ARRAY(Types.DOUBLE()), [[], [1.5, -0.25]]),
    "boolean_arrays": (Types.PRIMITIVE_ARRAY(Types.BOOLEAN()), [[], [True, False]]),
    "string_arrays": (Types.BASIC_ARRAY(Types.STRING()), [[], ["a", "", None]]),
    "long_arrays": (Types.BASIC_ARRAY(Types.LONG()), [[], [1, None]]),
    "row_arrays": (Types.OBJECT_ARRAY(NAMED), [[], [Row(1, "x"), Row(2, None)]]),
    "lists": (Types.LIST(Types.STRING()), [[], ["a", "b"]]),
    "maps": (Types.MAP(Types.STRING(), Types.INT()), [{}, {"a": 1, "b": -1}]),
    "maps_of_lists": (Types.MAP(Types.INT(), Types.LIST(Types.INT())), [{}, {1: [], 2: [3]}]),
    "named_rows": (NAMED, [Row(1, "x"), Row(None, None)]),
    "nested_rows": (
        Types.ROW([Types.INT(), NAMED, Types.LIST(NAMED)]),
        [Row(1, Row(2, "y"), [Row(3, "z")]), Row(1, None, [])],
    ),
    "tuples": (Types.TUPLE([Types.INT(), Types.STRING()]), [(1, "x"), (2, None)]),
    "nested_tuples": (
        Types.TUPLE([Types.INT(), Types.TUPLE([Types.STRING(), Types.BIG_DEC()])]),
        [(1, ("a", Decimal("1.25"))), (2, ("b", Decimal(0)))],
    ),
}


def kinds(value):
    """The value beside the names of its types, two levels deep."""
    inner = ()
    if isinstance(value, (list, tuple, Row)):
        inner = tuple(type(one).__name__ for one in value)
    return (type(value).__name__, inner, sorted(value) if isinstance(value, set) else value)


def add_exchange(name):
    kind, values = TYPED[name]

    def run(env):
        index = env.from_collection(list(range(len(values))), Types.INT())
        return index.map(lambda i: values[i], kind).rebalance().map(kinds)

    run.__name__ = f"{name}_across_a_rebalance"
    case()(run)


class SeenOfKey(KeyedProcessFunction):
    def process_element(self, value, ctx):
        key = ctx.get_current_key()
        yield (type(key).__name__, str(key), value)


KEYS = (
    "booleans",
    "shorts",
    "ints",
    "longs",
    "doubles",
    "strings",
    "decimals",
    "dates",
    "times",
    "timestamps",
    "tuples",
    "nested_tuples",
)


def add_key(name):
    kind, values = TYPED[name]

    def run(env):
        env.set_parallelism(2)
        index = env.from_collection(list(range(len(values))), Types.INT())
        return index.key_by(lambda i: values[i], key_type=kind).process(SeenOfKey())

    run.__name__ = f"{name}_as_keys"
    case(ordered=False)(run)


for one in TYPED:
    add_exchange(one)
for one in KEYS:
    add_key(one)


@case()
def rows_with_none_in_every_field(env):
    fields = [Types.BOOLEAN(), Types.LONG(), Types.DOUBLE(), Types.BIG_DEC(), Types.SQL_DATE()]
    fields += [Types.SQL_TIMESTAMP(), Types.LIST(Types.INT()), Types.MAP(Types.INT(), Types.INT())]
    kind = Types.ROW(fields)
    return (
        env.from_collection([0, 1], Types.INT())
        .map(lambda i: Row(*[None] * len(fields)), kind)
        .rebalance()
        .map(lambda v: [v[i] for i in range(len(v))])
    )
