#include "runtime/operator_chain.h"

#include "base/error.h"
#include "base/log.h"
#include "checkpoint/checkpoint_storage.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace flott {
namespace {

constexpr std::int64_t kSliceNs = 10'000'000;
constexpr std::int64_t kMaxBufferedRows = 1024;
/// Rows whose state is fetched at once, if it is not in memory.
constexpr std::int64_t kPrefetchRows = 256;
/// Rows between two looks at the clock grow up to this while rows are quick.
constexpr std::int64_t kMaxClockStride = 32;
constexpr std::int64_t kQuickStrideNs = 200'000;

}  // namespace

/// The OperatorContext of one link.
class OperatorChain::LinkContext final : public OperatorContext {
 public:
  LinkContext(const TaskEnvironment& environment, LinkSpec& spec)
      : environment_(environment),
        name_(spec.name),
        max_parallelism_(spec.max_parallelism),
        shown_max_parallelism_(spec.shown_max_parallelism > 0 ? spec.shown_max_parallelism
                                                              : spec.max_parallelism),
        keyed_(spec.keyed),
        restored_(std::move(spec.restored)),
        is_restored_(spec.is_restored),
        metrics_(spec.metrics ? spec.metrics : std::make_shared<MetricGroup>()),
        async_(std::make_shared<std::atomic<bool>>(false)) {
    if (keyed_) {
      KeyedStateOptions options;
      options.max_parallelism = max_parallelism_;
      options.range =
          key_group_range_of(environment.subtask, max_parallelism_, environment.parallelism);
      options.clock = environment.clock;
      options.object_reuse = environment.object_reuse;
      options.cancelled = environment.cancelled;
      options.backend = environment.state_backend;
      backend_ = make_keyed_state_backend(options);
      timers_ = make_heap_timer_service(*backend_, options);
    }
  }

  void restore_keyed() {
    if (!keyed_ || !is_restored_) {
      return;
    }
    try {
      backend_->restore(std::exchange(restored_.keyed_state, {}));
      for (const KeyedStateFiles& files : std::exchange(restored_.keyed_files, {})) {
        backend_->restore_files(files);
      }
      timers_->restore(std::exchange(restored_.timers, {}));
    } catch (const DamagedCheckpoint& damage) {
      throw DamagedCheckpoint(damage.file(), in_operator(damage));
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kUserCode) {
        throw;  // an exception of the host's: it goes as it is
      }
      throw Error(
          error.kind(), in_operator(error), error.retryable() ? Retryable::kYes : Retryable::kNo);
    }
  }

  const std::string& operator_name() const override { return name_; }
  int subtask_index() const override { return environment_.subtask; }
  int parallelism() const override { return environment_.parallelism; }
  int max_parallelism() const override { return shown_max_parallelism_; }
  int attempt_number() const override { return environment_.attempt; }
  CheckpointId restored_checkpoint() const override { return environment_.restored_checkpoint; }
  const std::string& job_name() const override { return environment_.job_name; }
  const std::string& job_id() const override { return environment_.job_id; }
  const Clock& clock() const override { return *environment_.clock; }
  bool object_reuse() const override { return environment_.object_reuse; }
  bool batch_mode() const override { return environment_.batch_mode; }
  bool checkpointing() const override { return environment_.checkpointing; }
  std::int64_t auto_watermark_interval_ms() const override {
    return environment_.auto_watermark_interval_ms;
  }
  KeyedStateBackend& keyed_state() override {
    require_keyed("keyed state");
    return *backend_;
  }
  TimerService& timers() override {
    require_keyed("timers");
    return *timers_;
  }
  bool is_keyed() const override { return keyed_; }
  const OperatorSnapshot& restored() const override { return restored_; }
  bool is_restored() const override { return is_restored_; }
  MetricGroup& metrics() override { return *metrics_; }
  void schedule_wakeup(Timestamp time_ms) override { wakeup_time_ = time_ms; }
  std::function<void()> async_wakeup() override {
    return [flag = async_, wake = environment_.wakeup] {
      flag->store(true, std::memory_order_release);
      wake();
    };
  }
  bool is_cancelled() const override {
    return environment_.cancelled->load(std::memory_order_relaxed);
  }

  KeyedStateBackend* backend() const { return backend_.get(); }
  TimerService* timer_service() const { return timers_.get(); }
  bool async_pending() const { return async_->load(std::memory_order_acquire); }
  bool take_async() { return async_->exchange(false, std::memory_order_acq_rel); }
  Timestamp wakeup_time() const { return wakeup_time_; }
  bool take_wakeup(Timestamp now) {
    if (wakeup_time_ > now) {
      return false;
    }
    wakeup_time_ = kMaxTimestamp;
    return true;
  }

 private:
  std::string in_operator(const Error& error) const {
    return fmt::format("operator '{}': {}", name_, error.what());
  }
  void require_keyed(const char* what) const {
    if (!keyed_) {
      throw_error(ErrorKind::kInvalidArgument,
                  "operator '{}' uses {} but its stream has no keys; call key_by(...) before it",
                  name_,
                  what);
    }
  }

  const TaskEnvironment& environment_;
  std::string name_;
  int max_parallelism_;
  int shown_max_parallelism_;
  bool keyed_;
  OperatorSnapshot restored_;
  bool is_restored_;
  std::shared_ptr<MetricGroup> metrics_;
  std::unique_ptr<KeyedStateBackend> backend_;
  std::unique_ptr<TimerService> timers_;
  Timestamp wakeup_time_ = kMaxTimestamp;
  std::shared_ptr<std::atomic<bool>> async_;
};

