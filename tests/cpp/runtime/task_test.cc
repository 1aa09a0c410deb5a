#include "runtime/task.h"

#include "base/error.h"
#include "runtime_support.h"

#include <gtest/gtest.h>

#include <deque>
#include <future>
#include <thread>

namespace flott {
namespace {

constexpr auto kPatience = std::chrono::seconds(30);

/// Elements from the test's thread; `next_time` as the test sets it.
class ScriptedInput final : public TaskInput {
 public:
  explicit ScriptedInput(std::shared_ptr<TaskSignal> signal) : signal_(std::move(signal)) {}
  Status next(Item& out) override {
    const std::lock_guard lock(mutex_);
    ++asked_;
    if (elements_.empty()) {
      if (breaks_) {
        throw Error(ErrorKind::kExternal, "no more of it");
      }
      return ended_ ? Status::kEnd : Status::kIdle;
    }
    out = {0, std::move(elements_.front())};
    elements_.pop_front();
    ended_ = std::holds_alternative<EndOfInput>(out.element);
    return Status::kElement;
  }
  Timestamp next_time() const override { return next_time_; }
  void abort_checkpoint(CheckpointId id) override { *aborted = id; }
  int input_count() const override { return 1; }
  void trigger_checkpoint(CheckpointBarrier barrier) override {
    const std::lock_guard lock(mutex_);
    elements_.emplace_back(barrier);
  }
  void snapshot(CheckpointId id, OperatorSnapshot& out) override {
    out.union_state["id"] = {std::to_string(id)};
  }
  void push(Element element) {
    // The end of input may end the task, and with it this object, before the notification.
    const std::shared_ptr<TaskSignal> signal = signal_;
    {
      const std::lock_guard lock(mutex_);
      elements_.push_back(std::move(element));
    }
    signal->notify();
  }
  int asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

  CheckpointId* aborted = nullptr;
  std::atomic<Timestamp> next_time_{kMaxTimestamp};
  std::atomic<bool> breaks_{false};  ///< behind the last element

 private:
  std::shared_ptr<TaskSignal> signal_;
  mutable std::mutex mutex_;
  std::deque<Element> elements_;
  int asked_ = 0;
  bool ended_ = false;
};

/// Passes records on; what it does else is for the test to say.
class Op final : public Operator {
 public:
  std::function<void(Record&&, Output&)> on_record = [](Record&& r, Output& o) {
    o.emit(std::move(r));
  };
  std::function<bool()> finished = [] { return true; };
  std::function<bool()> prepared = [] { return true; };
  std::function<bool()> is_busy = [] { return false; };
  std::function<void()> on_close = [] {};
  std::function<void(OperatorContext&)> on_open = [](OperatorContext&) {};
  std::function<void(CheckpointId)> on_complete = [](CheckpointId) {};

