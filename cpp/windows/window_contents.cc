#include "windows/window_contents.h"

#include <iterator>
#include <utility>

namespace flott {
namespace {

constexpr const char* kStateName = "window-contents";

Value stamped(const Value& value, Timestamp timestamp) {
  return Value::array({value.isolated(), Value::integer(timestamp)});
}

}  // namespace

void WindowContents::open(Options options, KeyedStateBackend& backend) {
  options_ = std::move(options);
  StateDescriptor descriptor;
  descriptor.name = kStateName;
  descriptor.ends_by_itself = options_.windows_end;
  if (!options_.with_timestamps && options_.reduce != nullptr) {
    descriptor.kind = StateKind::kReducing;
    descriptor.value_type = options_.element_type;
    descriptor.reduce = options_.reduce;
    appending_ = &backend.appending_state(descriptor);
  } else if (!options_.with_timestamps && options_.aggregate != nullptr) {
    descriptor.kind = StateKind::kAggregating;
    descriptor.value_type = options_.accumulator_type;
    descriptor.aggregate = options_.aggregate;
    appending_ = &backend.appending_state(descriptor);
  } else {
    descriptor.kind = StateKind::kList;
    if (!options_.with_timestamps) {
      descriptor.value_type = options_.element_type;
    }
    list_ = &backend.list_state(descriptor);
  }
}

void WindowContents::add(const Value& value, Timestamp timestamp) {
  if (appending_ != nullptr) {
    appending_->add(value);
  } else {
    list_->add(options_.with_timestamps ? stamped(value, timestamp) : value);
  }
}

std::vector<Value> WindowContents::elements() {
  if (appending_ == nullptr) {
    return list_->get();
  }
  std::vector<Value> result;
  if (Value value = appending_->get(); !value.is_null()) {
    result.push_back(std::move(value));
  }
  return result;
}

std::vector<TimestampedValue> WindowContents::timestamped_elements() {
  std::vector<TimestampedValue> elements;
  for (const Value& entry : list_->get()) {
    const std::vector<Value>& pair = entry.as_array();
    elements.push_back({pair[0], pair[1].as_int()});
  }
  return elements;
}

std::vector<Value> WindowContents::reduced(const std::vector<TimestampedValue>& elements) {
  std::vector<Value> values;
  if (options_.reduce != nullptr) {
    for (const TimestampedValue& element : elements) {
      if (values.empty()) {
        values.push_back(element.value);
      } else {
        values[0] = options_.reduce->reduce(values[0], element.value);
      }
    }
  } else if (options_.aggregate != nullptr) {
    Value accumulator = options_.aggregate->create_accumulator();
    for (const TimestampedValue& element : elements) {
      accumulator = options_.aggregate->add(element.value, accumulator);
    }
    values.push_back(options_.aggregate->get_result(accumulator));
  } else {
    values.reserve(elements.size());
    for (const TimestampedValue& element : elements) {
      values.push_back(element.value);
    }
  }
  return values;
}

void WindowContents::replace(const std::vector<TimestampedValue>& elements) {
  std::vector<Value> entries;
  entries.reserve(elements.size());
  for (const TimestampedValue& element : elements) {
    entries.push_back(stamped(element.value, element.timestamp));
  }
  list_->update(std::move(entries));
}

void WindowContents::merge(const Window& target, const std::vector<Window>& sources) {
  if (appending_ != nullptr) {
    appending_->merge_namespaces(target, sources);
    appending_->set_namespace(target);
    return;
  }
  std::vector<Value> moved;
  for (const Window& source : sources) {
    list_->set_namespace(source);
    std::vector<Value> elements = list_->get();
    moved.insert(moved.end(),
                 std::make_move_iterator(elements.begin()),
                 std::make_move_iterator(elements.end()));
    list_->clear();
  }
  list_->set_namespace(target);
  if (!moved.empty()) {
    list_->add_all(std::move(moved));
  }
}

}  // namespace flott
