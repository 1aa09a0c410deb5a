#include "connectors/kafka/exactly_once_writer.h"

#include "base/bytes.h"
#include "base/fault_point.h"
#include "base/log.h"
#include "base/random_id.h"
#include "connectors/kafka/producing_start.h"
#include "runtime/task.h"
#include "types/host.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <set>

// An entry of the operator state "kafka-transactions", one a transactional id:
//
//   entry := version:u8  id:string  number:varint  run:string  marker topic:string  last:varint
//            epochs:varint epoch*
//   epoch := sequence:varint  records:varint  file:string (empty: no records)
//
// It is union state: each restored subtask looks for the ids that it is to take over.

namespace flott::kafka {
namespace {

constexpr const char* kStateName = "kafka-transactions";
constexpr std::uint8_t kVersion = 1;
constexpr CheckpointId kAtTheEnd = std::numeric_limits<CheckpointId>::max();
/// Complete checkpoints whose transactions may wait before the task does.
constexpr std::size_t kMaxDurable = 2;
constexpr auto kIdle = std::chrono::milliseconds(500);

std::size_t max_record_bytes(const SinkOptions& options) {
  const auto it = options.client.find("message.max.bytes");
  return it == options.client.end()
             ? 1'000'000
             : static_cast<std::size_t>(std::max(0LL, std::atoll(it->second.c_str())));
}

}  // namespace

ExactlyOnceWriter::ExactlyOnceWriter(std::shared_ptr<const SinkOptions> options,
                                     const SinkWriterContext& context)
    : options_(std::move(options)),
      context_(context),
      own_id_(fmt::format("{}-{}", options_->transactional_id_prefix, context.subtask)),
      max_record_bytes_(max_record_bytes(*options_)),
      pending_(std::make_shared<std::atomic<double>>(0)) {
  if (context_.metrics != nullptr) {
    records_ = &context_.metrics->counter("numRecordsSend");
    bytes_ = &context_.metrics->counter("numBytesOut");
    committables_ = &context_.metrics->counter("successfulCommittables");
    already_committed_ = &context_.metrics->counter("alreadyCommittedCommittables");
    context_.metrics->gauge("pendingCommittables",
                            [pending = pending_] { return pending->load(); });
  }
}

ExactlyOnceWriter::~ExactlyOnceWriter() {
  close();
}

void ExactlyOnceWriter::open() {
  Account own;
  own.id = own_id_;
  own.number = context_.subtask;
  own.run = random_id();
  own.marker_topic = marker_topic(*options_);
  accounts_.push_back(std::move(own));
  if (context_.restored != nullptr) {
    restore(*context_.restored);
  }
  context_.restored = nullptr;
  thread_ = std::thread([this] { run(); });
}

void ExactlyOnceWriter::restore(const OperatorSnapshot& snapshot) {
  const auto stored = snapshot.union_state.find(kStateName);
  if (stored == snapshot.union_state.end()) {
    return;
  }
  for (const std::string& entry : stored->second) {
    BytesReader in(entry);
    if (const int version = in.u8(); version != kVersion) {
      throw_error(ErrorKind::kExternal,
                  "the checkpoint's Kafka transactions have the format {}, which a newer Flott "
                  "wrote; restore with that version",
                  version);
    }
    Account account;
    account.id = in.string();
    account.number = static_cast<int>(in.varint());
    account.run = in.string();
    account.marker_topic = in.string();
    account.last = static_cast<std::int64_t>(in.varint());
    account.restored = true;
    const bool own = account.id == own_id_;
    if (!own && account.number % context_.parallelism != context_.subtask) {
      continue;
    }
    // Another subtask's own, unless the prefix has changed.
    if (!own && account.number < context_.parallelism &&
        account.id == fmt::format("{}-{}", options_->transactional_id_prefix, account.number)) {
      continue;
    }
    for (std::uint64_t left = in.varint(); left > 0; --left) {
      Epoch epoch;
      epoch.sequence = static_cast<std::int64_t>(in.varint());
      epoch.records = static_cast<std::int64_t>(in.varint());
      epoch.durable = true;
      const std::string_view name = in.string();
      if (!name.empty()) {
        const auto file = std::find_if(snapshot.files.begin(),
                                       snapshot.files.end(),
                                       [&](const SnapshotFile& f) { return f.name == name; });
        if (file == snapshot.files.end()) {
          throw_error(ErrorKind::kExternal,
                      "the checkpoint has no file '{}' with the records that are still to be "
                      "committed to Kafka for '{}'; it is damaged, restore another one",
                      name,
                      account.id);
        }
        epoch.segment = *file;
      }
      account.pending.push_back(std::move(epoch));
    }
    if (own) {
      accounts_.front() = std::move(account);
    } else {
      accounts_.push_back(std::move(account));
    }
  }
}

void ExactlyOnceWriter::check_size(std::string_view topic, std::size_t bytes) const {
  // Once it is in a checkpoint, it could neither be sent nor left out.
  if (bytes > max_record_bytes_) {
    throw_error(ErrorKind::kExternal,
                "a record of {} bytes could not be delivered to topic '{}' of the Kafka brokers "
                "'{}'{}",
                bytes,
                topic,
                options_->bootstrap_servers,
                delivery_hint(*options_, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE));
  }
}

void ExactlyOnceWriter::write(const BatchPtr& batch) {
  throw_failure();
  const Column& topics = batch->column(0);
  const Column& partitions = batch->column(1);
  const Column& keys = batch->column(2);
  const Column& values = batch->column(3);
  const Column& timestamps = batch->column(4);
  std::int64_t bytes = 0;
  for (std::int64_t row = 0; row < batch->num_rows(); ++row) {
    OutgoingRecord record;
    record.topic = topics.is_null(row) ? std::string_view(options_->topic) : topics.string_at(row);
    if (record.topic.empty()) {
      throw_error(ErrorKind::kUserCode,
                  "a record names no Kafka topic, and the sink's option 'topic' is not set");
    }
    if (!partitions.is_null(row)) {
      record.partition = partitions.data<std::int32_t>()[row];
    }
    std::size_t size = 0;
    if (!keys.is_null(row)) {
      record.key = keys.string_at(row);
      size += record.key->size();
    }
    if (!values.is_null(row)) {
      record.value = values.string_at(row);
      size += record.value->size();
    }
    check_size(record.topic, size);
    if (!timestamps.is_null(row) && options_->write_timestamp) {
      record.timestamp = timestamps.data<std::int64_t>()[row];
    }
    segment_.append(record);
    bytes += static_cast<std::int64_t>(size);
  }
  records_->inc(batch->num_rows());
  bytes_->inc(bytes);
}

bool ExactlyOnceWriter::busy() const {
  const std::lock_guard lock(mutex_);
  const std::deque<Epoch>& pending = accounts_.front().pending;
  return static_cast<std::size_t>(std::count_if(pending.begin(), pending.end(), [](const Epoch& e) {
           return e.durable;
         })) > kMaxDurable;
}

void ExactlyOnceWriter::start_flush() {
  throw_failure();
}

bool ExactlyOnceWriter::flushed() {
  throw_failure();
  const std::lock_guard lock(mutex_);
  return started_;
}

void ExactlyOnceWriter::add_epoch(CheckpointId checkpoint) {
  Epoch epoch;
  epoch.checkpoint = checkpoint;
  epoch.records = segment_.records();
  epoch.segment = segment_.finish();
  const std::lock_guard lock(mutex_);
  Account& own = accounts_.front();
  epoch.sequence = ++own.last;
  own.pending.push_back(std::move(epoch));
  pending_->store(static_cast<double>(own.pending.size()));
}

void ExactlyOnceWriter::snapshot(CheckpointId id, OperatorSnapshot& snapshot) {
  throw_failure();
  // Every checkpoint is an epoch, also one without records: the marker then says that it was
  // restored from before. The end alone needs none if nothing came.
  if (id != kFinalSnapshot) {
    add_epoch(id);
  } else if (segment_.records() > 0) {
    add_epoch(kAtTheEnd);
  }
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < accounts_.size(); ++i) {
    const Account& account = accounts_[i];
    if (i > 0 && account.pending.empty()) {
      continue;  // of a subtask that is no more, and settled
    }
    BytesWriter out(snapshot.union_state[kStateName].emplace_back());
    out.u8(kVersion);
    out.string(account.id);
    out.varint(static_cast<std::uint64_t>(account.number));
    out.string(account.run);
    out.string(account.marker_topic);
    out.varint(static_cast<std::uint64_t>(account.last));
    out.varint(account.pending.size());
    for (const Epoch& epoch : account.pending) {
      out.varint(static_cast<std::uint64_t>(epoch.sequence));
      out.varint(static_cast<std::uint64_t>(epoch.records));
      out.string(epoch.segment ? epoch.segment->name : "");
      if (epoch.segment) {
        snapshot.files.push_back(*epoch.segment);
      }
    }
  }
}

