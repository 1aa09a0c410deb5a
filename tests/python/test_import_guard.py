"""`import pyflink` beside an installed apache-flink."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import pyflink

PACKAGE = Path(pyflink.__file__).resolve().parent


def install(folder, *distributions):
    """What pip would leave there: the package's folder, and one folder of metadata each."""
    folder.mkdir(exist_ok=True)
    (folder / "pyflink").mkdir(exist_ok=True)
    for name in ("__init__.py", "version.py"):
        shutil.copy(PACKAGE / name, folder / "pyflink" / name)
    for distribution in distributions:
        (folder / f"{distribution}.dist-info").mkdir(exist_ok=True)


def import_from(folder, program="import pyflink; print(pyflink.__version__)"):
    return subprocess.run(
        [sys.executable, "-S", "-c", program],
        env={"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_beside_apache_flink_the_import_says_how_to_repair_it(tmp_path):
    site = tmp_path / "site-packages"
    install(site, "flott-0.1.0", "apache_flink-1.20.5", "apache_flink_libraries-1.20.5")
    done = import_from(site)
    assert done.returncode == 1
    message = done.stderr.splitlines()
    assert message[-3] == (
        f"ImportError: flott and apache-flink (1.20.5) are both installed in {site}, and both"
        " provide the package 'pyflink'. Keep one of them: run"
    )
    assert message[-2].strip() == (
        "pip uninstall -y apache-flink apache-flink-libraries"
        " && pip install --force-reinstall --no-deps flott"
    )
    assert message[-1] == "or use a virtual environment of its own for each."


def test_alone_or_beside_other_packages_it_imports(tmp_path):
    site = tmp_path / "site-packages"
    install(site, "flott-0.1.0", "apache_beam-2.61.0", "apache_flink_libraries-1.20.5")
    assert import_from(site).stdout.strip() == pyflink.__version__


def test_apache_flink_elsewhere_on_the_path_is_no_matter(tmp_path):
    """Another environment's packages, seen through a path: only one of the two is imported."""
    ours, theirs = tmp_path / "site-packages", tmp_path / "other" / "dist-packages"
    install(ours, "flott-0.1.0")
    theirs.mkdir(parents=True)
    (theirs / "apache_flink-1.20.5.dist-info").mkdir()
    assert import_from(f"{ours}:{theirs}").stdout.strip() == pyflink.__version__


def test_the_check_only_lists_folders(tmp_path, monkeypatch):
    """Each once; and it reads no metadata, of which three hundred packages have much."""
    site = tmp_path / "site-packages"
    install(site, "flott-0.1.0", *(f"package{i}-1.0" for i in range(300)))
    monkeypatch.setattr(sys, "path", [str(site), *sys.path])
    listed = []
    list_folder = os.listdir

    def count(folder):
        listed.append(str(folder))
        return list_folder(folder)

    monkeypatch.setattr(os, "listdir", count)
    spec = importlib.util.spec_from_file_location("guarded", site / "pyflink" / "__init__.py")
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    assert sorted(listed) == sorted({p for p in sys.path if p.endswith("-packages")})
    imports = "import sys, pyflink; print('importlib.metadata' in sys.modules)"
    assert import_from(site, imports).stdout.strip() == "False"


def test_the_error_is_the_same_in_process(tmp_path):
    site = tmp_path / "site-packages"
    install(site, "flott-0.1.0", "apache_flink-1.17.2")
    spec = importlib.util.spec_from_file_location("guarded", site / "pyflink" / "__init__.py")
    with pytest.raises(ImportError, match=r"apache-flink \(1\.17\.2\)"):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
