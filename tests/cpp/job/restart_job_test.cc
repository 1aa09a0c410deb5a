// Jobs that fail and are started again: keyed state goes on exactly where the checkpoint was.
#include "base/log.h"
#include "checkpoint/checkpoint_storage.h"
#include "job_support.h"
#include "tests/harness/temporary_folder.h"

#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace flott {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;

RestartOptions fixed_delay(int attempts, std::int64_t delay_ms = 0) {
  RestartOptions out;
  out.kind = RestartOptions::Kind::kFixedDelay;
  out.attempts = attempts;
  out.delay_ms = delay_ms;
  return out;
}

/// Throws when it is asked to, as often as it is asked.
struct Trap {
  std::atomic<int> failures{0};
  ErrorKind kind = ErrorKind::kUserCode;
  Value pass(Value v) {
    if (failures > 0) {
      --failures;
      throw Error(kind, "the trap");
    }
    return v;
  }
};

/// source -> key_by -> count -> trap -> sink
struct TrapJob {
  explicit TrapJob(std::shared_ptr<Source> source, int parallelism = 1, std::int64_t keys = 5) {
    const int counted =
        g.count(g.key_by(g.source(std::move(source), parallelism), parallelism, keys), parallelism);
    const int trapped =
        g.map("trap", counted, parallelism, [t = trap](Value v) { return t->pass(std::move(v)); });
    g.sink(trapped, parallelism, out);
  }
  std::shared_ptr<Trap> trap = std::make_shared<Trap>();
  Graph g;
  std::shared_ptr<Collected> out = std::make_shared<Collected>();
};

std::map<std::int64_t, std::int64_t> counts_of(std::int64_t records, std::int64_t keys) {
  std::map<std::int64_t, std::int64_t> out;
  for (std::int64_t v = 0; v < records; ++v) {
    ++out[v % keys];
  }
  return out;
}

std::shared_ptr<VectorSource> hundred() {
  return std::make_shared<VectorSource>(std::vector<std::vector<std::int64_t>>{numbers(0, 100)});
}

class RestartJob : public ::testing::Test {
 protected:
  JobOptions options(RestartOptions restart) const {
    JobOptions out;
    out.name = "j";
    out.checkpoint_directory = root_;
    out.restart = restart;
    return out;
  }

  const harness::TemporaryFolder folder_;
  const std::string root_ = folder_.path();
};

/// Each strategy that restarts at all, with delays that need no patience.
class EachStrategy : public RestartJob, public ::testing::WithParamInterface<RestartOptions::Kind> {
 protected:
  static RestartOptions restart() {
    RestartOptions out = fixed_delay(RestartOptions::kUnlimited, 1);
    out.kind = GetParam();
    out.max_delay_ms = 5;
    out.max_failures_per_interval = 100;
    return out;
  }
};
INSTANTIATE_TEST_SUITE_P(RestartJob,
                         EachStrategy,
                         ::testing::Values(RestartOptions::Kind::kFixedDelay,
                                           RestartOptions::Kind::kExponentialDelay,
                                           RestartOptions::Kind::kFailureRate));

TEST_P(EachStrategy, StateGoesOnFromTheLastCheckpointAfterEveryFailure) {
  for (const int parallelism : {1, 2}) {
    const auto source = hundred()->hold(0, 40);
    TrapJob t(source, parallelism);
    const auto job = start_job(t.g.graph, options(restart()));
    ASSERT_TRUE(t.out->wait_for_size(40));
    job->trigger_checkpoint();
    // The records 40 to 60 are counted, and thrown away with the attempt.
    t.trap->failures = 3;
    source->hold(0, 60);
    source->release();
    ASSERT_TRUE(job->wait_for(kPatience));
    EXPECT_EQ(job->status(), JobStatus::kFinished);
    // Both subtasks may fail in one attempt.
    EXPECT_GE(job->attempt(), parallelism == 1 ? 4 : 3);
    EXPECT_EQ(t.out->last_by_key(), counts_of(100, 5));
    EXPECT_EQ(job_metric(*job, "numRestarts"), job->attempt() - 1);
    EXPECT_EQ(job_metric(*job, "fullRestarts"), job->attempt() - 1);
  }
}

