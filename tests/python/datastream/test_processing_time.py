"""Windows and triggers of processing time, under a clock that the test moves."""

from __future__ import annotations

import pytest

from pyflink.common import Time
from pyflink.datastream import ProcessAllWindowFunction, ProcessWindowFunction
from pyflink.datastream.window import (
    ContinuousProcessingTimeTrigger,
    EventTimeSessionWindows,
    GlobalWindows,
    ProcessingTimeSessionWindows,
    ProcessingTimeTrigger,
    PurgingTrigger,
    SessionWindowTimeGapExtractor,
    SlidingProcessingTimeWindows,
    TumblingEventTimeWindows,
    TumblingProcessingTimeWindows,
)
from pyflink.testing import ScriptedSource, TestStreamEnvironment, collect


@pytest.fixture
def env():
    return TestStreamEnvironment()


def at(*steps):
    """A source whose records come at the given times: (time, record, ...).

    The clock goes on millisecond by millisecond, so a timer sees the time it was set for. A window
    up to 10 fires at 9, its last millisecond, before records of that millisecond.
    """
    source, now = ScriptedSource(), 0
    for time, *records in steps:
        for _ in range(time - now):
            source.advance_processing_time(1)
        now = time
        for record in records:
            source.element((record, time))
    return source


class Described(ProcessWindowFunction):
    """Key, window, records, and when the window fires."""

    def process(self, key, context, elements):
        window = context.window()
        records = "".join(r for r, _ in elements)
        yield key, window.start, window.end, records, context.current_processing_time()


class AllDescribed(ProcessAllWindowFunction):
    def process(self, context, elements):
        yield context.window().start, "".join(r for r, _ in elements)


class Listed(ProcessWindowFunction):
    def process(self, key, context, elements):
        yield key, "".join(r for r, _ in elements), context.current_processing_time()


def keyed(env, *steps):
    """By upper or lower case."""
    return at(*steps).to_stream(env).key_by(lambda v: v[0].isupper())


def test_tumbling_windows(env):
    windows = keyed(env, (3, "a", "A"), (8, "b"), (10, "c"), (25, "d"), (29,)).window(
        TumblingProcessingTimeWindows.of(Time.milliseconds(10))
    )
    assert collect(windows.process(Described())) == [
        (False, 0, 10, "ab", 9),
        (True, 0, 10, "A", 9),
        (False, 10, 20, "c", 19),
        (False, 20, 30, "d", 29),
    ]


def test_tumbling_windows_with_an_offset(env):
    windows = keyed(env, (1, "a"), (3, "b"), (13,)).window(
        TumblingProcessingTimeWindows.of(Time.milliseconds(10), Time.milliseconds(3))
    )
    assert collect(windows.process(Described())) == [
        (False, -7, 3, "a", 2),
        (False, 3, 13, "b", 12),
    ]


def test_sliding_windows(env):
    windows = keyed(env, (1, "a", "A"), (6, "b"), (12, "c"), (30,)).window(
        SlidingProcessingTimeWindows.of(Time.milliseconds(10), Time.milliseconds(5))
    )
    assert sorted(collect(windows.process(Described()))) == [
        (False, -5, 5, "a", 4),
        (False, 0, 10, "ab", 9),
        (False, 5, 15, "bc", 14),
        (False, 10, 20, "c", 19),
        (True, -5, 5, "A", 4),
        (True, 0, 10, "A", 9),
    ]


def test_sliding_windows_reduced(env):
    windows = keyed(env, (1, "a"), (6, "b"), (12, "c"), (30,)).window(
        SlidingProcessingTimeWindows.of(Time.milliseconds(10), Time.milliseconds(5))
    )
    sums = windows.reduce(lambda a, b: (a[0] + b[0], b[1]))
    assert [r[0] for r in collect(sums)] == ["a", "ab", "bc", "c"]


def test_sessions(env):
    windows = keyed(env, (1, "a"), (4, "b", "A"), (10, "c"), (15, "d"), (40,)).window(
        ProcessingTimeSessionWindows.with_gap(Time.milliseconds(5))
    )
    # c's session fired at 14: when d comes it is gone
    assert sorted(collect(windows.process(Described()))) == [
        (False, 1, 9, "ab", 8),
        (False, 10, 15, "c", 14),
        (False, 15, 20, "d", 19),
        (True, 4, 9, "A", 8),
    ]


