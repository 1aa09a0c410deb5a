"""Rolling aggregations of each kind of record, in both modes and at several parallelisms."""

from decimal import Decimal

from harness import case, in_thread_mode

from pyflink.common import Row, Types
from pyflink.datastream import RuntimeExecutionMode

TRIPLES = [
    ("a", 3, 1),
    ("b", 1, 2),
    ("a", 1, 3),
    ("c", 7, 4),
    ("a", 1, 5),
    ("b", 5, 6),
    ("c", -2, 7),
    ("a", 9, 8),
    ("b", 5, 9),
]
TRIPLE_TYPE = Types.TUPLE([Types.STRING(), Types.INT(), Types.INT()])
NAMED_TYPE = Types.ROW_NAMED(["k", "n", "at"], [Types.STRING(), Types.INT(), Types.INT()])


def rolled(env, how, *where, values=TRIPLES, kind=None, mode=None, parallelism=1):
    env.set_parallelism(parallelism)
    if mode is not None:
        env.set_runtime_mode(mode)
    keyed = env.from_collection(values, type_info=kind).key_by(
        lambda v: v[0], key_type=Types.STRING()
    )
    return getattr(keyed, how)(*where)


def add(how, suffix, **options):
    def run(env):
        return rolled(env, how, 1, **options)

    run.__name__ = f"{how}_{suffix}"
    case(ordered=False)(run)


BATCH = RuntimeExecutionMode.BATCH
for name in ("sum", "min", "max", "min_by", "max_by"):
    add(name, "of_tuples_at_two", kind=TRIPLE_TYPE, parallelism=2)
    add(name, "of_tuples_at_four", kind=TRIPLE_TYPE, parallelism=4)
    add(name, "of_tuples_in_batch_at_two", kind=TRIPLE_TYPE, mode=BATCH, parallelism=2)
    add(name, "of_untyped_tuples", parallelism=1)
    add(
        name,
        "of_named_rows_at_two",
        values=[Row(*v) for v in TRIPLES],
        kind=NAMED_TYPE,
        parallelism=2,
    )
    add(name, "of_lists_in_batch", values=[list(v) for v in TRIPLES], mode=BATCH)


@case()
def max_by_a_field_name(env):
    return rolled(env, "max_by", "n", values=[Row(*v) for v in TRIPLES], kind=NAMED_TYPE)


@case()
def min_by_a_field_name(env):
    return rolled(env, "min_by", "n", values=[Row(*v) for v in TRIPLES], kind=NAMED_TYPE)


@case()
def sum_joins_strings(env):
    return rolled(env, "sum", 1, values=[("a", "x"), ("b", "y"), ("a", "z")])


@case()
def sum_of_doubles(env):
    kind = Types.TUPLE([Types.STRING(), Types.DOUBLE()])
    return rolled(env, "sum", 1, values=[("a", 0.1), ("a", 0.2), ("a", 1e300)], kind=kind)


@case()
def sum_of_decimals(env):
    kind = Types.TUPLE([Types.STRING(), Types.BIG_DEC()])
    values = [("a", Decimal("0.10")), ("a", Decimal("0.25")), ("a", Decimal("-1"))]
    return rolled(env, "sum", 1, values=values, kind=kind)


@case()
def max_by_of_strings_with_a_tie(env):
    return rolled(env, "max_by", 1, values=[("a", "x", 1), ("a", "y", 2), ("a", "y", 3)])


@case()
def min_of_the_key_field_by_default(env):
    return rolled(env, "min", values=[("a", 1), ("b", 2), ("a", 3)])


@case()
def max_of_plain_strings(env):
    return env.from_collection(["bb", "ab", "bc", "aa"]).key_by(lambda v: v[0]).max()


@case()
def min_by_of_plain_numbers(env):
    return env.from_collection([5, 3, 4, 1], Types.INT()).key_by(lambda v: v % 2).min_by()


@case(ordered=False)
def one_record_per_key_in_batch(env):
    return rolled(env, "sum", 1, values=[("a", 1), ("b", 2)], mode=BATCH)


@case(ordered=False)
def sum_then_max_of_another_key(env):
    totals = rolled(env, "sum", 1, kind=TRIPLE_TYPE, mode=BATCH)
    return totals.key_by(lambda v: 0).max(1)


@case()
def sum_after_a_map_with_type(env):
    return (
        env.from_collection([1, 2, 3, 4])
        .map(lambda v: (v % 2, v), Types.TUPLE([Types.INT(), Types.INT()]))
        .key_by(lambda v: v[0], key_type=Types.INT())
        .sum(1)
    )


@case()
def position_that_is_no_field_is_refused(env):
    rolled(env, "sum", 1.5)
    return []


@case()
def second_field_of_a_plain_number_is_refused(env):
    return env.from_collection([1, 2, 3], Types.INT()).key_by(lambda v: 0).sum(1)


@case()
def reduce_gives_another_type(env):
    return env.from_collection([1, 2, 3]).key_by(lambda v: 0).reduce(lambda a, b: f"{a}+{b}")


@case(ordered=False)
def reduce_at_four(env):
    env.set_parallelism(4)
    return (
        env.from_collection(TRIPLES)
        .key_by(lambda v: v[0])
        .reduce(lambda a, b: (a[0], a[1] * 10 + b[1], b[2]))
    )


@case(ordered=False)
def reduce_in_batch_at_two(env):
    env.set_parallelism(2)
    env.set_runtime_mode(BATCH)
    return (
        env.from_collection(TRIPLES)
        .key_by(lambda v: v[0])
        .reduce(lambda a, b: (a[0], a[1] + b[1], b[2]))
    )


def reduced_to_none(env, mode):
    in_thread_mode(
        env
    )  # process mode gives None for ever after, as its state then holds two values
    env.set_runtime_mode(mode)
    return (
        env.from_collection([1, 2, 3, 4, 5])
        .key_by(lambda v: 0)
        .reduce(lambda a, b: None if b % 4 == 2 else a + b)
        .map(repr, Types.STRING())
    )


@case()
def reduce_that_gives_none(env):
    return reduced_to_none(env, RuntimeExecutionMode.STREAMING)


@case()
def reduce_that_gives_none_in_batch(env):
    return reduced_to_none(env, BATCH)
