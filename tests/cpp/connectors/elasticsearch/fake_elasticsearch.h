#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include <condition_variable>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

namespace flott {

/// What the fake server does with one bulk request.
enum class Answer {
  kApply,
  kTooMany,         ///< 429 for the whole request
  kUnavailable,     ///< 503
  kUnauthorized,    ///< 401
  kSomeItems,       ///< every third item 429, the others applied
  kReset,           ///< the connection is closed before anything happens
  kApplyThenReset,  ///< the answer is lost
  kGarbage,         ///< 200 with something that is no bulk answer
  kHold,            ///< applied when release() is called
};

/// An Elasticsearch of a few lines over plain sockets: keeps documents, follows a script of answers
/// (then kApply), and checks that no document is in two requests at once.
class FakeElasticsearch {
 public:
  using Key = std::tuple<std::string, std::string, std::string>;  ///< index, routing, id
  using Documents = std::map<Key, nlohmann::json>;

  explicit FakeElasticsearch(std::vector<Answer> script = {})
      : script_(script.begin(), script.end()) {
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(listener_, 16);
    socklen_t size = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }

  ~FakeElasticsearch() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      released_ = true;
      for (const int connection : connections_) {
        ::shutdown(connection, SHUT_RDWR);
      }
    }
    changed_.notify_all();
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    for (std::thread& thread : threads_) {
      thread.join();
    }
    ::close(listener_);
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  void set_max_body(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    max_body_ = bytes;
  }
  void set_ping_status(int status) {
    const std::lock_guard lock(mutex_);
    ping_status_ = status;
  }
  /// As if another client had written it.
  void put(const Key& key, nlohmann::json document) {
    const std::lock_guard lock(mutex_);
    documents_[key] = std::move(document);
  }
  void require_header(std::string line) {
    const std::lock_guard lock(mutex_);
    required_header_ = std::move(line);
  }

