#pragma once

#include "types/batch.h"

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace flott {

/// A batch and the input of the task that it came from.
struct InputBatch {
  BatchPtr batch;
  int input = 0;
};

/// Batches of a BATCH job that do not fit into memory: a temporary file, written once and then read
/// once, in the same order. It has no name, so that it goes with the process, however that ends.
/// One thread.
///
/// Takes the host's lock itself where values are objects, and gives it up while it waits for the
/// disk.
class SpillFile {
 public:
  /// In the folder `directory`; empty: $TMPDIR, else /tmp. Throws kExternal, as all of it does.
  explicit SpillFile(const std::string& directory);

  void write(const Batch& batch, int input);
  /// Everything was written.
  void rewind();
  /// After rewind(): the next batch; empty at the end.
  std::optional<InputBatch> read();

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  [[noreturn]] void fail(const char* what) const;

  const std::string folder_;
  std::unique_ptr<std::FILE, Close> file_;
  std::vector<LogicalTypePtr> types_;  ///< of the batches in the file
};

}  // namespace flott
