#include "state/timer_service.h"

#include "base/clock.h"
#include "base/error.h"
#include "state/keyed_state_backend.h"
#include "types/host.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <vector>

namespace flott {
namespace {

constexpr TimeDomain kEvent = TimeDomain::kEventTime;
constexpr TimeDomain kProcessing = TimeDomain::kProcessingTime;
constexpr std::int64_t kNoDeadline = std::numeric_limits<std::int64_t>::max();

/// Timers with a backend and a clock; fired ones are noted as "key@time" or "key@time[start]".
class Timers {
 public:
  explicit Timers(int subtask = 0, int parallelism = 1) {
    options_.clock = &clock;
    options_.range = key_group_range_of(subtask, options_.max_parallelism, parallelism);
    backend = make_heap_keyed_state_backend(options_);
    service = make_heap_timer_service(*backend, options_);
  }
  void key(std::int64_t k) {
    const Value value = Value::integer(k);
    std::string bytes;
    encode_key(value, bytes);
    backend->set_current_key(Key::of(bytes, value));
  }
  void add(std::int64_t k, Timestamp time, Window window = {}, TimeDomain domain = kEvent) {
    key(k);
    service->register_timer(domain, window, time);
  }
  void remove(std::int64_t k, Timestamp time, Window window = {}, TimeDomain domain = kEvent) {
    key(k);
    service->delete_timer(domain, window, time);
  }
  bool advance(Timestamp watermark, std::int64_t deadline_ns = kNoDeadline) {
    return service->advance_watermark(watermark, deadline_ns, note());
  }
  bool tick(std::int64_t deadline_ns = kNoDeadline) {
    return service->fire_processing_timers(deadline_ns, note());
  }
  TimerService::OnTimer note() {
    return [this](TimeDomain, Timestamp time, const Window& window) {
      fired.push_back(fmt::format("{}@{}", backend->current_key().as_int(), time) +
                      (window.is_void() ? "" : fmt::format("[{}]", window.start)));
    };
  }
  std::vector<std::string> take() { return std::exchange(fired, {}); }

  ManualClock clock{0};
  std::unique_ptr<KeyedStateBackend> backend;
  std::unique_ptr<TimerService> service;
  std::vector<std::string> fired;

