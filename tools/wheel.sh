#!/usr/bin/env bash
# `make wheel`: builds the wheel, lets auditwheel copy the system libraries into it, and checks its size.
# The result is dist/flott-<version>-<python>-manylinux_*.whl, and nothing else in dist/.
set -euo pipefail
cd "$(dirname "$0")/.."
limit_bytes=$((30 * 1024 * 1024))

rm -rf build/wheel-raw dist
mkdir -p build/wheel-raw dist
# No isolation: .venv has the build requirements, and one path of pybind11 lets ccache reuse the release build's objects.
.venv/bin/python -m build --wheel --no-isolation --outdir build/wheel-raw . >build/wheel-raw/log 2>&1 || {
  tail -n 60 build/wheel-raw/log >&2
  exit 1
}
PATH=$PWD/.venv/bin:$PATH .venv/bin/python -m auditwheel repair --wheel-dir dist build/wheel-raw/*.whl >build/wheel-raw/auditwheel.log 2>&1 || {
  cat build/wheel-raw/auditwheel.log >&2
  exit 1
}
wheel=$(echo dist/*.whl)
size=$(stat -c %s "$wheel")
if [ "$size" -ge "$limit_bytes" ]; then
  echo "wheel: $wheel has $size bytes; a wheel must stay below $limit_bytes. See its libraries: unzip -l $wheel" >&2
  exit 1
fi
echo "wheel: $wheel, $((size / 1024)) KiB"
