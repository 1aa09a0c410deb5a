/// What the RocksDB backend does by itself: read-modify-write of one number (or text) a key, in
/// random order, then checkpoints, a restore, and the memory that it took.
///
///   rocksdb_bench [keys=1000000] [operations=4000000] [value=0] [spread=0] [storage=FOLDER]
///       [KEY=VALUE of Flink's settings]...
///
/// `value`: bytes of text a key instead of a number, `spread`: up to so many more or fewer, others
/// at each write; `storage`: where checkpoints go, on the disk
/// of `state.backend.rocksdb.localdir` (both are the system's temporary folder by default). State
/// larger than memory, 20 GB in a process of 1 GB (needs 50 GB of disk), and checkpoints of 5 GB:
///   rocksdb_bench keys=20000000 operations=300000 value=1000 spread=500
///       state.backend.rocksdb.memory.fixed-per-tm=850mb
///   rocksdb_bench keys=5000000 operations=0 value=1000
///       state.backend.rocksdb.memory.fixed-per-tm=1gb
#include "base/clock.h"
#include "base/error.h"
#include "checkpoint/checkpoint_storage.h"
#include "state/keyed_state_backend.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace flott {
namespace {

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// "VmRSS" or "VmHWM" of this process in MB.
double memory_mb(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(name, 0) == 0) {
      return std::strtod(line.c_str() + name.size() + 1, nullptr) / 1024;
    }
  }
  return 0;
}

class Phase {
 public:
  explicit Phase(const char* name) : name_(name) {}
  void end(std::uint64_t operations) const {
    const double seconds = static_cast<double>(monotonic_ns() - begin_ns_) / 1e9;
    const double cpu = cpu_seconds() - begin_cpu_;
    std::printf("%-28s %8.2f s  %8.2f s cpu", name_, seconds, cpu);
    if (operations > 0) {
      const auto n = static_cast<double>(operations);
      std::printf("  %9.0f /s  %6.2f us cpu each", n / seconds, cpu * 1e6 / n);
    }
    std::printf("  rss %.0f MB\n", memory_mb("VmRSS"));
    std::fflush(stdout);
  }

 private:
  const char* const name_;
  const std::int64_t begin_ns_ = monotonic_ns();
  const double begin_cpu_ = cpu_seconds();
};

constexpr std::size_t kMostDigits = 20;  // of a number of 64 bits

/// Scatters: consecutive numbers become keys all over the place.
std::uint64_t mixed(std::uint64_t n) {
  n += 0x9e3779b97f4a7c15ULL;
  n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9ULL;
  n = (n ^ (n >> 27)) * 0x94d049bb133111ebULL;
  return n ^ (n >> 31);
}

