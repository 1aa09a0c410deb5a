#include "job/deployment.h"

#include "base/error.h"
#include "base/log.h"
#include "runtime/input_gate.h"
#include "runtime/sorted_input.h"
#include "state/stored_states.h"
#include "types/host.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace flott {
namespace {

/// How long a wait for room takes at most before the task looks whether it is cancelled; whoever
/// makes room or cancels wakes it at once.
constexpr std::chrono::milliseconds kRoomWait{100};

/// Which downstream subtasks upstream subtask `up` writes to.
std::vector<int> targets_of(PartitionStrategy strategy,
                            int up,
                            int up_parallelism,
                            int down_parallelism) {
  std::vector<int> out;
  if (strategy == PartitionStrategy::kForward) {
    return {up};
  }
  if (strategy == PartitionStrategy::kRescale) {
    if (up_parallelism >= down_parallelism) {
      return {up * down_parallelism / up_parallelism};
    }
    const int begin = (up * down_parallelism + up_parallelism - 1) / up_parallelism;
    const int end = ((up + 1) * down_parallelism + up_parallelism - 1) / up_parallelism;
    for (int i = begin; i < end; ++i) {
      out.push_back(i);
    }
    return out;
  }
  for (int i = 0; i < down_parallelism; ++i) {
    out.push_back(i);
  }
  return out;
}

bool has_splits_only(const OperatorSnapshot& snapshot) {
  return snapshot.keyed_state.empty() && snapshot.keyed_files.empty() && snapshot.timers.empty() &&
         snapshot.union_state.empty() && snapshot.broadcast_state.empty() &&
         snapshot.files.empty() &&
         std::all_of(snapshot.list_state.begin(), snapshot.list_state.end(), [](const auto& list) {
           return list.first == kSplitsState || list.second.empty();
         });
}

class Builder {
 public:
  Builder(const StreamGraph& graph,
          const JobGraph& job_graph,
          const JobOptions& options,
          const std::string& job_id,
          const Clock& clock,
          int attempt,
          CheckpointData* restore,
          const DeploymentCallbacks& callbacks)
      : graph_(graph),
        job_graph_(job_graph),
        options_(options),
        job_id_(job_id),
        clock_(clock),
        attempt_(attempt),
        restore_(restore),
        callbacks_(callbacks) {}

  Deployment build() {
    check_restore();
    int first_task = 0;
    for (const JobVertex& vertex : job_graph_.vertices) {
      first_tasks_.push_back(first_task);
      first_task += vertex.parallelism;
      for (int i = 0; i < vertex.parallelism; ++i) {
        signals_.push_back(std::make_shared<TaskSignal>());
        cancelled_.push_back(std::make_shared<std::atomic<bool>>(false));
      }
    }
    make_channels();
    if (!options_.batch_mode) {
      event_time_ = std::make_shared<EventTimeBoard>(upstream_tasks());
    }
    for (const JobVertex& vertex : job_graph_.vertices) {
      deploy_vertex(vertex);
    }
    std::vector<std::vector<int>> upstream = upstream_tasks();
    for (std::size_t i = 0; i < upstream.size(); ++i) {
      out_.task_infos[i].upstream = std::move(upstream[i]);
    }
    return std::move(out_);
  }

 private:
  const StreamNode& node(int id) const { return graph_.nodes()[static_cast<std::size_t>(id)]; }
  int task_of(int vertex, int subtask) const {
    return first_tasks_[static_cast<std::size_t>(vertex)] + subtask;
  }

