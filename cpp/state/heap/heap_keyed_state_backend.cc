#include "state/heap/heap_keyed_state_backend.h"

#include "base/bytes.h"
#include "base/error.h"
#include "checkpoint/checkpoint_storage.h"
#include "checkpoint/snapshot_file.h"
#include "state/frame_files.h"
#include "state/frame_format.h"
#include "state/heap/open_segment.h"
#include "state/migration.h"
#include "state/namespace_codec.h"
#include "types/host.h"
#include "types/value_encoding.h"

#include <algorithm>
#include <string_view>
#include <utility>

// Grammar of a frame: state/frame_format.h. The order of keys is that of their creation.

namespace flott::heap {
namespace {

constexpr std::string_view kBackendName = "heap";
/// A length up to this takes one byte.
constexpr std::size_t kShort = 40;

/// Writes a number into the byte that was kept for it; what follows makes room if it needs more.
void set_varint(std::string& out, std::size_t at, std::uint64_t number) {
  if (number < 0x80) [[likely]] {
    out[at] = static_cast<char>(number);
    return;
  }
  std::string bytes;
  BytesWriter(bytes).varint(number);
  out.replace(at, 1, bytes);
}

/// What `append` appends, with its length before it.
template <typename Append>
void append_sized(std::string& out, Append append) {
  const std::size_t at = out.size();
  out.push_back('\0');
  append();
  set_varint(out, at, out.size() - at - 1);
}

/// Content of a state that is restored but not declared (yet).
struct RawContainer final : Container {
  RawContainer(std::string_view content, bool has_stamps) : bytes(content), stamped(has_stamps) {}
  std::string bytes;
  bool stamped;
};

}  // namespace

HeapKeyedStateBackend::~HeapKeyedStateBackend() {
  const HostRelease others_may_run;  // what is left to be stored holds none of their objects
  segments_.clear();
  core_.changes.close();  // a checkpoint that is being written needs what it does not have yet
  frees(core_.table.size() * sizeof(KeyEntry));
}

template <typename Face>
Face& HeapKeyedStateBackend::declare(const StateDescriptor& descriptor) {
  if (descriptor.name.empty()) {
    throw Error(
        ErrorKind::kInvalidArgument,
        "a state descriptor has an empty name; name the state uniquely within its operator");
  }
  const LogicalTypePtr& value_type = or_object(descriptor.value_type);
  const LogicalTypePtr key_type =
      descriptor.kind == StateKind::kMap ? or_object(descriptor.key_type) : nullptr;
  const auto known = std::find_if(
      states_.begin(), states_.end(), [&](const auto& s) { return s.name == descriptor.name; });
  if (known != states_.end()) {
    const bool fits = known->state != nullptr ? same_type(known->value_type, value_type)
                                              : can_migrate(*known->value_type, *value_type);
    if (known->kind != descriptor.kind || !fits || !same_type(known->key_type, key_type)) {
      throw_error(
          ErrorKind::kInvalidArgument,
          "state '{}' is declared as {}, but {} as {}; {}",
          descriptor.name,
          describe_state(descriptor.kind, key_type, value_type),
          known->state != nullptr ? "was declared before in the same operator"
                                  : "the checkpoint holds it",
          describe_state(known->kind, known->key_type, known->value_type),
          known->state != nullptr ? "use another name for one of the two" : kHowToChangeState);
    }
    if (known->state != nullptr) {
      return dynamic_cast<Face&>(*known->face);
    }
  }
  close_segment();
  bool is_new = false;
  const std::uint32_t index = index_of(descriptor.name, &is_new);
  // Before the entry is touched: a bad descriptor throws.
  std::unique_ptr<HeapState> state;
  try {
    state = make_heap_state(core_, index, descriptor);
  } catch (...) {
    if (is_new) {
      states_.pop_back();
    }
    throw;
  }
  Registered& registered = states_[index];
  const LogicalTypePtr stored_type = registered.value_type;
  registered.kind = descriptor.kind;
  registered.value_type = value_type;
  registered.key_type = key_type;
  auto& face = dynamic_cast<Face&>(*state);
  registered.face = &face;
  registered.state = std::move(state);
  ++core_.epoch;
  if (!is_new) {
    forget_segments();  // what they say of this state is in the form of before
    decode_restored(index, stored_type);
  }
  return face;
}

std::uint32_t HeapKeyedStateBackend::index_of(const std::string& name, bool* is_new) {
  for (std::size_t i = 0; i < states_.size(); ++i) {
    if (states_[i].name == name) {
      *is_new = false;
      return static_cast<std::uint32_t>(i);
    }
  }
  *is_new = true;
  states_.emplace_back().name = name;
  return static_cast<std::uint32_t>(states_.size() - 1);
}

ValueState& HeapKeyedStateBackend::value_state(const StateDescriptor& descriptor) {
  require_kind(descriptor, descriptor.kind == StateKind::kValue, "value");
  return declare<ValueState>(descriptor);
}
ListState& HeapKeyedStateBackend::list_state(const StateDescriptor& descriptor) {
  require_kind(descriptor, descriptor.kind == StateKind::kList, "list");
  return declare<ListState>(descriptor);
}
MapState& HeapKeyedStateBackend::map_state(const StateDescriptor& descriptor) {
  require_kind(descriptor, descriptor.kind == StateKind::kMap, "map");
  return declare<MapState>(descriptor);
}
AppendingState& HeapKeyedStateBackend::appending_state(const StateDescriptor& descriptor) {
  require_kind(
      descriptor,
      descriptor.kind == StateKind::kReducing || descriptor.kind == StateKind::kAggregating,
      "reducing or aggregating");
  return declare<AppendingState>(descriptor);
}

void HeapKeyedStateBackend::set_current_key(const Key& key) {
  if (key.hash == core_.key_hash && core_.has_key && key.bytes == core_.key_bytes) {
    return;
  }
  KeyEntry* entry = core_.table.find(key.hash, key.bytes);
  if (entry == nullptr) {
    core_.key = Core::isolate(key_value(key));
  }
  core_.key_known = entry == nullptr;
  core_.entry = entry;
  core_.key_hash = key.hash;
  core_.key_bytes.assign(key.bytes);
  core_.has_key = true;
  ++core_.epoch;
}

const Value& HeapKeyedStateBackend::current_key() const {
  core_.know_key();
  return core_.key;
}

Key HeapKeyedStateBackend::current() const {
  core_.know_key();
  return {core_.key_bytes, core_.key_hash, &core_.key};
}

std::size_t HeapKeyedStateBackend::entry_count() const {
  std::size_t count = 0;
  for (const KeyEntry* entry = core_.table.first(); entry != nullptr; entry = entry->next) {
    count += entry->live;
  }
  return count;
}

std::optional<StateDescriptor> HeapKeyedStateBackend::declared(const std::string& name) const {
  for (const Registered& registered : states_) {
    if (registered.name == name && registered.state != nullptr) {
      StateDescriptor out;
      out.kind = registered.kind;
      out.name = name;
      out.value_type = registered.value_type;
      out.key_type = registered.key_type;
      return out;
    }
  }
  return std::nullopt;
}

void HeapKeyedStateBackend::for_each_key(const std::string& state_name,
                                         const std::function<void()>& visit) {
  const auto known = std::find_if(
      states_.begin(), states_.end(), [&](const auto& s) { return s.name == state_name; });
  if (known == states_.end()) {
    return;
  }
  const auto index = static_cast<std::uint32_t>(known - states_.begin());
  // Copies: what `visit` does may add and remove keys.
  struct Visited {
    std::string bytes;
    std::uint64_t hash;
    Value key;
  };
  const auto holds = [index](SlotArray& slots) {
    const Slot* slot = slots.find(index);
    return slot != nullptr && !slot->empty();
  };
  std::vector<Visited> keys;
  for (KeyEntry* entry = core_.table.first(); entry != nullptr; entry = entry->next) {
    bool has = holds(entry->slots);
    if (!has && entry->namespaces != nullptr) {
      const auto& windows = entry->namespaces->entries();
      has = std::any_of(
          windows.begin(), windows.end(), [&](const auto& w) { return holds(w->slots); });
    }
    if (has) {
      keys.push_back({entry->bytes, entry->hash, entry->key});
    }
  }
  const bool had_key = core_.has_key;
  const Visited before{core_.key_bytes, core_.key_hash, current_key()};
  for (const Visited& key : keys) {
    set_current_key({key.bytes, key.hash, &key.key});
    visit();
  }
  if (had_key) {
    set_current_key({before.bytes, before.hash, &before.key});
  }
}

void HeapKeyedStateBackend::clear_all() {
  while (KeyEntry* entry = core_.table.first()) {
    core_.erase(*entry);
  }
  for (const Registered& registered : states_) {
    if (registered.state != nullptr) {
      registered.state->note_all_erased();
    }
  }
}

std::vector<KeyedStateSize> HeapKeyedStateBackend::state_sizes() const {
  std::vector<KeyedStateSize> out;
  for (const Registered& registered : states_) {
    if (registered.state != nullptr && registered.state->may_grow()) {
      out.push_back(
          {registered.name, registered.state->slot_count(), registered.state->stored_bytes()});
    }
  }
  return out;
}

bool HeapKeyedStateBackend::encode_slot(
    std::uint32_t index, const Window& window, Slot& slot, Timestamp now, std::string& out) {
  const std::size_t begin = out.size();
  BytesWriter writer(out);
  writer.varint(index);
  encode_namespace(window, writer);
  const Registered& registered = states_[index];
  bool any = true;
  append_sized(out, [&] {
    if (registered.state == nullptr) {
      out += static_cast<const RawContainer&>(*slot.container).bytes;
    } else {
      const std::size_t content = out.size();
      any = registered.state->encode(slot, now, out);
      if (any) {
        registered.state->note_stored(slot, out.size() - content);
      }
    }
  });
  if (!any) {
    out.resize(begin);
  }
  return any;
}

bool HeapKeyedStateBackend::encode_plain_key(KeyEntry& entry, std::string& out) {
  Slot& slot = *entry.slots.find(0);
  const std::size_t text_size =
      entry.key.kind() == ValueKind::kString ? entry.key.as_string().size() : 0;
  if (entry.namespaces != nullptr || entry.live != 1 || slot.empty() || !is_scalar(slot.value) ||
      !states_[0].state->is_plain() || entry.bytes.size() > kShort || text_size > kShort ||
      (text_size == 0 && !is_scalar(entry.key))) {
    return false;
  }
  const std::size_t begin = out.size();
  out.resize(begin + 2 * kShort + 2 * kMaxScalarBytes + 8);  // cut off below
  char* to = out.data() + begin;
  *to++ = static_cast<char>(entry.bytes.size());
  to = std::copy(entry.bytes.begin(), entry.bytes.end(), to);
  char* const key_size = to++;
  if (text_size > 0) {
    const std::string_view text = entry.key.as_string();
    *to++ = 's';
    *to++ = static_cast<char>(text_size);
    to = std::copy(text.begin(), text.end(), to);
  } else {
    to = encode_scalar(entry.key, to);
  }
  *key_size = static_cast<char>(to - key_size - 1);
  *to++ = 1;  // slot
  *to++ = 0;  // its state
  *to++ = 0;  // the void namespace
  char* const content_size = to++;
  to = encode_scalar(slot.value, to);
  *content_size = static_cast<char>(to - content_size - 1);
  states_[0].state->note_stored(slot, static_cast<std::size_t>(to - content_size - 1));
  out.resize(static_cast<std::size_t>(to - out.data()));
  return true;
}

bool HeapKeyedStateBackend::encode_key(KeyEntry& entry, Timestamp now, std::string& out) {
  if (states_[0].state != nullptr && encode_plain_key(entry, out)) {
    return true;
  }
  const std::size_t begin = out.size();
  BytesWriter(out).string(entry.bytes);
  append_sized(out, [&] { entry.key.encode(out); });
  const std::size_t count_at = out.size();
  std::uint64_t slot_count = 0;
  out.push_back('\0');
  const auto add = [&](const Window& window, SlotArray& of) {
    for (std::uint32_t i = 0; i < states_.size(); ++i) {
      Slot* slot = of.find(i);
      if (slot != nullptr && !slot->empty() && encode_slot(i, window, *slot, now, out)) {
        ++slot_count;
      }
    }
  };
  add(Window{}, entry.slots);
  if (entry.namespaces != nullptr) {
    for (const auto& window : entry.namespaces->entries()) {
      add(window->window, window->slots);
    }
  }
  if (slot_count == 0) {
    out.resize(begin);
    return false;
  }
  set_varint(out, count_at, slot_count);
  return true;
}

Timestamp HeapKeyedStateBackend::now() const {
  return core_.options.clock != nullptr ? core_.options.clock->now_ms() : 0;
}

std::string HeapKeyedStateBackend::header() const {
  std::string header;
  BytesWriter writer(header);
  std::vector<StoredState> header_states;
  for (const Registered& registered : states_) {
    const bool stamped =
        registered.state != nullptr ? registered.state->stamped() : registered.restored_stamped;
    header_states.push_back(
        {registered.name, registered.kind, stamped, registered.value_type, registered.key_type});
  }
  write_frame_header(header_states, writer);
  return header;
}

std::map<KeyGroup, std::string> HeapKeyedStateBackend::snapshot() {
  close_segment();
  std::optional<HostScope> host_scope;
  if (core_.has_objects) {
    host_scope.emplace();
  }
  const Timestamp at = now();
  struct Group {
    std::uint64_t keys = 0;
    std::string bytes;
  };
  std::map<KeyGroup, Group> groups;
  for (KeyEntry* entry = core_.table.first(); entry != nullptr; entry = entry->next) {
    Group& group = groups[key_group_of(entry->hash, core_.options.max_parallelism)];
    group.keys += encode_key(*entry, at, group.bytes) ? 1 : 0;
  }
  const std::string states = header();
  std::map<KeyGroup, std::string> frames;
  for (auto& [group, content] : groups) {
    if (content.keys == 0) {
      continue;  // all of it has expired
    }
    std::string frame = states;
    BytesWriter(frame).varint(content.keys);
    frame += content.bytes;
    content.bytes = std::string();
    frames.emplace(group, std::move(frame));
  }
  return frames;
}

void HeapKeyedStateBackend::close_segment() {
  if (!core_.changes.is_open()) {
    return;
  }
  bool complete = false;
  {
    const HostRelease others_may_run;
    segments_.correct_last(core_.changes.expected_bytes());
    complete = core_.changes.close();
  }
  if (!complete) {
    forget_segments();
  }
}

void HeapKeyedStateBackend::forget_segments() {
  core_.changes.stop(core_.table);
  segments_.clear();
}

void HeapKeyedStateBackend::store_key(KeyEntry& entry, Timestamp now, SegmentBuilder& segment) {
  const KeyGroup group = key_group_of(entry.hash, core_.options.max_parallelism);
  if (encode_key(entry, now, segment.record())) {
    segment.end_record(group);
  } else if (!segment.is_base()) {
    segment.add_removed(group, entry.bytes);
  }
}

void HeapKeyedStateBackend::add_segment() {
  Changes& changes = core_.changes;
  const Timestamp at = now();
  const bool is_base = !changes.watching();
  const std::size_t keys = is_base ? core_.table.size() : changes.changed_count();
  SegmentBuilder segment(is_base, header());
  const std::size_t records = keys + changes.removed().size();
  segment.reserve(records, records * record_bytes_);
  // One key after the other: one that is gone and has come back is among the changed ones, too.
  for (const Changes::Removed& removed : changes.removed()) {
    if (core_.table.find(removed.hash, removed.bytes) == nullptr) {
      segment.add_removed(key_group_of(removed.hash, core_.options.max_parallelism), removed.bytes);
    }
  }
  try {
    const auto open = std::make_shared<OpenSegment>(
        std::move(segment),
        is_base ? changes.hand_over_all(core_.table) : changes.hand_over(),
        [this, at](KeyEntry& entry, SegmentBuilder& to) { store_key(entry, at, to); });
    if (core_.has_objects) {
      // Under the segment's lock, too, which nobody else knows yet.
      const HostScope host_scope;
      open->finish();
    } else {
      open->store_some(core_.options.keys_at_once);
    }
    open->check();
    record_bytes_ = open->record_bytes() + 1;
    segments_.add(is_base, open->expected_bytes(), [open] { return open->build(); });
    changes.opened(open);
  } catch (...) {
    forget_segments();  // what has changed is in none of them
    throw;
  }
}

std::optional<KeyedStateFiles> HeapKeyedStateBackend::snapshot_files() {
  close_segment();
  if (core_.table.size() == 0) {
    forget_segments();  // no frames are what stands for nothing
    return std::nullopt;
  }
  if (!core_.changes.watching() || !core_.changes.empty()) {
    add_segment();
  }
  KeyedStateFiles out;
  out.backend = kBackendName;
  out.range = core_.options.range;
  out.files = segments_.files();
  return out;
}

template <typename Read>
void HeapKeyedStateBackend::reading(KeyGroup group, Read read) {
  try {
    read();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kExternal || error.retryable()) {
      throw;
    }
    throw DamagedCheckpoint(
        {},
        fmt::format(
            "keyed state of key group {} cannot be restored: {}; restore an older checkpoint",
            group,
            error.what()));
  }
}

