#pragma once

#include "base/error.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace flott {

/// Settings of a connector or format by name, as the Python builders, SQL `WITH` and tests give
/// them. Nested structure is written with dots (`format.fail-on-missing-field`).
class Options {
 public:
  Options() = default;
  explicit Options(std::map<std::string, std::string> values) : values_(std::move(values)) {}

  const std::map<std::string, std::string>& values() const { return values_; }
  bool has(const std::string& key) const { return values_.contains(key); }
  std::optional<std::string> find(const std::string& key) const;
  /// Throws kInvalidArgument naming the missing key.
  std::string get(const std::string& key) const;
  std::string get(const std::string& key, const std::string& default_value) const;
  /// Throw kInvalidArgument naming key and text when it is no number / not true or false.
  std::int64_t get_int(const std::string& key, std::int64_t default_value) const;
  bool get_bool(const std::string& key, bool default_value) const;
  /// Comma-separated (`a, b`); `\,` is a comma.
  std::vector<std::string> get_list(const std::string& key) const;
  /// The options below `prefix.`, without it.
  Options sub(const std::string& prefix) const;
  void set(const std::string& key, std::string value) { values_[key] = std::move(value); }

 private:
  std::map<std::string, std::string> values_;
};

}  // namespace flott
