#include "runtime/record_writer.h"

#include "base/error.h"

#include <utility>

namespace flott {
namespace {

constexpr std::int64_t kMaxBatchRows = 1024;

}  // namespace

std::string_view ship_strategy_name(PartitionStrategy strategy) {
  switch (strategy) {
    case PartitionStrategy::kForward:
      return "FORWARD";
    case PartitionStrategy::kRebalance:
      return "REBALANCE";
    case PartitionStrategy::kRescale:
      return "RESCALE";
    case PartitionStrategy::kShuffle:
      return "SHUFFLE";
    case PartitionStrategy::kGlobal:
      return "GLOBAL";
    case PartitionStrategy::kBroadcast:
      return "BROADCAST";
    case PartitionStrategy::kHash:
      return "HASH";
    case PartitionStrategy::kCustom:
      return "CUSTOM";
  }
  return "?";
}

BatchPtr isolate_batch(const BatchPtr& batch) {
  if (batch->type()->kind() != TypeKind::kObject) {
    return batch;
  }
  BatchBuilder builder(batch->type());
  for (std::int64_t row = 0; row < batch->num_rows(); ++row) {
    Key key;
    const Key* key_pointer = nullptr;
    if (batch->keys()) {
      key = batch->keys()->at(static_cast<std::size_t>(row));
      key_pointer = &key;
    }
    builder.append(batch->value_at(row).isolated(),
                   batch->timestamp_at(row),
                   batch->kind_at(row),
                   key_pointer);
  }
  return builder.finish();
}

RecordWriter::RecordWriter(Options options)
    : strategy_(options.partitioner.strategy),
      channels_(std::move(options.channels)),
      max_parallelism_(options.downstream_max_parallelism),
      object_reuse_(options.object_reuse),
      wait_for_room_(std::move(options.wait_for_room)),
      // Subtasks start their round robin at different channels, so that few records spread too.
      next_(channels_.empty() ? 0 : static_cast<std::size_t>(options.subtask) % channels_.size()),
      random_(static_cast<unsigned>(options.subtask) + 1) {
  buffers_.reserve(channels_.size());
  for (std::size_t i = 0; i < channels_.size(); ++i) {
    buffers_.emplace_back(options.type);
  }
  if (strategy_ == PartitionStrategy::kCustom) {
    STREAM_CHECK(options.partitioner.make_custom, "a custom edge has a partitioner");
    custom_ = options.partitioner.make_custom();
  }
}

std::size_t RecordWriter::choose(const Value& value, const Key* key) {
  switch (strategy_) {
    case PartitionStrategy::kForward:
    case PartitionStrategy::kGlobal:
    case PartitionStrategy::kBroadcast:
      return 0;
    case PartitionStrategy::kRebalance:
    case PartitionStrategy::kRescale: {
      const std::size_t chosen = next_;
      next_ = next_ + 1 == channels_.size() ? 0 : next_ + 1;
      return chosen;
    }
    case PartitionStrategy::kShuffle:
      return std::uniform_int_distribution<std::size_t>(0, channels_.size() - 1)(random_);
    case PartitionStrategy::kHash:
      STREAM_CHECK(key != nullptr, "a record on a hash edge has a key");
      return static_cast<std::size_t>(subtask_of(key_group_of(key->hash, max_parallelism_),
                                                 max_parallelism_,
                                                 static_cast<int>(channels_.size())));
    case PartitionStrategy::kCustom: {
      const int n = static_cast<int>(channels_.size());
      const int chosen = custom_->partition(value, n);
      if (chosen < 0 || chosen >= n) {
        throw_error(ErrorKind::kUserCode,
                    "the partitioner returned {} for {}; it must be in [0, {}), the parallelism of "
                    "the operator after partition_custom",
                    chosen,
                    value.to_string(),
                    n);
      }
      return static_cast<std::size_t>(chosen);
    }
  }
  return 0;
}

void RecordWriter::emit(Record&& record) {
  if (strategy_ == PartitionStrategy::kBroadcast) {
    for (std::size_t i = 0; i < channels_.size(); ++i) {
      append(i, object_reuse_ ? Value(record.value) : record.value.isolated(), record);
    }
    return;
  }
  const std::size_t channel = channels_.size() == 1 && strategy_ != PartitionStrategy::kCustom
                                  ? 0
                                  : choose(record.value, record.key);
  append(channel, object_reuse_ ? std::move(record.value) : record.value.isolated(), record);
}

void RecordWriter::append(std::size_t channel, Value&& value, const Record& record) {
  const Key* key = strategy_ == PartitionStrategy::kHash ? record.key : nullptr;
  if (BatchPtr before =
          buffers_[channel].append(std::move(value), record.timestamp, record.kind, key)) {
    pending_rows_ -= static_cast<std::size_t>(before->num_rows());
    send(channel, std::move(before));
  }
  ++pending_rows_;
  if (buffers_[channel].num_rows() >= kMaxBatchRows) {
    flush_channel(channel);
  }
}

void RecordWriter::emit_batch(const BatchPtr& batch) {
  if (batch->num_rows() == 0) {
    return;
  }
  if (strategy_ == PartitionStrategy::kBroadcast) {
    for (std::size_t i = 0; i < channels_.size(); ++i) {
      push(i, i == 0 || object_reuse_ ? batch : isolate_batch(batch));
    }
    return;
  }
  if (channels_.size() == 1 && strategy_ != PartitionStrategy::kCustom) {
    push(0, batch);
    return;
  }
  std::vector<std::vector<std::uint32_t>> rows(channels_.size());
  for (std::int64_t row = 0; row < batch->num_rows(); ++row) {
    Key key;
    if (strategy_ == PartitionStrategy::kHash) {
      STREAM_CHECK(batch->keys() != nullptr, "a batch on a hash edge has keys");
      key.hash = batch->keys()->hash_at(static_cast<std::size_t>(row));
    }
    const Value value =
        strategy_ == PartitionStrategy::kCustom ? batch->value_at(row) : Value::null();
    rows[choose(value, &key)].push_back(static_cast<std::uint32_t>(row));
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (static_cast<std::int64_t>(rows[i].size()) == batch->num_rows()) {
      push(i, batch);
    } else if (!rows[i].empty()) {
      push(i, batch->take(rows[i]));
    }
  }
}

void RecordWriter::push(std::size_t channel, BatchPtr batch) {
  flush_channel(channel);
  send(channel, std::move(batch));
}

void RecordWriter::send(std::size_t channel, BatchPtr batch) {
  Channel& to = *channels_[channel];
  to.push(std::move(batch));
  if (wait_for_room_ && to.is_overfull()) {
    wait_for_room_(to);
  }
}

void RecordWriter::flush_channel(std::size_t channel) {
  if (BatchPtr batch = buffers_[channel].finish()) {
    pending_rows_ -= static_cast<std::size_t>(batch->num_rows());
    send(channel, std::move(batch));
  }
}

void RecordWriter::broadcast(const Element& element) {
  flush();
  for (const auto& channel : channels_) {
    channel->push(element);
  }
}

void RecordWriter::flush() {
  if (pending_rows_ == 0) {
    return;
  }
  for (std::size_t i = 0; i < channels_.size(); ++i) {
    flush_channel(i);
  }
}

bool RecordWriter::has_room() const {
  for (const auto& channel : channels_) {
    if (!channel->has_room()) {
      return false;
    }
  }
  return true;
}

}  // namespace flott