void HeapKeyedStateBackend::restore_files(const KeyedStateFiles& files) {
  if (files.backend == kFrameFiles) {
    STREAM_CHECK(!core_.has_key, "keyed state is restored after it was used");
    HostSlices host;
    each_frame(files, core_.options.range, [&](KeyGroup group, std::string_view frame) {
      reading(group, [&] { restore_frame(group, frame, host); });
    });
    ++core_.epoch;
    return;
  }
  if (files.backend != kBackendName) {
    KeyedStateBackend::restore_files(files);
    return;
  }
  STREAM_CHECK(!core_.has_key, "keyed state is restored after it was used");
  std::vector<Segment> segments;
  std::vector<const Segment*> chain;
  segments.reserve(files.files.size());
  for (const SnapshotFile& file : files.files) {
    core_.options.check_cancelled();
    const std::shared_ptr<const std::string> content = content_of(file);
    try {
      chain.push_back(&segments.emplace_back(content));
    } catch (const Error& error) {
      throw DamagedCheckpoint(
          file.path,
          fmt::format(
              "keyed state in the file {} cannot be restored: {}; restore an older checkpoint",
              file.path.empty() ? file.name : file.path,
              error.what()));
    }
  }
  if (chain.empty()) {
    return;
  }
  std::vector<Stored> stored;
  BytesReader states(chain.back()->header());
  restore_header(states, stored);
  HostSlices host;
  for (KeyGroup group = core_.options.range.begin; group < core_.options.range.end; ++group) {
    reading(group, [&] {
      for_each_record(chain, group, /*keep_removed=*/false, [&](std::string_view record) {
        BytesReader in(record);
        restore_key(group, stored, in, host);
      });
    });
  }
  ++core_.epoch;
}

