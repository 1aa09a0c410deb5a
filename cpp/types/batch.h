#pragma once

#include "base/time.h"
#include "types/buffer.h"
#include "types/key.h"
#include "types/logical_type.h"
#include "types/value.h"

#include <boost/smart_ptr/intrusive_ptr.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace flott {

class Batch;
using BatchPtr = boost::intrusive_ptr<const Batch>;

/// One column in Arrow memory layout; immutable and shared.
///
/// values: fixed-width little-endian values; booleans as bits (Arrow). kString/kBytes: offsets
/// (int32, length+1) and data. kArray / kMap / kMultiset: offsets and children (map: keys, values).
/// kRow / kTuple: children. kDecimal: 16-byte integers. kObject: `objects`. The offsets of a slice
/// need not start at 0.
struct Column {
  LogicalTypePtr type;
  std::int64_t length = 0;
  std::int64_t null_count = 0;
  Buffer validity;  ///< bit set = valid; null pointer when there are no nulls
  Buffer values;    ///< fixed-width values, or the bytes of strings
  Buffer offsets;
  std::vector<std::shared_ptr<const Column>> children;
  /// kObject only: kObject, kNull, or any native value but kBatchRow (bindings convert when read).
  std::vector<Value> objects;
  std::size_t object_bytes = 0;  ///< kObject only: estimate of what `objects` hold

  bool is_null(std::int64_t i) const {
    return validity && ((*validity)[static_cast<std::size_t>(i >> 3)] >> (i & 7) & 1) == 0;
  }
  template <typename T>
  const T* data() const {
    return reinterpret_cast<const T*>(values->data());
  }
  const std::int32_t* offset_data() const {
    return reinterpret_cast<const std::int32_t*>(offsets->data());
  }
  bool bool_at(std::int64_t i) const {
    return ((*values)[static_cast<std::size_t>(i >> 3)] >> (i & 7) & 1) != 0;
  }
  std::string_view string_at(std::int64_t i) const {
    const std::int32_t* o = offset_data();
    return {reinterpret_cast<const char*>(values->data()) + o[i],
            static_cast<std::size_t>(o[i + 1] - o[i])};
  }
  /// Row `i` as a Value (nested values are copied out).
  Value value_at(std::int64_t i) const;
  std::size_t size_bytes() const;
};
using ColumnPtr = std::shared_ptr<const Column>;

/// The given rows in the given order, copied. Takes the host's lock itself where objects are
/// copied.
ColumnPtr take_column(const Column& column, std::span<const std::uint32_t> rows);
/// Rows [begin, end); shares the buffers.
ColumnPtr slice_column(const ColumnPtr& column, std::int64_t begin, std::int64_t end);

/// Builds one column. Not thread-safe. Typed appends are for decoders that know the column's kind;
/// append(Value) coerces (types/value.h).
class ColumnBuilder {
 public:
  explicit ColumnBuilder(LogicalTypePtr type);
  ~ColumnBuilder();
  ColumnBuilder(ColumnBuilder&&) noexcept;
  ColumnBuilder& operator=(ColumnBuilder&&) noexcept;

  const LogicalTypePtr& type() const { return type_; }
  std::int64_t length() const { return length_; }

  void append(const Value& value);
  void append_null();
  void append_bool(bool v);
  /// Any integer or temporal kind; the caller has checked the range (kTinyInt.. are truncated).
  void append_int(std::int64_t v);
  void append_double(double v);  ///< kFloat is rounded to single precision
  void append_decimal(__int128 unscaled);
  void append_string(std::string_view v);  ///< kString and kBytes
  void append_object(Value handle);
  /// kArray / kMap / kMultiset: append the items to the children first, then close the entry.
  /// kRow / kTuple: append one value to each child, then close.
  ColumnBuilder& child(std::size_t i) { return *children_[i]; }
  void close_entry();
  /// Row `i` of a column of the same type.
  void append_from(const Column& column, std::int64_t i);

  std::size_t size_bytes() const;
  /// Undoes everything after the first `length` entries (a record that failed half-way).
  void truncate(std::int64_t length);
  /// The column; the builder is empty afterwards and keeps its type.
  ColumnPtr finish();

 private:
  friend class BatchBuilder;
  void set_valid(bool valid) {
    if (!valid || !validity_.empty()) [[unlikely]] {
      set_validity_bit(valid);
    }
  }
  void set_validity_bit(bool valid);
  void append_native(const Value& value);
  void append_items(const Value& value);
  void append_row(const Value& value);
  /// A null whatever the type says: below a null row.
  void append_filler();
  void append_offset(std::size_t end);

  LogicalTypePtr type_;
  TypeKind kind_;
  std::int64_t length_ = 0;
  std::int64_t null_count_ = 0;
  ByteVector validity_;  ///< empty until the first null
  ByteVector values_;
  ByteVector offsets_;  ///< int32
  std::vector<std::unique_ptr<ColumnBuilder>> children_;
  std::vector<Value> objects_;
  std::size_t expected_length_ = 0;  ///< of the column before
  std::size_t sampled_bytes_ = 0;    ///< of every 64th object
  std::size_t sampled_count_ = 0;
};

