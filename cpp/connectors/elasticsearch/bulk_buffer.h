#pragma once

#include "connectors/elasticsearch/bulk_action.h"
#include "connectors/elasticsearch/document_table.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <vector>

namespace flott {

/// What waits to be sent, by document. Plain data: no I/O, no thread, no clock.
///
/// A document is (index, routing, id). Of a document at most one action is out (taken and not
/// settled, be it in flight or waiting for its retry); later ones wait here and are combined:
///   index, delete        replace what waits (an older external version loses instead; create is
///   never replaced) update, upsert       merge their part into a waiting index, update or upsert;
///   an upsert after a delete becomes index scripted, and whatever cannot be combined without
///   changing the outcome, waits behind
/// Actions without id are never combined.
///
/// A document that take() gave out stays where it is, and its action as it is, until settle(): it
/// may be read meanwhile without the lock that guards the buffer.
class BulkBuffer {
 public:
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

  /// `action` is left with memory to be used again.
  void add(BulkAction&& action);
  /// Takes retries that are due, then waiting actions in the order their documents came, up to the
  /// limits (-1: none) but at least one. What is taken is out until settle() or retry().
  std::vector<BulkDocument*> take(std::int64_t max_actions,
                                  std::int64_t max_bytes,
                                  std::int64_t now_ns);
  /// The outcome of the action that is out is final: the document's next one may go.
  void settle(BulkDocument& document);
  /// Send the action that is out again from `due_ns` on.
  void retry(BulkDocument& document, std::int64_t due_ns);

  bool empty() const { return waiting_actions_ == 0 && out_ == 0; }
  /// Waiting, retries not counted.
  std::size_t waiting_actions() const { return waiting_actions_; }
  std::size_t waiting_bytes() const { return waiting_bytes_; }
  /// Waiting actions whose document has none out.
  std::size_t ready_actions() const { return ready_.size(); }
  /// Taken and not settled, retries included.
  std::size_t out_actions() const { return out_; }
  std::size_t out_bytes() const { return out_bytes_; }
  std::int64_t next_retry_ns() const { return retries_.empty() ? kNever : retries_.begin()->first; }
  /// Actions that were combined with another, so far.
  std::int64_t deduplicated() const { return deduplicated_; }

 private:
  /// Combines `action` into `last`; false when it has to wait behind it.
  bool combine(BulkAction& last, BulkAction& action);

  DocumentTable documents_;
  std::deque<BulkDocument*> ready_;  ///< with a waiting action and none out, in order
  std::multimap<std::int64_t, BulkDocument*> retries_;
  std::size_t waiting_actions_ = 0;
  std::size_t waiting_bytes_ = 0;
  std::size_t out_ = 0;
  std::size_t out_bytes_ = 0;
  std::int64_t deduplicated_ = 0;
};

}  // namespace flott
