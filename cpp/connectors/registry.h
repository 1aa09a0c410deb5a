#pragma once

#include "connectors/options.h"
#include "connectors/sink.h"
#include "connectors/source.h"
#include "types/logical_type.h"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace flott {

/// Makes sources and sinks by connector name. Connectors without third-party libraries are compiled
/// in; the others (`kafka`, `elasticsearch`, `sqlite`) are plugins, `libflott_<name>.so` beside
/// libflott.so, loaded at first use so that a job that needs none of them starts fast. registry.cc
/// holds the one list of both.
class ConnectorRegistry {
 public:
  using SourceFactory =
      std::function<std::unique_ptr<Source>(const Options&, const LogicalTypePtr& produced_type)>;
  using SinkFactory =
      std::function<std::unique_ptr<Sink>(const Options&, const LogicalTypePtr& stream_type)>;

  /// The process's registry. Thread-safe.
  static ConnectorRegistry& instance();

  void add_source(const std::string& connector, SourceFactory factory);
  void add_sink(const std::string& connector, SinkFactory factory);
  /// Throws kInvalidArgument for an unknown connector, listing the known ones.
  std::unique_ptr<Source> make_source(const std::string& connector,
                                      const Options& options,
                                      const LogicalTypePtr& produced_type);
  std::unique_ptr<Sink> make_sink(const std::string& connector,
                                  const Options& options,
                                  const LogicalTypePtr& stream_type);
  /// Loads the plugin that holds `connector`, if it is one and not loaded yet. Throws kExternal
  /// with the loader's message.
  void load(const std::string& connector);

 private:
  std::mutex mutex_;
  std::map<std::string, SourceFactory> sources_;
  std::map<std::string, SinkFactory> sinks_;
  std::set<std::string> loaded_;
};

}  // namespace flott

/// Every plugin defines this one function; the registry calls it once after loading.
extern "C" void flott_register_connectors(flott::ConnectorRegistry* registry);
