// Throughput of the Kafka connector against a running broker, without the engine around it.
//
//   kafka_bench fill  BROKERS TOPIC COUNT            produce COUNT JSON messages of 295 bytes
//   kafka_bench read  BROKERS TOPIC json|string      read and decode the topic to its end
//   kafka_bench pass  BROKERS TOPIC RATE SECONDS     latency: produce at RATE, read beside it
//
// The topic must exist.

#include "connectors/kafka/kafka_sink.h"
#include "connectors/kafka/kafka_source.h"
#include "connectors/kafka_record.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <mutex>
#include <thread>

namespace {

using namespace flott;  // NOLINT: a program of one file

class Gate {
 public:
  std::function<void()> opener() {
    return [this] {
      const std::lock_guard lock(mutex_);
      open_ = true;
      changed_.notify_all();
    };
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::milliseconds(10), [this] { return open_; });
    open_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

double seconds() {
  return static_cast<double>(monotonic_ns()) / 1e9;
}

/// Processor time of this thread.
double thread_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

std::string message(std::int64_t i) {
  std::string text = fmt::format(
      R"({{"id": {}, "org": "org{}", "url": "/v1/path/{}", "status": {}, "time": "2025-05-20 10:{:02}:{:02}", )"
      R"("bytes": {}, "agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", "pad": ")",
      i,
      i % 100,
      i % 1000,
      200 + i % 5,
      i / 60 % 60,
      i % 60,
      i * 37 % 100000);
  text.resize(std::max<std::size_t>(text.size(), 293), 'x');
  return text + "\"}";
}

LogicalTypePtr json_type() {
  const auto of = [](TypeKind kind) { return LogicalType::of(kind); };
  return LogicalType::row({"id", "org", "url", "status", "time", "bytes", "agent"},
                          {of(TypeKind::kBigInt),
                           of(TypeKind::kString),
                           of(TypeKind::kString),
                           of(TypeKind::kInt),
                           of(TypeKind::kTimestamp),
                           of(TypeKind::kBigInt),
                           of(TypeKind::kString)});
}

struct Writer {
  Writer(const std::string& brokers, const std::string& topic)
      : sink(Options(
            std::map<std::string, std::string>{{"bootstrap.servers", brokers}, {"topic", topic}})) {
    SinkWriterContext context;
    context.clock = &clock;
    context.metrics = &metrics;
    context.operator_name = "bench";
    context.wakeup = gate.opener();
    writer = sink.create_writer(context);
    writer->open();
  }
  void write(const BatchPtr& batch) {
    while (writer->busy()) {
      gate.wait();
      writer->flushed();
    }
    writer->write(batch);
  }
  void flush() {
    writer->start_flush();
    while (!writer->flushed()) {
      gate.wait();
    }
  }
  SystemClock clock;
  MetricGroup metrics;
  Gate gate;
  kafka::KafkaSink sink;
  std::unique_ptr<SinkWriter> writer;
};

void append(BatchBuilder& builder, std::string_view value, std::int64_t timestamp) {
  builder.column(0).append_null();
  builder.column(1).append_null();
  builder.column(2).append_null();
  builder.column(3).append_string(value);
  builder.column(4).append_int(timestamp);
  builder.end_row();
}

void fill(const std::string& brokers, const std::string& topic, std::int64_t count) {
  Writer out(brokers, topic);
  std::vector<std::string> texts;
  for (std::int64_t i = 0; i < 10000; ++i) {
    texts.push_back(message(i));
  }
  const double start = seconds();
  BatchBuilder builder(kafka_record_type());
  for (std::int64_t i = 0; i < count; ++i) {
    append(builder, texts[static_cast<std::size_t>(i) % texts.size()], 1000 + i);
    if (builder.num_rows() == 1000) {
      out.write(builder.finish());
    }
  }
  if (!builder.empty()) {
    out.write(builder.finish());
  }
  out.flush();
  const double took = seconds() - start;
  std::printf("produced %lld in %.2f s: %.0f msg/s\n",
              static_cast<long long>(count),
              took,
              static_cast<double>(count) / took);
}

struct Reader {
  Reader(const std::map<std::string, std::string>& options, const LogicalTypePtr& type)
      : source(Options(options), type) {
    context.clock = &clock;
    context.metrics = &metrics;
    context.operator_name = "bench";
    context.wakeup = gate.opener();
    reader = source.create_reader(context);
    std::vector<SourceSplit> splits = source.discover_splits({});
    source.resolve_positions(splits, {});
    reader->add_splits(splits);
  }
  SystemClock clock;
  MetricGroup metrics;
  Gate gate;
  SourceReaderContext context;
  kafka::KafkaSource source;
  std::unique_ptr<SourceReader> reader;
};

void read(const std::string& brokers, const std::string& topic, const std::string& format) {
  Reader in({{"bootstrap.servers", brokers},
             {"topics", topic},
             {"format", format},
             {"scan.bounded", "latest"}},
            format == "json" ? json_type() : LogicalType::of(TypeKind::kString));
  const double start = seconds();
  double first = 0;
  std::int64_t rows = 0;
  double idle = 0;
  while (true) {
    SourceBatch batch;
    const PollResult result = in.reader->poll(batch, 1024);
    if (batch.batch) {
      if (rows == 0) {
        first = seconds();
      }
      rows += batch.batch->num_rows();
    }
    if (result == PollResult::kFinished) {
      break;
    }
    if (result == PollResult::kIdle) {
      const double before = seconds();
      in.gate.wait();
      idle += seconds() - before;
    }
  }
  const double end = seconds();
  std::printf(
      "read %lld as %s in %.2f s (first after %.3f): %.0f msg/s; %.2f s processor time, %.2f of it "
      "reading, waited %.2f s\n",
      static_cast<long long>(rows),
      format.c_str(),
      end - start,
      first - start,
      static_cast<double>(rows) / (end - first),
      static_cast<double>(std::clock()) / CLOCKS_PER_SEC,
      thread_seconds(),
      idle);
}

void pass(const std::string& brokers, const std::string& topic, std::int64_t rate, int for_s) {
  Reader in({{"bootstrap.servers", brokers}, {"topics", topic}, {"scan.startup", "latest"}},
            LogicalType::of(TypeKind::kString));
  const std::int64_t total = rate * for_s;
  std::thread producer([&] {
    Writer out(brokers, topic);
    BatchBuilder builder(kafka_record_type());
    const std::int64_t start = monotonic_ns();
    for (std::int64_t sent = 0; sent < total;) {
      const std::int64_t due = std::min(total, (monotonic_ns() - start) * rate / 1'000'000'000 + 1);
      for (; sent < due; ++sent) {
        append(builder, std::to_string(monotonic_ns()), 1000);
      }
      if (!builder.empty()) {
        out.write(builder.finish());
      }
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    out.flush();
  });
  std::vector<double> latencies_ms;
  while (static_cast<std::int64_t>(latencies_ms.size()) < total) {
    SourceBatch batch;
    const PollResult result = in.reader->poll(batch, 1024);
    const std::int64_t now = monotonic_ns();
    for (std::int64_t i = 0; batch.batch && i < batch.batch->num_rows(); ++i) {
      const std::int64_t sent =
          std::atoll(std::string(batch.batch->column(0).string_at(i)).c_str());
      latencies_ms.push_back(static_cast<double>(now - sent) / 1e6);
    }
    if (result == PollResult::kIdle) {
      in.gate.wait();
    }
  }
  producer.join();
  // The first second warms up connections and the broker.
  latencies_ms.erase(latencies_ms.begin(),
                     latencies_ms.begin() + std::min<std::int64_t>(rate, total / 2));
  std::sort(latencies_ms.begin(), latencies_ms.end());
  const auto at = [&](double share) {
    return latencies_ms[static_cast<std::size_t>(share *
                                                 static_cast<double>(latencies_ms.size() - 1))];
  };
  std::printf("latency at %lld/s: p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms, max %.2f ms\n",
              static_cast<long long>(rate),
              at(0.5),
              at(0.99),
              at(0.999),
              at(1));
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 4 ? argv[1] : "";
  try {
    if (mode == "fill") {
      fill(argv[2], argv[3], std::atoll(argv[4]));
    } else if (mode == "read") {
      read(argv[2], argv[3], argv[4]);
    } else if (mode == "pass" && argc > 5) {
      pass(argv[2], argv[3], std::atoll(argv[4]), std::atoi(argv[5]));
    } else {
      std::fprintf(stderr, "usage: kafka_bench fill|read|pass BROKERS TOPIC ...\n");
      return 2;
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
