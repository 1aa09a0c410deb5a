#pragma once

#include "checkpoint/checkpoint_storage.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <variant>

namespace flott {

/// Set by who gives up a checkpoint that is to be written: nobody will be told where it is.
using GivenUp = std::shared_ptr<std::atomic<bool>>;

/// What became of a checkpoint that was to be written.
struct WrittenCheckpoint {
  CheckpointId id = 0;
  std::string path;   ///< empty: it failed, or was given up
  std::string error;  ///< why
  bool savepoint = false;
  std::int64_t duration_ms = 0;
};

/// Writes and removes checkpoints on a thread of its own, in the order asked for, so that gigabytes
/// hold up nobody. The thread begins with the first order. Thread-safe; no lock is held while the
/// storage works or `done` is called. The destructor waits for the order under way and drops those
/// behind it. What was given up is not written, or removed as soon as it is.
class CheckpointWriter {
 public:
  /// `done` is called on the writer's thread after each write() but those that were given up before
  /// their turn. `job_name` is for log lines.
  CheckpointWriter(std::shared_ptr<CheckpointStorage> storage,
                   std::string job_name,
                   std::function<void(WrittenCheckpoint)> done);
  ~CheckpointWriter();

  void write(CheckpointData checkpoint, GivenUp given_up);
  /// As write(), of a savepoint below `directory`.
  void write_savepoint(CheckpointData checkpoint, std::string directory, GivenUp given_up);
  /// What cannot be removed stays, with a warning.
  void discard(std::string path);
  /// As discard(), of a savepoint of which nobody was told.
  void discard_savepoint(std::string path);
  /// True when everything asked for was done within `patience`.
  bool wait_until_idle(std::chrono::milliseconds patience);

 private:
  struct Write {
    CheckpointData checkpoint;
    GivenUp given_up;
    std::optional<std::string> savepoint_directory;
  };
  struct Removal {
    std::string path;
    bool savepoint = false;
  };
  using Order = std::variant<Removal, Write>;
  void ask(Order order);
  void run();
  void carry_out(Write& order);
  void carry_out(const Removal& order);

  const std::shared_ptr<CheckpointStorage> storage_;  ///< the thread's
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
