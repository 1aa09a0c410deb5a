#include "job/end_report.h"

#include "base/log.h"
#include "windows/window_operator.h"

#include <fmt/format.h>

#include <map>
#include <utility>

namespace flott {
namespace {

/// Of one operator, over its subtasks.
struct Totals {
  std::string name;
  double records = 0;
  double late = 0;
  double windows_dropped = 0;
  double in_no_full_window = 0;
};

}  // namespace

std::vector<std::string> end_report(const Deployment& deployment) {
  // By vertex and place in its chain: several operators may have one name.
  std::map<std::pair<int, std::size_t>, Totals> by_operator;
  for (const Deployment::DeployedTask& deployed : deployment.tasks) {
    for (std::size_t place = 0; place < deployed.metrics.size(); ++place) {
      const auto& [name, group] = deployed.metrics[place];
      const std::map<std::string, double> values = group->snapshot();
      const auto value = [&](const char* metric) {
        const auto found = values.find(metric);
        return found == values.end() ? 0.0 : found->second;
      };
      Totals& totals = by_operator[{deployed.vertex, place}];
      totals.name = name;
      totals.records += value("numRecordsIn");
      totals.late += value("numLateRecordsDropped");
      totals.windows_dropped += value(kWindowsDroppedAtEnd);
      totals.in_no_full_window += value(kRecordsInNoFullWindow);
    }
  }
  std::vector<std::string> out;
  for (const auto& [place, totals] : by_operator) {
    if (totals.late > 0) {
      out.push_back(fmt::format(
          "operator '{}' dropped {:.0f} of {:.0f} records ({:.1f} %), which came after the "
          "watermark had passed their windows. A longer for_bounded_out_of_orderness(...) or "
          "allowed_lateness(...) keeps them, side_output_late_data(...) collects them",
          totals.name,
          totals.late,
          totals.records,
          100 * totals.late / totals.records));
    }
    // In all of its subtasks.
    if (totals.in_no_full_window > 0 && totals.in_no_full_window == totals.records) {
      out.push_back(fmt::format(
          "operator '{}' took {:.0f} records and gave no result: when its input ended, no key had "
          "as many as its trigger counts up to, and as in Apache Flink an incomplete window gives "
          "none. Count up to less, or use time windows, which the end of the input completes",
          totals.name,
          totals.in_no_full_window));
    }
    if (totals.windows_dropped > 0) {
      out.push_back(fmt::format(
          "operator '{}' held {:.0f} processing-time windows when its input ended, and dropped "
          "them without a result, as Apache Flink does: they wait for the clock. Use event-time "
          "windows, which the end of the input completes, or BATCH mode",
          totals.name,
          totals.windows_dropped));
    }
  }
  return out;
}

void log_end_report(const Deployment& deployment, const std::string& job_name) {
  for (const std::string& line : end_report(deployment)) {
    log(LogLevel::kWarn, "flott.job", "job '{}': {}", job_name, line);
  }
}

}  // namespace flott
