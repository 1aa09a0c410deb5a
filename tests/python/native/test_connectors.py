"""Nodes that prepare records for connectors."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from typing import Any

import pytest
from graphs import Pipeline

from pyflink import _native

T = _native.LogicalType
STRING = T.simple("string")
ROW = T.row(["id", "n"], [STRING, T.simple("big_int")])


def test_typed_rows_become_json() -> None:
    pipeline = Pipeline().source([("a", 1), ("b", None)], ROW).add("json_encode")
    assert [json.loads(text) for text in pipeline.collect()] == [
        {"id": "a", "n": 1},
        {"id": "b", "n": None},
    ]


def test_json_encode_of_untyped_records_is_refused() -> None:
    with pytest.raises(ValueError, match="convert first"):
        Pipeline().source([1]).add("json_encode")


def test_kafka_records_by_formats_and_topic_selector() -> None:
    options = {"topic": "fixed", "value.format": "json"}
    plain = Pipeline().source([("a", 1)], ROW).add("kafka_serializer", options=options)
    (record,) = plain.collect()
    assert (record.topic, record.key) == ("fixed", None)
    assert json.loads(bytes(record.value)) == {"id": "a", "n": 1}
    selected = Pipeline().source([("a", 1)], ROW)
    selected.add(
        "kafka_serializer",
        options={"value.format": "json"},
        topic_selector=lambda row: "topic-" + row.id,
    )
    (record,) = selected.collect()
    assert record.topic == "topic-a"
    assert json.loads(bytes(record.value)) == {"id": "a", "n": 1}


def test_kafka_records_by_python_serializers() -> None:
    pipeline = Pipeline().source([("a", 1)])
    pipeline.add(
        "kafka_serializer",
        options={"topic": "t"},
        key_serializer=lambda value: value[0],
        value_serializer=lambda value: repr(value).encode(),
    )
    (record,) = pipeline.collect()
    assert (record.topic, bytes(record.key), bytes(record.value)) == ("t", b"a", b"('a', 1)")


def emitted(function: Any, values: list[Any]) -> list[Any]:
    return Pipeline().source(values).add("elasticsearch_emitter", function=function).collect()


def test_elasticsearch_actions() -> None:
    def emit(value: int) -> Any:
        if value == 0:
            return None
        document = {"day": datetime.date(2025, 1, 2), "price": Decimal("1.10"), "n": value}
        first = {"index": "i", "id": value, "doc": document}
        return [first, {"action": "delete", "index": "i", "id": "x", "version": 3}]

    index, delete = emitted(emit, [0, 5])
    assert (index.action, index.index, index.id) == ("index", "i", "5")
    assert json.loads(index.source) == {"day": "2025-01-02", "price": "1.10", "n": 5}
    assert (delete.action, delete.source, delete.version) == ("delete", None, 3)


def test_elasticsearch_actions_as_json() -> None:
    def emit(value: str) -> str:
        return json.dumps({"index": "i", "id": value, "source": {"name": value, "n": [1, 0.5]}})

    (action,) = emitted(emit, ["Zoë"])
    assert (action.action, action.index, action.id) == ("index", "i", "Zoë")
    assert json.loads(action.source) == {"name": "Zoë", "n": [1, 0.5]}


@pytest.mark.parametrize(
    ("result", "error", "text"),
    [
        ("no json", _native.UserCodeError, "or its JSON, a list of dicts, or None, not 'no json'"),
        ("[1]", _native.UserCodeError, r"not '\[1\]' \(str\)"),
        (5, _native.UserCodeError, "emitter returns a dict"),
        ({"indx": "a"}, _native.UserCodeError, "no field 'indx'"),
        ({"index": "a", "doc": {"x": object()}}, TypeError, "no JSON form"),
    ],
)
def test_wrong_elasticsearch_actions_say_what_is_wrong(result: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=text):
        emitted(lambda value: result, [1])


def test_convert_between_objects_and_types() -> None:
    assert Pipeline().source([("a", 1)]).add("convert", output_type=ROW).collect()[0].n == 1
    with pytest.raises(_native.UserCodeError, match="BIGINT"):
        Pipeline().source([("a", "x")]).add("convert", output_type=ROW).collect()


def test_a_typed_collection_fails_where_it_is_written() -> None:
    with pytest.raises(_native.UserCodeError, match="BIGINT"):
        Pipeline().source([("a", "x")], ROW)


def test_native_aggregation_over_typed_rows() -> None:
    pipeline = Pipeline().source([("a", 1), ("a", 2), ("b", 5)], ROW).add("key_by", field=0)
    rows = pipeline.add("aggregation", how="sum", field="n", output_type=ROW).collect()
    assert [(row.id, row.n) for row in rows] == [("a", 1), ("a", 3), ("b", 5)]


def test_unknown_connectors_are_listed() -> None:
    with pytest.raises(ValueError, match="sequence"):
        _native.StreamGraph().add("source", "s", params={"connector": "nothing", "options": {}})
