#pragma once

#include "harness/case_text.h"
#include "runtime/channel.h"
#include "runtime/element.h"
#include "types/batch.h"
#include "types/key.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace flott {

inline BatchPtr ints(const std::vector<std::int64_t>& values,
                     const std::vector<Timestamp>& timestamps = {}) {
  BatchBuilder builder(LogicalType::of(TypeKind::kBigInt));
  for (std::size_t i = 0; i < values.size(); ++i) {
    builder.append(Value::integer(values[i]), timestamps.empty() ? kNoTimestamp : timestamps[i]);
  }
  return builder.finish();
}

/// `1 2 3`, `watermark 5`, `idle`, `barrier 1`, `end`
inline std::string to_text(const Element& element) {
  if (const auto* batch = std::get_if<BatchPtr>(&element)) {
    std::string out;
    for (std::int64_t row = 0; row < (*batch)->num_rows(); ++row) {
      out += (row > 0 ? " " : "") + (*batch)->value_at(row).to_string();
    }
    return out;
  }
  if (const auto* watermark = std::get_if<Watermark>(&element)) {
    return "watermark " + harness::to_text(watermark->timestamp);
  }
  if (const auto* status = std::get_if<WatermarkStatus>(&element)) {
    return *status == WatermarkStatus::kIdle ? "idle" : "active";
  }
  if (const auto* barrier = std::get_if<CheckpointBarrier>(&element)) {
    return "barrier " + std::to_string(barrier->id);
  }
  return "end";
}

/// What waits in a channel, joined by " | "; empties it.
inline std::string drain(Channel& channel) {
  std::string out;
  while (std::optional<Element> element = channel.poll()) {
    out += (out.empty() ? "" : " | ") + to_text(*element);
  }
  return out;
}

/// Channels that nobody waits at.
struct Channels {
  explicit Channels(std::size_t count, std::size_t capacity_bytes = 1 << 20) {
    for (std::size_t i = 0; i < count; ++i) {
      all.push_back(std::make_shared<Channel>(capacity_bytes, signal, signal));
    }
  }
  Channel& operator[](std::size_t i) { return *all[i]; }
  TaskSignal signal;
  std::vector<std::shared_ptr<Channel>> all;
};

/// A key that owns its parts.
struct OwnedKey {
  explicit OwnedKey(Value v) : value(std::move(v)) {
    encode_key(value, bytes);
    key = Key::of(bytes, value);
  }
  OwnedKey(const OwnedKey&) = delete;
  OwnedKey& operator=(const OwnedKey&) = delete;
  Value value;
  std::string bytes;
  Key key;
};

}  // namespace flott
