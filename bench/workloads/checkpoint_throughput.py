"""The chain of `python_chain.py` without checkpoints, and with one each second to a folder."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import measure
import python_chain
from measure import Goal, child_main, pyflink_environment, rate_of
from python_chain import add, key, negative, pair

TITLE = (
    "sequence -> Python map -> key_by -> Python reduce -> filter, checkpoints off and each second"
)
GOALS = {"records_per_s": Goal(at_least=3e6)}
ENGINES = ("flott", "flott-checkpoints", "flink-thread", "flink-thread-checkpoints")
ONE_CORE = True


def prepare(bench, engine):
    """How many records this engine gets: enough for several checkpoints."""
    sizes = [12_000_000] if engine.startswith("flott") else [20_000, 420_000]
    smaller = bench.quick and len(sizes) == 1
    return {"sizes": [size // 3 for size in sizes] if smaller else sizes}


def derive(medians):
    """What checkpoints cost, in percent of the rate without."""
    for plain in ("flott", "flink-thread"):
        with_checkpoints = medians.get(f"{plain}-checkpoints")
        if with_checkpoints and plain in medians:
            rate = with_checkpoints["records_per_s"]
            with_checkpoints["cost_percent"] = 100 * (1 - rate / medians[plain]["records_per_s"])


def run(engine, options):
    """One measurement; see the module's text."""
    from pyflink.common import WatermarkStrategy
    from pyflink.datastream.connectors.number_seq import NumberSequenceSource

    folder = tempfile.TemporaryDirectory()

    def job(records):
        env = pyflink_environment(engine, options)
        if engine.startswith("flink"):  # its functions run in an interpreter of their own
            for module in (measure, python_chain):
                env.add_python_file(module.__file__)
        if engine.endswith("-checkpoints"):
            env.enable_checkpointing(1000)
            env.get_checkpoint_config().set_checkpoint_storage_dir(f"file://{folder.name}")
        env.from_source(
            NumberSequenceSource(1, records), WatermarkStrategy.no_watermarks(), "sequence"
        ).map(pair).key_by(key).reduce(add).filter(negative).print()
        env.execute()

    with folder:
        return rate_of(job, options["sizes"])


if __name__ == "__main__":
    child_main(run)
