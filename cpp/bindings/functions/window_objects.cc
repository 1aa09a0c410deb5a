#include "bindings/functions/window_objects.h"

#include "base/error.h"

#include <string>
#include <utility>

namespace flott::bindings {
namespace {

constexpr const char* kWindowModule = "pyflink.datastream.window";

bool is_instance(PyObject* object, const Handle& of) {
  return of && checked(PyObject_IsInstance(object, of.get())) != 0;
}

}  // namespace

void WindowObjects::open() {
  time_window_ = Handle(import_attribute(kWindowModule, "TimeWindow"));
  count_window_ = Handle(import_attribute(kWindowModule, "CountWindow"));
  global_window_ = Handle(import_attribute(kWindowModule, "GlobalWindow"));
}

Ref WindowObjects::to_python(const Window& window) {
  if (last_object_ && window == last_) {
    return Ref::borrow(last_object_.get());
  }
  Ref object;
  if (!window.custom.empty()) {
    object = checked(static_cast<PyObject*>(require_host().deserialize(window.custom)));
  } else if (window == Window::global()) {
    object = call(global_window_.get());
  } else if (window.end == kMaxTimestamp) {
    const Ref id = checked(python_int(window.start));
    object = call(count_window_.get(), id.get());
  } else {
    const Ref start = checked(python_int(window.start));
    const Ref end = checked(python_int(window.end));
    object = call(time_window_.get(), start.get(), end.get());
  }
  last_ = window;
  last_object_ = Handle(Ref::borrow(object.get()));
  return object;
}

Window WindowObjects::from_python(PyObject* window) const {
  const bool is_exact_time = Py_TYPE(window) == reinterpret_cast<PyTypeObject*>(time_window_.get());
  if (is_exact_time) {
    const Ref start = attribute(window, "start");
    const Ref end = attribute(window, "end");
    return {int_of(start.get(), "TimeWindow.start"), int_of(end.get(), "TimeWindow.end"), {}};
  }
  if (is_instance(window, global_window_)) {
    return Window::global();
  }
  if (Py_TYPE(window) == reinterpret_cast<PyTypeObject*>(count_window_.get())) {
    const Ref id = attribute(window, "id");
    return {int_of(id.get(), "CountWindow.id"), kMaxTimestamp, {}};
  }
  const Ref max_timestamp = attribute_or_null(window, "max_timestamp");
  if (!max_timestamp) {
    throw_error(ErrorKind::kUserCode,
                "assign_windows() must return windows (TimeWindow, CountWindow, GlobalWindow or a "
                "Window subclass with max_timestamp()), not {} ({})",
                short_repr(window),
                type_name_of(window));
  }
  const Ref last = call(max_timestamp.get());
  const Timestamp max = int_of(last.get(), "Window.max_timestamp()");
  Window out;
  if (is_instance(window, time_window_)) {
    out.start = int_of(attribute(window, "start").get(), "TimeWindow.start");
  }
  out.end = max == kMaxTimestamp ? kMaxTimestamp : max + 1;
  require_host().serialize(window, out.custom);
  return out;
}

}  // namespace flott::bindings
