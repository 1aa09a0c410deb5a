#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "types/coerce.h"
#include "types/host.h"
#include "types/key.h"
#include "types/value.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

namespace flott {

/// A host language for C++ tests: objects are a number, a text or a mutable list of numbers,
/// counted one by one, so that a test can assert that none leaks (`live() == 0` at its end) and
/// that mutable ones are copied where values are isolated. Installs itself as host() for its
/// lifetime. Thread-safe as a Host must be; `object` and `list_of` are for tests on one thread.
class FakeHost : public Host {
 public:
  using List = std::vector<std::int64_t>;
  using Payload = std::variant<std::int64_t, std::string, List>;

  FakeHost() : before_(flott::host()) { set_host(this); }
  ~FakeHost() override { set_host(before_); }

  /// A Value that owns the only reference to a new object.
  Value object(Payload contents) { return Value::adopt_object(create(std::move(contents))); }
  Value number(std::int64_t v) { return object(Payload(v)); }
  Value text(std::string v) { return object(Payload(std::move(v))); }
  Value list(List v) { return object(Payload(std::move(v))); }

  static const Payload& payload(const Value& value) { return payload(value.as_object()); }
  static const Payload& payload(void* handle) { return static_cast<Object*>(handle)->payload; }
  /// The list behind a value, to change it as a user's function would.
  static List& list_of(const Value& value) {
    return std::get<List>(static_cast<Object*>(value.as_object())->payload);
  }
  static int refs(const Value& value) {
    return static_cast<Object*>(value.as_object())->refs.load();
  }

  /// Objects that exist.
  int live() const { return live_.load(); }
  /// Calls so far, for tests of what must not be called.
  int retains() const { return retains_.load(); }
  int enters() const { return enters_.load(); }
  int copies() const { return copies_.load(); }
  int suspends() const { return suspends_.load(); }
  bool entered() const { return depth_ > 0; }

