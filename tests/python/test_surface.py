"""Every public name of upstream's DataStream API is there, with the same members and parameters.

`data/upstream_surface.json` lists names, members and parameters (names and defaults) of PyFlink
1.20: data, no code. What is left out or differs is listed here with the reason, and must not be
listed without need.
"""

from __future__ import annotations

import fnmatch
import importlib
import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest

from pyflink._not_yet import NOT_YET, NotSupportedError

UPSTREAM: dict[str, dict[str, dict[str, Any]]] = json.loads(
    (Path(__file__).parent / "data" / "upstream_surface.json").read_text(encoding="utf-8")
)

KEYED_REFUSES = [
    "broadcast",
    "cache",
    "disable_chaining",
    "force_non_parallel",
    "forward",
    "get_name",
    "name",
    "partition_custom",
    "rebalance",
    "rescale",
    "set_buffer_timeout",
    "set_description",
    "set_max_parallelism",
    "set_parallelism",
    "set_uid_hash",
    "shuffle",
    "slot_sharing_group",
    "start_new_chain",
    "uid",
]

NO_JAVA = "it gives or takes an object of upstream's Java side; there is none here"
KEYED = "pyflink.datastream.data_stream.KeyedStream"

DIFFERENT = {
    "*.get_java_*": NO_JAVA,
    "pyflink.datastream.utils.create_hadoop_configuration": NO_JAVA,
    "pyflink.datastream.utils.create_java_properties": NO_JAVA,
    "pyflink.datastream.connectors.base.Sink.__init__": NO_JAVA,
    "pyflink.datastream.connectors.base.Source.__init__": NO_JAVA,
    "pyflink.datastream.functions.SinkFunction.__init__": "a subclass in Python gives none",
    "pyflink.datastream.functions.SourceFunction.__init__": "a subclass in Python gives none",
    f"{KEYED}.AccumulateType": "an enum that only upstream's own methods use",
    **dict.fromkeys(
        [f"{KEYED}.{name}" for name in KEYED_REFUSES],
        "not for a keyed stream: refused as upstream does, whatever is given",
    ),
}
"""Pattern of `module.Class.member` -> why it is not there, or is otherwise."""


def resolve(entry: dict[str, Any]) -> dict[str, Any]:
    while "same_as" in entry:
        module, _, name = entry["same_as"].rpartition(".")
        entry = UPSTREAM[module][name]
    return entry


def shown_default(value: object) -> str:
    """As in the data: a repr, without the numbers of enum members and the addresses of objects."""
    text = getattr(value, "name", None)
    if text is not None and hasattr(type(value), "__members__"):
        return f"{type(value).__name__}.{text}"
    return repr(value)


def parameters_of(member: object) -> str | None:
    """`self, name, other=None`; nothing for what has no signature."""
    try:
        signature = inspect.signature(member)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    out = []
    star = False
    for parameter in signature.parameters.values():
        name = parameter.name
        if parameter.kind is parameter.VAR_POSITIONAL:
            name, star = f"*{name}", True
        elif parameter.kind is parameter.VAR_KEYWORD:
            name = f"**{name}"
        elif parameter.kind is parameter.KEYWORD_ONLY and not star:
            out.append("*")
            star = True
        if parameter.default is not parameter.empty:
            name += f"={shown_default(parameter.default)}"
        out.append(name)
    return ", ".join(out)


def plain(parameters: str) -> str:
    return re.sub(r"<([\w.]+): [^>]*>", r"\1", parameters)


def differences(module_name: str) -> list[tuple[str, str]]:
    """`(path, what is otherwise)` of one module."""
    out: list[tuple[str, str]] = []
    try:
        module = importlib.import_module(module_name)
    except ImportError:
        return [(f"{module_name}.{name}", "no such module") for name in UPSTREAM[module_name]]
    for name, listed in UPSTREAM[module_name].items():
        path = f"{module_name}.{name}"
        ours = getattr(module, name, None)
        if ours is None:
            out.append((path, "missing"))
            continue
        if "same_as" in listed or name in NOT_YET.get(module_name, ()):
            continue  # looked at where it is defined, or a placeholder without members
        entry = resolve(listed)
        members = {"": entry["parameters"]} if "parameters" in entry else entry.get("members", {})
        for member, parameters in members.items():
            member_path = f"{path}.{member}".rstrip(".")
            if member == "__init__" and re.search(r"\bj_", parameters or ""):
                continue  # upstream's wraps an object of its Java side: nothing a program calls
            try:
                found = getattr(ours, member) if member else ours
            except NotSupportedError:
                out.append((member_path, "not yet"))
                continue
            except AttributeError:
                out.append((member_path, "missing"))
                continue
            if parameters is not None:
                got = parameters_of(found)
                if found is object.__init__ and parameters == "self":
                    continue
                if got != plain(parameters):
                    out.append((member_path, f"({got}) instead of ({plain(parameters)})"))
    return out


def reason_for(path: str) -> str | None:
    return next((why for p, why in DIFFERENT.items() if fnmatch.fnmatchcase(path, p)), None)


@pytest.mark.parametrize("module_name", sorted(UPSTREAM))
def test_names_members_and_parameters_are_upstreams(module_name: str) -> None:
    unexplained = {p: what for p, what in differences(module_name) if reason_for(p) is None}
    assert unexplained == {}


def test_no_difference_is_listed_without_need() -> None:
    found = [path for module_name in UPSTREAM for path, _ in differences(module_name)]
    unneeded = [p for p in DIFFERENT if not any(fnmatch.fnmatchcase(f, p) for f in found)]
    assert unneeded == []
