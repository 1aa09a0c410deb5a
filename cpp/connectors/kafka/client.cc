#include "connectors/kafka/client.h"

#include "base/log.h"

#include <algorithm>

namespace flott::kafka {
namespace {

/// Brokers that are not there for so long are worth a line in the log.
constexpr std::int64_t kSoonNs = 1'000'000'000;

bool is_secret(std::string_view name) {
  return name.find("password") != std::string_view::npos ||
         name.find("secret") != std::string_view::npos || name == "ssl.key.pem";
}

ClientEvents& events_of(void* opaque) {
  return *static_cast<ClientEvents*>(opaque);
}

void on_error(rd_kafka_t* client, int code, const char* reason, void* opaque) {
  char text[512] = "";
  auto error = static_cast<rd_kafka_resp_err_t>(code);
  if (error == RD_KAFKA_RESP_ERR__FATAL) {
    error = rd_kafka_fatal_error(client, text, sizeof text);
    reason = text;
  }
  if (opaque != nullptr) {
    events_of(opaque).on_error(error, reason);
  }
}

void on_commit(rd_kafka_t* /*client*/,
               rd_kafka_resp_err_t code,
               rd_kafka_topic_partition_list_t* offsets,
               void* opaque) {
  if (opaque != nullptr) {
    events_of(opaque).on_committed(code, offsets);
  }
}

int on_statistics(rd_kafka_t* /*client*/, char* json, std::size_t size, void* opaque) {
  if (opaque != nullptr) {
    events_of(opaque).on_statistics({json, size});
  }
  return 0;  // librdkafka frees it
}

void on_delivery(rd_kafka_t* /*client*/, const rd_kafka_message_t* message, void* opaque) {
  if (opaque != nullptr && message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    events_of(opaque).on_delivery_failed(*message);
  }
}

/// librdkafka's own lines repeat what OutageLog says once: they are for debugging.
void on_log(const rd_kafka_t* /*client*/, int /*level*/, const char* facility, const char* text) {
  log(LogLevel::kDebug, "flott.kafka", "librdkafka {}: {}", facility, text);
}

}  // namespace

void check_kafka(rd_kafka_resp_err_t code, std::string_view what) {
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    throw Error(
        ErrorKind::kExternal, fmt::format("{}: {}", what, rd_kafka_err2str(code)), Retryable::kYes);
  }
}

Conf make_conf(const ClientSettings& settings) {
  Conf conf(rd_kafka_conf_new());
  char text[512];
  for (const auto& [name, value] : settings) {
    if (rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), text, sizeof text) !=
        RD_KAFKA_CONF_OK) {
      // librdkafka's text repeats the value.
      throw_error(ErrorKind::kInvalidArgument,
                  "the Kafka setting '{}' cannot be used: {}",
                  name,
                  is_secret(name) ? "its value is not valid" : text);
    }
  }
  return conf;
}

bool is_setting(const std::string& name) {
  const Conf conf(rd_kafka_conf_new());
  std::size_t size = 0;
  return rd_kafka_conf_get(conf.get(), name.c_str(), nullptr, &size) == RD_KAFKA_CONF_OK;
}

void set_events(rd_kafka_conf_t* conf, ClientEvents* events) {
  rd_kafka_conf_set_opaque(conf, events);
  rd_kafka_conf_set_error_cb(conf, &on_error);
  rd_kafka_conf_set_offset_commit_cb(conf, &on_commit);
  rd_kafka_conf_set_stats_cb(conf, &on_statistics);
}

Client make_client(rd_kafka_type_t type, Conf conf) {
  rd_kafka_conf_set_log_cb(conf.get(), &on_log);
  if (type == RD_KAFKA_PRODUCER) {
    rd_kafka_conf_set_dr_msg_cb(conf.get(), &on_delivery);
  }
  char text[512];
  // Log lines are served by rd_kafka_poll(): a log sink that waits for the host's lock must never
  // run on a thread of librdkafka.
  rd_kafka_conf_set(conf.get(), "log.queue", "true", text, sizeof text);
  Client client(rd_kafka_new(type, conf.get(), text, sizeof text));
  if (!client) {
    throw_error(ErrorKind::kInvalidArgument,
                "the Kafka client cannot be made with these settings: {}",
                text);
  }
  static_cast<void>(conf.release());  // owned by the client now
  rd_kafka_set_log_queue(client.get(), nullptr);
  return client;
}

