"""Flott: PyFlink without the JVM.

The package carries the names of Apache PyFlink, so that its scripts run unchanged; the engine
behind it is the native module :mod:`pyflink._native`.
"""

from __future__ import annotations

from pyflink.version import __version__

__all__ = ["__version__"]


def _refuse_apache_flink() -> None:
    """Raises ImportError when apache-flink is installed over us.

    Both distributions own the package folder `pyflink`, so that together neither of them is whole.
    The check only lists folders (well below a millisecond): reading all installed metadata would
    cost more than our whole start.
    """
    import os
    import sys

    # splitext and slicing instead of pathlib: this runs in every process start
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
    for folder in {here, *(p for p in sys.path if p.endswith("-packages"))}:
        try:
            names = os.listdir(folder)  # noqa: PTH208
        except OSError:
            continue
        apache = [n for n in names if n.startswith("apache_flink-") and n.endswith(".dist-info")]
        if apache and (folder == here or any(n.startswith("flott-") for n in names)):
            version = apache[0][len("apache_flink-") : -len(".dist-info")]
            raise ImportError(
                f"flott and apache-flink ({version}) are both installed in {folder}, and both"
                " provide the package 'pyflink'. Keep one of them: run\n"
                "    pip uninstall -y apache-flink apache-flink-libraries"
                " && pip install --force-reinstall --no-deps flott\n"
                "or use a virtual environment of its own for each."
            )


_refuse_apache_flink()
del _refuse_apache_flink