void ExactlyOnceWriter::notify_checkpoint_complete(CheckpointId id) {
  throw_failure();
  std::vector<SnapshotFile> done;
  {
    const std::lock_guard lock(mutex_);
    for (Epoch& epoch : accounts_.front().pending) {
      epoch.durable = epoch.durable || epoch.checkpoint <= id;
    }
    done.swap(committed_segments_);
  }
  work_.notify_one();
  // Not when they were committed: a checkpoint under way may still have named them.
  for (const SnapshotFile& file : done) {
    remove_segment(file);
  }
}

bool ExactlyOnceWriter::has_uncommitted() const {
  const std::lock_guard lock(mutex_);
  return segment_.records() > 0 ||
         std::any_of(accounts_.begin(), accounts_.end(), [](const Account& account) {
           return !account.pending.empty();
         });
}

void ExactlyOnceWriter::start_final_commit() {
  throw_failure();
  if (segment_.records() > 0) {
    add_epoch(kAtTheEnd);
  }
  notify_checkpoint_complete(kAtTheEnd);
}

bool ExactlyOnceWriter::committed() {
  throw_failure();
  return !has_uncommitted();
}

void ExactlyOnceWriter::close() {
  {
    const std::lock_guard lock(mutex_);
    stopped_.store(true, std::memory_order_release);
  }
  work_.notify_one();
  if (thread_.joinable()) {
    thread_.join();
  }
  for (const SnapshotFile& file : committed_segments_) {
    remove_segment(file);
  }
  committed_segments_.clear();
  for (Account& account : accounts_) {
    for (const Epoch& epoch : account.pending) {
      if (epoch.segment) {
        remove_segment(*epoch.segment);  // a checkpoint that is durable has its own
      }
    }
  }
  accounts_.clear();
}

