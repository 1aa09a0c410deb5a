#include "job/checkpoint_writer.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fault_point.h"
#include "base/log.h"

#include <pthread.h>

#include <utility>

namespace flott {

CheckpointWriter::CheckpointWriter(std::unique_ptr<CheckpointStorage> storage,
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

void CheckpointWriter::write(CheckpointData checkpoint) {
  ask(std::move(checkpoint));
}

void CheckpointWriter::write_savepoint(CheckpointData checkpoint, std::string directory) {
  ask(Savepoint{std::move(checkpoint), std::move(directory)});
}

void CheckpointWriter::discard(std::string path) {
  ask(std::move(path));
}

void CheckpointWriter::ask(Order order) {
  {
    const std::lock_guard lock(mutex_);
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
    order = std::string();  // a checkpoint's memory, before anybody waits for the lock
    lock.lock();
    busy_ = false;
    changed_.notify_all();
  }
}

void CheckpointWriter::carry_out(CheckpointData& checkpoint) {
  report(checkpoint.id, [&] {
    std::string path = storage_->write(checkpoint);
    fault_point(FaultPoint::kBetweenManifestAndCommit);
    return path;
  });
}

void CheckpointWriter::carry_out(Savepoint& savepoint) {
  report(savepoint.checkpoint.id,
         [&] { return flott::write_savepoint(savepoint.directory, savepoint.checkpoint); });
}

void CheckpointWriter::report(CheckpointId id, const std::function<std::string()>& write) {
  WrittenCheckpoint written;
  written.id = id;
  const std::int64_t began_ns = monotonic_ns();
  try {
    written.path = write();
  } catch (const std::exception& e) {
    written.error = e.what();
  }
  written.duration_ms = (monotonic_ns() - began_ns) / 1'000'000;
  done_(std::move(written));
}

void CheckpointWriter::carry_out(const std::string& path) {
  try {
    storage_->discard(path);
  } catch (const std::exception& e) {
    log(LogLevel::kWarn,
        "flott.checkpoint",
        "the old checkpoint {} of job '{}' could not be removed, it stays: {}",
        path,
        job_name_,
        e.what());
  }
}

}  // namespace flott
