#pragma once

#include <future>
#include <system_error>

namespace flott {

/// Runs `work` in a thread of its own; if none is to be had, where the future is waited for. The
/// future's destructor waits as well, except in the latter case.
template <typename Work>
auto in_background(Work work) {
  try {
    return std::async(std::launch::async, work);
  } catch (const std::system_error&) {
    return std::async(std::launch::deferred, work);
  }
}

}  // namespace flott
