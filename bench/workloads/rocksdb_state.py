"""Read-modify-write of one number a key in RocksDB, ten million keys in random order.

`flott` does it in a Python function, `flott-native` is a running sum of a native type; a record of
each is a read and a write. The rate is that of the second half: the first fills the state. Memory
is 512 MB a slot.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from measure import Goal, child_main, pyflink_environment, rate_of

TITLE = "read-modify-write of RocksDB state, 10 M keys"
GOALS = {"records_per_s": Goal(at_least=200_000)}  # flott-native: 500,000
ENGINES = ("flott", "flott-native")
ONCE = True
MEMORY = "512 mb"


def prepare(bench, engine):
    """How many keys."""
    keys = 1_000_000 if bench.quick else 10_000_000
    return {"keys": keys, "sizes": [keys, 2 * keys]}


def run(engine, options):
    """One measurement; see the module's text."""
    from pyflink.common import Configuration, Types, WatermarkStrategy
    from pyflink.datastream import EmbeddedRocksDBStateBackend, KeyedProcessFunction
    from pyflink.datastream.connectors.datagen import DataGeneratorSource
    from pyflink.datastream.connectors.number_seq import NumberSequenceSource
    from pyflink.datastream.expressions import field
    from pyflink.datastream.state import ValueStateDescriptor

    keys = options["keys"]

    class Count(KeyedProcessFunction):
        def open(self, runtime_context):
            self.count = runtime_context.get_state(ValueStateDescriptor("count", Types.LONG()))

        def process_element(self, value, ctx):
            self.count.update((self.count.value() or 0) + 1)
            return ()

    def scattered(value):
        return value * 2_654_435_761 % keys

    def job(records):
        env = pyflink_environment(engine, options)
        settings = Configuration()
        settings.set_string("state.backend.rocksdb.memory.fixed-per-slot", MEMORY)
        env.configure(settings)
        env.set_state_backend(EmbeddedRocksDBStateBackend(True))
        watermarks = WatermarkStrategy.no_watermarks()
        if engine == "flott-native":
            row = Types.ROW_NAMED(["id", "amount"], [Types.LONG(), Types.LONG()])
            rows = DataGeneratorSource(
                row,
                rows_per_second=1_000_000_000,
                number_of_rows=records,
                fields={"id": {"min": 0, "max": keys - 1}, "amount": {"min": 1, "max": 9}},
                seed=1,
            )
            sums = env.from_source(rows, watermarks, "rows").key_by(lambda r: r.id).sum("amount")
            sums.filter(field("amount") < 0).print()
        else:
            numbers = env.from_source(NumberSequenceSource(1, records), watermarks, "sequence")
            numbers.key_by(scattered, Types.LONG()).process(Count(), Types.LONG()).print()
        env.execute()

    return rate_of(job, options["sizes"])


if __name__ == "__main__":
    child_main(run)
