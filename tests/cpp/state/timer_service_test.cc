#include "state/timer_service.h"

#include "base/clock.h"
#include "base/error.h"
#include "state/keyed_state_backend.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <tuple>

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
