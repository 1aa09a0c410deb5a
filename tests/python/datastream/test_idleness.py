"""Sources and generators that say themselves that nothing will come for a while."""

import threading

import pytest

from pyflink.common import Types, WatermarkStrategy
from pyflink.datastream import ProcessFunction, SourceFunction, StreamExecutionEnvironment

PATIENCE = 30


class Seen:
    """Watermarks the last operator saw; shared by the test and the job's threads."""

    def __init__(self):
        self.highest = -1
        self.changed = threading.Condition()

    def __deepcopy__(self, memo):
        return self  # subtasks get copies of their functions: they share this

    def note(self, watermark):
        with self.changed:
            self.highest = max(self.highest, watermark)
            self.changed.notify_all()

    def wait_for(self, watermark):
        with self.changed:
            return self.changed.wait_for(lambda: self.highest >= watermark, PATIENCE)


class Gate:
    """Lets a source end when the test has seen what it wanted."""

    def __init__(self):
        self.open = threading.Event()

    def __deepcopy__(self, memo):
        return self


class Rising(SourceFunction):
    """A record and a watermark of each number, until the gate opens."""

    def __init__(self, gate):
        self.gate = gate

    def run(self, ctx):
        number = 0
        while not self.gate.open.wait(0.001):
            number += 1
            ctx.collect_with_timestamp(number, number)
            ctx.emit_watermark(number)

    def cancel(self):
        self.gate.open.set()


class Silent(SourceFunction):
    """One record, then nothing until the gate opens; idle if it is told to say so."""

    def __init__(self, gate, says_so):
        self.gate = gate
        self.says_so = says_so

    def run(self, ctx):
        ctx.collect_with_timestamp(0, 0)
        ctx.emit_watermark(0)
        if self.says_so:
            ctx.mark_as_temporarily_idle()
        self.gate.open.wait(PATIENCE)

    def cancel(self):
        self.gate.open.set()


class Watching(ProcessFunction):
    def __init__(self, seen):
        self.seen = seen

    def process_element(self, value, ctx):
        self.seen.note(ctx.timer_service().current_watermark())


class Generator:
    """A watermark for each record; idle behind a negative one, active again behind 0."""

    def on_event(self, event, event_timestamp, output):
        if event < 0:
            output.mark_idle()
        elif event == 0:
            output.mark_active()
        else:
            output.emit_watermark(event)

    def on_periodic_emit(self, output):
        pass


@pytest.fixture
def env():
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(1)
    env.get_config().set_auto_watermark_interval(5)
    return env


def test_an_idle_source_function_does_not_hold_back_the_other(env):
    gate, seen = Gate(), Seen()
    both = env.add_source(Rising(gate), "rising").union(
        env.add_source(Silent(gate, True), "silent")
    )
    both.process(Watching(seen)).print()
    client = env.execute_async()
    try:
        assert seen.wait_for(20)
    finally:
        gate.open.set()
        client.get_job_execution_result().result()


def test_a_generator_that_marks_itself_idle_does_not_hold_back_the_other(env):
    gate, seen = Gate(), Seen()
    rising = env.add_source(Rising(gate), "rising", Types.LONG())
    # the source without end keeps the stream open: its record is taken out
    silent = env.from_collection([1, -1], Types.LONG()).union(
        env.add_source(Silent(gate, False), "open", Types.LONG()).filter(lambda value: value > 0)
    )
    silent = silent.assign_timestamps_and_watermarks(WatermarkStrategy.for_generator(Generator))
    rising.union(silent).process(Watching(seen)).print()
    client = env.execute_async()
    try:
        assert seen.wait_for(20)
    finally:
        gate.open.set()
        client.get_job_execution_result().result()


class GeneratorThatWakes(Generator):
    """Idle, active again by its own word, and then its watermarks count again."""

    def on_periodic_emit(self, output):
        output.mark_idle()
        output.mark_active()


def test_a_generator_that_is_active_again_brings_its_watermarks(env):
    seen = Seen()
    stream = env.from_collection([-1, 0, 7, 8], Types.LONG())
    stream = stream.assign_timestamps_and_watermarks(
        WatermarkStrategy.for_generator(GeneratorThatWakes)
    )
    stream.process(Watching(seen)).print()
    env.execute()
    assert seen.highest == 7
