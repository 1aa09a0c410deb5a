#include "bindings/convert.h"

#include "bindings/containers.h"
#include "bindings/python_ref.h"
#include "bindings/row.h"
#include "bindings/temporal.h"
#include "types/coerce.h"
#include "types/decimal.h"

namespace flott::bindings {
namespace {

PyObject* decimal_class() {
  static constinit CachedAttribute decimal("decimal", "Decimal");
  return decimal.get();
}

PyObject* decimal_to_python(int128 unscaled, int scale) {
  const std::string text = decimal_to_string(unscaled, scale);
  return PyObject_CallFunction(decimal_class(), "s", text.c_str());
}

PyObject* text_to_python(std::string_view text) {
  return PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace");
}

PyObject* bytes_to_python(std::string_view bytes) {
  return PyBytes_FromStringAndSize(bytes.data(), static_cast<Py_ssize_t>(bytes.size()));
}

PyObject* row_node_to_python(const RowNode& row) {
  const auto n = static_cast<Py_ssize_t>(row.fields.size());
  if (row.type && row.type->kind() == TypeKind::kTuple) {
    Ref tuple = Ref::steal(PyTuple_New(n));
    for (Py_ssize_t i = 0; tuple && i < n; ++i) {
      PyObject* item = to_python(row.fields[static_cast<std::size_t>(i)]);
      if (item == nullptr) {
        return nullptr;
      }
      PyTuple_SET_ITEM(tuple.get(), i, item);
    }
    return tuple.release();
  }
  Ref out = Ref::steal(reinterpret_cast<PyObject*>(
      new_row(n, row.type ? field_names_of(*row.type) : nullptr, row.kind)));
  for (Py_ssize_t i = 0; out && i < n; ++i) {
    PyObject* item = to_python(row.fields[static_cast<std::size_t>(i)]);
    if (item == nullptr) {
      return nullptr;
    }
    reinterpret_cast<RowObject*>(out.get())->values[i] = item;
  }
  return out.release();
}

PyObject* list_to_python(const std::vector<Value>& items) {
  Ref list = Ref::steal(PyList_New(static_cast<Py_ssize_t>(items.size())));
  for (std::size_t i = 0; list && i < items.size(); ++i) {
    PyObject* item = to_python(items[i]);
    if (item == nullptr) {
      return nullptr;
    }
    PyList_SET_ITEM(list.get(), static_cast<Py_ssize_t>(i), item);
  }
  return list.release();
}

PyObject* map_to_python(const std::vector<std::pair<Value, Value>>& entries) {
  Ref dict = Ref::steal(PyDict_New());
  for (const auto& [key, value] : entries) {
    const Ref k = Ref::steal(to_python(key));
    const Ref v = Ref::steal(k ? to_python(value) : nullptr);
    if (!dict || !v || PyDict_SetItem(dict.get(), k.get(), v.get()) < 0) {
      return nullptr;
    }
  }
  return dict.release();
}

/// A row of a tuple-typed batch or column as a tuple.
PyObject* columns_to_tuple(const std::vector<ColumnPtr>& columns, std::int64_t row) {
  Ref tuple = Ref::steal(PyTuple_New(static_cast<Py_ssize_t>(columns.size())));
  for (std::size_t i = 0; tuple && i < columns.size(); ++i) {
    PyObject* item = column_to_python(*columns[i], row);
    if (item == nullptr) {
      return nullptr;
    }
    PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i), item);
  }
  return tuple.release();
}

[[noreturn]] void does_not_fit(PyObject* object, const LogicalType& type) {
  throw_error(ErrorKind::kUserCode,
              "the value {} of type {} does not fit the declared type {}",
              short_repr(object),
              type_name_of(object),
              type.to_string());
}

