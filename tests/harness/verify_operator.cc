#include "harness/verify_operator.h"

#include "checkpoint/snapshot.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

namespace flott::harness {
namespace {

std::string join(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) {
    text += (text.empty() ? "" : " | ") + line;
  }
  return text;
}

std::vector<std::string> flatten(const std::vector<std::vector<std::string>>& steps) {
  std::vector<std::string> lines;
  for (const auto& step : steps) {
    lines.insert(lines.end(), step.begin(), step.end());
  }
  return lines;
}

bool is_control(const std::string& line) {
  return line.starts_with("watermark ") || line == "idle" || line == "active";
}

/// Subtask outputs of one step: control lines, which all subtasks emit alike, from the first only.
void append_subtask(std::vector<std::string> lines, bool first, std::vector<std::string>& out) {
  for (std::string& line : lines) {
    if (first || !is_control(line)) {
      out.push_back(std::move(line));
    }
  }
}

}  // namespace

struct OperatorCase::Mode {
  const char* name;
  bool batches = false;
  bool restores = false;
  /// Restored after every so many steps; after each of the others a checkpoint only, so that the
  /// next one holds what has changed since.
  std::size_t restores_every = 1;
  std::vector<int> parallelisms{1};  ///< of step i: [i % size]
};

/// One replay: the subtasks of the moment, and what they have seen.
class OperatorCase::Run {
 public:
  Run(OperatorCase& owner, const Mode& mode) : case_(owner), mode_(mode) { deploy(1, nullptr); }

  std::vector<Lines> steps() {
    const std::vector<Step>& steps = case_.steps_;
    std::vector<Lines> outputs(steps.size());
    for (std::size_t i = 0; i < steps.size();) {
      const std::size_t next = mode_.batches ? batch_end(i) : i + 1;
      if (next - i > 1) {
        batch(i, next);
      } else {
        step(steps[i]);
      }
      Lines& lines = outputs[next - 1];
      for (std::size_t s = 0; s < subtasks_.size(); ++s) {
        append_subtask(subtasks_[s]->take_output(), s == 0, lines);
      }
      i = next;
      if (mode_.restores && i < steps.size()) {
        if (i % mode_.restores_every == 0) {
          restart(mode_.parallelisms[i % mode_.parallelisms.size()]);
        } else {
          checkpoint();
        }
      }
    }
    return outputs;
  }

  std::size_t key_count() const {
    std::size_t count = 0;
    for (const auto& subtask : subtasks_) {
      count += subtask->key_count() + subtask->timer_count();
    }
    return count;
  }
  double metric(const std::string& name) const { return subtasks_[0]->metric(name); }

 private:
  void deploy(int parallelism, const OperatorCheckpoint* from) {
    subtasks_.clear();
    for (int subtask = 0; subtask < parallelism; ++subtask) {
      OperatorHarness::Options options = case_.options_;
      options.subtask = subtask;
      options.parallelism = parallelism;
      OperatorSnapshot restored;
      if (from != nullptr) {
        restored = redistribute(*from, subtask, parallelism, options.max_parallelism);
      }
      subtasks_.push_back(std::make_unique<OperatorHarness>(
          case_.factory_(), options, clock_, from != nullptr ? &restored : nullptr));
    }
  }

  OperatorCheckpoint checkpoint() {
    OperatorCheckpoint out;
    out.uid = "operator";
    out.parallelism = static_cast<int>(subtasks_.size());
    out.max_parallelism = case_.options_.max_parallelism;
    for (const auto& subtask : subtasks_) {
      out.subtasks.push_back(subtask->snapshot());
    }
    return out;
  }

  void restart(int parallelism) {
    const OperatorCheckpoint last = checkpoint();
    deploy(parallelism, &last);
    for (const auto& subtask : subtasks_) {
      if (watermark_ != kMinWatermark) {
        subtask->process_watermark(watermark_);
        const Lines lines = subtask->take_output();
        EXPECT_EQ(join(lines), "watermark " + to_text(watermark_))
            << "a restored instance emits nothing when it sees the last watermark again";
      }
    }
  }

  void step(const Step& step) {
    if (step.kind == Step::Kind::kRecord) {
      OperatorHarness& subtask = *subtasks_[route(step.value)];
      subtask.process(step.value, step.time, step.input, step.row_kind);
      return;
    }
    if (step.kind == Step::Kind::kClock) {
      clock_.set(step.time);
    }
    for (const auto& subtask : subtasks_) {
      control(step, *subtask);
    }
  }

  void control(const Step& step, OperatorHarness& subtask) {
    switch (step.kind) {
      case Step::Kind::kRecord:
        break;
      case Step::Kind::kWatermark:
        watermark_ = step.time;
        subtask.process_watermark(step.time);
        break;
      case Step::Kind::kClock:
        subtask.fire_processing_time();
        break;
      case Step::Kind::kIdle:
        subtask.process_status(WatermarkStatus::kIdle);
        break;
      case Step::Kind::kActive:
        subtask.process_status(WatermarkStatus::kActive);
        break;
      case Step::Kind::kEnd: {
        const bool last = &step == &case_.steps_.back();
        if (last) {
          subtask.process_watermark(kMaxWatermark);
        }
        subtask.end_input(step.input);
        if (last) {
          subtask.finish();
        }
        break;
      }
    }
  }

  std::size_t route(const Value& value) const {
    return static_cast<std::size_t>(case_.options_.key_of ? OperatorHarness::subtask_of_value(
                                                                value,
                                                                case_.options_.key_of,
                                                                case_.options_.max_parallelism,
                                                                static_cast<int>(subtasks_.size()))
                                                          : 0);
  }

