#!/usr/bin/env bash
# `make setup`: system packages (as root, when some are missing), .venv with the development requirements, the release
# build, and `import pyflink` in .venv pointing at python/pyflink with that build. Repeated, it does only what changed.
#
#   tools/setup.sh            all of that
#   tools/setup.sh services   also Java and Maven, for the real servers of tests/services
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(g++ cmake ninja-build ccache mold pkg-config make git python3 python3-dev python3-venv
  libboost1.81-dev libfmt-dev libhowardhinnant-date-dev nlohmann-json3-dev libsimdjson-dev
  librdkafka-dev liblz4-dev librocksdb-dev libcurl4-openssl-dev zlib1g-dev libsqlite3-dev libgtest-dev libgmock-dev libbenchmark-dev tzdata ca-certificates)
if [ "${1:-}" = services ]; then
  packages+=(openjdk-17-jre-headless maven openssl)
fi

say() { printf 'setup: %s\n' "$*"; }

install_packages() {
  command -v dpkg-query >/dev/null || { say "no Debian here: these packages are taken for granted: ${packages[*]}"; return; }
  local installed package missing=()
  installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${packages[@]}" 2>/dev/null || true)
  for package in "${packages[@]}"; do
    grep -q "^$package installed" <<<"$installed" || missing+=("$package")
  done
  [ ${#missing[@]} = 0 ] && return
  local sudo=()
  if [ "$(id -u)" != 0 ]; then
    if sudo -n true 2>/dev/null; then
      sudo=(sudo)
    else
      say "missing system packages; run as root: apt-get install --no-install-recommends ${missing[*]}" >&2
      exit 1
    fi
  fi
  say "installing ${missing[*]}"
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q update >/dev/null
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
}

make_venv() {
  # The interpreter needs its headers (Python.h): the first python3 of the path that has them.
  local python=${FLOTT_PYTHON_COMMAND:-}
  if [ ! -x .venv/bin/python ]; then
    if [ -z "$python" ]; then
      for python in python3 /usr/bin/python3; do
        "$python" - 2>/dev/null <<'PY' && break
import pathlib, sys, sysconfig, ensurepip, venv
sys.exit(sys.version_info < (3, 10) or not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists())
PY
      done
    fi
    say "virtual environment .venv with $("$python" --version)"
    "$python" -m venv .venv
  fi
  local stamp
  stamp=.venv/requirements-$(sha256sum pyproject.toml | cut -c1-16)
  if [ ! -e "$stamp" ]; then
    tools/requirements.sh .venv/bin/python >.venv/requirements.txt
    say "Python requirements"
    .venv/bin/python -m pip install -q --disable-pip-version-check -r .venv/requirements.txt
    rm -f .venv/requirements-*
    touch "$stamp"
  fi
  # Not an editable install: its import hooks would cost more start time than the whole of pyflink.
  local site
  site=$(echo .venv/lib/python3.*/site-packages)
  [ "$(cat "$site/flott.pth" 2>/dev/null)" = "$PWD/python" ] || echo "$PWD/python" >"$site/flott.pth"
}

build() {
  if [ ! -f build/release/build.ninja ]; then
    cmake --preset release >build-release.log 2>&1 || { cat build-release.log >&2; exit 1; }
    rm -f build-release.log
  fi
  say "release build"
  local target=python_inplace
  ninja -C build/release -t query "$target" >/dev/null 2>&1 || target=all
  ninja -C build/release --quiet "$target"
}

install_packages
make_venv
build
say "done"
