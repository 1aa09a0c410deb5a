#include "connectors/source_input.h"

#include "harness/lambda_functions.h"
#include "operators/field_timestamp_assigner.h"
#include "operators/watermark_generators.h"
#include "runtime_support.h"
#include "types/host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <utility>

namespace flott {
namespace {

/// What the next poll() returns, as the test put it there.
struct Poll {
  PollResult result = PollResult::kIdle;
  int split = -1;
  BatchPtr batch = nullptr;
};

struct ReaderState {
  std::deque<Poll> polls;
  std::vector<SourceSplit> splits;
  std::vector<bool> finished;
  std::vector<CheckpointId> checkpoints;
  int polled = 0;
  bool closed = false;
  std::function<void()> on_close;
  PollResult afterwards = PollResult::kIdle;
};

class FakeReader final : public SourceReader {
 public:
  explicit FakeReader(std::shared_ptr<ReaderState> state) : state_(std::move(state)) {}
  void add_splits(const std::vector<SourceSplit>& splits) override {
    for (const SourceSplit& split : splits) {
      state_->splits.push_back(split);
      state_->finished.push_back(false);
    }
  }
  PollResult poll(SourceBatch& out, std::int64_t) override {
    ++state_->polled;
    if (state_->polls.empty()) {
      return state_->afterwards;
    }
    const Poll poll = state_->polls.front();
    state_->polls.pop_front();
    out = {poll.split, poll.batch};
    return poll.result;
  }
  std::vector<SourceSplit> positions() override { return state_->splits; }
  bool split_finished(int index) const override {
    return state_->finished[static_cast<std::size_t>(index)];
  }
  void on_checkpoint(CheckpointId id) override { state_->checkpoints.push_back(id); }
  void notify_checkpoint_complete(CheckpointId id) override { state_->checkpoints.push_back(-id); }
  void close() override {
    state_->closed = true;
    if (state_->on_close) {
      state_->on_close();
    }
  }

 private:
  std::shared_ptr<ReaderState> state_;
};

/// A host that only counts who holds its lock.
class LockHost final : public Host {
 public:
  LockHost() { set_host(this); }
  ~LockHost() override { set_host(nullptr); }
  void enter() override { ++held; }
  void leave() override { --held; }
  void* suspend() override {
    if (held == 0) {
      return nullptr;
    }
    suspended_ = std::exchange(held, 0);
    return this;
  }
  void resume(void*) override { held = suspended_; }

  void retain(void*) override {}
  void release(void*) override {}
  void* isolate(void* handle) override { return handle; }
  bool equal(void* a, void* b) override { return a == b; }
  bool less(void* a, void* b) override { return std::less<>()(a, b); }
  bool truthy(void*) override { return true; }
  void serialize(void*, std::string&) override {}
  void* deserialize(std::string_view) override { return nullptr; }
  void encode_key(void*, std::string&) override {}
  std::string repr(void*) override { return {}; }
  std::string str(void*) override { return {}; }
  std::size_t size_hint(void*) override { return 0; }
  Value to_native(void*, const LogicalType&) override { return {}; }
  void* to_object(const Value&, const LogicalType&) override { return nullptr; }

  int held = 0;

