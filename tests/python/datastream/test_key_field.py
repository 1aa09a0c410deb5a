from operator import attrgetter, itemgetter

import pytest

from pyflink.common import Types
from pyflink.common.watermark_strategy import TimestampAssigner, WatermarkStrategy
from pyflink.datastream._key_field import key_field, timestamp_field

ROW = Types.ROW_NAMED(["a", "b", "count"], [Types.STRING(), Types.INT(), Types.LONG()])
TUPLE = Types.TUPLE([Types.STRING(), Types.INT()])


def named(r):
    return r["b"]


@pytest.mark.parametrize(
    ("selector", "field"),
    [
        (lambda r: r["a"], 0),
        (lambda row: row["b"], 1),
        (lambda r: r[1], 1),
        (lambda r: r.b, 1),
        (named, 1),
        (itemgetter(0), 0),
        (itemgetter("b"), 1),
        (attrgetter("a"), 0),
    ],
)
def test_a_selector_of_one_field_is_recognised(selector, field):
    assert key_field(selector, ROW) == field


OUTER = "a"


@pytest.mark.parametrize(
    "selector",
    [
        lambda r: r["missing"],
        lambda r: r[-1],
        lambda r: r[3],
        lambda r: r[True],
        lambda r: r["a"].lower(),
        lambda r: (r["a"],),
        lambda r: r[OUTER],
        lambda r: str(r.a),
        lambda r: r.as_dict,
        lambda *r: r[0],
        lambda r, s=1: r[0],
        itemgetter("a", "b"),
        attrgetter("a.b"),
        str,
    ],
)
def test_anything_else_is_called(selector):
    assert key_field(selector, ROW) == -1


def test_a_generator_is_no_field():
    def selector(r):
        yield r["a"]

    assert key_field(selector, ROW) == -1


def test_tuples_have_no_names():
    assert key_field(lambda r: r[1], TUPLE) == 1
    assert key_field(itemgetter("f0"), TUPLE) == -1
    assert key_field(lambda r: r[0], Types.PICKLED_BYTE_ARRAY()) == -1


def test_only_types_with_one_key_form_are_taken():
    row = Types.ROW_NAMED(["t", "d"], [Types.SQL_TIMESTAMP(), Types.DOUBLE()])
    assert key_field(lambda r: r["t"], row) == -1
    assert key_field(lambda r: r["d"], row) == -1


def assigner(function):
    """A TimestampAssigner with `function` as its method."""
    return type("Assigner", (TimestampAssigner,), {"extract_timestamp": function})()


def documented(self, value, record_timestamp):
    """The count."""
    return value["count"]


def in_seconds(self, value, record_timestamp):
    return value.b * 1000


def of_the_record(self, value, record_timestamp):
    return record_timestamp


class NotByMethod(TimestampAssigner):
    extract_timestamp = staticmethod(lambda value, record_timestamp: value.b)


@pytest.mark.parametrize(
    ("found", "field"),
    [
        (assigner(lambda self, value, record_timestamp: value.b), 1),
        (assigner(lambda self, v, t: v[1]), 1),
        (assigner(documented), 2),
        (assigner(in_seconds), -1),
        (assigner(of_the_record), -1),
        (assigner(lambda self, value, record_timestamp: value.a), -1),  # no integer
        (assigner(lambda self, value, record_timestamp: self.b), -1),
        (assigner(lambda self, value, record_timestamp=0: value.missing), -1),
        (NotByMethod(), -1),
    ],
)
def test_a_timestamp_assigner_of_one_integer_field_is_recognised(found, field):
    assert timestamp_field(found, ROW) == field


def test_a_function_given_as_the_assigner_is_recognised():
    def spec_of(function):
        strategy = WatermarkStrategy.no_watermarks().with_timestamp_assigner(function)
        return timestamp_field(strategy._native_spec()[1], ROW)

    assert spec_of(lambda value, timestamp: value.b) == 1
    assert spec_of(lambda value, timestamp: value.b + 1) == -1
