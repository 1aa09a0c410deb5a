#include "bindings/functions/python_aggregation.h"

#include "base/error.h"
#include "bindings/convert.h"
#include "bindings/row.h"

#include <utility>

namespace flott::bindings {
namespace {

const char* name_of(Aggregation aggregation) {
  switch (aggregation) {
    case Aggregation::kSum:
      return "sum";
    case Aggregation::kMin:
      return "min";
    case Aggregation::kMax:
      return "max";
    case Aggregation::kMinBy:
      return "min_by";
    case Aggregation::kMaxBy:
      return "max_by";
  }
  return "";
}

class PythonAggregation final : public ReduceFunction, public UserFunction {
 public:
  PythonAggregation(Aggregation aggregation, FieldSelector field, const LogicalTypePtr& type)
      : aggregation_(aggregation),
        field_(std::move(field)),
        key_(field_.name.empty() ? checked(PyLong_FromLong(field_.index))
                                 : checked(PyUnicode_InternFromString(field_.name.c_str()))),
        type_(coercion_of(type)),
        native_(make_field_aggregation(aggregation_, field_)) {}

  bool uses_host() const override { return true; }

  Value reduce(const Value& accumulated, const Value& value) override {
    if (!accumulated.is_object() && !value.is_object()) {
      return native_->reduce(accumulated, value);
    }
    const Ref first = checked(to_python(accumulated));
    const Ref second = checked(to_python(value));
    Ref result = aggregate(first.get(), second.get());
    return from_python_steal(type_ == nullptr ? result.release()
                                              : coerce_python(result.release(), *type_));
  }

 private:
  Ref aggregate(PyObject* first, PyObject* second) const {
    const Ref a = field_of(first);
    const Ref b = field_of(second);
    switch (aggregation_) {
      case Aggregation::kSum:
        return with_field(first, checked(PyNumber_Add(a.get(), b.get())));
      case Aggregation::kMin:
        return less(b, a) ? with_field(first, Ref::borrow(b.get())) : Ref::borrow(first);
      case Aggregation::kMax:
        return less(a, b) ? with_field(first, Ref::borrow(b.get())) : Ref::borrow(first);
      // On a tie the earlier record stays.
      case Aggregation::kMinBy:
        return Ref::borrow(less(b, a) ? second : first);
      case Aggregation::kMaxBy:
        return Ref::borrow(less(a, b) ? second : first);
    }
    return Ref::borrow(first);
  }

  static bool less(const Ref& a, const Ref& b) {
    return checked(PyObject_RichCompareBool(a.get(), b.get(), Py_LT)) != 0;
  }

  /// A value without fields is its own field at position 0.
  static bool has_fields(PyObject* value) {
    return PyTuple_Check(value) || PyList_Check(value) ||
           (PySequence_Check(value) != 0 && !PyUnicode_Check(value) && !PyBytes_Check(value) &&
            !PyByteArray_Check(value)) ||
           (Py_TYPE(value)->tp_as_mapping != nullptr && !PyUnicode_Check(value) &&
            !PyBytes_Check(value) && !PyByteArray_Check(value));
  }

  Ref field_of(PyObject* value) const {
    if (!has_fields(value)) {
      if (field_.name.empty() && field_.index == 0) {
        return Ref::borrow(value);
      }
      throw_error(ErrorKind::kUserCode,
                  "{}({}) needs records with fields, not {} ({})",
                  name_of(aggregation_),
                  field_.name.empty() ? std::to_string(field_.index) : "'" + field_.name + "'",
                  short_repr(value),
                  type_name_of(value));
    }
    return checked(PyObject_GetItem(value, key_.get()));
  }

  /// A copy of `record` with its field replaced.
  Ref with_field(PyObject* record, Ref field) const {
    if (!has_fields(record)) {
      return field;
    }
    if (PyTuple_CheckExact(record) && field_.name.empty() && field_.index >= 0) {
      return with_item(record, field);
    }
    if (PyTuple_Check(record)) {
      Ref list = checked(PySequence_List(record));
      checked(PyObject_SetItem(list.get(), key_.get(), field.get()));
      return checked(PyList_AsTuple(list.get()));
    }
    const Ref copy_function = is_row(record) ? Ref() : import_attribute("copy", "copy");
    Ref copy = copy_function ? call(copy_function.get(), record)
                             : checked(reinterpret_cast<PyObject*>(
                                   copy_of_row(reinterpret_cast<RowObject*>(record))));
    checked(PyObject_SetItem(copy.get(), key_.get(), field.get()));
    return copy;
  }

  /// `field_of` has found the item.
  Ref with_item(PyObject* tuple, const Ref& field) const {
    const Py_ssize_t n = PyTuple_GET_SIZE(tuple);
    Ref copy = checked(PyTuple_New(n));
    for (Py_ssize_t i = 0; i < n; ++i) {
      PyObject* item = i == field_.index ? field.get() : PyTuple_GET_ITEM(tuple, i);
      PyTuple_SET_ITEM(copy.get(), i, Py_NewRef(item));
    }
    return copy;
  }

  Aggregation aggregation_;
  FieldSelector field_;
  Handle key_;  ///< the field's name or index as Python asks for it
  LogicalTypePtr type_;
  std::unique_ptr<ReduceFunction> native_;
};

}  // namespace

ReduceParts make_python_aggregation(Aggregation aggregation,
                                    FieldSelector field,
                                    const LogicalTypePtr& type) {
  auto function = std::make_shared<PythonAggregation>(aggregation, std::move(field), type);
  return {function, function.get()};
}

}  // namespace flott::bindings