void ExactlyOnceWriter::fail(Error error) {
  {
    const std::lock_guard lock(mutex_);
    if (!failure_) {
      failure_ = std::move(error);
    }
  }
  failed_.store(true, std::memory_order_release);
  context_.wakeup();
}

void ExactlyOnceWriter::throw_failure() const {
  if (failed_.load(std::memory_order_acquire)) {
    const std::lock_guard lock(mutex_);
    throw Error(*failure_);
  }
}

void ExactlyOnceWriter::run() {
  try {
    start();
    while (!stopped()) {
      if (commit_one()) {
        continue;
      }
      for (const auto& [id, producer] : producers_) {
        producer->poll();
      }
      std::unique_lock lock(mutex_);
      work_.wait_for(lock, kIdle, [this] {
        return stopped() ||
               std::any_of(accounts_.begin(), accounts_.end(), [](const Account& account) {
                 return !account.pending.empty() && account.pending.front().durable;
               });
      });
    }
  } catch (const Error& error) {
    fail(error);
  }
  producers_.clear();  // aborts what is open
}

void ExactlyOnceWriter::start() {
  {
    StartErrors errors;
    ClientSettings settings = options_->client;
    Conf conf = make_conf(settings);
    set_events(conf.get(), &errors);
    const Client client = make_client(RD_KAFKA_PRODUCER, std::move(conf));
    if (!await_topic(client.get(), *options_, errors, [this] { return stopped(); })) {
      return;
    }
    timeout_ms_ = transaction_timeout_ms(*options_, max_transaction_timeout_ms(client.get()));
  }
  // First all producers, each of which ends what its predecessor may still do; then the markers.
  for (const Account& account : accounts_) {  // only the task's thread changes pending, later
    auto producer =
        std::make_unique<TransactionalProducer>(*options_, account.id, timeout_ms_, stopped_);
    if (!producer->init()) {
      return;
    }
    producers_.emplace(account.id, std::move(producer));
  }
  for (std::size_t i = 0; i < accounts_.size() && !stopped(); ++i) {
    take_over(i);
  }
  settle_leftovers();
  if (stopped()) {
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    started_ = true;
  }
  context_.wakeup();
}

void ExactlyOnceWriter::take_over(std::size_t index) {
  Account& account = accounts_[index];
  if (account.restored) {
    const std::optional<Marker> marker =
        read_marker(*options_, account.id, account.marker_topic, PendingMarker::kAwaited, stopped_);
    if (stopped()) {
      return;
    }
    fault_point(FaultPoint::kDuringRecovery);
    settle(account, marker);
    return;
  }
  // From now on a marker that is missing is a marker that was lost.
  producers_.at(account.id)->publish(nullptr, {account.run, 0}, account.marker_topic);
}

