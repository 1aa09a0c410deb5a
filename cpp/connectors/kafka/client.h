#pragma once

#include "base/error.h"

#include <librdkafka/rdkafka.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace flott::kafka {

/// So many times `startup.timeout.ms` for brokers that cannot be reached or do not answer.
inline constexpr std::int64_t kSilenceFactor = 6;

/// How long a client that starts waits.
struct StartPatience {
  std::int64_t wrong_ms = 10'000;  ///< for what is answered, and wrong
  /// For brokers that are away or silent: the Java client's time for one call.
  std::int64_t away_ms = kSilenceFactor * 10'000;
  const char* away_setting = "default.api.timeout.ms";
};

// RAII over librdkafka's C handles. The one place that turns its codes into Error is check_kafka().

struct ClientDeleter {
  void operator()(rd_kafka_t* handle) const { rd_kafka_destroy(handle); }
};
struct TopicDeleter {
  void operator()(rd_kafka_topic_t* handle) const { rd_kafka_topic_destroy(handle); }
};
struct QueueDeleter {
  void operator()(rd_kafka_queue_t* handle) const { rd_kafka_queue_destroy(handle); }
};
struct ConfDeleter {
  void operator()(rd_kafka_conf_t* handle) const { rd_kafka_conf_destroy(handle); }
};
struct PartitionListDeleter {
  void operator()(rd_kafka_topic_partition_list_t* handle) const {
    rd_kafka_topic_partition_list_destroy(handle);
  }
};
struct MetadataDeleter {
  void operator()(const rd_kafka_metadata_t* handle) const { rd_kafka_metadata_destroy(handle); }
};

using Client = std::unique_ptr<rd_kafka_t, ClientDeleter>;
using Topic = std::unique_ptr<rd_kafka_topic_t, TopicDeleter>;
using Queue = std::unique_ptr<rd_kafka_queue_t, QueueDeleter>;
using Conf = std::unique_ptr<rd_kafka_conf_t, ConfDeleter>;
using PartitionList = std::unique_ptr<rd_kafka_topic_partition_list_t, PartitionListDeleter>;
using Metadata = std::unique_ptr<const rd_kafka_metadata_t, MetadataDeleter>;

/// Throws kExternal (retryable) "<what>: <librdkafka's text>" unless `code` is NO_ERROR.
void check_kafka(rd_kafka_resp_err_t code, std::string_view what);

/// Settings of one librdkafka client by its own names; values of `secret` ones never reach a
/// message.
using ClientSettings = std::map<std::string, std::string>;

/// A configuration; throws kInvalidArgument naming the setting (not the value of a secret).
Conf make_conf(const ClientSettings& settings);

/// Whether this version of librdkafka has the setting.
bool is_setting(const std::string& name);

/// A client of `type`; takes over `conf`. Logs and events come out of rd_kafka_poll().
Client make_client(rd_kafka_type_t type, Conf conf);

/// Where librdkafka's error and log callbacks report. Called from rd_kafka_poll() only.
class ClientEvents {
 public:
  virtual ~ClientEvents() = default;
  virtual void on_error(rd_kafka_resp_err_t code, std::string_view text) = 0;
  virtual void on_committed(rd_kafka_resp_err_t /*code*/,
                            const rd_kafka_topic_partition_list_t* /*offsets*/) {}
  virtual void on_statistics(std::string_view /*json*/) {}
  virtual void on_delivery_failed(const rd_kafka_message_t& /*message*/) {}
};
/// Connects `events` (which outlives the client) to the callbacks of `conf`.
void set_events(rd_kafka_conf_t* conf, ClientEvents* events);

/// One WARNING when the connection is lost, one INFO when it is back. Task's thread.
class OutageLog {
 public:
  OutageLog(std::string role, std::string brokers)
      : role_(std::move(role)), brokers_(std::move(brokers)) {}
  void lost(std::string_view text);
  void alive();
  bool is_out() const { return out_; }

 private:
  std::string role_;
  std::string brokers_;
  bool out_ = false;
};

/// Remembers what went wrong while a client starts, to say it when the start times out.
class StartErrors final : public ClientEvents {
 public:
  void on_error(rd_kafka_resp_err_t code, std::string_view text) override;
  /// The server refused us: waiting does not help.
  bool refused() const { return refused_; }
  /// Whether to give up `waited_ns` after the start, the last request having ended with `code`, or
  /// with that of the topic. Brokers that cannot be reached - they are started again, too - or that
  /// nothing is wrong with but that do not answer, or have not yet made a topic - a busy machine -
  /// are waited for `patience.away_ms`; a warning says so.
  bool out_of_time(rd_kafka_resp_err_t code,
                   std::int64_t waited_ns,
                   const StartPatience& patience,
                   const std::string& brokers,
                   std::string_view what);
  /// Error for a client that could not start: names brokers, what was wrong and which setting to
  /// look at.
  [[noreturn]] void fail(const std::string& brokers, std::string_view what) const;

 private:
  /// No connection to the brokers, as far as is known.
  bool away() const;

  bool refused_ = false;
  bool warned_ = false;
  std::int64_t reached_ns_ = 0;  ///< when the brokers were away for the last time
  std::string waited_;           ///< how long, for the end of a message
  rd_kafka_resp_err_t code_ = RD_KAFKA_RESP_ERR_NO_ERROR;
  std::string text_;
};

}  // namespace flott::kafka
