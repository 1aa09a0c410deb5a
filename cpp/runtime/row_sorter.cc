#include "runtime/row_sorter.h"

#include "base/error.h"
#include "runtime/spill_file.h"
#include "types/host.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <string_view>
#include <utility>

namespace flott {
namespace {

constexpr std::int64_t kChunkRows = 1024;
constexpr std::size_t kEntryBytes = 24;

std::int64_t int_key(std::string_view bytes) {
  std::int64_t value = 0;
  std::memcpy(&value, bytes.data() + 1, sizeof value);
  return value;
}

bool is_int_key(std::string_view bytes) {
  return bytes.size() == 9 && bytes[0] == 'I';
}

int compare_keys(std::string_view a, std::string_view b) {
  if (is_int_key(a) && is_int_key(b)) {
    const std::int64_t x = int_key(a);
    const std::int64_t y = int_key(b);
    return x < y ? -1 : (x > y ? 1 : 0);
  }
  return a.compare(b);
}

/// The first bytes of a key as a number that sorts like it, and whether no other key has the same.
struct Prefix {
  std::uint64_t value = 0;
  bool exact = false;
};

Prefix prefix_of(std::string_view bytes) {
  Prefix out;
  if (is_int_key(bytes)) {
    // Tag and 56 bits; numbers beyond are told apart by their bytes.
    constexpr std::int64_t kHalf = std::int64_t{1} << 55;
    const std::int64_t value = int_key(bytes);
    const std::int64_t near = std::clamp(value, -kHalf, kHalf - 1);
    out.value = static_cast<std::uint64_t>('I') << 56 | static_cast<std::uint64_t>(near + kHalf);
    out.exact = near == value && value != -kHalf && value != kHalf - 1;
    return out;
  }
  std::array<unsigned char, 8> head{};
  std::memcpy(head.data(), bytes.data(), std::min(bytes.size(), head.size()));
  for (const unsigned char byte : head) {
    out.value = out.value << 8 | byte;
  }
  // No encoding of a key begins with the whole of another one, so zeros at the end cannot mislead.
  out.exact = bytes.size() <= head.size();
  return out;
}

bool holds_objects(const Batch& batch) {
  return batch.type()->kind() == TypeKind::kObject || batch.keys()->has_objects();
}

}  // namespace

/// Rows in sorted order, in memory or block by block out of a file.
class RowSorter::Run {
 public:
  struct Entry {
    std::uint64_t prefix;
    Timestamp timestamp;
    std::uint32_t batch : 31;
    std::uint32_t exact : 1;
    std::uint32_t row;
  };
  static_assert(sizeof(Entry) == kEntryBytes);

  Run() = default;
  /// Of a file that was written and rewound; `level` is how often its rows were merged before.
  Run(std::unique_ptr<SpillFile> file, int level) : file_(std::move(file)), level_(level) {}

  void add(BatchPtr batch, int input) {
    STREAM_CHECK(batch->keys() != nullptr, "rows that are sorted by key have keys");
    const auto index = static_cast<std::uint32_t>(batches_.size());
    const auto rows = static_cast<std::uint32_t>(batch->num_rows());
    for (std::uint32_t row = 0; row < rows; ++row) {
      const Prefix prefix = prefix_of(batch->keys()->at(row).bytes);
      entries_.push_back({prefix.value, batch->timestamp_at(row), index, prefix.exact, row});
    }
    batches_.push_back({std::move(batch), input, rows});
  }
  void sort() {
    std::sort(entries_.begin(), entries_.end(), [this](const Entry& a, const Entry& b) {
      const int order = compare(*this, a, *this, b);
      return order != 0 ? order < 0 : std::pair(a.batch, a.row) < std::pair(b.batch, b.row);
    });
  }
  std::size_t row_count() const { return entries_.size(); }
  bool at_end() const { return next_ == entries_.size(); }
  const Entry& head() const { return entries_[next_]; }
  const Batch& batch_of(const Entry& entry) const { return *batches_[entry.batch].batch; }
  int input_of(const Entry& entry) const { return batches_[entry.batch].input; }
  Key key_of(const Entry& entry) const { return batch_of(entry).keys()->at(entry.row); }

  /// Leaves the head behind; its batch goes with its last row.
  void pop() {
    Held& held = batches_[entries_[next_].batch];
    if (--held.left == 0) {
      held.batch.reset();
    }
    ++next_;
    if (at_end()) {
      entries_.clear();
      batches_.clear();
      next_ = 0;
      read_block();
    }
  }
  /// The next block of a file; the run is at its end when there is none.
  void read_block() {
    if (file_ == nullptr) {
      return;
    }
    if (std::optional<InputBatch> block = file_->read()) {
      add(std::move(block->batch), block->input);
    } else {
      file_.reset();
    }
  }
  bool is_file() const { return file_ != nullptr; }
  int level() const { return level_; }

  /// By key, time and input.
  static int compare(const Run& x, const Entry& a, const Run& y, const Entry& b) {
    if (a.prefix != b.prefix) {
      return a.prefix < b.prefix ? -1 : 1;
    }
    if (a.exact == 0 || b.exact == 0) {
      if (const int order = compare_keys(x.key_of(a).bytes, y.key_of(b).bytes); order != 0) {
        return order;
      }
    }
    if (a.timestamp != b.timestamp) {
      return a.timestamp < b.timestamp ? -1 : 1;
    }
    return x.input_of(a) - y.input_of(b);
  }

