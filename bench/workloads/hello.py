"""Hello world: a collection, a map, the results back; the whole process from start to exit."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from measure import Goal

TITLE = "hello world, whole process"
GOALS = {"wall_s": Goal(at_most=0.08), "rss_mb": Goal(at_most=40)}
ENGINES = ("flott", "bytewax", "flink", "flink-thread", "python")

PYFLINK = """
from pyflink.datastream import StreamExecutionEnvironment
env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
ds = env.from_collection(["hello", "world"]).map(lambda s: s.upper())
with ds.execute_and_collect() as results:
    assert list(results) == ["HELLO", "WORLD"]
"""

THREAD = PYFLINK.replace("get_execution_environment()", "get_execution_environment(c)").replace(
    "env = ",
    "from pyflink.common import Configuration\nc = Configuration()\n"
    "c.set_string('python.execution-mode', 'thread')\nenv = ",
    1,
)

BYTEWAX = """
import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSink, TestingSource, run_main
out = []
flow = Dataflow("hello")
words = op.input("in", flow, TestingSource(["hello", "world"]))
op.output("out", op.map("map", words, str.upper), TestingSink(out))
run_main(flow)
assert out == ["HELLO", "WORLD"]
"""

PROGRAMS = {
    "flott": PYFLINK,
    "flink": PYFLINK,
    "flink-thread": THREAD,
    "bytewax": BYTEWAX,
    "python": "print(list(map(str.upper, ['hello', 'world'])))",
}


def command(bench, engine):
    """Runs the program alone: nothing of ours is imported beside it."""
    return [bench.interpreter(engine), "-c", PROGRAMS[engine]]
