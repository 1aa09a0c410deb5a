#pragma once

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "checkpoint/checkpoint_storage.h"
#include "graph/stream_graph.h"
#include "harness/lambda_functions.h"
#include "job/job.h"
#include "operators/flat_map_operator.h"
#include "operators/key_by_operator.h"
#include "operators/map_operator.h"
#include "operators/process_operator.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace flott {

/// Long enough for a sanitizer build on a busy machine; reached only by a test that fails.
inline constexpr auto kPatience = std::chrono::seconds(30);

/// Asks until it holds; the job ending is looked at between the questions.
inline bool eventually(Job& job, const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) {
      return false;
    }
    job.wait_for(std::chrono::milliseconds(1));
    std::this_thread::yield();
  }
  return true;
}

/// What is under way takes at least that much longer.
inline void prolong(Job& job, std::chrono::nanoseconds by) {
  const std::int64_t until_ns = monotonic_ns() + by.count();
  eventually(job, [&] { return monotonic_ns() >= until_ns; });
}

/// Integers, a vector per split, as a BIGINT column whose timestamps are the values themselves. A
/// split can be held back after some rows (`hold`), and the whole source can stay open at the end
/// (`unbounded`).
class VectorSource final : public Source, public std::enable_shared_from_this<VectorSource> {
 public:
  explicit VectorSource(std::vector<std::vector<std::int64_t>> splits)
      : splits_(std::move(splits)) {
    limits_.resize(splits_.size(), std::numeric_limits<std::int64_t>::max());
  }
  std::shared_ptr<VectorSource> unbounded() {
    unbounded_ = true;
    return shared_from_this();
  }
  std::shared_ptr<VectorSource> rows_per_poll(std::int64_t rows) {
    rows_per_poll_ = rows;
    return shared_from_this();
  }
  /// Not more than `rows` rows of the split until release().
  std::shared_ptr<VectorSource> hold(std::size_t split, std::int64_t rows) {
    const std::lock_guard lock(mutex_);
    limits_[split] = rows;
    return shared_from_this();
  }
  void release() {
    {
      const std::lock_guard lock(mutex_);
      std::fill(limits_.begin(), limits_.end(), std::numeric_limits<std::int64_t>::max());
    }
    wake_up();
  }
  /// `rows` rows of the split may come now.
  void advance(std::size_t split, std::int64_t rows) {
    hold(split, rows);
    wake_up();
  }
  std::int64_t limit(std::size_t split) const {
    const std::lock_guard lock(mutex_);
    return limits_[split];
  }
  std::int64_t polled_rows() const { return polled_rows_; }
  int completed_checkpoints() const { return completed_checkpoints_; }

  Boundedness boundedness() const override {
    return unbounded_ ? Boundedness::kUnbounded : Boundedness::kBounded;
  }
  LogicalTypePtr produced_type() const override { return LogicalType::of(TypeKind::kBigInt); }
  std::vector<SourceSplit> discover_splits(const std::function<bool()>&) override {
    std::vector<SourceSplit> out;
    for (std::size_t i = 0; i < splits_.size(); ++i) {
      out.push_back({"split-" + std::to_string(i), "0"});
    }
    return out;
  }
  std::int64_t discovery_interval_ms() const override { return unbounded_ ? 3'600'000 : 0; }
  std::unique_ptr<SourceReader> create_reader(const SourceReaderContext& context) override {
    const std::lock_guard lock(mutex_);
    wakeups_.push_back(context.wakeup);
    return std::make_unique<Reader>(shared_from_this());
  }

