#pragma once

#include "types/key.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace flott {

using CheckpointId = std::int64_t;

/// What one subtask of one operator contributes to a checkpoint. Pure data.
struct OperatorSnapshot {
  /// Keyed state, a frame a key group (state/keyed_state_backend.h).
  std::map<KeyGroup, std::string> keyed_state;
  /// Timers, a frame a key group.
  std::map<KeyGroup, std::string> timers;
  /// Operator state by name: entries are split over the subtasks on restore (source splits,
  /// buffers).
  std::map<std::string, std::vector<std::string>> list_state;
  /// Operator state by name of which every subtask gets all entries.
  std::map<std::string, std::vector<std::string>> union_state;
  /// Broadcast state by name: the same in every subtask, one copy is kept.
  std::map<std::string, std::string> broadcast_state;
  bool empty() const {
    return keyed_state.empty() && timers.empty() && list_state.empty() && union_state.empty() &&
           broadcast_state.empty();
  }
};

/// All subtasks of one operator. `uid` is the user's uid, or one derived from the operator's
/// position in the graph.
struct OperatorCheckpoint {
  std::string uid;
  std::string name;
  int parallelism = 1;
  int max_parallelism = kDefaultMaxParallelism;
  std::vector<OperatorSnapshot> subtasks;
};

/// A whole checkpoint.
struct CheckpointData {
  CheckpointId id = 0;
  std::string job_id;
  std::string job_name;
  std::int64_t timestamp_ms = 0;
  std::vector<OperatorCheckpoint> operators;
};

/// What subtask `subtask` of `parallelism` restores from a checkpoint taken at any parallelism:
/// key-group frames of its range, an even share of list state, all of union and broadcast state.
/// Throws kInvalidArgument when max_parallelism differs, naming operator and both numbers.
OperatorSnapshot redistribute(const OperatorCheckpoint& from,
                              int subtask,
                              int parallelism,
                              int max_parallelism);

}  // namespace flott
