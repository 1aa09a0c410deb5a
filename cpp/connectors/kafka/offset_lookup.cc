#include "connectors/kafka/offset_lookup.h"

#include "base/clock.h"

#include <algorithm>
#include <regex>

namespace flott::kafka {
namespace {

// How long one request may take, at first and at most. Short at first: cancellation is only seen
// between requests. A broker that is slower than that needs more, or no attempt ever succeeds.
constexpr int kFirstPatienceMs = 250;
constexpr int kMaxPatienceMs = 2000;
// Between requests, at first and at most: asking without a pause keeps a busy broker busy.
constexpr int kFirstPauseMs = 20;
constexpr int kMaxPauseMs = 320;
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

OffsetLookup::OffsetLookup(const SourceOptions& options)
    : options_(options), patience_ms_(kFirstPatienceMs) {
  Conf conf = make_conf(options.client);
  set_events(conf.get(), &errors_);
  client_ = make_client(RD_KAFKA_CONSUMER, std::move(conf));
}

/// Calls `attempt` with the milliseconds it may take until it returns NO_ERROR, the time is up
/// (throws) or the job is cancelled (false).
template <typename Attempt>
bool OffsetLookup::retry(std::string_view what,
                         const Cancelled& cancelled,
                         const Attempt& attempt) {
  // What went wrong since the discovery before is not what goes wrong now.
  errors_ = StartErrors();
  const std::int64_t begin = monotonic_ns();
  int pause_ms = kFirstPauseMs;
  const std::int64_t deadline = begin + options_.patience.wrong_ms * 1'000'000;
  while (!cancelled || !cancelled()) {
    const std::int64_t left_ms = (deadline - monotonic_ns()) / 1'000'000;
    const auto timeout_ms = static_cast<int>(
        left_ms > 0 ? std::min<std::int64_t>(patience_ms_,
                                             std::max<std::int64_t>(left_ms, kFirstPatienceMs))
                    : patience_ms_);
    const rd_kafka_resp_err_t code = attempt(timeout_ms);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
      return true;
    }
    if (code == RD_KAFKA_RESP_ERR__TIMED_OUT) {
      patience_ms_ = std::min(2 * patience_ms_, kMaxPatienceMs);
    }
    rd_kafka_poll(client_.get(), pause_ms);
    pause_ms = std::min(2 * pause_ms, kMaxPauseMs);
    if (errors_.refused() ||
        errors_.out_of_time(
            code, monotonic_ns() - begin, options_.patience, options_.bootstrap_servers, what)) {
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
  // Asking for a topic may make it, which takes longer.
  const auto makes_topics = options_.client.find("allow.auto.create.topics");
  const std::int64_t grace_ms =
      makes_topics != options_.client.end() && makes_topics->second == "true"
          ? 3 * options_.patience.wrong_ms
          : std::min(kUnknownTopicGraceMs, options_.patience.wrong_ms);
  const std::int64_t unknown_deadline = monotonic_ns() + grace_ms * 1'000'000;
  std::string what = "cannot read the partitions of ";
  for (const std::string& topic : wanted) {
    what += (topic == wanted.front() ? "topic '" : ", '") + topic + "'";
  }
  if (by_pattern) {
    what += "topics matching '" + options_.topic_pattern + "'";
  }

  std::vector<TopicPartition> found;
  const bool complete = retry(what, cancelled, [&](int timeout_ms) {
    const rd_kafka_metadata_t* raw = nullptr;
    const rd_kafka_resp_err_t code =
        rd_kafka_metadata(client_.get(), by_pattern ? 1 : 0, nullptr, &raw, timeout_ms);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return code;
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
    return by_pattern || known == wanted.size() ? RD_KAFKA_RESP_ERR_NO_ERROR
                                                : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
  });
  if (!complete) {
    return {};
  }
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
  retry(what, cancelled, [&](int timeout_ms) {
    const PartitionList list = make_list(open, timestamp_ms);
    const rd_kafka_resp_err_t code =
        rd_kafka_offsets_for_times(client_.get(), list.get(), timeout_ms);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
      // Every entry still holds the time it was asked with, and none says that it is no answer.
      return code;
    }
    open.clear();
    for (int i = 0; i < list->cnt; ++i) {
      const rd_kafka_topic_partition_t& entry = list->elems[i];
      const TopicPartition partition{entry.topic, entry.partition};
      // The ends of a partition are always offsets; for a time, END says that no record is late
      // enough.
      const bool unanswered = timestamp_ms < 0 && entry.offset < 0;
      if (entry.err != RD_KAFKA_RESP_ERR_NO_ERROR || unanswered) {
        open.push_back(partition);
      } else if (entry.offset >= 0) {
        offsets[partition] = entry.offset;
      }
    }
    return open.empty() ? RD_KAFKA_RESP_ERR_NO_ERROR : RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
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
  retry(what, cancelled, [&](int timeout_ms) {
    const PartitionList list = make_list(partitions, RD_KAFKA_OFFSET_INVALID);
    const rd_kafka_resp_err_t code = rd_kafka_committed(client_.get(), list.get(), timeout_ms);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return code;
    }
    for (int i = 0; i < list->cnt; ++i) {
      const rd_kafka_topic_partition_t& entry = list->elems[i];
      if (entry.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return entry.err;  // not known is not the same as not committed
      }
      if (entry.offset >= 0) {
        offsets[{entry.topic, entry.partition}] = entry.offset;
      }
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
  });
  return offsets;
}

}  // namespace flott::kafka
