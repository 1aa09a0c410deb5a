#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace flott {

/// `base` changed by `patch` as Elasticsearch applies a partial document: members of objects are
/// replaced or added, objects merge recursively, everything else (arrays, null too) replaces. Works
/// on the text, so that numbers keep their digits. Nothing when one of them is no JSON object. Keys
/// are compared as they are spelt.
std::optional<std::string> merge_json_objects(std::string_view base, std::string_view patch);

}  // namespace flott
