#pragma once

#include <string>

namespace flott {

/// 128 random bits in 32 hexadecimal digits, the form of Flink's ids.
std::string random_id();

}  // namespace flott
