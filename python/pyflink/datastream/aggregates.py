"""Aggregates of record fields that need no Python while the job runs.

:class:`FieldAggregates` is an ordinary AggregateFunction, so a script that uses it says what it
means to any engine. Over rows and tuples of declared types the engine computes it from the columns
of whole batches, without calling this class and without the GIL::

    by_user = stream.key_by(lambda row: row.user)
    by_user.window(TumblingEventTimeWindows.of(Time.seconds(1))).aggregate(
        FieldAggregates().key("user").count("n").sum("amount", "total").max("amount", "highest")
    )
"""

from __future__ import annotations

from pyflink.common.typeinfo import (
    BasicTypeInfo,
    RowTypeInfo,
    TupleTypeInfo,
    Types,
)
from pyflink.datastream.functions import AggregateFunction

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pyflink.common.typeinfo import TypeInformation

__all__ = ["FieldAggregates"]

_INTEGERS = frozenset({"Byte", "Short", "Integer", "Long", "BigInteger"})
_NUMBERS = _INTEGERS | {"Float", "Double", "BigDecimal"}

_EVERY_RECORD = -1


class FieldAggregates(AggregateFunction):
    """Several aggregates of record fields at once; the result is a Row with one field each.

    Each method adds one aggregate and returns a new object. A field is given by its name (rows,
    dicts) or its index (rows, tuples). Results are in the order of the calls.

    Nulls are left out, as in SQL: a sum, minimum, maximum or average that has seen nothing else is
    None. Sums of integers are 64-bit and wrap around, as in Java; sums of floats add up in the
    order of the records; decimals are exact. The smallest and largest value is the earlier one on a
    tie.

    Upstream has no such class. Without declared types (or with types the engine cannot aggregate by
    itself) the methods below run in Python, with the same results.
    """

    def __init__(self) -> None:
        # (how, field, name of the result)
        self._parts: tuple[tuple[str, str | int, str], ...] = ()
        self._row: Any = None

    def _with(self, how: str, field: str | int, name: str | None) -> FieldAggregates:
        if isinstance(field, bool) or not isinstance(field, (str, int)):
            raise TypeError(
                f"FieldAggregates.{how}() needs the name or the index of a field, got {field!r}"
            )
        if isinstance(field, int) and field < 0 and (how, field) != ("count", _EVERY_RECORD):
            raise ValueError(f"FieldAggregates.{how}(): the index of a field is 0 or more: {field}")
        if name is None:
            if how == "first":
                name = field if isinstance(field, str) else f"f{field}"
            else:
                name = f"{how}_{field}"
        if not isinstance(name, str) or not name:
            raise TypeError(
                f"FieldAggregates.{how}(): the name of a result is a string, got {name!r}"
            )
        if any(name == known for _, _, known in self._parts):
            raise ValueError(
                f"FieldAggregates: there is a result {name!r} already; give this one another name"
            )
        other = type(self).__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._parts = (*self._parts, (how, field, name))
        other._row = None
        return other

    def key(self, field: str | int, name: str | None = None) -> FieldAggregates:
        """The field as the first record has it, null or not: meant for the fields of the key.

        :param field: name or index.
        :param name: name of the result; the field's own when left out.
        """
        return self._with("first", field, name)

    def count(self, name: str = "count", field: str | int | None = None) -> FieldAggregates:
        """How many records there are; with `field`, how many of them have it (not None).

        :param name: name of the result.
        :param field: name or index.
        """
        return self._with("count", _EVERY_RECORD if field is None else field, name)

    def sum(self, field: str | int, name: str | None = None) -> FieldAggregates:
        """The sum of a numeric field: LONG of integers, DOUBLE of floats, BIG_DEC of decimals.

        :param field: name or index.
        :param name: name of the result; ``sum_<field>`` when left out.
        """
        return self._with("sum", field, name)

    def min(self, field: str | int, name: str | None = None) -> FieldAggregates:
        """The smallest value of a field.

        :param field: name or index.
        :param name: name of the result; ``min_<field>`` when left out.
        """
        return self._with("min", field, name)

    def max(self, field: str | int, name: str | None = None) -> FieldAggregates:
        """The largest value of a field.

        :param field: name or index.
        :param name: name of the result; ``max_<field>`` when left out.
        """
        return self._with("max", field, name)

    def avg(self, field: str | int, name: str | None = None) -> FieldAggregates:
        """The average of a numeric field, a DOUBLE.

        :param field: name or index.
        :param name: name of the result; ``avg_<field>`` when left out.
        """
        return self._with("avg", field, name)

    # The definition: what the engine does natively gives the same.

    def create_accumulator(self) -> Any:
        """A list: an item for each aggregate, then whether there was a record."""
        self._require_parts()
        items: list[Any] = [_EMPTY.get(how) for how, _, _ in self._parts]
        return [item.copy() if type(item) is list else item for item in items] + [False]

    def add(self, value: Any, accumulator: Any) -> Any:
        """The accumulator, changed."""
        first = not accumulator[-1]
        for index, (how, field, _) in enumerate(self._parts):
            item = None if field == _EVERY_RECORD else value[field]
            if how == "first":
                if first:
                    accumulator[index] = item
            elif how == "count":
                accumulator[index] += field == _EVERY_RECORD or item is not None
            elif item is None:
                pass
            elif how == "avg":
                total = accumulator[index]
                total[0] = float(item) if total[0] is None else total[0] + float(item)
                total[1] += 1
            else:
                known = accumulator[index]
                accumulator[index] = item if known is None else _combine(how, known, item)
        accumulator[-1] = True
        return accumulator

    def get_result(self, accumulator: Any) -> Any:
        """A Row with the names given."""
        if self._row is None:
            from pyflink.common.types import Row

            self._row = Row(*[name for _, _, name in self._parts])
        values = [
            (item[0] / item[1] if item[1] else None) if how == "avg" else item
            for item, (how, _, _) in zip(accumulator, self._parts)  # noqa: B905  (one item more)
        ]
        return self._row(*values)

    def merge(self, acc_a: Any, acc_b: Any) -> Any:
        """Both, the records of `acc_a` first."""
        if not acc_b[-1]:
            return acc_a
        if not acc_a[-1]:
            return acc_b
        for index, (how, _, _) in enumerate(self._parts):
            a, b = acc_a[index], acc_b[index]
            if how == "count":
                acc_a[index] = a + b
            elif how == "avg":
                if b[0] is not None:
                    a[0] = b[0] if a[0] is None else a[0] + b[0]
                a[1] += b[1]
            elif how != "first" and b is not None:
                acc_a[index] = b if a is None else _combine(how, a, b)
        return acc_a

    def _require_parts(self) -> None:
        if not self._parts:
            raise ValueError(
                "FieldAggregates() computes nothing; add for instance .count() or .sum('amount')"
            )

    def _lowered(
        self, type_info: TypeInformation
    ) -> tuple[list[tuple[str, int]], RowTypeInfo] | None:
        """What the engine needs to do this itself over `type_info` records.

        The aggregates by field index, and the type of the results; None where it cannot.

        :raises ValueError: when a row has no such field.
        :raises IndexError: when there is no field with that index.
        :raises TypeError: when a field cannot be summed up or averaged.
        """
        self._require_parts()
        if type(self) is not FieldAggregates or not isinstance(
            type_info, (RowTypeInfo, TupleTypeInfo)
        ):
            return None
        types = type_info.get_field_types()
        fields: list[tuple[str, int]] = []
        results: list[TypeInformation] = []
        for how, field, _ in self._parts:
            index = field if isinstance(field, int) else _index_of(how, field, type_info)
            if index >= len(types):
                raise IndexError(
                    f"FieldAggregates.{how}(): there is no field {index} in {type_info}"
                )
            fields.append((how, index))
            results.append(
                Types.LONG() if index == _EVERY_RECORD else _result_type(how, field, types[index])
            )
        return fields, RowTypeInfo(results, [name for _, _, name in self._parts])


