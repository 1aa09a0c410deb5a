"""`_native.pyi` names what the module has, and nothing else."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from pyflink import _native

STUB = Path(__file__).parents[3] / "python" / "pyflink" / "_native.pyi"


def declared(body: list[ast.stmt]) -> dict[str, ast.stmt]:
    out: dict[str, ast.stmt] = {}
    for statement in body:
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            out[statement.name] = statement
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            out[statement.target.id] = statement
    return out


NAMES = declared(ast.parse(STUB.read_text(encoding="utf-8")).body)
CLASSES = [name for name, what in NAMES.items() if isinstance(what, ast.ClassDef)]


def given(owner: object) -> set[str]:
    """Its names, without those that Python or pybind11 adds."""
    return {name for name in dir(owner) if not name.startswith(("__", "_pybind11_"))}


def test_the_stub_has_what_the_module_has() -> None:
    assert set(NAMES) - set(dir(_native)) == set(), "not in the module"
    assert given(_native) - set(NAMES) == set(), "not in the stub"


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_has_the_methods_of_the_stub(name: str) -> None:
    statement = NAMES[name]
    assert isinstance(statement, ast.ClassDef)
    own = getattr(_native, name)
    inherited = {member for base in own.__bases__ for member in dir(base)}
    members = set(declared(statement.body)) - {"__getattr__"}  # Row has fields by name
    assert members - set(dir(own)) == set(), "not in the class"
    missing = given(own) - inherited - members
    assert {member for member in missing if not member.startswith("_")} == set(), "not in the stub"
