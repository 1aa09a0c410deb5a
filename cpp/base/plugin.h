#pragma once

#include <string>

namespace flott {

/// Loads `libflott_<plugin>.so` from beside the library that holds this function and returns its
/// function `symbol`. Plugins are never unloaded. Throws kExternal with the loader's message, which
/// begins with `what` ("the connector 'kafka'"). Thread-safe.
void* load_plugin(const std::string& plugin, const char* symbol, const std::string& what);

}  // namespace flott
