"""How long a task stands still for a checkpoint with a million keys in heap state.

Three jobs of ours: 20,000 of the million Python values are touched between two checkpoints; 200,000
of them; all of a million values of a native type. Each fills its state, then updates the same
values over and over while one checkpoint after the other is asked for; the pause is what the engine
reports of it. Apache Flink cannot be asked: its checkpoints are as far apart as it needs to touch
as many (up to 83 s, so there are fewer of the larger numbers), and it reports whole milliseconds.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from measure import Goal, child_main, pyflink_environment

TITLE = "pause at the barrier, 1 M keys in heap state"
GOALS = {"pause_p99_ms": Goal(at_most=50)}
GOALS_OF_VARIANTS = {"flott-all-native": GOALS}
ENGINES = (
    "flott",
    "flott-200k-touched",
    "flott-all-native",
    "flink-thread",
    "flink-thread-200k-touched",
    "flink-thread-all-native",
)
COUNTERPARTS = {
    "flink-thread-200k-touched": "flott-200k-touched",
    "flink-thread-all-native": "flott-all-native",
}
ONCE = True
KEYS = 1_000_000
FLINK_VALUES_PER_MS = 12  # less than it touches
FLINK_PORT = 18471  # of its REST interface


def prepare(bench, engine):
    """How many checkpoints, and how much is touched between two."""
    touched = 20_000
    if engine.endswith("200k-touched"):
        touched = 200_000
    elif engine.endswith("all-native"):
        touched = KEYS
    few = engine.startswith("flink") and touched > 20_000
    return {"checkpoints": 5 if few else 20 if bench.quick else 100, "touched": touched}


def run(engine, options):
    """One measurement; see the module's text."""
    with tempfile.TemporaryDirectory() as folder:
        env = pyflink_environment(engine, options)
        env.get_checkpoint_config().set_checkpoint_storage_dir(f"file://{folder}")
        if engine.startswith("flink"):
            pauses = pauses_of_flink(env, engine.endswith("native"), **options)
        else:
            pauses = pauses_of_ours(env, engine.endswith("native"), **options)
    first, *others = pauses
    others.sort()
    return {
        "pause_p99_ms": others[math.ceil(0.99 * len(others)) - 1],
        "pause_p50_ms": others[len(others) // 2],
        "pause_max_ms": others[-1],
        "first_ms": first,
        "touched": options["touched"],
    }


def start(env, native, touched, count=None):
    """The job: a value for each of KEYS keys, then for the first `touched` of them in turn."""
    from pyflink.common import Types, WatermarkStrategy
    from pyflink.datastream import KeyedProcessFunction
    from pyflink.datastream.connectors.number_seq import NumberSequenceSource
    from pyflink.datastream.state import ValueStateDescriptor

    class Touch(KeyedProcessFunction):
        def open(self, runtime_context):
            kind = Types.LONG() if native else Types.PICKLED_BYTE_ARRAY()
            self.state = runtime_context.get_state(ValueStateDescriptor("value", kind))

        def process_element(self, value, ctx):
            self.state.update(value if native else [value, "a value of Python", {"n": value}])
            if count is not None:
                count()
            return ()

    numbers = env.from_source(
        NumberSequenceSource(0, 2**60), WatermarkStrategy.no_watermarks(), "sequence"
    )
    keyed = numbers.key_by(lambda v: v if v < KEYS else v % touched, key_type=Types.LONG())
    keyed.process(Touch(), Types.LONG()).name("touch").print()
    return env.execute_async()


def pauses_of_ours(env, native, checkpoints, touched):
    """Milliseconds at each barrier with all keys in the state."""
    seen = 0

    def count():
        nonlocal seen
        seen += 1

    env.enable_checkpointing(3_600_000)
    client = start(env, native, touched, count)
    pauses = []
    target = KEYS
    for _ in range(checkpoints + 1):
        while seen < target:
            time.sleep(0.01)
        client._job.trigger_checkpoint()
        pauses.append(client._job.checkpoints()[-1]["sync_duration_ms"])
        target = seen + touched
    client.cancel().result()
    return pauses


def pauses_of_flink(env, native, checkpoints, touched):
    """Milliseconds at each barrier with all keys in the state."""
    from pyflink.common import Configuration

    def asked(path):
        with urllib.request.urlopen(f"http://127.0.0.1:{FLINK_PORT}{path}") as answer:
            return json.load(answer)

    settings = Configuration()
    for key in ("rest.port", "rest.bind-port"):
        settings.set_string(key, str(FLINK_PORT))
    settings.set_string("rest.bind-address", "127.0.0.1")
    settings.set_string("web.checkpoints.history", str(checkpoints + 100))
    settings.set_string("metrics.fetcher.update-interval", "500")
    env.configure(settings)
    env.enable_checkpointing(touched // FLINK_VALUES_PER_MS)
    client = start(env, native, touched)
    job = f"/jobs/{client.get_job_id()}"

    def seen_by(vertex):
        metric = "numRecordsIn"
        answer = asked(f"{job}/vertices/{vertex}/subtasks/metrics?get={metric}&agg=sum")
        return answer[0]["sum"] if answer else 0

    vertex = None
    while vertex is None or seen_by(vertex) < KEYS:
        time.sleep(1)
        named = [v["id"] for v in asked(job)["vertices"] if "touch" in v["name"]]
        vertex = named[0] if named else None
    last = asked(f"{job}/checkpoints")["latest"]["completed"]
    full_at = last["id"] if last else 0
    while True:
        time.sleep(1)
        done = [
            c["id"]
            for c in asked(f"{job}/checkpoints")["history"]
            if c["status"] == "COMPLETED" and c["id"] > full_at + 1
        ]
        if len(done) > checkpoints:
            break
    pauses = []
    for checkpoint in sorted(done):
        details = asked(f"{job}/checkpoints/details/{checkpoint}/subtasks/{vertex}")
        pauses.append(details["subtasks"][0]["checkpoint"]["sync"])
    client.cancel().result()
    return pauses


if __name__ == "__main__":
    child_main(run)