TEST_F(RestartJob, WithoutACheckpointItBeginsAnew) {
  const auto source = hundred()->hold(0, 40);
  TrapJob t(source);
  const auto job = start_job(t.g.graph, options(fixed_delay(1)));
  ASSERT_TRUE(t.out->wait_for_size(40));
  t.trap->failures = 1;
  source->release();
  ASSERT_TRUE(job->wait_for(kPatience));
  EXPECT_EQ(job->status(), JobStatus::kFinished);
  EXPECT_EQ(t.out->size(), 140u);
  EXPECT_EQ(t.out->last_by_key(), counts_of(100, 5));
}

TEST_F(RestartJob, WithoutACheckpointOfItsOwnItGoesBackToWhereItWasStarted) {
  std::string path;
  {
    TrapJob first(hundred()->hold(0, 30));
    const auto job = start_job(first.g.graph, options({}));
    ASSERT_TRUE(first.out->wait_for_size(30));
    path = job->trigger_checkpoint();
    job->cancel();
    ASSERT_TRUE(job->wait_for(kPatience));
  }
  TrapJob t(hundred());
  t.trap->failures = 2;
  JobOptions from = options(fixed_delay(2));
  from.restore_path = path;
  const auto job = start_job(t.g.graph, from);
  ASSERT_TRUE(job->wait_for(kPatience));
  EXPECT_EQ(job->status(), JobStatus::kFinished);
  EXPECT_EQ(t.out->size(), 70u);
  EXPECT_EQ(t.out->last_by_key(), counts_of(100, 5));
  EXPECT_TRUE(std::filesystem::exists(path)) << "it belongs to another job";
}

/// As jobs with checkpoints restart by default, without the delays.
RestartOptions without_end() {
  RestartOptions out;
  out.kind = RestartOptions::Kind::kExponentialDelay;
  out.delay_ms = 1;
  out.max_delay_ms = 1;
  return out;
}

TEST_F(RestartJob, WhatItWasStartedFromIsNotLookedForForEver) {
  std::string path;
  {
    TrapJob first(hundred()->hold(0, 30));
    const auto job = start_job(first.g.graph, options({}));
    ASSERT_TRUE(first.out->wait_for_size(30));
    path = job->trigger_checkpoint();
    job->cancel();
    ASSERT_TRUE(job->wait_for(kPatience));
  }
  const auto source = hundred()->hold(0, 40);
  TrapJob t(source);
  JobOptions from = options(without_end());
  from.restore_path = path;
  const auto job = start_job(t.g.graph, from);
  ASSERT_TRUE(t.out->wait_for_size(10));
  std::filesystem::remove_all(path);
  t.trap->failures = 1;
  source->release();
  ASSERT_TRUE(job->wait_for(kPatience));
  EXPECT_EQ(job->status(), JobStatus::kFailed);
  EXPECT_THAT(message_of(job->result().error), HasSubstr("there is no checkpoint at " + path));
}

TEST_F(RestartJob, CanBeCancelledWhileARestartFails) {
  const auto source = hundred()->unbounded();
  TrapJob t(source);
  std::atomic<Job*> running{nullptr};
  std::atomic<int> made{0};
  t.g.add({.name = "made twice"}, {0}, [&](int) -> std::unique_ptr<Operator> {
    if (++made > 1) {
      running.load()->cancel();
      throw Error(ErrorKind::kExternal, "cannot be made again");
    }
    return make_map_operator(harness::map_with([](Value v) { return v; }));
  });
  t.trap->failures = 0;
  source->hold(0, 50);
  const auto job = start_job(t.g.graph, options(without_end()));
  running = job.get();
  ASSERT_TRUE(t.out->wait_for_size(50));
  t.trap->failures = 1;
  source->release();
  ASSERT_TRUE(job->wait_for(kPatience));
  EXPECT_EQ(job->status(), JobStatus::kCanceled);
  EXPECT_EQ(made, 2);
}

