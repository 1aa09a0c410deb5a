#include "connectors/filesystem/text_line_sink.h"
#include "tests/cpp/connectors/reading.h"
#include "tests/harness/temporary_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <string>
#include <vector>

namespace flott {
namespace {

using test::error_of;
using test::WriterDriver;

TEST(TextLineSink, FilesAppearWhenTheyAreComplete) {
  const harness::TemporaryFolder folder;
  const LogicalTypePtr type = LogicalType::of(TypeKind::kString);
  TextLineSink sink(folder.path() + "/out", "lines");
  WriterDriver driver(sink, 2, 4);
  BatchBuilder builder(type);
  builder.append(Value::string("a"));
  builder.append(Value::null());
  driver.writer().write(builder.finish());
  for (const auto& entry : std::filesystem::directory_iterator(folder.path() + "/out")) {
    EXPECT_TRUE(entry.path().filename().string().starts_with(".lines-2-0.")) << entry.path();
  }
  ASSERT_TRUE(driver.flush());
  EXPECT_EQ(folder.read("out/lines-2-0"), "a\nnull\n");
  ASSERT_TRUE(driver.flush());  // nothing new: no empty file
  builder.append(Value::string("b"));
  driver.writer().write(builder.finish());
  ASSERT_TRUE(driver.flush());
  EXPECT_EQ(folder.read("out/lines-2-1"), "b\n");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path() + "/out"), {}), 2);
}

TEST(TextLineSink, TwoSinksMayWriteIntoOneFolder) {
  const harness::TemporaryFolder folder;
  const LogicalTypePtr type = LogicalType::of(TypeKind::kString);
  TextLineSink first_sink(folder.path() + "/out", "lines");
  TextLineSink second_sink(folder.path() + "/out", "lines");
  WriterDriver first(first_sink, 0, 1);
  WriterDriver second(second_sink, 0, 1);
  BatchBuilder builder(type);
  builder.append(Value::string("a"));
  first.writer().write(builder.finish());
  builder.append(Value::string("b"));
  second.writer().write(builder.finish());
  ASSERT_TRUE(first.flush());
  ASSERT_TRUE(second.flush());
  EXPECT_EQ(folder.read("out/lines-0-0"), "a\n");
  EXPECT_EQ(folder.read("out/lines-0-1"), "b\n");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path() + "/out"), {}), 2);
}

TEST(TextLineSink, RollsBySizeAndAgeIntoBuckets) {
  const harness::TemporaryFolder folder;
  const LogicalTypePtr type = LogicalType::of(TypeKind::kString);
  TextLineSinkOptions options;
  options.directory = folder.path() + "/out";
  options.suffix = ".txt";
  options.bucket_pattern = "%Y";
  options.utc_offsets = {{0, 0}};
  options.max_bytes = 3;
  TextLineSink sink(options, type);
  WriterDriver driver(sink, 0, 1);
  BatchBuilder builder(type);
  for (const char* line : {"a", "b", "c"}) {
    builder.append(Value::string(line));
  }
  driver.writer().write(builder.finish());
  ASSERT_TRUE(driver.flush());
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path() + "/out")) {
    if (entry.is_regular_file()) {
      const std::string year = entry.path().parent_path().filename().string();
      files[entry.path().filename().string()] =
          folder.read("out/" + year + "/" + entry.path().filename().string());
    }
  }
  EXPECT_EQ(
      files,
      (std::map<std::string, std::string>{{"part-0-0.txt", "a\nb\n"}, {"part-0-1.txt", "c\n"}}));
}

TEST(TextLines, SinkWritesTheTextOfAnyValue) {
  const LogicalTypePtr number = LogicalType::of(TypeKind::kInt);
  const LogicalTypePtr text = LogicalType::of(TypeKind::kString);
  const LogicalTypePtr real = LogicalType::of(TypeKind::kDouble);
  const auto written = [](const LogicalTypePtr& type, const std::vector<Value>& values) {
    const harness::TemporaryFolder folder;
    TextLineSinkOptions options;
    options.directory = folder.path();
    TextLineSink sink(options, type);
    EXPECT_EQ(*sink.input_type(), *type);
    WriterDriver driver(sink, 0, 1);
    BatchBuilder builder(type);
    for (const Value& value : values) {
      builder.append(value);
    }
    driver.writer().write(builder.finish());
    EXPECT_TRUE(driver.flush());
    return folder.read("part-0-0");
  };
  EXPECT_EQ(written(number, {Value::integer(1), Value::null()}), "1\nnull\n");
  EXPECT_EQ(written(real, {Value::real(1e10)}), "1.0E10\n");
  EXPECT_EQ(written(LogicalType::row({"n", "s"}, {number, text}),
                    {Value::row({Value::integer(1), Value::string("a")}),
                     Value::row({Value::integer(2), Value::null()})}),
            "+I[1, a]\n+I[2, null]\n");
  EXPECT_EQ(written(LogicalType::tuple({real, text, LogicalType::of(TypeKind::kBoolean)}),
                    {Value::row({Value::real(1.5), Value::string("a"), Value::boolean(true)})}),
            "(1.5,a,true)\n");
  EXPECT_EQ(written(text, {Value::string("x"), Value::null()}), "x\nnull\n");
}

