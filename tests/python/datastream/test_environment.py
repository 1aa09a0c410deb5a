import ast

import pytest

from pyflink.common import Configuration, Time, Types, WatermarkStrategy
from pyflink.datastream import (
    CheckpointingMode,
    MemorySize,
    RuntimeExecutionMode,
    SlotSharingGroup,
    StreamExecutionEnvironment,
)
from pyflink.datastream.window import (
    EventTimeSessionWindows,
    PurgingTrigger,
    SlidingEventTimeWindows,
    Trigger,
    TumblingEventTimeWindows,
)


@pytest.fixture
def env():
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(2)
    return env


def test_defaults(env):
    assert env.get_checkpoint_interval() == -1
    assert env.get_state_backend() is None
    assert env.is_changelog_state_backend_enabled() is None
    config = env.get_checkpoint_config()
    assert config.get_checkpoint_timeout() == 600_000
    assert config.get_checkpointing_mode() == CheckpointingMode.EXACTLY_ONCE
    assert env.get_config().get_auto_watermark_interval() == 200


def test_configure_understands_flinks_names(env):
    conf = Configuration()
    conf.set_string("parallelism.default", "3")
    conf.set_string("pipeline.operator-chaining", "false")
    conf.set_string("execution.buffer-timeout", "1 min")
    conf.set_string("execution.checkpointing.timeout", "5 s")
    conf.set_string("execution.runtime-mode", "BATCH")
    conf.set_string("something.else", "kept")
    env.configure(conf)
    assert env.get_parallelism() == 3
    assert not env.is_chaining_enabled()
    assert env.get_buffer_timeout() == 60_000
    assert env.get_checkpoint_config().get_checkpoint_timeout() == 5000
    assert env._runtime_mode is RuntimeExecutionMode.BATCH
    with pytest.raises(ValueError, match=r"parallelism\.default"):
        env.configure(Configuration().set_string("parallelism.default", "many"))


def test_checkpoint_paths_are_normalised(env):
    env.get_checkpoint_config().set_checkpoint_storage_dir("file://var/checkpoints/")
    storage = env.get_checkpoint_config().get_checkpoint_storage()
    assert storage.get_checkpoint_path() == "file://var/checkpoints"


def test_the_plan_is_a_python_literal(env):
    stream = env.from_collection([(1, "a")], Types.TUPLE([Types.INT(), Types.STRING()]))
    stream.map(lambda x: x).set_parallelism(3).key_by(lambda x: x).map(str).print()
    plan = ast.literal_eval(env.get_execution_plan())
    nodes = plan["nodes"]
    assert [n["pact"] for n in nodes] == ["Data Source", *["Operator"] * 3, "Data Sink"]
    assert [n["parallelism"] for n in nodes] == [1, 3, 3, 2, 2]
    ships = [n["predecessors"][0]["ship_strategy"] for n in nodes[1:]]
    assert ships == ["REBALANCE", "FORWARD", "HASH", "FORWARD"]


def test_nothing_to_execute(env):
    env.from_collection([1])
    with pytest.raises(RuntimeError, match="No operators defined in streaming topology"):
        env.execute()


@pytest.mark.parametrize(
    ("use", "error", "message"),
    [
        (lambda s: s.key_by(None), TypeError, "key_selector"),
        (lambda s: s.map(3), TypeError, "MapFunction or a callable"),
        (lambda s: s.map(str, output_type=Types.STRING), TypeError, "output_type of map"),
        (lambda s: s.map(str).set_parallelism(0), ValueError, "at least 1"),
        (lambda s: s.process(str), TypeError, "ProcessFunction is required"),
        (lambda s: s.key_by(str).shuffle(), TypeError, "Cannot override partitioning"),
        (lambda s: s.key_by(str).name("x"), TypeError, "not supported"),
        (lambda s: s.key_by(str).window(TumblingEventTimeWindows), TypeError, "WindowAssigner"),
        (lambda s: s.window_all(3), TypeError, "WindowAssigner"),
        (lambda s: s.sink_to(3), TypeError, "needs a sink"),
        (lambda s: s.union(3), TypeError, "needs DataStreams"),
        (lambda s: s.connect(3), TypeError, "needs a DataStream"),
        (lambda s: s.project(0), TypeError, "Tuple"),
        (lambda s: s.key_by(str).sum([0]), TypeError, "int or str"),
        (lambda s: s.assign_timestamps_and_watermarks(3), TypeError, "WatermarkStrategy"),
    ],
)
def test_wrong_use_fails_where_it_is_written(env, use, error, message):
    with pytest.raises(error, match=message):
        use(env.from_collection([1, 2]))


