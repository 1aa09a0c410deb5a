#pragma once

#include "state/rocksdb/rocks_state.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace flott::rocks {

/// What the database holds of one key, without what has expired.
struct StoredKey {
  struct Slot {
    std::size_t column = 0;  ///< position in Core::columns
    std::string_view namespace_bytes;
    std::string_view content;  ///< as in a frame (state/frame_format.h); empty unless asked for
  };
  KeyGroup group = 0;
  std::string_view bytes;      ///< canonical
  std::string_view key_value;  ///< entry_format.h: of the header
  std::vector<Slot> slots;     ///< at least one
};

enum class Contents { kLeftOut, kIncluded };

/// Calls visit(key) with each key of the database, by group; one pass over all columns at once.
/// What the caches hold must have been flushed.
void each_stored_key(Core& core,
                     Timestamp now,
                     Contents contents,
                     const std::function<void(const StoredKey&)>& visit);

}  // namespace flott::rocks