class CompactionTest : public ::testing::Test {
 protected:
  CompactionTest() {
    options.directory = folder.path() + "/out";
    options.max_bytes = 1;  // a file a line
    options.compaction.kind = FileCompactionOptions::Kind::kConcat;
  }
  static void write(WriterDriver& driver, const std::vector<const char*>& lines) {
    BatchBuilder builder(LogicalType::of(TypeKind::kString));
    for (const char* line : lines) {
      builder.append(Value::string(line));
    }
    driver.writer().write(builder.finish());
  }
  static void end(WriterDriver& driver) {
    driver.writer().end_input();
    ASSERT_TRUE(driver.flush());
  }
  /// Names and contents of the files that are not hidden, and how many are.
  std::string files() const {
    std::map<std::string, std::string> found;
    int hidden = 0;
    for (const auto& entry : std::filesystem::directory_iterator(options.directory)) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with(".")) {
        ++hidden;
      } else {
        found[name] = folder.read("out/" + name);
      }
    }
    std::string out = std::to_string(hidden) + " hidden";
    for (const auto& [name, text] : found) {
      out += " | " + name + ": " + text;
    }
    std::replace(out.begin(), out.end(), '\n', ';');
    return out;
  }
  const harness::TemporaryFolder folder;
  TextLineSinkOptions options;
};

TEST_F(CompactionTest, AtTheEndOfTheInput) {
  options.compaction.checkpoints = 10;
  options.compaction.delimiter = "--";
  TextLineSink sink(options, LogicalType::of(TypeKind::kString));
  WriterDriver driver(sink, 0, 1);
  write(driver, {"a", "b", "c"});
  ASSERT_TRUE(driver.flush());
  EXPECT_EQ(files(), "3 hidden");
  write(driver, {"d"});
  end(driver);
  EXPECT_EQ(files(), "0 hidden | compacted-part-0-0: a;--b;--c;--d;--");
}

TEST_F(CompactionTest, AfterSoManyCheckpoints) {
  options.compaction.checkpoints = 2;
  TextLineSink sink(options, LogicalType::of(TypeKind::kString));
  WriterDriver driver(sink, 0, 1);
  for (const char* line : {"a", "b", "c"}) {
    write(driver, {line});
    ASSERT_TRUE(driver.flush());
  }
  EXPECT_EQ(files(), "1 hidden | compacted-part-0-0: a;b;");
  end(driver);
  EXPECT_EQ(files(), "0 hidden | compacted-part-0-0: a;b; | compacted-part-0-2: c;");
}

TEST_F(CompactionTest, WhenThereIsEnough) {
  options.compaction.size_threshold = 4;
  TextLineSink sink(options, LogicalType::of(TypeKind::kString));
  WriterDriver driver(sink, 0, 1);
  write(driver, {"a", "b", "c"});
  ASSERT_TRUE(driver.flush());
  EXPECT_EQ(files(), "1 hidden | compacted-part-0-0: a;b;");
}

TEST_F(CompactionTest, IdenticalFilesStayAsTheyAre) {
  options.compaction.kind = FileCompactionOptions::Kind::kIdentical;
  options.compaction.checkpoints = 1;
  TextLineSink sink(options, LogicalType::of(TypeKind::kString));
  WriterDriver driver(sink, 0, 1);
  write(driver, {"a", "b"});
  ASSERT_TRUE(driver.flush());
  EXPECT_EQ(files(), "0 hidden | compacted-part-0-0: a; | compacted-part-0-1: b;");
}

TEST_F(CompactionTest, ACheckpointRemembersWhatWaits) {
  options.compaction.checkpoints = 10;
  TextLineSink sink(options, LogicalType::of(TypeKind::kString));
  OperatorSnapshot snapshot;
  {
    WriterDriver driver(sink, 0, 1);
    write(driver, {"a", "b"});
    ASSERT_TRUE(driver.flush());
    driver.writer().snapshot(1, snapshot);
  }
  {
    WriterDriver restored(sink, 0, 1, nullptr, &snapshot);
    write(restored, {"c"});
    end(restored);
    EXPECT_EQ(files(), "0 hidden | compacted-part-0-0: a;b;c;");
  }
  // Restored once more: the files that the checkpoint remembers are gone, and in the other one.
  WriterDriver again(sink, 0, 1, nullptr, &snapshot);
  end(again);
  EXPECT_EQ(files(), "0 hidden | compacted-part-0-0: a;b;c;");
}