void HeapKeyedStateBackend::restore(const std::map<KeyGroup, std::string>& frames) {
  STREAM_CHECK(!core_.has_key, "keyed state is restored after it was used");
  HostSlices host;
  for (const auto& [group, frame] : frames) {
    if (core_.options.range.contains(group)) {
      reading(group, [&, of = group, &bytes = frame] { restore_frame(of, bytes, host); });
    }
  }
  ++core_.epoch;
}

void HeapKeyedStateBackend::restore_header(BytesReader& in, std::vector<Stored>& stored) {
  for (const StoredState& from : read_frame_header(in)) {
    bool is_new = false;
    const std::uint32_t index = index_of(from.name, &is_new);
    Registered& registered = states_[index];
    if (is_new) {
      registered.kind = from.kind;
      registered.value_type = from.value_type;
      registered.key_type = from.key_type;
      registered.restored_stamped = from.stamped;
    } else if (registered.state == nullptr && reads_as(*registered.value_type, *from.value_type)) {
      registered.value_type = from.value_type;
    }
    // A state that nobody has declared yet keeps its bytes, and those of all frames must be alike.
    const bool fits = registered.state != nullptr
                          ? can_migrate(*from.value_type, *registered.value_type)
                          : reads_as(*from.value_type, *registered.value_type);
    if (from.kind != registered.kind || !fits || !same_type(from.key_type, registered.key_type)) {
      throw_error(ErrorKind::kInvalidArgument,
                  "state '{}' is declared as {}, but the checkpoint holds it as {}; {}",
                  from.name,
                  describe_state(registered.kind, registered.key_type, registered.value_type),
                  describe_state(from.kind, from.key_type, from.value_type),
                  kHowToChangeState);
    }
    stored.push_back({index, from.stamped, from.value_type});
  }
}

