#pragma once

#include "formats/charset.h"
#include "formats/format.h"

#include <string>

namespace flott {

/// `string` (SimpleStringSchema): a message is one text. Decoding repairs invalid UTF-8 with U+FFFD
/// as Java does; the type is STRING, or a row of exactly one STRING field. A null value is encoded
/// as no message. `raw`: likewise for one BYTES (as they are) or STRING field.
class SingleColumnDecoder final : public Decoder {
 public:
  /// Throws kInvalidArgument when `type` is not one STRING (or BYTES, for `raw`).
  SingleColumnDecoder(const std::string& format, LogicalTypePtr type, const std::string& charset);
  const LogicalTypePtr& type() const override { return type_; }
  DecodeResult decode(std::string_view message,
                      Timestamp timestamp,
                      BatchBuilder& builder) override;

 private:
  LogicalTypePtr type_;
  bool text_;
  std::unique_ptr<Charset> charset_;  ///< null: UTF-8, or bytes
  std::string scratch_;
};

class SingleColumnEncoder final : public Encoder {
 public:
  SingleColumnEncoder(const std::string& format,
                      const LogicalTypePtr& type,
                      const std::string& charset);
  bool encode(const Batch& batch, std::int64_t row, std::string& out) override;

 private:
  std::unique_ptr<Charset> charset_;
};

}  // namespace flott