TEST_F(RestartJob, TheLastFailureIsTheJobsAndEachIsLogged) {
  const LogLines log;
  TrapJob t(hundred());
  t.trap->failures = 100;
  const auto job = start_job(t.g.graph, options(fixed_delay(2)));
  ASSERT_TRUE(job->wait_for(kPatience));
  EXPECT_EQ(job->status(), JobStatus::kFailed);
  EXPECT_EQ(t.trap->failures, 97);
  EXPECT_EQ(message_of(job->result().error), "the trap");
  EXPECT_THAT(job->result().error_location,
              AllOf(HasSubstr("operator 'trap'"),
                    HasSubstr("in attempt 3"),
                    HasSubstr("2 restarts were allowed")));
  EXPECT_THAT(log.lines(),
              Contains(AllOf(HasSubstr("the trap"), HasSubstr("attempt 2 of 3 in 0 ms"))));
  EXPECT_THAT(log.lines(),
              Contains(AllOf(HasSubstr("the trap"), HasSubstr("attempt 3 of 3 in 0 ms"))));
}

TEST_F(RestartJob, AWrongProgramIsNotTriedAgain) {
  TrapJob t(hundred());
  t.trap->failures = 100;
  t.trap->kind = ErrorKind::kInvalidArgument;
  const auto job = start_job(t.g.graph, options(fixed_delay(5)));
  ASSERT_TRUE(job->wait_for(kPatience));
  EXPECT_EQ(job->status(), JobStatus::kFailed);
  EXPECT_EQ(t.trap->failures, 99);
  EXPECT_EQ(job_metric(*job, "numRestarts"), 0);
}

TEST_F(RestartJob, CanBeCancelledDuringTheDelay) {
  TrapJob t(hundred());
  t.trap->failures = 1;
  const auto job = start_job(t.g.graph, options(fixed_delay(1, 3'600'000)));
  ASSERT_TRUE(eventually(*job, [&] { return job->status() == JobStatus::kRestarting; }));
  EXPECT_EQ(job_status_name(job->status()), "RESTARTING");
  EXPECT_THROW(job->trigger_checkpoint(), Error);
  EXPECT_GE(job_metric(*job, "downtime"), 0);
  job->cancel();
  ASSERT_TRUE(job->wait_for(kPatience));
  EXPECT_EQ(job->status(), JobStatus::kCanceled);
  EXPECT_EQ(job->result().error, nullptr);
}

TEST_F(RestartJob, FunctionsAreMadeAnewAndToldTheAttempt) {
  struct Attempts : Operator {
    explicit Attempts(std::vector<int>& seen) : seen_(seen) {}
    void open(OperatorContext& context) override { attempt_ = context.attempt_number(); }
    void process(Record&& record, int, Output& out) override {
      if (++calls_ == 10) {
        seen_.push_back(attempt_);
        if (attempt_ < 2) {
          throw Error(ErrorKind::kUserCode, "tenth call");
        }
      }
      out.emit(std::move(record));
    }
    std::vector<int>& seen_;
    int attempt_ = -1;
    int calls_ = 0;
  };
  std::vector<int> seen;
  Graph g;
  auto out = std::make_shared<Collected>();
  const int n = g.add({.name = "attempts"}, {g.source(hundred(), 1)}, [&](int) {
    return std::make_unique<Attempts>(seen);
  });
  g.sink(n, 1, out);
  const auto job = start_job(g.graph, options(fixed_delay(2)));
  ASSERT_TRUE(job->wait_for(kPatience));
  EXPECT_EQ(job->status(), JobStatus::kFinished);
  EXPECT_EQ(seen, (std::vector<int>{0, 1, 2})) << "every attempt counts its calls from nothing";
}

TEST_F(RestartJob, ADamagedCheckpointGivesWayToAnOlderOne) {
  const auto source = hundred()->hold(0, 40);
  TrapJob t(source);
  JobOptions keep = options(fixed_delay(1));
  keep.retained_checkpoints = 2;
  const auto job = start_job(t.g.graph, keep);
  ASSERT_TRUE(t.out->wait_for_size(40));
  job->trigger_checkpoint();
  source->hold(0, 50);
  const std::string newest = job->trigger_checkpoint();
  std::ofstream(newest + "/_metadata", std::ios::app) << "rot";
  t.trap->failures = 1;
  source->release();
  ASSERT_TRUE(job->wait_for(kPatience));
  EXPECT_EQ(job->status(), JobStatus::kFinished)
      << (job->result().error ? message_of(job->result().error) : "");
  EXPECT_EQ(t.out->last_by_key(), counts_of(100, 5));
}

