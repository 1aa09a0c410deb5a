#pragma once

#include <filesystem>
#include <string>

namespace flott {

/// The local path of `path` or `file:/x`, `file:///x`. Throws kInvalidArgument for other schemes,
/// naming them.
std::filesystem::path local_path(const std::string& path);

}  // namespace flott
