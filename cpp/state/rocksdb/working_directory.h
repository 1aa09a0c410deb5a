#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace flott::rocks {

/// A folder of one backend's own, removed with it. It is locked while it is in use: folders that a
/// killed process left are found by that and removed when the next one is made.
class WorkingDirectory {
 public:
  /// In one of `parents`; in the system's temporary folder when there are none. Throws kExternal
  /// when it cannot be made there.
  explicit WorkingDirectory(const std::vector<std::string>& parents);
  ~WorkingDirectory();
  WorkingDirectory(const WorkingDirectory&) = delete;
  WorkingDirectory& operator=(const WorkingDirectory&) = delete;

  const std::string& path() const { return path_; }
  /// A path in it that is not there yet: "<name>-<n>".
  std::string fresh(std::string_view name);

 private:
  std::string path_;
  int lock_ = -1;
  std::uint64_t next_ = 1;
};

/// Makes `to` another name of the file `from`, or a copy where that is impossible (another file
/// system). Throws kExternal.
void link_or_copy(const std::string& from, const std::string& to);
void copy_file(const std::string& from, const std::string& to);
void remove_tree(const std::string& path);

}  // namespace flott::rocks
