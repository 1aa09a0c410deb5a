#pragma once

#include "connectors/options.h"
#include "runtime/operator.h"
#include "types/logical_type.h"

namespace flott {

/// What the Kafka sink takes: ROW<topic STRING, partition INT, key BYTES, value BYTES, timestamp
/// BIGINT>, all nullable. Without topic: the sink's own; without partition: by the key; without
/// timestamp: the time of sending. A null value is a tombstone.
const LogicalTypePtr& kafka_record_type();

/// An operator that serializes records into kafka_record_type(): Flink's
/// KafkaRecordSerializationSchema.
///
/// Options: `topic`, `key.format` and `key.*` (no key without), `value.format` and `value.*`,
/// `topic.field` (the index of a STRING field that names the topic; the value is then field
/// `value.field`, a ROW or one column: the shape a topic selector makes). `key_type` / `value_type`
/// are those of the schemas; null: the stream's own type. As in Flink, a row is serialized *by
/// position*: field i of the schema's type is field i of the record; with `key.match` or
/// `value.match` = `name`, by name. The record's timestamp becomes Kafka's.
///
/// Throws kInvalidArgument when formats, types or fields do not fit `stream_type`.
OperatorFactory make_kafka_serializer(const Options& options,
                                      const LogicalTypePtr& stream_type,
                                      const LogicalTypePtr& key_type,
                                      const LogicalTypePtr& value_type);

}  // namespace flott
