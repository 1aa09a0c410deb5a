"""What one run does, all of it drawn from a seed: shape, sinks, and how each attempt ends.

Moments are counted in progress, never in time on the clock: the n-th record that an attempt reads,
the n-th time that the engine passes a fault point (cpp/base/fault_point.h).
"""

from __future__ import annotations

import random
from typing import NamedTuple

from tests.faults.shapes import SHAPES

POINTS = (
    "before-barrier",
    "after-prepare",
    "after-barrier",
    "during-snapshot-write",
    "between-manifest-and-commit",
    "during-restore",
)
POINTS_OF_TRANSACTIONS = ("during-commit", "between-commit-and-notify", "during-recovery")
BEFORE_PROGRESS = ("during-restore", "during-recovery")
"""Points that an attempt passes once, while it starts."""
FALLBACK = "before-barrier:60"
"""An attempt that never comes to its own point (nothing to restore, say) ends here."""
KINDS = ("record", "later", "point", "point", "point")
WITHIN_RUN = ("freeze", "pause", "zombie", "raise")
ONCE = ("kafka-once", "files")
"""Sinks whose readers see each result once; the others may write one again."""


class Kill(NamedTuple):
    """How an attempt ends.

    `record`: at the n-th record it reads, in the user's function. `later`: a little after that,
    wherever all its threads are. `point`: at the n-th passage of a fault point. `freeze`: stopped
    at the n-th record for longer than transactions may last, then let go on, then killed.
    `pause`: stopped at the n-th record, and let go on when its successor has made a checkpoint.
    `zombie`: never, its successor starts at the n-th record. `raise`: the user's function raises at
    the n-th record, the engine restarts the job within the process.
    """

    kind: str
    n: int
    point: str = ""
    delay_us: int = 0

    def __str__(self) -> str:
        at = f"{self.point}:{self.n}" if self.point else f"record {self.n}"
        return f"{self.kind} at {at}" + (f" + {self.delay_us} us" if self.delay_us else "")


class Attempt(NamedTuple):
    """One start of the job."""

    parallelism: int
    pace_us: int  # how long each record takes at least: spreads the records over checkpoints
    kill: Kill


class Plan(NamedTuple):
    """One run: attempts that are killed, then one that ends well."""

    seed: int
    shape: str
    backend: str
    sinks: tuple[str, ...]
    bounded: bool  # the input is there from the start and ends; else it comes attempt by attempt
    interval_ms: int
    chunk: int
    attempts: tuple[Attempt, ...]
    last_parallelism: int

    def __str__(self) -> str:
        lines = [
            f"seed {self.seed}: {self.shape}, {self.backend}, into {' and '.join(self.sinks)}, "
            f"{'bounded' if self.bounded else 'unbounded'}, {self.chunk} records an attempt, "
            f"checkpoints every {self.interval_ms} ms"
        ]
        for number, attempt in enumerate(self.attempts):
            lines.append(
                f"  attempt {number}: parallelism {attempt.parallelism}, {attempt.pace_us} us a "
                f"record, {attempt.kill}"
            )
        lines.append(f"  attempt {len(self.attempts)}: parallelism {self.last_parallelism}, to end")
        return "\n".join(lines)


BACKENDS = ("hashmap", "rocksdb")
SINKS = (
    ("kafka-once",),
    ("kafka-once",),
    ("kafka",),
    ("files",),
    ("kafka-once", "kafka"),
    ("kafka-once", "files"),
)


class Choices(NamedTuple):
    """What plans are drawn from."""

    shapes: tuple[str, ...] = tuple(SHAPES)
    backends: tuple[str, ...] = BACKENDS
    sinks: tuple[tuple[str, ...], ...] = SINKS
    kinds: tuple[str, ...] = KINDS
    kills: int = 4
    chunk: int = 400
    bounded: float = 0.25  # how often the input ends by itself


def make_plan(seed: int, choices: Choices) -> Plan:
    """The plan of a seed; the same choices give the same plan."""
    choose = random.Random(seed)
    shape = choose.choice(choices.shapes)
    sinks = choose.choice(choices.sinks)
    bounded = not SHAPES[shape].clock_timers and choose.random() < choices.bounded
    if bounded or "files" in sinks:
        # One that is still alive would come to the end of the input, or go on to finish files:
        # nobody fences those.
        kinds = tuple(kind for kind in choices.kinds if kind not in WITHIN_RUN) or ("record",)
        choices = choices._replace(kinds=kinds)
    rescale = choose.random() < 0.5
    parallelism = choose.randrange(1, 4)
    attempts = []
    for _ in range(choices.kills):
        # A bounded input must not be used up before the last kill.
        pace_us = choose.choice((300, 800) if bounded else (0, 100, 300, 800))
        kill = _make_kill(choose, choices, _points(sinks, attempts), 4 if bounded else 15)
        attempts.append(Attempt(parallelism, pace_us, kill))
        if rescale:
            parallelism = choose.randrange(1, 4)
    return Plan(
        seed,
        shape,
        choose.choice(choices.backends),
        sinks,
        bounded,
        choose.choice((10, 25, 50)),
        choices.chunk,
        tuple(attempts),
        parallelism,
    )


def _points(sinks: tuple[str, ...], before: list[Attempt]) -> tuple[str, ...]:
    points = POINTS + (POINTS_OF_TRANSACTIONS if set(sinks) & set(ONCE) else ())
    # The first attempt restores nothing.
    return points if before else tuple(point for point in points if point not in BEFORE_PROGRESS)


def _make_kill(
    choose: random.Random, choices: Choices, points: tuple[str, ...], passages: int
) -> Kill:
    kind = choose.choice(choices.kinds)
    if kind in WITHIN_RUN:
        # Early enough that the attempt is not waited for in vain when it goes on.
        return Kill(kind, choose.randrange(1, choices.chunk // 2))
    if kind == "point":
        point = choose.choice(points)
        return Kill(kind, 1 if point in BEFORE_PROGRESS else choose.randint(1, passages), point)
    delay_us = choose.choice((50, 500, 5_000, 20_000)) if kind == "later" else 0
    # What is fed to an attempt it reads at least: a later record might never come.
    return Kill(kind, choose.randrange(1, choices.chunk + 1), "", delay_us)
