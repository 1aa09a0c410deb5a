#include "connectors/kafka/options.h"

#include "base/log.h"
#include "connectors/kafka/client.h"
#include "connectors/kafka/properties.h"

#include <algorithm>
#include <charconv>
#include <regex>

namespace flott::kafka {
namespace {

constexpr const char* kDiscoveryDefault = "300000";

template <typename Number>
bool parse_number(std::string_view text, Number& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return !text.empty() && error == std::errc{} && end == text.data() + text.size();
}

/// "topic:3" (topics may hold no colon).
TopicPartition parse_partition(const std::string& option, const std::string& text) {
  const std::size_t colon = text.rfind(':');
  TopicPartition partition;
  if (colon == std::string::npos || colon == 0 ||
      !parse_number(std::string_view(text).substr(colon + 1), partition.partition) ||
      partition.partition < 0) {
    throw_error(ErrorKind::kInvalidArgument,
                "the option '{}' must be a list of topic:partition, but has '{}'",
                option,
                text);
  }
  partition.topic = text.substr(0, colon);
  return partition;
}

std::map<TopicPartition, std::int64_t> parse_offsets(const Options& options,
                                                     const std::string& option) {
  std::map<TopicPartition, std::int64_t> offsets;
  for (const std::string& text : options.get_list(option)) {
    const std::size_t colon = text.rfind(':');
    std::int64_t offset = 0;
    if (colon == std::string::npos ||
        !parse_number(std::string_view(text).substr(colon + 1), offset)) {
      throw_error(ErrorKind::kInvalidArgument,
                  "the option '{}' must be a list of topic:partition:offset, but has '{}'",
                  option,
                  text);
    }
    offsets[parse_partition(option, text.substr(0, colon))] = offset;
  }
  return offsets;
}

template <typename Mode>
Mode parse_mode(const Options& options,
                const std::string& option,
                const std::string& fallback,
                std::initializer_list<std::pair<const char*, Mode>> modes) {
  const std::string text = options.get(option, fallback);
  std::string known;
  for (const auto& [name, mode] : modes) {
    if (text == name) {
      return mode;
    }
    known += (known.empty() ? "" : ", ") + std::string(name);
  }
  throw_error(ErrorKind::kInvalidArgument,
              "the option '{}' must be one of {}, but is '{}'",
              option,
              known,
              text);
}

/// A misspelt option must not be silently without effect.
void check_names(const Options& options) {
  for (const auto& [name, value] : options.values()) {
    bool known = name.starts_with("properties.") || name.starts_with("format.");
    for (const OptionInfo& info : option_table()) {
      known = known || name == info.name;
    }
    if (!known) {
      std::string names;
      for (const OptionInfo& info : option_table()) {
        names += (names.empty() ? "" : ", ") + std::string(info.name);
      }
      throw_error(ErrorKind::kInvalidArgument,
                  "the Kafka connector has no option '{}'; it has: {}",
                  name,
                  names);
    }
  }
}

std::string bootstrap_servers(const Options& options) {
  const std::string servers =
      options.get("bootstrap.servers", options.get("properties.bootstrap.servers", ""));
  if (servers.empty()) {
    throw_error(ErrorKind::kInvalidArgument,
                "the Kafka connector needs 'bootstrap.servers' (host:port, host:port, ...)");
  }
  return servers;
}

/// The Java client's `setting` says how long brokers may be away.
StartPatience start_patience(const Options& options, const char* setting) {
  StartPatience patience;
  patience.wrong_ms = options.get_int("startup.timeout.ms", patience.wrong_ms);
  patience.away_setting = setting;
  patience.away_ms =
      options.get_int("properties." + std::string(setting), kSilenceFactor * patience.wrong_ms);
  return patience;
}

/// What transactions need of the client's settings.
void set_transactional(SinkOptions& out) {
  if (out.transactional_id_prefix.empty()) {
    throw_error(ErrorKind::kInvalidArgument,
                "a Kafka sink with 'delivery.guarantee' = 'exactly-once' needs "
                "'transactional.id.prefix' (set_transactional_id_prefix): a name for its "
                "transactions that stays the same when the job is restarted, and that no other "
                "sink on these brokers uses");
  }
  ClientSettings& client = out.client;
  const auto refuse = [&client](const std::string& name, const char* wanted) {
    const auto it = client.find(name);
    if (it != client.end() && it->second != wanted) {
      throw_error(ErrorKind::kInvalidArgument,
                  "'{}' = '{}' cannot be used with 'delivery.guarantee' = 'exactly-once', whose "
                  "transactions need '{}'; leave it out",
                  name,
                  it->second,
                  wanted);
    }
  };
  if (client["acks"] == "-1" || client["acks"].empty()) {
    client["acks"] = "all";
  }
  refuse("acks", "all");
  refuse("enable.idempotence", "true");
  const auto timeout = client.find("transaction.timeout.ms");
  if (timeout != client.end()) {
    std::int64_t value = 0;
    if (!parse_number(timeout->second, value) || value <= 0) {
      throw_error(ErrorKind::kInvalidArgument,
                  "'transaction.timeout.ms' must be a number of milliseconds, but is '{}'",
                  timeout->second);
    }
    out.transaction_timeout_ms = value;
    client.erase(timeout);  // set when the brokers' maximum is known
  }
  client.erase("transactional.id");
}

}  // namespace

std::string to_string(const TopicPartition& partition) {
  return partition.topic + "-" + std::to_string(partition.partition);
}

const std::vector<OptionInfo>& option_table() {
  static const std::vector<OptionInfo> table = {
      {"bootstrap.servers", "list", "", "Brokers to ask first, host:port. Required."},
      {"startup.timeout.ms",
       "int",
       "10000",
       "How long brokers, topics and offsets may be wrong at start. Brokers that are away or "
       "silent "
       "are waited for six times as long, or as properties.default.api.timeout.ms (source) and "
       "properties.max.block.ms (sink) say."},
      {"topics", "list", "", "Source: topics to read. One of topics, topic-pattern, partitions."},
      {"topic-pattern", "regex", "", "Source: topics whose whole name matches."},
      {"partitions", "list", "", "Source: topic:partition, to read just these."},
      {"group.id", "string", "", "Source: group whose offsets are read (committed) and committed."},
      {"scan.startup",
       "enum",
       "earliest",
       "Source: earliest, latest, committed, timestamp, offsets."},
      {"scan.startup.reset",
       "enum",
       "by mode",
       "Source: earliest, latest or none where there is no such offset (default: earliest for "
       "earliest and offsets, "
       "latest for latest, none for committed and timestamp)."},
      {"scan.startup.timestamp-ms", "int", "", "Source: first record at or after this time."},
      {"scan.startup.offsets", "list", "", "Source: topic:partition:offset."},
      {"scan.bounded",
       "enum",
       "none",
       "Source: where to stop: none, latest, committed, timestamp, offsets."},
      {"scan.bounded.timestamp-ms",
       "int",
       "",
       "Source: stop before the first record at or after this time."},
      {"scan.bounded.offsets", "list", "", "Source: topic:partition:offset, exclusive."},
      {"scan.bounded.as-stream",
       "bool",
       "false",
       "Source: stop as scan.bounded says, but count as unbounded (set_unbounded)."},
      {"partition.discovery.interval.ms",
       "int",
       kDiscoveryDefault,
       "Source: how often to look for new partitions; 0 or less: never. Off for bounded sources."},
      {"commit.offsets.on.checkpoint",
       "bool",
       "true",
       "Source: commit to group.id when a checkpoint is complete."},
      {"deserializer",
       "enum",
       "value-only",
       "Source: value-only: the format decodes the record's value."},
      {"format", "string", "string", "Source: format of the values; its options below format."},
      {"topic", "string", "", "Sink: topic of records that name none."},
      {"delivery.guarantee",
       "enum",
       "at-least-once",
       "Sink: none, at-least-once, exactly-once (transactions; needs transactional.id.prefix)."},
      {"transactional.id.prefix",
       "string",
       "",
       "Sink, exactly-once: what the names of its transactions begin with; no other job's may."},
      {"allow.duplicates.on.restore",
       "bool",
       "false",
       "Sink, exactly-once: a restore goes on where the transactions on the brokers do not fit the "
       "checkpoint, although records are doubled or lost then."},
      {"write.timestamp", "bool", "true", "Sink: records keep their event time."},
      {"log.failures.only", "bool", "false", "Sink: log what cannot be delivered, and go on."},
      {"buffer.records",
       "int",
       "200000",
       "Sink: records waiting for the broker before the task waits."},
  };
  return table;
}

SourceOptions SourceOptions::parse(const Options& options) {
  check_names(options);
  SourceOptions out;
  out.bootstrap_servers = kafka::bootstrap_servers(options);
  out.group_id = options.get("group.id", options.get("properties.group.id", ""));
  out.topics = options.get_list("topics");
  out.topic_pattern = options.get("topic-pattern", "");
  for (const std::string& text : options.get_list("partitions")) {
    out.partitions.push_back(parse_partition("partitions", text));
  }
  const int ways = (out.topics.empty() ? 0 : 1) + (out.topic_pattern.empty() ? 0 : 1) +
                   (out.partitions.empty() ? 0 : 1);
  if (ways != 1) {
    throw_error(
        ErrorKind::kInvalidArgument,
        "a Kafka source needs exactly one of 'topics', 'topic-pattern' and 'partitions', but "
        "{} are set",
        ways);
  }
  if (!out.topic_pattern.empty()) {
    try {
      const std::regex pattern(out.topic_pattern);
    } catch (const std::regex_error& error) {
      throw_error(ErrorKind::kInvalidArgument,
                  "the option 'topic-pattern' is no regular expression: '{}': {}",
                  out.topic_pattern,
                  error.what());
    }
  }
  out.start = parse_mode<StartMode>(options,
                                    "scan.startup",
                                    "earliest",
                                    {{"earliest", StartMode::kEarliest},
                                     {"latest", StartMode::kLatest},
                                     {"committed", StartMode::kCommitted},
                                     {"timestamp", StartMode::kTimestamp},
                                     {"offsets", StartMode::kOffsets}});
  const char* reset = "none";
  if (out.start == StartMode::kEarliest || out.start == StartMode::kOffsets) {
    reset = "earliest";
  } else if (out.start == StartMode::kLatest) {
    reset = "latest";
  }
  out.reset =
      parse_mode<std::string>(options,
                              "scan.startup.reset",
                              reset,
                              {{"earliest", "earliest"}, {"latest", "latest"}, {"none", "none"}});
  if (out.start == StartMode::kTimestamp) {
    options.get("scan.startup.timestamp-ms");
    out.start_timestamp_ms = options.get_int("scan.startup.timestamp-ms", 0);
  }
  if (out.start == StartMode::kOffsets) {
    options.get("scan.startup.offsets");
    out.start_offsets = parse_offsets(options, "scan.startup.offsets");
  }
  out.stop = parse_mode<StopMode>(options,
                                  "scan.bounded",
                                  "none",
                                  {{"none", StopMode::kNone},
                                   {"latest", StopMode::kLatest},
                                   {"committed", StopMode::kCommitted},
                                   {"timestamp", StopMode::kTimestamp},
                                   {"offsets", StopMode::kOffsets}});
  out.stop_is_bounded = !options.get_bool("scan.bounded.as-stream", false);
  if (out.stop == StopMode::kTimestamp) {
    options.get("scan.bounded.timestamp-ms");
    out.stop_timestamp_ms = options.get_int("scan.bounded.timestamp-ms", 0);
  }
  if (out.stop == StopMode::kOffsets) {
    options.get("scan.bounded.offsets");
    out.stop_offsets = parse_offsets(options, "scan.bounded.offsets");
  }
  if ((out.start == StartMode::kCommitted || out.stop == StopMode::kCommitted) &&
      out.group_id.empty()) {
    throw_error(ErrorKind::kInvalidArgument,
                "committed offsets belong to a consumer group: set 'group.id'");
  }
  const std::string discovery = "partition.discovery.interval.ms";
  out.discovery_interval_ms = options.get_int(
      discovery, options.get_int("properties." + discovery, std::stoll(kDiscoveryDefault)));
  if (out.discovery_interval_ms < 0 || out.stop != StopMode::kNone || !out.partitions.empty()) {
    out.discovery_interval_ms = 0;
  }
  const std::string commit = "commit.offsets.on.checkpoint";
  out.commit_on_checkpoint =
      options.get_bool(commit, options.get_bool("properties." + commit, true));
  out.patience = start_patience(options, "default.api.timeout.ms");
  out.max_poll_records = options.get_int("properties.max.poll.records", 0);
  parse_mode<int>(options, "deserializer", "value-only", {{"value-only", 0}});
  out.format = options.get("format", "string");
  out.format_options = options.sub("format").values();

  ClientSettings& client = out.client;
  client = map_properties(options.sub("properties").values(), ClientRole::kConsumer);
  client["bootstrap.servers"] = out.bootstrap_servers;
  client["group.id"] = out.group_id;
  if (out.group_id.empty()) {
    client.erase("group.id");
  }
  // The Java client's default; librdkafka's own is read_committed.
  client.emplace("isolation.level", "read_uncommitted");
  client["auto.offset.reset"] = out.reset == "none" ? "error" : out.reset;
  client["enable.auto.commit"] = "false";
  client["enable.auto.offset.store"] = "false";
  client.emplace("client.id", "flott");
  client.emplace("reconnect.backoff.max.ms", "2000");
  client.emplace("socket.nagle.disable", "true");
  // After an error of one partition; librdkafka waits 500 ms.
  client.emplace("fetch.error.backoff.ms", "100");
  return out;
}

SinkOptions SinkOptions::parse(const Options& options) {
  check_names(options);
  SinkOptions out;
  out.bootstrap_servers = kafka::bootstrap_servers(options);
  out.topic = options.get("topic", "");
  const std::string guarantee = options.get("delivery.guarantee", "at-least-once");
  if (guarantee != "none" && guarantee != "at-least-once" && guarantee != "exactly-once") {
    throw_error(
        ErrorKind::kInvalidArgument,
        "the option 'delivery.guarantee' must be none, at-least-once or exactly-once, but is "
        "'{}'",
        guarantee);
  }
  out.exactly_once = guarantee == "exactly-once";
  out.flush_on_checkpoint = guarantee != "none";
  out.transactional_id_prefix = options.get("transactional.id.prefix", "");
  const std::string allow = "allow.duplicates.on.restore";
  out.allow_duplicates_on_restore =
      options.get_bool(allow, options.get_bool("properties." + allow, false));
  out.write_timestamp = options.get_bool("write.timestamp", out.write_timestamp);
  out.log_failures_only = options.get_bool("log.failures.only", out.log_failures_only);
  out.patience = start_patience(options, "max.block.ms");
  out.buffer_records = options.get_int("buffer.records", out.buffer_records);

  ClientSettings& client = out.client;
  client = map_properties(options.sub("properties").values(), ClientRole::kProducer);
  client["bootstrap.servers"] = out.bootstrap_servers;
  client.emplace("client.id", "flott");
  if (out.exactly_once) {
    set_transactional(out);
  }
  client.emplace("acks", "all");
  // As the Java client since 3.0: no duplicates and no reordering by the client's own retries.
  client.emplace("enable.idempotence", "true");
  client.emplace("partitioner", "murmur2_random");
  // 0 sends every record alone at low rates and wakes the sender for each at high ones; 1 ms is
  // not seen in latencies and fills batches.
  client.emplace("linger.ms", out.exactly_once ? "20" : "1");
  client.emplace("delivery.timeout.ms", "120000");
  client.emplace("reconnect.backoff.max.ms", "2000");
  client.emplace("socket.nagle.disable", "true");
  client.emplace("queue.buffering.max.messages", std::to_string(out.buffer_records * 2));
  client.emplace("queue.buffering.max.kbytes", "131072");
  client.emplace("topic.metadata.propagation.max.ms",
                 std::to_string(std::min<std::int64_t>(out.patience.away_ms, 3'600'000)));
  client["delivery.report.only.error"] = "true";
  client.emplace("statistics.interval.ms", "2000");
  return out;
}

}  // namespace flott::kafka