/// Low 64 bits of any Python integer.
std::int64_t int_bits(PyObject* object, const LogicalType& type) {
  if (PyLong_Check(object) == 0 && PyIndex_Check(object) == 0) {
    does_not_fit(object, type);
  }
  const Ref integer =
      PyLong_Check(object) != 0 ? Ref::borrow(object) : checked(PyNumber_Index(object));
  const unsigned long long bits = PyLong_AsUnsignedLongLongMask(integer.get());
  if (bits == static_cast<unsigned long long>(-1) && PyErr_Occurred() != nullptr) {
    throw_python_error();
  }
  return static_cast<std::int64_t>(bits);
}

double real_of(PyObject* object, const LogicalType& type) {
  if (PyUnicode_Check(object) != 0 || PyBytes_Check(object) != 0) {
    does_not_fit(object, type);
  }
  const double value = PyFloat_AsDouble(object);
  if (value == -1.0 && PyErr_Occurred() != nullptr) {
    PyErr_Clear();
    does_not_fit(object, type);
  }
  return value;
}

Value decimal_value(PyObject* object, const LogicalType& type) {
  Ref text;
  if (PyLong_Check(object) != 0) {
    text = checked(PyObject_Str(object));
  } else {
    if (PyObject_IsInstance(object, decimal_class()) != 1 && PyFloat_Check(object) == 0) {
      does_not_fit(object, type);
    }
    text = checked(PyObject_Str(object));
  }
  const std::optional<Decimal> parsed = parse_decimal(text_of(text.get(), "decimal"));
  if (!parsed) {
    does_not_fit(object, type);
  }
  return Value::decimal(parsed->unscaled, parsed->scale);
}

Value temporal_of(PyObject* object, const LogicalType& type) {
  const TemporalKind kind = temporal_kind(object);
  switch (type.kind()) {
    case TypeKind::kDate:
      if (kind != TemporalKind::kDate && kind != TemporalKind::kTimestamp) {
        does_not_fit(object, type);
      }
      break;
    case TypeKind::kTime:
      if (kind != TemporalKind::kTime) {
        does_not_fit(object, type);
      }
      break;
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampLtz:
      if (kind == TemporalKind::kTimestamp) {
        const Value v = temporal_to_value(object);
        return type.kind() == TypeKind::kTimestamp ? Value::timestamp(v.as_int(), v.aux())
                                                   : Value::timestamp_ltz(v.as_int(), v.aux());
      }
      // pyflink.common.Instant
      if (const Ref method = attribute_or_null(object, "to_epoch_milli"); method) {
        const Ref millis = checked(PyObject_CallNoArgs(method.get()));
        return Value::timestamp_ltz(PyLong_AsLongLong(millis.get()) * 1000);
      }
      does_not_fit(object, type);
    default:
      break;
  }
  const Value value = temporal_to_value(object);
  if (type.kind() == TypeKind::kDate && value.kind() != ValueKind::kDate) {
    const std::int64_t day = 86'400'000'000;
    const std::int64_t micros = value.as_int();
    return Value::date(static_cast<std::int32_t>((micros >= 0 ? micros : micros - day + 1) / day));
  }
  return value;
}

/// Field `i` (name `name`) of what a user may give for a row; new reference, null when it has none.
class RowSource {
 public:
  RowSource(PyObject* object, const LogicalType& type) : object_(object), type_(type) {
    const auto wanted = static_cast<Py_ssize_t>(type.children().size());
    if (is_row(object)) {
      row_ = reinterpret_cast<RowObject*>(object);
      if (Py_SIZE(object) != wanted) {
        wrong_count(Py_SIZE(object));
      }
      by_name_ = row_->fields != nullptr && named_alike();
    } else if (PyTuple_Check(object) != 0 || PyList_Check(object) != 0) {
      if (PySequence_Size(object) != wanted) {
        wrong_count(PySequence_Size(object));
      }
    } else if (PyDict_Check(object) == 0 && !has_attribute(object, "__dict__") &&
               !has_attribute(object, "__slots__")) {
      does_not_fit(object, type);
    }
  }

