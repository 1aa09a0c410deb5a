// Mutable objects of the host language in state: what a function changes after it handed a value
// over.
#include "base/error.h"
#include "state/keyed_state_backend.h"
#include "types/host.h"
#include "types/key.h"
#include "types/value.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace flott {
namespace {

/// A mutable host object: a text that anyone with a reference may change.
struct Box {
  int refs = 1;
  std::string text;
};

/// Just what state needs of a host.
class BoxHost final : public Host {
 public:
  BoxHost() { set_host(this); }
  ~BoxHost() override { set_host(nullptr); }

  void enter() override {}
  void leave() override {}
  void retain(void* handle) override { ++box(handle).refs; }
  void release(void* handle) override {
    if (--box(handle).refs == 0) {
      delete &box(handle);
      --alive;
    }
  }
  void* isolate(void* handle) override {
    ++copies;
    return make(box(handle).text);
  }
  bool equal(void* a, void* b) override { return box(a).text == box(b).text; }
  bool less(void* a, void* b) override { return box(a).text < box(b).text; }
  bool truthy(void* handle) override { return !box(handle).text.empty(); }
  void serialize(void* handle, std::string& out) override { out += box(handle).text; }
  void* deserialize(std::string_view bytes) override { return make(std::string(bytes)); }
  void encode_key(void* handle, std::string& out) override { out += "S" + box(handle).text; }
  std::string repr(void* handle) override { return box(handle).text; }
  std::string str(void* handle) override { return box(handle).text; }
  std::size_t size_hint(void* handle) override { return box(handle).text.size(); }
  Value to_native(void*, const LogicalType&) override { return {}; }
  void* to_object(const Value&, const LogicalType&) override { return make(""); }

  void* make(std::string text) {
    ++alive;
    return new Box{1, std::move(text)};
  }
  static Box& box(void* handle) { return *static_cast<Box*>(handle); }

  int alive = 0;
  int copies = 0;
};

Box& box_of(const Value& value) {
  return BoxHost::box(value.as_object());
}

class Isolation : public ::testing::Test {
 protected:
  void TearDown() override {
    backend_.reset();
    EXPECT_EQ(host_.alive, 0) << "every reference was given back";
  }
  void make_backend(bool object_reuse) {
    KeyedStateOptions options;
    options.object_reuse = object_reuse;
    backend_ = make_heap_keyed_state_backend(options);
    use_key("k");
  }
  void use_key(const std::string& key) {
    const Value value = Value::string(key);
    std::string bytes;
    encode_key(value, bytes);
    backend_->set_current_key(Key::of(bytes, value));
  }
  Value box(const std::string& text) { return Value::adopt_object(host_.make(text)); }
  static StateDescriptor descriptor(StateKind kind) {
    StateDescriptor d;
    d.kind = kind;
    d.name = "state";
    return d;
  }