class LongForX(SessionWindowTimeGapExtractor):
    def extract(self, element):
        return 20 if element[0] == "x" else 5


def test_sessions_of_a_dynamic_gap(env):
    windows = keyed(env, (1, "x"), (10, "a"), (18, "b"), (50,)).window(
        ProcessingTimeSessionWindows.with_dynamic_gap(LongForX())
    )
    assert collect(windows.process(Described())) == [(False, 1, 23, "xab", 22)]


def test_windows_over_all_keys(env):
    stream = at((1, "a", "A"), (11, "b"), (20,)).to_stream(env)
    windows = stream.window_all(TumblingProcessingTimeWindows.of(Time.milliseconds(10)))
    assert collect(windows.process(AllDescribed())) == [(0, "aA"), (10, "b")]


def test_windows_not_over_at_the_end_of_the_input_are_dropped(env):
    windows = keyed(env, (1, "a"), (10, "b"), (18,)).window(
        TumblingProcessingTimeWindows.of(Time.milliseconds(10))
    )
    assert collect(windows.process(Listed())) == [(False, "a", 9)]


def test_a_continuous_trigger_on_global_windows(env):
    windows = keyed(env, (2, "a"), (7, "b", "A"), (10, "c"), (20, "d"), (29,))
    triggered = windows.window(GlobalWindows.create()).trigger(
        ContinuousProcessingTimeTrigger.of(Time.milliseconds(10))
    )
    assert sorted(collect(triggered.process(Listed()))) == [
        (False, "ab", 10),
        (False, "abc", 20),
        (True, "A", 10),
        (True, "A", 20),
    ]


def test_a_continuous_trigger_that_purges(env):
    windows = keyed(env, (2, "a"), (7, "b"), (10, "c"), (20, "d"), (30,))
    triggered = windows.window(GlobalWindows.create()).trigger(
        PurgingTrigger.of(ContinuousProcessingTimeTrigger.of(Time.milliseconds(10)))
    )
    assert collect(triggered.process(Listed())) == [
        (False, "ab", 10),
        (False, "c", 20),
        (False, "d", 30),
    ]


def test_a_continuous_trigger_shows_a_window_before_its_end_and_then(env):
    windows = keyed(env, (2, "a"), (6, "b"), (12, "c"), (30,)).window(
        TumblingProcessingTimeWindows.of(Time.milliseconds(20))
    )
    triggered = windows.trigger(ContinuousProcessingTimeTrigger.of(Time.milliseconds(5)))
    results = collect(triggered.process(Described()))
    assert [r[1:] for r in results] == [
        (0, 20, "a", 5),
        (0, 20, "ab", 10),
        (0, 20, "abc", 15),
        (0, 20, "abc", 19),
    ]


def test_a_continuous_trigger_on_sessions_that_merge(env):
    windows = keyed(env, (2, "a"), (6, "b"), (10, "c"), (30,)).window(
        ProcessingTimeSessionWindows.with_gap(Time.milliseconds(8))
    )
    triggered = windows.trigger(ContinuousProcessingTimeTrigger.of(Time.milliseconds(5)))
    results = collect(triggered.process(Described()))
    assert [r[1:] for r in results] == [
        (2, 10, "a", 5),
        (2, 14, "ab", 9),
        (2, 18, "abc", 13),
        (2, 18, "abc", 17),
    ]


def test_a_processing_time_trigger_on_windows_of_event_time(env):
    source = (
        ScriptedSource()
        .element(("a", 1), 1)
        .watermark(100)  # the end of the first window, but no reason to fire it
        .advance_processing_time(9)
        .element(("b", 2), 200)
        .advance_processing_time(300)
    )
    windows = source.to_stream(env).key_by(lambda v: 0)
    triggered = windows.window(TumblingEventTimeWindows.of(Time.milliseconds(10)))
    results = collect(triggered.trigger(ProcessingTimeTrigger.create()).process(Described()))
    assert results == [(0, 200, 210, "b", 309)]


def test_event_time_sessions_do_not_follow_the_clock(env):
    source = (
        ScriptedSource().element(("a", 1), 1).advance_processing_time(1_000).element(("b", 2), 4)
    )
    windows = source.to_stream(env).key_by(lambda v: 0)
    sessions = windows.window(EventTimeSessionWindows.with_gap(Time.milliseconds(5)))
    assert collect(sessions.process(Described())) == [(0, 1, 9, "ab", 1_000)]
