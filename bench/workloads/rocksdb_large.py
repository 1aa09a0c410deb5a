"""Checkpoints of 5 GB of RocksDB state after a change of 1 %, and the recovery of it.

Five million keys with a thousand bytes of text each, written by a Python function. Then five times
1 % of the keys get another text, and an incremental checkpoint of it is taken: what is reported is
how long the task stood still and the files were written, without the time that the barrier needed
to come (the median, and the longest). Last the function raises; the recovery is what passes from
there until the job, restored from its checkpoint, processes a record again. State has a budget of
1 GB in each engine. Apache Flink gets a fifth of the keys, as it needs minutes to fill them;
`flott-fifth` gets as many.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from measure import Goal, child_main, pyflink_environment

TITLE = "5 GB of RocksDB state: checkpoint after a change of 1 %, recovery"
GOALS = {"checkpoint_s": Goal(at_most=2), "recovery_s": Goal(at_most=10)}
ENGINES = ("flott", "flott-fifth", "flink-thread")
COUNTERPARTS = {"flink-thread": "flott-fifth"}
ONCE = True
MEMORY = "1 gb"
ROUNDS = 5
INTERVAL_MS = 5000
FLINK_PORT = 18472  # of its REST interface
LOOK_AFTER = 1000  # records between two looks at what is asked for


def prepare(bench, engine):
    """How many keys of a thousand bytes."""
    if bench.quick:
        return {"keys": 500_000}
    return {"keys": 5_000_000 if engine == "flott" else 1_000_000}


def run(engine, options):
    """One measurement; see the module's text."""
    from pyflink.common import Configuration
    from pyflink.datastream import EmbeddedRocksDBStateBackend

    flink = engine.startswith("flink")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        env = pyflink_environment(engine, options)
        settings = Configuration()
        settings.set_string("state.backend.rocksdb.memory.fixed-per-slot", MEMORY)
        settings.set_string("restart-strategy.type", "fixed-delay")
        settings.set_string("restart-strategy.fixed-delay.attempts", "1")
        settings.set_string("restart-strategy.fixed-delay.delay", "0 s")
        settings.set_string("execution.checkpointing.interval", f"{INTERVAL_MS} ms")
        settings.set_string("execution.checkpointing.timeout", "10 min")
        if flink:
            for key in ("rest.port", "rest.bind-port"):
                settings.set_string(key, str(FLINK_PORT))
            settings.set_string("rest.bind-address", "127.0.0.1")
        env.configure(settings)
        env.set_state_backend(EmbeddedRocksDBStateBackend(True))
        env.get_checkpoint_config().set_checkpoint_storage_dir(f"file://{folder}/checkpoints")
        begin = time.perf_counter()
        client = start(env, options["keys"], str(folder))
        checkpoints = checkpoints_of_flink(client) if flink else checkpoints_of_ours(client)
        wait_for(folder / "filled")
        filled_s = time.perf_counter() - begin
        full = next_after(checkpoints, checkpoints())
        changed = []
        for number in range(1, ROUNDS + 1):
            (folder / f"touch-{number}").touch()
            wait_for(folder / f"touched-{number}")
            changed.append(next_after(checkpoints, checkpoints()))
        (folder / "fail").touch()
        wait_for(folder / "recovered")
        recovery = float((folder / "recovered").read_text()) - float(
            (folder / "failed").read_text()
        )
        client.cancel().result()
    return {
        "checkpoint_s": statistics.median(entry["seconds"] for entry in changed),
        "checkpoint_max_s": max(entry["seconds"] for entry in changed),
        "recovery_s": recovery,
        "new_mb": max(entry["bytes"] for entry in changed) / 1e6,
        "full_mb": full["full_bytes"] / 1e6,
        "fill_s": filled_s,
    }


def start(env, keys, folder):
    """The job: fills the state, then does what files in the folder ask for."""
    from pyflink.common import Types, WatermarkStrategy
    from pyflink.datastream import KeyedProcessFunction
    from pyflink.datastream.connectors.number_seq import NumberSequenceSource
    from pyflink.datastream.state import ValueStateDescriptor

    class Texts(KeyedProcessFunction):
        def open(self, runtime_context):
            self.text = runtime_context.get_state(ValueStateDescriptor("text", Types.STRING()))
            self.folder = Path(folder)
            self.round = 0
            self.left = 0
            self.resumed = (self.folder / "failed").exists()

        def process_element(self, value, ctx):
            from os import urandom

            if value < keys:
                self.text.update(urandom(500).hex())
                return ()
            if self.left:
                self.text.update(urandom(500).hex())
                self.left -= 1
                if not self.left:
                    (self.folder / f"touched-{self.round}").touch()
            elif value % LOOK_AFTER == 0:
                self.look()
            return ()

        def look(self):
            time.sleep(0.001)
            (self.folder / "filled").touch()
            if self.resumed:
                (self.folder / "recovering").write_text(str(time.time()))
                (self.folder / "recovering").rename(self.folder / "recovered")
                self.resumed = False
            elif (self.folder / f"touch-{self.round + 1}").exists():
                self.round += 1
                self.left = keys // 100
            elif (self.folder / "fail").exists() and not (self.folder / "failed").exists():
                (self.folder / "failed").write_text(str(time.time()))
                raise RuntimeError("the failure that was asked for")

    def scattered(value):
        return value if value < keys else value * 2_654_435_761 % keys

    numbers = env.from_source(
        NumberSequenceSource(0, 2**60), WatermarkStrategy.no_watermarks(), "sequence"
    )
    numbers.key_by(scattered, Types.LONG()).process(Texts(), Types.LONG()).name("texts").print()
    return env.execute_async()


def wait_for(path):
    """Until the job has made the file."""
    while not path.exists():
        time.sleep(0.05)


def next_after(checkpoints, before):
    """The second checkpoint completed from now on: the first may have begun earlier."""
    while True:
        now = checkpoints()
        if len(now) >= len(before) + 2:
            # What was changed is in either of them.
            return max(now[len(before) : len(before) + 2], key=lambda entry: entry["bytes"])
        time.sleep(0.2)


def checkpoints_of_ours(client):
    """A function that gives all that are complete, in order."""

    def completed():
        return [
            {
                "seconds": (entry["sync_duration_ms"] + entry["write_duration_ms"]) / 1000,
                "bytes": entry["size_bytes"],
                "full_bytes": entry["full_size_bytes"],
            }
            for entry in client._job.checkpoints()
        ]

    return completed


def checkpoints_of_flink(client):
    """Likewise, from its REST interface."""
    seen = {}

    def asked(path):
        with urllib.request.urlopen(f"http://127.0.0.1:{FLINK_PORT}{path}") as answer:
            return json.load(answer)

    job = f"/jobs/{client.get_job_id()}"

    def completed():
        vertices = [v["id"] for v in asked(job)["vertices"] if "texts" in v["name"]]
        for entry in asked(f"{job}/checkpoints")["history"]:
            if entry["status"] != "COMPLETED" or entry["id"] in seen:
                continue
            of_tasks = asked(f"{job}/checkpoints/details/{entry['id']}/subtasks/{vertices[0]}")
            times = of_tasks["subtasks"][0]["checkpoint"]
            seen[entry["id"]] = {
                "seconds": (times["sync"] + times["async"]) / 1000,
                "bytes": entry["checkpointed_size"],
                "full_bytes": entry["state_size"],
            }
        return [seen[number] for number in sorted(seen)]

    return completed


if __name__ == "__main__":
    child_main(run)
