"""Measures Flott and its peers side by side, in one run on one machine; prints medians and ratios.

    python bench/run.py [--quick] [--only NAME] [--peers flink,bytewax] [--flight-apps PATH]
                        [--soak-minutes 20] [--note TEXT] [--no-record]

The interpreter that runs this is Flott's (or `--python`); the peers' venvs come from
`bench/setup_peers.sh` (folder `$FLOTT_PEERS`). A peer or a server that is missing is skipped with a
line that says so. One warm-up, then the median of five runs (`--quick`: no warm-up, the median of
two). Everything is appended to `bench/RESULTS.md`, whatever it says.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import os
import platform
import random
import resource  # noqa: F401  (says at once that this system has no rusage)
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
RESULTS = BENCH / "RESULTS.md"
WORKLOADS = (
    "hello",
    "flight_tests",
    "python_chain",
    "operations",
    "kafka_json_window",
    "kafka_native_sum",
    "kafka_native_rolling",
    "kafka_latency",
    "elasticsearch_sink",
    "checkpoint_throughput",
    "heap_snapshot",
    "kafka_exactly_once",
    "rocksdb_state",
    "rocksdb_large",
    "soak",
)
sys.path[:0] = [str(BENCH), str(BENCH / "workloads"), str(ROOT / "tests" / "services")]


class Unavailable(Exception):
    """Something this measurement needs is not on this machine."""


def is_ours(engine: str) -> bool:
    """True for Flott (also `flott-<variant>`) and for what a workload compares it with by hand."""
    return engine.partition("-")[0] in ("flott", "python", "none", "raw")


class Bench:
    """What workloads ask the parent for: interpreters, servers, topics."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.quick: bool = options.quick
        self.soak_minutes: float = options.soak_minutes
        self.flight_apps: Path | None = options.flight_apps
        self.peers_folder = Path(
            os.environ.get("FLOTT_PEERS") or Path.home() / ".cache" / "flott-peers"
        )
        self._python = options.python
        self._servers: dict[str, Any] = {}
        self._topics: dict[int, str] = {}

    def interpreter(self, engine: str) -> str:
        """The Python that runs this engine."""
        if is_ours(engine):
            return self._python
        venv = engine.partition("-")[0]  # also of `flink-thread` and of a variant
        python = self.peers_folder / venv / "bin" / "python"
        if not python.exists():
            raise Unavailable(f"{python} is missing; bench/setup_peers.sh makes it")
        return str(python)

    def client_python(self) -> str:
        """A Python with confluent-kafka for our own small clients."""
        for python in (self._python, str(self.peers_folder / "bytewax" / "bin" / "python")):
            if Path(python).exists():
                found = subprocess.run(
                    [python, "-c", "import confluent_kafka"], capture_output=True, check=False
                )
                if found.returncode == 0:
                    return python
        raise Unavailable("no interpreter has confluent-kafka; bench/setup_peers.sh installs it")

    def jars(self) -> list[str]:
        """Connector jars for the real engine."""
        return [str(jar) for jar in (self.peers_folder / "jars").glob("*.jar")]

    def _server(self, name: str) -> Any:
        if name not in self._servers:
            try:
                import servers

                kind = {"kafka": servers.KafkaServer, "elasticsearch": servers.ElasticsearchServer}[
                    name
                ]
                arguments: dict[str, Any] = {"jvm_options": (), "heap_mb": 1024}
                if name == "kafka":
                    arguments["partitions"] = 4
                server = kind(**arguments)
                server.start()
            except Exception as error:
                raise Unavailable(f"{name} does not start: {error}") from error
            self._servers[name] = server
        return self._servers[name]

    def kafka(self) -> str:
        """Bootstrap servers of a real broker, started at first use."""
        return os.environ.get("FLOTT_BENCH_KAFKA") or self._server("kafka").bootstrap_servers

    def elasticsearch(self) -> str:
        """URL of a real Elasticsearch, started at first use."""
        return os.environ.get("FLOTT_BENCH_ELASTICSEARCH") or self._server("elasticsearch").url

    def server_pid(self, name: str) -> int | None:
        """The process of a server started here: its processor time is worth knowing."""
        return self._servers[name].pid if name in self._servers else None

    def new_name(self, prefix: str) -> str:
        """A name not used before."""
        return f"{prefix}-{random.randrange(16**8):08x}"

    def _fill(self, topic: str, count: int) -> str:
        filler = [self.client_python(), str(BENCH / "clients" / "fill_topic.py")]
        subprocess.run([*filler, self.kafka(), topic, str(count)], check=True)
        return topic

    def new_topic(self, prefix: str) -> str:
        """An empty topic with four partitions."""
        return self._fill(self.new_name(prefix), 0)

    def json_topic(self, count: int) -> str:
        """A topic with `count` JSON messages; made once."""
        if count not in self._topics:
            self._topics[count] = self._fill(self.new_name(f"json-{count}"), count)
        return self._topics[count]

    def close(self) -> None:
        """Ends the servers."""
        for server in self._servers.values():
            server.close()


