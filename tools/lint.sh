#!/usr/bin/env bash
# `make lint`, `make tidy`, `make format`.
#
#   tools/lint.sh                 clang-format, ruff, mypy, tests/tidy: all of them, then the verdict
#   tools/lint.sh tidy [FILE...]  clang-tidy, on all of cpp/ or on these files
#   tools/lint.sh format          rewrites the sources
set -uo pipefail
cd "$(dirname "$0")/.."
bin=.venv/bin
mapfile -t sources < <(git ls-files --cached --others --exclude-standard 'cpp/*.h' 'cpp/*.cc' 'tests/*.h' 'tests/*.cc' 'bench/*.cc')

clang_format() { [ ${#sources[@]} = 0 ] || "$bin/clang-format" "$@" "${sources[@]}"; }

case "${1:-}" in
  format)
    clang_format -i
    "$bin/ruff" check --fix --quiet .
    "$bin/ruff" format --quiet .
    ;;
  tidy)
    shift
    command -v clang-tidy >/dev/null || { echo "lint: clang-tidy not found (Debian: clang-tidy)" >&2; exit 1; }
    cmake --preset dev >/dev/null || exit 1
    files=("$@")
    [ ${#files[@]} = 0 ] && mapfile -t files < <(git ls-files 'cpp/*.cc')
    printf '%s\n' "${files[@]}" | xargs -P "$(nproc)" -n 1 clang-tidy -p build/dev --quiet
    ;;
  "")
    failed=()
    check() {
      local name=$1
      shift
      "$@" || failed+=("$name")
    }
    check clang-format clang_format --dry-run -Werror
    check ruff "$bin/ruff" check .
    check ruff-format "$bin/ruff" format --check --quiet .
    check mypy "$bin/mypy"
    check tidy "$bin/python" -m pytest -q tests/tidy
    if [ ${#failed[@]} -gt 0 ]; then
      echo "make lint: FAILED: ${failed[*]}"
      exit 1
    fi
    echo "make lint: all passed"
    ;;
  *)
    echo "tools/lint.sh [tidy [FILE...] | format]" >&2
    exit 2
    ;;
esac
