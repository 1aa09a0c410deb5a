#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace flott {

/// Content that is put together when it is first asked for, by whichever thread asks.
template <typename Content>
class Deferred {
 public:
  /// `make` must not need the host's lock: who asks may hold it, and another thread wait for it.
  explicit Deferred(std::function<Content()> make) : make_(std::move(make)) {}

  /// Throws what `make` throws; the next call then tries again.
  std::shared_ptr<const Content> get() {
    const std::lock_guard lock(mutex_);
    if (content_ == nullptr) {
      content_ = std::make_shared<const Content>(make_());
      make_ = nullptr;  // and what it holds
    }
    return content_;
  }

 private:
  std::mutex mutex_;
  std::function<Content()> make_;
  std::shared_ptr<const Content> content_;
};

using DeferredBytes = Deferred<std::string>;

}  // namespace flott