  RowKind kind() const { return row_ != nullptr ? row_->kind : RowKind::kInsert; }
  /// A row that nobody else holds, its fields in order and decoded: it need not be copied.
  bool can_be_named_in_place() const {
    return row_ != nullptr && !by_name_ && row_->batch == nullptr && Py_REFCNT(object_) == 1;
  }

  Ref field(std::size_t i) const {
    const auto index = static_cast<Py_ssize_t>(i);
    const std::string& name = type_.field_names()[i];
    if (row_ != nullptr && !by_name_) {
      return checked(Py_XNewRef(row_field(row_, index)));
    }
    if (row_ != nullptr) {
      return checked(PyObject_GetItem(object_, checked(text_to_python(name)).get()));
    }
    if (PyTuple_Check(object_) != 0 || PyList_Check(object_) != 0) {
      return checked(PySequence_GetItem(object_, index));
    }
    if (PyDict_Check(object_) != 0) {
      PyObject* found = PyDict_GetItemString(object_, name.c_str());
      return Ref::borrow(found != nullptr ? found : Py_None);
    }
    Ref found = attribute_or_null(object_, name.c_str());
    return found ? std::move(found) : Ref::borrow(Py_None);
  }

 private:
  /// Same names in another order: fields are taken by name; else by position, as upstream.
  bool named_alike() const {
    if (row_->fields == field_names_of(type_)) {
      return false;
    }
    for (std::size_t i = 0; i < type_.field_names().size(); ++i) {
      const Ref name = checked(text_to_python(type_.field_names()[i]));
      const int has = PySequence_Contains(row_->fields, name.get());
      if (has <= 0) {
        checked(has);
        return false;
      }
    }
    return true;
  }
  [[noreturn]] void wrong_count(Py_ssize_t given) const {
    throw_error(ErrorKind::kUserCode,
                "the value {} has {} fields, the declared type {} has {}",
                short_repr(object_),
                given,
                type_.to_string(),
                type_.children().size());
  }

  PyObject* object_;
  const LogicalType& type_;
  RowObject* row_ = nullptr;
  bool by_name_ = false;
};

[[noreturn]] void rethrow_in_field(const Error& error, const LogicalType& type, std::size_t i) {
  throw Error(error.kind(), fmt::format("field '{}': {}", type.field_names()[i], error.what()));
}

/// coerce_python() of a field of a row.
PyObject* coerce_field(PyObject* field, const LogicalType& type, std::size_t i) {
  try {
    return coerce_python(field, *type.children()[i]);
  } catch (const PythonError&) {
    throw;
  } catch (const Error& error) {
    rethrow_in_field(error, type, i);
  }
}

/// coerce_python() of a row for which RowSource says that it can be done in place.
Ref name_in_place(Ref owned, const LogicalType& type) {
  auto* row = reinterpret_cast<RowObject*>(owned.get());
  for (std::size_t i = 0; i < type.children().size(); ++i) {
    PyObject*& value = row->values[i];
    PyObject* const given = std::exchange(value, nullptr);
    value = coerce_field(given != nullptr ? given : Py_NewRef(Py_None), type, i);
  }
  PyObject* const names = field_names_of(type);
  if (row->fields != names) {
    Py_XSETREF(row->fields, Py_NewRef(names));
  }
  return owned;
}

/// coerce_python() of a tuple of the right length: itself when every item fits as it is.
Ref coerce_tuple(Ref owned, const LogicalType& type) {
  const Py_ssize_t n = PyTuple_GET_SIZE(owned.get());
  Ref out;
  for (Py_ssize_t i = 0; i < n; ++i) {
    PyObject* const given = PyTuple_GET_ITEM(owned.get(), i);
    Ref item =
        Ref::steal(coerce_python(Py_NewRef(given), *type.children()[static_cast<std::size_t>(i)]));
    if (!out) {
      if (item.get() == given) {
        continue;
      }
      out = checked(PyTuple_New(n));
      for (Py_ssize_t before = 0; before < i; ++before) {
        PyTuple_SET_ITEM(out.get(), before, Py_NewRef(PyTuple_GET_ITEM(owned.get(), before)));
      }
    }
    PyTuple_SET_ITEM(out.get(), i, item.release());
  }
  return out ? std::move(out) : std::move(owned);
}

}  // namespace

