"""Flott against what Apache Flink answered to drawn graphs (`graphs/recorded.jsonl`).

`explore.py` draws and records them; this replays them without Flink, as one job a mode.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from explore import RECORDED, Engine, comparable, groups

CASES: dict[str, dict[str, Any]] = {
    case["name"]: case
    for case in map(json.loads, RECORDED.read_text(encoding="utf-8").splitlines())
}


@pytest.fixture(scope="module")
def ours() -> dict[str, Any]:
    names = list(CASES)
    engine = Engine(sys.executable, [], is_flink=False)
    try:
        answers: dict[int, Any] = {}
        for group in groups([(i, CASES[name]["graph"]) for i, name in enumerate(names)]):
            answers.update(engine.answers(group))
    finally:
        engine.kill()
    return {names[number]: answer for number, answer in answers.items()}


@pytest.mark.parametrize("name", sorted(CASES))
def test_answers_as_apache_flink(ours: dict[str, Any], name: str) -> None:
    got = comparable(CASES[name]["graph"], ours[name])
    # Through JSON: keys of objects are text there.
    assert json.loads(json.dumps(got)) == CASES[name]["flink"], ours[name].get("raises", "")