 private:
  class Reader final : public SourceReader {
   public:
    explicit Reader(std::shared_ptr<VectorSource> source) : source_(std::move(source)) {}
    void add_splits(const std::vector<SourceSplit>& splits) override {
      for (const SourceSplit& split : splits) {
        mine_.push_back({split.id, std::stoul(split.id.substr(6)), std::stol(split.position)});
      }
    }
    PollResult poll(SourceBatch& out, std::int64_t max_rows) override {
      bool all_finished = true;
      for (std::size_t tried = 0; tried < mine_.size(); ++tried) {
        const std::size_t index = next_++ % mine_.size();
        Mine& mine = mine_[index];
        const auto& rows = source_->splits_[mine.number];
        const std::int64_t size = static_cast<std::int64_t>(rows.size());
        if (mine.position < size) {
          all_finished = false;
        }
        const std::int64_t end =
            std::min({size,
                      source_->limit(mine.number),
                      mine.position + std::min(max_rows, source_->rows_per_poll_)});
        if (end <= mine.position) {
          continue;
        }
        BatchBuilder builder(source_->produced_type());
        for (; mine.position < end; ++mine.position) {
          const std::int64_t v = rows[static_cast<std::size_t>(mine.position)];
          builder.append(Value::integer(v), v);
        }
        source_->polled_rows_ += builder.num_rows();
        out = {static_cast<int>(index), builder.finish()};
        return PollResult::kMore;
      }
      return all_finished && !source_->unbounded_ ? PollResult::kFinished : PollResult::kIdle;
    }
    std::vector<SourceSplit> positions() override {
      std::vector<SourceSplit> out;
      for (const Mine& mine : mine_) {
        out.push_back({mine.id, std::to_string(mine.position)});
      }
      return out;
    }
    bool split_finished(int index) const override {
      const Mine& mine = mine_[static_cast<std::size_t>(index)];
      return !source_->unbounded_ &&
             mine.position == static_cast<std::int64_t>(source_->splits_[mine.number].size());
    }
    void notify_checkpoint_complete(CheckpointId) override { ++source_->completed_checkpoints_; }

   private:
    struct Mine {
      std::string id;
      std::size_t number;
      std::int64_t position;
    };
    std::shared_ptr<VectorSource> source_;
    std::vector<Mine> mine_;
    std::size_t next_ = 0;
  };

  void wake_up() {
    std::vector<std::function<void()>> wakeups;
    {
      const std::lock_guard lock(mutex_);
      wakeups = wakeups_;
    }
    for (const auto& wakeup : wakeups) {
      wakeup();
    }
  }

  std::vector<std::vector<std::int64_t>> splits_;
  bool unbounded_ = false;
  std::int64_t rows_per_poll_ = 16;
  mutable std::mutex mutex_;
  std::vector<std::int64_t> limits_;
  std::vector<std::function<void()>> wakeups_;
  std::atomic<std::int64_t> polled_rows_{0};
  std::atomic<int> completed_checkpoints_{0};
};

/// What arrived at the end of a job, from all subtasks.
class Collected {
 public:
  struct Item {
    Value value;
    Timestamp timestamp;
    int subtask;
  };
  void add(Item item) {
    {
      const std::lock_guard lock(mutex_);
      items_.push_back(std::move(item));
    }
    changed_.notify_all();
  }
  void add_watermark(int subtask, Timestamp watermark) {
    const std::lock_guard lock(mutex_);
    watermarks_[subtask].push_back(watermark);
  }
  bool wait_for_size(std::size_t size) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return items_.size() >= size; });
  }
  std::vector<Item> items() const {
    const std::lock_guard lock(mutex_);
    return items_;
  }
  std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return items_.size();
  }
  std::vector<std::int64_t> sorted_ints() const {
    std::vector<std::int64_t> out;
    for (const Item& item : items()) {
      out.push_back(item.value.as_int());
    }
    std::sort(out.begin(), out.end());
    return out;
  }
  std::vector<std::string> sorted_text() const {
    std::vector<std::string> out;
    for (const Item& item : items()) {
      out.push_back(item.value.to_string());
    }
    std::sort(out.begin(), out.end());
    return out;
  }
  /// The last value per key of items [key, value].
  std::map<std::int64_t, std::int64_t> last_by_key() const {
    std::map<std::int64_t, std::int64_t> out;
    for (const Item& item : items()) {
      out[item.value.field(0).as_int()] = item.value.field(1).as_int();
    }
    return out;
  }
  std::vector<Timestamp> watermarks(int subtask) const {
    const std::lock_guard lock(mutex_);
    const auto found = watermarks_.find(subtask);
    return found == watermarks_.end() ? std::vector<Timestamp>{} : found->second;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Item> items_;
  std::map<int, std::vector<Timestamp>> watermarks_;
};

