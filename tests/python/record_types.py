"""Records the types and base classes of Apache Flink's public API: names only, no code.

`<python with apache-flink> tests/python/record_types.py` writes `data/upstream_types.json`: for
each class its public bases, for each method the names in the types of its parameters and result.
`test_surface.py` asks this package the same.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"
SAME = {
    "Dict": "dict",
    "List": "list",
    "Set": "set",
    "Tuple": "tuple",
    "Type": "type",
    "Float": "float",
    "NoneType": "None",
    **dict.fromkeys(("T", "W", "KEY", "IN", "OUT", "ACC", "K", "V"), "Any"),
}
LEFT_OUT = {"typing", "Optional", "Union", "ForwardRef", "None", "class", "collections", "abc"}


def names_in(annotation: object) -> list[str]:
    """The names of a type, without what they are made of; nothing for no type."""
    if annotation is inspect.Signature.empty:
        return []
    text = annotation if isinstance(annotation, str) else None
    if text is None:
        text = annotation.__name__ if inspect.isclass(annotation) else str(annotation)
    text = re.sub(r"~(\w+)", "Any", text)
    text = re.sub(r"\w+(?:\.\w+)*\.(\w+)", r"\1", text)  # without the modules
    outer = text
    while re.search(r"\b(?!Union\b|Optional\b)(\w+)\[[^\[\]]*\]", outer):  # list[int] is a list
        outer = re.sub(r"\b(?!Union\b|Optional\b)(\w+)\[[^\[\]]*\]", r"\1", outer)
    found = {SAME.get(name, name) for name in re.findall(r"[A-Za-z_]\w*", outer)}
    return sorted(found - LEFT_OUT)


def types_of(member: object) -> dict[str, list[str]] | None:
    """Names of the types of each parameter that has one, and of the result (``return``)."""
    try:
        signature = inspect.signature(member)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    out = {p.name: names_in(p.annotation) for p in signature.parameters.values()}
    out["return"] = names_in(signature.return_annotation)
    return {name: types for name, types in out.items() if types}


def bases_of(thing: type) -> list[str]:
    """Public classes of the package that it is derived from."""
    return sorted(
        {
            base.__name__
            for base in thing.__mro__[1:]
            if base.__module__.startswith("pyflink.") and not base.__name__.startswith("_")
        }
    )


def record() -> dict[str, Any]:
    surface = json.loads((DATA / "upstream_surface.json").read_text(encoding="utf-8"))
    types: dict[str, Any] = {}
    bases: dict[str, list[str]] = {}
    for module_name, names in surface.items():
        module = importlib.import_module(module_name)
        for name, entry in names.items():
            if "same_as" in entry:
                continue
            thing = getattr(module, name)
            if inspect.isclass(thing):
                bases[f"{module_name}.{name}"] = bases_of(thing)
            for member in entry.get("members", {"": None}):
                found = types_of(getattr(thing, member, None) if member else thing)
                if found:
                    types[f"{module_name}.{name}.{member}".rstrip(".")] = found
    return {"bases": bases, "types": types}


if __name__ == "__main__":
    path = DATA / "upstream_types.json"
    path.write_text(json.dumps(record(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
