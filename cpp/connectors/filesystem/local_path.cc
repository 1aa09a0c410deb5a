#include "connectors/filesystem/local_path.h"

#include "base/error.h"

namespace flott {

std::filesystem::path local_path(const std::string& path) {
  const std::size_t colon = path.find(':');
  if (path.starts_with("file:")) {
    std::string rest = path.substr(5);
    if (rest.starts_with("//")) {
      rest.erase(0, 2);
    }
    return rest;
  }
  if (colon != std::string::npos && path.compare(colon, 3, "://") == 0) {
    throw_error(ErrorKind::kInvalidArgument,
                "cannot use '{}': only local files are supported, not '{}://'",
                path,
                path.substr(0, colon));
  }
  return path;
}

}  // namespace flott
