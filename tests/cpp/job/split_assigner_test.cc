#include "job/split_assigner.h"

#include "base/error.h"
#include "connectors/datagen/datagen_source.h"
#include "connectors/hybrid/hybrid_source.h"
#include "connectors/sequence/number_sequence_source.h"
#include "connectors/source_input.h"
#include "tests/cpp/connectors/reading.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace flott {
namespace {

/// A source whose system answers as the test says.
class ScriptedSource final : public Source {
 public:
  std::vector<std::string> ids;
  bool hangs = false;  ///< discover_splits() returns only when it is told to give up
  bool resolve_fails = false;
  std::vector<std::string> resolved;  ///< "id@position" of what resolve_positions() was given

  Boundedness boundedness() const override { return Boundedness::kUnbounded; }
  LogicalTypePtr produced_type() const override { return LogicalType::of(TypeKind::kBigInt); }
  std::vector<SourceSplit> discover_splits(const std::function<bool()>& cancelled) override {
    while (hangs && !cancelled()) {
    }
    std::vector<SourceSplit> out;
    for (const std::string& id : ids) {
      out.push_back({id, "open"});
    }
    return out;
  }
  void resolve_positions(std::vector<SourceSplit>& splits, const std::function<bool()>&) override {
    for (SourceSplit& split : splits) {
      resolved.push_back(split.id + "@" + split.position);
      if (resolve_fails) {
        throw Error(ErrorKind::kExternal, "no offset");
      }
      if (split.position == "open") {
        split.position = "end";
      }
    }
  }
  std::int64_t discovery_interval_ms() const override { return 1000; }
  SourceSplit as_new_split(SourceSplit split) const override {
    split.position = "begin";
    return split;
  }
  std::unique_ptr<SourceReader> create_reader(const SourceReaderContext&) override {
    return nullptr;
  }
};

using Strings = std::vector<std::string>;

Strings texts(const SplitAssigner::Shares& shares) {
  Strings out;
  for (const auto& share : shares) {
    for (const SourceSplit& split : share) {
      out.push_back(split.id + "@" + split.position);
    }
  }
  return out;
}

const auto kNotCancelled = [] { return false; };

TEST(SplitAssigner, PositionsAreLookedUpForTheSplitsOfAFreshJob) {
  ScriptedSource source;
  source.ids = {"a", "b", "c"};
  SplitAssigner assigner(source, 2);
  const SplitAssigner::Shares shares = assigner.first(nullptr, kNotCancelled);
  ASSERT_EQ(shares.size(), 2U);
  EXPECT_EQ(shares[0].size(), 2U);
  EXPECT_EQ(texts(shares), (Strings{"a@end", "c@end", "b@end"}));
  EXPECT_TRUE(assigner.later(kNotCancelled).empty());
}

TEST(SplitAssigner, RestoredSplitsKeepTheirPositionsAndNewOnesBeginAtTheirBeginning) {
  ScriptedSource source;
  source.ids = {"a", "b"};
  OperatorCheckpoint stored;
  stored.subtasks.resize(1);
  stored.subtasks[0].list_state[kSplitsState] = {encode_split({"a", "17"})};
  SplitAssigner assigner(source, 1);
  EXPECT_EQ(texts(assigner.first(&stored, kNotCancelled)), (Strings{"a@17", "b@begin"}));
  EXPECT_EQ(source.resolved, (Strings{"b@begin"}));
  source.ids = {"a", "b", "c"};
  EXPECT_EQ(texts(assigner.later(kNotCancelled)), (Strings{"c@begin"}));
  EXPECT_EQ(source.resolved, (Strings{"b@begin", "c@begin"}));
}

TEST(SplitAssigner, ALaterDiscoveryThatFailedIsMadeUpForByTheNext) {
  ScriptedSource source;
  source.ids = {"a"};
  SplitAssigner assigner(source, 1, /*patience_ms=*/20);
  assigner.first(nullptr, kNotCancelled);
  source.ids = {"a", "b"};
  source.resolve_fails = true;
  EXPECT_THROW(assigner.later(kNotCancelled), Error);
  source.resolve_fails = false;
  source.hangs = true;
  try {
    assigner.later(kNotCancelled);
    ADD_FAILURE() << "the source never answered";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("within 20 ms"), std::string::npos) << error.what();
  }
  source.hangs = false;
  EXPECT_EQ(texts(assigner.later(kNotCancelled)), (Strings{"b@begin"}));
}

