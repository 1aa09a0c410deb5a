#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace flott {

/// Text of another character set to UTF-8 and back, as Java's String does it: what does not belong
/// to the set becomes U+FFFD when read and `?` when written. UTF-16 and UTF-32 are big-endian
/// unless a byte-order mark says otherwise; UTF-16 is written with one. Not thread-safe.
class Charset {
 public:
  /// A name that iconv knows (ISO-8859-1, windows-1252, Shift_JIS, ...). Throws kInvalidArgument
  /// for another one.
  explicit Charset(const std::string& name);
  static bool is_known(const std::string& name);
  ~Charset();
  Charset(const Charset&) = delete;
  Charset& operator=(const Charset&) = delete;

  /// UTF-8 needs no conversion, only a check.
  static bool is_utf8(std::string_view name);

  /// Appends what `bytes` say as UTF-8.
  void decode(std::string_view bytes, std::string& out);
  /// Appends valid UTF-8 in this character set.
  void encode(std::string_view text, std::string& out);

 private:
  class Conversion;
  std::unique_ptr<Conversion> decoder_;
  std::unique_ptr<Conversion> little_endian_decoder_;
  std::unique_ptr<Conversion> encoder_;
  std::size_t unit_ = 1;            ///< bytes that belong together: 2 in UTF-16, 4 in UTF-32
  bool big_endian_ = true;          ///< of UTF-16 and UTF-32 without a mark
  std::string big_endian_mark_;     ///< UTF-16 and UTF-32: what the text may begin with
  std::string little_endian_mark_;  ///< likewise
  bool writes_mark_ = false;
};

}  // namespace flott
