/// The engine without the host language: a channel between two threads, a chain of row operators, a
/// whole keyed job.
#include "connectors/sequence/number_sequence_source.h"
#include "job/job.h"
#include "operators/key_by_operator.h"
#include "operators/map_operator.h"
#include "operators/reduce_operator.h"
#include "runtime/channel.h"
#include "runtime/operator_chain.h"

#include <benchmark/benchmark.h>

#include <limits>
#include <memory>
#include <thread>
#include <vector>

namespace flott {
namespace {

class Increment final : public MapFunction {
 public:
  Value map(Value&& value) override { return Value::integer(value.as_int() + 1); }
};
class Modulo final : public KeySelector {
 public:
  Value key_of(const Value& value) override { return Value::integer(value.as_int() % 10'000); }
};
class Sum final : public ReduceFunction {
 public:
  Value reduce(const Value& a, const Value& b) override {
    return Value::integer(a.as_int() + b.as_int());
  }
};
/// The end of a chain.
class Discard final : public Operator {
 public:
  void open(OperatorContext&) override {}
  void process(Record&& record, int, Output&) override { benchmark::DoNotOptimize(record.value); }
};

BatchPtr sequence(std::int64_t rows) {
  BatchBuilder builder(LogicalType::of(TypeKind::kBigInt));
  for (std::int64_t v = 0; v < rows; ++v) {
    builder.append(Value::integer(v));
  }
  return builder.finish();
}

/// A batch of 1024 rows handed from one thread to another.
void channel_hand_over(benchmark::State& state) {
  TaskSignal producer;
  TaskSignal consumer;
  Channel channel(4 << 20, producer, consumer);
  std::thread reader([&] {
    while (true) {
      const auto element = channel.poll();
      if (!element) {
        consumer.wait_for(std::chrono::seconds(1));
      } else if (std::holds_alternative<EndOfInput>(*element)) {
        return;
      }
    }
  });
  const BatchPtr batch = sequence(1024);
  for (auto _ : state) {
    while (!channel.has_room()) {
      producer.wait_for(std::chrono::seconds(1));
    }
    channel.push(batch);
  }
  channel.push(EndOfInput{});
  reader.join();
  state.SetItemsProcessed(state.iterations() * 1024);
}
BENCHMARK(channel_hand_over)->UseRealTime();

struct Chain {
  /// `maps` operators, then what `last` makes, or an edge that rebalances over `channels`.
  Chain(int maps, int channel_count) {
    environment.clock = &clock;
    environment.cancelled = &cancelled;
    environment.wakeup = [] {};
    std::vector<OperatorChain::LinkSpec> links(static_cast<std::size_t>(maps));
    for (int i = 0; i < maps; ++i) {
      auto& link = links[static_cast<std::size_t>(i)];
      link.name = "map";
      link.parent = i - 1;
      link.op = make_map_operator(std::make_unique<Increment>());
    }
    if (channel_count == 0) {
      OperatorChain::LinkSpec end;
      end.parent = maps - 1;
      end.op = std::make_unique<Discard>();
      links.push_back(std::move(end));
    } else {
      RecordWriter::Options writer;
      writer.partitioner.strategy = PartitionStrategy::kRebalance;
      writer.type = LogicalType::of(TypeKind::kBigInt);
      for (int i = 0; i < channel_count; ++i) {
        channels.push_back(std::make_shared<Channel>(64 << 20, signal, signal));
        writer.channels.push_back(channels.back());
      }
      links.back().edges.push_back({-1, std::make_unique<RecordWriter>(std::move(writer))});
    }
    chain = std::make_unique<OperatorChain>(
        environment, std::move(links), std::vector<OperatorChain::LinkSpec::Edge>{});
    chain->open();
  }
  SystemClock clock;
  std::atomic<bool> cancelled{false};
  TaskEnvironment environment;
  TaskSignal signal;
  std::vector<std::shared_ptr<Channel>> channels;
  std::unique_ptr<OperatorChain> chain;
};

/// Rows through 0 or 3 maps into a discarding operator.
void chain_of_row_operators(benchmark::State& state) {
  Chain c(static_cast<int>(state.range(0)), 0);
  const BatchPtr batch = sequence(1024);
  for (auto _ : state) {
    c.chain->process(batch, 0, 0, std::numeric_limits<std::int64_t>::max());
    c.chain->flush();
  }
  state.SetItemsProcessed(state.iterations() * 1024);
}
BENCHMARK(chain_of_row_operators)->Arg(1)->Arg(3);

/// Rows through one map into an edge of 1 or 4 channels.
void chain_to_edge(benchmark::State& state) {
  Chain c(1, static_cast<int>(state.range(0)));
  const BatchPtr batch = sequence(1024);
  for (auto _ : state) {
    c.chain->process(batch, 0, 0, std::numeric_limits<std::int64_t>::max());
    c.chain->flush();
    for (const auto& channel : c.channels) {
      while (channel->poll()) {
      }
    }
  }
  state.SetItemsProcessed(state.iterations() * 1024);
}
BENCHMARK(chain_to_edge)->Arg(1)->Arg(4);

/// sequence -> key_by (10,000 keys) -> reduce -> discard at a parallelism.
void keyed_reduce_job(benchmark::State& state) {
  const int parallelism = static_cast<int>(state.range(0));
  constexpr std::int64_t kRecords = 2'000'000;
  for (auto _ : state) {
    StreamGraph graph;
    StreamNode source;
    source.name = "source";
    source.parallelism = parallelism;
    source.source = std::make_shared<NumberSequenceSource>(0, kRecords - 1);
    source.output_type = source.source->produced_type();
    graph.add(std::move(source));
    const auto add =
        [&](const char* name, PartitionStrategy strategy, bool keyed, OperatorFactory factory) {
          StreamNode node;
          node.name = name;
          node.parallelism = parallelism;
          node.keyed = keyed;
          node.output_type = LogicalType::of(TypeKind::kBigInt);
          node.make_operator = std::move(factory);
          StreamEdge edge;
          edge.source_node = static_cast<int>(graph.nodes().size()) - 1;
          edge.partitioner.strategy = strategy;
          node.inputs.push_back(edge);
          graph.add(std::move(node));
        };
    add("key_by", PartitionStrategy::kForward, false, [](int) {
      return make_key_by_operator(std::make_unique<Modulo>());
    });
    add("reduce", PartitionStrategy::kHash, true, [](int) {
      return make_reduce_operator(
          std::make_shared<Sum>(), nullptr, LogicalType::of(TypeKind::kBigInt));
    });
    add("discard", PartitionStrategy::kForward, false, [](int) {
      return std::make_unique<Discard>();
    });
    const auto job = start_job(graph, {});
    while (!job->wait_for(std::chrono::seconds(1))) {
    }
    if (job->status() != JobStatus::kFinished) {
      state.SkipWithError("the job failed");
      return;
    }
  }
  state.SetItemsProcessed(state.iterations() * kRecords);
}
BENCHMARK(keyed_reduce_job)->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace flott

BENCHMARK_MAIN();