  void check_restore() const {
    if (restore_ == nullptr) {
      return;
    }
    std::vector<std::string> unclaimed;
    for (const OperatorCheckpoint& stored : restore_->operators) {
      const auto now = std::find_if(graph_.nodes().begin(),
                                    graph_.nodes().end(),
                                    [&](const StreamNode& n) { return uid_of(n) == stored.uid; });
      const bool known = now != graph_.nodes().end();
      // What operators do not read is found when they are open (OperatorChain).
      const bool all_read = std::all_of(
          stored.subtasks.begin(), stored.subtasks.end(), [&](const OperatorSnapshot& snapshot) {
            return known ? now->source == nullptr || has_splits_only(snapshot) : snapshot.empty();
          });
      if (!all_read) {
        unclaimed.push_back(
            fmt::format("of operator '{}' (uid '{}'), {}: {}",
                        stored.name,
                        stored.uid,
                        known ? "which is a source in this job" : "which this job does not have",
                        fmt::join(stored_state_names(stored), ", ")));
      }
    }
    if (unclaimed.empty()) {
      return;
    }
    if (options_.allow_unclaimed_state) {
      for (const std::string& state : unclaimed) {
        log(LogLevel::kWarn,
            "flott.job",
            "state in checkpoint {} is left behind (execution.savepoint.ignore-unclaimed-state): "
            "{}",
            restore_->id,
            state);
      }
      return;
    }
    throw_error(ErrorKind::kInvalidArgument,
                "checkpoint {} holds state that no operator of this job claims: {}. Give the "
                "operator its old uid(), or set 'execution.savepoint.ignore-unclaimed-state' to "
                "true to leave that state behind",
                restore_->id,
                fmt::join(unclaimed, "; "));
  }

  OperatorCheckpoint* stored(const StreamNode& n) const {
    if (restore_ == nullptr) {
      return nullptr;
    }
    const std::string uid = uid_of(n);
    for (OperatorCheckpoint& candidate : restore_->operators) {
      if (candidate.uid == uid && !candidate.subtasks.empty()) {
        return &candidate;
      }
    }
    return nullptr;
  }

  void make_channels() {
    // channels_[edge][up subtask] -> (down subtask, channel)
    for (const JobEdge& edge : job_graph_.edges) {
      const JobVertex& up = job_graph_.vertices[static_cast<std::size_t>(edge.source_vertex)];
      const JobVertex& down = job_graph_.vertices[static_cast<std::size_t>(edge.target_vertex)];
      auto& rows = channels_.emplace_back();
      for (int i = 0; i < up.parallelism; ++i) {
        auto& row = rows.emplace_back();
        for (const int target :
             targets_of(edge.edge.partitioner.strategy, i, up.parallelism, down.parallelism)) {
          row.emplace_back(
              target,
              std::make_shared<Channel>(
                  options_.channel_capacity_bytes,
                  *signals_[static_cast<std::size_t>(task_of(edge.source_vertex, i))],
                  *signals_[static_cast<std::size_t>(task_of(edge.target_vertex, target))]));
        }
      }
    }
  }

  /// For each task, those that its channels come from.
  std::vector<std::vector<int>> upstream_tasks() const {
    std::vector<std::vector<int>> out(signals_.size());
    for (std::size_t e = 0; e < job_graph_.edges.size(); ++e) {
      const JobEdge& edge = job_graph_.edges[e];
      for (std::size_t up = 0; up < channels_[e].size(); ++up) {
        for (const auto& [target, channel] : channels_[e][up]) {
          out[static_cast<std::size_t>(task_of(edge.target_vertex, target))].push_back(
              task_of(edge.source_vertex, static_cast<int>(up)));
        }
      }
    }
    return out;
  }

  /// The writers of everything that leaves `emitter` in one subtask.
  std::vector<OperatorChain::LinkSpec::Edge> edges_of(const JobVertex& vertex,
                                                      int emitter,
                                                      int subtask) {
    std::vector<OperatorChain::LinkSpec::Edge> out;
    for (std::size_t e = 0; e < job_graph_.edges.size(); ++e) {
      const JobEdge& edge = job_graph_.edges[e];
      if (edge.source_vertex != vertex.id || edge.source_node != emitter) {
        continue;
      }
      RecordWriter::Options writer;
      writer.partitioner = edge.edge.partitioner;
      for (const auto& [target, channel] : channels_[e][static_cast<std::size_t>(subtask)]) {
        writer.channels.push_back(channel);
      }
      writer.subtask = subtask;
      const JobVertex& down = job_graph_.vertices[static_cast<std::size_t>(edge.target_vertex)];
      writer.downstream_max_parallelism = node(down.nodes[0].node).max_parallelism;
      // Side outputs have types of their own that the graph does not carry: opaque values do.
      writer.type = edge.edge.side < 0 ? node(emitter).output_type : LogicalType::object();
      writer.object_reuse = options_.object_reuse;
      if (options_.emit_waits_for_room) {
        const auto task = static_cast<std::size_t>(task_of(vertex.id, subtask));
        writer.wait_for_room = [signal = signals_[task],
                                cancelled = cancelled_[task]](const Channel& channel) {
          const HostRelease others_may_run;
          while (!channel.has_room() && !cancelled->load(std::memory_order_relaxed)) {
            signal->wait_for(kRoomWait);
          }
          signal->notify();  // of what came meanwhile
        };
      }
      out.push_back({edge.edge.side, std::make_unique<RecordWriter>(std::move(writer))});
    }
    return out;
  }