/// Where a link (or the task's input) emits: chained links first, then the edges out of the task.
class OperatorChain::LinkOutput final : public Output {
 public:
  explicit LinkOutput(OperatorChain& chain) : chain_(chain) {}

  void add_link(SideOutputId side, Link* link) { target(side).links.push_back(link); }
  void add_edge(SideOutputId side, std::unique_ptr<RecordWriter> writer) {
    target(side).writers.push_back(writer.get());
    writers_.push_back(std::move(writer));
  }
  void set_counter(Counter* records_out) { records_out_ = records_out; }
  /// What was emitted last; for operators that make watermarks.
  Timestamp watermark() const { return watermark_; }
  WatermarkStatus status() const { return status_; }

  void emit(Record&& record) override { deliver(main_, std::move(record)); }
  void emit_side(SideOutputId side, Record&& record) override {
    for (auto& [id, target] : sides_) {
      if (id == side) {
        deliver(target, std::move(record));
        return;
      }
    }
    // Nobody reads this side output: upstream drops the record too.
  }
  void emit_batch(BatchPtr batch) override;
  void emit_watermark(Timestamp watermark) override;
  void emit_status(WatermarkStatus status) override;

  /// emit_batch() in two parts, for a walk over the rows that can pause: the edges take the batch
  /// first, ...
  void write_batch(const BatchPtr& batch) {
    bool first = true;
    for (RecordWriter* writer : main_.writers) {
      writer->emit_batch(first || chain_.environment_.object_reuse ? batch : isolate_batch(batch));
      first = false;
    }
  }
  /// ... then the links take row by row, each row through all of them before the next.
  void emit_to_links(Record&& record);
  bool links_take_rows() const;

  void broadcast(const Element& element) {
    for (const auto& writer : writers_) {
      writer->broadcast(element);
    }
  }
  void flush() {
    for (const auto& writer : writers_) {
      writer->flush();
    }
  }
  bool has_room() const {
    return std::all_of(
        writers_.begin(), writers_.end(), [](const auto& writer) { return writer->has_room(); });
  }
  bool uses_host() const {
    return std::any_of(
        writers_.begin(), writers_.end(), [](const auto& writer) { return writer->uses_host(); });
  }

 private:
  struct Target {
    std::vector<Link*> links;
    std::vector<RecordWriter*> writers;
  };
  Target& target(SideOutputId side) {
    if (side < 0) {
      return main_;
    }
    for (auto& [id, target] : sides_) {
      if (id == side) {
        return target;
      }
    }
    return sides_.emplace_back(side, Target{}).second;
  }
  void deliver(Target& target, Record&& record);

  OperatorChain& chain_;
  Target main_;
  std::vector<std::pair<SideOutputId, Target>> sides_;
  std::vector<std::unique_ptr<RecordWriter>> writers_;
  Counter* records_out_ = nullptr;
  Timestamp watermark_ = kMinWatermark;
  WatermarkStatus status_ = WatermarkStatus::kActive;
};

