#include "connectors/datagen/datagen_source.h"

#include "base/bytes.h"
#include "connectors/datagen/field_generator.h"
#include "connectors/stored_version.h"
#include "connectors/wakeup_timer.h"

#include <algorithm>

namespace flott {
namespace {

// Position: version 1, next row index i64 (of the whole source), step i64 (number of splits).
constexpr std::uint8_t kPositionVersion = 1;

struct Stripe {
  std::string id;
  std::int64_t next = 0;
  std::int64_t step = 1;
};

std::string encode_position(const Stripe& stripe) {
  std::string out;
  BytesWriter writer(out);
  writer.u8(kPositionVersion);
  writer.i64(stripe.next);
  writer.i64(stripe.step);
  return out;
}

using Generators = std::vector<std::unique_ptr<FieldGenerator>>;

Generators make_generators(const Options& options, const LogicalTypePtr& type) {
  Generators generators;
  const auto seed = static_cast<std::uint64_t>(options.get_int("seed", 42));
  for (std::size_t i = 0; i < type->children().size(); ++i) {
    generators.push_back(make_field_generator(
        type->field_names()[i], type->children()[i], options, seed * 1000003 + i));
  }
  return generators;
}

class DataGeneratorReader final : public SourceReader {
 public:
  DataGeneratorReader(const SourceReaderContext& context,
                      LogicalTypePtr type,
                      Generators generators,
                      std::int64_t rows_per_second,
                      std::int64_t rows)
      : clock_(*context.clock),
        type_(std::move(type)),
        generators_(std::move(generators)),
        rows_per_second_(rows_per_second),
        rows_(rows),
        builder_(type_),
        timer_(context.wakeup) {}

  void add_splits(const std::vector<SourceSplit>& splits) override {
    for (const SourceSplit& split : splits) {
      BytesReader reader = position_reader(split, kPositionVersion);
      Stripe stripe{split.id, reader.i64(), reader.i64()};
      stripes_.push_back(stripe);
    }
  }

  PollResult poll(SourceBatch& out, std::int64_t max_rows) override {
    out = {};
    std::size_t tried = 0;
    while (tried < stripes_.size() && finished(stripes_[current_])) {
      current_ = (current_ + 1) % stripes_.size();
      ++tried;
    }
    if (tried == stripes_.size()) {
      return PollResult::kFinished;
    }
    const std::int64_t allowed = std::min(std::max<std::int64_t>(max_rows, 1), allowance());
    if (allowed <= 0) {
      return PollResult::kIdle;
    }
    Stripe& stripe = stripes_[current_];
    const Timestamp now = clock_.now_ms();
    std::int64_t made = 0;
    for (; made < allowed && !finished(stripe); ++made) {
      for (std::size_t i = 0; i < generators_.size(); ++i) {
        generators_[i]->append(static_cast<std::uint64_t>(stripe.next), now, builder_.column(i));
      }
      builder_.end_row();
      stripe.next += stripe.step;
    }
    made_ += made;
    out.split = static_cast<int>(current_);
    out.batch = builder_.finish();
    current_ = (current_ + 1) % stripes_.size();
    return PollResult::kMore;
  }

  std::vector<SourceSplit> positions() override {
    std::vector<SourceSplit> splits;
    for (const Stripe& stripe : stripes_) {
      splits.push_back({stripe.id, encode_position(stripe)});
    }
    return splits;
  }

  bool split_finished(int index) const override {
    return finished(stripes_[static_cast<std::size_t>(index)]);
  }

 private:
  bool finished(const Stripe& stripe) const { return rows_ >= 0 && stripe.next >= rows_; }

  /// Rows that are due by now; arranges the next wake-up when there are none.
  std::int64_t allowance() {
    if (rows_per_second_ <= 0) {
      return kMaxBatch;
    }
    if (started_ms_ < 0) {
      started_ms_ = clock_.now_ms();
    }
    // The rate is the whole source's; this reader has its share of the splits.
    const double rate = static_cast<double>(rows_per_second_) *
                        static_cast<double>(stripes_.size()) /
                        static_cast<double>(stripes_.front().step) / 1000.0;
    const auto elapsed_ms = static_cast<double>(clock_.now_ms() - started_ms_ + 1);
    const std::int64_t due = static_cast<std::int64_t>(elapsed_ms * rate) - made_;
    if (due <= 0) {
      const double wait_ms = static_cast<double>(made_ + 1) / rate - elapsed_ms;
      timer_.wake_after_ms(
          std::clamp<std::int64_t>(static_cast<std::int64_t>(wait_ms) + 1, 1, 1000));
    }
    return due;
  }

  static constexpr std::int64_t kMaxBatch = 1 << 20;
  const Clock& clock_;
  LogicalTypePtr type_;
  Generators generators_;
  std::int64_t rows_per_second_;
  std::int64_t rows_;
  BatchBuilder builder_;
  std::vector<Stripe> stripes_;
  std::size_t current_ = 0;
  std::int64_t started_ms_ = -1;
  std::int64_t made_ = 0;
  WakeupTimer timer_;
};

}  // namespace

DataGeneratorSource::DataGeneratorSource(const Options& options, LogicalTypePtr type)
    : options_(options),
      type_(std::move(type)),
      rows_per_second_(options.get_int("rows-per-second", 10000)),
      rows_(options.get_int("number-of-rows", -1)),
      splits_(static_cast<int>(options.get_int("splits", 1))) {
  if (!type_ || !type_->is_composite()) {
    throw_error(ErrorKind::kInvalidArgument, "the data generator makes rows: give it a ROW type");
  }
  if (splits_ < 1) {
    throw_error(
        ErrorKind::kInvalidArgument, "the option 'splits' must be at least 1, but is {}", splits_);
  }
  for (const auto& generator : make_generators(options_, type_)) {
    if (generator->limit() >= 0 && (rows_ < 0 || generator->limit() < rows_)) {
      rows_ = generator->limit();
    }
  }
}

std::unique_ptr<Source> DataGeneratorSource::from_options(const Options& options,
                                                          const LogicalTypePtr& type) {
  return std::make_unique<DataGeneratorSource>(options, type);
}

std::vector<SourceSplit> DataGeneratorSource::discover_splits(
    const std::function<bool()>& /*cancelled*/) {
  std::vector<SourceSplit> splits;
  for (int i = 0; i < splits_; ++i) {
    const Stripe stripe{std::to_string(i), i, splits_};
    splits.push_back({stripe.id, encode_position(stripe)});
  }
  return splits;
}

std::unique_ptr<SourceReader> DataGeneratorSource::create_reader(
    const SourceReaderContext& context) {
  return std::make_unique<DataGeneratorReader>(
      context, type_, make_generators(options_, type_), rows_per_second_, rows_);
}

}  // namespace flott
