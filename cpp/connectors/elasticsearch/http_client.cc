#include "connectors/elasticsearch/http_client.h"

#include "base/error.h"

#include <curl/curl.h>
#include <zlib.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace flott {

namespace {

/// The one place that turns curl's codes into errors.
void check_curl(CURLcode code, const char* what) {
  if (code != CURLE_OK) {
    throw_error(ErrorKind::kExternal, "HTTP client: {}: {}", what, curl_easy_strerror(code));
  }
}
void check_curl(CURLMcode code, const char* what) {
  if (code != CURLM_OK) {
    throw_error(ErrorKind::kExternal, "HTTP client: {}: {}", what, curl_multi_strerror(code));
  }
}

HttpFailure failure_of(CURLcode code) {
  switch (code) {
    case CURLE_OK:
      return HttpFailure::kNone;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_URL_MALFORMAT:
      return HttpFailure::kUnknownHost;
    case CURLE_OPERATION_TIMEDOUT:
      return HttpFailure::kTimeout;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CIPHER:
      return HttpFailure::kTls;
    case CURLE_COULDNT_CONNECT:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_SSL_CONNECT_ERROR:
      return HttpFailure::kConnection;
    default:
      return HttpFailure::kOther;
  }
}

void start_curl_once() {
  static std::once_flag once;
  std::call_once(once, [] { check_curl(curl_global_init(CURL_GLOBAL_DEFAULT), "start"); });
}

/// A wheel brings its own TLS library, which does not know where this system keeps its
/// certificates.
std::string find_ca_file() {
  if (const char* const named = std::getenv("SSL_CERT_FILE"); named != nullptr && *named != '\0') {
    return named;
  }
  constexpr std::array kPlaces = {
      "/etc/ssl/certs/ca-certificates.crt",                 // Debian, Ubuntu, Arch
      "/etc/pki/tls/certs/ca-bundle.crt",                   // Fedora, RHEL
      "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  // CentOS
      "/etc/ssl/ca-bundle.pem",                             // openSUSE
      "/etc/ssl/cert.pem",                                  // Alpine
  };
  std::error_code ignored;
  for (const char* const place : kPlaces) {
    if (std::filesystem::exists(place, ignored)) {
      return place;
    }
  }
  return "";
}

std::string gzip(const std::string& text) {
  z_stream stream{};
  constexpr int kGzipWindow = 15 + 16;
  STREAM_CHECK(
      deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) == Z_OK,
      "zlib starts");
  std::string out(deflateBound(&stream, static_cast<uLong>(text.size())), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int result = deflate(&stream, Z_FINISH);
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  STREAM_CHECK(result == Z_STREAM_END, "zlib ends, not {}", result);
  return out;
}

struct HeaderList {
  HeaderList() = default;
  HeaderList(const HeaderList&) = delete;
  HeaderList& operator=(const HeaderList&) = delete;
  ~HeaderList() { curl_slist_free_all(list); }
  void add(const std::string& line) { list = curl_slist_append(list, line.c_str()); }
  curl_slist* list = nullptr;
};

}  // namespace

class HttpClient::Impl {
 public:
  explicit Impl(const ElasticsearchOptions& options) : options_(options) {
    start_curl_once();
    if (options_.ca_file.empty()) {
      options_.ca_file = find_ca_file();
    } else if (std::error_code ignored; !std::filesystem::exists(options_.ca_file, ignored)) {
      throw_error(ErrorKind::kInvalidArgument,
                  "elasticsearch: the CA file '{}' does not exist; correct option 'tls.ca-file'",
                  options_.ca_file);
    }
    multi_ = curl_multi_init();
    STREAM_CHECK(multi_ != nullptr, "curl starts");
    for (HeaderList* const headers : {&plain_headers_, &gzip_headers_}) {
      headers->add("Content-Type: application/x-ndjson");
      headers->add("Expect:");  // no waiting for "100 Continue"
      if (!options_.api_key.empty()) {
        headers->add("Authorization: ApiKey " + options_.api_key);
      }
    }
    gzip_headers_.add("Content-Encoding: gzip");
  }

