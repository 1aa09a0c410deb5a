"""A job with every kind of state, whose stored checkpoints and savepoints stay readable.

`python tests/python/stored_job.py FOLDER` takes a savepoint of it and keeps it as FOLDER: how the
ones under tests/data/checkpoints were made (version 1: a checkpoint, without sequence).
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
from pathlib import Path

from pyflink.common import Configuration, Row, Types, WatermarkStrategy
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors.number_seq import NumberSequenceSource
from pyflink.datastream.functions import (
    KeyedBroadcastProcessFunction,
    KeyedProcessFunction,
    SourceFunction,
)
from pyflink.datastream.state import (
    AggregatingStateDescriptor,
    ListStateDescriptor,
    MapStateDescriptor,
    ReducingStateDescriptor,
    ValueStateDescriptor,
)

KEYS = ("a", "b", "c", "d", "e", "f", "g")
RULES = MapStateDescriptor("rules", Types.STRING(), Types.STRING())
PERSON = Types.ROW_NAMED(["name", "visits"], [Types.STRING(), Types.INT()])


sequence_seen = []
"""What the running job's source with a position has brought: 1 to 3, unless that was restored."""
_rules_seen = []
"""What the running job's subtasks have put: a rule must not come behind the records it is for."""


class Silent(SourceFunction):
    """Emits its values once that many rules were put, then nothing until it is cancelled."""

    def __init__(self, values, rules_first=0):
        self._values = values
        self._rules_first = rules_first

    def run(self, ctx):
        self._stop = threading.Event()
        while len(_rules_seen) < self._rules_first:
            if self._stop.wait(0.001):
                return
        for value in self._values:
            ctx.collect(value)
        self._stop.wait()

    def cancel(self):
        self._stop.set()


class Sum:
    """Adds numbers up."""

    def create_accumulator(self):
        return 0

    def add(self, value, accumulator):
        return accumulator + value

    def get_result(self, accumulator):
        return f"sum {accumulator}"

    def merge(self, a, b):
        return a + b


class Everything(KeyedProcessFunction):
    """Keeps what it has seen in each kind of keyed state and yields all of it."""

    def open(self, runtime_context):
        from pyflink.datastream.functions import AggregateFunction

        class Adding(Sum, AggregateFunction):
            pass

        get = runtime_context
        self.count = get.get_state(ValueStateDescriptor("count", Types.LONG()))
        self.any = get.get_state(ValueStateDescriptor("any", Types.PICKLED_BYTE_ARRAY()))
        self.person = get.get_state(ValueStateDescriptor("person", PERSON))
        self.items = get.get_list_state(ListStateDescriptor("items", Types.STRING()))
        self.by_name = get.get_map_state(
            MapStateDescriptor("by_name", Types.STRING(), Types.LONG())
        )
        self.largest = get.get_reducing_state(ReducingStateDescriptor("largest", max, Types.LONG()))
        self.total = get.get_aggregating_state(
            AggregatingStateDescriptor("total", Adding(), Types.LONG())
        )

    def process_element(self, value, ctx):
        key, number = value
        self.count.update((self.count.value() or 0) + 1)
        seen = self.any.value() or {"numbers": [], "keys": set()}
        seen["numbers"].append(number)
        seen["keys"].add((key, None))
        self.any.update(seen)
        person = self.person.value()
        self.person.update(Row(name=key.upper(), visits=(person.visits if person else 0) + 1))
        self.items.add(f"{key}{number}")
        self.by_name.put(f"n{number % 2}", number)
        self.largest.add(number)
        self.total.add(number)
        ctx.timer_service().register_processing_time_timer(4_102_444_800_000 + number)
        yield repr(
            (
                key,
                self.count.value(),
                seen,
                (self.person.value().name, self.person.value().visits),
                list(self.items.get()),
                sorted(self.by_name.items()),
                self.largest.get(),
                self.total.get(),
            )
        )


class WithRules(KeyedBroadcastProcessFunction):
    """Puts the rules that it knows before each record."""

    def process_element(self, value, ctx):
        yield f"{sorted(ctx.get_broadcast_state(RULES).items())} {value}"

    def process_broadcast_element(self, value, ctx):
        ctx.get_broadcast_state(RULES).put(value, f"rule {value}")
        _rules_seen.append(value)


def start(checkpoints, numbers, rules, parallelism, restored_from=None, **options):
    """The running job and what it yields: the job, its output, an event set at `expected`."""
    configuration = Configuration().set_string("restart-strategy.type", "none")
    if restored_from is not None:
        configuration.set_string("execution.savepoint.path", str(restored_from))
    for key, value in options.items():
        configuration.set_string(key.replace("__", "-").replace("_", "."), value)
    env = StreamExecutionEnvironment.get_execution_environment(configuration)
    env.set_parallelism(parallelism).enable_checkpointing(3_600_000)
    env.get_checkpoint_config().set_checkpoint_storage_dir(Path(checkpoints).as_uri())
    pairs = [(key, number) for number in numbers for key in KEYS]
    arrived = threading.Event()
    lines = []

    def note(line):
        lines.append(line)
        if len(lines) == len(pairs):
            arrived.set()
        return line

    def note_sequence(number):
        sequence_seen.append(number)
        return number

    _rules_seen.clear()
    sequence_seen.clear()
    (
        env.from_source(NumberSequenceSource(1, 3), WatermarkStrategy.no_watermarks(), "sequence")
        .uid("sequence")
        .map(note_sequence)
        .print()
    )
    rule_stream = env.add_source(Silent(rules), type_info=Types.STRING()).uid("rules")
    (
        env.add_source(
            Silent(pairs, parallelism * len(rules)),
            type_info=Types.TUPLE([Types.STRING(), Types.LONG()]),
        )
        .uid("pairs")
        .key_by(lambda pair: pair[0], Types.STRING())
        .process(Everything(), Types.STRING())
        .uid("everything")
        .key_by(lambda line: line[2], Types.STRING())
        .connect(rule_stream.broadcast(RULES))
        .process(WithRules(), Types.STRING())
        .uid("with-rules")
        .map(note)
        .set_parallelism(1)
        .print()
    )
    return env.execute_async("stored job"), lines, arrived


def main():
    """Writes one savepoint."""
    with tempfile.TemporaryDirectory() as folder:
        job, _lines, arrived = start(folder, (1, 2), ("x", "y"), 2)
        assert arrived.wait(30)
        while len(sequence_seen) < 3:
            assert not job.is_done()
        shutil.copytree(job.stop_with_savepoint(False, folder).result(), sys.argv[1])


if __name__ == "__main__":
    main()
