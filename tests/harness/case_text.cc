#include "harness/case_text.h"

#include "types/logical_type.h"

#include <charconv>
#include <cstdlib>
#include <stdexcept>

namespace flott::harness {
namespace {

std::string_view trim(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; };
  while (!text.empty() && blank(text.front())) {
    text.remove_prefix(1);
  }
  while (!text.empty() && blank(text.back())) {
    text.remove_suffix(1);
  }
  return text;
}

[[noreturn]] void refuse(std::string_view what, std::string_view text) {
  throw std::invalid_argument(std::string(what) + ": '" + std::string(text) + "'");
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (text.substr(0, prefix.size()) != prefix) {
    return false;
  }
  text = trim(text.substr(prefix.size()));
  return true;
}

/// Cuts at `separator` outside brackets.
std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  int depth = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '[' || text[i] == '(') {
      ++depth;
    } else if (text[i] == ']' || text[i] == ')') {
      --depth;
    } else if (text[i] == separator && depth == 0) {
      parts.push_back(trim(text.substr(begin, i - begin)));
      begin = i + 1;
    }
  }
  parts.push_back(trim(text.substr(begin)));
  return parts;
}

template <typename T>
std::optional<T> number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

std::vector<Value> parse_items(std::string_view text);

Value parse_item(std::string_view item) {
  if (item.size() >= 2 && item.front() == '[' && item.back() == ']') {
    const std::string_view inside = trim(item.substr(1, item.size() - 2));
    return Value::array(inside.empty() ? std::vector<Value>{} : parse_items(inside));
  }
  if (item.size() >= 2 && item.front() == '(' && item.back() == ')') {
    return Value::row(parse_items(item.substr(1, item.size() - 2)));
  }
  if (item == "null") {
    return {};
  }
  if (item == "true" || item == "false") {
    return Value::boolean(item == "true");
  }
  if (const auto integer = number<std::int64_t>(item)) {
    return Value::integer(*integer);
  }
  if (const auto real = number<double>(item)) {
    return Value::real(*real);
  }
  return Value::string(std::string(item));
}

std::vector<Value> parse_items(std::string_view text) {
  std::vector<Value> items;
  for (const std::string_view item : split(text, ',')) {
    items.push_back(parse_item(item));
  }
  return items;
}

/// `+ a,2 @1s`, behind the input's number.
Step parse_record(std::string_view text) {
  Step step;
  if (take_prefix(text, "+U")) {
    step.row_kind = RowKind::kUpdateAfter;
  } else if (take_prefix(text, "-U")) {
    step.row_kind = RowKind::kUpdateBefore;
  } else if (take_prefix(text, "-")) {
    step.row_kind = RowKind::kDelete;
  } else if (!take_prefix(text, "+")) {
    refuse("not a step of the test language (harness/case_text.h)", text);
  }
  if (const std::size_t at = text.rfind('@'); at != std::string_view::npos) {
    step.time = parse_time(trim(text.substr(at + 1)));
    text = trim(text.substr(0, at));
  }
  step.value = parse_value(text);
  return step;
}

Step parse_step(std::string_view text) {
  Step step;
  std::string_view rest = text;
  if (take_prefix(rest, "watermark ")) {
    step.kind = Step::Kind::kWatermark;
    step.time = parse_time(rest);
  } else if (take_prefix(rest, "clock ")) {
    step.kind = Step::Kind::kClock;
    step.time = parse_time(rest);
  } else if (text == "idle") {
    step.kind = Step::Kind::kIdle;
  } else if (text == "active") {
    step.kind = Step::Kind::kActive;
  } else if (text == "end" || text == "end 2") {
    step.kind = Step::Kind::kEnd;
    step.input = text == "end" ? 0 : 1;
  } else {
    const bool second = rest.front() == '2';
    if (second) {
      rest = trim(rest.substr(1));
    }
    step = parse_record(rest);
    step.input = second ? 1 : 0;
  }
  step.text = text;
  return step;
}

std::string_view sign_of(RowKind kind) {
  switch (kind) {
    case RowKind::kInsert:
      return "+";
    case RowKind::kUpdateBefore:
      return "-U";
    case RowKind::kUpdateAfter:
      return "+U";
    case RowKind::kDelete:
      return "-";
  }
  return "?";
}

