"""Upstream's older Kafka source and sink, `FlinkKafkaConsumer` and `FlinkKafkaProducer`."""

from __future__ import annotations

import threading
import time

import confluent_kafka
import pytest

from pyflink._mock_kafka import MockKafka
from pyflink.common import SerializationSchema, SimpleStringSchema, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import MapFunction, SourceFunction, StreamExecutionEnvironment
from pyflink.datastream.connectors.kafka import FlinkKafkaConsumer, FlinkKafkaProducer, Semantic
from pyflink.datastream.formats.json import JsonRowDeserializationSchema, JsonRowSerializationSchema

PAIR = Types.ROW_NAMED(["id", "at"], [Types.STRING(), Types.LONG()])


@pytest.fixture(scope="module")
def broker():
    with MockKafka() as kafka:
        yield kafka


@pytest.fixture
def env():
    environment = StreamExecutionEnvironment.get_execution_environment()
    environment.set_parallelism(1)
    return environment


@pytest.fixture
def topic(broker, request):
    return made(broker, request, "in", 2)


def made(broker, request, suffix, partitions):
    name = "".join(c if c.isalnum() else "-" for c in request.node.name) + "-" + suffix
    broker.create_topic(name, partitions)
    return name


def produce(broker, topic, values, partition=None):
    """Each value into the partition of its place, or the one given."""
    producer = confluent_kafka.Producer({"bootstrap.servers": broker.bootstrap_servers})
    for at, value in enumerate(values):
        producer.produce(topic, value, partition=at % 2 if partition is None else partition)
    assert producer.flush(30) == 0


def messages(broker, topic, count):
    """(partition, key, value, timestamp) of the first messages."""
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "group.id": "test",
            "auto.offset.reset": "earliest",
        }
    )
    partitions = consumer.list_topics(topic, 30).topics[topic].partitions
    consumer.assign([confluent_kafka.TopicPartition(topic, p, 0) for p in partitions])
    out = []
    deadline = time.monotonic() + 30
    while len(out) < count and time.monotonic() < deadline:
        message = consumer.poll(1)
        if message is not None and message.error() is None:
            out.append(
                (message.partition(), message.key(), message.value(), message.timestamp()[1])
            )
    consumer.close()
    return out


def commit(broker, topic, group, offsets):
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": broker.bootstrap_servers, "group.id": group}
    )
    consumer.commit(
        offsets=[confluent_kafka.TopicPartition(topic, p, o) for p, o in offsets.items()],
        asynchronous=False,
    )
    consumer.close()


def committed(broker, topic, group):
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": broker.bootstrap_servers, "group.id": group}
    )
    asked = [confluent_kafka.TopicPartition(topic, p) for p in (0, 1)]
    found = {p.partition: p.offset for p in consumer.committed(asked, 30)}
    consumer.close()
    return found


def consumer_of(broker, topics, **properties):
    """Properties with _ for the dot."""
    settings = {key.replace("_", "."): value for key, value in properties.items()}
    return FlinkKafkaConsumer(
        topics,
        SimpleStringSchema(),
        {"bootstrap.servers": broker.bootstrap_servers, **settings},
    )


def first(env, consumer, count):
    return sorted(env.add_source(consumer).execute_and_collect(limit=count))


# -- the source ------------------------------------------------------------------------------------


@pytest.mark.parametrize("parallelism", [1, 2, 4])
def test_it_reads_a_topic_from_the_earliest_record(env, broker, topic, parallelism):
    produce(broker, topic, [b"a", b"b", b"c", b"d", b"e"])
    env.set_parallelism(parallelism)
    consumer = consumer_of(broker, topic, group_id="g").set_start_from_earliest()
    assert first(env, consumer, 5) == ["a", "b", "c", "d", "e"]


def test_it_reads_several_topics(env, broker, topic, request):
    other = made(broker, request, "other", 1)
    produce(broker, topic, [b"a", b"b"])
    produce(broker, other, [b"c"], 0)
    consumer = consumer_of(broker, [topic, other]).set_start_from_earliest()
    assert first(env, consumer, 3) == ["a", "b", "c"]


