#pragma once

#include "types/batch.h"
#include "types/logical_type.h"

#include <Python.h>

namespace flott::bindings {

/// pyflink.common.Row as a native type: positional or named values and a row kind.
///
/// A row that came out of a typed batch is a *view*: it holds the batch and decodes a field when it
/// is first touched, so a function that reads two of twelve fields pays for two. detach_row()
/// decodes the rest and lets go of the batch.
struct RowObject {
  PyObject_VAR_HEAD PyObject*
      fields;          ///< tuple (or what set_field_names was given) of names; null: positional
  const Batch* batch;  ///< counted; null once detached
  std::uint32_t row;
  RowKind kind;
  PyObject* values[1];  ///< Py_SIZE of them; null: not decoded yet
};

PyTypeObject* row_type();
inline bool is_row(PyObject* object) {
  return Py_TYPE(object) == row_type();
}

/// New row with empty slots; `fields` is borrowed and may be null. The caller fills `values`.
RowObject* new_row(Py_ssize_t size, PyObject* fields, RowKind kind);
/// New row with the same fields and kind; the values are shared. Null with a Python error set on
/// failure.
RowObject* copy_of_row(RowObject* row);
/// New view of a composite batch's row.
PyObject* new_row_view(const Batch& batch, std::uint32_t row);
/// Field as a borrowed reference, decoding it if needed; null with a Python error set on failure.
PyObject* row_field(RowObject* row, Py_ssize_t index);
/// Decodes everything; -1 on failure.
int detach_row(RowObject* row);
/// The names of a kRow type as a tuple of interned strings; borrowed, cached a type.
PyObject* field_names_of(const LogicalType& type);

/// Entry `i` of a column as a Python object (new reference).
PyObject* column_to_python(const Column& column, std::int64_t i);

}  // namespace flott::bindings
