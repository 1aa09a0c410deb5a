#pragma once

#include "bindings/functions/function_object.h"
#include "operators/functions.h"

#include <map>
#include <memory>
#include <string>

namespace flott::bindings {

/// The side outputs of one operator: id of the OutputTag -> number and declared type. Tags that
/// nobody reads are not in here; what is yielded to them is dropped, as upstream does.
struct SideOutput {
  SideOutputId id = -1;
  LogicalTypePtr type;                  ///< null: not coerced
  std::shared_ptr<bool> leaves_python;  ///< as FunctionSpec's; known when the graph is whole
};
using SideOutputs = std::map<std::string, SideOutput, std::less<>>;

/// Sends what a function returned - None, a generator or any iterable - to a Collector, one item at
/// a time: an item has gone through the whole chain before the next is pulled.
class ResultEmitter {
 public:
  ResultEmitter(const FunctionSpec& spec, std::shared_ptr<const SideOutputs> sides)
      : type_(spec), sides_(std::move(sides)) {}

  /// Looks up the OutputTag class; in open(), when user code has been imported.
  void open(OperatorContext& context);
  /// `method` and `function`, which returned the results, are for error messages. Throws
  /// CancelledException between two items once the job is being cancelled: one record may yield
  /// without an end.
  void emit(Ref results, Collector& out, const char* method, PyObject* function) const;

 private:
  void emit_item(Ref item, Collector& out, PyObject* function) const;
  bool is_tagged(PyObject* item) const;
  /// The output of a tag, null for one that nobody reads.
  const SideOutput* side_of(PyObject* tag) const;
  void stop_if_cancelled() const;

  ResultType type_;
  std::shared_ptr<const SideOutputs> sides_;
  Handle output_tag_class_;
  /// The tag object of the last record and its output: most functions yield to one of their own.
  mutable Handle last_tag_;
  mutable const SideOutput* last_side_ = nullptr;
  const OperatorContext* context_ = nullptr;
};

}  // namespace flott::bindings
