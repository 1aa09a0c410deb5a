"""Resident memory over a long run at full rate.

The job: sequence -> map -> key -> 1 s event-time window -> reduce.
Keys and windows change all the time, so state, timers and Python objects are made and dropped. The
growth is taken between the median of the second tenth of the run and that of the last.
Runs only with `--soak-minutes N` (the promise: 20).
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from measure import Goal, child_main, pyflink_environment

TITLE = "resident memory over a long run at full rate"
GOALS = {"growth_percent": Goal(at_most=2)}
ENGINES = ("flott",)
ONCE = True


def unavailable(bench):
    """Why this cannot be measured now, or None."""
    return None if bench.soak_minutes else "only with --soak-minutes"


def prepare(bench, engine):
    """How long."""
    return {"seconds": bench.soak_minutes * 60}


def resident_mb():
    with Path("/proc/self/status").open(encoding="ascii") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    raise RuntimeError("no VmRSS")


def run(engine, options):
    """One measurement; see the module's text."""
    from pyflink.common import Duration, Time, WatermarkStrategy
    from pyflink.common.watermark_strategy import TimestampAssigner
    from pyflink.datastream.connectors.number_seq import NumberSequenceSource
    from pyflink.datastream.window import TumblingEventTimeWindows

    class EventTime(TimestampAssigner):
        def extract_timestamp(self, value, record_timestamp):
            return value // 50

    env = pyflink_environment(engine, options)
    strategy = WatermarkStrategy.for_bounded_out_of_orderness(
        Duration.of_seconds(2)
    ).with_timestamp_assigner(EventTime())
    env.from_source(NumberSequenceSource(1, 2**60), strategy, "sequence").map(
        lambda i: (f"user_{i * 7919 % 20_011}", [i], 1)
    ).key_by(lambda v: v[0]).window(TumblingEventTimeWindows.of(Time.seconds(1))).reduce(
        lambda a, b: (a[0], b[1], a[2] + b[2])
    ).filter(lambda v: v[2] < 0).print()
    client = env.execute_async()
    begin = time.monotonic()
    samples = []
    while time.monotonic() - begin < options["seconds"]:
        time.sleep(min(5.0, options["seconds"] / 60))
        samples.append(resident_mb())
        status = str(client.get_job_status().result())
        if "RUNNING" not in status:
            raise RuntimeError(f"the job is {status}")
    client.cancel()

    def median(values):
        return sorted(values)[len(values) // 2]

    tenth = max(1, len(samples) // 10)
    first, last = median(samples[tenth : 2 * tenth]), median(samples[-tenth:])
    return {
        "growth_percent": (last - first) / first * 100,
        "first_mb": first,
        "last_mb": last,
        "max_mb": max(samples),
        "minutes": options["seconds"] / 60,
    }


if __name__ == "__main__":
    child_main(run)
