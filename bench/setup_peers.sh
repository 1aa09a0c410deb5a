#!/bin/sh
# Makes the venvs of the engines that bench/run.py measures beside ours. Not part of `make setup`.
#   bench/setup_peers.sh [folder]      default: $FLOTT_PEERS or ~/.cache/flott-peers
# Apache Flink needs Python 3.11 at most and Java 17; about 1.5 GB on disk.
set -eu
folder="${1:-${FLOTT_PEERS:-$HOME/.cache/flott-peers}}"
python="${PYTHON:-python3}"
mkdir -p "$folder/jars"

"$python" -m venv "$folder/flink"
"$folder/flink/bin/pip" install --quiet "setuptools<81" wheel
"$folder/flink/bin/pip" install --quiet "apache-flink==1.20.5" "kafka-python==2.0.2" faker pytest

"$python" -m venv "$folder/bytewax"
"$folder/bytewax/bin/pip" install --quiet "bytewax==0.21.1" "confluent-kafka==2.12.2" orjson

"$python" -m venv "$folder/quix"
"$folder/quix/bin/pip" install --quiet "quixstreams>=3.23,<4"

# The connector that PyFlink scripts name in add_jars.
mvn -q -B dependency:copy -DoutputDirectory="$folder/jars" \
  -Dartifact=org.apache.flink:flink-sql-connector-kafka:3.2.0-1.19
echo "peers are in $folder; run: python bench/run.py"
