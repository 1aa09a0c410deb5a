"""Rules that change while the job runs: each order is checked against all rules there are now.

    python broadcast_rules.py [--bootstrap-servers localhost:9092
                               --topic orders --rules-topic rules --output-topic gifts]

Rules come as a stream of their own and are broadcast: every subtask has all of them, as broadcast
state, which checkpoints hold once. Only the broadcast side may change it; the order side reads.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

from connections import arguments_of, read_topic, results
from shop import OPENING, Order

from pyflink.common import Types
from pyflink.datastream import DataStream, OutputTag, StreamExecutionEnvironment
from pyflink.datastream.functions import (
    KeyedBroadcastProcessFunction,
    RuntimeContext,
    SourceFunction,
)
from pyflink.datastream.state import MapStateDescriptor, ValueStateDescriptor

RULES = MapStateDescriptor("rules", Types.STRING(), Types.PICKLED_BYTE_ARRAY())
WITHDRAWN = OutputTag("withdrawn", Types.STRING())


class Rule(NamedTuple):
    """So many orders of a customer in a category earn a gift; a count of 0 withdraws the rule."""

    name: str
    category: str
    count: int


class ApplyRules(KeyedBroadcastProcessFunction):
    """Counts orders by customer and category, and compares with each rule."""

    def open(self, runtime_context: RuntimeContext) -> None:
        self._count = runtime_context.get_state(ValueStateDescriptor("orders", Types.INT()))

    def process_element(
        self, value: Order, ctx: KeyedBroadcastProcessFunction.ReadOnlyContext
    ) -> Iterator[tuple[str, str]]:
        count = (self._count.value() or 0) + 1
        self._count.update(count)
        for rule in ctx.get_broadcast_state(RULES).values():
            if rule.category == value.category and count % rule.count == 0:
                yield value.customer, rule.name

    def process_broadcast_element(
        self, value: Rule, ctx: KeyedBroadcastProcessFunction.Context
    ) -> Iterator[tuple[OutputTag, str]]:
        rules = ctx.get_broadcast_state(RULES)
        if value.count > 0:
            rules.put(value.name, value)
        elif rules.contains(value.name):
            rules.remove(value.name)
            yield WITHDRAWN, value.name


def gifts(orders: DataStream, rules: DataStream) -> DataStream:
    """(customer, rule) out; names of withdrawn rules come on the side output `WITHDRAWN`."""
    keyed = orders.key_by(lambda order: (order.customer, order.category))
    return keyed.connect(rules.broadcast(RULES)).process(ApplyRules())


class SlowOrders(SourceFunction):
    """Four orders, after a while: nobody else promises that the rule comes before them."""

    def run(self, ctx: Any) -> None:
        threading.Event().wait(0.5)
        for _ in range(4):
            ctx.collect(Order(OPENING, "ann", "books", 9.0))

    def cancel(self) -> None:
        """It ends by itself."""


def main() -> None:
    arguments = arguments_of(__doc__, "--rules-topic")
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(1)
    if arguments.bootstrap_servers:
        bought = read_topic(env, arguments, arguments.topic, Order)
        rules = read_topic(env, arguments, arguments.rules_topic, Rule)
    else:
        bought = env.add_source(SlowOrders())
        rules = env.from_collection([Rule("bookworm", "books", 2)])
    given = gifts(bought, rules)
    results(given, arguments)
    results(given.get_side_output(WITHDRAWN), arguments, "withdrawn")
    env.execute("broadcast rules")


if __name__ == "__main__":
    main()
