#include "bindings/harness/capture_sink.h"

#include "bindings/convert.h"

#include <utility>

namespace flott::bindings {
namespace {

class CaptureSink final : public Operator {
 public:
  explicit CaptureSink(std::shared_ptr<CaptureLog> log) : log_(std::move(log)) {}

  bool uses_host() const override { return true; }
  void open(OperatorContext& /*context*/) override {}
  void process(Record&& record, int /*input*/, Output& /*out*/) override {
    log_->add({CaptureLog::Kind::kElement, record.value.isolated(), record.timestamp});
  }
  bool process_watermark(Timestamp watermark,
                         std::int64_t /*deadline_ns*/,
                         Output& /*out*/) override {
    log_->add({CaptureLog::Kind::kWatermark, {}, watermark});
    return true;
  }
  void process_status(WatermarkStatus status, Output& /*out*/) override {
    log_->add(
        {status == WatermarkStatus::kIdle ? CaptureLog::Kind::kIdle : CaptureLog::Kind::kActive,
         {},
         0});
  }

 private:
  std::shared_ptr<CaptureLog> log_;
};

}  // namespace

Ref CaptureLog::take() {
  std::vector<Entry> taken;
  {
    const std::lock_guard guard(mutex);
    taken.swap(entries);
  }
  Ref list = checked(PyList_New(static_cast<Py_ssize_t>(taken.size())));
  for (std::size_t i = 0; i < taken.size(); ++i) {
    Entry& entry = taken[i];
    const Ref value = entry.kind == Kind::kElement ? checked(to_python(std::move(entry.value)))
                                                   : Ref::borrow(Py_None);
    const Ref time = entry.time == kNoTimestamp ? Ref::borrow(Py_None)
                                                : checked(PyLong_FromLongLong(entry.time));
    const Ref kind = checked(PyLong_FromLong(static_cast<long>(entry.kind)));
    PyList_SET_ITEM(list.get(),
                    static_cast<Py_ssize_t>(i),
                    checked(PyTuple_Pack(3, kind.get(), value.get(), time.get())).release());
  }
  return list;
}

std::unique_ptr<Operator> make_capture_sink(std::shared_ptr<CaptureLog> log) {
  return std::make_unique<CaptureSink>(std::move(log));
}

}  // namespace flott::bindings