def reported(text: str) -> dict[str, float]:
    """The values a run printed: its last line of JSON (a JVM that ends may print behind it)."""
    for line in reversed(text.splitlines()):
        if line.startswith("{"):
            values: dict[str, float] = json.loads(line)
            return values
    raise RuntimeError(f"no values in the output:\n{text[-2000:]}")


def run_once(bench: Bench, workload: Any, engine: str) -> dict[str, float]:
    """One run in a process of its own: its values, its wall time and its largest resident size."""
    python = bench.interpreter(engine)
    if hasattr(workload, "command"):
        command, reports = workload.command(bench, engine), False
    else:
        options = workload.prepare(bench, engine)
        command, reports = [python, workload.__file__, engine, json.dumps(options)], True
    if getattr(workload, "ONE_CORE", False):
        command = ["taskset", "-c", str(max(os.sched_getaffinity(0))), *command]
    environment = dict(os.environ, PYTHONHASHSEED="0")
    if engine.startswith("flink") or engine in ("bytewax", "quix"):
        environment.pop("PYTHONPATH", None)
        environment["PATH"] = f"{Path(python).parent}{os.pathsep}{environment['PATH']}"
    folder = workload.folder(bench) if hasattr(workload, "folder") else None
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=err, env=environment, cwd=folder)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        text, errors = out.read().decode(errors="replace"), err.read().decode(errors="replace")
    if process.returncode != 0:
        tail = "\n".join((errors or text).splitlines()[-12:])
        raise RuntimeError(f"{engine} failed (exit code {process.returncode}):\n{tail}")
    values = reported(text) if reports else {}
    return {**values, "wall_s": wall, "rss_mb": usage.ru_maxrss / 1024}


def medians_of(found: list[dict[str, float]]) -> dict[str, float]:
    """The median of each value."""
    return {name: statistics.median(values[name] for values in found) for name in found[0]}


def measure_interleaved(bench: Bench, workload: Any) -> dict[str, dict[str, float]]:
    """Medians of all engines, which take turns: a server that warms up or a machine that is
    disturbed meets each of them alike, and `derive` compares within one turn. Each turn begins with
    another engine."""
    warm_ups, runs = 1, 2 if bench.quick else 5
    engines = list(workload.ENGINES)
    rounds = []
    for turn in range(warm_ups + runs):
        first = turn % len(engines)
        values = {
            engine: run_once(bench, workload, engine)
            for engine in engines[first:] + engines[:first]
        }
        workload.derive(values)
        print(f"  turn {turn}: {values}", file=sys.stderr, flush=True)
        rounds.append(values)
    return {
        engine: medians_of([values[engine] for values in rounds[warm_ups:]]) for engine in engines
    }


def measure(bench: Bench, workload: Any, engine: str) -> dict[str, float]:
    """Medians of the runs of one engine."""
    once = getattr(workload, "ONCE", False)
    warm_ups, runs = (0, 1) if once else (0, 2) if bench.quick else (1, 5)
    if engine.startswith("flink") or engine == "quix":
        warm_ups, runs = 0, min(runs, 3)  # they need most of an hour otherwise; said in the results
    for _ in range(warm_ups):
        run_once(bench, workload, engine)
    return medians_of([run_once(bench, workload, engine) for _ in range(runs)])


def machine() -> str:
    """What the numbers were made on."""
    model = "unknown processor"
    with Path("/proc/cpuinfo").open(encoding="utf-8") as cpuinfo:
        for line in cpuinfo:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = f"{platform.system()} {platform.release()}"
    return f"{len(os.sched_getaffinity(0))} cores ({model}), {memory:.0f} GiB, {system}"


def versions(bench: Bench, engines: set[str]) -> str:
    """Versions of the engines that were measured."""
    packages = {"flink": "apache-flink", "bytewax": "bytewax", "quix": "quixstreams"}
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    found = {f"flott {commit}", f"Python {platform.python_version()}"}
    for engine in {engine.partition("-")[0] for engine in engines} & set(packages):
        code = f"import importlib.metadata as m; print(m.version('{packages[engine]}'))"
        version = subprocess.run(
            [bench.interpreter(engine), "-c", code], capture_output=True, text=True, check=False
        ).stdout.strip()
        found.add(f"{packages[engine]} {version}")
    return ", ".join(sorted(found))


