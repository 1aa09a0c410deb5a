#pragma once

#include "connectors/options.h"
#include "connectors/source.h"

namespace flott {

/// The numbers from `from` to `to`, both included, as one BIGINT column (Flink's
/// NumberSequenceSource). Splits are sub-ranges of nearly equal length; bounded.
class NumberSequenceSource final : public Source {
 public:
  /// Throws kInvalidArgument when `from > to` or `splits < 1`.
  NumberSequenceSource(std::int64_t from, std::int64_t to, int splits = 16);
  /// Options: `start`, `end`, `splits` (16).
  static std::unique_ptr<Source> from_options(const Options& options, const LogicalTypePtr& type);

  Boundedness boundedness() const override { return Boundedness::kBounded; }
  LogicalTypePtr produced_type() const override { return type_; }
  bool invents_splits() const override { return true; }
  std::vector<SourceSplit> discover_splits(const std::function<bool()>& cancelled) override;
  std::unique_ptr<SourceReader> create_reader(const SourceReaderContext& context) override;

 private:
  std::int64_t from_;
  std::int64_t to_;
  int splits_;
  LogicalTypePtr type_;
};

}  // namespace flott
