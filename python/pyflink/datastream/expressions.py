"""Conditions on record fields that need no Python while the job runs.

A condition is an ordinary FilterFunction: a script that uses it says what it means to any engine.
Over rows, tuples and plain values of declared types the engine evaluates it on the columns of whole
batches, without calling this class and without the GIL::

    from pyflink.datastream.expressions import field

    paid = orders.filter((field("amount") > 100) & field("user").is_not_null())

The rules are Python's, with one exception. ``==`` and ``!=`` are as in Python, also with None. An
order (``<``, ``<=``, ``>``, ``>=``) with None is false instead of an error. NaN equals nothing.
Conditions combine with ``&``, ``|`` and ``~``; each comparison then needs its parentheses.

Upstream's DataStream API has no such module.
"""

from __future__ import annotations

from pyflink.common.typeinfo import BasicTypeInfo, RowTypeInfo, TupleTypeInfo
from pyflink.datastream.functions import FilterFunction

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pyflink.common.typeinfo import TypeInformation

__all__ = ["Condition", "Field", "field", "value"]

_WHOLE_RECORD = -1

# Python's types of constants that a field of a basic type can be compared with natively
_CONSTANTS: dict[str, tuple[str, ...]] = {
    "String": ("str",),
    "Boolean": ("bool",),
    "Byte": ("int", "float"),
    "Short": ("int", "float"),
    "Integer": ("int", "float"),
    "Long": ("int", "float"),
    "Float": ("int", "float"),
    "Double": ("int", "float"),
}

_OPERATORS = ("==", "!=", "<", "<=", ">", ">=")


def field(name_or_index: str | int) -> Field:
    """A field of each record, to be compared.

    :param name_or_index: its name (rows, dicts) or its index (rows, tuples).
    :raises TypeError: when it is neither.
    :raises ValueError: for a negative index.
    """
    if isinstance(name_or_index, bool) or not isinstance(name_or_index, (str, int)):
        raise TypeError(f"field() needs the name or the index of a field, got {name_or_index!r}")
    if isinstance(name_or_index, int) and name_or_index < 0:
        raise ValueError(f"field(): the index of a field is 0 or more, got {name_or_index}")
    return Field(name_or_index)


def value() -> Field:
    """The record itself, of a stream of plain values: ``numbers.filter(value() > 10)``."""
    return Field(None)


class Field:
    """A field of the records; comparing it makes a :class:`Condition`."""

    __slots__ = ("_name",)

    def __init__(self, name: str | int | None) -> None:
        self._name = name

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]
        return self.is_null() if other is None else self._compared("==", other)

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]
        return self.is_not_null() if other is None else self._compared("!=", other)

    def __lt__(self, other: Any) -> Condition:
        return self._compared("<", other)

    def __le__(self, other: Any) -> Condition:
        return self._compared("<=", other)

    def __gt__(self, other: Any) -> Condition:
        return self._compared(">", other)

    def __ge__(self, other: Any) -> Condition:
        return self._compared(">=", other)

    __hash__ = None  # type: ignore[assignment]

    def is_null(self) -> Condition:
        """True where the field is None."""
        return Condition(("is_null", self._name))

    def is_not_null(self) -> Condition:
        """True where the field has a value."""
        return ~self.is_null()

    def is_true(self) -> Condition:
        """True where a boolean field is True; None counts as False."""
        return Condition(("is_true", self._name))

    def is_in(self, *values: Any) -> Condition:
        """True where the field equals one of the values.

        :param values: the values, or one list, tuple or set of them. None stands for no value.
        """
        if len(values) == 1 and isinstance(values[0], (list, tuple, set, frozenset)):
            values = tuple(values[0])
        known = [item for item in values if item is not None]
        condition = Condition(("is_in", self._name, tuple(map(_constant, known))))
        if len(known) == len(values):
            return condition
        either: Condition = condition | self.is_null()
        return either

    def between(self, low: Any, high: Any) -> Condition:
        """True where the field is at least `low` and at most `high`."""
        both: Condition = (self >= low) & (self <= high)
        return both

    def __bool__(self) -> bool:
        raise TypeError(f"{self!r} is no condition yet; compare it, or call is_true() on it")

    def __repr__(self) -> str:
        return "value()" if self._name is None else f"field({self._name!r})"

    def _compared(self, operator: str, other: Any) -> Condition:
        if isinstance(other, Field):
            return Condition(("compare_fields", operator, self._name, other._name))
        if other is None:
            raise TypeError(
                f"{self!r} {operator} None is never true; write is_null() or is_not_null()"
            )
        return Condition(("compare", operator, self._name, _constant(other)))