TEST_F(CompactionTest, AProcessThatEndsBeforeThePartsAreRemovedPublishesOnce) {
  namespace fs = std::filesystem;
  options.compaction.checkpoints = 10;
  TextLineSink sink(options, LogicalType::of(TypeKind::kString));
  OperatorSnapshot snapshot;
  const fs::path out = options.directory;
  std::vector<fs::path> parts;
  std::string writer_id;
  {
    WriterDriver driver(sink, 0, 1);
    write(driver, {"a", "b"});
    ASSERT_TRUE(driver.flush());
    driver.writer().snapshot(1, snapshot);
    for (const auto& entry : fs::directory_iterator(out)) {
      parts.push_back(entry.path());  // .part-0-0.inprogress.<id>
      fs::create_hard_link(entry.path(), folder.path() + "/" + entry.path().filename().string());
    }
    writer_id = parts.front().extension().string();
    end(driver);
  }
  ASSERT_EQ(parts.size(), 2U);
  ASSERT_EQ(files(), "0 hidden | compacted-part-0-0: a;b;");
  // As it was between the publishing and the removal.
  for (const fs::path& part : parts) {
    fs::create_hard_link(folder.path() + "/" + part.filename().string(), part);
  }
  fs::create_hard_link(out / "compacted-part-0-0", out / (".part-0-0" + writer_id + ".compacting"));
  WriterDriver restored(sink, 0, 1, nullptr, &snapshot);
  end(restored);
  EXPECT_EQ(files(), "0 hidden | compacted-part-0-0: a;b;");
}

TEST_F(CompactionTest, APartThatStillHasItsHiddenNameIsNotPublishedTwice) {
  namespace fs = std::filesystem;
  options.compaction.kind = FileCompactionOptions::Kind::kIdentical;
  options.compaction.checkpoints = 10;
  TextLineSink sink(options, LogicalType::of(TypeKind::kString));
  OperatorSnapshot snapshot;
  fs::path part;
  {
    WriterDriver driver(sink, 0, 1);
    write(driver, {"a"});
    ASSERT_TRUE(driver.flush());
    driver.writer().snapshot(1, snapshot);
    part = fs::directory_iterator(options.directory)->path();
    end(driver);
  }
  fs::create_hard_link(options.directory + "/compacted-part-0-0", part);
  WriterDriver restored(sink, 0, 1, nullptr, &snapshot);
  end(restored);
  EXPECT_EQ(files(), "0 hidden | compacted-part-0-0: a;");
}

TEST_F(CompactionTest, APartThatIsGoneIsAnErrorThatNamesIt) {
  namespace fs = std::filesystem;
  options.compaction.checkpoints = 10;
  TextLineSink sink(options, LogicalType::of(TypeKind::kString));
  OperatorSnapshot snapshot;
  fs::path part;
  {
    WriterDriver driver(sink, 0, 1);
    write(driver, {"a"});
    ASSERT_TRUE(driver.flush());
    driver.writer().snapshot(1, snapshot);
    part = fs::directory_iterator(options.directory)->path();
    fs::remove(part);
    EXPECT_THROW(end(driver), Error);
  }
  try {
    const WriterDriver restored(sink, 0, 1, nullptr, &snapshot);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument) << "no restart would find it";
    EXPECT_THAT(error.what(), ::testing::HasSubstr("'" + part.string() + "' is gone"));
    EXPECT_THAT(error.what(), ::testing::HasSubstr("/compacted-part-0-0'"));
  }
}

TEST_F(CompactionTest, WhatWaitedGetsItsNameWhenCompactionIsSwitchedOff) {
  options.compaction.checkpoints = 10;
  OperatorSnapshot snapshot;
  {
    TextLineSink sink(options, LogicalType::of(TypeKind::kString));
    WriterDriver driver(sink, 0, 1);
    write(driver, {"a", "b"});
    ASSERT_TRUE(driver.flush());
    driver.writer().snapshot(1, snapshot);
  }
  options.compaction = {};
  TextLineSink sink(options, LogicalType::of(TypeKind::kString));
  const WriterDriver restored(sink, 0, 1, nullptr, &snapshot);
  EXPECT_EQ(files(), "0 hidden | part-0-0: a; | part-0-1: b;");
}

/// The sink with checkpoints: in progress, pending, finished.
class TwoPhaseFileTest : public CompactionTest {
 protected:
  TwoPhaseFileTest() {
    options.max_bytes = std::numeric_limits<std::int64_t>::max();
    options.compaction.kind = FileCompactionOptions::Kind::kNone;
  }
  TextLineSink sink() const { return {options, LogicalType::of(TypeKind::kString)}; }
  static OperatorSnapshot checkpoint(WriterDriver& driver, CheckpointId id) {
    OperatorSnapshot snapshot;
    EXPECT_TRUE(driver.flush());
    driver.writer().snapshot(id, snapshot);
    return snapshot;
  }
  static void end_and_commit(WriterDriver& driver) {
    driver.writer().end_input();
    checkpoint(driver, -1);
    driver.writer().start_final_commit();
    EXPECT_FALSE(driver.writer().has_uncommitted());
  }
  /// A job's share of a checkpoint of `subtasks`.
  static OperatorSnapshot share(std::vector<OperatorSnapshot> subtasks,
                                int subtask,
                                int parallelism) {
    OperatorCheckpoint from;
    from.parallelism = static_cast<int>(subtasks.size());
    from.subtasks = std::move(subtasks);
    return redistribute(from, subtask, parallelism, from.max_parallelism);
  }
};

