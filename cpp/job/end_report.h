#pragma once

#include "job/deployment.h"

#include <string>
#include <vector>

namespace flott {

/// What a user should know about a job that has ended without a failure: an operator each line,
/// over all its subtasks. Late records that were dropped, processing-time windows that the end of
/// the input cut off, count windows of which none got full.
std::vector<std::string> end_report(const Deployment& deployment);
/// Logs it.
void log_end_report(const Deployment& deployment, const std::string& job_name);

}  // namespace flott
