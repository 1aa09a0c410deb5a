#include "base/clock.h"
#include "base/log.h"
#include "connectors/kafka/kafka_sink.h"
#include "connectors/kafka/kafka_source.h"
#include "connectors/kafka/kafka_writer.h"
#include "connectors/kafka/mock_cluster.h"
#include "connectors/kafka/split_position.h"
#include "connectors/kafka_record.h"
#include "connectors/registry.h"
#include "job/split_assigner.h"
#include "tests/cpp/connectors/reading.h"

#include <gtest/gtest.h>

namespace flott::kafka {
namespace {

using flott::test::error_of;
using flott::test::ReaderDriver;
using flott::test::WriterDriver;
using Strings = std::vector<std::string>;

/// One embedded broker for all tests of the file; each test has topics of its own.
class KafkaTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { cluster_ = std::make_unique<MockCluster>(1); }
  static void TearDownTestSuite() { cluster_.reset(); }
  /// Also after a test that gave up: what a log sink captured ends with the test.
  void TearDown() override {
    set_log_sink({});
    set_log_level(LogLevel::kWarn);
  }

  static Options options(std::map<std::string, std::string> values) {
    values.emplace("bootstrap.servers", cluster_->bootstrap_servers());
    return Options(std::move(values));
  }
  static std::string make_topic(int partitions) {
    const std::string topic =
        std::string(testing::UnitTest::GetInstance()->current_test_info()->name());
    cluster_->create_topic(topic, partitions);
    return topic;
  }
  static Value message(const std::string& topic,
                       int partition,
                       const std::string& value,
                       std::int64_t timestamp = 1000) {
    return Value::row({Value::string(topic),
                       Value::integer(partition),
                       Value::null(),
                       Value::bytes(value),
                       Value::integer(timestamp)});
  }
  static void produce(const std::vector<Value>& messages) {
    KafkaSink sink(options({}));
    WriterDriver driver(sink);
    BatchBuilder builder(kafka_record_type());
    for (const Value& value : messages) {
      builder.append(value);
    }
    driver.writer().write(builder.finish());
    ASSERT_TRUE(driver.flush());
  }
  /// `count` messages "p:i" in each partition.
  static void fill(const std::string& topic, int partitions, int count, int first = 0) {
    std::vector<Value> messages;
    for (int p = 0; p < partitions; ++p) {
      for (int i = first; i < first + count; ++i) {
        messages.push_back(
            message(topic, p, std::to_string(p) + ":" + std::to_string(i), 1000 + i));
      }
    }
    produce(messages);
  }
  static std::unique_ptr<Source> source(std::map<std::string, std::string> values) {
    return ConnectorRegistry::instance().make_source(
        "kafka", options(std::move(values)), LogicalType::of(TypeKind::kString));
  }