/// A gate a sink waits at: closed, it is busy.
struct Valve {
  std::atomic<bool> closed{false};
};

class CollectOperator final : public Operator {
 public:
  CollectOperator(std::shared_ptr<Collected> out, std::shared_ptr<Valve> valve)
      : out_(std::move(out)), valve_(std::move(valve)) {}
  void open(OperatorContext& context) override { subtask_ = context.subtask_index(); }
  void process(Record&& record, int, Output&) override {
    out_->add({record.value.detached(), record.timestamp, subtask_});
  }
  bool process_watermark(Timestamp watermark, std::int64_t, Output&) override {
    out_->add_watermark(subtask_, watermark);
    return true;
  }
  bool can_be_busy() const override { return true; }
  bool busy() const override { return valve_ && valve_->closed; }

 private:
  std::shared_ptr<Collected> out_;
  std::shared_ptr<Valve> valve_;
  int subtask_ = 0;
};

inline OperatorFactory collect_into(std::shared_ptr<Collected> out,
                                    std::shared_ptr<Valve> valve = nullptr) {
  return [out, valve](int) { return std::make_unique<CollectOperator>(out, valve); };
}

/// Everything logged while it lives.
class LogLines {
 public:
  LogLines() {
    set_log_level(LogLevel::kInfo);
    set_log_sink([this](LogLevel, std::string_view, std::string_view message) {
      const std::lock_guard lock(mutex_);
      lines_.emplace_back(message);
    });
  }
  ~LogLines() {
    set_log_sink({});
    set_log_level(LogLevel::kWarn);
  }
  std::vector<std::string> lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

inline double job_metric(const Job& job, const std::string& name) {
  return job.metrics().at("jobmanager." + job.name() + "." + name);
}

/// Something that happens once, or again and again, on one thread, and is waited for on another.
class Event {
 public:
  void happen() {
    {
      const std::lock_guard lock(mutex_);
      ++count_;
    }
    changed_.notify_all();
  }
  int count() const {
    const std::lock_guard lock(mutex_);
    return count_;
  }
  bool wait_for(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return count_ >= count; });
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

/// Checkpoints as `inner` keeps them, but each write can be held up, and made to fail.
class GatedStorage final : public CheckpointStorage {
 public:
  explicit GatedStorage(std::unique_ptr<CheckpointStorage> inner) : inner_(std::move(inner)) {}

  std::string write(const CheckpointData& checkpoint) override {
    arrived.happen();
    bool fails = false;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, kPatience, [this] { return open_ || passes_ > 0; });
      passes_ -= open_ ? 0 : 1;
      fails = failing_.contains(checkpoint.id);
    }
    if (fails) {
      throw Error(ErrorKind::kExternal, "the disk of the test is full");
    }
    return inner_->write(checkpoint);
  }
  void discard(const std::string& path) override { inner_->discard(path); }

  void close_gate() { set_open(false); }
  void open_gate() { set_open(true); }
  /// One write, while the gate is closed.
  void let_through() {
    {
      const std::lock_guard lock(mutex_);
      ++passes_;
    }
    changed_.notify_all();
  }
  void fail(CheckpointId id) {
    const std::lock_guard lock(mutex_);
    failing_.insert(id);
  }

  Event arrived;  ///< a write has begun

 private:
  void set_open(bool open) {
    {
      const std::lock_guard lock(mutex_);
      open_ = open;
    }
    changed_.notify_all();
  }

  const std::unique_ptr<CheckpointStorage> inner_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
  int passes_ = 0;
  std::set<CheckpointId> failing_;
};

/// Passes records; tells when its task has taken its part of a checkpoint and when it has ended,
/// and holds the task up while the valve is closed.
class Probe final : public Operator {
 public:
  struct Shared {
    Valve valve;
    Event snapshots;
    Event closed;
  };
  explicit Probe(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}
  void open(OperatorContext&) override {}
  void process(Record&& record, int, Output& out) override { out.emit(std::move(record)); }
  void snapshot(CheckpointId, OperatorSnapshot&) override { shared_->snapshots.happen(); }
  void close() override { shared_->closed.happen(); }
  bool can_be_busy() const override { return true; }
  bool busy() const override { return shared_->valve.closed; }

