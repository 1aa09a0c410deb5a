// Whole jobs whose windows wait in vain say why, and jobs that end say what they dropped.
#include "base/log.h"
#include "job/step_executor.h"
#include "job_support.h"
#include "operators/timestamps_and_watermarks_operator.h"
#include "operators/watermark_generators.h"
#include "runtime/stall_watch.h"
#include "windows/window_operator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace flott {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr Timestamp kNow = 1'769'860'800'000;

class EventTimeWatchTest : public testing::Test {
 protected:
  void SetUp() override {
    set_log_sink([this](LogLevel level, std::string_view logger, std::string_view text) {
      if (level == LogLevel::kWarn) {
        lines_.emplace_back(text);
        loggers_.emplace(logger);
      }
    });
  }
  void TearDown() override { set_log_sink({}); }

  static WatermarkStrategy monotonous(std::int64_t idle_timeout_ms = 0) {
    WatermarkStrategy out;
    out.make_generator = make_monotonous_watermarks;
    out.idle_timeout_ms = idle_timeout_ms;
    return out;
  }

  /// Sums of `size_ms` windows over the numbers modulo 3, their values being their timestamps.
  void window(int input,
              int parallelism,
              std::int64_t size_ms,
              TimeCharacteristic time = TimeCharacteristic::kEventTime,
              std::function<std::unique_ptr<Trigger>()> trigger = nullptr) {
    const int keyed = g_.key_by(input, 1, 3);
    const int windows = g_.add({.name = "window",
                                .parallelism = parallelism,
                                .partition = PartitionStrategy::kHash,
                                .keyed = true},
                               {keyed},
                               [=](int) {
                                 WindowOperatorOptions options;
                                 options.assigner = make_tumbling_windows(time, size_ms, 0);
                                 options.trigger = trigger ? trigger()
                                                   : time == TimeCharacteristic::kEventTime
                                                       ? make_event_time_trigger()
                                                       : make_processing_time_trigger();
                                 options.reduce =
                                     harness::reduce_with([](const Value& a, const Value& b) {
                                       return Value::integer(a.as_int() + b.as_int());
                                     });
                                 return make_window_operator(std::move(options));
                               });
    g_.sink(windows, parallelism, out_);
  }

