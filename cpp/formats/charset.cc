#include "formats/charset.h"

#include "base/error.h"

#include <iconv.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>

namespace flott {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

/// Letters and digits only, in upper case: `utf_16`, `UTF-16` and `Utf16` are one.
std::string plain(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      out += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
  }
  return out;
}

[[noreturn]] void throw_unknown(const std::string& name) {
  throw_error(ErrorKind::kInvalidArgument,
              "unknown charset '{}'; `iconv -l` lists those of this system",
              name);
}

}  // namespace

class Charset::Conversion {
 public:
  Conversion(const std::string& to, const std::string& from) : to_(to), from_(from) {
    descriptor_ = ::iconv_open(to.c_str(), from.c_str());
  }
  ~Conversion() {
    if (is_open()) {
      ::iconv_close(descriptor_);
    }
  }
  Conversion(const Conversion&) = delete;
  Conversion& operator=(const Conversion&) = delete;

  // iconv_open() says with this value that it failed.
  // NOLINTNEXTLINE(performance-no-int-to-ptr)
  bool is_open() const { return descriptor_ != reinterpret_cast<iconv_t>(-1); }

  /// Appends the converted bytes; at what cannot be converted, `instead`, and `skip` says how many
  /// bytes it is.
  template <typename Skip>
  void run(std::string_view in, std::string_view instead, Skip&& skip, std::string& out) {
    ::iconv(descriptor_, nullptr, nullptr, nullptr, nullptr);
    std::array<char, 512> buffer;
    while (true) {
      char* source = const_cast<char*>(in.data());
      std::size_t left = in.size();
      char* target = buffer.data();
      std::size_t room = buffer.size();
      // At the end: the bytes that lead back to the initial state.
      const std::size_t result = in.empty() ? ::iconv(descriptor_, nullptr, nullptr, &target, &room)
                                            : ::iconv(descriptor_, &source, &left, &target, &room);
      out.append(buffer.data(), buffer.size() - room);
      if (in.empty()) {
        return;
      }
      in.remove_prefix(in.size() - left);
      if (result == static_cast<std::size_t>(-1) && errno != E2BIG) {
        out += instead;
        in.remove_prefix(std::min(in.size(), skip(in)));
      }
    }
  }

 private:
  std::string to_;
  std::string from_;
  iconv_t descriptor_;
};

bool Charset::is_utf8(std::string_view name) {
  return plain(name) == "UTF8";
}

bool Charset::is_known(const std::string& name) {
  try {
    const Charset charset(name);
    return true;
  } catch (const Error&) {
    return false;
  }
}

Charset::Charset(const std::string& name) {
  const std::string wide = plain(name);
  if (wide.empty() || name.find('/') != std::string::npos) {
    throw_unknown(name);  // to iconv that is the locale's, or one with options
  }
  if (wide.starts_with("UTF16") || wide.starts_with("UCS2")) {
    unit_ = 2;
  } else if (wide.starts_with("UTF32") || wide.starts_with("UCS4")) {
    unit_ = 4;
  }
  big_endian_ = !wide.ends_with("LE");
  std::string known = name;
  if (wide == "UTF16" || wide == "UTF32") {
    known = wide == "UTF16" ? "UTF-16BE" : "UTF-32BE";
    little_endian_decoder_ =
        std::make_unique<Conversion>("UTF-8", wide == "UTF16" ? "UTF-16LE" : "UTF-32LE");
    big_endian_mark_ = wide == "UTF16" ? "\xfe\xff"s : "\0\0\xfe\xff"s;
    little_endian_mark_ = wide == "UTF16" ? "\xff\xfe"s : "\xff\xfe\0\0"s;
    writes_mark_ = wide == "UTF16";
  } else if (wide.starts_with("UTF16") || wide.starts_with("UTF32")) {
    known = "UTF-" + wide.substr(3);  // Python calls UTF-16LE utf-16-le
  }
  decoder_ = std::make_unique<Conversion>("UTF-8", known);
  if (!decoder_->is_open()) {
    // Python's names have underscores where iconv's have hyphens.
    std::replace(known.begin(), known.end(), '_', '-');
    decoder_ = std::make_unique<Conversion>("UTF-8", known);
  }
  encoder_ = std::make_unique<Conversion>(known, "UTF-8");
  if (!decoder_->is_open() || !encoder_->is_open()) {
    throw_unknown(name);
  }
}

Charset::~Charset() = default;

void Charset::decode(std::string_view bytes, std::string& out) {
  Conversion* decoder = decoder_.get();
  bool big_endian = big_endian_;
  if (!little_endian_mark_.empty() && bytes.starts_with(little_endian_mark_)) {
    decoder = little_endian_decoder_.get();
    big_endian = false;
    bytes.remove_prefix(little_endian_mark_.size());
  } else if (!big_endian_mark_.empty() && bytes.starts_with(big_endian_mark_)) {
    bytes.remove_prefix(big_endian_mark_.size());
  }
  const auto skip = [&](std::string_view rest) {
    if (unit_ == 2 && rest.size() > 1) {
      // Java takes the unit behind the first half of a pair for the other half, whatever it is.
      const auto high = static_cast<unsigned char>(rest[big_endian ? 0 : 1]);
      return (high & 0xfc) == 0xd8 ? 2 * unit_ : unit_;
    }
    return unit_;
  };
  decoder->run(bytes, "\xef\xbf\xbd"sv, skip, out);
}

void Charset::encode(std::string_view text, std::string& out) {
  if (writes_mark_) {
    out += big_endian_mark_;
  }
  encoder_->run(
      text,
      "?"sv,
      [](std::string_view rest) {
        std::size_t size = 1;
        while (size < rest.size() && (static_cast<unsigned char>(rest[size]) & 0xc0) == 0x80) {
          ++size;
        }
        return size;
      },
      out);
}

}  // namespace flott
