#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace flott::rocks {

/// From a hash to the numbers of slots: open addressing in partitions that grow by themselves, so
/// that no insertion moves more than a small share of a large index.
class SlotIndex {
 public:
  static constexpr std::uint32_t kNone = 0xffffffff;
  /// About what a slot takes here.
  static constexpr std::size_t kBytesEach = 14;

  /// The slot of that hash for which `matches(number)`, or kNone.
  template <typename Matches>
  std::uint32_t find(std::uint64_t hash, Matches matches) const {
    const Part& part = parts_[hash >> kShift];
    const auto tag = static_cast<std::uint32_t>(hash);
    if (part.buckets != nullptr) {
      for (std::uint32_t at = tag & part.mask; part.buckets[at].slot != kNone;
           at = (at + 1) & part.mask) {
        if (part.buckets[at].tag == tag && matches(part.buckets[at].slot)) {
          return part.buckets[at].slot;
        }
      }
    }
    return kNone;
  }
  /// The processor fetches what find() will look at.
  void prefetch(std::uint64_t hash) const {
    const Part& part = parts_[hash >> kShift];
    if (part.buckets != nullptr) {
      __builtin_prefetch(&part.buckets[static_cast<std::uint32_t>(hash) & part.mask]);
    }
  }
  void insert(std::uint64_t hash, std::uint32_t slot) {
    Part& part = parts_[hash >> kShift];
    if (part.buckets == nullptr || (part.used + 1) * 5 > (part.mask + 1) * 4) {
      grow(part);
    }
    place(part, {static_cast<std::uint32_t>(hash), slot});
    ++part.used;
  }
  void erase(std::uint64_t hash, std::uint32_t slot) {
    Part& part = parts_[hash >> kShift];
    std::uint32_t at = static_cast<std::uint32_t>(hash) & part.mask;
    while (part.buckets[at].slot != slot) {
      at = (at + 1) & part.mask;
    }
    // What follows moves up as far as its place allows: no marks of what was deleted.
    for (std::uint32_t next = (at + 1) & part.mask; part.buckets[next].slot != kNone;
         next = (next + 1) & part.mask) {
      const std::uint32_t home = part.buckets[next].tag & part.mask;
      if (((next - home) & part.mask) >= ((next - at) & part.mask)) {
        part.buckets[at] = part.buckets[next];
        at = next;
      }
    }
    part.buckets[at].slot = kNone;
    --part.used;
  }
  void clear() { parts_ = {}; }

 private:
  static constexpr int kShift = 58;  // the highest bits: the lowest choose the bucket
  struct Bucket {
    std::uint32_t tag;
    std::uint32_t slot;
  };
  struct Part {
    std::unique_ptr<Bucket[]> buckets;
    std::uint32_t mask = 0;
    std::uint32_t used = 0;
  };

  static void place(Part& part, Bucket bucket) {
    std::uint32_t at = bucket.tag & part.mask;
    while (part.buckets[at].slot != kNone) {
      at = (at + 1) & part.mask;
    }
    part.buckets[at] = bucket;
  }
  static void grow(Part& part) {
    Part larger;
    const std::uint32_t size = part.buckets == nullptr ? 4 : (part.mask + 1) * 2;
    larger.buckets = std::make_unique<Bucket[]>(size);
    larger.mask = size - 1;
    larger.used = part.used;
    for (std::uint32_t i = 0; i < size; ++i) {
      larger.buckets[i].slot = kNone;
    }
    if (part.buckets != nullptr) {
      for (std::uint32_t i = 0; i <= part.mask; ++i) {
        if (part.buckets[i].slot != kNone) {
          place(larger, part.buckets[i]);
        }
      }
    }
    part = std::move(larger);
  }

  std::array<Part, std::size_t{1} << (64 - kShift)> parts_;
};

}  // namespace flott::rocks
