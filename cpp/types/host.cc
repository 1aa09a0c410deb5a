#include "types/host.h"

namespace flott {

constinit std::atomic<Host*> g_host{nullptr};

void set_host(Host* host) {
  g_host.store(host, std::memory_order_release);
}

}  // namespace flott