  void enter() override {
    lock_.lock();
    ++depth_;
    ++enters_;
    owner_ = std::this_thread::get_id();
  }
  void leave() override {
    if (--depth_ == 0) {
      owner_ = std::thread::id();
    }
    lock_.unlock();
  }
  void* suspend() override {
    if (owner_ != std::this_thread::get_id()) {
      return nullptr;
    }
    ++suspends_;
    auto* const depth = new int(depth_);
    for (int left = *depth; left > 0; --left) {
      leave();
    }
    return depth;
  }
  void resume(void* suspended) override {
    const std::unique_ptr<int> depth(static_cast<int*>(suspended));
    for (int left = *depth; left > 0; --left) {
      enter();
    }
  }
  void retain(void* handle) override {
    ++retains_;
    ++static_cast<Object*>(handle)->refs;
  }
  void release(void* handle) override {
    auto* const object = static_cast<Object*>(handle);
    STREAM_CHECK(object->refs.load() > 0, "a fake object was released too often");
    if (--object->refs == 0) {
      delete object;
      --live_;
    }
  }
  void* isolate(void* handle) override {
    if (const auto* list = std::get_if<List>(&payload(handle))) {
      ++copies_;
      return create(*list);
    }
    retain(handle);
    return handle;
  }
  bool equal(void* a, void* b) override { return payload(a) == payload(b); }
  bool less(void* a, void* b) override {
    if (payload(a).index() != payload(b).index()) {
      throw_error(ErrorKind::kUserCode, "'<' not supported between {} and {}", repr(a), repr(b));
    }
    return payload(a) < payload(b);
  }
  bool truthy(void* handle) override {
    if (const auto* v = std::get_if<std::int64_t>(&payload(handle))) {
      return *v != 0;
    }
    const auto* text = std::get_if<std::string>(&payload(handle));
    return text != nullptr ? !text->empty() : !std::get<List>(payload(handle)).empty();
  }
  void serialize(void* handle, std::string& out) override {
    BytesWriter w(out);
    w.u8(static_cast<std::uint8_t>(payload(handle).index()));
    if (const auto* v = std::get_if<std::int64_t>(&payload(handle))) {
      w.i64(*v);
    } else if (const auto* text = std::get_if<std::string>(&payload(handle))) {
      w.string(*text);
    } else {
      const List& list = std::get<List>(payload(handle));
      w.varint(list.size());
      for (const std::int64_t item : list) {
        w.i64(item);
      }
    }
  }
  void* deserialize(std::string_view bytes) override {
    BytesReader in(bytes);
    switch (in.u8()) {
      case 0:
        return create(in.i64());
      case 1:
        return create(std::string(in.string()));
      case 2: {
        List list(in.count());
        for (std::int64_t& item : list) {
          item = in.i64();
        }
        return create(std::move(list));
      }
      default:
        throw Error(ErrorKind::kExternal, "stored bytes are damaged: no fake object");
    }
  }
  void encode_key(void* handle, std::string& out) override {
    if (const auto* v = std::get_if<std::int64_t>(&payload(handle))) {
      encode_key_int(*v, out);
    } else if (const auto* text = std::get_if<std::string>(&payload(handle))) {
      flott::encode_key(Value::string(*text), out);
    } else {
      throw_error(ErrorKind::kUserCode, "a list cannot be a key: {}", repr(handle));
    }
  }
  std::string repr(void* handle) override {
    if (const auto* v = std::get_if<std::int64_t>(&payload(handle))) {
      return std::to_string(*v);
    }
    if (const auto* text = std::get_if<std::string>(&payload(handle))) {
      return "'" + *text + "'";
    }
    std::string out = "[";
    for (const std::int64_t item : std::get<List>(payload(handle))) {
      out += (out.size() > 1 ? ", " : "") + std::to_string(item);
    }
    return out + "]";
  }
  std::string str(void* handle) override {
    const auto* text = std::get_if<std::string>(&payload(handle));
    return text != nullptr ? *text : repr(handle);
  }
  std::size_t size_hint(void* handle) override {
    const auto* text = std::get_if<std::string>(&payload(handle));
    return sizeof(Object) + (text != nullptr ? text->size() : 0);
  }
  Value to_native(void* handle, const LogicalType& type) override {
    if (const auto* v = std::get_if<std::int64_t>(&payload(handle))) {
      return coerce(Value::integer(*v), type);
    }
    if (const auto* text = std::get_if<std::string>(&payload(handle))) {
      return coerce(Value::string(*text), type);
    }
    std::vector<Value> items;
    for (const std::int64_t item : std::get<List>(payload(handle))) {
      items.push_back(Value::integer(item));
    }
    return coerce(Value::array(std::move(items)), type);
  }
  void* to_object(const Value& value, const LogicalType& type) override {
    switch (value.kind()) {
      case ValueKind::kBool:
      case ValueKind::kInt:
        return create(value.as_int());
      case ValueKind::kString:
        return create(value.as_string());
      case ValueKind::kArray:
      case ValueKind::kRow:
      case ValueKind::kBatchRow: {
        List list;
        for (std::size_t i = 0; i < value.field_count(); ++i) {
          list.push_back(value.field(i).as_int());
        }
        return create(std::move(list));
      }
      default:
        throw_error(ErrorKind::kUserCode,
                    "the fake host has no object for {} of type {}",
                    value.to_string(),
                    type.to_string());
    }
  }

 private:
  struct Object {
    explicit Object(Payload p) : payload(std::move(p)) {}
    std::atomic<int> refs{1};
    Payload payload;
  };
  void* create(Payload contents) {
    auto* const object = new Object(std::move(contents));
    ++live_;
    return object;
  }

  Host* before_;
  std::recursive_mutex lock_;
  int depth_ = 0;
  std::atomic<std::thread::id> owner_;  ///< of the lock
  std::atomic<int> live_{0};
  std::atomic<int> retains_{0};
  std::atomic<int> enters_{0};
  std::atomic<int> copies_{0};
  std::atomic<int> suspends_{0};
};

}  // namespace flott
