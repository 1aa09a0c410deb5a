"""Sequence -> Python map -> key_by -> Python reduce -> Python filter, on one core."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from measure import Goal, child_main, pyflink_environment, rate_of

TITLE = "sequence -> Python map -> key_by -> Python reduce -> Python filter, one core"
GOALS = {"records_per_s": Goal(at_least=3e6)}
ENGINES = ("flott", "bytewax", "flink-thread", "flink", "python")
ONE_CORE = True
KEYS = 1000


def prepare(bench, engine):
    """How many records this engine gets."""
    sizes = {
        "flott": [6_000_000],
        "python": [3_000_000],
        "bytewax": [1_500_000],
        "flink-thread": [20_000, 420_000],
        "flink": [20_000, 120_000],
    }[engine]
    smaller = bench.quick and len(sizes) == 1
    return {"sizes": [size // 3 for size in sizes] if smaller else sizes}


def pair(x):
    return (x % KEYS, x)


def key(v):
    return v[0]


def add(a, b):
    return (a[0], a[1] + b[1])


def negative(v):
    return v[1] < 0


def with_pyflink(engine, options):
    from pyflink.common import WatermarkStrategy
    from pyflink.datastream.connectors.number_seq import NumberSequenceSource

    def job(records):
        env = pyflink_environment(engine, options)
        env.from_source(
            NumberSequenceSource(1, records), WatermarkStrategy.no_watermarks(), "sequence"
        ).map(pair).key_by(key).reduce(add).filter(negative).print()
        env.execute()

    return rate_of(job, options["sizes"])


def with_bytewax(engine, options):
    import bytewax.operators as op
    from bytewax.dataflow import Dataflow
    from bytewax.inputs import DynamicSource, StatelessSourcePartition
    from bytewax.testing import TestingSink, run_main

    class Part(StatelessSourcePartition):
        def __init__(self, records):
            self.batches = iter(range(1, records + 1, 1000))
            self.end = records + 1

        def next_batch(self):
            start = next(self.batches)
            return range(start, min(start + 1000, self.end))

    class Sequence(DynamicSource):
        def __init__(self, records):
            self.records = records

        def build(self, step_id, worker_index, worker_count):
            return Part(self.records)

    def reduce(state, value):
        state = value if state is None else add(state, value)
        return state, state

    def job(records):
        flow = Dataflow("chain")
        # keys are strings in Bytewax
        keyed = op.map(
            "map", op.input("in", flow, Sequence(records)), lambda x: (str(x % KEYS), (x % KEYS, x))
        )
        reduced = op.stateful_map("reduce", keyed, reduce)
        op.output("out", op.filter("filter", reduced, lambda v: negative(v[1])), TestingSink([]))
        run_main(flow)

    return rate_of(job, options["sizes"])


def with_bare_python(engine, options):
    def job(records):
        state = {}
        for x in range(1, records + 1):
            v = pair(x)
            k = key(v)
            old = state.get(k)
            v = state[k] = v if old is None else add(old, v)
            if negative(v):
                print(v)

    return rate_of(job, options["sizes"])


def run(engine, options):
    """One measurement; see the module's text."""
    if engine == "bytewax":
        return with_bytewax(engine, options)
    if engine == "python":
        return with_bare_python(engine, options)
    return with_pyflink(engine, options)


if __name__ == "__main__":
    child_main(run)
