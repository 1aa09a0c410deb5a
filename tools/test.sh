#!/usr/bin/env bash
# `make test`: every suite, each to its end even if another failed; then the runners' summaries.
#
#   tools/test.sh [lint] [cpp] [asan] [tsan] [python] [services]     default: all of them
#
# With CI set, warnings in the C++ sources are errors.
set -uo pipefail
cd "$(dirname "$0")/.."
parts=("$@")
[ ${#parts[@]} = 0 ] && parts=(lint cpp asan tsan python services)
logs=build/test-logs
mkdir -p "$logs"
failed=()
summaries=()

# cpp_suite PRESET [CMAKE-OPTION...]: configure, build, ctest
cpp_suite() {
  local preset=$1
  shift
  cmake --preset "$preset" "$@" >"$logs/$preset-configure.log" 2>&1 || { cat "$logs/$preset-configure.log"; return 1; }
  ninja -C "build/$preset" --quiet || return 1
  ctest --preset "$preset" -j "$(nproc)"
}

cpp_summary() { # what ctest says, and the number of single GoogleTests behind it
  local log="build/$1/Testing/Temporary/LastTest.log"
  grep -h "tests passed" "$2" | tail -n 1
  [ -f "$log" ] && awk '/^\[  PASSED  \]/ {passed += $4} /^\[==========\].* ran\./ {ran += $2}
    END {printf "GoogleTest: %d passed, %d failed or skipped\n", passed, ran - passed}' "$log"
}

# run NAME COMMAND...: at most 30 minutes; its output goes to the terminal and to a log
run() {
  local name=$1 status summary
  shift
  printf '\n== %s\n' "$name"
  "$@" 2>&1 | tee "$logs/$name.log"
  status=${PIPESTATUS[0]}
  case $name in
    cpp) summary=$(cpp_summary dev "$logs/$name.log") ;;
    lint) summary=$(grep "^make lint:" "$logs/$name.log") ;;
    asan | tsan) summary=$(cpp_summary "$name" "$logs/$name.log") ;;
    *) summary=$(grep -E '^=+ .*(passed|failed|error|no tests ran|deselected).* =+$|^[0-9]+ (passed|failed)' "$logs/$name.log" | tail -n 1) ;;
  esac
  [ "$status" = 0 ] || failed+=("$name")
  summaries+=("$(printf '%s: %s\n%s' "$name" "$([ "$status" = 0 ] && echo ok || echo "FAILED (exit code $status)")" "${summary:-no summary}")")
}

for part in "${parts[@]}"; do
  case $part in
    lint) run lint tools/lint.sh ;;
    cpp) run cpp cpp_suite dev -DFLOTT_PYTHON=OFF "-DFLOTT_WERROR=$([ -n "${CI:-}" ] && echo ON || echo OFF)" ;;
    asan | tsan) run "$part" cpp_suite "$part" ;;
    python) run python timeout -k 10 1800 .venv/bin/python -m pytest ;;
    services)
      tools/setup.sh services || { failed+=(services); continue; }
      run services timeout -k 10 1800 .venv/bin/python -m pytest -m services
      ;;
    *)
      echo "tools/test.sh: no suite '$part'; there are lint, cpp, asan, tsan, python, services" >&2
      exit 2
      ;;
  esac
done

printf '\n== summaries\n'
printf '%s\n' "${summaries[@]}"
if [ ${#failed[@]} -gt 0 ]; then
  echo "make test: FAILED: ${failed[*]}"
  exit 1
fi
echo "make test: all passed: ${parts[*]}"
