#include "connectors/datagen/field_generator.h"

#include "base/hash.h"

#include <charconv>
#include <cmath>
#include <limits>

namespace flott {
namespace {

/// A well mixed number for a row; `salt` gives independent streams of one field.
std::uint64_t random_bits(std::uint64_t seed, std::uint64_t row, std::uint64_t salt = 0) {
  return mix64(mix64(seed + salt * 0x9e3779b97f4a7c15ULL) ^ (row * 0xd1342543de82ef95ULL + 1));
}

double random_unit(std::uint64_t bits) {
  return static_cast<double>(bits >> 11) * 0x1.0p-53;
}

struct IntegerRange {
  std::int64_t min;
  std::int64_t max;
};

IntegerRange integer_range(TypeKind kind) {
  switch (kind) {
    case TypeKind::kTinyInt:
      return {-128, 127};
    case TypeKind::kSmallInt:
      return {-32768, 32767};
    case TypeKind::kInt:
      return {std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()};
    default:
      return {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()};
  }
}

bool is_integer(TypeKind kind) {
  return kind == TypeKind::kTinyInt || kind == TypeKind::kSmallInt || kind == TypeKind::kInt ||
         kind == TypeKind::kBigInt;
}

double get_double(const Options& options, const std::string& key, double default_value) {
  const auto text = options.find(key);
  if (!text) {
    return default_value;
  }
  double number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc{} || end != text->data() + text->size()) {
    throw_error(
        ErrorKind::kInvalidArgument, "the option '{}' must be a number, but is '{}'", key, *text);
  }
  return number;
}

class SequenceField final : public FieldGenerator {
 public:
  SequenceField(std::int64_t start, std::int64_t end, TypeKind kind)
      : start_(start), end_(end), kind_(kind) {}
  void append(std::uint64_t row, Timestamp /*now_ms*/, ColumnBuilder& column) const override {
    const std::int64_t value = start_ + static_cast<std::int64_t>(row);
    if (kind_ == TypeKind::kString) {
      char text[24];
      const auto [end, error] = std::to_chars(text, text + sizeof text, value);
      column.append_string({text, static_cast<std::size_t>(end - text)});
    } else if (kind_ == TypeKind::kFloat || kind_ == TypeKind::kDouble) {
      column.append_double(static_cast<double>(value));
    } else {
      column.append_int(value);
    }
  }
  std::int64_t limit() const override { return end_ - start_ + 1; }

 private:
  std::int64_t start_;
  std::int64_t end_;
  TypeKind kind_;
};

class RandomField final : public FieldGenerator {
 public:
  RandomField(const std::string& name,
              LogicalTypePtr type,
              const Options& options,
              std::uint64_t seed)
      : type_(std::move(type)), seed_(seed) {
    const TypeKind kind = type_->kind();
    values_ = options.get_list("values");
    null_rate_ = get_double(options, "null-rate", 0);
    length_ = options.get_int("length", 100);
    max_past_ms_ = options.get_int("max-past", 0);
    if (is_integer(kind)) {
      const IntegerRange range = integer_range(kind);
      min_ = options.get_int("min", range.min);
      max_ = options.get_int("max", range.max);
      if (min_ > max_) {
        throw_error(ErrorKind::kInvalidArgument,
                    "'fields.{}.min' ({}) must not be above 'fields.{}.max' ({})",
                    name,
                    min_,
                    name,
                    max_);
      }
    } else if (kind == TypeKind::kFloat || kind == TypeKind::kDouble ||
               kind == TypeKind::kDecimal) {
      const double width = kind == TypeKind::kDecimal
                               ? std::pow(10.0, type_->precision() - type_->scale()) - 1
                               : 1e9;
      real_min_ = get_double(options, "min", -width);
      real_max_ = get_double(options, "max", width);
    } else if (kind != TypeKind::kBoolean && kind != TypeKind::kString &&
               kind != TypeKind::kBytes && kind != TypeKind::kDate && kind != TypeKind::kTime &&
               kind != TypeKind::kTimestamp && kind != TypeKind::kTimestampLtz) {
      throw_error(ErrorKind::kInvalidArgument,
                  "the data generator cannot make field '{}' of type {}; use a scalar type",
                  name,
                  type_->to_string());
    }
    if (kind == TypeKind::kBytes && !options.has("length")) {
      length_ = 20;
    }
    if (type_->length() > 0 && (type_->fixed_length() || type_->length() < length_)) {
      length_ = type_->length();
    }
  }