 private:
  int suspended_ = 0;
};

class SourceInputTest : public ::testing::Test {
 protected:
  void make(WatermarkStrategy strategy, bool batch_mode = false) {
    SourceInput::Options options;
    options.reader = std::make_unique<FakeReader>(reader);
    options.watermarks = std::move(strategy);
    options.clock = &clock;
    options.batch_mode = batch_mode;
    input = std::make_unique<SourceInput>(std::move(options));
    input->open();
  }
  void add(int splits) {
    std::vector<SourceSplit> out;
    for (int i = 0; i < splits; ++i) {
      out.push_back({"split-" + std::to_string(i), "0"});
    }
    input->add_splits(out);
  }
  /// Rows whose timestamps are their values.
  void rows(int split, const std::vector<std::int64_t>& values) {
    reader->polls.push_back({PollResult::kMore, split, ints(values, values)});
  }
  /// Reads until there is nothing now.
  std::string read() {
    std::string out;
    TaskInput::Item item;
    while (input->next(item) == TaskInput::Status::kElement) {
      out += (out.empty() ? "" : " | ") + to_text(item.element);
    }
    return out;
  }
  std::string read_at(Timestamp now) {
    clock.set(now);
    return read();
  }
  bool at_end() {
    TaskInput::Item item;
    return input->next(item) == TaskInput::Status::kEnd;
  }
  static WatermarkStrategy periodic(std::int64_t idle_timeout_ms = 0) {
    WatermarkStrategy out;
    out.make_generator = [] { return make_monotonous_watermarks(); };
    out.idle_timeout_ms = idle_timeout_ms;
    return out;
  }
  /// A watermark behind each record that is a multiple of 10.
  static WatermarkStrategy punctuated() {
    WatermarkStrategy out;
    out.make_generator = [] {
      return harness::punctuated_with([](const Value& v, Timestamp timestamp) {
        return v.as_int() % 10 == 0 ? timestamp : kMinWatermark;
      });
    };
    return out;
  }