  std::unique_ptr<TaskInput> make_gate(const JobVertex& vertex, int subtask) {
    std::vector<InputGate::Connection> connections;
    int inputs = 1;
    for (std::size_t e = 0; e < job_graph_.edges.size(); ++e) {
      const JobEdge& edge = job_graph_.edges[e];
      if (edge.target_vertex != vertex.id) {
        continue;
      }
      inputs = std::max(inputs, edge.edge.input + 1);
      for (const auto& row : channels_[e]) {
        for (const auto& [target, channel] : row) {
          if (target == subtask) {
            connections.push_back({channel, edge.edge.input});
          }
        }
      }
    }
    return std::make_unique<InputGate>(std::move(connections),
                                       inputs,
                                       options_.checkpoint_mode == CheckpointMode::kAtLeastOnce
                                           ? BarrierHandling::kCount
                                           : BarrierHandling::kAlign);
  }

  /// BATCH: the gate behind what gives its elements the order that the operator wants, if any.
  std::unique_ptr<TaskInput> sorted(const JobVertex& vertex,
                                    std::unique_ptr<TaskInput> gate,
                                    bool& sorted_by_key) const {
    const StreamNode& head = node(vertex.nodes[0].node);
    if (!options_.batch_mode || head.inputs.empty()) {
      return gate;
    }
    const auto comes_first = [&](const StreamEdge& edge) {
      return edge.input == head.first_input ||
             (head.keyed && edge.partitioner.strategy == PartitionStrategy::kBroadcast);
    };
    const std::vector<StreamEdge>& edges = head.inputs;
    const bool broadcast = std::any_of(edges.begin(), edges.end(), comes_first);
    sorted_by_key =
        head.keyed && options_.sort_inputs &&
        std::all_of(edges.begin(), edges.end(), [&](const StreamEdge& edge) {
          return comes_first(edge) || edge.partitioner.strategy == PartitionStrategy::kHash;
        });
    std::vector<SortedInput::Order> orders(
        static_cast<std::size_t>(gate->input_count()),
        sorted_by_key ? SortedInput::Order::kSorted : SortedInput::Order::kHeld);
    for (const StreamEdge& edge : edges) {
      if (comes_first(edge)) {
        orders[static_cast<std::size_t>(edge.input)] = SortedInput::Order::kFirst;
      }
    }
    if (!sorted_by_key && !broadcast) {
      return gate;
    }
    RowSorter::Options options;
    options.memory_bytes = options_.sort_memory_bytes;
    return std::make_unique<SortedInput>(std::move(gate), std::move(orders), std::move(options));
  }

  int add_operator(const StreamNode& n) {
    out_.operators.push_back({uid_of(n), n.name, n.max_parallelism, false});
    return static_cast<int>(out_.operators.size()) - 1;
  }

  void deploy_vertex(const JobVertex& vertex) {
    const StreamNode& head = node(vertex.nodes[0].node);
    const bool is_source = head.source != nullptr;
    std::vector<int> operator_ids;
    for (const JobVertex::ChainedNode& chained : vertex.nodes) {
      operator_ids.push_back(add_operator(node(chained.node)));
    }
    DeployedSource deployed;
    if (is_source) {
      deployed.source = head.source;
      deployed.uid = uid_of(head);
      deployed.name = head.name;
    }
    for (int subtask = 0; subtask < vertex.parallelism; ++subtask) {
      deploy_task(vertex, subtask, operator_ids, is_source ? &deployed : nullptr);
    }
    if (is_source) {
      out_.sources.push_back(std::move(deployed));
    }
  }

