#pragma once

#include "base/error.h"
#include "types/logical_type.h"

#include <atomic>
#include <string>
#include <string_view>

namespace flott {

class Value;

/// What the engine needs to know about opaque values (`TypeKind::kObject`) of the host language.
/// `bindings/` implements it over CPython; tests use a fake. A handle is one owned reference.
///
/// Threads: every function may be called on any engine thread; an implementation takes the host's
/// lock (the GIL) itself when the thread does not hold it. Code that handles many objects brackets
/// them with a HostScope so that the lock is taken once. Nothing here is called while an engine
/// lock is held.
class Host {
 public:
  virtual ~Host() = default;

  /// Takes / releases the host's lock on this thread; nests.
  virtual void enter() = 0;
  virtual void leave() = 0;
  /// Gives up the host's lock of this thread, however often it was entered, and takes it back: see
  /// HostRelease. Null when the thread does not hold it.
  virtual void* suspend() { return nullptr; }
  virtual void resume(void* /*suspended*/) {}

  virtual void retain(void* handle) = 0;
  /// Without the lock, an implementation may defer the release.
  virtual void release(void* handle) = 0;
  /// A reference to a value nobody else can change: the same handle if it is immutable, else a
  /// copy (DESIGN, "Values behave as in Flink"). Returns a new reference.
  virtual void* isolate(void* handle) = 0;
  virtual bool equal(void* a, void* b) = 0;
  virtual bool less(void* a, void* b) = 0;
  virtual bool truthy(void* handle) = 0;
  virtual void serialize(void* handle, std::string& out) = 0;
  virtual void* deserialize(std::string_view bytes) = 0;
  /// Canonical key bytes (types/key.h); throws kUserCode with the value shown when the type has
  /// no stable encoding.
  virtual void encode_key(void* handle, std::string& out) = 0;
  /// Short text for error messages (repr, cut at 200 characters).
  virtual std::string repr(void* handle) = 0;
  /// `str(value)` in full, as `print` shows it.
  virtual std::string str(void* handle) = 0;
  /// Rough bytes held, for channel capacity; cheap.
  virtual std::size_t size_hint(void* handle) = 0;

  /// Converts an opaque value to a native one of `type`, coercing as Flink's serializers do
  /// (integers wrap, FLOAT rounds). Throws kUserCode when it does not fit, showing the value.
  virtual Value to_native(void* handle, const LogicalType& type) = 0;
  /// The host's object for a native value (new reference).
  virtual void* to_object(const Value& value, const LogicalType& type) = 0;
};

/// Use host() and set_host().
extern constinit std::atomic<Host*> g_host;

/// The process's host; nullptr in a pure C++ process. Set once by bindings before any job runs.
/// Inline: opaque values ask several times a record.
inline Host* host() {
  return g_host.load(std::memory_order_acquire);
}
/// As host(), but throws kInternal when there is none.
inline Host& require_host() {
  Host* const h = host();
  STREAM_CHECK(h != nullptr, "an opaque value was met in a process without a host language");
  return *h;
}
void set_host(Host* host);

/// Holds the host's lock for a scope; free when there is no host.
class HostScope {
 public:
  HostScope() : host_(host()) {
    if (host_ != nullptr) {
      host_->enter();
    }
  }
  ~HostScope() {
    if (host_ != nullptr) {
      host_->leave();
    }
  }
  HostScope(const HostScope&) = delete;
  HostScope& operator=(const HostScope&) = delete;

 private:
  Host* host_;
};

/// Lets other threads have the host's lock while this one waits for them. Whoever joins a thread
/// that may log (a log line may go to the host) or end an attachment to the host must not hold the
/// lock.
class HostRelease {
 public:
  HostRelease() : host_(host()), suspended_(host_ != nullptr ? host_->suspend() : nullptr) {}
  ~HostRelease() {
    if (suspended_ != nullptr) {
      host_->resume(suspended_);
    }
  }
  HostRelease(const HostRelease&) = delete;
  HostRelease& operator=(const HostRelease&) = delete;

 private:
  Host* host_;
  void* suspended_;
};

}  // namespace flott
