#include "connectors/kafka/producing_start.h"

#include "base/clock.h"

#include <algorithm>

namespace flott::kafka {

bool await_topic(rd_kafka_t* client,
                 const SinkOptions& options,
                 StartErrors& errors,
                 const std::function<bool()>& stopped) {
  const std::int64_t begin = monotonic_ns();
  Topic topic;
  if (!options.topic.empty()) {
    topic.reset(rd_kafka_topic_new(client, options.topic.c_str(), nullptr));
  }
  const std::string what = options.topic.empty()
                               ? "cannot write to Kafka"
                               : fmt::format("cannot write to topic '{}'", options.topic);
  // Short at first: a stop is only seen between requests. A broker that is slower than that needs
  // more, or no request ever succeeds.
  constexpr int kMaxPatienceMs = 1000;
  int patience_ms = 100;
  // Many writers that ask without a pause for topics that are being made keep a broker from making
  // them.
  constexpr int kMaxPauseMs = 300;
  int pause_ms = 10;
  while (!stopped()) {
    const rd_kafka_metadata_t* raw = nullptr;
    const rd_kafka_resp_err_t code = rd_kafka_metadata(client, 0, topic.get(), &raw, patience_ms);
    if (code == RD_KAFKA_RESP_ERR__TIMED_OUT) {
      patience_ms = std::min(2 * patience_ms, kMaxPatienceMs);
    }
    rd_kafka_resp_err_t topic_code = RD_KAFKA_RESP_ERR_NO_ERROR;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
      const Metadata metadata(raw);
      if (raw->topic_cnt > 0 && topic) {
        topic_code = raw->topics[0].err;
      }
      if (topic_code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        return true;
      }
    }
    rd_kafka_poll(client, pause_ms);
    pause_ms = std::min(2 * pause_ms, kMaxPauseMs);
    const bool answered = code == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (errors.refused() || errors.out_of_time(answered ? topic_code : code,
                                               monotonic_ns() - begin,
                                               options.patience,
                                               options.bootstrap_servers,
                                               what)) {
      if (answered) {
        throw Error(ErrorKind::kExternal,
                    fmt::format("{}: Kafka brokers '{}': {}{}",
                                what,
                                options.bootstrap_servers,
                                rd_kafka_err2str(topic_code),
                                delivery_hint(options, topic_code)),
                    Retryable::kYes);
      }
      errors.fail(options.bootstrap_servers, what);
    }
  }
  return false;
}

std::string delivery_hint(const SinkOptions& options, rd_kafka_resp_err_t code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE: {
      const auto it = options.client.find("message.max.bytes");
      return fmt::format(
          "; raise the sink's 'properties.max.request.size' (now {}), and the topic's "
          "'max.message.bytes' if the broker refuses it",
          it == options.client.end() ? "1000000" : it->second);
    }
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
      return fmt::format(
          "; create the topic, or check {}",
          options.topic.empty() ? "the topic that the records name" : "the option 'topic'");
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
      return "; no broker took it within 'properties.delivery.timeout.ms'; check the brokers, and "
             "that the topic exists (option 'topic')";
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
      return "; the user of 'properties.sasl.jaas.config' may not write there";
    default:
      return {};
  }
}

}  // namespace flott::kafka
