#include "base/error.h"
#include "checkpoint/snapshot_file.h"
#include "connectors/kafka/segment.h"
#include "tests/harness/temporary_folder.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <vector>

namespace flott::kafka {
namespace {

namespace fs = std::filesystem;

struct Kept {
  std::string topic;
  std::int32_t partition = -1;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::int64_t timestamp = 0;
  bool operator==(const Kept&) const = default;

  OutgoingRecord view() const {
    OutgoingRecord out;
    out.topic = topic;
    out.partition = partition;
    out.key = key;
    out.value = value;
    out.timestamp = timestamp;
    return out;
  }
};

std::vector<Kept> read(const SnapshotFile& file) {
  std::vector<Kept> out;
  SegmentReader reader(file);
  for (OutgoingRecord record; reader.next(record);) {
    Kept kept{std::string(record.topic), record.partition, {}, {}, record.timestamp};
    if (record.key) {
      kept.key = std::string(*record.key);
    }
    if (record.value) {
      kept.value = std::string(*record.value);
    }
    out.push_back(std::move(kept));
  }
  return out;
}

class KafkaSegmentTest : public ::testing::Test {
 protected:
  std::size_t files() const {
    return static_cast<std::size_t>(std::count_if(fs::recursive_directory_iterator(folder_),
                                                  fs::recursive_directory_iterator(),
                                                  [](const fs::directory_entry& entry) {
                                                    return entry.is_regular_file() &&
                                                           entry.path().filename() != "in-use";
                                                  }));
  }
  const harness::TemporaryFolder temporary_;
  const fs::path folder_ = temporary_.path();
};

TEST_F(KafkaSegmentTest, EveryShapeOfRecordComesBackInOrder) {
  const std::vector<Kept> records = {
      {"a", -1, "key", "value", 1234},
      {"a", 3, {}, "value", 0},
      {"b", 0, "", "", -5},
      {"a", -1, std::string("\0x", 2), {}, 0},
      {"a", -1, {}, std::string(600'000, 'x'), 7},
      {"b", -1, {}, {}, 0},
  };
  SegmentWriter writer(folder_);
  for (int round = 0; round < 2; ++round) {  // a segment knows nothing of the one before
    EXPECT_FALSE(writer.finish()) << "nothing came";
    for (const Kept& record : records) {
      writer.append(record.view());
    }
    EXPECT_EQ(writer.records(), 6);
    const auto file = writer.finish();
    ASSERT_TRUE(file);
    EXPECT_TRUE(file->path.empty()) << "a small one stays in memory";
    EXPECT_EQ(file->size, file->bytes->size());
    EXPECT_EQ(read(*file), records);
  }
  EXPECT_EQ(files(), 0u);
}

TEST_F(KafkaSegmentTest, WhatIsLargeGoesToAFileThatEndsWithTheWriterOrItsUse) {
  std::mt19937_64 random(1);
  std::vector<Kept> records;
  for (int i = 0; i < 1500; ++i) {
    std::string bytes(8000, ' ');
    for (char& c : bytes) {
      c = static_cast<char>(random());
    }
    records.push_back({"t", i % 3, std::to_string(i), std::move(bytes), i + 1});
  }
  SnapshotFile file;
  {
    SegmentWriter writer(folder_);
    for (const Kept& record : records) {
      writer.append(record.view());
    }
    file = *writer.finish();
    EXPECT_EQ(file.bytes, nullptr);
    EXPECT_EQ(fs::file_size(file.path), file.size);
    for (const Kept& record : records) {
      writer.append(record.view());
    }
    EXPECT_EQ(files(), 2u);
  }
  EXPECT_EQ(files(), 1u) << "the second was never finished";
  EXPECT_EQ(read(file), records);
  place_file(file, folder_ / "in-a-checkpoint");
  file.kept = nullptr;
  EXPECT_EQ(files(), 1u) << "nobody needs it but the checkpoint, which has its own";
  file.path = folder_ / "in-a-checkpoint";
  EXPECT_EQ(read(file), records);
}

TEST_F(KafkaSegmentTest, FilesOfProcessesThatAreGoneAreRemoved) {
  // A lock says who lives: a process of another container has no id that would.
  const fs::path gone = folder_ / "flott-kafka-gone";
  const fs::path alive = folder_ / "flott-kafka-alive";
  const fs::path foreign = folder_ / "flott-kafka-notes.txt";
  for (const fs::path& folder : {gone, alive}) {
    fs::create_directory(folder);
    std::ofstream(folder / "in-use").flush();
    std::ofstream(folder / "segment") << "x";
  }
  std::ofstream(foreign) << "x";
  const int lock = ::open((alive / "in-use").c_str(), O_RDWR);
  ASSERT_EQ(::flock(lock, LOCK_EX), 0);
  SegmentWriter writer(folder_);
  std::mt19937_64 random(2);
  Kept record{"t", -1, {}, std::string(900'000, ' '), 0};
  for (int i = 0; i < 8; ++i) {
    for (char& c : *record.value) {
      c = static_cast<char>(random());
    }
    writer.append(record.view());
  }
  EXPECT_FALSE(fs::exists(gone));
  EXPECT_TRUE(fs::exists(alive / "segment"));
  EXPECT_TRUE(fs::exists(foreign));
  ::close(lock);
}

TEST_F(KafkaSegmentTest, DamageIsAnErrorThatNamesTheFile) {
  SegmentWriter writer(folder_);
  for (int i = 0; i < 1000; ++i) {
    writer.append(Kept{"t", -1, {}, std::to_string(i), 0}.view());
  }
  const SnapshotFile file = *writer.finish();
  for (const std::size_t size : {0UL, 3UL, 8UL, 20UL, file.bytes->size() - 1}) {
    SnapshotFile cut = file;
    cut.bytes = std::make_shared<const std::string>(file.bytes->substr(0, size));
    EXPECT_THROW(read(cut), Error) << size;
  }
  std::string newer = *file.bytes;
  newer[4] = 9;
  SnapshotFile changed = file;
  changed.bytes = std::make_shared<const std::string>(newer);
  try {
    read(changed);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("version 9"), std::string::npos) << error.what();
  }
  SnapshotFile missing;
  missing.path = folder_ / "nowhere";
  try {
    read(missing);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(missing.path), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace flott::kafka
