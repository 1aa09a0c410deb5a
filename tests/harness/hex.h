#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace flott::harness {

/// Two digits a byte.
inline std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  }
  return out;
}

/// The bytes of such digits; spaces may part bytes.
inline std::string unhex(std::string_view digits) {
  std::string out;
  for (std::size_t at = 0; at < digits.size();) {
    if (digits[at] == ' ') {
      ++at;
      continue;
    }
    out.push_back(static_cast<char>(std::stoi(std::string(digits.substr(at, 2)), nullptr, 16)));
    at += 2;
  }
  return out;
}

}  // namespace flott::harness
