#include "connectors/elasticsearch/bulk_buffer.h"

#include "base/error.h"
#include "connectors/elasticsearch/json_merge.h"

#include <utility>

namespace flott {

std::string BulkBuffer::key_of(const BulkAction& action) const {
  // Lengths first: no two documents share a key, whatever their names hold.
  std::string key;
  const std::string routing = action.routing.value_or("");
  key += std::to_string(action.index.size()) + ":" + std::to_string(routing.size()) +
         (action.routing ? "r" : "-") + (action.id ? "i" : "s");
  key += action.index;
  key += routing;
  key += action.id ? *action.id : std::to_string(action.sequence);
  return key;
}

void BulkBuffer::add(BulkAction action) {
  action.sequence = next_sequence_++;
  auto [entry, inserted] = documents_.try_emplace(key_of(action));
  Document& document = entry->second;
  if (!document.waiting.empty()) {
    BulkAction& last = document.waiting.back();
    const std::size_t before = last.size_bytes();
    if (combine(last, action)) {
      waiting_bytes_ += last.size_bytes() - before;
      ++deduplicated_;
      return;
    }
  }
  waiting_bytes_ += action.size_bytes();
  ++waiting_actions_;
  document.waiting.push_back(std::move(action));
  if (!document.out && document.waiting.size() == 1) {
    ready_.push_back(&*entry);
  }
}

bool BulkBuffer::combine(BulkAction& last, BulkAction& action) {
  if (!last.script.empty() || !action.script.empty() || last.kind == ActionKind::kCreate ||
      action.kind == ActionKind::kCreate) {
    return false;
  }
  const std::uint64_t sequence = last.sequence;
  if (!action.partial()) {
    if (last.version.has_value() != action.version.has_value()) {
      return false;
    }
    if (!last.version || *action.version >= *last.version) {
      last = std::move(action);
      last.sequence = sequence;
    }
    return true;
  }
  if (last.version) {
    return false;
  }
  switch (last.kind) {
    case ActionKind::kDelete:
      if (action.kind != ActionKind::kUpsert) {
        return false;  // an update of a document that is not there has to fail
      }
      last.kind = ActionKind::kIndex;
      last.source = std::move(action.source);
      return true;
    case ActionKind::kUpdate:
      if (action.kind != ActionKind::kUpdate) {
        return false;  // without the document the update fails and the upsert inserts its own part
                       // only
      }
      break;
    default:
      break;
  }
  std::optional<std::string> merged = merge_json_objects(last.source, action.source);
  if (!merged) {
    return false;
  }
  last.source = std::move(*merged);
  return true;
}

std::vector<BulkAction> BulkBuffer::take(std::int64_t max_actions,
                                         std::int64_t max_bytes,
                                         std::int64_t now_ns) {
  std::vector<BulkAction> taken;
  std::size_t bytes = 0;
  const auto fits = [&](const BulkAction& action) {
    if (taken.empty()) {
      return true;
    }
    return (max_actions < 0 || static_cast<std::int64_t>(taken.size()) < max_actions) &&
           (max_bytes < 0 || static_cast<std::int64_t>(bytes + action.size_bytes()) <= max_bytes);
  };
  while (!retries_.empty() && retries_.begin()->first <= now_ns && fits(retries_.begin()->second)) {
    bytes += retries_.begin()->second.size_bytes();
    taken.push_back(std::move(retries_.begin()->second));
    retries_.erase(retries_.begin());
  }
  while (!ready_.empty() && fits(ready_.front()->second.waiting.front())) {
    Document& document = ready_.front()->second;
    ready_.pop_front();
    BulkAction action = std::move(document.waiting.front());
    document.waiting.pop_front();
    document.out = true;
    const std::size_t size = action.size_bytes();
    --waiting_actions_;
    waiting_bytes_ -= size;
    ++out_;
    out_bytes_ += size;
    bytes += size;
    taken.push_back(std::move(action));
  }
  return taken;
}

void BulkBuffer::settle(const BulkAction& action) {
  const auto entry = documents_.find(key_of(action));
  STREAM_CHECK(entry != documents_.end() && entry->second.out,
               "a settled action that was out, not {}",
               action.describe());
  --out_;
  out_bytes_ -= action.size_bytes();
  entry->second.out = false;
  if (entry->second.waiting.empty()) {
    documents_.erase(entry);
  } else {
    ready_.push_back(&*entry);
  }
}

void BulkBuffer::retry(BulkAction action, std::int64_t due_ns) {
  retries_.emplace(due_ns, std::move(action));
}

}  // namespace flott
