// Whole jobs on one thread under a manual clock: no sleeps, always the same order.
#include "job/step_executor.h"

#include "job_support.h"

#include <gtest/gtest.h>

namespace flott {
namespace {

/// Emits [value, time] when a processing-time timer ten seconds after the value fires.
class Alarm final : public ProcessFunction {
 public:
  void process_element(Value&& value, int, ProcessContext& context, Collector&) override {
    (void)value;
    context.register_timer(TimeDomain::kProcessingTime, context.current_processing_time() + 10'000);
  }
  void on_timer(Timestamp time, ProcessContext& context, Collector& out) override {
    out.collect(Value::array({context.current_key(), Value::integer(time)}));
  }
};

std::map<std::int64_t, std::int64_t> counts(std::int64_t records, std::int64_t keys) {
  std::map<std::int64_t, std::int64_t> out;
  for (std::int64_t v = 0; v < records; ++v) {
    ++out[v % keys];
  }
  return out;
}

TEST(StepExecutor, RunsABoundedJobToItsEnd) {
  Graph g;
  auto out = std::make_shared<Collected>();
  const int s = g.source(std::make_shared<VectorSource>(std::vector<std::vector<std::int64_t>>{
                             numbers(0, 50), numbers(50, 100)}),
                         2);
  g.sink(g.count(g.key_by(s, 2, 7), 2), 2, out);
  StepExecutor job(g.graph);
  job.run_until_idle();
  EXPECT_TRUE(job.finished());
  EXPECT_EQ(out->last_by_key(), counts(100, 7));
}

TEST(StepExecutor, ProcessingTimersFireWhenTheClockIsMovedAndNotBefore) {
  Graph g;
  auto out = std::make_shared<Collected>();
  const int s =
      g.source(std::make_shared<VectorSource>(std::vector<std::vector<std::int64_t>>{numbers(0, 3)})
                   ->unbounded(),
               1);
  const int alarm = g.add({.name = "alarm", .partition = PartitionStrategy::kHash, .keyed = true},
                          {g.key_by(s, 1, 3)},
                          [](int) { return make_process_operator(std::make_unique<Alarm>()); });
  g.sink(alarm, 1, out);
  StepExecutor job(g.graph);
  job.run_until_idle();
  job.advance(9'999);
  EXPECT_EQ(out->size(), 0U);
  job.advance(1);
  EXPECT_EQ(out->sorted_text(),
            (std::vector<std::string>{"[0, 10000]", "[1, 10000]", "[2, 10000]"}));
  EXPECT_FALSE(job.finished());
}

TEST(StepExecutor, AnyStepIsAPlaceForACheckpointThatLosesAndDoublesNothing) {
  for (int steps = 0; steps < 12; ++steps) {
    for (const int restored_parallelism : {1, 2, 3}) {
      const auto make = [](int parallelism, std::shared_ptr<Collected> out) {
        auto g = std::make_unique<Graph>();
        const int s =
            g->source(std::make_shared<VectorSource>(std::vector<std::vector<std::int64_t>>{
                          numbers(0, 60), numbers(60, 100), numbers(100, 120)}),
                      parallelism);
        g->sink(g->count(g->key_by(s, parallelism, 11), parallelism), parallelism, std::move(out));
        return g;
      };
      const auto before = make(2, std::make_shared<Collected>());
      std::optional<CheckpointData> checkpoint;
      {
        StepExecutor job(before->graph);
        for (int i = 0; i < steps; ++i) {
          job.step();
        }
        if (job.finished()) {
          break;
        }
        checkpoint = job.checkpoint();
      }
      auto out = std::make_shared<Collected>();
      const auto after = make(restored_parallelism, out);
      StepExecutor job(after->graph, {}, std::move(checkpoint));
      job.run_until_idle();
      EXPECT_TRUE(job.finished());
      // Keys whose last record came before the checkpoint are not emitted again.
      const auto expected = counts(120, 11);
      for (const auto& [key, count] : out->last_by_key()) {
        EXPECT_EQ(count, expected.at(key)) << "steps " << steps << ", key " << key;
      }
    }
  }
}

TEST(StepExecutor, TheFirstFailureIsThrownWithItsPlace) {
  Graph g;
  const int s = g.source(
      std::make_shared<VectorSource>(std::vector<std::vector<std::int64_t>>{numbers(0, 3)}), 1);
  g.sink(g.map("bad map",
               s,
               1,
               [](Value v) -> Value {
                 throw_error(ErrorKind::kUserCode, "no {} please", v.as_int());
               }),
         1,
         std::make_shared<Collected>());
  StepExecutor job(g.graph);
  EXPECT_THROW(job.run_until_idle(), Error);
  EXPECT_EQ(job.error_location(), "operator 'bad map', subtask 1/1, record 0");
}

}  // namespace
}  // namespace flott