  void wait(StepExecutor& job, int seconds) {
    for (int i = 0; i < seconds / 5; ++i) {
      job.advance(5'000);
    }
  }

  std::vector<std::string> take() { return std::exchange(lines_, {}); }

  Graph g_;
  std::shared_ptr<Collected> out_ = std::make_shared<Collected>();
  std::vector<std::string> lines_;
  std::set<std::string> loggers_;
};

std::shared_ptr<VectorSource> source_of(std::vector<std::vector<std::int64_t>> splits) {
  return std::make_shared<VectorSource>(std::move(splits))->unbounded();
}

TEST_F(EventTimeWatchTest, ASourceWithoutAStrategy) {
  window(g_.source(source_of({numbers(kNow, kNow + 10)}), 1), 2, 60'000);
  StepExecutor job(g_.graph, {}, std::nullopt, kNow);
  job.run_until_idle();
  wait(job, 10);
  EXPECT_THAT(lines_, IsEmpty());
  wait(job, 5);
  EXPECT_THAT(take(),
              ElementsAre(AllOf(HasSubstr("operator 'window', subtask "),
                                HasSubstr("windows and nothing fires: no watermark has come yet"),
                                HasSubstr("'source' has no watermark strategy"))));
  EXPECT_THAT(loggers_, ElementsAre("flott.event_time"));
  wait(job, 600);
  EXPECT_THAT(lines_, IsEmpty());
}

TEST_F(EventTimeWatchTest, ASplitThatSendsNothing) {
  const auto source = source_of({numbers(kNow, kNow + 10), numbers(kNow, kNow + 10)});
  source->hold(1, 0);
  window(g_.source(source, 1, monotonous()), 1, 60'000);
  StepExecutor job(g_.graph, {}, std::nullopt, kNow);
  job.run_until_idle();
  wait(job, 20);
  EXPECT_THAT(take(),
              ElementsAre(AllOf(HasSubstr("split 'split-1' has had no records yet ('source')"),
                                HasSubstr("with_idleness("))));
}

TEST_F(EventTimeWatchTest, ASubtaskWhoseSplitSendsNothingThroughATaskBetween) {
  const auto source = source_of({numbers(kNow, kNow + 10), numbers(kNow, kNow + 10)});
  source->hold(1, 0);
  const int s = g_.source(source, 2, monotonous());
  const int between =
      g_.add({.name = "between",
              .parallelism = 1,
              .partition = PartitionStrategy::kRebalance,
              .type = LogicalType::object()},
             {s},
             [](int) { return make_map_operator(harness::map_with([](Value v) { return v; })); });
  window(between, 1, 60'000);
  StepExecutor job(g_.graph, {}, std::nullopt, kNow);
  job.run_until_idle();
  wait(job, 20);
  EXPECT_THAT(take(),
              ElementsAre(AllOf(HasSubstr("of 'source' has had no records yet and holds back"),
                                HasSubstr("2026-01-31T12:00:00"))));
}

TEST_F(EventTimeWatchTest, ASilentSplitThatIsIdleHoldsBackNobodyButRecordsMustGoOn) {
  const auto source = source_of({numbers(kNow, kNow + 10), numbers(kNow, kNow + 10)});
  source->hold(1, 0);
  window(g_.source(source, 1, monotonous(1'000)), 1, 60'000);
  StepExecutor job(g_.graph, {}, std::nullopt, kNow);
  for (int i = 0; i < 100; ++i) {
    job.advance(400);
  }
  EXPECT_THAT(take(), ElementsAre(HasSubstr("every input is idle")));
}

TEST_F(EventTimeWatchTest, AssignedBehindTheSourceItIsThatOperatorThatIsAsked) {
  const int s = g_.source(source_of({numbers(kNow, kNow + 10)}), 1);
  const int assigned = g_.add({.name = "assign"}, {s}, [](int) {
    TimestampsAndWatermarksOptions options;
    options.generator = make_no_watermarks();
    return make_timestamps_and_watermarks_operator(std::move(options));
  });
  window(assigned, 1, 60'000);
  StepExecutor job(g_.graph, {}, std::nullopt, kNow);
  job.run_until_idle();
  wait(job, 20);
  EXPECT_THAT(take(),
              ElementsAre(HasSubstr("'assign' takes records, but makes no watermark of them")));
}

TEST_F(EventTimeWatchTest, NoMoreRecordsAndAgainWhenTheWatermarkHasRisen) {
  const auto source = source_of({numbers(kNow, kNow + 10)});
  source->hold(0, 5);
  window(g_.source(source, 1, monotonous()), 1, 60'000);
  StepExecutor job(g_.graph, {}, std::nullopt, kNow);
  job.run_until_idle();
  wait(job, 20);
  EXPECT_THAT(take(),
              ElementsAre(AllOf(HasSubstr("the watermark has stood at 2026-01-31T12:00:00"),
                                HasSubstr("no records come"))));
  source->release();
  job.advance(1'000);  // the records
  job.advance(1'000);  // the watermark
  wait(job, 15);
  EXPECT_THAT(lines_, IsEmpty());
  wait(job, 15);
  EXPECT_THAT(take(), ElementsAre(HasSubstr("no records come")));
}

TEST_F(EventTimeWatchTest, TimestampsInSeconds) {
  window(
      g_.source(source_of({numbers(kNow / 1'000, kNow / 1'000 + 10)}), 1, monotonous()), 2, 60'000);
  StepExecutor job(g_.graph, {}, std::nullopt, kNow);
  job.run_until_idle();
  wait(job, 60);
  EXPECT_THAT(take(), ElementsAre(AllOf(HasSubstr("look like seconds"), HasSubstr("'window'"))));
}

TEST_F(EventTimeWatchTest, TimestampsInSecondsOfAShortBoundedJob) {
  window(g_.source(std::make_shared<VectorSource>(std::vector<std::vector<std::int64_t>>{
                       numbers(kNow / 1'000, kNow / 1'000 + 10)}),
                   1,
                   monotonous()),
         2,
         60'000);
  StepExecutor job(g_.graph, {}, std::nullopt, kNow);
  job.run_until_idle();
  EXPECT_TRUE(job.finished());
  EXPECT_THAT(take(), ElementsAre(HasSubstr("look like seconds")));
}

TEST_F(EventTimeWatchTest, ManyLateRecords) {
  std::vector<std::int64_t> values = numbers(kNow, kNow + 50);
  values.push_back(kNow + 120'000);
  const auto source = source_of({[&] {
    std::vector<std::int64_t> all = values;
    for (std::int64_t v = kNow; v < kNow + 50; ++v) {
      all.push_back(v);
    }
    return all;
  }()});
  source->hold(0, 51);
  window(g_.source(source, 1, monotonous()), 1, 60'000);
  StepExecutor job(g_.graph, {}, std::nullopt, kNow);
  job.run_until_idle();
  job.advance(1'000);  // the watermark
  source->release();
  job.run_until_idle();
  wait(job, 5);
  EXPECT_THAT(take(), ElementsAre(HasSubstr("49 % of the records (50 of 101)")));
}

TEST_F(EventTimeWatchTest, TheEndOfTheJobTellsHowManyRecordsWereLate) {
  std::vector<std::int64_t> values = {kNow, kNow + 120'000, kNow + 1, kNow + 120'001};
  const auto source =
      std::make_shared<VectorSource>(std::vector<std::vector<std::int64_t>>{values});
  source->hold(0, 2);
  window(g_.source(source, 1, monotonous()), 2, 60'000);
  StepExecutor job(g_.graph, {}, std::nullopt, kNow);
  job.run_until_idle();
  job.advance(1'000);
  source->release();
  job.run_until_idle();
  EXPECT_TRUE(job.finished());
  EXPECT_THAT(take(),
              ElementsAre(AllOf(HasSubstr("operator 'window' dropped 1 of 4 records (25.0 %)"),
                                HasSubstr("side_output_late_data("))));
  EXPECT_THAT(loggers_, ElementsAre("flott.job"));
}

TEST_F(EventTimeWatchTest, TheEndOfTheJobTellsOfProcessingTimeWindowsThatItCutsOff) {
  window(
      g_.source(
          std::make_shared<VectorSource>(std::vector<std::vector<std::int64_t>>{numbers(0, 9)}), 1),
      2,
      60'000,
      TimeCharacteristic::kProcessingTime);
  StepExecutor job(g_.graph, {}, std::nullopt, kNow);
  job.run_until_idle();
  EXPECT_TRUE(job.finished());
  EXPECT_EQ(out_->size(), 0U);
  EXPECT_THAT(take(),
              ElementsAre(AllOf(HasSubstr("held 3 processing-time windows when its input ended"),
                                HasSubstr("as Apache Flink does"),
                                HasSubstr("BATCH mode"))));
  double dropped = 0;
  for (const auto& [name, value] : job.metrics()) {
    dropped += name.ends_with(kWindowsDroppedAtEnd) ? value : 0;
  }
  EXPECT_EQ(dropped, 3);
}

TEST_F(EventTimeWatchTest, ATriggerThatNeverFires) {
  window(g_.source(std::make_shared<VectorSource>(
                       std::vector<std::vector<std::int64_t>>{numbers(0, 100)}),
                   1,
                   monotonous()),
         2,
         10,
         TimeCharacteristic::kEventTime,
         make_never_trigger);
  StepExecutor job(g_.graph, {}, std::nullopt, kNow);
  job.run_until_idle();
  EXPECT_TRUE(job.finished());
  EXPECT_THAT(take(), ElementsAre(HasSubstr("its windows never fire")));
}

TEST_F(EventTimeWatchTest, AJobWhoseWindowsFireSaysNothing) {
  window(g_.source(std::make_shared<VectorSource>(
                       std::vector<std::vector<std::int64_t>>{numbers(0, 5'000)}),
                   1,
                   monotonous()),
         2,
         1'000);
  StepExecutor job(g_.graph, {}, std::nullopt, kNow);
  while (!job.finished()) {
    job.clock().advance(StallWatch::kIntervalMs);
    job.step();
  }
  EXPECT_EQ(out_->size(), 15U);
  EXPECT_THAT(lines_, IsEmpty());
}

TEST_F(EventTimeWatchTest, BatchModeSaysNothingOfWatermarks) {
  const auto source = std::make_shared<VectorSource>(
      std::vector<std::vector<std::int64_t>>{numbers(kNow, kNow + 10)});
  source->hold(0, 5);
  window(g_.source(source, 1), 1, 60'000);
  JobOptions options;
  options.batch_mode = true;
  StepExecutor job(g_.graph, options, std::nullopt, kNow);
  job.run_until_idle();
  wait(job, 60);
  source->release();
  job.run_until_idle();
  EXPECT_TRUE(job.finished());
  EXPECT_EQ(out_->size(), 3U);
  EXPECT_THAT(lines_, IsEmpty());
}

}  // namespace
}  // namespace flott
