// The course of checkpoints in whole jobs: when they begin, who waits for whom, what is kept and
// what is said of them.
#include "job_support.h"
#include "tests/harness/temporary_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

namespace flott {
namespace {

namespace fs = std::filesystem;

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class CheckpointCourse : public ::testing::Test {
 protected:
  JobOptions options() const {
    JobOptions out;
    out.name = "j";
    out.checkpoint_directory = root_;
    return out;
  }
  std::shared_ptr<GatedStorage> gated() const {
    return std::make_shared<GatedStorage>(make_file_checkpoint_storage(root_));
  }

  const harness::TemporaryFolder folder_;
  const std::string root_ = folder_.path();
};

std::shared_ptr<VectorSource> source_of(std::vector<std::int64_t> values) {
  return std::make_shared<VectorSource>(std::vector<std::vector<std::int64_t>>{std::move(values)});
}

/// left -> probe -> key_by and right -> probe -> key_by, both into count -> sink; each value is a
/// key of its own.
struct TwoRoads {
  TwoRoads(std::shared_ptr<Source> left_source, std::shared_ptr<Source> right_source) {
    const auto road = [this](const char* name,
                             std::shared_ptr<Source> source,
                             std::shared_ptr<Probe::Shared> probe) {
      const int s = g.source(std::move(source), 1);
      g.graph.node(s).name = name;
      return g.key_by(g.probe(s, std::move(probe)), 1, 1'000'000);
    };
    const int a = road("left", std::move(left_source), left);
    const int b = road("right", std::move(right_source), right);
    const int counted = g.add(
        {.name = "count", .partition = PartitionStrategy::kHash, .keyed = true, .uid = "count"},
        {a, b},
        [](int) { return make_process_operator(std::make_unique<Graph::Count>()); });
    g.sink(counted, 1, out);
  }
  Graph g;
  std::shared_ptr<Probe::Shared> left = std::make_shared<Probe::Shared>();
  std::shared_ptr<Probe::Shared> right = std::make_shared<Probe::Shared>();
  std::shared_ptr<Collected> out = std::make_shared<Collected>();
};

double task_metric(const Job& job, const std::string& task, const std::string& name) {
  for (const auto& [key, value] : job.metrics()) {
    if (key.starts_with(task) && key.ends_with("." + name)) {
      return value;
    }
  }
  ADD_FAILURE() << "no metric " << name << " of " << task;
  return -1;
}

bool is_ready(const std::future<std::string>& path) {
  return path.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

class Mode : public CheckpointCourse, public ::testing::WithParamInterface<CheckpointMode> {};
INSTANTIATE_TEST_SUITE_P(CheckpointCourse,
                         Mode,
                         ::testing::Values(CheckpointMode::kExactlyOnce,
                                           CheckpointMode::kAtLeastOnce));

TEST_P(Mode, DecidesWhetherWhatCameBehindABarrierIsInTheCheckpoint) {
  const bool at_least_once = GetParam() == CheckpointMode::kAtLeastOnce;
  ManualClock clock(1'000'000);
  JobOptions mode = options();
  mode.checkpoint_mode = GetParam();
  mode.clock = &clock;
  const auto source = source_of(numbers(0, 20))->hold(0, 10)->unbounded();
  const auto silent = source_of(numbers(1000, 1010))->unbounded();
  TwoRoads first(source, silent);
  const auto job = start_job(first.g.graph, mode);
  ASSERT_TRUE(first.out->wait_for_size(20));
  first.right->valve.closed = true;  // its barrier does not get on
  std::future<std::string> path = job->trigger_checkpoint_async();
  ASSERT_TRUE(first.left->snapshots.wait_for(1));
  source->release();
  if (at_least_once) {
    ASSERT_TRUE(first.out->wait_for_size(30)) << "what comes behind the barrier is not held back";
  }
  EXPECT_FALSE(is_ready(path));
  clock.advance(5000);
  first.right->valve.closed = false;
  const std::string stored = path.get();
  ASSERT_TRUE(first.out->wait_for_size(30));

  // What it took is shown, of each task and of the checkpoint.
  EXPECT_GE(task_metric(*job, "right", "checkpointStartDelayNanos"), 4e9);
  if (at_least_once) {  // else the clock may have moved before it took its figures
    EXPECT_LT(task_metric(*job, "left", "checkpointStartDelayNanos"), 1e9);
    EXPECT_GT(task_metric(*job, "count", "checkpointAlignmentTime"), 0);
  }
  const CheckpointStats stats = job->checkpoints().back();
  EXPECT_GE(stats.start_delay_ms, 4000);
  EXPECT_LE(stats.start_delay_ms, 5000);
  job->cancel();
  ASSERT_TRUE(job->wait_for(kPatience));

  TwoRoads second(source_of(numbers(0, 20)), source_of(numbers(1000, 1010)));
  JobOptions restore = options();
  restore.restore_path = stored;
  const auto again = start_job(second.g.graph, restore);
  ASSERT_TRUE(again->wait_for(kPatience));
  const auto counts = second.out->last_by_key();
  EXPECT_EQ(counts.size(), 10u) << "the records that follow the left barrier, and no others";
  for (const auto& [key, count] : counts) {
    EXPECT_EQ(count, at_least_once ? 2 : 1) << key;
  }
}

TEST_F(CheckpointCourse, ASlowWriteHoldsNobodyBack) {
  const auto storage = gated();
  JobOptions slow = options();
  slow.checkpoint_storage = storage;
  const auto source = source_of(numbers(0, 500))->hold(0, 100)->unbounded();
  TwoRoads first(source, source_of({})->unbounded());
  const auto job = start_job(first.g.graph, slow);
  ASSERT_TRUE(first.out->wait_for_size(100));
  storage->close_gate();
  std::future<std::string> path = job->trigger_checkpoint_async();
  ASSERT_TRUE(storage->arrived.wait_for(1));
  source->release();
  ASSERT_TRUE(first.out->wait_for_size(500)) << "while the snapshot is written, records flow";
  EXPECT_FALSE(is_ready(path));
  EXPECT_EQ(job_metric(*job, "numberOfInProgressCheckpoints"), 1);
  EXPECT_EQ(job_metric(*job, "lastCheckpointSize"), -1);
  EXPECT_EQ(job->text_metrics().at("jobmanager.j.lastCheckpointExternalPath"), "n/a");
  storage->open_gate();
  const std::string stored = path.get();
  EXPECT_EQ(job->text_metrics().at("jobmanager.j.lastCheckpointExternalPath"), stored);
  job->cancel();
  ASSERT_TRUE(job->wait_for(kPatience));

  TwoRoads second(source_of(numbers(0, 500)), source_of({}));
  JobOptions restore = options();
  restore.restore_path = stored;
  const auto again = start_job(second.g.graph, restore);
  ASSERT_TRUE(again->wait_for(kPatience));
  EXPECT_EQ(second.out->size(), 400u) << "it holds what was before it, not what came meanwhile";
}

TEST_F(CheckpointCourse, WhatACompletedOneTookIsShownAndLogged) {
  const LogLines log;
  ManualClock clock(1'000'000);  // stands still: how long something took is not its matter
  JobOptions timed = options();
  timed.clock = &clock;
  TwoRoads roads(source_of(numbers(0, 10))->unbounded(), source_of({})->unbounded());
  const auto job = start_job(roads.g.graph, timed);
  ASSERT_TRUE(roads.out->wait_for_size(10));
  CheckpointStats stats;
  // On a busy machine both barriers may come to `count` at once, however late the right one is.
  ASSERT_TRUE(eventually(*job, [&] {
    roads.right->valve.closed = true;
    std::future<std::string> path = job->trigger_checkpoint_async();
    EXPECT_TRUE(roads.left->snapshots.wait_for(static_cast<int>(stats.id) + 1));
    prolong(*job, std::chrono::milliseconds(20));
    roads.right->valve.closed = false;
    path.get();
    stats = job->checkpoints().back();
    return stats.alignment_ms > 0;
  }));
  const double aligned_ns = task_metric(*job, "count", "checkpointAlignmentTime");
  EXPECT_EQ(stats.alignment_ms, static_cast<std::int64_t>(aligned_ns) / 1'000'000);
  EXPECT_GE(stats.duration_ms, 20);
  EXPECT_GE(stats.duration_ms, stats.alignment_ms);
  EXPECT_EQ(stats.start_delay_ms, 0);
  EXPECT_GT(stats.size_bytes, 0);
  EXPECT_EQ(job_metric(*job, "lastCheckpointSize"), static_cast<double>(stats.size_bytes));
  EXPECT_EQ(job_metric(*job, "lastCheckpointDuration"), static_cast<double>(stats.duration_ms));
  EXPECT_THAT(
      log.lines(),
      Contains(AllOf(StartsWith(fmt::format("checkpoint {} of job 'j' completed: {} bytes ({} with "
                                            "shared files) in {} ms (",
                                            stats.id,
                                            stats.size_bytes,
                                            stats.full_size_bytes,
                                            stats.duration_ms)),
                     HasSubstr(fmt::format(" {} ms aligned, {} ms stood still, {} ms to write",
                                           stats.alignment_ms,
                                           stats.sync_duration_ms,
                                           stats.write_duration_ms)),
                     HasSubstr(stats.path))));
}

TEST_F(CheckpointCourse, FiveInARowThatTakeLongerThanTheIntervalArePointedOutOnce) {
  const LogLines log;
  const auto storage = std::make_shared<GatedStorage>(make_memory_checkpoint_storage());
  storage->close_gate();
  JobOptions periodic = options();
  periodic.checkpoint_storage = storage;
  periodic.checkpoint_interval_ms = 20;
  TwoRoads roads(source_of(numbers(0, 10))->unbounded(), source_of({})->unbounded());
  const auto job = start_job(roads.g.graph, periodic);
  int n = 0;
  for (const char speed : std::string_view("ssssfsssssss")) {
    ASSERT_TRUE(storage->arrived.wait_for(++n));
    if (speed == 's') {
      prolong(*job, std::chrono::milliseconds(22));
    }
    storage->let_through();
    ASSERT_TRUE(
        eventually(*job, [&] { return job->checkpoints().size() == static_cast<std::size_t>(n); }));
  }
  std::vector<std::string> said = log.lines();
  std::erase_if(said, [](const std::string& l) { return l.find("than the interval") == l.npos; });
  // The fifth is fast, unless the machine was busy just then; one warning it is in any case.
  const std::vector<CheckpointStats> all = job->checkpoints();
  const CheckpointStats& fifth_in_a_row = all.at(all[4].duration_ms > 20 ? 4 : 9);
  EXPECT_THAT(said,
              ElementsAre(AllOf(StartsWith(fmt::format("checkpoint {} of job 'j' took {} ms",
                                                       fifth_in_a_row.id,
                                                       fifth_in_a_row.duration_ms)),
                                HasSubstr("the interval of 20 ms"),
                                HasSubstr("execution.checkpointing.interval"),
                                HasSubstr("execution.checkpointing.min-pause"))));
  job->cancel();
  storage->open_gate();
}

TEST_F(CheckpointCourse, SeveralMayBeUnderWayAndAFailedOneSpoilsNoOther) {
  const auto storage = gated();
  JobOptions two = options();
  two.checkpoint_storage = storage;
  two.max_concurrent_checkpoints = 2;
  two.tolerable_checkpoint_failures = 1;
  const auto source = source_of(numbers(0, 300))->hold(0, 100)->unbounded();
  TwoRoads first(source, source_of({})->unbounded());
  const auto job = start_job(first.g.graph, two);
  ASSERT_TRUE(first.out->wait_for_size(100));
  storage->close_gate();
  storage->fail(1);
  std::future<std::string> path_1 = job->trigger_checkpoint_async();
  ASSERT_TRUE(storage->arrived.wait_for(1));
  source->advance(0, 200);
  ASSERT_TRUE(first.out->wait_for_size(200));
  // Its barrier goes through while the first one is written; the third has to wait.
  std::future<std::string> path_2 = job->trigger_checkpoint_async();
  ASSERT_TRUE(first.left->snapshots.wait_for(2));
  std::future<std::string> path_3 = job->trigger_checkpoint_async();
  EXPECT_EQ(job_metric(*job, "numberOfInProgressCheckpoints"), 2);
  EXPECT_FALSE(is_ready(path_1));
  EXPECT_FALSE(is_ready(path_2));
  EXPECT_EQ(first.left->snapshots.count(), 2);
  EXPECT_EQ(storage->arrived.count(), 1) << "they are written one after the other";
  storage->fail(3);
  storage->open_gate();
  EXPECT_THROW(path_1.get(), Error);
  const std::string stored = path_2.get();
  EXPECT_THAT(stored, HasSubstr("chk-2"));
  EXPECT_THROW(path_3.get(), Error);
  EXPECT_EQ(job_metric(*job, "numberOfFailedCheckpoints"), 2);
  EXPECT_EQ(job_metric(*job, "numberOfCompletedCheckpoints"), 1);
  EXPECT_EQ(job_metric(*job, "numberOfInProgressCheckpoints"), 0);
  job->cancel();
  ASSERT_TRUE(job->wait_for(kPatience));

  // It has all it needs, also what the first one was to bring.
  TwoRoads second(source_of(numbers(0, 300)), source_of(numbers(0, 100)));
  JobOptions restore = options();
  restore.restore_path = stored;
  const auto again = start_job(second.g.graph, restore);
  ASSERT_TRUE(again->wait_for(kPatience));
  std::map<std::int64_t, std::int64_t> expected;
  for (std::int64_t v = 0; v < 300; ++v) {
    if (v >= 200) {
      expected[v] = 1;  // of the left road, behind the checkpoint
    }
    if (v < 100) {
      expected[v] = 2;  // in the checkpoint, and once more on the right
    }
  }
  EXPECT_EQ(second.out->last_by_key(), expected);
}

TEST_F(CheckpointCourse, APauseBetweenThemIsKeptAndAsksForOneAtATime) {
  const LogLines log;
  JobOptions pausing = options();
  pausing.checkpoint_interval_ms = 1;
  pausing.min_pause_between_checkpoints_ms = 3'600'000;
  pausing.max_concurrent_checkpoints = 4;
  TwoRoads roads(source_of(numbers(0, 10))->unbounded(), source_of({})->unbounded());
  const auto job = start_job(roads.g.graph, pausing);
  ASSERT_TRUE(eventually(*job, [&] { return job->checkpoints().size() == 1; }));
  // Those that are asked for do not wait for it; between them there is no periodic one.
  for (int i = 2; i < 6; ++i) {
    EXPECT_THAT(job->trigger_checkpoint(), HasSubstr(fmt::format("chk-{}", i)));
  }
  EXPECT_THAT(log.lines(), Contains(HasSubstr("execution.checkpointing.min-pause")));
}

TEST_F(CheckpointCourse, GoesOnAfterASourceHasEndedUnlessSwitchedOff) {
  for (const bool on : {true, false}) {
    TwoRoads first(source_of(numbers(0, 10)), source_of(numbers(1000, 1010))->unbounded());
    JobOptions periodic = options();
    periodic.checkpoint_interval_ms = 1;
    periodic.checkpoints_after_tasks_finish = on;
    const auto job = start_job(first.g.graph, periodic);
    ASSERT_TRUE(first.out->wait_for_size(20));
    ASSERT_TRUE(first.left->closed.wait_for(1));
    // Complete only when the coordinator knows of the end.
    std::string path = job->trigger_checkpoint();
    const CheckpointId known = job->checkpoints().back().id;
    if (on) {
      EXPECT_TRUE(eventually(*job, [&] { return job->checkpoints().back().id >= known + 3; }));
    } else {
      for (int i = 1; i < 4; ++i) {
        path = job->trigger_checkpoint();
        EXPECT_EQ(job->checkpoints().back().id, known + i) << "none comes by itself";
      }
    }
    job->cancel();
    ASSERT_TRUE(job->wait_for(kPatience));
    path = job->checkpoints().back().path;

    TwoRoads second(source_of(numbers(0, 10)), source_of(numbers(1000, 1020)));
    JobOptions restore = options();
    restore.restore_path = path;
    const auto again = start_job(second.g.graph, restore);
    ASSERT_TRUE(again->wait_for(kPatience));
    EXPECT_EQ(again->status(), JobStatus::kFinished);
    EXPECT_EQ(second.out->size(), 10u) << "what has ended stays ended";
  }
}

TEST_F(CheckpointCourse, RetentionTellsAFailedJobFromACancelledOne) {
  struct Case {
    CheckpointRetention retention;
    bool after_failure;
    bool after_cancellation;
  };
  for (const Case& c : {Case{CheckpointRetention::kNever, false, false},
                        Case{CheckpointRetention::kOnFailure, true, false},
                        Case{CheckpointRetention::kOnCancellation, true, true}}) {
    for (const bool fails : {true, false}) {
      const auto source = source_of(numbers(0, 20))->hold(0, 10)->unbounded();
      Graph g;
      auto out = std::make_shared<Collected>();
      const int mapped = g.map("trap", g.source(source, 1), 1, [](Value v) {
        if (v.as_int() == 15) {
          throw Error(ErrorKind::kUserCode, "the trap");
        }
        return v;
      });
      g.sink(mapped, 1, out);
      JobOptions retaining = options();
      retaining.checkpoint_retention = c.retention;
      const auto job = start_job(g.graph, retaining);
      ASSERT_TRUE(out->wait_for_size(10));
      const std::string path = job->trigger_checkpoint();
      EXPECT_TRUE(fs::exists(path));
      if (fails) {
        source->release();
      } else {
        job->cancel();
      }
      ASSERT_TRUE(job->wait_for(kPatience));
      EXPECT_EQ(job->status(), fails ? JobStatus::kFailed : JobStatus::kCanceled);
      EXPECT_EQ(fs::exists(path), fails ? c.after_failure : c.after_cancellation)
          << static_cast<int>(c.retention) << (fails ? " failed" : " cancelled");
    }
  }
}

TEST_F(CheckpointCourse, StateThatGrowsWithoutATimeToLiveIsPointedOutOnce) {
  const LogLines log;
  JobOptions watching = options();
  watching.state_growth = {.checkpoints = 3, .entries = 30, .bytes = 1 << 30, .percent = 25};
  const auto source = source_of(numbers(0, 100))->hold(0, 10)->unbounded();
  Graph g;
  auto out = std::make_shared<Collected>();
  // Two subtasks: what they hold is added up.
  g.sink(g.count(g.key_by(g.source(source, 1), 1, 1000), 2), 2, out);
  const auto job = start_job(g.graph, watching);
  const auto said = [&] {
    std::vector<std::string> lines = log.lines();
    std::erase_if(lines, [](const std::string& l) { return l.find("state '") == l.npos; });
    return lines;
  };
  for (int n = 1; n <= 8; ++n) {
    source->advance(0, n * 10);
    ASSERT_TRUE(out->wait_for_size(static_cast<std::size_t>(n) * 10));
    job->trigger_checkpoint();
    EXPECT_EQ(said().size(), n < 4 ? 0u : 1u) << n;
  }
  EXPECT_THAT(said()[0],
              AllOf(HasSubstr("job 'j'"),
                    HasSubstr("state 'count' of operator 'count' (uid 'count')"),
                    HasSubstr("10 entries"),
                    HasSubstr("40 entries")));
}

TEST_F(CheckpointCourse, ASavepointThatWasGivenUpLeavesNothingBehind) {
  const auto storage = gated();
  JobOptions two = options();
  two.checkpoint_storage = storage;
  two.max_concurrent_checkpoints = 2;
  TwoRoads roads(source_of(numbers(0, 10))->unbounded(), source_of({})->unbounded());
  const auto job = start_job(roads.g.graph, two);
  ASSERT_TRUE(roads.out->wait_for_size(10));
  storage->close_gate();
  std::future<std::string> checkpoint = job->trigger_checkpoint_async();
  ASSERT_TRUE(storage->arrived.wait_for(1));
  std::future<std::string> savepoint =
      job->trigger_savepoint_async({root_ + "/save", AfterBarrier::kGoOn});
  ASSERT_TRUE(roads.left->snapshots.wait_for(2));
  job->cancel();
  EXPECT_THROW(savepoint.get(), Error);
  EXPECT_THROW(checkpoint.get(), Error);
  storage->open_gate();
  ASSERT_TRUE(job->wait_for(kPatience));
  EXPECT_FALSE(fs::exists(root_ + "/save"));
  for (const auto& folder : fs::recursive_directory_iterator(root_)) {
    EXPECT_FALSE(folder.path().filename().string().starts_with("chk-")) << folder.path();
  }
}

/// Keeps what it sees as operator state, and notes what it was restored with.
struct Restored {
  std::mutex mutex;
  std::map<int, std::vector<std::string>> list;
  std::map<int, std::vector<std::string>> all;
};
class Keeper final : public Operator {
 public:
  explicit Keeper(std::shared_ptr<Restored> restored) : restored_(std::move(restored)) {}
  void open(OperatorContext& context) override {
    const OperatorSnapshot& from = context.restored();
    const auto entries = [](const auto& states, const char* name) {
      const auto found = states.find(name);
      return found == states.end() ? std::vector<std::string>{} : found->second;
    };
    seen_ = entries(from.list_state, "seen");
    const std::lock_guard lock(restored_->mutex);
    restored_->list[context.subtask_index()] = seen_;
    restored_->all[context.subtask_index()] = entries(from.union_state, "all");
    subtask_ = context.subtask_index();
  }
  bool claims_state(const std::string& name) const override {
    return name == "seen" || name == "all";
  }
  void process(Record&& record, int, Output& out) override {
    seen_.push_back(record.value.to_string());
    out.emit(std::move(record));
  }
  void snapshot(CheckpointId, OperatorSnapshot& snapshot) override {
    snapshot.list_state["seen"] = seen_;
    snapshot.union_state["all"] = {fmt::format("subtask {}", subtask_)};
  }

 private:
  std::shared_ptr<Restored> restored_;
  std::vector<std::string> seen_;
  int subtask_ = 0;
};

TEST_F(CheckpointCourse, ListStateIsSharedOutAndUnionStateGivenToAllAtAnotherParallelism) {
  std::string path;
  int before = 0;
  for (const int parallelism : {2, 3, 1, 4}) {
    const auto restored = std::make_shared<Restored>();
    const auto source = source_of(numbers(0, 12))->unbounded();
    Graph g;
    auto out = std::make_shared<Collected>();
    const int kept = g.add({.name = "keeper",
                            .parallelism = parallelism,
                            .partition = PartitionStrategy::kRebalance,
                            .uid = "keeper"},
                           {g.source(source, 1)},
                           [restored](int) { return std::make_unique<Keeper>(restored); });
    g.sink(kept, parallelism, out);
    JobOptions from = options();
    from.restore_path = path;
    const auto job = start_job(g.graph, from);
    if (before == 0) {
      ASSERT_TRUE(out->wait_for_size(12));
    }
    path = job->trigger_checkpoint();  // also says that everybody has opened
    job->cancel();
    ASSERT_TRUE(job->wait_for(kPatience));
    std::multiset<std::string> seen;
    for (const auto& [subtask, entries] : restored->list) {
      seen.insert(entries.begin(), entries.end());
      if (before > 0) {
        EXPECT_NEAR(static_cast<double>(entries.size()), 12.0 / parallelism, 1.0);
        EXPECT_EQ(restored->all[subtask].size(), static_cast<std::size_t>(before));
      }
    }
    EXPECT_EQ(seen.size(), before == 0 ? 0u : 12u) << "each entry is with one subtask";
    EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()).size(), seen.size());
    before = parallelism;
  }
}

}  // namespace
}  // namespace flott