  BoxHost host_;
  std::unique_ptr<KeyedStateBackend> backend_;
};

TEST_F(Isolation, WhatTheCallerChangesAfterAnUpdateIsNotSeen) {
  make_backend(false);
  ValueState& state = backend_->value_state(descriptor(StateKind::kValue));
  const Value mine = box("a");
  state.update(mine);
  box_of(mine).text = "changed";
  EXPECT_EQ(box_of(state.value()).text, "a");
}

TEST_F(Isolation, UpdatingWithTheStoredObjectItselfIsolatesToo) {
  make_backend(false);
  ValueState& state = backend_->value_state(descriptor(StateKind::kValue));
  state.update(box("1"));
  std::vector<Value> emitted;
  for (int n = 2; n <= 3; ++n) {
    const Value held = state.value();
    box_of(held).text += std::to_string(n);
    state.update(held);
    emitted.push_back(held);
  }
  EXPECT_EQ(box_of(emitted[0]).text, "12");
  EXPECT_EQ(box_of(emitted[1]).text, "123");
  box_of(emitted[1]).text = "changed by the receiver";
  EXPECT_EQ(box_of(state.value()).text, "123");
}

TEST_F(Isolation, ListsMapsAndAccumulatorsIsolateWhatGoesIn) {
  make_backend(false);
  ListState& list = backend_->list_state(descriptor(StateKind::kList));
  const Value mine = box("a");
  list.add(mine);
  list.add_all({mine});
  StateDescriptor d = descriptor(StateKind::kMap);
  d.name = "map";
  MapState& map = backend_->map_state(d);
  map.put(Value::integer(1), mine);
  struct Last final : ReduceFunction {
    Value reduce(const Value&, const Value& value) override { return value; }
  };
  d = descriptor(StateKind::kReducing);
  d.name = "last";
  d.reduce = std::make_shared<Last>();
  AppendingState& last = backend_->appending_state(d);
  last.add(mine);
  last.add(mine);
  box_of(mine).text = "changed";
  for (const Value& item : list.get()) {
    EXPECT_EQ(box_of(item).text, "a");
  }
  EXPECT_EQ(box_of(map.get(Value::integer(1))).text, "a");
  EXPECT_EQ(box_of(last.get()).text, "a");
  list.update({mine});
  box_of(mine).text = "again";
  EXPECT_EQ(box_of(list.get()[0]).text, "changed");
}

TEST_F(Isolation, AMutableDefaultIsNotSharedBetweenKeys) {
  make_backend(false);
  StateDescriptor d = descriptor(StateKind::kValue);
  d.default_value = box("default");
  ValueState& state = backend_->value_state(d);
  box_of(state.value()).text += " changed";
  use_key("other");
  EXPECT_EQ(box_of(state.value()).text, "default");
}

TEST_F(Isolation, AnAggregateGrowsItsAccumulatorWithoutCopies) {
  struct Join final : AggregateFunction {
    explicit Join(BoxHost& h) : host(h) {}
    Value create_accumulator() override { return Value::adopt_object(host.make("")); }
    Value add(const Value& value, const Value& accumulator) override {
      box_of(accumulator).text += value.as_string();
      return accumulator;
    }
    Value get_result(const Value& accumulator) override {
      return Value::string(box_of(accumulator).text);
    }
    Value merge(const Value& a, const Value& b) override {
      box_of(a).text += box_of(b).text;
      return a;
    }
    BoxHost& host;
  };
  make_backend(false);
  StateDescriptor d = descriptor(StateKind::kAggregating);
  d.aggregate = std::make_shared<Join>(host_);
  AppendingState& state = backend_->appending_state(d);
  for (const char* text : {"a", "b", "c"}) {
    state.add(Value::string(text));
  }
  EXPECT_EQ(state.get().as_string(), "abc");
  EXPECT_EQ(host_.copies, 0);
}

TEST_F(Isolation, ObjectReuseTakesValuesAsTheyAre) {
  make_backend(true);
  ValueState& state = backend_->value_state(descriptor(StateKind::kValue));
  const Value mine = box("a");
  state.update(mine);
  box_of(mine).text = "changed";
  EXPECT_EQ(box_of(state.value()).text, "changed");
  EXPECT_EQ(host_.copies, 0);
}

TEST_F(Isolation, ObjectsPassASnapshot) {
  make_backend(false);
  backend_->value_state(descriptor(StateKind::kValue)).update(box("kept"));
  auto restored = make_heap_keyed_state_backend({});
  restored->restore(backend_->snapshot());
  backend_ = std::move(restored);
  use_key("k");
  EXPECT_EQ(box_of(backend_->value_state(descriptor(StateKind::kValue)).value()).text, "kept");
}

TEST_F(Isolation, AMutableValueThatWasReadIsInTheNextCheckpoint) {
  for (const auto kind : {StateKind::kValue, StateKind::kList, StateKind::kMap}) {
    for (const bool read : {true, false}) {
      make_backend(false);
      StateDescriptor descriptor;
      descriptor.kind = kind;
      descriptor.name = "state";
      descriptor.value_type = LogicalType::object();
      descriptor.key_type = LogicalType::object();
      const Value key = Value::string("key");
      const auto held = [&](KeyedStateBackend& backend) {
        switch (kind) {
          case StateKind::kValue:
            return backend.value_state(descriptor).value();
          case StateKind::kList:
            return backend.list_state(descriptor).get().at(0);
          default:
            return backend.map_state(descriptor).get(key);
        }
      };
      const auto use_key = [&](KeyedStateBackend& backend) {
        std::string bytes;
        encode_key(key, bytes);
        backend.set_current_key(Key::of(bytes, key));
      };
      use_key(*backend_);
      Value kept;
      {
        const Value first = Value::adopt_object(host_.make("a"));
        switch (kind) {
          case StateKind::kValue:
            backend_->value_state(descriptor).update(first);
            break;
          case StateKind::kList:
            backend_->list_state(descriptor).add(first);
            break;
          default:
            backend_->map_state(descriptor).put(key, first);
        }
      }
      kept = held(*backend_);
      backend_->snapshot_files();
      box_of(read ? held(*backend_) : kept).text = "b";
      kept = Value();
      auto restored = make_heap_keyed_state_backend({});
      restored->restore_files(*backend_->snapshot_files());
      use_key(*restored);
      EXPECT_EQ(box_of(held(*restored)).text, read ? "b" : "a")
          << "a reference from before the last checkpoint is not watched";
    }
  }
}

}  // namespace
}  // namespace flott