def test_windows_check_their_sizes():
    with pytest.raises(ValueError, match="greater than zero"):
        TumblingEventTimeWindows.of(Time.seconds(-1))
    with pytest.raises(ValueError, match="offset"):
        SlidingEventTimeWindows.of(Time.seconds(5), Time.seconds(2), Time.seconds(2))


def test_session_windows_need_a_merging_trigger(env):
    class Once(Trigger):
        def on_element(self, element, timestamp, window, ctx): ...
        def on_processing_time(self, time, window, ctx): ...
        def on_event_time(self, time, window, ctx): ...
        def clear(self, window, ctx): ...

    windowed = (
        env.from_collection([1])
        .key_by(str)
        .window(EventTimeSessionWindows.with_gap(Time.seconds(1)))
    )
    with pytest.raises(TypeError, match="does not support merging"):
        windowed.trigger(PurgingTrigger.of(Once()))


def test_slot_sharing_groups_need_cpu_and_heap():
    with pytest.raises(ValueError, match="cpu cores and task heap memory are required"):
        SlotSharingGroup.builder("g").set_cpu_cores(1.0).build()
    with pytest.raises(ValueError, match="positive"):
        SlotSharingGroup.builder("g").set_task_heap_memory_mb(0)
    group = SlotSharingGroup.builder("g").set_cpu_cores(1.0).set_task_heap_memory_mb(10).build()
    assert group.get_task_heap_memory() == MemorySize.of_mebi_bytes(10)


def test_batch_mode_refuses_an_unbounded_source(env):
    class Ticks:
        def run(self, ctx): ...
        def cancel(self): ...

    env.set_runtime_mode(RuntimeExecutionMode.BATCH)
    env.add_source(Ticks()).print()
    with pytest.raises(ValueError, match="UNBOUNDED"):
        env.execute()


def test_a_strategy_keeps_its_assigner_with_idleness():
    class Zero:
        def extract_timestamp(self, value, record_timestamp):
            return 0

    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(Zero())
    generator, assigner, idle = strategy.with_idleness(Time.seconds(1))._native_spec()
    assert generator == ("monotonous",)
    assert isinstance(assigner, Zero)
    assert idle == 1000


def test_windows_are_called_by_their_assigner_in_the_plan(env):
    stream = env.from_collection([(1, "a")], Types.TUPLE([Types.INT(), Types.STRING()]))
    windows = stream.key_by(lambda x: x[0]).window(TumblingEventTimeWindows.of(Time.seconds(1)))
    windows.reduce(lambda a, b: a).print()
    node = ast.literal_eval(env.get_execution_plan())["nodes"][2]
    assert node["type"] == "TumblingEventTimeWindows"
    assert node["contents"] == (
        "Window(TumblingEventTimeWindows(1000, 0), EventTimeTrigger, function)"
    )


def test_watermarks_without_an_assigner_run_beside_their_input(env):
    stream = env.from_collection([1])
    plain = WatermarkStrategy.for_monotonous_timestamps()
    stream.assign_timestamps_and_watermarks(plain).print()
    assigning = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(
        lambda value, _: value
    )
    stream.assign_timestamps_and_watermarks(assigning).print()
    nodes = ast.literal_eval(env.get_execution_plan())["nodes"]
    found = [n["parallelism"] for n in nodes if n["type"] == "Timestamps/Watermarks"]
    assert found == [1, 2]
