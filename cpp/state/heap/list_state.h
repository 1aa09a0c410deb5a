#pragma once

#include "state/heap/heap_state.h"

#include <vector>

namespace flott::heap {

/// Elements with an access time each when there is TTL.
struct ListContainer final : Container {
  std::vector<Value> items;
  std::vector<Timestamp> access;  ///< as long as `items` with TTL, else empty
};

/// Slot bytes:  count:varint ([access:i64 with TTL] element:Value)*
class HeapListState final : public HeapState, public ListState {
 public:
  using HeapState::HeapState;

  void set_namespace(const Window& window) override { use_namespace(window); }
  void clear() override;
  std::vector<Value> get() override;
  bool is_empty() override;
  void add(Value value) override;
  void add_all(std::vector<Value> values) override;
  void update(std::vector<Value> values) override;

  bool encode(const Slot& slot, Timestamp now, std::string& out) const override;
  void decode(BytesReader& in, bool stamped, Slot& slot) override;
  void convert(Slot& slot, const std::function<Value(const Value&)>& convert) override;

 protected:
  void expire(Slot& slot, Timestamp now, Timestamp& earliest) override;

 private:
  static ListContainer& list_of(const Slot& slot) {
    return static_cast<ListContainer&>(*slot.container);
  }
  /// The list of the current key and namespace, made if need be. Only to be added to at once.
  ListContainer& require_list();
  /// Removes expired elements; true when none is left.
  bool drop_expired(ListContainer& list, Timestamp now) const;
};

}  // namespace flott::heap