void ExactlyOnceWriter::mismatch(const Account& account, const std::string& what) const {
  const std::string text =
      fmt::format("the Kafka transactions of '{}' (sink '{}') do not fit the checkpoint: {}",
                  account.id,
                  context_.operator_name,
                  what);
  if (!options_->allow_duplicates_on_restore) {
    throw_error(ErrorKind::kExternal,
                "{}. To go on all the same, set the sink's property "
                "'allow.duplicates.on.restore' to 'true'",
                text);
  }
  log(LogLevel::kWarn,
      "flott.kafka",
      "{}. The job goes on, because 'allow.duplicates.on.restore' is set",
      text);
}

/// Leaves the epochs that are still to be committed.
void ExactlyOnceWriter::settle(Account& account, const std::optional<Marker>& marker) {
  const std::int64_t first =
      account.pending.empty() ? account.last + 1 : account.pending.front().sequence;
  std::int64_t committed = first - 1;
  if (!marker) {
    mismatch(account,
             fmt::format("the brokers have forgotten how far they got (offsets of the group '{}' "
                         "are kept for 'offsets.retention.minutes' of the brokers). Going on "
                         "sends the {} epochs of the checkpoint that it does not know to be "
                         "committed: their records are doubled if they were",
                         account.id,
                         account.pending.size()));
  } else if (marker->run != account.run) {
    mismatch(account,
             fmt::format("another run of a job has used the prefix '{}' since (or still does). "
                         "Going on sends the {} epochs of the checkpoint that it does not know to "
                         "be committed, and everything since: records that this or the other run "
                         "has committed are doubled",
                         options_->transactional_id_prefix,
                         account.pending.size()));
  } else if (marker->sequence > account.last) {
    mismatch(account,
             fmt::format("{} epochs were committed after the checkpoint, which is not the newest "
                         "one. Restore the newest one; going on from this one doubles the records "
                         "of those epochs",
                         marker->sequence - account.last));
    committed = account.last;
  } else if (marker->sequence < committed) {
    mismatch(account,
             fmt::format("epoch {} is the last that the brokers have, the checkpoint says that {} "
                         "was committed: the brokers have lost data. Going on does not bring the "
                         "epochs between back",
                         marker->sequence,
                         committed));
  } else {
    committed = marker->sequence;
  }
  const std::lock_guard lock(mutex_);
  while (!account.pending.empty() && account.pending.front().sequence <= committed) {
    account.pending.pop_front();
    already_committed_->inc();
  }
  if (marker && marker->run == account.run) {
    account.last = std::max(account.last, marker->sequence);
  }
}

/// Earlier runs may have had more subtasks: what theirs left open keeps readers of committed
/// records waiting. Each id that was ever used has a marker.
void ExactlyOnceWriter::settle_leftovers() {
  for (int number = context_.subtask + context_.parallelism; !stopped();
       number += context_.parallelism) {
    const std::string id = fmt::format("{}-{}", options_->transactional_id_prefix, number);
    if (producers_.contains(id)) {
      continue;
    }
    // What is pending is what we are looking for.
    if (!read_marker(*options_, id, marker_topic(*options_), PendingMarker::kIgnored, stopped_)) {
      return;
    }
    TransactionalProducer producer(*options_, id, timeout_ms_, stopped_);
    producer.init();
  }
}

bool ExactlyOnceWriter::commit_one() {
  std::size_t index = 0;
  Epoch epoch;
  Marker marker;
  {
    const std::lock_guard lock(mutex_);
    // What a restore brought of other subtasks goes first.
    index = accounts_.size();
    while (index > 0 && (accounts_[index - 1].pending.empty() ||
                         !accounts_[index - 1].pending.front().durable)) {
      --index;
    }
    if (index == 0) {
      return false;
    }
    --index;
    epoch = accounts_[index].pending.front();
    marker = {accounts_[index].run, epoch.sequence};
  }
  Account& account = accounts_[index];
  if (!producers_.at(account.id)
           ->publish(epoch.segment ? &*epoch.segment : nullptr, marker, account.marker_topic)) {
    return false;
  }
  {
    const std::lock_guard lock(mutex_);
    account.pending.pop_front();
    pending_->store(static_cast<double>(account.pending.size()));
    if (epoch.segment) {
      committed_segments_.push_back(*epoch.segment);
    }
  }
  committables_->inc();
  context_.wakeup();
  return true;
}

}  // namespace flott::kafka
