"""A typed row is decoded field by field: what a function does not touch stays in its column."""

from __future__ import annotations

import gc

import pytest

from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction, ProcessFunction, StreamExecutionEnvironment
from pyflink.testing import TestStreamEnvironment, collect

NAMES = [f"f{n}" for n in range(12)]
ROW = Types.ROW_NAMED(NAMES, [Types.STRING()] * 12)
RECORDS = 5


def text(record, field):
    return f"field {field} of record {record}"


ROWS = [Row(**{name: text(r, n) for n, name in enumerate(NAMES)}) for r in range(RECORDS)]


def decoded(row):
    """The fields that are Python objects by now, as the garbage collector sees them in the row."""
    return sorted(held for held in gc.get_referents(row) if isinstance(held, str))


class Touch(ProcessFunction):
    """Yields what was decoded before and after it touched some fields."""

    def __init__(self, *touched):
        self.touched = touched

    def process_element(self, value, ctx):
        before = decoded(value)
        for name in self.touched:
            assert getattr(value, name).startswith("field")
        yield before, decoded(value)


@pytest.fixture(params=["threads", "stepped"])
def env(request):
    if request.param == "stepped":
        return TestStreamEnvironment()
    environment = StreamExecutionEnvironment.get_execution_environment()
    environment.set_parallelism(1)
    return environment


@pytest.mark.parametrize("touched", [(), (2,), (2, 7), tuple(range(12))])
def test_as_many_fields_are_decoded_as_are_touched(env, touched):
    stream = env.from_collection(ROWS, ROW)
    assert collect(stream.process(Touch(*[NAMES[n] for n in touched]))) == [
        ([], sorted(text(r, n) for n in touched)) for r in range(RECORDS)
    ]


def test_a_field_is_decoded_once(env):
    class Twice(ProcessFunction):
        def process_element(self, value, ctx):
            yield value.f3 is value["f3"] is value[3], decoded(value)

    stream = env.from_collection(ROWS, ROW)
    assert collect(stream.process(Twice())) == [(True, [text(r, 3)]) for r in range(RECORDS)]


def test_a_filter_hands_on_what_it_did_not_touch_undecoded(env):
    seen = []

    def keep(row):
        before = decoded(row)
        assert row.f2.endswith(row.f7[-1])
        seen.append((before, decoded(row)))
        return row.f2 != text(0, 2)

    stream = env.from_collection(ROWS, ROW).filter(keep)
    results = collect(stream.process(Touch("f5")))
    assert seen == [([], [text(r, 2), text(r, 7)]) for r in range(RECORDS)]
    for record, (before, after) in enumerate(results, start=1):
        # what the filter decoded may come along; nothing else may
        assert set(before) <= {text(record, 2), text(record, 7)}
        assert set(after) == {*before, text(record, 5)}
    assert len(results) == RECORDS - 1


def test_a_key_decodes_its_field_only(env):
    class Keyed(KeyedProcessFunction):
        def process_element(self, value, ctx):
            before = set(decoded(value))
            assert value.f9
            yield ctx.get_current_key(), before, set(decoded(value)) - before

    keyed = env.from_collection(ROWS, ROW).key_by(lambda row: row.f0, Types.STRING())
    for record, (key, before, further) in enumerate(collect(keyed.process(Keyed()))):
        assert key == text(record, 0)
        assert before <= {text(record, 0)}
        assert further == {text(record, 9)}


def test_a_row_that_is_kept_has_all_its_fields(env):
    """What outlives its batch is decoded in whole, and is the row it was."""
    kept = []

    def keep(row):
        kept.append(row)
        return row.f1

    stream = env.from_collection(ROWS, ROW).map(keep, Types.STRING())
    assert collect(stream) == [text(r, 1) for r in range(RECORDS)]
    assert kept == ROWS
    assert [decoded(row) for row in kept] == [
        sorted(text(r, n) for n in range(12)) for r in range(RECORDS)
    ]