  ~Impl() {
    for (const auto& [easy, transfer] : transfers_) {
      curl_multi_remove_handle(multi_, easy);
      curl_easy_cleanup(easy);
    }
    for (CURL* const easy : idle_) {
      curl_easy_cleanup(easy);
    }
    curl_multi_cleanup(multi_);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void start(HttpRequest request) {
    CURL* easy = nullptr;
    if (idle_.empty()) {
      easy = curl_easy_init();
      STREAM_CHECK(easy != nullptr, "curl makes a handle");
    } else {
      easy = idle_.back();
      idle_.pop_back();
    }
    auto transfer = std::make_unique<Transfer>();
    transfer->response.tag = request.tag;
    transfer->body = request.gzip ? gzip(request.body) : std::move(request.body);
    configure(easy, *transfer, request);
    check_curl(curl_multi_add_handle(multi_, easy), "start a request");
    transfers_.emplace(easy, std::move(transfer));
  }

  std::vector<HttpResponse> poll(int timeout_ms) {
    int running = 0;
    check_curl(curl_multi_perform(multi_, &running), "send");
    std::vector<HttpResponse> done = take_done();
    if (!done.empty()) {
      return done;
    }
    check_curl(curl_multi_poll(multi_, nullptr, 0, timeout_ms, nullptr), "wait");
    check_curl(curl_multi_perform(multi_, &running), "send");
    return take_done();
  }

  void wakeup() { curl_multi_wakeup(multi_); }
  std::size_t in_flight() const { return transfers_.size(); }

 private:
  struct Transfer {
    HttpResponse response;
    std::string body;
    std::array<char, CURL_ERROR_SIZE> error{};
  };

  static std::size_t receive(char* data, std::size_t size, std::size_t count, void* transfer) {
    static_cast<Transfer*>(transfer)->response.body.append(data, size * count);
    return size * count;
  }

  void configure(CURL* easy, Transfer& transfer, const HttpRequest& request) {
    const auto set = [&](CURLoption option, auto value) {
      check_curl(curl_easy_setopt(easy, option, value), "configure a request");
    };
    set(CURLOPT_URL, request.url.c_str());
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_ERRORBUFFER, transfer.error.data());
    set(CURLOPT_WRITEFUNCTION, &Impl::receive);
    set(CURLOPT_WRITEDATA, &transfer);
    set(CURLOPT_PRIVATE, &transfer);
    set(CURLOPT_ACCEPT_ENCODING, "");
    set(CURLOPT_TCP_KEEPALIVE, 1L);
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_timeout_ms));
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(options_.request_timeout_ms));
    // Curl measures inactivity in whole seconds.
    set(CURLOPT_LOW_SPEED_LIMIT, 1L);
    set(CURLOPT_LOW_SPEED_TIME, static_cast<long>((options_.socket_timeout_ms + 999) / 1000));
    if (!options_.username.empty()) {
      set(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
      set(CURLOPT_USERNAME, options_.username.c_str());
      set(CURLOPT_PASSWORD, options_.password.c_str());
    }
    if (!options_.verify_tls) {
      set(CURLOPT_SSL_VERIFYPEER, 0L);
      set(CURLOPT_SSL_VERIFYHOST, 0L);
    } else if (!options_.ca_file.empty()) {
      set(CURLOPT_CAINFO, options_.ca_file.c_str());
    }
    set(CURLOPT_HTTPHEADER, request.gzip ? gzip_headers_.list : plain_headers_.list);
    if (!transfer.body.empty()) {
      set(CURLOPT_POSTFIELDS, transfer.body.data());
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(transfer.body.size()));
    }
  }

  std::vector<HttpResponse> take_done() {
    std::vector<HttpResponse> done;
    int left = 0;
    while (const CURLMsg* const message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) {
        continue;
      }
      CURL* const easy = message->easy_handle;
      const CURLcode code = message->data.result;  // message dies with the removal below
      const auto found = transfers_.find(easy);
      STREAM_CHECK(found != transfers_.end(), "a transfer of ours");
      Transfer& transfer = *found->second;
      transfer.response.failure = failure_of(code);
      if (code == CURLE_OK) {
        long status = 0;
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        transfer.response.status = static_cast<int>(status);
      } else {
        transfer.response.failure_text =
            transfer.error[0] != '\0' ? transfer.error.data() : curl_easy_strerror(code);
      }
      done.push_back(std::move(transfer.response));
      curl_multi_remove_handle(multi_, easy);
      curl_easy_reset(easy);  // it points into the transfer; its connection stays open
      transfers_.erase(found);
      idle_.push_back(easy);
    }
    return done;
  }

  ElasticsearchOptions options_;
  HeaderList plain_headers_;
  HeaderList gzip_headers_;
  CURLM* multi_ = nullptr;
  std::unordered_map<CURL*, std::unique_ptr<Transfer>> transfers_;
  std::vector<CURL*> idle_;
};

HttpClient::HttpClient(const ElasticsearchOptions& options)
    : impl_(std::make_unique<Impl>(options)) {}
HttpClient::~HttpClient() = default;
void HttpClient::start(HttpRequest request) {
  impl_->start(std::move(request));
}
std::size_t HttpClient::in_flight() const {
  return impl_->in_flight();
}
std::vector<HttpResponse> HttpClient::poll(int timeout_ms) {
  return impl_->poll(timeout_ms);
}
void HttpClient::wakeup() {
  impl_->wakeup();
}

}  // namespace flott