TEST_F(TwoPhaseFileTest, AFileIsVisibleWhenACheckpointThatKnowsOfItIsComplete) {
  options.roll_on_checkpoint = true;
  TextLineSink sink = this->sink();
  WriterDriver driver(sink, 0, 1, nullptr, nullptr, true);
  write(driver, {"a", "b"});
  checkpoint(driver, 1);
  write(driver, {"c"});
  EXPECT_EQ(files(), "2 hidden");
  driver.writer().notify_checkpoint_complete(1);
  EXPECT_EQ(files(), "1 hidden | part-0-0: a;b;");
  checkpoint(driver, 2);  // is given up
  write(driver, {"d"});
  checkpoint(driver, 3);
  driver.writer().notify_checkpoint_complete(3);
  EXPECT_EQ(files(), "0 hidden | part-0-0: a;b; | part-0-1: c; | part-0-2: d;");
  write(driver, {"e"});
  EXPECT_FALSE(driver.writer().has_uncommitted());
  end_and_commit(driver);
  EXPECT_EQ(files(), "0 hidden | part-0-0: a;b; | part-0-1: c; | part-0-2: d; | part-0-3: e;");
}

TEST_F(TwoPhaseFileTest, ARestoreGoesOnInACopyOfWhatTheCheckpointKnows) {
  TextLineSink sink = this->sink();
  OperatorSnapshot snapshot;
  WriterDriver zombie(sink, 0, 1, nullptr, nullptr, true);
  write(zombie, {"a", "b"});
  snapshot = checkpoint(zombie, 1);
  zombie.writer().notify_checkpoint_complete(1);
  EXPECT_EQ(files(), "1 hidden") << "not rolled";
  write(zombie, {"behind the checkpoint"});
  ASSERT_TRUE(zombie.flush());
  for (int times = 0; times < 2; ++times) {  // a restore may itself be killed
    const WriterDriver killed(sink, 0, 1, nullptr, &snapshot, true);
  }
  WriterDriver driver(sink, 0, 1, nullptr, &snapshot, true);
  write(driver, {"c"});
  checkpoint(driver, 2);
  driver.writer().notify_checkpoint_complete(2);
  write(zombie, {"still there"});
  end_and_commit(driver);
  EXPECT_EQ(files().substr(files().find(" |")), " | part-0-0: a;b;c;");
  zombie.writer().end_input();
  checkpoint(zombie, 2);
  EXPECT_THROW(zombie.writer().start_final_commit(), Error) << "its file is not its own any more";
  EXPECT_EQ(files().substr(files().find(" |")), " | part-0-0: a;b;c;");
}

TEST_F(TwoPhaseFileTest, PendingFilesAreFinishedOnceAndWhatCameLaterIsRemoved) {
  options.max_bytes = 1;
  TextLineSink sink = this->sink();
  OperatorSnapshot snapshot;
  {
    WriterDriver driver(sink, 0, 1, nullptr, nullptr, true);
    write(driver, {"a", "b", "c"});
    snapshot = checkpoint(driver, 1);
    write(driver, {"d", "e"});  // of no checkpoint
    EXPECT_EQ(files(), "5 hidden");
  }
  EXPECT_EQ(files(), "3 hidden");
  {
    const WriterDriver killed(sink, 0, 1, nullptr, &snapshot, true);
    EXPECT_EQ(files(), "2 hidden | part-0-0: a; | part-0-1: b;") << "c was in progress";
  }
  std::filesystem::remove(options.directory + "/part-0-0");  // its reader took it away
  WriterDriver driver(sink, 0, 1, nullptr, &snapshot, true);
  write(driver, {"d"});
  end_and_commit(driver);
  EXPECT_EQ(files(), "0 hidden | part-0-1: b; | part-0-2: c; | part-0-3: d;");
}

TEST_F(TwoPhaseFileTest, ANameThatWasTakenMeanwhileIsNotReplaced) {
  options.roll_on_checkpoint = true;
  TextLineSink sink = this->sink();
  OperatorSnapshot snapshot;
  {
    WriterDriver driver(sink, 0, 1, nullptr, nullptr, true);
    write(driver, {"a"});
    snapshot = checkpoint(driver, 1);
    folder.write("out/part-0-0", "another's");
    driver.writer().notify_checkpoint_complete(1);
  }
  EXPECT_EQ(files(), "0 hidden | part-0-0: another's | part-0-1: a;");
  const WriterDriver again(sink, 0, 1, nullptr, &snapshot, true);
  EXPECT_EQ(files(), "0 hidden | part-0-0: another's | part-0-1: a;");
}