void HeapKeyedStateBackend::restore_key(KeyGroup group,
                                        const std::vector<Stored>& stored,
                                        BytesReader& in,
                                        HostSlices& host) {
  core_.options.check_cancelled();
  host.pause();
  const std::string_view bytes = in.string();
  const std::uint64_t hash = hash_bytes(bytes);
  if (key_group_of(hash, core_.options.max_parallelism) != group) {
    throw Error(ErrorKind::kExternal,
                "stored bytes are damaged: it holds a key of another key group (or the maximum "
                "parallelism differs from that of the checkpoint)");
  }
  BytesReader value_in(in.string());
  KeyEntry* known = core_.table.find(hash, bytes);
  if (BytesReader ahead = value_in; known == nullptr && skip_value(ahead)) {
    host.need();
    core_.has_objects = true;
  }
  KeyEntry& entry =
      known != nullptr ? *known : core_.table.insert(hash, bytes, Value::decode(value_in));
  for (std::uint64_t slots = in.varint(); slots > 0; --slots) {
    const std::uint64_t position = in.varint();
    if (position >= stored.size()) {
      throw_error(ErrorKind::kExternal,
                  "stored bytes are damaged: state {} of {}",
                  position,
                  stored.size());
    }
    const Window window = decode_namespace(in);
    const std::string_view content = in.string();
    restore_slot(entry, stored[position], window, content);
  }
  if (entry.live == 0) {
    core_.erase(entry);
  }
}

