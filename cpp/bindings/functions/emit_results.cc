#include "bindings/functions/emit_results.h"

#include "base/error.h"
#include "runtime/operator_chain.h"

#include <utility>

namespace flott::bindings {

void ResultEmitter::open(OperatorContext& context) {
  context_ = &context;
  output_tag_class_ = Handle(loaded_attribute("pyflink.datastream.output_tag", "OutputTag"));
}

void ResultEmitter::stop_if_cancelled() const {
  if (context_->is_cancelled()) [[unlikely]] {
    throw CancelledException{};
  }
}

bool ResultEmitter::is_tagged(PyObject* item) const {
  if (!PyTuple_CheckExact(item) || PyTuple_GET_SIZE(item) != 2 || !output_tag_class_) {
    return false;
  }
  PyObject* first = PyTuple_GET_ITEM(item, 0);
  auto* tag_class = reinterpret_cast<PyTypeObject*>(output_tag_class_.get());
  return PyObject_TypeCheck(first, tag_class) != 0;
}

const SideOutput* ResultEmitter::side_of(PyObject* tag) const {
  if (tag != last_tag_.get()) {
    const Ref id = attribute(tag, "tag_id");
    const auto side = sides_->find(text_of(id.get(), "the id of an OutputTag"));
    last_side_ = side == sides_->end() ? nullptr : &side->second;
    last_tag_ = Handle::borrow(tag);
  }
  return last_side_;
}

void ResultEmitter::emit_item(Ref item, Collector& out, PyObject* function) const {
  if (is_tagged(item.get())) [[unlikely]] {
    if (sides_ == nullptr || sides_->empty()) {
      return;
    }
    if (const SideOutput* side = side_of(PyTuple_GET_ITEM(item.get(), 0)); side != nullptr) {
      Ref value = Ref::borrow(PyTuple_GET_ITEM(item.get(), 1));
      if (value.get() == Py_None && *side->leaves_python && !takes_none(side->type)) [[unlikely]] {
        refuse_none("what " + describe_function(function) + " yielded to a side output",
                    *side->type);
      }
      out.collect_side(
          side->id, typed_result(std::move(value), side->type, function, "type of the OutputTag"));
    }
    return;
  }
  out.collect(typed_result(std::move(item), type_, function));
}

void ResultEmitter::emit(Ref results,
                         Collector& out,
                         const char* method,
                         PyObject* function) const {
  if (results.get() == Py_None) {
    return;
  }
  // A list or tuple is walked by index; it may be changed by nobody but its owner meanwhile.
  if (PyList_CheckExact(results.get()) || PyTuple_CheckExact(results.get())) {
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(results.get()); ++i) {
      emit_item(Ref::borrow(PySequence_Fast_GET_ITEM(results.get(), i)), out, function);
      stop_if_cancelled();
    }
    return;
  }
  const Ref iterator = Ref::steal(PyObject_GetIter(results.get()));
  if (!iterator) {
    if (PyErr_ExceptionMatches(PyExc_TypeError) && Py_TYPE(results.get())->tp_iter == nullptr) {
      PyErr_Clear();
      const std::string message = fmt::format(
          "{}() must return None, a generator or another iterable of results, not {} ({}); write "
          "`yield value` or return a list in {}",
          method,
          short_repr(results.get()),
          type_name_of(results.get()),
          describe_function(function));
      PyErr_SetString(PyExc_TypeError, message.c_str());
    }
    throw_python_error();
  }
  const iternextfunc next = Py_TYPE(iterator.get())->tp_iternext;
  while (true) {
    Ref item = Ref::steal(next(iterator.get()));
    if (!item) {
      if (PyErr_Occurred() != nullptr) {
        if (PyErr_ExceptionMatches(PyExc_StopIteration)) {
          PyErr_Clear();
          return;
        }
        throw_python_error();
      }
      return;
    }
    emit_item(std::move(item), out, function);
    stop_if_cancelled();
  }
}

}  // namespace flott::bindings
