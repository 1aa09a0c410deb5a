"""The DataStream API. Names are loaded when first used."""

from __future__ import annotations

from pyflink._lazy import lazy_exports

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyflink.datastream.async_data_stream import (
        AsyncDataStream,
    )
    from pyflink.datastream.checkpoint_config import (
        CheckpointConfig,
        ExternalizedCheckpointCleanup,
    )
    from pyflink.datastream.checkpoint_storage import (
        CheckpointStorage,
        CustomCheckpointStorage,
        FileSystemCheckpointStorage,
        JobManagerCheckpointStorage,
    )
    from pyflink.datastream.checkpointing_mode import (
        CheckpointingMode,
    )
    from pyflink.datastream.data_stream import (
        AllWindowedStream,
        BroadcastConnectedStream,
        BroadcastStream,
        CachedDataStream,
        CloseableIterator,
        ConnectedStreams,
        DataStream,
        DataStreamSink,
        KeyedStream,
        WindowedStream,
    )
    from pyflink.datastream.execution_mode import (
        RuntimeExecutionMode,
    )
    from pyflink.datastream.externalized_checkpoint_retention import (
        ExternalizedCheckpointRetention,
    )
    from pyflink.datastream.functions import (
        AggregateFunction,
        AllWindowFunction,
        AsyncFunction,
        AsyncRetryPredicate,
        AsyncRetryStrategy,
        BroadcastProcessFunction,
        CoFlatMapFunction,
        CoMapFunction,
        CoProcessFunction,
        FilterFunction,
        FlatMapFunction,
        KeyedBroadcastProcessFunction,
        KeyedCoProcessFunction,
        KeyedProcessFunction,
        KeySelector,
        MapFunction,
        Partitioner,
        ProcessAllWindowFunction,
        ProcessFunction,
        ProcessWindowFunction,
        ReduceFunction,
        RuntimeContext,
        SinkFunction,
        SourceFunction,
        WindowFunction,
    )
    from pyflink.datastream.output_tag import (
        OutputTag,
    )
    from pyflink.datastream.slot_sharing_group import (
        MemorySize,
        SlotSharingGroup,
    )
    from pyflink.datastream.state_backend import (
        CustomStateBackend,
        EmbeddedRocksDBStateBackend,
        FsStateBackend,
        HashMapStateBackend,
        MemoryStateBackend,
        PredefinedOptions,
        RocksDBStateBackend,
        StateBackend,
    )
    from pyflink.datastream.stream_execution_environment import (
        StreamExecutionEnvironment,
    )
    from pyflink.datastream.time_characteristic import (
        TimeCharacteristic,
    )
    from pyflink.datastream.time_domain import (
        TimeDomain,
    )
    from pyflink.datastream.timerservice import (
        TimerService,
    )
    from pyflink.datastream.window import (
        CountWindow,
        GlobalWindow,
        MergingWindowAssigner,
        TimeWindow,
        Trigger,
        TriggerResult,
        Window,
        WindowAssigner,
    )

__getattr__, __dir__, _ = lazy_exports(
    __name__,
    {
        "pyflink.datastream.async_data_stream": "AsyncDataStream",
        "pyflink.datastream.checkpoint_config": "CheckpointConfig ExternalizedCheckpointCleanup",
        "pyflink.datastream.checkpoint_storage": (
            "CheckpointStorage CustomCheckpointStorage FileSystemCheckpointStorage "
            "JobManagerCheckpointStorage"
        ),
        "pyflink.datastream.checkpointing_mode": "CheckpointingMode",
        "pyflink.datastream.data_stream": (
            "AllWindowedStream BroadcastConnectedStream BroadcastStream CachedDataStream"
            " CloseableIterator ConnectedStreams DataStream DataStreamSink KeyedStream"
            " WindowedStream"
        ),
        "pyflink.datastream.execution_mode": "RuntimeExecutionMode",
        "pyflink.datastream.externalized_checkpoint_retention": "ExternalizedCheckpointRetention",
        "pyflink.datastream.functions": (
            "AggregateFunction AllWindowFunction AsyncFunction AsyncRetryPredicate"
            " AsyncRetryStrategy BroadcastProcessFunction CoFlatMapFunction "
            "CoMapFunction CoProcessFunction FilterFunction FlatMapFunction KeySelector "
            "KeyedBroadcastProcessFunction KeyedCoProcessFunction KeyedProcessFunction MapFunction "
            "Partitioner ProcessAllWindowFunction ProcessFunction ProcessWindowFunction "
            "ReduceFunction RuntimeContext SinkFunction SourceFunction WindowFunction"
        ),
        "pyflink.datastream.output_tag": "OutputTag",
        "pyflink.datastream.slot_sharing_group": "MemorySize SlotSharingGroup",
        "pyflink.datastream.state_backend": (
            "CustomStateBackend EmbeddedRocksDBStateBackend FsStateBackend HashMapStateBackend "
            "MemoryStateBackend PredefinedOptions RocksDBStateBackend StateBackend"
        ),
        "pyflink.datastream.stream_execution_environment": "StreamExecutionEnvironment",
        "pyflink.datastream.time_characteristic": "TimeCharacteristic",
        "pyflink.datastream.time_domain": "TimeDomain",
        "pyflink.datastream.timerservice": "TimerService",
        "pyflink.datastream.window": (
            "CountWindow GlobalWindow MergingWindowAssigner TimeWindow Trigger TriggerResult Window"
            " WindowAssigner"
        ),
    },
)

__all__ = [
    "AggregateFunction",
    "AllWindowFunction",
    "AllWindowedStream",
    "AsyncDataStream",
    "AsyncFunction",
    "AsyncRetryPredicate",
    "AsyncRetryStrategy",
    "BroadcastConnectedStream",
    "BroadcastProcessFunction",
    "BroadcastStream",
    "CachedDataStream",
    "CheckpointConfig",
    "CheckpointStorage",
    "CheckpointingMode",
    "CloseableIterator",
    "CoFlatMapFunction",
    "CoMapFunction",
    "CoProcessFunction",
    "ConnectedStreams",
    "CountWindow",
    "CustomCheckpointStorage",
    "CustomStateBackend",
    "DataStream",
    "DataStreamSink",
    "EmbeddedRocksDBStateBackend",
    "ExternalizedCheckpointCleanup",
    "ExternalizedCheckpointRetention",
    "FileSystemCheckpointStorage",
    "FilterFunction",
    "FlatMapFunction",
    "FsStateBackend",
    "GlobalWindow",
    "HashMapStateBackend",
    "JobManagerCheckpointStorage",
    "KeySelector",
    "KeyedBroadcastProcessFunction",
    "KeyedCoProcessFunction",
    "KeyedProcessFunction",
    "KeyedStream",
    "MapFunction",
    "MemorySize",
    "MemoryStateBackend",
    "MergingWindowAssigner",
    "OutputTag",
    "Partitioner",
    "PredefinedOptions",
    "ProcessAllWindowFunction",
    "ProcessFunction",
    "ProcessWindowFunction",
    "ReduceFunction",
    "RocksDBStateBackend",
    "RuntimeContext",
    "RuntimeExecutionMode",
    "SinkFunction",
    "SlotSharingGroup",
    "SourceFunction",
    "StateBackend",
    "StreamExecutionEnvironment",
    "TimeCharacteristic",
    "TimeDomain",
    "TimeWindow",
    "TimerService",
    "Trigger",
    "TriggerResult",
    "Window",
    "WindowAssigner",
    "WindowFunction",
    "WindowedStream",
]
