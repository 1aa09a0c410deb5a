"""Declares parity cases and runs them on whichever `pyflink` this interpreter imports.

A case is a function that gets a fresh environment at parallelism 1 and returns the stream to
collect, a list it has made itself, or nothing (then what the job prints is its result). It runs
unchanged on Apache Flink and on Flott; what comes out is described as text that keeps types apart
(`1`, `1.0`, `True`, `'1'`, named and positional rows).

    python tests/parity/harness.py --out results.json [--only PART]
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import json
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

CASES_FOLDER = Path(__file__).parent / "cases"
PRINT_MARKER = "=== parity case "


class Case(NamedTuple):
    """One script to run on both engines."""

    name: str
    run: Callable[[Any], Any]
    ordered: bool
    """Whether the order of the results is defined; otherwise they are compared as a multiset."""
    prints: bool
    """Whether the result is what the job writes to the standard output."""


_cases: dict[str, Case] = {}


def case(
    *, ordered: bool = True, prints: bool = False
) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    """Registers the function below as a case named `<module>.<function>`."""

    def register(run: Callable[[Any], Any]) -> Callable[[Any], Any]:
        name = f"{run.__module__.rpartition('.')[2]}.{run.__name__}"
        _cases[name] = Case(name, run, ordered, prints)
        return run

    return register


def in_thread_mode(env: Any) -> None:
    """Runs the case's Python functions inside the JVM upstream; makes no difference here."""
    from pyflink.common import Configuration

    configuration = Configuration()
    configuration.set_string("python.execution-mode", "thread")
    env.configure(configuration)


def load_cases() -> dict[str, Case]:
    """All cases of the folder `cases`, by name, in the order they are written."""
    if not _cases:
        sys.modules.setdefault("harness", sys.modules[__name__])  # when run as a script
        sys.path.insert(0, str(CASES_FOLDER))
        for file in sorted(CASES_FOLDER.glob("*.py")):
            importlib.import_module(file.stem)
    return _cases


def describe(value: Any) -> str:
    """A text that two values share only if a user could not tell them apart."""
    from pyflink.common import Row

    if isinstance(value, Row):
        names = getattr(value, "_fields", None)
        items = [describe(item) for item in value]
        if names:
            items = [f"{name}={item}" for name, item in zip(names, items, strict=False)]
        return f"Row{value.get_row_kind()!s}({', '.join(items)})"
    if isinstance(value, (list, tuple)):
        inner = ", ".join(describe(item) for item in value)
        return f"[{inner}]" if isinstance(value, list) else f"({inner})"
    if isinstance(value, dict):
        return (
            "{" + ", ".join(sorted(f"{describe(k)}: {describe(v)}" for k, v in value.items())) + "}"
        )
    return repr(value)


def run_case(one: Case) -> dict[str, Any]:
    """Runs a case that does not print. Gives `{"results": [...]}` or `{"raises": type name}`."""
    from pyflink.datastream import StreamExecutionEnvironment

    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(1)
    try:
        outcome = one.run(env)
        if one.prints:
            return {}
        if hasattr(outcome, "execute_and_collect"):
            with outcome.execute_and_collect() as values:
                outcome = list(values)
    except Exception as error:
        return {
            "raises": type(error).__name__,
            "_text": "".join(traceback.format_exception_only(error))[-400:],
        }
    results = [describe(value) for value in outcome]
    return {"results": results if one.ordered else sorted(results)}


def printed_results(lines: Iterator[str], cases: dict[str, Case]) -> dict[str, dict[str, Any]]:
    """What each printing case has written, from the standard output of a run with `--print`."""
    found: dict[str, dict[str, Any]] = {}
    current: list[str] | None = None
    for line in lines:
        line = line.rstrip("\n")
        if line.startswith(PRINT_MARKER):
            name = line[len(PRINT_MARKER) :]
            current = found.setdefault(name, {"results": []})["results"]
        elif current is not None:
            current.append(line)
    for name, result in found.items():
        if name in cases and not cases[name].ordered:
            result["results"].sort()
    return found


def main() -> int:
    """Runs the cases; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="where to write the results as JSON")
    parser.add_argument("--print", action="store_true", help="run the printing cases instead")
    parser.add_argument(
        "--only", default="", help="run only cases whose name contains one of these (a,b)"
    )
    options = parser.parse_args()
    results = {}
    for one in load_cases().values():
        if one.prints is not options.print or not any(
            part in one.name for part in options.only.split(",")
        ):
            continue
        if options.print:
            print(f"{PRINT_MARKER}{one.name}", flush=True)
        with contextlib.redirect_stdout(sys.stdout if options.print else io.StringIO()):
            results[one.name] = run_case(one)
        print(f"{one.name}: {str(results[one.name])[:160]}", file=sys.stderr, flush=True)
    if options.print:
        print(f"{PRINT_MARKER}end", flush=True)
    if options.out:
        options.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
