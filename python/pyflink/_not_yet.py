"""The one list of upstream names that are not offered yet, and the error they raise.

A name listed here can be imported, so that a script that merely mentions it loads; using it says
what to do instead. The list shrinks to nothing.
"""

from __future__ import annotations

import sys

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


__all__ = ["NOT_YET", "NotSupportedError", "not_yet", "placeholder_getattr"]


class NotSupportedError(NotImplementedError):
    """A part of upstream's API that this release does not offer yet."""


_TABLE = (
    "the Table API comes with a later release; use the DataStream API (pyflink.datastream) until"
    " then"
)
_AVRO = (
    "Avro comes with a later release; use JsonRowSerializationSchema / JsonRowDeserializationSchema"
)
_COLUMNAR = (
    "columnar files come with a later release; use FileSource.for_record_stream_format /"
    " FileSink.for_row_format"
)
_EXTRA = (
    "this connector comes with a later release; a Python SourceFunction or SinkFunction can do the"
    " work until then"
)
_CONF = "it came with Flink's Java side; there is no Java class here"

_TABLE_NAMES = [
    "AggregateFunction",
    "CalciteDialect",
    "CsvTableSink",
    "CsvTableSource",
    "DataTypes",
    "DataView",
    "EnvironmentSettings",
    "ExplainDetail",
    "Expression",
    "FormatDescriptor",
    "FunctionContext",
    "GroupWindowedTable",
    "GroupedTable",
    "ListView",
    "MapView",
    "Module",
    "ModuleEntry",
    "OverWindowedTable",
    "ResultKind",
    "Row",
    "RowKind",
    "ScalarFunction",
    "Schema",
    "SinkKind",
    "SqlDialect",
    "StatementSet",
    "StreamTableEnvironment",
    "Table",
    "TableAggregateFunction",
    "TableConfig",
    "TableDescriptor",
    "TableEnvironment",
    "TableFunction",
    "TableResult",
    "TableSchema",
    "TableSink",
    "TableSource",
    "UserDefinedType",
    "WindowGroupedTable",
    "WriteMode",
    "BatchTableEnvironment",
    "ChangelogMode",
]

_DESCRIPTOR_NAMES = [
    "ConnectTableDescriptor",
    "Csv",
    "CustomConnectorDescriptor",
    "CustomFormatDescriptor",
    "Elasticsearch",
    "FileSystem",
    "Json",
    "Kafka",
    "Kinesis",
    "OldCsv",
    "Rowtime",
    "Schema",
]

NOT_YET: dict[str, dict[str, str]] = {
    "pyflink.table": dict.fromkeys(_TABLE_NAMES, _TABLE),
    "pyflink.table.descriptors": dict.fromkeys(_DESCRIPTOR_NAMES, _TABLE),
    "pyflink.datastream.formats.avro": dict.fromkeys(
        [
            "AvroSchema",
            "GenericRecordAvroTypeInfo",
            "AvroInputFormat",
            "AvroBulkWriters",
            "AvroRowDeserializationSchema",
            "AvroRowSerializationSchema",
        ],
        _AVRO,
    ),
    "pyflink.datastream.formats.parquet": dict.fromkeys(
        [
            "AvroParquetReaders",
            "AvroParquetWriters",
            "ParquetColumnarRowInputFormat",
            "ParquetBulkWriters",
        ],
        _COLUMNAR,
    ),
    "pyflink.datastream.formats.orc": dict.fromkeys(["OrcBulkWriters"], _COLUMNAR),
    "pyflink.datastream.connectors.cassandra": dict.fromkeys(
        [
            "CassandraSink",
            "ConsistencyLevel",
            "MapperOptions",
            "ClusterBuilder",
            "CassandraCommitter",
            "CassandraFailureHandler",
        ],
        _EXTRA,
    ),
    "pyflink.datastream.connectors.pulsar": dict.fromkeys(
        [
            "PulsarSource",
            "PulsarSourceBuilder",
            "StartCursor",
            "StopCursor",
            "RangeGenerator",
            "PulsarSink",
            "PulsarSinkBuilder",
            "MessageDelayer",
            "TopicRoutingMode",
        ],
        _EXTRA,
    ),
    "pyflink.datastream.connectors.rabbitmq": dict.fromkeys(
        ["RMQConnectionConfig", "RMQSource", "RMQSink"], _EXTRA
    ),
    "pyflink.datastream.connectors.kinesis": dict.fromkeys(
        [
            "KinesisShardAssigner",
            "KinesisDeserializationSchema",
            "WatermarkTracker",
            "PartitionKeyGenerator",
            "FlinkKinesisConsumer",
            "KinesisStreamsSink",
            "KinesisStreamsSinkBuilder",
            "KinesisFirehoseSink",
            "KinesisFirehoseSinkBuilder",
        ],
        _EXTRA,
    ),
    "pyflink.datastream.connectors.jdbc": dict.fromkeys(
        ["JdbcSink", "JdbcConnectionOptions", "JdbcExecutionOptions"], _EXTRA
    ),
}


def not_yet(what: str, instead: str) -> NotSupportedError:
    """The error for one method or option; raise what it returns."""
    return NotSupportedError(f"{what} is not supported yet: {instead}.")


class _Placeholder(type):
    """Metaclass of a name that can be imported but not used."""

    _instead: str

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        raise not_yet(f"{cls.__module__}.{cls.__name__}", cls._instead)

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise not_yet(f"{cls.__module__}.{cls.__name__}.{name}", cls._instead)


def placeholder_getattr(module: str) -> Callable[[str], Any]:
    """``__getattr__`` of a module whose names are in :data:`NOT_YET`."""
    names = NOT_YET[module]

    def __getattr__(name: str) -> Any:
        instead = names.get(name)
        if instead is None:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        made = _Placeholder(
            name, (), {"__module__": module, "_instead": instead, "__doc__": instead}
        )
        # one class for all who ask, which pickle finds by its name as well
        setattr(sys.modules[module], name, made)
        return made

    return __getattr__
