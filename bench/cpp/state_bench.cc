/// Keyed state on the heap: what a reduce operator does per record, and timers.
#include "base/clock.h"
#include "state/keyed_state_backend.h"
#include "state/timer_service.h"

#include <benchmark/benchmark.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

namespace flott {
namespace {

struct Keys {
  std::vector<std::string> bytes;
  std::vector<Value> values;
  std::vector<Key> keys;
};

/// `count` keys, visited `length` times in random order.
Keys make_keys(std::size_t count, std::size_t length, bool strings) {
  Keys out;
  for (std::size_t i = 0; i < count; ++i) {
    out.values.push_back(strings ? Value::string("customer-" + std::to_string(i * 7919))
                                 : Value::integer(static_cast<std::int64_t>(i)));
    encode_key(out.values.back(), out.bytes.emplace_back());
  }
  std::mt19937 random(1);
  for (std::size_t i = 0; i < length; ++i) {
    const std::size_t k = random() % count;
    out.keys.push_back(Key::of(out.bytes[k], out.values[k]));
  }
  return out;
}

StateDescriptor value_descriptor() {
  StateDescriptor descriptor;
  descriptor.name = "sum";
  descriptor.value_type = LogicalType::of(TypeKind::kBigInt);
  return descriptor;
}

void read_modify_write(benchmark::State& state, bool strings, bool with_ttl) {
  const Keys keys = make_keys(static_cast<std::size_t>(state.range(0)), 1 << 16, strings);
  const SystemClock clock;
  KeyedStateOptions options;
  options.clock = &clock;
  const auto backend = make_heap_keyed_state_backend(options);
  StateDescriptor descriptor = value_descriptor();
  if (with_ttl) {
    descriptor.ttl.update_type = StateTtlConfig::UpdateType::kOnCreateAndWrite;
    descriptor.ttl.ttl_ms = 3600'000;
  }
  ValueState& sum = backend->value_state(descriptor);
  std::size_t i = 0;
  for (auto _ : state) {
    backend->set_current_key(keys.keys[i++ & 0xffff]);
    const Value old = sum.value();
    sum.update(Value::integer((old.is_null() ? 0 : old.as_int()) + 1));
  }
  state.SetItemsProcessed(state.iterations());
}
void value_int_keys(benchmark::State& state) {
  read_modify_write(state, false, false);
}
void value_string_keys(benchmark::State& state) {
  read_modify_write(state, true, false);
}
void value_int_keys_ttl(benchmark::State& state) {
  read_modify_write(state, false, true);
}
BENCHMARK(value_int_keys)->Arg(10)->Arg(1000)->Arg(100'000)->Arg(1'000'000);
BENCHMARK(value_string_keys)->Arg(10)->Arg(1000)->Arg(100'000)->Arg(1'000'000);
BENCHMARK(value_int_keys_ttl)->Arg(1000)->Arg(100'000);

/// One window a record, as a sliding window operator: `range(1)` windows per key.
void value_in_windows(benchmark::State& state) {
  const Keys keys = make_keys(static_cast<std::size_t>(state.range(0)), 1 << 16, false);
  const auto windows = state.range(1);
  const auto backend = make_heap_keyed_state_backend({});
  ValueState& sum = backend->value_state(value_descriptor());
  std::size_t i = 0;
  for (auto _ : state) {
    const std::int64_t start = static_cast<std::int64_t>(i) % windows * 1000;
    backend->set_current_key(keys.keys[i++ & 0xffff]);
    sum.set_namespace({start, start + 1000, {}});
    const Value old = sum.value();
    sum.update(Value::integer((old.is_null() ? 0 : old.as_int()) + 1));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(value_in_windows)->Args({1000, 1})->Args({1000, 5})->Args({1000, 60});

/// A key that comes and goes: entry made and removed a record.
void value_create_and_clear(benchmark::State& state) {
  const Keys keys = make_keys(100'000, 1 << 16, false);
  const auto backend = make_heap_keyed_state_backend({});
  ValueState& sum = backend->value_state(value_descriptor());
  std::size_t i = 0;
  for (auto _ : state) {
    backend->set_current_key(keys.keys[i++ & 0xffff]);
    sum.update(Value::integer(1));
    sum.clear();
  }
}
BENCHMARK(value_create_and_clear);

/// Registers and fires `range(0)` timers, each of a key of its own.
void timers(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  const Keys keys = make_keys(count, count, false);
  const ManualClock clock;
  KeyedStateOptions options;
  options.clock = &clock;
  for (auto _ : state) {
    const auto backend = make_heap_keyed_state_backend(options);
    const auto service = make_heap_timer_service(*backend, options);
    std::mt19937 random(2);
    for (const Key& key : keys.keys) {
      backend->set_current_key(key);
      service->register_timer(TimeDomain::kEventTime, {}, random() % 1'000'000);
    }
    std::size_t fired = 0;
    service->advance_watermark(
        kMaxWatermark, kMaxTimestamp, [&](TimeDomain, Timestamp, const Window&) { ++fired; });
    benchmark::DoNotOptimize(fired);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(timers)->Arg(1000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

/// The pause of a task with a million timers for a checkpoint, `range(0)` of them new since the
/// last one, and (`encoded`) what the thread that writes the checkpoint does then.
void timer_snapshot(benchmark::State& state, bool encoded) {
  constexpr std::size_t kCount = 1'000'000;
  const auto changed = static_cast<std::size_t>(state.range(0));
  const Keys keys = make_keys(kCount, 0, false);
  const ManualClock clock;
  KeyedStateOptions options;
  options.clock = &clock;
  const auto backend = make_heap_keyed_state_backend(options);
  const auto service = make_heap_timer_service(*backend, options);
  std::mt19937 random(2);
  std::vector<Timestamp> times(kCount);
  for (std::size_t i = 0; i < kCount; ++i) {
    times[i] = random() % 1'000'000;
    backend->set_current_key(Key::of(keys.bytes[i], keys.values[i]));
    service->register_timer(TimeDomain::kEventTime, {}, times[i]);
  }
  std::size_t next = 0;
  for (auto _ : state) {
    state.PauseTiming();
    for (std::size_t n = 0; n < changed; ++n, next = (next + 7919) % kCount) {
      backend->set_current_key(Key::of(keys.bytes[next], keys.values[next]));
      service->delete_timer(TimeDomain::kEventTime, {}, times[next]);
      service->register_timer(TimeDomain::kEventTime, {}, times[next] += 10);
    }
    if (!encoded) {
      state.ResumeTiming();
    }
    const auto frames = service->snapshot_deferred();
    if (encoded) {
      state.ResumeTiming();
    } else {
      state.PauseTiming();
    }
    benchmark::DoNotOptimize(frames->get());
    if (!encoded) {
      state.ResumeTiming();
    }
  }
}
void timer_snapshot_pause(benchmark::State& state) {
  timer_snapshot(state, false);
}
void timer_snapshot_encoding(benchmark::State& state) {
  timer_snapshot(state, true);
}
BENCHMARK(timer_snapshot_pause)
    ->Arg(0)
    ->Arg(20'000)
    ->Arg(1'000'000)
    ->Iterations(5)
    ->Unit(benchmark::kMillisecond);
BENCHMARK(timer_snapshot_encoding)->Arg(0)->Iterations(5)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace flott

BENCHMARK_MAIN();