void HeapKeyedStateBackend::restore_frame(KeyGroup group,
                                          std::string_view frame,
                                          HostSlices& host) {
  BytesReader in(frame);
  std::vector<Stored> stored;
  restore_header(in, stored);
  for (std::uint64_t keys = in.varint(); keys > 0; --keys) {
    restore_key(group, stored, in, host);
  }
  if (!in.empty()) {
    throw Error(ErrorKind::kExternal, "stored bytes are damaged: bytes after the last key");
  }
}

void HeapKeyedStateBackend::restore_slot(KeyEntry& entry,
                                         const Stored& stored,
                                         const Window& window,
                                         std::string_view content) {
  NamespaceEntry* in = nullptr;
  if (!window.is_void()) {
    if (entry.namespaces == nullptr) {
      entry.namespaces = std::make_unique<NamespaceTable>();
    }
    in = entry.namespaces->find(window);
    if (in == nullptr) {
      in = &entry.namespaces->insert(window);
    }
  }
  Slot& slot = (in != nullptr ? in->slots : entry.slots).at(stored.index);
  if (!slot.empty()) {
    throw_error(ErrorKind::kExternal,
                "stored bytes are damaged: state '{}' of key {} occurs twice",
                states_[stored.index].name,
                entry.key.to_string());
  }
  if (HeapState* state = states_[stored.index].state.get()) {
    BytesReader reader(content);
    state->decode(reader, stored.stamped, slot);
    migrate_slot(states_[stored.index], stored.value_type, slot);
  } else {
    slot.container = std::make_unique<RawContainer>(content, stored.stamped);
  }
  if (!slot.empty()) {
    if (HeapState* state = states_[stored.index].state.get()) {
      state->note_restored(slot, content.size());
    }
    ++entry.live;
    if (in != nullptr) {
      ++in->live;
    }
  } else if (in != nullptr && in->live == 0) {
    entry.namespaces->erase(*in);
  }
}

