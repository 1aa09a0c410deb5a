#pragma once

#include "connectors/kafka/client.h"
#include "connectors/kafka/options.h"
#include "connectors/sink.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace flott::kafka {

/// Produces the records of one subtask.
///
/// write() hands copies to librdkafka, which batches and sends on its own threads. While earlier
/// records are unacknowledged, a few more are gathered in `backlog_` and follow as one group with
/// the last acknowledgement (gathers()). What does not fit into librdkafka's queue waits there,
/// too, and makes the writer busy. Only failed deliveries are reported (a report a record would
/// cost more than the sending); whether all is settled is librdkafka's own count of what it still
/// holds.
///
/// One thread serves librdkafka's events and wakes the task; it, librdkafka's threads (which count
/// acknowledgements) and the task share `failure_` under `mutex_` and the atomics.
class KafkaWriter final : public SinkWriter, private ClientEvents {
 public:
  KafkaWriter(std::shared_ptr<const SinkOptions> options, const SinkWriterContext& context);
  ~KafkaWriter() override;

  void open() override;
  void write(const BatchPtr& batch) override;
  bool busy() const override;
  void start_flush() override;
  bool flushed() override;
  bool flushes_at_checkpoints() const override { return options_->flush_on_checkpoint; }
  Timestamp next_time() const override { return look_again_at_; }
  void on_time() override;
  void close() override;

  /// Batches that wait for earlier records' acknowledgement.
  std::size_t backlog() const { return backlog_.size(); }

 private:
  static rd_kafka_resp_err_t on_new(
      rd_kafka_t*, const rd_kafka_conf_t*, void* opaque, char*, std::size_t);
  static rd_kafka_resp_err_t on_acknowledgement(rd_kafka_t*, rd_kafka_message_t*, void* opaque);

  void serve();
  void check_start();
  /// Sends rows of `batch` from `row` on; returns the first that did not fit.
  std::int64_t produce(const Batch& batch, std::int64_t row);
  /// Hands the backlog to librdkafka unless it is to wait.
  void drain();
  bool must_gather();
  bool all_acknowledged() const { return acknowledged_.load() == handed_over_.load(); }
  rd_kafka_topic_t* topic_of(std::string_view name);
  void throw_failure();
  void fail(Error error);
  /// For `log_failures_only`; of any thread.
  void log_failure(std::string_view what) const;
  std::string explain(const std::string& topic,
                      std::int32_t partition,
                      rd_kafka_resp_err_t code,
                      std::string_view text) const;

  void on_error(rd_kafka_resp_err_t code, std::string_view text) override;
  void on_statistics(std::string_view json) override;
  void on_delivery_failed(const rd_kafka_message_t& message) override;

  std::shared_ptr<const SinkOptions> options_;
  SinkWriterContext context_;
  Client client_;
  std::map<std::string, Topic, std::less<>> topics_;
  std::string last_topic_name_;
  rd_kafka_topic_t* last_topic_ = nullptr;
  std::deque<std::pair<BatchPtr, std::int64_t>> backlog_;  ///< batch and first row not yet taken
  std::int64_t backlog_rows_ = 0;
  bool queue_full_ = false;  ///< librdkafka's
  bool flushing_ = false;
  const bool gathers_;
  Timestamp gathering_since_ = kMaxTimestamp;
  Timestamp look_again_at_ = kMaxTimestamp;

  std::atomic<std::int64_t> handed_over_{0};   ///< records; written by the task
  std::atomic<std::int64_t> acknowledged_{0};  ///< records delivered or failed
  std::atomic<bool> gathering_{false};         ///< the last acknowledgement wakes the task
  std::thread thread_;
  std::atomic<bool> stopped_{false};
  std::atomic<bool> waiting_{false};  ///< the task waits for the queue to drain or empty
  std::atomic<bool> failed_{false};
  std::mutex mutex_;
  std::optional<Error> failure_;
  OutageLog outage_;
  StartErrors start_errors_;
  std::shared_ptr<std::atomic<double>> send_time_ms_;
  Counter unused_;
  Counter* records_ = &unused_;
  Counter* bytes_ = &unused_;
  Counter* errors_ = &unused_;
};

}  // namespace flott::kafka