struct OperatorChain::Link {
  Link(OperatorChain& owner, int position, LinkSpec& spec)
      : chain(owner),
        index(position),
        name(spec.name),
        uid(spec.uid),
        is_head(spec.parent < 0),
        op(std::move(spec.op)),
        context(owner.environment_, spec),
        output(owner),
        granularity(op->granularity()),
        key_by_key(spec.keyed && spec.key_by_key),
        buffer(spec.input_type ? spec.input_type : LogicalType::object()),
        records_in(context.metrics().counter("numRecordsIn")),
        current_watermark(context.metrics().counter("currentInputWatermark")) {
    output.set_counter(&context.metrics().counter("numRecordsOut"));
    current_watermark.set(kMinWatermark);
    op->set_context(&context);
  }

  template <typename F>
  auto call(F&& f) {
    try {
      return f();
    } catch (...) {
      note_failure();
      throw;
    }
  }
  void note_failure(const Value* value = nullptr) {
    // The innermost call on the stack is where it happened.
    if (chain.failed_link_ >= 0) {
      return;
    }
    chain.failed_link_ = index;
    if (value != nullptr && !value->is_null()) {
      chain.failed_record_ = value->to_string();
    }
  }

  /// One record from the operator before; `buffer` collects it for a batch operator.
  void process(Record&& record, int input) {
    records_in.inc();
    try {
      if (granularity == Granularity::kRow) {
        if (context.backend() != nullptr && record.key != nullptr) {
          if (key_by_key) {
            begin_key(*record.key);
          }
          context.backend()->set_current_key(*record.key);
        }
        op->process(std::move(record), input, output);
        return;
      }
      Value value =
          chain.environment_.object_reuse ? std::move(record.value) : record.value.isolated();
      if (BatchPtr before =
              buffer.append(std::move(value), record.timestamp, record.kind, record.key)) {
        op->process_batch(before, input, output);
      }
      if (buffer.num_rows() >= kMaxBufferedRows) {
        op->process_batch(buffer.finish(), input, output);
      }
    } catch (const CancelledException&) {
      throw;
    } catch (...) {
      // Which row of a batch it was is not known, and a head's is the one that the walk is at.
      note_failure(granularity == Granularity::kRow && !is_head ? &record.value : nullptr);
      throw;
    }
  }
  void process_batch(const BatchPtr& batch, int input) {
    records_in.inc(batch->num_rows());
    try {
      flush_buffer();
      if (key_by_key && batch->keys() != nullptr) {
        process_keys(batch, input);
      } else {
        op->process_batch(batch, input, output);
      }
    } catch (...) {
      note_failure();
      throw;
    }
  }
  /// A batch of sorted rows in slices of one key.
  void process_keys(const BatchPtr& batch, int input) {
    const KeyColumn& keys = *batch->keys();
    const std::int64_t rows = batch->num_rows();
    for (std::int64_t begin = 0; begin < rows;) {
      const Key key = keys.at(static_cast<std::size_t>(begin));
      std::int64_t end = begin + 1;
      while (end < rows && keys.at(static_cast<std::size_t>(end)).bytes == key.bytes) {
        ++end;
      }
      begin_key(key);
      context.backend()->set_current_key(key);
      op->process_batch(batch->slice(begin, end), input, output);
      begin = end;
    }
  }
  /// Ends the key before, if this is another one.
  void begin_key(const Key& key) {
    if (has_key) {
      const Key current = context.backend()->current();
      if (current.hash == key.hash && current.bytes == key.bytes) {
        return;
      }
      end_key();
    }
    has_key = true;
  }
  void end_key() {
    if (!has_key) {
      return;
    }
    has_key = false;
    while (!last_watermark(monotonic_ns() + kSliceNs)) {
      if (context.is_cancelled()) {
        throw CancelledException{};
      }
    }
    context.timer_service()->reset_watermark();
    context.backend()->clear_all();
  }
  void flush_buffer() {
    if (BatchPtr batch = buffer.finish()) {
      op->process_batch(batch, 0, output);
    }
  }
  /// In bounded steps; true when done.
  bool process_watermark(Timestamp watermark, std::int64_t deadline_ns) {
    flush_buffer();
    current_watermark.set(watermark);
    if (watermark != kMaxWatermark) {
      return op->process_watermark(watermark, deadline_ns, output);
    }
    end_key();
    return last_watermark(deadline_ns);
  }
  bool last_watermark(std::int64_t deadline_ns) {
    while (op->process_watermark(kMaxWatermark, deadline_ns, output)) {
      // Before the last watermark goes on, so that what they emit is not late. They may have set
      // event timers, which are due at once.
      if (!has_last_timers()) {
        end_last_timers();
        return true;
      }
      if (!fire_last_timers(deadline_ns)) {
        return false;
      }
    }
    return false;
  }
  /// Processing timers that are pending at the end of input fire in BATCH, as in Flink.
  bool has_last_timers() const {
    const TimerService* timers = context.timer_service();
    return chain.environment_.batch_mode && timers != nullptr &&
           timers->size(TimeDomain::kProcessingTime) > 0;
  }
  bool fire_last_timers(std::int64_t deadline_ns) {
    context.timer_service()->set_last(true);
    return context.timer_service()->fire_all_processing_timers(
        deadline_ns, [this](TimeDomain domain, Timestamp time, const Window& window) {
          op->on_timer(domain, time, window, output);
        });
  }
  void end_last_timers() {
    if (TimerService* timers = context.timer_service()) {
      timers->set_last(false);
    }
  }
  /// In the middle of a pass, where nothing else may run before it has gone through.
  void process_watermark_now(Timestamp watermark) {
    call([&] {
      while (!process_watermark(watermark, monotonic_ns() + kSliceNs)) {
        if (context.is_cancelled()) {
          throw CancelledException{};
        }
      }
    });
    if (op->forwards_watermarks()) {
      output.emit_watermark(watermark);
    }
  }
  OperatorChain& chain;
  const int index;
  const std::string name;
  const std::string uid;
  const bool is_head;
  std::unique_ptr<Operator> op;
  LinkContext context;
  LinkOutput output;
  const Granularity granularity;
  const bool key_by_key;
  bool has_key = false;  ///< key_by_key: records of the current key came
  RowBuffer buffer;
  Counter& records_in;
  Counter& current_watermark;
  int watermark_origin = -1;  ///< the link before it that makes its watermarks
  QuietTimer quiet;
  bool sees_input_watermark = true;  ///< no operator before it makes watermarks of its own
  bool input_ended = false;
};

