#include "base/bytes.h"
#include "bindings/containers.h"
#include "bindings/convert.h"
#include "bindings/python_ref.h"
#include "bindings/row.h"
#include "bindings/temporal.h"
#include "types/key.h"

#include <algorithm>
#include <unordered_map>
#include <vector>

namespace flott::bindings {
namespace {

void tagged_string(char tag, std::string_view text, std::string& out) {
  out.push_back(tag);
  BytesWriter(out).string(text);
}

void encode_text(PyObject* object, std::string& out) {
  Py_ssize_t size = 0;
  const char* text = PyUnicode_AsUTF8AndSize(object, &size);
  if (text == nullptr) {
    throw_python_error();
  }
  tagged_string('S', {text, static_cast<std::size_t>(size)}, out);
}

void encode_int(PyObject* object, std::string& out) {
  int overflow = 0;
  const long long value = PyLong_AsLongLongAndOverflow(object, &overflow);
  if (overflow == 0) {
    encode_key_int(value, out);
    return;
  }
  const bool negative = overflow < 0;
  const Ref magnitude = checked(negative ? PyNumber_Negative(object) : Py_NewRef(object));
  const Ref bits = checked(PyObject_CallMethod(magnitude.get(), "bit_length", nullptr));
  const Py_ssize_t size = (PyLong_AsSsize_t(bits.get()) + 7) / 8;
  const Ref bytes = checked(PyObject_CallMethod(magnitude.get(), "to_bytes", "ns", size, "little"));
  encode_key_big_int(
      negative,
      {PyBytes_AS_STRING(bytes.get()), static_cast<std::size_t>(PyBytes_GET_SIZE(bytes.get()))},
      out);
}

void encode_decimal(PyObject* object, std::string& out) {
  const Ref finite = checked(PyObject_CallMethod(object, "is_finite", nullptr));
  if (finite.get() != Py_True) {
    encode_key_double(PyFloat_AsDouble(object), out);
    return;
  }
  const Ref parts = checked(PyObject_CallMethod(object, "as_tuple", nullptr));
  const bool negative = PyLong_AsLong(PyTuple_GET_ITEM(parts.get(), 0)) != 0;
  PyObject* digits = PyTuple_GET_ITEM(parts.get(), 1);
  std::string text;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(digits); ++i) {
    text.push_back(static_cast<char>('0' + PyLong_AsLong(PyTuple_GET_ITEM(digits, i))));
  }
  encode_key_decimal(negative, text, PyLong_AsLongLong(PyTuple_GET_ITEM(parts.get(), 2)), out);
}

void encode_row(PyObject* object, std::string& out) {
  auto* row = reinterpret_cast<RowObject*>(object);
  out.push_back('R');
  BytesWriter(out).varint(static_cast<std::uint64_t>(Py_SIZE(object)));
  for (Py_ssize_t i = 0; i < Py_SIZE(object); ++i) {
    PyObject* value = row_field(row, i);
    if (value == nullptr) {
      throw_python_error();
    }
    encode_key(value, out);
  }
}

std::string qualified_name(PyTypeObject* type) {
  const Ref module = attribute_or_null(reinterpret_cast<PyObject*>(type), "__module__");
  const Ref name = attribute(reinterpret_cast<PyObject*>(type), "__qualname__");
  const std::string prefix =
      module && PyUnicode_Check(module.get()) != 0 ? text_of(module.get(), "__module__") : "";
  return prefix + "." + text_of(name.get(), "__qualname__");
}

bool encode_enum(PyObject* object, std::string& out) {
  const Ref enum_class = loaded_attribute("enum", "Enum");
  if (!enum_class || PyObject_IsInstance(object, enum_class.get()) != 1) {
    return false;
  }
  tagged_string('E', qualified_name(Py_TYPE(object)), out);
  const Ref name = attribute(object, "name");
  BytesWriter(out).string(text_of(name.get(), "enum member name"));
  return true;
}

bool encode_frozen_dataclass(PyObject* object, std::string& out) {
  const Ref parameters = attribute_or_null(object, "__dataclass_params__");
  const Ref frozen = parameters ? attribute_or_null(parameters.get(), "frozen") : Ref();
  if (!frozen || PyObject_IsTrue(frozen.get()) != 1) {
    return false;
  }
  const Ref fields = attribute(object, "__dataclass_fields__");
  tagged_string('C', qualified_name(Py_TYPE(object)), out);
  BytesWriter(out).varint(static_cast<std::uint64_t>(PyDict_Size(fields.get())));
  for_each_entry(fields.get(), "use as a key", [&](PyObject* name, PyObject* /*field*/) {
    const Ref value = checked(PyObject_GetAttr(object, name));
    encode_key(value.get(), out);
  });
  return true;
}

/// Encoders by class, with the GIL; a class and its encoder stay for good.
std::unordered_map<PyTypeObject*, PyObject*>& key_encoders() {
  static constinit std::unordered_map<PyTypeObject*, PyObject*>* encoders = nullptr;
  if (encoders == nullptr) {
    encoders = new std::unordered_map<PyTypeObject*, PyObject*>();
  }
  return *encoders;
}

/// By the encoder of the object's class or of the nearest base that has one.
bool encode_registered(PyObject* object, std::string& out) {
  const auto& encoders = key_encoders();
  if (encoders.empty()) {
    return false;
  }
  PyObject* order = Py_TYPE(object)->tp_mro;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(order); ++i) {
    auto* type = reinterpret_cast<PyTypeObject*>(PyTuple_GET_ITEM(order, i));
    const auto found = encoders.find(type);
    if (found == encoders.end()) {
      continue;
    }
    const Ref parts = call(found->second, object);
    if (PyObject_TypeCheck(parts.get(), type) != 0) {
      throw_error(ErrorKind::kUserCode,
                  "the key encoder of {} returned {}, which is of that type again; it returns what "
                  "makes two keys equal, as a tuple of plain values",
                  qualified_name(type),
                  short_repr(parts.get()));
    }
    tagged_string('X', qualified_name(type), out);
    encode_key(parts.get(), out);
    return true;
  }
  return false;
}

}  // namespace

