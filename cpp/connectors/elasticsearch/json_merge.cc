#include "connectors/elasticsearch/json_merge.h"

#include <unordered_map>
#include <vector>

namespace flott {

namespace {

constexpr int kMaxDepth = 500;

struct Member {
  std::string_view key;  ///< with its quotes
  std::string_view value;
};

bool is_blank(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

void skip_blanks(std::string_view text, std::size_t& at) {
  while (at < text.size() && is_blank(text[at])) {
    ++at;
  }
}

/// Moves past the string whose opening quote is at `at`.
bool skip_string(std::string_view text, std::size_t& at) {
  for (++at; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == '"') {
      ++at;
      return true;
    }
  }
  return false;
}

/// Moves past one value; brackets are only counted, the server checks the rest.
bool skip_value(std::string_view text, std::size_t& at) {
  int depth = 0;
  const std::size_t begin = at;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"') {
      if (!skip_string(text, at)) {
        return false;
      }
    } else if (c == '{' || c == '[') {
      ++depth;
      ++at;
    } else if (c == '}' || c == ']') {
      if (depth == 0) {
        break;
      }
      --depth;
      ++at;
    } else if (depth == 0 && (c == ',' || is_blank(c))) {
      break;
    } else {
      ++at;
    }
    if (depth == 0 && (c == '"' || c == '}' || c == ']')) {
      break;
    }
  }
  return depth == 0 && at > begin;
}

bool read_members(std::string_view text, std::vector<Member>& members) {
  std::size_t at = 0;
  skip_blanks(text, at);
  if (at >= text.size() || text[at] != '{') {
    return false;
  }
  ++at;
  skip_blanks(text, at);
  if (at < text.size() && text[at] == '}') {
    ++at;
    skip_blanks(text, at);
    return at == text.size();
  }
  while (true) {
    skip_blanks(text, at);
    if (at >= text.size() || text[at] != '"') {
      return false;
    }
    const std::size_t key = at;
    if (!skip_string(text, at)) {
      return false;
    }
    const std::string_view name = text.substr(key, at - key);
    skip_blanks(text, at);
    if (at >= text.size() || text[at] != ':') {
      return false;
    }
    ++at;
    skip_blanks(text, at);
    const std::size_t value = at;
    if (!skip_value(text, at)) {
      return false;
    }
    members.push_back({name, text.substr(value, at - value)});
    skip_blanks(text, at);
    if (at >= text.size()) {
      return false;
    }
    if (text[at] == '}') {
      ++at;
      skip_blanks(text, at);
      return at == text.size();
    }
    if (text[at] != ',') {
      return false;
    }
    ++at;
  }
}

bool merge_into(std::string_view base, std::string_view patch, int depth, std::string& out) {
  std::vector<Member> members;
  std::vector<Member> changes;
  if (depth > kMaxDepth || !read_members(base, members) || !read_members(patch, changes)) {
    return false;
  }
  std::unordered_map<std::string_view, std::string_view> changed;
  for (const Member& member : changes) {
    changed[member.key] = member.value;
  }
  out.push_back('{');
  const std::size_t begin = out.size();
  const auto begin_member = [&](std::string_view key) {
    if (out.size() > begin) {
      out.push_back(',');
    }
    out += key;
    out.push_back(':');
  };
  for (const Member& member : members) {
    begin_member(member.key);
    const auto change = changed.find(member.key);
    if (change == changed.end()) {
      out += member.value;
      continue;
    }
    if (member.value.front() == '{' && change->second.front() == '{') {
      if (!merge_into(member.value, change->second, depth + 1, out)) {
        return false;
      }
    } else {
      out += change->second;
    }
    changed.erase(change);
  }
  for (const Member& member : changes) {
    const auto change = changed.find(member.key);
    if (change != changed.end()) {
      begin_member(member.key);
      out += change->second;
      changed.erase(change);
    }
  }
  out.push_back('}');
  return true;
}

}  // namespace

std::optional<std::string> merge_json_objects(std::string_view base, std::string_view patch) {
  std::string out;
  out.reserve(base.size() + patch.size());
  if (!merge_into(base, patch, 0, out)) {
    return std::nullopt;
  }
  return out;
}

}  // namespace flott
