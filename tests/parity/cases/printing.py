"""What `print()` writes for each kind of stream."""

import datetime
from decimal import Decimal

from harness import case

from pyflink.common import Row, Types


def shown(ds):
    ds.print()
    return ds.get_execution_environment().execute()


@case(prints=True)
def untyped_values(env):
    shown(
        env.from_collection([1, 1.5, 1e10, 1e-5, True, "a b", (1, "a", None), [1, "b"], {"k": 1}])
    )


@case(prints=True)
def untyped_row(env):
    shown(env.from_collection([Row(1, None, True, "x"), Row(a=1, b="y")]))


@case(prints=True)
def row_stream(env):
    kind = Types.ROW([Types.INT(), Types.STRING(), Types.BOOLEAN(), Types.DOUBLE()])
    shown(
        env.from_collection([Row(1, None, True, 1.5), Row(2, "x y", False, 1e10)], type_info=kind)
    )


@case(prints=True)
def tuple_stream(env):
    kind = Types.TUPLE([Types.INT(), Types.STRING(), Types.BOOLEAN(), Types.DOUBLE()])
    shown(env.from_collection([(1, None, True, 1.5), (2, "x y", False, 1e10)], type_info=kind))


@case(prints=True)
def named_row_stream(env):
    kind = Types.ROW_NAMED(["a", "b"], [Types.INT(), Types.STRING()])
    shown(env.from_collection([Row(1, "x")], type_info=kind))


@case(prints=True)
def typed_ints(env):
    shown(env.from_collection([1, 2], type_info=Types.INT()))


@case(prints=True)
def typed_doubles(env):
    shown(env.from_collection([1.0, 1e7, 1e6, 1e-3, 1e-4, 0.1], type_info=Types.DOUBLE()))


@case(prints=True)
def typed_floats(env):
    shown(env.from_collection([1.23, 1e10, 0.1], type_info=Types.FLOAT()))


@case(prints=True)
def typed_booleans(env):
    shown(env.from_collection([True, False], type_info=Types.BOOLEAN()))


@case(prints=True)
def typed_strings(env):
    shown(env.from_collection(["a", "b c"], type_info=Types.STRING()))


@case(prints=True)
def typed_decimals(env):
    shown(env.from_collection([Decimal("1.50"), Decimal("1E+3")], type_info=Types.BIG_DEC()))


@case(prints=True)
def typed_lists_and_maps(env):
    kind = Types.TUPLE([Types.LIST(Types.INT()), Types.MAP(Types.STRING(), Types.INT())])
    shown(env.from_collection([([1, 2], {"k": 1})], type_info=kind))


@case(prints=True)
def typed_times(env):
    kind = Types.TUPLE([Types.SQL_DATE(), Types.SQL_TIME(), Types.SQL_TIMESTAMP()])
    shown(
        env.from_collection(
            [
                (
                    datetime.date(2018, 3, 11),
                    datetime.time(3, 0, 1),
                    datetime.datetime(2018, 3, 11, 3, 0, 0, 123000),
                )
            ],
            type_info=kind,
        )
    )


@case(prints=True)
def map_without_type_of_a_tuple_stream(env):
    kind = Types.TUPLE([Types.INT(), Types.STRING()])
    shown(env.from_collection([(1, "a")], type_info=kind).map(lambda v: v))


@case(prints=True)
def map_with_int_type(env):
    shown(env.from_collection([1, 2]).map(lambda v: v * 2, output_type=Types.INT()))


@case(prints=True)
def keyed_stream(env):
    shown(env.from_collection([(1, "a"), (2, "b")]).key_by(lambda v: v[1], key_type=Types.STRING()))


@case(prints=True)
def with_an_identifier(env):
    env.from_collection([1], type_info=Types.INT()).print("out")
    env.execute()


@case(prints=True, ordered=False)
def prefix_at_parallelism_two(env):
    env.set_parallelism(2)
    env.from_collection([1, 1], type_info=Types.INT()).rebalance().print("name")
    env.execute()


@case(prints=True)
def dataclass_like_object(env):
    class Point:
        def __init__(self, x):
            self.x = x

        def __str__(self):
            return f"point {self.x}"

    shown(env.from_collection([1]).map(lambda v: Point(v)))
