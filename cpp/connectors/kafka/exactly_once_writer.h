#pragma once

#include "connectors/kafka/options.h"
#include "connectors/kafka/segment.h"
#include "connectors/kafka/transactions.h"
#include "connectors/sink.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace flott::kafka {

/// Which transactional ids a sink has taken possession of, in any attempt of its job: a later
/// attempt does not take them back from somebody who took them over since. Any thread.
class SinkOwnership {
 public:
  SinkOwnership();
  /// Marker::owner of this sink: different for each job, the same for the attempts of one.
  const std::string& owner() const { return owner_; }
  bool has_had(const std::string& transactional_id) const;
  void has(const std::string& transactional_id);

 private:
  const std::string owner_;
  mutable std::mutex mutex_;
  std::set<std::string> ids_;
};

/// The transactional ids that are in use in this process, so that two sinks of one job with the
/// same ones are found before they end each other's transactions. (Those of other jobs may: one is
/// the other's successor.) Any thread.
class IdInUse {
 public:
  /// Throws kInvalidArgument, with both sinks, when another sink of the job has the id. The same
  /// one may: an earlier attempt.
  IdInUse(const std::string& transactional_id,
          const SinkOptions& options,
          const SinkOwnership& ownership,
          const SinkWriterContext& context);
  ~IdInUse();
  IdInUse(const IdInUse&) = delete;
  IdInUse& operator=(const IdInUse&) = delete;

 private:
  std::string key_;
  std::string owner_;
};

/// Publishes the records of one subtask by transactions: what came before a checkpoint appears to
/// readers of committed records when that checkpoint is durable, whole and once (DESIGN, "Sinks
/// with two phases").
///
/// Records go into a segment. snapshot() closes it: it is the next *epoch* of the subtask's
/// transactional id and belongs to the checkpoint. When the checkpoint is complete, the writer's
/// thread sends the segment and a marker in one short transaction. A restored writer takes over the
/// ids of the checkpoint (its own, and those of subtasks that are no more: number n goes to subtask
/// n mod parallelism), which fences whoever still uses them, reads from the markers which epochs
/// were committed and commits the others, before any new one. From then on the markers name it as
/// their owner. A job that lost its ids to another one, and starts again by itself, finds that out
/// before it takes them back, and ends.
///
/// The thread and the task share `accounts_`, `failure_` and `started_` under `mutex_`; the task
/// appends to accounts' epochs, the thread removes what it has committed.
class ExactlyOnceWriter final : public SinkWriter {
 public:
  /// Its operator state.
  static constexpr const char* kStateName = "kafka-transactions";
  /// The prefix of the transactional ids in a snapshot; nothing when it has none.
  static std::optional<std::string> prefix_in(const OperatorSnapshot& snapshot);

  ExactlyOnceWriter(std::shared_ptr<const SinkOptions> options,
                    std::shared_ptr<SinkOwnership> ownership,
                    const SinkWriterContext& context);
  ~ExactlyOnceWriter() override;

  void open() override;
  bool claims_state(const std::string& name) const override;
  void write(const BatchPtr& batch) override;
  /// The brokers are two complete checkpoints behind.
  bool busy() const override;
  void start_flush() override;
  /// Not before the start is through: what a snapshot counts on must be on the brokers, and what
  /// the restored checkpoint held is committed before anything newer, by whichever subtask.
  bool flushed() override;
  void snapshot(CheckpointId id, OperatorSnapshot& snapshot) override;
  void notify_checkpoint_complete(CheckpointId id) override;
  bool has_uncommitted() const override;
  void start_final_commit() override;
  bool committed() override;
  void close() override;

 private:
  struct Epoch {
    std::int64_t sequence = 0;
    std::string lineage;  ///< Marker::lineage
    CheckpointId checkpoint = 0;
    std::int64_t records = 0;
    std::optional<SnapshotFile> segment;  ///< nothing: no record came
    bool durable = false;                 ///< to be committed
  };
  /// What there is to know about one transactional id.
  struct Account {
    std::string id;
    int number = 0;                 ///< of the subtask it was made for
    std::string run;                ///< Marker::run
    std::string marker_topic;       ///< where it is
    std::int64_t last = 0;          ///< sequence of the newest epoch
    std::string committed_lineage;  ///< of the epoch before the first pending one
    std::deque<Epoch> pending;
    bool restored = false;
    std::string owner;  ///< Marker::owner of what is written
    /// Of a subtask that was no more when the checkpoint was taken, and settled: the brokers may
    /// have forgotten its marker.
    bool dormant = false;

    std::int64_t committed() const { return last - static_cast<std::int64_t>(pending.size()); }
  };

  void restore(const OperatorSnapshot& snapshot);
  bool has_our_prefix(const Account& account) const;
  void add_epoch(CheckpointId checkpoint);
  void check_size(std::string_view topic, std::size_t bytes) const;

  // Of the thread.
  void run();
  void start();
  void check_ownership(const Account& account, const std::optional<Marker>& marker) const;
  void take_over(std::size_t account);
  void settle(Account& account, const std::optional<Marker>& marker);
  void settle_unknown(Account& account, const std::optional<Marker>& marker);
  void settle_leftovers();
  void mismatch(const Account& account, const std::string& what) const;
  bool commit_one();
  bool stopped() const { return stopped_.load(std::memory_order_acquire); }

  void fail(Error error);
  void throw_failure() const;

  std::shared_ptr<const SinkOptions> options_;
  std::shared_ptr<SinkOwnership> ownership_;
  SinkWriterContext context_;
  const std::string own_id_;
  std::optional<IdInUse> in_use_;
  const std::string lineage_;  ///< of the epochs of this writer
  /// Marker::run of the job that the checkpoint is of; empty: nothing was restored, or of another
  /// prefix.
  std::string restored_run_;
  const std::size_t max_record_bytes_;
  SegmentWriter segment_;

  std::thread thread_;
  std::atomic<bool> stopped_{false};
  std::atomic<bool> failed_{false};
  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::vector<Account> accounts_;  ///< the first is the subtask's own
  std::optional<Error> failure_;
  bool started_ = false;

  std::map<std::string, std::unique_ptr<TransactionalProducer>> producers_;  ///< of the thread
  std::int64_t timeout_ms_ = 0;                                              ///< likewise

  std::shared_ptr<std::atomic<double>> pending_;
  Counter unused_;
  Counter* records_ = &unused_;
  Counter* bytes_ = &unused_;
  Counter* committables_ = &unused_;
  Counter* already_committed_ = &unused_;
};

}  // namespace flott::kafka
