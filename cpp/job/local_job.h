#pragma once

#include "job/deployment.h"
#include "job/job.h"
#include "job/split_assigner.h"

#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <thread>

namespace flott {

/// The Job on this machine: a thread per task and one that coordinates (splits, checkpoints,
/// failures). Task threads only post events; everything else happens on the coordinator's thread.
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
  std::vector<CheckpointStats> checkpoints() const override;
  std::map<std::string, double> metrics() const override;
  std::vector<std::string> blocked_operators() const override;

 private:
  struct Acknowledged {
    int task;
    CheckpointId id;
    TaskSnapshot snapshot;
  };
  struct AwaitsCommit {
    int task;
    TaskSnapshot snapshot;
  };
  struct Ended {
    int task;
    TaskResult result;
  };
  struct TriggerRequest {
    std::shared_ptr<std::promise<std::string>> reply;
  };
  using Event = std::variant<Acknowledged, AwaitsCommit, Ended, TriggerRequest>;

  struct SourceState {
    SplitAssigner assigner;
    std::int64_t next_discovery_ns = 0;
  };

  void coordinate();
  void post(Event event);
  void handle(Acknowledged& event);
  void handle(AwaitsCommit& event);
  void handle(Ended& event);
  void handle(TriggerRequest& event);
  void fail(std::exception_ptr error, std::string location);
  void cancel_tasks();
  bool stopping() const;
  void interrupt_calls();
  void discover(std::size_t source, bool initial);
  void run_timers();
  std::int64_t next_deadline_ns() const;
  void begin_checkpoint();
  void begin_asked_for_checkpoint();
  void begin_final_checkpoint();
  void discard_quietly(const std::string& path);
  void complete_checkpoint();
  void checkpoint_failed(const std::string& reason);
  void reply_all(const std::string& path, const std::exception_ptr& error);
  void finish();

  const JobOptions options_;
  const std::string id_;
  SystemClock system_clock_;
  const Clock& clock_;
  std::optional<CheckpointData> restored_;
  Deployment deployment_;
  std::unique_ptr<CheckpointCoordinator> checkpoints_;
  std::unique_ptr<CheckpointStorage> storage_;
  std::vector<SourceState> sources_;

  std::vector<std::thread> task_threads_;
  std::thread coordinator_thread_;
  std::mutex join_mutex_;

  mutable std::mutex mutex_;  ///< guards the next five; never held while calling anything
  std::condition_variable events_ready_;
  std::deque<Event> events_;
  std::condition_variable ended_;
  bool terminal_ = false;
  std::vector<CheckpointStats> checkpoint_stats_;

  std::atomic<JobStatus> status_{JobStatus::kCreated};
  std::atomic<bool> cancel_requested_{false};
  JobResult result_;

  // The coordinator's own.
  std::size_t tasks_ended_ = 0;
  bool any_cancelled_ = false;
  std::int64_t started_ns_ = 0;
  std::int64_t next_checkpoint_ns_ = 0;
  std::int64_t next_interrupt_ns_ = 0;  ///< 0: nothing has stopped yet
  int failed_checkpoints_ = 0;
  /// Tasks that have done everything but publish, by the first checkpoint with their final state.
  std::map<int, CheckpointId> awaiting_commit_;
  /// Requests for the pending checkpoint, and those that came after it had begun.
  std::vector<std::shared_ptr<std::promise<std::string>>> waiting_;
  std::vector<std::shared_ptr<std::promise<std::string>>> queued_;
  std::deque<std::string> retained_;
};

}  // namespace flott
