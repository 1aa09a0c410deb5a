#pragma once

#include "connectors/kafka/client.h"
#include "connectors/kafka/options.h"
#include "connectors/kafka/split_position.h"
#include "connectors/source.h"
#include "formats/format.h"

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace flott::kafka {

/// Reads the partitions of one subtask with one librdkafka client, without a group subscription.
///
/// librdkafka's threads fetch ahead into one queue a partition, bounded in bytes. A queue that
/// becomes non-empty sets its partition's `ready` flag and wakes the task; poll() takes from ready
/// queues in turn and decodes straight into a batch. Nothing else is shared between threads.
class KafkaReader final : public SourceReader, private ClientEvents {
 public:
  KafkaReader(std::shared_ptr<const SourceOptions> options,
              const LogicalTypePtr& type,
              const SourceReaderContext& context);
  ~KafkaReader() override;

  void add_splits(const std::vector<SourceSplit>& splits) override;
  PollResult poll(SourceBatch& out, std::int64_t max_rows) override;
  std::vector<SourceSplit> positions() override;
  bool split_finished(int index) const override;
  void on_checkpoint(CheckpointId id) override;
  void notify_checkpoint_complete(CheckpointId id) override;
  void close() override;

 private:
  static constexpr std::size_t kTake = 1024;

  /// Read by metric reporters on any thread; outlives the reader.
  struct PartitionGauges {
    std::atomic<std::int64_t> current{-1};
    std::atomic<std::int64_t> committed{-1};
    std::atomic<std::int64_t> pending{0};
  };

  struct Partition {
    SplitPosition position;
    Topic topic;
    Queue queue;
    bool started = false;
    std::atomic<bool> ready{false};
    std::function<void()> wakeup;
    std::shared_ptr<PartitionGauges> gauges;
  };

  void connect(std::size_t partitions);
  void start(Partition& partition);
  void take(Partition& partition, std::int64_t max_rows);
  void wake_fetchers(std::int64_t taken_bytes);
  /// False when the partition's stopping offset was reached.
  bool handle(Partition& partition, const rd_kafka_message_t& message);
  void handle_error(Partition& partition, const rd_kafka_message_t& message);
  void finish_if_at_stop(Partition& partition);
  void register_gauges(const Partition& partition);

  void on_error(rd_kafka_resp_err_t code, std::string_view text) override;
  void on_committed(rd_kafka_resp_err_t code,
                    const rd_kafka_topic_partition_list_t* offsets) override;
  void on_statistics(std::string_view json) override;

  std::shared_ptr<const SourceOptions> options_;
  SourceReaderContext context_;
  std::unique_ptr<Decoder> decoder_;
  BatchBuilder builder_;
  Client client_;
  Queue events_;
  std::vector<std::unique_ptr<Partition>> partitions_;
  std::size_t current_ = 0;
  std::size_t finished_ = 0;
  std::int64_t wake_bytes_ = 0;  ///< after so many the fetchers are told to look at the queues
  std::int64_t bytes_since_wake_ = 0;
  std::array<rd_kafka_message_t*, kTake> taken_{};
  std::map<CheckpointId, std::vector<SplitPosition>> uncommitted_;
  OutageLog outage_;
  bool connected_once_ = false;
  std::int64_t started_ns_ = 0;
  StartErrors start_errors_;
  int polls_ = 0;
  Counter unused_;
  Counter* bytes_in_ = &unused_;
  Counter* errors_in_ = &unused_;
  Counter* ignored_in_ = &unused_;
  std::shared_ptr<std::atomic<std::int64_t>> pending_sum_;
};

}  // namespace flott::kafka