PyObject* native_to_python(const Value& value) {
  switch (value.kind()) {
    case ValueKind::kNull:
      Py_RETURN_NONE;
    case ValueKind::kBool:
      return PyBool_FromLong(value.as_bool() ? 1 : 0);
    case ValueKind::kInt:
    case ValueKind::kIntervalMonths:
      return PyLong_FromLongLong(value.as_int());
    case ValueKind::kDouble:
      return PyFloat_FromDouble(value.as_double());
    case ValueKind::kDate:
      return date_to_python(value.as_int());
    case ValueKind::kTime:
      return time_to_python(value.as_int());
    case ValueKind::kTimestamp:
      return timestamp_to_python(value.as_int(), false);
    case ValueKind::kTimestampLtz:
      return timestamp_to_python(value.as_int(), true);
    case ValueKind::kIntervalMillis:
      return interval_to_python(value.as_int());
    case ValueKind::kDecimal:
      return decimal_to_python(value.as_decimal().unscaled, value.as_decimal().scale);
    case ValueKind::kString:
      return text_to_python(value.as_string());
    case ValueKind::kBytes:
      return bytes_to_python(value.as_string());
    case ValueKind::kRow:
      return row_node_to_python(value.as_row());
    case ValueKind::kArray:
      return list_to_python(value.as_array());
    case ValueKind::kMap:
      return map_to_python(value.as_map());
    case ValueKind::kObject:
      return Py_NewRef(static_cast<PyObject*>(value.as_object()));
    case ValueKind::kBatchRow: {
      const Batch& batch = value.as_batch();
      return batch.type()->kind() == TypeKind::kTuple
                 ? columns_to_tuple(batch.columns(), value.aux())
                 : new_row_view(batch, value.aux());
    }
  }
  Py_RETURN_NONE;
}

PyObject* column_to_python(const Column& column, std::int64_t i) {
  if (column.is_null(i)) {
    Py_RETURN_NONE;
  }
  switch (column.type->kind()) {
    case TypeKind::kBigInt:
      return PyLong_FromLongLong(column.data<std::int64_t>()[i]);
    case TypeKind::kInt:
      return PyLong_FromLong(column.data<std::int32_t>()[i]);
    case TypeKind::kDouble:
      return PyFloat_FromDouble(column.data<double>()[i]);
    case TypeKind::kString:
      return text_to_python(column.string_at(i));
    case TypeKind::kBytes:
      return bytes_to_python(column.string_at(i));
    case TypeKind::kBoolean:
      return PyBool_FromLong(column.bool_at(i) ? 1 : 0);
    case TypeKind::kTuple:
      return columns_to_tuple(column.children, i);
    case TypeKind::kRow: {
      const auto n = static_cast<Py_ssize_t>(column.children.size());
      Ref out = Ref::steal(
          reinterpret_cast<PyObject*>(new_row(n, field_names_of(*column.type), RowKind::kInsert)));
      for (Py_ssize_t k = 0; out && k < n; ++k) {
        PyObject* item = column_to_python(*column.children[static_cast<std::size_t>(k)], i);
        if (item == nullptr) {
          return nullptr;
        }
        reinterpret_cast<RowObject*>(out.get())->values[k] = item;
      }
      return out.release();
    }
    default:
      return to_python(column.value_at(i));
  }
}

