"""Records what Apache Flink answers to the parity cases, into `recorded.json`.

    python tests/parity/record.py --flink <python with apache-flink 1.20> [--only PART]

Two processes: one for the cases whose results are collected, one for those that print. Java 17 is
needed. The test `test_parity.py` compares Flott with the file and needs neither.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER))
RECORDED = FOLDER / "recorded.json"


def run(python: str, only: str, *, timeout_s: float = 1800) -> dict[str, dict[str, object]]:
    """All cases' results under this interpreter."""
    import harness

    environment = dict(os.environ, PYTHONIOENCODING="utf-8", PYTHONHASHSEED="0")
    environment["PATH"] = f"{Path(python).parent}{os.pathsep}{environment['PATH']}"
    # Functions of the cases are pickled by name, and upstream's threads look for their modules.
    modules = [str(FOLDER), str(FOLDER / "cases"), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, modules))
    command = [python, str(FOLDER / "harness.py"), "--only", only]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "results.json"
        subprocess.run(
            [*command, "--out", str(out)], check=True, env=environment, timeout=timeout_s
        )
        results = json.loads(out.read_text(encoding="utf-8"))
        printed_out = Path(folder) / "printed.json"
        printed = subprocess.run(
            [*command, "--print", "--out", str(printed_out)],
            check=True,
            env=environment,
            timeout=timeout_s,
            stdout=subprocess.PIPE,
            text=True,
        )
        failed = {
            name: result
            for name, result in json.loads(printed_out.read_text(encoding="utf-8")).items()
            if result
        }
    found = harness.printed_results(iter(printed.stdout.splitlines()), _unordered())
    found.pop("end", None)
    return {**results, **found, **failed}


def _unordered() -> dict[str, object]:
    """Printing cases without a defined order, found without importing any `pyflink`."""
    import ast

    class Flags:
        ordered = False

    found: dict[str, object] = {}
    for file in (FOLDER / "cases").glob("*.py"):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                for decorator in node.decorator_list:
                    if "ordered=False" in ast.unparse(decorator):
                        found[f"{file.stem}.{node.name}"] = Flags
    return found


def main() -> int:
    """Records; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flink", default=sys.executable, help="python that has apache-flink 1.20")
    parser.add_argument(
        "--only", default="", help="record only cases whose name contains one of these (a,b)"
    )
    options = parser.parse_args()
    recorded = json.loads(RECORDED.read_text(encoding="utf-8")) if RECORDED.exists() else {}
    if not options.only:
        recorded = {}
    recorded.update(run(options.flink, options.only))
    for result in recorded.values():
        result.pop("_text", None)  # an error's text is for the reader of a failed run
    text = json.dumps(recorded, indent=1, sort_keys=True, ensure_ascii=False)
    RECORDED.write_text(text + "\n", encoding="utf-8")
    print(f"{len(recorded)} cases in {RECORDED}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
