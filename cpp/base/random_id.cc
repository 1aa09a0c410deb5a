#include "base/random_id.h"

#include <fmt/format.h>

#include <cstdint>
#include <random>

namespace flott {

std::string random_id() {
  std::random_device device;
  std::string out;
  for (int i = 0; i < 4; ++i) {
    out += fmt::format("{:08x}", static_cast<std::uint32_t>(device()));
  }
  return out;
}

}  // namespace flott
