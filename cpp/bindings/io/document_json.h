#pragma once

#include "bindings/python_ref.h"

#include <string>

namespace flott::bindings {

/// Appends a Python value as json.dumps(ensure_ascii=False, separators=(",", ":")) would write it.
/// False, with `out` as it was, for what only json itself or a default function can write: other
/// types than dict with str keys, list, tuple, str, int of 64 bits, finite float, bool and None,
/// subclasses of these, lone surrogates, deep nesting. Never calls Python code. Needs the GIL.
bool append_document_json(PyObject* value, std::string& out);

}  // namespace flott::bindings
