#pragma once

#include "job/attempt.h"
#include "job/job.h"
#include "job/job_checkpoints.h"
#include "job/restart_strategy.h"

#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <thread>
#include <variant>

namespace flott {

/// The Job on this machine: a thread per task and one that coordinates (splits, checkpoints,
/// failures). Task threads only post events; everything else happens on the coordinator's thread.
///
/// A failure ends the attempt; when the restart strategy says so, the next one begins after its
/// delay, from the newest checkpoint that can be read.
class LocalJob final : public Job {
 public:
  LocalJob(const StreamGraph& graph, const JobOptions& options);
  ~LocalJob() override;

  void start();

  const std::string& id() const override { return id_; }
  const std::string& name() const override { return options_.name; }
  JobStatus status() const override;
  void cancel() override;
  bool wait_for(std::chrono::milliseconds timeout) override;
  const JobResult& result() const override { return result_; }
  std::future<std::string> trigger_checkpoint_async() override;
  std::future<std::string> trigger_savepoint_async(const SavepointRequest& request) override;
  std::vector<CheckpointStats> checkpoints() const override { return checkpoints_->stats(); }
  int attempt() const override { return attempt_number_.load() + 1; }
  std::map<std::string, double> metrics() const override;
  std::map<std::string, std::string> text_metrics() const override;
  std::vector<std::string> blocked_operators() const override;

 private:
  struct Started {
    int attempt;
  };
  struct Acknowledged {
    int attempt;
    int task;
    CheckpointId id;
    TaskSnapshot snapshot;
  };
  struct AwaitsCommit {
    int attempt;
    int task;
    TaskSnapshot snapshot;
  };
  struct Ended {
    int attempt;
    int task;
    TaskResult result;
  };
  struct TriggerRequest {
    JobCheckpoints::Reply reply;
    std::optional<SavepointRequest> savepoint;
  };
  using Event =
      std::variant<Started, Acknowledged, AwaitsCommit, Ended, TriggerRequest, WrittenCheckpoint>;

  std::shared_ptr<Attempt> make_attempt(int number, std::optional<CheckpointData> restored);
  std::shared_ptr<Attempt> attempt_now() const;
  void coordinate();
  void turn();
  void discover_first();
  void restart();
  void post(Event event);
  std::future<std::string> trigger(std::optional<SavepointRequest> savepoint);
  void handle(Started& event);
  void handle(Acknowledged& event);
  void handle(AwaitsCommit& event);
  void handle(Ended& event);
  void handle(TriggerRequest& event);
  void handle(WrittenCheckpoint& event);
  void fail(std::exception_ptr error, std::string location);
  bool stopping() const;
  bool cancel_is_new() const;
  void notice_cancel();
  bool waits_for_restart() const;
  void interrupt_calls();
  void run_timers();
  std::int64_t next_deadline_ns() const;
  void finish();

  const JobOptions options_;
  StreamGraph graph_;  ///< what every attempt is deployed from; empty when none follows
  const JobGraph job_graph_;
  const std::string id_;
  SystemClock system_clock_;
  const Clock& clock_;
  const std::unique_ptr<RestartStrategy> restart_strategy_;

  std::thread coordinator_thread_;
  std::mutex join_mutex_;

  mutable std::mutex mutex_;  ///< guards the next five; never held while calling anything
  std::condition_variable events_ready_;
  std::deque<Event> events_;
  std::condition_variable ended_;
  bool terminal_ = false;
  std::shared_ptr<Attempt> attempt_;  ///< only the coordinator replaces it

  std::atomic<JobStatus> status_{JobStatus::kCreated};
  std::atomic<bool> cancel_requested_{false};
  std::atomic<int> attempt_number_{0};
  std::atomic<std::int64_t> down_since_ns_{0};     ///< 0: it runs
  std::atomic<std::int64_t> running_since_ns_{0};  ///< of the attempt
  std::atomic<std::int64_t> restarting_time_ms_{0};
  JobResult result_;

  /// Behind what the thread that writes them posts to: it may still write when the job has ended.
  std::unique_ptr<JobCheckpoints> checkpoints_;

  // The coordinator's own.
  bool attempt_failed_ = false;
  bool any_cancelled_ = false;
  std::int64_t started_ns_ = 0;
  std::int64_t restart_at_ns_ = 0;
  std::int64_t next_interrupt_ns_ = 0;  ///< 0: nothing has stopped yet
};

}  // namespace flott
