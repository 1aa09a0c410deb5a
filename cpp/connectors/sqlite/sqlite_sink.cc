#include "connectors/sqlite/sqlite_sink.h"

#include "connectors/print/value_text.h"
#include "connectors/registry.h"

#include <sqlite3.h>

#include <algorithm>
#include <memory>
#include <vector>

namespace flott {
namespace {

struct DatabaseCloser {
  void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
};
struct StatementCloser {
  void operator()(sqlite3_stmt* handle) const { sqlite3_finalize(handle); }
};
using Database = std::unique_ptr<sqlite3, DatabaseCloser>;
using Statement = std::unique_ptr<sqlite3_stmt, StatementCloser>;

std::string quoted(const std::string& name) {
  std::string out = "\"";
  for (const char c : name) {
    out.push_back(c);
    if (c == '"') {
      out.push_back(c);
    }
  }
  return out + "\"";
}

const char* sqlite_type(const LogicalType& type) {
  switch (type.kind()) {
    case TypeKind::kBoolean:
    case TypeKind::kTinyInt:
    case TypeKind::kSmallInt:
    case TypeKind::kInt:
    case TypeKind::kBigInt:
    case TypeKind::kIntervalMonths:
    case TypeKind::kIntervalMillis:
      return "INTEGER";
    case TypeKind::kFloat:
    case TypeKind::kDouble:
      return "REAL";
    case TypeKind::kBytes:
      return "BLOB";
    default:
      return "TEXT";
  }
}

class SqliteWriter final : public SinkWriter {
 public:
  SqliteWriter(const Options& options, LogicalTypePtr type, const SinkWriterContext& context)
      : type_(std::move(type)),
        path_(options.get("path")),
        table_(options.get("table")),
        keys_(options.get_list("key")),
        flush_rows_(options.get_int("flush.rows", 1000)),
        flush_interval_ms_(options.get_int("flush.interval.ms", 200)),
        busy_timeout_ms_(static_cast<int>(options.get_int("busy.timeout.ms", 5000))),
        clock_(*context.clock) {
    if (context.metrics != nullptr) {
      records_ = &context.metrics->counter("numRecordsSend");
    }
  }

  void open() override {
    sqlite3* handle = nullptr;
    const int code = sqlite3_open_v2(
        path_.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
    database_.reset(handle);
    check(code, "open");
    // Subtasks write the same file in turn.
    sqlite3_busy_timeout(handle, busy_timeout_ms_);
    execute("PRAGMA journal_mode=WAL");
    execute("PRAGMA synchronous=NORMAL");
    std::string columns;
    std::string marks;
    std::string updates;
    for (std::size_t i = 0; i < type_->children().size(); ++i) {
      const std::string name = quoted(type_->field_names()[i]);
      columns += (i == 0 ? "" : ", ") + name + " " + sqlite_type(*type_->children()[i]);
      marks += i == 0 ? "?" : ", ?";
      if (!is_key(type_->field_names()[i])) {
        updates += (updates.empty() ? "" : ", ") + name + " = excluded." + name;
      }
    }
    std::string key_list;
    std::string condition;
    for (const std::string& key : keys_) {
      key_list += (key_list.empty() ? "" : ", ") + quoted(key);
      condition += (condition.empty() ? "" : " AND ") + quoted(key) + " IS ?";
    }
    const std::string table = quoted(table_);
    execute("CREATE TABLE IF NOT EXISTS " + table + " (" + columns +
            (keys_.empty() ? "" : ", PRIMARY KEY (" + key_list + ")") + ")");
    std::string upsert = "INSERT INTO " + table + " VALUES (" + marks + ")";
    if (!keys_.empty()) {
      upsert += " ON CONFLICT (" + key_list + ") DO " +
                (updates.empty() ? "NOTHING" : "UPDATE SET " + updates);
      delete_ = prepare("DELETE FROM " + table + " WHERE " + condition);
    }
    upsert_ = prepare(upsert);
  }

  // Rows wait here, not in an open transaction: that would lock out all others who write to the
  // file.
  void write(const BatchPtr& batch) override {
    if (pending_ == 0) {
      due_ms_ = clock_.now_ms() + flush_interval_ms_;
    }
    pending_ += batch->num_rows();
    batches_.push_back(batch);
    records_->inc(batch->num_rows());
    if (pending_ >= flush_rows_) {
      commit();
    }
  }

  Timestamp next_time() const override { return pending_ == 0 ? kMaxTimestamp : due_ms_; }
  void on_time() override { commit(); }
  void start_flush() override { commit(); }
  bool flushed() override { return true; }
  void close() override {
    upsert_.reset();
    delete_.reset();
    database_.reset();  // an open transaction is rolled back
  }

 private:
  bool is_key(const std::string& name) const {
    return std::find(keys_.begin(), keys_.end(), name) != keys_.end();
  }

  void check(int code, const char* what) const {
    if (code != SQLITE_OK && code != SQLITE_DONE && code != SQLITE_ROW) {
      throw Error(ErrorKind::kExternal,
                  fmt::format("cannot {} the table '{}' of the SQLite file '{}': {}",
                              what,
                              table_,
                              path_,
                              sqlite3_errmsg(database_.get())),
                  code == SQLITE_BUSY ? Retryable::kYes : Retryable::kNo);
    }
  }
  void execute(const std::string& sql) {
    check(sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr), "change");
  }
  Statement prepare(const std::string& sql) {
    sqlite3_stmt* handle = nullptr;
    check(sqlite3_prepare_v2(database_.get(), sql.c_str(), -1, &handle, nullptr), "write to");
    return Statement(handle);
  }
  void commit() {
    if (pending_ == 0) {
      return;
    }
    execute("BEGIN IMMEDIATE");
    for (const BatchPtr& batch : batches_) {
      for (std::int64_t row = 0; row < batch->num_rows(); ++row) {
        const RowKind kind = batch->kind_at(row);
        if (kind == RowKind::kDelete) {
          remove(*batch, row);
        } else if (kind != RowKind::kUpdateBefore) {
          upsert(*batch, row);
        }
      }
    }
    execute("COMMIT");
    batches_.clear();
    pending_ = 0;
  }
  void step(sqlite3_stmt* statement) {
    check(sqlite3_step(statement), "write to");
    sqlite3_reset(statement);
  }
  void upsert(const Batch& batch, std::int64_t row) {
    for (std::size_t i = 0; i < type_->children().size(); ++i) {
      bind(upsert_.get(), static_cast<int>(i) + 1, batch.column(i), row);
    }
    step(upsert_.get());
  }
  void remove(const Batch& batch, std::int64_t row) {
    if (!delete_) {
      throw_error(ErrorKind::kInvalidArgument,
                  "the table '{}' cannot delete rows without key columns: set the option 'key'",
                  table_);
    }
    int index = 1;
    for (const std::string& key : keys_) {
      bind(delete_.get(),
           index++,
           batch.column(static_cast<std::size_t>(type_->field_index(key))),
           row);
    }
    step(delete_.get());
  }