/// The one thing that flows: rows of one type with optional timestamps, row kinds and keys.
/// Immutable, counted intrusively so that row views (Value::batch_row) cost no allocation.
class Batch {
 public:
  /// `columns`: one a field for a composite `type`, else exactly one.
  static BatchPtr make(LogicalTypePtr type,
                       std::vector<ColumnPtr> columns,
                       std::int64_t num_rows,
                       std::vector<Timestamp> timestamps = {},
                       std::vector<RowKind> kinds = {},
                       std::shared_ptr<const KeyColumn> keys = nullptr);

  const LogicalTypePtr& type() const { return type_; }
  std::int64_t num_rows() const { return num_rows_; }
  const std::vector<ColumnPtr>& columns() const { return columns_; }
  const Column& column(std::size_t i) const { return *columns_[i]; }
  bool has_timestamps() const { return !timestamps_.empty(); }
  const std::vector<Timestamp>& timestamps() const { return timestamps_; }
  Timestamp timestamp_at(std::int64_t row) const {
    return timestamps_.empty() ? kNoTimestamp : timestamps_[static_cast<std::size_t>(row)];
  }
  const std::vector<RowKind>& kinds() const { return kinds_; }
  RowKind kind_at(std::int64_t row) const {
    return kinds_.empty() ? RowKind::kInsert : kinds_[static_cast<std::size_t>(row)];
  }
  const std::shared_ptr<const KeyColumn>& keys() const { return keys_; }
  /// Row as a Value: a batch-row view for composite types, else the single column's value.
  Value value_at(std::int64_t row) const;
  std::size_t size_bytes() const { return size_bytes_; }

  /// New batches that share columns where they can.
  BatchPtr with_timestamps(std::vector<Timestamp> timestamps) const;
  BatchPtr with_keys(std::shared_ptr<const KeyColumn> keys) const;
  /// The given rows in the given order (timestamps, kinds and keys too).
  BatchPtr take(std::span<const std::uint32_t> rows) const;
  /// Rows [begin, end).
  BatchPtr slice(std::int64_t begin, std::int64_t end) const;
  /// For tests: one line a row, `+I[1, 'a'] @12`.
  std::string to_string() const;

  friend class Value;
  friend void intrusive_ptr_add_ref(const Batch* b) {
    b->refs_.fetch_add(1, std::memory_order_relaxed);
  }
  friend void intrusive_ptr_release(const Batch* b) {
    if (b->refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      delete b;
    }
  }

 private:
  Batch() = default;
  ~Batch() = default;
  mutable std::atomic<std::uint32_t> refs_{0};
  LogicalTypePtr type_;
  std::int64_t num_rows_ = 0;
  std::vector<ColumnPtr> columns_;
  std::vector<Timestamp> timestamps_;
  std::vector<RowKind> kinds_;
  std::shared_ptr<const KeyColumn> keys_;
  std::size_t size_bytes_ = 0;
};

/// Collects rows into a Batch.
class BatchBuilder {
 public:
  explicit BatchBuilder(LogicalTypePtr type);

  const LogicalTypePtr& type() const { return type_; }
  std::int64_t num_rows() const { return num_rows_; }
  bool empty() const { return num_rows_ == 0; }
  std::size_t size_bytes() const;

  /// One row; `value` is coerced to the type. A kRow with a kind of its own keeps it when `kind` is
  /// kInsert. `key` may be null, for all rows or none. Either all rows have timestamps
  /// or none (kNoTimestamp).
  void append(const Value& value,
              Timestamp timestamp = kNoTimestamp,
              RowKind kind = RowKind::kInsert,
              const Key* key = nullptr);
  /// As append, giving the value away: an opaque value costs no reference count.
  void append(Value&& value, Timestamp timestamp, RowKind kind, const Key* key);

  /// Decoders fill columns directly, then call end_row() once a row.
  ColumnBuilder& column(std::size_t i) { return columns_[i]; }
  std::size_t column_count() const { return columns_.size(); }
  void end_row(Timestamp timestamp = kNoTimestamp,
               RowKind kind = RowKind::kInsert,
               const Key* key = nullptr);
  /// Removes what a failed row left in the columns since the last end_row(). append() does it
  /// itself before it throws.
  void abort_row();

  /// The batch, or null when empty; the builder is empty afterwards.
  BatchPtr finish();

 private:
  void append_fields(const Value& value);
  LogicalTypePtr type_;
  bool object_rows_;
  std::vector<ColumnBuilder> columns_;
  std::int64_t num_rows_ = 0;
  std::vector<Timestamp> timestamps_;
  bool any_timestamp_ = false;
  std::vector<RowKind> kinds_;
  bool any_kind_ = false;
  std::shared_ptr<KeyColumn> keys_;
};

}  // namespace flott
