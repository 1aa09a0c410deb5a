#pragma once

#include <cstdint>
#include <string_view>

namespace flott {

/// crc32c() (base/hash.h) of the bytes before, whose sum is `crc`, followed by `bytes`; 0 before
/// any.
std::uint32_t crc32c_extend(std::uint32_t crc, std::string_view bytes);

}  // namespace flott
