import json
import re

import pytest

from pyflink._mock_kafka import MockKafka
from pyflink._not_yet import NOT_YET, NotSupportedError
from pyflink.common import SerializationSchema, SimpleStringSchema, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import ProcessFunction, StreamExecutionEnvironment
from pyflink.datastream.connectors import DeliveryGuarantee
from pyflink.datastream.connectors.elasticsearch import (
    Elasticsearch7SinkBuilder,
    ElasticsearchEmitter,
    FlushBackoffType,
)
from pyflink.datastream.connectors.kafka import (
    FlinkKafkaConsumer,
    KafkaOffsetResetStrategy,
    KafkaOffsetsInitializer,
    KafkaRecordSerializationSchema,
    KafkaSink,
    KafkaSource,
    KafkaTopicPartition,
)
from pyflink.datastream.formats.csv import CsvRowSerializationSchema
from pyflink.datastream.formats.json import JsonRowDeserializationSchema

ROW = Types.ROW_NAMED(["a"], [Types.BIG_DEC()])


def test_a_kafka_source_lowers_to_the_connectors_options():
    source = (
        KafkaSource.builder()
        .set_bootstrap_servers("localhost:1")
        .set_topics("t,1", "u")
        .set_group_id("g")
        .set_starting_offsets(
            KafkaOffsetsInitializer.offsets(
                {KafkaTopicPartition("u", 2): 7}, KafkaOffsetResetStrategy.LATEST
            )
        )
        .set_bounded(KafkaOffsetsInitializer.timestamp(5))
        .set_property("fetch.min.bytes", "1")
        .set_value_only_deserializer(
            JsonRowDeserializationSchema.builder().type_info(ROW).ignore_parse_errors().build()
        )
        .build()
    )
    connector, options, type_info, bounded = source._source_spec()
    assert (connector, type_info, bounded) == ("kafka", ROW, True)
    assert options == {
        "bootstrap.servers": "localhost:1",
        "topics": "t\\,1,u",
        "group.id": "g",
        "scan.startup": "offsets",
        "scan.startup.offsets": "u:2:7",
        "scan.startup.reset": "latest",
        "scan.bounded": "timestamp",
        "scan.bounded.timestamp-ms": "5",
        "properties.fetch.min.bytes": "1",
        "format": "json",
        "format.ignore-parse-errors": "true",
    }


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda b: b.set_topics("t").build(), "bootstrap servers are required"),
        (lambda b: b.set_bootstrap_servers("x:1").build(), "call set_topics"),
        (
            lambda b: b.set_bootstrap_servers("x:1").set_topics("t").build(),
            "deserialization schema",
        ),
        (lambda b: b.set_topics("t").set_topic_pattern("p"), "already set"),
    ],
)
def test_a_kafka_source_names_what_is_missing(build, message):
    with pytest.raises(ValueError, match=message):
        build(KafkaSource.builder())


def test_a_kafka_sink_needs_a_serializer():
    with pytest.raises(ValueError, match="record serializer"):
        KafkaSink.builder().set_bootstrap_servers("x:1").build()
    with pytest.raises(TypeError, match=r"call .build\(\) on it"):
        KafkaSink.builder().set_record_serializer(KafkaRecordSerializationSchema.builder())
    with pytest.raises(ValueError, match="not empty"):
        KafkaSink.builder().set_transactional_id_prefix("")


def test_an_exactly_once_kafka_sink_needs_a_prefix_for_its_transactions():
    record = KafkaRecordSerializationSchema.builder().set_topic("t")
    record.set_value_serialization_schema(SimpleStringSchema())
    builder = KafkaSink.builder().set_bootstrap_servers("x:1")
    builder.set_record_serializer(record.build())
    builder.set_delivery_guarantee(DeliveryGuarantee.EXACTLY_ONCE)
    with pytest.raises(ValueError, match="set_transactional_id_prefix"):
        builder.build()
    assert builder.set_transactional_id_prefix("p").build() is not None


def test_a_kafka_sink_and_its_serializer_share_parallelism():
    env = StreamExecutionEnvironment.get_execution_environment()
    serializer = (
        KafkaRecordSerializationSchema.builder()
        .set_topic("t")
        .set_key_serialization_schema(CsvRowSerializationSchema.Builder(ROW).build())
        .set_value_serialization_schema(SimpleStringSchema())
        .build()
    )
    sink = (
        KafkaSink.builder().set_bootstrap_servers("x:1").set_record_serializer(serializer).build()
    )
    end = env.from_collection(["a"], Types.STRING()).sink_to(sink).set_parallelism(3)
    assert [t.kind for t in end._transformations] == ["kafka_serializer", "sink"]
    assert [t.parallelism for t in end._transformations] == [3, 3]
    options = end._transformations[0].params["options"]
    assert options == {"topic": "t", "key.format": "csv", "value.format": "string"}


