// Periodic checkpoints that fail or take too long: how many a job bears, and what they leave.
#include "job_support.h"
#include "tests/harness/temporary_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>

namespace flott {
namespace {

namespace fs = std::filesystem;

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

/// source -> probe -> key_by -> count -> sink, which does not end.
struct Line {
  Line() {
    const auto source =
        std::make_shared<VectorSource>(std::vector<std::vector<std::int64_t>>{numbers(0, 10)})
            ->unbounded();
    g.sink(g.count(g.key_by(g.probe(g.source(source, 1), probe), 1, 5), 1), 1, out);
  }
  Graph g;
  std::shared_ptr<Probe::Shared> probe = std::make_shared<Probe::Shared>();
  std::shared_ptr<Collected> out = std::make_shared<Collected>();
};

class CheckpointFailure : public ::testing::Test {
 protected:
  JobOptions periodic(std::shared_ptr<CheckpointStorage> storage = nullptr) const {
    JobOptions out;
    out.name = "j";
    out.checkpoint_interval_ms = 1;
    out.checkpoint_directory = root_;
    out.checkpoint_storage = std::move(storage);
    return out;
  }

  const harness::TemporaryFolder folder_;
  const std::string root_ = folder_.path();
};

TEST_F(CheckpointFailure, ASuccessBetweenTwoOfThemBeginsTheirCountAnew) {
  const auto storage = std::make_shared<GatedStorage>(make_memory_checkpoint_storage());
  for (const CheckpointId id : {1, 3, 5, 7, 8}) {
    storage->fail(id);
  }
  Line line;
  JobOptions options = periodic(storage);
  options.tolerable_checkpoint_failures = 1;
  const auto job = start_job(line.g.graph, options);
  ASSERT_TRUE(job->wait_for(kPatience));
  EXPECT_EQ(job->status(), JobStatus::kFailed);
  EXPECT_THAT(message_of(job->result().error), HasSubstr("checkpoint 8 of job 'j' failed"));
  std::vector<CheckpointId> completed;
  for (const CheckpointStats& stats : job->checkpoints()) {
    completed.push_back(stats.id);
  }
  EXPECT_THAT(completed, ElementsAre(2, 4, 6));
  EXPECT_EQ(job_metric(*job, "numberOfFailedCheckpoints"), 5);
}

TEST_F(CheckpointFailure, OneThatTakesTooLongCounts) {
  for (const int tolerable : {0, 2}) {
    Line line;
    line.probe->valve.closed = true;  // no barrier gets on
    JobOptions options = periodic();
    options.checkpoint_timeout_ms = 20;
    options.tolerable_checkpoint_failures = tolerable;
    const auto job = start_job(line.g.graph, options);
    ASSERT_TRUE(job->wait_for(kPatience));
    EXPECT_EQ(job->status(), JobStatus::kFailed);
    const std::string message = message_of(job->result().error);
    EXPECT_THAT(message, HasSubstr(fmt::format("checkpoint {} of job 'j'", tolerable + 1)));
    EXPECT_THAT(message, HasSubstr("longer than 20 ms (execution.checkpointing.timeout)"));
    EXPECT_THAT(message, Not(HasSubstr("being written")));
    EXPECT_EQ(job_metric(*job, "numberOfFailedCheckpoints"), tolerable + 1);
    EXPECT_TRUE(job->checkpoints().empty());
  }
}

TEST_F(CheckpointFailure, OneThatTakesTooLongToWriteLeavesNothingBehind) {
  const LogLines log;
  const auto storage = std::make_shared<GatedStorage>(make_file_checkpoint_storage(root_));
  storage->close_gate();
  Line line;
  JobOptions options = periodic(storage);
  options.checkpoint_timeout_ms = 100;
  // On a busy machine others may be late that are not yet being written.
  options.tolerable_checkpoint_failures = 1000;
  const auto job = start_job(line.g.graph, options);
  ASSERT_TRUE(storage->arrived.wait_for(1));
  CheckpointId late = 0;
  ASSERT_TRUE(eventually(*job, [&] {
    const std::regex given_up(
        "checkpoint ([0-9]+) of job 'j' failed: it took longer than 100 ms.*"
        ": it is still being written");
    for (const std::string& said : log.lines()) {
      if (std::smatch match; std::regex_match(said, match, given_up)) {
        late = std::stol(match[1]);
        return true;
      }
    }
    return false;
  }));
  EXPECT_GE(job_metric(*job, "numberOfFailedCheckpoints"), 1);
  EXPECT_TRUE(job->checkpoints().empty());
  storage->open_gate();
  // Written behind it, by the same thread.
  ASSERT_TRUE(eventually(*job, [&] { return !job->checkpoints().empty(); }));
  job->cancel();
  ASSERT_TRUE(job->wait_for(kPatience));
  EXPECT_GT(job->checkpoints().front().id, late);
  std::vector<std::string> left;
  for (const auto& folder : fs::recursive_directory_iterator(root_)) {
    if (folder.path().filename().string().find("chk-") != std::string::npos) {
      left.push_back(folder.path());
    }
  }
  EXPECT_THAT(left, ElementsAre(job->checkpoints().back().path));
}

}  // namespace
}  // namespace flott
