#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace flott {

/// The type system behind both `Types.*` and `DataTypes.*`.
enum class TypeKind : std::uint8_t {
  kObject,  ///< an opaque value of the host language (Python), Flink's pickled byte array
  kNull,    ///< type of a bare null
  kBoolean,
  kTinyInt,
  kSmallInt,
  kInt,
  kBigInt,
  kFloat,
  kDouble,
  kDecimal,    ///< 128-bit integer with precision and scale
  kString,     ///< CHAR / VARCHAR; length limits in `length`
  kBytes,      ///< BINARY / VARBINARY
  kDate,       ///< days since epoch, int32
  kTime,       ///< microseconds of day, int64
  kTimestamp,  ///< without zone: microseconds since epoch (nanoseconds when precision > 6), int64
  kTimestampLtz,    ///< an instant: same storage as kTimestamp, UTC
  kIntervalMonths,  ///< int64 months
  kIntervalMillis,  ///< int64 milliseconds
  kArray,           ///< children[0] = element
  kMap,             ///< children[0] = key, children[1] = value
  kMultiset,        ///< children[0] = element; stored as a map to BIGINT
  kRow,             ///< children = fields, field_names
  kTuple,           ///< as kRow with names f0, f1, ...; a host tuple in user code
};

class LogicalType;
using LogicalTypePtr = std::shared_ptr<const LogicalType>;

/// An immutable type description, shared freely between threads.
class LogicalType : public std::enable_shared_from_this<LogicalType> {
 public:
  /// A type without parameters; temporal kinds get the precision 6 (kTime 0), kDecimal (10, 0).
  static LogicalTypePtr of(TypeKind kind, bool nullable = true);
  /// DECIMAL(precision 1..38, scale 0..precision).
  static LogicalTypePtr decimal(int precision, int scale, bool nullable = true);
  /// kTime, kTimestamp, kTimestampLtz with fractional-second digits 0..9.
  static LogicalTypePtr temporal(TypeKind kind, int precision, bool nullable = true);
  /// kString, kBytes with a maximum length; `fixed` for CHAR / BINARY.
  static LogicalTypePtr bounded(TypeKind kind,
                                std::int64_t length,
                                bool fixed,
                                bool nullable = true);
  static LogicalTypePtr array(LogicalTypePtr element, bool nullable = true);
  static LogicalTypePtr map(LogicalTypePtr key, LogicalTypePtr value, bool nullable = true);
  static LogicalTypePtr multiset(LogicalTypePtr element, bool nullable = true);
  /// Throws kInvalidArgument when the counts differ or a name is repeated.
  static LogicalTypePtr row(std::vector<std::string> names,
                            std::vector<LogicalTypePtr> types,
                            bool nullable = true);
  static LogicalTypePtr tuple(std::vector<LogicalTypePtr> types, bool nullable = true);
  /// The opaque type; one shared instance.
  static const LogicalTypePtr& object();

  TypeKind kind() const { return kind_; }
  bool nullable() const { return nullable_; }
  int precision() const { return precision_; }
  int scale() const { return scale_; }
  std::int64_t length() const { return length_; }  ///< -1: unbounded
  bool fixed_length() const { return fixed_length_; }
  const std::vector<LogicalTypePtr>& children() const { return children_; }
  const std::vector<std::string>& field_names() const { return field_names_; }
  /// Index of a field of a kRow / kTuple, or -1.
  int field_index(std::string_view name) const;
  /// kRow or kTuple: a batch of this type has one column a field.
  bool is_composite() const { return kind_ == TypeKind::kRow || kind_ == TypeKind::kTuple; }
  /// No kObject anywhere inside: values can be encoded into typed columns.
  bool is_native() const { return native_; }
  /// SQL spelling: `BIGINT NOT NULL`, `ROW<a INT, b STRING>`, `DECIMAL(10, 2)`, `RAW` for kObject.
  std::string to_string() const;
  bool operator==(const LogicalType& other) const;
  /// The same type with another nullability.
  LogicalTypePtr with_nullable(bool nullable) const;

  /// Bytes <-> type, for checkpoints.
  void encode(std::string& out) const;
  static LogicalTypePtr decode(class BytesReader& in);

 private:
  static std::shared_ptr<LogicalType> create(TypeKind kind, bool nullable);
  LogicalType() = default;
  TypeKind kind_ = TypeKind::kNull;
  bool nullable_ = true;
  bool fixed_length_ = false;
  bool native_ = true;
  int precision_ = 0;
  int scale_ = 0;
  std::int64_t length_ = -1;
  std::vector<LogicalTypePtr> children_;
  std::vector<std::string> field_names_;
};

/// Flink's change kinds, with upstream's numeric values.
enum class RowKind : std::uint8_t { kInsert = 0, kUpdateBefore = 1, kUpdateAfter = 2, kDelete = 3 };

/// "+I", "-U", "+U", "-D".
std::string_view short_string(RowKind kind);

}  // namespace flott
