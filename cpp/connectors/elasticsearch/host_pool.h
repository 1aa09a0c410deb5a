#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace flott {

/// Which host gets the next request: in turn, leaving out for a while those that failed (1 s,
/// doubling up to a minute). When all have failed, the one whose time comes first. Plain data, no
/// clock.
class HostPool {
 public:
  explicit HostPool(std::vector<std::string> hosts);

  std::size_t pick(std::int64_t now_ns);
  const std::string& url(std::size_t host) const { return hosts_[host].url; }
  void mark_dead(std::size_t host, std::int64_t now_ns);
  void mark_alive(std::size_t host);
  std::size_t size() const { return hosts_.size(); }
  /// True when every host's last request failed.
  bool all_dead() const;

 private:
  struct Host {
    std::string url;
    int failures = 0;
    std::int64_t dead_until_ns = 0;
  };
  std::vector<Host> hosts_;
  std::size_t next_ = 0;
};

}  // namespace flott
