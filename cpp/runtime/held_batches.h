#pragma once

#include "runtime/spill_file.h"

#include <deque>
#include <memory>
#include <optional>
#include <string>

namespace flott {

/// Batches in the order they came, in memory up to a limit and the rest in a file. First all are
/// put in, then all taken out. One thread.
class HeldBatches {
 public:
  HeldBatches(std::size_t memory_bytes, std::string directory)
      : memory_bytes_(memory_bytes), directory_(std::move(directory)) {}

  void push(InputBatch batch);
  bool empty() const { return in_memory_.empty() && in_file_ == 0; }
  InputBatch pop();
  /// For tests.
  std::size_t in_file() const { return in_file_; }

 private:
  const std::size_t memory_bytes_;
  const std::string directory_;
  std::deque<InputBatch> in_memory_;
  std::size_t bytes_ = 0;
  std::unique_ptr<SpillFile> file_;
  std::size_t in_file_ = 0;
  bool rewound_ = false;
};

}  // namespace flott
