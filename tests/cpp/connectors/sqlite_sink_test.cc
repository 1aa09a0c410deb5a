#include "connectors/sqlite/sqlite_sink.h"

#include "connectors/registry.h"
#include "tests/cpp/connectors/reading.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>

namespace flott {
namespace {

class SqliteSinkTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = (std::filesystem::temp_directory_path() /
             ("flott_sqlite_" + std::to_string(monotonic_ns()) + ".db"))
                .string();
  }
  void TearDown() override {
    for (const char* end : {"", "-wal", "-shm"}) {
      std::filesystem::remove(path_ + end);
    }
  }
  std::string query(const std::string& sql) const {
    sqlite3* database = nullptr;
    sqlite3_open(path_.c_str(), &database);
    std::string out;
    sqlite3_exec(
        database,
        sql.c_str(),
        [](void* text, int count, char** values, char**) {
          auto& to = *static_cast<std::string*>(text);
          for (int i = 0; i < count; ++i) {
            to += std::string(i == 0 ? "" : "|") + (values[i] == nullptr ? "NULL" : values[i]);
          }
          to += ";";
          return 0;
        },
        &out,
        nullptr);
    sqlite3_close(database);
    return out;
  }
  static LogicalTypePtr type() {
    return LogicalType::row({"org", "n", "avg"},
                            {LogicalType::of(TypeKind::kString),
                             LogicalType::of(TypeKind::kBigInt),
                             LogicalType::of(TypeKind::kDouble)});
  }
  static BatchPtr rows(const std::vector<std::pair<RowKind, std::vector<Value>>>& rows) {
    BatchBuilder builder(type());
    for (const auto& [kind, fields] : rows) {
      builder.append(Value::row(fields), kNoTimestamp, kind);
    }
    return builder.finish();
  }
  std::string path_;
};

TEST_F(SqliteSinkTest, UpsertsByKeyAndDeletes) {
  const auto sink = ConnectorRegistry::instance().make_sink(
      "sqlite", test::options_of({{"path", path_}, {"table", "counts"}, {"key", "org"}}), type());
  test::WriterDriver driver(*sink);
  const auto s = [](const char* text) { return Value::string(text); };
  driver.writer().write(
      rows({{RowKind::kInsert, {s("a"), Value::integer(1), Value::real(0.5)}},
            {RowKind::kInsert, {s("b"), Value::integer(1), Value::null()}},
            {RowKind::kUpdateBefore, {s("a"), Value::integer(1), Value::real(0.5)}},
            {RowKind::kUpdateAfter, {s("a"), Value::integer(2), Value::real(1)}}}));
  ASSERT_TRUE(driver.flush());
  EXPECT_EQ(query("SELECT * FROM counts ORDER BY org"), "a|2|1.0;b|1|NULL;");
  driver.writer().write(rows({{RowKind::kDelete, {s("b"), Value::null(), Value::null()}}}));
  ASSERT_TRUE(driver.flush());
  EXPECT_EQ(query("SELECT org FROM counts"), "a;");
}

TEST_F(SqliteSinkTest, CommitsWhenTheIntervalIsOver) {
  ManualClock clock(0);
  SqliteSink sink(test::options_of({{"path", path_}, {"table", "t"}, {"flush.interval.ms", "100"}}),
                  type());
  test::WriterDriver driver(sink, 0, 1, &clock);
  EXPECT_EQ(driver.writer().next_time(), kMaxTimestamp);
  driver.writer().write(
      rows({{RowKind::kInsert, {Value::string("a"), Value::integer(1), Value::null()}}}));
  EXPECT_EQ(driver.writer().next_time(), 100);
  EXPECT_EQ(query("SELECT count(*) FROM t"), "0;");
  driver.writer().on_time();
  EXPECT_EQ(query("SELECT count(*) FROM t"), "1;");
}

TEST_F(SqliteSinkTest, ErrorsNameFileAndTable) {
  SqliteSink sink(test::options_of({{"path", "/nowhere/x.db"}, {"table", "t"}}), type());
  const std::string text = test::error_of([&] { test::WriterDriver driver(sink); });
  EXPECT_NE(text.find("'/nowhere/x.db'"), std::string::npos) << text;
  EXPECT_NE(test::error_of([&] {
              SqliteSink(test::options_of({{"path", path_}, {"table", "t"}, {"key", "x"}}), type());
            }).find("'x'"),
            std::string::npos);
}

}  // namespace
}  // namespace flott