class Condition(FilterFunction):
    """A condition on a record, made by comparing a :func:`field`; pass it to ``filter()``.

    It can also be called with a record.
    """

    def __init__(self, node: tuple[Any, ...]) -> None:
        self._node = node
        self._called: Any = None

    def __and__(self, other: Any) -> Condition:
        return Condition(("and", self._node, _node_of(other, "&")))

    def __or__(self, other: Any) -> Condition:
        return Condition(("or", self._node, _node_of(other, "|")))

    def __invert__(self) -> Condition:
        return Condition(("not", self._node))

    def __rand__(self, other: Any) -> Condition:
        raise _precedence(other, "&")

    def __ror__(self, other: Any) -> Condition:
        raise _precedence(other, "|")

    def __bool__(self) -> bool:
        raise TypeError(
            f"{self!r} is no truth value before it sees a record; combine conditions with &, | and"
            " ~ instead of and, or and not, and write between(a, b) instead of a <= x <= b"
        )

    def __repr__(self) -> str:
        return _shown(self._node)

    def __getstate__(self) -> dict[str, Any]:
        return {"_node": self._node, "_called": None}

    # The definition: what the engine does natively gives the same.

    def filter(self, value: Any) -> bool:
        """Whether the condition holds for a record."""
        if self._called is None:
            self._called = _compiled(self._node)
        return self._called(value)  # type: ignore[no-any-return]

    def __call__(self, value: Any) -> bool:
        """As :meth:`filter`."""
        return self.filter(value)

    def _lowered(self, type_info: TypeInformation) -> tuple[Any, ...] | None:
        """The condition with indexes of fields, for the engine; None where it has to call Python.

        :raises ValueError: when a row has no such field.
        :raises IndexError: when there is no field with that index.
        """
        return _lowered(self._node, type_info)


def _precedence(other: Any, operator: str) -> TypeError:
    return TypeError(
        f"{operator} combines conditions, got {other!r}; {operator} binds stronger than a"
        f" comparison: write (field('a') > 1) {operator} (field('b') < 2)"
    )


def _node_of(other: Any, operator: str) -> tuple[Any, ...]:
    if not isinstance(other, Condition):
        raise _precedence(other, operator)
    return other._node


def _constant(constant: Any) -> Any:
    if isinstance(constant, (list, dict, set, bytearray)):
        raise TypeError(f"a field is compared with a plain value, not {constant!r}")
    return constant


def _shown(node: tuple[Any, ...]) -> str:
    how, *rest = node
    if how in ("and", "or"):
        return f"({_shown(rest[0])}) {'&' if how == 'and' else '|'} ({_shown(rest[1])})"
    if how == "not":
        return f"~({_shown(rest[0])})"
    if how == "compare":
        return f"{Field(rest[1])!r} {rest[0]} {rest[2]!r}"
    if how == "compare_fields":
        return f"{Field(rest[1])!r} {rest[0]} {Field(rest[2])!r}"
    return f"{Field(rest[0])!r}.{how}({', '.join(map(repr, rest[1])) if len(rest) > 1 else ''})"


