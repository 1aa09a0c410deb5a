#pragma once

#include "connectors/source.h"
#include "runtime/operator.h"

#include <Python.h>

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace flott::bindings {

/// What a scripted source emits: records, watermarks and idleness in order. A _native.Script; the
/// test appends to it before or while the job runs, the source's task reads it. Items stay, so that
/// a restarted job reads them again from where its checkpoint was.
struct Script {
  enum class Kind : std::uint8_t { kElement, kWatermark, kIdle, kActive };
  struct Item {
    Kind kind;
    Value value;  ///< kElement only
    Timestamp time;
  };

  explicit Script(LogicalTypePtr record_type) : type(std::move(record_type)) {}

  /// With the GIL. The record is taken as it is now; throws kUserCode when it is not of `type`.
  void element(PyObject* value, Timestamp timestamp);
  void watermark(Timestamp timestamp) { append({Kind::kWatermark, {}, timestamp}); }
  void status(bool idle) { append({idle ? Kind::kIdle : Kind::kActive, {}, 0}); }
  /// Nothing follows: the source ends.
  void end();

  const LogicalTypePtr type;  ///< of the records; null: any object
  std::mutex mutex;
  std::vector<Item> items;                           ///< guarded by mutex
  bool ended = false;                                ///< guarded by mutex
  std::vector<std::function<void()>> readers_woken;  ///< guarded by mutex

 private:
  void append(Item item);
};

/// One split, whose items travel as arrays `[kind, record, time]`. With `resume`, a restored reader
/// goes on where the checkpoint was; else it plays the script from its beginning.
std::shared_ptr<Source> make_script_source(std::shared_ptr<Script> script, bool resume);

/// Turns those items into what they mean: records, watermarks, idleness.
std::unique_ptr<Operator> make_script_player();

}  // namespace flott::bindings
