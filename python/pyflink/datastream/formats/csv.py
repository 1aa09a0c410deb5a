"""CSV, one line a record."""

from __future__ import annotations

from pyflink.common.serialization import (
    BulkWriterFactory,
    DeserializationSchema,
    SerializationSchema,
)
from pyflink.datastream.connectors.file_system import StreamFormat
from pyflink.datastream.formats.json import _row_type

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pyflink.common.typeinfo import TypeInformation

__all__ = [
    "CsvBulkWriters",
    "CsvReaderFormat",
    "CsvRowDeserializationSchema",
    "CsvRowSerializationSchema",
    "CsvSchema",
    "CsvSchemaBuilder",
]


def _one_character(value: str, what: str) -> str:
    if not isinstance(value, str) or len(value) != 1:
        raise ValueError(f"{what} must be one character, got {value!r}")
    return value


class CsvRowDeserializationSchema(DeserializationSchema):
    """Reads lines into rows: ``CsvRowDeserializationSchema.Builder(type)...build()``."""

    def __init__(self, type_info: TypeInformation, options: dict[str, str]) -> None:
        super().__init__()
        self._type_info = type_info
        self._options = options

    def _format(self) -> tuple[str, dict[str, str], Any]:
        return "csv", dict(self._options), self._type_info

    class Builder:
        """Builds a :class:`CsvRowDeserializationSchema`.

        :param type_info: type of the rows.
        :raises TypeError: when it is no row type.
        """

        def __init__(self, type_info: TypeInformation) -> None:
            self._type_info = _row_type(type_info, "CsvRowDeserializationSchema")
            self._options: dict[str, str] = {}

        def _set(self, key: str, value: str) -> CsvRowDeserializationSchema.Builder:
            self._options[key] = value
            return self

        def set_field_delimiter(self, delimiter: str) -> CsvRowDeserializationSchema.Builder:
            """Between two fields; a comma by default."""
            return self._set("field-delimiter", _one_character(delimiter, "the field delimiter"))

        def set_allow_comments(self, allow_comments: bool) -> CsvRowDeserializationSchema.Builder:
            """Skips lines that begin with #."""
            return self._set("allow-comments", "true" if allow_comments else "false")

        def set_array_element_delimiter(
            self, delimiter: str
        ) -> CsvRowDeserializationSchema.Builder:
            """Between two items of an array; a semicolon by default."""
            return self._set("array-element-delimiter", delimiter)

        def set_quote_character(self, c: str) -> CsvRowDeserializationSchema.Builder:
            """Around fields; a double quote by default."""
            return self._set("quote-character", _one_character(c, "the quote character"))

        def set_escape_character(self, c: str) -> CsvRowDeserializationSchema.Builder:
            """Before a character that is meant as it is; none by default."""
            return self._set("escape-character", _one_character(c, "the escape character"))

        def set_null_literal(self, null_literal: str) -> CsvRowDeserializationSchema.Builder:
            """The text that means null."""
            return self._set("null-literal", null_literal)

        def set_ignore_parse_errors(
            self, ignore_parse_errors: bool
        ) -> CsvRowDeserializationSchema.Builder:
            """Skips what cannot be read (and counts it), instead of failing."""
            return self._set("ignore-parse-errors", "true" if ignore_parse_errors else "false")

        def build(self) -> CsvRowDeserializationSchema:
            """The schema."""
            return CsvRowDeserializationSchema(self._type_info, dict(self._options))


class CsvRowSerializationSchema(SerializationSchema):
    """Writes rows as lines: ``CsvRowSerializationSchema.Builder(type)...build()``."""

    def __init__(self, type_info: TypeInformation, options: dict[str, str]) -> None:
        super().__init__()
        self._type_info = type_info
        self._options = options

    def _format(self) -> tuple[str, dict[str, str], Any]:
        return "csv", dict(self._options), self._type_info

    class Builder:
        """Builds a :class:`CsvRowSerializationSchema`.

        :param type_info: type of the rows.
        :raises TypeError: when it is no row type.
        """

        def __init__(self, type_info: TypeInformation) -> None:
            self._type_info = _row_type(type_info, "CsvRowSerializationSchema")
            self._options: dict[str, str] = {}

        def _set(self, key: str, value: str) -> CsvRowSerializationSchema.Builder:
            self._options[key] = value
            return self

        def set_field_delimiter(self, c: str) -> CsvRowSerializationSchema.Builder:
            """Between two fields; a comma by default."""
            return self._set("field-delimiter", _one_character(c, "the field delimiter"))

        def set_line_delimiter(self, delimiter: str) -> CsvRowSerializationSchema.Builder:
            """Behind each row: a newline by default; ``\\r``, ``\\r\\n`` or nothing.

            :raises ValueError: for others, as upstream.
            """
            if delimiter not in ("\n", "\r", "\r\n", ""):
                raise ValueError(
                    f"Unsupported new line delimiter {delimiter!r}. Only \\n, \\r, \\r\\n, or empty"
                    " string are supported."
                )
            return self._set("line-delimiter", delimiter)

        def set_array_element_delimiter(self, delimiter: str) -> CsvRowSerializationSchema.Builder:
            """Between two items of an array; a semicolon by default."""
            return self._set("array-element-delimiter", delimiter)

        def disable_quote_character(self) -> CsvRowSerializationSchema.Builder:
            """Writes no quotes."""
            return self._set("disable-quote-character", "true")

        def set_quote_character(self, c: str) -> CsvRowSerializationSchema.Builder:
            """Around fields that need it; a double quote by default."""
            return self._set("quote-character", _one_character(c, "the quote character"))

        def set_escape_character(self, c: str) -> CsvRowSerializationSchema.Builder:
            """Before a character that is meant as it is; none by default."""
            return self._set("escape-character", _one_character(c, "the escape character"))

        def set_null_literal(self, s: str) -> CsvRowSerializationSchema.Builder:
            """The text written for null; nothing by default."""
            return self._set("null-literal", s)

        def build(self) -> CsvRowSerializationSchema:
            """The schema."""
            return CsvRowSerializationSchema(self._type_info, dict(self._options))


