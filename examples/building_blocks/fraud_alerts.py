"""Fraud alerts: a tiny payment and a large one within a minute, as thieves try cards.

    python fraud_alerts.py [--bootstrap-servers localhost:9092
                            --topic orders --output-topic alerts]

State remembers that the last payment of a customer was tiny; a timer forgets it after a minute.
Event time decides, so that the alerts are the same when yesterday's orders are read again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from connections import arguments_of, records, results
from shop import MINUTE, OPENING, Order, with_event_time

from pyflink.common import Types
from pyflink.datastream import DataStream, StreamExecutionEnvironment
from pyflink.datastream.functions import KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import ValueStateDescriptor

TINY = 1.0
LARGE = 500.0


class Alert(NamedTuple):
    """A payment somebody should look at."""

    customer: str
    time: int
    amount: float


class DetectFraud(KeyedProcessFunction):
    """Keeps the time until which a large payment of the customer is suspicious."""

    def open(self, runtime_context: RuntimeContext) -> None:
        self._suspicious_until = runtime_context.get_state(
            ValueStateDescriptor("suspicious until", Types.LONG())
        )

    def process_element(self, value: Order, ctx: KeyedProcessFunction.Context) -> Iterator[Alert]:
        until = self._suspicious_until.value()
        if until is not None:
            if value.amount > LARGE and ctx.timestamp() < until:
                yield Alert(value.customer, value.time, value.amount)
            # any other payment between breaks the pattern
            ctx.timer_service().delete_event_time_timer(until)
            self._suspicious_until.clear()
        if value.amount < TINY:
            until = ctx.timestamp() + MINUTE
            self._suspicious_until.update(until)
            ctx.timer_service().register_event_time_timer(until)

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> None:
        self._suspicious_until.clear()


def alerts(stream: DataStream) -> DataStream:
    """Orders with event time in, alerts out."""
    return stream.key_by(lambda order: order.customer, Types.STRING()).process(DetectFraud())


def main() -> None:
    arguments = arguments_of(__doc__)
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(1)
    payments = [
        Order(OPENING, "ann", "books", 0.50),
        Order(OPENING + 10_000, "bob", "games", 0.70),
        Order(OPENING + 30_000, "ann", "games", 799.0),  # an alert
        Order(OPENING + 90_000, "bob", "games", 820.0),  # too late for one
    ]
    stream = with_event_time(records(env, arguments, Order, payments))
    results(alerts(stream), arguments)
    env.execute("fraud alerts")


if __name__ == "__main__":
    main()
