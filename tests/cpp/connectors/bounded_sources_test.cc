#include "connectors/collection/collection_source.h"
#include "connectors/datagen/datagen_source.h"
#include "connectors/filesystem/text_line_source.h"
#include "connectors/hybrid/hybrid_source.h"
#include "connectors/sequence/number_sequence_source.h"
#include "tests/cpp/connectors/reading.h"
#include "tests/harness/temporary_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <numeric>

namespace flott {
namespace {

using test::error_of;
using test::ReaderDriver;
using test::WriterDriver;

TEST(NumberSequence, SplitsCoverTheRangeOnce) {
  for (const int splits : {1, 3, 16}) {
    NumberSequenceSource source(-5, 20, splits);
    ReaderDriver driver(source);
    driver.reader().add_splits(source.discover_splits({}));
    ASSERT_TRUE(driver.read_all(4));
    std::vector<std::int64_t> numbers = driver.numbers();
    std::sort(numbers.begin(), numbers.end());
    std::vector<std::int64_t> expected(26);
    std::iota(expected.begin(), expected.end(), -5);
    EXPECT_EQ(numbers, expected) << splits << " splits";
  }
}

TEST(NumberSequence, FewNumbersMakeFewSplits) {
  NumberSequenceSource source(7, 8, 16);
  EXPECT_EQ(source.discover_splits({}).size(), 2U);
  EXPECT_NE(error_of([] { NumberSequenceSource(3, 2); }).find("starts at 3 and ends at 2"),
            std::string::npos);
}

TEST(NumberSequence, ReachesBothEndsOfBigint) {
  NumberSequenceSource source(
      std::numeric_limits<std::int64_t>::max() - 2, std::numeric_limits<std::int64_t>::max(), 1);
  ReaderDriver driver(source);
  driver.reader().add_splits(source.discover_splits({}));
  ASSERT_TRUE(driver.read_all(2));
  EXPECT_EQ(driver.rows, 3);
  NumberSequenceSource all(
      std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max(), 4);
  EXPECT_EQ(all.discover_splits({}).size(), 4U);
}

TEST(NumberSequence, GoesOnFromARestoredPosition) {
  NumberSequenceSource source(1, 10, 2);
  std::vector<SourceSplit> positions;
  std::vector<std::int64_t> seen;
  {
    ReaderDriver driver(source);
    driver.reader().add_splits(source.discover_splits({}));
    ASSERT_TRUE(driver.read_rows(6, 3));
    positions = driver.reader().positions();
    seen = driver.numbers();
  }
  ReaderDriver restored(source);
  restored.reader().add_splits(positions);
  ASSERT_TRUE(restored.read_all());
  for (const std::int64_t number : restored.numbers()) {
    seen.push_back(number);
  }
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(seen, (std::vector<std::int64_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
}

TEST(Collection, RestoresInTheMiddleOfABatch) {
  const LogicalTypePtr type = LogicalType::of(TypeKind::kBigInt);
  std::vector<BatchPtr> batches;
  for (int start : {0, 10}) {
    BatchBuilder builder(type);
    for (int i = 0; i < 5; ++i) {
      builder.append(Value::integer(start + i));
    }
    batches.push_back(builder.finish());
  }
  CollectionSource source(type, batches);
  for (std::int64_t cut = 0; cut <= 10; ++cut) {
    std::vector<SourceSplit> positions = source.discover_splits({});
    std::vector<std::int64_t> seen;
    if (cut > 0) {
      ReaderDriver driver(source);
      driver.reader().add_splits(positions);
      ASSERT_TRUE(driver.read_rows(cut, 1));
      positions = driver.reader().positions();
      seen = driver.numbers();
    }
    ReaderDriver restored(source);
    restored.reader().add_splits(positions);
    ASSERT_TRUE(restored.read_all(3));
    for (const std::int64_t number : restored.numbers()) {
      seen.push_back(number);
    }
    EXPECT_EQ(seen, (std::vector<std::int64_t>{0, 1, 2, 3, 4, 10, 11, 12, 13, 14})) << cut;
    EXPECT_TRUE(restored.reader().split_finished(0));
  }
}

TEST(TextLineSource, ReadsFilesOfADirectoryInOrderAndSkipsHiddenOnes) {
  const harness::TemporaryFolder folder;
  folder.write("b.txt", "three\nfour");
  folder.write("a.txt", "one\r\n\ntwo\n");
  folder.write("sub/c.txt", "five\n");
  folder.write(".hidden", "no\n");
  folder.write("_temporary", "no\n");
  folder.write("empty.txt", "");
  TextLineSource source({"file://" + folder.path()});
  ReaderDriver driver(source);
  driver.reader().add_splits(source.discover_splits({}));
  ASSERT_TRUE(driver.read_all());
  EXPECT_EQ(driver.strings(),
            (std::vector<std::string>{"one", "", "two", "three", "four", "five"}));
}

TEST(TextLineSource, RestoresAfterAnyLineAndLinesLongerThanABlock) {
  const harness::TemporaryFolder folder;
  std::vector<std::string> lines;
  std::string text;
  for (int i = 0; i < 60; ++i) {
    lines.push_back(std::to_string(i) + std::string(i % 7 == 3 ? 300'000 : 20, 'x'));
    text += lines.back() + "\n";
  }
  TextLineSource source({folder.write("lines.txt", text)});
  for (const std::int64_t cut : {1, 3, 4, 5, 30, 59}) {
    std::vector<SourceSplit> positions;
    std::vector<std::string> seen;
    {
      ReaderDriver driver(source);
      driver.reader().add_splits(source.discover_splits({}));
      ASSERT_TRUE(driver.read_rows(cut, 1));
      positions = driver.reader().positions();
      seen = driver.strings();
    }
    ReaderDriver restored(source);
    restored.reader().add_splits(positions);
    ASSERT_TRUE(restored.read_all());
    for (const std::string& line : restored.strings()) {
      seen.push_back(line);
    }
    EXPECT_EQ(seen, lines) << cut;
  }
}

TEST(TextLineSource, MissingFilesAndOtherSchemesAreNamed) {
  TextLineSource source({"/nowhere/at/all.txt"});
  EXPECT_NE(error_of([&] { source.discover_splits({}); }).find("'/nowhere/at/all.txt'"),
            std::string::npos);
  EXPECT_NE(error_of([] { TextLineSource({"s3://bucket/x"}); }).find("'s3://'"), std::string::npos);
  EXPECT_NE(error_of([] {
              TextLineSource::from_options(
                  test::options_of({{"path", "/x"}, {"charset", "UTF-16"}}), nullptr);
            }).find("'UTF-16'"),
            std::string::npos);
}

LogicalTypePtr generated_type() {
  return LogicalType::row({"id", "price", "name", "ok"},
                          {LogicalType::of(TypeKind::kBigInt),
                           LogicalType::of(TypeKind::kDouble),
                           LogicalType::of(TypeKind::kString),
                           LogicalType::of(TypeKind::kBoolean)});
}

TEST(DataGenerator, SequencesBoundTheSourceAndRestoreExactly) {
  const Options options({{"rows-per-second", "0"},
                         {"splits", "2"},
                         {"fields.id.kind", "sequence"},
                         {"fields.id.start", "100"},
                         {"fields.id.end", "119"},
                         {"fields.price.min", "1"},
                         {"fields.price.max", "2"},
                         {"fields.name.length", "5"},
                         {"fields.ok.null-rate", "0.5"}});
  DataGeneratorSource source(options, generated_type());
  EXPECT_EQ(source.boundedness(), Boundedness::kBounded);
  ReaderDriver whole(source);
  whole.reader().add_splits(source.discover_splits({}));
  ASSERT_TRUE(whole.read_all(3));
  std::vector<std::int64_t> ids = whole.numbers();
  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(ids.size(), 20U);
  EXPECT_EQ(ids.front(), 100);
  EXPECT_EQ(ids.back(), 119);
  for (const SourceBatch& batch : whole.batches) {
    for (std::int64_t i = 0; i < batch.batch->num_rows(); ++i) {
      const double price = batch.batch->column(1).data<double>()[i];
      EXPECT_GE(price, 1);
      EXPECT_LE(price, 2);
      EXPECT_EQ(batch.batch->column(2).string_at(i).size(), 5U);
    }
  }
  ReaderDriver first(source);
  first.reader().add_splits(source.discover_splits({}));
  ASSERT_TRUE(first.read_rows(7, 2));
  ReaderDriver second(source);
  second.reader().add_splits(first.reader().positions());
  ASSERT_TRUE(second.read_all(100));
  EXPECT_EQ(first.rows + second.rows, 20);
}

TEST(DataGenerator, KeepsTheRateOfTheClock) {
  ManualClock clock(1000);
  DataGeneratorSource source(test::options_of({{"rows-per-second", "1000"}}), generated_type());
  EXPECT_EQ(source.boundedness(), Boundedness::kUnbounded);
  ReaderDriver driver(source, &clock);
  driver.reader().add_splits(source.discover_splits({}));
  SourceBatch batch;
  std::int64_t rows = 0;
  for (int ms = 0; ms < 50; ++ms) {
    while (driver.reader().poll(batch, 100) == PollResult::kMore) {
      rows += batch.batch->num_rows();
    }
    clock.advance(1);
  }
  EXPECT_EQ(rows, 50);
}

TEST(DataGenerator, WrongOptionsAreNamed) {
  EXPECT_NE(error_of([] {
              DataGeneratorSource(test::options_of({{"fields.id.kind", "magic"}}),
                                  generated_type());
            }).find("'fields.id.kind'"),
            std::string::npos);
  EXPECT_NE(error_of([] {
              DataGeneratorSource(test::options_of({{"fields.id.kind", "sequence"}}),
                                  generated_type());
            }).find("'fields.id.start'"),
            std::string::npos);
}

TEST(SplitPositions, OfAHybridSourceStayReadable) {
  using std::string_literals::operator""s;
  std::vector<std::unique_ptr<Source>> parts;
  parts.push_back(std::make_unique<NumberSequenceSource>(1, 3, 1));
  parts.push_back(std::make_unique<NumberSequenceSource>(10, 13, 1));
  HybridSource source(std::move(parts));
  // The number of the part and the id of its split; the position is that of the sequence.
  const std::vector<SourceSplit> stored = {{"0:0", "\1\4\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0\1"s},
                                           {"1:0", "\1\14\0\0\0\0\0\0\0\15\0\0\0\0\0\0\0\0"s}};
  source.restore(stored);
  ReaderDriver driver(source);
  driver.reader().add_splits(stored);
  ASSERT_TRUE(driver.read_all());
  EXPECT_EQ(driver.numbers(), (std::vector<std::int64_t>{12, 13}));
  ErrorKind kind = ErrorKind::kInternal;
  EXPECT_THAT(error_of([&] { source.restore({{"2:0", ""}}); }, &kind),
              testing::HasSubstr("'2:0' belongs to no source"));
  EXPECT_EQ(kind, ErrorKind::kInvalidArgument);
}

TEST(SplitPositions, OfAnotherVersionAreRefusedForGood) {
  const harness::TemporaryFolder folder;
  NumberSequenceSource numbers(1, 3, 1);
  CollectionSource collection(LogicalType::of(TypeKind::kBigInt), {});
  TextLineSource lines({folder.write("lines.txt", "a\n")});
  DataGeneratorSource generator(test::options_of({{"number-of-rows", "3"}}), generated_type());
  for (Source* source : std::vector<Source*>{&numbers, &collection, &lines, &generator}) {
    std::vector<SourceSplit> splits = source->discover_splits({});
    ASSERT_FALSE(splits.empty());
    splits[0].position[0] = 99;
    ReaderDriver driver(*source);
    ErrorKind kind = ErrorKind::kInternal;
    EXPECT_THAT(error_of([&] { driver.reader().add_splits(splits); }, &kind),
                testing::AllOf(testing::HasSubstr("the position of split '" + splits[0].id + "'"),
                               testing::HasSubstr("version 99"),
                               testing::HasSubstr("reads 1")));
    EXPECT_EQ(kind, ErrorKind::kInvalidArgument);
  }
}

}  // namespace
}  // namespace flott
