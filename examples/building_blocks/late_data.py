"""Late orders: a window waits a little, corrects itself for a while, and loses nothing after that.

    python late_data.py [--bootstrap-servers localhost:9092
                         --topic orders --output-topic totals]

Three lines of defence, from cheap to dear:

1. the watermark trails by the disorder that is usual: nobody is late because of that;
2. allowed lateness keeps a window after it fired; each late order fires it again, corrected;
3. what comes later still goes to a side output, here to be counted, elsewhere to a table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from connections import arguments_of, read_topic, results
from shop import MINUTE, OPENING, Order, with_event_time

from pyflink.common import Time, Types
from pyflink.datastream import DataStream, OutputTag, StreamExecutionEnvironment
from pyflink.datastream.functions import ProcessWindowFunction
from pyflink.datastream.state import ValueStateDescriptor
from pyflink.datastream.window import TumblingEventTimeWindows
from pyflink.testing import ScriptedSource

SIZE = Time.minutes(1)
LATENESS_MS = 2 * MINUTE
TOO_LATE = OutputTag("too late")


class Total(NamedTuple):
    """A category's minute; a correction replaces what was said before about the same minute."""

    category: str
    start: int
    total: float
    correction: int  # 0: the first result


class SumAndNumber(ProcessWindowFunction):
    """Counts in the window's own state how often it has fired."""

    _fired = ValueStateDescriptor("fired", Types.INT())

    def process(
        self, key: str, context: ProcessWindowFunction.Context, elements: Iterable[Order]
    ) -> Iterator[Total]:
        fired = context.window_state().get_state(self._fired)
        correction = fired.value() or 0
        fired.update(correction + 1)
        total = round(sum(order.amount for order in elements), 2)
        yield Total(key, context.window().start, total, correction)

    def clear(self, context: ProcessWindowFunction.Context) -> None:
        """The window ends for good, and its state with it."""
        context.window_state().get_state(self._fired).clear()


def totals(stream: DataStream) -> DataStream:
    """Orders with event time in, totals out; `TOO_LATE` is a side output of the result."""
    return (
        stream.key_by(lambda order: order.category)
        .window(TumblingEventTimeWindows.of(SIZE))
        .allowed_lateness(LATENESS_MS)
        .side_output_late_data(TOO_LATE)
        .process(SumAndNumber())
    )


def scripted_orders() -> ScriptedSource:
    """A script, because it is the order of records and watermarks that makes somebody late."""
    bought = Order(OPENING, "ann", "books", 10.0)
    return (
        ScriptedSource()
        .element(bought, OPENING)
        .watermark(OPENING + MINUTE)  # the first result
        .element(bought, OPENING + 1)  # a correction
        .watermark(OPENING + 4 * MINUTE)  # the window is gone
        .element(bought, OPENING + 2)  # too late
    )


def main() -> None:
    arguments = arguments_of(__doc__)
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(1)
    if arguments.bootstrap_servers:
        stream = with_event_time(read_topic(env, arguments, arguments.topic, Order))
    else:
        stream = scripted_orders().to_stream(env)
    found = totals(stream)
    results(found, arguments)
    results(found.get_side_output(TOO_LATE), arguments, "too-late")
    env.execute("late data")


if __name__ == "__main__":
    main()
