"""Sources and sinks of files, sequences."""

import datetime
import decimal
import os
import tempfile
from pathlib import Path

from harness import case

from pyflink.common import Encoder, Row, Types, WatermarkStrategy
from pyflink.datastream.connectors.file_system import (
    FileSink,
    FileSource,
    OutputFileConfig,
    RollingPolicy,
    StreamFormat,
)
from pyflink.datastream.connectors.number_seq import NumberSequenceSource

NAMED = Types.ROW_NAMED(["id", "text"], [Types.INT(), Types.STRING()])


def text_file(content):
    path = Path(tempfile.mkdtemp()) / "input.txt"
    path.write_bytes(content.encode())
    return str(path)


def read_back(folder):
    lines = []
    for file in Path(folder).rglob("*"):
        if file.is_file():
            lines += file.read_text(encoding="utf-8").split("\n")[:-1]
    return sorted(lines)


def lines_of(env, content):
    source = FileSource.for_record_stream_format(
        StreamFormat.text_line_format(), text_file(content)
    ).build()
    return env.from_source(source, WatermarkStrategy.no_watermarks(), "file")


@case()
def text_line_source(env):
    return lines_of(env, "one\ntwo\nthree\n")


@case()
def text_line_source_without_last_newline(env):
    return lines_of(env, "one\n\ntwo")


@case()
def text_line_source_with_windows_newlines(env):
    return lines_of(env, "one\r\ntwo\r\n")


@case()
def text_line_source_then_map(env):
    return lines_of(env, "1\n2\n").map(lambda line: int(line) * 10, Types.INT())


@case()
def read_text_file(env):
    return env.read_text_file(text_file("grün\n\nb"))


@case(ordered=False)
def number_sequence(env):
    source = NumberSequenceSource(3, 9)
    return env.from_source(source, WatermarkStrategy.no_watermarks(), "seq", Types.LONG())


@case(ordered=False)
def number_sequence_at_four(env):
    env.set_parallelism(4)
    source = NumberSequenceSource(1, 10)
    ds = env.from_source(source, WatermarkStrategy.no_watermarks(), "seq", Types.LONG())
    return ds.map(lambda v: v * v, Types.LONG())


def sunk(env, ds, parallelism=1, **config):
    folder = tempfile.mkdtemp()
    builder = FileSink.for_row_format(folder, Encoder.simple_string_encoder())
    builder = builder.with_rolling_policy(RollingPolicy.default_rolling_policy())
    if config:
        file_config = OutputFileConfig.builder()
        for name, value in config.items():
            getattr(file_config, name)(value)
        builder = builder.with_output_file_config(file_config.build())
    ds.sink_to(builder.build()).set_parallelism(parallelism)
    env.execute()
    return folder


@case()
def file_sink_of_strings(env):
    ds = env.from_collection(["a", "b", "grün"], type_info=Types.STRING())
    return read_back(sunk(env, ds))


@case()
def file_sink_of_ints(env):
    return read_back(sunk(env, env.from_collection([1, 2, -3], type_info=Types.INT())))


@case()
def file_sink_of_rows(env):
    ds = env.from_collection([Row(1, "a"), Row(2, None)], type_info=NAMED)
    return read_back(sunk(env, ds))


@case()
def file_sink_of_tuples(env):
    kind = Types.TUPLE([Types.DOUBLE(), Types.STRING(), Types.BOOLEAN()])
    return read_back(sunk(env, env.from_collection([(1.5, "a", True)], type_info=kind)))


@case()
def file_sink_names_its_parts(env):
    ds = env.from_collection(["a"], type_info=Types.STRING())
    folder = sunk(env, ds, with_part_prefix="pre", with_part_suffix=".txt")
    names = [name for _, _, names in os.walk(folder) for name in names]
    return [(name[:4], name[-6:]) for name in names]


@case()
def file_sink_of_doubles_and_nulls_in_rows(env):
    kind = Types.ROW([Types.DOUBLE(), Types.FLOAT(), Types.BOOLEAN(), Types.LONG()])
    rows = [Row(1e10, 1.5, False, None), Row(float("nan"), -0.0, None, 2**40)]
    return read_back(sunk(env, env.from_collection(rows, type_info=kind)))


@case()
def file_sink_of_nested_values(env):
    kind = Types.ROW(
        [
            Types.TUPLE([Types.INT(), Types.STRING()]),
            Types.LIST(Types.INT()),
            Types.MAP(Types.STRING(), Types.INT()),
            Types.ROW([Types.STRING()]),
        ]
    )
    rows = [Row((1, "a"), [1, 2], {"k": 3}, Row("x"))]
    return read_back(sunk(env, env.from_collection(rows, type_info=kind)))


@case()
def file_sink_of_computed_numbers(env):
    ds = env.from_collection([1, 2], type_info=Types.INT()).map(lambda v: v / 2, Types.DOUBLE())
    return read_back(sunk(env, ds))


@case()
def file_sink_of_decimals_and_dates(env):
    kind = Types.TUPLE([Types.BIG_DEC(), Types.SQL_DATE(), Types.SQL_TIMESTAMP()])
    value = (
        decimal.Decimal("1.50"),
        datetime.date(2026, 3, 1),
        datetime.datetime(2026, 3, 1, 4, 5, 6, 700000),
    )
    return read_back(sunk(env, env.from_collection([value], type_info=kind)))
