#include "bindings/io/collect_sink.h"

#include <chrono>
#include <utility>

namespace flott::bindings {
namespace {

class CollectSink final : public Operator {
 public:
  explicit CollectSink(std::shared_ptr<CollectState> queue) : queue_(std::move(queue)) {}

  bool uses_host() const override { return true; }

  void open(OperatorContext& context) override {
    const std::lock_guard lock(queue_->mutex);
    queue_->writers_woken.push_back(context.async_wakeup());
  }

  void process(Record&& record, int /*input*/, Output& /*out*/) override {
    Value value = record.value.isolated();
    const std::lock_guard lock(queue_->mutex);
    const bool was_empty = queue_->values.empty();
    queue_->values.push_back(std::move(value));
    queue_->size.store(queue_->values.size(), std::memory_order_relaxed);
    if (was_empty) {
      queue_->filled.notify_one();
    }
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

std::unique_ptr<Operator> make_collect_sink(std::shared_ptr<CollectState> queue) {
  return std::make_unique<CollectSink>(std::move(queue));
}

}  // namespace flott::bindings