TEST(SplitAssigner, ACancelledDiscoveryGivesNothingAndIsNoError) {
  ScriptedSource source;
  source.ids = {"a"};
  source.hangs = true;
  SplitAssigner assigner(source, 1);
  EXPECT_TRUE(texts(assigner.first(nullptr, [] { return true; })).empty());
  EXPECT_TRUE(texts(assigner.later([] { return true; })).empty());
}

using SourceFactory = std::function<std::unique_ptr<Source>(int parallelism)>;

/// Reads `rows` numbers in each subtask (all when negative), from where `state` says; the state is
/// then that of a checkpoint.
std::vector<std::int64_t> read_on(const SourceFactory& make,
                                  int parallelism,
                                  std::int64_t rows,
                                  OperatorCheckpoint& state) {
  const std::unique_ptr<Source> source = make(parallelism);
  SplitAssigner assigner(*source, static_cast<std::size_t>(parallelism));
  SplitAssigner::Shares shares =
      assigner.first(state.subtasks.empty() ? nullptr : &state, kNotCancelled);
  state.subtasks.assign(shares.size(), {});
  std::vector<std::unique_ptr<test::ReaderDriver>> readers;
  for (const auto& share : shares) {
    readers.push_back(std::make_unique<test::ReaderDriver>(*source));
    readers.back()->reader().add_splits(share);
  }
  const auto read = [&] {
    for (const auto& reader : readers) {
      reader->finished = false;
      rows < 0 ? reader->read_all() : reader->read_rows(rows, 7);
    }
  };
  read();
  // A hybrid source's next one may be due.
  for (shares = assigner.later(kNotCancelled); rows < 0 && !shares.empty();
       shares = assigner.later(kNotCancelled)) {
    for (std::size_t i = 0; i < shares.size(); ++i) {
      readers[i]->reader().add_splits(shares[i]);
    }
    read();
  }
  std::vector<std::int64_t> out;
  for (std::size_t i = 0; i < readers.size(); ++i) {
    const std::vector<std::int64_t> numbers = readers[i]->numbers();
    out.insert(out.end(), numbers.begin(), numbers.end());
    for (const SourceSplit& split : readers[i]->reader().positions()) {
      state.subtasks[i].list_state[kSplitsState].push_back(encode_split(split));
    }
  }
  return out;
}

TEST(SplitAssigner, NumbersThatASourceInventsAreReadOnceAtEveryParallelism) {
  const SourceFactory sequence = [](int parallelism) {
    return std::make_unique<NumberSequenceSource>(1, 200, parallelism);
  };
  const SourceFactory generator = [](int parallelism) {
    return std::make_unique<DataGeneratorSource>(
        Options({{"rows-per-second", "0"},
                 {"splits", std::to_string(parallelism)},
                 {"fields.n.kind", "sequence"},
                 {"fields.n.start", "1"},
                 {"fields.n.end", "200"}}),
        LogicalType::row({"n"}, {LogicalType::of(TypeKind::kBigInt)}));
  };
  const SourceFactory hybrid = [](int parallelism) {
    std::vector<std::unique_ptr<Source>> parts;
    parts.push_back(std::make_unique<NumberSequenceSource>(1, 120, parallelism));
    parts.push_back(std::make_unique<NumberSequenceSource>(121, 200, parallelism));
    return std::make_unique<HybridSource>(std::move(parts));
  };
  std::vector<std::int64_t> all(200);
  std::iota(all.begin(), all.end(), 1);
  for (const SourceFactory& make : {sequence, generator, hybrid}) {
    for (const std::vector<int>& parallelisms : {std::vector{1, 3, 2}, std::vector{3, 1, 2}}) {
      OperatorCheckpoint state;
      std::vector<std::int64_t> numbers;
      for (std::size_t i = 0; i < parallelisms.size(); ++i) {
        const std::vector<std::int64_t> read =
            read_on(make, parallelisms[i], i + 1 < parallelisms.size() ? 20 : -1, state);
        numbers.insert(numbers.end(), read.begin(), read.end());
      }
      std::sort(numbers.begin(), numbers.end());
      EXPECT_EQ(numbers, all);
    }
  }
}

}  // namespace
}  // namespace flott
