"""What the API says to somebody who uses it wrongly: what was wrong, where, and what to do.

Each case fails when the program is built, so the traceback ends at the user's line.
"""

import re
import threading
import traceback

import pytest

from pyflink.common import (
    Configuration,
    Duration,
    Row,
    SimpleStringSchema,
    Time,
    Types,
    WatermarkStrategy,
)
from pyflink.datastream import (
    AggregateFunction,
    KeyedCoProcessFunction,
    MapFunction,
    OutputTag,
    ProcessFunction,
    ProcessWindowFunction,
    SinkFunction,
    SourceFunction,
    StreamExecutionEnvironment,
)
from pyflink.datastream.connectors import DeliveryGuarantee
from pyflink.datastream.connectors.elasticsearch import (
    Elasticsearch7SinkBuilder,
    ElasticsearchEmitter,
)
from pyflink.datastream.connectors.kafka import (
    FlinkKafkaConsumer,
    FlinkKafkaProducer,
    KafkaOffsetsInitializer,
    KafkaRecordSerializationSchema,
    KafkaSink,
    KafkaSource,
)
from pyflink.datastream.connectors.number_seq import NumberSequenceSource
from pyflink.datastream.formats.json import JsonRowDeserializationSchema
from pyflink.datastream.state import MapStateDescriptor, StateTtlConfig, ValueStateDescriptor
from pyflink.datastream.window import (
    CountTrigger,
    EventTimeSessionWindows,
    GlobalWindows,
    SlidingEventTimeWindows,
    Trigger,
    TumblingEventTimeWindows,
)

INT = Types.INT()
PAIR = Types.TUPLE([Types.STRING(), Types.INT()])


async def later(value):
    return value


class Doubling(MapFunction):
    def map(self, value):
        return value * 2


class Passing(ProcessFunction):
    def process_element(self, value, ctx):
        yield value


class Summing(AggregateFunction):
    def create_accumulator(self):
        return 0

    def add(self, value, accumulator):
        return accumulator + value

    def get_result(self, accumulator):
        return accumulator

    def merge(self, a, b):
        return a + b


class Counting(ProcessWindowFunction):
    def process(self, key, context, elements):
        yield len(list(elements))


class Pairing(KeyedCoProcessFunction):
    def process_element1(self, value, ctx):
        yield value

    def process_element2(self, value, ctx):
        yield value


class NeverMerging(Trigger):
    def on_element(self, element, timestamp, window, ctx): ...

    def on_processing_time(self, time, window, ctx): ...

    def on_event_time(self, time, window, ctx): ...

    def clear(self, window, ctx): ...


class Streams:
    """What the cases begin with."""

    def __init__(self):
        self.env = StreamExecutionEnvironment.get_execution_environment()

    @property
    def numbers(self):
        return self.env.from_collection([1, 2, 3], INT)

    @property
    def pairs(self):
        return self.env.from_collection([("a", 1)], PAIR)

    @property
    def keyed(self):
        return self.numbers.key_by(lambda x: x)

    @property
    def windowed(self):
        return self.keyed.window(GlobalWindows.create())


def string_records():
    return (
        KafkaRecordSerializationSchema.builder()
        .set_topic("t")
        .set_value_serialization_schema(SimpleStringSchema())
    )


def kafka_sink():
    return KafkaSink.builder().set_bootstrap_servers("localhost:1")


def kafka_source():
    return KafkaSource.builder().set_bootstrap_servers("localhost:1")


