#include "runtime/stall_watch.h"

#include "types/value.h"

#include <fmt/format.h>

#include <algorithm>

namespace flott {
namespace {

constexpr std::int64_t kSecondMs = 1'000;
constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::int64_t kYearMs = 365 * kDayMs;
constexpr std::int64_t kPlausibleMs = 20 * kYearMs;
constexpr std::int64_t kLongestPatienceMs = 3'600'000;
/// Late records are worth a line from here on; all of them are counted at the end of the job.
constexpr std::int64_t kManyLate = 10;
constexpr std::int64_t kLateShare = 20;  ///< one in so many

bool is_near(Timestamp a, Timestamp b) {
  return a > b - kPlausibleMs && a < b + kPlausibleMs;
}

std::string name_of(const WatermarkOrigin& origin) {
  return origin.parallelism == 1
             ? fmt::format("'{}'", origin.name)
             : fmt::format(
                   "subtask {}/{} of '{}'", origin.subtask + 1, origin.parallelism, origin.name);
}

/// "has had no records yet" / "has had no records for 40 s"; empty while records come.
std::string quiet_text(bool has_records, Timestamp quiet_since, Timestamp now) {
  if (!has_records) {
    return "has had no records yet";
  }
  return quiet_since == kNoTimestamp
             ? ""
             : fmt::format("has had no records for {} s", (now - quiet_since) / kSecondMs);
}

std::string joined(const std::vector<std::string>& items) {
  constexpr std::size_t kMost = 4;
  std::string out;
  for (std::size_t i = 0; i < std::min(items.size(), kMost); ++i) {
    out += out.empty() ? items[i] : ", " + items[i];
  }
  return items.size() > kMost ? fmt::format("{} and {} more", out, items.size() - kMost) : out;
}

/// The part of one origin, or one origin of several, that holds back the others: who it is and why.
struct Holder {
  std::string text;
  Timestamp others = kMinWatermark;  ///< the lowest watermark of those it holds back
};

/// Splits of one subtask that are behind its others.
std::optional<Holder> split_that_holds(const WatermarkOrigin& origin, Timestamp now) {
  Timestamp lowest = kMaxWatermark;
  Timestamp highest = kMinWatermark;
  for (const WatermarkOrigin::Split& split : origin.splits) {
    if (!split.idle) {
      lowest = std::min(lowest, split.watermark);
      highest = std::max(highest, split.watermark);
    }
  }
  if (lowest >= highest) {
    return std::nullopt;
  }
  std::vector<std::string> quiet;
  Timestamp others = kMaxWatermark;
  for (const WatermarkOrigin::Split& split : origin.splits) {
    if (split.idle) {
      continue;
    }
    if (split.watermark != lowest) {
      others = std::min(others, split.watermark);
      continue;
    }
    const std::string why = quiet_text(split.has_records, split.quiet_since, now);
    if (why.empty()) {
      return std::nullopt;  // it takes records: behind, but on its way
    }
    quiet.push_back(fmt::format("split '{}' {}", split.id, why));
  }
  return Holder{fmt::format("{} ({})", joined(quiet), name_of(origin)), others};
}

/// Subtasks or streams that are behind the others.
std::optional<Holder> origin_that_holds(const std::vector<const WatermarkOrigin*>& active,
                                        Timestamp watermark,
                                        Timestamp now) {
  std::vector<std::string> quiet;
  Timestamp others = kMaxWatermark;
  for (const WatermarkOrigin* origin : active) {
    if (origin->watermark > watermark) {
      others = std::min(others, origin->watermark);
      continue;
    }
    const std::string why = quiet_text(origin->records > 0, origin->quiet_since, now);
    if (why.empty()) {
      return std::nullopt;
    }
    quiet.push_back(fmt::format("{} {}", name_of(*origin), why));
  }
  if (quiet.empty() || quiet.size() == active.size()) {
    return std::nullopt;
  }
  return Holder{joined(quiet), others};
}

std::string first_need(const EventTimeWait& wait) {
  return wait.first_due == kMaxTimestamp
             ? ""
             : fmt::format(", the first needs one of {}", describe_time(wait.first_due));
}

}  // namespace

bool looks_like_seconds(Timestamp timestamp, Timestamp now) {
  return timestamp > 0 && timestamp < now / 100 && is_near(timestamp * kSecondMs, now);
}

std::string describe_time(Timestamp timestamp) {
  if (timestamp == kMinTimestamp) {
    return "none yet";
  }
  constexpr Timestamp kLastYear9999 = 253'402'300'799'999;
  if (timestamp < 0 || timestamp > kLastYear9999) {
    return fmt::format("{}", timestamp);
  }
  return fmt::format("{} ({})", Value::timestamp_ltz(timestamp * 1'000).to_string(), timestamp);
}

void StallWatch::look_at_unit(Timestamp now, const EventTimeWait& wait, std::vector<Line>& out) {
  if (told_unit_ || !looks_like_seconds(wait.largest_timestamp, now)) {
    return;
  }
  told_unit_ = true;
  out.push_back(
      {"unit",
       fmt::format("{}: timestamps look like seconds, but are taken as milliseconds: the "
                   "largest is {}, read as seconds it is {}. A window of one minute takes "
                   "the records of 16 hours. Return milliseconds from "
                   "extract_timestamp(): multiply by 1000",
                   what_,
                   describe_time(wait.largest_timestamp),
                   describe_time(wait.largest_timestamp * kSecondMs))});
}

void StallWatch::look_at_late(Timestamp now,
                              const EventTimeWait& wait,
                              Timestamp watermark,
                              std::int64_t records,
                              std::vector<Line>& out) {
  if (told_late_ || wait.late < kManyLate || wait.late * kLateShare < records) {
    return;
  }
  told_late_ = true;
  std::string text = fmt::format(
      "{}: {} % of the records ({} of {}) came after the watermark had passed their windows, and "
      "were dropped",
      what_,
      wait.late * 100 / std::max<std::int64_t>(records, 1),
      wait.late,
      records);
  if (watermark != kMaxWatermark && watermark > now + kDayMs) {
    text += fmt::format(
        "; a record from the future moved the watermark to {}, {} days ahead of the clock, and all "
        "behind it are late. Return the right milliseconds from extract_timestamp(), or filter "
        "such "
        "records out before timestamps are assigned",
        describe_time(watermark),
        (watermark - now) / kDayMs);
  } else {
    text +=
        ". Allow more disorder: WatermarkStrategy.for_bounded_out_of_orderness(...) with a longer "
        "duration; keep windows longer: allowed_lateness(...); or collect what is late: "
        "side_output_late_data(...)";
  }
  out.push_back({"late", std::move(text)});
}

void StallWatch::look_at_never(const EventTimeWait& wait, std::vector<Line>& out) {
  if (!told_never_ && !wait.never.empty()) {
    told_never_ = true;
    out.push_back({"never", fmt::format("{}: {}", what_, wait.never)});
  }
}

std::vector<StallWatch::Line> StallWatch::look(Timestamp now,
                                               const EventTimeWait& wait,
                                               Timestamp watermark,
                                               std::int64_t records,
                                               const std::vector<WatermarkOrigin>& origins) {
  std::vector<Line> out;
  look_at_unit(now, wait, out);
  look_at_late(now, wait, watermark, records, out);
  look_at_never(wait, out);
  // A wrong unit explains the rest.
  if (is_stalled(now, wait, watermark) && !told_unit_) {
    if (const std::optional<std::string> why = why_stalled(now, wait, watermark, origins)) {
      told_stall_ = true;
      patience_ms_ = std::min(2 * patience_ms_, kLongestPatienceMs);
      out.push_back({fmt::format("stall at {}", watermark),
                     fmt::format("{} holds {} {}{} and nothing fires: {}",
                                 what_,
                                 wait.held,
                                 wait.held_what,
                                 wait.held == 1 ? "" : "s",
                                 *why)});
    }
  }
  return out;
}

std::vector<StallWatch::Line> StallWatch::look_at_end(Timestamp now, const EventTimeWait& wait) {
  std::vector<Line> out;
  look_at_unit(now, wait, out);
  look_at_never(wait, out);
  return out;
}

bool StallWatch::is_stalled(Timestamp now, const EventTimeWait& wait, Timestamp watermark) {
  if (watermark != watermark_) {
    told_stall_ = false;
  }
  if (wait.held == 0 || watermark != watermark_ || wait.fired != fired_) {
    since_ = kNoTimestamp;
  }
  watermark_ = watermark;
  fired_ = wait.fired;
  if (wait.held == 0 || watermark == kMaxWatermark) {
    return false;
  }
  if (since_ == kNoTimestamp) {
    since_ = now;
  }
  return !told_stall_ && now - since_ >= patience_ms_;
}

std::optional<std::string> StallWatch::why_stalled(
    Timestamp now,
    const EventTimeWait& wait,
    Timestamp watermark,
    const std::vector<WatermarkOrigin>& origins) const {
  const std::string at = watermark == kMinWatermark
                             ? fmt::format("no watermark has come yet{}", first_need(wait))
                             : fmt::format("the watermark has stood at {} for {} s{}",
                                           describe_time(watermark),
                                           (now - since_) / kSecondMs,
                                           first_need(wait));
  std::vector<const WatermarkOrigin*> active;
  std::vector<std::string> without_strategy;
  for (const WatermarkOrigin& origin : origins) {
    if (!origin.has_strategy) {
      const std::string name = fmt::format("'{}'", origin.name);
      if (std::find(without_strategy.begin(), without_strategy.end(), name) ==
          without_strategy.end()) {
        without_strategy.push_back(name);
      }
    } else if (!origin.idle) {
      active.push_back(&origin);
    }
  }
  if (!without_strategy.empty()) {
    return fmt::format(
        "{}, because {} has no watermark strategy. Give it one: "
        "assign_timestamps_and_watermarks(WatermarkStrategy.for_bounded_out_of_orderness(...)"
        ".with_timestamp_assigner(...)) before key_by(), or in from_source(source, strategy, "
        "name); "
        "or use processing-time windows",
        at,
        joined(without_strategy));
  }
  if (origins.empty()) {
    return fmt::format("{}. Its input sends no records or holds back event time", at);
  }
  if (active.empty()) {
    return fmt::format(
        "{}: every input is idle. Windows end when records go on, or with the input; for a stream "
        "that pauses, use processing-time windows or a watermark generator that follows the clock",
        at);
  }
  const auto behind = [&](const WatermarkOrigin* origin) { return origin->watermark <= watermark; };
  if (std::none_of(active.begin(), active.end(), behind)) {
    return std::nullopt;  // it is on its way, behind records that are being worked on
  }
  std::optional<Holder> holder;
  for (const WatermarkOrigin* origin : active) {
    if (behind(origin) && !holder) {
      holder = split_that_holds(*origin, now);
    }
  }
  if (!holder) {
    holder = origin_that_holds(active, watermark, now);
  }
  if (holder) {
    return fmt::format(
        "{}: {} and holds back the others, which are at {}. Let it be left out while it sends "
        "nothing: with_idleness(Duration.of_seconds(...)) on the watermark strategy",
        at,
        holder->text,
        describe_time(holder->others));
  }
  const auto taken = std::find_if(active.begin(), active.end(), behind);
  if (watermark == kMinWatermark && (*taken)->records > 0) {
    return fmt::format(
        "{}: {} takes records, but makes no watermark of them. for_bounded_out_of_orderness(...) "
        "and for_monotonous_timestamps() make them; a WatermarkGenerator of your own must call "
        "output.emit_watermark(...), and behind a source without any call "
        "assign_timestamps_and_watermarks(...)",
        at,
        name_of(**taken));
  }
  const bool records_come = std::any_of(
      active.begin(), active.end(), [](const auto* o) { return o->quiet_since == kNoTimestamp; });
  if (!records_come) {
    return fmt::format(
        "{}: no records come. Event time goes on with later records only; for a stream that "
        "pauses, use processing-time windows or a watermark generator that follows the clock",
        at);
  }
  return fmt::format(
      "{}: {} takes records, but their timestamps do not rise: the largest that came here is {}. "
      "Look whether extract_timestamp() returns the time of each record, in milliseconds",
      at,
      name_of(**taken),
      describe_time(wait.largest_timestamp));
}

}  // namespace flott
