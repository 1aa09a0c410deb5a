#pragma once

#include "operators/functions.h"
#include "runtime/operator.h"

#include <utility>

namespace flott {

/// A Collector over an Output, for the duration of one call: what the function collects carries
/// timestamp, row kind and key of the record it was called with, as in Flink's
/// TimestampedCollector.
class OutputCollector final : public Collector {
 public:
  explicit OutputCollector(Output& out,
                           Timestamp timestamp = kNoTimestamp,
                           RowKind kind = RowKind::kInsert,
                           const Key* key = nullptr)
      : out_(out), timestamp_(timestamp), kind_(kind), key_(key) {}
  OutputCollector(Output& out, const Record& record)
      : OutputCollector(out, record.timestamp, record.kind, record.key) {}

  void collect(Value value) override {
    out_.emit(Record{std::move(value), timestamp_, kind_, key_});
  }
  void collect_side(SideOutputId side, Value value) override {
    out_.emit_side(side, Record{std::move(value), timestamp_, kind_, key_});
  }

 private:
  Output& out_;
  Timestamp timestamp_;
  RowKind kind_;
  const Key* key_;
};

}  // namespace flott
