#pragma once

#include "checkpoint/checkpoint_storage.h"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <variant>

namespace flott {

/// What became of a checkpoint that was to be written.
struct WrittenCheckpoint {
  CheckpointId id = 0;
  std::string path;   ///< empty: it failed
  std::string error;  ///< why
  std::int64_t duration_ms = 0;
};

/// Writes and removes checkpoints on a thread of its own, in the order asked for, so that gigabytes
/// hold up nobody. The thread begins with the first order. Thread-safe; no lock is held while the
/// storage works or `done` is called. The destructor waits for the order under way and drops those
/// behind it.
class CheckpointWriter {
 public:
  /// `done` is called on the writer's thread after each write(). `job_name` is for log lines.
  CheckpointWriter(std::unique_ptr<CheckpointStorage> storage,
                   std::string job_name,
                   std::function<void(WrittenCheckpoint)> done);
  ~CheckpointWriter();

  void write(CheckpointData checkpoint);
  /// As write(), of a savepoint below `directory`.
  void write_savepoint(CheckpointData checkpoint, std::string directory);
  /// What cannot be removed stays, with a warning.
  void discard(std::string path);
  /// True when everything asked for was done within `patience`.
  bool wait_until_idle(std::chrono::milliseconds patience);

 private:
  struct Savepoint {
    CheckpointData checkpoint;
    std::string directory;
  };
  using Order = std::variant<CheckpointData, std::string, Savepoint>;
  void ask(Order order);
  void run();
  void carry_out(CheckpointData& checkpoint);
  void carry_out(Savepoint& savepoint);
  void report(CheckpointId id, const std::function<std::string()>& write);
  void carry_out(const std::string& path);

  const std::unique_ptr<CheckpointStorage> storage_;  ///< the thread's
  const std::string job_name_;
  const std::function<void(WrittenCheckpoint)> done_;

  std::mutex mutex_;  ///< guards what follows
  std::condition_variable changed_;
  std::deque<Order> orders_;
  bool busy_ = false;
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace flott
