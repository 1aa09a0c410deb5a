#include "bindings/node_params.h"

#include "base/error.h"
#include "bindings/native_types.h"

#include <utility>

namespace flott::bindings {
namespace {

std::string option_text(PyObject* value) {
  if (value == Py_True) {
    return "true";
  }
  if (value == Py_False) {
    return "false";
  }
  const Ref text = checked(PyObject_Str(value));
  return text_of(text.get(), "an option");
}

}  // namespace

PyObject* NodeParams::find(const char* name) const {
  PyObject* found = params_ == nullptr ? nullptr : PyDict_GetItemString(params_, name);
  return found == Py_None ? nullptr : found;
}

PyObject* NodeParams::get(const char* name) const {
  PyObject* found = find(name);
  if (found == nullptr) {
    throw_error(
        ErrorKind::kInvalidArgument, "node '{}' needs the parameter '{}'", node_name_, name);
  }
  return found;
}

std::string NodeParams::text(const char* name) const {
  return text_of(get(name), name);
}

std::string NodeParams::text(const char* name, const std::string& default_value) const {
  PyObject* found = find(name);
  return found == nullptr ? default_value : text_of(found, name);
}

std::int64_t NodeParams::integer(const char* name, std::int64_t default_value) const {
  PyObject* found = find(name);
  return found == nullptr ? default_value : int_of(found, name);
}

bool NodeParams::boolean(const char* name, bool default_value) const {
  PyObject* found = find(name);
  return found == nullptr ? default_value : checked(PyObject_IsTrue(found)) != 0;
}

LogicalTypePtr NodeParams::type(const char* name) const {
  PyObject* found = find(name);
  return found == nullptr ? nullptr : logical_type_of(found, name);
}

Options NodeParams::options(const char* name) const {
  Options out;
  PyObject* found = find(name);
  if (found == nullptr) {
    return out;
  }
  if (!PyDict_Check(found)) {
    throw_error(ErrorKind::kInvalidArgument,
                "'{}' of node '{}' must be a dict, not {}",
                name,
                node_name_,
                type_name_of(found));
  }
  PyObject* key = nullptr;
  PyObject* value = nullptr;
  Py_ssize_t position = 0;
  while (PyDict_Next(found, &position, &key, &value) != 0) {
    if (value != Py_None) {
      out.set(text_of(key, "the name of an option"), option_text(value));
    }
  }
  return out;
}

std::shared_ptr<const SideOutputs> NodeParams::tags() const {
  PyObject* found = find("tags");
  if (found == nullptr) {
    return nullptr;
  }
  if (!PyDict_Check(found)) {
    throw_error(ErrorKind::kInvalidArgument,
                "'tags' of node '{}' must be a dict, not {}",
                node_name_,
                type_name_of(found));
  }
  auto sides = std::make_shared<SideOutputs>();
  PyObject* key = nullptr;
  PyObject* value = nullptr;
  Py_ssize_t position = 0;
  while (PyDict_Next(found, &position, &key, &value) != 0) {
    SideOutput side;
    side.leaves_python = std::make_shared<bool>(false);
    if (PyTuple_Check(value) && PyTuple_GET_SIZE(value) == 2) {
      side.id = static_cast<SideOutputId>(int_of(PyTuple_GET_ITEM(value, 0), "a side output"));
      if (PyTuple_GET_ITEM(value, 1) != Py_None) {
        side.type =
            coercion_of(logical_type_of(PyTuple_GET_ITEM(value, 1), "the type of a side output"));
      }
    } else {
      side.id = static_cast<SideOutputId>(int_of(value, "a side output"));
    }
    (*sides)[text_of(key, "the id of an OutputTag")] = std::move(side);
  }
  return sides;
}

}  // namespace flott::bindings
