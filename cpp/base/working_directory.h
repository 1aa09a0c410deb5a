#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace flott {

/// A folder of its owner's own, removed with it. It is locked while it is in use: folders that a
/// killed process left are found by that (process ids say nothing to another container) and removed
/// when the next one with that prefix is made.
class WorkingDirectory {
 public:
  /// "<prefix><random>" in one of `parents`; in the system's temporary folder ($TMPDIR) when there
  /// are none. Throws kExternal when it cannot be made there; `advice` ends its message.
  WorkingDirectory(std::string_view prefix,
                   const std::vector<std::string>& parents,
                   std::string_view advice);
  ~WorkingDirectory();
  WorkingDirectory(const WorkingDirectory&) = delete;
  WorkingDirectory& operator=(const WorkingDirectory&) = delete;

  const std::string& path() const { return path_; }
  /// A path in it that is not there yet: "<name>-<n>".
  std::string fresh(std::string_view name);

 private:
  std::string path_;
  const int process_;
  int lock_ = -1;
  std::uint64_t next_ = 1;
};

/// A file or folder that goes with its last holder, and what it lies in (`in`) not before it.
class OwnedPath {
 public:
  OwnedPath(std::string path, std::shared_ptr<const void> in);
  ~OwnedPath();
  OwnedPath(const OwnedPath&) = delete;
  OwnedPath& operator=(const OwnedPath&) = delete;

  const std::string& path() const { return path_; }

 private:
  const std::shared_ptr<const void> in_;
  const std::string path_;
  const int process_;
};

}  // namespace flott
