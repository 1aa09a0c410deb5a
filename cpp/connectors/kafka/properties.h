#pragma once

#include "connectors/kafka/client.h"

#include <map>
#include <string>

namespace flott::kafka {

enum class ClientRole { kConsumer, kProducer };

/// Translates settings with the Java client's names (`properties.*` without the prefix) to
/// librdkafka's. Each known name has one line in the table of properties.cc: same name, renamed,
/// converted, or ignored (DEBUG). An unknown one is a WARNING that names it, once a process; if
/// librdkafka itself knows the name, it is passed on.
///
/// Throws kInvalidArgument for values that cannot work here (a JKS key store, an unknown login
/// module), saying what to give instead. No message shows a password.
ClientSettings map_properties(const std::map<std::string, std::string>& properties,
                              ClientRole role);

}  // namespace flott::kafka
