#include "windows/merging_window_set.h"

#include "harness/case_text.h"
#include "harness/operator_harness.h"
#include "types/key.h"
#include "windows/window_operator.h"

#include <gtest/gtest.h>

namespace flott::harness {
namespace {

std::string text(const Window& window) {
  return "[" + to_text(window.start) + "," + to_text(window.end) + ")";
}

class MergingWindowSetTest : public testing::Test {
 protected:
  MergingWindowSetTest() {
    KeyedStateOptions options;
    options.clock = &clock_;
    backend_ = make_heap_keyed_state_backend(options);
    set_key("a");
    set_.open(*assigner_, *backend_);
    set_.load();
  }

  void set_key(const std::string& name) {
    key_value_ = Value::string(name);
    key_bytes_.clear();
    encode_key(key_value_, key_bytes_);
    backend_->set_current_key(Key::of(key_bytes_, key_value_));
  }
  /// `[result) <- merged...: state window <- merged state windows...`, or just the window.
  std::string add(Timestamp start, Timestamp end) {
    std::string log;
    const Window window = set_.add_window({start, end, {}},
                                          [&](const Window& result,
                                              const std::vector<Window>& merged,
                                              const Window& state,
                                              const std::vector<Window>& merged_states) {
                                            log = text(result) + " <-";
                                            for (const Window& w : merged) {
                                              log += " " + text(w);
                                            }
                                            log += ": " + text(state) + " <-";
                                            for (const Window& w : merged_states) {
                                              log += " " + text(w);
                                            }
                                          });
    return log.empty() ? text(window) : log;
  }
  std::string state_of(Timestamp start, Timestamp end) {
    const Window* window = set_.state_window({start, end, {}});
    return window == nullptr ? "none" : text(*window);
  }

  ManualClock clock_;
  std::unique_ptr<KeyedStateBackend> backend_;
  std::unique_ptr<WindowAssigner> assigner_ =
      make_session_windows(TimeCharacteristic::kEventTime, 1);
  MergingWindowSet set_;
  Value key_value_;
  std::string key_bytes_;
};

TEST_F(MergingWindowSetTest, AGrowingWindowKeepsItsStateWindow) {
  EXPECT_EQ(add(0, 4), "[0,4)");
  EXPECT_EQ(add(2, 6), "[0,6) <- [0,4): [0,4) <-");
  EXPECT_EQ(state_of(0, 6), "[0,4)");
  EXPECT_EQ(state_of(0, 4), "none");
}

TEST_F(MergingWindowSetTest, AWindowBetweenTwoMergesTheirContents) {
  add(0, 4);
  add(8, 12);
  EXPECT_EQ(add(4, 8), "[0,12) <- [0,4) [8,12): [0,4) <- [8,12)");
  EXPECT_EQ(state_of(0, 12), "[0,4)");
}

TEST_F(MergingWindowSetTest, AWindowInsideAnotherChangesNothing) {
  add(0, 10);
  EXPECT_EQ(add(3, 5), "[0,10)");
  EXPECT_EQ(state_of(0, 10), "[0,10)");
}

TEST_F(MergingWindowSetTest, AWindowEqualToAGrownOneKeepsItsState) {
  add(0, 4);
  add(2, 6);
  EXPECT_EQ(add(0, 6), "[0,6)");
  EXPECT_EQ(state_of(0, 6), "[0,4)");
}

TEST_F(MergingWindowSetTest, IsKeptPerKeyInState) {
  add(0, 4);
  add(2, 6);
  set_.persist();
  set_key("b");
  set_.load();
  EXPECT_EQ(state_of(0, 6), "none");
  set_key("a");
  set_.load();
  EXPECT_EQ(state_of(0, 6), "[0,4)");
  set_.retire({0, 6, {}});
  set_.persist();
  EXPECT_EQ(backend_->key_count(), 0U);
}

TEST_F(MergingWindowSetTest, FindsItsNeighboursAmongManyWindows) {
  for (Timestamp start = 0; start < 1000; start += 10) {
    EXPECT_EQ(add(start, start + 4), "[" + to_text(start) + "," + to_text(start + 4) + ")");
  }
  EXPECT_EQ(add(515, 518), "[515,518)");
  EXPECT_EQ(add(504, 515),
            "[500,518) <- [500,504) [510,514) [515,518): [500,504) <- [510,514) "
            "[515,518)");
  EXPECT_EQ(state_of(490, 494), "[490,494)");
  EXPECT_EQ(state_of(520, 524), "[520,524)");
}

TEST_F(MergingWindowSetTest, IsReadBackFromStateAfterFlush) {
  add(0, 4);
  add(2, 6);
  set_.persist();
  set_.flush();
  MergingWindowSet again;
  set_key("a");
  again.open(*assigner_, *backend_);
  again.load();
  const Window* window = again.state_window({0, 6, {}});
  ASSERT_NE(window, nullptr);
  EXPECT_EQ(text(*window), "[0,4)");
  again.retire({0, 6, {}});
  again.persist();
  EXPECT_EQ(backend_->key_count(), 0U);
}

TEST_F(MergingWindowSetTest, MoreKeysThanItHoldsOpenTakeTurns) {
  constexpr int kKeys = 20'000;
  for (const Timestamp start : {0, 3}) {
    for (int key = 0; key < kKeys; ++key) {
      set_key(std::to_string(key));
      set_.load();
      add(start, start + 4);
      set_.persist();
    }
  }
  for (int key = 0; key < kKeys; ++key) {
    set_key(std::to_string(key));
    set_.load();
    ASSERT_EQ(state_of(0, 7), "[0,4)") << key;
    set_.retire({0, 7, {}});
    set_.persist();
  }
  EXPECT_EQ(backend_->key_count(), 0U);
}

TEST_F(MergingWindowSetTest, KeysOfManyWindowsTakeTurns) {
  constexpr int kKeys = 70;
  constexpr Timestamp kEnd = 5000 * 10;
  for (int key = 0; key < kKeys; ++key) {
    set_key(std::to_string(key));
    set_.load();
    for (Timestamp start = 0; start < kEnd; start += 10) {
      add(start, start + 4);
    }
    set_.persist();
  }
  EXPECT_GT(backend_->key_count(), 50U) << "they have been stored to make room";
  EXPECT_LT(backend_->key_count(), 70U) << "but not each time";
  for (int key = 0; key < kKeys; ++key) {
    set_key(std::to_string(key));
    set_.load();
    ASSERT_EQ(state_of(0, 4), "[0,4)") << key;
    ASSERT_EQ(state_of(kEnd - 10, kEnd - 6), "[49990,49994)") << key;
    for (Timestamp start = 0; start < kEnd; start += 10) {
      set_.retire({start, start + 4, {}});
    }
    set_.persist();
  }
  EXPECT_EQ(backend_->key_count(), 0U);
}

TEST_F(MergingWindowSetTest, IsTheIdentityWithoutMerging) {
  MergingWindowSet plain;
  const auto tumbling = make_tumbling_windows(TimeCharacteristic::kEventTime, 5, 0);
  plain.open(*tumbling, *backend_);
  plain.load();
  const Window window{0, 5, {}};
  EXPECT_EQ(plain.add_window(window, nullptr), window);
  EXPECT_EQ(*plain.state_window({5, 10, {}}), (Window{5, 10, {}}));
  plain.retire(window);
  plain.persist();
}

}  // namespace
}  // namespace flott::harness
