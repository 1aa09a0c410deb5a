#include "connectors/sink_operator.h"

#include "harness/operator_harness.h"

#include <gtest/gtest.h>

namespace flott {
namespace {

/// A sink whose batches settle when the test says so.
class ManualSink final : public Sink {
 public:
  struct Shared {
    std::vector<std::string> calls;
    bool settled = true;
    bool busy = false;
    bool flushes_at_checkpoints = true;
    Timestamp next = kMaxTimestamp;
  };
  class Writer final : public SinkWriter {
   public:
    explicit Writer(Shared& shared) : shared_(shared) {}
    void open() override { shared_.calls.emplace_back("open"); }
    void write(const BatchPtr& batch) override {
      shared_.calls.push_back("write " + std::to_string(batch->num_rows()));
    }
    bool busy() const override { return shared_.busy; }
    void start_flush() override { shared_.calls.emplace_back("start_flush"); }
    bool flushed() override { return shared_.settled; }
    bool flushes_at_checkpoints() const override { return shared_.flushes_at_checkpoints; }
    Timestamp next_time() const override { return shared_.next; }
    void on_time() override {
      shared_.calls.emplace_back("on_time");
      shared_.next = kMaxTimestamp;
    }
    void close() override { shared_.calls.emplace_back("close"); }

   private:
    Shared& shared_;
  };
  explicit ManualSink(Shared& shared) : shared_(shared) {}
  LogicalTypePtr input_type() const override { return LogicalType::of(TypeKind::kBigInt); }
  std::unique_ptr<SinkWriter> create_writer(const SinkWriterContext&) override {
    return std::make_unique<Writer>(shared_);
  }

 private:
  Shared& shared_;
};

class NoOutput final : public Output {
 public:
  void emit(Record&&) override {}
  void emit_batch(BatchPtr) override {}
  void emit_side(SideOutputId, Record&&) override {}
  void emit_watermark(Timestamp) override {}
  void emit_status(WatermarkStatus) override {}
};

using Calls = std::vector<std::string>;

TEST(SinkOperator, FlushesOnceACheckpointAndWaitsUntilItIsSettled) {
  ManualSink::Shared shared;
  ManualClock clock(0);
  {
    harness::OperatorHarness harness(
        std::make_unique<SinkOperator>(std::make_shared<ManualSink>(shared)), {}, clock);
    harness.process(Value::integer(1));
    NoOutput out;
    shared.settled = false;
    EXPECT_FALSE(harness.op().prepare_snapshot(1, out));
    EXPECT_FALSE(harness.op().prepare_snapshot(1, out));
    shared.settled = true;
    EXPECT_TRUE(harness.op().prepare_snapshot(1, out));
    EXPECT_TRUE(harness.op().finish(out));
    shared.busy = true;
    EXPECT_TRUE(harness.op().busy());
  }
  EXPECT_EQ(shared.calls, (Calls{"open", "write 1", "start_flush", "start_flush", "close"}));
}

TEST(SinkOperator, FlushesAgainWhatCameDuringAFlush) {
  ManualSink::Shared shared;
  ManualClock clock(0);
  harness::OperatorHarness harness(
      std::make_unique<SinkOperator>(std::make_shared<ManualSink>(shared)), {}, clock);
  NoOutput out;
  shared.settled = false;
  harness.process(Value::integer(1));
  EXPECT_FALSE(harness.op().prepare_snapshot(1, out));
  harness.process(Value::integer(2));
  EXPECT_FALSE(harness.op().prepare_snapshot(1, out));
  shared.settled = true;
  EXPECT_TRUE(harness.op().prepare_snapshot(1, out));
  EXPECT_EQ(shared.calls, (Calls{"open", "write 1", "start_flush", "write 1", "start_flush"}));
}

TEST(SinkOperator, WithoutAGuaranteeOnlyTheEndOfInputWaitsForTheWriter) {
  ManualSink::Shared shared;
  shared.flushes_at_checkpoints = false;
  shared.settled = false;
  ManualClock clock(0);
  harness::OperatorHarness harness(
      std::make_unique<SinkOperator>(std::make_shared<ManualSink>(shared)), {}, clock);
  harness.process(Value::integer(1));
  NoOutput out;
  EXPECT_TRUE(harness.op().prepare_snapshot(1, out));
  EXPECT_EQ(shared.calls, (Calls{"open", "write 1"}));
  EXPECT_FALSE(harness.op().finish(out));
  shared.settled = true;
  EXPECT_TRUE(harness.op().finish(out));
  EXPECT_EQ(shared.calls, (Calls{"open", "write 1", "start_flush"}));
}

TEST(SinkOperator, CallsTheWriterWhenItsTimeHasCome) {
  ManualSink::Shared shared;
  ManualClock clock(0);
  harness::OperatorHarness harness(
      std::make_unique<SinkOperator>(std::make_shared<ManualSink>(shared)), {}, clock);
  shared.next = 100;
  harness.process(Value::integer(1));
  clock.set(99);
  harness.fire_processing_time();
  EXPECT_EQ(shared.calls, (Calls{"open", "write 1"}));
  clock.set(100);
  harness.fire_processing_time();
  EXPECT_EQ(shared.calls, (Calls{"open", "write 1", "on_time"}));
}

}  // namespace
}  // namespace flott
