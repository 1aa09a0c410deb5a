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
from pyflink.datastream._logging import warning

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["warn_of_other_names", "with_texts"]


def with_texts(values: list[Any], declared: TypeInformation) -> list[Any]:
    """The records with text for the numbers and booleans where `declared` says STRING.

    Upstream takes what Java's ``toString`` says of them. Everything else stays as it is.
    """
    return [_with_text(value, declared) for value in values]


def _with_text(value: Any, declared: TypeInformation) -> Any:
    if isinstance(value, (bool, int, float)):
        return _java_text(value) if declared == Types.STRING() else value
    if isinstance(declared, MapTypeInfo) and isinstance(value, dict):
        key_type, value_type = declared._key_type_info, declared._value_type_info
        return {_with_text(k, key_type): _with_text(v, value_type) for k, v in value.items()}
    if isinstance(declared, ListTypeInfo) and isinstance(value, (list, tuple)):
        return [_with_text(element, declared.elem_type) for element in value]
    if isinstance(declared, RowTypeInfo) and isinstance(value, dict):
        types = dict(zip(declared.get_field_names(), declared.get_field_types(), strict=False))
        return {k: _with_text(v, types[k]) if k in types else v for k, v in value.items()}
    if isinstance(declared, (RowTypeInfo, TupleTypeInfo)):
        types_in_order = declared.get_field_types()
        if type(value) in (list, tuple) and len(value) == len(types_in_order):
            return tuple(_with_text(v, t) for v, t in zip(value, types_in_order, strict=False))
    return value


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
