#include "base/log.h"
#include "connectors/kafka/options.h"
#include "connectors/kafka/properties.h"
#include "tests/cpp/connectors/reading.h"

#include <gtest/gtest.h>

namespace flott::kafka {
namespace {

using flott::test::error_of;
using Properties = std::map<std::string, std::string>;

class Logged {
 public:
  Logged() {
    set_log_level(LogLevel::kDebug);
    set_log_sink([this](LogLevel level, std::string_view, std::string_view text) {
      if (level >= LogLevel::kWarn) {
        warnings.emplace_back(text);
      }
      all += text;
    });
  }
  ~Logged() {
    set_log_sink({});
    set_log_level(LogLevel::kWarn);
  }
  std::vector<std::string> warnings;
  std::string all;
};

TEST(KafkaProperties, JavaNamesBecomeLibrdkafkas) {
  const ClientSettings consumer = map_properties({{"fetch.max.wait.ms", "10"},
                                                  {"max.partition.fetch.bytes", "1000"},
                                                  {"request.timeout.ms", "5000"},
                                                  {"auto.offset.reset", "none"},
                                                  {"isolation.level", "read_committed"},
                                                  {"acks", "1"},
                                                  {"key.deserializer", "x.Y"}},
                                                 ClientRole::kConsumer);
  EXPECT_EQ(consumer,
            (ClientSettings{{"fetch.wait.max.ms", "10"},
                            {"fetch.message.max.bytes", "1000"},
                            {"socket.timeout.ms", "5000"},
                            {"auto.offset.reset", "error"},
                            {"isolation.level", "read_committed"}}));
  const ClientSettings producer = map_properties({{"max.request.size", "2000000"},
                                                  {"retries", "3"},
                                                  {"acks", "1"},
                                                  {"linger.ms", "7"},
                                                  {"compression.type", "lz4"},
                                                  {"value.serializer", "x.Y"}},
                                                 ClientRole::kProducer);
  EXPECT_EQ(producer,
            (ClientSettings{{"message.max.bytes", "2000000"},
                            {"message.send.max.retries", "3"},
                            {"acks", "1"},
                            {"enable.idempotence", "false"},
                            {"linger.ms", "7"},
                            {"compression.type", "lz4"}}));
}

TEST(KafkaProperties, EveryMappedNameIsKnownToLibrdkafka) {
  const Logged logged;
  const ClientSettings settings = map_properties({{"security.protocol", "SASL_SSL"},
                                                  {"sasl.mechanism", "PLAIN"},
                                                  {"ssl.endpoint.identification.algorithm", ""},
                                                  {"connections.max.idle.ms", "1000"},
                                                  {"client.rack", "a"},
                                                  {"group.id", "g"}},
                                                 ClientRole::kConsumer);
  make_conf(settings);
  EXPECT_EQ(settings.at("ssl.endpoint.identification.algorithm"), "none");
  EXPECT_TRUE(logged.warnings.empty());
}

TEST(KafkaProperties, BooleansAreReadAsTheJavaClientDoes) {
  const char* const name = "allow.auto.create.topics";
  for (const char* text : {"true", "True", " TRUE "}) {
    EXPECT_EQ(map_properties({{name, text}}, ClientRole::kConsumer).at(name), "true");
  }
  EXPECT_EQ(map_properties({{"enable.idempotence", "False"}}, ClientRole::kProducer),
            (ClientSettings{{"enable.idempotence", "false"}}));
  const std::string text =
      error_of([&] { map_properties({{name, "yes"}}, ClientRole::kConsumer); });
  EXPECT_EQ(text, "'allow.auto.create.topics' must be true or false, but is 'yes'");
}

TEST(KafkaProperties, UnknownNamesWarnOnce) {
  const Logged logged;
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(map_properties({{"fetch.maximum.wait", "10"}}, ClientRole::kConsumer).empty());
  }
  ASSERT_EQ(logged.warnings.size(), 1U);
  EXPECT_NE(logged.warnings[0].find("'fetch.maximum.wait'"), std::string::npos);
  // Names of librdkafka itself pass.
  EXPECT_EQ(map_properties({{"queued.min.messages", "5"}}, ClientRole::kConsumer).size(), 1U);
}

TEST(KafkaProperties, JaasLinesGiveUserAndPasswordAndStaySecret) {
  const Logged logged;
  const ClientSettings settings = map_properties(
      {{"sasl.jaas.config",
        "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"al ice\" "
        "password=\"s;e\\\"cret\";"}},
      ClientRole::kConsumer);
  EXPECT_EQ(settings.at("sasl.username"), "al ice");
  EXPECT_EQ(settings.at("sasl.password"), "s;e\"cret");
  EXPECT_EQ(logged.all.find("s;e"), std::string::npos);
  const std::string text = error_of([] {
    map_properties({{"sasl.jaas.config", "com.sun.Krb5LoginModule required password=\"hush\";"}},
                   ClientRole::kConsumer);
  });
  EXPECT_NE(text.find("'sasl.jaas.config'"), std::string::npos);
  EXPECT_EQ(text.find("hush"), std::string::npos);
}

TEST(KafkaProperties, JavaKeyStoresAskForPem) {
  const std::string text = error_of(
      [] { map_properties({{"ssl.truststore.location", "/x/trust.jks"}}, ClientRole::kConsumer); });
  EXPECT_NE(text.find("PEM"), std::string::npos) << text;
  EXPECT_EQ(map_properties({{"ssl.truststore.location", "/dev/null"}}, ClientRole::kProducer)
                .at("ssl.ca.location"),
            "/dev/null");
}

TEST(KafkaProperties, AFileThatCannotBeReadIsNamed) {
  for (const char* name : {"ssl.truststore.location", "ssl.keystore.location"}) {
    const std::string text =
        error_of([&] { map_properties({{name, "/x/ca.pem"}}, ClientRole::kConsumer); });
    EXPECT_EQ(text,
              fmt::format("'{}' = '/x/ca.pem' cannot be read: No such file or directory", name));
  }
}

TEST(KafkaSourceOptions, DefaultsAreFlinks) {
  const SourceOptions options =
      SourceOptions::parse(test::options_of({{"bootstrap.servers", "h:1"}, {"topics", "a"}}));
  EXPECT_EQ(options.start, StartMode::kEarliest);
  EXPECT_EQ(options.reset, "earliest");
  EXPECT_EQ(options.stop, StopMode::kNone);
  EXPECT_EQ(options.discovery_interval_ms, 300'000);
  EXPECT_EQ(options.client.at("isolation.level"), "read_uncommitted");
  EXPECT_FALSE(options.client.contains("group.id"));
}

TEST(KafkaSourceOptions, WrongOnesAreNamed) {
  const auto parse = [](std::map<std::string, std::string> values) {
    values.emplace("bootstrap.servers", "h:1");
    return error_of([&] { SourceOptions::parse(Options(values)); });
  };
  EXPECT_NE(parse({}).find("exactly one of 'topics'"), std::string::npos);
  EXPECT_NE(parse({{"topics", "a"}, {"topic-pattern", "b"}}).find("2 are set"), std::string::npos);
  EXPECT_NE(parse({{"topics", "a"}, {"scan.startup", "soon"}}).find("'soon'"), std::string::npos);
  EXPECT_NE(parse({{"topics", "a"}, {"scan.startup", "committed"}}).find("'group.id'"),
            std::string::npos);
  EXPECT_NE(parse({{"topics", "a"}, {"topc", "b"}}).find("no option 'topc'"), std::string::npos);
  EXPECT_NE(parse({{"topic-pattern", "("}}).find("'topic-pattern'"), std::string::npos);
  EXPECT_NE(parse({{"partitions", "a"}}).find("topic:partition"), std::string::npos);
  EXPECT_NE(error_of([] {
              SourceOptions::parse(test::options_of({{"topics", "a"}}));
            }).find("'bootstrap.servers'"),
            std::string::npos);
}

TEST(KafkaSinkOptions, TimestampsAndFailuresAreAsTheNewerSinkHasThemUnlessToldOtherwise) {
  const SinkOptions plain = SinkOptions::parse(test::options_of({{"bootstrap.servers", "h:1"}}));
  EXPECT_TRUE(plain.write_timestamp);
  EXPECT_FALSE(plain.log_failures_only);
  const SinkOptions older = SinkOptions::parse(test::options_of(
      {{"bootstrap.servers", "h:1"}, {"write.timestamp", "false"}, {"log.failures.only", "true"}}));
  EXPECT_FALSE(older.write_timestamp);
  EXPECT_TRUE(older.log_failures_only);
}

TEST(KafkaSinkOptions, ExactlyOnceNeedsAPrefixAndClientSettingsThatAllowIt) {
  std::map<std::string, std::string> values = {{"bootstrap.servers", "h:1"},
                                               {"delivery.guarantee", "exactly-once"}};
  const auto parse = [&] { return SinkOptions::parse(test::options_of(values)); };
  EXPECT_NE(error_of(parse).find("set_transactional_id_prefix"), std::string::npos);
  values["transactional.id.prefix"] = "tx";
  EXPECT_TRUE(parse().exactly_once);
  EXPECT_EQ(parse().transaction_timeout_ms, std::nullopt);
  values["properties.transaction.timeout.ms"] = "60000";
  values["properties.allow.duplicates.on.restore"] = "true";
  values["properties.acks"] = "-1";
  const SinkOptions options = parse();
  EXPECT_EQ(options.transaction_timeout_ms, 60'000);
  EXPECT_TRUE(options.allow_duplicates_on_restore);
  EXPECT_EQ(options.client.at("acks"), "all");
  values["properties.acks"] = "1";
  EXPECT_NE(error_of(parse).find("'acks' = '1'"), std::string::npos);
  values["properties.acks"] = "all";
  values["properties.enable.idempotence"] = "false";
  EXPECT_NE(error_of(parse).find("'enable.idempotence' = 'false'"), std::string::npos);
}

}  // namespace
}  // namespace flott::kafka