  void open(OperatorContext& context) override { on_open(context); }
  void process(Record&& record, int, Output& out) override { on_record(std::move(record), out); }
  bool finish(Output&) override { return finished(); }
  bool prepare_snapshot(CheckpointId, Output&) override { return prepared(); }
  bool can_be_busy() const override { return true; }
  bool busy() const override { return is_busy(); }
  void notify_checkpoint_complete(CheckpointId id) override { on_complete(id); }
  void close() override { on_close(); }
};

class TaskTest : public ::testing::Test {
 protected:
  TaskTest() : channels(1, 2'000) {}
  ~TaskTest() override {
    if (thread.joinable()) {
      task->cancel();
      thread.join();
    }
  }
  Op& make() {
    TaskEnvironment environment;
    environment.clock = &clock;
    environment.cancelled = cancelled.get();
    environment.wakeup = [s = signal] { s->notify(); };
    auto op = std::make_unique<Op>();
    Op& out = *op;
    RecordWriter::Options writer;
    writer.channels = channels.all;
    writer.type = LogicalType::of(TypeKind::kBigInt);
    std::vector<OperatorChain::LinkSpec> links(1);
    links[0].name = "op";
    links[0].op = std::move(op);
    links[0].edges.push_back({-1, std::make_unique<RecordWriter>(std::move(writer))});
    auto scripted = std::make_unique<ScriptedInput>(signal);
    input = scripted.get();
    scripted->aborted = &input_aborted;
    Task::Callbacks callbacks;
    callbacks.acknowledge = [this](CheckpointId id, TaskSnapshot snapshot) {
      acknowledged.set_value({id, std::move(snapshot)});
    };
    callbacks.ended = [this](TaskResult result) { ended.set_value(std::move(result)); };
    task = std::make_unique<Task>(
        "Source: orders -> op",
        signal,
        cancelled,
        clock,
        std::move(scripted),
        std::make_unique<OperatorChain>(
            environment, std::move(links), std::vector<OperatorChain::LinkSpec::Edge>{}),
        std::move(callbacks));
    return out;
  }
  void run() {
    thread = std::thread([this] { task->run(); });
  }
  TaskResult result() {
    auto future = ended.get_future();
    EXPECT_EQ(future.wait_for(kPatience), std::future_status::ready);
    TaskResult out = future.get();
    thread.join();
    return out;
  }

  ManualClock clock{1'000};
  Channels channels;
  std::shared_ptr<TaskSignal> signal = std::make_shared<TaskSignal>();
  std::shared_ptr<std::atomic<bool>> cancelled = std::make_shared<std::atomic<bool>>(false);
  ScriptedInput* input = nullptr;
  CheckpointId input_aborted = 0;
  std::promise<std::pair<CheckpointId, TaskSnapshot>> acknowledged;
  std::promise<TaskResult> ended;
  std::unique_ptr<Task> task;
  std::thread thread;
};

TEST_F(TaskTest, RunsItsInputToTheEnd) {
  make();
  input->push(ints({1, 2}));
  input->push(Watermark{5});
  input->push(EndOfInput{});
  run();
  const TaskResult r = result();
  EXPECT_EQ(r.status, TaskResult::Status::kFinished);
  EXPECT_EQ(r.final_snapshot.input.union_state.at("id")[0], "-1");
  ASSERT_EQ(r.final_snapshot.links.size(), 1u);
  EXPECT_EQ(drain(channels[0]), "1 2 | watermark 5 | end");
  EXPECT_FALSE(task->post([] {})) << "nobody reads it";
}

TEST_F(TaskTest, ACheckpointCutsTheStream) {
  make();
  input->push(ints({1}));
  input->push(CheckpointBarrier{7, 0});
  input->push(ints({2}));
  input->push(EndOfInput{});
  run();
  const auto [id, snapshot] = acknowledged.get_future().get();
  EXPECT_EQ(id, 7);
  EXPECT_EQ(snapshot.input.union_state.at("id")[0], "7");
  EXPECT_EQ(result().status, TaskResult::Status::kFinished);
  EXPECT_EQ(drain(channels[0]), "1 | barrier 7 | 2 | end");
}

TEST_F(TaskTest, StopsBehindABarrierThatSaysSoWhenItsCheckpointIsComplete) {
  Op& op = make();
  bool finished = false;
  op.finished = [&] { return finished = true; };
  input->push(ints({1}));
  input->push(CheckpointBarrier{7, 0, SnapshotKind::kSavepoint, AfterBarrier::kStop});
  input->push(ints({2}));
  run();
  EXPECT_EQ(acknowledged.get_future().get().first, 7);
  task->notify_checkpoint_complete(7);
  const TaskResult r = result();
  EXPECT_EQ(r.status, TaskResult::Status::kFinished);
  EXPECT_TRUE(r.final_snapshot.links.empty()) << "the savepoint has it, nobody asks for it again";
  EXPECT_EQ(drain(channels[0]), "1 | barrier 7") << "no end of input: a restore goes on from here";
  EXPECT_FALSE(finished);
}

TEST_F(TaskTest, GoesOnWhenTheCheckpointItStoppedForFails) {
  make();
  input->push(CheckpointBarrier{7, 0, SnapshotKind::kSavepoint, AfterBarrier::kStop});
  input->push(ints({2}));
  input->push(EndOfInput{});
  run();
  acknowledged.get_future().get();
  task->notify_checkpoint_aborted(7);
  EXPECT_EQ(result().status, TaskResult::Status::kFinished);
  EXPECT_EQ(drain(channels[0]), "barrier 7 | 2 | end");
}

TEST_F(TaskTest, DoesNotStopForACheckpointThatHadFailedBefore) {
  make();
  task->notify_checkpoint_aborted(7);
  input->push(CheckpointBarrier{7, 0, SnapshotKind::kSavepoint, AfterBarrier::kStop});
  input->push(EndOfInput{});
  run();
  EXPECT_EQ(result().status, TaskResult::Status::kFinished);
}

TEST_F(TaskTest, ADrainedTaskFinishesItsOperatorsBeforeTheSnapshot) {
  Op& op = make();
  std::string order;
  op.finished = [&] {
    order += "finish ";
    return true;
  };
  op.prepared = [&] {
    order += "prepare ";
    return true;
  };
  input->push(ints({1}));
  input->push(CheckpointBarrier{7, 0, SnapshotKind::kSavepoint, AfterBarrier::kDrain});
  run();
  acknowledged.get_future().get();
  task->notify_checkpoint_complete(7);
  EXPECT_EQ(result().status, TaskResult::Status::kFinished);
  EXPECT_EQ(order, "finish prepare ");
  EXPECT_EQ(drain(channels[0]), "1 | barrier 7");
}

TEST_F(TaskTest, ADrainedTaskCannotGoOn) {
  make();
  input->push(CheckpointBarrier{7, 0, SnapshotKind::kSavepoint, AfterBarrier::kDrain});
  run();
  acknowledged.get_future().get();
  task->notify_checkpoint_aborted(7);
  const TaskResult r = result();
  ASSERT_EQ(r.status, TaskResult::Status::kFailed);
  try {
    std::rethrow_exception(r.error);
  } catch (const Error& error) {
    EXPECT_TRUE(error.retryable()) << error.what();
  }
}

TEST_F(TaskTest, ADrainThatWasGivenUpBeforeItsBarrierCameDoesNotDrain) {
  Op& op = make();
  bool finished = false;
  op.finished = [&] { return finished = true; };
  task->notify_checkpoint_aborted(7);
  input->push(CheckpointBarrier{7, 0, SnapshotKind::kSavepoint, AfterBarrier::kDrain});
  input->push(ints({2}));
  run();
  const TaskResult r = result();
  EXPECT_EQ(r.status, TaskResult::Status::kFailed) << "time has ended before the barrier";
  EXPECT_FALSE(finished);
  EXPECT_EQ(input_aborted, 7) << "one that has the barrier yet drops it";
}

TEST_F(TaskTest, ATriggerReachesAnInputThatWaits) {
  make();
  run();
  task->trigger_checkpoint({3, 0});
  auto future = acknowledged.get_future();
  ASSERT_EQ(future.wait_for(kPatience), std::future_status::ready);
  EXPECT_EQ(future.get().first, 3);
  input->push(EndOfInput{});
  EXPECT_EQ(result().status, TaskResult::Status::kFinished);
}

TEST_F(TaskTest, ACheckpointWaitsForWhatIsInFlight) {
  Op& op = make();
  std::atomic<bool> flushed{false};
  std::promise<void> asked;
  bool told = false;
  op.prepared = [&] {
    if (!std::exchange(told, true)) {
      asked.set_value();
    }
    return flushed.load();
  };
  input->push(CheckpointBarrier{1, 0});
  input->push(ints({1}));
  run();
  asked.get_future().wait();
  EXPECT_TRUE(channels[0].empty());
  flushed = true;
  signal->notify();
  EXPECT_EQ(acknowledged.get_future().get().first, 1);
  input->push(EndOfInput{});
  result();
  EXPECT_EQ(drain(channels[0]), "barrier 1 | 1 | end");
}

TEST_F(TaskTest, AFailureIsReportedWithOperatorAndRecordAndEverythingIsClosed) {
  Op& op = make();
  bool closed = false;
  op.on_record = [](Record&& r, Output&) {
    if (r.value.as_int() == 2) {
      throw Error(ErrorKind::kUserCode, "two");
    }
  };
  op.on_close = [&] { closed = true; };
  input->push(ints({1, 2, 3}));
  run();
  const TaskResult r = result();
  EXPECT_EQ(r.status, TaskResult::Status::kFailed);
  EXPECT_EQ(r.failed_operator, "op");
  EXPECT_EQ(r.failed_record, "2");
  EXPECT_TRUE(closed);
}

TEST_F(TaskTest, AFailureOfTheInputIsTheSourcesAndNotTheLastRecords) {
  make();
  input->breaks_ = true;
  input->push(ints({1, 2, 3}));
  run();
  const TaskResult r = result();
  EXPECT_EQ(r.status, TaskResult::Status::kFailed);
  EXPECT_EQ(r.failed_operator, "Source: orders");
  EXPECT_EQ(r.failed_record, "");
}

TEST_F(TaskTest, AFailureOfCloseFailsAFinishedTask) {
  Op& op = make();
  op.on_close = [] { throw Error(ErrorKind::kExternal, "cannot flush"); };
  input->push(EndOfInput{});
  run();
  const TaskResult r = result();
  EXPECT_EQ(r.status, TaskResult::Status::kFailed);
  EXPECT_EQ(r.failed_operator, "op");
}

TEST_F(TaskTest, CancelledBeforeItRuns) {
  make();
  input->push(ints({1}));
  task->cancel();
  run();
  EXPECT_EQ(result().status, TaskResult::Status::kCancelled);
  EXPECT_TRUE(channels[0].empty());
}

TEST_F(TaskTest, TakesNoInputWhileAnOperatorIsBusyAndDoesNotSpin) {
  Op& op = make();
  std::atomic<bool> busy{true};
  std::atomic<int> looks{0};
  op.is_busy = [&] {
    ++looks;
    return busy.load();
  };
  input->push(ints({1}));
  input->next_time_ = 0;  // the input had something to do long ago
  run();
  // It looks every 10 ms; a task that spins looks a hundred thousand times until the tenth letter
  // is read.
  for (int i = 0; i < 10; ++i) {
    std::promise<void> read;
    ASSERT_TRUE(task->post([&] { read.set_value(); }));
    read.get_future().wait();
  }
  EXPECT_EQ(input->asked(), 0);
  EXPECT_LT(looks, 1'000);
  busy = false;
  input->next_time_ = kMaxTimestamp;
  input->push(EndOfInput{});
  EXPECT_EQ(result().status, TaskResult::Status::kFinished);
}

TEST_F(TaskTest, WaitsForRoomBehindIt) {
  make();
  for (std::int64_t i = 0; i < 50; ++i) {
    input->push(ints(std::vector<std::int64_t>(20, i)));
  }
  input->push(EndOfInput{});
  run();
  std::int64_t rows = 0;
  bool end = false;
  while (!end) {
    EXPECT_LT(channels[0].size_bytes(), 4'000u);
    if (auto element = channels[0].poll()) {
      if (const auto* batch = std::get_if<BatchPtr>(&*element)) {
        rows += (*batch)->num_rows();
      } else {
        end = true;
      }
    } else {
      channels.signal.wait_for(std::chrono::milliseconds(1));
      signal->notify();
    }
  }
  EXPECT_EQ(rows, 1'000);
  EXPECT_EQ(result().status, TaskResult::Status::kFinished);
}

TEST_F(TaskTest, FinishWaitsForWhatIsInFlight) {
  Op& op = make();
  std::atomic<bool> done{false};
  std::function<void()> wake;
  op.on_open = [&](OperatorContext& context) { wake = context.async_wakeup(); };
  std::promise<void> asked;
  bool told = false;
  op.finished = [&] {
    if (!std::exchange(told, true)) {
      asked.set_value();
    }
    return done.load();
  };
  input->push(EndOfInput{});
  run();
  asked.get_future().wait();
  EXPECT_TRUE(channels[0].empty());
  done = true;
  wake();
  EXPECT_EQ(result().status, TaskResult::Status::kFinished);
  EXPECT_EQ(drain(channels[0]), "end");
}

TEST_F(TaskTest, PassesOnThatACheckpointIsDurable) {
  Op& op = make();
  std::promise<CheckpointId> completed;
  op.on_complete = [&](CheckpointId id) { completed.set_value(id); };
  run();
  task->notify_checkpoint_complete(9);
  EXPECT_EQ(completed.get_future().get(), 9);
  input->push(EndOfInput{});
  result();
}

}  // namespace
}  // namespace flott
