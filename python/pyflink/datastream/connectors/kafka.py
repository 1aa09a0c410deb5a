"""Apache Kafka."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum

from pyflink.common.serialization import DeserializationSchema, SerializationSchema
from pyflink.common.typeinfo import PickledBytesTypeInfo, Types
from pyflink.datastream._graph import Edge
from pyflink.datastream.connectors.base import (
    DeliveryGuarantee,
    Sink,
    Source,
    SupportsPreprocessing,
    join_list,
    text,
)
from pyflink.datastream.data_stream import DataStream
from pyflink.datastream.functions import SinkFunction, SourceFunction

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pyflink.common.typeinfo import TypeInformation
    from pyflink.datastream._graph import Transformation
    from pyflink.datastream.connectors.base import StreamTransformer

__all__ = [
    "FlinkKafkaConsumer",
    "FlinkKafkaProducer",
    "KafkaOffsetResetStrategy",
    "KafkaOffsetsInitializer",
    "KafkaRecordSerializationSchema",
    "KafkaRecordSerializationSchemaBuilder",
    "KafkaSink",
    "KafkaSinkBuilder",
    "KafkaSource",
    "KafkaSourceBuilder",
    "KafkaTopicPartition",
    "KafkaTopicSelector",
    "Semantic",
]


class KafkaTopicPartition:
    """A partition of a topic."""

    def __init__(self, topic: str, partition: int) -> None:
        self.topic = topic
        self.partition = partition

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, KafkaTopicPartition)
            and self.topic == other.topic
            and self.partition == other.partition
        )

    def __hash__(self) -> int:
        return 31 * (31 + self.partition) + hash(self.topic)

    def __repr__(self) -> str:
        return f"KafkaTopicPartition({self.topic!r}, {self.partition})"

    def _text(self) -> str:
        return f"{self.topic}:{self.partition}"


class KafkaOffsetResetStrategy(Enum):
    """Where to begin when an offset is not there."""

    LATEST = 0
    EARLIEST = 1
    NONE = 2


class KafkaOffsetsInitializer:
    """Where a source begins, or stops."""

    def __init__(
        self,
        mode: str,
        reset: str | None = None,
        timestamp: int | None = None,
        offsets: dict[Any, int] | None = None,
    ) -> None:
        self._mode = mode
        self._reset = reset
        self._timestamp = timestamp
        self._offsets = offsets

    @staticmethod
    def committed_offsets(
        offset_reset_strategy: KafkaOffsetResetStrategy = KafkaOffsetResetStrategy.NONE,
    ) -> KafkaOffsetsInitializer:
        """The group's committed offsets.

        :param offset_reset_strategy: what to do for a partition without; NONE fails.
        """
        return KafkaOffsetsInitializer(
            "committed", _reset(offset_reset_strategy, "committed_offsets")
        )

    @staticmethod
    def timestamp(timestamp: int) -> KafkaOffsetsInitializer:
        """The first record whose timestamp is at least `timestamp`, in milliseconds."""
        if isinstance(timestamp, bool) or not isinstance(timestamp, int) or timestamp < 0:
            raise ValueError(f"timestamp must be milliseconds since the epoch, got {timestamp!r}")
        return KafkaOffsetsInitializer("timestamp", timestamp=timestamp)

    @staticmethod
    def offsets(
        offsets: dict[KafkaTopicPartition, int],
        offset_reset_strategy: KafkaOffsetResetStrategy = KafkaOffsetResetStrategy.EARLIEST,
    ) -> KafkaOffsetsInitializer:
        """Given offsets by partition.

        :param offset_reset_strategy: where to begin in the other partitions, and where an offset
            is gone.
        """
        for partition, offset in dict(offsets).items():
            if not isinstance(partition, KafkaTopicPartition) or not isinstance(offset, int):
                raise TypeError(
                    "KafkaOffsetsInitializer.offsets needs {KafkaTopicPartition('topic', 0):"
                    f" offset}}, got {partition!r}: {offset!r}"
                )
        return KafkaOffsetsInitializer(
            "offsets", _reset(offset_reset_strategy, "offsets"), offsets=dict(offsets)
        )

    @staticmethod
    def earliest() -> KafkaOffsetsInitializer:
        """The oldest record there is."""
        return KafkaOffsetsInitializer("earliest")

    @staticmethod
    def latest() -> KafkaOffsetsInitializer:
        """After the newest record there is."""
        return KafkaOffsetsInitializer("latest")

    def _write(self, options: dict[str, str], prefix: str) -> None:
        options[prefix] = self._mode
        if self._timestamp is not None:
            options[f"{prefix}.timestamp-ms"] = str(self._timestamp)
        if self._offsets is not None:
            options[f"{prefix}.offsets"] = join_list(
                f"{partition._text()}:{offset}" for partition, offset in self._offsets.items()
            )
        if self._reset is not None and prefix == "scan.startup":
            options[f"{prefix}.reset"] = self._reset

    def __repr__(self) -> str:
        return f"KafkaOffsetsInitializer.{self._mode}"


def _reset(strategy: Any, where: str) -> str:
    if not isinstance(strategy, KafkaOffsetResetStrategy):
        raise TypeError(
            f"KafkaOffsetsInitializer.{where} needs a KafkaOffsetResetStrategy such as"
            f" KafkaOffsetResetStrategy.EARLIEST, got {strategy!r}"
        )
    return strategy.name.lower()


class KafkaSource(Source):
    """Reads topics. Make one with :meth:`builder`."""

    @staticmethod
    def builder() -> KafkaSourceBuilder:
        """Starts a source."""
        return KafkaSourceBuilder()


class KafkaSourceBuilder:
    """Builds a :class:`KafkaSource`.

    Bootstrap servers, a subscription (topics, pattern or partitions) and a deserializer are
    required.
    """

    def __init__(self) -> None:
        self._options: dict[str, str] = {}
        self._properties: dict[str, str] = {}
        self._subscription: tuple[str, str] | None = None
        self._start = KafkaOffsetsInitializer.earliest()
        self._stop: KafkaOffsetsInitializer | None = None
        self._bounded = False
        self._deserializer: DeserializationSchema | None = None

    def set_bootstrap_servers(self, bootstrap_servers: str) -> KafkaSourceBuilder:
        """Brokers to ask first: ``host:port,host:port``."""
        if not isinstance(bootstrap_servers, str) or not bootstrap_servers:
            raise ValueError(
                f"bootstrap servers must be 'host:port,host:port', got {bootstrap_servers!r}"
            )
        self._options["bootstrap.servers"] = bootstrap_servers
        return self

    def set_group_id(self, group_id: str) -> KafkaSourceBuilder:
        """The consumer group, whose offsets are committed at checkpoints."""
        self._options["group.id"] = group_id
        return self

    def _subscribe(self, kind: str, value: str) -> KafkaSourceBuilder:
        if self._subscription is not None and self._subscription[0] != kind:
            raise ValueError(
                f"Cannot use {kind} for consumption because a subscription by"
                f" {self._subscription[0]} is already set; use one of set_topics, set_topic_pattern"
                " and set_partitions"
            )
        if not value:
            raise ValueError(
                f"the subscription by {kind} is empty; name at least one: set_topics('orders')"
            )
        self._subscription = (kind, value)
        return self

    def set_topics(self, *topics: str) -> KafkaSourceBuilder:
        """Reads these topics."""
        for topic in topics:
            if not isinstance(topic, str):
                hint = "; write set_topics(*topics)" if isinstance(topic, (list, tuple)) else ""
                raise TypeError(f"set_topics('a', 'b', ...) takes names, got {topic!r}{hint}")
        return self._subscribe("topics", join_list(topics))

    def set_topic_pattern(self, topic_pattern: str) -> KafkaSourceBuilder:
        """Reads all topics whose whole name matches a regular expression."""
        return self._subscribe("topic-pattern", topic_pattern)

    def set_partitions(self, partitions: set[KafkaTopicPartition]) -> KafkaSourceBuilder:
        """Reads just these partitions."""
        for partition in partitions:
            if not isinstance(partition, KafkaTopicPartition):
                raise TypeError(
                    "set_partitions needs {KafkaTopicPartition('topic', 0), ...}, got"
                    f" {partition!r}"
                )
        ordered = sorted(partitions, key=lambda p: (p.topic, p.partition))
        return self._subscribe("partitions", join_list(p._text() for p in ordered))

    def set_starting_offsets(
        self, starting_offsets_initializer: KafkaOffsetsInitializer
    ) -> KafkaSourceBuilder:
        """Where to begin without checkpoint; the earliest record by default."""
        self._start = _initializer(starting_offsets_initializer, "set_starting_offsets")
        return self

    def set_unbounded(
        self, stopping_offsets_initializer: KafkaOffsetsInitializer
    ) -> KafkaSourceBuilder:
        """Stops there, but counts as unbounded."""
        self._stop = _initializer(stopping_offsets_initializer, "set_unbounded")
        self._bounded = False
        return self

    def set_bounded(
        self, stopping_offsets_initializer: KafkaOffsetsInitializer
    ) -> KafkaSourceBuilder:
        """Stops there; the job then ends."""
        self._stop = _initializer(stopping_offsets_initializer, "set_bounded")
        self._bounded = True
        return self

    def set_value_only_deserializer(
        self, deserialization_schema: DeserializationSchema
    ) -> KafkaSourceBuilder:
        """Makes records of the messages' values.

        :raises TypeError: when it is no DeserializationSchema.
        """
        if not isinstance(deserialization_schema, DeserializationSchema):
            hint = "; call .build() on it" if hasattr(deserialization_schema, "build") else ""
            raise TypeError(
                "set_value_only_deserializer needs a DeserializationSchema such as"
                f" SimpleStringSchema(), got {deserialization_schema!r}{hint}"
            )
        self._deserializer = deserialization_schema
        return self

    def set_client_id_prefix(self, prefix: str) -> KafkaSourceBuilder:
        """Begin of the client id the brokers see."""
        return self.set_property("client.id.prefix", prefix)

    def set_property(self, key: str, value: str) -> KafkaSourceBuilder:
        """A setting of the Kafka client, by the Java client's name."""
        self._properties[key] = text(value)
        return self

    def set_properties(self, props: dict[str, str]) -> KafkaSourceBuilder:
        """Settings of the Kafka client, by the Java client's names."""
        for key, value in _properties(props).items():
            self.set_property(key, value)
        return self

    def build(self) -> KafkaSource:
        """The source.

        :raises ValueError: when something required is missing.
        """
        options = dict(self._options)
        if "bootstrap.servers" not in options and "bootstrap.servers" not in self._properties:
            raise ValueError(
                "KafkaSource: bootstrap servers are required; call"
                " set_bootstrap_servers('host:port')"
            )
        if self._subscription is None:
            raise ValueError(
                "KafkaSource: no Kafka subscribe mode is specified; call set_topics,"
                " set_topic_pattern or set_partitions"
            )
        if self._deserializer is None:
            raise ValueError(
                "KafkaSource: a deserialization schema is required; call"
                " set_value_only_deserializer(SimpleStringSchema())"
            )
        options[self._subscription[0]] = self._subscription[1]
        self._start._write(options, "scan.startup")
        if self._stop is not None:
            self._stop._write(options, "scan.bounded")
            if not self._bounded:
                options["scan.bounded.as-stream"] = "true"
        if (
            self._start._mode == "committed" or (self._stop and self._stop._mode == "committed")
        ) and not ("group.id" in options or "group.id" in self._properties):
            raise ValueError(
                "KafkaSource: committed offsets need a consumer group; call set_group_id(...)"
            )
        for key, value in self._properties.items():
            options[f"properties.{key}"] = value
        name, format_options, type_info = self._deserializer._format()
        options["format"] = name
        for key, value in format_options.items():
            options[f"format.{key}"] = value
        return KafkaSource("kafka", options, type_info, self._bounded)


