"""How records become bytes and back.

Formats with settings are in :mod:`pyflink.datastream.formats`.
"""

from __future__ import annotations

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


__all__ = [
    "BulkWriterFactory",
    "DeserializationSchema",
    "Encoder",
    "SerializationSchema",
    "SimpleStringSchema",
]


class SerializationSchema:
    """Makes bytes of a record; a connector asks it for a native format and its options.

    Beyond upstream, a subclass with a method ``serialize(element)``, which returns bytes, a str or
    None, can be used for keys and values of Kafka records.
    """

    def __init__(self, j_serialization_schema: Any = None) -> None:
        self._j_serialization_schema = j_serialization_schema

    def _format(self) -> tuple[str, dict[str, str], Any]:
        """(format name, its options, declared type of the records or None)."""
        raise TypeError(
            f"{type(self).__name__} does not say how to make bytes; use SimpleStringSchema, "
            "JsonRowSerializationSchema or CsvRowSerializationSchema, or give it a method "
            "serialize(element) that returns bytes (keys and values of Kafka records)"
        )


class DeserializationSchema:
    """Makes a record of bytes; a connector asks it for a native format and its options."""

    def __init__(self, j_deserialization_schema: Any = None) -> None:
        self._j_deserialization_schema = j_deserialization_schema

    def _format(self) -> tuple[str, dict[str, str], Any]:
        """(format name, its options, type of the records)."""
        raise TypeError(
            f"{type(self).__name__} does not say how to read bytes; use SimpleStringSchema, "
            "JsonRowDeserializationSchema or CsvRowDeserializationSchema"
        )


def _known_charset(charset: str) -> str:
    """The name, as it is given or, where only Python knows that, Python's own."""
    from pyflink import _native

    if _native.is_charset(charset):
        return charset
    import codecs

    try:
        name = codecs.lookup(charset).name
    except (LookupError, ValueError):
        name = ""
    if not _native.is_charset(name):
        raise ValueError(
            f"SimpleStringSchema: unknown charset {charset!r}; give one that Python or Java has,"
            " such as 'UTF-16' or 'ISO-8859-1'"
        )
    return name


class SimpleStringSchema(SerializationSchema, DeserializationSchema):
    """Text, one record a message.

    What is no text of the charset becomes U+FFFD when it is read, and ``?`` when it is written, as
    in Java. UTF-16 is big-endian unless a byte-order mark says otherwise.

    :param charset: the name of any charset that Python knows, or Java: ``UTF-16``,
        ``ISO-8859-1``, ``windows-1252``, ``Shift_JIS``, ...
    :raises ValueError: when there is no such charset.
    """

    def __init__(self, charset: str = "UTF-8") -> None:
        self._options: dict[str, str] = {}
        if not isinstance(charset, str):
            raise TypeError(f"SimpleStringSchema: charset must be a name, got {charset!r}")
        if charset.upper() not in ("UTF-8", "UTF8"):
            self._options["charset"] = _known_charset(charset)
        SerializationSchema.__init__(self)
        DeserializationSchema.__init__(self)

    def _format(self) -> tuple[str, dict[str, str], Any]:
        from pyflink.common.typeinfo import Types

        return "string", dict(self._options), Types.STRING()


class Encoder:
    """Writes records to the files of a row-format sink."""

    def __init__(self, charset: str) -> None:
        self._charset = charset

    @staticmethod
    def simple_string_encoder(charset_name: str = "UTF-8") -> Encoder:
        """One line a record: its text form."""
        return Encoder(charset_name)


class BulkWriterFactory:
    """Makes writers of columnar files."""

    def __init__(self, j_bulk_writer_factory: Any) -> None:
        self._factory = j_bulk_writer_factory

    def get_java_object(self) -> Any:
        """The object it was made with."""
        return self._factory


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        from pyflink._spellings import module_name

        return module_name(__name__, name)
