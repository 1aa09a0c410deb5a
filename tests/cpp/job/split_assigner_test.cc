#include "job/split_assigner.h"

#include "base/error.h"
#include "connectors/source_input.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace flott