void HeapKeyedStateBackend::migrate_slot(const Registered& registered,
                                         const LogicalTypePtr& stored_type,
                                         Slot& slot) {
  if (!slot.empty() && needs_migration(*stored_type, *registered.value_type)) {
    registered.state->convert(slot, [&](const Value& value) {
      return migrate(value, *stored_type, registered.value_type);
    });
  }
}

void HeapKeyedStateBackend::decode_restored(std::uint32_t index,
                                            const LogicalTypePtr& stored_type) {
  HeapState& state = *states_[index].state;
  // Called by what opens, with the host's lock: others get it now and then, and where no value is
  // opaque for as long as this takes.
  const Registered& registered = states_[index];
  std::optional<HostRelease> without;
  std::optional<HostScope> with;
  if (registered.value_type->is_native() &&
      (registered.key_type == nullptr || registered.key_type->is_native())) {
    without.emplace();
  } else {
    with.emplace();
  }
  std::int64_t since_ns = monotonic_ns();
  // Returns true when the key's entry is gone.
  const auto decode = [&](KeyEntry& entry, NamespaceEntry* in) {
    Slot* slot = (in != nullptr ? in->slots : entry.slots).find(index);
    if (slot == nullptr || slot->container == nullptr) {
      return false;
    }
    const std::unique_ptr<Container> raw = std::move(slot->container);
    const auto& content = static_cast<const RawContainer&>(*raw);
    BytesReader reader(content.bytes);
    state.decode(reader, content.stamped, *slot);
    migrate_slot(states_[index], stored_type, *slot);
    if (slot->empty()) {
      return core_.slot_emptied(entry, in);
    }
    state.note_restored(*slot, content.bytes.size());
    return false;
  };
  for (KeyEntry* entry = core_.table.first(); entry != nullptr;) {
    core_.options.check_cancelled();
    if (with && monotonic_ns() - since_ns >= kHostSliceNs) {
      {
        const HostRelease others_may_run;
      }
      since_ns = monotonic_ns();
    }
    KeyEntry* next = entry->next;
    if (!decode(*entry, nullptr) && entry->namespaces != nullptr) {
      for (std::size_t i = entry->namespaces->entries().size(); i-- > 0;) {
        if (decode(*entry, entry->namespaces->entries()[i].get())) {
          break;
        }
      }
    }
    entry = next;
  }
}

}  // namespace flott::heap

namespace flott {

std::unique_ptr<KeyedStateBackend> make_heap_keyed_state_backend(const KeyedStateOptions& options) {
  return std::make_unique<heap::HeapKeyedStateBackend>(options);
}

}  // namespace flott
