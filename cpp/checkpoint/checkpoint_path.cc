#include "checkpoint/checkpoint_path.h"

#include "base/error.h"
#include "base/log.h"

#include <charconv>
#include <filesystem>
#include <system_error>

namespace flott {

std::string checkpoint_directory(const std::string& path_or_uri) {
  std::string_view path = path_or_uri;
  if (path.starts_with("file:")) {
    path.remove_prefix(5);
    if (path.starts_with("//")) {
      path.remove_prefix(2);
      if (!path.empty() && path.front() != '/') {
        // `file://host/path`: Flink's local file system uses the path alone, too.
        const std::size_t slash = path.find('/');
        const std::string_view host = path.substr(0, slash);
        path = slash == std::string_view::npos ? "/" : path.substr(slash);
        log(LogLevel::kWarn,
            "checkpoint",
            "'{}' names '{}' as a host, which is ignored: the folder is {}; write file:///... for "
            "an absolute path",
            path_or_uri,
            host,
            path);
      }
    }
  } else if (const std::size_t scheme = path.find("://"); scheme != std::string_view::npos) {
    throw_error(ErrorKind::kInvalidArgument,
                "checkpoint path '{}': file systems of scheme '{}' are not supported; use a local "
                "or mounted folder "
                "(file:///... or a plain path)",
                path_or_uri,
                path.substr(0, scheme));
  }
  while (path.size() > 1 && path.back() == '/') {
    path.remove_suffix(1);
  }
  if (path.empty()) {
    throw_error(
        ErrorKind::kInvalidArgument, "checkpoint path '{}' is empty; give a folder", path_or_uri);
  }
  return std::string(path);
}

std::string checkpoint_folder_name(CheckpointId id) {
  return fmt::format("chk-{}", id);
}

std::optional<CheckpointId> checkpoint_id_of(std::string_view folder_name) {
  constexpr std::string_view kPrefix = "chk-";
  if (!folder_name.starts_with(kPrefix)) {
    return std::nullopt;
  }
  CheckpointId id = 0;
  const char* end = folder_name.data() + folder_name.size();
  const auto parsed = std::from_chars(folder_name.data() + kPrefix.size(), end, id);
  if (parsed.ec != std::errc() || parsed.ptr != end || id < 0) {
    return std::nullopt;
  }
  return id;
}

std::optional<std::string> newest_checkpoint_in(const std::string& job_folder) {
  std::error_code error;
  std::filesystem::directory_iterator it(job_folder, error);
  std::optional<CheckpointId> newest;
  std::optional<std::string> path;
  for (; !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    const auto id = checkpoint_id_of(it->path().filename().string());
    std::error_code ignored;
    if (id.has_value() && (!newest.has_value() || *id > *newest) &&
        std::filesystem::exists(it->path() / kManifestName, ignored)) {
      newest = id;
      path = it->path().string();
    }
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    throw_error(ErrorKind::kExternal,
                "cannot list the checkpoints in {}: {} ({}); check the path and its permissions",
                job_folder,
                error.message(),
                error.value());
  }
  return path;
}

}  // namespace flott
