#include "connectors/sequence/number_sequence_source.h"

#include "base/bytes.h"
#include "connectors/stored_version.h"

#include <algorithm>

namespace flott {
namespace {

// Position of a split: version 1, next number i64, last number i64, finished u8.
constexpr std::uint8_t kPositionVersion = 1;

struct Range {
  std::string id;
  std::int64_t next = 0;
  std::int64_t last = 0;
  bool finished = false;
};

std::string encode_position(const Range& range) {
  std::string out;
  BytesWriter writer(out);
  writer.u8(kPositionVersion);
  writer.i64(range.next);
  writer.i64(range.last);
  writer.u8(range.finished ? 1 : 0);
  return out;
}

class NumberSequenceReader final : public SourceReader {
 public:
  explicit NumberSequenceReader(LogicalTypePtr type) : type_(std::move(type)) {}

  void add_splits(const std::vector<SourceSplit>& splits) override {
    for (const SourceSplit& split : splits) {
      BytesReader reader = position_reader(split, kPositionVersion);
      Range range;
      range.id = split.id;
      range.next = reader.i64();
      range.last = reader.i64();
      range.finished = reader.u8() != 0;
      ranges_.push_back(std::move(range));
    }
  }

  PollResult poll(SourceBatch& out, std::int64_t max_rows) override {
    out = {};
    while (current_ < ranges_.size() && ranges_[current_].finished) {
      ++current_;
    }
    if (current_ == ranges_.size()) {
      return PollResult::kFinished;
    }
    Range& range = ranges_[current_];
    // In unsigned arithmetic: the whole range of BIGINT has more numbers than BIGINT can say.
    const std::uint64_t left =
        static_cast<std::uint64_t>(range.last) - static_cast<std::uint64_t>(range.next);
    const std::int64_t rows = static_cast<std::int64_t>(
        std::min(static_cast<std::uint64_t>(std::max<std::int64_t>(max_rows, 1)) - 1, left) + 1);
    auto values = std::make_shared<std::vector<std::uint8_t>>(static_cast<std::size_t>(rows) *
                                                              sizeof(std::int64_t));
    auto* const numbers = reinterpret_cast<std::int64_t*>(values->data());
    const std::int64_t first = range.next;
    for (std::int64_t i = 0; i < rows; ++i) {
      numbers[i] = first + i;
    }
    if (static_cast<std::uint64_t>(rows - 1) == left) {
      range.finished = true;
      range.next = range.last;
    } else {
      range.next += rows;
    }
    auto column = std::make_shared<Column>();
    column->type = type_;
    column->length = rows;
    column->values = std::shared_ptr<const std::vector<std::uint8_t>>(std::move(values));
    out.split = static_cast<int>(current_);
    out.batch = Batch::make(type_, {std::move(column)}, rows);
    return PollResult::kMore;
  }

  std::vector<SourceSplit> positions() override {
    std::vector<SourceSplit> splits;
    splits.reserve(ranges_.size());
    for (const Range& range : ranges_) {
      splits.push_back({range.id, encode_position(range)});
    }
    return splits;
  }

  bool split_finished(int index) const override {
    return ranges_[static_cast<std::size_t>(index)].finished;
  }

 private:
  LogicalTypePtr type_;
  std::vector<Range> ranges_;
  std::size_t current_ = 0;
};

}  // namespace

NumberSequenceSource::NumberSequenceSource(std::int64_t from, std::int64_t to, int splits)
    : from_(from), to_(to), splits_(splits), type_(LogicalType::of(TypeKind::kBigInt)) {
  if (from > to) {
    throw_error(ErrorKind::kInvalidArgument,
                "a number sequence must not start after its end, but starts at {} and ends at {}",
                from,
                to);
  }
  if (splits < 1) {
    throw_error(
        ErrorKind::kInvalidArgument, "a number sequence needs at least one split, not {}", splits);
  }
}

std::unique_ptr<Source> NumberSequenceSource::from_options(const Options& options,
                                                           const LogicalTypePtr& /*type*/) {
  options.get("start");
  options.get("end");
  return std::make_unique<NumberSequenceSource>(options.get_int("start", 0),
                                                options.get_int("end", 0),
                                                static_cast<int>(options.get_int("splits", 16)));
}

std::vector<SourceSplit> NumberSequenceSource::discover_splits(
    const std::function<bool()>& /*cancelled*/) {
  const std::uint64_t span = static_cast<std::uint64_t>(to_) - static_cast<std::uint64_t>(from_);
  const auto wanted = static_cast<std::uint64_t>(splits_);
  const std::uint64_t count = span < wanted - 1 ? span + 1 : wanted;
  std::vector<SourceSplit> splits;
  std::int64_t next = from_;
  for (std::uint64_t i = 0; i < count; ++i) {
    // The last split takes what rounding leaves.
    const std::uint64_t share = span / count + (i < span % count ? 1 : 0);
    Range range;
    range.next = next;
    range.last = i + 1 == count ? to_
                                : static_cast<std::int64_t>(static_cast<std::uint64_t>(next) +
                                                            std::max<std::uint64_t>(share, 1) - 1);
    splits.push_back({std::to_string(i), encode_position(range)});
    next = static_cast<std::int64_t>(static_cast<std::uint64_t>(range.last) + 1);
  }
  return splits;
}

std::unique_ptr<SourceReader> NumberSequenceSource::create_reader(
    const SourceReaderContext& /*context*/) {
  return std::make_unique<NumberSequenceReader>(type_);
}

}  // namespace flott
