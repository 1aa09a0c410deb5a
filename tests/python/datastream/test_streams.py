import threading

import pytest

from pyflink.common import Row, Time, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import (
    AggregateFunction,
    BroadcastProcessFunction,
    CoMapFunction,
    KeyedProcessFunction,
    OutputTag,
    ProcessFunction,
    ProcessWindowFunction,
    RuntimeExecutionMode,
    SourceFunction,
    StreamExecutionEnvironment,
)
from pyflink.datastream.connectors.number_seq import NumberSequenceSource
from pyflink.datastream.functions import ProcessAllWindowFunction
from pyflink.datastream.state import MapStateDescriptor, ValueStateDescriptor
from pyflink.datastream.window import (
    CountTrigger,
    EventTimeSessionWindows,
    GlobalWindows,
    TumblingEventTimeWindows,
    TumblingProcessingTimeWindows,
)

PAIR = Types.TUPLE([Types.STRING(), Types.INT()])


@pytest.fixture
def env():
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(2)
    return env


def collect(stream):
    with stream.execute_and_collect() as records:
        return list(records)


class Second(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value[1]


BY_SECOND = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(Second())


def test_map_filter_flat_map(env):
    stream = env.from_collection([1, 2, 3]).map(lambda x: x * 2).filter(lambda x: x > 2)
    assert sorted(collect(stream.flat_map(range))) == sorted([*range(4), *range(6)])


def test_one_environment_executes_one_program_after_the_other(env, capsys):
    env.from_collection([1]).print()
    env.execute("first")
    stream = env.from_collection([2])
    assert collect(stream) == [2]
    assert collect(stream) == [2]
    assert capsys.readouterr().out.strip().endswith("1")


def test_a_program_that_cannot_be_built_is_not_part_of_the_next_one(env, capsys):
    for wrong in (lambda s: s.map(lambda x: x).uid("a").map(lambda x: x).uid("a"), many_subtasks):
        wrong(env.from_collection([1])).print()
        with pytest.raises(ValueError, match=r"uid 'a'|above its maximum") as failed:
            env.execute()
        assert "nothing of this program was executed; build it again" in failed.value.__notes__
        env.from_collection([7]).print().set_parallelism(1)
        env.execute()
        assert capsys.readouterr().out == "7\n"


def many_subtasks(stream):
    return stream.map(lambda x: x).set_parallelism(8).set_max_parallelism(4)


class Seven(SourceFunction):
    def run(self, ctx):
        ctx.collect(7)

    def cancel(self):
        pass


def test_a_program_whose_settings_are_mended_runs(env, capsys):
    env.set_runtime_mode(RuntimeExecutionMode.BATCH)
    env.add_source(Seven()).print().set_parallelism(1)
    with pytest.raises(ValueError, match="UNBOUNDED"):
        env.execute()
    env.set_runtime_mode(RuntimeExecutionMode.STREAMING)
    env.execute()
    assert capsys.readouterr().out == "7\n"


def test_several_jobs_at_once(env):
    clients = []
    for number in range(3):
        env.from_collection([number]).map(lambda x: x)
        clients.append(env.execute_async(f"job {number}"))
    results = [client.get_job_execution_result().result() for client in clients]
    assert len({str(r.get_job_id()) for r in results}) == 3
    assert all(client.is_done() for client in clients)


def test_limit(env):
    records = env.from_source(
        NumberSequenceSource(0, 10_000_000), WatermarkStrategy.no_watermarks(), "numbers"
    ).execute_and_collect(limit=5)
    assert len(records) == 5


def test_a_limit_does_not_wait_for_one_record_more(env):
    over = threading.Event()
    cancelled = []

    class Silent(SourceFunction):
        """Six records, and then nothing until it is cancelled."""

        def run(self, ctx):
            for number in range(6):
                ctx.collect(number)
            cancelled.append(over.wait(20))

        def cancel(self):
            over.set()

    assert env.add_source(Silent()).execute_and_collect(limit=6) == list(range(6))
    assert cancelled == [True], "it waited for the end of the source"


def test_declared_types_coerce(env):
    stream = env.from_collection([(43878, 1.23)], Types.ROW([Types.SHORT(), Types.FLOAT()]))
    row = collect(stream.map(lambda r: r))[0]
    assert row[0] == -21658
    assert row == Row(f0=-21658, f1=row[1])


def test_reduce_and_aggregations_emit_every_result(env):
    data = [("a", 1), ("b", 5), ("a", 3)]
    assert sorted(collect(env.from_collection(data, PAIR).key_by(lambda x: x[0]).sum(1))) == [
        ("a", 1), ("a", 4), ("b", 5),
    ]  # fmt: skip
    reduced = (
        env.from_collection(data).key_by(lambda x: x[0]).reduce(lambda a, b: (a[0], a[1] * b[1]))
    )
    assert sorted(collect(reduced)) == [("a", 1), ("a", 3), ("b", 5)]


def test_batch_mode_emits_the_last_result(env):
    env.set_runtime_mode(RuntimeExecutionMode.BATCH)
    data = [("a", 1), ("b", 5), ("a", 3)]
    stream = (
        env.from_collection(data, PAIR)
        .key_by(lambda x: x[0])
        .reduce(lambda a, b: (a[0], a[1] + b[1]))
    )
    assert sorted(collect(stream)) == [("a", 4), ("b", 5)]


def test_a_keyed_stream_collects_key_and_value(env):
    rows = collect(env.from_collection([("a", 1)]).key_by(lambda x: x[0]))
    assert rows == [Row(f0="a", f1=("a", 1))]


class Counting(KeyedProcessFunction):
    def open(self, runtime_context):
        self.count = runtime_context.get_state(ValueStateDescriptor("count", Types.LONG()))
        self.seen = runtime_context.get_map_state(
            MapStateDescriptor("seen", Types.INT(), Types.BOOLEAN())
        )

    def process_element(self, value, ctx):
        self.count.update((self.count.value() or 0) + 1)
        self.seen[value[1]] = True
        ctx.timer_service().register_event_time_timer(value[1] + 100)
        yield ctx.get_current_key(), self.count.value(), sorted(self.seen.keys()), ctx.timestamp()

    def on_timer(self, timestamp, ctx):
        yield ctx.get_current_key(), "timer", timestamp


def test_keyed_state_and_timers(env):
    data = [("a", 1), ("a", 2), ("b", 3)]
    stream = env.from_collection(data).assign_timestamps_and_watermarks(BY_SECOND)
    stream.set_parallelism(1)  # so that the records of a key stay in order
    out = collect(stream.key_by(lambda x: x[0]).process(Counting()))
    assert [r for r in out if r[0] == "a"] == [
        ("a", 1, [1], 1), ("a", 2, [1, 2], 2), ("a", "timer", 101), ("a", "timer", 102),
    ]  # fmt: skip
    assert [r for r in out if r[0] == "b"] == [("b", 1, [3], 3), ("b", "timer", 103)]


HOUR = 3_600_000


class InAnHour(KeyedProcessFunction):
    """A processing timer in an hour, which sets one for an hour later and an event timer."""

    def open(self, runtime_context):
        self.fired = runtime_context.get_state(ValueStateDescriptor("fired", Types.LONG()))

    def process_element(self, value, ctx):
        timers = ctx.timer_service()
        timers.register_processing_time_timer(timers.current_processing_time() + HOUR)

    def on_timer(self, timestamp, ctx):
        fired = (self.fired.value() or 0) + 1
        self.fired.update(fired)
        yield ctx.get_current_key(), fired, ctx.time_domain().name
        if fired == 1:
            ctx.timer_service().register_processing_time_timer(timestamp + HOUR)
            ctx.timer_service().register_event_time_timer(5)


@pytest.mark.parametrize("mode", [RuntimeExecutionMode.BATCH, RuntimeExecutionMode.STREAMING])
def test_pending_processing_timers_fire_at_the_end_in_batch_only(env, mode):
    env.set_runtime_mode(mode)
    stream = env.from_collection([("a", 1), ("b", 2)], PAIR).key_by(lambda x: x[0])
    out = collect(stream.process(InAnHour()))
    if mode == RuntimeExecutionMode.STREAMING:
        assert out == []
        return
    for key in ("a", "b"):
        fired = [r for r in out if r[0] == key]
        # the processing timer that a timer sets is ignored, or such timers would never end
        assert [r[1:] for r in fired] == [(1, "PROCESSING_TIME"), (2, "EVENT_TIME")]


def test_batch_mode_closes_processing_time_windows_at_the_end(env):
    env.set_runtime_mode(RuntimeExecutionMode.BATCH)
    stream = env.from_collection([("a", 1), ("b", 5), ("a", 3)], PAIR)
    windowed = stream.key_by(lambda x: x[0]).window(TumblingProcessingTimeWindows.of(Time.days(1)))
    out = collect(windowed.reduce(lambda x, y: (x[0], x[1] + y[1])))
    assert sorted(out) == [("a", 4), ("b", 5)]


def test_tumbling_windows_reduce_aggregate_and_process(env):
    data = [("a", 1), ("a", 2), ("a", 6), ("b", 7)]
    stream = env.from_collection(data).assign_timestamps_and_watermarks(BY_SECOND)
    windowed = stream.key_by(lambda x: x[0]).window(
        TumblingEventTimeWindows.of(Time.milliseconds(5))
    )

    class Total(AggregateFunction):
        def create_accumulator(self):
            return 0

        def add(self, value, accumulator):
            return accumulator + value[1]

        def get_result(self, accumulator):
            return accumulator

        def merge(self, acc_a, acc_b):
            return acc_a + acc_b

    class Bounds(ProcessWindowFunction):
        def process(self, key, context, elements):
            yield key, context.window().start, context.window().end, list(elements)

    out = collect(windowed.aggregate(Total(), Bounds()))
    assert sorted(out) == [("a", 0, 5, [3]), ("a", 5, 10, [6]), ("b", 5, 10, [7])]
    out = collect(windowed.reduce(lambda x, y: (x[0], x[1] + y[1])))
    assert sorted(out) == [("a", 3), ("a", 6), ("b", 7)]


def test_sessions_merge(env):
    data = [("a", 1), ("a", 3), ("a", 20)]
    stream = env.from_collection(data, PAIR).assign_timestamps_and_watermarks(BY_SECOND)
    windowed = stream.key_by(lambda x: x[0]).window(
        EventTimeSessionWindows.with_gap(Time.milliseconds(5))
    )
    assert sorted(collect(windowed.reduce(lambda x, y: (x[0], x[1] + y[1])))) == [
        ("a", 4),
        ("a", 20),
    ]


def test_count_windows_and_triggers_drop_the_rest(env):
    data = [("a", n) for n in range(5)]
    total = lambda x, y: (x[0], x[1] + y[1])  # noqa: E731
    keyed = env.from_collection(data).key_by(lambda x: x[0])
    assert collect(keyed.count_window(2).reduce(total)) == [("a", 1), ("a", 5)]
    on_global = keyed.window(GlobalWindows.create()).trigger(CountTrigger.of(4))
    assert collect(on_global.reduce(total)) == [("a", 6)]


def test_late_records_go_to_their_side_output(env):
    class EveryRecord:
        def on_event(self, event, timestamp, output):
            output.emit_watermark(timestamp)

        def on_periodic_emit(self, output): ...

    strategy = WatermarkStrategy.for_generator(EveryRecord).with_timestamp_assigner(Second())
    late = OutputTag("late")
    main = (
        env.from_collection([("a", 1), ("a", 20), ("a", 2)])
        .assign_timestamps_and_watermarks(strategy)
        .set_parallelism(1)
        .key_by(lambda x: x[0])
        .window(TumblingEventTimeWindows.of(Time.milliseconds(5)))
        .side_output_late_data(late)
        .reduce(lambda x, y: x)
    )
    assert collect(main.get_side_output(late)) == [("a", 2)]


def test_window_all_has_no_key(env):
    class Everything(ProcessAllWindowFunction):
        def process(self, context, elements):
            yield sorted(e[1] for e in elements)

    stream = env.from_collection([("a", 1), ("b", 2)]).assign_timestamps_and_watermarks(BY_SECOND)
    windowed = stream.window_all(TumblingEventTimeWindows.of(Time.milliseconds(5)))
    assert collect(windowed.process(Everything())) == [[1, 2]]


def test_side_outputs_with_types_and_after_a_map(env):
    odd = OutputTag("odd", Types.INT())
    text = OutputTag("text", Types.STRING())

    class Split(ProcessFunction):
        def process_element(self, value, ctx):
            if value % 2:
                yield odd, value
            yield text, str(value)
            yield value

    main = env.from_collection([1, 2, 3]).process(Split()).map(lambda x: -x)
    assert sorted(collect(main.get_side_output(odd))) == [1, 3]
    assert sorted(collect(main.get_side_output(text))) == ["1", "2", "3"]
    with pytest.raises(TypeError, match="no process or window function"):
        env.from_collection([1]).get_side_output(odd)


def test_union_and_connect(env):
    one, two = env.from_collection([1, 2]), env.from_collection([3])
    assert sorted(collect(one.union(two).map(lambda x: x))) == [1, 2, 3]

    class Both(CoMapFunction):
        def map1(self, value):
            return "left", value

        def map2(self, value):
            return "right", value

    assert sorted(collect(one.connect(two).map(Both()))) == [("left", 1), ("left", 2), ("right", 3)]


def test_broadcast_state_reaches_every_subtask(env):
    descriptor = MapStateDescriptor("rules", Types.STRING(), Types.INT())

    class Rules(BroadcastProcessFunction):
        def process_element(self, value, ctx):
            yield value, ctx.get_broadcast_state(descriptor).get("limit")

        def process_broadcast_element(self, value, ctx):
            ctx.get_broadcast_state(descriptor).put("limit", value)
            yield "rule", value

    out = collect(
        env.from_collection([1])
        .connect(env.from_collection([9]).broadcast(descriptor))
        .process(Rules())
    )
    assert out.count(("rule", 9)) == 2
    assert len(out) == 3


def test_broadcast_state_is_used_like_a_dictionary(env):
    descriptor = MapStateDescriptor("rules", Types.STRING(), Types.INT())

    class Rules(BroadcastProcessFunction):
        def process_element(self, value, ctx):
            state = ctx.get_broadcast_state(descriptor)
            assert "a" in state
            assert "b" not in state
            with pytest.raises(ValueError, match="read-only in process_element"):
                state["b"] = 1
            with pytest.raises(ValueError, match="read-only in process_element"):
                del state["a"]
            yield sorted(state), state["a"], state["b"]

        def process_broadcast_element(self, value, ctx):
            state = ctx.get_broadcast_state(descriptor)
            state["a"] = value
            state["b"] = value
            del state["b"]
            del state["missing"]
            return []

    env.set_parallelism(1)
    env.set_runtime_mode(RuntimeExecutionMode.BATCH)
    out = collect(
        env.from_collection([1])
        .connect(env.from_collection([9]).broadcast(descriptor))
        .process(Rules())
    )
    assert out == [(["a"], 9, None)]


def test_partition_custom_gets_the_next_parallelism(env):
    seen = []

    def partitioner(key, partitions):
        seen.append(partitions)
        return key % partitions

    stream = env.from_collection([1, 2, 3]).partition_custom(partitioner, lambda x: x)
    assert sorted(collect(stream.map(lambda x: x).set_parallelism(3))) == [1, 2, 3]
    assert set(seen) == {3}


def test_text_files(env, tmp_path):
    file = tmp_path / "lines.txt"
    file.write_text("a\nb\n")
    assert sorted(collect(env.read_text_file(str(file)))) == ["a", "b"]


def test_a_users_exception_reaches_the_caller(env):
    def boom(value):
        raise KeyError("my own words")

    env.from_collection([1]).map(boom).print()
    with pytest.raises(KeyError, match="my own words"):
        env.execute()


def test_an_added_file_can_be_imported(env, tmp_path):
    (tmp_path / "flott_test_helper_module.py").write_text("def twice(x):\n    return 2 * x\n")
    env.add_python_file(str(tmp_path / "flott_test_helper_module.py"))

    def use(value):
        from flott_test_helper_module import twice

        return twice(value)

    assert collect(env.from_collection([2]).map(use)) == [4]
