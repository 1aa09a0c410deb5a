#include "base/clock.h"
#include "connectors/elasticsearch/elasticsearch_writer.h"
#include "fake_elasticsearch.h"
#include "types/batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <random>
#include <string>
#include <vector>

namespace flott {
namespace {

using testing::HasSubstr;
using testing::Not;

/// One action as a row of bulk_action_type().
struct Row {
  std::string action;
  std::string id;
  std::string source;
  std::int64_t version = -1;
  std::string index = "i";
};

BatchPtr batch_of(const std::vector<Row>& rows) {
  BatchBuilder builder(bulk_action_type());
  const auto text = [&](std::size_t column, const std::string& value) {
    if (value.empty()) {
      builder.column(column).append_null();
    } else {
      builder.column(column).append_string(value);
    }
  };
  for (const Row& row : rows) {
    text(0, row.action);
    text(1, row.index);
    text(2, row.id);
    text(3, "");
    text(4, row.source);
    if (row.version < 0) {
      builder.column(5).append_null();
    } else {
      builder.column(5).append_int(row.version);
    }
    text(6, "");
    builder.end_row();
  }
  return builder.finish();
}

/// Drives a writer as a task does.
class WriterTest : public testing::Test {
 protected:
  void make(const std::vector<std::string>& hosts,
            std::map<std::string, std::string> options = {}) {
    std::string list;
    for (const std::string& host : hosts) {
      list += (list.empty() ? "" : ",") + host;
    }
    options["hosts"] = list;
    options.try_emplace("bulk-flush.backoff.delay-ms", "1");
    options.try_emplace("bulk-flush.backoff.max-delay-ms", "4");
    SinkWriterContext context;
    context.clock = &clock_;
    context.metrics = &metrics_;
    context.wakeup = [this] {
      const std::lock_guard lock(mutex_);
      ++wakeups_;
      woken_.notify_all();
    };
    writer_ = std::make_unique<ElasticsearchWriter>(
        ElasticsearchOptions::from(Options(options)), nullptr, context);
    writer_->open();
  }
  void TearDown() override {
    if (writer_) {
      writer_->close();
    }
  }

