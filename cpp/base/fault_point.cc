#include "base/fault_point.h"

#include "base/error.h"

#include <array>
#include <atomic>
#include <charconv>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <string_view>

namespace flott {
namespace {

constexpr std::array<std::string_view, 10> kNames = {
    "before-barrier",
    "after-prepare",
    "after-barrier",
    "during-snapshot-write",
    "between-manifest-and-commit",
    "during-commit",
    "during-compaction",
    "between-commit-and-notify",
    "during-restore",
    "during-recovery",
};

constexpr std::string_view kStop = ":stop";

class Plan {
 public:
  Plan() {
    const char* const text = std::getenv("FLOTT_FAULT");
    std::string_view rest = text == nullptr ? "" : text;
    while (!rest.empty()) {
      const std::size_t comma = rest.find(',');
      add(rest.substr(0, comma));
      rest = comma == std::string_view::npos ? "" : rest.substr(comma + 1);
      any_ = true;
    }
  }

  void reach(FaultPoint point) {
    if (!any_) {
      return;
    }
    Rule& rule = rules_[static_cast<std::size_t>(point)];
    if (rule.left.load() > 0 && rule.left.fetch_sub(1) == 1) {
      std::raise(rule.stop ? SIGSTOP : SIGKILL);
    }
  }

 private:
  struct Rule {
    std::atomic<int> left{0};  ///< how often it is still to be passed; 0: for ever
    bool stop = false;
  };

  void add(const std::string_view whole) {
    std::string_view entry = whole;
    const bool stop = entry.ends_with(kStop);
    if (stop) {
      entry.remove_suffix(kStop.size());
    }
    const std::size_t colon = entry.find(':');
    const std::string_view name = entry.substr(0, colon);
    int count = 1;
    bool good = true;
    if (colon != std::string_view::npos) {
      const std::string_view digits = entry.substr(colon + 1);
      const auto [end, error] =
          std::from_chars(digits.data(), digits.data() + digits.size(), count);
      good = error == std::errc{} && end == digits.data() + digits.size() && count > 0;
    }
    std::string known;
    for (std::size_t i = 0; i < kNames.size(); ++i) {
      if (good && name == kNames[i]) {
        rules_[i].left = count;
        rules_[i].stop = stop;
        return;
      }
      known += (i == 0 ? "" : ", ") + std::string(kNames[i]);
    }
    throw_error(
        ErrorKind::kInvalidArgument,
        "FLOTT_FAULT has '{}'; it takes name or name:n (n from 1), with :stop behind to stop "
        "the process, parted by commas, with these names: {}",
        whole,
        known);
  }

  bool any_ = false;
  std::array<Rule, kNames.size()> rules_{};
};

}  // namespace

void fault_point(FaultPoint point) {
  static Plan plan;
  plan.reach(point);
}

}  // namespace flott
