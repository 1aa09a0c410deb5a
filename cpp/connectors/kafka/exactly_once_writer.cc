#include "connectors/kafka/exactly_once_writer.h"

#include "base/bytes.h"
#include "base/fault_point.h"
#include "base/log.h"
#include "base/random_id.h"
#include "connectors/kafka/producing_start.h"
#include "connectors/stored_version.h"
#include "runtime/task.h"
#include "types/host.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <set>

// An entry of the operator state "kafka-transactions", one a transactional id:
//
//   entry := version:u8  id:string  number:varint  run:string  marker topic:string  last:varint
//            committed lineage:string  dormant:u8  epochs:varint epoch*
//   epoch := sequence:varint  lineage:string  records:varint  file:string (empty: no records)
//
// Version 1 has neither lineages nor `dormant`. It is union state: each restored subtask looks for
// the ids that it is to take over. Ids of subtasks that are no more stay in it when they are
// settled: a job that has as many subtasks again goes on with them.

namespace flott::kafka {
namespace {

constexpr std::uint8_t kVersion = 2;
constexpr std::uint8_t kWithoutLineage = 1;
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

std::string transactional_id(const SinkOptions& options, int number) {
  return fmt::format("{}-{}", options.transactional_id_prefix, number);
}

}  // namespace

SinkOwnership::SinkOwnership() : owner_(random_id()) {}

bool SinkOwnership::has_had(const std::string& transactional_id) const {
  const std::lock_guard lock(mutex_);
  return ids_.contains(transactional_id);
}

void SinkOwnership::has(const std::string& transactional_id) {
  const std::lock_guard lock(mutex_);
  ids_.insert(transactional_id);
}

namespace {

struct UserOfId {
  std::string owner;
  std::string name;
};
struct IdsInUse {
  std::mutex mutex;
  std::map<std::string, UserOfId> users;
};
IdsInUse& ids_in_use() {
  static IdsInUse ids;
  return ids;
}

}  // namespace

IdInUse::IdInUse(const std::string& transactional_id,
                 const SinkOptions& options,
                 const SinkOwnership& ownership,
                 const SinkWriterContext& context)
    : key_(fmt::format("{} {} {}", context.job_id, options.bootstrap_servers, transactional_id)),
      owner_(ownership.owner()) {
  const std::string name =
      options.topic.empty()
          ? fmt::format("'{}'", context.operator_name)
          : fmt::format("'{}' (topic '{}')", context.operator_name, options.topic);
  IdsInUse& ids = ids_in_use();
  const std::lock_guard lock(ids.mutex);
  const auto [user, added] = ids.users.try_emplace(key_, UserOfId{owner_, name});
  if (!added && user->second.owner != owner_) {
    throw_error(ErrorKind::kInvalidArgument,
                "two sinks of this job have the transactional id '{}' on the Kafka brokers '{}', "
                "so that each would end the transactions of the other: {} and {}. Their prefix is "
                "'{}': give each a prefix of its own (set_transactional_id_prefix)",
                transactional_id,
                options.bootstrap_servers,
                user->second.name,
                name,
                options.transactional_id_prefix);
  }
}

IdInUse::~IdInUse() {
  IdsInUse& ids = ids_in_use();
  const std::lock_guard lock(ids.mutex);
  const auto user = ids.users.find(key_);
  if (user != ids.users.end() && user->second.owner == owner_) {
    ids.users.erase(user);
  }
}

ExactlyOnceWriter::ExactlyOnceWriter(std::shared_ptr<const SinkOptions> options,
                                     std::shared_ptr<SinkOwnership> ownership,
                                     const SinkWriterContext& context)
    : options_(std::move(options)),
      ownership_(std::move(ownership)),
      context_(context),
      own_id_(transactional_id(*options_, context.subtask)),
      lineage_(random_id()),
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
  in_use_.emplace(own_id_, *options_, *ownership_, context_);
  Account own;
  own.id = own_id_;
  own.number = context_.subtask;
  own.run = random_id();
  own.marker_topic = marker_topic(*options_);
  own.owner = ownership_->owner();
  accounts_.push_back(std::move(own));
  if (context_.restored != nullptr) {
    restore(*context_.restored);
    if (Account& first = accounts_.front(); !first.restored && !restored_run_.empty()) {
      first.run = restored_run_;  // one more subtask of the same job
    }
  }
  context_.restored = nullptr;
  thread_ = std::thread([this] { run(); });
}

