#include "state/heap/open_segment.h"

#include "base/error.h"

#include <algorithm>
#include <thread>
#include <utility>

namespace flott::heap {
namespace {

/// Keys that are stored before the lock is let go, and sooner if the task waits.
constexpr std::size_t kKeysAtOnce = 256;
/// Entries lie anywhere in memory: so many before its turn each is asked for.
constexpr std::size_t kAhead = 8;

void prefetch(const KeyEntry& entry) {
  const char* const at = reinterpret_cast<const char*>(&entry);
  __builtin_prefetch(at, 1);
  __builtin_prefetch(at + 64, 1);
  __builtin_prefetch(at + 128, 1);
}

}  // namespace

void OpenSegment::store(std::size_t position) {
  task_waits_ = true;
  const std::lock_guard lock(mutex_);
  task_waits_ = false;
  if (position >= keys_.size() || keys_[position].entry == nullptr || error_ != nullptr) {
    return;
  }
  try {
    store_(*std::exchange(keys_[position].entry, nullptr), segment_);
  } catch (...) {
    error_ = std::current_exception();  // it fails the checkpoint, not what the task was about
  }
}

void OpenSegment::store_next(std::size_t most) {
  const std::size_t end = std::min(keys_.size(), next_ + most);
  try {
    for (; next_ < end; ++next_) {
      if (next_ + kAhead < keys_.size() && keys_[next_ + kAhead].entry != nullptr) {
        prefetch(*keys_[next_ + kAhead].entry);
      }
      if (KeyEntry* const entry = keys_[next_].entry) {
        keys_[next_].entry = nullptr;
        store_(*entry, segment_);
        entry->changed_at.store(0, std::memory_order_release);
        if (task_waits_.load(std::memory_order_relaxed)) {
          ++next_;
          return;  // one key may be large
        }
      }
    }
  } catch (...) {
    error_ = std::current_exception();
  }
}

void OpenSegment::check() const {
  const std::lock_guard lock(mutex_);
  if (error_ != nullptr) {
    std::rethrow_exception(error_);
  }
}

bool OpenSegment::store_some(std::size_t most) {
  const std::lock_guard lock(mutex_);
  if (error_ == nullptr) {
    store_next(most);
  }
  return error_ == nullptr && next_ < keys_.size();
}

void OpenSegment::finish() {
  while (store_some(kKeysAtOnce)) {
    while (task_waits_) {
      std::this_thread::yield();  // a mutex alone would often go to the same thread again
    }
  }
}

bool OpenSegment::complete() const {
  const std::lock_guard lock(mutex_);
  return error_ == nullptr && next_ == keys_.size();
}

std::size_t OpenSegment::typical_record() const {
  constexpr std::size_t kGuess = 32;
  const std::size_t records = segment_.record_count();
  return records == 0 ? kGuess : segment_.record_bytes() / records;
}

std::size_t OpenSegment::record_bytes() const {
  const std::lock_guard lock(mutex_);
  return typical_record();
}

std::size_t OpenSegment::expected_bytes() const {
  const std::lock_guard lock(mutex_);
  if (built_bytes_ > 0) {
    return built_bytes_;
  }
  if (next_ == keys_.size()) {
    return segment_.size();
  }
  return typical_record() * (segment_.record_count() + keys_.size() - next_);
}

std::string OpenSegment::build() {
  finish();
  check();
  const std::lock_guard lock(mutex_);
  if (built_bytes_ > 0) {
    throw Error(ErrorKind::kExternal, "no memory for a segment of heap state", Retryable::kYes);
  }
  std::string bytes = segment_.build();
  built_bytes_ = bytes.size();
  // Nothing of this is needed any more, but the task may hold it until its next checkpoint.
  segment_ = SegmentBuilder(false, {});
  keys_ = {};
  next_ = 0;
  return bytes;
}

}  // namespace flott::heap
