"""What becomes of the bytes in Kafka: JSON, CSV and text, good ones and bad ones."""

from __future__ import annotations

import datetime
import itertools
import json
from decimal import Decimal
from typing import Any

import pytest

from pyflink.common import Row, Types, WatermarkStrategy
from pyflink.common.serialization import DeserializationSchema, SimpleStringSchema
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors.kafka import KafkaOffsetsInitializer, KafkaSource
from pyflink.datastream.formats.csv import CsvRowDeserializationSchema
from pyflink.datastream.formats.json import JsonRowDeserializationSchema
from tests.services.kafka_client import create_topic, produce
from tests.services.servers import KafkaServer

_numbers = itertools.count()


@pytest.fixture
def servers(kafka: KafkaServer) -> str:
    return kafka.bootstrap_servers


def decode(servers: str, schema: DeserializationSchema, messages: list[Any]) -> list[Any]:
    """What a job sees of these messages."""
    topic = f"formats-{next(_numbers)}"
    create_topic(servers, topic)
    produce(servers, topic, messages)
    env = StreamExecutionEnvironment.get_execution_environment().set_parallelism(1)
    source = (
        KafkaSource.builder()
        .set_bootstrap_servers(servers)
        .set_topics(topic)
        .set_bounded(KafkaOffsetsInitializer.latest())
        .set_value_only_deserializer(schema)
        .build()
    )
    stream = env.from_source(source, WatermarkStrategy.no_watermarks(), "kafka")
    with stream.execute_and_collect() as results:
        return list(results)


PAIR = Types.ROW_NAMED(["name", "n"], [Types.STRING(), Types.INT()])


def json_schema(*switches: str, type_info: Any = PAIR) -> JsonRowDeserializationSchema:
    builder = JsonRowDeserializationSchema.builder().type_info(type_info)
    for switch in switches:
        getattr(builder, switch)()
    return builder.build()


def csv_schema(**settings: Any) -> CsvRowDeserializationSchema:
    builder = CsvRowDeserializationSchema.Builder(PAIR)
    for name, value in settings.items():
        getattr(builder, f"set_{name}")(value)
    return builder.build()


def test_json_of_every_type(servers: str) -> None:
    fields: dict[str, tuple[Any, Any, Any]] = {
        "boolean": (Types.BOOLEAN(), True, True),
        "byte": (Types.BYTE(), -128, -128),
        "short": (Types.SHORT(), 32767, 32767),
        "int": (Types.INT(), -5, -5),
        "long": (Types.LONG(), 2**53 + 1, 2**53 + 1),
        "float": (Types.FLOAT(), 0.5, 0.5),
        "double": (Types.DOUBLE(), 0.1, 0.1),
        "string": (Types.STRING(), 'ünï "quoted" \n 😀', 'ünï "quoted" \n 😀'),
        "date": (Types.SQL_DATE(), "2025-02-28", datetime.date(2025, 2, 28)),
        "time": (Types.SQL_TIME(), "12:34:56Z", datetime.time(12, 34, 56)),
        "at": (
            Types.SQL_TIMESTAMP(),
            "2025-02-28T12:34:56.789Z",
            datetime.datetime(2025, 2, 28, 12, 34, 56, 789000),
        ),
        "row": (PAIR, {"name": "inner", "n": 1}, Row(name="inner", n=1)),
        "rows": (
            Types.OBJECT_ARRAY(PAIR),
            [{"name": "a", "n": 1}, {"name": "b", "n": None}],
            [Row(name="a", n=1), Row(name="b", n=None)],
        ),
        "array": (Types.BASIC_ARRAY(Types.LONG()), [1, 2, 3], [1, 2, 3]),
        "list": (Types.LIST(Types.STRING()), ["x", None], ["x", None]),
        "map": (Types.MAP(Types.STRING(), Types.INT()), {"k": 1, "l": 2}, {"k": 1, "l": 2}),
    }
    row_type = Types.ROW_NAMED(list(fields), [kind for kind, _, _ in fields.values()])
    message = json.dumps({name: text for name, (_, text, _) in fields.items()})
    nulls = json.dumps(dict.fromkeys(fields))
    row, empty, missing = decode(servers, json_schema(type_info=row_type), [message, nulls, "{}"])
    assert row.as_dict() == {name: value for name, (_, _, value) in fields.items()}
    assert list(empty) == list(missing) == [None] * len(fields)


def test_decimals_keep_their_digits(servers: str) -> None:
    row_type = Types.ROW_NAMED(["d"], [Types.BIG_DEC()])
    texts = ["12345678901234567.123456789", "-0.000000001", "7"]
    rows = decode(servers, json_schema(type_info=row_type), [f'{{"d": {text}}}' for text in texts])
    assert [row.d for row in rows] == [Decimal(text) for text in texts]


def test_fields_are_found_by_name_and_others_ignored(servers: str) -> None:
    (row,) = decode(servers, json_schema(), ['{"extra": {"deep": [1]}, "n": 2, "name": "a"}'])
    assert (row.name, row.n) == ("a", 2)


