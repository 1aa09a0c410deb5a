#include "job/checkpoint_writer.h"

#include "base/error.h"
#include "tests/harness/temporary_folder.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

namespace flott {
namespace {

namespace fs = std::filesystem;

class CountingStorage final : public CheckpointStorage {
 public:
  std::string write(const CheckpointData& checkpoint) override {
    ++writes;
    if (during_write) {
      during_write();
    }
    return "chk-" + std::to_string(checkpoint.id);
  }
  void discard(const std::string& path) override { discarded.push_back(path); }

  int writes = 0;
  std::function<void()> during_write;
  std::vector<std::string> discarded;
};

class Writing : public ::testing::Test {
 protected:
  static CheckpointData checkpoint(CheckpointId id) {
    CheckpointData out;
    out.id = id;
    out.job_id = "0123456789abcdef";
    return out;
  }
  /// Lets the writer do all that was asked for.
  template <typename Ask>
  std::vector<WrittenCheckpoint> results_of(Ask ask) {
    std::vector<WrittenCheckpoint> out;
    CheckpointWriter writer(storage_, "job", [&](WrittenCheckpoint w) { out.push_back(w); });
    ask(writer);
    EXPECT_TRUE(writer.wait_until_idle(std::chrono::seconds(30)));
    return out;
  }

  const harness::TemporaryFolder folder_;
  const fs::path root_ = folder_.path();
  std::shared_ptr<CountingStorage> storage_ = std::make_shared<CountingStorage>();
  GivenUp wanted_ = std::make_shared<std::atomic<bool>>(false);
  GivenUp given_up_ = std::make_shared<std::atomic<bool>>(true);
};

TEST_F(Writing, WhatWasGivenUpBeforeItsTurnIsNotWritten) {
  const auto results = results_of([&](CheckpointWriter& writer) {
    writer.write(checkpoint(1), given_up_);
    writer.write_savepoint(checkpoint(2), root_, given_up_);
    writer.write(checkpoint(3), wanted_);
  });
  // Those that the thread had come to by then are told of.
  ASSERT_FALSE(results.empty());
  EXPECT_EQ(results.back().path, "chk-3");
  for (std::size_t i = 0; i + 1 < results.size(); ++i) {
    EXPECT_EQ(results[i].path, "");
  }
  EXPECT_EQ(storage_->writes, 1);
  EXPECT_TRUE(fs::is_empty(root_));
}

TEST_F(Writing, WhatIsGivenUpWhileItIsWrittenIsRemoved) {
  storage_->during_write = [this] { *wanted_ = true; };
  const auto results =
      results_of([&](CheckpointWriter& writer) { writer.write(checkpoint(1), wanted_); });
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].path, "") << "nobody takes it for a complete one";
  EXPECT_EQ(storage_->discarded, (std::vector<std::string>{"chk-1"}));
}

TEST_F(Writing, ASavepointThatNobodyWasToldOfCanBeRemoved) {
  std::string path;
  const auto results = results_of([&](CheckpointWriter& writer) {
    writer.write_savepoint(checkpoint(1), root_, wanted_);
    ASSERT_TRUE(writer.wait_until_idle(std::chrono::seconds(30)));
    path = fs::directory_iterator(root_)->path();
    writer.discard_savepoint(path);
  });
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].path, path);
  EXPECT_TRUE(results[0].savepoint);
  EXPECT_TRUE(fs::is_empty(root_));
  EXPECT_THROW(remove_savepoint(root_), Error) << "no folder of ours";
  EXPECT_TRUE(fs::exists(root_));
  remove_savepoint(path);  // it is gone already
}

}  // namespace
}  // namespace flott