def test_texts_in_other_charsets():
    assert SimpleStringSchema()._format()[1] == {}
    assert SimpleStringSchema("utf8")._format()[1] == {}
    for name in ("UTF-16LE", "Windows-1252", "Shift_JIS", "euc_jp", "latin1"):
        assert SimpleStringSchema(name)._format()[1] == {"charset": name}
    assert SimpleStringSchema("latin_1")._format()[1] == {"charset": "iso8859-1"}  # Python's only
    # Python has the last two, but not as the charset of a text
    for name in ("Klingon", "", "ASCII//TRANSLIT", "a\0b", "rot13", "Punycode"):
        with pytest.raises(ValueError, match=re.escape(f"unknown charset {name!r};")):
            SimpleStringSchema(name)
    with pytest.raises(TypeError, match="must be a name"):
        SimpleStringSchema(None)


def test_csv_lines_end_as_asked():
    assert CsvRowSerializationSchema.Builder(ROW).build()._format()[1] == {}
    for delimiter in ("\n", "\r", "\r\n", ""):
        builder = CsvRowSerializationSchema.Builder(ROW).set_line_delimiter(delimiter)
        assert builder.build()._format()[1] == {"line-delimiter": delimiter}
    with pytest.raises(ValueError, match="Unsupported new line delimiter ';'"):
        CsvRowSerializationSchema.Builder(ROW).set_line_delimiter(";")


def test_only_the_older_kafka_source_lets_brokers_make_its_topic():
    name = "properties.allow.auto.create.topics"
    settings = {"bootstrap.servers": "localhost:1"}

    def options(**more):
        source = FlinkKafkaConsumer("t", SimpleStringSchema(), {**settings, **more})
        return source._source_spec()[1]

    assert options()[name] == "true"
    assert options(**{"allow.auto.create.topics": "false"})[name] == "false"
    source = KafkaSource.builder().set_properties(settings).set_topics("t")
    source.set_value_only_deserializer(SimpleStringSchema())
    assert name not in source.build()._source_spec()[1]


def test_an_elasticsearch_sink_lowers_to_the_connectors_options():
    sink = (
        Elasticsearch7SinkBuilder()
        .set_hosts(["localhost:9200"])
        .set_emitter(ElasticsearchEmitter.static_index("foo", "name"))
        .set_bulk_flush_max_size_mb(1)
        .set_bulk_flush_backoff_strategy(FlushBackoffType.CONSTANT, 3, 500)
        .set_compression("gzip")
        .set_failure_handler("dead-letter", "/tmp/refused")
        .build()
    )
    assert sink._options == {
        "hosts": "localhost:9200",
        "bulk-flush.max-size-bytes": "1048576",
        "bulk-flush.backoff.type": "CONSTANT",
        "bulk-flush.backoff.max-retries": "3",
        "bulk-flush.backoff.delay-ms": "500",
        "compression": "gzip",
        "dead-letter.file": "/tmp/refused",
        "failure-handler": "dead-letter",
    }
    action = sink._emitter._function({"name": "x", "n": 1})
    assert action == {"action": "index", "index": "foo", "id": "x", "doc": {"name": "x", "n": 1}}


def elastic_nodes(emitter, kind):
    env = StreamExecutionEnvironment.get_execution_environment()
    sink = Elasticsearch7SinkBuilder().set_hosts(["localhost:9200"]).set_emitter(emitter).build()
    return env.from_collection([], kind).sink_to(sink)._transformations


def test_typed_rows_become_documents_without_calling_python():
    kind = Types.ROW_NAMED(
        ["id", "n", "ok", "day"], [Types.STRING(), Types.LONG(), Types.BOOLEAN(), Types.STRING()]
    )
    (sink,) = elastic_nodes(ElasticsearchEmitter.static_index("a{b", "id"), kind)
    assert sink.params["options"] == {
        "hosts": "localhost:9200",
        "mapping.index": "a{{b",
        "mapping.id": "{id}",
        "mapping.action": "index",
        "mapping.ignore-row-kinds": "true",
    }
    (sink,) = elastic_nodes(ElasticsearchEmitter.dynamic_index("day"), kind)
    assert sink.params["options"]["mapping.index"] == "{day}"
    assert "mapping.id" not in sink.params["options"]


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        (None, "id"),
        (Types.ROW_NAMED(["id", "x"], [Types.STRING(), Types.DOUBLE()]), "id"),  # NaN
        (Types.ROW_NAMED(["id", "x"], [Types.STRING(), Types.BOOLEAN()]), "x"),  # True, true
        (Types.ROW_NAMED(["id"], [Types.STRING()]), "name"),
    ],
)
def test_python_makes_documents_that_the_engine_may_write_differently(kind, key):
    nodes = elastic_nodes(ElasticsearchEmitter.static_index("a", key), kind)
    assert [node.kind for node in nodes] == ["elasticsearch_emitter", "sink"]
    assert nodes[1].params["options"] == {"hosts": "localhost:9200"}