  static std::unique_ptr<MockCluster> cluster_;
};
std::unique_ptr<MockCluster> KafkaTest::cluster_;

TEST_F(KafkaTest, EarliestToLatestReadsEachPartitionInOrder) {
  const std::string topic = make_topic(3);
  fill(topic, 3, 50);
  const auto kafka = source({{"topics", topic}, {"scan.bounded", "latest"}});
  EXPECT_EQ(kafka->boundedness(), Boundedness::kBounded);
  ReaderDriver driver(*kafka);
  driver.reader().add_splits(test::splits_of(*kafka));
  ASSERT_TRUE(driver.read_all(7));
  EXPECT_EQ(driver.rows, 150);
  std::vector<int> next(3, 0);
  for (const auto& batch : driver.batches) {
    const auto split = static_cast<std::size_t>(batch.split);
    for (std::int64_t i = 0; i < batch.batch->num_rows(); ++i) {
      EXPECT_EQ(batch.batch->column(0).string_at(i),
                std::to_string(split) + ":" + std::to_string(next[split]));
      EXPECT_EQ(batch.batch->timestamp_at(i), 1000 + next[split]);
      ++next[split];
    }
  }
  EXPECT_TRUE(driver.reader().split_finished(0));
}

TEST_F(KafkaTest, AFetcherThatStoppedAtItsLimitGoesOnWhileItsQueueIsRead) {
  const std::string topic = make_topic(1);
  std::vector<Value> messages;
  for (int i = 0; i < 4500; ++i) {
    messages.push_back(message(topic, 0, std::string(1000, 'x')));
  }
  produce(messages);
  const auto kafka = source({{"topics", topic},
                             {"scan.bounded", "latest"},
                             {"properties.queued.max.messages.kbytes", "64"}});
  ReaderDriver driver(*kafka);
  const std::int64_t begin = monotonic_ns();
  driver.reader().add_splits(test::splits_of(*kafka));
  ASSERT_TRUE(driver.read_all());
  EXPECT_EQ(driver.rows, 4500);
  // The broker stores megabytes, each beyond the limit: with a pause of a second behind each this
  // takes five.
  EXPECT_LT(monotonic_ns() - begin, 4'000'000'000);
}

TEST_F(KafkaTest, EmptyPartitionsOfABoundedSourceFinishAtOnce) {
  const std::string topic = make_topic(4);
  const auto kafka = source({{"topics", topic}, {"scan.bounded", "latest"}});
  ReaderDriver driver(*kafka);
  driver.reader().add_splits(test::splits_of(*kafka));
  ASSERT_TRUE(driver.read_all());
  EXPECT_EQ(driver.rows, 0);
}

TEST_F(KafkaTest, LatestReadsOnlyWhatComesLater) {
  const std::string topic = make_topic(1);
  fill(topic, 1, 5);
  const auto kafka = source({{"topics", topic}, {"scan.startup", "latest"}});
  EXPECT_EQ(kafka->boundedness(), Boundedness::kUnbounded);
  ReaderDriver driver(*kafka);
  driver.reader().add_splits(test::splits_of(*kafka));
  fill(topic, 1, 2, 5);
  ASSERT_TRUE(driver.read_rows(2));
  EXPECT_EQ(driver.strings(), (Strings{"0:5", "0:6"}));
}

TEST_F(KafkaTest, AnswersOfASlowBrokerAreWaitedForAndNotInvented) {
  MockCluster cluster(1);
  cluster.create_topic("t", 2);
  const std::string servers = cluster.bootstrap_servers();
  {
    KafkaSink sink(test::options_of({{"bootstrap.servers", servers}}));
    WriterDriver driver(sink);
    BatchBuilder builder(kafka_record_type());
    for (int i = 0; i < 5; ++i) {
      builder.append(message("t", 1, std::to_string(i)));
    }
    driver.writer().write(builder.finish());
    ASSERT_TRUE(driver.flush());
  }
  // More than any first request may take.
  cluster.set_delay(1, 700);
  const auto kafka =
      ConnectorRegistry::instance().make_source("kafka",
                                                test::options_of({{"bootstrap.servers", servers},
                                                                  {"topics", "t"},
                                                                  {"scan.startup", "latest"},
                                                                  {"scan.bounded", "latest"},
                                                                  {"startup.timeout.ms", "30000"}}),
                                                LogicalType::of(TypeKind::kString));
  const std::vector<SourceSplit> splits = test::splits_of(*kafka);
  ASSERT_EQ(splits.size(), 2U);
  EXPECT_EQ(SplitPosition::decode(splits[0]).stop, 0);
  EXPECT_EQ(SplitPosition::decode(splits[1]).next, 5);
  EXPECT_EQ(SplitPosition::decode(splits[1]).stop, 5);
}

TEST_F(KafkaTest, AnOutageDuringALaterDiscoveryIsShortAndLeavesNothingOut) {
  MockCluster cluster(1);
  cluster.create_topic("t1", 1);
  const auto kafka = ConnectorRegistry::instance().make_source(
      "kafka",
      test::options_of({{"bootstrap.servers", cluster.bootstrap_servers()},
                        {"topic-pattern", "t.*"},
                        {"scan.startup", "latest"},
                        {"partition.discovery.interval.ms", "100"},
                        {"startup.timeout.ms", "60000"}}),
      LogicalType::of(TypeKind::kString));
  SplitAssigner assigner(*kafka, 1, /*patience_ms=*/300);
  const auto never = [] { return false; };
  EXPECT_EQ(assigner.first(nullptr, never).at(0).size(), 1U);
  cluster.set_broker_up(1, false);
  cluster.create_topic("t2", 1);
  const std::int64_t begin = monotonic_ns();
  EXPECT_NE(error_of([&] { assigner.later(never); }).find("300 ms"), std::string::npos);
  EXPECT_LT(monotonic_ns() - begin, 10'000'000'000);
  cluster.set_broker_up(1, true);
  SplitAssigner::Shares shares;
  for (int attempt = 0; attempt < 50 && shares.empty(); ++attempt) {
    try {
      shares = assigner.later(never);
    } catch (const Error&) {
      // Not connected yet: the next interval.
    }
  }
  ASSERT_EQ(shares.size(), 1U);
  ASSERT_EQ(shares[0].size(), 1U);
  EXPECT_EQ(shares[0][0].id, "t2-0");
  EXPECT_EQ(SplitPosition::decode(shares[0][0]).next, RD_KAFKA_OFFSET_BEGINNING);
}

TEST_F(KafkaTest, GivenOffsetsBoundBothEnds) {
  const std::string topic = make_topic(2);
  fill(topic, 2, 10);
  const auto kafka = source({{"partitions", topic + ":1"},
                             {"scan.startup", "offsets"},
                             {"scan.startup.offsets", topic + ":1:4"},
                             {"scan.bounded", "offsets"},
                             {"scan.bounded.offsets", topic + ":1:7"}});
  ReaderDriver driver(*kafka);
  driver.reader().add_splits(test::splits_of(*kafka));
  ASSERT_TRUE(driver.read_all());
  EXPECT_EQ(driver.strings(), (Strings{"1:4", "1:5", "1:6"}));
}

TEST_F(KafkaTest, PatternsSelectWholeTopicNames) {
  const std::string topic = make_topic(1);
  cluster_->create_topic(topic + "_b", 2);
  cluster_->create_topic("x" + topic, 1);
  fill(topic, 1, 1);
  fill(topic + "_b", 2, 1);
  fill("x" + topic, 1, 1);
  const auto kafka = source({{"topic-pattern", topic + ".*"}, {"scan.bounded", "latest"}});
  EXPECT_EQ(kafka->discover_splits({}).size(), 3U);
}

TEST_F(KafkaTest, RestoredPositionsGoOnWithoutGapOrRepeat) {
  const std::string topic = make_topic(2);
  fill(topic, 2, 40);
  const auto kafka = source({{"topics", topic}, {"scan.bounded", "latest"}});
  std::vector<SourceSplit> positions = test::splits_of(*kafka);
  Strings seen;
  for (int round = 0; round < 4; ++round) {
    ReaderDriver driver(*kafka);
    driver.reader().add_splits(positions);
    ASSERT_TRUE(driver.read_rows(15, 5));
    positions = driver.reader().positions();
    for (const std::string& text : driver.strings()) {
      seen.push_back(text);
    }
  }
  ReaderDriver last(*kafka);
  last.reader().add_splits(positions);
  ASSERT_TRUE(last.read_all());
  for (const std::string& text : last.strings()) {
    seen.push_back(text);
  }
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(seen.size(), 80U);
  EXPECT_EQ(std::unique(seen.begin(), seen.end()), seen.end());
}

TEST_F(KafkaTest, NewSplitsAreReadFromTheirBeginning) {
  const std::string topic = make_topic(2);
  fill(topic, 2, 3);
  const auto kafka = source({{"topics", topic}, {"scan.startup", "latest"}});
  std::vector<SourceSplit> splits = test::splits_of(*kafka);
  ReaderDriver driver(*kafka);
  driver.reader().add_splits({splits[0]});
  driver.reader().add_splits({kafka->as_new_split(splits[1])});
  ASSERT_TRUE(driver.read_rows(3));
  EXPECT_EQ(driver.strings(), (Strings{"1:0", "1:1", "1:2"}));
  EXPECT_EQ(kafka->discovery_interval_ms(), 300'000);
}

TEST_F(KafkaTest, CommittedOffsetsAreTheGroupsAndResetWhereThereAreNone) {
  const std::string topic = make_topic(2);
  fill(topic, 2, 4);
  const std::map<std::string, std::string> group = {
      {"topics", topic}, {"group.id", "group-" + topic}, {"scan.startup", "committed"}};
  const auto strict = source(group);
  EXPECT_NE(error_of([&] { test::splits_of(*strict); }).find("no committed offset"),
            std::string::npos);
  // A partition that is new to a restored job needs none.
  std::vector<SourceSplit> found = strict->discover_splits({});
  ASSERT_EQ(found.size(), 2U);
  found = {strict->as_new_split(found[0])};
  strict->resolve_positions(found, {});
  EXPECT_EQ(SplitPosition::decode(found[0]).next, RD_KAFKA_OFFSET_BEGINNING);
  auto lenient_options = group;
  lenient_options["scan.startup.reset"] = "earliest";
  const auto lenient = source(lenient_options);
  ReaderDriver first(*lenient);
  first.reader().add_splits(test::splits_of(*lenient));
  ASSERT_TRUE(first.read_rows(8));
  first.reader().on_checkpoint(1);
  first.reader().notify_checkpoint_complete(1);
  const auto committed = [&] {
    return first.metrics()
               .snapshot()["KafkaSourceReader.topic." + topic + ".partition.1.committedOffset"] ==
           4;
  };
  ASSERT_TRUE(first.read_until(committed));
  const auto again = test::splits_of(*strict);
  EXPECT_EQ(SplitPosition::decode(again[1]).next, 4);
}

TEST_F(KafkaTest, ABadRecordNamesTopicPartitionOffsetAndReason) {
  const std::string topic = make_topic(2);
  produce({message(topic, 1, R"({"a": 1})"), message(topic, 1, R"({"a": )")});
  const LogicalTypePtr type = LogicalType::row({"a"}, {LogicalType::of(TypeKind::kInt)});
  const auto make = [&](const char* ignore) {
    return ConnectorRegistry::instance().make_source(
        "kafka",
        options({{"topics", topic},
                 {"scan.bounded", "latest"},
                 {"format", "json"},
                 {"format.ignore-parse-errors", ignore}}),
        type);
  };
  const auto strict = make("false");
  ReaderDriver driver(*strict);
  driver.reader().add_splits(test::splits_of(*strict));
  ErrorKind kind{};
  const std::string text = error_of([&] { driver.read_all(); }, &kind);
  EXPECT_EQ(kind, ErrorKind::kExternal);
  EXPECT_NE(text.find("topic '" + topic + "', partition 1, offset 1 as json"), std::string::npos)
      << text;

  const auto lenient = make("true");
  ReaderDriver ignoring(*lenient);
  ignoring.reader().add_splits(test::splits_of(*lenient));
  ASSERT_TRUE(ignoring.read_all());
  EXPECT_EQ(ignoring.rows, 1);
  EXPECT_EQ(ignoring.metrics().snapshot()["numRecordsIgnored"], 1);
}

TEST_F(KafkaTest, UnreachableBrokersAndHostsNameTheSetting) {
  const auto closed = ConnectorRegistry::instance().make_source(
      "kafka",
      test::options_of({{"bootstrap.servers", "127.0.0.1:1"},
                        {"topics", "flights"},
                        {"properties.default.api.timeout.ms", "500"}}),
      LogicalType::of(TypeKind::kString));
  const std::string text = error_of([&] { closed->discover_splits({}); });
  EXPECT_NE(text.find("'flights'"), std::string::npos) << text;
  EXPECT_NE(text.find("127.0.0.1:1"), std::string::npos) << text;
  EXPECT_NE(text.find("'bootstrap.servers'"), std::string::npos) << text;

  EXPECT_NE(text.find("(waited for 0.5 s, 'default.api.timeout.ms')"), std::string::npos) << text;

  KafkaSink sink(test::options_of({{"bootstrap.servers", "127.0.0.1:1"},
                                   {"topic", "flights"},
                                   {"properties.max.block.ms", "300"}}));
  WriterDriver driver(sink);
  BatchBuilder builder(kafka_record_type());
  builder.append(message("flights", 0, "x"));
  driver.writer().write(builder.finish());
  const std::string sink_text = error_of([&] { driver.flush(); });
  EXPECT_NE(sink_text.find("'flights'"), std::string::npos) << sink_text;
  EXPECT_NE(sink_text.find("(waited for 0.3 s, 'max.block.ms')"), std::string::npos) << sink_text;
}

TEST(KafkaStartErrors, BrokersThatAreAwayAreWaitedForLongerThanWhatIsWrong) {
  std::vector<std::string> warnings;
  set_log_level(LogLevel::kWarn);
  set_log_sink(
      [&](LogLevel, std::string_view, std::string_view text) { warnings.emplace_back(text); });
  constexpr std::int64_t kSecond = 1'000'000'000;
  const StartPatience patience;
  const auto gives_up = [&](StartErrors& errors, std::int64_t seconds) {
    return errors.out_of_time(
        RD_KAFKA_RESP_ERR__TRANSPORT, seconds * kSecond, patience, "h:1", "cannot do it");
  };
  StartErrors away;
  away.on_error(RD_KAFKA_RESP_ERR__TRANSPORT,
                "h:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused");
  EXPECT_FALSE(gives_up(away, 0));
  EXPECT_EQ(warnings.size(), 0u) << "it may be there in a moment";
  EXPECT_FALSE(gives_up(away, 1));
  EXPECT_FALSE(gives_up(away, 59));
  ASSERT_EQ(warnings.size(), 1u);
  for (const char* part : {"cannot do it yet",
                           "'h:1'",
                           "cannot be reached",
                           "refused",
                           "60.0 s",
                           "'default.api.timeout.ms'"}) {
    EXPECT_NE(warnings[0].find(part), std::string::npos) << warnings[0];
  }
  // It comes, and does not speak what we speak: that is found out as if it had been there.
  away.on_error(RD_KAFKA_RESP_ERR__TRANSPORT, "h:1/bootstrap: Disconnected");
  EXPECT_FALSE(gives_up(away, 60));
  EXPECT_FALSE(gives_up(away, 68));
  EXPECT_TRUE(gives_up(away, 69));
  StartErrors gone;
  gone.on_error(RD_KAFKA_RESP_ERR__TRANSPORT,
                "h:1/bootstrap: Connection setup timed out in state CONNECT");
  EXPECT_FALSE(gives_up(gone, 59));
  EXPECT_TRUE(gives_up(gone, 60));
  const std::string text = error_of([&] { gone.fail("h:1", "cannot do it"); });
  EXPECT_NE(text.find("(waited for 60.0 s, 'default.api.timeout.ms'); check 'bootstrap.servers'"),
            std::string::npos)
      << text;
  StartErrors unknown;
  unknown.on_error(RD_KAFKA_RESP_ERR__RESOLVE, "no such host");
  EXPECT_FALSE(gives_up(unknown, 9));
  EXPECT_TRUE(gives_up(unknown, 10));
  set_log_sink(nullptr);
}

TEST_F(KafkaTest, ASinkWaitsForATopicThatIsBeingMade) {
  const std::string topic = make_topic(1);
  rd_kafka_mock_topic_set_error(
      cluster_->handle(), topic.c_str(), RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  std::atomic<bool> warned{false};
  set_log_level(LogLevel::kWarn);
  set_log_sink([&](LogLevel, std::string_view, std::string_view text) {
    if (text.find("cannot write to topic '" + topic + "' yet") != std::string_view::npos &&
        text.find("know no leader of the topic") != std::string_view::npos) {
      warned = true;
      rd_kafka_mock_topic_set_error(cluster_->handle(), topic.c_str(), RD_KAFKA_RESP_ERR_NO_ERROR);
    }
  });
  {
    KafkaSink sink(options({{"topic", topic}, {"startup.timeout.ms", "1000"}}));
    WriterDriver driver(sink);
    BatchBuilder builder(kafka_record_type());
    builder.append(message(topic, 0, "x"));
    driver.writer().write(builder.finish());
    EXPECT_TRUE(driver.flush());
  }
  EXPECT_TRUE(warned);
}

TEST_F(KafkaTest, ATopicThatNobodyMakesIsNamedInTheEnd) {
  const std::string topic = make_topic(1);
  rd_kafka_mock_topic_set_error(
      cluster_->handle(), topic.c_str(), RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  KafkaSink sink(options({{"topic", topic}, {"startup.timeout.ms", "100"}}));
  WriterDriver driver(sink);
  BatchBuilder builder(kafka_record_type());
  builder.append(message(topic, 0, "x"));
  driver.writer().write(builder.finish());
  const std::string text = error_of([&] { driver.flush(); });
  for (const char* part :
       {topic.c_str(), "Unknown topic", "create the topic, or check the option 'topic'"}) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  }
}

TEST_F(KafkaTest, DiscoveryEndsWhenTheJobIsCancelled) {
  const auto closed = ConnectorRegistry::instance().make_source(
      "kafka",
      test::options_of({{"bootstrap.servers", "127.0.0.1:1"}, {"topics", "flights"}}),
      LogicalType::of(TypeKind::kString));
  int asked = 0;
  EXPECT_TRUE(closed->discover_splits([&] { return ++asked > 2; }).empty());
}

TEST_F(KafkaTest, SinkKeepsNullsKeysAndEmptyValuesApart) {
  const std::string topic = make_topic(1);
  KafkaSink sink(options({{"topic", topic}}));
  {
    WriterDriver driver(sink);
    BatchBuilder builder(kafka_record_type());
    builder.append(Value::row({Value::null(),
                               Value::null(),
                               Value::bytes("k"),
                               Value::bytes("v"),
                               Value::integer(7000)}));
    builder.append(Value::row(
        {Value::null(), Value::null(), Value::bytes("k"), Value::bytes(""), Value::null()}));
    driver.writer().write(builder.finish());
    ASSERT_TRUE(driver.flush());
    EXPECT_EQ(driver.metrics().snapshot()["numRecordsSend"], 2);
  }
  const auto kafka = source({{"topics", topic}, {"scan.bounded", "latest"}});
  ReaderDriver driver(*kafka);
  driver.reader().add_splits(test::splits_of(*kafka));
  ASSERT_TRUE(driver.read_all());
  EXPECT_EQ(driver.strings(), (Strings{"v", ""}));
  EXPECT_EQ(driver.batches[0].batch->timestamp_at(0), 7000);
}

TEST_F(KafkaTest, OnlyAtLeastOnceFlushesAtCheckpoints) {
  for (const auto& [guarantee, flushes] : {std::pair{"none", false}, {"at-least-once", true}}) {
    KafkaSink sink(options({{"delivery.guarantee", guarantee}}));
    WriterDriver driver(sink);
    EXPECT_EQ(driver.writer().flushes_at_checkpoints(), flushes) << guarantee;
  }
}

TEST_F(KafkaTest, ARecordWithoutTopicAndTooLargeOnesAreExplained) {
  const std::string topic = make_topic(1);
  BatchBuilder builder(kafka_record_type());
  KafkaSink nameless(options({}));
  WriterDriver first(nameless);
  builder.append(
      Value::row({Value::null(), Value::null(), Value::null(), Value::bytes("v"), Value::null()}));
  const BatchPtr without = builder.finish();
  EXPECT_NE(error_of([&] { first.writer().write(without); }).find("'topic'"), std::string::npos);

  KafkaSink small(options({{"topic", topic}, {"properties.max.request.size", "1000"}}));
  WriterDriver second(small);
  builder.append(message(topic, 0, std::string(5000, 'x')));
  const BatchPtr large = builder.finish();
  const std::string text = error_of([&] { second.writer().write(large); });
  EXPECT_NE(text.find("'properties.max.request.size'"), std::string::npos) << text;
  EXPECT_NE(text.find(topic), std::string::npos) << text;
}

TEST_F(KafkaTest, SinkIsBusyWhileTheBrokerIsAwayAndLosesNothing) {
  const std::string topic = make_topic(1);
  // The other tests' broker stays as it is.
  MockCluster cluster(1);
  cluster.create_topic(topic, 1);
  const std::map<std::string, std::string> base = {
      {"bootstrap.servers", cluster.bootstrap_servers()},
      {"topic", topic},
      {"buffer.records", "100"}};
  KafkaSink sink{Options(base)};
  WriterDriver driver(sink);
  BatchBuilder builder(kafka_record_type());
  const auto write = [&](int count) {
    for (int i = 0; i < count; ++i) {
      builder.append(message(topic, 0, std::to_string(i)));
    }
    driver.writer().write(builder.finish());
  };
  write(10);
  ASSERT_TRUE(driver.flush());
  cluster.set_broker_up(1, false);
  write(1000);
  EXPECT_TRUE(driver.writer().busy());
  EXPECT_FALSE(driver.writer().flushed());
  cluster.set_broker_up(1, true);
  ASSERT_TRUE(driver.flush());
  EXPECT_FALSE(driver.writer().busy());

  const auto kafka = ConnectorRegistry::instance().make_source(
      "kafka",
      test::options_of({{"bootstrap.servers", cluster.bootstrap_servers()},
                        {"topics", topic},
                        {"scan.bounded", "latest"}}),
      LogicalType::of(TypeKind::kString));
  ReaderDriver reading(*kafka);
  reading.reader().add_splits(test::splits_of(*kafka));
  ASSERT_TRUE(reading.read_all());
  EXPECT_EQ(reading.rows, 1010);
}

TEST_F(KafkaTest, RecordsBehindUnacknowledgedOnesGather) {
  const std::string topic = make_topic(1);
  MockCluster cluster(1);
  cluster.create_topic(topic, 1);
  KafkaSink sink{Options({{"bootstrap.servers", cluster.bootstrap_servers()}, {"topic", topic}})};
  ManualClock clock(0);
  WriterDriver driver(sink, 0, 1, &clock);
  auto& writer = dynamic_cast<KafkaWriter&>(driver.writer());
  BatchBuilder builder(kafka_record_type());
  const auto write = [&](int count) {
    for (int i = 0; i < count; ++i) {
      builder.append(message(topic, 0, std::to_string(i)));
    }
    writer.write(builder.finish());
  };
  write(20);
  ASSERT_TRUE(driver.flush());

  cluster.set_delay(1, 500);
  write(20);
  EXPECT_EQ(writer.backlog(), 0U) << "nothing is unacknowledged";
  write(20);
  write(20);
  EXPECT_EQ(writer.backlog(), 2U);
  EXPECT_FALSE(writer.busy()) << "the task goes on";
  // The acknowledgement wakes the task, which looks at the writer: the group goes out as one.
  ASSERT_TRUE(driver.wait([&] {
    writer.flushed();
    return writer.backlog() == 0;
  }));
  ASSERT_TRUE(driver.flush());

  write(20);

  // What would be too much to gather, or waits too long, does not wait.
  write(20);
  EXPECT_EQ(writer.backlog(), 1U);
  write(10'000);
  EXPECT_EQ(writer.backlog(), 0U);
  write(20);
  EXPECT_EQ(writer.backlog(), 1U);
  EXPECT_EQ(writer.next_time(), 100);
  clock.set(100);
  writer.on_time();
  EXPECT_EQ(writer.backlog(), 0U);
  EXPECT_EQ(writer.next_time(), kMaxTimestamp);
  write(20);
  cluster.set_delay(1, 0);
  ASSERT_TRUE(driver.flush());
  EXPECT_EQ(writer.backlog(), 0U);
}

TEST_F(KafkaTest, AReaderOutlivesTheLossOfItsBroker) {
  std::mutex mutex;
  Strings lines;
  set_log_level(LogLevel::kInfo);
  set_log_sink([&](LogLevel, std::string_view, std::string_view text) {
    const std::lock_guard lock(mutex);
    lines.emplace_back(text);
  });
  const auto count = [&](const char* word) {
    const std::lock_guard lock(mutex);
    return std::count_if(lines.begin(), lines.end(), [&](const std::string& line) {
      return line.find(word) != std::string::npos && line.find("source (1/1)") == 0;
    });
  };
  {
    MockCluster cluster(1);
    cluster.create_topic("t", 1);
    const std::string servers = cluster.bootstrap_servers();
    const auto send = [&](int first) {
      KafkaSink sink(test::options_of({{"bootstrap.servers", servers}}));
      WriterDriver driver(sink);
      BatchBuilder builder(kafka_record_type());
      for (int i = first; i < first + 20; ++i) {
        builder.append(message("t", 0, std::to_string(i)));
      }
      driver.writer().write(builder.finish());
      EXPECT_TRUE(driver.flush());
    };
    send(0);
    const auto kafka = ConnectorRegistry::instance().make_source(
        "kafka",
        test::options_of({{"bootstrap.servers", servers}, {"topics", "t"}}),
        LogicalType::of(TypeKind::kString));
    ReaderDriver driver(*kafka);
    driver.reader().add_splits(test::splits_of(*kafka));
    ASSERT_TRUE(driver.read_rows(20));
    cluster.set_broker_up(1, false);
    ASSERT_TRUE(driver.read_until([&] { return count("lost") > 0; }));
    cluster.set_broker_up(1, true);
    send(20);
    ASSERT_TRUE(driver.read_rows(40));
    ASSERT_TRUE(driver.read_until([&] { return count("again") > 0; }));
    EXPECT_EQ(driver.rows, 40);
    EXPECT_EQ(count("lost"), 1);
    EXPECT_EQ(count("again"), 1);
  }
}

}  // namespace
}  // namespace flott::kafka
