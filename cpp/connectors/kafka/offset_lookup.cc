#include "connectors/kafka/offset_lookup.h"

#include "base/clock.h"

#include <algorithm>
#include <regex>

namespace flott::kafka {
namespace {

constexpr int kSliceMs = 250;
// A topic that was just made may be unknown to the broker that answers first.
constexpr std::int64_t kUnknownTopicGraceMs = 2000;

PartitionList make_list(const std::vector<TopicPartition>& partitions, std::int64_t offset) {
  PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())));
  for (const TopicPartition& partition : partitions) {
    rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), partition.partition)
        ->offset = offset;
  }
  return list;
}

}  // namespace

OffsetLookup::OffsetLookup(const SourceOptions& options) : options_(options) {
  Conf conf = make_conf(options.client);
  set_events(conf.get(), &errors_);
  client_ = make_client(RD_KAFKA_CONSUMER, std::move(conf));
}

/// Calls `attempt` (true: done) until it is done, the time is up or the job is cancelled (false).
template <typename Attempt>
bool OffsetLookup::retry(std::string_view what,
                         const Cancelled& cancelled,
                         const Attempt& attempt) {
  const std::int64_t deadline = monotonic_ns() + options_.startup_timeout_ms * 1'000'000;
  while (!cancelled || !cancelled()) {
    if (attempt()) {
      return true;
    }
    rd_kafka_poll(client_.get(), 20);
    if (errors_.refused() || monotonic_ns() >= deadline) {
      errors_.fail(options_.bootstrap_servers, what);
    }
  }
  return false;
}

std::vector<TopicPartition> OffsetLookup::partitions(const Cancelled& cancelled) {
  std::vector<std::string> wanted = options_.topics;
  for (const TopicPartition& partition : options_.partitions) {
    if (std::find(wanted.begin(), wanted.end(), partition.topic) == wanted.end()) {
      wanted.push_back(partition.topic);
    }
  }
  // librdkafka asks for the topics it knows of: make it know them.
  std::vector<Topic> handles;
  for (const std::string& topic : wanted) {
    handles.emplace_back(rd_kafka_topic_new(client_.get(), topic.c_str(), nullptr));
  }
  const bool by_pattern = !options_.topic_pattern.empty();
  const std::regex pattern(options_.topic_pattern);
  const std::int64_t unknown_deadline =
      monotonic_ns() + std::min(kUnknownTopicGraceMs, options_.startup_timeout_ms) * 1'000'000;
  std::string what = "cannot read the partitions of ";
  for (const std::string& topic : wanted) {
    what += (topic == wanted.front() ? "topic '" : ", '") + topic + "'";
  }
  if (by_pattern) {
    what += "topics matching '" + options_.topic_pattern + "'";
  }

  std::vector<TopicPartition> found;
  retry(what, cancelled, [&] {
    const rd_kafka_metadata_t* raw = nullptr;
    if (rd_kafka_metadata(client_.get(), by_pattern ? 1 : 0, nullptr, &raw, kSliceMs) !=
        RD_KAFKA_RESP_ERR_NO_ERROR) {
      return false;
    }
    const Metadata metadata(raw);
    found.clear();
    std::size_t known = 0;
    for (int i = 0; i < raw->topic_cnt; ++i) {
      const rd_kafka_metadata_topic_t& topic = raw->topics[i];
      const std::string name = topic.topic;
      const bool selected = by_pattern
                                ? std::regex_match(name, pattern)
                                : std::find(wanted.begin(), wanted.end(), name) != wanted.end();
      if (!selected) {
        continue;
      }
      if (topic.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || topic.partition_cnt == 0) {
        if (!by_pattern && monotonic_ns() >= unknown_deadline) {
          throw_error(ErrorKind::kExternal,
                      "the topic '{}' does not exist on the Kafka brokers '{}' ({}); create it, or "
                      "check the option 'topics'",
                      name,
                      options_.bootstrap_servers,
                      rd_kafka_err2str(topic.err));
        }
        continue;
      }
      if (topic.err == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) {
        continue;
      }
      if (topic.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        throw_error(ErrorKind::kExternal,
                    "the topic '{}' cannot be read from the Kafka brokers '{}': {}",
                    name,
                    options_.bootstrap_servers,
                    rd_kafka_err2str(topic.err));
      }
      ++known;
      for (int p = 0; p < topic.partition_cnt; ++p) {
        found.push_back({name, topic.partitions[p].id});
      }
    }
    return by_pattern || known == wanted.size();
  });
  std::sort(found.begin(), found.end());
  if (options_.partitions.empty() || found.empty()) {
    return found;
  }
  for (const TopicPartition& partition : options_.partitions) {
    if (!std::binary_search(found.begin(), found.end(), partition)) {
      throw_error(ErrorKind::kExternal,
                  "the topic '{}' has no partition {} on the Kafka brokers '{}'; check the option "
                  "'partitions'",
                  partition.topic,
                  partition.partition,
                  options_.bootstrap_servers);
    }
  }
  std::vector<TopicPartition> chosen = options_.partitions;
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

OffsetLookup::Offsets OffsetLookup::offsets_at(const std::vector<TopicPartition>& partitions,
                                               std::int64_t timestamp_ms,
                                               const Cancelled& cancelled) {
  Offsets offsets;
  if (partitions.empty()) {
    return offsets;
  }
  std::vector<TopicPartition> open = partitions;
  const std::string what =
      fmt::format("cannot look up the offsets of topic '{}'", partitions.front().topic);
  retry(what, cancelled, [&] {
    const PartitionList list = make_list(open, timestamp_ms);
    rd_kafka_offsets_for_times(client_.get(), list.get(), 2 * kSliceMs);
    open.clear();
    for (int i = 0; i < list->cnt; ++i) {
      const rd_kafka_topic_partition_t& entry = list->elems[i];
      const TopicPartition partition{entry.topic, entry.partition};
      // Entries that no broker answered keep the time they were asked for.
      if (entry.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        open.push_back(partition);
      } else if (entry.offset >= 0) {
        offsets[partition] = entry.offset;
      }
    }
    return open.empty();
  });
  return offsets;
}

OffsetLookup::Offsets OffsetLookup::committed(const std::vector<TopicPartition>& partitions,
                                              const Cancelled& cancelled) {
  Offsets offsets;
  if (partitions.empty()) {
    return offsets;
  }
  const std::string what =
      fmt::format("cannot read the committed offsets of group '{}'", options_.group_id);
  retry(what, cancelled, [&] {
    const PartitionList list = make_list(partitions, RD_KAFKA_OFFSET_INVALID);
    if (rd_kafka_committed(client_.get(), list.get(), 2 * kSliceMs) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return false;
    }
    for (int i = 0; i < list->cnt; ++i) {
      const rd_kafka_topic_partition_t& entry = list->elems[i];
      if (entry.err == RD_KAFKA_RESP_ERR_NO_ERROR && entry.offset >= 0) {
        offsets[{entry.topic, entry.partition}] = entry.offset;
      }
    }
    return true;
  });
  return offsets;
}

}  // namespace flott::kafka
