"""Records of `from_collection` that are not quite of their declared type."""

from __future__ import annotations

from pyflink.common.typeinfo import (
    ListTypeInfo,
    MapTypeInfo,
    RowTypeInfo,
    TupleTypeInfo,
    TypeInformation,
    Types,
)
from pyflink.common.types import Row
from pyflink.datastream._logging import warning

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["warn_of_other_names", "with_texts"]


def with_texts(value: Any, declared: TypeInformation) -> Any:
    """A record with text for the numbers and booleans where `declared` says STRING.

    Upstream takes what Java's ``toString`` says of them. Everything else stays as it is.
    """
    if isinstance(value, (bool, int, float)):
        return _java_text(value) if declared == Types.STRING() else value
    if isinstance(declared, MapTypeInfo) and isinstance(value, dict):
        key_type, value_type = declared._key_type_info, declared._value_type_info
        return {with_texts(k, key_type): with_texts(v, value_type) for k, v in value.items()}
    if isinstance(declared, ListTypeInfo) and isinstance(value, (list, tuple)):
        return [with_texts(element, declared.elem_type) for element in value]
    if isinstance(declared, RowTypeInfo) and isinstance(value, dict):
        types = dict(zip(declared.get_field_names(), declared.get_field_types(), strict=False))
        return {k: with_texts(v, types[k]) if k in types else v for k, v in value.items()}
    if isinstance(declared, (RowTypeInfo, TupleTypeInfo)):
        types_in_order = declared.get_field_types()
        if isinstance(value, Row) and len(value) == len(types_in_order):
            return _row_with_texts(value, declared)
        if type(value) in (list, tuple) and len(value) == len(types_in_order):
            return tuple(with_texts(v, t) for v, t in zip(value, types_in_order, strict=False))
        if isinstance(declared, RowTypeInfo) and (
            hasattr(value, "__dict__") or hasattr(value, "__slots__")
        ):
            names = declared.get_field_names()
            return with_texts({name: getattr(value, name, None) for name in names}, declared)
    return value


def _row_with_texts(row: Row, declared: RowTypeInfo | TupleTypeInfo) -> Row:
    types = declared.get_field_types()
    names = list(getattr(row, "_fields", None) or ())
    if isinstance(declared, RowTypeInfo) and sorted(names) == sorted(declared.get_field_names()):
        # fields are taken by name then, as they are without this
        by_name = dict(zip(declared.get_field_names(), types, strict=True))
        types = [by_name[name] for name in names]
    fields = [with_texts(field, t) for field, t in zip(row, types, strict=True)]
    mended = Row(**dict(zip(names, fields, strict=True))) if names else Row(*fields)
    mended.set_row_kind(row.get_row_kind())
    return mended


def _java_text(value: bool | int | float) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if value != value:
        return "NaN"
    sign = "-" if str(value).startswith("-") else ""
    size = abs(value)
    if size == float("inf"):
        return f"{sign}Infinity"
    if size == 0 or 1e-3 <= size < 1e7:
        from decimal import Decimal

        plain = format(Decimal(repr(size)), "f")
        return sign + (plain if "." in plain else f"{plain}.0")
    digits, _, exponent = f"{size!r}".partition("e")
    whole, _, fraction = digits.partition(".")
    power = int(exponent or 0)
    if whole.strip("0"):
        power += len(whole) - 1
        significant = whole + fraction
    else:
        significant = fraction.lstrip("0")
        power -= len(fraction) - len(significant) + 1
    significant = significant.rstrip("0")
    return f"{sign}{significant[0]}.{significant[1:] or '0'}E{power}"


def warn_of_other_names(record: dict[str, Any], declared: TypeInformation) -> None:
    """Warns when a dict has none of the fields of its ROW: the row is made of nulls then."""
    if not isinstance(declared, RowTypeInfo) or not record:
        return
    names = declared.get_field_names()
    if any(name in record for name in names):
        return
    keys = [str(key) for key in record]
    warning(
        f"from_collection: the record {record!r} has none of the fields {', '.join(names)} of its"
        f" type, so that all fields are None; declare Types.ROW_NAMED({keys!r}, [...])"
    )
