#pragma once

#include "connectors/options.h"
#include "connectors/source.h"

#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace flott {

/// Sources one after the other (Flink's HybridSource): files, then the Kafka topic that goes on
/// where they end. The splits of a source are found when all splits of the one before have been
/// read to their end, in all subtasks; until then they hold back no watermark. All but the last are
/// bounded.
///
/// A split's id is `<number of the source>:<its own id>`; positions are the sources' own.
class HybridSource final : public Source {
 public:
  explicit HybridSource(std::vector<std::unique_ptr<Source>> sources);
  /// Options: `count`; of each source, below its number (`0.`): `connector` and its own options.
  static std::unique_ptr<Source> from_options(const Options& options, const LogicalTypePtr& type);

  Boundedness boundedness() const override { return sources_.back()->boundedness(); }
  LogicalTypePtr produced_type() const override { return sources_.front()->produced_type(); }
  std::vector<SourceSplit> discover_splits(const std::function<bool()>& cancelled) override;
  void restore(const std::vector<SourceSplit>& splits) override;
  void resolve_positions(std::vector<SourceSplit>& splits,
                         const std::function<bool()>& cancelled) override;
  /// Positive until the last source is the current one.
  std::int64_t discovery_interval_ms() const override;
  SourceSplit as_new_split(SourceSplit split) const override;
  std::unique_ptr<SourceReader> create_reader(const SourceReaderContext& context) override;
  bool uses_host() const override;

  /// What readers tell the coordinator's thread: splits read to their end.
  class Progress {
   public:
    void finished(const std::string& id);
    void clear();
    bool all_finished(const std::set<std::string>& ids) const;

   private:
    mutable std::mutex mutex_;
    std::set<std::string> finished_;
  };

 private:
  std::vector<std::unique_ptr<Source>> sources_;
  std::shared_ptr<Progress> progress_ = std::make_shared<Progress>();
  // The coordinator's thread only:
  std::size_t current_ = 0;
  std::set<std::string> found_;  ///< splits of the current source
  bool discovered_ = false;      ///< the current source was asked
  bool first_discovery_ = true;  ///< the last discovery was the current source's first
};

}  // namespace flott
