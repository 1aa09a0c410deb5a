"""The four test files of the flight applications.

Runs only with `--flight-apps <checkout>/building-pyflink-apps/src`.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from measure import Goal

TITLE = "four test files of the flight apps, whole process"
GOALS = {"wall_s": Goal(at_most=1.5)}
ENGINES = ("flott", "flink")
FILES = [
    f"test_{name}.py"
    for name in ("s12_transformation", "s16_merge", "s18_aggregation", "s20_manage_state")
]


def unavailable(bench):
    """Why this cannot be measured here, or None."""
    if bench.flight_apps is None:
        return "no --flight-apps path given"
    missing = [name for name in FILES if not (bench.flight_apps / name).exists()]
    return f"{bench.flight_apps} lacks {', '.join(missing)}" if missing else None


def command(bench, engine):
    """Runs pytest in the applications' folder."""
    return [bench.interpreter(engine), "-m", "pytest", "-q", "-p", "no:cacheprovider", *FILES]


def folder(bench):
    """Where the command runs."""
    return bench.flight_apps
