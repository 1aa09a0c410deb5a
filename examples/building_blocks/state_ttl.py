"""State that forgets by itself: newsletters go to a customer at most once an hour.

    python state_ttl.py [--bootstrap-servers localhost:9092
                         --topic clicks --output-topic newsletters]

Time to live needs no timers: state that was not written for an hour is gone. It follows
processing time, so it bounds memory, but it is no rule of business about event time; for that, see
fraud_alerts.py.
"""

from __future__ import annotations

from collections.abc import Iterator

from connections import arguments_of, records, results
from shop import Click, clicks

from pyflink.common import Time, Types
from pyflink.datastream import DataStream, StreamExecutionEnvironment
from pyflink.datastream.functions import KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import (
    MapStateDescriptor,
    StateTtlConfig,
    ValueStateDescriptor,
)

HOUR = Time.hours(1)


class FirstOfTheHour(KeyedProcessFunction):
    """Lets a customer's first click through, then none for an hour; counts pages on the side."""

    def open(self, runtime_context: RuntimeContext) -> None:
        once = StateTtlConfig.new_builder(HOUR).set_update_type(
            StateTtlConfig.UpdateType.OnCreateAndWrite
        )
        seen = ValueStateDescriptor("seen", Types.BOOLEAN())
        seen.enable_time_to_live(once.never_return_expired().build())
        self._seen = runtime_context.get_state(seen)

        # Each entry of a map lives by itself; reading keeps it alive.
        used = StateTtlConfig.new_builder(HOUR).update_ttl_on_read_and_write().build()
        pages = MapStateDescriptor("pages", Types.STRING(), Types.INT())
        pages.enable_time_to_live(used)
        self._pages = runtime_context.get_map_state(pages)

    def process_element(
        self, value: Click, ctx: KeyedProcessFunction.Context
    ) -> Iterator[tuple[str, str, int]]:
        count = (self._pages.get(value.page) or 0) + 1
        self._pages.put(value.page, count)
        if not self._seen.value():
            self._seen.update(True)
            yield value.visitor, value.page, count


def newsletters(stream: DataStream) -> DataStream:
    """Clicks in; (visitor, page that interests, how often it was looked at lately) out."""
    return stream.key_by(lambda click: click.visitor, Types.STRING()).process(FirstOfTheHour())


def main() -> None:
    arguments = arguments_of(__doc__)
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(1)
    results(newsletters(records(env, arguments, Click, clicks())), arguments)
    env.execute("state TTL")


if __name__ == "__main__":
    main()
