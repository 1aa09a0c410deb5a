#pragma once

#include "connectors/kafka/client.h"
#include "connectors/kafka/options.h"
#include "connectors/kafka/segment.h"

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

namespace flott::kafka {

/// How far the transactions of one transactional id have got, kept by the brokers: an offset of the
/// group that is named like the id, with `<run>/<sequence>/<lineage>/<owner>` as its metadata
/// (older ones end with the sequence). It changes in the same transaction as the records of epoch
/// `sequence`.
struct Marker {
  std::string run;  ///< who began to count: a fresh start makes a new one, a restore keeps it
  std::int64_t sequence = 0;
  /// The attempt whose epoch it is: each start and each restore makes a new one, so that two that
  /// went on from one checkpoint are told apart. Empty for epoch 0 and in older markers.
  std::string lineage;
  std::string owner;  ///< the sink that wrote it, the same in all attempts of its job

  bool operator==(const Marker&) const = default;
};
std::string to_text(const Marker& marker);
std::optional<Marker> parse_marker(std::string_view text);

/// The brokers' `transaction.max.timeout.ms`; nothing when they do not tell (old ones, no rights).
std::optional<std::int64_t> max_transaction_timeout_ms(rd_kafka_t* client);

/// The timeout of the sink's transactions. The user's, which is refused (kInvalidArgument, with
/// both numbers) when it is above the brokers' maximum; otherwise 15 minutes, or the maximum if
/// that is less.
std::int64_t transaction_timeout_ms(const SinkOptions& options,
                                    std::optional<std::int64_t> max_timeout_ms);

/// The topic that a sink's markers are offsets of: it must exist, but nothing of it is read.
std::string marker_topic(const SinkOptions& options);

enum class PendingMarker { kAwaited, kIgnored };

/// Reads the marker of `transactional_id`; `pending` says what is with a transaction that may still
/// change it. Throws kExternal when the brokers do not answer in time. Nothing when there is none,
/// or `stopped`.
std::optional<Marker> read_marker(const SinkOptions& options,
                                  const std::string& transactional_id,
                                  const std::string& topic,
                                  PendingMarker pending,
                                  const std::atomic<bool>& stopped);

/// A producer with a transactional id, which commits one epoch after the other. Every call blocks,
/// until `stopped` at the latest: they belong on a thread of their own. Throws kExternal; also when
/// another producer took the id over, which is how predecessors that are still alive end.
class TransactionalProducer final : private ClientEvents {
 public:
  TransactionalProducer(const SinkOptions& options,
                        std::string transactional_id,
                        std::int64_t timeout_ms,
                        const std::atomic<bool>& stopped);
  /// Aborts what is under way.
  ~TransactionalProducer() override;

  const std::string& transactional_id() const { return id_; }
  /// Ends the transactions that earlier producers of the id left open, and their rights. False when
  /// stopped.
  bool init();
  /// Sends the records of `segment` (may be null) and the marker in one transaction and commits it.
  /// What goes wrong on the way is tried again. False when stopped: nothing is committed, or all.
  bool publish(const SnapshotFile* segment, const Marker& marker, const std::string& marker_topic);
  /// Serves events; to be called now and then between the others.
  void poll();

 private:
  enum class Outcome { kDone, kAbort, kStopped };
  /// Calls `attempt` until it neither times out nor asks to be called again.
  template <typename Attempt>
  Outcome call(std::string_view what, const Attempt& attempt);
  Outcome try_publish(const SnapshotFile* segment,
                      const Marker& marker,
                      const std::string& marker_topic);
  Outcome send(const SnapshotFile& segment);
  Outcome send_marker(const Marker& marker, const std::string& marker_topic);
  bool abort();
  rd_kafka_topic_t* topic_of(std::string_view name);
  [[noreturn]] void fail(std::string_view what, rd_kafka_resp_err_t code, std::string_view text);
  /// What to do about a transaction that the brokers have ended because it took too long; empty
  /// when it did not.
  std::string timeout_hint() const;
  void throw_failure() const;

  void on_error(rd_kafka_resp_err_t code, std::string_view text) override;
  void on_delivery_failed(const rd_kafka_message_t& message) override;

  const SinkOptions& options_;
  const std::string id_;
  const std::int64_t timeout_ms_;
  const std::atomic<bool>& stopped_;
  Client client_;
  std::map<std::string, Topic, std::less<>> topics_;
  std::string last_topic_name_;
  rd_kafka_topic_t* last_topic_ = nullptr;
  std::optional<Error> failure_;  ///< of a record that will be refused every time
  bool open_ = false;
  std::int64_t begun_ns_ = 0;          ///< the transaction that is open
  std::int64_t aborted_after_ms_ = 0;  ///< how long the last one was, if it was aborted
  bool fatal_ = false;                 ///< the client can do nothing more
  OutageLog outage_;
};

}  // namespace flott::kafka