TEST_F(TwoPhaseFileTest, FormerSubtasksFilesAreTakenOverAtAnyParallelism) {
  TextLineSink sink = this->sink();
  std::vector<OperatorSnapshot> former;
  for (int subtask = 0; subtask < 3; ++subtask) {
    WriterDriver driver(sink, subtask, 3, nullptr, nullptr, true);
    write(driver, {subtask == 0 ? "a" : (subtask == 1 ? "b" : "c")});
    former.push_back(checkpoint(driver, 1));
  }
  for (int subtask = 0; subtask < 2; ++subtask) {
    const OperatorSnapshot restored = share(former, subtask, 2);
    WriterDriver driver(sink, subtask, 2, nullptr, &restored, true);
    end_and_commit(driver);
  }
  EXPECT_EQ(files(), "0 hidden | part-0-0: a; | part-1-0: b; | part-2-0: c;");
}

class MovedFileTest : public TwoPhaseFileTest {
 protected:
  /// What becomes of a complete file `a` and one in progress, `b`, when the job writes elsewhere
  /// since, and `c`: all files of both folders.
  std::map<std::string, std::string> moved() {
    options.max_bytes = 1;
    options.bucket_pattern = "bucket";
    OperatorSnapshot snapshot;
    {
      TextLineSink before = sink();
      WriterDriver driver(before, 0, 1, nullptr, nullptr, true);
      write(driver, {"a", "b"});
      snapshot = checkpoint(driver, 1);
    }
    options.directory = folder.path() + "/moved";
    TextLineSink after = sink();
    WriterDriver driver(after, 0, 1, nullptr, &snapshot, true);
    write(driver, {"c"});
    end_and_commit(driver);
    std::map<std::string, std::string> out;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path())) {
      if (entry.is_regular_file()) {
        const std::string name =
            std::filesystem::relative(entry.path(), folder.path()).generic_string();
        out[name] = folder.read(name);
      }
    }
    return out;
  }
};

TEST_F(MovedFileTest, CompleteFilesStayAndThoseInProgressMove) {
  EXPECT_THAT(moved(),
              ::testing::ElementsAre(::testing::Pair("moved/bucket/part-0-1", "b\n"),
                                     ::testing::Pair("moved/bucket/part-0-2", "c\n"),
                                     ::testing::Pair("out/bucket/part-0-0", "a\n")));
}

TEST_F(MovedFileTest, ACompactedFileAppearsWhereItsFirstPartLies) {
  options.compaction.kind = FileCompactionOptions::Kind::kConcat;
  EXPECT_THAT(
      moved(),
      ::testing::ElementsAre(::testing::Pair("out/bucket/compacted-part-0-0", "a\nb\nc\n")));
}

TEST_F(TwoPhaseFileTest, AFileInProgressThatIsGoneIsAnErrorThatNamesIt) {
  TextLineSink sink = this->sink();
  OperatorSnapshot snapshot;
  {
    WriterDriver driver(sink, 0, 1, nullptr, nullptr, true);
    write(driver, {"a"});
    snapshot = checkpoint(driver, 1);
  }
  const auto hidden = std::filesystem::directory_iterator(options.directory)->path();
  std::filesystem::resize_file(hidden, 1);
  for (const char* what : {"has only 1", "is gone"}) {
    try {
      const WriterDriver restored(sink, 0, 1, nullptr, &snapshot, true);
      FAIL();
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), ::testing::HasSubstr(hidden.string()));
      EXPECT_THAT(error.what(), ::testing::HasSubstr(what));
    }
    std::filesystem::remove(hidden);
  }
}

TEST_F(TwoPhaseFileTest, ACompactedFileAppearsWhenACheckpointKnowsItsParts) {
  options.max_bytes = 1;
  options.compaction.kind = FileCompactionOptions::Kind::kConcat;
  options.compaction.size_threshold = 4;
  TextLineSink sink = this->sink();
  OperatorSnapshot snapshot;
  {
    WriterDriver driver(sink, 0, 1, nullptr, nullptr, true);
    write(driver, {"a", "b", "c", "d"});
    snapshot = checkpoint(driver, 1);
    write(driver, {"e"});
    EXPECT_EQ(files(), "5 hidden");
    driver.writer().notify_checkpoint_complete(1);
    EXPECT_EQ(files(), "3 hidden | compacted-part-0-0: a;b;");
  }
  {
    WriterDriver driver(sink, 0, 1, nullptr, &snapshot, true);
    write(driver, {"e"});
    checkpoint(driver, 2);
    driver.writer().notify_checkpoint_complete(2);
    end_and_commit(driver);
  }
  std::string all;
  for (const auto& entry : std::filesystem::directory_iterator(options.directory)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(".")) {
      all += folder.read("out/" + name);
    }
  }
  std::sort(all.begin(), all.end());
  EXPECT_EQ(all, "\n\n\n\n\nabcde");
}

