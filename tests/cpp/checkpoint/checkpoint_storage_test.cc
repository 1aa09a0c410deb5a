#include "checkpoint/checkpoint_storage.h"

#include "base/cancelled_exception.h"
#include "base/error.h"
#include "base/log.h"
#include "base/random_id.h"
#include "checkpoint/snapshot_file.h"
#include "tests/harness/temporary_folder.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <set>
#include <sstream>
#include <utility>

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
  std::size_t names_in(const fs::path& folder) const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
  }

  const harness::TemporaryFolder folder_;
  const fs::path root_ = folder_.path();
};

/// The same, with frames of timers that are still to be put together.
CheckpointData deferring(CheckpointData data) {
  for (OperatorCheckpoint& op : data.operators) {
    for (OperatorSnapshot& subtask : op.subtasks) {
      if (!subtask.timers.empty()) {
        subtask.deferred_timers = std::make_shared<DeferredFrames>(
            6, [frames = std::exchange(subtask.timers, {})] { return frames; });
      }
    }
  }
  return data;
}

TEST_F(FileStorage, PutsDeferredTimersTogether) {
  const auto files = make_file_checkpoint_storage(root_.string());
  expect_equal(read_checkpoint(files->write(deferring(make_checkpoint(1)))), make_checkpoint(1));
  expect_equal(read_checkpoint(write_savepoint(root_.string(), deferring(make_checkpoint(2)))),
               make_checkpoint(2));
  const auto memory = make_memory_checkpoint_storage();
  const CheckpointData data = deferring(make_checkpoint(3));
  const std::string path = memory->write(data);
  expect_equal(read_checkpoint(path), make_checkpoint(3));
  memory->discard(path);

  // Nothing but deferred timers is a state, too; and what cannot be put together fails the write.
  CheckpointData timers_only = make_checkpoint(4);
  timers_only.operators[0].subtasks.resize(1);
  OperatorSnapshot& subtask = timers_only.operators[0].subtasks[0] = {};
  subtask.deferred_timers =
      std::make_shared<DeferredFrames>(0, [] { return std::map<KeyGroup, std::string>{{5, "t"}}; });
  const CheckpointData read = read_checkpoint(files->write(timers_only));
  ASSERT_EQ(read.operators[0].subtasks.size(), 1u);
  EXPECT_EQ(read.operators[0].subtasks[0].timers.at(5), "t");
  subtask.deferred_timers = std::make_shared<DeferredFrames>(
      0, []() -> std::map<KeyGroup, std::string> { throw std::bad_alloc(); });
  timers_only.id = 5;
  EXPECT_THROW(files->write(timers_only), std::bad_alloc);
  EXPECT_FALSE(fs::exists(root_ / "job-1/chk-5"));
}

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
            "flott-checkpoint 2 | checkpoint 7 of job 'my job' (job-1), 2023-11-14T22:13:20.123Z, "
            "operators: 2");
}