void OperatorChain::LinkOutput::deliver(Target& target, Record&& record) {
  if (records_out_ != nullptr) {
    records_out_->inc();
  }
  if (target.links.size() == 1 && target.writers.empty() && sides_.empty()) {
    target.links.front()->process(std::move(record), 0);
    return;
  }
  // All but the last receiver get a copy of their own. With side outputs nobody is the last: what
  // went to one output may be emitted to another one next.
  std::size_t left = target.links.size() + target.writers.size();
  for (Link* link : target.links) {
    if (--left == 0 && sides_.empty()) {
      link->process(std::move(record), 0);
      return;
    }
    Record copy{chain_.environment_.object_reuse ? record.value : record.value.isolated(),
                record.timestamp,
                record.kind,
                record.key};
    link->process(std::move(copy), 0);
  }
  for (RecordWriter* writer : target.writers) {
    if (--left == 0) {
      writer->emit(std::move(record));
      return;
    }
    writer->emit(Record(record));  // the writer isolates what it keeps
  }
}

void OperatorChain::LinkOutput::emit_batch(BatchPtr batch) {
  if (!batch || batch->num_rows() == 0) {
    return;
  }
  if (records_out_ != nullptr) {
    records_out_->inc(batch->num_rows());
  }
  bool first = true;
  const auto own = [&](const BatchPtr& shared) {
    const bool take = first || chain_.environment_.object_reuse;
    first = false;
    return take ? shared : isolate_batch(shared);
  };
  // Writers first: they keep the batch as it is, before a chained function touches its objects.
  for (RecordWriter* writer : main_.writers) {
    writer->emit_batch(own(batch));
  }
  for (Link* link : main_.links) {
    link->process_batch(own(batch), 0);
  }
}

