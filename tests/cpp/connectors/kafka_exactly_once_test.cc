// The Kafka sink's transactions on librdkafka's embedded broker. That one shows records before
// their transaction is committed, and forgets the offsets of transactions (a test commits them for
// it): what readers of committed records see is shown by tests/services/test_kafka_exactly_once.py.
#include "base/bytes.h"
#include "connectors/kafka/exactly_once_writer.h"
#include "connectors/kafka/kafka_sink.h"
#include "connectors/kafka/kafka_source.h"
#include "connectors/kafka/mock_cluster.h"
#include "connectors/kafka/transactions.h"
#include "connectors/kafka_record.h"
#include "runtime/task.h"
#include "tests/cpp/connectors/reading.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace flott::kafka {
namespace {

using test::error_of;
using test::ReaderDriver;
using test::WriterDriver;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

TEST(KafkaMarker, IsReadAsItIsWritten) {
  const Marker marker{"0123abc", 42};
  EXPECT_EQ(to_text(marker), "0123abc/42");
  EXPECT_EQ(parse_marker("0123abc/42"), marker);
  for (const char* other : {"", "abc", "/3", "abc/", "abc/3x", "abc/-"}) {
    EXPECT_EQ(parse_marker(other), std::nullopt) << other;
  }
}

TEST(KafkaTransactionTimeout, IsTheUsersOrFitsTheBrokers) {
  SinkOptions options;
  options.bootstrap_servers = "h:1";
  EXPECT_EQ(transaction_timeout_ms(options, std::nullopt), 900'000);
  EXPECT_EQ(transaction_timeout_ms(options, 3'600'000), 900'000);
  EXPECT_EQ(transaction_timeout_ms(options, 60'000), 60'000);
  options.transaction_timeout_ms = 120'000;
  EXPECT_EQ(transaction_timeout_ms(options, std::nullopt), 120'000);
  EXPECT_EQ(transaction_timeout_ms(options, 120'000), 120'000);
  ErrorKind kind{};
  const std::string text = error_of([&] { transaction_timeout_ms(options, 60'000); }, &kind);
  EXPECT_EQ(kind, ErrorKind::kInvalidArgument);
  for (const char* part :
       {"120000", "60000", "transaction.timeout.ms", "transaction.max.timeout.ms", "h:1"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
}

class KafkaExactlyOnceTest : public ::testing::Test {
 protected:
  void SetUp() override { cluster_.create_topic("out", 1); }

  KafkaSink sink(std::map<std::string, std::string> more = {}) const {
    more.emplace("bootstrap.servers", cluster_.bootstrap_servers());
    more.emplace("topic", "out");
    more.emplace("delivery.guarantee", "exactly-once");
    more.emplace("transactional.id.prefix", "tx");
    return KafkaSink(Options(std::move(more)));
  }
  static void write(WriterDriver& driver, const std::vector<std::string>& values) {
    BatchBuilder builder(kafka_record_type());
    for (const std::string& value : values) {
      builder.append(Value::row(
          {Value::null(), Value::null(), Value::null(), Value::bytes(value), Value::null()}));
    }
    driver.writer().write(builder.finish());
  }
  static OperatorSnapshot checkpoint(WriterDriver& driver, CheckpointId id) {
    EXPECT_TRUE(driver.flush());
    OperatorSnapshot snapshot;
    driver.writer().snapshot(id, snapshot);
    return snapshot;
  }
  /// Tells of the checkpoint and waits for what it commits.
  static bool complete(WriterDriver& driver, CheckpointId id) {
    driver.writer().notify_checkpoint_complete(id);
    return driver.wait([&] { return driver.writer().committed(); });
  }
  /// What a real broker remembers of the transactions up to `sequence` of the id in `snapshot`.
  void remember(const OperatorSnapshot& snapshot, std::int64_t sequence) const {
    BytesReader in(snapshot.union_state.at("kafka-transactions").front());
    in.u8();
    const std::string id(in.string());
    in.varint();
    const std::string marker = to_text({std::string(in.string()), sequence});
    const Client client = make_client(
        RD_KAFKA_CONSUMER,
        make_conf({{"bootstrap.servers", cluster_.bootstrap_servers()}, {"group.id", id}}));
    const PartitionList list(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_t* const entry =
        rd_kafka_topic_partition_list_add(list.get(), "out", 0);
    entry->offset = sequence;
    entry->metadata = ::strdup(marker.c_str());
    entry->metadata_size = marker.size();
    check_kafka(rd_kafka_commit(client.get(), list.get(), 0), "cannot commit");
  }
  /// What a writer says that cannot start.
  static std::string start_error(WriterDriver& driver) {
    return error_of([&] { driver.flush(); });
  }
  std::vector<std::string> published() const {
    KafkaSource source(Options({{"bootstrap.servers", cluster_.bootstrap_servers()},
                                {"topics", "out"},
                                {"scan.bounded", "latest"}}),
                       LogicalType::of(TypeKind::kString));
    ReaderDriver driver(source);
    driver.reader().add_splits(test::splits_of(source));
    EXPECT_TRUE(driver.read_all());
    return driver.strings();
  }
  /// The share of a subtask in a checkpoint of these.
  static OperatorSnapshot share(std::vector<OperatorSnapshot> subtasks,
                                int subtask,
                                int parallelism) {
    OperatorCheckpoint checkpoint;
    checkpoint.uid = checkpoint.name = "sink";
    checkpoint.parallelism = static_cast<int>(subtasks.size());
    checkpoint.subtasks = std::move(subtasks);
    return redistribute(checkpoint, subtask, parallelism, checkpoint.max_parallelism);
  }

  MockCluster cluster_;
};

TEST_F(KafkaExactlyOnceTest, ACheckpointsRecordsAreSentWhenItIsComplete) {
  KafkaSink sink = this->sink();
  WriterDriver driver(sink);
  write(driver, {"a", "b"});
  checkpoint(driver, 1);
  write(driver, {"c"});
  EXPECT_THAT(published(), IsEmpty());
  EXPECT_TRUE(driver.writer().has_uncommitted());
  driver.writer().notify_checkpoint_complete(1);
  ASSERT_TRUE(driver.wait([&] { return published().size() == 2; }));
  EXPECT_THAT(published(), ElementsAre("a", "b"));
  // Of 2 and 3 the first failed: 3 has the records of both.
  checkpoint(driver, 2);
  write(driver, {"d"});
  checkpoint(driver, 3);
  ASSERT_TRUE(complete(driver, 3));
  EXPECT_THAT(published(), ElementsAre("a", "b", "c", "d"));
}

TEST_F(KafkaExactlyOnceTest, TheEndCommitsWhatIsLeft) {
  KafkaSink sink = this->sink();
  WriterDriver driver(sink);
  write(driver, {"a"});
  OperatorSnapshot last = checkpoint(driver, kFinalSnapshot);
  EXPECT_EQ(last.files.size(), 1u);
  driver.writer().start_final_commit();
  ASSERT_TRUE(driver.wait([&] { return driver.writer().committed(); }));
  EXPECT_THAT(published(), ElementsAre("a"));
  last = checkpoint(driver, kFinalSnapshot);
  EXPECT_THAT(last.files, IsEmpty()) << "nothing is left to do";
}

TEST_F(KafkaExactlyOnceTest, ARestoreCommitsWhatWasNotAndOnlyThat) {
  KafkaSink sink = this->sink();
  OperatorSnapshot first;
  OperatorSnapshot second;
  {
    WriterDriver driver(sink);
    write(driver, {"a"});
    first = checkpoint(driver, 1);
    ASSERT_TRUE(complete(driver, 1));
    remember(first, 1);
    write(driver, {"b"});
    second = checkpoint(driver, 2);
    write(driver, {"lost with the process"});
  }
  EXPECT_THAT(published(), ElementsAre("a"));
  {
    WriterDriver driver(sink, 0, 1, nullptr, &first);
    ASSERT_TRUE(driver.flush());
    EXPECT_FALSE(driver.writer().has_uncommitted()) << "the marker says that it was committed";
  }
  {
    WriterDriver driver(sink, 0, 1, nullptr, &second);
    write(driver, {"c"});
    checkpoint(driver, 3);
    ASSERT_TRUE(complete(driver, 3));
  }
  EXPECT_THAT(published(), ElementsAre("a", "b", "c"));
}

TEST_F(KafkaExactlyOnceTest, PendingEpochsOfFormerSubtasksAreCommittedOnceByTheNewOnes) {
  KafkaSink sink = this->sink();
  std::vector<OperatorSnapshot> old;
  for (int subtask = 0; subtask < 3; ++subtask) {
    WriterDriver driver(sink, subtask, 3);
    write(driver, {fmt::format("of {}", subtask)});
    old.push_back(checkpoint(driver, 1));
    remember(old.back(), 0);
  }
  std::vector<OperatorSnapshot> next;
  for (int subtask = 0; subtask < 2; ++subtask) {
    const OperatorSnapshot restored = share(old, subtask, 2);
    WriterDriver driver(sink, subtask, 2, nullptr, &restored);
    ASSERT_TRUE(driver.flush());
    ASSERT_TRUE(driver.wait([&] { return driver.writer().committed(); }));
    next.push_back(checkpoint(driver, 2));
  }
  EXPECT_THAT(published(), UnorderedElementsAre("of 0", "of 1", "of 2"));
  EXPECT_EQ(next[0].union_state.at("kafka-transactions").size(), 1u) << "tx-2 is settled";
  // From the same checkpoint once more, by more of them.
  for (const OperatorSnapshot& snapshot : old) {
    remember(snapshot, 1);
  }
  for (int subtask = 0; subtask < 4; ++subtask) {
    const OperatorSnapshot restored = share(old, subtask, 4);
    WriterDriver driver(sink, subtask, 4, nullptr, &restored);
    ASSERT_TRUE(driver.flush());
    ASSERT_TRUE(driver.wait([&] { return driver.writer().committed(); }));
  }
  EXPECT_EQ(published().size(), 3u);
}

TEST_F(KafkaExactlyOnceTest, AMarkerNewerThanTheCheckpointStopsUnlessDuplicatesAreAllowed) {
  KafkaSink sink = this->sink();
  OperatorSnapshot first;
  {
    WriterDriver driver(sink);
    write(driver, {"a"});
    first = checkpoint(driver, 1);
    write(driver, {"b"});
    checkpoint(driver, 2);
    write(driver, {"c"});
    checkpoint(driver, 3);
    ASSERT_TRUE(complete(driver, 3));
    remember(first, 3);
  }
  {
    WriterDriver driver(sink, 0, 1, nullptr, &first);
    const std::string text = start_error(driver);
    EXPECT_THAT(text, HasSubstr("'tx-0'"));
    EXPECT_THAT(text, HasSubstr("2 epochs were committed after the checkpoint"));
    EXPECT_THAT(text, HasSubstr("allow.duplicates.on.restore"));
  }
  KafkaSink allowing = this->sink({{"allow.duplicates.on.restore", "true"}});
  WriterDriver driver(allowing, 0, 1, nullptr, &first);
  write(driver, {"b again"});
  checkpoint(driver, 2);
  ASSERT_TRUE(complete(driver, 2));
  EXPECT_THAT(published(), ElementsAre("a", "b", "c", "b again")) << "a is not sent again";
}

TEST_F(KafkaExactlyOnceTest, AMarkerThatIsMissingOrOfAnotherRunStopsUnlessDuplicatesAreAllowed) {
  KafkaSink sink = this->sink();
  OperatorSnapshot snapshot;
  {
    WriterDriver driver(sink);
    write(driver, {"a"});
    snapshot = checkpoint(driver, 1);
  }
  {
    WriterDriver other(sink);  // a fresh start
    remember(checkpoint(other, 1), 0);
  }
  {
    WriterDriver driver(sink, 0, 1, nullptr, &snapshot);
    EXPECT_THAT(start_error(driver), HasSubstr("another run of a job has used the prefix 'tx'"));
  }
  MockCluster forgetful;
  forgetful.create_topic("out", 1);
  KafkaSink elsewhere = this->sink({{"bootstrap.servers", forgetful.bootstrap_servers()}});
  {
    WriterDriver driver(elsewhere, 0, 1, nullptr, &snapshot);
    EXPECT_THAT(start_error(driver), HasSubstr("have forgotten how far they got"));
  }
  KafkaSink allowing = this->sink({{"allow.duplicates.on.restore", "true"}});
  WriterDriver driver(allowing, 0, 1, nullptr, &snapshot);
  ASSERT_TRUE(driver.flush());
  ASSERT_TRUE(driver.wait([&] { return driver.writer().committed(); }));
  EXPECT_THAT(published(), ElementsAre("a"));
}

TEST_F(KafkaExactlyOnceTest, ATransactionThatFailsIsSentAgain) {
  KafkaSink sink = this->sink();
  WriterDriver driver(sink);
  write(driver, {"a", "b"});
  checkpoint(driver, 1);
  // AddOffsetsToTxn
  rd_kafka_mock_push_request_errors(cluster_.handle(), 25, 1, RD_KAFKA_RESP_ERR_INVALID_TXN_STATE);
  driver.writer().notify_checkpoint_complete(1);
  // Whatever librdkafka makes of it, the records come or the writer says that they do not.
  const std::string text = [&]() -> std::string {
    try {
      return driver.wait([&] { return driver.writer().committed(); }) ? "" : "no answer";
    } catch (const Error& error) {
      return error.what();
    }
  }();
  EXPECT_TRUE(text.empty() || text.find("'tx-0'") != std::string::npos) << text;
}

TEST_F(KafkaExactlyOnceTest, ARecordThatNoBrokerTakesIsRefusedBeforeACheckpointHasIt) {
  KafkaSink sink = this->sink({{"properties.max.request.size", "2000"}});
  WriterDriver driver(sink);
  EXPECT_THAT(error_of([&] { write(driver, {std::string(3000, 'x')}); }),
              HasSubstr("properties.max.request.size"));
}

TEST_F(KafkaExactlyOnceTest, TheTaskWaitsWhenTheBrokersAreFarBehind) {
  KafkaSink sink = this->sink();
  WriterDriver driver(sink);
  checkpoint(driver, 1);
  ASSERT_TRUE(complete(driver, 1));
  cluster_.set_broker_up(1, false);
  for (CheckpointId id = 2; id < 5; ++id) {
    EXPECT_FALSE(driver.writer().busy());
    write(driver, {"x"});
    checkpoint(driver, id);
    driver.writer().notify_checkpoint_complete(id);
  }
  EXPECT_TRUE(driver.writer().busy());
  cluster_.set_broker_up(1, true);
  ASSERT_TRUE(driver.wait([&] { return driver.writer().committed(); }));
  EXPECT_FALSE(driver.writer().busy());
  EXPECT_EQ(published().size(), 3u);
}

}  // namespace
}  // namespace flott::kafka