  Documents documents() {
    const std::lock_guard lock(mutex_);
    return documents_;
  }
  std::vector<std::string> violations() {
    const std::lock_guard lock(mutex_);
    return violations_;
  }
  int bulk_requests() {
    const std::lock_guard lock(mutex_);
    return bulk_requests_;
  }
  std::vector<std::size_t> request_sizes() {
    const std::lock_guard lock(mutex_);
    return request_sizes_;
  }
  void wait_for_held(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(30), [&] { return held_ >= count; });
  }
  void release() {
    {
      const std::lock_guard lock(mutex_);
      released_ = true;
    }
    changed_.notify_all();
  }

 private:
  struct Item {
    std::string kind;
    Key key;
    nlohmann::json meta;
    nlohmann::json body;
  };

  void accept_all() {
    while (true) {
      const int connection = ::accept(listener_, nullptr, nullptr);
      if (connection < 0) {
        return;
      }
      const std::lock_guard lock(mutex_);
      if (stopping_) {
        ::close(connection);
        return;
      }
      connections_.insert(connection);
      threads_.emplace_back([this, connection] { serve(connection); });
    }
  }

  void serve(int connection) {
    std::string in;
    while (serve_one(connection, in)) {
    }
    const std::lock_guard lock(mutex_);
    connections_.erase(connection);
    ::close(connection);
  }

  static bool read_more(int connection, std::string& in) {
    char buffer[16384];
    const ssize_t n = ::recv(connection, buffer, sizeof buffer, 0);
    if (n <= 0) {
      return false;
    }
    in.append(buffer, static_cast<std::size_t>(n));
    return true;
  }

  bool serve_one(int connection, std::string& in) {
    std::size_t end = 0;
    while ((end = in.find("\r\n\r\n")) == std::string::npos) {
      if (!read_more(connection, in)) {
        return false;
      }
    }
    const std::string head = in.substr(0, end + 2);
    std::size_t length = 0;
    if (const std::size_t at = head.find("Content-Length: "); at != std::string::npos) {
      length = std::stoul(head.substr(at + 16));
    }
    while (in.size() < end + 4 + length) {
      if (!read_more(connection, in)) {
        return false;
      }
    }
    std::string body = in.substr(end + 4, length);
    in.erase(0, end + 4 + length);
    if (head.find("Content-Encoding: gzip") != std::string::npos) {
      body = gunzip(body);
    }
    std::string required_header;
    int ping_status = 0;
    {
      const std::lock_guard lock(mutex_);
      required_header = required_header_;
      ping_status = ping_status_;
    }
    if (!required_header.empty() && head.find(required_header + "\r\n") == std::string::npos) {
      return reply(
          connection,
          401,
          R"({"error":{"type":"security_exception","reason":"missing credentials"},"status":401})");
    }
    if (head.starts_with("GET / ")) {
      return reply(connection, ping_status, R"({"version":{"number":"7.17.0"}})");
    }
    if (!head.starts_with("POST /_bulk?")) {
      return reply(connection, 404, R"({"error":"no handler"})");
    }
    return serve_bulk(connection, body, length);
  }

  bool serve_bulk(int connection, const std::string& body, std::size_t length) {
    const std::vector<Item> items = parse(body);
    std::unique_lock lock(mutex_);
    ++bulk_requests_;
    request_sizes_.push_back(items.size());
    Answer answer = Answer::kApply;
    if (!script_.empty()) {
      answer = script_.front();
      script_.pop_front();
    }
    std::set<Key> mine;
    for (const Item& item : items) {
      if (!std::get<2>(item.key).empty() &&
          (!mine.insert(item.key).second || busy_.contains(item.key))) {
        violations_.push_back("document " + std::get<2>(item.key) +
                              " is in two requests or twice in one");
      }
    }
    busy_.insert(mine.begin(), mine.end());
    const auto done = [&] {
      for (const Key& key : mine) {
        busy_.erase(key);
      }
    };
    if (length > max_body_) {
      done();
      lock.unlock();
      return reply(connection, 413, "");
    }
    for (const Item& item : items) {
      if (std::get<2>(item.key).size() > 512) {
        done();
        lock.unlock();
        return reply(connection,
                     400,
                     R"({"error":{"type":"action_request_validation_exception",)"
                     R"("reason":"id is too long"},"status":400})");
      }
    }
    switch (answer) {
      case Answer::kTooMany:
      case Answer::kUnavailable:
      case Answer::kUnauthorized: {
        done();
        lock.unlock();
        const int status = answer == Answer::kTooMany       ? 429
                           : answer == Answer::kUnavailable ? 503
                                                            : 401;
        return reply(
            connection, status, R"({"error":{"type":"some_exception","reason":"for a test"}})");
      }
      case Answer::kReset:
        done();
        return false;
      case Answer::kGarbage:
        done();
        lock.unlock();
        return reply(connection, 200, "<html>login</html>");
      case Answer::kHold:
        ++held_;
        changed_.notify_all();
        changed_.wait(lock, [&] { return released_; });
        break;
      default:
        break;
    }
    nlohmann::json results = nlohmann::json::array();
    for (std::size_t i = 0; i < items.size(); ++i) {
      nlohmann::json result;
      if (answer == Answer::kSomeItems && i % 3 == 0) {
        result = {{"status", 429},
                  {"error", {{"type", "es_rejected_execution_exception"}, {"reason", "full"}}}};
      } else {
        result = apply(items[i]);
      }
      results.push_back({{items[i].kind, result}});
    }
    done();
    lock.unlock();
    if (answer == Answer::kApplyThenReset) {
      return false;
    }
    return reply(
        connection, 200, nlohmann::json{{"took", 1}, {"errors", true}, {"items", results}}.dump());
  }

  static void merge(nlohmann::json& base, const nlohmann::json& patch) {
    for (const auto& [key, value] : patch.items()) {
      if (value.is_object() && base.contains(key) && base[key].is_object()) {
        merge(base[key], value);
      } else {
        base[key] = value;
      }
    }
  }

  nlohmann::json apply(const Item& item) {
    const auto refused = [](int status, const char* type) {
      return nlohmann::json{{"status", status}, {"error", {{"type", type}, {"reason", "because"}}}};
    };
    Key key = item.key;
    if (std::get<2>(key).empty()) {
      std::get<2>(key) = "made-" + std::to_string(documents_.size());
    }
    const auto found = documents_.find(key);
    if (item.body.is_object() && item.body.contains("bad")) {
      return refused(400, "mapper_parsing_exception");
    }
    if (item.meta.contains("version")) {
      const auto version = item.meta["version"].get<std::int64_t>();
      if (versions_.contains(key) && versions_[key] >= version) {
        return refused(409, "version_conflict_engine_exception");
      }
      versions_[key] = version;
    }
    if (item.kind == "index") {
      documents_[key] = item.body;
      return {{"status", 201}};
    }
    if (item.kind == "create") {
      if (found != documents_.end()) {
        return refused(409, "version_conflict_engine_exception");
      }
      documents_[key] = item.body;
      return {{"status", 201}};
    }
    if (item.kind == "delete") {
      const bool there = documents_.erase(key) > 0;
      return {{"status", there ? 200 : 404}};
    }
    const nlohmann::json& doc = item.body["doc"];
    if (doc.contains("bad")) {
      return refused(400, "mapper_parsing_exception");
    }
    if (found == documents_.end()) {
      if (!item.body.value("doc_as_upsert", false)) {
        return refused(404, "document_missing_exception");
      }
      documents_[key] = doc;
      return {{"status", 201}};
    }
    merge(found->second, doc);
    return {{"status", 200}};
  }

  static std::vector<Item> parse(const std::string& body) {
    std::vector<Item> items;
    std::istringstream lines(body);
    std::string line;
    while (std::getline(lines, line)) {
      const nlohmann::json head = nlohmann::json::parse(line);
      Item item;
      item.kind = head.begin().key();
      item.meta = head.begin().value();
      item.key = {item.meta["_index"], item.meta.value("routing", ""), item.meta.value("_id", "")};
      if (item.kind != "delete") {
        std::getline(lines, line);
        item.body = nlohmann::json::parse(line);
      }
      items.push_back(std::move(item));
    }
    return items;
  }

  static std::string gunzip(const std::string& in) {
    z_stream stream{};
    inflateInit2(&stream, 15 + 16);
    std::string out(64 * in.size() + 1024, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream.avail_in = static_cast<uInt>(in.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    inflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    inflateEnd(&stream);
    return out;
  }

  static bool reply(int connection, int status, const std::string& body) {
    const std::string text =
        "HTTP/1.1 " + std::to_string(status) +
        " X\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
        "\r\n\r\n" + body;
    std::size_t sent = 0;
    while (sent < text.size()) {
      const ssize_t n = ::send(connection, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) {
        return false;
      }
      sent += static_cast<std::size_t>(n);
    }
    return true;
  }

  int listener_ = -1;
  int port_ = 0;
  std::size_t max_body_ = static_cast<std::size_t>(-1);
  std::string required_header_;
  int ping_status_ = 200;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Answer> script_;
  std::set<int> connections_;
  std::vector<std::thread> threads_;
  std::set<Key> busy_;
  Documents documents_;
  std::map<Key, std::int64_t> versions_;
  std::vector<std::string> violations_;
  std::vector<std::size_t> request_sizes_;
  int bulk_requests_ = 0;
  int held_ = 0;
  bool released_ = false;
  bool stopping_ = false;
  std::thread acceptor_;
};

}  // namespace flott
