#include "bindings/functions/projection.h"

#include "base/error.h"
#include "bindings/convert.h"
#include "bindings/python_ref.h"
#include "bindings/row.h"
#include "operators/project_operator.h"

#include <utility>

namespace flott::bindings {
namespace {

class Projection final : public MapFunction {
 public:
  Projection(std::vector<int> fields, LogicalTypePtr type)
      : fields_(std::move(fields)),
        type_(std::move(type)),
        is_row_(type_->kind() == TypeKind::kRow) {}

  bool uses_host() const override { return true; }

  Value map(Value&& value) override {
    if (!value.is_object()) {
      return project(value, fields_, type_);
    }
    auto* record = static_cast<PyObject*>(value.as_object());
    return from_python_steal(is_row_ ? projected_row(record) : projected_tuple(record));
  }

 private:
  PyObject* projected_tuple(PyObject* record) const {
    Ref out = checked(PyTuple_New(static_cast<Py_ssize_t>(fields_.size())));
    for (std::size_t i = 0; i < fields_.size(); ++i) {
      PyTuple_SET_ITEM(out.get(), static_cast<Py_ssize_t>(i), item(record, fields_[i]).release());
    }
    return out.release();
  }

  PyObject* projected_row(PyObject* record) const {
    const RowKind kind =
        is_row(record) ? reinterpret_cast<RowObject*>(record)->kind : RowKind::kInsert;
    RowObject* row = new_row(static_cast<Py_ssize_t>(fields_.size()), field_names_of(*type_), kind);
    Ref out = checked(reinterpret_cast<PyObject*>(row));
    for (std::size_t i = 0; i < fields_.size(); ++i) {
      row->values[i] = item(record, fields_[i]).release();
    }
    return out.release();
  }

  static Ref item(PyObject* record, int field) {
    if (PyTuple_CheckExact(record) && field < PyTuple_GET_SIZE(record)) {
      return Ref::borrow(PyTuple_GET_ITEM(record, field));
    }
    if (is_row(record) && field < Py_SIZE(record)) {
      return checked(Py_XNewRef(row_field(reinterpret_cast<RowObject*>(record), field)));
    }
    const Py_ssize_t size = PySequence_Check(record) != 0 ? PySequence_Size(record) : -1;
    if (size <= field) {
      PyErr_Clear();
      throw_error(ErrorKind::kUserCode,
                  "project(): the record {} ({}) has no field {}",
                  short_repr(record),
                  type_name_of(record),
                  field);
    }
    return checked(PySequence_GetItem(record, field));
  }

  std::vector<int> fields_;
  LogicalTypePtr type_;
  bool is_row_;
};

}  // namespace

std::unique_ptr<MapFunction> make_projection(std::vector<int> fields, LogicalTypePtr type) {
  return std::make_unique<Projection>(std::move(fields), std::move(type));
}

}  // namespace flott::bindings