void OutageLog::lost(std::string_view text) {
  if (!out_) {
    out_ = true;
    log(LogLevel::kWarn,
        "flott.kafka",
        "{}: connection to Kafka lost ({}); brokers {}. Reconnecting; nothing is lost",
        role_,
        text,
        brokers_);
  }
}

void OutageLog::alive() {
  if (out_) {
    out_ = false;
    log(LogLevel::kInfo,
        "flott.kafka",
        "{}: connected to Kafka again; brokers {}",
        role_,
        brokers_);
  }
}

void StartErrors::on_error(rd_kafka_resp_err_t code, std::string_view text) {
  const bool authentication = code == RD_KAFKA_RESP_ERR__AUTHENTICATION ||
                              code == RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE ||
                              code == RD_KAFKA_RESP_ERR__SSL;
  // "All brokers down" says less than what came before it.
  if (refused_ || (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && !text_.empty())) {
    return;
  }
  refused_ = authentication;
  code_ = code;
  text_ = text;
}

bool StartErrors::out_of_time(rd_kafka_resp_err_t code,
                              std::int64_t waited_ns,
                              const StartPatience& patience,
                              const std::string& brokers,
                              std::string_view what) {
  // An answer, so that errors of connections are over.
  const bool in_the_making = code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
                             code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
  const bool gone = !in_the_making && away();
  const bool silent = code == RD_KAFKA_RESP_ERR__TIMED_OUT && text_.empty();
  const std::int64_t away_ns = patience.away_ms * 1'000'000;
  if (gone) {
    reached_ns_ = waited_ns;
  }
  if (in_the_making || gone || silent) {
    waited_ = fmt::format(" (waited for {:.1f} s, '{}')",
                          static_cast<double>(patience.away_ms) / 1000,
                          patience.away_setting);
    if (waited_ns >= away_ns) {
      return true;
    }
  } else {
    waited_.clear();
    return waited_ns - reached_ns_ >= std::min(patience.wrong_ms * 1'000'000, away_ns);
  }
  if (!warned_ && (waited_ns >= patience.wrong_ms * 1'000'000 || (gone && waited_ns >= kSoonNs))) {
    warned_ = true;
    log(LogLevel::kWarn,
        "flott.kafka",
        "{} yet: Kafka brokers '{}' {}; waiting for up to {:.1f} s ('{}')",
        what,
        brokers,
        in_the_making ? "know no leader of the topic"
        : gone        ? fmt::format("cannot be reached ({})", text_)
                      : "have not answered",
        static_cast<double>(patience.away_ms) / 1000,
        patience.away_setting);
  }
  return false;
}

bool StartErrors::away() const {
  // Not what hangs up on us: that is a wrong protocol more often than not.
  return code_ == RD_KAFKA_RESP_ERR__TRANSPORT &&
         (text_.find("Connect to ") != std::string::npos ||
          text_.find("in state CONNECT") != std::string::npos);
}

void StartErrors::fail(const std::string& brokers, std::string_view what) const {
  std::string_view hint = "check 'bootstrap.servers' and that the brokers run and can be reached";
  switch (code_) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
      hint = "check 'sasl.mechanism', 'sasl.jaas.config' and 'security.protocol'";
      break;
    case RD_KAFKA_RESP_ERR__SSL:
      hint =
          "check 'security.protocol', 'ssl.truststore.location' and "
          "'ssl.endpoint.identification.algorithm'";
      break;
    case RD_KAFKA_RESP_ERR__RESOLVE:
      hint = "check the host names in 'bootstrap.servers'";
      break;
    default:
      // A broker that wants a certificate just hangs up (TLS 1.3).
      if (text_.find("ssl://") != std::string::npos) {
        hint =
            "check 'bootstrap.servers', 'ssl.truststore.location' and, where the broker wants a "
            "certificate, 'ssl.keystore.location'";
      }
      break;
  }
  throw Error(ErrorKind::kExternal,
              fmt::format("{}: Kafka brokers '{}': {}{}; {}",
                          what,
                          brokers,
                          text_.empty() ? "no answer" : text_,
                          waited_,
                          hint),
              refused_ ? Retryable::kNo : Retryable::kYes);
}

}  // namespace flott::kafka
