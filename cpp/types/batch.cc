#include "types/batch.h"

#include "base/error.h"
#include "types/coerce.h"

#include <limits>

namespace flott {

namespace {

template <typename T>
std::vector<T> taken(const std::vector<T>& values, std::span<const std::uint32_t> rows) {
  std::vector<T> out;
  if (!values.empty()) {
    out.reserve(rows.size());
    for (const std::uint32_t row : rows) {
      out.push_back(values[row]);
    }
  }
  return out;
}

template <typename T>
std::vector<T> sliced(const std::vector<T>& values, std::int64_t begin, std::int64_t end) {
  return values.empty() ? std::vector<T>()
                        : std::vector<T>(values.begin() + begin, values.begin() + end);
}

/// The keys of some rows. The host's lock is taken once, and only when a key is an opaque value.
template <typename Rows>
std::shared_ptr<const KeyColumn> copy_keys(const KeyColumn& keys, const Rows& for_each_row) {
  auto out = std::make_shared<KeyColumn>();
  const auto copy = [&] { for_each_row([&](std::size_t row) { out->append(keys.at(row)); }); };
  if (keys.has_objects()) {
    const HostScope scope;
    copy();
  } else {
    copy();
  }
  return out;
}

}  // namespace

// ---- Batch ----

BatchPtr Batch::make(LogicalTypePtr type,
                     std::vector<ColumnPtr> columns,
                     std::int64_t num_rows,
                     std::vector<Timestamp> timestamps,
                     std::vector<RowKind> kinds,
                     std::shared_ptr<const KeyColumn> keys) {
  const std::size_t wanted = type->is_composite() ? type->children().size() : 1;
  STREAM_CHECK(columns.size() == wanted,
               "a batch of {} needs {} columns, not {}",
               type->to_string(),
               wanted,
               columns.size());
  for (std::size_t i = 0; i < columns.size(); ++i) {
    STREAM_CHECK(columns[i] != nullptr && columns[i]->length == num_rows,
                 "column {} of a batch of {} rows has another length",
                 i,
                 num_rows);
  }
  const auto rows = static_cast<std::size_t>(num_rows);
  STREAM_CHECK(num_rows >= 0 && num_rows <= std::numeric_limits<std::uint32_t>::max(),
               "a batch of {} rows",
               num_rows);
  STREAM_CHECK(timestamps.empty() || timestamps.size() == rows,
               "{} timestamps for {} rows",
               timestamps.size(),
               rows);
  STREAM_CHECK(
      kinds.empty() || kinds.size() == rows, "{} row kinds for {} rows", kinds.size(), rows);
  STREAM_CHECK(keys == nullptr || keys->size() == rows, "{} keys for {} rows", keys->size(), rows);
  auto* const batch = new Batch;
  BatchPtr out(batch);
  batch->type_ = std::move(type);
  batch->num_rows_ = num_rows;
  batch->columns_ = std::move(columns);
  batch->timestamps_ = std::move(timestamps);
  batch->kinds_ = std::move(kinds);
  batch->keys_ = std::move(keys);
  std::size_t bytes =
      sizeof(Batch) + batch->timestamps_.size() * sizeof(Timestamp) + batch->kinds_.size();
  for (const ColumnPtr& column : batch->columns_) {
    bytes += column->size_bytes();
  }
  if (batch->keys_ != nullptr) {
    bytes += batch->keys_->size_bytes();
  }
  batch->size_bytes_ = bytes;
  return out;
}

Value Batch::value_at(std::int64_t row) const {
  STREAM_DCHECK(row >= 0 && row < num_rows_, "row {} of a batch of {}", row, num_rows_);
  return type_->is_composite() ? Value::batch_row(*this, static_cast<std::uint32_t>(row))
                               : columns_[0]->value_at(row);
}

BatchPtr Batch::with_timestamps(std::vector<Timestamp> timestamps) const {
  return make(type_, columns_, num_rows_, std::move(timestamps), kinds_, keys_);
}

BatchPtr Batch::with_keys(std::shared_ptr<const KeyColumn> keys) const {
  return make(type_, columns_, num_rows_, timestamps_, kinds_, std::move(keys));
}

BatchPtr Batch::take(std::span<const std::uint32_t> rows) const {
#ifdef FLOTT_DEBUG_CHECKS
  for (const std::uint32_t row : rows) {
    STREAM_CHECK(row < num_rows_, "row {} of a batch of {}", row, num_rows_);
  }
#endif
  std::vector<ColumnPtr> columns;
  columns.reserve(columns_.size());
  for (const ColumnPtr& column : columns_) {
    columns.push_back(take_column(*column, rows));
  }
  std::shared_ptr<const KeyColumn> keys;
  if (keys_ != nullptr) {
    keys = copy_keys(*keys_, [&](auto&& visit) {
      for (const std::uint32_t row : rows) {
        visit(row);
      }
    });
  }
  return make(type_,
              std::move(columns),
              static_cast<std::int64_t>(rows.size()),
              taken(timestamps_, rows),
              taken(kinds_, rows),
              std::move(keys));
}

BatchPtr Batch::slice(std::int64_t begin, std::int64_t end) const {
  STREAM_CHECK(begin >= 0 && begin <= end && end <= num_rows_,
               "rows {} to {} of a batch of {}",
               begin,
               end,
               num_rows_);
  if (begin == 0 && end == num_rows_) {
    return BatchPtr(this);
  }
  std::vector<ColumnPtr> columns;
  columns.reserve(columns_.size());
  for (const ColumnPtr& column : columns_) {
    columns.push_back(slice_column(column, begin, end));
  }
  std::shared_ptr<const KeyColumn> keys;
  if (keys_ != nullptr) {
    keys = copy_keys(*keys_, [&](auto&& visit) {
      for (std::int64_t row = begin; row < end; ++row) {
        visit(static_cast<std::size_t>(row));
      }
    });
  }
  return make(type_,
              std::move(columns),
              end - begin,
              sliced(timestamps_, begin, end),
              sliced(kinds_, begin, end),
              std::move(keys));
}

std::string Batch::to_string() const {
  std::string out;
  for (std::int64_t row = 0; row < num_rows_; ++row) {
    if (row > 0) {
      out += '\n';
    }
    const Value value = value_at(row);
    if (value.kind() != ValueKind::kBatchRow && kind_at(row) != RowKind::kInsert) {
      out += short_string(kind_at(row));
      out += ' ';
    }
    out += value.to_string();
    if (timestamp_at(row) != kNoTimestamp) {
      out += fmt::format(" @{}", timestamp_at(row));
    }
  }
  return out;
}

// ---- BatchBuilder ----

BatchBuilder::BatchBuilder(LogicalTypePtr type)
    : type_(std::move(type)), object_rows_(type_->kind() == TypeKind::kObject) {
  if (type_->is_composite()) {
    columns_.reserve(type_->children().size());
    for (const LogicalTypePtr& child : type_->children()) {
      columns_.emplace_back(child);
    }
  } else {
    columns_.emplace_back(type_);
  }
}

std::size_t BatchBuilder::size_bytes() const {
  std::size_t bytes = timestamps_.size() * sizeof(Timestamp) + kinds_.size();
  for (const ColumnBuilder& column : columns_) {
    bytes += column.size_bytes();
  }
  return keys_ != nullptr ? bytes + keys_->size_bytes() : bytes;
}

void BatchBuilder::append(Value&& value, Timestamp timestamp, RowKind kind, const Key* key) {
  if (object_rows_) {
    columns_[0].append_object(std::move(value));
    end_row(timestamp, kind, key);
    return;
  }
  append(static_cast<const Value&>(value), timestamp, kind, key);
}

void BatchBuilder::append(const Value& value, Timestamp timestamp, RowKind kind, const Key* key) {
  if (object_rows_) {
    columns_[0].append_object(value);
    end_row(timestamp, kind, key);
    return;
  }
  try {
    if (!type_->is_composite()) {
      columns_[0].append(value);
    } else if (value.is_object()) {
      const Value native = require_host().to_native(value.as_object(), *type_);
      STREAM_CHECK(
          !native.is_object(), "the host did not convert a value to {}", type_->to_string());
      append_fields(native);
      if (kind == RowKind::kInsert && native.kind() == ValueKind::kRow) {
        kind = native.as_row().kind;
      }
    } else {
      append_fields(value);
      if (kind == RowKind::kInsert && value.kind() == ValueKind::kRow) {
        kind = value.as_row().kind;
      }
    }
  } catch (...) {
    abort_row();
    throw;
  }
  end_row(timestamp, kind, key);
}

void BatchBuilder::append_fields(const Value& value) {
  if (value.is_null()) {
    throw_error(ErrorKind::kUserCode,
                "null is no row of the type {}; a stream of rows has no null records",
                type_->to_string());
  }
  if (value.kind() == ValueKind::kMap) {
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      try {
        columns_[i].append(map_field(value, type_->field_names()[i]));
      } catch (const Error& e) {
        rethrow_for_field(e, *type_, i);
      }
    }
    return;
  }
  if (!has_fields(value)) {
    throw_does_not_fit(value, *type_);
  }
  const FieldMapping mapping(value, *type_);
  const Batch* const source = value.kind() == ValueKind::kBatchRow ? &value.as_batch() : nullptr;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    try {
      const std::size_t from = mapping[i];
      if (source != nullptr && *source->column(from).type == *columns_[i].type()) {
        columns_[i].append_from(source->column(from), value.aux());
      } else {
        columns_[i].append(value.field(from));
      }
    } catch (const Error& e) {
      rethrow_for_field(e, *type_, i);
    }
  }
}

