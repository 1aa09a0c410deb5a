// What librdkafka's embedded broker cannot show. Runs against a real broker named by
// FLOTT_KAFKA_BROKERS (tests/services starts one) with automatic topic creation; skipped without.

#include "connectors/kafka/kafka_sink.h"
#include "connectors/kafka/kafka_source.h"
#include "connectors/kafka/split_position.h"
#include "connectors/kafka_record.h"
#include "tests/cpp/connectors/reading.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace flott::kafka {
namespace {

using flott::test::error_of;
using flott::test::ReaderDriver;
using flott::test::WriterDriver;
using Strings = std::vector<std::string>;

class KafkaBrokerTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* const brokers = std::getenv("FLOTT_KAFKA_BROKERS");
    if (brokers == nullptr) {
      GTEST_SKIP() << "set FLOTT_KAFKA_BROKERS=host:port to run against a real broker";
    }
    brokers_ = brokers;
    topic_ = std::string(testing::UnitTest::GetInstance()->current_test_info()->name()) + "-" +
             std::to_string(SystemClock().now_ms());
  }
  Options options(std::map<std::string, std::string> values) const {
    values.emplace("bootstrap.servers", brokers_);
    return Options(std::move(values));
  }
  void produce(const std::vector<std::pair<std::string, std::int64_t>>& messages,
               std::map<std::string, std::string> values = {}) const {
    values.emplace("topic", topic_);
    KafkaSink sink(options(std::move(values)));
    WriterDriver driver(sink);
    BatchBuilder builder(kafka_record_type());
    for (const auto& [value, timestamp] : messages) {
      builder.append(Value::row({Value::null(),
                                 Value::null(),
                                 Value::null(),
                                 Value::bytes(value),
                                 Value::integer(timestamp)}));
    }
    driver.writer().write(builder.finish());
    ASSERT_TRUE(driver.flush());
  }
  Strings read(std::map<std::string, std::string> values) const {
    values.emplace("topics", topic_);
    KafkaSource source(options(std::move(values)), LogicalType::of(TypeKind::kString));
    ReaderDriver driver(source);
    driver.reader().add_splits(test::splits_of(source));
    EXPECT_TRUE(driver.read_all());
    return driver.strings();
  }
  std::string brokers_;
  std::string topic_;
};

TEST_F(KafkaBrokerTest, TimestampsBoundBothEnds) {
  const std::int64_t now = SystemClock().now_ms();
  produce({{"a", now - 4000}, {"b", now - 3000}, {"c", now - 2000}, {"d", now - 1000}});
  EXPECT_EQ(read({{"scan.startup", "timestamp"},
                  {"scan.startup.timestamp-ms", std::to_string(now - 3000)},
                  {"scan.bounded", "timestamp"},
                  {"scan.bounded.timestamp-ms", std::to_string(now - 1500)}}),
            (Strings{"b", "c"}));
  EXPECT_EQ(read({{"scan.startup", "timestamp"},
                  {"scan.startup.timestamp-ms", std::to_string(now + 1000)},
                  {"scan.bounded", "latest"}}),
            (Strings{}));
}

TEST_F(KafkaBrokerTest, AMissingTopicIsNamedAndNotMade) {
  KafkaSource source(options({{"topics", topic_}}), LogicalType::of(TypeKind::kString));
  ErrorKind kind{};
  const std::string text = error_of([&] { source.discover_splits({}); }, &kind);
  EXPECT_EQ(kind, ErrorKind::kExternal);
  EXPECT_NE(text.find("'" + topic_ + "'"), std::string::npos) << text;
  EXPECT_NE(text.find(brokers_), std::string::npos) << text;
  EXPECT_NE(text.find("create it"), std::string::npos) << text;
}

TEST_F(KafkaBrokerTest, AnUnknownHostIsNamed) {
  KafkaSource source(test::options_of({{"bootstrap.servers", "no-such-host.invalid:9092"},
                                       {"topics", "t"},
                                       {"startup.timeout.ms", "1500"}}),
                     LogicalType::of(TypeKind::kString));
  const std::string text = error_of([&] { source.discover_splits({}); });
  EXPECT_NE(text.find("no-such-host.invalid:9092"), std::string::npos) << text;
  EXPECT_NE(text.find("'bootstrap.servers'"), std::string::npos) << text;
}

TEST_F(KafkaBrokerTest, EncryptionThatTheBrokerDoesNotSpeakIsExplained) {
  KafkaSource source(options({{"topics", "t"},
                              {"startup.timeout.ms", "2000"},
                              {"properties.security.protocol", "SSL"}}),
                     LogicalType::of(TypeKind::kString));
  const std::string text = error_of([&] { source.discover_splits({}); });
  EXPECT_NE(text.find("'security.protocol'"), std::string::npos) << text;
}

TEST_F(KafkaBrokerTest, ABrokersOwnSizeLimitIsExplained) {
  produce({{"first", 1000}});
  // The client lets it pass; the broker's message.max.bytes is 1 MiB.
  const std::string text = error_of([&] {
    produce({{std::string(3'000'000, 'x'), 1000}}, {{"properties.max.request.size", "10000000"}});
  });
  EXPECT_NE(text.find("max.message.bytes"), std::string::npos) << text;
  EXPECT_NE(text.find(topic_), std::string::npos) << text;
}

TEST_F(KafkaBrokerTest, ABoundedStopInsideATransactionEnds) {
  // The last offset of the topic is a transaction's marker, which no consumer ever sees.
  produce({{"plain", 1000}});
  {
    Client client =
        make_client(RD_KAFKA_PRODUCER,
                    make_conf({{"bootstrap.servers", brokers_}, {"transactional.id", topic_}}));
    ASSERT_EQ(rd_kafka_init_transactions(client.get(), 10000), nullptr);
    ASSERT_EQ(rd_kafka_begin_transaction(client.get()), nullptr);
    char text[] = "transacted";
    const Topic topic(rd_kafka_topic_new(client.get(), topic_.c_str(), nullptr));
    ASSERT_EQ(rd_kafka_produce(topic.get(),
                               RD_KAFKA_PARTITION_UA,
                               RD_KAFKA_MSG_F_COPY,
                               text,
                               sizeof text - 1,
                               nullptr,
                               0,
                               nullptr),
              0);
    ASSERT_EQ(rd_kafka_commit_transaction(client.get(), 10000), nullptr);
  }
  const Strings both{"plain", "transacted"};
  EXPECT_EQ(read({{"scan.bounded", "latest"}}), both);
  // The broker writes the marker some time after the commit was acknowledged.
  Strings committed;
  for (int attempt = 0; attempt < 100 && committed != both; ++attempt) {
    committed =
        read({{"scan.bounded", "latest"}, {"properties.isolation.level", "read_committed"}});
  }
  EXPECT_EQ(committed, both);
  EXPECT_EQ(read({{"scan.bounded", "latest"}}), both);
}

}  // namespace
}  // namespace flott::kafka
