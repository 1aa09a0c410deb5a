#include "job/checkpoint_writer.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fault_point.h"
#include "base/log.h"

#include <pthread.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace flott {

CheckpointWriter::CheckpointWriter(std::shared_ptr<CheckpointStorage> storage,
                                   std::string job_name,
                                   std::function<void(WrittenCheckpoint)> done)
    : storage_(std::move(storage)), job_name_(std::move(job_name)), done_(std::move(done)) {}

CheckpointWriter::~CheckpointWriter() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void CheckpointWriter::write(CheckpointData checkpoint, GivenUp given_up) {
  ask(Write{std::move(checkpoint), std::move(given_up), std::nullopt});
}

void CheckpointWriter::write_savepoint(CheckpointData checkpoint,
                                       std::string directory,
                                       GivenUp given_up) {
  ask(Write{std::move(checkpoint), std::move(given_up), std::move(directory)});
}

void CheckpointWriter::discard(std::string path) {
  ask(Removal{std::move(path)});
}

void CheckpointWriter::discard_savepoint(std::string path) {
  ask(Removal{std::move(path), true});
}

void CheckpointWriter::ask(Order order) {
  std::deque<Order> given_up;  // gigabytes, perhaps: destroyed without the lock
  {
    const std::lock_guard lock(mutex_);
    // A disk that hangs must not gather what nobody waits for.
    const auto needed = std::stable_partition(orders_.begin(), orders_.end(), [](const Order& o) {
      const auto* const write = std::get_if<Write>(&o);
      return write == nullptr || !*write->given_up;
    });
    given_up.assign(std::make_move_iterator(needed), std::make_move_iterator(orders_.end()));
    orders_.erase(needed, orders_.end());
    orders_.push_back(std::move(order));
    if (!thread_.joinable()) {
      thread_ = std::thread([this] { run(); });
      pthread_setname_np(thread_.native_handle(), "checkpoints");
    }
  }
  changed_.notify_all();
}

bool CheckpointWriter::wait_until_idle(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, patience, [this] { return orders_.empty() && !busy_; });
}

void CheckpointWriter::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return closing_ || !orders_.empty(); });
    if (closing_) {
      return;
    }
    Order order = std::move(orders_.front());
    orders_.pop_front();
    busy_ = true;
    lock.unlock();
    std::visit([this](auto& o) { carry_out(o); }, order);
    order = Removal();  // a checkpoint's memory, before anybody waits for the lock
    lock.lock();
    busy_ = false;
    changed_.notify_all();
  }
}

void CheckpointWriter::carry_out(Write& order) {
  WrittenCheckpoint written;
  written.id = order.checkpoint.id;
  written.savepoint = order.savepoint_directory.has_value();
  const std::int64_t began_ns = monotonic_ns();
  try {
    if (*order.given_up) {
      written.error = "it was given up";
    } else if (written.savepoint) {
      written.path = flott::write_savepoint(*order.savepoint_directory, order.checkpoint);
    } else {
      written.path = storage_->write(order.checkpoint);
      fault_point(FaultPoint::kBetweenManifestAndCommit);
    }
  } catch (const std::exception& e) {
    written.error = e.what();
  }
  if (*order.given_up && !written.path.empty()) {
    // At once, as its job may have ended: nobody is left then who would order it.
    carry_out(Removal{std::exchange(written.path, {}), written.savepoint});
    written.error = "it was given up";
  }
  written.duration_ms = (monotonic_ns() - began_ns) / 1'000'000;
  done_(std::move(written));
}

void CheckpointWriter::carry_out(const Removal& order) {
  try {
    if (order.savepoint) {
      remove_savepoint(order.path);
    } else {
      storage_->discard(order.path);
    }
  } catch (const std::exception& e) {
    log(LogLevel::kWarn,
        "flott.checkpoint",
        "the {} {} of job '{}' could not be removed, it stays: {}",
        order.savepoint ? "savepoint" : "old checkpoint",
        order.path,
        job_name_,
        e.what());
  }
}

}  // namespace flott
