// Sinks with two phases in whole jobs: what is published, when, and that it happens once.
#include "connectors/sink_operator.h"
#include "job_support.h"
#include "runtime/task.h"
#include "tests/harness/temporary_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <limits>

namespace flott {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// What the outside world sees.
struct Ledger {
  std::mutex mutex;
  std::vector<std::int64_t> published;
  std::set<std::string> transactions;  ///< committed ones; a second commit changes nothing

  std::vector<std::int64_t> sorted() {
    const std::lock_guard lock(mutex);
    std::vector<std::int64_t> out = published;
    std::sort(out.begin(), out.end());
    return out;
  }
};

/// Publishes integers in transactions that a checkpoint's data can repeat.
class LedgerSink final : public Sink {
 public:
  explicit LedgerSink(std::shared_ptr<Ledger> ledger) : ledger_(std::move(ledger)) {}
  LogicalTypePtr input_type() const override { return LogicalType::of(TypeKind::kBigInt); }
  std::unique_ptr<SinkWriter> create_writer(const SinkWriterContext& context) override {
    return std::make_unique<Writer>(ledger_, context);
  }
  bool has_two_phases() const override { return true; }

 private:
  struct Epoch {
    CheckpointId checkpoint = 0;
    std::string name;
    std::vector<std::int64_t> records;
  };

  class Writer final : public SinkWriter {
   public:
    Writer(std::shared_ptr<Ledger> ledger, const SinkWriterContext& context)
        : ledger_(std::move(ledger)), subtask_(context.subtask) {
      if (context.restored == nullptr) {
        return;
      }
      const auto stored = context.restored->list_state.find("epochs");
      if (stored == context.restored->list_state.end()) {
        return;
      }
      for (const std::string& entry : stored->second) {
        BytesReader in(entry);
        Epoch epoch;
        epoch.name = in.string();
        while (!in.empty()) {
          epoch.records.push_back(in.i64());
        }
        publish(epoch);
      }
    }
    bool claims_state(const std::string& name) const override { return name == "epochs"; }
    void write(const BatchPtr& batch) override {
      for (std::int64_t row = 0; row < batch->num_rows(); ++row) {
        current_.push_back(batch->column(0).data<std::int64_t>()[row]);
      }
    }
    void start_flush() override {}
    bool flushed() override { return true; }
    void snapshot(CheckpointId id, OperatorSnapshot& snapshot) override {
      const bool last = id == kFinalSnapshot;
      if (!current_.empty()) {
        prepared_.push_back({last ? std::numeric_limits<CheckpointId>::max() : id,
                             fmt::format("{}-{}-{}", subtask_, id, current_.front()),
                             std::exchange(current_, {})});
      }
      for (const Epoch& epoch : prepared_) {
        BytesWriter out(snapshot.list_state["epochs"].emplace_back());
        out.string(epoch.name);
        for (const std::int64_t record : epoch.records) {
          out.i64(record);
        }
      }
    }
    void notify_checkpoint_complete(CheckpointId id) override {
      while (!prepared_.empty() && prepared_.front().checkpoint <= id) {
        publish(prepared_.front());
        prepared_.erase(prepared_.begin());
      }
    }
    bool has_uncommitted() const override { return !prepared_.empty() || !current_.empty(); }
    void start_final_commit() override {
      OperatorSnapshot unused;
      snapshot(kFinalSnapshot, unused);
    }
    bool committed() override {
      if (++asked_ < 3) {
        return false;  // a commit takes its time
      }
      notify_checkpoint_complete(std::numeric_limits<CheckpointId>::max());
      return true;
    }

   private:
    void publish(const Epoch& epoch) {
      const std::lock_guard lock(ledger_->mutex);
      if (ledger_->transactions.insert(epoch.name).second) {
        ledger_->published.insert(
            ledger_->published.end(), epoch.records.begin(), epoch.records.end());
      }
    }
    std::shared_ptr<Ledger> ledger_;
    const int subtask_;
    std::vector<std::int64_t> current_;
    std::vector<Epoch> prepared_;
    int asked_ = 0;
  };

