#include "base/error.h"

namespace flott::detail {

void check_failed(const char* file, int line, const char* condition, const std::string& message) {
  throw Error(ErrorKind::kInternal,
              fmt::format("internal check failed: {} ({}:{}: {}); please report this",
                          message,
                          file,
                          line,
                          condition));
}

}  // namespace flott::detail
