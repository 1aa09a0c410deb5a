#include "connectors/hybrid/hybrid_source.h"

#include "connectors/registry.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace flott {
namespace {

constexpr std::int64_t kSwitchIntervalMs = 50;

struct PartId {
  std::size_t part;
  std::string id;
};

std::string with_part(std::size_t part, const std::string& id) {
  return fmt::format("{}:{}", part, id);
}

PartId split_id(const std::string& id, std::size_t parts) {
  const std::size_t colon = id.find(':');
  std::size_t part = parts;
  const char* const end = id.data() + (colon == std::string::npos ? 0 : colon);
  if (std::from_chars(id.data(), end, part).ptr != end || end == id.data() || part >= parts) {
    throw_error(ErrorKind::kInvalidArgument,
                "the split '{}' belongs to no source of this hybrid source, which has {}; was one "
                "taken away since the checkpoint?",
                id,
                parts);
  }
  return {part, id.substr(colon + 1)};
}

class HybridReader final : public SourceReader {
 public:
  HybridReader(std::vector<std::unique_ptr<Source>>& sources,
               std::shared_ptr<HybridSource::Progress> progress,
               SourceReaderContext context)
      : sources_(sources),
        progress_(std::move(progress)),
        context_(std::move(context)),
        children_(sources.size()) {}

  void add_splits(const std::vector<SourceSplit>& splits) override {
    for (const SourceSplit& split : splits) {
      PartId id = split_id(split.id, sources_.size());
      Child& child = children_[id.part];
      if (!child.reader) {
        child.reader = sources_[id.part]->create_reader(context_);
        child.reader->open();
      }
      child.reader->add_splits({{std::move(id.id), split.position}});
      splits_.push_back({id.part, child.splits.size(), split.id});
      child.splits.push_back(splits_.size() - 1);
    }
  }

  PollResult poll(SourceBatch& out, std::int64_t max_rows) override {
    out = {};
    for (Child& child : children_) {
      if (!child.reader) {
        continue;
      }
      const PollResult result = child.reader->poll(out, max_rows);
      if (out.split >= 0) {
        out.split = static_cast<int>(child.splits[static_cast<std::size_t>(out.split)]);
      }
      if (result != PollResult::kMore) {
        report(child);
      }
      if (result != PollResult::kFinished || out.batch != nullptr) {
        return result == PollResult::kFinished ? PollResult::kMore : result;
      }
    }
    return PollResult::kFinished;
  }

  std::vector<SourceSplit> positions() override {
    std::vector<std::vector<SourceSplit>> of_children;
    for (Child& child : children_) {
      of_children.push_back(child.reader ? child.reader->positions() : std::vector<SourceSplit>{});
    }
    std::vector<SourceSplit> out;
    for (const Split& split : splits_) {
      out.push_back({split.id, of_children[split.part][split.index].position});
    }
    return out;
  }

  bool split_finished(int index) const override {
    const Split& split = splits_[static_cast<std::size_t>(index)];
    return children_[split.part].reader->split_finished(static_cast<int>(split.index));
  }

  void notify_checkpoint_complete(CheckpointId id) override {
    for (Child& child : children_) {
      if (child.reader) {
        child.reader->notify_checkpoint_complete(id);
      }
    }
  }
  void on_checkpoint(CheckpointId id) override {
    for (Child& child : children_) {
      if (child.reader) {
        child.reader->on_checkpoint(id);
      }
    }
  }
  void close() override {
    for (Child& child : children_) {
      if (child.reader) {
        child.reader->close();
      }
    }
  }

 private:
  struct Child {
    std::unique_ptr<SourceReader> reader;  ///< made with the first split
    std::vector<std::size_t> splits;       ///< its splits' numbers in splits_
    std::size_t reported = 0;              ///< so many were finished when last looked
  };
  struct Split {
    std::size_t part;
    std::size_t index;  ///< in its child
    std::string id;
  };

  void report(Child& child) {
    if (child.reported == child.splits.size()) {
      return;
    }
    child.reported = 0;
    for (std::size_t i = 0; i < child.splits.size(); ++i) {
      if (child.reader->split_finished(static_cast<int>(i))) {
        ++child.reported;
        progress_->finished(splits_[child.splits[i]].id);
      }
    }
  }

  std::vector<std::unique_ptr<Source>>& sources_;
  std::shared_ptr<HybridSource::Progress> progress_;
  SourceReaderContext context_;
  std::vector<Child> children_;
  std::vector<Split> splits_;  ///< in the order they were given
};

}  // namespace

void HybridSource::Progress::finished(const std::string& id) {
  const std::lock_guard lock(mutex_);
  finished_.insert(id);
}

void HybridSource::Progress::clear() {
  const std::lock_guard lock(mutex_);
  finished_.clear();
}

