"""Types of the records of a DataStream.

A type decides how records are stored between operators: typed columns for basic types, rows,
tuples, arrays and maps, the Python object as it is for :meth:`Types.PICKLED_BYTE_ARRAY` and for
what has no native form.
"""

from __future__ import annotations

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from pyflink import _native

__all__ = ["TypeInformation", "Types"]


class TypeInformation:
    """Base of all types. Types compare by value and print as in upstream."""

    _native_type: _native.LogicalType | None = None

    def _logical(self) -> _native.LogicalType:
        """The engine's type, made once."""
        if self._native_type is None:
            self._native_type = self._make_logical(False)
        return self._native_type

    def _format_logical(self) -> _native.LogicalType:
        """As :meth:`_logical`, for formats.

        They read and write decimals as DECIMAL(38, 18), not as Python objects.
        """
        return self._make_logical(True)

    def _make_logical(self, for_format: bool) -> _native.LogicalType:
        raise NotImplementedError

    @staticmethod
    def of(type_or_info: Any) -> TypeInformation:
        """The type of a Python class (``int``, ``str``, ...); a type is returned as it is."""
        if isinstance(type_or_info, TypeInformation):
            return type_or_info
        name = getattr(type_or_info, "__name__", None)
        make = {
            "int": Types.LONG,
            "float": Types.DOUBLE,
            "str": Types.STRING,
            "bool": Types.BOOLEAN,
            "Decimal": Types.BIG_DEC,
            "date": Types.SQL_DATE,
            "time": Types.SQL_TIME,
            "datetime": Types.SQL_TIMESTAMP,
            "Instant": Types.INSTANT,
        }.get(name or "")
        if name == "bytes":
            return Types.PRIMITIVE_ARRAY(Types.BYTE())
        return make() if make else Types.PICKLED_BYTE_ARRAY()

    def need_conversion(self) -> bool:
        """Whether values differ between user code and storage; never visible here."""
        return False

    def to_internal_type(self, obj: Any) -> Any:
        """The stored form of a value."""
        return obj

    def from_internal_type(self, obj: Any) -> Any:
        """The user's form of a stored value."""
        return obj

    def get_java_type_info(self) -> Any:
        """Not available: there is no Java here.

        :raises NotSupportedError: always.
        """
        from pyflink._not_yet import not_yet

        raise not_yet("TypeInformation.get_java_type_info")

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k != "_native_type"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __hash__(self) -> int:
        return hash(repr(self))


def _check_type(type_info: object, where: str) -> TypeInformation:
    if not isinstance(type_info, TypeInformation):
        raise TypeError(
            f"{where} must be a type such as Types.STRING(), got"
            f" {type_info!r}{type_hint(type_info)}"
        )
    return type_info


def type_hint(wrong: object) -> str:
    """What was probably meant by something that is no type, for the end of an error message."""
    name = wrong if isinstance(wrong, str) else getattr(wrong, "__name__", "")
    if isinstance(wrong, type):
        known = TypeInformation.of(wrong)
        if isinstance(known, BasicTypeInfo):
            names = {"Integer": "INT", "Long": "LONG", "BigDecimal": "BIG_DEC"}
            return f"; did you mean Types.{names.get(str(known), str(known).upper())}()?"
        return ""
    if name and not name.startswith("_") and hasattr(Types, name.upper()):
        return f"; did you mean Types.{name.upper()}()?"
    return ""


def _fields_of(field_types: Any, what: str) -> list[TypeInformation]:
    if isinstance(field_types, TypeInformation) or not hasattr(field_types, "__iter__"):
        raise TypeError(
            f"a {what} needs a list of types such as [Types.STRING(), Types.INT()], got"
            f" {field_types!r}"
        )
    return [_check_type(t, f"type of field {i} of a {what}") for i, t in enumerate(field_types)]


def _simple(kind: str) -> _native.LogicalType:
    from pyflink._native import LogicalType

    return LogicalType.simple(kind)


_BASIC_KINDS = {
    "String": "string",
    "Byte": "tiny_int",
    "Boolean": "boolean",
    "Short": "small_int",
    "Integer": "int",
    "Long": "big_int",
    "Float": "float",
    "Double": "double",
    "Char": "string",
    # any number of digits and Python's own classes: kept as objects
    "BigInteger": "object",
    "BigDecimal": "object",
    "Instant": "object",
}


class BasicTypeInfo(TypeInformation):
    """Numbers, text, booleans. `name` is Java's name, which is what the type prints."""

    def __init__(self, name: str) -> None:
        self._name = name

    def _make_logical(self, for_format: bool) -> _native.LogicalType:
        if for_format and self._name in ("BigDecimal", "BigInteger"):
            from pyflink._native import LogicalType

            return LogicalType.decimal(38, 18 if self._name == "BigDecimal" else 0)
        if for_format and self._name == "Instant":
            from pyflink._native import LogicalType

            return LogicalType.temporal("timestamp_ltz", 3)
        return _simple(_BASIC_KINDS[self._name])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BasicTypeInfo) and self._name == other._name

    __hash__ = TypeInformation.__hash__

    def __repr__(self) -> str:
        return self._name