int run(int argc, char** argv) {
  std::map<std::string, std::string> settings = {{"keys", "1000000"},
                                                 {"operations", "4000000"},
                                                 {"value", "0"},
                                                 {"spread", "0"},
                                                 {"storage", ""},
                                                 {"state.backend.incremental", "true"}};
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const std::size_t at = argument.find('=');
    settings[argument.substr(0, at)] = at == std::string::npos ? "" : argument.substr(at + 1);
  }
  const std::uint64_t keys = std::stoull(settings["keys"]);
  const std::uint64_t operations = std::stoull(settings["operations"]);
  const std::size_t value_bytes = std::stoull(settings["value"]);
  const std::size_t spread = std::min<std::size_t>(std::stoull(settings["spread"]), value_bytes);
  auto backend_options = std::make_shared<StateBackendOptions>();
  backend_options->type = "rocksdb";
  backend_options->settings = settings;
  const SystemClock clock;
  KeyedStateOptions options;
  options.clock = &clock;
  options.backend = backend_options;

  StateDescriptor descriptor;
  descriptor.name = "state";
  descriptor.value_type = LogicalType::of(value_bytes == 0 ? TypeKind::kBigInt : TypeKind::kString);
  auto backend = make_keyed_state_backend(options);
  ValueState* state = &backend->value_state(descriptor);
  std::uint64_t wrong = 0;
  std::string key_bytes;
  std::uint64_t touches = 0;
  const auto touch = [&](std::uint64_t k) {
    key_bytes.clear();
    encode_key_int(static_cast<std::int64_t>(k), key_bytes);
    backend->set_current_key({key_bytes, hash_bytes(key_bytes), nullptr});
    const Value before = state->value();
    const bool first = ++touches <= keys;
    wrong += before.is_null() == first ? 0 : 1;
    if (value_bytes == 0) {
      state->update(Value::integer((before.is_null() ? 0 : before.as_int()) + 1));
      return;
    }
    const std::string head = std::to_string(k) + ' ';
    wrong += before.is_null() || before.as_string().starts_with(head) ? 0 : 1;
    const std::size_t size = value_bytes - spread + mixed(touches) % (2 * spread + 1);
    std::string text;
    text.reserve(size + head.size() + kMostDigits);  // no room that nobody needs: it is state
    text = head;
    while (text.size() < size) {
      text += std::to_string(mixed(text.size() ^ k));
    }
    state->update(Value::string(std::move(text)));
  };

  {
    const Phase phase("first write of each key");
    for (std::uint64_t k = 0; k < keys; ++k) {
      touch(k);
    }
    phase.end(keys);
  }
  {
    const Phase phase("read-modify-write, random");
    for (std::uint64_t n = 0; n < operations; ++n) {
      touch(mixed(n) % keys);
    }
    phase.end(operations);
  }
  const std::filesystem::path folder = settings["storage"].empty()
                                           ? std::filesystem::temp_directory_path()
                                           : std::filesystem::path(settings["storage"]);
  const std::filesystem::path root = folder / "flott-rocksdb-bench";
  std::filesystem::remove_all(root);
  const std::unique_ptr<CheckpointStorage> storage = make_file_checkpoint_storage(root);
  std::string stored;
  std::set<std::string> known;
  CheckpointId id = 0;
  const auto checkpoint = [&](const char* name) {
    std::printf("%s\n", name);
    const Phase whole("  whole");
    CheckpointData data;
    data.id = ++id;
    data.job_id = "bench";
    OperatorCheckpoint& op = data.operators.emplace_back();
    op.uid = op.name = "operator";
    {
      const Phase phase("  while the task stands still");
      op.subtasks.emplace_back().keyed_files.push_back(*backend->snapshot_files());
      phase.end(0);
    }
    const std::vector<SnapshotFile>& files = op.subtasks[0].keyed_files[0].files;
    double all_mb = 0;
    double new_mb = 0;
    for (const SnapshotFile& file : files) {
      all_mb += static_cast<double>(file.size) / 1e6;
      new_mb += known.insert(file.name).second ? static_cast<double>(file.size) / 1e6 : 0;
    }
    std::string before = std::exchange(stored, storage->write(data));
    whole.end(0);
    if (!before.empty()) {
      storage->discard(before);
    }
    std::printf("  %zu files, %.1f MB, %.1f MB of it new\n", files.size(), all_mb, new_mb);
  };
  checkpoint("checkpoint");
  {
    const Phase phase("change of 1 %");
    for (std::uint64_t n = 0; n < keys / 100; ++n) {
      touch(mixed(n) % keys);
    }
    phase.end(keys / 100);
  }
  checkpoint("checkpoint after a change of 1 %");
  backend.reset();
  std::printf("restore\n");
  {
    const Phase whole("  whole, with the first read");
    CheckpointData data;
    {
      const Phase phase("  reading and verifying files");
      data = read_checkpoint(stored);
      phase.end(0);
    }
    backend = make_keyed_state_backend(options);
    backend->restore_files(data.operators.at(0).subtasks.at(0).keyed_files.at(0));
    state = &backend->value_state(descriptor);
    touch(0);
    whole.end(0);
  }
  backend.reset();
  std::filesystem::remove_all(root);
  std::printf("peak rss %.0f MB, wrong values %llu\n",
              memory_mb("VmHWM"),
              static_cast<unsigned long long>(wrong));
  return wrong == 0 ? 0 : 1;
}

}  // namespace
}  // namespace flott

int main(int argc, char** argv) {
  try {
    return flott::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "rocksdb_bench: %s\n", error.what());
    return 1;
  }
}
