// Whole jobs in C++: sources, tasks, channels and the coordinator together, without the host
// language.
#include "job_support.h"
#include "operators/co_flat_map_operator.h"
#include "operators/reduce_operator.h"
#include "operators/watermark_generators.h"
#include "windows/assigner.h"
#include "windows/trigger.h"
#include "windows/window_operator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace flott {
namespace {

using ::testing::HasSubstr;

std::shared_ptr<VectorSource> vectors(std::vector<std::vector<std::int64_t>> splits) {
  return std::make_shared<VectorSource>(std::move(splits));
}

void finish(Job& job) {
  ASSERT_TRUE(job.wait_for(kPatience)) << "the job does not end";
  EXPECT_EQ(job_status_name(job.status()), "FINISHED")
      << (job.result().error ? message_of(job.result().error) : "");
}

WatermarkStrategy ascending() {
  WatermarkStrategy out;
  out.make_generator = [] { return make_monotonous_watermarks(); };
  return out;
}

/// Emits until it is cancelled.
class Endless final : public ProcessFunction {
 public:
  explicit Endless(std::atomic<std::int64_t>& emitted) : emitted_(emitted) {}
  void open(OperatorContext& context) override { context_ = &context; }
  void process_element(Value&&, int, ProcessContext&, Collector& out) override {
    while (!context_->is_cancelled()) {
      out.collect(Value::integer(++emitted_));
    }
  }
  void on_timer(Timestamp, ProcessContext&, Collector&) override {}

