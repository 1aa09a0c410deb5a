#pragma once

#include "state/rocksdb/rocks_state.h"

#include <vector>

namespace flott::rocks {

/// Elements in their stored form. What was added since the last flush goes to the database as one
/// merge operand, so that a list grows without being read.
struct ListSlot : CachedSlot {
  std::size_t charge() const { return charged_bytes; }

  std::string elements;
  /// `elements` are all there are; else they are those to be appended to what the database has.
  bool whole = false;
  /// How many of the first bytes are in the database as they are.
  std::size_t stored_bytes = 0;
  /// `elements` replace what the database has.
  bool replaced = false;
  bool absent_in_database = false;
  std::size_t charged_bytes = 0;
};

class RocksListState final : public SlottedState<ListSlot>, public ListState {
 public:
  using SlottedState::SlottedState;

  void set_namespace(const Window& window) override { use_namespace(window); }
  void clear() override;
  std::vector<Value> get() override;
  bool is_empty() override;
  void add(Value value) override;
  void add_all(std::vector<Value> values) override;
  void update(std::vector<Value> values) override;
  void flush(rocksdb::WriteBatch& batch) override;

 private:
  ListSlot& load(ListSlot& slot);
  void append(ListSlot& slot, const Value& value);
  void replace(ListSlot& slot, std::string elements);
  void update_charge(ListSlot& slot);
  bool is_expired(const StoredElement& element) const {
    return ttl_.expired(element.stamped ? element.access : core_.birth, now_);
  }

  std::string value_bytes_;
};

}  // namespace flott::rocks