class Started:
    """Runs a job that tells what it has read, and stops it."""

    def __init__(self, env, consumer):
        read = self.read = []
        news = self.news = threading.Condition()

        class Noting(MapFunction):
            def map(self, value):
                with news:
                    read.append(value)
                    news.notify_all()
                return value

        stream = env.add_source(consumer).map(Noting(), Types.STRING())
        self.results = stream.execute_and_collect()

    def wait_for(self, enough):
        with self.news:
            assert self.news.wait_for(lambda: enough(self.read), 30), self.read

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.results.close()


def until_read(broker, topic, started):
    """New messages come until the job, which begins at the end, has read one."""
    for number in range(300):
        produce(broker, topic, [b"new %d" % number])
        with started.news:
            if started.news.wait_for(lambda: bool(started.read), 0.1):
                return
    pytest.fail("nothing was read")


@pytest.mark.parametrize(
    "start",
    [
        lambda c: c.set_start_from_latest(),
        lambda c: c.set_start_from_group_offsets(),  # there are none: auto.offset.reset's default
        lambda c: c,
    ],
    ids=["latest", "group", "unset"],
)
@pytest.mark.parametrize("group", [{}, {"group_id": "nobody-committed"}], ids=["no", "with"])
def test_it_begins_with_the_next_record(env, broker, topic, start, group):
    produce(broker, topic, [b"old", b"old"])
    with Started(env, start(consumer_of(broker, topic, **group))) as started:
        until_read(broker, topic, started)
        assert "old" not in started.read


@pytest.mark.parametrize("group", [{}, {"group_id": "nobody-committed"}], ids=["no", "with"])
def test_without_committed_offsets_it_begins_where_it_is_told(env, broker, topic, group):
    produce(broker, topic, [b"a", b"b"])
    assert first(env, consumer_of(broker, topic, auto_offset_reset="earliest", **group), 2) == [
        "a",
        "b",
    ]


def test_it_begins_at_the_groups_offsets(env, broker, topic):
    produce(broker, topic, [b"a0", b"a1", b"b0", b"b1", b"c0"])
    commit(broker, topic, "half", {0: 2, 1: 1})
    assert first(env, consumer_of(broker, topic, group_id="half"), 2) == ["b1", "c0"]
    # which an explicit start does not look at
    again = consumer_of(broker, topic, group_id="half").set_start_from_earliest()
    assert len(first(env, again, 5)) == 5


def test_it_begins_at_a_time(broker):
    consumer = consumer_of(broker, "t").set_start_from_timestamp(1_700_000_000_000)
    _, options, _, bounded = consumer._source_spec()
    assert options["scan.startup"] == "timestamp"  # tests/services runs it
    assert options["scan.startup.timestamp-ms"] == "1700000000000"
    assert not bounded


def offsets_after_checkpoints(env, broker, topic, folder, enough, commit=True):
    """A job reads five records; the group's offsets when they or the checkpoints are `enough`."""
    produce(broker, topic, [b"a", b"b", b"c", b"d", b"e"])
    env.enable_checkpointing(20)
    env.get_checkpoint_config().set_checkpoint_storage_dir(str(folder))
    consumer = consumer_of(broker, topic, group_id="g-" + topic).set_start_from_earliest()
    consumer.set_commit_offsets_on_checkpoints(commit)
    with Started(env, consumer) as started:
        started.wait_for(lambda read: len(read) == 5)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            found = committed(broker, topic, "g-" + topic)
            taken = [int(path.name[4:]) for path in folder.glob("*/chk-*")]
            if enough(found, max(taken, default=0)):
                return found
    pytest.fail(f"offsets {found}, checkpoints {taken}")


def test_offsets_are_committed_at_checkpoints(env, broker, topic, tmp_path):
    offsets_after_checkpoints(env, broker, topic, tmp_path, lambda found, _: found == {0: 3, 1: 2})


