"""Read-modify-write of one number a key in RocksDB, ten million keys in random order.

`flott` does it in a Python function, `flott-native` is a running sum of a native type; a record of
each is a read and a write. The rate is that of the second half: the first fills the state. The
state has a budget of 1 GB in each engine. Apache Flink gets a tenth of the keys, with which it is
faster: with all of them it takes more than ten minutes. `flott-tenth` gets as many.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from measure import Goal, child_main, pyflink_environment, rate_of

TITLE = "read-modify-write of RocksDB state, 10 M keys"
GOALS = {"records_per_s": Goal(at_least=200_000)}
GOALS_OF_VARIANTS = {"flott-native": {"records_per_s": Goal(at_least=500_000)}}
ENGINES = ("flott", "flott-native", "flott-tenth", "flink-thread")
COUNTERPARTS = {"flink-thread": "flott-tenth"}
ONCE = True
MEMORY = "1 gb"


def prepare(bench, engine):
    """How many keys, and how many records once each of them has its state."""
    large = engine in ("flott", "flott-native") and not bench.quick
    keys = 10_000_000 if large else 1_000_000
    return {"keys": keys, "measured": keys // 5 if engine.startswith("flink") else keys}


def run(engine, options):
    """One measurement; see the module's text."""
    from pyflink.common import Configuration
    from pyflink.datastream import EmbeddedRocksDBStateBackend

    def environment():
        env = pyflink_environment(engine, options)
        settings = Configuration()
        settings.set_string("state.backend.rocksdb.memory.fixed-per-slot", MEMORY)
        env.configure(settings)
        env.set_state_backend(EmbeddedRocksDBStateBackend(True))
        return env

    keys, measured = options["keys"], options["measured"]
    if engine.endswith("native"):
        rate = rate_of(lambda records: native_sum(environment(), keys, records), [keys, 2 * keys])
        return {**rate, "keys": keys}
    begin, end = python_count(environment(), keys, measured)
    seconds = end - begin
    return {"records_per_s": measured / seconds, "seconds": seconds, "keys": keys}


def python_count(env, keys, measured):
    """Counts in a Python function; the times when each key has state, and at the end."""
    from pyflink.common import Types, WatermarkStrategy
    from pyflink.datastream import KeyedProcessFunction
    from pyflink.datastream.connectors.number_seq import NumberSequenceSource
    from pyflink.datastream.state import ValueStateDescriptor

    class Count(KeyedProcessFunction):
        def open(self, runtime_context):
            self.count = runtime_context.get_state(ValueStateDescriptor("count", Types.LONG()))

        def process_element(self, value, ctx):
            self.count.update((self.count.value() or 0) + 1)
            return (time.perf_counter(),) if value == keys or value == keys + measured else ()

    def scattered(value):
        return value * 2_654_435_761 % keys

    numbers = env.from_source(
        NumberSequenceSource(1, keys + measured), WatermarkStrategy.no_watermarks(), "sequence"
    )
    counts = numbers.key_by(scattered, Types.LONG()).process(Count(), Types.DOUBLE())
    with counts.execute_and_collect() as times:
        begin, end = times
    return begin, end


def native_sum(env, keys, records):
    """Sums in the engine; no Python function sees a record."""
    from pyflink.common import Types, WatermarkStrategy
    from pyflink.datastream.connectors.datagen import DataGeneratorSource
    from pyflink.datastream.expressions import field

    row = Types.ROW_NAMED(["id", "amount"], [Types.LONG(), Types.LONG()])
    rows = DataGeneratorSource(
        row,
        rows_per_second=1_000_000_000,
        number_of_rows=records,
        fields={"id": {"min": 0, "max": keys - 1}, "amount": {"min": 1, "max": 9}},
        seed=1,
    )
    sums = env.from_source(rows, WatermarkStrategy.no_watermarks(), "rows")
    sums = sums.key_by(lambda r: r.id).sum("amount")
    sums.filter(field("amount") < 0).print()
    env.execute()


if __name__ == "__main__":
    child_main(run)
