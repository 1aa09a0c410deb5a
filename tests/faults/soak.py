"""`make soak`: run after run with new seeds until the engine was killed often enough.

    python tests/faults/soak.py [--kills 1000] [--seed S] [--runs N] [--shape map] [--sink kafka]

Run n has the seed S + n; `--runs 1` carries out one seed again. A run that fails is printed with
its plan and keeps its folder; the others go on. Exit code 1 if any failed.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))

from tests.faults.driver import BROKER, Failure, Run, Servers  # noqa: E402
from tests.faults.plan import BACKENDS, KINDS, SINKS, WITHIN_RUN, Choices, make_plan  # noqa: E402
from tests.faults.shapes import SHAPES  # noqa: E402
from tests.services.servers import ElasticsearchServer, KafkaServer  # noqa: E402

KILLS_A_RUN = 6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=1000, help="how many at least")
    parser.add_argument("--seed", type=int, help="of the first run (default: drawn)")
    parser.add_argument("--runs", type=int, help="how many at most")
    parser.add_argument("--shape", action="append", choices=list(SHAPES), help="only these")
    parser.add_argument("--sink", action="append", help="only these, such as kafka-once")
    parser.add_argument("--backend", action="append", help="only these, such as rocksdb")
    parser.add_argument("--kind", action="append", help="only these, such as zombie")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "soak")
    options = parser.parse_args()
    if options.runs is None and set(options.kind or KINDS) <= {"pause", "zombie"}:
        parser.error("nothing may be killed that way: say how many --runs")
    first = options.seed if options.seed is not None else random.SystemRandom().randrange(10**9)
    choices = Choices(
        shapes=tuple(options.shape or SHAPES),
        backends=tuple(options.backend or BACKENDS),
        sinks=tuple((sink,) for sink in options.sink) if options.sink else (*SINKS, ("search",)),
        kinds=tuple(options.kind) if options.kind else KINDS * 4 + WITHIN_RUN,
        kills=KILLS_A_RUN,
    )
    print(f"soak: seed {first}, {choices}", flush=True)
    return soak(first, options.kills, options.runs, choices, options.folder)


def soak(first: int, kills: int, runs: int | None, choices: Choices, folder: Path) -> int:
    begun = time.monotonic()
    done: Counter[str] = Counter()
    by_shape: Counter[str] = Counter()
    by_end: Counter[str] = Counter()
    failed: list[int] = []
    with contextlib.ExitStack() as stack:
        kafka = KafkaServer(properties=BROKER)
        stack.enter_context(kafka)
        search = None
        if any("search" in sinks for sinks in choices.sinks):
            search = ElasticsearchServer()
            stack.enter_context(search)
        servers = Servers(kafka.bootstrap_servers, search)
        seed = first
        while done["kills"] < kills and (runs is None or seed < first + runs):
            plan = make_plan(seed, choices)
            try:
                outcome = Run(plan, servers, folder / f"{plan.shape}-{seed}").carry_out()
            except Failure as failure:
                failed.append(seed)
                print(f"FAILED: {failure}", flush=True)
            else:
                done.update(kills=outcome.kills, results=outcome.results, repeated=outcome.repeated)
                by_shape[plan.shape] += outcome.kills
                by_end.update(kill.point or kill.kind for kill in outcome.killed)
                print(
                    f"seed {seed}: {plan.shape} into {'+'.join(plan.sinks)} ({plan.backend}): "
                    f"{outcome.kills} kills, {outcome.results} results, {outcome.repeated} "
                    f"repeated, {outcome.seconds:.1f} s; {done['kills']} of {kills} kills",
                    flush=True,
                )
            seed += 1
    print(f"kills by shape: {listed(by_shape)}")
    print(f"kills by the kind or point that was asked for: {listed(by_end)}")
    print(
        f"soak: {done['kills']} kills in {seed - first} runs from seed {first}, "
        f"{done['results']} results, {done['repeated']} repeated where the sink may, "
        f"{len(failed)} failed, {time.monotonic() - begun:.0f} s"
    )
    if failed:
        print(f"failed seeds: {' '.join(str(seed) for seed in failed)}")
    return 1 if failed else 0


def listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {n}" for name, n in sorted(counts.items()))


if __name__ == "__main__":
    sys.exit(main())