def test_unless_that_is_switched_off(env, broker, topic, tmp_path):
    found = offsets_after_checkpoints(
        env, broker, topic, tmp_path, lambda _, taken: taken >= 5, commit=False
    )
    assert set(found.values()) == {-1001}, "none"


def test_it_knows_the_type_of_its_records(env, broker, topic):
    schema = JsonRowDeserializationSchema.builder().type_info(PAIR).build()
    consumer = FlinkKafkaConsumer(
        topic, schema, {"bootstrap.servers": broker.bootstrap_servers}
    ).set_start_from_earliest()
    assert consumer.get_produced_type() == PAIR
    assert consumer_of(broker, topic).get_produced_type() == Types.STRING()
    produce(broker, topic, [b'{"id": "a", "at": 5}'])
    (row,) = env.add_source(consumer).execute_and_collect(limit=1)
    assert (row.id, row.at) == ("a", 5)


def test_every_setter_of_the_source_returns_it(broker):
    consumer = consumer_of(broker, "t", group_id="g")
    assert consumer.set_start_from_earliest() is consumer
    assert consumer.set_start_from_latest() is consumer
    assert consumer.set_start_from_timestamp(0) is consumer
    assert consumer.set_start_from_group_offsets() is consumer
    assert consumer.set_commit_offsets_on_checkpoints(True) is consumer
    assert consumer.disable_filter_restored_partitions_with_subscribed_topics() is consumer


def test_the_source_needs_brokers():
    with pytest.raises(ValueError, match="bootstrap servers are required"):
        FlinkKafkaConsumer("t", SimpleStringSchema(), {})


# -- the sink --------------------------------------------------------------------------------------


def producer_of(broker, topic, schema=None, **arguments):
    return FlinkKafkaProducer(
        topic,
        schema or SimpleStringSchema(),
        {"bootstrap.servers": broker.bootstrap_servers, **arguments.pop("config", {})},
        **arguments,
    )


@pytest.mark.parametrize("parallelism", [1, 2, 4])
@pytest.mark.parametrize("semantic", [Semantic.AT_LEAST_ONCE, Semantic.NONE])
def test_it_writes_every_record(env, broker, topic, parallelism, semantic):
    env.set_parallelism(parallelism)
    values = [f"v{n}" for n in range(100)]
    stream = env.from_collection(values, Types.STRING()).rebalance()
    stream.add_sink(producer_of(broker, topic, semantic=semantic)).name("older sink")
    env.execute()
    found = messages(broker, topic, 100)
    assert sorted(value for _, _, value, _ in found) == sorted(v.encode() for v in values)
    # without keys, and where the client puts them: one subtask is not bound to one partition
    assert {key for _, key, _, _ in found} == {None}


def test_records_of_one_subtask_reach_all_partitions(env, broker, request):
    topic = made(broker, request, "out", 2)
    stream = env.from_collection([f"v{n}" for n in range(200)], Types.STRING())
    # every message chooses for itself, so that 200 reach both partitions
    settings = {"sticky.partitioning.linger.ms": "0"}
    stream.add_sink(producer_of(broker, topic, config=settings))
    env.execute()
    assert {partition for partition, *_ in messages(broker, topic, 200)} == {0, 1}


def test_rows_as_json(env, broker, topic):
    schema = JsonRowSerializationSchema.builder().with_type_info(PAIR).build()
    rows = env.from_collection([("a", 5)], PAIR)
    rows.add_sink(producer_of(broker, topic, schema))
    env.execute()
    assert [value for _, _, value, _ in messages(broker, topic, 1)] == [b'{"id":"a","at":5}']


