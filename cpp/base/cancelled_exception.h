#pragma once

namespace flott {

/// Thrown in the middle of something long - a run of timers, a restore - when the job is being
/// cancelled. No failure: the task just ends.
struct CancelledException {};

}  // namespace flott
