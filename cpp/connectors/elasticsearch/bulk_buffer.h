#pragma once

#include "connectors/elasticsearch/bulk_action.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <string>
#include <unordered_map>
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
class BulkBuffer {
 public:
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

  void add(BulkAction action);
  /// Takes retries that are due, then waiting actions in the order their documents came, up to the
  /// limits (-1: none) but at least one. What is taken is out until settle() or retry().
  std::vector<BulkAction> take(std::int64_t max_actions,
                               std::int64_t max_bytes,
                               std::int64_t now_ns);
  /// The action's outcome is final: its document's next action may go.
  void settle(const BulkAction& action);
  /// Send the action again from `due_ns` on.
  void retry(BulkAction action, std::int64_t due_ns);

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
  struct Document {
    std::deque<BulkAction> waiting;
    bool out = false;
  };
  using Documents = std::unordered_map<std::string, Document>;

  std::string key_of(const BulkAction& action) const;
  /// Combines `action` into `last`; false when it has to wait behind it.
  bool combine(BulkAction& last, BulkAction& action);

  Documents documents_;
  /// Documents with a waiting action and none out, in order. Elements of an unordered_map stay
  /// where they are.
  std::deque<Documents::value_type*> ready_;
  std::multimap<std::int64_t, BulkAction> retries_;
  std::uint64_t next_sequence_ = 0;
  std::size_t waiting_actions_ = 0;
  std::size_t waiting_bytes_ = 0;
  std::size_t out_ = 0;
  std::size_t out_bytes_ = 0;
  std::int64_t deduplicated_ = 0;
};

}  // namespace flott
