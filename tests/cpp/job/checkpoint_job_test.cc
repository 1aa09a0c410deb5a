// Checkpoints of whole jobs, and jobs that start from them: nothing is lost, nothing counted twice.
#include "checkpoint/checkpoint_storage.h"
#include "job_support.h"
#include "tests/harness/temporary_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace flott {
namespace {

using ::testing::HasSubstr;

class CheckpointJob : public ::testing::Test {
 protected:
  JobOptions options() const {
    JobOptions out;
    out.checkpoint_directory = root_;
    return out;
  }

  const harness::TemporaryFolder folder_;
  const std::string root_ = folder_.path();
};

std::map<std::int64_t, std::int64_t> counts_of(std::int64_t records, std::int64_t keys) {
  std::map<std::int64_t, std::int64_t> out;
  for (std::int64_t v = 0; v < records; ++v) {
    ++out[v % keys];
  }
  return out;
}

/// source -> key_by -> count -> sink
struct CountJob {
  explicit CountJob(std::shared_ptr<VectorSource> source, int parallelism, std::int64_t keys = 30) {
    const int s = g.source(std::move(source), parallelism);
    g.sink(g.count(g.key_by(s, parallelism, keys), parallelism), parallelism, out);
  }
  Graph g;
  std::shared_ptr<Collected> out = std::make_shared<Collected>();
};

std::shared_ptr<VectorSource> four_splits() {
  return std::make_shared<VectorSource>(std::vector<std::vector<std::int64_t>>{
      numbers(0, 300), numbers(300, 600), numbers(600, 900), numbers(900, 1200)});
}

struct Rescale {
  int before;
  int after;
};
class Rescaling : public CheckpointJob, public ::testing::WithParamInterface<Rescale> {};
INSTANTIATE_TEST_SUITE_P(CheckpointJob,
                         Rescaling,
                         ::testing::Values(Rescale{1, 1},
                                           Rescale{2, 2},
                                           Rescale{2, 4},
                                           Rescale{4, 2},
                                           Rescale{1, 3},
                                           Rescale{3, 1}),
                         [](const auto& test) {
                           return fmt::format("From{}To{}", test.param.before, test.param.after);
                         });

TEST_P(Rescaling, CountsGoOnWhereTheCheckpointWas) {
  const auto held = four_splits()->hold(0, 100)->hold(1, 7)->hold(2, 0)->hold(3, 250);
  CountJob first(held, GetParam().before);
  const auto job = start_job(first.g.graph, options());
  ASSERT_TRUE(first.out->wait_for_size(357));
  const std::string path = job->trigger_checkpoint();
  EXPECT_TRUE(eventually(*job, [&] { return held->completed_checkpoints() == GetParam().before; }))
      << "every source subtask hears of it";
  ASSERT_EQ(job->checkpoints().size(), 1u);
  EXPECT_EQ(job->checkpoints()[0].path, path);
  EXPECT_GT(job->checkpoints()[0].size_bytes, 0);
  // What comes after the checkpoint is not in it.
  held->release();
  ASSERT_TRUE(job->wait_for(kPatience));
  EXPECT_EQ(job->status(), JobStatus::kFinished);
  EXPECT_EQ(first.out->last_by_key(), counts_of(1200, 30));
  EXPECT_FALSE(std::filesystem::exists(path)) << "a finished job keeps no checkpoints";
}

TEST_P(Rescaling, ACancelledJobIsContinuedAtAnotherParallelism) {
  const auto held = four_splits()->hold(0, 100)->hold(1, 7)->hold(2, 0)->hold(3, 250);
  CountJob first(held, GetParam().before);
  const auto job = start_job(first.g.graph, options());
  ASSERT_TRUE(first.out->wait_for_size(357));
  const std::string path = job->trigger_checkpoint();
  job->cancel();
  ASSERT_TRUE(job->wait_for(kPatience));
  ASSERT_TRUE(std::filesystem::exists(path));

  CountJob second(four_splits(), GetParam().after);
  JobOptions restore = options();
  restore.restore_path = path;
  const auto again = start_job(second.g.graph, restore);
  ASSERT_TRUE(again->wait_for(kPatience));
  EXPECT_EQ(again->status(), JobStatus::kFinished)
      << (again->result().error ? message_of(again->result().error) : "");
  EXPECT_EQ(second.out->size(), 1200u - 357u) << "no record is read twice, none is left out";
  EXPECT_EQ(second.out->last_by_key(), counts_of(1200, 30));
}

TEST_P(Rescaling, ACheckpointInFullFlowLosesNothing) {
  // Nothing is held: the barrier meets records on their way.
  std::vector<std::vector<std::int64_t>> splits;
  for (std::int64_t i = 0; i < 4; ++i) {
    splits.push_back(numbers(i * 10'000, (i + 1) * 10'000));
  }
  const auto source = std::make_shared<VectorSource>(splits)->unbounded();
  CountJob first(source, GetParam().before);
  const auto job = start_job(first.g.graph, options());
  ASSERT_TRUE(first.out->wait_for_size(1000));
  std::string path;
  for (int i = 0; i < 3; ++i) {
    path = job->trigger_checkpoint();
  }
  job->cancel();
  ASSERT_TRUE(job->wait_for(kPatience));
  EXPECT_EQ(job->status(), JobStatus::kCanceled);

  CountJob second(std::make_shared<VectorSource>(splits), GetParam().after);
  JobOptions restore = options();
  restore.restore_path = path;
  const auto again = start_job(second.g.graph, restore);
  ASSERT_TRUE(again->wait_for(kPatience));
  EXPECT_EQ(again->status(), JobStatus::kFinished);
  auto total = first.out->last_by_key();
  for (const auto& [key, count] : second.out->last_by_key()) {
    total[key] = count;
  }
  EXPECT_EQ(total, counts_of(40'000, 30));
}

TEST_F(CheckpointJob, SourceSubtasksThatHaveFinishedStayFinished) {
  // Subtask 0 reads split 0 to its end and is gone when the checkpoint is taken.
  const auto source = std::make_shared<VectorSource>(
                          std::vector<std::vector<std::int64_t>>{numbers(0, 90), numbers(90, 300)})
                          ->hold(1, 10);
  CountJob first(source, 2);
  const auto job = start_job(first.g.graph, options());
  ASSERT_TRUE(first.out->wait_for_size(100));
  job->trigger_checkpoint();
  const std::string path = job->trigger_checkpoint();  // its final state serves more than once
  job->cancel();
  ASSERT_TRUE(job->wait_for(kPatience));

  for (const int parallelism : {1, 2, 3}) {
    CountJob second(std::make_shared<VectorSource>(
                        std::vector<std::vector<std::int64_t>>{numbers(0, 90), numbers(90, 300)}),
                    parallelism);
    JobOptions restore = options();
    restore.restore_path = path;
    const auto again = start_job(second.g.graph, restore);
    ASSERT_TRUE(again->wait_for(kPatience));
    EXPECT_EQ(again->status(), JobStatus::kFinished);
    EXPECT_EQ(second.out->size(), 200u);
    EXPECT_EQ(second.out->last_by_key(), counts_of(300, 30));
  }
}

TEST_F(CheckpointJob, IdsGoOnAfterARestore) {
  const auto held = four_splits()->hold(0, 1)->hold(1, 1)->hold(2, 1)->hold(3, 1);
  CountJob first(held, 1);
  const auto job = start_job(first.g.graph, options());
  ASSERT_TRUE(first.out->wait_for_size(4));
  job->trigger_checkpoint();
  const std::string path = job->trigger_checkpoint();
  job->cancel();
  ASSERT_TRUE(job->wait_for(kPatience));
  CountJob second(four_splits()->hold(0, 2), 1);
  JobOptions restore = options();
  restore.restore_path = path;
  const auto again = start_job(second.g.graph, restore);
  ASSERT_TRUE(second.out->wait_for_size(1));
  EXPECT_THAT(again->trigger_checkpoint(), HasSubstr("chk-3"));
}

TEST_F(CheckpointJob, OnlyTheNewestAreKept) {
  const auto held = four_splits()->hold(0, 1)->hold(1, 1)->hold(2, 1)->hold(3, 1);
  CountJob first(held, 1);
  JobOptions keep = options();
  keep.retained_checkpoints = 2;
  const auto job = start_job(first.g.graph, keep);
  ASSERT_TRUE(first.out->wait_for_size(4));
  std::vector<std::string> paths;
  for (int i = 0; i < 4; ++i) {
    paths.push_back(job->trigger_checkpoint());
  }
  // Behind the job's back.
  EXPECT_TRUE(eventually(*job, [&] {
    return !std::filesystem::exists(paths[0]) && !std::filesystem::exists(paths[1]);
  }));
  EXPECT_TRUE(std::filesystem::exists(paths[2]));
  EXPECT_TRUE(std::filesystem::exists(paths[3]));
}

TEST_F(CheckpointJob, CancellationCanDiscardCheckpoints) {
  CountJob first(four_splits()->unbounded(), 1);
  JobOptions discard = options();
  discard.checkpoint_retention = CheckpointRetention::kOnFailure;
  const auto job = start_job(first.g.graph, discard);
  ASSERT_TRUE(first.out->wait_for_size(1200));
  const std::string path = job->trigger_checkpoint();
  EXPECT_TRUE(std::filesystem::exists(path));
  job->cancel();
  ASSERT_TRUE(job->wait_for(kPatience));
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(CheckpointJob, PeriodicCheckpointsComeByThemselves) {
  CountJob first(four_splits()->unbounded(), 2);
  JobOptions periodic = options();
  periodic.checkpoint_interval_ms = 2;
  const auto job = start_job(first.g.graph, periodic);
  ASSERT_TRUE(eventually(*job, [&] { return job->checkpoints().size() >= 3; }));
  job->cancel();
  ASSERT_TRUE(job->wait_for(kPatience));
  const std::vector<CheckpointStats> all = job->checkpoints();
  for (std::size_t i = 1; i < all.size(); ++i) {
    EXPECT_EQ(all[i].id, all[i - 1].id + 1);
  }
  EXPECT_TRUE(std::filesystem::exists(all.back().path));
}

TEST_F(CheckpointJob, ADirectoryThatCannotBeWrittenFailsThePeriodicJob) {
  std::ofstream(root_ + "/file") << "not a folder";
  CountJob first(four_splits()->unbounded(), 1);
  JobOptions broken = options();
  broken.checkpoint_directory = root_ + "/file/below";
  broken.checkpoint_interval_ms = 2;
  broken.tolerable_checkpoint_failures = 2;
  const auto job = start_job(first.g.graph, broken);
  ASSERT_TRUE(job->wait_for(kPatience));
  EXPECT_EQ(job->status(), JobStatus::kFailed);
  EXPECT_THAT(message_of(job->result().error), HasSubstr(root_ + "/file"));
  EXPECT_TRUE(job->checkpoints().empty());
}

TEST_F(CheckpointJob, AManualCheckpointThatFailsIsToldToTheCallerOnly) {
  std::ofstream(root_ + "/file") << "not a folder";
  CountJob first(four_splits()->unbounded(), 1);
  JobOptions broken = options();
  broken.checkpoint_directory = root_ + "/file/below";
  const auto job = start_job(first.g.graph, broken);
  ASSERT_TRUE(first.out->wait_for_size(1200));
  EXPECT_THROW(job->trigger_checkpoint(), Error);
  EXPECT_EQ(job->status(), JobStatus::kRunning);
  EXPECT_THROW(job->trigger_checkpoint(), Error);
}

TEST_F(CheckpointJob, ACheckpointThatTakesTooLongIsGivenUp) {
  auto valve = std::make_shared<Valve>();
  Graph g;
  auto out = std::make_shared<Collected>();
  const auto source = four_splits()->unbounded();
  const int s = g.source(source, 1);
  const int counted = g.count(g.key_by(s, 1, 3), 1);
  const int blocked = g.map("rest", counted, 1, [](Value v) { return v; });
  g.sink(blocked, 2, out, PartitionStrategy::kRebalance, valve);
  JobOptions slow = options();
  slow.channel_capacity_bytes = 500;
  slow.checkpoint_timeout_ms = 200;
  valve->closed = true;
  const auto job = start_job(g.graph, slow);
  ASSERT_TRUE(eventually(*job, [&] { return source->polled_rows() > 0; }));
  try {
    job->trigger_checkpoint();
    FAIL() << "the barrier cannot get through";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("200 ms"));
  }
  // The next one overtakes it.
  valve->closed = false;
  ASSERT_TRUE(out->wait_for_size(1200));
  EXPECT_TRUE(eventually(*job, [&] {
    try {
      return !job->trigger_checkpoint().empty();
    } catch (const Error&) {
      return false;  // 200 ms can be short on a busy machine
    }
  }));
}

TEST_F(CheckpointJob, ADrainThatIsGivenUpBeforeTheSourceCouldTakeItDrainsNothing) {
  std::promise<void> may_go_on;
  Graph g;
  auto out = std::make_shared<Collected>();
  const auto source =
      std::make_shared<VectorSource>(std::vector<std::vector<std::int64_t>>{numbers(0, 100)})
          ->unbounded();
  const int slow =
      g.map("slow", g.source(source, 1), 1, [go_on = may_go_on.get_future().share()](Value v) {
        go_on.wait();
        return v;
      });
  g.sink(slow, 1, out);
  JobOptions impatient = options();
  impatient.checkpoint_timeout_ms = 50;
  const auto job = start_job(g.graph, impatient);
  ASSERT_TRUE(eventually(*job, [&] { return source->polled_rows() > 0; }));
  auto drained = job->trigger_savepoint_async({root_ + "/saved", AfterBarrier::kDrain});
  EXPECT_THROW(drained.get(), Error);
  may_go_on.set_value();
  ASSERT_TRUE(out->wait_for_size(100));
  EXPECT_TRUE(eventually(*job, [&] {
    try {
      return !job->trigger_checkpoint().empty();
    } catch (const Error&) {
      return false;  // 50 ms can be short on a busy machine
    }
  })) << "the barrier is behind everything that was sent";
  EXPECT_TRUE(out->watermarks(0).empty()) << "time goes on";
  EXPECT_EQ(job->status(), JobStatus::kRunning);
  EXPECT_EQ(job->attempt(), 1);
}

TEST_F(CheckpointJob, NoCheckpointComesBetweenASavepointAndTheCancellationItIsFor) {
  CountJob count(four_splits()->unbounded(), 2);
  JobOptions periodic = options();
  periodic.checkpoint_interval_ms = 1;
  const auto job = start_job(count.g.graph, periodic);
  ASSERT_TRUE(eventually(*job, [&] { return !job->checkpoints().empty(); }));
  const std::string path =
      job->trigger_savepoint_async({root_ + "/saved", AfterBarrier::kGoOn, true}).get();
  ASSERT_TRUE(job->wait_for(kPatience));
  EXPECT_EQ(job->status(), JobStatus::kCanceled);
  EXPECT_LT(job->checkpoints().back().id, read_checkpoint(path).id);
}

TEST_F(CheckpointJob, StateOfAnUnknownOperatorIsRefused) {
  CountJob first(four_splits()->unbounded(), 1);
  const auto job = start_job(first.g.graph, options());
  ASSERT_TRUE(first.out->wait_for_size(1200));
  const std::string path = job->trigger_checkpoint();
  job->cancel();
  ASSERT_TRUE(job->wait_for(kPatience));

  Graph other;
  auto out = std::make_shared<Collected>();
  const int s = other.source(four_splits(), 1);
  other.sink(other.count(other.key_by(s, 1, 30), 1, "renamed"), 1, out);
  JobOptions restore = options();
  restore.restore_path = path;
  try {
    start_job(other.graph, restore);
    FAIL() << "state would be dropped silently";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kInvalidArgument);
    EXPECT_THAT(
        e.what(),
        HasSubstr("operator 'count' (uid 'count'), which this job does not have: 'count'."));
    EXPECT_THAT(e.what(), HasSubstr("execution.savepoint.ignore-unclaimed-state"));
  }
  restore.restore_path = path + "-which-is-not-there";
  EXPECT_THROW(start_job(other.graph, restore), Error);
}

TEST_F(CheckpointJob, AnotherMaxParallelismIsRefused) {
  CountJob first(four_splits()->unbounded(), 1);
  const auto job = start_job(first.g.graph, options());
  ASSERT_TRUE(first.out->wait_for_size(1200));
  const std::string path = job->trigger_checkpoint();
  job->cancel();
  ASSERT_TRUE(job->wait_for(kPatience));
  CountJob second(four_splits(), 1);
  for (const StreamNode& node : second.g.graph.nodes()) {
    second.g.graph.node(node.id).max_parallelism = 64;
  }
  JobOptions restore = options();
  restore.restore_path = path;
  EXPECT_THROW(start_job(second.g.graph, restore), Error);
}

TEST_F(CheckpointJob, EventTimersAreInTheCheckpoint) {
  // A timer per value at 10 * value; watermarks only come at the end of input, which the first job
  // never reaches.
  const auto build =
      [](std::shared_ptr<VectorSource> source, int parallelism, std::shared_ptr<Collected> out) {
        Graph g;
        const int alarms =
            g.add({.name = "alarms",
                   .parallelism = parallelism,
                   .partition = PartitionStrategy::kHash,
                   .keyed = true},
                  {g.key_by(g.source(std::move(source), parallelism), parallelism, 10)},
                  [](int) {
                    return make_process_operator(harness::process_with(
                        [](Value v, int, ProcessContext& context, Collector& collector) {
                          context.register_timer(TimeDomain::kEventTime, v.as_int() * 10);
                          collector.collect(Value::integer(-1));
                        },
                        [](Timestamp time, ProcessContext&, Collector& collector) {
                          collector.collect(Value::integer(time));
                        }));
                  });
        g.sink(alarms, parallelism, std::move(out));
        return g;
      };
  auto before = std::make_shared<Collected>();
  const auto source =
      std::make_shared<VectorSource>(std::vector<std::vector<std::int64_t>>{numbers(0, 40)})
          ->hold(0, 25);
  const Graph first = build(source, 2, before);
  const auto job = start_job(first.graph, options());
  ASSERT_TRUE(before->wait_for_size(25));
  const std::string path = job->trigger_checkpoint();
  job->cancel();
  ASSERT_TRUE(job->wait_for(kPatience));

  auto after = std::make_shared<Collected>();
  const Graph second =
      build(std::make_shared<VectorSource>(std::vector<std::vector<std::int64_t>>{numbers(0, 40)}),
            3,
            after);
  JobOptions restore = options();
  restore.restore_path = path;
  const auto again = start_job(second.graph, restore);
  ASSERT_TRUE(again->wait_for(kPatience));
  EXPECT_EQ(again->status(), JobStatus::kFinished);
  std::vector<std::int64_t> expected(15, -1);
  for (std::int64_t v = 0; v < 40; ++v) {
    expected.push_back(v * 10);
  }
  EXPECT_EQ(after->sorted_ints(), expected);
}

TEST_F(CheckpointJob, IsRefusedWhereCheckpointsAreOff) {
  CountJob count(four_splits()->hold(0, 3), 1);
  const auto job = start_job(count.g.graph, {});
  try {
    job->trigger_checkpoint();
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("runs without checkpoints"));
  }
}

TEST_F(CheckpointJob, InMemoryCheckpointsRestoreInTheSameProcess) {
  CountJob first(four_splits()->hold(0, 3)->hold(1, 0)->hold(2, 0)->hold(3, 0), 2);
  JobOptions in_memory;
  in_memory.checkpointing = true;
  const auto job = start_job(first.g.graph, in_memory);
  ASSERT_TRUE(first.out->wait_for_size(3));
  const std::string path = job->trigger_checkpoint();
  EXPECT_FALSE(path.empty());
  CountJob second(four_splits(), 2);
  JobOptions restore;
  restore.restore_path = path;
  const auto again = start_job(second.g.graph, restore);
  ASSERT_TRUE(again->wait_for(kPatience));
  EXPECT_EQ(again->status(), JobStatus::kFinished);
  EXPECT_EQ(second.out->last_by_key(), counts_of(1200, 30));
}

}  // namespace
}  // namespace flott
