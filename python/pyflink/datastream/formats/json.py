"""JSON, one object a record."""

from __future__ import annotations

from pyflink.common.serialization import DeserializationSchema, SerializationSchema
from pyflink.common.typeinfo import RowTypeInfo, TypeInformation, Types, _check_type

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["JsonRowDeserializationSchema", "JsonRowSerializationSchema"]


class JsonRowDeserializationSchema(DeserializationSchema):
    """Reads objects into rows. Make one with :meth:`builder`.

    Fields are found by their names, what the type does not have is skipped, and what an object
    does not have is null. Values become the field's type as in flink-json: ``"12"`` is an INT,
    anything is a STRING, timestamps are ``2024-05-01 12:00:00.123`` (SQL) or with a ``T``
    (ISO-8601). A value that does not fit fails the job and is named with its topic, partition and
    offset, unless :meth:`Builder.ignore_parse_errors` makes it null; text that is no JSON is then
    skipped, and counted. UTF-8. An array of objects is several rows.
    """

    def __init__(self, type_info: TypeInformation, options: dict[str, str]) -> None:
        super().__init__()
        self._type_info = type_info
        self._options = options

    @staticmethod
    def builder() -> JsonRowDeserializationSchema.Builder:
        """Starts a schema."""
        return JsonRowDeserializationSchema.Builder()

    def _format(self) -> tuple[str, dict[str, str], Any]:
        return "json", dict(self._options), self._type_info

    class Builder:
        """Builds a :class:`JsonRowDeserializationSchema`. A type is required."""

        def __init__(self) -> None:
            self._type_info: TypeInformation | None = None
            self._options: dict[str, str] = {}

        def type_info(self, type_info: TypeInformation) -> JsonRowDeserializationSchema.Builder:
            """Type of the rows.

            :raises TypeError: when it is no row type.
            """
            self._type_info = _row_type(type_info, "JsonRowDeserializationSchema")
            return self

        def json_schema(self, json_schema: str) -> JsonRowDeserializationSchema.Builder:
            """Type of the rows, as a JSON schema.

            :raises ValueError: for a schema that describes no object with known types.
            """
            if json_schema is None:
                raise TypeError("The json_schema must not be None.")
            import json

            self._type_info = _type_of_schema(json.loads(json_schema), "#")
            return self

        def fail_on_missing_field(self) -> JsonRowDeserializationSchema.Builder:
            """Fails when a field is missing, instead of reading null."""
            self._options["fail-on-missing-field"] = "true"
            return self

        def ignore_parse_errors(self) -> JsonRowDeserializationSchema.Builder:
            """Skips what cannot be read (and counts it), instead of failing."""
            self._options["ignore-parse-errors"] = "true"
            return self

        def timestamp_format(self, standard: str) -> JsonRowDeserializationSchema.Builder:
            """Beyond upstream: how timestamps are written: ``SQL`` or ``ISO-8601``."""
            self._options["timestamp-format.standard"] = standard
            return self

        def build(self) -> JsonRowDeserializationSchema:
            """The schema.

            :raises ValueError: without a type, or when fields must not be missing and errors are
                ignored.
            """
            if self._type_info is None:
                raise ValueError(
                    "JsonRowDeserializationSchema: a type is required; call"
                    " type_info(Types.ROW_NAMED(...))"
                )
            if "fail-on-missing-field" in self._options and "ignore-parse-errors" in self._options:
                raise ValueError(
                    "JSON format doesn't support failOnMissingField and ignoreParseErrors are both"
                    " enabled."
                )
            return JsonRowDeserializationSchema(self._type_info, dict(self._options))


class JsonRowSerializationSchema(SerializationSchema):
    """Writes rows as objects. Make one with :meth:`builder`.

    Every field is written in the order of the type, null as ``null``, bytes as base64, UTF-8; what
    does not fit its type fails the job and is shown.
    """

    def __init__(self, type_info: TypeInformation, options: dict[str, str]) -> None:
        super().__init__()
        self._type_info = type_info
        self._options = options

    @staticmethod
    def builder() -> JsonRowSerializationSchema.Builder:
        """Starts a schema."""
        return JsonRowSerializationSchema.Builder()

    def _format(self) -> tuple[str, dict[str, str], Any]:
        return "json", dict(self._options), self._type_info

    class Builder:
        """Builds a :class:`JsonRowSerializationSchema`. A type is required."""

        def __init__(self) -> None:
            self._type_info: TypeInformation | None = None
            self._options: dict[str, str] = {}

        def with_type_info(self, type_info: TypeInformation) -> JsonRowSerializationSchema.Builder:
            """Type of the rows.

            :raises TypeError: when it is no row type.
            """
            self._type_info = _row_type(type_info, "JsonRowSerializationSchema")
            return self

        def timestamp_format(self, standard: str) -> JsonRowSerializationSchema.Builder:
            """Beyond upstream: how timestamps are written: ``SQL`` or ``ISO-8601``."""
            self._options["timestamp-format.standard"] = standard
            return self

        def ignore_null_fields(self) -> JsonRowSerializationSchema.Builder:
            """Beyond upstream: leaves null fields away."""
            self._options["encode.ignore-null-fields"] = "true"
            return self

        def build(self) -> JsonRowSerializationSchema:
            """The schema.

            :raises ValueError: without a type.
            """
            if self._type_info is None:
                raise ValueError(
                    "JsonRowSerializationSchema: a type is required; call"
                    " with_type_info(Types.ROW_NAMED(...))"
                )
            return JsonRowSerializationSchema(self._type_info, dict(self._options))


def _row_type(type_info: Any, where: str) -> RowTypeInfo:
    _check_type(type_info, f"{where}: the type")
    if not isinstance(type_info, RowTypeInfo):
        raise TypeError(
            f"{where} needs a row type such as Types.ROW_NAMED(['a'], [Types.INT()]), got"
            f" {type_info}"
        )
    return type_info


def _type_of_schema(schema: Any, where: str) -> TypeInformation:
    """The type of a JSON schema, as Flink maps it.

    Numbers are decimals, formats give dates and times.
    """
    kind = schema.get("type") if isinstance(schema, dict) else None
    if isinstance(kind, list):
        kinds = [k for k in kind if k != "null"]
        kind = kinds[0] if len(kinds) == 1 else None
    if kind == "object":
        properties = schema.get("properties", {})
        return RowTypeInfo(
            [_type_of_schema(value, f"{where}/{key}") for key, value in properties.items()],
            list(properties),
        )
    if kind == "array" and isinstance(schema.get("items"), dict):
        return Types.OBJECT_ARRAY(_type_of_schema(schema["items"], f"{where}/items"))
    if kind == "string":
        formats = {"date-time": Types.SQL_TIMESTAMP, "date": Types.SQL_DATE, "time": Types.SQL_TIME}
        if schema.get("contentEncoding") == "base64":
            return Types.PRIMITIVE_ARRAY(Types.BYTE())
        return formats.get(schema.get("format", ""), Types.STRING)()
    simple = {"number": Types.BIG_DEC, "integer": Types.BIG_INT, "boolean": Types.BOOLEAN}
    if kind in simple:
        return simple[kind]()
    raise ValueError(f"the JSON schema has an unsupported type at {where}: {schema!r}")