def _compiled(node: tuple[Any, ...]) -> Any:
    """The condition as one Python function: it is called for each record."""
    constants: list[Any] = []
    return eval(f"lambda r: bool({_source(node, constants)})", {"c": constants, "_in": _is_in})


def _source(node: tuple[Any, ...], constants: list[Any]) -> str:
    how, *rest = node

    def place(constant: Any) -> str:
        constants.append(constant)
        return f"c[{len(constants) - 1}]"

    def got(name: Any) -> str:
        return "r" if name is None else f"r[{name!r}]"

    if how in ("and", "or"):
        return f"({_source(rest[0], constants)} {how} {_source(rest[1], constants)})"
    if how == "not":
        return f"(not {_source(rest[0], constants)})"
    if how == "is_null":
        return f"({got(rest[0])} is None)"
    if how == "is_true":
        return f"({got(rest[0])} is True)"
    if how == "is_in":
        return f"_in({got(rest[0])}, {place(rest[1])})"
    operator = rest[0]
    left, right = got(rest[1]), place(rest[2]) if how == "compare" else got(rest[2])
    known = f"({left} {operator} {right})"
    if operator in ("==", "!="):
        return known
    if how == "compare":
        return f"({left} is not None and {known})"
    return f"({left} is not None and {right} is not None and {known})"


def _is_in(item: Any, constants: tuple[Any, ...]) -> bool:
    return any(item == constant for constant in constants)  # `in` would find a NaN by identity


def _lowered(node: tuple[Any, ...], type_info: TypeInformation) -> tuple[Any, ...] | None:
    how, *rest = node
    if how in ("and", "or", "not"):
        children = [_lowered(child, type_info) for child in rest]
        return None if any(child is None for child in children) else (how, *children)
    if how == "compare_fields":
        operator, name, other_name = rest
        field, other = _field_of(name, type_info), _field_of(other_name, type_info)
        if field is None or other is None:
            return None
        family = _family(field[1])
        same = family is not None and family == _family(other[1])
        return (how, operator, field[0], other[0]) if same else None
    name = rest[1] if how == "compare" else rest[0]
    found = _field_of(name, type_info)
    if found is None:
        return None
    index, basic = found
    if how == "is_null":
        return (how, index)
    if how == "is_true":
        return (how, index) if basic == "Boolean" else None
    constants = rest[1] if how == "is_in" else (rest[2],)
    if not all(_is_native(constant, basic) for constant in constants):
        return None
    if how == "is_in":
        return (how, index, tuple(constants))
    return (how, rest[0], index, constants[0])


def _is_native(constant: Any, basic: str) -> bool:
    kind = type(constant).__name__
    if kind not in _CONSTANTS.get(basic, ()):
        return False
    return kind != "int" or -(1 << 63) <= constant < 1 << 63


def _family(basic: str) -> str | None:
    """Fields of one family are compared natively with each other."""
    if basic in ("String", "Boolean"):
        return basic
    return "number" if basic in _CONSTANTS else None


def _field_of(name: str | int | None, type_info: TypeInformation) -> tuple[int, str] | None:
    """Index and basic type of a field ("" when it has none); None when Python has to look."""
    if name is None:
        known = isinstance(type_info, BasicTypeInfo)
        return (_WHOLE_RECORD, type_info._name) if known else None  # type: ignore[attr-defined]
    if not isinstance(type_info, (RowTypeInfo, TupleTypeInfo)):
        return None
    types = type_info.get_field_types()
    if isinstance(name, str):
        if not isinstance(type_info, RowTypeInfo):
            raise ValueError(f"field({name!r}): a tuple has no field names; give an index")
        names = type_info.get_field_names()
        if name not in names:
            raise ValueError(
                f"field({name!r}): there is no such field; the record has {', '.join(names)}"
            )
        index = names.index(name)
    else:
        index = name
        if index >= len(types):
            raise IndexError(f"field({name}): there is no such field in {type_info}")
    basic = types[index]
    return index, basic._name if isinstance(basic, BasicTypeInfo) else ""