TEST_F(TwoPhaseFileTest, AGroupPublishedBeforeTheEndIsNotPublishedAgainAtAnotherParallelism) {
  namespace fs = std::filesystem;
  options.max_bytes = 1;
  options.compaction.kind = FileCompactionOptions::Kind::kConcat;
  options.compaction.size_threshold = 4;
  TextLineSink sink = this->sink();
  std::vector<OperatorSnapshot> former;
  const fs::path kept = folder.path() + "/kept";
  fs::create_directory(kept);
  for (int subtask = 0; subtask < 2; ++subtask) {
    WriterDriver driver(sink, subtask, 2, nullptr, nullptr, true);
    write(driver, {"a", "b", "c"});
    former.push_back(checkpoint(driver, 1));
    const std::string own = fmt::format(".part-{}-", subtask);
    std::string id;
    for (const auto& entry : fs::directory_iterator(options.directory)) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with(own) && !name.starts_with(own + "2")) {
        fs::create_hard_link(entry.path(), kept / name);
        id = entry.path().extension().string();
      }
    }
    driver.writer().notify_checkpoint_complete(1);
    fs::create_hard_link(options.directory + fmt::format("/compacted-part-{}-0", subtask),
                         kept / fmt::format(".part-{}-0{}.compacting", subtask, id));
  }
  // As it was between the publishing and the removal of the parts.
  for (const auto& entry : fs::directory_iterator(kept)) {
    fs::rename(entry.path(), options.directory / entry.path().filename());
  }
  for (int subtask = 0; subtask < 3; ++subtask) {
    const OperatorSnapshot restored = share(former, subtask, 3);
    WriterDriver driver(sink, subtask, 3, nullptr, &restored, true);
    end_and_commit(driver);
  }
  EXPECT_EQ(files(),
            "0 hidden | compacted-part-0-0: a;b; | compacted-part-0-2: c; | "
            "compacted-part-1-0: a;b; | compacted-part-1-2: c;");
}

TEST_F(TwoPhaseFileTest, WhatWaitsToBeCompactedIsNotTakenForAFormerAttemptsFile) {
  namespace fs = std::filesystem;
  options.roll_on_checkpoint = true;
  options.max_bytes = 1;
  options.compaction.kind = FileCompactionOptions::Kind::kConcat;
  options.compaction.size_threshold = 4;
  TextLineSink sink = this->sink();
  OperatorSnapshot snapshot;
  {
    WriterDriver killed(sink, 0, 1, nullptr, nullptr, true);
    write(killed, {"a", "b"});
    snapshot = checkpoint(killed, 1);
  }
  const fs::path out = options.directory;
  const fs::path kept = folder.path() + "/kept";
  fs::create_directory(kept);
  {
    WriterDriver killed(sink, 0, 1, nullptr, &snapshot, true);
    write(killed, {"c", "d"});
    snapshot = checkpoint(killed, 2);
    std::string writer_id;
    for (const auto& entry : fs::directory_iterator(out)) {
      const std::string name = entry.path().filename().string();
      if (const std::string text = folder.read("out/" + name); text == "c\n" || text == "d\n") {
        fs::create_hard_link(entry.path(), kept / name);
        writer_id = entry.path().extension().string();
      }
    }
    killed.writer().notify_checkpoint_complete(2);
    EXPECT_EQ(files(), "0 hidden | compacted-part-0-0: a;b; | compacted-part-0-2: c;d;");
    // As it was when the first group was published and its parts removed, the second still to be.
    fs::create_hard_link(out / "compacted-part-0-0",
                         kept / (".part-0-0" + writer_id + ".compacting"));
    for (const char* second : {"compacted-part-0-2", "compacted-part-0-0.1"}) {
      fs::remove(out / second);
    }
    for (const auto& entry : fs::directory_iterator(kept)) {
      fs::rename(entry.path(), out / entry.path().filename());
    }
  }
  WriterDriver driver(sink, 0, 1, nullptr, &snapshot, true);
  end_and_commit(driver);
  EXPECT_THAT(files(), ::testing::HasSubstr(": c;d;"));
  EXPECT_THAT(files(), ::testing::HasSubstr(": a;b;"));
}

