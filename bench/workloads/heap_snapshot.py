"""How long a task stands still for a checkpoint with a million keys in heap state.

Three jobs of ours: 20,000 of the million Python values are touched between two checkpoints; 200,000
of them; all of a million values of a native type. Each fills its state and is then asked for one
checkpoint after the other; the pause is what the engine reports of it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from measure import Goal, child_main, pyflink_environment

TITLE = "pause at the barrier, 1 M keys in heap state"
GOALS = {"pause_p99_ms": Goal(at_most=50)}
ENGINES = ("flott", "flott-200k-touched", "flott-all-native")
ONCE = True
KEYS = 1_000_000


def prepare(bench, engine):
    """How many checkpoints, and how much is touched between two."""
    touched = {"flott": 20_000, "flott-200k-touched": 200_000, "flott-all-native": KEYS}[engine]
    return {"checkpoints": 20 if bench.quick else 100, "touched": touched}


def run(engine, options):
    """One measurement; see the module's text."""
    from pyflink.common import Types, WatermarkStrategy
    from pyflink.datastream import KeyedProcessFunction
    from pyflink.datastream.connectors.number_seq import NumberSequenceSource
    from pyflink.datastream.state import ValueStateDescriptor

    native = engine.endswith("native")
    touched = options["touched"]
    progress = {"seen": 0, "target": KEYS}

    class Touch(KeyedProcessFunction):
        def open(self, runtime_context):
            kind = Types.LONG() if native else Types.PICKLED_BYTE_ARRAY()
            self.state = runtime_context.get_state(ValueStateDescriptor("value", kind))

        def process_element(self, value, ctx):
            self.state.update(value if native else [value, "a value of Python", {"n": value}])
            progress["seen"] += 1
            if progress["seen"] >= progress["target"]:
                time.sleep(0.001)
            return ()

    with tempfile.TemporaryDirectory() as folder:
        env = pyflink_environment(engine, options)
        env.enable_checkpointing(3_600_000)
        env.get_checkpoint_config().set_checkpoint_storage_dir(f"file://{folder}")
        numbers = env.from_source(
            NumberSequenceSource(0, 2**60), WatermarkStrategy.no_watermarks(), "sequence"
        )
        numbers.key_by(lambda v: v % KEYS, key_type=Types.LONG()).process(
            Touch(), Types.LONG()
        ).print()
        client = env.execute_async()
        pauses = []
        for _ in range(options["checkpoints"] + 1):
            while progress["seen"] < progress["target"]:
                time.sleep(0.01)
            client._job.trigger_checkpoint()
            pauses.append(client._job.checkpoints()[-1]["sync_duration_ms"])
            progress["target"] = progress["seen"] + touched
        client.cancel().result()
    first, *others = pauses
    others.sort()
    return {
        "pause_p99_ms": others[int(0.99 * (len(others) - 1))],
        "pause_p50_ms": others[len(others) // 2],
        "pause_max_ms": others[-1],
        "first_ms": first,
        "touched": touched,
    }


if __name__ == "__main__":
    child_main(run)
