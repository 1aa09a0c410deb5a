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

constexpr std::array<std::string_view, 9> kNames = {
    "before-barrier",
    "after-prepare",
    "after-barrier",
    "during-snapshot-write",
    "between-manifest-and-commit",
    "during-commit",
    "between-commit-and-notify",
    "during-restore",
    "during-recovery",
};

/// How often each point is still to be passed before the process ends; 0: for ever.
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
    std::atomic<int>& left = left_[static_cast<std::size_t>(point)];
    if (left.load() > 0 && left.fetch_sub(1) == 1) {
      std::raise(SIGKILL);
    }
  }

 private:
  void add(std::string_view entry) {
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
        left_[i] = count;
        return;
      }
      known += (i == 0 ? "" : ", ") + std::string(kNames[i]);
    }
    throw_error(ErrorKind::kInvalidArgument,
                "FLOTT_FAULT has '{}'; it takes name or name:n (n from 1), parted by commas, with "
                "these names: {}",
                entry,
                known);
  }

  bool any_ = false;
  std::array<std::atomic<int>, kNames.size()> left_{};
};

}  // namespace

void fault_point(FaultPoint point) {
  static Plan plan;
  plan.reach(point);
}

}  // namespace flott