std::string join(const Value& composite) {
  std::string text;
  for (std::size_t i = 0; i < composite.field_count(); ++i) {
    text += i == 0 ? "" : ",";
    const Value field = composite.field(i);
    const bool row = field.kind() == ValueKind::kRow || field.kind() == ValueKind::kBatchRow;
    text += row ? "(" + to_text(field) + ")" : to_text(field);
  }
  return text;
}

}  // namespace

Timestamp parse_time(std::string_view text) {
  if (text == "max") {
    return kMaxTimestamp;
  }
  if (text == "min") {
    return kMinTimestamp;
  }
  std::size_t digits = text.find_first_not_of("-0123456789");
  digits = digits == std::string_view::npos ? text.size() : digits;
  const auto amount = number<std::int64_t>(text.substr(0, digits));
  const std::string_view unit = text.substr(digits);
  if (!amount || !(unit.empty() || unit == "ms" || unit == "s" || unit == "m" || unit == "h")) {
    refuse("not a time", text);
  }
  const std::int64_t factor = unit == "s"   ? 1000
                              : unit == "m" ? 60'000
                              : unit == "h" ? 3'600'000
                                            : 1;
  return *amount * factor;
}

Value parse_value(std::string_view text) {
  std::vector<Value> items = parse_items(trim(text));
  return items.size() == 1 ? std::move(items[0]) : Value::row(std::move(items));
}

std::vector<Step> parse_case(std::string_view text) {
  std::vector<Step> steps;
  for (const std::string_view part : split(text, '|')) {
    if (!part.empty()) {
      steps.push_back(parse_step(part));
    }
  }
  return steps;
}

std::vector<std::string> canonical_lines(std::string_view expectation) {
  std::vector<std::string> lines;
  for (std::string_view part : split(expectation, '|')) {
    if (part.empty()) {
      continue;
    }
    std::string side;
    if (part.substr(0, 4) == "side") {
      const std::size_t blank = part.find(' ');
      side = std::string(part.substr(0, blank)) + " ";
      part = trim(part.substr(blank));
    }
    const Step step = parse_step(part);
    if (step.kind == Step::Kind::kRecord) {
      lines.push_back(side + to_text(Record{step.value, step.time, step.row_kind, nullptr}));
    } else if (step.kind == Step::Kind::kWatermark) {
      lines.push_back("watermark " + to_text(step.time));
    } else {
      lines.emplace_back(part);
    }
  }
  return lines;
}

std::string to_text(Timestamp time) {
  return time == kMaxTimestamp ? "max" : time == kMinTimestamp ? "min" : std::to_string(time);
}

std::string to_text(const Value& value) {
  switch (value.kind()) {
    case ValueKind::kNull:
      return "null";
    case ValueKind::kString:
      return value.as_string();
    case ValueKind::kArray:
      return "[" + join(value) + "]";
    case ValueKind::kRow:
    case ValueKind::kBatchRow:
      return join(value);
    default:
      return value.to_string();
  }
}

std::string to_text(const Record& record) {
  std::string text = std::string(sign_of(record.kind)) + " " + to_text(record.value);
  return record.has_timestamp() ? text + " @" + to_text(record.timestamp) : text;
}

LogicalTypePtr common_type(const Value& value, const LogicalTypePtr& with) {
  const TypeKind known = with == nullptr ? TypeKind::kNull : with->kind();
  const auto scalar = [&](TypeKind kind) {
    return known == TypeKind::kNull || known == kind ? LogicalType::of(kind) : nullptr;
  };
  switch (value.kind()) {
    case ValueKind::kNull:
      return with == nullptr ? LogicalType::of(TypeKind::kNull) : with;
    case ValueKind::kBool:
      return scalar(TypeKind::kBoolean);
    case ValueKind::kInt:
      return scalar(TypeKind::kBigInt);
    case ValueKind::kDouble:
      return scalar(TypeKind::kDouble);
    case ValueKind::kString:
      return scalar(TypeKind::kString);
    case ValueKind::kRow: {
      const bool fits = known == TypeKind::kTuple && with->children().size() == value.field_count();
      if (known != TypeKind::kNull && !fits) {
        return nullptr;
      }
      std::vector<LogicalTypePtr> types;
      for (std::size_t i = 0; i < value.field_count(); ++i) {
        types.push_back(common_type(value.field(i), fits ? with->children()[i] : nullptr));
        if (types.back() == nullptr) {
          return nullptr;
        }
      }
      return LogicalType::tuple(std::move(types));
    }
    default:
      return nullptr;
  }
}

}  // namespace flott::harness
