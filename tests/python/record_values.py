"""Records what Apache Flink's package says to the expressions of `data/expressions.txt`.

`<python with apache-flink> tests/python/record_values.py` writes `data/upstream_values.json`: for
each expression its `repr` and `str`, the members of all enums, and a digest of each docstring (no
text). `test_surface.py` asks this package the same. Nothing else of upstream's is stored.
"""

from __future__ import annotations

import enum
import hashlib
import importlib
import inspect
import json
import re
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"
PACKAGES = ("pyflink.common", "pyflink.datastream", "pyflink.metrics")


def names() -> dict[str, Any]:
    """What expressions can name: all of the packages, and some of the standard library."""
    out: dict[str, Any] = {}
    modules = (
        *PACKAGES,
        "pyflink.common.typeinfo",
        "pyflink.datastream.window",
        "pyflink.datastream.state",
        "pyflink.datastream.functions",
        "pyflink.datastream.checkpoint_storage",
        "pyflink.datastream.state_backend",
        "pyflink.datastream.connectors.base",
        "pyflink.datastream.connectors.kafka",
        "pyflink.datastream.connectors.file_system",
        "pyflink.datastream.slot_sharing_group",
    )
    for module in map(importlib.import_module, modules):
        public = (name for name in dir(module) if not name.startswith("_"))
        found = {name: getattr(module, name) for name in public}
        out.update({n: value for n, value in found.items() if not inspect.ismodule(value)})
    for name in ("copy", "datetime", "decimal", "pickle"):
        out[name] = importlib.import_module(name)
    return out


def expressions() -> list[str]:
    lines = (DATA / "expressions.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def said(expression: str, known: dict[str, Any]) -> list[str]:
    """[repr, str] of a value, or of an exception its class."""
    try:
        value = eval(expression, dict(known))
        return [repr(value), str(value)]
    except Exception as error:
        return [f"raises {type(error).__name__}"]


def normal(doc: str) -> str:
    return " ".join(doc.split()).strip()


def digest(doc: str) -> str:
    return hashlib.sha256(normal(doc).encode()).hexdigest()[:12]


def main() -> None:
    surface = json.loads((DATA / "upstream_surface.json").read_text(encoding="utf-8"))
    enums: dict[str, dict[str, str]] = {}
    digests: set[str] = set()
    for module_name, entries in surface.items():
        try:
            module = importlib.import_module(module_name)
        except ImportError:
            continue
        for name in entries:
            value = getattr(module, name, None)
            nested = [value, *vars(value).values()] if inspect.isclass(value) else [value]
            for item in nested:
                if inspect.isclass(item) and issubclass(item, enum.Enum):
                    members = item.__members__.items()
                    if members:
                        key = f"{module_name}.{item.__qualname__}"
                        enums[key] = {n: repr(m.value) for n, m in members}
                doc = inspect.getdoc(item) if callable(item) else None
                if doc and len(normal(doc)) > 40:
                    digests.add(digest(doc))
    known = names()
    recorded = {
        "expressions": {e: said(e, known) for e in expressions()},
        "enums": enums,
        "docstrings": sorted(digests),
    }
    text = json.dumps(recorded, indent=1, sort_keys=True, ensure_ascii=False)
    text = re.sub(r" at 0x[0-9a-f]+", " at 0x", text)
    (DATA / "upstream_values.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
