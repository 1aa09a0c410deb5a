#pragma once

#include "types/host.h"
#include "types/logical_type.h"

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flott {

class Batch;
class Value;

enum class ValueKind : std::uint8_t {
  kNull,
  kBool,
  kInt,           ///< every integer width
  kDouble,        ///< FLOAT and DOUBLE
  kDate,          ///< int: days since epoch
  kTime,          ///< int: microseconds of day
  kTimestamp,     ///< int: microseconds since epoch, aux: nanoseconds 0..999 beyond them
  kTimestampLtz,  ///< likewise, an instant
  kIntervalMonths,
  kIntervalMillis,
  kDecimal,   ///< node: DecimalNode
  kString,    ///< node: StringNode
  kBytes,     ///< node: StringNode
  kRow,       ///< node: RowNode
  kArray,     ///< node: ArrayNode (rows of tuples too)
  kMap,       ///< node: MapNode
  kObject,    ///< one reference to an opaque handle of the Host
  kBatchRow,  ///< a view of one row of a Batch: pointer counted, aux = row index
};

/// Intrusively counted heap part of a Value. Immutable once shared.
struct ValueNode {
  std::atomic<std::uint32_t> refs{1};
  virtual ~ValueNode() = default;
};
struct StringNode final : ValueNode {
  explicit StringNode(std::string t) : text(std::move(t)) {}
  std::string text;
};
struct DecimalNode final : ValueNode {
  __int128 unscaled = 0;
  int scale = 0;
};
struct RowNode final : ValueNode {
  RowKind kind = RowKind::kInsert;
  LogicalTypePtr type;  ///< kRow / kTuple with names, or null for a positional row
  std::vector<Value> fields;
};
struct ArrayNode final : ValueNode {
  std::vector<Value> items;
};
struct MapNode final : ValueNode {
  std::vector<std::pair<Value, Value>> entries;  ///< in insertion order
};

/// One value, 16 bytes: what row-at-a-time operators, state and windows handle. Copying shares
/// (reference counts); a Value never changes what others see. Not thread-safe as an object, but
/// different Values that share a node may live on different threads.
class Value {
 public:
  Value() = default;
  Value(const Value& other) : kind_(other.kind_), aux_(other.aux_), bits_(other.bits_) { retain(); }
  Value(Value&& other) noexcept : kind_(other.kind_), aux_(other.aux_), bits_(other.bits_) {
    other.kind_ = ValueKind::kNull;
  }
  Value& operator=(const Value& other) {
    Value copy(other);
    swap(copy);
    return *this;
  }
  Value& operator=(Value&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Value() { release(); }
  void swap(Value& other) noexcept {
    std::swap(kind_, other.kind_);
    std::swap(aux_, other.aux_);
    std::swap(bits_, other.bits_);
  }

  static Value null() { return {}; }
  static Value boolean(bool v) { return inline_value(ValueKind::kBool, v ? 1 : 0); }
  static Value integer(std::int64_t v) { return inline_value(ValueKind::kInt, v); }
  static Value real(double v) {
    Value out;
    out.kind_ = ValueKind::kDouble;
    out.bits_.real = v;
    return out;
  }
  static Value date(std::int32_t days) { return inline_value(ValueKind::kDate, days); }
  static Value time(std::int64_t micros) { return inline_value(ValueKind::kTime, micros); }
  static Value timestamp(std::int64_t micros, std::uint32_t nanos = 0) {
    return inline_value(ValueKind::kTimestamp, micros, nanos);
  }
  static Value timestamp_ltz(std::int64_t micros, std::uint32_t nanos = 0) {
    return inline_value(ValueKind::kTimestampLtz, micros, nanos);
  }
  static Value interval_months(std::int64_t v) {
    return inline_value(ValueKind::kIntervalMonths, v);
  }
  static Value interval_millis(std::int64_t v) {
    return inline_value(ValueKind::kIntervalMillis, v);
  }
  static Value decimal(__int128 unscaled, int scale);
  static Value string(std::string v) {
    return node_value(ValueKind::kString, new StringNode(std::move(v)));
  }
  static Value bytes(std::string v) {
    return node_value(ValueKind::kBytes, new StringNode(std::move(v)));
  }
  static Value row(std::vector<Value> fields,
                   LogicalTypePtr type = nullptr,
                   RowKind kind = RowKind::kInsert);
  static Value array(std::vector<Value> items);
  static Value map(std::vector<std::pair<Value, Value>> entries);
  /// Takes over one reference to an opaque handle.
  static Value adopt_object(void* handle) {
    Value v;
    v.kind_ = ValueKind::kObject;
    v.bits_.pointer = handle;
    return v;
  }
  /// A view of row `row` of `batch`; keeps the batch alive.
  static Value batch_row(const Batch& batch, std::uint32_t row);

  ValueKind kind() const { return kind_; }
  bool is_null() const { return kind_ == ValueKind::kNull; }
  bool is_object() const { return kind_ == ValueKind::kObject; }
  bool as_bool() const { return bits_.integer != 0; }
  std::int64_t as_int() const { return bits_.integer; }
  double as_double() const { return bits_.real; }
  std::uint32_t aux() const { return aux_; }
  const std::string& as_string() const { return static_cast<const StringNode*>(node())->text; }
  const DecimalNode& as_decimal() const { return *static_cast<const DecimalNode*>(node()); }
  const RowNode& as_row() const { return *static_cast<const RowNode*>(node()); }
  const std::vector<Value>& as_array() const {
    return static_cast<const ArrayNode*>(node())->items;
  }
  const std::vector<std::pair<Value, Value>>& as_map() const {
    return static_cast<const MapNode*>(node())->entries;
  }
  /// Borrowed handle.
  void* as_object() const { return bits_.pointer; }
  /// Gives up the reference held (kObject only); the Value becomes null.
  void* release_object() {
    kind_ = ValueKind::kNull;
    return bits_.pointer;
  }
  /// The batch of a kBatchRow; its row is aux().
  const Batch& as_batch() const { return *static_cast<const Batch*>(bits_.pointer); }

  /// Field `index` of a row, array, or batch row.
  Value field(std::size_t index) const;
  std::size_t field_count() const;

  /// A batch row becomes a kRow that does not pin the batch; host objects are shared as they are.
  Value detached() const;
  /// The items of a kArray or fields of a kRow, for the only holder to change in place: copied
  /// first while others hold them too.
  std::vector<Value>& own_items();
  /// A value that does not pin a batch and that nobody else can change: batch rows become kRow,
  /// mutable host objects are copied (Host::isolate); everything else is returned as it is.
  Value isolated() const;

  /// Deep equality. Booleans, integers, doubles and decimals compare numerically and exactly, as in
  /// Python, but NaN equals itself, as in a key. Rows compare their kinds and ignore names. Objects
  /// by Host::equal, also with native values.
  bool operator==(const Value& other) const;
  /// Order of numbers, strings, bytes, temporal values, arrays/rows by position, objects by
  /// Host::less; nulls first. Throws kUserCode when two kinds cannot be compared.
  static bool less(const Value& a, const Value& b);
  /// Readable text for messages and C++ tests: `1`, `'a'`, `[1, 2]`, `{k: v}`, `+I[1, 'a']`.
  std::string to_string() const;
  /// Rough bytes held.
  std::size_t size_hint() const;

  /// Self-describing bytes (a tag, then the content; objects by Host::serialize) and back.
  void encode(std::string& out) const;
  static Value decode(class BytesReader& in);

 private:
  union Bits {
    std::int64_t integer;
    double real;
    void* pointer;
  };
  static Value inline_value(ValueKind kind, std::int64_t v, std::uint32_t aux = 0) {
    Value out;
    out.kind_ = kind;
    out.aux_ = aux;
    out.bits_.integer = v;
    return out;
  }
  static Value node_value(ValueKind kind, ValueNode* node) {
    Value out;
    out.kind_ = kind;
    out.bits_.pointer = node;
    return out;
  }
  bool counted() const { return kind_ >= ValueKind::kDecimal; }
  ValueNode* node() const { return static_cast<ValueNode*>(bits_.pointer); }
  void retain() {
    if (is_object()) {
      require_host().retain(bits_.pointer);
    } else if (counted()) {
      retain_node();
    }
  }
  void release() {
    if (is_object()) {
      // A static Value may outlive the host at exit; leaking it is the only safe thing then.
      if (Host* const h = host()) {
        h->release(bits_.pointer);
      }
    } else if (counted()) {
      release_node();
    }
  }
  void retain_node();
  void release_node();

  ValueKind kind_ = ValueKind::kNull;
  std::uint32_t aux_ = 0;
  Bits bits_{.integer = 0};
};
static_assert(sizeof(Value) == 16);

/// The type a native value has by itself: BIGINT, DOUBLE, STRING, TIMESTAMP(9), ARRAY<...> of the
/// first item that is not null, the object type for a kObject.
LogicalTypePtr natural_type(const Value& value);

/// Converts `value` to what a column of `type` holds: coerces integers and floats to the width,
/// opaque values by Host::to_native. Throws kUserCode with value and type when it does not fit.
Value coerce(const Value& value, const LogicalType& type);

}  // namespace flott
