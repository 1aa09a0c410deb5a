#pragma once

#include "connectors/elasticsearch/elasticsearch_mapping.h"
#include "connectors/elasticsearch/elasticsearch_options.h"
#include "connectors/sink.h"

#include <memory>

namespace flott {

/// The sink `elasticsearch`, for Elasticsearch 7 and 8 and OpenSearch. With option `mapping.index`
/// it takes the stream's own rows (ElasticsearchMapping), else rows of bulk_action_type() that an
/// emitter makes.
class ElasticsearchSink final : public Sink {
 public:
  /// Throws kInvalidArgument naming the option.
  ElasticsearchSink(const Options& options, const LogicalTypePtr& stream_type);
  LogicalTypePtr input_type() const override { return input_type_; }
  std::unique_ptr<SinkWriter> create_writer(const SinkWriterContext& context) override;

 private:
  ElasticsearchOptions options_;
  std::shared_ptr<const ElasticsearchMappingConfig> mapping_;
  LogicalTypePtr input_type_;
};

}  // namespace flott
