#include "types/host.h"

#include "base/error.h"

#include <atomic>

namespace flott {

namespace {
std::atomic<Host*> g_host{nullptr};
}  // namespace

Host* host() {
  return g_host.load(std::memory_order_acquire);
}

Host& require_host() {
  Host* const h = host();
  STREAM_CHECK(h != nullptr, "an opaque value was met in a process without a host language");
  return *h;
}

void set_host(Host* host) {
  g_host.store(host, std::memory_order_release);
}

}  // namespace flott
