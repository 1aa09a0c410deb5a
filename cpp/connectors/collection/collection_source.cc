#include "connectors/collection/collection_source.h"

#include "base/bytes.h"
#include "connectors/stored_version.h"

#include <algorithm>

namespace flott {
namespace {

// Position: version 1, rows already read i64.
constexpr std::uint8_t kPositionVersion = 1;

std::string encode_position(std::int64_t rows_read) {
  std::string out;
  BytesWriter writer(out);
  writer.u8(kPositionVersion);
  writer.i64(rows_read);
  return out;
}

class CollectionReader final : public SourceReader {
 public:
  explicit CollectionReader(std::shared_ptr<const std::vector<BatchPtr>> batches)
      : batches_(std::move(batches)) {}

  void add_splits(const std::vector<SourceSplit>& splits) override {
    for (const SourceSplit& split : splits) {
      STREAM_CHECK(split_ids_.empty(), "a collection has one split, '{}' is another", split.id);
      BytesReader reader = position_reader(split, kPositionVersion);
      split_ids_.push_back(split.id);
      rows_read_ = reader.i64();
      std::int64_t skip = rows_read_;
      while (next_ < batches_->size() && skip >= (*batches_)[next_]->num_rows()) {
        skip -= (*batches_)[next_++]->num_rows();
      }
      row_ = skip;
    }
  }

  PollResult poll(SourceBatch& out, std::int64_t max_rows) override {
    out = {};
    while (!split_ids_.empty() && next_ < batches_->size() &&
           row_ >= (*batches_)[next_]->num_rows()) {
      ++next_;
      row_ = 0;
    }
    if (split_ids_.empty() || next_ == batches_->size()) {
      return PollResult::kFinished;
    }
    const BatchPtr& batch = (*batches_)[next_];
    const std::int64_t end =
        std::min(batch->num_rows(), row_ + std::max<std::int64_t>(max_rows, 1));
    out.split = 0;
    out.batch = row_ == 0 && end == batch->num_rows() ? batch : batch->slice(row_, end);
    rows_read_ += end - row_;
    row_ = end;
    return PollResult::kMore;
  }

  std::vector<SourceSplit> positions() override {
    std::vector<SourceSplit> splits;
    for (const std::string& id : split_ids_) {
      splits.push_back({id, encode_position(rows_read_)});
    }
    return splits;
  }

  bool split_finished(int /*index*/) const override {
    return next_ == batches_->size() ||
           (next_ + 1 == batches_->size() && row_ >= batches_->back()->num_rows());
  }

 private:
  std::shared_ptr<const std::vector<BatchPtr>> batches_;
  std::vector<std::string> split_ids_;
  std::size_t next_ = 0;
  std::int64_t row_ = 0;
  std::int64_t rows_read_ = 0;
};

}  // namespace

CollectionSource::CollectionSource(LogicalTypePtr type, std::vector<BatchPtr> batches)
    : type_(std::move(type)),
      batches_(std::make_shared<const std::vector<BatchPtr>>(std::move(batches))) {}

std::vector<SourceSplit> CollectionSource::discover_splits(
    const std::function<bool()>& /*cancelled*/) {
  return {{"collection", encode_position(0)}};
}

std::unique_ptr<SourceReader> CollectionSource::create_reader(
    const SourceReaderContext& /*context*/) {
  return std::make_unique<CollectionReader>(batches_);
}

}  // namespace flott
