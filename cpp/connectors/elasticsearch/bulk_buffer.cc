#include "connectors/elasticsearch/bulk_buffer.h"

#include "base/error.h"
#include "connectors/elasticsearch/json_merge.h"

#include <utility>

namespace flott {

void BulkBuffer::add(BulkAction&& action) {
  const auto [document, added] = documents_.find_or_add(std::move(action));
  if (added) {
    waiting_bytes_ += document->action.size_bytes();
    ++waiting_actions_;
    ready_.push_back(document);
    return;
  }
  if (!document->out || !document->behind.empty()) {
    BulkAction& last = document->behind.empty() ? document->action : document->behind.back();
    const std::size_t before = last.size_bytes();
    if (combine(last, action)) {
      waiting_bytes_ += last.size_bytes() - before;
      ++deduplicated_;
      return;
    }
  }
  waiting_bytes_ += action.size_bytes();
  ++waiting_actions_;
  document->behind.push_back(std::move(action));
}

bool BulkBuffer::combine(BulkAction& last, BulkAction& action) {
  if (!last.script.empty() || !action.script.empty() || last.kind == ActionKind::kCreate ||
      action.kind == ActionKind::kCreate) {
    return false;
  }
  if (!action.partial()) {
    if (last.version.has_value() != action.version.has_value()) {
      return false;
    }
    if (!last.version || *action.version >= *last.version) {
      last = std::move(action);
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

std::vector<BulkDocument*> BulkBuffer::take(std::int64_t max_actions,
                                            std::int64_t max_bytes,
                                            std::int64_t now_ns) {
  std::vector<BulkDocument*> taken;
  std::size_t bytes = 0;
  const auto fits = [&](const BulkDocument& document) {
    if (taken.empty()) {
      return true;
    }
    return (max_actions < 0 || static_cast<std::int64_t>(taken.size()) < max_actions) &&
           (max_bytes < 0 ||
            static_cast<std::int64_t>(bytes + document.action.size_bytes()) <= max_bytes);
  };
  while (!retries_.empty() && retries_.begin()->first <= now_ns &&
         fits(*retries_.begin()->second)) {
    bytes += retries_.begin()->second->action.size_bytes();
    taken.push_back(retries_.begin()->second);
    retries_.erase(retries_.begin());
  }
  while (!ready_.empty() && fits(*ready_.front())) {
    BulkDocument& document = *ready_.front();
    ready_.pop_front();
    document.out = true;
    const std::size_t size = document.action.size_bytes();
    --waiting_actions_;
    waiting_bytes_ -= size;
    ++out_;
    out_bytes_ += size;
    bytes += size;
    taken.push_back(&document);
  }
  return taken;
}

void BulkBuffer::settle(BulkDocument& document) {
  STREAM_CHECK(document.out, "a settled action that was out, not {}", document.action.describe());
  --out_;
  out_bytes_ -= document.action.size_bytes();
  if (document.behind.empty()) {
    documents_.remove(document);
    return;
  }
  document.out = false;
  document.action = std::move(document.behind.front());
  document.behind.pop_front();
  ready_.push_back(&document);
}

void BulkBuffer::retry(BulkDocument& document, std::int64_t due_ns) {
  retries_.emplace(due_ns, &document);
}

}  // namespace flott
