#!/usr/bin/env bash
# `make pythons`: builds the bindings for each other supported Python and runs the Python tests with it. What does not
# depend on Python comes out of ccache once `make setup` or one of these builds has compiled it.
#
#   tools/pythons.sh [3.10] [3.12] [3.13]     default: all three; `make test` runs the one of .venv
#   tools/pythons.sh 3.12 -k window           everything after the versions goes to pytest
#
# An interpreter with its headers is looked for in $PYTHON_3_12, on the path (python3.12) and in pyenv's folder. Its
# virtual environment is build/venv-3.12, its build folder build/py3.12, its log build/test-logs/python-3.12.log.
set -uo pipefail
cd "$(dirname "$0")/.."
versions=()
while [[ ${1:-} =~ ^3\.[0-9]+$ ]]; do
  versions+=("$1")
  shift
done
[ ${#versions[@]} = 0 ] && versions=(3.10 3.12 3.13)
suites=("$@")
[ ${#suites[@]} = 0 ] || [[ ${suites[0]} == -* ]] && suites=(tests/python "${suites[@]}")
logs=build/test-logs
mkdir -p "$logs"

# find_python VERSION: the path of an interpreter that has its headers
find_python() {
  local variable="PYTHON_${1/./_}" candidate
  for candidate in "${!variable:-}" "$(command -v "python$1")" "/usr/bin/python$1" \
    $(printf '%s\n' "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python | sort -rV); do
    [ -n "$candidate" ] || continue
    "$candidate" - "$1" 2>/dev/null <<'PY' && return
import pathlib, sys, sysconfig, ensurepip, venv
headers = pathlib.Path(sysconfig.get_path("include"), "Python.h").exists()
if not headers or "%d.%d" % sys.version_info[:2] != sys.argv[1]:
    sys.exit(1)
print(sys.executable)
PY
  done
  echo "pythons: no Python $1 with its headers (Python.h). Install it (pyenv install $1), or set $variable to one." >&2
  return 1
}

# one VERSION: environment, build, tests
one() {
  local python venv=build/venv-$1 build=build/py$1 stamp
  python=$(find_python "$1") || return 1
  [ -x "$venv/bin/python" ] || "$python" -m venv "$venv" || return 1
  stamp=$venv/requirements-$(sha256sum pyproject.toml | cut -c1-16)
  if [ ! -e "$stamp" ]; then
    tools/requirements.sh "$venv/bin/python" test >"$venv/requirements.txt" || return 1
    "$venv/bin/python" -m pip install -q --disable-pip-version-check -r "$venv/requirements.txt" 'pybind11>=2.13' || return 1
    rm -f "$venv"/requirements-*
    touch "$stamp"
  fi
  if [ ! -f "$build/build.ninja" ]; then
    cmake --preset release -B "$build" -DFLOTT_PYTHON=ON "-DPython_EXECUTABLE=$PWD/$venv/bin/python" \
      >"$logs/python-$1-configure.log" 2>&1 || { cat "$logs/python-$1-configure.log"; return 1; }
  fi
  ninja -C "$build" --quiet python_site || return 1
  PYTHONPATH=$PWD/$build/site "$venv/bin/python" -m pytest -p no:cacheprovider "${suites[@]}"
}

failed=()
summaries=()
for version in "${versions[@]}"; do
  printf '\n== Python %s\n' "$version"
  one "$version" 2>&1 | tee "$logs/python-$version.log"
  [ "${PIPESTATUS[0]}" = 0 ] || failed+=("$version")
  summaries+=("Python $version: $(grep -E '^=+ .*(passed|failed|error|no tests ran).* =+$' "$logs/python-$version.log" | tail -n 1)")
done
printf '\n== summaries\n'
printf '%s\n' "${summaries[@]}"
if [ ${#failed[@]} -gt 0 ]; then
  echo "make pythons: FAILED: ${failed[*]}"
  exit 1
fi
echo "make pythons: all passed: ${versions[*]}"
