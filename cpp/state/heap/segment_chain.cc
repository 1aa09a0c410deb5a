#include "state/heap/segment_chain.h"

#include "base/error.h"
#include "checkpoint/snapshot_file.h"

#include <cstddef>
#include <exception>
#include <string_view>
#include <system_error>
#include <utility>

namespace flott::heap {
namespace {

/// More deltas than this are merged, whatever their size: each is a file to be read on restore.
constexpr std::size_t kMaxDeltas = 32;
constexpr std::string_view kFilePrefix = "heap";
/// A merge of less is over sooner than a thread has started.
constexpr std::size_t kMergeAtOnceBytes = 64 * 1024;

}  // namespace

void SegmentChain::add(bool is_base, std::size_t size, std::function<std::string()> build) {
  if (is_base) {
    clear();
  }
  links_.push_back(make_deferred_file(kFilePrefix, size, std::move(build)));
}

void SegmentChain::correct_last(std::size_t size) {
  if (!links_.empty() && links_.back().deferred != nullptr) {
    links_.back().size = size;
  }
}

std::vector<SnapshotFile> SegmentChain::files() {
  if (links_.size() > 2 * kMaxDeltas) {
    settle();  // checkpoints come faster than a merge: the chain stays bounded all the same
  }
  take_merged();
  if (merge_ == nullptr) {
    start_merge();
  }
  return links_;
}

void SegmentChain::clear() {
  if (merge_ != nullptr) {
    merge_->stop = true;
    settle();
    merge_ = nullptr;
  }
  links_.clear();
}

void SegmentChain::settle() {
  if (merge_ != nullptr && merge_->thread.joinable()) {
    merge_->thread.join();
  }
}

void SegmentChain::run(Merge& merge) {
  try {
    std::vector<Segment> segments;
    segments.reserve(merge.inputs.size());
    std::vector<const Segment*> chain;
    for (const SnapshotFile& input : merge.inputs) {
      chain.push_back(&segments.emplace_back(content_of(input)));
    }
    merge.result = merge_segments(chain, [&] { return merge.stop.load(); });
  } catch (const std::exception&) {
    merge.result.clear();  // no memory: the chain only stays longer
  }
  merge.done = true;
}

void SegmentChain::start_merge() {
  if (links_.size() < 2) {
    return;
  }
  std::size_t deltas = 0;
  for (std::size_t i = 1; i < links_.size(); ++i) {
    deltas += links_[i].size;
  }
  const std::size_t base = links_.front().size;
  const bool outgrown = deltas > base;
  if (!outgrown && links_.size() - 1 < kMaxDeltas) {
    return;
  }
  merge_ = std::make_unique<Merge>();
  // Many deltas that are small beside the base: it need not be written again for them.
  merge_->first = outgrown || deltas > base / 4 ? 0 : 1;
  merge_->count = links_.size() - merge_->first;
  std::size_t bytes = 0;
  for (std::size_t i = merge_->first; i < links_.size(); ++i) {
    merge_->inputs.push_back(links_[i]);
    bytes += links_[i].size;
  }
  if (bytes <= kMergeAtOnceBytes) {
    run(*merge_);
    take_merged();
    return;
  }
  try {
    merge_->thread = std::thread([merge = merge_.get()] { run(*merge); });
  } catch (const std::system_error&) {
    merge_ = nullptr;  // no thread to be had: the chain only stays longer
  }
}

void SegmentChain::take_merged() {
  if (merge_ == nullptr || !merge_->done) {
    return;
  }
  settle();
  const std::unique_ptr<Merge> merge = std::move(merge_);
  if (merge->result.empty()) {
    return;
  }
  SnapshotFile merged = make_snapshot_file(kFilePrefix, std::move(merge->result));
  const auto begin = links_.begin() + static_cast<std::ptrdiff_t>(merge->first);
  *begin = std::move(merged);
  links_.erase(begin + 1, begin + static_cast<std::ptrdiff_t>(merge->count));
}

}  // namespace flott::heap
