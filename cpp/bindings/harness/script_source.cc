#include "bindings/harness/script_source.h"

#include "base/error.h"
#include "bindings/convert.h"
#include "bindings/python_ref.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>

namespace flott::bindings {
namespace {

constexpr const char* kSplitId = "script";

class ScriptReader final : public SourceReader {
 public:
  ScriptReader(std::shared_ptr<Script> script, bool resume, std::function<void()> wakeup)
      : script_(std::move(script)), resume_(resume), builder_(LogicalType::object()) {
    const std::lock_guard guard(script_->mutex);
    script_->readers_woken.push_back(std::move(wakeup));
  }

  void add_splits(const std::vector<SourceSplit>& splits) override {
    for (const SourceSplit& split : splits) {
      if (resume_) {
        std::from_chars(
            split.position.data(), split.position.data() + split.position.size(), next_);
      }
      has_split_ = true;
    }
  }

  PollResult poll(SourceBatch& out, std::int64_t max_rows) override {
    if (!has_split_) {
      return PollResult::kFinished;
    }
    const HostScope host;
    std::vector<Script::Item> polled;
    {
      const std::lock_guard guard(script_->mutex);
      const auto room = static_cast<std::size_t>(std::max<std::int64_t>(max_rows, 1));
      for (; next_ < script_->items.size() && polled.size() < room; ++next_) {
        polled.push_back(script_->items[next_]);
      }
      if (polled.empty()) {
        ended_ = script_->ended;
        return ended_ ? PollResult::kFinished : PollResult::kIdle;
      }
    }
    for (Script::Item& item : polled) {
      builder_.append(Value::array({Value::integer(static_cast<std::int64_t>(item.kind)),
                                    item.value.isolated(),
                                    Value::integer(item.time)}),
                      kNoTimestamp,
                      RowKind::kInsert,
                      nullptr);
    }
    out.split = 0;
    out.batch = builder_.finish();
    return PollResult::kMore;
  }

  std::vector<SourceSplit> positions() override {
    return has_split_ ? std::vector<SourceSplit>{{kSplitId, std::to_string(next_)}}
                      : std::vector<SourceSplit>{};
  }
  bool split_finished(int /*index*/) const override { return ended_; }

 private:
  std::shared_ptr<Script> script_;
  const bool resume_;
  BatchBuilder builder_;
  std::size_t next_ = 0;
  bool has_split_ = false;
  bool ended_ = false;
};

class ScriptSource final : public Source {
 public:
  ScriptSource(std::shared_ptr<Script> script, bool resume)
      : script_(std::move(script)), resume_(resume) {}

  Boundedness boundedness() const override { return Boundedness::kBounded; }
  LogicalTypePtr produced_type() const override { return LogicalType::object(); }
  std::vector<SourceSplit> discover_splits(const std::function<bool()>& /*cancelled*/) override {
    return {{kSplitId, "0"}};
  }
  std::unique_ptr<SourceReader> create_reader(const SourceReaderContext& context) override {
    return std::make_unique<ScriptReader>(script_, resume_, context.wakeup);
  }
  bool uses_host() const override { return true; }

 private:
  std::shared_ptr<Script> script_;
  const bool resume_;
};

class ScriptPlayer final : public Operator {
 public:
  bool uses_host() const override { return true; }
  bool forwards_watermarks() const override { return false; }
  void open(OperatorContext& /*context*/) override {}

  void process(Record&& record, int /*input*/, Output& out) override {
    // Moved out: the record keeps its one reference, so that it is not copied again on its way.
    const Value item = std::move(record.value);
    const std::vector<Value>& parts = item.as_array();
    const Timestamp time = parts[2].as_int();
    switch (static_cast<Script::Kind>(parts[0].as_int())) {
      case Script::Kind::kElement: {
        Record element;
        element.value = parts[1];
        element.timestamp = time;
        out.emit(std::move(element));
        return;
      }
      case Script::Kind::kWatermark:
        set_idle(false, out);
        if (time > watermark_) {
          watermark_ = time;
          out.emit_watermark(time);
        }
        return;
      case Script::Kind::kIdle:
        set_idle(true, out);
        return;
      case Script::Kind::kActive:
        set_idle(false, out);
        return;
    }
  }

  bool process_watermark(Timestamp watermark, std::int64_t /*deadline_ns*/, Output& out) override {
    // The only one that comes is the end's.
    if (watermark > watermark_) {
      watermark_ = watermark;
      set_idle(false, out);
      out.emit_watermark(watermark);
    }
    return true;
  }

 private:
  void set_idle(bool idle, Output& out) {
    if (idle != idle_) {
      idle_ = idle;
      out.emit_status(idle ? WatermarkStatus::kIdle : WatermarkStatus::kActive);
    }
  }

  Timestamp watermark_ = kMinWatermark;
  bool idle_ = false;
};

}  // namespace

void Script::element(PyObject* value, Timestamp timestamp) {
  Ref own = checked(isolate(value));
  if (type == nullptr || type->kind() == TypeKind::kObject) {
    append({Kind::kElement, from_python_steal(own.release()), timestamp});
  } else if (type->is_native()) {
    append({Kind::kElement,
            own.get() == Py_None ? Value::null() : to_native(own.get(), *type),
            timestamp});
  } else {
    append({Kind::kElement, from_python_steal(coerce_python(own.release(), *type)), timestamp});
  }
}

void Script::append(Item item) {
  std::vector<std::function<void()>> wake;
  {
    const std::lock_guard guard(mutex);
    if (ended) {
      throw_error(ErrorKind::kInvalidArgument,
                  "the scripted source has ended; nothing can follow end()");
    }
    items.push_back(std::move(item));
    wake = readers_woken;
  }
  for (const auto& wakeup : wake) {
    wakeup();
  }
}

void Script::end() {
  std::vector<std::function<void()>> wake;
  {
    const std::lock_guard guard(mutex);
    ended = true;
    wake = readers_woken;
  }
  for (const auto& wakeup : wake) {
    wakeup();
  }
}

std::shared_ptr<Source> make_script_source(std::shared_ptr<Script> script, bool resume) {
  return std::make_shared<ScriptSource>(std::move(script), resume);
}

std::unique_ptr<Operator> make_script_player() {
  return std::make_unique<ScriptPlayer>();
}

}  // namespace flott::bindings
