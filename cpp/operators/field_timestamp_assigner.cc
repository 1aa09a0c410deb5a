#include "operators/field_timestamp_assigner.h"

#include "base/error.h"
#include "types/batch.h"

namespace flott {
namespace {

[[noreturn]] void refuse_null() {
  throw_error(ErrorKind::kUserCode,
              "extract_timestamp() must return milliseconds since 1970 as an int, not None "
              "(NoneType)");
}

class FieldTimestampAssigner final : public TimestampAssigner {
 public:
  explicit FieldTimestampAssigner(int index) : index_(static_cast<std::size_t>(index)) {}

  Timestamp extract_timestamp(const Value& value, Timestamp /*record_timestamp*/) override {
    const Value field = value.field(index_);
    if (field.is_null()) {
      refuse_null();
    }
    return field.as_int();
  }

  bool extract_timestamps(const Batch& batch, std::vector<Timestamp>& out) override {
    STREAM_CHECK(batch.type()->is_composite() && index_ < batch.columns().size(),
                 "the timestamp is field {} of a row, not of {}",
                 index_,
                 batch.type()->to_string());
    const Column& column = batch.column(index_);
    switch (column.type->kind()) {
      case TypeKind::kBigInt:
        copy<std::int64_t>(column, out);
        return true;
      case TypeKind::kInt:
        copy<std::int32_t>(column, out);
        return true;
      default:
        return false;
    }
  }

 private:
  template <typename Integer>
  static void copy(const Column& column, std::vector<Timestamp>& out) {
    for (std::int64_t i = 0; column.null_count > 0 && i < column.length; ++i) {
      if (column.is_null(i)) {
        refuse_null();
      }
    }
    const Integer* const values = column.data<Integer>();
    out.assign(values, values + column.length);
  }

  std::size_t index_;
};

}  // namespace

std::unique_ptr<TimestampAssigner> make_field_timestamp_assigner(int index) {
  return std::make_unique<FieldTimestampAssigner>(index);
}

}  // namespace flott
