#include "job/attempt.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"

#include <pthread.h>

#include <algorithm>
#include <limits>
#include <system_error>
#include <utility>

namespace flott {
namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kBlockedNs = 1'000'000'000;

}  // namespace

Attempt::Attempt(int number,
                 Deployment deployment,
                 std::optional<CheckpointData> restored,
                 std::function<bool()> stopping)
    : number_(number),
      deployment_(std::move(deployment)),
      restored_(std::move(restored)),
      stopping_(std::move(stopping)) {
  for (const DeployedSource& source : deployment_.sources) {
    sources_.push_back({SplitAssigner(*source.source, source.tasks.size()), kNever});
  }
}

Attempt::~Attempt() {
  join();
}

void Attempt::start(const std::string& job_name) {
  try {
    for (const Deployment::DeployedTask& deployed : deployment_.tasks) {
      threads_.emplace_back([task = deployed.task.get()] { task->run(); });
      // Shown by top -H and debuggers; the kernel keeps 15 characters.
      pthread_setname_np(threads_.back().native_handle(),
                         deployed.task->name().substr(0, 15).c_str());
    }
  } catch (const std::system_error& e) {
    cancel();
    join();
    ended_ = deployment_.tasks.size();
    throw_error(ErrorKind::kExternal,
                "job '{}' needs {} threads and the system gave no more ({}); lower its parallelism "
                "or raise the limit of threads",
                job_name,
                deployment_.tasks.size() + 1,
                e.what());
  }
}

void Attempt::cancel() {
  for (const Deployment::DeployedTask& deployed : deployment_.tasks) {
    deployed.task->cancel();
  }
}

void Attempt::join() {
  for (std::thread& thread : threads_) {
    thread.join();
  }
  threads_.clear();
}

void Attempt::discover_first() {
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    try {
      discover(i, /*first=*/true);
    } catch (...) {
      throw SourceFailure{std::current_exception(), deployment_.sources[i].name};
    }
  }
  restored_.reset();
}

void Attempt::discover_due(std::int64_t now_ns) {
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    if (now_ns < sources_[i].next_discovery_ns) {
      continue;
    }
    const DeployedSource& source = deployment_.sources[i];
    try {
      discover(i, /*first=*/false);
    } catch (const std::exception& e) {
      // The splits that are known are read on; an outage is the readers' to report.
      if (!stopping_()) {
        log(LogLevel::kWarn,
            "flott.job",
            "source '{}' could not look for new splits, next try in {} ms: {}",
            source.name,
            source.source->discovery_interval_ms(),
            e.what());
      }
      sources_[i].next_discovery_ns =
          monotonic_ns() + source.source->discovery_interval_ms() * 1'000'000;
    }
  }
}

void Attempt::discover(std::size_t index, bool first) {
  const DeployedSource& source = deployment_.sources[index];
  SourceState& state = sources_[index];
  SplitAssigner::Shares shares =
      first ? state.assigner.first(stored_source(restored_, source.uid), stopping_)
            : state.assigner.later(stopping_);
  // Asked after the discovery: a source may find out that it was the last one (HybridSource).
  const bool last = state.assigner.bounded();
  if (last && shares.empty()) {
    shares.resize(source.tasks.size());
  }
  assign_splits(deployment_, source, std::move(shares), last);
  state.next_discovery_ns =
      last ? kNever : monotonic_ns() + source.source->discovery_interval_ms() * 1'000'000;
}

std::int64_t Attempt::next_discovery_ns() const {
  std::int64_t next = kNever;
  for (const SourceState& source : sources_) {
    next = std::min(next, source.next_discovery_ns);
  }
  return next;
}

std::map<std::string, double> Attempt::metrics() const {
  std::map<std::string, double> out;
  for (const Deployment::DeployedTask& deployed : deployment_.tasks) {
    const std::string task = fmt::format("{}.{}", deployed.task->name(), deployed.subtask);
    for (const auto& [name, value] : deployed.task->metrics()) {
      out[fmt::format("{}.{}", task, name)] = value;
    }
    for (const auto& [op, group] : deployed.metrics) {
      for (const auto& [name, value] : group->snapshot()) {
        out[fmt::format("{}.{}.{}", task, op, name)] = value;
      }
    }
  }
  return out;
}

std::vector<std::string> Attempt::blocked_operators() const {
  std::vector<std::string> out;
  const std::int64_t now_ns = monotonic_ns();
  for (const Deployment::DeployedTask& deployed : deployment_.tasks) {
    const std::int64_t since_ns = deployed.task->slice_started_ns();
    if (since_ns != 0 && now_ns - since_ns > kBlockedNs) {
      out.push_back(fmt::format("{} (subtask {}/{}), for {} s",
                                deployed.task->name(),
                                deployed.subtask + 1,
                                deployed.parallelism,
                                (now_ns - since_ns) / 1'000'000'000));
    }
  }
  return out;
}

}  // namespace flott
