#include "runtime/operator_chain.h"

#include "base/error.h"
#include "harness/fake_host.h"
#include "runtime_support.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace flott {
namespace {

constexpr std::int64_t kNoDeadline = std::numeric_limits<std::int64_t>::max();
using Log = std::vector<std::string>;

/// An operator made of what a test needs; each call is logged as `<name>:<what>`.
struct Script {
  std::string name = {};
  Log* log = nullptr;
  Granularity granularity = Granularity::kRow;
  bool forwards_watermarks = true;
  std::function<void(Record&&, int, Output&)> on_record = [](Record&& r, int, Output& out) {
    out.emit(std::move(r));
  };
  std::function<void(Output&)> on_wakeup = [](Output&) {};
  std::function<void(OperatorContext&)> on_open = [](OperatorContext&) {};
  std::function<void(Output&)> on_finish = [](Output&) {};
  std::function<void(Timestamp, Output&)> on_timer = [](Timestamp, Output&) {};
  std::function<bool()> prepared = [] { return true; };
  std::function<bool()> busy = [] { return false; };
  std::function<void()> on_close = [] {};
  std::string claims = {};  ///< the state that it reads
};

class Scripted final : public Operator {
 public:
  explicit Scripted(Script script) : s_(std::move(script)) {}
  Granularity granularity() const override { return s_.granularity; }
  void open(OperatorContext& context) override {
    note("open");
    s_.on_open(context);
  }
  void process(Record&& record, int input, Output& out) override {
    note(record.value.to_string() + (input == 1 ? " of 2" : ""));
    s_.on_record(std::move(record), input, out);
  }
  void process_batch(const BatchPtr& batch, int input, Output& out) override {
    if (s_.granularity == Granularity::kBatch) {
      note("[" + to_text(Element(batch)) + "]");
      out.emit_batch(batch);
    } else {
      Operator::process_batch(batch, input, out);
    }
  }
  bool process_watermark(Timestamp watermark, std::int64_t deadline_ns, Output& out) override {
    const bool done = Operator::process_watermark(watermark, deadline_ns, out);
    note("watermark " + harness::to_text(watermark) + (done ? "" : " ..."));
    return done;
  }
  bool forwards_watermarks() const override { return s_.forwards_watermarks; }
  void process_status(WatermarkStatus status, Output&) override {
    note(status == WatermarkStatus::kIdle ? "idle" : "active");
  }
  void on_timer(TimeDomain, Timestamp time, const Window&, Output& out) override {
    note("timer " + std::to_string(time));
    s_.on_timer(time, out);
  }
  void on_wakeup(Output& out) override {
    note("wakeup");
    s_.on_wakeup(out);
  }
  bool can_be_busy() const override { return true; }
  bool busy() const override { return s_.busy(); }
  void end_input(int input, Output&) override { note("end_input " + std::to_string(input)); }
  bool finish(Output& out) override {
    note("finish");
    s_.on_finish(out);
    return true;
  }
  bool claims_state(const std::string& name) const override { return name == s_.claims; }
  void before_savepoint() override { note("savepoint"); }
  bool prepare_snapshot(CheckpointId, Output&) override {
    note("prepare");
    return s_.prepared();
  }
  void notify_checkpoint_complete(CheckpointId id) override {
    note("complete " + std::to_string(id));
  }
  void close() override {
    note("close");
    s_.on_close();
  }

 private:
  void note(const std::string& what) {
    if (s_.log != nullptr) {
      s_.log->push_back(s_.name + ":" + what);
    }
  }
  Script s_;
};

/// A chain over scripts, whose leaves write to channels.
class ChainTest : public ::testing::Test {
 protected:
  ChainTest() : channels(4) {
    environment.clock = &clock;
    environment.cancelled = &cancelled;
    environment.wakeup = [this] { ++wakeups; };
  }
  OperatorChain::LinkSpec link(Script script, int parent, SideOutputId side = -1) {
    OperatorChain::LinkSpec spec;
    spec.name = script.name;
    spec.uid = script.name;
    spec.parent = parent;
    spec.side = side;
    spec.input_type = LogicalType::of(TypeKind::kBigInt);
    script.log = &log;
    spec.op = std::make_unique<Scripted>(std::move(script));
    return spec;
  }
  OperatorChain::LinkSpec::Edge edge(std::size_t channel,
                                     SideOutputId side = -1,
                                     LogicalTypePtr type = LogicalType::of(TypeKind::kBigInt)) {
    RecordWriter::Options options;
    options.partitioner.strategy = PartitionStrategy::kForward;
    options.channels = {channels.all[channel]};
    options.type = std::move(type);
    options.object_reuse = environment.object_reuse;
    return {side, std::make_unique<RecordWriter>(std::move(options))};
  }
  void make(std::vector<OperatorChain::LinkSpec> links,
            std::vector<OperatorChain::LinkSpec::Edge> head_edges = {}) {
    chain = std::make_unique<OperatorChain>(environment, std::move(links), std::move(head_edges));
    chain->open();
    log.clear();
  }
  template <typename... Specs>
  static std::vector<OperatorChain::LinkSpec> list(Specs... specs) {
    std::vector<OperatorChain::LinkSpec> out;
    (out.push_back(std::move(specs)), ...);
    return out;
  }
  std::string take_log() {
    std::string out;
    for (const std::string& line : log) {
      out += (out.empty() ? "" : " | ") + line;
    }
    log.clear();
    return out;
  }
  std::string out(std::size_t channel) { return drain(channels[channel]); }