def test_a_missing_field_is_null_unless_it_must_be_there(servers: str) -> None:
    assert list(decode(servers, json_schema(), ['{"name": "a"}'])[0]) == ["a", None]
    with pytest.raises(RuntimeError) as refused:
        decode(servers, json_schema("fail_on_missing_field"), ['{"name": "a"}'])
    assert "'n'" in str(refused.value)
    assert "offset 0" in str(refused.value)


# Message, why it cannot be read, and the rows that are left of it when errors are ignored.
BAD: dict[str, tuple[bytes, str, list[Any]]] = {
    "no JSON at all": (b"}{", "expected a JSON object but found }{", []),
    "cut off": (b'{"name": "a", "n": 1', "unexpected end of JSON at byte 20", []),
    "not UTF-8": (b'{"name": "\xff\xfe", "n": 1}', "invalid UTF-8 at byte 10", []),
    "an array": (b"[1, 2]", "for field '[0]' but found 1", []),
    "text for a number": (b'{"name": "a", "n": "many"}', "many", [("a", None)]),
    "a number out of range": (b'{"name": "a", "n": 3000000000}', "3000000000", [("a", None)]),
}
# No errors, as upstream: what they are read as.
ODD: dict[str, tuple[bytes, list[Any]]] = {
    "an empty message": (b"", []),
    "two objects": (b'{"name": "a", "n": 1}{"name": "b", "n": 2}', [("a", 1)]),
}
GOOD = '{"name": "good", "n": 1}'


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_records_error_says_where_it_is(servers: str, bad: str) -> None:
    message, reason, _ = BAD[bad]
    topic = "bad-" + bad.replace(" ", "-")
    create_topic(servers, topic, 2)
    produce(servers, topic, [GOOD, message], partition=1)
    env = StreamExecutionEnvironment.get_execution_environment().set_parallelism(1)
    source = (
        KafkaSource.builder()
        .set_bootstrap_servers(servers)
        .set_topics(topic)
        .set_bounded(KafkaOffsetsInitializer.latest())
        .set_value_only_deserializer(json_schema())
        .build()
    )
    env.from_source(source, WatermarkStrategy.no_watermarks(), "bad input").print()
    with pytest.raises(RuntimeError) as failed:
        env.execute("bad record")
    text = str(failed.value)
    for word in (f"'{topic}'", "partition 1", "offset 1", "json", reason):
        assert word in text, text


@pytest.mark.parametrize("bad", BAD)
def test_ignored_errors_lose_nothing_else(servers: str, bad: str) -> None:
    message, _, left = BAD[bad]
    rows = decode(servers, json_schema("ignore_parse_errors"), [GOOD, message, GOOD])
    good = ("good", 1)
    assert [(row.name, row.n) for row in rows] == [good, *left, good]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("switches", [(), ("ignore_parse_errors",)])
def test_odd_records_are_no_errors(servers: str, odd: str, switches: tuple[str, ...]) -> None:
    message, left = ODD[odd]
    rows = decode(servers, json_schema(*switches), [GOOD, message, GOOD])
    good = ("good", 1)
    assert [(row.name, row.n) for row in rows] == [good, *left, good]


def test_a_null_message_gives_no_row(servers: str) -> None:
    rows = decode(servers, json_schema(), [GOOD, None, GOOD])
    assert [row.name for row in rows] == ["good", "good"]


def test_both_timestamp_standards(servers: str) -> None:
    row_type = Types.ROW_NAMED(["at"], [Types.SQL_TIMESTAMP()])
    builder = JsonRowDeserializationSchema.builder().type_info(row_type)
    sql = builder.timestamp_format("SQL").build()
    (row,) = decode(servers, sql, ['{"at": "2025-02-28 12:34:56.5"}'])
    assert row.at == datetime.datetime(2025, 2, 28, 12, 34, 56, 500000)
    builder = JsonRowDeserializationSchema.builder().type_info(row_type)
    iso = builder.timestamp_format("ISO-8601").build()
    (row,) = decode(servers, iso, ['{"at": "2025-02-28T12:34:56.5"}'])
    assert row.at == datetime.datetime(2025, 2, 28, 12, 34, 56, 500000)


def test_csv_rows(servers: str) -> None:
    rows = decode(servers, csv_schema(), ["a,1", '"x, ""y""",2', "last,-3\n"])
    assert [(row.name, row.n) for row in rows] == [("a", 1), ('x, "y"', 2), ("last", -3)]
    settings = {"field_delimiter": "|", "null_literal": "-", "quote_character": "'"}
    rows = decode(servers, csv_schema(**settings), ["-|-", "'p|q'|5"])
    assert [(row.name, row.n) for row in rows] == [(None, None), ("p|q", 5)]


def test_a_bad_csv_record(servers: str) -> None:
    with pytest.raises(RuntimeError, match=r"partition 0, offset 1.*csv.*many"):
        decode(servers, csv_schema(), ["a,1", "b,many"])
    rows = decode(servers, csv_schema(ignore_parse_errors=True), ["a,1", "b,many", "c,3"])
    assert [(row.name, row.n) for row in rows if row.n is not None] == [("a", 1), ("c", 3)]


def test_text_is_utf8(servers: str) -> None:
    texts = ["", "ünï", "😀", "line\nline", "\x00nul"]
    assert decode(servers, SimpleStringSchema(), [text.encode() for text in texts]) == texts