def shown(value: float) -> str:
    """A number as people read it."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def table(workload: Any, medians: dict[str, dict[str, float]]) -> list[str]:
    """The rows of one workload: per engine the promised metrics, and how ours compare."""
    rows = []
    for engine, values in medians.items():
        cells = []
        counterpart = getattr(workload, "COUNTERPARTS", {}).get(engine, "flott")
        ours = medians.get(counterpart, {})
        goals = getattr(workload, "GOALS_OF_VARIANTS", {}).get(engine, {})
        for metric, goal in {**workload.GOALS, **goals}.items():
            if metric not in values:
                continue
            cell = f"{metric} {shown(values[metric])}"
            if engine == "flott" or metric in goals:
                ratio = goal.ratio(values[metric])
                cell += f" (goal {goal}: {'met' if ratio >= 1 else 'MISSED'}, {ratio:.2f}x)"
            elif not engine.startswith("flott-") and values[metric] and ours.get(metric):
                better = ours[metric] / values[metric]
                better = better if goal.at_least is not None else 1 / better
                cell += f" ({counterpart} {better:.2f}x better)"
            cells.append(cell)
        rest = [
            f"{name} {shown(value)}" for name, value in values.items() if name not in workload.GOALS
        ]
        rows.append(f"| {engine} | {'; '.join(cells)} | {', '.join(rest)} |")
    return rows


def main() -> int:
    """See the module's text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer and smaller runs")
    parser.add_argument("--only", action="append", help="workloads whose name contains this")
    parser.add_argument("--peers", default="all", help="comma-separated; `none` for ours alone")
    parser.add_argument("--python", default=sys.executable, help="interpreter that has Flott")
    parser.add_argument(
        "--flight-apps", type=Path, help="building-pyflink-apps/src of the flight apps"
    )
    parser.add_argument(
        "--soak-minutes", type=float, default=0, help="run the memory soak this long"
    )
    parser.add_argument("--note", default="", help="a line for the results")
    parser.add_argument("--no-record", action="store_true", help="do not append to RESULTS.md")
    options = parser.parse_args()
    bench = Bench(options)
    lines: list[str] = []
    measured: set[str] = set()
    missed = 0

    def say(line: str) -> None:
        print(line, flush=True)
        lines.append(line)

    try:
        for name in WORKLOADS:
            if options.only and not any(part in name for part in options.only):
                continue
            workload = importlib.import_module(name)
            reason = workload.unavailable(bench) if hasattr(workload, "unavailable") else None
            if reason:
                say(f"\n### {name}: skipped, {reason}")
                continue
            say(f"\n### {name}: {workload.TITLE}\n")
            medians: dict[str, dict[str, float]] = {}
            remarks = []
            interleaved = getattr(workload, "INTERLEAVED", False)
            if interleaved:
                try:
                    medians = measure_interleaved(bench, workload)
                    measured.update(medians)
                except Unavailable as error:
                    remarks.append(f"skipped: {error}")
                except Exception as error:
                    remarks.append(f"failed: {error}")
            for engine in () if interleaved else workload.ENGINES:
                family = engine.partition("-")[0]
                if (
                    not is_ours(engine)
                    and options.peers != "all"
                    and family not in options.peers.split(",")
                ):
                    continue
                try:
                    medians[engine] = measure(bench, workload, engine)
                    measured.add(engine)
                except Unavailable as error:
                    remarks.append(f"{engine} skipped: {error}")
                except Exception as error:
                    remarks.append(f"{engine} failed: {error}")
                print(
                    f"  {engine}: {medians.get(engine, 'no result')}", file=sys.stderr, flush=True
                )
            if hasattr(workload, "derive") and not interleaved:
                workload.derive(medians)
            own_table = getattr(workload, "report", None)
            if medians and own_table is None:
                say("| engine | promised | also |\n| --- | --- | --- |")
            for row in own_table(medians) if own_table else table(workload, medians):
                missed += "MISSED" in row
                say(row)
            for remark in remarks:
                say("\n" + remark)
    finally:
        bench.close()
    head = (
        f"\n## {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC"
        f"{', quick' if options.quick else ''}\n\n{machine()}\n{versions(bench, measured)}"
        f"{chr(10) + options.note if options.note else ''}"
    )
    print(head)
    if not options.no_record:
        with RESULTS.open("a", encoding="utf-8") as results:
            results.write("\n".join([head, *lines]) + "\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