  void deploy_task(const JobVertex& vertex,
                   int subtask,
                   const std::vector<int>& operator_ids,
                   DeployedSource* source) {
    const int task_id = task_of(vertex.id, subtask);
    const auto& signal = signals_[static_cast<std::size_t>(task_id)];
    const auto& cancelled = cancelled_[static_cast<std::size_t>(task_id)];

    TaskEnvironment environment;
    environment.job_id = job_id_;
    environment.job_name = options_.name;
    environment.attempt = attempt_;
    environment.restored_checkpoint = restore_ != nullptr ? restore_->id : -1;
    environment.subtask = subtask;
    environment.parallelism = vertex.parallelism;
    environment.clock = &clock_;
    environment.object_reuse = options_.object_reuse;
    environment.batch_mode = options_.batch_mode;
    environment.checkpointing =
        callbacks_.awaits_commit && options_.checkpointing && !options_.batch_mode;
    environment.allow_unclaimed_state = options_.allow_unclaimed_state;
    environment.state_backend = options_.state_backend;
    environment.auto_watermark_interval_ms = options_.auto_watermark_interval_ms;
    environment.cancelled = cancelled.get();
    environment.wakeup = [signal] { signal->notify(); };

    Deployment::DeployedTask deployed;
    deployed.vertex = vertex.id;
    deployed.subtask = subtask;
    deployed.parallelism = vertex.parallelism;
    CheckpointCoordinator::TaskInfo info;
    info.vertex = vertex.id;
    info.subtask = subtask;
    info.parallelism = vertex.parallelism;
    info.is_source = source != nullptr;

    std::unique_ptr<TaskInput> input;
    bool sorted_by_key = false;
    std::vector<OperatorChain::LinkSpec::Edge> head_edges;
    if (source != nullptr) {
      const StreamNode& n = node(vertex.nodes[0].node);
      auto metrics = std::make_shared<MetricGroup>();
      deployed.metrics.emplace_back(n.name, metrics);
      SourceReaderContext context;
      context.subtask = subtask;
      context.parallelism = vertex.parallelism;
      context.clock = &clock_;
      context.metrics = metrics.get();
      context.operator_name = n.name;
      context.wakeup = environment.wakeup;
      SourceInput::Options options;
      options.reader = n.source->create_reader(context);
      options.watermarks = n.watermarks;
      options.clock = &clock_;
      options.auto_watermark_interval_ms = options_.auto_watermark_interval_ms;
      options.batch_mode = options_.batch_mode;
      options.reader_uses_host = n.source->uses_host();
      options.watermarks_use_host = n.uses_host;
      options.metrics = metrics;
      options.name = n.name;
      options.subtask = subtask;
      options.parallelism = vertex.parallelism;
      auto source_input = std::make_unique<SourceInput>(std::move(options));
      source->tasks.push_back(task_id);
      source->inputs.push_back(source_input.get());
      input = std::move(source_input);
      head_edges = edges_of(vertex, n.id, subtask);
      info.input_operator = operator_ids[0];
    } else {
      input = sorted(vertex, make_gate(vertex, subtask), sorted_by_key);
    }

    const std::size_t first_link = source != nullptr ? 1 : 0;
    std::vector<OperatorChain::LinkSpec> links;
    for (std::size_t i = first_link; i < vertex.nodes.size(); ++i) {
      const JobVertex::ChainedNode& chained = vertex.nodes[i];
      const StreamNode& n = node(chained.node);
      OperatorChain::LinkSpec link;
      link.name = n.name;
      link.uid = uid_of(n);
      link.max_parallelism = n.max_parallelism;
      link.shown_max_parallelism = n.shown_max_parallelism;
      link.keyed = n.keyed;
      link.key_by_key = sorted_by_key && i == first_link;
      link.input_type = n.inputs.empty()
                            ? LogicalType::object()
                            : (n.inputs[0].side < 0 ? node(n.inputs[0].source_node).output_type
                                                    : LogicalType::object());
      link.op = n.make_operator(subtask);
      if (link.op->commits_on_checkpoint()) {
        out_.operators[static_cast<std::size_t>(operator_ids[i])].commits = true;
      }
      link.parent = chained.parent - static_cast<int>(first_link);
      link.parent = std::max(link.parent, -1);
      link.side = chained.side;
      link.edges = edges_of(vertex, n.id, subtask);
      link.metrics = std::make_shared<MetricGroup>();
      deployed.metrics.emplace_back(n.name, link.metrics);
      if (OperatorCheckpoint* checkpoint = stored(n)) {
        link.restored = take_share(*checkpoint, subtask, n.parallelism, n.max_parallelism);
      }
      link.is_restored = restore_ != nullptr;
      info.link_operators.push_back(operator_ids[i]);
      links.push_back(std::move(link));
    }
    auto chain =
        std::make_unique<OperatorChain>(environment, std::move(links), std::move(head_edges));
    Task::Callbacks callbacks;
    callbacks.acknowledge = [this_callbacks = callbacks_, task_id](CheckpointId id,
                                                                   TaskSnapshot snapshot) {
      this_callbacks.acknowledge(task_id, id, std::move(snapshot));
    };
    if (callbacks_.started) {
      callbacks.started = [this_callbacks = callbacks_, task_id] {
        this_callbacks.started(task_id);
      };
    }
    callbacks.ended = [this_callbacks = callbacks_, task_id](TaskResult result) {
      this_callbacks.ended(task_id, std::move(result));
    };
    if (callbacks_.awaits_commit && options_.checkpointing && !options_.batch_mode) {
      callbacks.awaits_commit = [this_callbacks = callbacks_, task_id](TaskSnapshot snapshot) {
        this_callbacks.awaits_commit(task_id, std::move(snapshot));
      };
    }
    callbacks.thread_start = options_.on_thread_start;
    callbacks.thread_end = options_.on_thread_end;
    callbacks.keep_final_state = options_.checkpointing;
    callbacks.event_time = event_time_;
    callbacks.event_time_id = task_id;
    deployed.task = std::make_unique<Task>(vertex.name,
                                           signal,
                                           cancelled,
                                           clock_,
                                           std::move(input),
                                           std::move(chain),
                                           std::move(callbacks));
    out_.tasks.push_back(std::move(deployed));
    out_.task_infos.push_back(std::move(info));
  }

