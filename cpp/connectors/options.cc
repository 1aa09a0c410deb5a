#include "connectors/options.h"

#include <charconv>

namespace flott {
namespace {

std::string_view trim(std::string_view text) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
  while (!text.empty() && is_blank(text.front())) {
    text.remove_prefix(1);
  }
  while (!text.empty() && is_blank(text.back())) {
    text.remove_suffix(1);
  }
  return text;
}

}  // namespace

std::optional<std::string> Options::find(const std::string& key) const {
  const auto it = values_.find(key);
  if (it == values_.end()) {
    return std::nullopt;
  }
  return it->second;
}

std::string Options::get(const std::string& key) const {
  const auto it = values_.find(key);
  if (it == values_.end()) {
    throw_error(ErrorKind::kInvalidArgument, "the option '{}' is missing; set it", key);
  }
  return it->second;
}

std::string Options::get(const std::string& key, const std::string& default_value) const {
  const auto it = values_.find(key);
  return it == values_.end() ? default_value : it->second;
}

std::int64_t Options::get_int(const std::string& key, std::int64_t default_value) const {
  const auto it = values_.find(key);
  if (it == values_.end()) {
    return default_value;
  }
  const std::string_view text = trim(it->second);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) {
    throw_error(ErrorKind::kInvalidArgument,
                "the option '{}' must be an integer, but is '{}'",
                key,
                it->second);
  }
  return number;
}

bool Options::get_bool(const std::string& key, bool default_value) const {
  const auto it = values_.find(key);
  if (it == values_.end()) {
    return default_value;
  }
  std::string text(trim(it->second));
  for (char& c : text) {
    c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  }
  if (text == "true") {
    return true;
  }
  if (text == "false") {
    return false;
  }
  throw_error(ErrorKind::kInvalidArgument,
              "the option '{}' must be true or false, but is '{}'",
              key,
              it->second);
}

std::vector<std::string> Options::get_list(const std::string& key) const {
  std::vector<std::string> items;
  const auto it = values_.find(key);
  if (it == values_.end()) {
    return items;
  }
  std::string item;
  const auto close = [&] {
    const std::string_view text = trim(item);
    if (!text.empty()) {
      items.emplace_back(text);
    }
    item.clear();
  };
  const std::string& text = it->second;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size() && text[i + 1] == ',') {
      item.push_back(',');
      ++i;
    } else if (text[i] == ',') {
      close();
    } else {
      item.push_back(text[i]);
    }
  }
  close();
  return items;
}

Options Options::sub(const std::string& prefix) const {
  const std::string start = prefix + ".";
  std::map<std::string, std::string> below;
  for (auto it = values_.lower_bound(start);
       it != values_.end() && it->first.compare(0, start.size(), start) == 0;
       ++it) {
    below.emplace(it->first.substr(start.size()), it->second);
  }
  return Options(std::move(below));
}

}  // namespace flott