def _initializer(value: Any, where: str) -> KafkaOffsetsInitializer:
    if not isinstance(value, KafkaOffsetsInitializer):
        raise TypeError(
            f"{where} needs a KafkaOffsetsInitializer such as KafkaOffsetsInitializer.latest(), got"
            f" {value!r}"
        )
    return value


def _properties(props: Any) -> dict[str, Any]:
    if not isinstance(props, dict):
        raise TypeError(
            "set_properties needs a dict of Kafka settings such as {'security.protocol': 'SSL'},"
            f" got {props!r}"
        )
    return props


class KafkaTopicSelector(ABC):
    """Chooses the topic of each record."""

    @abstractmethod
    def apply(self, data: Any) -> str:
        """The topic."""


class KafkaRecordSerializationSchema(SerializationSchema):
    """Makes Kafka records. Make one with :meth:`builder`."""

    def __init__(
        self,
        topic: str | None,
        key: SerializationSchema | None,
        value: SerializationSchema,
        topic_selector: KafkaTopicSelector | None = None,
    ) -> None:
        super().__init__()
        self._topic = topic
        self._key = key
        self._value = value
        self._topic_selector = topic_selector

    @staticmethod
    def builder() -> KafkaRecordSerializationSchemaBuilder:
        """Starts a schema."""
        return KafkaRecordSerializationSchemaBuilder()

    def _value_in_python(self) -> bool:
        return callable(getattr(self._value, "serialize", None))

    def _params(self) -> dict[str, Any]:
        """Parameters of the engine's kafka_serializer."""
        options: dict[str, str] = {}
        params: dict[str, Any] = {"options": options, "topic_selector": self._topic_selector}
        if self._topic is not None:
            options["topic"] = self._topic
        if self._value_in_python():
            params["value_serializer"] = self._value
            params["key_serializer"] = self._key
            return params
        for prefix, schema in (("key", self._key), ("value", self._value)):
            if schema is None:
                continue
            name, format_options, type_info = schema._format()
            options[f"{prefix}.format"] = name
            for key, value in format_options.items():
                options[f"{prefix}.{key}"] = value
            # without a declared type the stream's own decides
            params[f"{prefix}_type"] = None if type_info is None else type_info._format_logical()
        return params