 private:
  KeyedStateOptions options_;
};

using Fired = std::vector<std::string>;

TEST(TimerService, ResetLetsTheNextKeyBeginBeforeAllTime) {
  Timers t;
  t.add(1, 10);
  EXPECT_TRUE(t.advance(kMaxWatermark));
  EXPECT_EQ(t.service->current_watermark(), kMaxWatermark);
  t.service->reset_watermark();
  EXPECT_EQ(t.service->current_watermark(), kMinWatermark);
  t.add(2, 5);
  EXPECT_TRUE(t.advance(3));
  EXPECT_EQ(t.service->size(kEvent), 1u);
}

TEST(TimerService, FiresByTimeThenByInsertion) {
  Timers t;
  t.add(1, 20);
  t.add(2, 10);
  t.add(3, 20);
  t.add(1, 10);
  t.add(9, 31);
  EXPECT_TRUE(t.advance(30));
  EXPECT_EQ(t.take(), (Fired{"2@10", "1@10", "1@20", "3@20"}));
  EXPECT_EQ(t.service->current_watermark(), 30);
  EXPECT_EQ(t.service->size(kEvent), 1u);
  EXPECT_TRUE(t.advance(kMaxWatermark));
  EXPECT_EQ(t.take(), Fired{"9@31"});
}

TEST(TimerService, RegistersATimerOnceAndKeepsNamespacesAndDomainsApart) {
  Timers t;
  for (int n = 0; n < 3; ++n) {
    t.add(1, 10);
    t.add(1, 10, {0, 5, {}});
    t.add(1, 10, {0, 5, "custom"});
    t.add(1, 10, {}, kProcessing);
  }
  EXPECT_EQ(t.service->size(kEvent), 3u);
  EXPECT_EQ(t.service->size(kProcessing), 1u);
  t.advance(10);
  EXPECT_EQ(t.take(), (Fired{"1@10", "1@10[0]", "1@10[0]"}));
  EXPECT_EQ(t.service->size(kProcessing), 1u);
  t.add(1, 10);
  EXPECT_EQ(t.service->size(kEvent), 1u) << "a fired timer may come again";
}

TEST(TimerService, DeletesExactlyTheTimerMeant) {
  Timers t;
  t.add(1, 10);
  t.add(1, 11);
  t.add(2, 10);
  t.add(1, 10, {0, 5, {}});
  t.remove(1, 10);
  t.remove(1, 10);
  t.remove(1, 99);
  t.remove(7, 10);
  t.remove(2, 10, {}, kProcessing);
  t.advance(100);
  EXPECT_EQ(t.take(), (Fired{"2@10", "1@10[0]", "1@11"}));
}

TEST(TimerService, ATimerThatAFiringTimerSetsInThePastFiresInTheSameCall) {
  Timers t;
  t.add(1, 10);
  const auto note = t.note();
  EXPECT_TRUE(
      t.service->advance_watermark(50, kNoDeadline, [&](auto domain, auto time, auto& window) {
        note(domain, time, window);
        EXPECT_EQ(t.service->current_watermark(), 50);
        if (time == 10) {
          t.service->register_timer(domain, window, 5);
          t.service->register_timer(domain, window, 50);
          t.service->register_timer(domain, window, 51);
          t.service->register_timer(domain, window, 10);  // itself: a new one
          t.service->delete_timer(domain, window, 10);
        }
      }));
  EXPECT_EQ(t.take(), (Fired{"1@10", "1@5", "1@50"}));
  EXPECT_EQ(t.service->size(kEvent), 1u);
}

TEST(TimerService, StopsAtTheDeadlineAndGoesOnLater) {
  Timers t;
  for (int n = 0; n < 5; ++n) {
    t.add(n, n);
  }
  int calls = 1;
  while (!t.advance(10, 0)) {  // a deadline that has passed: one timer a call
    ++calls;
    EXPECT_EQ(t.service->current_watermark(), 10);
  }
  EXPECT_EQ(calls, 5);
  EXPECT_EQ(t.take(), (Fired{"0@0", "1@1", "2@2", "3@3", "4@4"}));
  EXPECT_TRUE(t.advance(10, 0)) << "nothing left";
}

TEST(TimerService, ProcessingTimersFollowTheClock) {
  Timers t;
  EXPECT_EQ(t.service->next_processing_time(), kMaxTimestamp);
  EXPECT_TRUE(t.tick());
  t.add(1, 100, {}, kProcessing);
  t.add(2, 50, {}, kProcessing);
  EXPECT_EQ(t.service->next_processing_time(), 50);
  t.clock.set(99);
  EXPECT_EQ(t.service->current_processing_time(), 99);
  EXPECT_TRUE(t.tick());
  EXPECT_EQ(t.take(), Fired{"2@50"});
  t.clock.set(100);
  EXPECT_TRUE(t.tick());
  EXPECT_EQ(t.take(), Fired{"1@100"});
  t.add(1, 200, {}, kProcessing);
  t.add(1, 200);
  EXPECT_EQ(t.service->drop_processing_timers(), 1u);
  EXPECT_EQ(t.service->size(kProcessing), 0u);
  EXPECT_EQ(t.service->size(kEvent), 1u);
}

TEST(TimerService, AllProcessingTimersFireWithoutWaitingForTheClock) {
  Timers t;
  t.clock.set(60);
  t.add(1, 100, {}, kProcessing);
  t.add(2, 50, {}, kProcessing);
  t.add(3, kMaxTimestamp, {}, kProcessing);
  t.add(1, 200);
  int calls = 0;
  const auto note = t.note();
  const auto again = [&](TimeDomain domain, Timestamp time, const Window& window) {
    note(domain, time, window);
    if (time == 100) {
      t.service->register_timer(domain, window, 1'000);
      t.service->register_timer(kEvent, window, 1'000);
    }
  };
  t.service->set_last(true);
  do {
    ++calls;
  } while (!t.service->fire_all_processing_timers(0, again));
  EXPECT_EQ(t.take(), (Fired{"2@50", "1@100", fmt::format("3@{}", kMaxTimestamp)}))
      << "without the one that a timer registers";
  EXPECT_EQ(calls, 3) << "one timer a call behind the deadline";
  EXPECT_EQ(t.service->size(kProcessing), 0u);
  EXPECT_EQ(t.service->size(kEvent), 2u) << "those of event time count";
  t.service->set_last(false);
  t.add(1, 300, {}, kProcessing);
  EXPECT_EQ(t.service->size(kProcessing), 1u);
}

TEST(TimerService, NeedsACurrentKey) {
  Timers t;
  EXPECT_THROW(t.service->register_timer(kEvent, {}, 1), Error);
}

TEST(TimerService, WatermarksNeverGoBack) {
  Timers t;
  t.advance(10);
  t.advance(5);
  EXPECT_EQ(t.service->current_watermark(), 10);
}

TEST(TimerService, AgreesWithAModelThroughRestoreAndRescaling) {
  using Id = std::tuple<Timestamp, std::int64_t, std::int64_t>;  // time, key, window
  for (unsigned seed = 1; seed <= 5; ++seed) {
    std::mt19937 random(seed);
    const auto pick = [&](unsigned n) { return static_cast<std::int64_t>(random() % n); };
    std::set<Id> model[2];
    std::vector<std::unique_ptr<Timers>> subtasks;
    subtasks.push_back(std::make_unique<Timers>());
    for (const int parallelism : {3, 2, 1}) {
      for (int n = 0; n < 2000; ++n) {
        const std::int64_t key = pick(40);
        const Timestamp time = pick(500);
        const std::int64_t start = pick(3) * 10;
        const Window window = start == 0 ? Window{} : Window{start, start + 10, {}};
        const auto domain = static_cast<TimeDomain>(pick(2));
        std::string bytes;
        encode_key(Value::integer(key), bytes);
        Timers& t = *subtasks[static_cast<std::size_t>(
            subtask_of(key_group_of(hash_bytes(bytes), kDefaultMaxParallelism),
                       kDefaultMaxParallelism,
                       static_cast<int>(subtasks.size())))];
        auto& expected = model[static_cast<std::size_t>(domain)];
        if (pick(3) > 0) {
          t.add(key, time, window, domain);
          expected.emplace(time, key, start);
        } else {
          t.remove(key, time, window, domain);
          expected.erase({time, key, start});
        }
      }
      std::map<KeyGroup, std::string> frames;
      for (const auto& t : subtasks) {
        frames.merge(t->service->snapshot());
      }
      subtasks.clear();
      std::size_t events = 0;
      for (int subtask = 0; subtask < parallelism; ++subtask) {
        subtasks.push_back(std::make_unique<Timers>(subtask, parallelism));
        subtasks.back()->service->restore(frames);
        events += subtasks.back()->service->size(kEvent);
      }
      ASSERT_EQ(events, model[0].size());
    }
    std::set<Id> fired;
    Timestamp last = kMinTimestamp;
    Timers& t = *subtasks[0];
    t.service->advance_watermark(
        1000, kNoDeadline, [&](TimeDomain, Timestamp time, const Window& w) {
          EXPECT_GE(time, last);
          last = time;
          EXPECT_TRUE(fired.emplace(time, t.backend->current_key().as_int(), w.start).second);
        });
    EXPECT_EQ(fired, model[0]);
    EXPECT_EQ(t.service->size(kProcessing), model[1].size());
    EXPECT_TRUE(t.service->current_watermark() == 1000);
  }
}

TEST(TimerService, RestoreKeepsTheOrderOfInsertionAcrossKeyGroups) {
  Timers a;
  Fired expected;
  for (std::int64_t k = 0; k < 100; ++k) {
    a.add(k * 37 % 100, 10);
    expected.push_back(fmt::format("{}@10", k * 37 % 100));
  }
  Timers b;
  b.service->restore(a.service->snapshot());
  EXPECT_EQ(b.service->current_watermark(), kMinWatermark)
      << "watermarks are not restored, as in Flink";
  b.add(100, 10);
  expected.push_back("100@10");
  b.advance(10);
  EXPECT_EQ(b.take(), expected);
}

using Frames = std::map<KeyGroup, std::string>;

TEST(TimerService, ADeferredSnapshotHoldsTheTimersOfItsMoment) {
  std::optional<Timers> t(std::in_place);
  EXPECT_EQ(t->service->snapshot_deferred(), nullptr) << "without timers";
  std::vector<std::shared_ptr<DeferredFrames>> deferred;
  std::vector<Frames> expected;
  std::mt19937 random(3);
  const auto pick = [&](unsigned n) { return static_cast<std::int64_t>(random() % n); };
  // Snapshots are encoded late and in any order, while timers fire, go and come again.
  for (int round = 0; round < 20; ++round) {
    for (int n = 0; n < 200; ++n) {
      const Window window = pick(2) == 0 ? Window{} : Window{0, 5, pick(2) == 0 ? "custom" : ""};
      const auto domain = static_cast<TimeDomain>(pick(2));
      if (pick(3) > 0) {
        t->add(pick(50), round * 10 + pick(100), window, domain);
      } else {
        t->remove(pick(50), round * 10 + pick(100), window, domain);
      }
    }
    t->advance(round * 10);
    t->clock.set(round * 10);
    t->tick();
    expected.push_back(t->service->snapshot());
    deferred.push_back(t->service->snapshot_deferred());
    ASSERT_NE(deferred.back(), nullptr);
    const auto late = static_cast<std::size_t>(pick(static_cast<unsigned>(deferred.size())));
    EXPECT_EQ(*deferred[late]->get(), expected[late]);
  }
  deferred.erase(deferred.begin() + 5);  // one that is given up
  expected.erase(expected.begin() + 5);
  t.reset();
  for (std::size_t i = 0; i < deferred.size(); ++i) {
    EXPECT_EQ(*deferred[i]->get(), expected[i]) << "without the service";
  }
}

TEST(TimerService, TimersFireWhileAnotherThreadEncodesThem) {
  std::optional<Timers> t(std::in_place);
  constexpr std::int64_t kCount = 2'000;
  for (std::int64_t k = 0; k < kCount; ++k) {
    t->add(k, k);
  }
  std::vector<std::thread> writers;
  std::vector<std::size_t> sizes(4);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    writers.emplace_back([frames = t->service->snapshot_deferred(), &size = sizes[i]] {
      for (const auto& [group, frame] : *frames->get()) {
        Timers restored;
        restored.service->restore({{group, frame}});
        size += restored.service->size(kEvent);
      }
    });
    t->advance(static_cast<Timestamp>(i + 1) * kCount / 5 - 1);
    t->add(kCount, kCount);
  }
  t.reset();
  for (std::thread& writer : writers) {
    writer.join();
  }
  EXPECT_EQ(sizes, (std::vector<std::size_t>{2000, 1601, 1201, 801}));
}

/// Opaque values of which it is counted how often they are encoded, and by whom.
class CountingHost final : public Host {
 public:
  void enter() override {}
  void leave() override {}
  void retain(void* handle) override { ++refs(handle); }
  void release(void* handle) override { --refs(handle); }
  void* isolate(void* handle) override {
    ++refs(handle);
    return handle;
  }
  bool equal(void* a, void* b) override { return a == b; }
  bool less(void* a, void* b) override { return a < b; }
  bool truthy(void*) override { return true; }
  void serialize(void* handle, std::string& out) override {
    EXPECT_EQ(std::this_thread::get_id(), task);
    ++serialized;
    out += static_cast<char>('a' + (static_cast<std::atomic<int>*>(handle) - objects));
  }
  void* deserialize(std::string_view bytes) override {
    std::atomic<int>& object = objects[bytes.front() - 'a'];
    ++object;
    return &object;
  }
  void encode_key(void* handle, std::string& out) override {
    out += fmt::format("X{}", static_cast<std::atomic<int>*>(handle) - objects);
  }
  std::string repr(void*) override { return "object"; }
  std::string str(void*) override { return "object"; }
  std::size_t size_hint(void*) override { return 1; }
  Value to_native(void*, const LogicalType&) override { return {}; }
  void* to_object(const Value&, const LogicalType&) override { return nullptr; }

  static std::atomic<int>& refs(void* handle) { return *static_cast<std::atomic<int>*>(handle); }

  const std::thread::id task = std::this_thread::get_id();
  int serialized = 0;
  std::atomic<int> objects[8] = {};
};

TEST(TimerService, TheTaskEncodesOpaqueKeysOnce) {
  CountingHost counting;
  Host* const before = host();
  set_host(&counting);
  {
    std::optional<Timers> t(std::in_place);
    const auto add = [&](int object, Timestamp time) {
      std::atomic<int>& handle = counting.objects[object];
      ++handle;
      // Opaque by itself, or part of a row.
      const Value opaque = Value::adopt_object(&handle);
      const Value value = object % 2 == 0 ? opaque : Value::row({opaque, Value::integer(1)});
      std::string bytes;
      encode_key(value, bytes);
      t->backend->set_current_key(Key::of(bytes, value));
      t->service->register_timer(kEvent, {}, time);
    };
    const auto fire = [&](Timestamp watermark) {
      t->service->advance_watermark(
          watermark, kNoDeadline, [](TimeDomain, Timestamp, const Window&) {});
    };
    for (int object = 0; object < 6; ++object) {
      add(object, object);
    }
    fire(1);
    EXPECT_EQ(counting.serialized, 0);
    const auto first = t->service->snapshot_deferred();
    EXPECT_EQ(counting.serialized, 4) << "0 and 1 have fired";
    fire(3);
    add(6, 6);
    add(2, 7);
    const auto second = t->service->snapshot_deferred();
    EXPECT_EQ(counting.serialized, 6) << "a new one, and one that is a new key again";
    t->service->snapshot_deferred();
    EXPECT_EQ(counting.serialized, 6);
    t.reset();
    Frames frames;
    std::thread([&] {
      EXPECT_EQ(first->get()->size(), 4u);
      frames = *second->get();
    }).join();
    EXPECT_EQ(counting.serialized, 6);
    EXPECT_EQ(frames.size(), 4u);
    t.emplace();
    t->service->restore(frames);
    EXPECT_EQ(t->service->size(kEvent), 4u);
    EXPECT_EQ(t->service->snapshot().size(), 4u);
    EXPECT_EQ(counting.serialized, 6) << "the bytes that were read";
  }
  for (const auto& references : counting.objects) {
    EXPECT_EQ(references, 0);
  }
  set_host(before);
}

TEST(TimerService, DamagedFramesAreAnError) {
  Timers a;
  a.add(1, 10);
  a.add(1, 20, {0, 10, "custom"}, kProcessing);
  const auto frames = a.service->snapshot();
  ASSERT_EQ(frames.size(), 1u);
  const auto& [group, frame] = *frames.begin();
  for (std::size_t size = 0; size < frame.size(); ++size) {
    EXPECT_THROW(Timers().service->restore({{group, frame.substr(0, size)}}), Error) << size;
  }
}

TEST(TimerService, AMillionTimersAreFine) {
  Timers t;
  const std::int64_t count = 1'000'000;
  for (std::int64_t n = 0; n < count; ++n) {
    t.add(n % 100'000, n * 7919 % count);
  }
  EXPECT_EQ(t.service->size(kEvent), static_cast<std::size_t>(count));
  Timestamp last = -1;
  std::int64_t fired = 0;
  EXPECT_TRUE(t.service->advance_watermark(
      count, kNoDeadline, [&](TimeDomain, Timestamp time, const Window&) {
        fired += time == last + 1 ? 1 : 0;
        last = time;
      }));
  EXPECT_EQ(fired, count);
}

}  // namespace
}  // namespace flott