 private:
  std::shared_ptr<Shared> shared_;
};

/// Builds graphs in a line or two per operator.
struct Graph {
  StreamGraph graph;

  int source(std::shared_ptr<Source> source, int parallelism, WatermarkStrategy watermarks = {}) {
    StreamNode node;
    node.name = "source";
    node.parallelism = parallelism;
    node.output_type = source->produced_type();
    node.source = std::move(source);
    node.watermarks = std::move(watermarks);
    return graph.add(std::move(node));
  }
  struct Node {
    std::string name;
    int parallelism = 1;
    PartitionStrategy partition = PartitionStrategy::kForward;
    bool keyed = false;
    LogicalTypePtr type = LogicalType::object();
    std::string uid = {};
  };
  int add(Node options, const std::vector<int>& inputs, OperatorFactory factory) {
    StreamNode node;
    node.name = options.name;
    node.uid = options.uid;
    node.parallelism = options.parallelism;
    node.keyed = options.keyed;
    node.output_type = options.type;
    node.make_operator = std::move(factory);
    for (const int input : inputs) {
      StreamEdge edge;
      edge.source_node = input;
      edge.partitioner.strategy = options.partition;
      node.inputs.push_back(std::move(edge));
    }
    return graph.add(std::move(node));
  }
  int map(const std::string& name, int input, int parallelism, std::function<Value(Value)> f) {
    return add({.name = name, .parallelism = parallelism}, {input}, [f](int) {
      return make_map_operator(harness::map_with(f));
    });
  }
  /// By value modulo `keys`.
  int key_by(int input, int parallelism, std::int64_t keys) {
    return add({.name = "key_by", .parallelism = parallelism}, {input}, [keys](int) {
      return make_key_by_operator(
          harness::key_with([keys](const Value& v) { return Value::integer(v.as_int() % keys); }));
    });
  }
  /// Emits [key, how many so far] per record; the count is keyed state.
  int count(int input, int parallelism, const std::string& uid = "count") {
    return add({.name = "count",
                .parallelism = parallelism,
                .partition = PartitionStrategy::kHash,
                .keyed = true,
                .uid = uid},
               {input},
               [](int) { return make_process_operator(std::make_unique<Count>()); });
  }
  int probe(int input, std::shared_ptr<Probe::Shared> shared) {
    return add(
        {.name = "probe"}, {input}, [shared](int) { return std::make_unique<Probe>(shared); });
  }
  int sink(int input,
           int parallelism,
           std::shared_ptr<Collected> out,
           PartitionStrategy partition = PartitionStrategy::kForward,
           std::shared_ptr<Valve> valve = nullptr) {
    return add({.name = "sink", .parallelism = parallelism, .partition = partition},
               {input},
               collect_into(std::move(out), std::move(valve)));
  }

  class Count final : public ProcessFunction {
   public:
    void open(OperatorContext& context) override {
      StateDescriptor descriptor;
      descriptor.name = "count";
      state_ = &context.keyed_state().value_state(descriptor);
    }
    void process_element(Value&&, int, ProcessContext& context, Collector& out) override {
      const Value before = state_->value();
      const std::int64_t count = (before.is_null() ? 0 : before.as_int()) + 1;
      state_->update(Value::integer(count));
      out.collect(Value::array({context.current_key(), Value::integer(count)}));
    }
    void on_timer(Timestamp, ProcessContext&, Collector&) override {}

   private:
    ValueState* state_ = nullptr;
  };
};

inline std::vector<std::int64_t> numbers(std::int64_t from, std::int64_t to) {
  std::vector<std::int64_t> out;
  for (std::int64_t v = from; v < to; ++v) {
    out.push_back(v);
  }
  return out;
}

inline std::string message_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return e.what();
  }
}

}  // namespace flott