class _SelectTopic(KafkaTopicSelector):
    def __init__(self, function: Callable[[Any], str]) -> None:
        self._function = function

    def apply(self, data: Any) -> str:
        return self._function(data)


class KafkaRecordSerializationSchemaBuilder:
    """Builds a :class:`KafkaRecordSerializationSchema`.

    A topic (or selector) and a value schema are required.
    """

    def __init__(self) -> None:
        self._topic: str | None = None
        self._selector: KafkaTopicSelector | None = None
        self._key: SerializationSchema | None = None
        self._value: SerializationSchema | None = None

    def set_topic(self, topic: str) -> KafkaRecordSerializationSchemaBuilder:
        """The topic of all records."""
        if not isinstance(topic, str) or not topic:
            raise ValueError(f"topic must be a name, got {topic!r}")
        if self._selector is not None:
            raise ValueError("set_topic and set_topic_selector exclude each other; use one of them")
        self._topic = topic
        return self

    def set_topic_selector(
        self, topic_selector: Callable[[Any], str] | KafkaTopicSelector
    ) -> KafkaRecordSerializationSchemaBuilder:
        """Chooses the topic of each record.

        :raises TypeError: when it is neither a KafkaTopicSelector nor callable.
        """
        if self._topic is not None:
            raise ValueError("set_topic and set_topic_selector exclude each other; use one of them")
        if isinstance(topic_selector, KafkaTopicSelector):
            self._selector = topic_selector
        elif callable(topic_selector):
            self._selector = _SelectTopic(topic_selector)
        else:
            raise TypeError(
                f"topic_selector must be a KafkaTopicSelector or a callable, got {topic_selector!r}"
            )
        return self

    def set_key_serialization_schema(
        self, key_serialization_schema: SerializationSchema
    ) -> KafkaRecordSerializationSchemaBuilder:
        """Makes the keys; records have none without."""
        self._key = _schema(key_serialization_schema, "set_key_serialization_schema")
        return self

    def set_value_serialization_schema(
        self, value_serialization_schema: SerializationSchema
    ) -> KafkaRecordSerializationSchemaBuilder:
        """Makes the values."""
        self._value = _schema(value_serialization_schema, "set_value_serialization_schema")
        return self

    def build(self) -> KafkaRecordSerializationSchema:
        """The schema.

        :raises ValueError: when something required is missing.
        """
        if self._topic is None and self._selector is None:
            raise ValueError(
                "KafkaRecordSerializationSchema: a topic is required; call set_topic or"
                " set_topic_selector"
            )
        if self._value is None:
            raise ValueError(
                "KafkaRecordSerializationSchema: a value schema is required; call"
                " set_value_serialization_schema(...)"
            )
        schema = KafkaRecordSerializationSchema(self._topic, self._key, self._value, self._selector)
        if self._key is not None:
            in_python = callable(getattr(self._key, "serialize", None))
            if in_python != schema._value_in_python():
                raise ValueError(
                    "KafkaRecordSerializationSchema: the schemas of key and value must both be"
                    " formats such as SimpleStringSchema(), or both be written in Python with"
                    f" serialize(element); got {self._key!r} and {self._value!r}"
                )
        return schema