WRONG = {
    # windows
    "window without key": (
        lambda s: s.numbers.window(TumblingEventTimeWindows.of(Time.seconds(1))),
        AttributeError,
        "window() works on the records of a key; call key_by(...) first, or use window_all(...)",
    ),
    "count window without key": (
        lambda s: s.numbers.count_window(5),
        AttributeError,
        "call key_by(...) first, or use window_all(...)",
    ),
    "negative window size": (
        lambda s: TumblingEventTimeWindows.of(Time.seconds(-1)),
        ValueError,
        "TumblingEventTimeWindows: the size must be greater than zero, got -1000",
    ),
    "window size as text": (
        lambda s: TumblingEventTimeWindows.of("5s"),
        TypeError,
        "size must be a Time or Duration (whole milliseconds), got '5s'",
    ),
    "offset not below the size": (
        lambda s: TumblingEventTimeWindows.of(Time.seconds(1), Time.seconds(2)),
        ValueError,
        "must satisfy abs(offset) < size, got 2000 and 1000",
    ),
    "slide of zero": (
        lambda s: SlidingEventTimeWindows.of(Time.seconds(1), Time.seconds(0)),
        ValueError,
        "SlidingEventTimeWindows: the slide must be greater than zero",
    ),
    "session gap of zero": (
        lambda s: EventTimeSessionWindows.with_gap(Time.seconds(0)),
        ValueError,
        "the session gap must be greater than zero",
    ),
    "count window of nothing": (
        lambda s: s.keyed.count_window(0),
        ValueError,
        "a count window: the size must be greater than zero, got 0",
    ),
    "count window of text": (
        lambda s: s.keyed.count_window("3"),
        TypeError,
        "the size must be a number of records, got '3'",
    ),
    "trigger that never counts": (
        lambda s: CountTrigger.of(0),
        ValueError,
        "CountTrigger: the count must be greater than zero",
    ),
    "class of windows": (
        lambda s: s.keyed.window(TumblingEventTimeWindows),
        TypeError,
        "; write TumblingEventTimeWindows.of(...)",
    ),
    "no window assigner": (
        lambda s: s.numbers.window_all(5),
        TypeError,
        "needs a WindowAssigner such as TumblingEventTimeWindows.of(Time.seconds(5)), got 5",
    ),
    "no trigger": (
        lambda s: s.windowed.trigger("count"),
        TypeError,
        "trigger() needs a Trigger, got 'count'",
    ),
    "trigger that cannot merge": (
        lambda s: s.keyed.window(EventTimeSessionWindows.with_gap(Time.seconds(1))).trigger(
            NeverMerging()
        ),
        TypeError,
        "merging window assigner cannot be used with a trigger that does not support merging",
    ),
    "no evictor": (
        lambda s: s.windowed.evictor(10),
        TypeError,
        "evictor() needs an object with evict_before and evict_after, such as CountEvictor.of(10)",
    ),
    "negative lateness": (
        lambda s: s.windowed.allowed_lateness(-1),
        ValueError,
        "The allowed lateness cannot be negative, got -1",
    ),
    "windows without function": (
        lambda s: s.windowed.print(),
        AttributeError,
        "windows become a stream by reduce(), aggregate(), apply() or process()",
    ),
    "lambda as window function": (
        lambda s: s.windowed.process(lambda key, context, elements: 1),
        TypeError,
        "window_function should be a ProcessWindowFunction",
    ),
    "class as window function": (
        lambda s: s.windowed.process(Counting),
        TypeError,
        "write Counting()",
    ),
    "keyed window function without key": (
        lambda s: s.numbers.window_all(GlobalWindows.create()).process(Counting()),
        TypeError,
        "should be a ProcessAllWindowFunction",
    ),
    "lambda as aggregate": (
        lambda s: s.windowed.aggregate(lambda a, b: a),
        TypeError,
        "aggregate() needs an AggregateFunction",
    ),
    "class as aggregate": (
        lambda s: s.windowed.aggregate(Summing),
        TypeError,
        "write Summing()",
    ),
    # functions
    "map(5)": (
        lambda s: s.numbers.map(5),
        TypeError,
        "must be a MapFunction or a callable function, got 5",
    ),
    "class as map function": (
        lambda s: s.numbers.map(Doubling),
        TypeError,
        "write Doubling()",
    ),
    "async map function": (
        lambda s: s.numbers.map(later),
        TypeError,
        "which is async; nobody would await it: write a plain function",
    ),
    "filter(None)": (
        lambda s: s.numbers.filter(None),
        TypeError,
        "must be a FilterFunction or a callable function, got None",
    ),
    "lambda as process function": (
        lambda s: s.numbers.process(lambda x: x),
        TypeError,
        "ProcessFunction is required for DataStream.process",
    ),
    "process function on a keyed stream": (
        lambda s: s.keyed.process(Passing()),
        TypeError,
        "KeyedProcessFunction is required for KeyedStream, got the ProcessFunction",
    ),
    "keyed function on connected streams without keys": (
        lambda s: s.numbers.connect(s.numbers).process(Pairing()),
        TypeError,
        "needs two keyed streams: call key_by() on both first",
    ),
    "lambda for connected streams": (
        lambda s: s.numbers.connect(s.numbers).map(lambda x: x),
        TypeError,
        "must be a CoMapFunction",
    ),
    # keys and partitions
    "key_by(None)": (
        lambda s: s.numbers.key_by(None),
        TypeError,
        "a callable function such as `lambda record: record[0]`, got None",
    ),
    "key by name": (
        lambda s: s.numbers.key_by("user"),
        TypeError,
        "such as `lambda record: record['user']`, got 'user'",
    ),
    "reduce on a stream without keys": (
        lambda s: s.numbers.reduce(lambda a, b: a + b),
        AttributeError,
        "call key_by(...) first, or use window_all(...).reduce(...)",
    ),
    "sum on a stream without keys": (
        lambda s: s.numbers.sum(0),
        AttributeError,
        "sum() works on the records of a key; call key_by(...) first",
    ),
    "sum of a field that is not there": (
        lambda s: s.pairs.key_by(lambda p: p[0]).sum(9),
        IndexError,
        "sum(): there is no field 9; the record has 2",
    ),
    "partitioning a keyed stream": (
        lambda s: s.keyed.rebalance(),
        TypeError,
        "the key decides where a record goes. Call it before key_by()",
    ),
    "parallelism of key_by": (
        lambda s: s.keyed.set_parallelism(2),
        TypeError,
        "set it on the operator after key_by()",
    ),
    "no partitioner": (
        lambda s: s.numbers.partition_custom(5, lambda x: x),
        TypeError,
        "Parameter partitioner should be type of Partitioner or a callable function, got 5",
    ),
    # types
    "name of a type": (
        lambda s: s.numbers.map(lambda x: x, "INT"),
        TypeError,
        "output_type of map must be a TypeInformation such as Types.INT(), or a list of them for a"
        " row, got 'INT'; did you mean Types.INT()?",
    ),
    "type that was not called": (
        lambda s: s.numbers.map(lambda x: x, Types.STRING),
        TypeError,
        "did you mean Types.STRING()?",
    ),
    "Python class as type": (
        lambda s: s.numbers.map(lambda x: x, float),
        TypeError,
        "did you mean Types.DOUBLE()?",
    ),
    "field type that is none": (
        lambda s: Types.ROW([Types.INT(), "STRING"]),
        TypeError,
        "type of field 1 of a ROW must be a type such as Types.STRING(), got 'STRING'; did you mean"
        " Types.STRING()?",
    ),
    "tuple of no list": (
        lambda s: Types.TUPLE(Types.INT()),
        TypeError,
        "a TUPLE needs a list of types such as [Types.STRING(), Types.INT()], got Integer",
    ),
    "names and types of a row differ": (
        lambda s: Types.ROW_NAMED(["a", "b"], [Types.INT()]),
        ValueError,
        "needs as many names, got ['a', 'b']",
    ),
    "collection of another type": (
        lambda s: s.env.from_collection([1, 2, "three"], INT),
        TypeError,
        "from_collection: record 2: the value 'three' of type str does not fit the declared type"
        " INT; correct the record or type_info",
    ),
    "row with too many fields": (
        lambda s: s.env.from_collection([Row(1, 2, 3)], Types.ROW([INT, INT])),
        TypeError,
        "from_collection: record 0:",
    ),
    "collection of text": (
        lambda s: s.env.from_collection("abc"),
        TypeError,
        "from_collection needs a list of records, got 'abc'",
    ),
    "projection of untyped records": (
        lambda s: s.env.from_collection([(1, 2)]).project(0),
        TypeError,
        "declare the type with Types.TUPLE([...])",
    ),
    # several streams
    "union of different types": (
        lambda s: s.numbers.union(s.pairs),
        ValueError,
        "Cannot union streams of different types: Integer and TupleTypeInfo(String, Integer); map"
        " one of them first",
    ),
    "union of a list": (
        lambda s: s.numbers.union([s.numbers]),
        TypeError,
        "; write union(*streams)",
    ),
    "streams of two environments": (
        lambda s: s.numbers.union(Streams().numbers),
        ValueError,
        "union() needs streams of one environment; these two belong to different ones",
    ),
    "connect(None)": (
        lambda s: s.numbers.connect(None),
        TypeError,
        "connect() needs a DataStream or BroadcastStream, got None",
    ),
    "broadcast state that is no map": (
        lambda s: s.numbers.broadcast(ValueStateDescriptor("rules", INT)),
        TypeError,
        "broadcast_state_descriptor must be MapStateDescriptor",
    ),
    # side outputs
    "tag without name": (
        lambda s: OutputTag("", INT),
        ValueError,
        "tag_id cannot be None or empty string, got ''; give it a name",
    ),
    "tag with the name of a type": (
        lambda s: OutputTag("late", "INT"),
        TypeError,
        "OutputTag type_info must be a TypeInformation or a list of them, got 'INT'",
    ),
    "side output of a map": (
        lambda s: s.numbers.map(lambda x: x).get_side_output(OutputTag("late")),
        TypeError,
        "call get_side_output on the stream that process(...) returned",
    ),
    "one side output with two types": (
        lambda s: [
            (p.get_side_output(OutputTag("late", INT)), p.get_side_output(OutputTag("late", PAIR)))
            for p in [s.numbers.process(Passing())]
        ],
        ValueError,
        "The side output 'late' of 'PROCESS' was already requested with the type Integer",
    ),
    # settings
    "parallelism of zero": (
        lambda s: s.numbers.map(lambda x: x).set_parallelism(0),
        ValueError,
        "The parallelism of an operator must be at least 1, got 0 for 'Map'",
    ),
    "parallelism of a collection": (
        lambda s: s.numbers.set_parallelism(2),
        ValueError,
        "The parallelism of the non parallel operator 'Collection Source' must be 1, got 2",
    ),
    "parallelism of the environment": (
        lambda s: s.env.set_parallelism("many"),
        ValueError,
        "The parallelism must be at least 1, got 'many'",
    ),
    "runtime mode as text": (
        lambda s: s.env.set_runtime_mode("BATCH"),
        TypeError,
        "set_runtime_mode needs a RuntimeExecutionMode, got 'BATCH'",
    ),
    "settings that are none": (
        lambda s: s.env.configure({"parallelism.default": 1}),
        TypeError,
        "configure() needs a Configuration, got {'parallelism.default': 1}",
    ),
    "setting of the wrong kind": (
        lambda s: s.env.configure(Configuration().set_string("parallelism.default", "many")),
        ValueError,
        "parallelism.default",
    ),
    "checkpoints too often": (
        lambda s: s.env.enable_checkpointing(1),
        ValueError,
        "Checkpoint interval must be larger than or equal to 10 ms, got 1",
    ),
    "checkpoint interval as text": (
        lambda s: s.env.enable_checkpointing("10s"),
        TypeError,
        "Checkpoint interval must be a number of milliseconds, got '10s'",
    ),
    # time
    "no watermark strategy": (
        lambda s: s.numbers.assign_timestamps_and_watermarks(lambda value, timestamp: value),
        TypeError,
        "needs a WatermarkStrategy, for instance WatermarkStrategy.for_monotonous_timestamps()",
    ),
    "field as timestamp assigner": (
        lambda s: WatermarkStrategy.no_watermarks().with_timestamp_assigner("time"),
        TypeError,
        "an instance of TimestampAssigner (a method extract_timestamp(value, record_timestamp))",
    ),
    "negative out-of-orderness": (
        lambda s: WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_seconds(-1)),
        ValueError,
        "max_out_of_orderness must not be negative",
    ),
    # state
    "state without name": (
        lambda s: ValueStateDescriptor("", INT),
        TypeError,
        "ValueStateDescriptor: the name must be a non-empty string, got ''",
    ),
    "state of a type's name": (
        lambda s: MapStateDescriptor("counts", Types.STRING(), "int"),
        TypeError,
        "the type must be a TypeInformation such as Types.INT(), got 'int'",
    ),
    "TTL that was not built": (
        lambda s: ValueStateDescriptor("x", INT).enable_time_to_live(
            StateTtlConfig.new_builder(Time.seconds(1))
        ),
        TypeError,
        "needs a StateTtlConfig (did you call build()?)",
    ),
    "TTL that is a number": (
        lambda s: StateTtlConfig.new_builder(5),
        TypeError,
        "needs a time such as Time.seconds(10), got 5",
    ),
    "a restart strategy that is a number": (
        lambda s: s.env.set_restart_strategy(5),
        TypeError,
        "needs a strategy such as RestartStrategies.fixed_delay_restart(3, 1000), got 5",
    ),
    "a name that is None": (
        lambda s: s.numbers.map(lambda x: x).name(None),
        TypeError,
        "name() needs a text, got None",
    ),
    "a sink's name that is None": (
        lambda s: s.numbers.print().name(None),
        TypeError,
        "name() needs a text, got None",
    ),
    "TTL of nothing": (
        lambda s: StateTtlConfig.new_builder(Time.seconds(0)).build(),
        ValueError,
        "TTL is expected to be positive",
    ),
    # sources
    "Kafka source without brokers": (
        lambda s: (
            KafkaSource.builder()
            .set_topics("t")
            .set_value_only_deserializer(SimpleStringSchema())
            .build()
        ),
        ValueError,
        "bootstrap servers are required; call set_bootstrap_servers('host:port')",
    ),
    "Kafka source without topics": (
        lambda s: kafka_source().set_value_only_deserializer(SimpleStringSchema()).build(),
        ValueError,
        "call set_topics, set_topic_pattern or set_partitions",
    ),
    "no topics": (
        lambda s: kafka_source().set_topics(),
        ValueError,
        "the subscription by topics is empty; name at least one: set_topics('orders')",
    ),
    "list of topics": (
        lambda s: kafka_source().set_topics(["a", "b"]),
        TypeError,
        "write set_topics(*topics)",
    ),
    "topics and pattern": (
        lambda s: kafka_source().set_topics("a").set_topic_pattern("b.*"),
        ValueError,
        "a subscription by topics is already set",
    ),
    "Kafka source without deserializer": (
        lambda s: kafka_source().set_topics("t").build(),
        ValueError,
        "call set_value_only_deserializer(SimpleStringSchema())",
    ),
    "unknown offset initializer": (
        lambda s: kafka_source().set_starting_offsets("earliest"),
        TypeError,
        "needs a KafkaOffsetsInitializer such as KafkaOffsetsInitializer.latest(), got 'earliest'",
    ),
    "unknown offset reset": (
        lambda s: KafkaOffsetsInitializer.committed_offsets("earliest"),
        TypeError,
        "such as KafkaOffsetResetStrategy.EARLIEST, got 'earliest'",
    ),
    "offsets of topics instead of partitions": (
        lambda s: KafkaOffsetsInitializer.offsets({"orders": 7}),
        TypeError,
        "needs {KafkaTopicPartition('topic', 0): offset}, got 'orders': 7",
    ),
    "Kafka properties that are none": (
        lambda s: kafka_source().set_properties(None),
        TypeError,
        "set_properties needs a dict of Kafka settings",
    ),
    "committed offsets without group": (
        lambda s: (
            kafka_source()
            .set_topics("t")
            .set_starting_offsets(KafkaOffsetsInitializer.committed_offsets())
            .set_value_only_deserializer(SimpleStringSchema())
            .build()
        ),
        ValueError,
        "committed offsets need a consumer group; call set_group_id(...)",
    ),
    "source that was not built": (
        lambda s: s.env.from_source(kafka_source(), WatermarkStrategy.no_watermarks(), "source"),
        TypeError,
        "; call .build() on it",
    ),
    "source without watermark strategy": (
        lambda s: s.env.from_source(NumberSequenceSource(1, 2), None, "numbers"),
        TypeError,
        "from_source() needs a WatermarkStrategy",
    ),
    "sequence backwards": (
        lambda s: NumberSequenceSource(5, 2),
        ValueError,
        "'from' must be <= 'to', got 5 and 2",
    ),
    "class as source function": (
        lambda s: s.env.add_source(SourceFunction),
        TypeError,
        "add_source needs a SourceFunction: an object with run(ctx) and cancel()",
    ),
    "no path": (
        lambda s: s.env.read_text_file(None),
        TypeError,
        "FileSource needs paths of files or folders, got None",
    ),
    "unknown charset": (
        lambda s: s.env.read_text_file("lines.txt", "latin-9000"),
        ValueError,
        "unknown charset 'latin-9000'",
    ),
    "JSON without type": (
        lambda s: JsonRowDeserializationSchema.builder().build(),
        ValueError,
        "a type is required; call type_info(Types.ROW_NAMED(...))",
    ),
    "JSON of something else than rows": (
        lambda s: JsonRowDeserializationSchema.builder().type_info(INT).build(),
        TypeError,
        "needs a row type such as Types.ROW_NAMED(['a'], [Types.INT()]), got Integer",
    ),
    # sinks
    "Kafka sink without brokers": (
        lambda s: KafkaSink.builder().set_record_serializer(string_records().build()).build(),
        ValueError,
        "bootstrap servers are required; call set_bootstrap_servers('host:port')",
    ),
    "Kafka sink without serializer": (
        lambda s: kafka_sink().build(),
        ValueError,
        "a record serializer is required; call set_record_serializer(",
    ),
    "Kafka records without topic": (
        lambda s: (
            KafkaRecordSerializationSchema.builder()
            .set_value_serialization_schema(SimpleStringSchema())
            .build()
        ),
        ValueError,
        "a topic is required; call set_topic or set_topic_selector",
    ),
    "serializer that was not built": (
        lambda s: kafka_sink().set_record_serializer(string_records()),
        TypeError,
        "; call .build() on it",
    ),
    "numbers as strings": (
        lambda s: s.numbers.sink_to(
            kafka_sink().set_record_serializer(string_records().build()).build()
        ),
        TypeError,
        "SimpleStringSchema writes strings, but the records are Integer; map them first",
    ),
    "delivery guarantee as text": (
        lambda s: kafka_sink().set_delivery_guarantee("at_least_once"),
        TypeError,
        "set_delivery_guarantee needs a DeliveryGuarantee, got 'at_least_once'",
    ),
    "exactly once without a prefix": (
        lambda s: (
            kafka_sink()
            .set_record_serializer(string_records().build())
            .set_delivery_guarantee(DeliveryGuarantee.EXACTLY_ONCE)
            .build()
        ),
        ValueError,
        "EXACTLY_ONCE delivery guarantee requires a transactional id prefix",
    ),
    "Elasticsearch without hosts": (
        lambda s: (
            Elasticsearch7SinkBuilder().set_emitter(ElasticsearchEmitter.static_index("i")).build()
        ),
        ValueError,
        "hosts are required; call set_hosts(['http://localhost:9200'])",
    ),
    "Elasticsearch without emitter": (
        lambda s: Elasticsearch7SinkBuilder().set_hosts("localhost:9200").build(),
        ValueError,
        "call set_emitter(ElasticsearchEmitter.static_index('name'))",
    ),
    "host that is none": (
        lambda s: Elasticsearch7SinkBuilder().set_hosts(["local host"]),
        ValueError,
        "set_hosts needs nodes such as 'http://localhost:9200', got 'local host'",
    ),
    "index without name": (
        lambda s: ElasticsearchEmitter.static_index(""),
        ValueError,
        "static_index needs the name of an index",
    ),
    "sink that was not built": (
        lambda s: s.numbers.sink_to(kafka_sink()),
        TypeError,
        "; call .build() on it",
    ),
    "class as sink": (
        lambda s: s.numbers.add_sink(SinkFunction),
        TypeError,
        "give it an instance: SinkFunction()",
    ),
    "function as sink": (
        lambda s: s.numbers.add_sink(print),
        TypeError,
        "a SinkFunction with invoke(value, context); got <built-in function print>",
    ),
    # names and numbers
    "uid that is none": (
        lambda s: s.numbers.map(str).uid(None),
        TypeError,
        "uid() needs a text, got None",
    ),
    "empty uid": (
        lambda s: s.numbers.map(str).uid(""),
        ValueError,
        "uid() needs an id that is not empty, such as uid('counts')",
    ),
    "uid of a sink": (
        lambda s: s.numbers.print().uid(5),
        TypeError,
        "uid() needs a text, got 5",
    ),
    "uid hash that is none": (
        lambda s: s.numbers.map(str).set_uid_hash(None),
        TypeError,
        "set_uid_hash() needs a text, got None",
    ),
    "number as description": (
        lambda s: s.numbers.map(str).set_description(3),
        TypeError,
        "set_description() needs a text, got 3",
    ),
    "number as description of a sink": (
        lambda s: s.numbers.print().set_description(3),
        TypeError,
        "set_description() needs a text, got 3",
    ),
    "number as slot sharing group": (
        lambda s: s.numbers.map(str).slot_sharing_group(3),
        TypeError,
        "slot_sharing_group() needs the name of a group or a SlotSharingGroup, got 3",
    ),
    "number as slot sharing group of a sink": (
        lambda s: s.numbers.print().slot_sharing_group(3),
        TypeError,
        "slot_sharing_group() needs the name of a group or a SlotSharingGroup, got 3",
    ),
    "maximum parallelism as text": (
        lambda s: s.numbers.map(str).set_max_parallelism("a"),
        ValueError,
        "The maximum parallelism must be between 1 and 32768, got 'a'",
    ),
    "maximum parallelism of the environment as text": (
        lambda s: s.env.set_max_parallelism("a"),
        ValueError,
        "The maximum parallelism must be between 1 and 32768, got 'a'",
    ),
    "buffer timeout as text": (
        lambda s: s.env.set_buffer_timeout("a"),
        TypeError,
        "Timeout of buffer must be a number of milliseconds, got 'a'",
    ),
    "local parallelism as text": (
        lambda s: s.env.set_default_local_parallelism("a"),
        ValueError,
        "The parallelism must be at least 1, got 'a'",
    ),
    "job parameters that are none": (
        lambda s: s.env.get_config().set_global_job_parameters(3),
        TypeError,
        "set_global_job_parameters needs a dict such as {'threshold': 5}, got 3",
    ),
    "number as cached file": (
        lambda s: s.env.register_cached_file(3, "a"),
        TypeError,
        "register_cached_file needs the path of a file, got 3",
    ),
    "cached file without name": (
        lambda s: s.env.register_cached_file(__file__, None),
        TypeError,
        "register_cached_file needs a name for the file, got None",
    ),
    "number as Python file": (
        lambda s: s.env.add_python_file(3),
        TypeError,
        "add_python_file needs the path of a file, got 3",
    ),
    "number as topic of the older Kafka source": (
        lambda s: FlinkKafkaConsumer(3, SimpleStringSchema(), {"bootstrap.servers": "b:1"}),
        TypeError,
        "FlinkKafkaConsumer needs the name of a topic or a list of names, got 3",
    ),
    "no properties of the older Kafka source": (
        lambda s: FlinkKafkaConsumer("t", SimpleStringSchema(), None),
        TypeError,
        "needs a dict of Kafka settings",
    ),
    "no semantic of the older Kafka sink": (
        lambda s: FlinkKafkaProducer(
            "t", SimpleStringSchema(), {"bootstrap.servers": "b:1"}, semantic="NONE"
        ),
        TypeError,
        "FlinkKafkaProducer needs a Semantic such as Semantic.AT_LEAST_ONCE, got 'NONE'",
    ),
    "count windows of the whole stream without size": (
        lambda s: s.numbers.count_window_all(0),
        ValueError,
        "0",
    ),
    "count windows of the whole stream that do not slide": (
        lambda s: s.numbers.count_window_all(2, 0),
        ValueError,
        "count_window_all: the slide must be at least 1, got 0",
    ),
    # execution
    "number as name of a job": (
        lambda s: (s.numbers.print(), s.env.execute(3)),
        TypeError,
        "execute() needs a text as name of the job, got 3",
    ),
    "number as name of a job that collects": (
        lambda s: s.numbers.execute_and_collect(3),
        TypeError,
        "execute_and_collect() needs a text as name of the job, got 3",
    ),
    "limit as text": (
        lambda s: s.numbers.execute_and_collect(limit="5"),
        TypeError,
        "limit must be a number of records, got '5'",
    ),
    "nothing to execute": (
        lambda s: s.env.execute(),
        RuntimeError,
        "No operators defined in streaming topology. Cannot execute. Add an operator or sink",
    ),
    "a source alone": (
        lambda s: (s.numbers, s.env.execute()),
        RuntimeError,
        "No operators defined in streaming topology",
    ),
    "no records to collect": (
        lambda s: s.numbers.execute_and_collect(limit=0),
        ValueError,
        "limit must be greater than 0, got 0",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_use_fails_at_the_users_line_and_says_what_to_do(name):
    use, kind, message = WRONG[name]
    with pytest.raises(kind, match=re.escape(message)) as raised:
        use(Streams())
    lines = [frame.filename for frame in traceback.extract_tb(raised.tb)]
    assert __file__ in lines[:2], "the user's line is in the traceback"


def test_hasattr_still_tells_what_a_stream_can_do():
    streams = Streams()
    assert not hasattr(streams.numbers, "reduce")
    assert hasattr(streams.keyed, "reduce")
    assert not hasattr(streams.windowed, "print")


def line_of(function):
    return f"{__file__}:{function.__code__.co_firstlineno + 1}"


def notes_of(error):
    return "\n".join(error.__notes__)


# What only the whole program shows fails in execute(), with the line where the operator was made.


def build_forward_of_different_parallelism(env):
    env.from_collection([1]).forward().map(str).set_parallelism(2).print()


def test_forward_between_different_parallelism():
    env = Streams().env
    build_forward_of_different_parallelism(env)
    with pytest.raises(ValueError, match=r"'Collection Source' has 1, 'Map' has 2. Use rebalance"):
        env.execute()


def test_two_operators_with_one_uid():
    streams = Streams()
    streams.numbers.map(str).uid("same").map(int).uid("same").print()
    with pytest.raises(ValueError, match="the uid 'same' is given to 'Map'") as raised:
        streams.env.execute()
    assert str(raised.value).count(f"{__file__}:") == 2
    assert "each needs its own" in str(raised.value)


def test_executing_twice_says_that_nothing_was_added(capfd):
    streams = Streams()
    streams.numbers.print()
    streams.env.execute()
    with pytest.raises(RuntimeError, match="what was added since the last execution"):
        streams.env.execute()


def test_a_checkpoint_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    streams = Streams()
    streams.env.enable_checkpointing(100)
    streams.env.get_checkpoint_config().set_checkpoint_storage_dir(f"file://{tmp_path}/file/chk")
    streams.numbers.print()
    with pytest.raises(NotADirectoryError, match="a folder that can be written") as raised:
        streams.env.execute()
    assert raised.value.filename == f"{tmp_path}/file/chk"


def test_a_checkpoint_to_restore_that_is_not_there(tmp_path):
    configuration = Configuration().set_string("execution.savepoint.path", f"{tmp_path}/chk-1")
    env = StreamExecutionEnvironment.get_execution_environment(configuration)
    env.from_collection([1]).print()
    with pytest.raises(RuntimeError, match=r"there is no checkpoint at .*; give a chk-<n> folder"):
        env.execute()


def read_a_file_that_is_not_there(env):
    return env.read_text_file("/there/is/no/such.file")


def test_a_file_that_is_not_there():
    env = Streams().env
    read_a_file_that_is_not_there(env).print()
    with pytest.raises(RuntimeError, match=r"'/there/is/no/such\.file'") as raised:
        env.execute()
    assert line_of(read_a_file_that_is_not_there) in notes_of(raised.value)


class Remembering(MapFunction):
    def open(self, runtime_context):
        self.last = runtime_context.get_state(ValueStateDescriptor("last", INT))

    def map(self, value):
        return self.last.value()


def test_state_on_a_stream_without_keys():
    streams = Streams()
    streams.numbers.map(Remembering()).print()
    with pytest.raises(RuntimeError, match=r"Keyed state 'last' .* after a 'key_by\(\)'") as raised:
        streams.env.execute()
    assert "in operator 'Map'" in notes_of(raised.value)


class Waking(ProcessFunction):
    def process_element(self, value, ctx):
        ctx.timer_service().register_event_time_timer(5)
        yield value


def test_a_timer_on_a_stream_without_keys():
    streams = Streams()
    streams.numbers.process(Waking()).print()
    with pytest.raises(ValueError, match=r"call key_by\(\) before process\(\)") as raised:
        streams.env.execute()
    assert "in operator 'PROCESS', subtask " in notes_of(raised.value)


def test_event_time_windows_without_timestamps():
    streams = Streams()
    windows = streams.keyed.window(TumblingEventTimeWindows.of(Time.seconds(1)))
    windows.process(Counting()).print()
    with pytest.raises(ValueError, match="call assign_timestamps_and_watermarks"):
        streams.env.execute()


def declare_a_wrong_type(stream):
    return stream.map(lambda x: "text", INT)


def test_a_result_that_is_not_of_the_declared_type():
    streams = Streams()
    declare_a_wrong_type(streams.numbers).print()
    with pytest.raises(RuntimeError, match="'text' of type str does not fit") as raised:
        streams.env.execute()
    notes = notes_of(raised.value)
    assert "in operator 'Map', subtask " in notes
    assert f"'Map' was made at {line_of(declare_a_wrong_type)}" in notes


def test_a_key_without_stable_encoding():
    streams = Streams()
    streams.numbers.key_by(lambda x: [x]).reduce(lambda a, b: a).print()
    with pytest.raises(RuntimeError, match=r"the key \[1\] of type list has no stable encoding"):
        streams.env.execute()


def test_a_process_function_that_returns_a_value():
    class Returning(ProcessFunction):
        def process_element(self, value, ctx):
            return 5

    streams = Streams()
    streams.numbers.process(Returning()).print()
    with pytest.raises(TypeError, match=r"not 5 \(int\); write `yield value` or return a list"):
        streams.env.execute()


class Locked(MapFunction):
    def __init__(self):
        self.lock = threading.Lock()

    def map(self, value):
        return value


def map_with_a_lock(stream):
    return stream.map(Locked()).set_parallelism(2)


def test_a_function_that_cannot_be_copied_for_each_subtask():
    streams = Streams()
    map_with_a_lock(streams.numbers).print()
    with pytest.raises(TypeError, match=r"attribute 'lock' .* Create it in open\(\)") as raised:
        streams.env.execute()
    assert line_of(map_with_a_lock) in notes_of(raised.value)