class InstantTypeInfo(BasicTypeInfo):
    """Values are :class:`pyflink.common.Instant`."""


class SqlTimeTypeInfo(TypeInformation):
    """Base of date, time and timestamp."""

    _kind = ""
    _precision = 6

    @staticmethod
    def DATE() -> TypeInformation:
        """Values are ``datetime.date``."""
        return DateTypeInfo()

    @staticmethod
    def TIME() -> TypeInformation:
        """Values are ``datetime.time``."""
        return TimeTypeInfo()

    @staticmethod
    def TIMESTAMP() -> TypeInformation:
        """Values are ``datetime.datetime`` without a zone."""
        return TimestampTypeInfo()

    def _make_logical(self, for_format: bool) -> _native.LogicalType:
        if self._kind == "date":
            return _simple("date")
        from pyflink._native import LogicalType

        return LogicalType.temporal(self._kind, self._precision)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    __hash__ = TypeInformation.__hash__

    def __repr__(self) -> str:
        return type(self).__name__


class DateTypeInfo(SqlTimeTypeInfo):
    """Values are ``datetime.date``."""

    _kind = "date"


class TimeTypeInfo(SqlTimeTypeInfo):
    """Values are ``datetime.time``."""

    _kind = "time"


class TimestampTypeInfo(SqlTimeTypeInfo):
    """Values are ``datetime.datetime`` without a zone."""

    _kind = "timestamp"


class PickledBytesTypeInfo(TypeInformation):
    """Any Python object; also the type of a stream without a declared one."""

    def _make_logical(self, for_format: bool) -> _native.LogicalType:
        return _simple("object")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PickledBytesTypeInfo)

    __hash__ = TypeInformation.__hash__

    def __repr__(self) -> str:
        return "PickledByteArrayTypeInfo"


class _ElementTypeInfo(TypeInformation):
    """Base of arrays and lists."""

    def __init__(self, element_type: TypeInformation) -> None:
        self._element_type = _check_type(
            element_type, f"the element type of a {type(self).__name__}"
        )

    def _make_logical(self, for_format: bool) -> _native.LogicalType:
        from pyflink._native import LogicalType

        element = self._element_type
        return LogicalType.array(element._format_logical() if for_format else element._logical())

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _ElementTypeInfo)
            and type(self) is type(other)
            and self._element_type == other._element_type
        )

    __hash__ = TypeInformation.__hash__

    def __repr__(self) -> str:
        return f"{type(self).__name__}<{self._element_type}>"


class PrimitiveArrayTypeInfo(_ElementTypeInfo):
    """An array without nulls: a list; ``bytes`` when the elements are :meth:`Types.BYTE`."""

    def __init__(self, element_type: TypeInformation) -> None:
        super().__init__(element_type)
        if repr(element_type) not in (
            "Boolean",
            "Byte",
            "Short",
            "Integer",
            "Long",
            "Float",
            "Double",
            "Char",
        ):
            raise TypeError(
                f"Invalid element type for a primitive array: {element_type}; use"
                " Types.OBJECT_ARRAY"
            )

    def _make_logical(self, for_format: bool) -> _native.LogicalType:
        if repr(self._element_type) == "Byte":
            return _simple("bytes")
        return super()._make_logical(for_format)


class BasicArrayTypeInfo(_ElementTypeInfo):
    """A list of basic values that may be None."""

    def __init__(self, element_type: TypeInformation) -> None:
        super().__init__(element_type)
        if not isinstance(element_type, BasicTypeInfo) or element_type._name in (
            "BigDecimal",
            "BigInteger",
            "Instant",
        ):
            raise TypeError(
                f"Invalid element type for a basic array: {element_type}; use Types.OBJECT_ARRAY"
            )


class ObjectArrayTypeInfo(_ElementTypeInfo):
    """A list of values of any type; they may be None."""


class ListTypeInfo(_ElementTypeInfo):
    """A list."""

    @property
    def elem_type(self) -> TypeInformation:
        """Type of the elements."""
        return self._element_type


