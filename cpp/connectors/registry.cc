#include "connectors/registry.h"

#include "base/plugin.h"
#include "connectors/collection/collection_source.h"
#include "connectors/datagen/datagen_source.h"
#include "connectors/filesystem/text_line_sink.h"
#include "connectors/filesystem/text_line_source.h"
#include "connectors/hybrid/hybrid_source.h"
#include "connectors/print/print_sink.h"
#include "connectors/sequence/number_sequence_source.h"

#include <utility>

namespace flott {
namespace {

/// The one list of connectors that are shared libraries of their own: connector name, plugin.
constexpr std::pair<const char*, const char*> kPlugins[] = {
    {"kafka", "kafka"},
    {"elasticsearch", "elasticsearch"},
    {"sqlite", "sqlite"},
};

/// The one list of connectors that are compiled in.
void add_core_connectors(ConnectorRegistry& registry) {
  registry.add_source("sequence", &NumberSequenceSource::from_options);
  registry.add_source("datagen", &DataGeneratorSource::from_options);
  registry.add_source("filesystem", &TextLineSource::from_options);
  registry.add_source("hybrid", &HybridSource::from_options);
  registry.add_sink("filesystem", &TextLineSink::from_options);
  registry.add_sink("print", &PrintSink::from_options);
}

}  // namespace

ConnectorRegistry& ConnectorRegistry::instance() {
  // Never destroyed: plugins may still be asked for while the process ends.
  static auto* const registry = [] {
    auto* made = new ConnectorRegistry();
    add_core_connectors(*made);
    return made;
  }();
  return *registry;
}

void ConnectorRegistry::add_source(const std::string& connector, SourceFactory factory) {
  const std::lock_guard lock(mutex_);
  sources_[connector] = std::move(factory);
}

void ConnectorRegistry::add_sink(const std::string& connector, SinkFactory factory) {
  const std::lock_guard lock(mutex_);
  sinks_[connector] = std::move(factory);
}

namespace {

template <typename Factories>
std::string known_names(const Factories& factories) {
  std::map<std::string, bool> names;
  for (const auto& [name, factory] : factories) {
    names[name] = true;
  }
  for (const auto& [name, plugin] : kPlugins) {
    names[name] = true;
  }
  std::string text;
  for (const auto& [name, unused] : names) {
    text += (text.empty() ? "" : ", ") + name;
  }
  return text;
}

}  // namespace

std::unique_ptr<Source> ConnectorRegistry::make_source(const std::string& connector,
                                                       const Options& options,
                                                       const LogicalTypePtr& produced_type) {
  load(connector);
  SourceFactory factory;
  {
    const std::lock_guard lock(mutex_);
    const auto it = sources_.find(connector);
    if (it == sources_.end()) {
      throw_error(ErrorKind::kInvalidArgument,
                  "there is no source connector '{}'; known are: {}",
                  connector,
                  known_names(sources_));
    }
    factory = it->second;
  }
  return factory(options, produced_type);
}

std::unique_ptr<Sink> ConnectorRegistry::make_sink(const std::string& connector,
                                                   const Options& options,
                                                   const LogicalTypePtr& stream_type) {
  load(connector);
  SinkFactory factory;
  {
    const std::lock_guard lock(mutex_);
    const auto it = sinks_.find(connector);
    if (it == sinks_.end()) {
      throw_error(ErrorKind::kInvalidArgument,
                  "there is no sink connector '{}'; known are: {}",
                  connector,
                  known_names(sinks_));
    }
    factory = it->second;
  }
  return factory(options, stream_type);
}

void ConnectorRegistry::load(const std::string& connector) {
  const char* plugin = nullptr;
  for (const auto& [name, library] : kPlugins) {
    if (connector == name) {
      plugin = library;
    }
  }
  if (plugin == nullptr) {
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    if (loaded_.contains(plugin)) {
      return;
    }
  }
  // Outside the lock: the plugin's static initialisers and its registration come back to us.
  using Register = void (*)(ConnectorRegistry*);
  const auto enter = reinterpret_cast<Register>(load_plugin(
      plugin, "flott_register_connectors", fmt::format("the connector '{}'", connector)));
  {
    const std::lock_guard lock(mutex_);
    if (!loaded_.insert(plugin).second) {
      return;  // another thread was faster
    }
  }
  enter(this);
}

}  // namespace flott
