#include "runtime/held_batches.h"

#include "base/error.h"

#include <utility>

namespace flott {

void HeldBatches::push(InputBatch batch) {
  STREAM_CHECK(!rewound_, "batches are put in before the first comes out of the file");
  if (batch.batch->num_rows() == 0) {
    return;
  }
  bytes_ += batch.batch->size_bytes();
  if (bytes_ <= memory_bytes_) {
    in_memory_.push_back(std::move(batch));
    return;
  }
  if (file_ == nullptr) {
    file_ = std::make_unique<SpillFile>(directory_);
  }
  file_->write(*batch.batch, batch.input);
  ++in_file_;
}

InputBatch HeldBatches::pop() {
  STREAM_CHECK(!empty(), "a batch is taken out that was put in");
  if (!in_memory_.empty()) {
    InputBatch out = std::move(in_memory_.front());
    in_memory_.pop_front();
    return out;
  }
  if (!std::exchange(rewound_, true)) {
    file_->rewind();
  }
  std::optional<InputBatch> out = file_->read();
  STREAM_CHECK(out.has_value(), "{} batches are missing in the file", in_file_);
  if (--in_file_ == 0) {
    file_.reset();
  }
  return *std::move(out);
}

}  // namespace flott
