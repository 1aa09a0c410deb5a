#include "bindings/io/collection_source.h"

#include "base/error.h"
#include "bindings/containers.h"
#include "bindings/convert.h"
#include "connectors/collection/collection_source.h"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

namespace flott::bindings {
namespace {

constexpr std::int64_t kBatchRows = 1024;

/// The objects of one from_collection(); immutable, shared by source and readers.
struct Objects {
  std::vector<Value> values;
  std::int64_t size() const { return static_cast<std::int64_t>(values.size()); }
};

class ObjectReader final : public SourceReader {
 public:
  explicit ObjectReader(std::shared_ptr<const Objects> objects)
      : objects_(std::move(objects)), builder_(LogicalType::object()) {}

  void add_splits(const std::vector<SourceSplit>& splits) override {
    for (const SourceSplit& split : splits) {
      std::from_chars(split.position.data(), split.position.data() + split.position.size(), next_);
      has_split_ = true;
    }
  }

  PollResult poll(SourceBatch& out, std::int64_t max_rows) override {
    if (!has_split_ || next_ >= objects_->size()) {
      return PollResult::kFinished;
    }
    const HostScope host;
    const std::int64_t end =
        std::min(objects_->size(), next_ + std::clamp<std::int64_t>(max_rows, 1, kBatchRows));
    for (; next_ < end; ++next_) {
      auto* object =
          static_cast<PyObject*>(objects_->values[static_cast<std::size_t>(next_)].as_object());
      builder_.append(from_python_steal(checked(isolate(object)).release()),
                      kNoTimestamp,
                      RowKind::kInsert,
                      nullptr);
    }
    out.split = 0;
    out.batch = builder_.finish();
    return next_ < objects_->size() ? PollResult::kMore : PollResult::kFinished;
  }

  std::vector<SourceSplit> positions() override {
    return has_split_ ? std::vector<SourceSplit>{{"collection", std::to_string(next_)}}
                      : std::vector<SourceSplit>{};
  }
  bool split_finished(int /*index*/) const override { return next_ >= objects_->size(); }

 private:
  std::shared_ptr<const Objects> objects_;
  BatchBuilder builder_;
  std::int64_t next_ = 0;
  bool has_split_ = false;
};

class ObjectCollectionSource final : public Source {
 public:
  explicit ObjectCollectionSource(std::shared_ptr<const Objects> objects)
      : objects_(std::move(objects)) {}

  Boundedness boundedness() const override { return Boundedness::kBounded; }
  LogicalTypePtr produced_type() const override { return LogicalType::object(); }
  std::vector<SourceSplit> discover_splits(const std::function<bool()>& /*cancelled*/) override {
    return {{"collection", "0"}};
  }
  std::unique_ptr<SourceReader> create_reader(const SourceReaderContext& /*context*/) override {
    return std::make_unique<ObjectReader>(objects_);
  }
  bool uses_host() const override { return true; }

 private:
  std::shared_ptr<const Objects> objects_;
};

/// take(item), or else take(mend(item)).
template <typename Take>
void take_or_mend(Py_ssize_t index, PyObject* item, PyObject* mend, Take&& take) {
  const auto numbered = [&](PyObject* value) {
    try {
      take(value);
    } catch (const PythonError&) {
      throw;
    } catch (const Error& error) {
      throw Error(error.kind(), fmt::format("record {}: {}", index, error.what()));
    }
  };
  if (mend == nullptr) {
    numbered(item);
    return;
  }
  try {
    take(item);
    return;
  } catch (const PythonError&) {
    throw;
  } catch (const Error& /*error*/) {
    // Below, where the message is that of the mended value.
  }
  numbered(checked(PyObject_CallOneArg(mend, item)).get());
}

std::shared_ptr<Source> make_native_source(PyObject* items,
                                           const LogicalTypePtr& type,
                                           PyObject* mend) {
  std::vector<BatchPtr> batches;
  BatchBuilder builder(type);
  for_each_item(items, "conversion", [&](Py_ssize_t index, PyObject* item) {
    take_or_mend(index, item, mend, [&](PyObject* value) {
      builder.append(value == Py_None ? Value::null() : to_native(value, *type));
    });
    if (builder.num_rows() == kBatchRows) {
      batches.push_back(builder.finish());
    }
  });
  if (BatchPtr last = builder.finish(); last != nullptr) {
    batches.push_back(std::move(last));
  }
  return std::make_shared<CollectionSource>(type, std::move(batches));
}

}  // namespace

std::shared_ptr<Source> make_collection_source(PyObject* values,
                                               const LogicalTypePtr& type,
                                               PyObject* mend) {
  const Ref items = checked(PySequence_Fast(values, "a collection source needs a list of values"));
  if (type != nullptr && type->is_native()) {
    return make_native_source(items.get(), type, mend);
  }
  auto objects = std::make_shared<Objects>();
  objects->values.reserve(static_cast<std::size_t>(PySequence_Fast_GET_SIZE(items.get())));
  for_each_item(items.get(), "copy", [&](Py_ssize_t index, PyObject* item) {
    take_or_mend(index, item, mend, [&](PyObject* value) {
      Ref own = checked(isolate(value));
      if (type != nullptr && type->kind() != TypeKind::kObject) {
        own = checked(coerce_python(own.release(), *type));
      }
      objects->values.push_back(from_python_steal(own.release()));
    });
  });
  return std::make_shared<ObjectCollectionSource>(std::move(objects));
}

}  // namespace flott::bindings