void register_key_encoder(PyObject* type, PyObject* encoder) {
  PyObject*& known = key_encoders()[reinterpret_cast<PyTypeObject*>(Py_NewRef(type))];
  Py_XSETREF(known, Py_NewRef(encoder));
}

void encode_key(PyObject* object, std::string& out) {
  if (PyUnicode_CheckExact(object)) {
    encode_text(object, out);
    return;
  }
  if (PyLong_CheckExact(object) || PyBool_Check(object)) {
    encode_int(object, out);
    return;
  }
  if (object == Py_None) {
    out.push_back('N');
    return;
  }
  if (PyFloat_Check(object) != 0) {
    const double value = PyFloat_AS_DOUBLE(object);
    if (value == static_cast<double>(static_cast<std::int64_t>(0)) ||
        !(value >= 9.2e18 || value <= -9.2e18) || value != value) {
      encode_key_double(value, out);
      return;
    }
    // An integral float beyond 64 bit equals a Python int: encoded as one.
    PyObject* integer = PyLong_FromDouble(value);
    if (integer == nullptr) {
      PyErr_Clear();  // infinity
      encode_key_double(value, out);
      return;
    }
    const Ref owned = Ref::steal(integer);
    encode_int(integer, out);
    return;
  }
  // Enums that mix in str or int are equal to their value, so the base type decides for them.
  if (PyUnicode_Check(object) != 0) {
    encode_text(object, out);
    return;
  }
  if (PyLong_Check(object) != 0) {
    encode_int(object, out);
    return;
  }
  if (PyBytes_Check(object) != 0) {
    tagged_string(
        'B', {PyBytes_AS_STRING(object), static_cast<std::size_t>(PyBytes_GET_SIZE(object))}, out);
    return;
  }
  if (PyTuple_Check(object) != 0) {
    out.push_back('(');
    BytesWriter(out).varint(static_cast<std::uint64_t>(PyTuple_GET_SIZE(object)));
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(object); ++i) {
      encode_key(PyTuple_GET_ITEM(object, i), out);
    }
    return;
  }
  if (is_row(object)) {
    encode_row(object, out);
    return;
  }
  switch (temporal_kind(object)) {
    case TemporalKind::kDate:
    case TemporalKind::kTime:
    case TemporalKind::kTimestamp:
      flott::encode_key(temporal_to_value(object), out);
      return;
    case TemporalKind::kTimedelta:
      out.push_back('V');
      BytesWriter(out).i64(timedelta_micros(object));
      return;
    case TemporalKind::kNone:
      break;
  }
  if (encode_registered(object, out)) {
    return;
  }
  const Ref decimal = loaded_attribute("decimal", "Decimal");
  if (decimal && PyObject_IsInstance(object, decimal.get()) == 1) {
    encode_decimal(object, out);
    return;
  }
  if (encode_enum(object, out) || encode_frozen_dataclass(object, out)) {
    return;
  }
  const Ref uuid = loaded_attribute("uuid", "UUID");
  if (uuid && PyObject_IsInstance(object, uuid.get()) == 1) {
    const Ref bytes = attribute(object, "bytes");
    tagged_string('U', {PyBytes_AS_STRING(bytes.get()), 16}, out);
    return;
  }
  if (PyFrozenSet_Check(object) != 0) {
    const Ref items = checked(PySequence_Tuple(object));
    std::vector<std::string> encoded;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(items.get()); ++i) {
      encode_key(PyTuple_GET_ITEM(items.get(), i), encoded.emplace_back());
    }
    std::sort(encoded.begin(), encoded.end());
    out.push_back('F');
    BytesWriter(out).varint(encoded.size());
    for (const std::string& item : encoded) {
      out += item;
    }
    return;
  }
  if (PyIndex_Check(object) != 0) {  // numpy integers
    const Ref integer = checked(PyNumber_Index(object));
    encode_int(integer.get(), out);
    return;
  }
  throw_error(
      ErrorKind::kUserCode,
      "the key {} of type {} has no stable encoding; a key selector returns None, bool, int, "
      "float, str, bytes, Decimal, a date or time, an enum, a UUID, a frozen dataclass, a Row, or "
      "a tuple or frozenset of these; for other types call "
      "pyflink.datastream.keys.register_key_encoder()",
      short_repr(object),
      type_name_of(object));
}

}  // namespace flott::bindings
