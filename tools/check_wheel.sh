#!/usr/bin/env bash
# Installs the wheel of dist/ into an empty virtual environment and runs a job with it, outside the source tree.
set -euo pipefail
cd "$(dirname "$0")/.."
wheel=$(realpath dist/*.whl)
script=$(realpath tools/check_wheel.py)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
.venv/bin/python -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q --disable-pip-version-check "$wheel"
cd "$work"
cp "$script" job.py
env -u PYTHONPATH -u LD_LIBRARY_PATH "$work/venv/bin/python" job.py
required=$("$work/venv/bin/python" -m pip list --disable-pip-version-check --format=freeze | grep -cvE '^(pip|setuptools|wheel)==')
echo "check_wheel: $(basename "$wheel"): job ran; $required packages in the environment"
if [ "$required" -gt 6 ]; then # flott itself and at most five others
  echo "check_wheel: flott must not require more than five packages" >&2
  exit 1
fi