_EMPTY: dict[str, Any] = {"count": 0, "avg": [None, 0]}


def _index_of(how: str, field: str, type_info: RowTypeInfo | TupleTypeInfo) -> int:
    if not isinstance(type_info, RowTypeInfo):
        raise ValueError(
            f"FieldAggregates.{how}(): a tuple has no field names; give an index, not {field!r}"
        )
    names = type_info.get_field_names()
    if field not in names:
        raise ValueError(
            f"FieldAggregates.{how}(): there is no field {field!r}; the record has"
            f" {', '.join(names)}"
        )
    return names.index(field)


def _result_type(how: str, field: str | int, type_info: TypeInformation) -> TypeInformation:
    if how == "count":
        return Types.LONG()
    if how in ("sum", "avg"):
        name = type_info._name if isinstance(type_info, BasicTypeInfo) else ""
        if name not in _NUMBERS or (how == "avg" and name == "BigDecimal"):
            raise TypeError(
                f"FieldAggregates.{how}() of field {field!r}: it has the type {type_info}, and"
                f" {how}() takes numbers{' other than decimals' if how == 'avg' else ''}"
            )
        if how == "sum" and name in ("BigDecimal", "BigInteger"):
            return type_info
        return Types.LONG() if how == "sum" and name in _INTEGERS else Types.DOUBLE()
    return type_info


def _combine(how: str, known: Any, item: Any) -> Any:
    if how == "min":
        return item if item < known else known
    if how == "max":
        return item if known < item else known
    if type(known) is int and type(item) is int:
        return ((known + item + (1 << 63)) & ((1 << 64) - 1)) - (1 << 63)
    if type(known).__name__ == "Decimal":
        from decimal import Context

        return Context(prec=76).add(known, item)
    return known + item
