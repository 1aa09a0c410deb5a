"""The one list of what is not offered yet, and the error it raises.

A name of :data:`NOT_YET` can be imported, so that a script that merely mentions it loads; using it
says what to do instead. :data:`NOT_YET_MEMBERS` has the methods and options that are refused, with
the same. The list shrinks to nothing.
"""

from __future__ import annotations

import sys

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


__all__ = ["NOT_YET", "NOT_YET_MEMBERS", "NotSupportedError", "not_yet", "placeholder_getattr"]


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
_CEP = (
    "pattern matching comes with a later release; a KeyedProcessFunction with state and timers can"
    " do the work until then"
)

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
    # Apache PyFlink has no such modules; scripts in the wild import them all the same
    "pyflink.cep": dict.fromkeys(
        [
            "AfterMatchSkipStrategy",
            "CEP",
            "IterativeCondition",
            "Pattern",
            "PatternFlatSelectFunction",
            "PatternProcessFunction",
            "PatternSelectFunction",
            "PatternStream",
            "PatternTimeoutFunction",
            "Quantifier",
            "SimpleCondition",
        ],
        _CEP,
    ),
    "pyflink.cep.pattern": dict.fromkeys(
        [
            "AfterMatchSkipStrategy",
            "IterativeCondition",
            "Pattern",
            "Quantifier",
            "SimpleCondition",
        ],
        _CEP,
    ),
    "pyflink.cep.pattern_stream": dict.fromkeys(["PatternStream"], _CEP),
    "pyflink.cep.pattern_select_function": dict.fromkeys(
        ["PatternFlatSelectFunction", "PatternSelectFunction"], _CEP
    ),
    "pyflink.cep.pattern_timeout_function": dict.fromkeys(["PatternTimeoutFunction"], _CEP),
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


_NO_JAVA = "there is no Java behind this package"
_NO_CLASSES = "there are no Java classes here; "

NOT_YET_MEMBERS: dict[str, str] = {
    "pyflink.java_gateway": (
        f"{_NO_JAVA}; sources, sinks and Elasticsearch emitters can be Python functions and classes"
        " instead"
    ),
    "TypeInformation.get_java_type_info": _NO_JAVA,
    "Source.get_java_function": _NO_JAVA,
    "Sink.get_java_function": _NO_JAVA,
    "get_http_host_class": _NO_JAVA,
    "SourceFunction of a Java class": (
        f"{_NO_CLASSES}subclass SourceFunction and override run(self, ctx)"
    ),
    "SinkFunction of a Java class": (
        f"{_NO_CLASSES}subclass SinkFunction and override invoke(self, value, context)"
    ),
    "CustomStateBackend": f"{_NO_CLASSES}use HashMapStateBackend()",
    "CustomCheckpointStorage": f"{_NO_CLASSES}use FileSystemCheckpointStorage(path)",
    "StreamExecutionEnvironment.create_input": (
        "use from_source(FileSource...) or a SourceFunction"
    ),
    "FileSource.for_bulk_file_format": "use for_record_stream_format",
    "files that are not local": (
        "only local files can be read and written; mount them, or copy them before the job or"
        " after it"
    ),
    "charset of an Encoder": "use UTF-8",
}
"""Methods and options -> what to do instead; :func:`not_yet` makes their errors."""


def not_yet(member: str, shown: str | None = None) -> NotSupportedError:
    """The error for one of :data:`NOT_YET_MEMBERS`; raise what it returns.

    :param shown: what the user wrote, where that says more than the name in the list.
    """
    return _error(shown or member, NOT_YET_MEMBERS[member])


def _error(what: str, instead: str) -> NotSupportedError:
    return NotSupportedError(f"{what} is not supported yet: {instead}.")


class _Placeholder(type):
    """Metaclass of a name that can be imported but not used."""

    _instead: str

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        raise _error(f"{cls.__module__}.{cls.__name__}", cls._instead)

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise _error(f"{cls.__module__}.{cls.__name__}.{name}", cls._instead)


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
