#include "base/error.h"
#include "formats/format.h"
#include "types/batch.h"

#include <gtest/gtest.h>

#include <string>

namespace flott {
namespace {

std::string decoded(const std::string& format,
                    const LogicalTypePtr& type,
                    std::string_view message) {
  const std::unique_ptr<Decoder> decoder = make_decoder(format, {}, type);
  BatchBuilder builder(type);
  EXPECT_EQ(decoder->decode(message, 5, builder), DecodeResult::kRow);
  const BatchPtr batch = builder.finish();
  EXPECT_EQ(batch->timestamp_at(0), 5);
  return std::string(batch->column(0).string_at(0));
}

TEST(StringFormat, RepairsInvalidUtf8AsJava) {
  const LogicalTypePtr text = LogicalType::of(TypeKind::kString);
  EXPECT_EQ(decoded("string", text, ""), "");
  EXPECT_EQ(decoded("string", text, "plain é😀"), "plain é😀");
  EXPECT_EQ(decoded("string",
                    text,
                    "a\xff"
                    "b"),
            "a\xef\xbf\xbd"
            "b");
  EXPECT_EQ(decoded("string", text, "\xe2\x82"), "\xef\xbf\xbd");
  EXPECT_EQ(decoded("string", text, "\xe2\x82z"), "\xef\xbf\xbdz");
  EXPECT_EQ(decoded("string", text, "\xc0\xaf"), "\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(decoded("string", text, "\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(decoded("string", LogicalType::row({"line"}, {text}), "x"), "x");
}

TEST(RawFormat, KeepsBytesAsTheyAre) {
  EXPECT_EQ(decoded("raw", LogicalType::of(TypeKind::kBytes), std::string("\xff\0x", 3)),
            std::string("\xff\0x", 3));
  EXPECT_EQ(decoded("raw", LogicalType::of(TypeKind::kString), "\xff"), "\xef\xbf\xbd");
}

TEST(StringFormat, EncodesTextAndNullAsNoMessage) {
  const LogicalTypePtr text = LogicalType::of(TypeKind::kString);
  BatchBuilder builder(text);
  builder.append(Value::string("x"));
  builder.append(Value::null());
  const BatchPtr batch = builder.finish();
  const std::unique_ptr<Encoder> encoder = make_encoder("string", {}, text);
  std::string out;
  EXPECT_TRUE(encoder->encode(*batch, 0, out));
  EXPECT_EQ(out, "x");
  EXPECT_FALSE(encoder->encode(*batch, 1, out));
}

TEST(StringFormat, RefusesOtherTypesAndOptions) {
  EXPECT_THROW(make_decoder("string", {}, LogicalType::of(TypeKind::kInt)), Error);
  EXPECT_THROW(make_decoder("string", {}, LogicalType::of(TypeKind::kBytes)), Error);
  EXPECT_THROW(make_encoder("raw", {}, LogicalType::of(TypeKind::kInt)), Error);
  EXPECT_THROW(make_decoder("string", {{"charset", "x"}}, LogicalType::of(TypeKind::kString)),
               Error);
}

}  // namespace
}  // namespace flott