TEST_F(TwoPhaseFileTest, ACompactedFileThatItsConsumerTookIsNoReasonToRefuse) {
  options.max_bytes = 1;
  options.compaction.kind = FileCompactionOptions::Kind::kConcat;
  options.compaction.size_threshold = 4;
  TextLineSink sink = this->sink();
  OperatorSnapshot snapshot;
  std::filesystem::path open_part;
  {
    WriterDriver driver(sink, 0, 1, nullptr, nullptr, true);
    write(driver, {"a", "b", "c", "d"});
    snapshot = checkpoint(driver, 1);
    driver.writer().notify_checkpoint_complete(1);
    EXPECT_EQ(files(), "2 hidden | compacted-part-0-0: a;b;");
    for (const auto& entry : std::filesystem::directory_iterator(options.directory)) {
      if (entry.path().filename().string().starts_with(".part-0-2.")) {
        open_part = entry.path();
      }
    }
  }
  std::filesystem::remove(options.directory + "/compacted-part-0-0");
  {
    const WriterDriver restored(sink, 0, 1, nullptr, &snapshot, true);
    EXPECT_EQ(files(), "3 hidden") << "c, d in progress, and a copy of d to go on with";
  }
  // A part that nothing had a reason to take is one.
  ASSERT_TRUE(std::filesystem::remove(open_part));
  EXPECT_THAT(error_of([&] { WriterDriver(sink, 0, 1, nullptr, &snapshot, true); }),
              ::testing::HasSubstr("'" + open_part.string() + "' is gone"));
}

TEST_F(TwoPhaseFileTest, ASavepointCanBeRestoredWhenTheJobHasGoneOn) {
  for (const std::int64_t compact_bytes : {0, 1000}) {
    options.max_bytes = 1000;
    options.prefix = fmt::format("of-{}", compact_bytes);
    options.compaction = {};
    if (compact_bytes > 0) {
      options.compaction.kind = FileCompactionOptions::Kind::kConcat;
      options.compaction.size_threshold = compact_bytes;
    }
    TextLineSink sink = this->sink();
    OperatorSnapshot savepoint;
    {
      WriterDriver driver(sink, 0, 1, nullptr, nullptr, true);
      write(driver, {"a"});
      driver.writer().before_savepoint();
      savepoint = checkpoint(driver, 1);
      write(driver, {"b"});
      checkpoint(driver, 2);
      driver.writer().notify_checkpoint_complete(2);
      end_and_commit(driver);
    }
    const std::string before = files();
    for (int times = 0; times < 2; ++times) {
      WriterDriver restored(sink, 0, 1, nullptr, &savepoint, true);
      checkpoint(restored, 2);
      restored.writer().notify_checkpoint_complete(2);
      EXPECT_EQ(files(), before);
    }
  }
}

TEST_F(TwoPhaseFileTest, WhatWasBegunBehindACheckpointIsRemovedAlsoWithCompaction) {
  for (const bool roll_on_checkpoint : {false, true}) {
    options.max_bytes = 1;
    options.prefix = roll_on_checkpoint ? "rolled" : "part";
    options.roll_on_checkpoint = roll_on_checkpoint;
    options.compaction.kind = FileCompactionOptions::Kind::kConcat;
    options.compaction.size_threshold = 1000;
    TextLineSink sink = this->sink();
    OperatorSnapshot snapshot;
    {
      WriterDriver driver(sink, 0, 1, nullptr, nullptr, true);
      write(driver, {"a", "b", "c"});
      snapshot = checkpoint(driver, 1);
      write(driver, {"d", "e"});
      EXPECT_THAT(files(), testing::StartsWith("5 hidden"));
    }
    WriterDriver driver(sink, 0, 1, nullptr, &snapshot, true);
    write(driver, {"f", "g"});
    checkpoint(driver, 2);
    driver.writer().notify_checkpoint_complete(2);
    end_and_commit(driver);
    const std::string found = files();
    EXPECT_THAT(found, testing::StartsWith("0 hidden"));
    EXPECT_THAT(found,
                testing::Not(testing::AnyOf(testing::HasSubstr("d;"), testing::HasSubstr("e;"))));
    for (const char* line : {"a;", "b;", "c;", "f;", "g;"}) {
      EXPECT_THAT(found, testing::HasSubstr(line));
    }
  }
}

TEST_F(TwoPhaseFileTest, FilesOfTwoFormerSubtasksAreGoneOnWithAlsoWithCompaction) {
  options.max_bytes = 1000;
  options.compaction.kind = FileCompactionOptions::Kind::kConcat;
  options.compaction.size_threshold = 1000;
  TextLineSink sink = this->sink();
  std::vector<OperatorSnapshot> former;
  for (int subtask = 0; subtask < 2; ++subtask) {
    WriterDriver driver(sink, subtask, 2, nullptr, nullptr, true);
    write(driver, {subtask == 0 ? "a" : "b"});
    former.push_back(checkpoint(driver, 1));
  }
  const OperatorSnapshot restored = share(former, 0, 1);
  WriterDriver driver(sink, 0, 1, nullptr, &restored, true);
  write(driver, {"c"});
  checkpoint(driver, 2);
  driver.writer().notify_checkpoint_complete(2);
  end_and_commit(driver);
  EXPECT_THAT(files(),
              testing::AllOf(testing::StartsWith("0 hidden"),
                             testing::HasSubstr("a;"),
                             testing::HasSubstr("b;"),
                             testing::HasSubstr("c;")));
}