  ManualClock clock{1'000};
  std::shared_ptr<ReaderState> reader = std::make_shared<ReaderState>();
  std::unique_ptr<SourceInput> input;
};

TEST_F(SourceInputTest, WatermarksAreTheMinimumOverSplits) {
  make(periodic());
  add(2);
  rows(0, {100, 200});
  rows(1, {50});
  EXPECT_EQ(read(), "100 200 | 50") << "periodic watermarks wait for their interval";
  EXPECT_EQ(input->next_time(), 1'200);
  EXPECT_EQ(read_at(1'200), "watermark 49");
  rows(1, {300});
  EXPECT_EQ(read_at(1'300), "300");
  EXPECT_EQ(read_at(1'400), "watermark 199");
  EXPECT_EQ(read_at(1'600), "");
}

TEST_F(SourceInputTest, AFieldIsTheTimestampOfWholeBatches) {
  WatermarkStrategy strategy = periodic();
  strategy.make_assigner = [] { return make_field_timestamp_assigner(1); };
  make(std::move(strategy));
  add(1);
  const auto type = LogicalType::row(
      {"a", "time"}, {LogicalType::of(TypeKind::kString), LogicalType::of(TypeKind::kBigInt)});
  BatchBuilder builder(type);
  builder.append(Value::row({Value::string("x"), Value::integer(7)}), 1);
  builder.append(Value::row({Value::string("y"), Value::integer(5)}), 2);
  reader->polls.push_back({PollResult::kMore, 0, builder.finish()});
  TaskInput::Item item;
  ASSERT_EQ(input->next(item), TaskInput::Status::kElement);
  EXPECT_EQ(std::get<BatchPtr>(item.element)->timestamps(), (std::vector<Timestamp>{7, 5}));
  EXPECT_EQ(read_at(1'200), "watermark 6");

  builder.append(Value::row({Value::string("z"), Value::null()}), 3);
  reader->polls.push_back({PollResult::kMore, 0, builder.finish()});
  EXPECT_THROW(input->next(item), Error);
}

TEST_F(SourceInputTest, ASplitWithoutRecordsHoldsBackUntilItIsIdle) {
  make(periodic(/*idle_timeout_ms=*/500));
  add(2);
  rows(0, {100});
  EXPECT_EQ(read(), "100");
  EXPECT_EQ(read_at(1'200), "");
  rows(0, {110});
  EXPECT_EQ(read_at(1'450), "110");
  EXPECT_EQ(read_at(1'650), "watermark 109") << "split 1 is idle";
  EXPECT_EQ(read_at(2'200), "idle") << "and now split 0 too";
  rows(1, {50});
  EXPECT_EQ(read(), "active | 50");
  EXPECT_EQ(read_at(2'400), "") << "a watermark never falls";
  rows(1, {200});
  EXPECT_EQ(read(), "200");
  EXPECT_EQ(read_at(2'600), "watermark 199");
}

TEST_F(SourceInputTest, TimeInWhichNobodyAsksMakesNoSplitIdle) {
  make(periodic(/*idle_timeout_ms=*/500));
  add(2);
  rows(0, {100});
  rows(1, {90});
  EXPECT_EQ(read(), "100 | 90");
  EXPECT_EQ(read_at(1'200), "watermark 89");
  // Then a minute of backpressure, in which both go on.
  rows(0, {100'000});
  rows(1, {95});
  EXPECT_EQ(read_at(61'200), "100000 | 95");
  EXPECT_EQ(read_at(61'400), "watermark 94") << "95 did not come late";
}

TEST_F(SourceInputTest, AQuietSplitHasItsTurnBehindBackpressureBeforeItIsIdle) {
  make(periodic(/*idle_timeout_ms=*/500));
  add(2);
  rows(0, {100});
  rows(1, {90});
  EXPECT_EQ(read(), "100 | 90");
  EXPECT_EQ(read_at(1'200), "watermark 89");
  EXPECT_EQ(read_at(1'400), "") << "quiet for nearly the time-out";
  rows(0, {100'000});
  rows(1, {95});
  TaskInput::Item item;
  clock.set(61'400);
  ASSERT_EQ(input->next(item), TaskInput::Status::kElement);
  EXPECT_EQ(to_text(item.element), "100000");
  clock.set(61'700);
  ASSERT_EQ(input->next(item), TaskInput::Status::kElement);
  EXPECT_EQ(to_text(item.element), "95") << "and no watermark beyond it";
  EXPECT_EQ(read_at(61'900), "watermark 94");
}

TEST_F(SourceInputTest, ASplitWithoutRecordsBecomesIdleThoughEveryStepIsSlow) {
  make(periodic(/*idle_timeout_ms=*/500));
  add(2);
  std::string out;
  for (Timestamp now = 2'000; now <= 9'000; now += 1'000) {
    rows(0, {now});
    TaskInput::Item item;
    clock.set(now);
    ASSERT_EQ(input->next(item), TaskInput::Status::kElement);
    out += to_text(item.element) + " | ";
  }
  EXPECT_THAT(out, testing::HasSubstr("watermark"));
}

TEST_F(SourceInputTest, AGeneratorThatSaysItIsIdleHoldsNobodyBack) {
  WatermarkStrategy strategy;
  strategy.make_generator = [] { return harness::self_declared_idleness(); };
  make(std::move(strategy));
  add(2);
  rows(0, {100});
  rows(1, {50});
  EXPECT_EQ(read(), "100 | 50 | watermark 50");
  rows(1, {57, 61});
  EXPECT_EQ(read(), "57 | watermark 100 | 61") << "records alone do not make it active";
  rows(0, {107});
  EXPECT_EQ(read(), "107 | idle") << "now both are";
  rows(1, {68});
  EXPECT_EQ(read(), "68 | active");
  rows(0, {110});
  EXPECT_EQ(read(), "110") << "split 1 is at 50";
  rows(1, {120});
  EXPECT_EQ(read(), "120 | watermark 110");
}

TEST_F(SourceInputTest, AWatermarkEndsWhatAGeneratorSaidOfIdleness) {
  WatermarkStrategy strategy;
  strategy.make_generator = [] { return harness::self_declared_idleness(); };
  make(std::move(strategy));
  add(1);
  rows(0, {7, 10});
  EXPECT_EQ(read(), "7 | idle | 10 | active | watermark 10");
}

TEST_F(SourceInputTest, ASubtaskWithoutSplitsIsIdleAtOnce) {
  make(periodic());
  EXPECT_EQ(read(), "") << "before the splits are known nothing is said";
  add(0);
  EXPECT_EQ(read(), "idle");
  add(1);
  rows(0, {5});
  EXPECT_EQ(read(), "active | 5");
}

TEST_F(SourceInputTest, ASubtaskWithoutSplitsEndsWhenThereWillBeNone) {
  make(periodic());
  reader->afterwards = PollResult::kFinished;
  add(0);
  EXPECT_EQ(read(), "idle");
  EXPECT_FALSE(at_end());
  input->no_more_splits();
  EXPECT_EQ(read(), "watermark max | end");
  EXPECT_TRUE(at_end());
  EXPECT_TRUE(at_end());
}

TEST_F(SourceInputTest, EndsWithTheMaximumWatermark) {
  make(periodic());
  add(1);
  input->no_more_splits();
  rows(0, {1, 2});
  reader->afterwards = PollResult::kFinished;
  reader->finished[0] = true;
  EXPECT_EQ(read(), "1 2 | watermark max | end");
  EXPECT_TRUE(at_end());
}

TEST_F(SourceInputTest, WithoutGeneratorTheEndStillBringsTheMaximumWatermark) {
  make({});
  add(1);
  input->no_more_splits();
  rows(0, {1});
  reader->afterwards = PollResult::kFinished;
  EXPECT_EQ(read(), "1 | watermark max | end");
}

TEST_F(SourceInputTest, AFinishedSplitHoldsNobodyBack) {
  make(periodic());
  add(2);
  input->no_more_splits();
  rows(0, {10});
  rows(1, {500});
  EXPECT_EQ(read(), "10 | 500");
  reader->finished[0] = true;
  EXPECT_EQ(read_at(1'200), "watermark 9 | watermark 499");
}

TEST_F(SourceInputTest, WatermarksOfRecordsComeRightBehindThem) {
  make(punctuated());
  add(1);
  rows(0, {1, 10, 11, 20, 21});
  EXPECT_EQ(read(), "1 10 | watermark 10 | 11 20 | watermark 20 | 21");
  rows(0, {10, 15, 30});
  EXPECT_EQ(read(), "10 15 30 | watermark 30") << "a lower one is no watermark";
}

TEST_F(SourceInputTest, WatermarksOfRecordsAreCombinedOverSplits) {
  make(punctuated());
  add(2);
  rows(0, {10, 11});
  EXPECT_EQ(read(), "10 | 11");
  rows(1, {5, 30, 31});
  EXPECT_EQ(read(), "5 30 | watermark 10 | 31");
}

TEST_F(SourceInputTest, TimestampsAreAssignedBeforeWatermarks) {
  WatermarkStrategy strategy = punctuated();
  strategy.make_assigner = [] {
    return harness::timestamps_with(
        [](const Value& v, Timestamp before) { return v.as_int() * 100 + (before == 7 ? 1 : 0); });
  };
  make(std::move(strategy));
  add(1);
  reader->polls.push_back({PollResult::kMore, 0, ints({10}, {7})});
  TaskInput::Item item;
  ASSERT_EQ(input->next(item), TaskInput::Status::kElement);
  EXPECT_EQ(std::get<BatchPtr>(item.element)->timestamp_at(0), 1'001);
  EXPECT_EQ(read(), "watermark 1001");
}

TEST_F(SourceInputTest, BatchModeHasTimestampsButOnlyTheLastWatermark) {
  WatermarkStrategy strategy = punctuated();
  strategy.make_assigner = [] {
    return harness::timestamps_with([](const Value& v, Timestamp) { return v.as_int() + 1; });
  };
  make(std::move(strategy), /*batch_mode=*/true);
  EXPECT_EQ(input->next_time(), kMaxTimestamp);
  add(1);
  input->no_more_splits();
  rows(0, {10, 20});
  reader->afterwards = PollResult::kFinished;
  TaskInput::Item item;
  ASSERT_EQ(input->next(item), TaskInput::Status::kElement);
  EXPECT_EQ(std::get<BatchPtr>(item.element)->timestamp_at(1), 21);
  EXPECT_EQ(read_at(5'000), "watermark max | end");
}

TEST_F(SourceInputTest, BarriersComeBetweenPolls) {
  make(punctuated());
  add(1);
  rows(0, {1, 10, 11});
  rows(0, {12});
  TaskInput::Item item;
  ASSERT_EQ(input->next(item), TaskInput::Status::kElement);
  EXPECT_EQ(to_text(item.element), "1 10");
  input->trigger_checkpoint({1, 0});
  EXPECT_EQ(input->next_time(), kMinTimestamp);
  EXPECT_EQ(read(), "watermark 10 | 11 | barrier 1 | 12")
      << "positions are behind 11, so 11 belongs before the barrier";
}

TEST_F(SourceInputTest, ABarrierThatWasGivenUpDoesNotCome) {
  make(punctuated());
  add(1);
  input->trigger_checkpoint({1, 0, SnapshotKind::kSavepoint, AfterBarrier::kDrain});
  input->abort_checkpoint(1);
  rows(0, {5});
  EXPECT_EQ(read(), "5") << "nor does the end of time that goes before it";
  input->trigger_checkpoint({2, 0, SnapshotKind::kSavepoint, AfterBarrier::kDrain});
  EXPECT_EQ(read(), "watermark max | barrier 2");
}

TEST_F(SourceInputTest, SnapshotsHoldTheSplitsWithPositions) {
  make({});
  input->add_splits({{"a", "12"}, {"b", std::string("\0\xff", 2)}});
  OperatorSnapshot snapshot;
  input->snapshot(3, snapshot);
  const auto& splits = snapshot.list_state.at(kSplitsState);
  ASSERT_EQ(splits.size(), 2u);
  EXPECT_EQ(decode_split(splits[0]).id, "a");
  EXPECT_EQ(decode_split(splits[0]).position, "12");
  EXPECT_EQ(decode_split(splits[1]).position, std::string("\0\xff", 2));
  input->notify_checkpoint_complete(3);
  EXPECT_EQ(reader->checkpoints, (std::vector<CheckpointId>{3, -3}));
  input->close();
  EXPECT_TRUE(reader->closed);
}

TEST_F(SourceInputTest, AReaderThatSkipsRowsDoesNotKeepTheTask) {
  make({});
  add(1);
  reader->afterwards = PollResult::kMore;  // and never a row
  TaskInput::Item item;
  EXPECT_EQ(input->next(item), TaskInput::Status::kIdle);
  EXPECT_LT(reader->polled, 100);
  EXPECT_EQ(input->next_time(), kMinTimestamp) << "asked again at once, between letters";
  input->trigger_checkpoint({1, 0});
  EXPECT_EQ(input->next(item), TaskInput::Status::kElement);
  EXPECT_EQ(to_text(item.element), "barrier 1");
}

TEST_F(SourceInputTest, NoRowIsLostWhenTheLastPollBringsRowsAndTheEnd) {
  make({});
  add(1);
  input->no_more_splits();
  reader->polls.push_back({PollResult::kFinished, 0, ints({1, 2})});
  EXPECT_EQ(read(), "1 2 | watermark max | end");
}

TEST_F(SourceInputTest, SplitsThatComeLateAreRead) {
  make(periodic());
  add(1);
  rows(0, {100});
  EXPECT_EQ(read(), "100");
  EXPECT_EQ(read_at(1'200), "watermark 99");
  add(1);
  rows(1, {40});
  EXPECT_EQ(read(), "40");
  rows(0, {300});
  EXPECT_EQ(read(), "300");
  EXPECT_EQ(read_at(1'400), "") << "the new split holds back, but nothing falls";
}

TEST_F(SourceInputTest, AfterBackpressureTheEndIsNotSaidToBeIdle) {
  make(periodic(/*idle_timeout_ms=*/500));
  add(1);
  input->no_more_splits();
  rows(0, {100});
  EXPECT_EQ(read(), "100");
  reader->afterwards = PollResult::kFinished;
  reader->finished[0] = true;
  EXPECT_EQ(read_at(61'000), "watermark 99 | watermark max | end");
}

TEST_F(SourceInputTest, AReaderIsClosedWithoutTheHostsLockUnlessItUsesTheHost) {
  LockHost host;
  int held_at_close = -1;
  reader->on_close = [&] { held_at_close = host.held; };
  for (const bool uses_host : {false, true}) {
    SourceInput::Options options;
    options.reader = std::make_unique<FakeReader>(reader);
    options.clock = &clock;
    options.reader_uses_host = uses_host;
    SourceInput plain(std::move(options));
    const HostScope scope;
    const HostScope nested;
    plain.close();
    EXPECT_EQ(held_at_close, uses_host ? 2 : 0);
    EXPECT_EQ(host.held, 2);
  }
  EXPECT_EQ(host.held, 0);
}

}  // namespace
}  // namespace flott