def test_an_elasticsearch_sink_names_what_is_missing():
    with pytest.raises(ValueError, match="hosts are required"):
        Elasticsearch7SinkBuilder().set_emitter(lambda e: None).build()
    with pytest.raises(ValueError, match="emitter is required"):
        Elasticsearch7SinkBuilder().set_hosts("x:1").build()


def test_a_json_schema_needs_a_type():
    with pytest.raises(ValueError, match="type is required"):
        JsonRowDeserializationSchema.builder().build()
    with pytest.raises(ValueError, match="both enabled"):
        JsonRowDeserializationSchema.builder().type_info(
            ROW
        ).fail_on_missing_field().ignore_parse_errors().build()


def test_a_builder_that_was_not_built_is_pointed_out():
    env = StreamExecutionEnvironment.get_execution_environment()
    with pytest.raises(TypeError, match=r"call .build\(\) on it"):
        env.from_source(KafkaSource.builder(), WatermarkStrategy.no_watermarks(), "s")


@pytest.mark.parametrize("module", sorted(NOT_YET))
def test_names_that_come_later_can_be_imported_and_say_so(module):
    imported = __import__(module, fromlist=["_"])
    for name in NOT_YET[module]:
        with pytest.raises(NotSupportedError, match="later release"):
            getattr(imported, name)()
        with pytest.raises(NotSupportedError, match="later release"):
            getattr(imported, name).create()


class IdOf(SerializationSchema):
    def serialize(self, element):
        return element["id"]


class AsJson(SerializationSchema):
    def serialize(self, element):
        return json.dumps(element).encode()


def test_kafka_records_can_be_serialized_in_python():
    with MockKafka() as kafka:
        kafka.create_topic("orders", 1)
        env = StreamExecutionEnvironment.get_execution_environment()
        env.set_parallelism(1)
        records = (
            KafkaRecordSerializationSchema.builder()
            .set_topic("orders")
            .set_key_serialization_schema(IdOf())
            .set_value_serialization_schema(AsJson())
            .build()
        )
        sink = KafkaSink.builder().set_bootstrap_servers(kafka.bootstrap_servers)
        orders = [{"id": "a"}, {"id": "b", "items": [1, 2]}]
        env.from_collection(orders).sink_to(sink.set_record_serializer(records).build())
        env.execute()
        source = (
            KafkaSource.builder()
            .set_bootstrap_servers(kafka.bootstrap_servers)
            .set_topics("orders")
            .set_bounded(KafkaOffsetsInitializer.latest())
            .set_value_only_deserializer(SimpleStringSchema())
            .build()
        )
        stream = env.from_source(source, WatermarkStrategy.no_watermarks(), "orders")
        with stream.execute_and_collect() as texts:
            assert [json.loads(text) for text in texts] == orders


class ByField(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value.at


class ByCall(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        assert isinstance(record_timestamp, int)
        return value.at


class TimestampOf(ProcessFunction):
    def process_element(self, value, ctx):
        yield value.id, ctx.timestamp()


@pytest.mark.parametrize("assigner", [ByField(), ByCall()])
def test_a_timestamp_that_is_a_field_is_what_a_call_returns(assigner):
    typed = Types.ROW_NAMED(["id", "at"], [Types.STRING(), Types.LONG()])
    with MockKafka() as kafka:
        kafka.create_topic("events", 1)
        env = StreamExecutionEnvironment.get_execution_environment()
        env.set_parallelism(1)
        records = (
            KafkaRecordSerializationSchema.builder()
            .set_topic("events")
            .set_value_serialization_schema(SimpleStringSchema())
            .build()
        )
        sink = KafkaSink.builder().set_bootstrap_servers(kafka.bootstrap_servers)
        good = ['{"id": "a", "at": 7000}', '{"id": "b", "at": -5}']
        texts = env.from_collection(good, Types.STRING())
        texts.sink_to(sink.set_record_serializer(records).build())
        env.execute()

        def stamped():
            source = (
                KafkaSource.builder()
                .set_bootstrap_servers(kafka.bootstrap_servers)
                .set_topics("events")
                .set_bounded(KafkaOffsetsInitializer.latest())
                .set_value_only_deserializer(
                    JsonRowDeserializationSchema.builder().type_info(typed).build()
                )
                .build()
            )
            strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(
                assigner
            )
            stream = env.from_source(source, strategy, "events").process(TimestampOf())
            with stream.execute_and_collect() as results:
                return list(results)

        assert stamped() == [("a", 7000), ("b", -5)]
        missing = env.from_collection(['{"id": "c", "at": null}'], Types.STRING())
        missing.sink_to(sink.set_record_serializer(records).build())
        env.execute()
        with pytest.raises(Exception, match="must return milliseconds since 1970 as an int"):
            stamped()


def test_formats_and_python_serializers_of_one_kafka_record_do_not_mix():
    builder = (
        KafkaRecordSerializationSchema.builder()
        .set_topic("orders")
        .set_key_serialization_schema(IdOf())
        .set_value_serialization_schema(SimpleStringSchema())
    )
    with pytest.raises(ValueError, match=r"both be written in Python with serialize\(element\)"):
        builder.build()
