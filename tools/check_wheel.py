"""Run by check_wheel.sh with an installed wheel: jobs, also through an embedded Kafka broker, and
whether every native library that they use is the wheel's own."""

import ctypes
import pathlib
import re

import pyflink
from pyflink._mock_kafka import MockKafka
from pyflink.common import Row, Types, WatermarkStrategy
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors.kafka import (
    KafkaOffsetsInitializer,
    KafkaRecordSerializationSchema,
    KafkaSink,
    KafkaSource,
)
from pyflink.datastream.formats.json import (
    JsonRowDeserializationSchema,
    JsonRowSerializationSchema,
)

# What the jobs below must have loaded, and no machine has to have.
CARRIED = {"librdkafka", "libcurl", "libsimdjson", "libfmt", "libsqlite3", "libsasl2"}

package = pathlib.Path(pyflink.__file__).parent
assert "site-packages" in package.parts, f"not the installed package: {package}"
for library in sorted(package.glob("libflott*.so")):
    ctypes.CDLL(str(library))
    print(f"check_wheel: {library.name} loads")

env = StreamExecutionEnvironment.get_execution_environment()
words = env.from_collection(["a", "b", "a"]).map(lambda word: (word, 1))
counts = words.key_by(lambda pair: pair[0]).reduce(lambda x, y: (x[0], x[1] + y[1]))
with counts.execute_and_collect() as results:
    collected = sorted(results)
assert collected == [("a", 1), ("a", 2), ("b", 1)], collected

kind = Types.ROW_NAMED(["word", "n"], [Types.STRING(), Types.INT()])
with MockKafka() as kafka:
    kafka.create_topic("words")
    values = JsonRowSerializationSchema.builder().with_type_info(kind).build()
    sink = (
        KafkaSink.builder()
        .set_bootstrap_servers(kafka.bootstrap_servers)
        .set_record_serializer(
            KafkaRecordSerializationSchema.builder()
            .set_topic("words")
            .set_value_serialization_schema(values)
            .build()
        )
        .build()
    )
    rows = [Row(word=word, n=n) for n, word in enumerate("abc")]
    env.from_collection(rows, kind).sink_to(sink)
    env.execute("into Kafka")
    source = (
        KafkaSource.builder()
        .set_bootstrap_servers(kafka.bootstrap_servers)
        .set_topics("words")
        .set_bounded(KafkaOffsetsInitializer.latest())
        .set_value_only_deserializer(JsonRowDeserializationSchema.builder().type_info(kind).build())
        .build()
    )
    stream = env.from_source(source, WatermarkStrategy.no_watermarks(), "Kafka")
    with stream.execute_and_collect() as results:
        read = sorted((row.word, row.n) for row in results)
    assert read == [("a", 0), ("b", 1), ("c", 2)], read

site = package.parent
mapped = {
    pathlib.Path(line.split(maxsplit=5)[5].strip())
    for line in pathlib.Path("/proc/self/maps").read_text().splitlines()
    if ".so" in line
}
names = {path: re.split(r"[-.]", path.name)[0] for path in mapped}
own = {name for path, name in names.items() if path.is_relative_to(site)}
assert own >= CARRIED, f"not loaded from the wheel: {sorted(CARRIED - own)}"
# Python itself may bring some of its own, such as libcrypto.
foreign = [str(p) for p, name in names.items() if name in CARRIED and not p.is_relative_to(site)]
assert not foreign, f"not the wheel's own: {foreign}"
print(f"check_wheel: Kafka job ran; the wheel's own: {', '.join(sorted(own & CARRIED))}")
