#include "operators/key_by_operator.h"

#include "base/error.h"
#include "types/key.h"

#include <memory>
#include <string>
#include <utility>

namespace flott {
namespace {

class FieldKeySelector final : public KeySelector {
 public:
  explicit FieldKeySelector(int index) : index_(index) {}
  Value key_of(const Value& value) override {
    return value.field(static_cast<std::size_t>(index_));
  }
  int field_index() const override { return index_; }

 private:
  int index_;
};

class ConstantKeySelector final : public KeySelector {
 public:
  explicit ConstantKeySelector(bool takes_batches) : takes_batches_(takes_batches) {}
  Value key_of(const Value& /*value*/) override { return {}; }
  bool takes_batches() const override { return takes_batches_; }

 private:
  bool takes_batches_;
};

/// Appends the keys of a column; those of the two kinds that matter most without a Value each.
void append_keys(const Column& column, KeyColumn& keys) {
  const std::int64_t rows = column.length;
  const auto count = static_cast<std::size_t>(rows);
  switch (column.type->kind()) {
    case TypeKind::kBigInt: {
      keys.reserve(count, count * 9);
      const auto* data = column.data<std::int64_t>();
      for (std::int64_t i = 0; i < rows; ++i) {
        if (column.is_null(i)) {
          keys.append_null();
        } else {
          keys.append_int(data[i]);
        }
      }
      return;
    }
    case TypeKind::kString: {
      const std::int32_t* offsets = column.offset_data();
      keys.reserve(count, count * 2 + static_cast<std::size_t>(offsets[rows] - offsets[0]));
      for (std::int64_t i = 0; i < rows; ++i) {
        if (column.is_null(i)) {
          keys.append_null();
        } else {
          keys.append_string(column.string_at(i));
        }
      }
      return;
    }
    default: {
      std::string bytes;
      for (std::int64_t i = 0; i < rows; ++i) {
        bytes.clear();
        Value value = column.value_at(i);
        encode_key(value, bytes);
        keys.append(bytes, std::move(value));
      }
    }
  }
}

class KeyByOperator final : public Operator {
 public:
  explicit KeyByOperator(std::unique_ptr<KeySelector> selector) : selector_(std::move(selector)) {}

  /// Keys that are a field of native records are taken from the column, a batch at a time.
  Granularity granularity() const override {
    return selector_->takes_batches() ? Granularity::kBatch : Granularity::kRow;
  }
  bool uses_host() const override { return selector_->uses_host(); }

  void open(OperatorContext& context) override { selector_->open(context); }

  void process(Record&& record, int /*input*/, Output& out) override {
    const Value value = selector_->key_of(record.value);
    encode(value);
    const Key key = Key::of(bytes_, value);
    record.key = &key;
    out.emit(std::move(record));
  }

  void process_batch(const BatchPtr& batch, int /*input*/, Output& out) override {
    auto keys = std::make_shared<KeyColumn>();
    const int field = selector_->field_index();
    if (field >= 0 && batch->type()->is_composite()) {
      STREAM_CHECK(static_cast<std::size_t>(field) < batch->columns().size(),
                   "key field {} of a row of {} fields",
                   field,
                   batch->columns().size());
      append_keys(batch->column(static_cast<std::size_t>(field)), *keys);
    } else {
      for (std::int64_t row = 0; row < batch->num_rows(); ++row) {
        Value value = selector_->key_of(batch->value_at(row)).isolated();
        encode(value);
        keys->append(bytes_, std::move(value));
      }
    }
    out.emit_batch(batch->with_keys(std::move(keys)));
  }

  void close() override { selector_->close(); }

 private:
  void encode(const Value& key) {
    bytes_.clear();
    try {
      encode_key(key, bytes_);
    } catch (...) {
      selector_->refuse_key();
    }
  }

  std::unique_ptr<KeySelector> selector_;
  std::string bytes_;  ///< reused: the key of the current record
};

}  // namespace

std::unique_ptr<Operator> make_key_by_operator(std::unique_ptr<KeySelector> selector) {
  return std::make_unique<KeyByOperator>(std::move(selector));
}

std::unique_ptr<KeySelector> make_field_key_selector(int index) {
  return std::make_unique<FieldKeySelector>(index);
}

std::unique_ptr<KeySelector> make_constant_key_selector(bool takes_batches) {
  return std::make_unique<ConstantKeySelector>(takes_batches);
}

}  // namespace flott
