#pragma once

#include "connectors/kafka/client.h"
#include "connectors/kafka/options.h"

#include <functional>

namespace flott::kafka {

/// Waits until the brokers answer and know the sink's topic, before a first record fails after
/// minutes. Throws kExternal when they do not (StartPatience). `errors` gets what
/// rd_kafka_poll(), which this calls, reports. False when `stopped`.
bool await_topic(rd_kafka_t* client,
                 const SinkOptions& options,
                 StartErrors& errors,
                 const std::function<bool()>& stopped);

/// What to do about a record that was refused with `code`, for the end of a message; may be empty.
std::string delivery_hint(const SinkOptions& options, rd_kafka_resp_err_t code);

}  // namespace flott::kafka