void OperatorChain::LinkOutput::emit_to_links(Record&& record) {
  for (std::size_t i = 0; i < main_.links.size(); ++i) {
    if (chain_.environment_.object_reuse) {
      main_.links[i]->process(Record(record), 0);
    } else if (i + 1 == main_.links.size() && main_.writers.empty()) {
      main_.links[i]->process(std::move(record), 0);
    } else {
      main_.links[i]->process({record.value.isolated(), record.timestamp, record.kind, record.key},
                              0);
    }
  }
}

bool OperatorChain::LinkOutput::links_take_rows() const {
  return std::all_of(main_.links.begin(), main_.links.end(), [](const Link* link) {
    return link->granularity == Granularity::kRow;
  });
}

void OperatorChain::LinkOutput::emit_watermark(Timestamp watermark) {
  watermark_ = watermark;
  for (Link* link : main_.links) {
    link->process_watermark_now(watermark);
  }
  for (auto& [id, target] : sides_) {
    for (Link* link : target.links) {
      link->process_watermark_now(watermark);
    }
  }
  broadcast(Watermark{watermark});
}

void OperatorChain::LinkOutput::emit_status(WatermarkStatus status) {
  status_ = status;
  const auto pass = [status](Link* link) {
    link->flush_buffer();
    link->op->process_status(status, link->output);
    if (link->op->forwards_watermarks()) {
      link->output.emit_status(status);
    }
  };
  for (Link* link : main_.links) {
    pass(link);
  }
  for (auto& [id, target] : sides_) {
    for (Link* link : target.links) {
      pass(link);
    }
  }
  broadcast(status);
}

OperatorChain::OperatorChain(const TaskEnvironment& environment,
                             std::vector<LinkSpec> links,
                             std::vector<LinkSpec::Edge> head_edges)
    : environment_(environment), head_output_(std::make_unique<LinkOutput>(*this)) {
  for (LinkSpec& spec : links) {
    const int index = static_cast<int>(links_.size());
    STREAM_CHECK(spec.parent < index, "links come in topological order");
    links_.push_back(std::make_unique<Link>(*this, index, spec));
    Link& link = *links_.back();
    uses_host_ = uses_host_ || link.op->uses_host();
    if (link.granularity == Granularity::kRow && link.op->can_be_busy()) {
      busy_row_operators_.push_back(link.op.get());
    }
    if (spec.parent >= 0) {
      Link& parent = *links_[static_cast<std::size_t>(spec.parent)];
      parent.output.add_link(spec.side, &link);
      link.sees_input_watermark = parent.sees_input_watermark && parent.op->forwards_watermarks();
      link.watermark_origin =
          parent.op->makes_watermarks() ? parent.index : parent.watermark_origin;
    } else {
      head_output_->add_link(spec.side, &link);
    }
    for (LinkSpec::Edge& edge : spec.edges) {
      link.output.add_edge(edge.side, std::move(edge.writer));
    }
    uses_host_ = uses_host_ || link.output.uses_host();
  }
  for (LinkSpec::Edge& edge : head_edges) {
    head_output_->add_edge(edge.side, std::move(edge.writer));
  }
  uses_host_ = uses_host_ || head_output_->uses_host();
  const auto heads = std::count_if(
      links.begin(), links.end(), [](const LinkSpec& spec) { return spec.parent < 0; });
  single_head_ = heads == 1 && head_edges.empty();
  row_heads_ = heads > 0 && head_output_->links_take_rows();
}

OperatorChain::~OperatorChain() = default;

void OperatorChain::restore() {
  for (const auto& link : links_) {
    link->call([&] { link->context.restore_keyed(); });
  }
}

void OperatorChain::open() {
  for (std::size_t i = links_.size(); i > 0; --i) {
    Link& link = *links_[i - 1];
    ++opened_;
    link.call([&] {
      link.op->open(link.context);
      check_claims(link);
    });
  }
}

