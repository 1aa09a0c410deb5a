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
#include "tests/harness/hex.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

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
  const Marker marker{"0123abc", 42, "456def", "789"};
  EXPECT_EQ(to_text(marker), "0123abc/42/456def/789");
  EXPECT_EQ(parse_marker("0123abc/42/456def/789"), marker);
  const Marker older{"0123abc", 42, "", ""};
  EXPECT_EQ(to_text(older), "0123abc/42");
  EXPECT_EQ(parse_marker("0123abc/42"), older);
  EXPECT_EQ(parse_marker("r/0//o"), (Marker{"r", 0, "", "o"}));
  for (const char* other : {"", "abc", "/3", "abc/", "abc/3x", "abc/-", "a/1/b", "a/1/b/c/d"}) {
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
  /// A sink of a process of its own. Another object is another job for the markers.
  KafkaSink& anew() { return sinks_.emplace_back(sink()); }
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
  /// What a snapshot has of one transactional id.
  struct Stored {
    std::string id;
    std::string run;
    std::int64_t committed = 0;
    std::vector<std::string> lineages;  ///< of the last committed epoch and all behind it
    bool dormant = false;
    std::vector<std::string> files;
  };
  static Stored stored(const std::string& entry) {
    BytesReader in(entry);
    EXPECT_EQ(in.u8(), 2);
    Stored out;
    out.id = in.string();
    in.varint();
    out.run = in.string();
    in.string();
    const auto last = static_cast<std::int64_t>(in.varint());
    out.lineages.emplace_back(in.string());
    out.dormant = in.u8() != 0;
    for (std::uint64_t left = in.varint(); left > 0; --left) {
      in.varint();
      out.lineages.emplace_back(in.string());
      in.varint();
      out.files.emplace_back(in.string());
    }
    out.committed = last - static_cast<std::int64_t>(out.files.size());
    return out;
  }
  static Stored stored(const OperatorSnapshot& snapshot) {
    return stored(snapshot.union_state.at("kafka-transactions").front());
  }
  /// A sink restored from this entry (hexadecimal) publishes "b", the one record of its segment.
  void expect_published(std::string_view entry) {
    OperatorSnapshot snapshot;
    snapshot.union_state["kafka-transactions"] = {harness::unhex(entry)};
    const auto segment = std::make_shared<const std::string>(
        harness::unhex("464c4b53 01 07000000 08000000 70 09 036f7574 0162"));
    snapshot.files.push_back({"kafka1", "", segment, segment->size()});
    WriterDriver driver(anew(), 0, 1, nullptr, &snapshot);
    ASSERT_TRUE(driver.flush());
    ASSERT_TRUE(driver.wait([&] { return driver.writer().committed(); }));
    EXPECT_THAT(published(), ElementsAre("b"));
  }
  /// The checkpoint as it was stored before there were lineages.
  static OperatorSnapshot as_version_1(OperatorSnapshot snapshot) {
    for (std::string& entry : snapshot.union_state.at("kafka-transactions")) {
      BytesReader in(entry);
      std::string older;
      BytesWriter out(older);
      in.u8();
      out.u8(1);
      out.string(in.string());
      out.varint(in.varint());
      out.string(in.string());
      out.string(in.string());
      out.varint(in.varint());
      in.string();
      in.u8();
      const std::uint64_t epochs = in.varint();
      out.varint(epochs);
      for (std::uint64_t left = epochs; left > 0; --left) {
        out.varint(in.varint());
        in.string();
        out.varint(in.varint());
        out.string(in.string());
      }
      entry = older;
    }
    return snapshot;
  }
  /// What a real broker remembers of the transactions up to `sequence` of the id in `snapshot`.
  void remember(const OperatorSnapshot& snapshot,
                std::int64_t sequence,
                const std::string& owner = "") const {
    const Stored known = stored(snapshot);
    const auto at = static_cast<std::size_t>(std::max<std::int64_t>(sequence - known.committed, 0));
    remember(known.id,
             {known.run,
              sequence,
              at < known.lineages.size() ? known.lineages[at] : "of a later attempt",
              owner});
  }
  void remember(const std::string& id, const Marker& written) const {
    const std::string marker = to_text(written);
    const Client client = make_client(
        RD_KAFKA_CONSUMER,
        make_conf({{"bootstrap.servers", cluster_.bootstrap_servers()}, {"group.id", id}}));
    const PartitionList list(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_t* const entry =
        rd_kafka_topic_partition_list_add(list.get(), "out", 0);
    entry->offset = written.sequence;
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
  std::deque<KafkaSink> sinks_;
};

TEST_F(KafkaExactlyOnceTest, ACheckpointsRecordsAreSentWhenItIsComplete) {
  WriterDriver driver(anew());
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
  WriterDriver driver(anew());
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
  OperatorSnapshot first;
  OperatorSnapshot second;
  {
    WriterDriver driver(anew());
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
    WriterDriver driver(anew(), 0, 1, nullptr, &first);
    ASSERT_TRUE(driver.flush());
    EXPECT_FALSE(driver.writer().has_uncommitted()) << "the marker says that it was committed";
  }
  {
    WriterDriver driver(anew(), 0, 1, nullptr, &second);
    write(driver, {"c"});
    checkpoint(driver, 3);
    ASSERT_TRUE(complete(driver, 3));
  }
  EXPECT_THAT(published(), ElementsAre("a", "b", "c"));
}

TEST_F(KafkaExactlyOnceTest, ASinkThatIsNotExactlyOnceAnyMoreFirstCommitsWhatIsPending) {
  OperatorSnapshot stored;
  {
    KafkaSink sink = this->sink();
    WriterDriver driver(sink);
    write(driver, {"a"});
    stored = checkpoint(driver, 1);
    remember(stored, 0);
  }
  EXPECT_THAT(published(), IsEmpty());
  for (const char* guarantee : {"at-least-once", "none"}) {
    KafkaSink sink = this->sink({{"delivery.guarantee", guarantee},
                                 {"transactional.id.prefix", ""},
                                 {"properties.acks", "1"},
                                 {"properties.enable.idempotence", "false"}});
    WriterDriver driver(sink, 0, 1, nullptr, &stored);
    EXPECT_TRUE(driver.writer().claims_state("kafka-transactions"));
    EXPECT_TRUE(driver.writer().flushes_at_checkpoints()) << "a checkpoint waits";
    ASSERT_TRUE(driver.wait([&] {
      driver.writer().flushed();  // as the task asks
      return !driver.writer().busy();
    }));
    EXPECT_EQ(published().front(), "a");
    write(driver, {guarantee});
    OperatorSnapshot next = checkpoint(driver, 2);
    EXPECT_TRUE(next.empty()) << "nothing is left to do";
    ASSERT_TRUE(driver.flush());
    remember(stored, 1);
  }
  EXPECT_THAT(published(), ElementsAre("a", "at-least-once", "none"));
}

TEST_F(KafkaExactlyOnceTest, PendingEpochsOfFormerSubtasksAreCommittedOnceByTheNewOnes) {
  std::vector<OperatorSnapshot> old;
  for (int subtask = 0; subtask < 3; ++subtask) {
    WriterDriver driver(anew(), subtask, 3);
    write(driver, {fmt::format("of {}", subtask)});
    old.push_back(checkpoint(driver, 1));
    remember(old.back(), 0);
  }
  std::vector<OperatorSnapshot> next;
  for (int subtask = 0; subtask < 2; ++subtask) {
    const OperatorSnapshot restored = share(old, subtask, 2);
    WriterDriver driver(anew(), subtask, 2, nullptr, &restored);
    ASSERT_TRUE(driver.flush());
    EXPECT_FALSE(driver.writer().has_uncommitted()) << "or newer epochs could come first";
    next.push_back(checkpoint(driver, 2));
  }
  EXPECT_THAT(published(), UnorderedElementsAre("of 0", "of 1", "of 2"));
  const std::vector<std::string>& kept = next[0].union_state.at("kafka-transactions");
  ASSERT_EQ(kept.size(), 2u);
  EXPECT_EQ(stored(kept[1]).id, "tx-2");
  EXPECT_TRUE(stored(kept[1]).dormant) << "tx-2 is settled";
  // From the same checkpoint once more, by more of them.
  for (const OperatorSnapshot& snapshot : old) {
    remember(snapshot, 1);
  }
  for (int subtask = 0; subtask < 4; ++subtask) {
    const OperatorSnapshot restored = share(old, subtask, 4);
    WriterDriver driver(anew(), subtask, 4, nullptr, &restored);
    ASSERT_TRUE(driver.flush());
    ASSERT_TRUE(driver.wait([&] { return driver.writer().committed(); }));
  }
  EXPECT_EQ(published().size(), 3u);
}

TEST_F(KafkaExactlyOnceTest, AMarkerNewerThanTheCheckpointStopsUnlessDuplicatesAreAllowed) {
  OperatorSnapshot first;
  {
    WriterDriver driver(anew());
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
    WriterDriver driver(anew(), 0, 1, nullptr, &first);
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
  OperatorSnapshot snapshot;
  {
    WriterDriver driver(anew());
    write(driver, {"a"});
    snapshot = checkpoint(driver, 1);
  }
  {
    WriterDriver other(anew());  // a fresh start
    remember(checkpoint(other, 1), 0);
  }
  {
    WriterDriver driver(anew(), 0, 1, nullptr, &snapshot);
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

TEST_F(KafkaExactlyOnceTest, TwoJobsThatWentOnFromOneCheckpointAreToldApart) {
  OperatorSnapshot common;
  {
    WriterDriver driver(anew());
    write(driver, {"a"});
    common = checkpoint(driver, 1);
  }
  remember(common, 0);
  OperatorSnapshot of_first;
  {
    WriterDriver driver(anew(), 0, 1, nullptr, &common);
    ASSERT_TRUE(driver.flush());
    ASSERT_TRUE(driver.wait([&] { return driver.writer().committed(); }));
    write(driver, {"b of the first"});
    of_first = checkpoint(driver, 2);
  }
  remember(common, 1);
  OperatorSnapshot of_second;
  {
    WriterDriver driver(anew(), 0, 1, nullptr, &common);
    ASSERT_TRUE(driver.flush());
    EXPECT_FALSE(driver.writer().has_uncommitted()) << "a was committed by the first job";
    write(driver, {"b of the second"});
    of_second = checkpoint(driver, 2);
    ASSERT_TRUE(complete(driver, 2));
  }
  remember(of_second, 2);
  EXPECT_THAT(published(), ElementsAre("a", "b of the second"));
  {
    WriterDriver driver(anew(), 0, 1, nullptr, &of_first);
    const std::string text = start_error(driver);
    for (const char* part :
         {"'tx-0'", "epoch 2 was committed by another job", "'tx' last", "allow.duplicates"}) {
      EXPECT_THAT(text, HasSubstr(part));
    }
  }
  {
    WriterDriver driver(anew(), 0, 1, nullptr, &of_second);
    ASSERT_TRUE(driver.flush());
    EXPECT_FALSE(driver.writer().has_uncommitted());
  }
  KafkaSink allowing = this->sink({{"allow.duplicates.on.restore", "true"}});
  WriterDriver driver(allowing, 0, 1, nullptr, &of_first);
  ASSERT_TRUE(driver.flush());
  ASSERT_TRUE(driver.wait([&] { return driver.writer().committed(); }));
  EXPECT_THAT(published(), ElementsAre("a", "b of the second", "b of the first"));
}

TEST_F(KafkaExactlyOnceTest, CheckpointsFromBeforeThereWereLineagesAreRestored) {
  OperatorSnapshot old;
  {
    WriterDriver driver(anew());
    write(driver, {"a"});
    checkpoint(driver, 1);
    write(driver, {"b"});
    old = as_version_1(checkpoint(driver, 2));
  }
  const std::string run = [&] {
    BytesReader in(old.union_state.at("kafka-transactions").front());
    in.u8();
    in.string();
    in.varint();
    return std::string(in.string());
  }();
  remember("tx-0", {run, 1, "", ""});
  OperatorSnapshot next;
  {
    WriterDriver driver(anew(), 0, 1, nullptr, &old);
    ASSERT_TRUE(driver.flush());
    ASSERT_TRUE(driver.wait([&] { return driver.writer().committed(); }));
    next = checkpoint(driver, 3);
  }
  EXPECT_THAT(published(), ElementsAre("b")) << "a was committed, as the marker says";
  const Stored known = stored(next);
  EXPECT_EQ(known.run, run);
  EXPECT_EQ(known.committed, 2);
  EXPECT_EQ(known.lineages.front(), "");
  EXPECT_NE(known.lineages.back(), "");
}

// Stored entries: the second epoch of tx-0 is still to be committed. Of version 2 there is a stored
// job, too (tests/data/formats).
TEST_F(KafkaExactlyOnceTest, FormatOneStaysReadable) {
  remember("tx-0", {"run1", 1, "", ""});
  expect_published("01 0474782d30 00 0472756e31 036f7574 02 01 02 01 066b61666b6131");
}

TEST_F(KafkaExactlyOnceTest, FormatTwoStaysReadable) {
  remember("tx-0", {"run1", 1, "first", ""});
  expect_published(
      "02 0474782d30 00 0472756e31 036f7574 02 056669727374 00 01 02 067365636f6e64 01 "
      "066b61666b6131");
}

TEST_F(KafkaExactlyOnceTest, AnUnknownFormatIsRefusedForGood) {
  KafkaSink sink = this->sink();
  OperatorSnapshot snapshot;
  {
    WriterDriver driver(sink);
    write(driver, {"a"});
    snapshot = checkpoint(driver, 1);
  }
  ASSERT_EQ(snapshot.union_state.size(), 1U);
  snapshot.union_state.begin()->second.at(0)[0] = 99;
  ErrorKind kind{};
  EXPECT_THAT(error_of([&] { WriterDriver(sink, 0, 1, nullptr, &snapshot).flush(); }, &kind),
              HasSubstr("the format version 99, and this version of Flott reads 1 and 2"));
  EXPECT_EQ(kind, ErrorKind::kInvalidArgument);
}

TEST_F(KafkaExactlyOnceTest, AJobThatLostItsIdsToAnotherDoesNotTakeThemBack) {
  KafkaSink sink = this->sink();
  OperatorSnapshot snapshot;
  {
    WriterDriver driver(sink);
    write(driver, {"a"});
    snapshot = checkpoint(driver, 1);
  }
  remember(snapshot, 0, "another job");
  // A restart by itself: it has had the id. It ends before it fences anybody.
  for (const OperatorSnapshot* restored : {static_cast<const OperatorSnapshot*>(&snapshot),
                                           static_cast<const OperatorSnapshot*>(nullptr)}) {
    WriterDriver driver(sink, 0, 1, nullptr, restored);
    ErrorKind kind{};
    const std::string text = error_of([&] { driver.flush(); }, &kind);
    EXPECT_EQ(kind, ErrorKind::kInvalidArgument) << "which no strategy tries again";
    for (const char* part : {"another producer has taken over the transactional id 'tx-0'",
                             "'tx' (set_transactional_id_prefix)",
                             "sink 'sink'"}) {
      EXPECT_THAT(text, HasSubstr(part));
    }
  }
  // A successor may take them.
  KafkaSink successor = this->sink();
  WriterDriver driver(successor, 0, 1, nullptr, &snapshot);
  ASSERT_TRUE(driver.flush());
  ASSERT_TRUE(driver.wait([&] { return driver.writer().committed(); }));
  EXPECT_THAT(published(), ElementsAre("a"));
}

TEST_F(KafkaExactlyOnceTest, TwoSinksOfOneJobWithOnePrefixAreRefused) {
  cluster_.create_topic("other", 1);
  {
    WriterDriver driver(anew());
    KafkaSink other = this->sink({{"topic", "other"}});
    ErrorKind kind{};
    const std::string text = error_of([&] { WriterDriver second(other); }, &kind);
    EXPECT_EQ(kind, ErrorKind::kInvalidArgument);
    for (const char* part : {"'tx-0'", "(topic 'out')", "(topic 'other')", "prefix of its own"}) {
      EXPECT_THAT(text, HasSubstr(part));
    }
    WriterDriver another_subtask(other, 1, 2);
    ASSERT_TRUE(driver.flush());
  }
  WriterDriver driver(anew());  // one after the other is no matter
  ASSERT_TRUE(driver.flush());
}

TEST_F(KafkaExactlyOnceTest, ACopyUnderANewPrefixLeavesTheOriginalItsIds) {
  KafkaSink sink = this->sink();
  OperatorSnapshot snapshot;
  {
    WriterDriver driver(sink);
    write(driver, {"a"});
    snapshot = checkpoint(driver, 1);
  }
  remember(snapshot, 0, "the original");
  KafkaSink copy = this->sink({{"transactional.id.prefix", "copy"}});
  {
    WriterDriver driver(copy, 0, 1, nullptr, &snapshot);
    ASSERT_TRUE(driver.flush());
    ASSERT_TRUE(driver.wait([&] { return driver.writer().committed(); }));
    const OperatorSnapshot next = checkpoint(driver, 2);
    ASSERT_EQ(next.union_state.at("kafka-transactions").size(), 1u) << "tx-0 is done with";
    EXPECT_EQ(stored(next).id, "copy-0");
    EXPECT_NE(stored(next).run, stored(snapshot).run);
  }
  EXPECT_THAT(published(), ElementsAre("a"));
  // An attempt of the copy that starts again finds the original's markers, and is not offended.
  WriterDriver driver(copy, 0, 1, nullptr, &snapshot);
  ASSERT_TRUE(driver.flush());
}

TEST_F(KafkaExactlyOnceTest, MoreSubtasksKnowTheIdsThatFewerLeftBehind) {
  std::vector<OperatorSnapshot> three;
  for (int subtask = 0; subtask < 3; ++subtask) {
    WriterDriver driver(anew(), subtask, 3);
    three.push_back(checkpoint(driver, 1));
    remember(three.back(), 0);
  }
  std::vector<OperatorSnapshot> one(1);
  {
    const OperatorSnapshot restored = share(three, 0, 1);
    WriterDriver driver(anew(), 0, 1, nullptr, &restored);
    ASSERT_TRUE(driver.flush());
    ASSERT_TRUE(driver.wait([&] { return driver.writer().committed(); }));
    one[0] = checkpoint(driver, 2);
  }
  ASSERT_EQ(one[0].union_state.at("kafka-transactions").size(), 3u);
  const Stored second = stored(one[0].union_state.at("kafka-transactions")[1]);
  EXPECT_EQ(second.id, "tx-1");
  EXPECT_EQ(second.committed, 1);
  // Brokers that remember what it committed, and brokers that have forgotten, because nobody used
  // it for long.
  const OperatorSnapshot again = share(one, 2, 3);
  remember(three[2], 1);
  MockCluster forgetful;
  forgetful.create_topic("out", 1);
  KafkaSink elsewhere = this->sink({{"bootstrap.servers", forgetful.bootstrap_servers()}});
  for (KafkaSink* const sink : {&anew(), &elsewhere}) {
    WriterDriver driver(*sink, 2, 3, nullptr, &again);
    ASSERT_TRUE(driver.flush());
    const Stored known = stored(checkpoint(driver, 3));
    EXPECT_EQ(known.run, stored(three[2]).run);
    EXPECT_EQ(known.committed, 1);
  }
  // Subtask 2 of a later checkpoint with three of them committed, subtask 0 did not come to it:
  // nothing but the marker of tx-2 says that the checkpoint of one is not the newest.
  remember(three[2], 2);
  WriterDriver driver(anew(), 2, 3, nullptr, &again);
  EXPECT_THAT(start_error(driver), HasSubstr("1 epochs were committed after the checkpoint"));
}

TEST_F(KafkaExactlyOnceTest, IdsThatTheCheckpointDoesNotKnowTellThatItIsNotTheNewest) {
  std::vector<OperatorSnapshot> one(1);
  {
    WriterDriver driver(anew());
    one[0] = checkpoint(driver, 1);
    remember(one[0], 0);
  }
  const std::string run = stored(one[0]).run;
  const OperatorSnapshot second = share(one, 1, 2);
  // An attempt with two subtasks that committed nothing.
  remember("tx-1", {run, 0, "", "any"});
  {
    WriterDriver driver(anew(), 1, 2, nullptr, &second);
    ASSERT_TRUE(driver.flush());
    EXPECT_EQ(stored(checkpoint(driver, 2)).run, run);
  }
  // One that did; and what another job left there.
  remember("tx-1", {run, 1, "x", "any"});
  KafkaSink later = this->sink();
  {
    WriterDriver driver(later, 1, 2, nullptr, &second);
    EXPECT_THAT(start_error(driver), HasSubstr("1 epochs were committed after the checkpoint"));
  }
  {
    WriterDriver driver(later, 0, 1, nullptr, &one[0]);
    EXPECT_THAT(start_error(driver), HasSubstr("1 epochs were committed after the checkpoint"));
  }
  remember("tx-1", {"another run", 7, "x", "any"});
  WriterDriver driver(later, 1, 2, nullptr, &second);
  EXPECT_TRUE(driver.flush());
}

TEST_F(KafkaExactlyOnceTest, ATransactionThatFailsIsSentAgain) {
  WriterDriver driver(anew());
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
  WriterDriver driver(anew());
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