TEST_F(FileStorage, ReadingEndsWhenTheJobIsCancelled) {
  const std::string path = make_file_checkpoint_storage(root_)->write(make_checkpoint(7));
  EXPECT_THROW(read_checkpoint(path, [] { return true; }), CancelledException);
  expect_equal(read_checkpoint(path, [] { return false; }), make_checkpoint(7));
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
  manifest.replace(manifest.find(" 2 |"), 4, " 3 |");
  write_file(path + "/_metadata", manifest);
  const std::string message = error_of(ErrorKind::kExternal, [&] { read_checkpoint(path); });
  EXPECT_NE(message.find("format version 3"), std::string::npos) << message;
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

/// Content that is too large for the manifest, different for each seed.
std::string large_content(char seed) {
  std::string bytes(30'000, seed);
  for (std::size_t i = 0; i < bytes.size(); i += 7) {
    bytes[i] = static_cast<char>(i);
  }
  return bytes;
}

SnapshotFile in_memory(const std::string& name, const std::string& bytes) {
  return {name, "", std::make_shared<const std::string>(bytes), bytes.size()};
}
/// As a backend names a file again that an earlier checkpoint brought.
SnapshotFile known(const std::string& name, std::size_t size) {
  return {name, "", nullptr, size};
}

CheckpointData with_files(CheckpointId id, std::vector<SnapshotFile> keyed) {
  CheckpointData data = make_checkpoint(id);
  KeyedStateFiles files{"test", {0, 64}, "about it", std::move(keyed)};
  data.operators[0].subtasks[0].keyed_files.push_back(std::move(files));
  return data;
}

std::vector<std::string> contents_of(const CheckpointData& data) {
  std::vector<std::string> out;
  for_each_file(data, [&](const SnapshotFile& file) {
    out.push_back(*content_of(file));
    EXPECT_EQ(file.size, out.back().size());
  });
  return out;
}

class SharedFiles : public FileStorage {
 protected:
  fs::path shared() const { return root_ / "job-1/shared"; }
  SnapshotFile on_disk(const std::string& name, const std::string& bytes) {
    fs::create_directories(root_ / "local");
    const fs::path path = root_ / "local" / name;
    write_file(path, bytes);
    return {name, path.string(), nullptr, bytes.size()};
  }
  std::set<std::string> shared_names() const {
    std::set<std::string> names;
    std::error_code missing;
    for (fs::directory_iterator it(shared(), missing); it != fs::directory_iterator(); ++it) {
      names.insert(it->path().filename());
    }
    return names;
  }
  std::unique_ptr<CheckpointStorage> storage_ = make_file_checkpoint_storage(root_.string());
};

TEST_F(SharedFiles, AreStoredBesideTheCheckpointsAndReadBack) {
  CheckpointData data =
      with_files(1, {in_memory("a", large_content('a')), on_disk("b", large_content('b'))});
  data.operators[0].subtasks[1].files = {on_disk("part-0", "small, but with a path"),
                                         in_memory("segment", "small")};
  const std::string path = storage_->write(data);
  EXPECT_EQ(shared_names(), (std::set<std::string>{"a", "b", "part-0"})) << "small bytes: inline";
  fs::remove_all(root_ / "local");
  const CheckpointData read = read_checkpoint(path);
  expect_equal(read, data);
  EXPECT_EQ(contents_of(read),
            (std::vector<std::string>{
                large_content('a'), large_content('b'), "small, but with a path", "small"}));
  const KeyedStateFiles& files = read.operators[0].subtasks[0].keyed_files.at(0);
  EXPECT_EQ(files.backend, "test");
  EXPECT_EQ(files.description, "about it");
  EXPECT_EQ(files.range.end, 64u);
  EXPECT_EQ(files.files[1].path, (shared() / "b").string());
  EXPECT_EQ(read.operators[0].subtasks[1].files[0].path, (shared() / "part-0").string());
}

TEST_F(SharedFiles, AreLinkedOnOneFileSystem) {
  storage_->write(with_files(1, {on_disk("b", large_content('b'))}));
  EXPECT_TRUE(fs::equivalent(root_ / "local/b", shared() / "b"));
}

TEST_F(SharedFiles, AreCopiedToAnotherFileSystem) {
  const fs::path other = "/dev/shm";
  std::error_code error;
  if (!fs::is_directory(other, error)) {
    GTEST_SKIP() << "no second file system";
  }
  const fs::path file = other / ("flott-test-" + random_id());
  write_file(file, large_content('o'));
  const SnapshotFile elsewhere{"o", file.string(), nullptr, large_content('o').size()};
  const std::string path = storage_->write(with_files(1, {elsewhere}));
  fs::remove(file);
  EXPECT_EQ(contents_of(read_checkpoint(path)).at(0), large_content('o'));
}

TEST_F(SharedFiles, AreWrittenOnceAndRemovedWithTheLastCheckpointThatNeedsThem) {
  const std::size_t size = large_content('a').size();
  const std::string one =
      storage_->write(with_files(1, {in_memory("a", large_content('a')), in_memory("s", "s")}));
  const auto written = fs::last_write_time(shared() / "a");
  const std::string two = storage_->write(
      with_files(2, {known("a", size), known("s", 1), in_memory("b", large_content('b'))}));
  EXPECT_EQ(fs::last_write_time(shared() / "a"), written);
  EXPECT_EQ(contents_of(read_checkpoint(two)),
            (std::vector<std::string>{large_content('a'), "s", large_content('b')}));
  storage_->discard(one);
  EXPECT_EQ(shared_names(), (std::set<std::string>{"a", "b"}));
  const std::string three = storage_->write(with_files(3, {known("b", size)}));
  storage_->discard(two);
  EXPECT_EQ(shared_names(), (std::set<std::string>{"b"}));
  EXPECT_EQ(contents_of(read_checkpoint(three)).at(0), large_content('b'));
  storage_->discard(three);
  EXPECT_EQ(shared_names(), std::set<std::string>{});
}

TEST_F(SharedFiles, AnotherProcessKnowsThemToo) {
  const std::size_t size = large_content('a').size();
  const std::string one =
      storage_->write(with_files(1, {in_memory("a", large_content('a')), in_memory("s", "s")}));
  write_file(shared() / "left-over", "of a write that was killed");
  const auto next = make_file_checkpoint_storage(root_.string());
  const std::string two = next->write(with_files(2, {known("a", size), known("s", 1)}));
  EXPECT_EQ(shared_names(), std::set<std::string>{"a"});
  make_file_checkpoint_storage(root_.string())->discard(one);
  EXPECT_EQ(contents_of(read_checkpoint(two)), (std::vector<std::string>{large_content('a'), "s"}));
}

TEST_F(SharedFiles, NothingIsRemovedWhileAManifestCannotBeRead) {
  const std::string one = storage_->write(with_files(1, {in_memory("a", large_content('a'))}));
  const std::string two = storage_->write(with_files(2, {in_memory("b", large_content('b'))}));
  const std::string manifest = read_file(one + "/_metadata");
  write_file(one + "/_metadata", manifest.substr(0, 50));
  make_file_checkpoint_storage(root_.string())->discard(two);
  EXPECT_EQ(shared_names(), (std::set<std::string>{"a", "b"}));
}

TEST_F(SharedFiles, ReplacingANumberRemovesWhatOnlyTheOldOneNeeded) {
  storage_->write(with_files(1, {in_memory("a", large_content('a'))}));
  const std::string path = storage_->write(with_files(1, {in_memory("b", large_content('b'))}));
  EXPECT_EQ(shared_names(), std::set<std::string>{"b"});
  EXPECT_EQ(contents_of(read_checkpoint(path)).at(0), large_content('b'));
}

TEST_F(SharedFiles, AFailedWriteLeavesNothingBehindAndKeepsWhatWasThere) {
  const std::size_t size = large_content('a').size();
  const std::string one = storage_->write(with_files(1, {in_memory("a", large_content('a'))}));
  const SnapshotFile gone{"gone", (root_ / "no-such-file").string(), nullptr, 5};
  const CheckpointData bad =
      with_files(2, {known("a", size), in_memory("b", large_content('b')), gone});
  const std::string message = error_of(ErrorKind::kExternal, [&] { storage_->write(bad); });
  EXPECT_NE(message.find("no-such-file"), std::string::npos) << message;
  EXPECT_EQ(shared_names(), std::set<std::string>{"a"});
  EXPECT_EQ(names_in(root_ / "job-1"), 2u);
  EXPECT_EQ(contents_of(read_checkpoint(one)).at(0), large_content('a'));
  // Too late: the manifest itself cannot be written.
  CheckpointData late = with_files(2, {known("a", size), in_memory("b", large_content('b'))});
  late.operators[0].subtasks[0].keyed_state[3] = std::string(100'000, 'x');
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{50'000, old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  EXPECT_THROW(storage_->write(late), Error);
  ::setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(shared_names(), std::set<std::string>{"a"});
  const std::string two = storage_->write(late);
  EXPECT_EQ(contents_of(read_checkpoint(two)),
            (std::vector<std::string>{large_content('a'), large_content('b')}));
}

TEST_F(SharedFiles, DamageIsRefusedWithTheFilesName) {
  const std::string path =
      storage_->write(with_files(1, {in_memory("a", large_content('a')), in_memory("s", "tiny")}));
  const fs::path file = shared() / "a";
  const auto refused = [&](const fs::path& culprit) {
    try {
      read_checkpoint(path);
      ADD_FAILURE() << "no error";
    } catch (const DamagedCheckpoint& error) {
      EXPECT_EQ(error.file(), culprit.string());
      EXPECT_NE(std::string(error.what()).find(culprit.string()), std::string::npos);
      EXPECT_EQ(error.kind(), ErrorKind::kExternal);
    }
  };
  std::string flipped = large_content('a');
  flipped[12'345] = static_cast<char>(flipped[12'345] ^ 1);
  write_file(file, flipped);
  refused(file);
  write_file(file, large_content('a').substr(0, 29'999));
  refused(file);
  write_file(file, large_content('a') + "x");
  refused(file);
  fs::remove(file);
  refused(file);
  write_file(file, large_content('a'));
  EXPECT_EQ(contents_of(read_checkpoint(path)).at(1), "tiny");
  std::string manifest = read_file(path + "/_metadata");
  manifest[manifest.find("tiny")] = 'T';
  write_file(path + "/_metadata", manifest);
  refused(fs::path(path) / "_metadata");
}

TEST_F(SharedFiles, NamesThatAreNotNamesAreRefused) {
  for (const char* name : {"", "../a", ".hidden", "a/b"}) {
    error_of(ErrorKind::kInternal,
             [&] { storage_->write(with_files(1, {in_memory(name, "content")})); });
  }
  error_of(ErrorKind::kInternal, [&] { storage_->write(with_files(1, {known("a", 5)})); });
}

TEST_F(SharedFiles, ASavepointHasAllInItselfAndMayBeMoved) {
  CheckpointData data =
      with_files(5, {in_memory("a", large_content('a')), in_memory("s", "small")});
  data.operators[0].subtasks[1].files = {on_disk("part", large_content('p'))};
  const std::string path = write_savepoint("file://" + (root_ / "save/points").string(), data);
  const fs::path folder = path;
  EXPECT_EQ(folder.parent_path(), root_ / "save/points");
  EXPECT_TRUE(folder.filename().string().starts_with("savepoint-job-1-")) << path;
  EXPECT_EQ(names_in(root_ / "save/points"), 1u);
  EXPECT_NE(path, write_savepoint((root_ / "save/points").string(), data));
  fs::remove_all(root_ / "local");
  fs::rename(folder, root_ / "elsewhere");
  const CheckpointData read = read_checkpoint((root_ / "elsewhere").string());
  expect_equal(read, data);
  EXPECT_EQ(contents_of(read),
            (std::vector<std::string>{large_content('a'), "small", large_content('p')}));
}

TEST_F(SharedFiles, AFailedSavepointLeavesNothingBehind) {
  const SnapshotFile gone{"gone", (root_ / "no-such-file").string(), nullptr, 5};
  EXPECT_THROW(write_savepoint((root_ / "save").string(), with_files(5, {gone})), Error);
  EXPECT_EQ(names_in(root_ / "save"), 0u);
}

TEST(StoredCheckpoints, OfVersionOneStayReadable) {
  const CheckpointData read = read_checkpoint(FLOTT_SOURCE_DIR "/tests/data/checkpoints/v1/job-1");
  CheckpointData expected = make_checkpoint(7);
  expect_equal(read, expected);
}

TEST(CheckpointPaths, OtherFileSystemsAreRefused) {
  for (const char* path : {"s3://bucket/x", "hdfs://host/x"}) {
    const std::string message =
        error_of(ErrorKind::kInvalidArgument, [&] { make_file_checkpoint_storage(path); });
    EXPECT_NE(message.find(path), std::string::npos) << message;
  }
  error_of(ErrorKind::kInvalidArgument, [] { make_file_checkpoint_storage(""); });
}

TEST(MemoryStorage, KeepsFilesAsLongAsACheckpointNeedsThem) {
  const harness::TemporaryFolder folder;
  const fs::path root = folder.path();
  const auto storage = make_memory_checkpoint_storage();
  write_file(root / "b", "on disk");
  const SnapshotFile on_disk{"b", (root / "b").string(), nullptr, 7};
  const std::string one = storage->write(with_files(1, {in_memory("a", "bytes"), on_disk}));
  fs::remove_all(root);
  const std::string two = storage->write(with_files(2, {known("a", 5), known("b", 7)}));
  storage->discard(one);
  const CheckpointData read = read_checkpoint(two);
  EXPECT_EQ(contents_of(read), (std::vector<std::string>{"bytes", "on disk"}));
  const fs::path kept = read.operators[0].subtasks[0].keyed_files.at(0).files.at(1).path;
  EXPECT_TRUE(fs::exists(kept));
  storage->discard(two);
  EXPECT_FALSE(fs::exists(kept.parent_path()));
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
