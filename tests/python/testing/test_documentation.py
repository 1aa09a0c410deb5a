"""The examples of docs/testing.md are tests, and pass."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_examples_of_the_page_run(tmp_path):
    page = (ROOT / "docs" / "testing.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    tests = sum(block.count("def test_") for block in blocks)
    assert tests >= 7
    (tmp_path / "test_page.py").write_text("\n\n".join(blocks))
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "pyflink.testing.pytest_plugin", "-p",
         "no:cacheprovider", "test_page.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"{tests} passed" in run.stdout