 private:
  std::atomic<std::int64_t>& emitted_;
  OperatorContext* context_ = nullptr;
};

class AtParallelism : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(LocalJob, AtParallelism, ::testing::Values(1, 2, 4));

TEST_P(AtParallelism, MapKeyByAndCountSeeEveryRecordOnce) {
  const int parallelism = GetParam();
  for (const bool chaining : {true, false}) {
    Graph g;
    auto out = std::make_shared<Collected>();
    const int source =
        g.source(vectors({numbers(0, 500), numbers(500, 1000), numbers(1000, 1003)}), parallelism);
    const int mapped = g.map(
        "double", source, parallelism, [](Value v) { return Value::integer(v.as_int() * 2); });
    g.sink(g.count(g.key_by(mapped, parallelism, 20), parallelism), parallelism, out);
    JobOptions options;
    options.chaining = chaining;
    const auto job = start_job(g.graph, options);
    finish(*job);
    EXPECT_EQ(out->size(), 1003u);
    std::map<std::int64_t, std::int64_t> expected;
    for (std::int64_t v = 0; v < 1003; ++v) {
      ++expected[v * 2 % 20];
    }
    // A key stays in one subtask, so its counts arrive in order.
    EXPECT_EQ(out->last_by_key(), expected);
  }
}

TEST_P(AtParallelism, EveryPartitionerDeliversEverything) {
  const int parallelism = GetParam();
  for (const PartitionStrategy strategy : {PartitionStrategy::kForward,
                                           PartitionStrategy::kRebalance,
                                           PartitionStrategy::kRescale,
                                           PartitionStrategy::kShuffle,
                                           PartitionStrategy::kGlobal,
                                           PartitionStrategy::kBroadcast}) {
    SCOPED_TRACE(ship_strategy_name(strategy));
    Graph g;
    auto out = std::make_shared<Collected>();
    const int source = g.source(vectors({numbers(0, 100), numbers(100, 200)}), parallelism);
    g.sink(source, parallelism, out, strategy);
    const auto job = start_job(g.graph, {});
    finish(*job);
    std::vector<std::int64_t> expected;
    const int copies = strategy == PartitionStrategy::kBroadcast ? parallelism : 1;
    for (std::int64_t v = 0; v < 200; ++v) {
      expected.insert(expected.end(), static_cast<std::size_t>(copies), v);
    }
    EXPECT_EQ(out->sorted_ints(), expected);
    if (strategy == PartitionStrategy::kGlobal) {
      for (const Collected::Item& item : out->items()) {
        ASSERT_EQ(item.subtask, 0);
      }
    }
    if (strategy == PartitionStrategy::kRebalance) {
      std::set<int> subtasks;
      for (const Collected::Item& item : out->items()) {
        subtasks.insert(item.subtask);
      }
      EXPECT_EQ(subtasks.size(), static_cast<std::size_t>(parallelism));
    }
  }
}

TEST(LocalJob, RescaleAndRebalanceBetweenUnequalParallelism) {
  for (const auto& [up, down] : {std::pair{2, 4}, {4, 2}, {3, 2}, {2, 3}, {1, 4}, {4, 1}}) {
    for (const PartitionStrategy strategy :
         {PartitionStrategy::kRescale, PartitionStrategy::kRebalance}) {
      Graph g;
      auto out = std::make_shared<Collected>();
      const int source = g.source(
          vectors({numbers(0, 50), numbers(50, 100), numbers(100, 150), numbers(150, 200)}), up);
      g.sink(source, down, out, strategy);
      const auto job = start_job(g.graph, {});
      finish(*job);
      EXPECT_EQ(out->sorted_ints(), numbers(0, 200));
      std::set<int> subtasks;
      for (const Collected::Item& item : out->items()) {
        subtasks.insert(item.subtask);
      }
      EXPECT_EQ(subtasks.size(), static_cast<std::size_t>(down)) << up << " to " << down;
    }
  }
}

TEST(LocalJob, ACustomPartitionerChoosesTheSubtask) {
  class ByHundred final : public CustomPartitioner {
   public:
    int partition(const Value& value, int) override {
      return static_cast<int>(value.as_int() / 100);
    }
  };
  Graph g;
  auto out = std::make_shared<Collected>();
  const int source = g.source(vectors({numbers(0, 300)}), 1);
  StreamNode sink;
  sink.name = "sink";
  sink.parallelism = 3;
  sink.make_operator = collect_into(out);
  StreamEdge edge;
  edge.source_node = source;
  edge.partitioner.strategy = PartitionStrategy::kCustom;
  edge.partitioner.make_custom = [] { return std::make_unique<ByHundred>(); };
  sink.inputs.push_back(edge);
  g.graph.add(std::move(sink));
  const auto job = start_job(g.graph, {});
  finish(*job);
  EXPECT_EQ(out->size(), 300u);
  for (const Collected::Item& item : out->items()) {
    ASSERT_EQ(item.subtask, item.value.as_int() / 100);
  }
}

TEST(LocalJob, AUnionReadsAllItsInputs) {
  Graph g;
  auto out = std::make_shared<Collected>();
  const int a = g.source(vectors({numbers(0, 100)}), 1);
  const int b = g.source(vectors({numbers(100, 200)}), 2);
  g.add({.name = "sink", .parallelism = 2, .partition = PartitionStrategy::kRebalance},
        {a, b},
        collect_into(out));
  const auto job = start_job(g.graph, {});
  finish(*job);
  EXPECT_EQ(out->sorted_ints(), numbers(0, 200));
}

TEST(LocalJob, AnOperatorMayFeedTwo) {
  for (const bool chaining : {true, false}) {
    Graph g;
    auto a = std::make_shared<Collected>();
    auto b = std::make_shared<Collected>();
    const int source = g.source(vectors({numbers(0, 50)}), 1);
    const int mapped = g.map("map", source, 1, [](Value v) { return v; });
    g.sink(mapped, 1, a);
    g.sink(mapped, 2, b, PartitionStrategy::kRebalance);
    JobOptions options;
    options.chaining = chaining;
    const auto job = start_job(g.graph, options);
    finish(*job);
    EXPECT_EQ(a->sorted_ints(), numbers(0, 50));
    EXPECT_EQ(b->sorted_ints(), numbers(0, 50));
  }
}

TEST(LocalJob, SideOutputsReachTheirReaders) {
  for (const bool chaining : {true, false}) {
    Graph g;
    auto even = std::make_shared<Collected>();
    auto odd = std::make_shared<Collected>();
    const int source = g.source(vectors({numbers(0, 100)}), 1);
    const int split = g.add({.name = "split"}, {source}, [](int) {
      return make_flat_map_operator(harness::flat_map_with([](Value v, Collector& out) {
        if (v.as_int() % 2 == 0) {
          out.collect(v);
        } else {
          out.collect_side(7, v);
        }
      }));
    });
    g.sink(split, 1, even);
    StreamNode sink;
    sink.name = "odd";
    sink.make_operator = collect_into(odd);
    StreamEdge edge;
    edge.source_node = split;
    edge.side = 7;
    sink.inputs.push_back(edge);
    g.graph.add(std::move(sink));
    JobOptions options;
    options.chaining = chaining;
    const auto job = start_job(g.graph, options);
    finish(*job);
    EXPECT_EQ(even->size(), 50u);
    EXPECT_EQ(odd->size(), 50u);
    for (const Collected::Item& item : odd->items()) {
      ASSERT_EQ(item.value.as_int() % 2, 1);
    }
  }
}

TEST(LocalJob, ACallThatEmitsAndEmitsWaitsForTheReader) {
  constexpr std::int64_t kRows = 500'000;
  Graph g;
  auto out = std::make_shared<Collected>();
  auto valve = std::make_shared<Valve>();
  valve->closed = true;
  std::atomic<std::int64_t> emitted{0};
  std::atomic<std::int64_t> lead{0};
  const int source = g.source(vectors({{1}}), 1);
  const int many = g.add({.name = "many"}, {source}, [&](int) {
    return make_flat_map_operator(harness::flat_map_with([&](const Value&, Collector& to) {
      for (std::int64_t i = 0; i < kRows; ++i) {
        to.collect(Value::integer(i));
        emitted = i + 1;
        lead = std::max<std::int64_t>(lead, i - static_cast<std::int64_t>(out->size()));
      }
    }));
  });
  g.sink(many, 1, out, PartitionStrategy::kRebalance, valve);
  JobOptions options;
  options.chaining = false;
  options.channel_capacity_bytes = 16 << 10;
  const auto job = start_job(g.graph, options);
  ASSERT_TRUE(eventually(*job, [&] { return emitted > 1'000; }));
  valve->closed = false;
  finish(*job);
  EXPECT_EQ(out->size(), static_cast<std::size_t>(kRows));
  // Four times the capacity, at 16 bytes a number (4,096), and a batch or two on their way.
  EXPECT_LT(lead, 3 * 4'096);
}

TEST(LocalJob, ACallThatWaitsForTheReaderCanBeCancelled) {
  Graph g;
  auto out = std::make_shared<Collected>();
  auto valve = std::make_shared<Valve>();
  valve->closed = true;
  std::atomic<std::int64_t> emitted{0};
  const int source = g.source(vectors({{1}}), 1);
  const int many = g.add({.name = "endless"}, {source}, [&](int) {
    return make_process_operator(std::make_unique<Endless>(emitted));
  });
  g.sink(many, 1, out, PartitionStrategy::kRebalance, valve);
  JobOptions options;
  options.chaining = false;
  options.channel_capacity_bytes = 16 << 10;
  const auto job = start_job(g.graph, options);
  ASSERT_TRUE(eventually(*job, [&] { return emitted > 1'000; }));
  job->cancel();
  ASSERT_TRUE(job->wait_for(kPatience));
  EXPECT_EQ(job_status_name(job->status()), "CANCELED");
}

TEST(LocalJob, TwoInputsAreToldApart) {
  Graph g;
  auto out = std::make_shared<Collected>();
  const int a = g.source(vectors({numbers(0, 30)}), 2);
  const int b = g.source(vectors({numbers(0, 20)}), 1);
  StreamNode node;
  node.name = "connect";
  node.parallelism = 2;
  node.make_operator = [](int) {
    return make_co_flat_map_operator(harness::co_flat_map_with(
        [](Value, int input, Collector& collector) { collector.collect(Value::integer(input)); }));
  };
  for (const int input : {a, b}) {
    StreamEdge edge;
    edge.source_node = input;
    edge.partitioner.strategy = PartitionStrategy::kRebalance;
    edge.input = input == a ? 0 : 1;
    node.inputs.push_back(edge);
  }
  g.sink(g.graph.add(std::move(node)), 2, out);
  const auto job = start_job(g.graph, {});
  finish(*job);
  const std::vector<std::int64_t> inputs = out->sorted_ints();
  EXPECT_EQ(std::count(inputs.begin(), inputs.end(), 0), 30);
  EXPECT_EQ(std::count(inputs.begin(), inputs.end(), 1), 20);
}

TEST_P(AtParallelism, TumblingWindowsFireByTheSourcesWatermarks) {
  const int parallelism = GetParam();
  Graph g;
  auto out = std::make_shared<Collected>();
  const int source =
      g.source(vectors({numbers(0, 100), numbers(0, 100)}), parallelism, ascending());
  const int keyed = g.key_by(source, parallelism, 5);
  const int window =
      g.add({.name = "window",
             .parallelism = parallelism,
             .partition = PartitionStrategy::kHash,
             .keyed = true},
            {keyed},
            [](int) {
              WindowOperatorOptions options;
              options.assigner = make_tumbling_windows(TimeCharacteristic::kEventTime, 10, 0);
              options.trigger = make_event_time_trigger();
              options.reduce = harness::reduce_with([](const Value& a, const Value& b) {
                return Value::integer(a.as_int() + b.as_int());
              });
              return make_window_operator(std::move(options));
            });
  g.sink(window, parallelism, out);
  const auto job = start_job(g.graph, {});
  finish(*job);
  // 10 windows of 5 keys; a key has v and v + 5 of each window, from two splits.
  ASSERT_EQ(out->size(), 50u);
  std::vector<std::int64_t> expected;
  for (std::int64_t start = 0; start < 100; start += 10) {
    for (std::int64_t key = 0; key < 5; ++key) {
      expected.push_back(2 * (start + key + start + key + 5));
    }
  }
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(out->sorted_ints(), expected);
  for (const Collected::Item& item : out->items()) {
    EXPECT_EQ(item.timestamp % 10, 9);
  }
  for (int i = 0; i < parallelism; ++i) {
    const std::vector<Timestamp> watermarks = out->watermarks(i);
    ASSERT_FALSE(watermarks.empty());
    EXPECT_TRUE(std::is_sorted(watermarks.begin(), watermarks.end()));
    EXPECT_EQ(watermarks.back(), kMaxWatermark);
    EXPECT_EQ(std::count(watermarks.begin(), watermarks.end(), kMaxWatermark), 1);
  }
}

TEST(LocalJob, ProcessingTimersFireByTheClock) {
  ManualClock clock(1'000);
  Graph g;
  auto out = std::make_shared<Collected>();
  const int source = g.source(vectors({numbers(0, 3)})->unbounded(), 1);
  const int alarms = g.add({.name = "alarms", .partition = PartitionStrategy::kHash, .keyed = true},
                           {g.key_by(source, 1, 10)},
                           [](int) {
                             return make_process_operator(harness::process_with(
                                 [](Value, int, ProcessContext& context, Collector& collector) {
                                   context.register_timer(TimeDomain::kProcessingTime, 1'500);
                                   collector.collect(Value::integer(-1));
                                 },
                                 [](Timestamp time, ProcessContext&, Collector& collector) {
                                   collector.collect(Value::integer(time));
                                 }));
                           });
  g.sink(alarms, 1, out);
  JobOptions options;
  options.clock = &clock;
  const auto job = start_job(g.graph, options);
  ASSERT_TRUE(out->wait_for_size(3));
  clock.set(1'499);
  EXPECT_FALSE(job->wait_for(std::chrono::milliseconds(5)));
  EXPECT_EQ(out->size(), 3u);
  clock.set(1'500);
  ASSERT_TRUE(out->wait_for_size(6));
  EXPECT_EQ(out->sorted_ints(), (std::vector<std::int64_t>{-1, -1, -1, 1500, 1500, 1500}));
  job->cancel();
  ASSERT_TRUE(job->wait_for(kPatience));
  EXPECT_EQ(job->status(), JobStatus::kCanceled);
}

TEST(LocalJob, ProcessingTimersAreDroppedAtTheEndOfInput) {
  ManualClock clock(1'000);
  Graph g;
  auto out = std::make_shared<Collected>();
  const int alarms = g.add({.name = "alarms", .partition = PartitionStrategy::kHash, .keyed = true},
                           {g.key_by(g.source(vectors({numbers(0, 3)}), 1), 1, 10)},
                           [](int) {
                             return make_process_operator(harness::process_with(
                                 [](Value, int, ProcessContext& context, Collector&) {
                                   context.register_timer(TimeDomain::kProcessingTime, 1'500);
                                 },
                                 [](Timestamp time, ProcessContext&, Collector& collector) {
                                   collector.collect(Value::integer(time));
                                 }));
                           });
  g.sink(alarms, 1, out);
  JobOptions options;
  options.clock = &clock;
  const auto job = start_job(g.graph, options);
  finish(*job);
  EXPECT_EQ(out->size(), 0u);
}

TEST(LocalJob, CancelStopsAJobWhoseSourceWaits) {
  Graph g;
  auto out = std::make_shared<Collected>();
  g.sink(g.source(vectors({numbers(0, 10)})->unbounded(), 2), 2, out);
  const auto job = start_job(g.graph, {});
  ASSERT_TRUE(out->wait_for_size(10));
  EXPECT_EQ(job->status(), JobStatus::kRunning);
  job->cancel();
  job->cancel();
  ASSERT_TRUE(job->wait_for(kPatience));
  EXPECT_EQ(job->result().status, JobStatus::kCanceled);
  EXPECT_FALSE(job->result().error);
  EXPECT_THROW(job->trigger_checkpoint(), Error);
}

TEST(LocalJob, CancelStopsARunningJob) {
  Graph g;
  auto out = std::make_shared<Collected>();
  // Endless: each record makes itself again and again.
  const int source = g.source(vectors({numbers(0, 1'000'000)}), 1);
  g.sink(g.count(g.key_by(source, 1, 10), 2), 2, out);
  const auto job = start_job(g.graph, {});
  ASSERT_TRUE(out->wait_for_size(1));
  job->cancel();
  ASSERT_TRUE(job->wait_for(kPatience));
  EXPECT_TRUE(is_terminal(job->status()));
}

TEST(LocalJob, AFailureWhileItIsBeingCancelledLeavesItCancelled) {
  Graph g;
  auto out = std::make_shared<Collected>();
  std::atomic<bool> entered{false};
  std::atomic<bool> cancelled{false};
  const int map = g.map("map", g.source(vectors({numbers(0, 10)}), 1), 1, [&](Value v) -> Value {
    entered = true;
    while (!cancelled) {
      std::this_thread::yield();
    }
    throw_error(ErrorKind::kUserCode, "too late for {}", v.as_int());
  });
  g.sink(map, 1, out);
  const auto job = start_job(g.graph, {});
  ASSERT_TRUE(eventually(*job, [&] { return entered.load(); }));
  job->cancel();
  cancelled = true;
  ASSERT_TRUE(job->wait_for(kPatience));
  EXPECT_EQ(job->result().status, JobStatus::kCanceled);
}

TEST(LocalJob, CallsThatGoOnAreInterruptedUntilTheTasksHaveEnded) {
  for (const bool cancel : {true, false}) {
    Graph g;
    auto out = std::make_shared<Collected>();
    std::atomic<int> entered{0};
    std::atomic<int> interrupts{0};
    // A job that is cancelled, and one in which another subtask fails.
    const int source = g.source(vectors({numbers(0, 1), numbers(1, 2)})->unbounded(), 2);
    const int map = g.map("map", source, 2, [&](Value v) -> Value {
      ++entered;
      while (v.as_int() == 0 ? interrupts < 2 : entered < 2 || cancel) {
        if (v.as_int() == 1 && interrupts > 0) {
          break;
        }
        std::this_thread::yield();
      }
      throw_error(ErrorKind::kUserCode, "stopped {}", v.as_int());
    });
    g.sink(map, 2, out);
    std::atomic<int> ended{0};
    JobOptions options;
    options.on_thread_end = [&] { ++ended; };
    options.interrupt_calls = [&] { ++interrupts; };
    const auto job = start_job(g.graph, options);
    ASSERT_TRUE(eventually(*job, [&] { return entered == 2; }) || !cancel);
    if (cancel) {
      job->cancel();
    }
    ASSERT_TRUE(job->wait_for(kPatience));
    EXPECT_EQ(job->result().status, cancel ? JobStatus::kCanceled : JobStatus::kFailed);
    EXPECT_GE(interrupts, 2);
    EXPECT_EQ(ended, 2);
    EXPECT_EQ(job->result().error_location.find("record 1") != std::string::npos, !cancel);
  }
}

TEST(LocalJob, BackpressureBoundsWhatIsBuffered) {
  auto valve = std::make_shared<Valve>();
  valve->closed = true;
  Graph g;
  auto out = std::make_shared<Collected>();
  const auto vector_source = vectors({numbers(0, 200'000)})->rows_per_poll(100);
  const int source = g.source(vector_source, 1);
  g.sink(source, 1, out, PartitionStrategy::kRebalance, valve);
  JobOptions options;
  options.channel_capacity_bytes = 20'000;
  const auto job = start_job(g.graph, options);
  // One batch of 100 rows is less than 5 kB: the source stops after a handful.
  std::int64_t before = -1;
  ASSERT_TRUE(eventually(*job, [&] {
    const std::int64_t now = vector_source->polled_rows();
    return now > 0 && std::exchange(before, now) == now;
  }));
  EXPECT_LE(vector_source->polled_rows(), 2'000);
  EXPECT_EQ(out->size(), 0u);
  valve->closed = false;
  finish(*job);
  EXPECT_EQ(out->size(), 200'000u);
}

TEST(LocalJob, CancelStopsAJobBlockedByBackpressure) {
  auto valve = std::make_shared<Valve>();
  valve->closed = true;
  Graph g;
  auto out = std::make_shared<Collected>();
  const auto vector_source = vectors({numbers(0, 100'000)});
  g.sink(g.source(vector_source, 1), 2, out, PartitionStrategy::kRebalance, valve);
  JobOptions options;
  options.channel_capacity_bytes = 1'000;
  const auto job = start_job(g.graph, options);
  ASSERT_TRUE(eventually(*job, [&] { return vector_source->polled_rows() > 0; }));
  job->cancel();
  ASSERT_TRUE(job->wait_for(kPatience));
  EXPECT_EQ(job->status(), JobStatus::kCanceled);
}

TEST(LocalJob, TheDestructorStopsARunningJob) {
  auto out = std::make_shared<Collected>();
  {
    Graph g;
    g.sink(
        g.source(vectors({numbers(0, 10)})->unbounded(), 2), 1, out, PartitionStrategy::kRebalance);
    const auto job = start_job(g.graph, {});
    ASSERT_TRUE(out->wait_for_size(10));
  }
  Graph g;
  g.sink(g.source(vectors({numbers(0, 10)})->unbounded(), 2), 2, out);
  start_job(g.graph, {});  // and one that has hardly begun
}

TEST(LocalJob, AFailureNamesOperatorSubtaskAndRecord) {
  for (const bool chaining : {true, false}) {
    Graph g;
    auto out = std::make_shared<Collected>();
    // One split ends in the failure, the other stays open: the whole job stops.
    const int source = g.source(vectors({numbers(0, 100), numbers(1000, 1010)})->unbounded(), 2);
    const int fine = g.map("fine", source, 2, [](Value v) { return v; });
    const int mapped = g.map("divide", fine, 2, [](Value v) {
      if (v.as_int() == 42) {
        throw_error(ErrorKind::kUserCode, "division by zero");
      }
      return v;
    });
    g.sink(mapped, 2, out);
    JobOptions options;
    options.chaining = chaining;
    const auto job = start_job(g.graph, options);
    ASSERT_TRUE(job->wait_for(kPatience));
    EXPECT_EQ(job->status(), JobStatus::kFailed);
    ASSERT_TRUE(job->result().error);
    EXPECT_EQ(message_of(job->result().error), "division by zero");
    EXPECT_EQ(job->result().error_location, "operator 'divide', subtask 1/2, record 42");
  }
}

TEST(LocalJob, AFailingOpenFailsTheJob) {
  class Broken final : public MapFunction {
   public:
    void open(OperatorContext&) override { throw Error(ErrorKind::kExternal, "no connection"); }
    Value map(Value&& v) override { return std::move(v); }
  };
  Graph g;
  const int source = g.source(vectors({numbers(0, 10)})->unbounded(), 1);
  g.add({.name = "broken"}, {source}, [](int) {
    return make_map_operator(std::make_unique<Broken>());
  });
  const auto job = start_job(g.graph, {});
  ASSERT_TRUE(job->wait_for(kPatience));
  EXPECT_EQ(job->status(), JobStatus::kFailed);
  EXPECT_THAT(job->result().error_location, HasSubstr("'broken'"));
}

TEST(LocalJob, DiscoveryThatFailsFailsTheJob) {
  class Gone final : public Source {
   public:
    Boundedness boundedness() const override { return Boundedness::kBounded; }
    LogicalTypePtr produced_type() const override { return LogicalType::object(); }
    std::vector<SourceSplit> discover_splits(const std::function<bool()>&) override {
      throw Error(ErrorKind::kExternal, "topic 'orders' does not exist");
    }
    std::unique_ptr<SourceReader> create_reader(const SourceReaderContext& c) override {
      return vectors({})->create_reader(c);
    }
  };
  Graph g;
  auto out = std::make_shared<Collected>();
  g.sink(g.source(std::make_shared<Gone>(), 1), 1, out);
  const auto job = start_job(g.graph, {});
  ASSERT_TRUE(job->wait_for(kPatience));
  EXPECT_EQ(job->status(), JobStatus::kFailed);
  EXPECT_EQ(message_of(job->result().error), "topic 'orders' does not exist");
  EXPECT_EQ(job->result().error_location, "source 'source'");
}

TEST(LocalJob, SubtasksWithoutSplitsDoNotHoldBackWatermarks) {
  Graph g;
  auto out = std::make_shared<Collected>();
  ManualClock clock(0);
  // One split for three subtasks, and the source stays open: only idleness lets the windows fire.
  const int source = g.source(vectors({numbers(0, 25)})->unbounded(), 3, ascending());
  const int window = g.add(
      {.name = "window", .parallelism = 2, .partition = PartitionStrategy::kHash, .keyed = true},
      {g.key_by(source, 3, 1)},
      [](int) {
        WindowOperatorOptions options;
        options.assigner = make_tumbling_windows(TimeCharacteristic::kEventTime, 10, 0);
        options.trigger = make_event_time_trigger();
        options.reduce = harness::reduce_with(
            [](const Value& a, const Value& b) { return Value::integer(a.as_int() + b.as_int()); });
        return make_window_operator(std::move(options));
      });
  g.sink(window, 2, out);
  JobOptions options;
  options.clock = &clock;
  const auto job = start_job(g.graph, options);
  ASSERT_TRUE(eventually(*job, [&] {
    clock.advance(50);
    return out->size() == 2;
  }));
  EXPECT_EQ(out->sorted_ints(), (std::vector<std::int64_t>{45, 145}));
}

TEST(LocalJob, MetricsCountRecords) {
  Graph g;
  auto out = std::make_shared<Collected>();
  g.sink(
      g.map("map", g.source(vectors({numbers(0, 77)}), 1), 1, [](Value v) { return v; }), 1, out);
  const auto job = start_job(g.graph, {});
  finish(*job);
  double in = 0;
  for (const auto& [name, value] : job->metrics()) {
    if (name.find(".map.numRecordsIn") != std::string::npos) {
      in += value;
    }
  }
  EXPECT_EQ(in, 77);
  EXPECT_TRUE(job->blocked_operators().empty());
}

TEST(LocalJob, AGraphWithoutSourceIsRefused) {
  EXPECT_THROW(start_job(StreamGraph{}, {}), Error);
}

TEST(LocalJob, ManyShortJobsStartAndEnd) {
  for (int i = 0; i < 30; ++i) {
    Graph g;
    auto out = std::make_shared<Collected>();
    g.sink(g.count(g.key_by(g.source(vectors({numbers(0, i)}), 2), 2, 3), 2), 2, out);
    const auto job = start_job(g.graph, {});
    if (i % 3 == 2) {
      job->cancel();
    }
    ASSERT_TRUE(job->wait_for(kPatience));
    if (i % 3 != 2) {
      EXPECT_EQ(out->size(), static_cast<std::size_t>(i));
    }
  }
}

}  // namespace
}  // namespace flott
