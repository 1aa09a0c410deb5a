#include "state/rocksdb/entry_rules.h"

#include "state/rocksdb/entry_format.h"

#include <string>
#include <utility>

// Nothing may throw through the database: what cannot be read is left as it is, for the task to
// meet.

namespace flott::rocks {
namespace {

std::string_view view(const rocksdb::Slice& slice) {
  return {slice.data(), slice.size()};
}

class ListMerge final : public rocksdb::MergeOperator {
 public:
  const char* Name() const override { return "flott.list"; }

  bool FullMergeV2(const MergeOperationInput& in, MergeOperationOutput* out) const override {
    out->new_value.clear();
    try {
      if (in.existing_value != nullptr) {
        out->new_value.assign(in.existing_value->data(), in.existing_value->size());
      }
      for (const rocksdb::Slice& operand : in.operand_list) {
        append(operand, out->new_value);
      }
      return true;
    } catch (const Error&) {
      return false;
    }
  }

  bool PartialMergeMulti(const rocksdb::Slice& /*key*/,
                         const std::deque<rocksdb::Slice>& operands,
                         std::string* out,
                         rocksdb::Logger* /*logger*/) const override {
    out->clear();
    try {
      for (const rocksdb::Slice& operand : operands) {
        append(operand, *out);
      }
      return true;
    } catch (const Error&) {
      return false;
    }
  }

  bool AllowSingleOperand() const override { return false; }

 private:
  /// The first one gives the header.
  static void append(const rocksdb::Slice& operand, std::string& out) {
    std::string_view bytes = view(operand);
    if (!out.empty()) {
      BytesReader in(bytes);
      read_header(in);
      bytes = in.take(in.remaining());
    }
    out.append(bytes);
  }
};

class ExpiryFilter final : public rocksdb::CompactionFilter {
 public:
  explicit ExpiryFilter(std::shared_ptr<const ColumnRules> rules)
      : rules_(std::move(rules)),
        ttl_ms_(rules_->ttl_ms.load(std::memory_order_relaxed)),
        refresh_after_(rules_->refresh_after.load(std::memory_order_relaxed)),
        now_(rules_->clock->now_ms()) {}

  const char* Name() const override { return "flott.expiry"; }
  bool IgnoreSnapshots() const override { return true; }

  Decision FilterV2(int /*level*/,
                    const rocksdb::Slice& /*key*/,
                    ValueType type,
                    const rocksdb::Slice& existing,
                    std::string* changed,
                    std::string* /*skip_until*/) const override {
    // Elements are judged one by one, also those of an operand that meets its list only later.
    if (type != ValueType::kValue && type != ValueType::kMergeOperand) {
      return Decision::kKeep;
    }
    if (refresh_after_ > 0 && ++seen_ % refresh_after_ == 0) {
      now_ = rules_->clock->now_ms();
    }
    try {
      BytesReader in(view(existing));
      const EntryHeader header = read_header(in);
      if (rules_->kind != StateKind::kList) {
        return expired(header.stamped ? in.i64() : rules_->birth) ? Decision::kRemove
                                                                  : Decision::kKeep;
      }
      return filter_list(header, in, changed);
    } catch (const Error&) {
      return Decision::kKeep;
    }
  }

 private:
  Decision filter_list(const EntryHeader& header, BytesReader& in, std::string* changed) const {
    changed->clear();
    write_header(header.key_value, header.stamped, *changed);
    bool any = false;
    bool all = true;
    while (!in.empty()) {
      const StoredElement element = read_element(in);
      if (expired(element.stamped ? element.access : rules_->birth)) {
        all = false;
      } else {
        any = true;
        write_element(element.stamped, element.access, element.value, *changed);
      }
    }
    return all ? Decision::kKeep : any ? Decision::kChangeValue : Decision::kRemove;
  }
  bool expired(Timestamp access) const {
    const Timestamp end =
        access > 0 && ttl_ms_ > kMaxTimestamp - access ? kMaxTimestamp : access + ttl_ms_;
    return end <= now_;
  }

  const std::shared_ptr<const ColumnRules> rules_;
  const std::int64_t ttl_ms_;
  const std::int64_t refresh_after_;
  mutable std::int64_t seen_ = 0;
  mutable Timestamp now_;
};

class ExpiryFilterFactory final : public rocksdb::CompactionFilterFactory {
 public:
  explicit ExpiryFilterFactory(std::shared_ptr<const ColumnRules> rules)
      : rules_(std::move(rules)) {}
  const char* Name() const override { return "flott.expiry"; }
  std::unique_ptr<rocksdb::CompactionFilter> CreateCompactionFilter(
      const rocksdb::CompactionFilter::Context& /*context*/) override {
    if (rules_->clock == nullptr || rules_->ttl_ms.load(std::memory_order_relaxed) <= 0) {
      return nullptr;
    }
    return std::make_unique<ExpiryFilter>(rules_);
  }

 private:
  const std::shared_ptr<const ColumnRules> rules_;
};

class SlotPrefix final : public rocksdb::SliceTransform {
 public:
  const char* Name() const override { return "flott.slot"; }
  rocksdb::Slice Transform(const rocksdb::Slice& key) const override {
    const std::size_t size = slot_key_size(view(key));
    return {key.data(), size == 0 ? key.size() : size};
  }
  bool InDomain(const rocksdb::Slice& key) const override { return slot_key_size(view(key)) != 0; }
};

class InsertionHint final : public rocksdb::SliceTransform {
 public:
  const char* Name() const override { return "flott.hint"; }
  rocksdb::Slice Transform(const rocksdb::Slice& key) const override { return {key.data(), 1}; }
  /// Slot keys are longer than a key group; the ends of deleted ranges are none.
  bool InDomain(const rocksdb::Slice& key) const override { return key.size() > 2; }
};

}  // namespace

std::shared_ptr<rocksdb::MergeOperator> make_list_merge() {
  return std::make_shared<ListMerge>();
}

std::shared_ptr<rocksdb::CompactionFilterFactory> make_expiry_filter(
    std::shared_ptr<const ColumnRules> rules) {
  return std::make_shared<ExpiryFilterFactory>(std::move(rules));
}

std::shared_ptr<const rocksdb::SliceTransform> make_slot_prefix() {
  return std::make_shared<SlotPrefix>();
}

std::shared_ptr<const rocksdb::SliceTransform> make_insertion_hint() {
  return std::make_shared<InsertionHint>();
}

}  // namespace flott::rocks
