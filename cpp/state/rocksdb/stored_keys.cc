#include "state/rocksdb/stored_keys.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace flott::rocks {
namespace {

/// One slot of one column, turned from entries of the database to the content of a frame.
class SlotReader {
 public:
  SlotReader(const Core& core, const Column& column, Timestamp now, Contents contents)
      : core_(core),
        column_(column),
        now_(now),
        contents_(contents),
        stamps_(column.writes_stamps()) {}

  /// Reads the slot at the iterator, which then stands behind it. Appends its content; false (and
  /// nothing appended) when all of it has expired.
  bool read(rocksdb::Iterator& it,
            std::string_view slot,
            std::string* key_value,
            std::string& content) {
    bool any = false;
    items_.clear();
    count_ = 0;
    body_.clear();
    const bool is_map = column_.kind == StateKind::kMap;
    while (it.Valid()) {
      const std::string_view key = view(it.key());
      if (is_map ? !key.starts_with(slot) : key != slot) {
        break;
      }
      BytesReader in(view(it.value()));
      const EntryHeader header = read_header(in);
      if (column_.kind == StateKind::kList) {
        read_list(in);
      } else {
        const Timestamp access = header.stamped ? in.i64() : core_.birth;
        if (!expired(access)) {
          ++count_;
          is_map ? read_item(key.substr(slot.size()), access, in) : read_value(access, in);
        }
      }
      if (count_ > 0 && !any) {
        any = true;
        key_value->assign(header.key_value);
      }
      it.Next();
    }
    if (any && contents_ == Contents::kIncluded) {
      write(content);
    }
    return any;
  }

 private:
  struct Item {
    std::uint64_t sequence;
    Timestamp access;
    std::string key;
    std::string value;
  };

  bool expired(Timestamp access) const {
    return column_.state != nullptr && column_.state->ttl().expired(access, now_);
  }
  void read_value(Timestamp access, BytesReader& in) {
    if (contents_ == Contents::kIncluded) {
      if (stamps_) {
        BytesWriter(body_).i64(access);
      }
      body_.append(in.take(in.remaining()));
    }
  }
  void read_list(BytesReader& in) {
    while (!in.empty()) {
      const StoredElement element = read_element(in);
      const Timestamp access = element.stamped ? element.access : core_.birth;
      if (expired(access)) {
        continue;
      }
      ++count_;
      if (contents_ == Contents::kIncluded) {
        if (stamps_) {
          BytesWriter(body_).i64(access);
        }
        body_.append(element.value);
      }
    }
  }
  void read_item(std::string_view map_key, Timestamp access, BytesReader& in) {
    if (contents_ == Contents::kLeftOut) {
      return;
    }
    Item& item = items_.emplace_back();
    item.access = access;
    item.sequence = in.varint();
    item.key = std::string(in.string());
    if (item.key.empty()) {
      stored_key_value(map_key, {}).encode(item.key);
    }
    item.value = std::string(in.take(in.remaining()));
  }
  void write(std::string& content) {
    BytesWriter writer(content);
    if (column_.kind == StateKind::kList || column_.kind == StateKind::kMap) {
      writer.varint(count_);
    }
    content.append(body_);
    std::sort(items_.begin(), items_.end(), [](const Item& a, const Item& b) {
      return a.sequence < b.sequence;
    });
    for (const Item& item : items_) {
      content.append(item.key);
      if (stamps_) {
        writer.i64(item.access);
      }
      content.append(item.value);
    }
  }

  const Core& core_;
  const Column& column_;
  const Timestamp now_;
  const Contents contents_;
  const bool stamps_;
  std::uint64_t count_ = 0;
  std::string body_;
  std::vector<Item> items_;
};

struct Cursor {
  std::size_t column = 0;
  std::unique_ptr<rocksdb::Iterator> it;
  SlotReader reader;
};

}  // namespace

void each_stored_key(Core& core,
                     Timestamp now,
                     Contents contents,
                     const std::function<void(const StoredKey&)>& visit) {
  if (!core.stored) {
    return;
  }
  const std::string& path = core.open().path();
  std::vector<Cursor> cursors;
  for (std::size_t i = 0; i < core.columns.size(); ++i) {
    Column& column = *core.columns[i];
    cursors.push_back(
        {i, core.database->iterate(column.handle), SlotReader(core, column, now, contents)});
    cursors.back().it->SeekToFirst();
  }
  struct Part {
    std::size_t column;
    std::size_t namespace_at, namespace_size, content_at, content_size;
  };
  std::vector<Part> parts;
  std::string prefix;
  std::string slot_key;
  std::string key_value;
  std::string slot_key_value;
  std::string arena;
  for (;;) {
    // The smallest key of all columns; a key's slots lie together in each.
    const Cursor* least = nullptr;
    for (const Cursor& cursor : cursors) {
      if (!cursor.it->Valid()) {
        check_rocksdb(cursor.it->status(), "read", path);
      } else if (least == nullptr || cursor.it->key().compare(least->it->key()) < 0) {
        least = &cursor;
      }
    }
    if (least == nullptr) {
      return;
    }
    prefix.assign(parse_key(view(least->it->key())).prefix);
    parts.clear();
    arena.clear();
    key_value.clear();
    for (Cursor& cursor : cursors) {
      while (cursor.it->Valid() && view(cursor.it->key()).starts_with(prefix)) {
        slot_key.assign(parse_key(view(cursor.it->key())).slot);
        const std::size_t namespace_at = arena.size();
        arena.append(slot_key, prefix.size());
        const std::size_t content_at = arena.size();
        if (cursor.reader.read(*cursor.it, slot_key, &slot_key_value, arena)) {
          if (parts.empty()) {
            key_value = slot_key_value;
          }
          parts.push_back({cursor.column,
                           namespace_at,
                           content_at - namespace_at,
                           content_at,
                           arena.size() - content_at});
        }
      }
    }
    if (parts.empty()) {
      continue;  // all of it has expired
    }
    StoredKey key;
    BytesReader in(prefix);
    const auto high = static_cast<KeyGroup>(in.u8());
    key.group = high << 8 | static_cast<KeyGroup>(in.u8());
    key.bytes = in.string();
    key.key_value = key_value;
    for (const Part& part : parts) {
      const std::string_view all(arena);
      key.slots.push_back({part.column,
                           all.substr(part.namespace_at, part.namespace_size),
                           all.substr(part.content_at, part.content_size)});
    }
    visit(key);
  }
}

}  // namespace flott::rocks