def _schema(value: Any, where: str) -> SerializationSchema:
    if not isinstance(value, SerializationSchema):
        hint = "; call .build() on it" if hasattr(value, "build") else ""
        raise TypeError(
            f"{where} needs a SerializationSchema such as SimpleStringSchema(), got {value!r}{hint}"
        )
    return value


class KafkaSink(Sink, SupportsPreprocessing):
    """Writes to topics. Make one with :meth:`builder`."""

    def __init__(self, options: dict[str, str], serializer: KafkaRecordSerializationSchema) -> None:
        if serializer._topic is not None:  # the writer looks whether it is there before it begins
            options = {**options, "topic": serializer._topic}
        super().__init__("kafka", options)
        self._serializer = serializer

    @staticmethod
    def builder() -> KafkaSinkBuilder:
        """Starts a sink."""
        return KafkaSinkBuilder()

    def _prepare(self, stream: DataStream, added: list[Transformation]) -> DataStream:
        params = self._serializer._params()
        if params["options"].get("value.format") == "string":
            if isinstance(stream._type_info, PickledBytesTypeInfo):
                # upstream's SimpleStringSchema takes strings only; an untyped stream of them is
                # fine here
                params["value_type"] = params.get("value_type") or Types.STRING()._logical()
            elif stream._type_info != Types.STRING():
                raise TypeError(
                    "KafkaSink: SimpleStringSchema writes strings, but the records are"
                    f" {stream._type_info}; map them first: .map(str, Types.STRING())"
                )
        node = stream._add("kafka_serializer", "Kafka Serializer", PickledBytesTypeInfo(), params)
        added.append(node)
        return DataStream(stream._env, [Edge(node, "forward")], PickledBytesTypeInfo())

    def get_transformer(self) -> StreamTransformer | None:
        """None: choosing topics is part of the serializer here."""
        return None


