#include "base/plugin.h"

#include "base/error.h"

#include <dlfcn.h>

namespace flott {
namespace {

/// Folder of the library (or program) that holds this function, with a slash at its end.
std::string own_folder() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&own_folder), &info) == 0 || info.dli_fname == nullptr) {
    return {};
  }
  const std::string path = info.dli_fname;
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash + 1);
}

}  // namespace

void* load_plugin(const std::string& plugin, const char* symbol, const std::string& what) {
  const std::string path = own_folder() + "libflott_" + plugin + ".so";
  void* const handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* const reason = dlerror();
    throw_error(ErrorKind::kExternal,
                "{} could not be loaded: {}. It belongs beside libflott.so; install the package "
                "again, or build with its option on",
                what,
                reason == nullptr ? path.c_str() : reason);
  }
  void* const found = dlsym(handle, symbol);
  if (found == nullptr) {
    throw_error(ErrorKind::kInternal, "{} does not define {}", path, symbol);
  }
  return found;
}

}  // namespace flott
