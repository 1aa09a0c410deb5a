"""Recognises functions that only take one field of a typed row: the engine reads the column.

Key selectors (``lambda r: r["a"]``, ``lambda r: r.a``, ``lambda r: r[0]``, ``operator.itemgetter``
and ``attrgetter``) and timestamp assigners. A function is recognised only when its byte code,
constants and names are exactly those of such an expression compiled by this very interpreter;
whatever else it does, it is called for every record as usual.
"""

from __future__ import annotations

from pyflink.common.typeinfo import BasicTypeInfo, RowTypeInfo, TupleTypeInfo

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any, TypeAlias

    from pyflink.common.typeinfo import TypeInformation

    _Shape: TypeAlias = tuple[bytes, tuple[Any, ...], tuple[str, ...]]

# fields whose Python and native values make the same key bytes
_KEY_TYPES = frozenset({"String", "Byte", "Short", "Integer", "Long", "Boolean"})

_TIMESTAMP_TYPES = frozenset({"Integer", "Long"})

_MAX_FIELDS = 256


def key_field(selector: Any, type_info: TypeInformation) -> int:
    """Index of the one field `selector` takes from a `type_info` record; -1 when not certain."""
    return _field(selector, "x", type_info, _KEY_TYPES)


def timestamp_field(assigner: Any, type_info: TypeInformation) -> int:
    """Index of the field that is `assigner`'s timestamp of a `type_info` record; -1 when not
    certain."""
    called = getattr(assigner, "_called", None)  # a plain function given as the assigner
    if called is not None:
        return _field(called, "x, t", type_info, _TIMESTAMP_TYPES)
    method = getattr(getattr(assigner, "extract_timestamp", None), "__func__", None)
    return _field(method, "s, x, t", type_info, _TIMESTAMP_TYPES)


def _field(
    function: Any, parameters: str, type_info: TypeInformation, allowed: frozenset[str]
) -> int:
    """The field of its parameter x that `function` returns."""
    if isinstance(type_info, RowTypeInfo):
        names: list[str] | None = type_info.get_field_names()
    elif isinstance(type_info, TupleTypeInfo):
        names = None
    else:
        return -1
    types = type_info.get_field_types()
    if len(types) > _MAX_FIELDS:
        return -1
    index = _index_of(function, parameters, names, len(types))
    if index < 0:
        return -1
    field_type = types[index]
    return index if isinstance(field_type, BasicTypeInfo) and field_type._name in allowed else -1


def _index_of(function: Any, parameters: str, names: list[str] | None, count: int) -> int:
    module, kind = type(function).__module__, type(function).__name__
    if module == "operator" and kind in ("itemgetter", "attrgetter") and parameters == "x":
        # reduce is how the two say what they get: (class, (item, ...))
        items = function.__reduce__()[1]
        return _of_item(items[0], kind == "attrgetter", names, count) if len(items) == 1 else -1
    code = getattr(function, "__code__", None)
    if kind != "function" or code is None or code.co_freevars or code.co_cellvars:
        return -1
    arguments = parameters.count(",") + 1
    if (
        code.co_argcount != arguments or code.co_kwonlyargcount or code.co_flags & 0x2AC
    ):  # *args, **kwargs, generators
        return -1
    if getattr(function, "__wrapped__", None) is not None:
        return -1
    shape = _shape(function)
    for index in range(count):
        if shape == _compiled(parameters, f"x[{index}]"):
            return index
        if names is not None:
            name = names[index]
            if shape == _compiled(parameters, f"x[{name!r}]"):
                return index
            if name.isidentifier() and shape == _compiled(parameters, f"x.{name}"):
                return _of_item(name, True, names, count)
    return -1


def _of_item(item: Any, attribute: bool, names: list[str] | None, count: int) -> int:
    if type(item) is int and not attribute:
        return item if 0 <= item < count else -1
    if type(item) is not str or names is None or item not in names:
        return -1
    if attribute:
        from pyflink._native import Row

        if hasattr(Row, item):  # a method of Row hides the field
            return -1
    return names.index(item)


_cache: dict[tuple[str, str], _Shape] = {}


def _shape(function: Any) -> _Shape:
    code: CodeType = function.__code__
    # True == 1 in tuples: types of constants count too
    constants = [(type(c), c) for c in code.co_consts]
    if constants and function.__doc__ is not None and code.co_consts[0] == function.__doc__:
        constants[0] = (type(None), None)
    return code.co_code, tuple(constants), code.co_names


def _compiled(parameters: str, expression: str) -> _Shape:
    shape = _cache.get((parameters, expression))
    if shape is None:
        try:
            # the names come from a checked row type
            function = eval(f"lambda {parameters}: {expression}", {})
        except SyntaxError:  # a field called like a keyword
            return b"", (), ()
        shape = _cache[parameters, expression] = _shape(function)
    return shape
