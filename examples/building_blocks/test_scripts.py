"""Every building block runs as a script."""

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
SCRIPTS = sorted(p for p in FOLDER.glob("*.py") if "__main__" in p.read_text())


@pytest.mark.parametrize(
    "script",
    [p for p in SCRIPTS if p.name not in ("test_scripts.py", "state_evolution.py")],
    ids=lambda p: p.stem,
)
def test_runs_and_prints(script):
    run = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip()


def test_all_are_in_the_readme():
    readme = (FOLDER / "README.md").read_text()
    for script in SCRIPTS:
        if script.name != "test_scripts.py":
            assert f"`{script.name}`" in readme
