// Jobs that restore: each task its own state, when it starts, while the job can be seen and
// cancelled.
#include "checkpoint/checkpoint_storage.h"
#include "harness/fake_host.h"
#include "job_support.h"
#include "tests/harness/temporary_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <future>

namespace flott {
namespace {

using ::testing::HasSubstr;

/// Its lock lets everybody in, and who has an opaque value made may have to wait.
class SlowHost final : public FakeHost {
 public:
  void enter() override {}
  void leave() override {}
  void* deserialize(std::string_view bytes) override {
    std::unique_lock lock(mutex_);
    calls.happen();
    in_time = changed_.wait_for(lock, kPatience, [&] { return open_ || calls.count() >= wanted_; });
    changed_.notify_all();
    lock.unlock();
    if (failures > 0) {
      --failures;
      throw Error(ErrorKind::kExternal, "the share is away", Retryable::kYes);
    }
    return FakeHost::deserialize(bytes);
  }
  /// From here on all wait until so many are there.
  void wait_for_calls(int count) {
    const std::lock_guard lock(mutex_);
    open_ = false;
    wanted_ = count;
  }
  void close() { wait_for_calls(std::numeric_limits<int>::max()); }
  void open() {
    {
      const std::lock_guard lock(mutex_);
      open_ = true;
    }
    changed_.notify_all();
  }

  Event calls;
  std::atomic<bool> in_time{true};
  std::atomic<int> failures{0};

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
  int wanted_ = 0;
};

constexpr std::int64_t kRecords = 400;
constexpr std::int64_t kKeys = 40;

class RestoreJob : public ::testing::Test {
 protected:
  /// source -> key_by -> count -> sink, with opaque keys
  Graph graph(std::shared_ptr<VectorSource> source,
              int parallelism,
              std::shared_ptr<Collected> out = std::make_shared<Collected>()) {
    Graph g;
    const int keyed = g.add({.name = "key_by", .parallelism = parallelism},
                            {g.source(std::move(source), parallelism)},
                            [this](int) {
                              return make_key_by_operator(harness::key_with([this](const Value& v) {
                                return host_.number(v.as_int() % kKeys);
                              }));
                            });
    const int counted = g.count(keyed, parallelism);
    const int numbers =
        g.map("number", counted, parallelism, [](const Value& v) { return v.field(1); });
    g.sink(numbers, parallelism, std::move(out));
    return g;
  }
  std::shared_ptr<VectorSource> source() const {
    return std::make_shared<VectorSource>(
        std::vector<std::vector<std::int64_t>>{numbers(0, kRecords)});
  }
  JobOptions options() const {
    JobOptions out;
    out.name = "j";
    out.checkpoint_directory = root_;
    return out;
  }
  /// Options to restore `kRecords` counts of one subtask or more.
  JobOptions checkpoint_of(int parallelism) {
    auto out = std::make_shared<Collected>();
    const Graph g = graph(source()->unbounded(), parallelism, out);
    const auto job = start_job(g.graph, options());
    EXPECT_TRUE(out->wait_for_size(kRecords));
    JobOptions restore = options();
    restore.restore_path = job->trigger_checkpoint();
    job->cancel();
    EXPECT_TRUE(job->wait_for(kPatience));
    return restore;
  }

  const harness::TemporaryFolder folder_;
  const std::string root_ = folder_.path();
  SlowHost host_;
};

TEST_F(RestoreJob, SubtasksRestoreAtTheSameTime) {
  const JobOptions restore = checkpoint_of(2);
  host_.wait_for_calls(2);  // one after the other they would not come together
  const Graph g = graph(source(), 2);
  const auto job = start_job(g.graph, restore);
  ASSERT_TRUE(host_.calls.wait_for(2));
  ASSERT_TRUE(job->wait_for(kPatience));
  EXPECT_EQ(job->status(), JobStatus::kFinished);
  EXPECT_TRUE(host_.in_time);
  EXPECT_EQ(host_.calls.count(), kKeys) << "each key is read by one subtask";
}

TEST_F(RestoreJob, ARestoreIsCancelledWhereItIs) {
  const JobOptions restore = checkpoint_of(1);
  host_.close();
  const Graph g = graph(source(), 1);
  const auto job = start_job(g.graph, restore);
  ASSERT_TRUE(host_.calls.wait_for(1));
  EXPECT_EQ(job->status(), JobStatus::kRunning);
  job->cancel();
  host_.open();
  ASSERT_TRUE(job->wait_for(kPatience));
  EXPECT_EQ(job->status(), JobStatus::kCanceled);
  EXPECT_EQ(job->result().error, nullptr);
  EXPECT_EQ(host_.calls.count(), 1) << "the other keys are not read any more";
}

TEST_F(RestoreJob, NoCheckpointBeginsBeforeItIsOver) {
  JobOptions restore = checkpoint_of(1);
  restore.checkpoint_interval_ms = 1;
  restore.checkpoint_timeout_ms = 10'000;
  host_.close();
  auto out = std::make_shared<Collected>();
  const Graph g = graph(source()->unbounded(), 1, out);
  const auto job = start_job(g.graph, restore);
  ASSERT_TRUE(host_.calls.wait_for(1));
  std::future<std::string> asked = job->trigger_checkpoint_async();
  EXPECT_EQ(asked.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  EXPECT_EQ(job_metric(*job, "numberOfInProgressCheckpoints"), 0);
  host_.open();
  ASSERT_EQ(asked.wait_for(kPatience), std::future_status::ready);
  EXPECT_FALSE(asked.get().empty());
  EXPECT_EQ(job_metric(*job, "numberOfFailedCheckpoints"), 0);
}

TEST_F(RestoreJob, AFailureGoesToTheRestartStrategy) {
  JobOptions restore = checkpoint_of(1);
  restore.restart.kind = RestartOptions::Kind::kFixedDelay;
  restore.restart.attempts = 2;
  restore.restart.delay_ms = 0;
  host_.failures = 2;
  const Graph g = graph(source(), 1);
  const auto job = start_job(g.graph, restore);
  ASSERT_TRUE(job->wait_for(kPatience));
  EXPECT_EQ(job->status(), JobStatus::kFinished);
  EXPECT_EQ(job_metric(*job, "numRestarts"), 2);
}

TEST_F(RestoreJob, BytesThatCannotBeReadAreTheEnd) {
  JobOptions restore = checkpoint_of(1);
  CheckpointData data = read_checkpoint(restore.restore_path);
  for (OperatorCheckpoint& op : data.operators) {
    if (op.uid == "count") {
      op.subtasks[0].keyed_files.clear();
      op.subtasks[0].keyed_state = {{0, "no frame"}};
    }
  }
  restore.restore_path = make_file_checkpoint_storage(root_ + "/other")->write(data);
  restore.restart.kind = RestartOptions::Kind::kFixedDelay;
  restore.restart.attempts = 2;
  restore.restart.delay_ms = 0;
  const Graph g = graph(source(), 1);
  const auto job = start_job(g.graph, restore);
  ASSERT_TRUE(job->wait_for(kPatience));
  EXPECT_EQ(job->status(), JobStatus::kFailed);
  EXPECT_THAT(message_of(job->result().error),
              HasSubstr("operator 'count': keyed state of key group 0 cannot be restored"));
  EXPECT_THAT(job->result().error_location, HasSubstr("operator 'count', subtask 1/1"));
  EXPECT_EQ(job_metric(*job, "numRestarts"), 0) << "they would be the same the next time";
}

}  // namespace
}  // namespace flott