class CsvSchema:
    """Columns and spelling of a CSV file; made by :meth:`builder`."""

    def __init__(
        self, columns: list[tuple[str, TypeInformation]], settings: dict[str, Any]
    ) -> None:
        self._columns = list(columns)
        self._settings = dict(settings)

    @staticmethod
    def builder() -> CsvSchemaBuilder:
        """Starts a schema."""
        return CsvSchemaBuilder()

    def size(self) -> int:
        """Number of columns."""
        return len(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __str__(self) -> str:
        columns = ",".join(f'"{name}"' for name, _ in self._columns)
        return f"[CsvSchema: columns=[{columns}]]"

    def __repr__(self) -> str:
        return str(self)

    def _type(self) -> TypeInformation:
        from pyflink.common.typeinfo import Types

        return Types.ROW_NAMED([name for name, _ in self._columns], [t for _, t in self._columns])

    def _format_options(self) -> dict[str, str]:
        """Options of the engine's csv format."""
        names = {
            "separator": "field-delimiter",
            "quote": "quote-character",
            "escape": "escape-character",
            "null": "null-literal",
            "array": "array-element-delimiter",
        }
        options = {
            f"format.{names[key]}": value for key, value in self._settings.items() if key in names
        }
        if self._settings.get("comments"):
            options["format.allow-comments"] = "true"
        if self._settings.get("no quotes"):
            options["format.disable-quote-character"] = "true"
        return {"format": "csv", **options}


class CsvSchemaBuilder:
    """Builds a :class:`CsvSchema`."""

    def __init__(self) -> None:
        self._columns: list[tuple[str, TypeInformation]] = []
        self._settings: dict[str, Any] = {}

    def build(self) -> CsvSchema:
        """The schema."""
        return CsvSchema(self._columns, self._settings)

    def _add(self, name: str, type_info: TypeInformation) -> CsvSchemaBuilder:
        if not isinstance(name, str):
            raise TypeError(f"the name of a column must be a string, got {name!r}")
        self._columns.append((name, type_info))
        return self

    def _set(self, key: str, value: Any) -> CsvSchemaBuilder:
        self._settings[key] = value
        return self

    def add_array_column(
        self, name: str, separator: str = ";", element_type: Any = None
    ) -> CsvSchemaBuilder:
        """A column of several values, split at `separator`.

        :param element_type: type of the values; strings when left out.
        :raises ValueError: when another array column has another separator.
        """
        from pyflink.common.typeinfo import Types

        known = self._settings.setdefault("array", separator)
        if known != separator:
            raise ValueError(
                f"all array columns need the same separator; {name!r} has {separator!r}, another"
                f" one has {known!r}"
            )
        element = Types.STRING() if element_type is None else _column_type(element_type)
        return self._add(name, Types.LIST(element))

    def add_boolean_column(self, name: str) -> CsvSchemaBuilder:
        """A column of true and false."""
        from pyflink.common.typeinfo import Types

        return self._add(name, Types.BOOLEAN())

    def add_number_column(self, name: str, number_type: Any = None) -> CsvSchemaBuilder:
        """A column of numbers.

        :param number_type: their type; 64-bit integers when left out.
        """
        from pyflink.common.typeinfo import Types

        return self._add(name, Types.LONG() if number_type is None else _column_type(number_type))

    def add_string_column(self, name: str) -> CsvSchemaBuilder:
        """A column of text."""
        from pyflink.common.typeinfo import Types

        return self._add(name, Types.STRING())

    def add_columns_from(self, schema: CsvSchema) -> CsvSchemaBuilder:
        """All columns of another schema."""
        self._columns += schema._columns
        return self

    def clear_columns(self) -> CsvSchemaBuilder:
        """Forgets the columns so far."""
        self._columns = []
        return self

    def set_allow_comments(self, allow: bool = True) -> CsvSchemaBuilder:
        """Whether lines that begin with # are skipped."""
        return self._set("comments", allow)

    def set_any_property_name(self, name: str) -> CsvSchemaBuilder:
        """Accepted: columns beyond the schema's are left out."""
        return self

    def disable_array_element_separator(self) -> CsvSchemaBuilder:
        """Arrays have one element."""
        self._settings.pop("array", None)
        return self

    def remove_array_element_separator(self, index: int) -> CsvSchemaBuilder:
        """The array of column `index` has one element."""
        return self.disable_array_element_separator()

    def set_array_element_separator(self, separator: str) -> CsvSchemaBuilder:
        """Between the values of arrays; a semicolon unless set."""
        return self._set("array", separator)

    def set_column_separator(self, char: str) -> CsvSchemaBuilder:
        """Between two columns; a comma unless set.

        :raises ValueError: for more than one character.
        """
        return self._set("separator", _one_character(char, "Column separator"))

    def disable_escape_char(self) -> CsvSchemaBuilder:
        """No escape character."""
        self._settings.pop("escape", None)
        return self

    def set_escape_char(self, char: str) -> CsvSchemaBuilder:
        """Before a character that is meant as it is; none unless set.

        :raises ValueError: for more than one character.
        """
        return self._set("escape", _one_character(char, "Escape char"))

    def set_line_separator(self, separator: str) -> CsvSchemaBuilder:
        """After each line that is written; a line feed unless set."""
        return self._set("line", separator)

    def set_null_value(self, null_value: str) -> CsvSchemaBuilder:
        """The text that means null."""
        return self._set("null", null_value)

    def disable_quote_char(self) -> CsvSchemaBuilder:
        """No quotes."""
        self._settings.pop("quote", None)
        return self._set("no quotes", True)

    def set_quote_char(self, char: str) -> CsvSchemaBuilder:
        """Around a value; a double quote unless set.

        :raises ValueError: for more than one character.
        """
        self._settings.pop("no quotes", None)
        return self._set("quote", _one_character(char, "Quote char"))

    def set_skip_first_data_row(self, skip: bool = True) -> CsvSchemaBuilder:
        """Whether the first line, after the header if there is one, is left out."""
        return self._set("skip first", skip)

    def set_strict_headers(self, strict: bool = True) -> CsvSchemaBuilder:
        """Accepted: the header is skipped, columns go by their position."""
        return self._set("strict", strict)

    def set_use_header(self, use: bool = True) -> CsvSchemaBuilder:
        """Whether the first line names the columns."""
        return self._set("header", use)

    def size(self) -> int:
        """Number of columns so far."""
        return len(self._columns)

    def __len__(self) -> int:
        return len(self._columns)


def _column_type(declared: Any) -> TypeInformation:
    from pyflink.common.typeinfo import TypeInformation

    if isinstance(declared, TypeInformation):
        return declared
    raise TypeError(
        f"the type of a CSV column must be a type such as Types.INT(), got {declared!r}"
    )


def _checked_schema(schema: Any, what: str) -> CsvSchema:
    if not isinstance(schema, CsvSchema):
        hint = "; call .build() on it" if isinstance(schema, CsvSchemaBuilder) else ""
        raise TypeError(f"{what}.for_schema needs a CsvSchema, got {schema!r}{hint}")
    return schema


class CsvReaderFormat(StreamFormat):
    """Reads the lines of CSV files as named rows, for FileSource.

    A value in quotes may not go on in the next line.
    """

    @staticmethod
    def for_schema(schema: CsvSchema) -> CsvReaderFormat:
        """Rows with the schema's columns.

        :raises TypeError: when it is no CsvSchema.
        """
        _checked_schema(schema, "CsvReaderFormat")
        skip = bool(schema._settings.get("header")) + bool(schema._settings.get("skip first"))
        options = {**schema._format_options(), "skip-lines": str(skip)}
        return CsvReaderFormat("UTF-8", schema._type(), options)


class CsvBulkWriters:
    """Writes rows as CSV files, for ``FileSink.for_bulk_format``."""

    @staticmethod
    def for_schema(schema: CsvSchema) -> BulkWriterFactory:
        """Lines with the schema's columns.

        :raises TypeError: when it is no CsvSchema.
        """
        _checked_schema(schema, "CsvBulkWriters")
        options = schema._format_options()
        options.pop("format.allow-comments", None)
        options["format.line-delimiter"] = schema._settings.get("line", "\n")
        return CsvWriterFactory(options)


class CsvWriterFactory(BulkWriterFactory):
    """What :class:`CsvBulkWriters` makes."""

    def __init__(self, options: dict[str, str]) -> None:
        super().__init__(None)
        self._options = options
