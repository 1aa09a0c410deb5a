#pragma once

#include "bindings/python_ref.h"
#include "connectors/source.h"

#include <memory>

namespace flott::bindings {

/// from_collection(): a bounded source of one split over a Python sequence; its position is an
/// index, so that a restored job goes on where the checkpoint was. With a native `type` the values
/// are encoded at once (a value that does not fit fails here, at the user's line); otherwise they
/// are taken as they are now and copied again when read, so that no function can change them.
std::shared_ptr<Source> make_collection_source(PyObject* values, const LogicalTypePtr& type);

}  // namespace flott::bindings