bool HybridSource::Progress::all_finished(const std::set<std::string>& ids) const {
  const std::lock_guard lock(mutex_);
  return std::includes(finished_.begin(), finished_.end(), ids.begin(), ids.end());
}

HybridSource::HybridSource(std::vector<std::unique_ptr<Source>> sources)
    : sources_(std::move(sources)) {
  if (sources_.empty()) {
    throw_error(ErrorKind::kInvalidArgument, "a hybrid source needs a source");
  }
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    if (i + 1 < sources_.size() && sources_[i]->boundedness() == Boundedness::kUnbounded) {
      throw_error(
          ErrorKind::kInvalidArgument,
          "all sources of a hybrid source but the last must be bounded; source {} never ends",
          i);
    }
    if (*sources_[i]->produced_type() != *produced_type()) {
      throw_error(ErrorKind::kInvalidArgument,
                  "all sources of a hybrid source must produce one type: the first produces {}, "
                  "source {} {}",
                  produced_type()->to_string(),
                  i,
                  sources_[i]->produced_type()->to_string());
    }
  }
}

std::unique_ptr<Source> HybridSource::from_options(const Options& options,
                                                   const LogicalTypePtr& type) {
  std::vector<std::unique_ptr<Source>> sources;
  const std::int64_t count = options.get_int("count", 0);
  for (std::int64_t i = 0; i < count; ++i) {
    std::map<std::string, std::string> own = options.sub(std::to_string(i)).values();
    const std::string connector = own["connector"];
    own.erase("connector");
    sources.push_back(
        ConnectorRegistry::instance().make_source(connector, Options(std::move(own)), type));
  }
  return std::make_unique<HybridSource>(std::move(sources));
}

std::vector<SourceSplit> HybridSource::discover_splits(const std::function<bool()>& cancelled) {
  while (discovered_ && current_ + 1 < sources_.size() && progress_->all_finished(found_)) {
    ++current_;
    found_.clear();
    discovered_ = false;
  }
  first_discovery_ = !discovered_;
  if (discovered_ && sources_[current_]->invents_splits()) {
    return {};  // found_ has them, perhaps as another parallelism cut them
  }
  std::vector<SourceSplit> splits = sources_[current_]->discover_splits(cancelled);
  for (SourceSplit& split : splits) {
    split.id = with_part(current_, split.id);
    found_.insert(split.id);
  }
  discovered_ = true;
  return splits;
}

void HybridSource::restore(const std::vector<SourceSplit>& splits) {
  // An earlier attempt of the job may have come further.
  current_ = 0;
  found_.clear();
  first_discovery_ = true;
  progress_->clear();
  // Sources before the last one that gave splits are done: listing them again would find what they
  // were given since, behind newer records.
  for (const SourceSplit& split : splits) {
    const std::size_t part = split_id(split.id, sources_.size()).part;
    if (part > current_) {
      current_ = part;
      found_.clear();
    }
    if (part == current_) {
      found_.insert(split.id);
    }
  }
  discovered_ = !found_.empty();
}

void HybridSource::resolve_positions(std::vector<SourceSplit>& splits,
                                     const std::function<bool()>& cancelled) {
  for (std::size_t part = 0; part < sources_.size(); ++part) {
    std::vector<SourceSplit> own;
    std::vector<std::size_t> where;
    for (std::size_t i = 0; i < splits.size(); ++i) {
      if (PartId id = split_id(splits[i].id, sources_.size()); id.part == part) {
        own.push_back({std::move(id.id), splits[i].position});
        where.push_back(i);
      }
    }
    if (part != current_ && own.empty()) {
      continue;
    }
    sources_[part]->resolve_positions(own, cancelled);
    for (std::size_t i = 0; i < own.size() && i < where.size(); ++i) {
      splits[where[i]].position = std::move(own[i].position);
    }
  }
}

std::int64_t HybridSource::discovery_interval_ms() const {
  return current_ + 1 < sources_.size() ? kSwitchIntervalMs
                                        : sources_.back()->discovery_interval_ms();
}

SourceSplit HybridSource::as_new_split(SourceSplit split) const {
  // Whoever comes later in the row is discovered late, but its splits are read from where the
  // source was told to start. Of the splits one source finds later, those count as new.
  PartId id = split_id(split.id, sources_.size());
  if (first_discovery_) {
    return split;
  }
  split.id = id.id;
  split = sources_[id.part]->as_new_split(std::move(split));
  split.id = with_part(id.part, split.id);
  return split;
}

std::unique_ptr<SourceReader> HybridSource::create_reader(const SourceReaderContext& context) {
  return std::make_unique<HybridReader>(sources_, progress_, context);
}

bool HybridSource::uses_host() const {
  return std::any_of(
      sources_.begin(), sources_.end(), [](const auto& source) { return source->uses_host(); });
}

}  // namespace flott