  std::shared_ptr<Ledger> ledger_;
};

class TwoPhaseSinkJob : public ::testing::Test {
 protected:
  /// source -> sink, each record an epoch's.
  static void add(Graph& g,
                  std::shared_ptr<VectorSource> source,
                  int parallelism,
                  std::shared_ptr<Ledger> ledger) {
    const int s = g.source(std::move(source), parallelism);
    g.add(
        {.name = "ledger", .parallelism = parallelism, .partition = PartitionStrategy::kRebalance},
        {s},
        make_sink_operator(std::make_shared<LedgerSink>(std::move(ledger))));
  }
  JobOptions checkpointed() const {
    JobOptions out;
    out.checkpoint_directory = root_;
    return out;
  }

  const harness::TemporaryFolder folder_;
  const std::filesystem::path root_ = folder_.path();
  std::shared_ptr<Ledger> ledger_ = std::make_shared<Ledger>();
};

TEST_F(TwoPhaseSinkJob, ABoundedJobPublishesItsLastRecordsWithAFinalCheckpoint) {
  Graph g;
  add(g,
      std::make_shared<VectorSource>(
          std::vector<std::vector<std::int64_t>>{numbers(0, 50), numbers(50, 100)}),
      2,
      ledger_);
  const auto job = start_job(g.graph, checkpointed());
  ASSERT_TRUE(job->wait_for(kPatience));
  EXPECT_EQ(job->status(), JobStatus::kFinished);
  EXPECT_EQ(ledger_->sorted(), numbers(0, 100));
  EXPECT_EQ(job->checkpoints().size(), 1u) << "one final checkpoint, although none is periodic";
}

TEST_F(TwoPhaseSinkJob, WithoutCheckpointsTheEndOfInputPublishes) {
  for (const bool batch : {false, true}) {
    const auto ledger = std::make_shared<Ledger>();
    Graph g;
    add(g,
        std::make_shared<VectorSource>(std::vector<std::vector<std::int64_t>>{numbers(0, 100)}),
        1,
        ledger);
    JobOptions options;
    options.batch_mode = batch;
    options.checkpointing = batch;  // has no effect there
    const auto job = start_job(g.graph, options);
    ASSERT_TRUE(job->wait_for(kPatience));
    EXPECT_EQ(job->status(), JobStatus::kFinished);
    EXPECT_EQ(ledger->sorted(), numbers(0, 100));
    EXPECT_THAT(job->checkpoints(), IsEmpty());
  }
}

TEST_F(TwoPhaseSinkJob, AnEndedSinkPublishesWithTheNextCheckpointOfAJobThatGoesOn) {
  Graph g;
  add(g,
      std::make_shared<VectorSource>(std::vector<std::vector<std::int64_t>>{numbers(0, 10)}),
      1,
      ledger_);
  const auto other = std::make_shared<Ledger>();
  const auto open =
      std::make_shared<VectorSource>(std::vector<std::vector<std::int64_t>>{numbers(10, 20)})
          ->unbounded();
  add(g, open, 1, other);
  const auto job = start_job(g.graph, checkpointed());
  ASSERT_TRUE(eventually(*job, [&] { return open->polled_rows() == 10; }));
  // However far the first sink was when one began, a later one has its end.
  ASSERT_TRUE(eventually(*job, [&] {
    job->trigger_checkpoint();
    return ledger_->sorted().size() == 10;
  }));
  EXPECT_EQ(ledger_->sorted(), numbers(0, 10));
  EXPECT_EQ(other->sorted(), numbers(10, 20));
  job->cancel();
  ASSERT_TRUE(job->wait_for(kPatience));
}

TEST_F(TwoPhaseSinkJob, NothingIsPublishedThatNoCheckpointHolds) {
  Graph g;
  const auto open =
      std::make_shared<VectorSource>(std::vector<std::vector<std::int64_t>>{numbers(0, 20)})
          ->unbounded();
  open->hold(0, 10);
  add(g, open, 1, ledger_);
  const auto job = start_job(g.graph, checkpointed());
  ASSERT_TRUE(eventually(*job, [&] { return open->polled_rows() == 10; }));
  const std::string path = job->trigger_checkpoint();
  ASSERT_TRUE(eventually(*job, [&] { return ledger_->sorted().size() == 10; }));
  open->release();
  ASSERT_TRUE(eventually(*job, [&] { return open->polled_rows() == 20; }));
  job->cancel();
  ASSERT_TRUE(job->wait_for(kPatience));
  EXPECT_EQ(ledger_->sorted(), numbers(0, 10)) << "the rest comes again after a restore";

  Graph again;
  add(again,
      std::make_shared<VectorSource>(std::vector<std::vector<std::int64_t>>{numbers(0, 20)}),
      3,
      ledger_);
  JobOptions restore = checkpointed();
  restore.restore_path = path;
  const auto second = start_job(again.graph, restore);
  ASSERT_TRUE(second->wait_for(kPatience));
  EXPECT_EQ(second->status(), JobStatus::kFinished);
  EXPECT_EQ(ledger_->sorted(), numbers(0, 20));
}

/// source -> a function that fails when told to -> sink
struct FailingJob {
  FailingJob(std::shared_ptr<VectorSource> source, std::shared_ptr<Ledger> ledger) {
    const int s = g.source(std::move(source), 1);
    const int n = g.add({.name = "trap", .type = LogicalType::of(TypeKind::kBigInt)},
                        {s},
                        [failures = failures](int) {
                          return make_map_operator(harness::map_with([failures](Value v) {
                            if (*failures > 0) {
                              --*failures;
                              throw Error(ErrorKind::kUserCode, "the trap");
                            }
                            return v;
                          }));
                        });
    g.add({.name = "ledger"}, {n}, make_sink_operator(std::make_shared<LedgerSink>(ledger)));
  }
  std::shared_ptr<std::atomic<int>> failures = std::make_shared<std::atomic<int>>(0);
  Graph g;
};

JobOptions restarting(JobOptions options) {
  options.restart.kind = RestartOptions::Kind::kFixedDelay;
  options.restart.attempts = 3;
  options.restart.delay_ms = 0;
  return options;
}

TEST_F(TwoPhaseSinkJob, RestartsPublishEverythingOnce) {
  const auto source =
      std::make_shared<VectorSource>(std::vector<std::vector<std::int64_t>>{numbers(0, 60)});
  source->hold(0, 20);
  FailingJob f(source, ledger_);
  const auto job = start_job(f.g.graph, restarting(checkpointed()));
  ASSERT_TRUE(eventually(*job, [&] { return source->polled_rows() == 20; }));
  job->trigger_checkpoint();
  *f.failures = 3;
  source->release();
  ASSERT_TRUE(job->wait_for(kPatience));
  EXPECT_EQ(job->status(), JobStatus::kFinished);
  EXPECT_EQ(job->attempt(), 4);
  EXPECT_EQ(ledger_->sorted(), numbers(0, 60));
}

TEST_F(TwoPhaseSinkJob, ARestartNeverGoesBehindWhatWasPublished) {
  const auto source =
      std::make_shared<VectorSource>(std::vector<std::vector<std::int64_t>>{numbers(0, 60)});
  source->hold(0, 20);
  FailingJob f(source, ledger_);
  JobOptions options = restarting(checkpointed());
  options.retained_checkpoints = 2;
  const auto job = start_job(f.g.graph, options);
  ASSERT_TRUE(eventually(*job, [&] { return source->polled_rows() == 20; }));
  const std::string older = job->trigger_checkpoint();
  const std::string newest = job->trigger_checkpoint();
  {
    std::FILE* const manifest = std::fopen((newest + "/_metadata").c_str(), "a");
    std::fputs("rot", manifest);
    std::fclose(manifest);
  }
  *f.failures = 1;
  source->release();
  ASSERT_TRUE(job->wait_for(kPatience));
  EXPECT_EQ(job->status(), JobStatus::kFailed);
  EXPECT_THAT(message_of(job->result().error), HasSubstr(newest));
  EXPECT_THAT(message_of(job->result().error), HasSubstr("sink 'ledger'"));
  EXPECT_THAT(message_of(job->result().error), HasSubstr(older));
  EXPECT_TRUE(std::filesystem::exists(older)) << "the user has to choose";
}

TEST_F(TwoPhaseSinkJob, AFailureBehindACompleteStopIsFinal) {
  struct FailsToClose : Operator {
    void open(OperatorContext&) override {}
    void process(Record&& record, int, Output& out) override { out.emit(std::move(record)); }
    void close() override { throw Error(ErrorKind::kUserCode, "close() fails"); }
  };
  for (const bool restarts : {true, false}) {
    const auto ledger = std::make_shared<Ledger>();
    Graph g;
    const auto source =
        std::make_shared<VectorSource>(std::vector<std::vector<std::int64_t>>{numbers(0, 60)})
            ->unbounded()
            ->hold(0, 20);
    const int n = g.add({.name = "trap", .type = LogicalType::of(TypeKind::kBigInt)},
                        {g.source(source, 1)},
                        [](int) { return std::make_unique<FailsToClose>(); });
    g.add({.name = "ledger"}, {n}, make_sink_operator(std::make_shared<LedgerSink>(ledger)));
    const auto job = start_job(g.graph, restarts ? restarting(checkpointed()) : checkpointed());
    ASSERT_TRUE(eventually(*job, [&] { return source->polled_rows() == 20; }));
    job->trigger_checkpoint();
    source->release();
    ASSERT_TRUE(eventually(*job, [&] { return source->polled_rows() == 60; }));
    const std::string path =
        job->trigger_savepoint_async({root_ / "saved", AfterBarrier::kStop}).get();
    ASSERT_TRUE(job->wait_for(kPatience)) << "it runs again";
    EXPECT_EQ(job->status(), JobStatus::kFailed);
    EXPECT_EQ(job->attempt(), 1) << "an older checkpoint would publish again";
    EXPECT_EQ(message_of(job->result().error), "close() fails");
    EXPECT_THAT(job->result().error_location, HasSubstr(path));
    EXPECT_THAT(job->result().error_location, HasSubstr("failed while it was stopping"));
    EXPECT_EQ(ledger->sorted(), numbers(0, 60));

    FailingJob again(
        std::make_shared<VectorSource>(std::vector<std::vector<std::int64_t>>{numbers(0, 80)}),
        ledger);
    JobOptions restore = checkpointed();
    restore.restore_path = path;
    const auto second = start_job(again.g.graph, restore);
    ASSERT_TRUE(second->wait_for(kPatience));
    EXPECT_EQ(second->status(), JobStatus::kFinished);
    EXPECT_EQ(ledger->sorted(), numbers(0, 80)) << "each once";
  }
}

TEST_F(TwoPhaseSinkJob, AFinalCheckpointThatCannotBeWrittenFailsTheJobAndPublishesNothing) {
  Graph g;
  const auto source =
      std::make_shared<VectorSource>(std::vector<std::vector<std::int64_t>>{numbers(0, 10)});
  source->hold(0, 5);
  add(g, source, 1, ledger_);
  const auto job = start_job(g.graph, checkpointed());
  ASSERT_TRUE(eventually(*job, [&] { return source->polled_rows() == 5; }));
  std::filesystem::remove_all(root_);
  {
    std::FILE* const in_the_way = std::fopen(root_.c_str(), "w");
    std::fclose(in_the_way);
  }
  source->release();
  ASSERT_TRUE(job->wait_for(kPatience));
  EXPECT_EQ(job->status(), JobStatus::kFailed);
  EXPECT_THAT(message_of(job->result().error), HasSubstr("checkpoint"));
  EXPECT_THAT(ledger_->sorted(), IsEmpty());
}

}  // namespace
}  // namespace flott
