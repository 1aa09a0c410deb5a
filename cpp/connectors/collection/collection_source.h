#pragma once

#include "connectors/source.h"

namespace flott {

/// Batches given in C++ as a bounded source with one split; its position is a number of rows, so a
/// restored reader goes on at the row where the checkpoint was. Batches of host objects make the
/// task hold the host's lock.
class CollectionSource final : public Source {
 public:
  /// All `batches` are of `type`.
  CollectionSource(LogicalTypePtr type, std::vector<BatchPtr> batches);

  Boundedness boundedness() const override { return Boundedness::kBounded; }
  LogicalTypePtr produced_type() const override { return type_; }
  std::vector<SourceSplit> discover_splits(const std::function<bool()>& cancelled) override;
  std::unique_ptr<SourceReader> create_reader(const SourceReaderContext& context) override;
  bool uses_host() const override { return !type_->is_native(); }

 private:
  LogicalTypePtr type_;
  std::shared_ptr<const std::vector<BatchPtr>> batches_;
};

}  // namespace flott
