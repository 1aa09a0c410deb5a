#pragma once

#include "connectors/options.h"
#include "connectors/sink.h"
#include "connectors/source.h"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace flott::test {

/// Plays the task around one SourceReader: gives splits, polls, waits for wake-ups.
class ReaderDriver {
 public:
  explicit ReaderDriver(Source& source, const Clock* clock = nullptr) {
    context_.clock = clock != nullptr ? clock : &system_clock_;
    context_.metrics = &metrics_;
    context_.operator_name = "source";
    context_.wakeup = [this] {
      const std::lock_guard lock(mutex_);
      woken_ = true;
      changed_.notify_all();
    };
    reader_ = source.create_reader(context_);
    reader_->open();
  }
  ~ReaderDriver() { reader_->close(); }

  SourceReader& reader() { return *reader_; }
  MetricGroup& metrics() { return metrics_; }

  /// Reads until `enough` holds or the reader is finished; false when that took longer than 20 s.
  bool read_until(const std::function<bool()>& enough, std::int64_t max_rows = 1000) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!enough()) {
      SourceBatch batch;
      const PollResult result = reader_->poll(batch, max_rows);
      if (batch.batch) {
        batches.push_back(batch);
        rows += batch.batch->num_rows();
      }
      if (result == PollResult::kFinished) {
        finished = true;
        return enough();
      }
      if (result == PollResult::kIdle) {
        std::unique_lock lock(mutex_);
        if (!changed_.wait_until(lock, deadline, [this] { return woken_; })) {
          return false;
        }
        woken_ = false;
      }
    }
    return true;
  }
  bool read_rows(std::int64_t count, std::int64_t max_rows = 1000) {
    return read_until([&] { return rows >= count; }, max_rows);
  }
  /// Reads a bounded source to its end.
  bool read_all(std::int64_t max_rows = 1000) {
    read_until([&] { return finished; }, max_rows);
    return finished;
  }

  /// Texts of the first column, in the order they were read.
  std::vector<std::string> strings() const {
    std::vector<std::string> out;
    for (const SourceBatch& batch : batches) {
      for (std::int64_t i = 0; i < batch.batch->num_rows(); ++i) {
        out.emplace_back(batch.batch->column(0).string_at(i));
      }
    }
    return out;
  }
  std::vector<std::int64_t> numbers() const {
    std::vector<std::int64_t> out;
    for (const SourceBatch& batch : batches) {
      for (std::int64_t i = 0; i < batch.batch->num_rows(); ++i) {
        out.push_back(batch.batch->column(0).value_at(i).as_int());
      }
    }
    return out;
  }

  std::vector<SourceBatch> batches;
  std::int64_t rows = 0;
  bool finished = false;

 private:
  SystemClock system_clock_;
  MetricGroup metrics_;
  SourceReaderContext context_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = false;
  std::unique_ptr<SourceReader> reader_;
};

/// Plays the task around one SinkWriter.
class WriterDriver {
 public:
  explicit WriterDriver(Sink& sink,
                        int subtask = 0,
                        int parallelism = 1,
                        const Clock* clock = nullptr,
                        const OperatorSnapshot* restored = nullptr,
                        bool checkpointing = false) {
    SinkWriterContext context;
    context.checkpointing = checkpointing;
    context.restored = restored;
    context.subtask = subtask;
    context.parallelism = parallelism;
    context.clock = clock != nullptr ? clock : &system_clock_;
    context.metrics = &metrics_;
    context.operator_name = "sink";
    context.job_id = "job";
    context.wakeup = [this] {
      const std::lock_guard lock(mutex_);
      woken_ = true;
      changed_.notify_all();
    };
    writer_ = sink.create_writer(context);
    writer_->open();
  }
  ~WriterDriver() { writer_->close(); }

  SinkWriter& writer() { return *writer_; }
  MetricGroup& metrics() { return metrics_; }

  /// Flushes; false when that took longer than 30 s.
  bool flush() {
    writer_->start_flush();
    return wait([this] { return writer_->flushed(); });
  }

  /// Asks `done` now and after each wake-up; false when that took longer than 30 s.
  bool wait(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!done()) {
      std::unique_lock lock(mutex_);
      if (!changed_.wait_until(lock, deadline, [this] { return woken_; })) {
        return false;
      }
      woken_ = false;
    }
    return true;
  }

 private:
  SystemClock system_clock_;
  MetricGroup metrics_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = false;
  std::unique_ptr<SinkWriter> writer_;
};

/// The splits of a source as a job without a checkpoint reads them.
inline std::vector<SourceSplit> splits_of(Source& source) {
  std::vector<SourceSplit> splits = source.discover_splits({});
  source.resolve_positions(splits, {});
  return splits;
}

/// Options of pairs; `Options({{"a", "b"}})` alone is ambiguous with a copy.
inline Options options_of(std::map<std::string, std::string> values) {
  return Options(std::move(values));
}

/// The message of the Error that `call` throws; fails the test when it throws none.
template <typename Call>
std::string error_of(const Call& call, ErrorKind* kind = nullptr) {
  try {
    call();
  } catch (const Error& error) {
    if (kind != nullptr) {
      *kind = error.kind();
    }
    return error.what();
  }
  ADD_FAILURE() << "no Error was thrown";
  return {};
}

}  // namespace flott::test