  void bind(sqlite3_stmt* statement, int index, const Column& column, std::int64_t row) {
    if (column.is_null(row)) {
      sqlite3_bind_null(statement, index);
      return;
    }
    switch (column.type->kind()) {
      case TypeKind::kString: {
        const std::string_view text = column.string_at(row);
        sqlite3_bind_text(
            statement, index, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
        return;
      }
      case TypeKind::kBytes: {
        const std::string_view bytes = column.string_at(row);
        sqlite3_bind_blob(
            statement, index, bytes.data(), static_cast<int>(bytes.size()), SQLITE_TRANSIENT);
        return;
      }
      default:
        break;
    }
    const Value value = column.value_at(row);
    switch (value.kind()) {
      case ValueKind::kBool:
        sqlite3_bind_int(statement, index, value.as_bool() ? 1 : 0);
        break;
      case ValueKind::kInt:
      case ValueKind::kIntervalMonths:
      case ValueKind::kIntervalMillis:
        sqlite3_bind_int64(statement, index, value.as_int());
        break;
      case ValueKind::kDouble:
        sqlite3_bind_double(statement, index, value.as_double());
        break;
      default: {
        std::string text;
        append_java(value, *column.type, text);
        sqlite3_bind_text(
            statement, index, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
      }
    }
  }

  LogicalTypePtr type_;
  std::string path_;
  std::string table_;
  std::vector<std::string> keys_;
  std::int64_t flush_rows_;
  std::int64_t flush_interval_ms_;
  int busy_timeout_ms_;
  const Clock& clock_;
  Database database_;
  Statement upsert_;
  Statement delete_;
  std::vector<BatchPtr> batches_;  ///< not yet written
  std::int64_t pending_ = 0;       ///< rows in them
  Timestamp due_ms_ = 0;
  Counter unused_;
  Counter* records_ = &unused_;
};

}  // namespace

SqliteSink::SqliteSink(const Options& options, LogicalTypePtr type)
    : options_(options), type_(std::move(type)) {
  options.get("path");
  options.get("table");
  if (!type_ || !type_->is_composite() || !type_->is_native()) {
    throw_error(ErrorKind::kInvalidArgument,
                "the SQLite sink writes typed rows: give the stream a ROW type with known fields");
  }
  for (const std::string& key : options.get_list("key")) {
    if (type_->field_index(key) < 0) {
      throw_error(ErrorKind::kInvalidArgument,
                  "the option 'key' names '{}', which is no field of {}",
                  key,
                  type_->to_string());
    }
  }
}

std::unique_ptr<Sink> SqliteSink::from_options(const Options& options, const LogicalTypePtr& type) {
  return std::make_unique<SqliteSink>(options, type);
}

std::unique_ptr<SinkWriter> SqliteSink::create_writer(const SinkWriterContext& context) {
  return std::make_unique<SqliteWriter>(options_, type_, context);
}

}  // namespace flott

extern "C" void flott_register_connectors(flott::ConnectorRegistry* registry) {
  registry->add_sink("sqlite", &flott::SqliteSink::from_options);
}