/// Has a file in each checkpoint: of the n-th the n-th name, which earlier ones may have, too.
class WithFiles final : public Operator {
 public:
  explicit WithFiles(std::vector<std::string> names) : names_(std::move(names)) {}
  void open(OperatorContext&) override {}
  void process(Record&& record, int, Output& out) override { out.emit(std::move(record)); }
  void snapshot(CheckpointId id, OperatorSnapshot& snapshot) override {
    constexpr std::size_t kBytes = 32 << 10;  // smaller ones lie in the manifest
    if (id >= 1 && id <= static_cast<CheckpointId>(names_.size())) {  // else: it has ended
      snapshot.files.push_back({names_[static_cast<std::size_t>(id) - 1],
                                "",
                                std::make_shared<const std::string>(kBytes, 'x'),
                                kBytes});
    }
  }

 private:
  const std::vector<std::string> names_;
};

TEST_F(RestartJob, ADamagedFileGivesWayToTheNewestCheckpointThatDoesNotNeedIt) {
  struct Case {
    std::vector<std::string> files;  ///< of three checkpoints, of which b will be damaged
    std::size_t goes_back_to;        ///< 0: to none
  };
  for (const Case& c : {Case{{"a", "a", "b"}, 2},
                        {{"a", "b", "b"}, 1},
                        {{"b", "a", "b"}, 2},
                        {{"b", "b", "b"}, 0}}) {
    SCOPED_TRACE(fmt::format("files {}", fmt::join(c.files, ", ")));
    const LogLines log;
    const auto source = hundred();
    TrapJob t(source);
    t.g.add({.name = "files"}, {0}, [&](int) { return std::make_unique<WithFiles>(c.files); });
    JobOptions keep = options(fixed_delay(1));
    keep.retained_checkpoints = 3;
    source->hold(0, 0);
    const auto job = start_job(t.g.graph, keep);
    std::vector<std::string> paths;
    for (const int records : {40, 50, 60}) {
      source->advance(0, records);
      ASSERT_TRUE(t.out->wait_for_size(static_cast<std::size_t>(records)));
      paths.push_back(job->trigger_checkpoint());
    }
    const auto damaged = std::filesystem::path(paths[0]).parent_path() / "shared/b";
    std::fstream(damaged, std::ios::in | std::ios::out).seekp(10'000).put('y');
    t.trap->failures = 1;
    source->release();
    ASSERT_TRUE(job->wait_for(kPatience));
    if (c.goes_back_to > 0) {
      EXPECT_EQ(job->status(), JobStatus::kFinished);
      EXPECT_EQ(t.out->size(), c.goes_back_to == 2 ? 60u + 50u : 60u + 60u);
      EXPECT_EQ(t.out->last_by_key(), counts_of(100, 5));
      EXPECT_THAT(log.lines(),
                  Contains(AllOf(HasSubstr("goes on from the older checkpoint " +
                                           paths[c.goes_back_to - 1] + ";"),
                                 HasSubstr(damaged.string() + " is damaged"))));
      continue;
    }
    EXPECT_EQ(job->status(), JobStatus::kFailed);
    EXPECT_EQ(job_metric(*job, "numRestarts"), 0);
    EXPECT_THAT(message_of(job->result().error),
                AllOf(HasSubstr("none of its checkpoints can be read"),
                      HasSubstr(damaged.string() + " is damaged"),
                      HasSubstr("put the files back")));
    for (const std::string& path : paths) {
      EXPECT_THAT(message_of(job->result().error), HasSubstr(path + " needs it"));
      EXPECT_TRUE(std::filesystem::exists(path)) << "the user has to choose";
    }
  }
}

TEST_F(RestartJob, StopsWhenNoCheckpointCanBeRead) {
  const auto source = hundred()->hold(0, 40);
  TrapJob t(source);
  const auto job = start_job(t.g.graph, options(fixed_delay(100)));
  ASSERT_TRUE(t.out->wait_for_size(40));
  const std::string path = job->trigger_checkpoint();
  std::ofstream(path + "/_metadata", std::ios::app) << "rot";
  t.trap->failures = 1;
  source->release();
  ASSERT_TRUE(job->wait_for(kPatience));
  EXPECT_EQ(job->status(), JobStatus::kFailed);
  EXPECT_THAT(message_of(job->result().error), HasSubstr(path));
  EXPECT_EQ(job_metric(*job, "numRestarts"), 0);
}

TEST_F(RestartJob, IdsAndMetricsOfCheckpointsGoOn) {
  const auto source = hundred()->hold(0, 40)->unbounded();
  TrapJob t(source);
  const auto job = start_job(t.g.graph, options(fixed_delay(1)));
  ASSERT_TRUE(t.out->wait_for_size(40));
  job->trigger_checkpoint();
  t.trap->failures = 1;
  source->release();
  ASSERT_TRUE(eventually(*job, [&] { return job->attempt() == 2; }));
  ASSERT_TRUE(t.out->wait_for_size(100));
  ASSERT_TRUE(eventually(*job, [&] { return job->status() == JobStatus::kRunning; }));
  EXPECT_THAT(job->trigger_checkpoint(), HasSubstr("chk-2"));
  EXPECT_EQ(job_metric(*job, "numberOfCompletedCheckpoints"), 2);
  EXPECT_GT(job_metric(*job, "lastCheckpointRestoreTimestamp"), 0);
  EXPECT_GT(job_metric(*job, "lastCheckpointSize"), 0);
  EXPECT_EQ(job_metric(*job, "lastCheckpointFullSize"), job_metric(*job, "lastCheckpointSize"));
  EXPECT_GE(job_metric(*job, "lastCheckpointDuration"), 0);
  EXPECT_EQ(job_metric(*job, "numberOfFailedCheckpoints"), 0);
  EXPECT_EQ(job_metric(*job, "numberOfInProgressCheckpoints"), 0);
}

TEST_F(RestartJob, CheckpointsThatFailTooOftenRestartTheJob) {
  std::ofstream(root_ + "/file") << "not a folder";
  TrapJob t(hundred()->unbounded());
  JobOptions broken = options(fixed_delay(1));
  broken.checkpoint_directory = root_ + "/file/below";
  broken.checkpoint_interval_ms = 1;
  broken.tolerable_checkpoint_failures = 1;
  const auto job = start_job(t.g.graph, broken);
  ASSERT_TRUE(job->wait_for(kPatience));
  EXPECT_EQ(job->status(), JobStatus::kFailed);
  EXPECT_EQ(job->attempt(), 2);
  EXPECT_EQ(job_metric(*job, "numberOfFailedCheckpoints"), 4);
}

TEST_F(RestartJob, ProcessingTimersThatAreOverdueFireOnRestore) {
  // Timers at 1 s to 5 s; the clock passes them while the job is down.
  ManualClock clock(0);
  Graph g;
  auto out = std::make_shared<Collected>();
  const auto trap = std::make_shared<Trap>();
  const auto source =
      std::make_shared<VectorSource>(std::vector<std::vector<std::int64_t>>{numbers(1, 7)})
          ->hold(0, 5);
  const int alarms =
      g.add({.name = "alarms", .partition = PartitionStrategy::kHash, .keyed = true},
            {g.key_by(g.source(source, 1), 1, 10)},
            [trap, &clock](int) {
              return make_process_operator(harness::process_with(
                  [trap, &clock](Value v, int, ProcessContext& context, Collector& collector) {
                    if (trap->failures > 0) {
                      clock.set(10'000);
                    }
                    v = trap->pass(std::move(v));
                    context.register_timer(TimeDomain::kProcessingTime, v.as_int() * 1000);
                    collector.collect(Value::integer(-1));
                  },
                  [](Timestamp time, ProcessContext&, Collector& collector) {
                    collector.collect(Value::integer(time));
                  }));
            });
  g.sink(alarms, 1, out);
  JobOptions manual = options(fixed_delay(1));
  manual.clock = &clock;
  const auto job = start_job(g.graph, manual);
  ASSERT_TRUE(out->wait_for_size(5));
  job->trigger_checkpoint();
  trap->failures = 1;
  source->release();
  ASSERT_TRUE(out->wait_for_size(12));
  ASSERT_TRUE(job->wait_for(kPatience));
  EXPECT_EQ(job->status(), JobStatus::kFinished);
  EXPECT_EQ(
      out->sorted_ints(),
      (std::vector<std::int64_t>{-1, -1, -1, -1, -1, -1, 1000, 2000, 3000, 4000, 5000, 6000}));
}

}  // namespace
}  // namespace flott
