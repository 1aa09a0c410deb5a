"""What the DataStream and the Table API share: rows, types, time, configuration, jobs.

Names are loaded when first used.
"""

from __future__ import annotations

from pyflink._lazy import lazy_exports

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyflink.common.completable_future import CompletableFuture
    from pyflink.common.config_options import ConfigOption, ConfigOptions
    from pyflink.common.configuration import Configuration
    from pyflink.common.execution_config import ExecutionConfig
    from pyflink.common.execution_mode import ExecutionMode
    from pyflink.common.input_dependency_constraint import InputDependencyConstraint
    from pyflink.common.job_client import JobClient
    from pyflink.common.job_execution_result import JobExecutionResult
    from pyflink.common.job_id import JobID
    from pyflink.common.job_status import JobStatus
    from pyflink.common.restart_strategy import RestartStrategies, RestartStrategyConfiguration
    from pyflink.common.serialization import (
        DeserializationSchema,
        Encoder,
        SerializationSchema,
        SimpleStringSchema,
    )
    from pyflink.common.serializer import TypeSerializer
    from pyflink.common.time import Duration, Instant, Time
    from pyflink.common.typeinfo import TypeInformation, Types
    from pyflink.common.types import Row, RowKind
    from pyflink.common.watermark_strategy import (
        AssignerWithPeriodicWatermarksWrapper,
        WatermarkStrategy,
    )
    from pyflink.datastream.formats.csv import (
        CsvRowDeserializationSchema,
        CsvRowSerializationSchema,
    )
    from pyflink.datastream.formats.json import (
        JsonRowDeserializationSchema,
        JsonRowSerializationSchema,
    )

__getattr__, __dir__, _ = lazy_exports(
    __name__,
    {
        "pyflink.common.completable_future": "CompletableFuture",
        "pyflink.common.config_options": "ConfigOption ConfigOptions",
        "pyflink.common.configuration": "Configuration",
        "pyflink.common.execution_config": "ExecutionConfig",
        "pyflink.common.execution_mode": "ExecutionMode",
        "pyflink.common.input_dependency_constraint": "InputDependencyConstraint",
        "pyflink.common.job_client": "JobClient",
        "pyflink.common.job_execution_result": "JobExecutionResult",
        "pyflink.common.job_id": "JobID",
        "pyflink.common.job_status": "JobStatus",
        "pyflink.common.restart_strategy": "RestartStrategies RestartStrategyConfiguration",
        "pyflink.common.serialization": (
            "SerializationSchema DeserializationSchema SimpleStringSchema Encoder"
        ),
        "pyflink.common.serializer": "TypeSerializer",
        "pyflink.common.time": "Duration Instant Time",
        "pyflink.common.typeinfo": "Types TypeInformation",
        "pyflink.common.types": "Row RowKind",
        "pyflink.common.watermark_strategy": (
            "WatermarkStrategy AssignerWithPeriodicWatermarksWrapper"
        ),
        "pyflink.datastream.formats.avro": (
            "AvroRowDeserializationSchema AvroRowSerializationSchema"
        ),
        "pyflink.datastream.formats.csv": "CsvRowDeserializationSchema CsvRowSerializationSchema",
        "pyflink.datastream.formats.json": (
            "JsonRowDeserializationSchema JsonRowSerializationSchema"
        ),
    },
)

__all__ = [
    "AssignerWithPeriodicWatermarksWrapper",
    "CompletableFuture",
    "ConfigOption",
    "ConfigOptions",
    "Configuration",
    "CsvRowDeserializationSchema",
    "CsvRowSerializationSchema",
    "DeserializationSchema",
    "Duration",
    "Encoder",
    "ExecutionConfig",
    "ExecutionMode",
    "InputDependencyConstraint",
    "Instant",
    "JobClient",
    "JobExecutionResult",
    "JobID",
    "JobStatus",
    "JsonRowDeserializationSchema",
    "JsonRowSerializationSchema",
    "RestartStrategies",
    "RestartStrategyConfiguration",
    "Row",
    "RowKind",
    "SerializationSchema",
    "SimpleStringSchema",
    "Time",
    "TypeInformation",
    "TypeSerializer",
    "Types",
    "WatermarkStrategy",
]
