#pragma once

#include "bindings/python_ref.h"
#include "types/window.h"

namespace flott::bindings {

/// Between the engine's windows and pyflink.datastream.window's TimeWindow, CountWindow and
/// GlobalWindow. A user's own window class travels pickled (Window::custom). One per function; GIL
/// held.
class WindowObjects {
 public:
  /// Imports the classes; before the first conversion.
  void open();
  /// The Python window; the same object again while the window stays the same.
  Ref to_python(const Window& window);
  Window from_python(PyObject* window) const;

 private:
  Handle time_window_;
  Handle count_window_;
  Handle global_window_;
  Window last_;
  Handle last_object_;
};

}  // namespace flott::bindings
