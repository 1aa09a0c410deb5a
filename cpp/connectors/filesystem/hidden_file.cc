#include "connectors/filesystem/hidden_file.h"

#include "connectors/filesystem/finished_file.h"

#include <fmt/format.h>

#include <string_view>
#include <system_error>

namespace flott {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kInProgress = ".inprogress.";

/// Of the writer that gave a hidden file its name; empty if it is none.
std::string writer_id_of(const fs::path& hidden) {
  const std::string name = hidden.filename().string();
  const std::size_t at = name.rfind(kInProgress);
  return at == std::string::npos ? std::string() : name.substr(at + kInProgress.size());
}

}  // namespace

std::string hidden_name(const std::string& name, const std::string& writer_id) {
  return fmt::format(".{}{}{}", name, kInProgress, writer_id);
}

void remove_hidden(const HiddenFile& file) {
  for (const fs::path& former : file.former_names) {
    remove_file(former);
  }
  remove_file(file.hidden);
}

void Leftovers::keep(const fs::path& hidden) {
  kept_.insert(hidden);
  if (const std::string id = writer_id_of(hidden); !id.empty()) {
    writers_[hidden.parent_path()].insert(id);
  }
}

void Leftovers::remove() const {
  for (const auto& [folder, ids] : writers_) {
    std::error_code error;
    for (fs::directory_iterator it(folder, error); !error && it != fs::directory_iterator();
         it.increment(error)) {
      if (ids.contains(writer_id_of(it->path())) && !kept_.contains(it->path())) {
        fs::remove(it->path(), error);
      }
    }
  }
}

}  // namespace flott