void OperatorChain::check_claims(const Link& link) const {
  const auto refuse = [&](std::string_view what) {
    const std::string text = fmt::format(
        "checkpoint {} holds {} of operator '{}' (uid '{}'), which does not read it: another kind "
        "of operator has the uid now, or a setting of it has changed",
        environment_.restored_checkpoint,
        what,
        link.name,
        link.uid);
    if (!environment_.allow_unclaimed_state) {
      throw_error(
          ErrorKind::kInvalidArgument,
          "{}. Change it back, or set 'execution.savepoint.ignore-unclaimed-state' to leave "
          "that state behind (what it was to publish or send again is then lost)",
          text);
    }
    log(LogLevel::kWarn,
        "flott.job",
        "{}. It is left behind (execution.savepoint.ignore-unclaimed-state)",
        text);
  };
  const OperatorSnapshot& restored = link.context.restored();
  for (const auto* lists : {&restored.list_state, &restored.union_state}) {
    for (const auto& [name, entries] : *lists) {
      if (!entries.empty() && !link.op->claims_state(name)) {
        refuse(fmt::format("the state '{}'", name));
      }
    }
  }
  for (const auto& [name, bytes] : restored.broadcast_state) {
    if (!link.op->claims_state(name)) {
      refuse(fmt::format("the broadcast state '{}'", name));
    }
  }
  // A keyed operator has taken it by now; what its functions do not declare is kept there.
  if (!restored.keyed_state.empty() || !restored.keyed_files.empty() || !restored.timers.empty()) {
    refuse("keyed state or timers");
  }
}

std::int64_t OperatorChain::process(const BatchPtr& batch,
                                    std::int64_t row,
                                    int input,
                                    std::int64_t deadline_ns) {
  current_batch_ = batch;
  current_row_ = row;
  const std::int64_t rows = batch->num_rows();
  if (!row_heads_) {
    // Native batch operators take the batch as a whole; which row failed is theirs to say.
    current_batch_.reset();
    if (single_head_) {
      links_[0]->process_batch(batch, input);
    } else {
      head_output_->emit_batch(batch);
    }
    return rows;
  }
  if (row == 0) {
    head_output_->write_batch(batch);
  }
  const KeyColumn* keys = batch->keys().get();
  KeyedStateBackend* const keyed =
      single_head_ && keys != nullptr ? links_[0]->context.backend() : nullptr;
  std::int64_t next_prefetch = row;
  std::int64_t stride = 1;
  std::int64_t next_look = row + stride;
  std::int64_t last_ns = 0;
  Key key;
  while (row < rows) {
    current_row_ = row;
    if (keyed != nullptr && row >= next_prefetch) {
      next_prefetch = std::min(rows, row + kPrefetchRows);
      links_[0]->call([&] {
        keyed->prefetch(
            *keys, static_cast<std::size_t>(row), static_cast<std::size_t>(next_prefetch));
      });
    }
    Record record{batch->value_at(row), batch->timestamp_at(row), batch->kind_at(row), nullptr};
    if (keys != nullptr) {
      key = keys->at(static_cast<std::size_t>(row));
      record.key = &key;
    }
    if (single_head_) {
      links_[0]->process(std::move(record), input);
    } else {
      head_output_->emit_to_links(std::move(record));
    }
    ++row;
    if (any_busy()) {
      break;
    }
    if (row >= next_look) {
      const std::int64_t now_ns = monotonic_ns();
      // Rows that each yield many must not run far beyond the channels' limit.
      if (now_ns >= deadline_ns || !ready()) {
        break;
      }
      if (last_ns != 0 && now_ns - last_ns < kQuickStrideNs && stride < kMaxClockStride) {
        stride *= 2;
      }
      last_ns = now_ns;
      next_look = row + stride;
    }
  }
  current_batch_.reset();
  return row;
}

bool OperatorChain::process_watermark(Timestamp watermark, std::int64_t deadline_ns) {
  if (!watermark_begun_) {
    watermark_begun_ = true;
    head_output_->broadcast(Watermark{watermark});
  }
  for (; watermark_link_ < links_.size(); ++watermark_link_) {
    Link& link = *links_[watermark_link_];
    if (!link.sees_input_watermark) {
      continue;
    }
    if (!link.call([&] { return link.process_watermark(watermark, deadline_ns); })) {
      return false;
    }
    if (link.op->forwards_watermarks()) {
      link.output.broadcast(Watermark{watermark});
    }
  }
  watermark_link_ = 0;
  watermark_begun_ = false;
  return true;
}

void OperatorChain::process_status(WatermarkStatus status) {
  head_output_->emit_status(status);
}