  /// Waits for `condition`, which may throw, looking again at every wake-up.
  void wait_until(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!condition()) {
      std::unique_lock lock(mutex_);
      const int seen = wakeups_;
      if (std::chrono::steady_clock::now() > deadline) {
        FAIL() << "nothing happened for a minute";
      }
      woken_.wait_for(lock, std::chrono::milliseconds(20), [&] { return wakeups_ != seen; });
    }
  }
  void flush() {
    writer_->start_flush();
    wait_until([&] { return writer_->flushed(); });
  }
  int wakeups() {
    const std::lock_guard lock(mutex_);
    return wakeups_;
  }
  std::string error_of(const std::function<void()>& run) {
    try {
      run();
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }
  std::int64_t metric(const std::string& name) { return metrics_.counter(name).get(); }

  ManualClock clock_{1000};
  MetricGroup metrics_;
  std::mutex mutex_;
  std::condition_variable woken_;
  int wakeups_ = 0;
  std::unique_ptr<ElasticsearchWriter> writer_;
};

TEST_F(WriterTest, WritesEveryKindOfAction) {
  FakeElasticsearch server;
  make({server.url()});
  writer_->write(batch_of({{"index", "1", R"({"a":1})"},
                           {"upsert", "2", R"({"a":2})"},
                           {"create", "3", R"({"a":3})"},
                           {"index", "", R"({"a":4})"},
                           {"index", "5", "{}"}}));
  flush();
  writer_->write(
      batch_of({{"update", "1", R"({"b":1})"}, {"delete", "3", ""}, {"delete", "nowhere", ""}}));
  flush();
  const FakeElasticsearch::Documents documents = server.documents();
  EXPECT_EQ(documents.at({"i", "", "1"}).dump(), R"({"a":1,"b":1})");
  EXPECT_EQ(documents.at({"i", "", "2"}).dump(), R"({"a":2})");
  EXPECT_FALSE(documents.contains({"i", "", "3"}));
  EXPECT_EQ(documents.size(), 4U);
  EXPECT_EQ(metric("numRecordsSend"), 8);
  EXPECT_EQ(metric("bulkRequests"), 2);
  EXPECT_GT(metric("numBytesSend"), 100);
  EXPECT_EQ(metric("numRecordsSendErrors"), 0);
}

TEST_F(WriterTest, SendsByActionsBytesAndInterval) {
  FakeElasticsearch server;
  make({server.url()}, {{"bulk-flush.max-actions", "10"}, {"bulk-flush.interval-ms", "500"}});
  std::vector<Row> rows;
  for (int i = 0; i < 25; ++i) {
    rows.push_back({"index", std::to_string(i), "{}"});
  }
  EXPECT_EQ(writer_->next_time(), kMaxTimestamp);
  writer_->write(batch_of(rows));
  EXPECT_EQ(writer_->next_time(), 1500);
  wait_until([&] { return server.documents().size() == 20; });
  EXPECT_FALSE(writer_->flushed());
  clock_.set(1500);
  writer_->on_time();
  wait_until([&] { return writer_->flushed(); });
  EXPECT_EQ(server.documents().size(), 25U);
  EXPECT_EQ(writer_->next_time(), kMaxTimestamp);
  std::vector<std::size_t> sizes = server.request_sizes();
  std::sort(sizes.begin(), sizes.end());
  EXPECT_EQ(sizes, (std::vector<std::size_t>{5, 10, 10}));
}

TEST_F(WriterTest, IsBusyWhileTheServerHoldsRequests) {
  FakeElasticsearch server({Answer::kHold, Answer::kHold});
  make({server.url()}, {{"bulk-flush.max-actions", "1"}, {"max-in-flight-requests", "2"}});
  EXPECT_FALSE(writer_->busy());
  writer_->write(batch_of({{"index", "1", "{}"}, {"index", "2", "{}"}, {"index", "3", "{}"}}));
  server.wait_for_held(2);
  EXPECT_FALSE(writer_->busy());
  writer_->write(batch_of({{"index", "4", "{}"}}));
  EXPECT_TRUE(writer_->busy());
  writer_->start_flush();
  EXPECT_FALSE(writer_->flushed());
  server.release();
  wait_until([&] { return writer_->flushed(); });
  EXPECT_FALSE(writer_->busy());
  EXPECT_EQ(server.documents().size(), 4U);
}

TEST_F(WriterTest, KeepsADocumentBackWhileItIsOut) {
  FakeElasticsearch server({Answer::kHold});
  make({server.url()}, {{"bulk-flush.max-actions", "1"}});
  writer_->write(batch_of({{"upsert", "1", R"({"a":1})"}}));
  server.wait_for_held(1);
  writer_->write(batch_of(
      {{"upsert", "1", R"({"b":1})"}, {"upsert", "1", R"({"b":2})"}, {"upsert", "2", "{}"}}));
  wait_until([&] { return server.documents().size() == 1; });  // document 2 passes
  server.release();
  flush();
  const FakeElasticsearch::Documents documents = server.documents();
  EXPECT_EQ(documents.at({"i", "", "1"}).dump(), R"({"a":1,"b":2})");
  EXPECT_EQ(metric("deduplicated"), 1);
  EXPECT_TRUE(server.violations().empty());
}

TEST_F(WriterTest, RetriesWhatTheServerCannotTakeNow) {
  for (const Answer answer : {Answer::kTooMany,
                              Answer::kUnavailable,
                              Answer::kSomeItems,
                              Answer::kReset,
                              Answer::kApplyThenReset}) {
    FakeElasticsearch server({answer, answer, answer});
    make({server.url()});
    writer_->write(batch_of({{"index", "1", "{}"},
                             {"upsert", "2", "{}"},
                             {"create", "3", "{}"},
                             {"index", "4", "{}"}}));
    flush();
    EXPECT_EQ(server.documents().size(), 4U);
    EXPECT_TRUE(server.violations().empty());
    TearDown();
  }
  EXPECT_EQ(metric("numRecordsSendErrors"), 0);
  EXPECT_GE(metric("bulkRetries"), 12);
}

TEST_F(WriterTest, ACreateThatWasOnlyPutOffIsNotTheDocumentThatIsThere) {
  FakeElasticsearch server({Answer::kSomeItems});
  server.put({"i", "", "1"}, {{"by", "another"}});
  make({server.url()}, {{"failure-handler", "skip"}});
  writer_->write(batch_of({{"create", "1", R"({"by":"us"})"}}));
  flush();
  EXPECT_EQ(metric("bulkRetries"), 1);
  EXPECT_EQ(metric("numRecordsSendErrors"), 1);
  EXPECT_EQ(metric("numRecordsSend"), 0);
}

TEST_F(WriterTest, WhatIsWrittenDuringAFlushIsFlushedToo) {
  FakeElasticsearch server({Answer::kHold});
  make({server.url()});
  writer_->write(batch_of({{"index", "1", "{}"}}));
  writer_->start_flush();
  server.wait_for_held(1);
  wait_until([&] { return wakeups() == 1; });  // of the ping
  server.release();
  wait_until([&] { return wakeups() == 2; });
  writer_->write(batch_of({{"index", "2", "{}"}}));
  wait_until([&] { return writer_->flushed(); });
  EXPECT_EQ(server.documents().size(), 2U);
  writer_->write(batch_of({{"index", "3", "{}"}}));
  EXPECT_FALSE(writer_->flushed()) << "and then the flush is over";
  EXPECT_EQ(metric("bulkRequests"), 2);
}

TEST_F(WriterTest, GivesUpAfterMaxRetries) {
  FakeElasticsearch server({Answer::kTooMany, Answer::kTooMany, Answer::kTooMany});
  make({server.url()},
       {{"bulk-flush.backoff.max-retries", "2"}, {"bulk-flush.backoff.type", "constant"}});
  writer_->write(batch_of({{"index", "7", "{}"}}));
  const std::string error = error_of([&] { flush(); });
  EXPECT_THAT(
      error,
      HasSubstr("index of document '7' in index 'i' after 2 retries: status 429: some_exception"));
  EXPECT_THAT(error, HasSubstr("bulk-flush.backoff.max-retries"));
  EXPECT_THAT(error, HasSubstr(server.url()));
  EXPECT_EQ(server.bulk_requests(), 3);
  EXPECT_EQ(error_of([&] { writer_->write(batch_of({{"index", "8", "{}"}})); }), error);
  EXPECT_FALSE(writer_->busy());
}

TEST_F(WriterTest, DoesNotRetryWithBackoffNone) {
  FakeElasticsearch server({Answer::kUnavailable});
  make({server.url()}, {{"bulk-flush.backoff.type", "NONE"}});
  writer_->write(batch_of({{"index", "7", "{}"}}));
  EXPECT_THAT(error_of([&] { flush(); }), HasSubstr("after 0 retries: status 503"));
}

TEST_F(WriterTest, HalvesRequestsThatAreTooLarge) {
  FakeElasticsearch server;
  server.set_max_body(300);
  make({server.url()}, {{"failure-handler", "skip"}});
  std::vector<Row> rows;
  for (int i = 0; i < 40; ++i) {
    rows.push_back({"index", std::to_string(i), R"({"a":1})"});
  }
  rows.push_back({"index", "huge", R"({"a":")" + std::string(400, 'x') + R"("})"});
  writer_->write(batch_of(rows));
  flush();
  EXPECT_EQ(server.documents().size(), 40U);
  EXPECT_EQ(metric("numRecordsSendErrors"), 1);
}

TEST_F(WriterTest, FindsTheActionForWhichTheServerRefusesAWholeRequest) {
  FakeElasticsearch server;
  make({server.url()}, {{"failure-handler", "skip"}});
  std::vector<Row> rows;
  for (int i = 0; i < 20; ++i) {
    rows.push_back({"index", std::to_string(i), "{}"});
  }
  rows.insert(rows.begin() + 7, {"index", std::string(600, 'x'), "{}"});
  writer_->write(batch_of(rows));
  flush();
  EXPECT_EQ(server.documents().size(), 20U);
  EXPECT_EQ(metric("numRecordsSendErrors"), 1);
  TearDown();

  make({server.url()});
  writer_->write(batch_of(rows));
  EXPECT_THAT(error_of([&] { flush(); }), HasSubstr("in index 'i' (status 400, action_request_"));
}

TEST_F(WriterTest, FailsWithTheItemTheServerRefuses) {
  FakeElasticsearch server;
  make({server.url()});
  writer_->write(batch_of({{"index", "1", "{}"}, {"index", "2", R"({"bad":1})"}}));
  const std::string error = error_of([&] { flush(); });
  EXPECT_THAT(error,
              HasSubstr("refused the index of document '2' in index 'i' (status 400, "
                        "mapper_parsing_exception): because"));
  EXPECT_THAT(error, HasSubstr("failure-handler"));
}

TEST_F(WriterTest, WritesRefusedActionsToTheDeadLetterFile) {
  const std::string file = testing::TempDir() + "/flott_dead_letters.jsonl";
  std::filesystem::remove(file);
  FakeElasticsearch server;
  make({server.url()}, {{"failure-handler", "dead-letter"}, {"dead-letter.file", file}});
  writer_->write(batch_of(
      {{"index", "1", "{}"}, {"index", "2", R"({"bad":"\n"})"}, {"update", "none", "{}"}}));
  flush();
  EXPECT_EQ(server.documents().size(), 1U);
  EXPECT_EQ(metric("deadLettered"), 2);
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  const nlohmann::json letter = nlohmann::json::parse(line);
  EXPECT_EQ(letter["id"], "2");
  EXPECT_EQ(letter["source"], R"({"bad":"\n"})");
  EXPECT_EQ(letter["status"], 400);
  std::getline(in, line);
  EXPECT_EQ(nlohmann::json::parse(line)["type"], "document_missing_exception");
  std::filesystem::remove(file);
}

TEST_F(WriterTest, OlderExternalVersionsAreNoErrors) {
  FakeElasticsearch server;
  make({server.url()});
  writer_->write(batch_of({{"index", "1", R"({"v":5})", 5}}));
  flush();
  writer_->write(batch_of({{"index", "1", R"({"v":4})", 4}}));
  flush();
  EXPECT_EQ(server.documents().at({"i", "", "1"}).dump(), R"({"v":5})");
  EXPECT_EQ(metric("versionConflicts"), 1);
}

TEST_F(WriterTest, NamesHostAndSettingWhenCredentialsAreRefused) {
  FakeElasticsearch server;
  server.require_header("Authorization: Basic dTpw");
  make({server.url()}, {{"connection.username", "u"}, {"connection.password", "hunter2"}});
  const std::string error = error_of([&] { wait_until([&] { return !writer_->flushed(); }); });
  EXPECT_THAT(
      error,
      HasSubstr("refused the credentials (status 401): security_exception: missing credentials"));
  EXPECT_THAT(error, HasSubstr("connection.username"));
  EXPECT_THAT(error, Not(HasSubstr("hunter2")));
}

TEST_F(WriterTest, WritesWithAKeyThatMayNotAskTheCluster) {
  FakeElasticsearch server;
  server.set_ping_status(403);
  make({server.url()});
  wait_until([&] { return wakeups() > 0; });
  writer_->write(batch_of({{"index", "1", "{}"}}));
  flush();
  EXPECT_EQ(server.documents().size(), 1U);
}

TEST_F(WriterTest, SendsCredentialsAndGzip) {
  {
    FakeElasticsearch server;
    server.require_header("Authorization: Basic dTpw");
    make({server.url()},
         {{"connection.username", "u"}, {"connection.password", "p"}, {"compression", "gzip"}});
    writer_->write(batch_of({{"index", "1", "{}"}}));
    flush();
    EXPECT_EQ(server.documents().size(), 1U);
    TearDown();
  }
  FakeElasticsearch server;
  server.require_header("Authorization: ApiKey a2V5");
  make({server.url()}, {{"api-key", "a2V5"}});
  writer_->write(batch_of({{"index", "1", "{}"}}));
  flush();
  EXPECT_EQ(server.documents().size(), 1U);
}

TEST_F(WriterTest, SaysWhenTheHostIsUnknownOrNoElasticsearch) {
  make({"http://no-such-host.invalid:9200"});
  EXPECT_THAT(error_of([&] { wait_until([&] { return !writer_->flushed(); }); }),
              HasSubstr("http://no-such-host.invalid:9200 cannot be found"));
  TearDown();
  FakeElasticsearch server({Answer::kGarbage});
  make({server.url()});
  writer_->write(batch_of({{"index", "1", "{}"}}));
  EXPECT_THAT(error_of([&] { flush(); }), HasSubstr("<html>login</html>"));
  TearDown();
  make({server.url()}, {{"connection.path-prefix", "elsewhere"}});
  writer_->write(batch_of({{"index", "1", "{}"}}));
  EXPECT_THAT(error_of([&] { flush(); }),
              HasSubstr("/elsewhere answered a bulk request with status 404"));
}

TEST_F(WriterTest, UsesTheLivingHost) {
  std::string dead;
  {
    const FakeElasticsearch gone;
    dead = gone.url();
  }
  FakeElasticsearch server;
  make({dead, server.url()}, {{"bulk-flush.max-actions", "1"}});
  for (int i = 0; i < 20; ++i) {
    writer_->write(batch_of({{"index", std::to_string(i), "{}"}}));
  }
  flush();
  EXPECT_EQ(server.documents().size(), 20U);
}

TEST_F(WriterTest, NoticesTimeouts) {
  FakeElasticsearch server({Answer::kHold});
  make({server.url()}, {{"connection.request-timeout-ms", "50"}});
  writer_->write(batch_of({{"index", "1", R"({"a":1})"}}));
  writer_->start_flush();
  wait_until([&] { return metric("bulkRetries") > 0; });
  server.release();
  wait_until([&] { return writer_->flushed(); });
  EXPECT_EQ(server.documents().size(), 1U);
}

TEST_F(WriterTest, ClosesWithRequestsUnderWay) {
  FakeElasticsearch server({Answer::kHold});
  make({server.url()}, {{"bulk-flush.max-actions", "1"}});
  writer_->write(batch_of({{"index", "1", "{}"}}));
  server.wait_for_held(1);
  writer_->close();
  server.release();
}

TEST_F(WriterTest, RefusesRowsThatAreNoActions) {
  FakeElasticsearch server;
  make({server.url()});
  EXPECT_THAT(error_of([&] { writer_->write(batch_of({{"put", "1", "{}"}})); }),
              HasSubstr("action 'put' is unknown"));
  EXPECT_THAT(error_of([&] { writer_->write(batch_of({{"delete", "", ""}})); }),
              HasSubstr("has no id"));
  EXPECT_THAT(error_of([&] { writer_->write(batch_of({{"index", "1", ""}})); }),
              HasSubstr("has no document"));
  EXPECT_THAT(error_of([&] { writer_->write(batch_of({{"upsert", "1", "{}", 3}})); }),
              HasSubstr("external versions"));
  EXPECT_THAT(error_of([&] { writer_->write(batch_of({{"index", "1", "{}", -1, ""}})); }),
              HasSubstr("has no index"));
}

/// Whatever goes wrong on the way, the documents in the end are those of the same actions applied
/// one after the other.
TEST_F(WriterTest, EndsWithTheSameDocumentsUnderFaults) {
  for (const unsigned seed : {1U, 2U, 3U}) {
    std::mt19937 random(seed);
    std::vector<Answer> script;
    const std::vector<Answer> faults = {Answer::kApply,
                                        Answer::kTooMany,
                                        Answer::kUnavailable,
                                        Answer::kSomeItems,
                                        Answer::kReset,
                                        Answer::kApplyThenReset};
    for (int i = 0; i < 120; ++i) {
      script.push_back(faults[random() % faults.size()]);
    }
    FakeElasticsearch server(script);
    make({server.url()}, {{"bulk-flush.max-actions", "40"}, {"failure-handler", "skip"}});
    std::map<std::string, nlohmann::json> model;
    std::int64_t updates_of_nothing = 0;
    for (int step = 0; step < 300; ++step) {
      std::vector<Row> rows;
      for (int i = 0; i < 20; ++i) {
        const std::string id = std::to_string(random() % 60);
        const nlohmann::json doc = {{"f" + std::to_string(random() % 4), random() % 1000},
                                    {"o", {{"p" + std::to_string(random() % 3), step}}}};
        const auto merge = [&] {
          for (const auto& [key, value] : doc.items()) {
            if (value.is_object() && model[id].contains(key)) {
              model[id][key].update(value);
            } else {
              model[id][key] = value;
            }
          }
        };
        switch (random() % 6) {
          case 0:
            rows.push_back({"index", id, doc.dump()});
            model[id] = doc;
            break;
          case 1:
            rows.push_back({"delete", id, ""});
            model.erase(id);
            break;
          case 2:
            rows.push_back({"update", id, doc.dump()});
            if (model.contains(id)) {
              merge();
            } else {
              ++updates_of_nothing;
            }
            break;
          default:
            rows.push_back({"upsert", id, doc.dump()});
            if (model.contains(id)) {
              merge();
            } else {
              model[id] = doc;
            }
            break;
        }
      }
      wait_until([&] { return !writer_->busy(); });
      writer_->write(batch_of(rows));
      if (step % 50 == 49) {
        flush();
      }
    }
    flush();
    std::map<std::string, nlohmann::json> stored;
    for (const auto& [key, document] : server.documents()) {
      stored[std::get<2>(key)] = document;
    }
    EXPECT_EQ(stored, model) << "seed " << seed;
    EXPECT_TRUE(server.violations().empty()) << server.violations().front();
    TearDown();
  }
}

}  // namespace
}  // namespace flott