  /// The longest run of records from `begin` that one typed batch can hold.
  std::size_t batch_end(std::size_t begin) const {
    const std::vector<Step>& steps = case_.steps_;
    LogicalTypePtr type;
    std::size_t end = begin;
    while (end < steps.size() && steps[end].kind == Step::Kind::kRecord &&
           steps[end].input == steps[begin].input &&
           (steps[end].time == kNoTimestamp) == (steps[begin].time == kNoTimestamp)) {
      LogicalTypePtr wider = common_type(steps[end].value, type);
      if (wider == nullptr) {
        break;
      }
      type = std::move(wider);
      ++end;
    }
    return std::max(end, begin + 1);
  }

  void batch(std::size_t begin, std::size_t end) {
    const std::vector<Step>& steps = case_.steps_;
    LogicalTypePtr type;
    for (std::size_t i = begin; i < end; ++i) {
      type = common_type(steps[i].value, type);
    }
    BatchBuilder builder(type);
    for (std::size_t i = begin; i < end; ++i) {
      builder.append(steps[i].value, steps[i].time, steps[i].row_kind);
    }
    subtasks_[0]->process_batch(builder.finish(), steps[begin].input);
  }

  OperatorCase& case_;
  const Mode& mode_;
  ManualClock clock_{0};
  Timestamp watermark_ = kMinWatermark;
  std::vector<std::unique_ptr<OperatorHarness>> subtasks_;
};

OperatorCase& OperatorCase::keyed_by(KeyOf key_of) {
  options_.key_of = std::move(key_of);
  return *this;
}
OperatorCase& OperatorCase::auto_watermark_interval(std::int64_t ms) {
  options_.auto_watermark_interval_ms = ms;
  return *this;
}
OperatorCase& OperatorCase::batch_mode() {
  options_.batch_mode = true;
  return *this;
}
OperatorCase& OperatorCase::without_restore() {
  restorable_ = false;
  return *this;
}
OperatorCase& OperatorCase::any_order() {
  any_order_ = true;
  return *this;
}
OperatorCase& OperatorCase::input(std::string_view text) {
  steps_ = parse_case(text);
  return *this;
}
OperatorCase& OperatorCase::expect_empty_state() {
  empty_state_ = true;
  return *this;
}
OperatorCase& OperatorCase::expect_metric(const std::string& name, double value) {
  metrics_[name] = value;
  return *this;
}

void OperatorCase::expect(std::string_view text) {
  const testing::ScopedTrace trace(
      where_.file_name(), static_cast<int>(where_.line()), "verify_operator");
  const Lines expected = canonical_lines(text);
  std::vector<Lines> by_step;
  try {
    by_step = run({.name = "element by element"});
    Lines actual = flatten(by_step);
    Lines wanted = expected;
    if (any_order_) {
      std::sort(actual.begin(), actual.end());
      std::sort(wanted.begin(), wanted.end());
    }
    EXPECT_EQ(join(actual), join(wanted)) << "element by element";
    compare({.name = "in batches", .batches = true},
            by_step,
            run({.name = "in batches", .batches = true}));
    if (!restorable_) {
      return;
    }
    const Mode restored{.name = "restored after every step", .restores = true};
    compare(restored, by_step, run(restored));
    if (options_.key_of) {
      const Mode increments{.name = "restored after every third step, with checkpoints in between",
                            .restores = true,
                            .restores_every = 3};
      compare(increments, by_step, run(increments));
      const Mode rescaled{
          .name = "rescaled after every step", .restores = true, .parallelisms = {1, 3, 2}};
      compare(rescaled, by_step, run(rescaled));
    }
  } catch (const std::exception& error) {
    ADD_FAILURE() << "unexpected error: " << error.what();
  }
}

void OperatorCase::expect_error(std::string_view part) {
  const testing::ScopedTrace trace(
      where_.file_name(), static_cast<int>(where_.line()), "verify_operator");
  try {
    run({.name = "element by element"});
    ADD_FAILURE() << "no error, but one with '" << part << "' was expected";
  } catch (const std::exception& error) {
    EXPECT_NE(std::string_view(error.what()).find(part), std::string_view::npos) << error.what();
  }
}

std::vector<OperatorCase::Lines> OperatorCase::run(const Mode& mode) {
  const testing::ScopedTrace trace(where_.file_name(), static_cast<int>(where_.line()), mode.name);
  Run replay(*this, mode);
  std::vector<Lines> outputs = replay.steps();
  if (empty_state_) {
    EXPECT_EQ(replay.key_count(), 0U) << "keys with state and timers left";
  }
  if (!mode.restores) {
    for (const auto& [name, value] : metrics_) {
      EXPECT_EQ(replay.metric(name), value) << name;
    }
  }
  return outputs;
}

void OperatorCase::compare(const Mode& mode,
                           const std::vector<Lines>& expected,
                           const std::vector<Lines>& actual) const {
  const testing::ScopedTrace trace(where_.file_name(), static_cast<int>(where_.line()), mode.name);
  if (mode.batches) {
    EXPECT_EQ(join(flatten(actual)), join(flatten(expected)));
    return;
  }
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    Lines wanted = expected[i];
    Lines got = actual[i];
    if (any_order_ || mode.parallelisms.size() > 1) {
      std::sort(wanted.begin(), wanted.end());
      std::sort(got.begin(), got.end());
    }
    EXPECT_EQ(join(got), join(wanted)) << "step " << i + 1 << ": " << steps_[i].text;
  }
}

OperatorCase verify_operator(OperatorCase::Factory factory, std::source_location where) {
  return {std::move(factory), where};
}

}  // namespace flott::harness
