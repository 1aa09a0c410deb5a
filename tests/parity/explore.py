"""Draws job graphs and compares Flott with one long-lived Apache Flink, on each of them.

    make explore COUNT=5000 SEED=1 FLINK=<python with apache-flink 1.20>
    python tests/parity/explore.py --flink <python> [--count N] [--seed N] [--graphs FILE...]

Many graphs run in one job of each engine. Graphs that differ are written to `--out`, made smaller,
and end the run with exit code 1; `--record NAME` adds graphs to `graphs/recorded.jsonl` with what
Flink answered. The helper class for watermarks on every record is compiled with javac (Java 17).
"""

from __future__ import annotations

import argparse
import collections
import copy
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent / "graphs"
RECORDED = FOLDER / "recorded.jsonl"
sys.path.insert(0, str(FOLDER))

Graph = dict[str, Any]
Answer = dict[str, Any]
"""`{"outputs": [[[first field, text], ...], ...]}` or `{"raises": text}`."""

GRAPHS_PER_JOB = {"thread": 40, "process": 10}
JOB_TIMEOUT_S = 240


class Engine:
    """A process that runs jobs of one engine; started again when it hangs."""

    def __init__(self, python: str, jars: list[str], is_flink: bool) -> None:
        self.python, self.jars, self.is_flink = python, jars, is_flink
        self.starts = 0
        self.log = (Path(tempfile.gettempdir()) / f"explore-{os.getpid()}-{is_flink}.log").open(
            "ab"
        )
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> subprocess.Popen[bytes]:
        environment = dict(os.environ, PYTHONHASHSEED="0")
        environment["PATH"] = f"{Path(self.python).parent}{os.pathsep}{environment['PATH']}"
        # Every job starts a small cluster: the optimizing compiler never earns what it costs.
        environment.setdefault("JVM_ARGS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xmx4g")
        paths = [str(FOLDER)]
        if not self.is_flink and environment.get("PYTHONPATH"):
            paths.append(environment["PYTHONPATH"])
        environment["PYTHONPATH"] = os.pathsep.join(paths)
        self.starts += 1
        return subprocess.Popen(
            [self.python, str(FOLDER / "graph_engine.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env=environment,
            start_new_session=True,
        )

    def kill(self) -> None:
        """Ends the process and what it has started."""
        if self.process is not None:
            os.killpg(self.process.pid, 9)
            self.process.wait()
            self.process = None

    def ask(self, jobs: list[tuple[int, Graph]]) -> dict[str, Any]:
        """Runs one job; `{"error": ...}` also when it takes too long."""
        if self.process is None:
            self.process = self.start()
        process = self.process
        assert process.stdin is not None
        assert process.stdout is not None
        request = {"jobs": jobs, "options": self.options(jobs), "jars": self.jars}
        try:
            process.stdin.write((json.dumps(request) + "\n").encode())
            process.stdin.flush()
            with selectors.DefaultSelector() as selector:
                selector.register(process.stdout, selectors.EVENT_READ)
                if not selector.select(JOB_TIMEOUT_S):
                    raise TimeoutError("no answer in time")
            line = process.stdout.readline()
            if not line:
                raise ConnectionError("the engine ended")
            answer: dict[str, Any] = json.loads(line)
        except (OSError, TimeoutError) as error:
            self.kill()
            answer = {"error": f"{type(error).__name__}: {error}"}
        return answer

    def options(self, jobs: list[tuple[int, Graph]]) -> dict[str, str]:
        if not self.is_flink:
            return {}
        options = {
            "python.execution-mode": jobs[0][1]["engine"],
            "taskmanager.memory.network.min": "512mb",
            "taskmanager.memory.network.max": "512mb",
            "rest.bind-port": "0",
        }
        exact = any(
            (node.get("watermarks") or {}).get("kind") == "per_record"
            for _, graph in jobs
            for node in graph["nodes"]
        )
        if exact:  # a bundle holds watermarks back until it ends
            options["python.fn-execution.bundle.size"] = "1"
        return options

    def answers(self, jobs: list[tuple[int, Graph]]) -> dict[int, Answer]:
        """Every graph's answer; a job that fails is run again in halves."""
        answer = self.ask(jobs)
        if "error" in answer and "pemja.PyJObject" in answer["error"]:
            self.kill()  # after some hundred graphs Java objects lose their methods in Python
            answer = self.ask(jobs)
        if self.is_flink and jobs[0][1]["engine"] == "process":
            self.kill()  # it keeps hundreds of spinning threads of each such job
        if "results" in answer:
            return {int(number): {"outputs": o} for number, o in answer["results"].items()}
        if len(jobs) == 1:
            return {jobs[0][0]: {"raises": answer["error"]}}
        half = len(jobs) // 2
        return {**self.answers(jobs[:half]), **self.answers(jobs[half:])}


def compile_watermarks(python: str, folder: Path) -> str:
    """The jar with PerRecordWatermarks, for Apache Flink under this interpreter."""
    where = "import pyflink, pathlib; print(pathlib.Path(pyflink.__file__).parent / 'lib')"
    bare = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    lib = subprocess.run(
        [python, "-c", where], check=True, capture_output=True, text=True, env=bare
    )
    classpath = str(Path(lib.stdout.strip()) / "*")
    source = FOLDER / "PerRecordWatermarks.java"
    classes, jar = folder / "classes", folder / "explore.jar"
    subprocess.run(
        ["javac", "--release", "11", "-cp", classpath, "-d", str(classes), str(source)], check=True
    )
    subprocess.run(["jar", "cf", str(jar), "-C", str(classes), "."], check=True)
    return jar.as_uri()


# Comparing


def comparable(graph: Graph, answer: Answer) -> Any:
    """What of an answer is defined."""
    if "raises" in answer:
        return "raises"
    outputs = []
    for output, records in zip(graph["outputs"], answer["outputs"], strict=True):
        if output["order"] == "total":
            outputs.append([text for _, text in records])
        elif output["order"] == "key":
            by_key = collections.defaultdict(list)
            for key, text in records:
                by_key[key].append(text)
            outputs.append(dict(sorted(by_key.items())))
        else:
            outputs.append(sorted(text for _, text in records))
    return outputs


def groups(jobs: list[tuple[int, Graph]]) -> Iterator[list[tuple[int, Graph]]]:
    """Jobs of one mode, one execution mode and one way of bundling, none too large."""
    found: dict[Any, list[tuple[int, Graph]]] = {}
    for number, graph in jobs:
        exact = any(
            (node.get("watermarks") or {}).get("kind") == "per_record" for node in graph["nodes"]
        )
        group = found.setdefault(
            (graph["mode"], graph["engine"], exact and graph["engine"] == "process"), []
        )
        group.append((number, graph))
        if len(group) >= GRAPHS_PER_JOB[graph["engine"]]:
            yield list(group)
            group.clear()
    yield from (group for group in found.values() if group)


class Difference:
    """A graph on which the engines differ."""

    def __init__(self, number: int, graph: Graph, flink: Answer, flott: Answer) -> None:
        self.number, self.graph, self.flink, self.flott = number, graph, flink, flott

    def text(self) -> str:
        data = {"number": self.number, "graph": self.graph}
        data["flink"], data["flott"] = self.flink, self.flott
        return json.dumps(data, ensure_ascii=False) + "\n"


class Comparison:
    """The graphs on which the engines differ, and how many there were."""

    def __init__(self) -> None:
        self.differences: list[Difference] = []
        self.done = self.raised = self.unsteady = 0


def compare(
    jobs: list[tuple[int, Graph]],
    flink: Engine,
    flott: Engine,
    progress: Callable[[Comparison], None] = lambda comparison: None,
) -> Comparison:
    """Compares; a difference counts when it is there a second time, in a job of its own.

    (Python functions of several threads disturb each other in PyFlink's thread mode: a timer's
    results then have the timestamp of another record, or an attribute is missing.)
    """
    made = Comparison()
    for group in groups(jobs):
        different = differing(group, flink, flott, made)
        again = [(one.number, one.graph) for one in different]
        confirmed = differing(again, flink, flott, Comparison()) if again else []
        made.differences += confirmed
        made.unsteady += len(different) - len(confirmed)
        made.done += len(group)
        progress(made)
    return made


def differing(
    group: list[tuple[int, Graph]], flink: Engine, flott: Engine, made: Comparison
) -> list[Difference]:
    theirs, ours = flink.answers(group), flott.answers(group)
    found = []
    for number, graph in group:
        a, b = theirs[number], ours[number]
        made.raised += "raises" in a
        if comparable(graph, a) != comparable(graph, b):
            found.append(Difference(number, graph, a, b))
    return found


# Making a graph smaller


def without_unused(graph: Graph) -> Graph:
    """The graph without nodes that no output needs."""
    needed: set[int] = set()
    todo = [output["node"] for output in graph["outputs"]]
    while todo:
        index = todo.pop()
        if index not in needed:
            needed.add(index)
            todo += graph["nodes"][index].get("in", [])
    place = {old: new for new, old in enumerate(sorted(needed))}
    nodes = [
        {**graph["nodes"][old], "in": [place[i] for i in graph["nodes"][old].get("in", [])]}
        for old in sorted(needed)
    ]
    outputs = [{**output, "node": place[output["node"]]} for output in graph["outputs"]]
    return {**graph, "nodes": nodes, "outputs": outputs}


def smaller(graph: Graph) -> Iterator[Graph]:
    """Graphs one step simpler than this one."""
    nodes = graph["nodes"]

    def changed(index: int, **fields: Any) -> Graph:
        made = copy.deepcopy(graph)
        made["nodes"][index].update(fields)
        for field, value in fields.items():
            if value is None:
                del made["nodes"][index][field]
        return made

    if len(graph["outputs"]) > 1:
        for output in graph["outputs"]:
            yield {**graph, "outputs": [output]}
    for index, node in enumerate(nodes):
        for other in node.get("in", []):
            if nodes[other]["shape"] == node["shape"]:
                made = copy.deepcopy(graph)
                for later in made["nodes"]:
                    later["in"] = [other if i == index else i for i in later.get("in", [])]
                if all(not (o.get("side") and o["node"] == index) for o in made["outputs"]):
                    for output in made["outputs"]:
                        output["node"] = other if output["node"] == index else output["node"]
                    yield made
        if node["op"] == "source":
            records = node["records"]
            for half in (records[: len(records) // 2], records[len(records) // 2 :]):
                if 0 < len(half) < len(records):
                    yield changed(index, records=half)
            if len(records) > 1:
                for i in range(len(records)):
                    yield changed(index, records=records[:i] + records[i + 1 :])
            if (node["watermarks"] or {}).get("kind") in ("bounded", "no"):
                yield changed(index, watermarks={"kind": "mono"})
        for field in ("parallelism", "lateness", "trigger", "side", "late_shape"):
            used = any(o["node"] == index and o.get("side") for o in graph["outputs"])
            if node.get(field) and not (used and field in ("side", "late_shape")):
                yield changed(index, **{field: None})
        if node.get("window", {}).get("offset"):
            yield changed(index, window={**node["window"], "offset": 0})
        if node.get("key") and node["key"].get("typed"):
            yield changed(index, key={**node["key"], "typed": False})
        if node.get("state", "value") != "value":
            yield changed(index, state="value")
        if node["op"] != "source" and (node["op"], node.get("kind")) != ("map", "same"):
            used = any(o["node"] == index and o.get("side") for o in graph["outputs"])
            if not used:
                made = copy.deepcopy(graph)
                kept = {"in": node["in"][:1], "shape": node["shape"]}
                made["nodes"][index] = {"op": "map", "kind": "same", "n": 0, **kept}
                yield made
    for form in ("py", "tuple"):
        made = copy.deepcopy(graph)
        for node in made["nodes"]:
            node["shape"] = [form, *node["shape"][1:]]
            for inner in (node, node.get("pre") or {}):
                for field in ("late_shape", "shape"):
                    if inner.get(field):
                        inner[field] = [form, *inner[field][1:]]
            if node.get("field") in ("v", "t"):
                node["field"] = 1 if node["field"] == "v" else 2
        if made != graph:
            yield made


def size(graph: Graph) -> int:
    return len(json.dumps(graph)) + 200 * len(graph["nodes"])


def shrink(difference: Difference, flink: Engine, flott: Engine) -> Difference:
    """A smaller graph that differs, too (perhaps in another way)."""
    for _ in range(30):
        candidates: dict[str, Graph] = {}
        for made in smaller(difference.graph):
            graph = without_unused(made)
            if size(graph) < size(difference.graph):
                candidates[json.dumps(graph)] = graph
        ordered = sorted(candidates.values(), key=size)[:80]
        found = compare(list(enumerate(ordered)), flink, flott).differences
        wanted = [
            one
            for one in found
            if ("raises" in one.flink) == ("raises" in difference.flink)
            and ("raises" in one.flott) == ("raises" in difference.flott)
        ]
        if not wanted:
            return difference
        smallest = min(wanted, key=lambda one: size(one.graph))
        difference = Difference(difference.number, smallest.graph, smallest.flink, smallest.flott)
    return difference


# Recording


def record(name: str, graph: Graph, flink: Answer) -> None:
    """Keeps a graph with what is defined of Flink's answer, which test_graphs.py replays."""
    lines = RECORDED.read_text(encoding="utf-8").splitlines() if RECORDED.exists() else []
    kept = {json.loads(line)["name"]: line for line in lines}
    data = {"name": name, "graph": graph, "flink": comparable(graph, flink)}
    kept[name] = json.dumps(data, ensure_ascii=False)
    RECORDED.write_text("\n".join(kept[key] for key in sorted(kept)) + "\n", encoding="utf-8")


def unique(count: int, seed: int) -> list[Graph]:
    """`count` different graphs."""
    from graph_drawing import drawn

    found: dict[str, Graph] = {}
    part = 0
    while len(found) < count:
        for graph in drawn(300, seed * 100_003 + part):
            if graph["outputs"]:
                found.setdefault(json.dumps(graph), graph)
        part += 1
    return list(found.values())[:count]


def main() -> int:
    """Explores; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flink", default="python3", help="python that has apache-flink 1.20")
    parser.add_argument("--flott", default=sys.executable, help="python that has Flott")
    parser.add_argument("--count", type=int, default=300, help="how many graphs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--skip", type=int, default=0, help="leave out the first of them")
    parser.add_argument("--graphs", type=Path, nargs="*", help="compare these, draw none")
    parser.add_argument("--shrink", type=int, default=5, help="at most this many are made smaller")
    parser.add_argument("--record", default="", help="record the graphs under this name")
    parser.add_argument("--out", type=Path, default=Path("build/explore"))
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the engines are ended
    options.out.mkdir(parents=True, exist_ok=True)
    names: dict[int, str] = {}
    if options.graphs:
        texts = [
            line
            for file in options.graphs
            for line in file.read_text(encoding="utf-8").splitlines()
        ]
        read = [json.loads(text) for text in texts]
        jobs = [(i, data.get("graph", data)) for i, data in enumerate(read)]
        names = {i: data["name"] for i, data in enumerate(read) if "name" in data}
    else:
        jobs = list(enumerate(unique(options.count, options.seed)))[options.skip :]
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        flink = Engine(options.flink, [compile_watermarks(options.flink, Path(folder))], True)
        flott = Engine(options.flott, [], False)
        written = (options.out / f"differences-{options.seed}.jsonl").open("w", encoding="utf-8")
        known = 0

        def progress(made: Comparison) -> None:
            nonlocal known
            for difference in made.differences[known:]:
                written.write(difference.text())
            written.flush()
            known = len(made.differences)
            seconds = time.monotonic() - begin
            print(
                f"{made.done}/{len(jobs)} graphs, {known} differ, {made.unsteady} unsteady,"
                f" {made.raised} raise, {made.done / seconds:.2f} graphs/s, {seconds:.0f} s",
                flush=True,
            )

        try:
            if options.record:
                for group in groups(jobs):
                    theirs = flink.answers(group)
                    for number, graph in group:
                        if "outputs" in theirs[number]:
                            name = names.get(number, f"{options.record}_{number:04}")
                            record(name, graph, theirs[number])
                return 0
            result = compare(jobs, flink, flott, progress)
            found = result.differences
            with (options.out / f"smaller-{options.seed}.jsonl").open("w") as file:
                for difference in found[: options.shrink]:
                    made = shrink(difference, flink, flott)
                    file.write(made.text())
                    file.flush()
                    print(f"graph {made.number} made smaller:\n{made.text()}", flush=True)
        finally:
            flink.kill()
            flott.kill()
    seconds = time.monotonic() - begin
    print(
        f"explore: seed {options.seed}, {len(jobs)} graphs compared in {seconds:.0f} s,"
        f" {len(found)} differ, {result.unsteady} unsteady;"
        f" Apache Flink was started {flink.starts} times"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
