#pragma once

#include "state/heap/heap_state.h"
#include "state/heap/segment_chain.h"
#include "state/host_slices.h"
#include "state/keyed_state_backend.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flott::heap {

/// Keyed state on the heap. Made by make_heap_keyed_state_backend().
class HeapKeyedStateBackend final : public KeyedStateBackend {
 public:
  explicit HeapKeyedStateBackend(const KeyedStateOptions& options) { core_.options = options; }
  ~HeapKeyedStateBackend() override;

  ValueState& value_state(const StateDescriptor& descriptor) override;
  ListState& list_state(const StateDescriptor& descriptor) override;
  MapState& map_state(const StateDescriptor& descriptor) override;
  AppendingState& appending_state(const StateDescriptor& descriptor) override;

  void set_current_key(const Key& key) override;
  const Value& current_key() const override;
  Key current() const override;

  std::size_t key_count() const override { return core_.table.size(); }
  std::size_t entry_count() const override;
  std::optional<StateDescriptor> declared(const std::string& name) const override;
  void for_each_key(const std::string& state_name, const std::function<void()>& visit) override;

  void clear_all() override;

  std::map<KeyGroup, std::string> snapshot() override;
  void restore(const std::map<KeyGroup, std::string>& frames) override;
  std::optional<KeyedStateFiles> snapshot_files() override;
  void restore_files(const KeyedStateFiles& files) override;
  std::vector<KeyedStateSize> state_sizes() const override;

 private:
  /// A state by name: declared (`state` is set), or only restored so far.
  struct Registered {
    std::string name;
    StateKind kind = StateKind::kValue;
    LogicalTypePtr value_type;
    LogicalTypePtr key_type;  ///< map only, else null
    std::unique_ptr<HeapState> state;
    State* face = nullptr;          ///< `state` as what the caller declared
    bool restored_stamped = false;  ///< restored content carries access times
  };
  /// A state of the frame that is being restored.
  struct Stored {
    std::uint32_t index;
    bool stamped;
    LogicalTypePtr value_type;  ///< as it was stored
  };

  template <typename Face>
  Face& declare(const StateDescriptor& descriptor);
  /// Index of the name, or of a new entry.
  std::uint32_t index_of(const std::string& name, bool* is_new);
  void restore_header(BytesReader& in, std::vector<Stored>& stored);
  void restore_frame(KeyGroup group, std::string_view frame, HostSlices& host);
  void restore_slot(KeyEntry& entry,
                    const Stored& stored,
                    const Window& window,
                    std::string_view content);
  void restore_key(KeyGroup group,
                   const std::vector<Stored>& stored,
                   BytesReader& in,
                   HostSlices& host);
  std::string header() const;
  Timestamp now() const;
  /// The segment that another thread may be storing keys in gets all that it does not have yet:
  /// before something changes that every key has a part in.
  void close_segment();
  /// Appends the key's record to a segment.
  void store_key(KeyEntry& entry, Timestamp now, SegmentBuilder& segment);
  /// Of what has changed, or of all there is.
  void add_segment();
  /// The next one is of all there is.
  void forget_segments();
  /// Appends the key with its slots, as in a frame; false (and nothing appended) when all of it has
  /// expired.
  bool encode_key(KeyEntry& entry, Timestamp now, std::string& out);
  /// Likewise, of a key with one native value and nothing else: several times as quick. False when
  /// it is not one.
  bool encode_plain_key(KeyEntry& entry, std::string& out);
  /// What to do with errors of reading a key group.
  template <typename Read>
  void reading(KeyGroup group, Read read);
  /// Turns what was restored before the declaration into the state's own form.
  void decode_restored(std::uint32_t index, const LogicalTypePtr& stored_type);
  /// Gives what a slot holds the type that the state is declared with now.
  void migrate_slot(const Registered& registered, const LogicalTypePtr& stored_type, Slot& slot);
  /// Appends a slot if anything in it is to be stored.
  bool encode_slot(
      std::uint32_t index, const Window& window, Slot& slot, Timestamp now, std::string& out);

  // Mutable: the current key's value is fetched from its entry when first asked for.
  mutable Core core_;
  std::vector<Registered> states_;
  SegmentChain segments_;
  std::size_t record_bytes_ = 0;  ///< of a key in the last segment, on average
};

}  // namespace flott::heap