 private:
  struct Held {
    BatchPtr batch;
    int input;
    std::uint32_t left;
  };
  std::vector<Held> batches_;
  std::vector<Entry> entries_;
  std::size_t next_ = 0;
  std::unique_ptr<SpillFile> file_;
  int level_ = 0;
};

/// The rows of several sorted runs in one order.
class RowSorter::Merge {
 public:
  explicit Merge(std::vector<std::unique_ptr<Run>> runs) : runs_(std::move(runs)) {
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      if (runs_[i]->at_end()) {
        runs_[i]->read_block();
      }
      if (!runs_[i]->at_end()) {
        heap_.push_back(i);
      }
    }
    std::make_heap(heap_.begin(), heap_.end(), later_);
  }

  std::optional<InputBatch> next() {
    if (heap_.empty()) {
      return std::nullopt;
    }
    const Run& first = *runs_[heap_.front()];
    const Batch& model = first.batch_of(first.head());
    const int input = first.input_of(first.head());
    const LogicalTypePtr type = model.type();
    // Copied objects and keys count references; buffers of native columns do not.
    std::optional<HostScope> scope;
    BatchBuilder builder(type);
    while (!heap_.empty() && builder.num_rows() < kChunkRows) {
      Run& run = *runs_[heap_.front()];
      const Run::Entry& entry = run.head();
      const Batch& batch = run.batch_of(entry);
      if (run.input_of(entry) != input || (batch.type() != type && *batch.type() != *type)) {
        break;
      }
      if (!scope && holds_objects(batch)) {
        scope.emplace();
      }
      for (std::size_t c = 0; c < builder.column_count(); ++c) {
        builder.column(c).append_from(batch.column(c), entry.row);
      }
      const Key key = run.key_of(entry);
      builder.end_row(entry.timestamp, batch.kind_at(entry.row), &key);
      advance();
    }
    return InputBatch{builder.finish(), input};
  }

 private:
  void advance() {
    Run& run = *runs_[heap_.front()];
    run.pop();
    if (heap_.size() == 1) {
      if (run.at_end()) {
        heap_.clear();
      }
      return;
    }
    std::pop_heap(heap_.begin(), heap_.end(), later_);
    if (run.at_end()) {
      heap_.pop_back();
    } else {
      std::push_heap(heap_.begin(), heap_.end(), later_);
    }
  }
  struct Later {
    const Merge* merge;
    bool operator()(std::size_t a, std::size_t b) const {
      const Run& x = *merge->runs_[a];
      const Run& y = *merge->runs_[b];
      const int order = Run::compare(x, x.head(), y, y.head());
      return order != 0 ? order > 0 : a > b;
    }
  };

  std::vector<std::unique_ptr<Run>> runs_;
  const Later later_{this};
  std::vector<std::size_t> heap_;
};

RowSorter::RowSorter(Options options) : options_(std::move(options)) {}
RowSorter::~RowSorter() = default;

void RowSorter::add(BatchPtr batch, int input) {
  STREAM_CHECK(merge_ == nullptr, "rows are added before finish()");
  const auto rows = static_cast<std::size_t>(batch->num_rows());
  if (rows == 0) {
    return;
  }
  rows_ += batch->num_rows();
  held_bytes_ += batch->size_bytes() + rows * kEntryBytes;
  if (open_ == nullptr) {
    open_ = std::make_unique<Run>();
  }
  open_->add(std::move(batch), input);
  if (held_bytes_ > options_.memory_bytes) {
    close_run();
    spill();
  } else if (open_->row_count() >= options_.run_rows) {
    close_run();
  }
}

void RowSorter::close_run() {
  if (open_ == nullptr) {
    return;
  }
  {
    const HostRelease others_may_run;  // compares bytes only
    open_->sort();
  }
  runs_.push_back(std::move(open_));
}

void RowSorter::spill() {
  // What takes long here are disks and comparisons; objects are read under the lock.
  const HostRelease others_may_run;
  // Files stay where they are; only what lies in memory is merged into a new one.
  const auto in_memory =
      std::find_if(runs_.begin(), runs_.end(), [](const auto& run) { return !run->is_file(); });
  merge_into_file(static_cast<std::size_t>(in_memory - runs_.begin()), 0);
  held_bytes_ = 0;
  // Each level's files become one of the next when there are many: a row is rewritten once a level,
  // and a file is open for each run.
  while (true) {
    const int level = runs_.back()->level();
    std::size_t first = runs_.size();
    while (first > 0 && runs_[first - 1]->level() == level) {
      --first;
    }
    if (runs_.size() - first < options_.merge_files) {
      return;
    }
    merge_into_file(first, level + 1);
  }
}

void RowSorter::merge_into_file(std::size_t first, int level) {
  const auto begin = runs_.begin() + static_cast<std::ptrdiff_t>(first);
  auto file = std::make_unique<SpillFile>(options_.directory);
  Merge merge(std::vector<std::unique_ptr<Run>>(std::make_move_iterator(begin),
                                                std::make_move_iterator(runs_.end())));
  while (const std::optional<InputBatch> chunk = merge.next()) {
    file->write(*chunk->batch, chunk->input);
  }
  file->rewind();
  runs_.resize(first);
  runs_.push_back(std::make_unique<Run>(std::move(file), level));
  ++files_;
}

std::size_t RowSorter::open_file_count() const {
  return static_cast<std::size_t>(
      std::count_if(runs_.begin(), runs_.end(), [](const auto& run) { return run->is_file(); }));
}

void RowSorter::finish() {
  close_run();
  merge_ = std::make_unique<Merge>(std::move(runs_));
  runs_.clear();
}

std::optional<InputBatch> RowSorter::next() {
  STREAM_CHECK(merge_ != nullptr, "rows are read after finish()");
  return merge_->next();
}

}  // namespace flott