/// A sink that writes a file a line, or gathers them.
class SavepointFileTest : public TwoPhaseFileTest, public ::testing::WithParamInterface<bool> {
 protected:
  SavepointFileTest() {
    options.max_bytes = 1;
    if (GetParam()) {
      options.compaction.kind = FileCompactionOptions::Kind::kConcat;
      options.compaction.size_threshold = 1000;
    }
  }
  static OperatorSnapshot savepoint(WriterDriver& driver, CheckpointId id) {
    driver.writer().before_savepoint();
    return checkpoint(driver, id);
  }
  /// Those that are not hidden, one line behind the other.
  std::string lines() const {
    std::string out;
    for (const auto& entry : std::filesystem::directory_iterator(options.directory)) {
      const std::string name = entry.path().filename().string();
      out += name.starts_with(".") ? "" : folder.read("out/" + name);
    }
    std::erase(out, '\n');
    std::sort(out.begin(), out.end());
    return out;
  }
};
INSTANTIATE_TEST_SUITE_P(AndCompaction, SavepointFileTest, ::testing::Bool());

TEST_P(SavepointFileTest, AJobThatGoesOnKeepsItsFilesWhenItIsRestored) {
  TextLineSink sink = this->sink();
  WriterDriver goes_on(sink, 0, 1, nullptr, nullptr, true);
  write(goes_on, {"a", "b"});
  const OperatorSnapshot stored = savepoint(goes_on, 1);
  write(goes_on, {"c", "d"});
  checkpoint(goes_on, 2);
  goes_on.writer().notify_checkpoint_complete(2);
  write(goes_on, {"e"});
  std::make_unique<WriterDriver>(sink, 0, 1, nullptr, &stored, true).reset();
  end_and_commit(goes_on);
  EXPECT_EQ(lines(), "abcde");
  EXPECT_THAT(files(), testing::StartsWith("0 hidden"));
}

TEST_P(SavepointFileTest, ASavepointStaysWhenTheJobGoesBackBehindIt) {
  TextLineSink sink = this->sink();
  OperatorSnapshot before;
  OperatorSnapshot stored;
  {
    WriterDriver driver(sink, 0, 1, nullptr, nullptr, true);
    write(driver, {"a", "b"});
    before = checkpoint(driver, 1);
    write(driver, {"c", "d"});
    stored = savepoint(driver, 2);
    write(driver, {"e"});
  }
  {
    WriterDriver driver(sink, 0, 1, nullptr, &before, true);
    write(driver, {"c"});
    checkpoint(driver, 3);
    driver.writer().notify_checkpoint_complete(3);
  }
  std::filesystem::path aside = folder.path() + "/aside";
  std::filesystem::create_directory(aside);
  for (const auto& entry : std::filesystem::directory_iterator(options.directory)) {
    if (!entry.path().filename().string().starts_with(".")) {
      std::filesystem::rename(entry.path(), aside / entry.path().filename());
    }
  }
  WriterDriver driver(sink, 0, 1, nullptr, &stored, true);
  checkpoint(driver, 4);
  driver.writer().notify_checkpoint_complete(4);
  end_and_commit(driver);
  EXPECT_EQ(lines(), "abcd");
}

TEST_P(SavepointFileTest, OneOfAnotherFormatIsRefusedForGood) {
  TextLineSink sink = this->sink();
  OperatorSnapshot stored;
  {
    WriterDriver driver(sink, 0, 1, nullptr, nullptr, true);
    write(driver, {"a"});
    stored = savepoint(driver, 1);
  }
  ASSERT_EQ(stored.union_state.size(), 1U);
  stored.union_state.begin()->second.at(0)[0] = 99;
  ErrorKind kind = ErrorKind::kInternal;
  EXPECT_THAT(error_of([&] { WriterDriver(sink, 0, 1, nullptr, &stored, true); }, &kind),
              testing::HasSubstr("the format version 99, and this version of Flott reads 1"));
  EXPECT_EQ(kind, ErrorKind::kInvalidArgument);
}

TEST_P(SavepointFileTest, ACheckpointBeforeItStays) {
  TextLineSink sink = this->sink();
  OperatorSnapshot before;
  {
    WriterDriver driver(sink, 0, 1, nullptr, nullptr, true);
    write(driver, {"a", "b"});
    before = checkpoint(driver, 1);
    savepoint(driver, 2);
    savepoint(driver, 3);
    driver.writer().notify_checkpoint_complete(1);  // late
  }
  WriterDriver driver(sink, 0, 1, nullptr, &before, true);
  checkpoint(driver, 4);
  driver.writer().notify_checkpoint_complete(4);
  end_and_commit(driver);
  EXPECT_EQ(lines(), "ab");
}

}  // namespace
}  // namespace flott
