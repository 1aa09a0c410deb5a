#include "state/stored_states.h"

#include "base/error.h"
#include "checkpoint/snapshot_file.h"
#include "state/frame_files.h"
#include "state/frame_format.h"
#include "state/heap/segment.h"

#include <set>
#include <string_view>
#include <utility>

namespace flott {
namespace {

void add_header(BytesReader& in, std::set<std::string>& names) {
  for (const StoredState& state : read_frame_header(in)) {
    names.insert(fmt::format("'{}'", state.name));
  }
}

void add_files(const KeyedStateFiles& files, std::set<std::string>& names) {
  if (files.backend == "rocksdb") {
    // Its description begins with a version and a header (state/rocksdb/incremental_files.cc).
    BytesReader in(files.description);
    in.u8();
    add_header(in, names);
  } else if (files.backend == kFrameFiles) {
    bool first = true;  // each frame begins with the header
    each_frame(files, files.range, [&](KeyGroup /*group*/, std::string_view frame) {
      if (std::exchange(first, false)) {
        BytesReader in(frame);
        add_header(in, names);
      }
    });
  } else if (!files.files.empty()) {
    const heap::Segment newest(content_of(files.files.back()));
    BytesReader in(newest.header());
    add_header(in, names);
  }
}

void add_keyed(const OperatorSnapshot& snapshot, std::set<std::string>& names) {
  try {
    for (const KeyedStateFiles& files : snapshot.keyed_files) {
      add_files(files, names);
    }
    if (!snapshot.keyed_state.empty()) {
      BytesReader in(snapshot.keyed_state.begin()->second);
      add_header(in, names);
    }
  } catch (const Error&) {
    names.insert("keyed state");  // the caller's message matters more
  }
}

}  // namespace

std::vector<std::string> stored_state_names(const OperatorCheckpoint& stored) {
  std::set<std::string> names;
  const auto add_all = [&](const auto& by_name) {
    for (const auto& [name, content] : by_name) {
      names.insert(fmt::format("'{}'", name));
    }
  };
  bool timers = false;
  for (const OperatorSnapshot& snapshot : stored.subtasks) {
    add_keyed(snapshot, names);
    add_all(snapshot.list_state);
    add_all(snapshot.union_state);
    add_all(snapshot.broadcast_state);
    timers = timers || !snapshot.timers.empty() || snapshot.deferred_timers != nullptr;
  }
  std::vector<std::string> out(names.begin(), names.end());
  if (timers) {
    out.emplace_back("timers");
  }
  return out;
}

}  // namespace flott
