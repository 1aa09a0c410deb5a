#pragma once

#include "bindings/python_ref.h"
#include "connectors/source.h"

#include <memory>

namespace flott::bindings {

/// from_collection(): a bounded source of one split over a Python sequence; its position is an
/// index, so that a restored job goes on where the checkpoint was. With a native `type` the values
/// are encoded at once (a value that does not fit fails here, at the user's line); otherwise they
/// are taken as they are now and copied again when read, so that no function can change them.
///
/// `mend` (may be null) is called with a value that does not fit and returns what to take instead.
/// The message of what does not fit even then begins with the record's number.
std::shared_ptr<Source> make_collection_source(PyObject* values,
                                               const LogicalTypePtr& type,
                                               PyObject* mend);

}  // namespace flott::bindings
