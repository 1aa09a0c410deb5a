#include "bindings/io/collect_sink.h"

#include "base/error.h"
#include "runtime/task.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

namespace flott::bindings {
namespace {

class CollectSink final : public Operator {
 public:
  explicit CollectSink(std::shared_ptr<CollectState> queue) : queue_(std::move(queue)) {}

  bool uses_host() const override { return true; }

  void open(OperatorContext& context) override {
    std::deque<Value> dropped;  // values of a failed attempt: freed behind the lock
    std::deque<CollectState::Epoch> dropped_epochs;
    const std::lock_guard lock(queue_->mutex);
    queue_->closed = false;
    queue_->writers_woken = {context.async_wakeup()};
    queue_->writer_waits = false;
    if (context.attempt_number() == 0 || queue_->delivery == CollectDelivery::kAtOnce) {
      last_checkpoint_ = context.restored_checkpoint();
      return;
    }
    if (queue_->delivery == CollectDelivery::kAtOnceAndNotAgain) {
      if (queue_->given_out > 0) {
        throw_error(ErrorKind::kInvalidArgument,
                    "the job failed and was started again, after {} of the rows that {} collects "
                    "had been read: they would come a second time. Rows come exactly once with "
                    "env.enable_checkpointing(...); or switch restarts off "
                    "(restart-strategy.type: none)",
                    queue_->given_out,
                    context.operator_name());
      }
      dropped.swap(queue_->values);
      queue_->size.store(0, std::memory_order_relaxed);
      return;
    }
    last_checkpoint_ = context.restored_checkpoint();
    if (last_checkpoint_ < queue_->released) {
      throw_error(
          ErrorKind::kInvalidArgument,
          "the job was started again from checkpoint {}, after rows up to checkpoint {} had "
          "been read: those in between would come a second time",
          last_checkpoint_,
          queue_->released);
    }
    queue_->release(last_checkpoint_);
    dropped_epochs.swap(queue_->epochs);
  }

  void process(Record&& record, int /*input*/, Output& /*out*/) override {
    Value value = record.value.isolated();
    const std::lock_guard lock(queue_->mutex);
    if (queue_->delivery == CollectDelivery::kWithTheCheckpoints) {
      if (queue_->epochs.empty() || queue_->epochs.back().until <= last_checkpoint_) {
        queue_->epochs.push_back({last_checkpoint_ + 1, {}});
      }
      queue_->epochs.back().values.push_back(std::move(value));
      return;
    }
    const bool was_empty = queue_->values.empty();
    queue_->values.push_back(std::move(value));
    queue_->size.store(queue_->values.size(), std::memory_order_relaxed);
    if (was_empty) {
      queue_->filled.notify_one();
    }
  }

  void snapshot(CheckpointId id, OperatorSnapshot& /*snapshot*/) override {
    if (id == kFinalSnapshot) {
      return;  // in every checkpoint after the last one that was seen here
    }
    const std::lock_guard lock(queue_->mutex);
    if (!queue_->epochs.empty() && queue_->epochs.back().until > last_checkpoint_) {
      queue_->epochs.back().until = id;
    }
    last_checkpoint_ = id;
  }

  void notify_checkpoint_complete(CheckpointId id) override {
    const std::lock_guard lock(queue_->mutex);
    queue_->release(id);
  }

  bool can_be_busy() const override { return true; }
  bool busy() const override {
    if (queue_->size.load(std::memory_order_relaxed) < queue_->capacity) {
      return false;
    }
    const std::lock_guard lock(queue_->mutex);
    const bool full = queue_->values.size() >= queue_->capacity;
    queue_->writer_waits = queue_->writer_waits || full;
    return full;
  }

  void close() override {
    const std::lock_guard lock(queue_->mutex);
    queue_->closed = true;
    queue_->filled.notify_one();
  }

 private:
  std::shared_ptr<CollectState> queue_;
  CheckpointId last_checkpoint_ = -1;  ///< of which this sink took part, or was restored from
};

}  // namespace

bool CollectState::take(std::int64_t wait_ms) {
  std::vector<std::function<void()>> wake;
  bool was_closed = false;
  {
    std::unique_lock lock(mutex);
    if (wait_ms > 0) {
      filled.wait_for(
          lock, std::chrono::milliseconds(wait_ms), [&] { return !values.empty() || closed; });
    }
    was_closed = closed;
    if (taken.empty()) {
      taken.swap(values);
      given_out += static_cast<std::int64_t>(taken.size());
      size.store(values.size(), std::memory_order_relaxed);
    }
    if (writer_waits && values.size() < capacity) {
      writer_waits = false;
      wake = writers_woken;
    }
  }
  for (const auto& wakeup : wake) {
    wakeup();
  }
  return was_closed;
}

void CollectState::release(CheckpointId id) {
  while (!epochs.empty() && epochs.front().until <= id) {
    for (Value& value : epochs.front().values) {
      values.push_back(std::move(value));
    }
    epochs.pop_front();
  }
  released = std::max(released, id);
  size.store(values.size(), std::memory_order_relaxed);
  filled.notify_one();
}

void CollectState::release_all() {
  const std::lock_guard lock(mutex);
  release(std::numeric_limits<CheckpointId>::max());
}

std::unique_ptr<Operator> make_collect_sink(std::shared_ptr<CollectState> queue) {
  return std::make_unique<CollectSink>(std::move(queue));
}

}  // namespace flott::bindings