Value to_native(PyObject* object, const LogicalType& type) {
  if (type.kind() == TypeKind::kObject) {
    return from_python(object);
  }
  if (object == Py_None) {
    return Value::null();
  }
  switch (type.kind()) {
    case TypeKind::kObject:
    case TypeKind::kNull:
      return Value::null();
    case TypeKind::kBoolean: {
      if (PyBool_Check(object) == 0 && PyLong_Check(object) == 0) {
        does_not_fit(object, type);
      }
      return Value::boolean(PyObject_IsTrue(object) == 1);
    }
    case TypeKind::kTinyInt:
    case TypeKind::kSmallInt:
    case TypeKind::kInt:
    case TypeKind::kBigInt:
      return Value::integer(wrap_int(int_bits(object, type), type.kind()));
    case TypeKind::kFloat:
      return Value::real(static_cast<double>(static_cast<float>(real_of(object, type))));
    case TypeKind::kDouble:
      return Value::real(real_of(object, type));
    case TypeKind::kDecimal:
      return decimal_value(object, type);
    case TypeKind::kString: {
      if (PyUnicode_Check(object) == 0) {
        does_not_fit(object, type);
      }
      return Value::string(text_of(object, "value"));
    }
    case TypeKind::kBytes: {
      if (PyBytes_Check(object) != 0) {
        return Value::bytes(
            {PyBytes_AS_STRING(object), static_cast<std::size_t>(PyBytes_GET_SIZE(object))});
      }
      if (PyByteArray_Check(object) != 0) {
        return Value::bytes({PyByteArray_AS_STRING(object),
                             static_cast<std::size_t>(PyByteArray_GET_SIZE(object))});
      }
      does_not_fit(object, type);
    }
    case TypeKind::kDate:
    case TypeKind::kTime:
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampLtz:
      return temporal_of(object, type);
    case TypeKind::kIntervalMonths:
      return Value::interval_months(int_bits(object, type));
    case TypeKind::kIntervalMillis:
      return temporal_kind(object) == TemporalKind::kTimedelta
                 ? temporal_to_value(object)
                 : Value::interval_millis(int_bits(object, type));
    case TypeKind::kArray: {
      if (PyUnicode_Check(object) != 0 || PyDict_Check(object) != 0) {
        does_not_fit(object, type);
      }
      PyObject* iterated = PySequence_Tuple(object);
      if (iterated == nullptr) {
        PyErr_Clear();
        does_not_fit(object, type);
      }
      const Ref items = Ref::steal(iterated);
      std::vector<Value> values;
      for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(items.get()); ++i) {
        values.push_back(to_native(PyTuple_GET_ITEM(items.get(), i), *type.children()[0]));
      }
      return Value::array(std::move(values));
    }
    case TypeKind::kMap:
    case TypeKind::kMultiset: {
      if (PyDict_Check(object) == 0) {
        does_not_fit(object, type);
      }
      std::vector<std::pair<Value, Value>> entries;
      for_each_entry(object, "conversion", [&](PyObject* key, PyObject* value) {
        entries.emplace_back(to_native(key, *type.children()[0]),
                             type.kind() == TypeKind::kMap ? to_native(value, *type.children()[1])
                                                           : Value::integer(int_bits(value, type)));
      });
      return Value::map(std::move(entries));
    }
    case TypeKind::kRow:
    case TypeKind::kTuple: {
      const RowSource source(object, type);
      std::vector<Value> fields;
      fields.reserve(type.children().size());
      for (std::size_t i = 0; i < type.children().size(); ++i) {
        try {
          fields.push_back(to_native(source.field(i).get(), *type.children()[i]));
        } catch (const PythonError&) {
          throw;
        } catch (const Error& error) {
          rethrow_in_field(error, type, i);
        }
      }
      return Value::row(std::move(fields), type.shared_from_this(), source.kind());
    }
  }
  does_not_fit(object, type);
}

