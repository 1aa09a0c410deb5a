"""One attempt of a job, in a process of its own: `python -u tests/faults/job.py attempt.json`.

The file says which shape (tests/faults/shapes.py), where it reads and writes, from which checkpoint
it starts, and at which record it ends itself (tests/faults/plan.py has the kinds of kills).
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from pyflink.common import Configuration, Duration, Time, Types, WatermarkStrategy
from pyflink.common.serialization import SimpleStringSchema
from pyflink.datastream import (
    AggregateFunction,
    DataStream,
    KeyedBroadcastProcessFunction,
    KeyedCoProcessFunction,
    KeyedProcessFunction,
    ProcessWindowFunction,
    StreamExecutionEnvironment,
)
from pyflink.datastream.connectors import DeliveryGuarantee
from pyflink.datastream.connectors.kafka import (
    KafkaOffsetsInitializer,
    KafkaRecordSerializationSchema,
    KafkaSink,
    KafkaSource,
)
from pyflink.datastream.state import (
    AggregatingStateDescriptor,
    ListStateDescriptor,
    MapStateDescriptor,
    ReducingStateDescriptor,
    ValueStateDescriptor,
)
from pyflink.datastream.window import (
    EventTimeSessionWindows,
    SlidingEventTimeWindows,
    TumblingEventTimeWindows,
)
from tests.faults.shapes import (
    BUCKET_MS,
    CLOSING,
    DISORDER_MS,
    GAP_MS,
    SLIDE_MS,
    SLIDING_MS,
    TUMBLING_MS,
    state_line,
)

PARSED = Types.PICKLED_BYTE_ARRAY()
CLOCK_DELAY_MS = 3


def end_with_parent() -> None:
    """The job ends with the test that started it, whatever ends that."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Meter:
    """Counts the records that the attempt reads, and does at one of them what the plan says."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.pace_s: float = settings["pace_us"] / 1e6
        self.at: int = settings["at_record"]
        self.act: str = settings["act"]
        self.delay_s: float = settings["delay_us"] / 1e6
        self.seen = 0
        self.lock = threading.Lock()

    def count(self) -> None:
        with self.lock:
            self.seen += 1
            reached = self.seen == self.at
        if reached:
            self.reach()
        if self.pace_s:
            time.sleep(self.pace_s)

    def reach(self) -> None:
        if self.act == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.act == "kill-later":
            threading.Thread(target=self.kill_later, daemon=True).start()
        elif self.act:
            print("reached", flush=True)
            if self.act == "raise":
                raise RuntimeError("planned failure")

    def kill_later(self) -> None:
        time.sleep(self.delay_s)
        os.kill(os.getpid(), signal.SIGKILL)


METER: Meter


def read(text: str) -> tuple[str, int, int, int]:
    METER.count()
    key, number, timestamp, value = text.split(" ")
    return key, int(number), int(timestamp), int(value)


def key_of(record: tuple[str, int, int, int]) -> str:
    return record[0]


# --- Shapes ---------------------------------------------------------------------------------------


class Largest(AggregateFunction):
    def create_accumulator(self) -> int:
        return -1

    def add(self, value: int, accumulator: int) -> int:
        return max(value, accumulator)

    def get_result(self, accumulator: int) -> int:
        return accumulator

    def merge(self, a: int, b: int) -> int:
        return max(a, b)


class EveryState(KeyedProcessFunction):
    """Value, reducing, aggregating, list and map state, and a list inside a value."""

    def open(self, runtime_context: Any) -> None:
        self.count = runtime_context.get_state(ValueStateDescriptor("count", Types.LONG()))
        self.total = runtime_context.get_reducing_state(
            ReducingStateDescriptor("total", lambda a, b: a + b, Types.LONG())
        )
        self.largest = runtime_context.get_aggregating_state(
            AggregatingStateDescriptor("largest", Largest(), Types.LONG())
        )
        self.last = runtime_context.get_list_state(ListStateDescriptor("last", Types.LONG()))
        self.digits = runtime_context.get_map_state(
            MapStateDescriptor("digits", Types.INT(), Types.LONG())
        )
        self.python = runtime_context.get_state(
            ValueStateDescriptor("python", Types.PICKLED_BYTE_ARRAY())
        )

    def process_element(self, value: Any, ctx: Any) -> Any:
        key, number, _, amount = value
        count = (self.count.value() or 0) + 1
        self.count.update(count)
        self.total.add(amount)
        self.largest.add(amount)
        last = [*(self.last.get() or []), amount]
        if len(last) > 3:
            self.last.update(last[1:])
        else:
            self.last.add(amount)
        digit = amount % 7
        self.digits.put(digit, (self.digits.get(digit) or 0) + 1)
        digits = dict(self.digits.items())
        # The same once more as a Python value that changes in place.
        held = self.python.value() or {"numbers": [], "digits": Counter()}
        held["numbers"].append(number)
        held["digits"][digit] += 1
        self.python.update(held)
        if held["digits"] != digits or held["numbers"] != list(range(1, number + 1)):
            raise AssertionError(f"states of {key} differ: {held} {digits} {number}")
        yield state_line(key, count, self.total.get(), self.largest.get(), last[-3:], digits)


class Buckets(KeyedProcessFunction):
    """Sums by bucket of event time; a timer at the end of each."""

    def open(self, runtime_context: Any) -> None:
        self.sums = runtime_context.get_map_state(
            MapStateDescriptor("sums", Types.LONG(), Types.LONG())
        )
        self.total = runtime_context.get_state(ValueStateDescriptor("total", Types.LONG()))
        self.fired = runtime_context.get_state(ValueStateDescriptor("fired", Types.LONG()))

    def process_element(self, value: Any, ctx: Any) -> Any:
        bucket = value[2] // BUCKET_MS
        self.sums.put(bucket, (self.sums.get(bucket) or 0) + value[3])
        ctx.timer_service().register_event_time_timer((bucket + 1) * BUCKET_MS - 1)

    def on_timer(self, timestamp: int, ctx: Any) -> Any:
        bucket = timestamp // BUCKET_MS
        added = self.sums.get(bucket)
        self.sums.remove(bucket)
        total = (self.total.value() or 0) + added
        self.total.update(total)
        fired = (self.fired.value() or 0) + 1
        self.fired.update(fired)
        yield f"{ctx.get_current_key()} {fired} {bucket} {added} {total}"


class Delayed(KeyedProcessFunction):
    """Each record again, when a timer of processing time fires."""

    def open(self, runtime_context: Any) -> None:
        self.waiting = runtime_context.get_map_state(
            MapStateDescriptor("waiting", Types.LONG(), Types.LONG())
        )

    def process_element(self, value: Any, ctx: Any) -> Any:
        self.waiting.put(value[1], value[3])
        service = ctx.timer_service()
        service.register_processing_time_timer(service.current_processing_time() + CLOCK_DELAY_MS)

    def on_timer(self, timestamp: int, ctx: Any) -> Any:
        for number, amount in sorted(self.waiting.items()):
            yield f"{ctx.get_current_key()} {number} {amount}"
        self.waiting.clear()


class Sum(AggregateFunction):
    def create_accumulator(self) -> tuple[int, int]:
        return 0, 0

    def add(self, value: Any, accumulator: tuple[int, int]) -> tuple[int, int]:
        return accumulator[0] + 1, accumulator[1] + value[3]

    def get_result(self, accumulator: tuple[int, int]) -> tuple[int, int]:
        return accumulator

    def merge(self, a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
        return a[0] + b[0], a[1] + b[1]


class NameSum(ProcessWindowFunction):
    def __init__(self, kind: str) -> None:
        self.kind = kind

    def process(self, key: str, context: Any, elements: Any) -> Any:
        ((count, total),) = elements
        window = context.window()
        yield f"{self.kind} {key} {window.start} {window.end} {count} {total}"


class Gather(ProcessWindowFunction):
    """The same from a window that holds its records."""

    def process(self, key: str, context: Any, elements: Any) -> Any:
        found = list(elements)
        window = context.window()
        total = sum(record[3] for record in found)
        yield f"tumbling {key} {window.start} {window.end} {len(found)} {total}"


class Halves(KeyedCoProcessFunction):
    """Joins the two halves of each number."""

    def open(self, runtime_context: Any) -> None:
        self.left = runtime_context.get_map_state(
            MapStateDescriptor("left", Types.LONG(), Types.LONG())
        )
        self.right = runtime_context.get_map_state(
            MapStateDescriptor("right", Types.LONG(), Types.LONG())
        )

    def process_element1(self, value: Any, ctx: Any) -> Any:
        key, number, _, amount = value
        if self.right.contains(number):
            yield f"{key} {number} {amount} {self.right.get(number)}"
            self.right.remove(number)
        else:
            self.left.put(number, amount)

    def process_element2(self, value: Any, ctx: Any) -> Any:
        key, number, _, amount = value
        if self.left.contains(number):
            yield f"{key} {number} {self.left.get(number)} {amount}"
            self.left.remove(number)
        else:
            self.right.put(number, amount)


RULES = MapStateDescriptor("rules", Types.LONG(), Types.LONG())


class Rules(KeyedBroadcastProcessFunction):
    """Multiplies by the rule a record names; one whose rule is not there yet waits for it."""

    def open(self, runtime_context: Any) -> None:
        self.waiting = runtime_context.get_map_state(
            MapStateDescriptor("waiting", Types.LONG(), Types.LONG())
        )

    def process_element(self, value: Any, ctx: Any) -> Any:
        key, number, _, rule = value
        rules = ctx.get_broadcast_state(RULES)
        if rules.contains(rule):
            yield f"{key} {number} {rule} {rules.get(rule) * number}"
        else:
            self.waiting.put(number, rule)
            self.look_again(ctx)

    def on_timer(self, timestamp: int, ctx: Any) -> Any:
        rules = ctx.get_broadcast_state(RULES)
        for number, rule in sorted(self.waiting.items()):
            if rules.contains(rule):
                self.waiting.remove(number)
                yield f"{ctx.get_current_key()} {number} {rule} {rules.get(rule) * number}"
        if not self.waiting.is_empty():
            self.look_again(ctx)

    def look_again(self, ctx: Any) -> None:
        service = ctx.timer_service()
        service.register_processing_time_timer(service.current_processing_time() + CLOCK_DELAY_MS)

    def process_broadcast_element(self, value: Any, ctx: Any) -> Any:
        ctx.get_broadcast_state(RULES).put(value[1], value[3])


class Builder:
    """Builds the job of one attempt."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self.env = StreamExecutionEnvironment.get_execution_environment()
        self.env.set_parallelism(settings["parallelism"])
        configuration = Configuration()
        for key, value in settings["configuration"].items():
            configuration.set_string(key, value)
        self.env.configure(configuration)

    def read(self, topic: str, timed: bool = False) -> DataStream:
        source = KafkaSource.builder().set_bootstrap_servers(self.settings["servers"])
        source.set_topics(self.settings["topics"][topic])
        source.set_value_only_deserializer(SimpleStringSchema())
        source.set_starting_offsets(KafkaOffsetsInitializer.earliest())
        if self.settings["bounded"]:
            source.set_bounded(KafkaOffsetsInitializer.latest())
        strategy = WatermarkStrategy.no_watermarks()
        if timed:
            strategy = WatermarkStrategy.for_bounded_out_of_orderness(
                Duration.of_millis(DISORDER_MS)
            )
        stream = self.env.from_source(source.build(), strategy, topic).uid(f"source-{topic}")
        records = stream.map(read, PARSED).uid(f"read-{topic}")
        return records.filter(lambda record: record[0] != CLOSING).uid(f"open-{topic}")

    def build_map(self) -> DataStream:
        return self.read("in").map(lambda r: f"{r[0]} {r[1]} {r[3] * 2 + 1}", Types.STRING())

    def build_state(self) -> DataStream:
        return self.read("in").key_by(key_of).process(EveryState(), Types.STRING())

    def build_timers(self) -> DataStream:
        return self.read("in", timed=True).key_by(key_of).process(Buckets(), Types.STRING())

    def build_clock(self) -> DataStream:
        return self.read("in").key_by(key_of).process(Delayed(), Types.STRING())

    def build_tumbling(self) -> DataStream:
        windows = TumblingEventTimeWindows.of(Time.milliseconds(TUMBLING_MS))
        windowed = self.read("in", timed=True).key_by(key_of).window(windows)
        return windowed.process(Gather(), Types.STRING())

    def build_sliding(self) -> DataStream:
        windows = SlidingEventTimeWindows.of(
            Time.milliseconds(SLIDING_MS), Time.milliseconds(SLIDE_MS)
        )
        windowed = self.read("in", timed=True).key_by(key_of).window(windows)
        return windowed.aggregate(Sum(), NameSum("sliding"), PARSED, Types.STRING())

    def build_sessions(self) -> DataStream:
        windows = EventTimeSessionWindows.with_gap(Time.milliseconds(GAP_MS))
        windowed = self.read("in", timed=True).key_by(key_of).window(windows)
        return windowed.aggregate(Sum(), NameSum("session"), PARSED, Types.STRING())

    def build_connected(self) -> DataStream:
        left, right = self.read("left"), self.read("right")
        both = left.key_by(key_of).connect(right.key_by(key_of))
        return both.process(Halves(), Types.STRING())

    def build_broadcast(self) -> DataStream:
        rules = self.read("rules").broadcast(RULES)
        return self.read("in").key_by(key_of).connect(rules).process(Rules(), Types.STRING())

    def write(self, results: DataStream) -> None:
        results = results.uid("results")
        for sink, target in self.settings["sinks"].items():
            getattr(self, "write_" + sink.replace("-", "_"))(results, target)

    def write_kafka(self, results: DataStream, topic: str) -> None:
        self.kafka(results, topic, DeliveryGuarantee.AT_LEAST_ONCE)

    def write_kafka_once(self, results: DataStream, topic: str) -> None:
        self.kafka(results, topic, DeliveryGuarantee.EXACTLY_ONCE)

    def kafka(self, results: DataStream, topic: str, guarantee: DeliveryGuarantee) -> None:
        record = KafkaRecordSerializationSchema.builder().set_topic(topic)
        record.set_value_serialization_schema(SimpleStringSchema())
        sink = KafkaSink.builder().set_bootstrap_servers(self.settings["servers"])
        sink.set_record_serializer(record.build()).set_delivery_guarantee(guarantee)
        if guarantee is DeliveryGuarantee.EXACTLY_ONCE:
            sink.set_transactional_id_prefix(topic)
            sink.set_property("transaction.timeout.ms", str(self.settings["transaction_ms"]))
        results.sink_to(sink.build()).uid(f"sink-{guarantee.name}")

    def write_files(self, results: DataStream, folder: str) -> None:
        from pyflink.common.serialization import Encoder
        from pyflink.datastream.connectors.file_system import FileSink, RollingPolicy

        sink = FileSink.for_row_format(folder, Encoder.simple_string_encoder())
        sink.with_rolling_policy(RollingPolicy.on_checkpoint_rolling_policy())
        results.sink_to(sink.build()).uid("sink-files")

    def write_search(self, results: DataStream, target: str) -> None:
        from pyflink.datastream.connectors.elasticsearch import (
            Elasticsearch7SinkBuilder,
            ElasticsearchEmitter,
        )

        url, index = target.rsplit("/", 1)
        documents = results.map(
            lambda text: {"id": text, "text": text}, Types.MAP(Types.STRING(), Types.STRING())
        ).uid("documents")
        sink = Elasticsearch7SinkBuilder().set_hosts([url]).set_bulk_flush_max_actions(50)
        sink.set_emitter(ElasticsearchEmitter.static_index(index, "id"))
        documents.sink_to(sink.build()).uid("sink-search")


def main() -> None:
    global METER
    end_with_parent()
    settings = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    METER = Meter(settings["meter"])
    builder = Builder(settings)
    builder.write(getattr(builder, "build_" + settings["shape"])())
    job = builder.env.execute_async(settings["name"])
    print(f"job {job.get_job_id()}", flush=True)
    job.get_job_execution_result().result()
    print("finished", flush=True)


if __name__ == "__main__":
    main()
