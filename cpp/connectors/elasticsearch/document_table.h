#pragma once

#include "connectors/elasticsearch/bulk_action.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <utility>
#include <vector>

namespace flott {

/// A document that has an action in the buffer (bulk_buffer.h).
struct BulkDocument {
  BulkAction action;             ///< the first: it waits, or is out
  std::list<BulkAction> behind;  ///< later ones that could not be combined with it
  bool out = false;

 private:
  friend class DocumentTable;
  std::uint64_t hash_ = 0;
  BulkDocument* chained_ = nullptr;  ///< the next in its bucket
};

/// Documents by (index, routing, id); one whose action has no id is never found again. A document
/// stays at its address until it is removed. Its memory, strings included, then serves another: at
/// a steady rate nothing is allocated, and no thread frees what another one allocated.
class DocumentTable {
 public:
  /// The action's document and true if it is new; then it holds `action`, which is left with memory
  /// to be used again. Else `action` is untouched.
  std::pair<BulkDocument*, bool> find_or_add(BulkAction&& action);
  void remove(BulkDocument& document);

 private:
  BulkDocument*& bucket_of(std::uint64_t hash) { return buckets_[hash & (buckets_.size() - 1)]; }
  BulkDocument* find(const BulkAction& action, std::uint64_t hash);
  void insert(BulkDocument& document);
  void grow();

  std::deque<BulkDocument> documents_;
  std::vector<BulkDocument*> unused_;
  std::vector<BulkDocument*> buckets_ = std::vector<BulkDocument*>(1024);  ///< a power of two
  std::size_t size_ = 0;                                                   ///< in the buckets
};

}  // namespace flott
