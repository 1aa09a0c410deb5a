#pragma once

#include "connectors/elasticsearch/bulk_buffer.h"
#include "connectors/elasticsearch/bulk_request.h"
#include "connectors/elasticsearch/elasticsearch_mapping.h"
#include "connectors/elasticsearch/elasticsearch_options.h"
#include "connectors/elasticsearch/host_pool.h"
#include "connectors/elasticsearch/http_client.h"
#include "connectors/sink.h"

#include <cstdint>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace flott {

/// Writes the actions of one subtask by bulk requests.
///
/// The task's thread turns rows into actions and adds them to the buffer; one I/O thread takes them
/// out, sends requests, reads the status of every item, and retries, so that progress never waits
/// for the task. Both meet under one mutex, held for moments: it guards buffer_, the flush flags
/// and error_. Everything else belongs to one of the two threads as marked.
///
/// Every action ends in exactly one way: stored; obsolete (a newer external version is there);
/// refused, and then the failure handler's; or error_, which the task's next call throws.
class ElasticsearchWriter final : public SinkWriter {
 public:
  /// `mapping` may be null: batches are then of bulk_action_type().
  ElasticsearchWriter(ElasticsearchOptions options,
                      std::shared_ptr<const ElasticsearchMappingConfig> mapping,
                      const SinkWriterContext& context);
  ~ElasticsearchWriter() override;

  void open() override;
  void write(const BatchPtr& batch) override;
  bool busy() const override;
  void start_flush() override;
  bool flushed() override;
  Timestamp next_time() const override { return next_flush_ms_; }
  void on_time() override;
  void close() override;

 private:
  struct Request {
    std::vector<BulkDocument*> documents;
    std::size_t host = 0;
    std::size_t bytes = 0;
    std::int64_t started_ns = 0;
  };

  // I/O thread.
  void run();
  void run_once();
  /// Under the mutex: the next request's actions, or none.
  std::vector<BulkDocument*> take_documents(std::int64_t now_ns);
  void send(std::vector<BulkDocument*> documents);
  void send_ping();
  void handle(HttpResponse response);
  void handle_ping(const HttpResponse& response, std::size_t host);
  void handle_items(const Request& request, const BulkResponse& answer);
  void handle_failure(const Request& request, const HttpResponse& response);
  /// The server refused the whole request because of its size or of one action: sends its halves,
  /// and so on, until the failure handler gets the action alone.
  void split_or_refuse(const Request& request, int status, const RequestError& error);
  /// Fails the writer for what no retry can heal; false when one may.
  bool fail_if_hopeless(const HttpResponse& response, std::size_t host);
  void retry_all(const std::vector<BulkDocument*>& documents,
                 std::size_t host,
                 const std::string& cause);
  /// To the failure handler; false when the writer fails of it.
  bool refuse(const BulkAction& action,
              std::size_t host,
              int status,
              const std::string& type,
              const std::string& reason);
  void write_dead_letter(const BulkAction& action,
                         int status,
                         const std::string& type,
                         const std::string& reason);
  [[noreturn]] void throw_error_of_dead_letters() const;
  void warn(const std::string& message);
  void settle(const std::vector<BulkDocument*>& documents);
  void fail(Error error);

  // Under the mutex.
  bool over_limit() const;
  /// Enough waits for a request.
  bool full() const;
  void throw_pending_error() const;

  const ElasticsearchOptions options_;
  std::unique_ptr<ElasticsearchMapping> mapping_;  // task
  SinkWriterContext context_;
  MetricGroup own_metrics_;
  std::size_t busy_bytes_ = 0;
  std::size_t busy_actions_ = 0;

  mutable std::mutex mutex_;
  BulkBuffer buffer_;
  bool flush_all_ = false;   ///< until flushed() found everything settled
  bool flush_once_ = false;  ///< until everything that is ready is sent
  bool can_send_ = true;     ///< the I/O thread has room for another request and nobody woke it yet
  bool stopping_ = false;
  std::optional<Error> error_;

  // Task.
  Timestamp next_flush_ms_ = kMaxTimestamp;
  /// Of the largest batch so far: memory to be used again, but that of large documents.
  std::vector<BulkAction> incoming_;

  // I/O thread.
  std::unique_ptr<HttpClient> http_;
  HostPool hosts_;
  std::map<std::uint64_t, Request> requests_;
  /// Halves of requests that were refused as a whole.
  std::vector<std::vector<BulkDocument*>> split_;
  BulkResponseParser parser_;
  std::uint64_t next_tag_ = 1;
  bool connected_once_ = false;
  std::minstd_rand jitter_;
  std::ofstream dead_letters_;
  std::int64_t last_warning_ns_ = 0;
  std::int64_t suppressed_warnings_ = 0;

  Counter& records_send_;
  Counter& bytes_send_;
  Counter& records_send_errors_;
  Counter& bulk_requests_;
  Counter& bulk_retries_;
  Counter& deduplicated_;
  Counter& dead_lettered_;
  Counter& version_conflicts_;
  Counter& current_send_time_;

  std::thread io_;
};

}  // namespace flott