  ManualClock clock{1'000};
  std::atomic<bool> cancelled{false};
  std::atomic<int> wakeups{0};
  TaskEnvironment environment;
  Channels channels;
  Log log;
  std::unique_ptr<OperatorChain> chain;
};

TEST_F(ChainTest, RowsGoDepthFirst) {
  auto last = link({.name = "b"}, 0);
  last.edges.push_back(edge(0));
  make(list(link({.name = "a"}, -1), std::move(last)));
  EXPECT_EQ(chain->process(ints({1, 2}), 0, 0, kNoDeadline), 2);
  EXPECT_EQ(take_log(), "a:1 | b:1 | a:2 | b:2");
  chain->flush();
  EXPECT_EQ(out(0), "1 2");
}

TEST_F(ChainTest, OpensAndClosesEachOnceFromTheEnd) {
  auto specs = list(link({.name = "a"}, -1), link({.name = "b"}, 0));
  chain = std::make_unique<OperatorChain>(
      environment, std::move(specs), std::vector<OperatorChain::LinkSpec::Edge>{});
  chain->open();
  EXPECT_EQ(take_log(), "b:open | a:open");
  EXPECT_FALSE(chain->close());
  EXPECT_EQ(take_log(), "a:close | b:close");
  EXPECT_FALSE(chain->close());
  EXPECT_EQ(take_log(), "");
}

TEST_F(ChainTest, AfterAFailedOpenOnlyTheOpenedAreClosed) {
  auto specs =
      list(link({.name = "a"}, -1),
           link({.name = "b",
                 .on_open = [](OperatorContext&) { throw Error(ErrorKind::kExternal, "no"); }},
                0),
           link({.name = "c"}, 1));
  chain = std::make_unique<OperatorChain>(
      environment, std::move(specs), std::vector<OperatorChain::LinkSpec::Edge>{});
  EXPECT_THROW(chain->open(), Error);
  EXPECT_EQ(chain->failed_operator(), "b");
  EXPECT_FALSE(chain->close());
  EXPECT_EQ(take_log(), "c:open | b:open | b:close | c:close");
}

TEST_F(ChainTest, RestoredStateThatTheOperatorDoesNotReadIsRefusedOrLeftBehindOnRequest) {
  environment.restored_checkpoint = 7;
  const auto restore = [&](const std::function<void(OperatorSnapshot&)>& fill) -> std::string {
    auto spec = link({.name = "sink", .claims = "parts"}, -1);
    spec.uid = "files";
    spec.is_restored = true;
    fill(spec.restored);
    chain = std::make_unique<OperatorChain>(
        environment, list(std::move(spec)), std::vector<OperatorChain::LinkSpec::Edge>{});
    try {
      chain->open();
      return "";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
      return error.what();
    }
  };
  const auto transactions = [](OperatorSnapshot& s) { s.union_state["transactions"] = {"x"}; };
  const std::string text = restore(transactions);
  for (const char* part : {"checkpoint 7",
                           "state 'transactions'",
                           "'sink'",
                           "'files'",
                           "execution.savepoint.ignore-unclaimed-state"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
  }
  EXPECT_NE(restore([](OperatorSnapshot& s) { s.list_state["transactions"] = {"x"}; }), "");
  EXPECT_NE(restore([](OperatorSnapshot& s) { s.broadcast_state["rules"] = "x"; }), "");
  EXPECT_NE(restore([](OperatorSnapshot& s) { s.keyed_state[3] = "x"; }), "");
  EXPECT_EQ(restore([](OperatorSnapshot& s) { s.union_state["parts"] = {"x"}; }), "");
  EXPECT_EQ(restore([](OperatorSnapshot& s) { s.list_state["transactions"] = {}; }), "")
      << "nothing is lost";
  environment.allow_unclaimed_state = true;
  EXPECT_EQ(restore(transactions), "");
}

TEST_F(ChainTest, ASavepointIsToldBeforeItIsPrepared) {
  make(list(link({.name = "a"}, -1)));
  EXPECT_TRUE(chain->prepare_snapshot(1, SnapshotKind::kSavepoint));
  EXPECT_EQ(take_log(), "a:savepoint | a:prepare");
  EXPECT_TRUE(chain->prepare_snapshot(2, SnapshotKind::kCheckpoint));
  EXPECT_EQ(take_log(), "a:prepare");
}

TEST_F(ChainTest, AFailureInCloseDoesNotStopTheOthers) {
  make(list(
      link({.name = "a", .on_close = [] { throw Error(ErrorKind::kExternal, "first"); }}, -1),
      link({.name = "b", .on_close = [] { throw Error(ErrorKind::kExternal, "second"); }}, 0)));
  const std::exception_ptr error = chain->close();
  ASSERT_TRUE(error);
  try {
    std::rethrow_exception(error);
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "first");
  }
  EXPECT_EQ(take_log(), "a:close | b:close");
}

TEST_F(ChainTest, ABatchOperatorGetsRowsCollectedUntilTheFlush) {
  auto last = link({.name = "b", .granularity = Granularity::kBatch}, 0);
  last.edges.push_back(edge(0));
  make(list(link({.name = "a"}, -1), std::move(last)));
  chain->process(ints({1, 2, 3}), 0, 0, kNoDeadline);
  EXPECT_EQ(take_log(), "a:1 | a:2 | a:3");
  chain->flush();
  EXPECT_EQ(take_log(), "b:[1 2 3]");
  EXPECT_EQ(out(0), "1 2 3");
}

TEST_F(ChainTest, CollectedRowsComeBeforeTheWatermarkAndTheBarrier) {
  auto last = link({.name = "b", .granularity = Granularity::kBatch}, 0);
  last.edges.push_back(edge(0));
  make(list(link({.name = "a"}, -1), std::move(last)));
  chain->process(ints({1}), 0, 0, kNoDeadline);
  EXPECT_TRUE(chain->process_watermark(5, kNoDeadline));
  EXPECT_EQ(take_log(), "a:1 | a:watermark 5 | b:[1] | b:watermark 5");
  chain->process(ints({2}), 0, 0, kNoDeadline);
  EXPECT_TRUE(chain->prepare_snapshot(1));
  chain->broadcast(CheckpointBarrier{1, 0});
  EXPECT_EQ(take_log(), "a:2 | a:prepare | b:[2] | b:prepare");
  chain->process(ints({3}), 0, 0, kNoDeadline);
  chain->process_status(WatermarkStatus::kIdle);
  EXPECT_EQ(take_log(), "a:3 | a:idle | b:[3] | b:idle");
  EXPECT_EQ(out(0), "1 | watermark 5 | 2 | barrier 1 | 3 | idle");
}

TEST_F(ChainTest, ManyRowsAreHandedToABatchOperatorInPieces) {
  make(list(link({.name = "a"}, -1), link({.name = "b", .granularity = Granularity::kBatch}, 0)));
  chain->process(ints(std::vector<std::int64_t>(2'500, 7)), 0, 0, kNoDeadline);
  const auto batches = std::count_if(
      log.begin(), log.end(), [](const std::string& s) { return s.starts_with("b:["); });
  EXPECT_EQ(batches, 2) << "two of 1024 rows; the rest waits";
}

TEST_F(ChainTest, ABatchHeadGetsTheWholeBatch) {
  auto head = link({.name = "a", .granularity = Granularity::kBatch}, -1);
  auto last = link({.name = "b"}, 0);
  last.edges.push_back(edge(0));
  make(list(std::move(head), std::move(last)));
  EXPECT_EQ(chain->process(ints({1, 2}), 0, 0, 0), 2) << "even behind the deadline";
  EXPECT_EQ(take_log(), "a:[1 2] | b:1 | b:2");
}

TEST_F(ChainTest, RowsAndBatchesOfOneOperatorKeepTheirOrder) {
  auto head =
      link({.name = "a",
            .on_record =
                [](Record&& r, int, Output& out) {
                  const std::int64_t v = r.value.as_int();
                  out.emit({Value::integer(v), kNoTimestamp, RowKind::kInsert, nullptr});
                  out.emit_batch(ints({v + 1, v + 2}));
                  out.emit({Value::integer(v + 3), kNoTimestamp, RowKind::kInsert, nullptr});
                }},
           -1);
  head.edges.push_back(edge(0));
  auto batch = link({.name = "b", .granularity = Granularity::kBatch}, 0);
  batch.edges.push_back(edge(1));
  make(list(std::move(head), std::move(batch)));
  chain->process(ints({10, 20}), 0, 0, kNoDeadline);
  chain->flush();
  EXPECT_EQ(take_log(), "a:10 | b:[10] | b:[11 12] | a:20 | b:[13 20] | b:[21 22] | b:[23]");
  EXPECT_EQ(out(0), "10 | 11 12 | 13 20 | 21 22 | 23");
  EXPECT_EQ(out(1), "10 | 11 12 | 13 20 | 21 22 | 23");
}

TEST_F(ChainTest, FanOutReceiversDoNotShareMutableObjects) {
  FakeHost host;
  {
    std::vector<std::string> seen;
    const auto change = [&](Record&& r, int, Output&) {
      FakeHost::list_of(r.value).push_back(9);
      seen.push_back(host.repr(r.value.as_object()));
    };
    auto head = link({.name = "a"}, -1);
    head.edges.push_back(edge(0, -1, LogicalType::object()));
    make(list(std::move(head),
              link({.name = "b", .on_record = change}, 0),
              link({.name = "c", .on_record = change}, 0)));
    BatchBuilder builder(LogicalType::object());
    builder.append(host.list({1}));
    chain->process(builder.finish(), 0, 0, kNoDeadline);
    chain->flush();
    EXPECT_EQ(seen, (std::vector<std::string>{"[1, 9]", "[1, 9]"}));
    EXPECT_EQ(out(0), "[1]");
    chain->close();
    chain.reset();
  }
  EXPECT_EQ(host.live(), 0);
}

TEST_F(ChainTest, FanOutOfBatchesIsIsolatedToo) {
  FakeHost host;
  {
    std::vector<std::string> seen;
    const auto change = [&](Record&& r, int, Output&) {
      FakeHost::list_of(r.value).push_back(9);
      seen.push_back(host.repr(r.value.as_object()));
    };
    std::vector<OperatorChain::LinkSpec::Edge> head_edges;
    head_edges.push_back(edge(0, -1, LogicalType::object()));
    // The task's input itself feeds two operators and an edge.
    make(list(link({.name = "b", .on_record = change}, -1),
              link({.name = "c", .on_record = change}, -1)),
         std::move(head_edges));
    BatchBuilder builder(LogicalType::object());
    builder.append(host.list({1}));
    chain->process(builder.finish(), 0, 0, kNoDeadline);
    EXPECT_EQ(seen, (std::vector<std::string>{"[1, 9]", "[1, 9]"}));
    EXPECT_EQ(out(0), "[1]");
    chain->close();
    chain.reset();
  }
  EXPECT_EQ(host.live(), 0);
}

TEST_F(ChainTest, ObjectReuseCopiesNothing) {
  FakeHost host;
  environment.object_reuse = true;
  {
    make(list(link({.name = "a"}, -1), link({.name = "b"}, 0), link({.name = "c"}, 0)));
    BatchBuilder builder(LogicalType::object());
    builder.append(host.list({1}));
    chain->process(builder.finish(), 0, 0, kNoDeadline);
    EXPECT_EQ(host.copies(), 0);
    chain.reset();
  }
  EXPECT_EQ(host.live(), 0);
}

TEST_F(ChainTest, SideOutputsGoToTheirReadersOnly) {
  auto head = link({.name = "a",
                    .on_record =
                        [](Record&& r, int, Output& out) {
                          const SideOutputId side = static_cast<SideOutputId>(r.value.as_int());
                          out.emit_side(side, std::move(r));
                        }},
                   -1);
  head.edges.push_back(edge(0));
  head.edges.push_back(edge(1, 2));
  make(list(std::move(head), link({.name = "one"}, 0, 1), link({.name = "main"}, 0)));
  chain->process(ints({1, 2, 3}), 0, 0, kNoDeadline);
  chain->flush();
  EXPECT_EQ(take_log(), "a:1 | one:1 | a:2 | a:3") << "nobody reads side 3";
  EXPECT_EQ(out(0), "");
  EXPECT_EQ(out(1), "2");
  chain->process_watermark(7, kNoDeadline);
  EXPECT_EQ(take_log(), "a:watermark 7 | one:watermark 7 | main:watermark 7");
  EXPECT_EQ(out(0), "watermark 7");
  EXPECT_EQ(out(1), "watermark 7") << "side outputs have the same event time";
}

TEST_F(ChainTest, WatermarksGoInBoundedSteps) {
  // Five timers; a deadline in the past lets one fire a step.
  OperatorContext* context = nullptr;
  auto keyed = link({.name = "k",
                     .on_record = [](Record&&, int, Output&) {},
                     .on_open = [&](OperatorContext& c) { context = &c; },
                     .on_timer =
                         [](Timestamp time, Output& out) {
                           out.emit({Value::integer(time), time, RowKind::kInsert, nullptr});
                         }},
                    -1);
  keyed.keyed = true;
  keyed.edges.push_back(edge(0));
  make(list(std::move(keyed), link({.name = "b"}, 0)));
  const OwnedKey key(Value::integer(1));
  context->keyed_state().set_current_key(key.key);
  for (const Timestamp time : {10, 20, 30}) {
    context->timers().register_timer(TimeDomain::kEventTime, {}, time);
  }
  EXPECT_FALSE(chain->process_watermark(25, 0));
  EXPECT_EQ(take_log(), "k:timer 10 | b:10 | k:watermark 25 ...");
  EXPECT_EQ(context->timers().current_watermark(), 25) << "as seen by timers, like upstream";
  chain->flush();
  EXPECT_EQ(out(0), "10") << "the watermark must not overtake the other timer";
  int steps = 1;
  while (!chain->process_watermark(25, 0)) {
    ASSERT_LT(++steps, 5);
  }
  EXPECT_EQ(log.back(), "b:watermark 25");
  chain->flush();
  EXPECT_EQ(out(0), "20 | watermark 25");
}

TEST_F(ChainTest, AGeneratorInTheMiddleStopsWatermarksAndMakesItsOwn) {
  auto generator = link({.name = "g",
                         .forwards_watermarks = false,
                         .on_record =
                             [](Record&& r, int, Output& out) {
                               const Timestamp time = r.value.as_int();
                               out.emit(std::move(r));
                               out.emit_watermark(time - 1);
                             }},
                        0);
  generator.edges.push_back(edge(1));
  auto first = link({.name = "a"}, -1);
  first.edges.push_back(edge(0));
  auto last = link({.name = "b", .granularity = Granularity::kBatch}, 1);
  last.edges.push_back(edge(2));
  make(list(std::move(first), std::move(generator), std::move(last)));
  chain->process(ints({10, 20}), 0, 0, kNoDeadline);
  EXPECT_EQ(take_log(),
            "a:10 | g:10 | b:[10] | b:watermark 9 | a:20 | g:20 | b:[20] | b:watermark 19");
  chain->process_watermark(5, kNoDeadline);
  EXPECT_EQ(take_log(), "a:watermark 5 | g:watermark 5");
  chain->process_status(WatermarkStatus::kIdle);
  EXPECT_EQ(take_log(), "a:idle | g:idle");
  chain->flush();
  EXPECT_EQ(out(0), "10 20 | watermark 5 | idle");
  EXPECT_EQ(out(1), "10 | watermark 9 | 20 | watermark 19");
  EXPECT_EQ(out(2), "10 | watermark 9 | 20 | watermark 19");
}

TEST_F(ChainTest, AsyncWakeUpsReachTheirOperator) {
  std::function<void()> wake;
  auto last = link({.name = "b",
                    .on_wakeup =
                        [](Output& out) {
                          out.emit({Value::integer(5), kNoTimestamp, RowKind::kInsert, nullptr});
                        },
                    .on_open = [&](OperatorContext& c) { wake = c.async_wakeup(); }},
                   0);
  last.edges.push_back(edge(0));
  make(list(link({.name = "a"}, -1), std::move(last)));
  EXPECT_FALSE(chain->has_async_wakeup());
  wake();
  wake();
  EXPECT_EQ(wakeups, 2) << "the task is woken";
  EXPECT_TRUE(chain->has_async_wakeup());
  EXPECT_TRUE(chain->fire_timers(kNoDeadline));
  EXPECT_FALSE(chain->has_async_wakeup());
  EXPECT_EQ(take_log(), "b:wakeup");
  chain->flush();
  EXPECT_EQ(out(0), "5");
  // The function may outlive the operator (a request that comes back late).
  chain->close();
  chain.reset();
  wake();
}

TEST_F(ChainTest, ScheduledWakeUpsComeByTheClock) {
  OperatorContext* context = nullptr;
  make(list(link({.name = "a", .on_open = [&](OperatorContext& c) { context = &c; }}, -1)));
  EXPECT_EQ(chain->next_time(), kMaxTimestamp);
  context->schedule_wakeup(2'000);
  context->schedule_wakeup(1'500);  // replaces the first
  EXPECT_EQ(chain->next_time(), 1'500);
  chain->fire_timers(kNoDeadline);
  EXPECT_EQ(take_log(), "");
  clock.set(1'500);
  chain->fire_timers(kNoDeadline);
  EXPECT_EQ(take_log(), "a:wakeup");
  clock.set(3'000);
  chain->fire_timers(kNoDeadline);
  EXPECT_EQ(take_log(), "");
}

TEST_F(ChainTest, FailuresNameTheInnermostOperatorAndTheRecord) {
  auto throwing = [](Record&& r, int, Output& out) {
    if (r.value.as_int() == 2) {
      throw Error(ErrorKind::kUserCode, "two");
    }
    out.emit(std::move(r));
  };
  make(list(link({.name = "a"}, -1),
            link({.name = "b"}, 0),
            link({.name = "c", .on_record = throwing}, 1),
            link({.name = "d"}, 2)));
  EXPECT_THROW(chain->process(ints({1, 2, 3}), 0, 0, kNoDeadline), Error);
  EXPECT_EQ(chain->failed_operator(), "c");
  EXPECT_EQ(chain->failed_record(), "2");
}

TEST_F(ChainTest, FailuresNameTheRecordThatTheOperatorWasCalledWith) {
  auto hundredfold = [](Record&& r, int, Output& out) {
    r.value = Value::integer(r.value.as_int() * 100);
    out.emit(std::move(r));
  };
  auto throwing = [](Record&& r, int, Output& out) {
    if (r.value.as_int() == 200) {
      throw Error(ErrorKind::kUserCode, "two hundred");
    }
    out.emit(std::move(r));
  };
  make(list(link({.name = "a", .on_record = hundredfold}, -1),
            link({.name = "b", .on_record = throwing}, 0),
            link({.name = "c"}, 1)));
  EXPECT_THROW(chain->process(ints({1, 2, 3}), 0, 0, kNoDeadline), Error);
  EXPECT_EQ(chain->failed_operator(), "b");
  EXPECT_EQ(chain->failed_record(), "200");
}

TEST_F(ChainTest, AFailureInAFlushNamesTheBatchOperator) {
  make(list(
      link({.name = "a"}, -1),
      link({.name = "b", .granularity = Granularity::kBatch}, 0),
      link({.name = "c",
            .on_record = [](Record&&, int, Output&) { throw Error(ErrorKind::kUserCode, "x"); }},
           1)));
  chain->process(ints({1}), 0, 0, kNoDeadline);
  EXPECT_THROW(chain->flush(), Error);
  EXPECT_EQ(chain->failed_operator(), "c");
  EXPECT_EQ(chain->failed_record(), "") << "which record it was is not known any more";
}

TEST_F(ChainTest, ABatchGoesOnAtTheRowWhereTheDeadlineCutIt) {
  make(list(link({.name = "a"}, -1)));
  const BatchPtr batch = ints({1, 2, 3, 4});
  // The deadline has passed before the first row: one row a call.
  EXPECT_EQ(chain->process(batch, 0, 0, 0), 1);
  EXPECT_EQ(take_log(), "a:1");
  EXPECT_EQ(chain->process(batch, 1, 0, 0), 2);
  EXPECT_EQ(chain->process(batch, 2, 1, kNoDeadline), 4);
  EXPECT_EQ(take_log(), "a:2 | a:3 of 2 | a:4 of 2");
}

TEST_F(ChainTest, ARowGoesThroughAllOperatorsOfTheInputBeforeTheNextAndCanPauseBetween) {
  std::vector<OperatorChain::LinkSpec::Edge> head_edges;
  head_edges.push_back(edge(0));
  make(list(link({.name = "a"}, -1), link({.name = "b"}, -1)), std::move(head_edges));
  const BatchPtr batch = ints({1, 2, 3});
  EXPECT_EQ(chain->process(batch, 0, 0, 0), 1);
  EXPECT_EQ(take_log(), "a:1 | b:1");
  EXPECT_EQ(chain->process(batch, 1, 0, kNoDeadline), 3);
  EXPECT_EQ(take_log(), "a:2 | b:2 | a:3 | b:3");
  EXPECT_EQ(out(0), "1 2 3") << "the edge got the batch once, as a whole";
}

TEST_F(ChainTest, ASlowOperatorIsCutSoonBehindTheDeadline) {
  // Every row takes a millisecond by the clock the chain looks at.
  const auto slow = [](Record&&, int, Output&) {
    const std::int64_t until = monotonic_ns() + 1'000'000;
    while (monotonic_ns() < until) {
    }
  };
  make(list(link({.name = "a", .on_record = slow}, -1)));
  const BatchPtr batch = ints(std::vector<std::int64_t>(1'000, 1));
  const std::int64_t row = chain->process(batch, 0, 0, monotonic_ns() + 5'000'000);
  EXPECT_GE(row, 1);
  EXPECT_LE(row, 16);
}

TEST_F(ChainTest, ABusyOperatorGetsNoFurtherRow) {
  int in_flight = 0;
  make(list(link({.name = "a"}, -1),
            link({.name = "b",
                  .on_record = [&](Record&&, int, Output&) { ++in_flight; },
                  .busy = [&] { return in_flight >= 2; }},
                 0)));
  EXPECT_TRUE(chain->ready());
  const BatchPtr batch = ints(std::vector<std::int64_t>(100, 1));
  EXPECT_EQ(chain->process(batch, 0, 0, kNoDeadline), 2);
  EXPECT_FALSE(chain->ready());
  in_flight = 0;
  EXPECT_EQ(chain->process(batch, 2, 0, kNoDeadline), 4);
}

TEST_F(ChainTest, RowsThatYieldManyStopWhenTheChannelIsFull) {
  auto head = link({.name = "a",
                    .on_record =
                        [](Record&&, int, Output& out) {
                          for (int i = 0; i < 1'024; ++i) {
                            out.emit({Value::integer(i), kNoTimestamp, RowKind::kInsert, nullptr});
                          }
                        }},
                   -1);
  head.edges.push_back(edge(0));
  make(list(std::move(head)));
  const std::int64_t row =
      chain->process(ints(std::vector<std::int64_t>(100'000, 1)), 0, 0, kNoDeadline);
  EXPECT_LT(channels[0].size_bytes(), 3u << 20) << "1 MB, and not much more";
  EXPECT_LT(row, 1'000);
  EXPECT_FALSE(chain->ready());
}

TEST_F(ChainTest, WhoHasPreparedACheckpointIsLeftAloneUntilAllHave) {
  bool flushed = false;
  OperatorContext* context = nullptr;
  auto timers = link({.name = "a", .on_open = [&](OperatorContext& c) { context = &c; }}, -1);
  timers.keyed = true;
  auto sink = link({.name = "sink", .prepared = [&] { return flushed; }}, 0);
  make(list(std::move(timers), std::move(sink)));
  const OwnedKey key(Value::integer(1));
  context->keyed_state().set_current_key(key.key);
  context->timers().register_timer(TimeDomain::kProcessingTime, {}, 500);
  EXPECT_FALSE(chain->prepare_snapshot(1));
  EXPECT_EQ(take_log(), "a:prepare | sink:prepare");
  EXPECT_EQ(chain->next_time(), kMaxTimestamp) << "or the task would not wait";
  chain->fire_timers(kNoDeadline);
  EXPECT_EQ(take_log(), "") << "what a emits now would miss the sink's flush";
  flushed = true;
  EXPECT_TRUE(chain->prepare_snapshot(1));
  chain->fire_timers(kNoDeadline);
  EXPECT_EQ(take_log(), "sink:prepare | a:timer 500");
}

TEST_F(ChainTest, FinishEndsInputsInOrderAndFlushes) {
  auto emitting = [](Output& out) {
    out.emit({Value::integer(9), kNoTimestamp, RowKind::kInsert, nullptr});
  };
  auto last = link({.name = "b", .granularity = Granularity::kBatch}, 0);
  last.edges.push_back(edge(0));
  make(list(link({.name = "a", .on_finish = emitting}, -1), std::move(last)));
  chain->end_input(0);
  EXPECT_TRUE(chain->finish());
  EXPECT_EQ(take_log(), "a:end_input 0 | a:finish | b:[9] | b:end_input 0 | b:finish");
  EXPECT_EQ(out(0), "9");
}

/// A keyed operator whose record sets processing timers far ahead, and whose first timer sets more,
/// of which that of the clock is ignored.
class LastTimersTest : public ChainTest {
 protected:
  void start(bool batch_mode) {
    environment.batch_mode = batch_mode;
    OperatorChain::LinkSpec keyed =
        link({.name = "a",
              .on_record =
                  [this](Record&&, int, Output&) {
                    set(TimeDomain::kProcessingTime, 50'000);
                    set(TimeDomain::kProcessingTime, 60'000);
                  },
              .on_open = [this](OperatorContext& c) { context = &c; },
              .on_timer =
                  [this](Timestamp time, Output& out) {
                    if (time == 50'000) {
                      set(TimeDomain::kProcessingTime, 70'000);
                      set(TimeDomain::kEventTime, 5);
                    }
                    out.emit(Record{Value::integer(time), time, RowKind::kInsert, nullptr});
                  }},
             -1);
    keyed.keyed = true;
    make(list(std::move(keyed), link({.name = "b"}, 0)));
    record();
    EXPECT_EQ(take_log(), "a:1");
  }
  void record() {
    auto keys = std::make_shared<KeyColumn>();
    const Value value = Value::integer(1);
    std::string bytes;
    encode_key(value, bytes);
    keys->append(bytes, value);
    chain->process(ints({1})->with_keys(std::move(keys)), 0, 0, kNoDeadline);
  }
  void set(TimeDomain domain, Timestamp time) {
    context->timers().register_timer(domain, {}, time);
  }
  OperatorContext* context = nullptr;
};

TEST_F(LastTimersTest, FireInBatchBeforeTheLastWatermarkGoesOn) {
  start(/*batch_mode=*/true);
  EXPECT_TRUE(chain->process_watermark(40'000, kNoDeadline));
  EXPECT_EQ(take_log(), "a:watermark 40000 | b:watermark 40000") << "it is not their time";
  EXPECT_TRUE(chain->process_watermark(kMaxWatermark, kNoDeadline));
  EXPECT_EQ(take_log(),
            "a:watermark max | a:timer 50000 | b:50000 | a:timer 60000 | b:60000 | "
            "a:timer 5 | b:5 | a:watermark max | b:watermark max");
  EXPECT_EQ(chain->next_time(), kMaxTimestamp);
}

TEST_F(LastTimersTest, FireInBoundedSteps) {
  start(/*batch_mode=*/true);
  int steps = 1;
  while (!chain->process_watermark(kMaxWatermark, 0)) {
    ++steps;
  }
  EXPECT_GE(steps, 2);
  const std::string lines = take_log();
  EXPECT_EQ(lines.find("b:watermark max"), lines.rfind("b:watermark max"));
  EXPECT_LT(lines.find("b:5"), lines.find("b:watermark max"));
}

TEST_F(LastTimersTest, FireAtTheEndWhenNoWatermarkComes) {
  start(/*batch_mode=*/true);
  EXPECT_TRUE(chain->finish());
  EXPECT_EQ(take_log(),
            "a:end_input 0 | a:timer 50000 | b:50000 | a:timer 60000 | b:60000 | "
            "a:finish | b:end_input 0 | b:finish");
}

TEST_F(LastTimersTest, AreDroppedInStreaming) {
  start(/*batch_mode=*/false);
  EXPECT_TRUE(chain->process_watermark(kMaxWatermark, kNoDeadline));
  EXPECT_TRUE(chain->finish());
  EXPECT_EQ(take_log(),
            "a:watermark max | b:watermark max | a:end_input 0 | a:finish | b:end_input 0 | "
            "b:finish");
  EXPECT_EQ(chain->next_time(), kMaxTimestamp);
}

/// A keyed operator whose input is sorted by key: each record sets a timer at its value.
class KeyByKeyTest : public ChainTest {
 protected:
  void start(Granularity granularity) {
    environment.batch_mode = true;
    OperatorChain::LinkSpec keyed =
        link({.name = "a",
              .granularity = granularity,
              .on_record =
                  [this](Record&& record, int, Output& out) {
                    TimerService& timers = context->timers();
                    EXPECT_EQ(timers.current_watermark(), kMinWatermark);
                    timers.register_timer(TimeDomain::kEventTime, {}, record.value.as_int());
                    timers.register_timer(TimeDomain::kProcessingTime, {}, 5);  // long due
                    seen->update(
                        Value::integer((seen->value().is_null() ? 0 : seen->value().as_int()) + 1));
                    out.emit(std::move(record));
                  },
              .on_open =
                  [this](OperatorContext& c) {
                    context = &c;
                    StateDescriptor descriptor;
                    descriptor.name = "seen";
                    seen = &c.keyed_state().value_state(descriptor);
                  },
              .on_timer =
                  [this](Timestamp, Output& out) {
                    EXPECT_EQ(context->timers().current_watermark(), kMaxWatermark);
                    EXPECT_EQ(context->keyed_state().key_count(), 1);
                    out.emit(Record{seen->value(), 0, RowKind::kInsert, nullptr});
                  }},
             -1);
    keyed.keyed = true;
    keyed.key_by_key = true;
    keyed.edges.push_back(edge(0));
    make(list(std::move(keyed)));
  }
  void records(const std::vector<std::int64_t>& keys, const std::vector<std::int64_t>& values) {
    auto column = std::make_shared<KeyColumn>();
    for (const std::int64_t key : keys) {
      const Value value = Value::integer(key);
      std::string bytes;
      encode_key(value, bytes);
      column->append(bytes, value);
    }
    chain->process(ints(values)->with_keys(std::move(column)), 0, 0, kNoDeadline);
  }
  OperatorContext* context = nullptr;
  ValueState* seen = nullptr;
};

TEST_F(KeyByKeyTest, TimersFireAndStateGoesWhenAKeyEnds) {
  start(Granularity::kRow);
  records({1, 1, 2}, {30, 10, 20});
  records({2, 3}, {21, 1});
  EXPECT_TRUE(chain->fire_timers(kNoDeadline));
  EXPECT_EQ(chain->next_time(), kMaxTimestamp) << "timers of the clock wait for the end of the key";
  EXPECT_EQ(
      take_log(),
      "a:30 | a:10 | a:timer 10 | a:timer 30 | a:watermark max | a:timer 5 | a:watermark max | "
      "a:20 | a:21 | a:timer 20 | a:timer 21 | a:watermark max | a:timer 5 | a:watermark max | "
      "a:1");
  EXPECT_TRUE(chain->process_watermark(kMaxWatermark, kNoDeadline));
  EXPECT_EQ(take_log(),
            "a:timer 1 | a:watermark max | a:timer 5 | a:watermark max | a:watermark max");
  EXPECT_EQ(context->keyed_state().key_count(), 0);
  EXPECT_EQ(out(0), "30 10 2 2 2 20 21 2 2 2 1 1 1 | watermark max");
}

TEST_F(KeyByKeyTest, TheLastKeyEndsWithTheInputWhenNoWatermarkComes) {
  start(Granularity::kRow);
  records({1, 2}, {10, 20});
  take_log();
  chain->end_input(0);
  EXPECT_EQ(take_log(),
            "a:timer 20 | a:watermark max | a:timer 5 | a:watermark max | a:end_input 0");
}

TEST_F(KeyByKeyTest, ABatchOperatorGetsTheKeysOneByOne) {
  start(Granularity::kBatch);
  records({1, 1, 2}, {30, 10, 20});
  records({2, 3}, {21, 1});
  EXPECT_EQ(take_log(), "a:[30 10] | a:watermark max | a:[20] | a:[21] | a:watermark max | a:[1]");
}

TEST_F(ChainTest, TwoInputsEndOneByOne) {
  make(list(link({.name = "a"}, -1)));
  chain->end_input(1);
  chain->end_input(0);
  chain->finish();
  EXPECT_EQ(take_log(), "a:end_input 1 | a:end_input 0 | a:finish");
}

TEST_F(ChainTest, WithoutOperatorsTheInputGoesToTheEdges) {
  std::vector<OperatorChain::LinkSpec::Edge> head_edges;
  head_edges.push_back(edge(0));
  make({}, std::move(head_edges));
  chain->process(ints({1, 2}), 0, 0, kNoDeadline);
  chain->process_watermark(3, kNoDeadline);
  chain->process_status(WatermarkStatus::kIdle);
  chain->end_input(0);
  EXPECT_TRUE(chain->finish());
  chain->broadcast(EndOfInput{});
  EXPECT_EQ(out(0), "1 2 | watermark 3 | idle | end");
  EXPECT_EQ(chain->failed_operator(), "");
}

TEST_F(ChainTest, KeyedStateNeedsAKeyedStream) {
  OperatorContext* context = nullptr;
  make(list(link({.name = "a", .on_open = [&](OperatorContext& c) { context = &c; }}, -1)));
  EXPECT_FALSE(context->is_keyed());
  try {
    context->keyed_state();
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kInvalidArgument);
    EXPECT_THAT(e.what(), ::testing::HasSubstr("operator 'a' uses keyed state"));
    EXPECT_THAT(e.what(), ::testing::HasSubstr("key_by"));
  }
  EXPECT_THROW(context->timers(), Error);
}

TEST_F(ChainTest, NotificationsReachEveryOperator) {
  make(list(link({.name = "a"}, -1), link({.name = "b"}, 0)));
  chain->notify_checkpoint_complete(4);
  EXPECT_EQ(take_log(), "a:complete 4 | b:complete 4");
}

}  // namespace
}  // namespace flott