bool ExactlyOnceWriter::has_our_prefix(const Account& account) const {
  return account.id == transactional_id(*options_, account.number);
}

std::optional<std::string> ExactlyOnceWriter::prefix_in(const OperatorSnapshot& snapshot) {
  const auto stored = snapshot.union_state.find(kStateName);
  if (stored == snapshot.union_state.end() || stored->second.empty()) {
    return std::nullopt;
  }
  BytesReader in(stored->second.front());
  in.u8();
  std::string id(in.string());
  const std::string number = fmt::format("-{}", in.varint());
  if (id.ends_with(number)) {
    id.resize(id.size() - number.size());
  }
  return id;
}

bool ExactlyOnceWriter::claims_state(const std::string& name) const {
  return name == kStateName;
}

void ExactlyOnceWriter::restore(const OperatorSnapshot& snapshot) {
  const auto stored = snapshot.union_state.find(kStateName);
  if (stored == snapshot.union_state.end()) {
    return;
  }
  int lowest = std::numeric_limits<int>::max();
  for (const std::string& entry : stored->second) {
    BytesReader in(entry);
    const std::uint8_t version = read_stored_version(
        in, std::array{kWithoutLineage, kVersion}, "what is stored of the Kafka transactions");
    Account account;
    account.id = in.string();
    account.number = static_cast<int>(in.varint());
    account.run = in.string();
    account.marker_topic = in.string();
    account.last = static_cast<std::int64_t>(in.varint());
    if (version != kWithoutLineage) {
      account.committed_lineage = in.string();
      account.dormant = in.u8() != 0;
    }
    account.restored = true;
    account.owner = ownership_->owner();
    if (has_our_prefix(account) && account.number < lowest) {
      lowest = account.number;
      restored_run_ = account.run;
    }
    const bool own = account.id == own_id_;
    if (!own && account.number % context_.parallelism != context_.subtask) {
      continue;
    }
    // Another subtask's own, unless the prefix has changed.
    if (!own && account.number < context_.parallelism && has_our_prefix(account)) {
      continue;
    }
    for (std::uint64_t left = in.varint(); left > 0; --left) {
      Epoch epoch;
      epoch.sequence = static_cast<std::int64_t>(in.varint());
      if (version != kWithoutLineage) {
        epoch.lineage = in.string();
      }
      epoch.records = static_cast<std::int64_t>(in.varint());
      epoch.durable = true;
      const std::string_view name = in.string();
      if (!name.empty()) {
        const auto file = std::find_if(snapshot.files.begin(),
                                       snapshot.files.end(),
                                       [&](const SnapshotFile& f) { return f.name == name; });
        if (file == snapshot.files.end()) {
          throw_error(ErrorKind::kInvalidArgument,
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
  epoch.lineage = lineage_;
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
    const bool dormant = i > 0 && account.pending.empty();
    if (dormant && !has_our_prefix(account)) {
      continue;  // of an earlier prefix, and settled
    }
    BytesWriter out(snapshot.union_state[kStateName].emplace_back());
    out.u8(kVersion);
    out.string(account.id);
    out.varint(static_cast<std::uint64_t>(account.number));
    out.string(account.run);
    out.string(account.marker_topic);
    out.varint(static_cast<std::uint64_t>(account.last));
    out.string(account.committed_lineage);
    out.u8(dormant ? 1 : 0);
    out.varint(account.pending.size());
    for (const Epoch& epoch : account.pending) {
      out.varint(static_cast<std::uint64_t>(epoch.sequence));
      out.string(epoch.lineage);
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
  {
    const std::lock_guard lock(mutex_);
    for (Epoch& epoch : accounts_.front().pending) {
      epoch.durable = epoch.durable || epoch.checkpoint <= id;
    }
  }
  work_.notify_one();
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
  in_use_.reset();
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
  // Before anything is taken from anybody.
  for (const Account& account : accounts_) {
    if (ownership_->has_had(account.id)) {
      check_ownership(
          account,
          read_marker(
              *options_, account.id, account.marker_topic, PendingMarker::kIgnored, stopped_));
    }
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
  // No checkpoint before that, and so no newer epoch of any subtask: keys may have moved to another
  // one, and their records stay in order.
  while (commit_one()) {
  }
  if (stopped()) {
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    started_ = true;
  }
  context_.wakeup();
}

/// Two jobs that take the ids from each other would never end: each restart of one fails the other.
/// The one that lost them, though it may still be alive, is the one that was replaced.
void ExactlyOnceWriter::check_ownership(const Account& account,
                                        const std::optional<Marker>& marker) const {
  if (!marker || marker->owner == ownership_->owner() || !ownership_->has_had(account.id)) {
    return;
  }
  throw_error(ErrorKind::kInvalidArgument,
              "another producer has taken over the transactional id '{}' (sink '{}') of the Kafka "
              "brokers '{}' for good: a job that was started from a checkpoint of this one, or "
              "another job or sink with the prefix '{}' (set_transactional_id_prefix). This job "
              "ends, because its restart would take the id back and so stop the other one. If that "
              "one is its successor, all is well; otherwise give each sink a prefix of its own",
              account.id,
              context_.operator_name,
              options_->bootstrap_servers,
              options_->transactional_id_prefix);
}

void ExactlyOnceWriter::take_over(std::size_t index) {
  Account& account = accounts_[index];
  if (account.restored || !restored_run_.empty()) {
    const std::optional<Marker> marker =
        read_marker(*options_, account.id, account.marker_topic, PendingMarker::kAwaited, stopped_);
    if (stopped()) {
      return;
    }
    if (account.restored) {
      fault_point(FaultPoint::kDuringRecovery);
    }
    check_ownership(account, marker);
    if (account.restored) {
      settle(account, marker);
    } else {
      settle_unknown(account, marker);
    }
    if (!has_our_prefix(account)) {
      // A copy of the job under a new name only finishes what its checkpoint has. The original may
      // go on.
      account.owner = marker ? marker->owner : "";
      if (account.pending.empty()) {
        producers_.erase(account.id);
      }
      return;
    }
  }
  if (index > 0 && account.pending.empty()) {
    producers_.erase(account.id);
    return;
  }
  // From now on a marker that is missing is a marker that was lost, and one with another owner that
  // of a successor.
  if (producers_.at(account.id)
          ->publish(nullptr,
                    {account.run, account.committed(), account.committed_lineage, account.owner},
                    account.marker_topic)) {
    ownership_->has(account.id);
  }
}

void ExactlyOnceWriter::mismatch(const Account& account, const std::string& what) const {
  const std::string text =
      fmt::format("the Kafka transactions of '{}' (sink '{}') do not fit the checkpoint: {}",
                  account.id,
                  context_.operator_name,
                  what);
  if (!options_->allow_duplicates_on_restore) {
    // As a wrong argument: the next attempt would start from the same checkpoint.
    throw_error(ErrorKind::kInvalidArgument,
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
  const std::int64_t first = account.committed() + 1;
  const auto lineage_of = [&](std::int64_t sequence) -> const std::string& {
    return sequence < first ? account.committed_lineage
                            : account.pending[static_cast<std::size_t>(sequence - first)].lineage;
  };
  std::int64_t committed = first - 1;
  if (!marker && account.dormant) {
    // Nobody has committed anything for it since, so that the brokers may forget it.
  } else if (!marker) {
    mismatch(account,
             fmt::format("the brokers have forgotten how far they got (offsets of the group '{}' "
                         "are kept for 'offsets.retention.minutes' of the brokers, and as long as "
                         "the topic '{}' is there). Going on sends the {} epochs of the checkpoint "
                         "that it does not know to be committed: their records are doubled if they "
                         "were",
                         account.id,
                         account.marker_topic,
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
  } else if (marker->lineage != lineage_of(marker->sequence)) {
    mismatch(account,
             fmt::format("epoch {} was committed by another job, or another attempt of this one, "
                         "that was restored from the same checkpoint as this one's job or from an "
                         "earlier one, and may have had other records in it. Restore the newest "
                         "checkpoint of the job that has used the prefix '{}' last; going on sends "
                         "the {} epochs of this checkpoint, whose records are doubled where the "
                         "other one has committed them too",
                         marker->sequence,
                         options_->transactional_id_prefix,
                         account.pending.size()));
  } else {
    committed = marker->sequence;
  }
  const std::lock_guard lock(mutex_);
  if (!marker) {
    account.marker_topic = marker_topic(*options_);  // the one it was in may be gone
  }
  while (!account.pending.empty() && account.pending.front().sequence <= committed) {
    account.committed_lineage = account.pending.front().lineage;
    account.pending.pop_front();
    already_committed_->inc();
  }
  if (marker && marker->run == account.run && marker->sequence > account.last) {
    account.last = marker->sequence;
    account.committed_lineage = marker->lineage;
  }
}

/// The checkpoint knows nothing of the id: had the job used it before, it would.
void ExactlyOnceWriter::settle_unknown(Account& account, const std::optional<Marker>& marker) {
  if (!marker || marker->run != restored_run_ || marker->sequence == 0) {
    return;
  }
  mismatch(account,
           fmt::format("{} epochs were committed after the checkpoint, when the job had more "
                       "subtasks; so it is not the newest one. Restore the newest one; going on "
                       "from this one doubles the records of those epochs",
                       marker->sequence));
  account.last = marker->sequence;
  account.committed_lineage = marker->lineage;
}

/// Earlier runs may have had more subtasks: what theirs left open keeps readers of committed
/// records waiting. Each id that was ever used has a marker.
void ExactlyOnceWriter::settle_leftovers() {
  for (int number = context_.subtask + context_.parallelism; !stopped();
       number += context_.parallelism) {
    Account account;
    account.id = transactional_id(*options_, number);
    if (std::any_of(accounts_.begin(), accounts_.end(), [&](const Account& known) {
          return known.id == account.id;
        })) {
      continue;
    }
    // What is pending is what we are looking for.
    const std::optional<Marker> marker = read_marker(
        *options_, account.id, marker_topic(*options_), PendingMarker::kIgnored, stopped_);
    if (!marker) {
      return;
    }
    if (!restored_run_.empty()) {
      settle_unknown(account, marker);
    }
    TransactionalProducer producer(*options_, account.id, timeout_ms_, stopped_);
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
    marker = {accounts_[index].run, epoch.sequence, epoch.lineage, accounts_[index].owner};
  }
  Account& account = accounts_[index];
  if (!producers_.at(account.id)
           ->publish(epoch.segment ? &*epoch.segment : nullptr, marker, account.marker_topic)) {
    return false;
  }
  {
    const std::lock_guard lock(mutex_);
    account.pending.pop_front();
    account.committed_lineage = epoch.lineage;
    pending_->store(static_cast<double>(account.pending.size()));
  }
  if (index > 0 && account.pending.empty()) {
    producers_.erase(account.id);  // it has had its last
  }
  committables_->inc();
  context_.wakeup();
  return true;
}

}  // namespace flott::kafka
