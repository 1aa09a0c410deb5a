"""Sources that cut their splits themselves, restored at other parallelisms from savepoints."""

from __future__ import annotations

import threading

import pytest

from pyflink.common import Configuration, Types, WatermarkStrategy
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors.datagen import DataGeneratorSource
from pyflink.datastream.connectors.hybrid_source import HybridSource
from pyflink.datastream.connectors.number_seq import NumberSequenceSource

LAST = 2_000_000
"""Several times what the exchanges behind a source hold."""


def generated(parallelism: int) -> DataGeneratorSource:
    return DataGeneratorSource(
        Types.ROW_NAMED(["n"], [Types.LONG()]),
        rows_per_second=0,
        splits=parallelism,
        fields={"n": {"kind": "sequence", "start": 1, "end": LAST}},
    )


def hybrid(parallelism: int) -> HybridSource:
    first = NumberSequenceSource(1, LAST // 2)
    return HybridSource.builder(first).add_source(NumberSequenceSource(LAST // 2 + 1, LAST)).build()


SOURCES = {
    "sequence": lambda parallelism: NumberSequenceSource(1, LAST),
    "datagen": generated,
    "hybrid": hybrid,
}


@pytest.mark.parametrize("source", SOURCES)
def test_every_number_comes_once_at_every_parallelism(tmp_path, source):
    seen: list[int] = []
    savepoint = None
    for parallelism, share in ((1, 0.02), (3, 0.2), (2, None)):
        enough = threading.Event()
        go_on = threading.Event()
        begin = len(seen)

        def note(value, begin=begin, share=share, enough=enough, go_on=go_on):
            seen.append(value if isinstance(value, int) else value.n)
            if share is not None and len(seen) - begin >= LAST * share / 2:
                enough.set()
                go_on.wait(30)
            return value

        settings = Configuration()
        settings.set_string("execution.checkpointing.interval", "1h")
        settings.set_string("restart-strategy.type", "none")
        if savepoint is not None:
            settings.set_string("execution.savepoint.path", savepoint)
        env = StreamExecutionEnvironment.get_execution_environment(settings)
        env.set_parallelism(parallelism)
        (
            env.from_source(
                SOURCES[source](parallelism), WatermarkStrategy.no_watermarks(), "numbers"
            )
            .uid("numbers")
            .map(note)
            .uid("note")
            .filter(lambda _value: False)
            .uid("none")
            .print()
            .uid("print")
        )
        job = env.execute_async()
        if share is None:
            job.get_job_execution_result().result()
        else:
            assert enough.wait(30)
            stopping = job.stop_with_savepoint(False, str(tmp_path))
            go_on.set()
            savepoint = stopping.result()
    assert sorted(seen) == list(range(1, LAST + 1))