class MapTypeInfo(TypeInformation):
    """A dict with keys and values of one type each."""

    def __init__(self, key_type_info: TypeInformation, value_type_info: TypeInformation) -> None:
        self._key_type_info = _check_type(key_type_info, "the key type of a MAP")
        self._value_type_info = _check_type(value_type_info, "the value type of a MAP")

    def _make_logical(self, for_format: bool) -> _native.LogicalType:
        from pyflink._native import LogicalType

        key, value = self._key_type_info, self._value_type_info
        if for_format:
            return LogicalType.map(key._format_logical(), value._format_logical())
        return LogicalType.map(key._logical(), value._logical())

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, MapTypeInfo)
            and self._key_type_info == other._key_type_info
            and self._value_type_info == other._value_type_info
        )

    __hash__ = TypeInformation.__hash__

    def __repr__(self) -> str:
        return f"MapTypeInfo<{self._key_type_info}, {self._value_type_info}>"


class RowTypeInfo(TypeInformation):
    """A :class:`pyflink.common.Row` with typed fields, named or f0, f1, ..."""

    def __init__(
        self, field_types: Sequence[TypeInformation], field_names: Sequence[str] | None = None
    ) -> None:
        self._field_types = _fields_of(field_types, "ROW")
        self._field_names: list[str] | None = None
        if field_names is not None:
            self._field_names = list(field_names)
            if len(self._field_names) != len(self._field_types):
                raise ValueError(
                    f"a ROW with {len(self._field_types)} field types needs as many names, got"
                    f" {self._field_names}"
                )
            for name in self._field_names:
                if not isinstance(name, str):
                    raise TypeError(f"field names of a ROW are strings, got {name!r}")
                if self._field_names.count(name) > 1:
                    raise ValueError(f"Field name {name!r} occurs more than once in a ROW")

    def get_field_names(self) -> list[str]:
        """Names of the fields; f0, f1, ... when none were given."""
        return self._field_names or [f"f{i}" for i in range(len(self._field_types))]

    def get_field_index(self, field_name: str) -> int:
        """Position of a field, or -1 when no names were given.

        :raises ValueError: for an unknown name.
        """
        return self._field_names.index(field_name) if self._field_names else -1

    def get_field_types(self) -> list[TypeInformation]:
        """Types of the fields."""
        return self._field_types

    def _make_logical(self, for_format: bool) -> _native.LogicalType:
        from pyflink._native import LogicalType

        types = [t._format_logical() if for_format else t._logical() for t in self._field_types]
        return LogicalType.row(self.get_field_names(), types)

    def _named(self) -> RowTypeInfo:
        """With names, as upstream returns it from a stream."""
        return self if self._field_names else RowTypeInfo(self._field_types, self.get_field_names())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RowTypeInfo) and self._field_types == other._field_types

    def __hash__(self) -> int:
        return hash(tuple(self._field_types))

    def __repr__(self) -> str:
        if self._field_names:
            fields = ", ".join(
                f"{n}: {t}" for n, t in zip(self._field_names, self._field_types, strict=True)
            )
        else:
            fields = ", ".join(map(str, self._field_types))
        return f"RowTypeInfo({fields})"


class TupleTypeInfo(TypeInformation):
    """A Python tuple with typed fields."""

    def __init__(self, field_types: Sequence[TypeInformation]) -> None:
        self._field_types = _fields_of(field_types, "TUPLE")

    def get_field_types(self) -> list[TypeInformation]:
        """Types of the fields."""
        return self._field_types

    def _make_logical(self, for_format: bool) -> _native.LogicalType:
        from pyflink._native import LogicalType

        return LogicalType.tuple(
            [t._format_logical() if for_format else t._logical() for t in self._field_types]
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TupleTypeInfo) and self._field_types == other._field_types

    __hash__ = TypeInformation.__hash__

    def __repr__(self) -> str:
        return f"TupleTypeInfo({', '.join(map(str, self._field_types))})"


class LocalTimeTypeInfo(TypeInformation):
    """Local date, time and timestamp of the Table API."""

    LOCAL_DATE = "LOCAL_DATE"
    LOCAL_TIME = "LOCAL_TIME"
    LOCAL_DATE_TIME = "LOCAL_DATE_TIME"

    def __init__(self, time_type: str) -> None:
        if time_type not in (self.LOCAL_DATE, self.LOCAL_TIME, self.LOCAL_DATE_TIME):
            raise TypeError(f"Unsupported TimeType: {time_type}")
        self._time_type = time_type

    def _make_logical(self, for_format: bool) -> _native.LogicalType:
        kinds = {
            "LOCAL_DATE": DateTypeInfo,
            "LOCAL_TIME": TimeTypeInfo,
            "LOCAL_DATE_TIME": TimestampTypeInfo,
        }
        return kinds[self._time_type]()._make_logical(for_format)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LocalTimeTypeInfo) and self._time_type == other._time_type

    __hash__ = TypeInformation.__hash__

    def __repr__(self) -> str:
        return f"LocalTimeTypeInfo<{self._time_type}>"