class KafkaSinkBuilder:
    """Builds a :class:`KafkaSink`. Bootstrap servers and a record serializer are required."""

    def __init__(self) -> None:
        self._options: dict[str, str] = {}
        self._properties: dict[str, str] = {}
        self._serializer: KafkaRecordSerializationSchema | None = None

    def set_bootstrap_servers(self, bootstrap_servers: str) -> KafkaSinkBuilder:
        """Brokers to ask first: ``host:port,host:port``."""
        if not isinstance(bootstrap_servers, str) or not bootstrap_servers:
            raise ValueError(
                f"bootstrap servers must be 'host:port,host:port', got {bootstrap_servers!r}"
            )
        self._options["bootstrap.servers"] = bootstrap_servers
        return self

    def set_delivery_guarantee(self, delivery_guarantee: DeliveryGuarantee) -> KafkaSinkBuilder:
        """NONE (the default), AT_LEAST_ONCE or EXACTLY_ONCE.

        EXACTLY_ONCE also needs :meth:`set_transactional_id_prefix`, and checkpoints: what came
        before a checkpoint is published in a transaction when the checkpoint is complete. Readers
        with ``isolation.level=read_committed`` then see each record once.
        """
        if not isinstance(delivery_guarantee, DeliveryGuarantee):
            raise TypeError(
                f"set_delivery_guarantee needs a DeliveryGuarantee, got {delivery_guarantee!r}"
            )
        self._options["delivery.guarantee"] = delivery_guarantee.name.lower().replace("_", "-")
        return self

    def set_transactional_id_prefix(self, transactional_id_prefix: str) -> KafkaSinkBuilder:
        """What the names of an EXACTLY_ONCE sink's transactions begin with.

        It stays the same when the job is restarted, and no other sink on the same brokers has it:
        a producer that uses the name of another one ends that one.

        :raises ValueError: when it is empty.
        """
        if not isinstance(transactional_id_prefix, str) or not transactional_id_prefix:
            raise ValueError(
                "set_transactional_id_prefix needs a name that is not empty, got"
                f" {transactional_id_prefix!r}"
            )
        self._options["transactional.id.prefix"] = transactional_id_prefix
        return self

    def set_record_serializer(
        self, record_serializer: KafkaRecordSerializationSchema
    ) -> KafkaSinkBuilder:
        """Makes Kafka records.

        :raises TypeError: when it is no KafkaRecordSerializationSchema.
        """
        if not isinstance(record_serializer, KafkaRecordSerializationSchema):
            hint = "; call .build() on it" if hasattr(record_serializer, "build") else ""
            raise TypeError(
                "set_record_serializer needs a KafkaRecordSerializationSchema, got"
                f" {record_serializer!r}{hint}"
            )
        self._serializer = record_serializer
        return self

    def set_property(self, key: str, value: str) -> KafkaSinkBuilder:
        """A setting of the Kafka client, by the Java client's name."""
        self._properties[key] = text(value)
        return self

    def set_kafka_producer_config(self, props: dict[str, str]) -> KafkaSinkBuilder:
        """Settings of the Kafka client, by the Java client's names."""
        for key, value in _properties(props).items():
            self.set_property(key, value)
        return self

    def build(self) -> KafkaSink:
        """The sink.

        :raises ValueError: when something required is missing.
        """
        if "bootstrap.servers" not in self._options and "bootstrap.servers" not in self._properties:
            raise ValueError(
                "KafkaSink: bootstrap servers are required; call set_bootstrap_servers('host:port')"
            )
        if self._serializer is None:
            raise ValueError(
                "KafkaSink: a record serializer is required; call "
                "set_record_serializer(KafkaRecordSerializationSchema.builder()...build())"
            )
        options = {"delivery.guarantee": "none", **self._options}
        exactly_once = options["delivery.guarantee"] == "exactly-once"
        if exactly_once and "transactional.id.prefix" not in options:
            raise ValueError(
                "KafkaSink: EXACTLY_ONCE delivery guarantee requires a transactional id prefix;"
                " call set_transactional_id_prefix('<a name of this sink only>')"
            )
        for key, value in self._properties.items():
            options[f"properties.{key}"] = value
        return KafkaSink(options, self._serializer)


