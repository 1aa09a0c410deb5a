#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace flott {

/// What a file that will be called `name` is called until then; `writer_id` is its writer's alone.
std::string hidden_name(const std::string& name, const std::string& writer_id);

/// A complete file that is to be published as `name`, itself or within another.
struct HiddenFile {
  std::filesystem::path hidden;
  std::string name;
  /// What checkpoints before a savepoint call it, if there was one since.
  std::vector<std::filesystem::path> former_names = {};
};

/// Once it is published.
void remove_hidden(const HiddenFile& file);

/// What former writers began after the checkpoint that is restored: it is written again.
class Leftovers {
 public:
  /// The checkpoint names this file; others of its writer, in the same folder, go.
  void keep(const std::filesystem::path& hidden);
  void remove() const;

 private:
  std::map<std::filesystem::path, std::set<std::string>> writers_;  ///< ids, by folder
  std::set<std::filesystem::path> kept_;
};

}  // namespace flott