class ExternalTypeInfo(TypeInformation):
    """A type of the Table API seen by a DataStream."""

    def __init__(self, type_info: TypeInformation) -> None:
        self._type_info = _check_type(type_info, "ExternalTypeInfo")

    def _make_logical(self, for_format: bool) -> _native.LogicalType:
        return self._type_info._make_logical(for_format)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ExternalTypeInfo) and self._type_info == other._type_info

    __hash__ = TypeInformation.__hash__

    def __repr__(self) -> str:
        return f"ExternalTypeInfo<{self._type_info}>"


class _TypesMeta(type):
    def __getattr__(cls, name: str) -> Any:
        known = ", ".join(sorted(n for n in vars(Types) if n.isupper()))
        raise AttributeError(f"there is no Types.{name}; known types: {known}")


class Types(metaclass=_TypesMeta):
    """All types, by Flink's names."""

    @staticmethod
    def STRING() -> TypeInformation:
        """Text: ``str``."""
        return BasicTypeInfo("String")

    @staticmethod
    def BYTE() -> TypeInformation:
        """8-bit integer."""
        return BasicTypeInfo("Byte")

    @staticmethod
    def BOOLEAN() -> TypeInformation:
        """``bool``."""
        return BasicTypeInfo("Boolean")

    @staticmethod
    def SHORT() -> TypeInformation:
        """16-bit integer."""
        return BasicTypeInfo("Short")

    @staticmethod
    def INT() -> TypeInformation:
        """32-bit integer."""
        return BasicTypeInfo("Integer")

    @staticmethod
    def LONG() -> TypeInformation:
        """64-bit integer."""
        return BasicTypeInfo("Long")

    @staticmethod
    def FLOAT() -> TypeInformation:
        """Number in single precision."""
        return BasicTypeInfo("Float")

    @staticmethod
    def DOUBLE() -> TypeInformation:
        """Number in double precision: ``float``."""
        return BasicTypeInfo("Double")

    @staticmethod
    def CHAR() -> TypeInformation:
        """One character: ``str``."""
        return BasicTypeInfo("Char")

    @staticmethod
    def BIG_INT() -> TypeInformation:
        """Integer of any size: ``int``."""
        return BasicTypeInfo("BigInteger")

    @staticmethod
    def BIG_DEC() -> TypeInformation:
        """Decimal number of any size: ``decimal.Decimal``."""
        return BasicTypeInfo("BigDecimal")

    @staticmethod
    def INSTANT() -> TypeInformation:
        """Point of time: :class:`pyflink.common.Instant`."""
        return InstantTypeInfo("Instant")

    @staticmethod
    def SQL_DATE() -> TypeInformation:
        """``datetime.date``."""
        return DateTypeInfo()

    @staticmethod
    def SQL_TIME() -> TypeInformation:
        """``datetime.time``."""
        return TimeTypeInfo()

    @staticmethod
    def SQL_TIMESTAMP() -> TypeInformation:
        """``datetime.datetime`` without a zone."""
        return TimestampTypeInfo()

    @staticmethod
    def PICKLED_BYTE_ARRAY() -> TypeInformation:
        """Any Python object, as it is."""
        return PickledBytesTypeInfo()

    @staticmethod
    def ROW(field_types: list[TypeInformation]) -> TypeInformation:
        """A row with fields f0, f1, ...

        :param field_types: types of the fields.
        """
        return RowTypeInfo(field_types)

    @staticmethod
    def ROW_NAMED(field_names: list[str], field_types: list[TypeInformation]) -> TypeInformation:
        """A row with named fields.

        :param field_names: as many as types.
        :param field_types: types of the fields.
        """
        return RowTypeInfo(field_types, field_names)

    @staticmethod
    def TUPLE(field_types: list[TypeInformation]) -> TypeInformation:
        """A Python tuple.

        :param field_types: types of its items.
        """
        return TupleTypeInfo(field_types)

    @staticmethod
    def PRIMITIVE_ARRAY(element_type: TypeInformation) -> TypeInformation:
        """A list without None; ``bytes`` for :meth:`BYTE`.

        :raises TypeError: for an element type that is not primitive.
        """
        return PrimitiveArrayTypeInfo(element_type)

    @staticmethod
    def BASIC_ARRAY(element_type: TypeInformation) -> TypeInformation:
        """A list of numbers, booleans or strings, which may be None."""
        return BasicArrayTypeInfo(element_type)

    @staticmethod
    def OBJECT_ARRAY(element_type: TypeInformation) -> TypeInformation:
        """A list of anything; its items may be None."""
        return ObjectArrayTypeInfo(element_type)

    @staticmethod
    def MAP(key_type_info: TypeInformation, value_type_info: TypeInformation) -> TypeInformation:
        """A dict."""
        return MapTypeInfo(key_type_info, value_type_info)

    @staticmethod
    def LIST(element_type_info: TypeInformation) -> TypeInformation:
        """A list."""
        return ListTypeInfo(element_type_info)