bool OperatorChain::fire_timers(std::int64_t deadline_ns) {
  const Timestamp now = environment_.clock->now_ms();
  bool done = true;
  for (std::size_t i = first_due_link(); i < links_.size(); ++i) {
    Link* const link = links_[i].get();
    link->call([&] {
      const bool async = link->context.take_async();
      if (link->context.take_wakeup(now) || async) {
        link->op->on_wakeup(link->output);
      }
      TimerService* timers = link->context.timer_service();
      // Key by key, they wait for the end of the key.
      if (timers != nullptr && !link->key_by_key && timers->next_processing_time() <= now) {
        done = timers->fire_processing_timers(
                   deadline_ns,
                   [&](TimeDomain domain, Timestamp time, const Window& window) {
                     link->op->on_timer(domain, time, window, link->output);
                   }) &&
               done;
      }
    });
  }
  return done;
}

Timestamp OperatorChain::next_time() const {
  Timestamp next = kMaxTimestamp;
  for (std::size_t i = first_due_link(); i < links_.size(); ++i) {
    const LinkContext& context = links_[i]->context;
    next = std::min(next, context.wakeup_time());
    const TimerService* timers = context.timer_service();
    if (timers != nullptr && !links_[i]->key_by_key) {
      next = std::min(next, timers->next_processing_time());
    }
  }
  return next;
}

bool OperatorChain::has_async_wakeup() const {
  return std::any_of(links_.begin() + static_cast<std::ptrdiff_t>(first_due_link()),
                     links_.end(),
                     [](const auto& link) { return link->context.async_pending(); });
}

void OperatorChain::end_input(int input) {
  if (links_.empty()) {
    return;
  }
  Link& head = *links_[0];
  head.call([&] {
    head.flush_buffer();
    head.end_key();
    head.op->end_input(input, head.output);
  });
  head.input_ended = true;
}

bool OperatorChain::finish() {
  for (; finish_link_ < links_.size(); ++finish_link_) {
    Link& link = *links_[finish_link_];
    const bool done = link.call([&] {
      link.flush_buffer();
      if (!link.input_ended) {
        link.input_ended = true;
        link.op->end_input(0, link.output);
      }
      // Set since the last watermark, if there was one.
      while (link.has_last_timers()) {
        link.fire_last_timers(monotonic_ns() + kSliceNs);
        if (link.context.is_cancelled()) {
          throw CancelledException{};
        }
      }
      return link.op->finish(link.output);
    });
    if (!done) {
      return false;
    }
    // STREAMING drops what waits for the clock at the end of input, as Flink; it must not be in the
    // final snapshot.
    if (TimerService* timers = link.context.timer_service()) {
      timers->drop_processing_timers();
    }
  }
  flush();
  return true;
}

bool OperatorChain::prepare_snapshot(CheckpointId id, SnapshotKind kind) {
  for (; prepare_link_ < links_.size(); ++prepare_link_) {
    Link& link = *links_[prepare_link_];
    const bool done = link.call([&] {
      link.flush_buffer();
      if (kind == SnapshotKind::kSavepoint) {
        link.op->before_savepoint();
      }
      return link.op->prepare_snapshot(id, link.output);
    });
    if (!done) {
      return false;
    }
  }
  prepare_link_ = 0;
  flush();
  return true;
}

std::vector<OperatorSnapshot> OperatorChain::snapshot(CheckpointId id, SnapshotKind kind) {
  std::vector<OperatorSnapshot> out(links_.size());
  for (std::size_t i = 0; i < links_.size(); ++i) {
    Link& link = *links_[i];
    link.call([&] {
      link.op->snapshot(id, out[i]);
      if (KeyedStateBackend* backend = link.context.backend()) {
        std::optional<KeyedStateFiles> files = kind == SnapshotKind::kCheckpoint
                                                   ? backend->snapshot_files()
                                                   : backend->snapshot_frame_files();
        if (files) {
          out[i].keyed_files.push_back(std::move(*files));
        } else {
          out[i].keyed_state = backend->snapshot();
        }
        out[i].deferred_timers = link.context.timer_service()->snapshot_deferred();
      }
    });
  }
  return out;
}