  const StreamGraph& graph_;
  const JobGraph& job_graph_;
  const JobOptions& options_;
  const std::string& job_id_;
  const Clock& clock_;
  const int attempt_;
  CheckpointData* const restore_;
  const DeploymentCallbacks& callbacks_;
  Deployment out_;
  std::vector<int> first_tasks_;
  std::vector<std::shared_ptr<TaskSignal>> signals_;
  std::vector<std::shared_ptr<std::atomic<bool>>> cancelled_;
  std::shared_ptr<EventTimeBoard> event_time_;  ///< null in BATCH
  std::vector<std::vector<std::vector<std::pair<int, std::shared_ptr<Channel>>>>> channels_;
};

}  // namespace

std::string uid_of(const StreamNode& node) {
  return node.uid.empty() ? fmt::format("{}-{}", node.id, node.name) : node.uid;
}

Deployment deploy(const StreamGraph& graph,
                  const JobGraph& job_graph,
                  const JobOptions& options,
                  const std::string& job_id,
                  const Clock& clock,
                  int attempt,
                  CheckpointData* restore,
                  const DeploymentCallbacks& callbacks) {
  // Factories copy host functions.
  const HostScope scope;
  return Builder(graph, job_graph, options, job_id, clock, attempt, restore, callbacks).build();
}

const OperatorCheckpoint* stored_source(const std::optional<CheckpointData>& checkpoint,
                                        const std::string& uid) {
  if (!checkpoint) {
    return nullptr;
  }
  const auto found = std::find_if(checkpoint->operators.begin(),
                                  checkpoint->operators.end(),
                                  [&](const OperatorCheckpoint& op) { return op.uid == uid; });
  return found == checkpoint->operators.end() ? nullptr : &*found;
}

void assign_splits(const Deployment& deployment,
                   const DeployedSource& source,
                   SplitAssigner::Shares shares,
                   bool last) {
  for (std::size_t i = 0; i < shares.size(); ++i) {
    Task& task = *deployment.tasks[static_cast<std::size_t>(source.tasks[i])].task;
    task.post([input = source.inputs[i], share = std::move(shares[i]), last] {
      input->add_splits(share);
      if (last) {
        input->no_more_splits();
      }
    });
  }
}

}  // namespace flott