class ThousandsOf(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return 1000 * int(value)


@pytest.mark.parametrize("written", [None, False, True])
def test_event_time_is_written_only_when_asked_for(env, broker, topic, written):
    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(ThousandsOf())
    stream = env.from_collection(["7"], Types.STRING()).assign_timestamps_and_watermarks(strategy)
    producer = producer_of(broker, topic)
    if written is not None:
        assert producer.set_write_timestamp_to_kafka(written) is producer
    before = int(time.time() * 1000) - 1
    stream.add_sink(producer)
    env.execute()
    ((_, _, value, timestamp),) = messages(broker, topic, 1)
    assert value == b"7"
    if written:
        assert timestamp == 7000
    else:
        assert before <= timestamp <= time.time() * 1000 + 1


TOO_MUCH = {"max.request.size": "2000"}


def test_a_record_that_cannot_be_written_fails_the_job(env, broker, topic):
    stream = env.from_collection(["a", "x" * 5000, "b"], Types.STRING())
    stream.add_sink(producer_of(broker, topic, config=TOO_MUCH).set_log_failures_only(False))
    with pytest.raises(Exception, match="could not be delivered to topic"):
        env.execute()


@pytest.mark.parametrize("parallelism", [1, 2])
def test_or_is_only_logged(env, broker, topic, parallelism, caplog):
    env.set_parallelism(parallelism)
    stream = env.from_collection(["a", "x" * 5000, "b"], Types.STRING()).rebalance()
    producer = producer_of(broker, topic, config=TOO_MUCH)
    assert producer.set_log_failures_only(True) is producer
    stream.add_sink(producer).name("older sink")
    env.execute()
    assert sorted(value for _, _, value, _ in messages(broker, topic, 2)) == [b"a", b"b"]
    logged = [r for r in caplog.records if r.levelname == "ERROR"]
    assert len(logged) == 1
    assert "could not be delivered to topic" in logged[0].getMessage()
    assert "the record is left out" in logged[0].getMessage()
    assert "xxx" not in logged[0].getMessage()


class Endless(SourceFunction):
    """One record, and then nothing until it is cancelled."""

    def __init__(self):
        self.over = threading.Event()

    def run(self, ctx):
        ctx.collect("a")
        self.over.wait(60)

    def cancel(self):
        self.over.set()


def test_a_record_is_written_while_the_job_runs(env, broker, topic):
    env.enable_checkpointing(20)
    producer = producer_of(broker, topic)
    assert producer.set_flush_on_checkpoint(True) is producer
    env.add_source(Endless(), type_info=Types.STRING()).add_sink(producer)
    client = env.execute_async()
    try:
        assert [value for _, _, value, _ in messages(broker, topic, 1)] == [b"a"]
    finally:
        client.cancel().result()


@pytest.mark.parametrize(("flush", "guarantee"), [(True, "at-least-once"), (False, "none")])
def test_whether_a_checkpoint_waits_for_the_brokers(broker, flush, guarantee):
    producer = producer_of(broker, "t").set_flush_on_checkpoint(flush)
    assert producer._sink._options["delivery.guarantee"] == guarantee
    assert producer.ignore_failures_after_transaction_timeout() is producer


def test_values_may_be_serialized_in_python(env, broker, topic):
    class Shouting(SerializationSchema):
        def serialize(self, element):
            return element["id"].upper().encode()

    env.from_collection([{"id": "a"}]).add_sink(producer_of(broker, topic, Shouting()))
    env.execute()
    assert [value for _, _, value, _ in messages(broker, topic, 1)] == [b"A"]


def test_exactly_once_names_its_transactions_after_topic_and_operator(env, broker):
    producer = producer_of(broker, "t", semantic=Semantic.EXACTLY_ONCE)
    producer.set_flush_on_checkpoint(False)  # has no effect then
    assert producer._sink._options["delivery.guarantee"] == "exactly-once"
    stream = env.from_collection(["a"], Types.STRING())
    named = stream.add_sink(producer).uid("results")._transformation
    unnamed = stream.add_sink(producer)._transformation
    assert named.options_of_operator(named.uid) == {"transactional.id.prefix": "t-results"}
    assert unnamed.options_of_operator("5-Sink: x") == {"transactional.id.prefix": "t-5-Sink: x"}


def test_the_sink_needs_brokers():
    with pytest.raises(ValueError, match="bootstrap servers are required"):
        FlinkKafkaProducer("t", SimpleStringSchema(), {})