  void append(std::uint64_t row, Timestamp now_ms, ColumnBuilder& column) const override {
    if (null_rate_ > 0 && random_unit(random_bits(seed_, row, 7)) < null_rate_) {
      column.append_null();
      return;
    }
    const std::uint64_t bits = random_bits(seed_, row);
    if (!values_.empty()) {
      append_choice(values_[bits % values_.size()], column);
      return;
    }
    switch (type_->kind()) {
      case TypeKind::kBoolean:
        column.append_bool((bits & 1) != 0);
        break;
      case TypeKind::kFloat:
      case TypeKind::kDouble:
        column.append_double(real_min_ + random_unit(bits) * (real_max_ - real_min_));
        break;
      case TypeKind::kDecimal:
        column.append_decimal(
            static_cast<__int128>((real_min_ + random_unit(bits) * (real_max_ - real_min_)) *
                                  std::pow(10.0, type_->scale())));
        break;
      case TypeKind::kString:
      case TypeKind::kBytes:
        append_text(row, column);
        break;
      case TypeKind::kDate:
        column.append_int((now_ms - past(bits)) / 86'400'000);
        break;
      case TypeKind::kTime:
        column.append_int(static_cast<std::int64_t>(bits % 86'400'000) * 1000);
        break;
      case TypeKind::kTimestamp:
      case TypeKind::kTimestampLtz:
        column.append_int((now_ms - past(bits)) * (type_->precision() > 6 ? 1'000'000 : 1'000));
        break;
      default: {
        const std::uint64_t span =
            static_cast<std::uint64_t>(max_) - static_cast<std::uint64_t>(min_);
        const std::uint64_t offset =
            span == std::numeric_limits<std::uint64_t>::max() ? bits : bits % (span + 1);
        column.append_int(static_cast<std::int64_t>(static_cast<std::uint64_t>(min_) + offset));
      }
    }
  }

 private:
  std::int64_t past(std::uint64_t bits) const {
    return max_past_ms_ <= 0
               ? 0
               : static_cast<std::int64_t>(bits % static_cast<std::uint64_t>(max_past_ms_ + 1));
  }
  void append_choice(const std::string& text, ColumnBuilder& column) const {
    if (type_->kind() == TypeKind::kString || type_->kind() == TypeKind::kBytes) {
      column.append_string(text);
      return;
    }
    double number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    if (type_->kind() == TypeKind::kFloat || type_->kind() == TypeKind::kDouble) {
      column.append_double(number);
    } else {
      column.append_int(static_cast<std::int64_t>(number));
    }
  }
  void append_text(std::uint64_t row, ColumnBuilder& column) const {
    static constexpr char kHex[] = "0123456789abcdef";
    std::string text(static_cast<std::size_t>(length_), '0');
    for (std::size_t i = 0; i < text.size(); i += 16) {
      std::uint64_t bits = random_bits(seed_, row, 100 + i);
      for (std::size_t j = i; j < text.size() && j < i + 16; ++j) {
        text[j] = kHex[bits & 15];
        bits >>= 4;
      }
    }
    column.append_string(text);
  }

  LogicalTypePtr type_;
  std::uint64_t seed_;
  std::int64_t min_ = 0;
  std::int64_t max_ = 0;
  double real_min_ = 0;
  double real_max_ = 0;
  double null_rate_ = 0;
  std::int64_t length_ = 0;
  std::int64_t max_past_ms_ = 0;
  std::vector<std::string> values_;
};

}  // namespace

std::unique_ptr<FieldGenerator> make_field_generator(const std::string& name,
                                                     const LogicalTypePtr& type,
                                                     const Options& options,
                                                     std::uint64_t seed) {
  const Options own = options.sub("fields." + name);
  const std::string kind = own.get("kind", "random");
  if (kind == "sequence") {
    const TypeKind type_kind = type->kind();
    if (!is_integer(type_kind) && type_kind != TypeKind::kString && type_kind != TypeKind::kFloat &&
        type_kind != TypeKind::kDouble) {
      throw_error(ErrorKind::kInvalidArgument,
                  "'fields.{}.kind' = 'sequence' needs a number or a string, not {}",
                  name,
                  type->to_string());
    }
    if (!own.has("start") || !own.has("end")) {
      throw_error(ErrorKind::kInvalidArgument,
                  "'fields.{}.kind' = 'sequence' needs 'fields.{}.start' and 'fields.{}.end'",
                  name,
                  name,
                  name);
    }
    return std::make_unique<SequenceField>(
        own.get_int("start", 0), own.get_int("end", 0), type_kind);
  }
  if (kind != "random") {
    throw_error(ErrorKind::kInvalidArgument,
                "'fields.{}.kind' must be random or sequence, but is '{}'",
                name,
                kind);
  }
  return std::make_unique<RandomField>(name, type, own, seed);
}

}  // namespace flott
