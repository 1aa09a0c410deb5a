#include "connectors/elasticsearch/document_table.h"

#include "base/hash.h"

namespace flott {

namespace {

std::uint64_t hash_of(const BulkAction& action) {
  const std::uint64_t routing = action.routing ? hash_bytes(*action.routing) : 0;
  return mix64(hash_bytes(*action.id) ^ mix64(hash_bytes(action.index) ^ mix64(routing)));
}

}  // namespace

std::pair<BulkDocument*, bool> DocumentTable::find_or_add(BulkAction&& action) {
  const std::uint64_t hash = action.id ? hash_of(action) : 0;
  if (action.id) {
    if (BulkDocument* const found = find(action, hash)) {
      return {found, false};
    }
  }
  BulkDocument* document = nullptr;
  if (unused_.empty()) {
    document = &documents_.emplace_back();
  } else {
    document = unused_.back();
    unused_.pop_back();
  }
  document->action = std::move(action);  // strings change places
  document->hash_ = hash;
  if (document->action.id) {
    insert(*document);
  }
  return {document, true};
}

void DocumentTable::remove(BulkDocument& document) {
  if (document.action.id) {
    BulkDocument** link = &bucket_of(document.hash_);
    while (*link != &document) {
      link = &(*link)->chained_;
    }
    *link = document.chained_;
    --size_;
  }
  document.out = false;
  document.action.release_large();
  unused_.push_back(&document);
}

BulkDocument* DocumentTable::find(const BulkAction& action, std::uint64_t hash) {
  for (BulkDocument* document = bucket_of(hash); document != nullptr;
       document = document->chained_) {
    const BulkAction& other = document->action;
    if (document->hash_ == hash && other.id == action.id && other.index == action.index &&
        other.routing == action.routing) {
      return document;
    }
  }
  return nullptr;
}

void DocumentTable::insert(BulkDocument& document) {
  if (size_ >= buckets_.size()) {
    grow();
  }
  BulkDocument*& bucket = bucket_of(document.hash_);
  document.chained_ = bucket;
  bucket = &document;
  ++size_;
}

void DocumentTable::grow() {
  std::vector<BulkDocument*> old(buckets_.size() * 2);
  old.swap(buckets_);
  size_ = 0;
  for (BulkDocument* document : old) {
    while (document != nullptr) {
      BulkDocument* const next = document->chained_;
      insert(*document);
      document = next;
    }
  }
}

}  // namespace flott