std::vector<std::vector<KeyedStateSize>> OperatorChain::state_sizes() const {
  std::vector<std::vector<KeyedStateSize>> out(links_.size());
  for (std::size_t i = 0; i < links_.size(); ++i) {
    if (const KeyedStateBackend* backend = links_[i]->context.backend()) {
      out[i] = backend->state_sizes();
    }
  }
  return out;
}

void OperatorChain::broadcast(const Element& element) {
  head_output_->broadcast(element);
  for (const auto& link : links_) {
    link->output.broadcast(element);
  }
}

void OperatorChain::notify_checkpoint_complete(CheckpointId id) {
  for (const auto& link : links_) {
    link->call([&] { link->op->notify_checkpoint_complete(id); });
  }
}

bool OperatorChain::has_uncommitted() const {
  return std::any_of(
      links_.begin(), links_.end(), [](const auto& link) { return link->op->has_uncommitted(); });
}

bool OperatorChain::commit_final() {
  bool all = true;
  for (const auto& link : links_) {
    all = link->call([&] { return link->op->commit_final(); }) && all;
  }
  return all;
}

void OperatorChain::flush() {
  head_output_->flush();
  for (const auto& link : links_) {
    link->call([&] { link->flush_buffer(); });
    link->output.flush();
  }
}

std::exception_ptr OperatorChain::close() {
  std::exception_ptr first;
  for (std::size_t i = links_.size() - opened_; i < links_.size(); ++i) {
    // What a gauge reads may live in the operator.
    links_[i]->context.metrics().settle_gauges();
    try {
      links_[i]->op->close();
    } catch (...) {
      links_[i]->note_failure();
      if (!first) {
        first = std::current_exception();
      }
    }
  }
  opened_ = 0;
  return first;
}

bool OperatorChain::any_busy() const {
  return std::any_of(busy_row_operators_.begin(),
                     busy_row_operators_.end(),
                     [](const Operator* op) { return op->busy(); });
}

bool OperatorChain::ready() const {
  return head_output_->has_room() &&
         std::all_of(links_.begin(), links_.end(), [](const auto& link) {
           return !link->op->busy() && link->output.has_room();
         });
}

const std::string& OperatorChain::uid(std::size_t link) const {
  return links_[link]->uid;
}

std::vector<OperatorChain::Waiting> OperatorChain::waiting() const {
  std::vector<Waiting> out;
  // Key by key, the watermark comes once, at the end of each.
  for (const auto& link : links_) {
    if (link->context.is_keyed() && !link->key_by_key) {
      out.push_back({static_cast<std::size_t>(link->index),
                     link->op->waiting(),
                     link->current_watermark.get(),
                     link->records_in.get(),
                     link->watermark_origin});
    }
  }
  return out;
}

std::vector<std::pair<int, WatermarkOrigin>> OperatorChain::watermark_origins(Timestamp now) {
  std::vector<std::pair<int, WatermarkOrigin>> out;
  for (const auto& link : links_) {
    if (!link->op->makes_watermarks()) {
      continue;
    }
    WatermarkOrigin origin;
    origin.name = link->name;
    origin.subtask = environment_.subtask;
    origin.parallelism = environment_.parallelism;
    origin.idle = link->output.status() == WatermarkStatus::kIdle;
    origin.watermark = link->output.watermark();
    origin.records = link->records_in.get();
    origin.quiet_since = link->quiet.quiet_since(origin.records, now);
    out.emplace_back(link->index, std::move(origin));
  }
  return out;
}

std::string OperatorChain::describe(std::size_t link) const {
  return fmt::format("operator '{}', subtask {}/{}",
                     links_[link]->name,
                     environment_.subtask + 1,
                     environment_.parallelism);
}

const std::string& OperatorChain::failed_operator() const {
  static const std::string kNone;
  if (links_.empty()) {
    return kNone;
  }
  return links_[static_cast<std::size_t>(std::max(failed_link_, 0))]->name;
}

std::string OperatorChain::failed_record() const {
  if (failed_link_ >= 0 && !links_[static_cast<std::size_t>(failed_link_)]->is_head) {
    return failed_record_;
  }
  if (!current_batch_ || current_row_ >= current_batch_->num_rows()) {
    return {};
  }
  return current_batch_->value_at(current_row_).to_string();
}

}  // namespace flott