class Semantic(Enum):
    """Delivery guarantees of :class:`FlinkKafkaProducer`."""

    EXACTLY_ONCE = (0,)
    AT_LEAST_ONCE = (1,)
    NONE = 2


class FlinkKafkaConsumer(Source, SourceFunction):
    """Upstream's older source, for ``env.add_source``.

    A topic that does not exist is made if the brokers make topics by themselves
    (``auto.create.topics.enable``), unless ``properties`` has ``allow.auto.create.topics`` false.

    It begins at the group's offsets unless told otherwise.

    :param topics: a name or a list of names.
    :param deserialization_schema: makes records of values.
    :param properties: settings of the Kafka client; ``bootstrap.servers`` is required.
    :raises TypeError: when `topics` are no names, or `properties` no dictionary.
    """

    def __init__(
        self,
        topics: str | list[str],
        deserialization_schema: DeserializationSchema,
        properties: dict[str, str],
    ) -> None:
        self._builder = KafkaSource.builder()
        # the Java client's default; the older source asks by it for partitions, the newer does not
        self._builder.set_property("allow.auto.create.topics", "true")
        self._builder.set_properties(properties)
        if isinstance(topics, str):
            topics = [topics]
        if not isinstance(topics, (list, tuple)):
            raise TypeError(
                f"FlinkKafkaConsumer needs the name of a topic or a list of names, got {topics!r}"
            )
        self._builder.set_topics(*topics)
        self._builder.set_value_only_deserializer(deserialization_schema)
        self.set_start_from_group_offsets()
        self._builder.build()  # what is missing shows here

    def set_commit_offsets_on_checkpoints(self, commit_on_checkpoints: bool) -> FlinkKafkaConsumer:
        """Whether the group's offsets are committed at checkpoints."""
        self._builder.set_property("commit.offsets.on.checkpoint", text(commit_on_checkpoints))
        return self

    def set_start_from_earliest(self) -> FlinkKafkaConsumer:
        """Begins with the oldest record."""
        self._builder.set_starting_offsets(KafkaOffsetsInitializer.earliest())
        return self

    def set_start_from_latest(self) -> FlinkKafkaConsumer:
        """Begins with the next record."""
        self._builder.set_starting_offsets(KafkaOffsetsInitializer.latest())
        return self

    def set_start_from_timestamp(self, startup_offsets_timestamp: int) -> FlinkKafkaConsumer:
        """Begins with the first record of that time."""
        self._builder.set_starting_offsets(
            KafkaOffsetsInitializer.timestamp(startup_offsets_timestamp)
        )
        return self

    def set_start_from_group_offsets(self) -> FlinkKafkaConsumer:
        """Begins at the group's offsets, else by ``auto.offset.reset`` (latest by default).

        Without ``group.id`` there are no such offsets.
        """
        properties = self._builder._properties
        reset = properties.get("auto.offset.reset", "latest").upper()
        strategy = KafkaOffsetResetStrategy.__members__.get(reset, KafkaOffsetResetStrategy.LATEST)
        start = KafkaOffsetsInitializer.committed_offsets(strategy)
        if "group.id" not in properties and strategy is not KafkaOffsetResetStrategy.NONE:
            start = KafkaOffsetsInitializer(strategy.name.lower())
        self._builder.set_starting_offsets(start)
        return self

    def disable_filter_restored_partitions_with_subscribed_topics(self) -> FlinkKafkaConsumer:
        """Accepted: restored partitions are kept."""
        return self

    def get_produced_type(self) -> TypeInformation:
        """Type of the records."""
        return self._source_spec()[2]

    def _source_spec(self) -> tuple[str, dict[str, str], TypeInformation, bool]:
        return self._builder.build()._source_spec()