void BatchBuilder::end_row(Timestamp timestamp, RowKind kind, const Key* key) {
#ifdef FLOTT_DEBUG_CHECKS
  for (const ColumnBuilder& column : columns_) {
    STREAM_CHECK(column.length() == num_rows_ + 1,
                 "a row ended with a column of {} instead of {} entries",
                 column.length(),
                 num_rows_ + 1);
  }
#endif
  if (timestamp != kNoTimestamp || any_timestamp_) {
    if (!any_timestamp_) {
      timestamps_.assign(static_cast<std::size_t>(num_rows_), kNoTimestamp);
      any_timestamp_ = true;
    }
    timestamps_.push_back(timestamp);
  }
  if (kind != RowKind::kInsert || any_kind_) {
    if (!any_kind_) {
      kinds_.assign(static_cast<std::size_t>(num_rows_), RowKind::kInsert);
      any_kind_ = true;
    }
    kinds_.push_back(kind);
  }
  if (key != nullptr) {
    if (keys_ == nullptr) {
      keys_ = std::make_shared<KeyColumn>();
    }
    STREAM_CHECK(static_cast<std::int64_t>(keys_->size()) == num_rows_,
                 "a row with a key after {} rows, {} of them with keys",
                 num_rows_,
                 keys_->size());
    keys_->append(*key);
  }
  ++num_rows_;
}

void BatchBuilder::abort_row() {
  for (ColumnBuilder& column : columns_) {
    // Also a column that has not got its entry yet may hold items of a nested one.
    column.truncate(num_rows_ < column.length() ? num_rows_ : column.length());
  }
}

BatchPtr BatchBuilder::finish() {
  if (num_rows_ == 0) {
    return nullptr;
  }
  std::vector<ColumnPtr> columns;
  columns.reserve(columns_.size());
  for (ColumnBuilder& column : columns_) {
    columns.push_back(column.finish());
  }
  BatchPtr out = Batch::make(type_,
                             std::move(columns),
                             num_rows_,
                             std::exchange(timestamps_, {}),
                             std::exchange(kinds_, {}),
                             std::exchange(keys_, nullptr));
  num_rows_ = 0;
  any_timestamp_ = false;
  any_kind_ = false;
  return out;
}

}  // namespace flott
