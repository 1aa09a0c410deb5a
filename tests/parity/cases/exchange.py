"""Values at the limits of declared types across an exchange and collected.

One function per use below becomes a case for each type, `<use>_<type>`.
"""

from harness import case

from pyflink.common import Types

KINDS = {
    "int": (Types.INT(), [1, -(2**31), 2**31 - 1]),
    "long": (Types.LONG(), [1, -(2**63), 2**63 - 1]),
    "short": (Types.SHORT(), [1, -32768, 32767]),
    "byte": (Types.BYTE(), [1, -128, 127]),
    "float": (Types.FLOAT(), [0.5, -1.25, float("inf")]),
    "double": (Types.DOUBLE(), [0.1, -1e300, float("-inf")]),
    "boolean": (Types.BOOLEAN(), [True, False, True]),
    "string": (Types.STRING(), ["", "grün", "日本\n\x00x"]),
    "char": (Types.CHAR(), ["a", "b", "z"]),
    "big_int": (Types.BIG_INT(), [1, 2**62, -5]),
}


def name_of(value):
    return f"{type(value).__name__} {value!r}"


def for_each(kinds, use):
    for name in kinds:

        def run(env, name=name):
            return use(env, *KINDS[name])

        run.__name__ = f"{use.__name__}_{name}"
        run.__module__ = use.__module__
        case(ordered=False)(run)


def across(env, kind, values):
    ds = env.from_collection(list(range(len(values)))).map(lambda i: values[i], kind)
    return ds.rebalance().map(name_of, Types.STRING())


def collected(env, kind, values):
    return env.from_collection(values, type_info=kind).map(lambda v: v, kind)


for_each(["int", "long", "short", "byte", "float", "double", "boolean", "string"], across)
for_each(["int", "long", "short", "byte", "char", "big_int"], collected)
