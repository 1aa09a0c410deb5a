"""A trigger of one's own: results while the window is still open, and the exact one at its end.

    python custom_trigger.py [--bootstrap-servers localhost:9092
                              --topic orders --output-topic revenue]

An hour is long to wait for a figure on a screen. This trigger fires an hour's window after every
tenth order, at most ten seconds after an order, and at the end. State and timers belong to one
key and window, so `clear` must take back what the trigger has set.
"""

from __future__ import annotations

from typing import Any

from connections import arguments_of, records, results
from shop import Order, orders, with_event_time

from pyflink.common import Time, Types
from pyflink.datastream import DataStream, StreamExecutionEnvironment
from pyflink.datastream.functions import ReduceFunction
from pyflink.datastream.state import ReducingStateDescriptor, ValueStateDescriptor
from pyflink.datastream.window import (
    TimeWindow,
    Trigger,
    TriggerResult,
    TumblingEventTimeWindows,
)


class _Add(ReduceFunction):
    def reduce(self, value1: int, value2: int) -> int:
        return value1 + value2


class EarlyAndOnTime(Trigger):
    """Fires every `count` records, `delay_ms` after one that is still unseen, and at the end."""

    def __init__(self, count: int, delay_ms: int) -> None:
        self._every = count
        self._delay_ms = delay_ms
        self._unseen = ReducingStateDescriptor("unseen", _Add(), Types.LONG())
        self._next = ValueStateDescriptor("next early", Types.LONG())

    def on_element(
        self, element: Any, timestamp: int, window: TimeWindow, ctx: Trigger.TriggerContext
    ) -> TriggerResult:
        if window.max_timestamp() <= ctx.get_current_watermark():
            return TriggerResult.FIRE  # late, within the allowed lateness
        ctx.register_event_time_timer(window.max_timestamp())
        unseen = ctx.get_partitioned_state(self._unseen)
        unseen.add(1)
        if unseen.get() >= self._every:
            return self._fire(ctx)
        timer = ctx.get_partitioned_state(self._next)
        if timer.value() is None:
            timer.update(ctx.get_current_processing_time() + self._delay_ms)
            ctx.register_processing_time_timer(timer.value())
        return TriggerResult.CONTINUE

    def on_processing_time(
        self, time: int, window: TimeWindow, ctx: Trigger.TriggerContext
    ) -> TriggerResult:
        return self._fire(ctx)

    def on_event_time(
        self, time: int, window: TimeWindow, ctx: Trigger.TriggerContext
    ) -> TriggerResult:
        if time != window.max_timestamp():
            return TriggerResult.CONTINUE
        self._forget_timer(ctx)
        return TriggerResult.FIRE

    def on_merge(self, window: TimeWindow, ctx: Trigger.OnMergeContext) -> None:
        raise NotImplementedError("for windows that do not merge")

    def clear(self, window: TimeWindow, ctx: Trigger.TriggerContext) -> None:
        self._forget_timer(ctx)
        ctx.get_partitioned_state(self._unseen).clear()
        ctx.delete_event_time_timer(window.max_timestamp())

    def _fire(self, ctx: Trigger.TriggerContext) -> TriggerResult:
        ctx.get_partitioned_state(self._unseen).clear()
        self._forget_timer(ctx)
        return TriggerResult.FIRE

    def _forget_timer(self, ctx: Trigger.TriggerContext) -> None:
        timer = ctx.get_partitioned_state(self._next)
        if timer.value() is not None:
            ctx.delete_processing_time_timer(timer.value())
            timer.clear()


def revenue_so_far(stream: DataStream, count: int = 10, delay_ms: int = 10_000) -> DataStream:
    """Orders with event time in; (category, cents in the hour so far) out."""
    return (
        stream.map(lambda order: (order.category, round(order.amount * 100)))
        .key_by(lambda pair: pair[0])
        .window(TumblingEventTimeWindows.of(Time.hours(1)))
        .trigger(EarlyAndOnTime(count, delay_ms))
        .reduce(lambda a, b: (a[0], a[1] + b[1]))
    )


def main() -> None:
    arguments = arguments_of(__doc__)
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(1)
    stream = with_event_time(records(env, arguments, Order, orders()))
    results(revenue_so_far(stream), arguments)
    env.execute("custom trigger")


if __name__ == "__main__":
    main()
