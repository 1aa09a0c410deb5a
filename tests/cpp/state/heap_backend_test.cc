#include "tests/cpp/state/backend_conformance.h"

namespace flott {

INSTANTIATE_TEST_SUITE_P(Heap,
                         BackendConformance,
                         ::testing::Values(BackendFactory{"heap", make_heap_keyed_state_backend}),
                         [](const auto& backend) { return backend.param.name; });

namespace {

std::string hex(const std::string& bytes) {
  std::string out;
  for (const char c : bytes) {
    out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  }
  return out;
}

std::string unhex(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); at += 2) {
    out.push_back(static_cast<char>(std::stoi(std::string(text.substr(at, 2)), nullptr, 16)));
  }
  return out;
}

// Bytes of format 1 as it was first released: whatever changes, they must stay readable.
TEST(HeapFrames, FormatOneStaysReadable) {
  const std::string stored =
      "01020176000006060100000000016c01000606010000000001094901000000000000000269020200000269540101"
      "00000000000000000a00000000000000050269026904";
  auto backend = make_heap_keyed_state_backend({});
  std::string key;
  encode_key(i(1), key);
  const KeyGroup group = key_group_of(hash_bytes(key), kDefaultMaxParallelism);
  backend->restore({{group, unhex(stored)}});
  ValueState& value = backend->value_state(descriptor(StateKind::kValue, "v"));
  ListState& list = backend->list_state(descriptor(StateKind::kList, "l"));
  set_key(*backend, i(1));
  EXPECT_EQ(value.value(), i(42));
  list.set_namespace({0, 10, {}});
  EXPECT_EQ(text(list.get()), "[1, 2]");
  const auto frames = backend->snapshot();
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(hex(frames.begin()->second), stored) << "a new format needs a new version";
}

}  // namespace
}  // namespace flott
