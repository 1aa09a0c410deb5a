#pragma once

#include "runtime/spill_file.h"
#include "types/batch.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace flott {

/// Sorts keyed rows by key, within a key by timestamp, and then in the order they came: what Flink
/// calls a sorting data input. Rows of several inputs are merged; at one key and time those of the
/// first input come first. One thread.
///
/// The order of keys is that of their canonical bytes, integers by value: short texts come before
/// long ones, as in Flink. Rows without a timestamp are the oldest of their key.
///
/// In memory up to a limit; what is more goes, sorted, to a temporary file a limit's worth. Many
/// files are merged into one, the others when they are read.
class RowSorter {
 public:
  struct Options {
    std::size_t memory_bytes = 128 << 20;  ///< rows held before they go to a file
    std::string directory{};  ///< of the files; empty: $TMPDIR, else /tmp. Nothing stays in it
    std::size_t run_rows = 128 * 1024;  ///< sorted at once
    std::size_t merge_files = 64;       ///< so many of one size become one
  };

  explicit RowSorter(Options options);
  ~RowSorter();

  /// The batch has keys. Takes the host's lock itself where rows of objects are written to a file.
  void add(BatchPtr batch, int input);
  /// Everything was added.
  void finish();
  /// After finish(): the next rows, at most about a thousand, all of one input; empty at the end.
  std::optional<InputBatch> next();

  std::int64_t row_count() const { return rows_; }
  /// Files written so far: for tests and logs.
  std::size_t file_count() const { return files_; }
  std::size_t open_file_count() const;

 private:
  class Run;
  class Merge;

  void close_run();
  /// Moves all that is in memory to a file.
  void spill();
  /// The runs from `first` on become one, in a file.
  void merge_into_file(std::size_t first, int level);

  const Options options_;
  std::unique_ptr<Run> open_;               ///< takes rows; not sorted yet
  std::vector<std::unique_ptr<Run>> runs_;  ///< sorted, in the order they came; files first
  std::unique_ptr<Merge> merge_;
  std::size_t held_bytes_ = 0;
  std::int64_t rows_ = 0;
  std::size_t files_ = 0;
};

}  // namespace flott
