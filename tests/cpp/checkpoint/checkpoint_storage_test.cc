#include "checkpoint/checkpoint_storage.h"

#include "base/error.h"
#include "base/log.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

namespace flott {
namespace {

namespace fs = std::filesystem;

CheckpointData make_checkpoint(CheckpointId id) {
  CheckpointData data;
  data.id = id;
  data.job_id = "job-1";
  data.job_name = "my\njob";
  data.timestamp_ms = 1'700'000'000'123;
  OperatorCheckpoint stateful;
  stateful.uid = "count";
  stateful.name = "Count per key";
  stateful.parallelism = 2;
  stateful.subtasks.resize(2);
  stateful.subtasks[0].keyed_state[3] = std::string("\0frame", 6);
  stateful.subtasks[0].timers[3] = "timers";
  stateful.subtasks[1].list_state["splits"] = {"a", "", "c"};
  stateful.subtasks[1].union_state["offsets"] = {"u"};
  stateful.subtasks[1].broadcast_state["rules"] = "r" + std::to_string(id);
  OperatorCheckpoint stateless;
  stateless.uid = "map";
  stateless.name = "Map";
  stateless.parallelism = 3;
  stateless.max_parallelism = 256;
  stateless.subtasks.resize(3);
  data.operators = {stateful, stateless};
  return data;
}

void expect_equal(const CheckpointData& a, const CheckpointData& b) {
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.job_id, b.job_id);
  EXPECT_EQ(a.job_name, b.job_name);
  EXPECT_EQ(a.timestamp_ms, b.timestamp_ms);
  ASSERT_EQ(a.operators.size(), b.operators.size());
  for (std::size_t n = 0; n < a.operators.size(); ++n) {
    const OperatorCheckpoint& x = a.operators[n];
    const OperatorCheckpoint& y = b.operators[n];
    EXPECT_EQ(std::tie(x.uid, x.name, x.parallelism, x.max_parallelism),
              std::tie(y.uid, y.name, y.parallelism, y.max_parallelism));
    ASSERT_EQ(x.subtasks.size(), y.subtasks.size());
    for (std::size_t s = 0; s < x.subtasks.size(); ++s) {
      const OperatorSnapshot& p = x.subtasks[s];
      const OperatorSnapshot& q = y.subtasks[s];
      EXPECT_EQ(std::tie(p.keyed_state, p.timers, p.list_state, p.union_state, p.broadcast_state),
                std::tie(q.keyed_state, q.timers, q.list_state, q.union_state, q.broadcast_state));
    }
  }
}

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}
void write_file(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

std::string error_of(ErrorKind kind, const std::function<void()>& run) {
  try {
    run();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return {};
}

class FileStorage : public ::testing::Test {
 protected:
  FileStorage() {
    std::string pattern = fs::temp_directory_path() / "flott-checkpoint-XXXXXX";
    root_ = ::mkdtemp(pattern.data());
  }
  ~FileStorage() override { fs::remove_all(root_); }

  std::size_t names_in(const fs::path& folder) const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
  }

  fs::path root_;
};

TEST_F(FileStorage, ReadsBackWhatWasWritten) {
  const auto storage = make_file_checkpoint_storage("file://" + root_.string() + "/deep/er/");
  const std::string path = storage->write(make_checkpoint(7));
  EXPECT_EQ(path, (root_ / "deep/er/job-1/chk-7").string());
  expect_equal(read_checkpoint(path), make_checkpoint(7));
  expect_equal(read_checkpoint(path + "/"), make_checkpoint(7));
  expect_equal(read_checkpoint("file://" + path), make_checkpoint(7));
  expect_equal(read_checkpoint(path + "/_metadata"), make_checkpoint(7));
  EXPECT_EQ(names_in(path), 2u) << "the stateless operator has no file";
  std::istringstream manifest(read_file(path + "/_metadata"));
  std::string headline;
  std::getline(manifest, headline);
  EXPECT_EQ(headline,
            "flott-checkpoint 1 | checkpoint 7 of job 'my job' (job-1), 2023-11-14T22:13:20.123Z, "
            "operators: 2");
}

TEST_F(FileStorage, TheNewestIsTheOneWithTheLargestNumber) {
  const auto storage = make_file_checkpoint_storage(root_.string());
  EXPECT_EQ(latest_checkpoint(root_.string(), "job-1"), std::nullopt);
  for (const CheckpointId id : {9, 10, 2}) {
    storage->write(make_checkpoint(id));
  }
  EXPECT_EQ(latest_checkpoint(root_.string(), "job-1"), (root_ / "job-1/chk-10").string());
  EXPECT_EQ(latest_checkpoint(root_.string(), "job-2"), std::nullopt);
  expect_equal(read_checkpoint((root_ / "job-1").string()), make_checkpoint(10));
  storage->discard((root_ / "job-1/chk-10").string());
  storage->discard((root_ / "job-1/chk-10").string());
  EXPECT_EQ(latest_checkpoint(root_.string(), "job-1"), (root_ / "job-1/chk-9").string());
  EXPECT_EQ(names_in(root_ / "job-1"), 2u);
  error_of(ErrorKind::kInvalidArgument, [&] { storage->discard(root_.string()); });
}

TEST_F(FileStorage, UnfinishedFoldersAreIgnoredAndRemovedByTheNextProcess) {
  make_file_checkpoint_storage(root_.string())->write(make_checkpoint(1));
  const fs::path leftover = root_ / "job-1/.chk-2.writing-12345";
  fs::create_directories(leftover);
  write_file(leftover / "_metadata", read_file(root_ / "job-1/chk-1/_metadata"));
  fs::create_directories(root_ / "job-1/chk-3");  // no manifest: not complete
  fs::create_directories(root_ / "job-1/chk-x");
  EXPECT_EQ(latest_checkpoint(root_.string(), "job-1"), (root_ / "job-1/chk-1").string());
  make_file_checkpoint_storage(root_.string())->write(make_checkpoint(2));
  EXPECT_FALSE(fs::exists(leftover));
  EXPECT_EQ(latest_checkpoint(root_.string(), "job-1"), (root_ / "job-1/chk-2").string());
}

TEST_F(FileStorage, WritingANumberAgainReplacesIt) {
  const auto storage = make_file_checkpoint_storage(root_.string());
  storage->write(make_checkpoint(1));
  CheckpointData other = make_checkpoint(1);
  other.operators[0].subtasks[0].keyed_state[3] = "other";
  const std::string path = storage->write(other);
  expect_equal(read_checkpoint(path), other);
  EXPECT_EQ(names_in(root_ / "job-1"), 1u);
}

TEST_F(FileStorage, EveryFlippedByteIsRefusedWithTheFilesName) {
  const std::string path = make_file_checkpoint_storage(root_.string())->write(make_checkpoint(1));
  for (const char* name : {"_metadata", "op-0.state"}) {
    const fs::path file = fs::path(path) / name;
    const std::string intact = read_file(file);
    for (std::size_t at = 0; at < intact.size(); ++at) {
      for (const int flip : {0x01, 0x80, 0xff}) {
        std::string damaged = intact;
        damaged[at] = static_cast<char>(damaged[at] ^ flip);
        write_file(file, damaged);
        const std::string message = error_of(ErrorKind::kExternal, [&] { read_checkpoint(path); });
        EXPECT_NE(message.find(file.string()), std::string::npos) << message;
        EXPECT_NE(message.find("restore"), std::string::npos) << message;
      }
    }
    for (std::size_t size = 0; size < intact.size(); ++size) {
      write_file(file, intact.substr(0, size));
      const std::string message = error_of(ErrorKind::kExternal, [&] { read_checkpoint(path); });
      EXPECT_NE(message.find(file.string()), std::string::npos) << message;
    }
    write_file(file, intact + "x");
    error_of(ErrorKind::kExternal, [&] { read_checkpoint(path); });
    write_file(file, intact);
  }
  expect_equal(read_checkpoint(path), make_checkpoint(1));
}

TEST_F(FileStorage, MissingFilesAreNamed) {
  const std::string path = make_file_checkpoint_storage(root_.string())->write(make_checkpoint(1));
  fs::remove(path + "/op-0.state");
  std::string message = error_of(ErrorKind::kExternal, [&] { read_checkpoint(path); });
  EXPECT_NE(message.find(path + "/op-0.state is damaged: it is missing"), std::string::npos)
      << message;
  EXPECT_NE(message.find("Count per key"), std::string::npos) << message;
  fs::remove(path + "/_metadata");
  message = error_of(ErrorKind::kExternal, [&] { read_checkpoint(path); });
  EXPECT_NE(message.find("_metadata"), std::string::npos) << message;
  message = error_of(ErrorKind::kExternal, [&] { read_checkpoint((root_ / "job-1").string()); });
  EXPECT_NE(message.find("no complete checkpoint"), std::string::npos) << message;
  message = error_of(ErrorKind::kExternal, [&] { read_checkpoint("/no/such/folder"); });
  EXPECT_NE(message.find("/no/such/folder"), std::string::npos) << message;
}

TEST_F(FileStorage, ANewerFormatSaysSo) {
  const std::string path = make_file_checkpoint_storage(root_.string())->write(make_checkpoint(1));
  std::string manifest = read_file(path + "/_metadata");
  manifest.replace(manifest.find(" 1 |"), 4, " 2 |");
  write_file(path + "/_metadata", manifest);
  const std::string message = error_of(ErrorKind::kExternal, [&] { read_checkpoint(path); });
  EXPECT_NE(message.find("format version 2"), std::string::npos) << message;
}

TEST_F(FileStorage, AFolderThatCannotBeWrittenIsNamedWithTheReason) {
  write_file(root_ / "file", "");
  const auto storage = make_file_checkpoint_storage((root_ / "file/inside").string());
  const std::string message =
      error_of(ErrorKind::kExternal, [&] { storage->write(make_checkpoint(1)); });
  EXPECT_NE(message.find((root_ / "file").string()), std::string::npos) << message;
  EXPECT_NE(message.find("Not a directory"), std::string::npos) << message;
}

TEST_F(FileStorage, AFullDiskLeavesNothingBehind) {
  const auto storage = make_file_checkpoint_storage(root_.string());
  const std::string before = storage->write(make_checkpoint(1));
  CheckpointData large = make_checkpoint(2);
  large.operators[0].subtasks[0].keyed_state[3] = std::string(100'000, 'x');
  // A limit on the size of files stands in for the full disk: write() fails in the middle in the
  // same way.
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{50'000, old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  std::string message;
  try {
    storage->write(large);
  } catch (const Error& error) {
    message = error.what();
  }
  ::setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_NE(message.find("op-0.state: File too large"), std::string::npos) << message;
  EXPECT_NE(message.find("free space"), std::string::npos) << message;
  EXPECT_EQ(names_in(root_ / "job-1"), 1u);
  EXPECT_EQ(latest_checkpoint(root_.string(), "job-1"), before);
  expect_equal(read_checkpoint(storage->write(large)), large);
}

TEST(CheckpointPaths, OtherFileSystemsAreRefused) {
  for (const char* path : {"s3://bucket/x", "hdfs://host/x"}) {
    const std::string message =
        error_of(ErrorKind::kInvalidArgument, [&] { make_file_checkpoint_storage(path); });
    EXPECT_NE(message.find(path), std::string::npos) << message;
  }
  error_of(ErrorKind::kInvalidArgument, [] { make_file_checkpoint_storage(""); });
}

TEST(MemoryStorage, IsReadableInTheProcessUntilDiscarded) {
  std::string path;
  {
    const auto storage = make_memory_checkpoint_storage();
    path = storage->write(make_checkpoint(4));
  }
  expect_equal(read_checkpoint(path), make_checkpoint(4));
  make_memory_checkpoint_storage()->discard(path);
  const std::string message = error_of(ErrorKind::kExternal, [&] { read_checkpoint(path); });
  EXPECT_NE(message.find(path), std::string::npos) << message;
}

}  // namespace
}  // namespace flott