PyObject* coerce_python(PyObject* object, const LogicalType& type) {
  Ref owned = Ref::steal(object);
  if (object == Py_None) {
    return owned.release();
  }
  switch (type.kind()) {
    case TypeKind::kObject:
    case TypeKind::kNull:
    case TypeKind::kDecimal:
      return owned.release();
    case TypeKind::kString:
      if (PyUnicode_Check(object) == 0) {
        does_not_fit(object, type);
      }
      return owned.release();
    case TypeKind::kBigInt:
    case TypeKind::kInt:
    case TypeKind::kSmallInt:
    case TypeKind::kTinyInt: {
      if (PyLong_CheckExact(object)) {
        int overflow = 0;
        const std::int64_t number = PyLong_AsLongLongAndOverflow(object, &overflow);
        if (overflow == 0 && wrap_int(number, type.kind()) == number) {
          return owned.release();
        }
      }
      return checked(PyLong_FromLongLong(wrap_int(int_bits(object, type), type.kind()))).release();
    }
    case TypeKind::kDouble:
      if (PyFloat_CheckExact(object)) {
        return owned.release();
      }
      return checked(PyFloat_FromDouble(real_of(object, type))).release();
    case TypeKind::kFloat:
      return checked(
                 PyFloat_FromDouble(static_cast<double>(static_cast<float>(real_of(object, type)))))
          .release();
    case TypeKind::kBoolean:
      if (PyBool_Check(object)) {
        return owned.release();
      }
      return to_python(to_native(object, type));
    case TypeKind::kRow: {
      const RowSource source(object, type);
      if (source.can_be_named_in_place()) {
        return name_in_place(std::move(owned), type).release();
      }
      const auto n = static_cast<Py_ssize_t>(type.children().size());
      Ref out =
          checked(reinterpret_cast<PyObject*>(new_row(n, field_names_of(type), source.kind())));
      for (Py_ssize_t i = 0; i < n; ++i) {
        const auto index = static_cast<std::size_t>(i);
        reinterpret_cast<RowObject*>(out.get())->values[i] =
            coerce_field(source.field(index).release(), type, index);
      }
      return out.release();
    }
    case TypeKind::kTuple: {
      if (PyTuple_CheckExact(object) &&
          PyTuple_GET_SIZE(object) == static_cast<Py_ssize_t>(type.children().size())) {
        return coerce_tuple(std::move(owned), type).release();
      }
      const RowSource source(object, type);
      Ref out = checked(PyTuple_New(static_cast<Py_ssize_t>(type.children().size())));
      for (std::size_t i = 0; i < type.children().size(); ++i) {
        PyTuple_SET_ITEM(out.get(),
                         static_cast<Py_ssize_t>(i),
                         coerce_python(source.field(i).release(), *type.children()[i]));
      }
      return out.release();
    }
    case TypeKind::kArray: {
      if (PyUnicode_Check(object) != 0 || PySequence_Check(object) == 0) {
        does_not_fit(object, type);
      }
      Ref out = checked(PySequence_List(object));
      for (Py_ssize_t i = 0; i < PyList_GET_SIZE(out.get()); ++i) {
        PyObject* item =
            coerce_python(Py_NewRef(PyList_GET_ITEM(out.get(), i)), *type.children()[0]);
        PyList_SetItem(out.get(), i, item);
      }
      return out.release();
    }
    case TypeKind::kMap: {
      if (PyDict_Check(object) == 0) {
        does_not_fit(object, type);
      }
      Ref out = checked(PyDict_New());
      for_each_entry(object, "conversion", [&](PyObject* key, PyObject* value) {
        const Ref k = checked(coerce_python(Py_NewRef(key), *type.children()[0]));
        const Ref v = checked(coerce_python(Py_NewRef(value), *type.children()[1]));
        checked(PyDict_SetItem(out.get(), k.get(), v.get()));
      });
      return out.release();
    }
    default:
      // Bytes, temporal values, intervals, multisets: through the native value, which checks them.
      return checked(to_python(to_native(object, type))).release();
  }
}

}  // namespace flott::bindings
