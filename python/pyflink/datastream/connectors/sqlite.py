"""Upserts into a SQLite file.

Not part of upstream's API: for demonstrations, tests and small deployments.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyflink.datastream.connectors.base import Sink, join_list, text

__all__ = ["SqliteSink"]


class SqliteSink(Sink):
    """Writes typed rows into a table, which is made with the row's columns when it is missing.

    Rows of one flush are one transaction, and a checkpoint flushes. The file is in WAL mode:
    others may read meanwhile.

    :param path: the database file.
    :param table: the table.
    :param key: columns of the primary key: a row replaces the one with the same key. Without, rows
        are appended.
    :param flush_rows: commits when so many rows are waiting.
    :param flush_interval_ms: commits at least so often.
    :raises ValueError: when `path` or `table` is empty.
    """

    def __init__(
        self,
        path: str,
        table: str,
        key: Sequence[str] = (),
        flush_rows: int = 1000,
        flush_interval_ms: int = 200,
    ) -> None:
        if not path or not table:
            raise ValueError(
                f"SqliteSink needs a file and a table, got path {path!r} and table {table!r}"
            )
        if isinstance(key, str):
            key = [key]
        options = {
            "path": text(path),
            "table": table,
            "flush.rows": text(flush_rows),
            "flush.interval.ms": text(flush_interval_ms),
        }
        if key:
            options["key"] = join_list(key)
        super().__init__("sqlite", options)
