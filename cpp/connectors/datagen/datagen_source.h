#pragma once

#include "connectors/options.h"
#include "connectors/source.h"

namespace flott {

/// Generated rows by field specification, at a given rate (Flink's `datagen`).
///
/// Options: `rows-per-second` (10000; 0 = as fast as possible), `number-of-rows` (unbounded
/// without), `splits` (1: rows are dealt out round robin), `seed`, and per field those of
/// make_field_generator(). Bounded when a number of rows or a sequence field limits it.
class DataGeneratorSource final : public Source {
 public:
  static std::unique_ptr<Source> from_options(const Options& options, const LogicalTypePtr& type);
  DataGeneratorSource(const Options& options, LogicalTypePtr type);

  Boundedness boundedness() const override {
    return rows_ >= 0 ? Boundedness::kBounded : Boundedness::kUnbounded;
  }
  LogicalTypePtr produced_type() const override { return type_; }
  bool invents_splits() const override { return true; }
  std::vector<SourceSplit> discover_splits(const std::function<bool()>& cancelled) override;
  std::unique_ptr<SourceReader> create_reader(const SourceReaderContext& context) override;

 private:
  Options options_;
  LogicalTypePtr type_;
  std::int64_t rows_per_second_;
  std::int64_t rows_;  ///< -1: unbounded
  int splits_;
};

}  // namespace flott
