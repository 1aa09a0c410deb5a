#!/usr/bin/env bash
# Prints the project's requirements and those of its extras, without the project itself.
#
#   tools/requirements.sh PYTHON [EXTRA...]     default: all extras
set -euo pipefail
cd "$(dirname "$0")/.."
exec "$1" - "${@:2}" <<'PY'
import sys

try:
    import tomllib
except ImportError:  # Python 3.10
    from pip._vendor import tomli as tomllib
with open("pyproject.toml", "rb") as file:
    project = tomllib.load(file)["project"]
extras = project["optional-dependencies"]
names = project["dependencies"] + [n for extra in sys.argv[1:] or extras for n in extras[extra]]
print("\n".join(n for n in names if not n.startswith(project["name"] + "[")))
PY