class FlinkKafkaProducer(Sink, SinkFunction):
    """Upstream's older sink, for ``add_sink``.

    Records have no key and go to the partitions the Kafka client chooses: upstream's Python gives
    no partitioner to its Java side, whatever its documentation says.

    With EXACTLY_ONCE the names of its transactions begin with the topic and the operator's
    ``uid()``; without one, with its place in the program and its name. As upstream, jobs of the
    same shape that write to one topic end each other's transactions: give their sinks a ``uid()``.

    :param topic: the topic.
    :param serialization_schema: makes values.
    :param producer_config: settings of the Kafka client; ``bootstrap.servers`` is required.
    """

    def __init__(
        self,
        topic: str,
        serialization_schema: SerializationSchema,
        producer_config: dict[str, str],
        kafka_producer_pool_size: int = 5,
        semantic: Semantic = Semantic.AT_LEAST_ONCE,
    ) -> None:
        if not isinstance(semantic, Semantic):
            raise TypeError(
                f"FlinkKafkaProducer needs a Semantic such as Semantic.AT_LEAST_ONCE, got"
                f" {semantic!r}"
            )
        schema = (
            KafkaRecordSerializationSchema.builder()
            .set_topic(topic)
            .set_value_serialization_schema(serialization_schema)
            .build()
        )
        builder = (
            KafkaSink.builder()
            .set_kafka_producer_config(producer_config)
            .set_record_serializer(schema)
        )
        builder.set_delivery_guarantee(DeliveryGuarantee[semantic.name])
        if semantic is Semantic.EXACTLY_ONCE:
            builder.set_transactional_id_prefix(topic)  # the operator's id follows: _attach()
        self._sink = builder.build()
        self.set_write_timestamp_to_kafka(False)

    def set_log_failures_only(self, log_failures_only: bool) -> FlinkKafkaProducer:
        """Whether a record that cannot be written is logged only; it fails the job otherwise."""
        self._sink._options["log.failures.only"] = text(bool(log_failures_only))
        return self

    def set_flush_on_checkpoint(self, flush_on_checkpoint: bool) -> FlinkKafkaProducer:
        """Whether a checkpoint waits for what is under way; EXACTLY_ONCE always does."""
        if self._sink._options["delivery.guarantee"] == "exactly-once":
            return self
        self._sink._options["delivery.guarantee"] = (
            "at-least-once" if flush_on_checkpoint else "none"
        )
        return self

    def set_write_timestamp_to_kafka(self, write_timestamp_to_kafka: bool) -> FlinkKafkaProducer:
        """Whether messages carry the records' event time; else the time they are sent."""
        self._sink._options["write.timestamp"] = text(bool(write_timestamp_to_kafka))
        return self

    def ignore_failures_after_transaction_timeout(self) -> FlinkKafkaProducer:
        """Accepted: a transaction that timed out is sent again after a restore, never dropped."""
        return self

    def _attach(self, stream: DataStream) -> list[Transformation]:
        added = self._sink._attach(stream)
        prefix = "transactional.id.prefix"
        topic = self._sink._options.get(prefix)
        if topic is not None:
            added[-1].options_of_operator = lambda operator: {prefix: f"{topic}-{operator}"}
        return added
