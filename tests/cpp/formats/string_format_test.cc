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

std::string decoded_from(const std::string& charset, std::string_view message) {
  const LogicalTypePtr type = LogicalType::of(TypeKind::kString);
  const std::unique_ptr<Decoder> decoder = make_decoder("string", {{"charset", charset}}, type);
  BatchBuilder builder(type);
  decoder->decode(message, 0, builder);
  return std::string(builder.finish()->column(0).string_at(0));
}

std::string encoded_as(const std::string& charset, const char* text) {
  const LogicalTypePtr type = LogicalType::of(TypeKind::kString);
  const std::unique_ptr<Encoder> encoder = make_encoder("string", {{"charset", charset}}, type);
  BatchBuilder builder(type);
  builder.append(Value::string(text));
  std::string out;
  encoder->encode(*builder.finish(), 0, out);
  return out;
}

TEST(StringFormat, ReadsOtherCharacterSetsAsJava) {
  using namespace std::string_view_literals;
  EXPECT_EQ(decoded_from("ISO-8859-1", "caf\xe9"), "café");
  EXPECT_EQ(decoded_from("windows-1252", "\x80 5"), "€ 5");
  EXPECT_EQ(decoded_from("shift_jis", "\x93\xfa"), "日");
  EXPECT_EQ(decoded_from("US-ASCII",
                         "a\xff"
                         "b"),
            "a\xef\xbf\xbd"
            "b");
  EXPECT_EQ(decoded_from("UTF-16", "\0a\0b"sv), "ab");
  EXPECT_EQ(decoded_from("utf_16", "\xfe\xff\0a"sv), "a");
  EXPECT_EQ(decoded_from("UTF-16",
                         "\xff\xfe"
                         "a\0"sv),
            "a");
  EXPECT_EQ(decoded_from("UTF-16LE", "a\0\x3d\xd8\0\xde"sv), "a😀");
  EXPECT_EQ(decoded_from("utf-16-be", "\0a"sv), "a");
  EXPECT_EQ(decoded_from("euc_jp", "\xc6\xfc"), "日");
  EXPECT_EQ(decoded_from("UTF-16BE", ""), "");
}

TEST(StringFormat, SkipsWholeUnitsOfWideCharacterSets) {
  using namespace std::string_view_literals;
  // The second half of a pair alone; the first half alone, and in front of something else, which
  // Java takes with it; a unit that is cut.
  EXPECT_EQ(decoded_from("UTF-16LE",
                         "a\0\0\xde"
                         "b\0"sv),
            "a\xef\xbf\xbd"
            "b");
  EXPECT_EQ(decoded_from("UTF-16BE", "\0a\xde\0\0b"sv),
            "a\xef\xbf\xbd"
            "b");
  EXPECT_EQ(decoded_from("utf-16-le", "a\0\x3d\xd8"sv), "a\xef\xbf\xbd");
  EXPECT_EQ(decoded_from("UTF-16LE",
                         "\x3d\xd8"
                         "b\0c\0"sv),
            "\xef\xbf\xbd"
            "c");
  EXPECT_EQ(decoded_from("UTF-16BE", "\xd8\x3d\0b\0c"sv),
            "\xef\xbf\xbd"
            "c");
  EXPECT_EQ(decoded_from("UTF-16",
                         "\xff\xfe\0\xde"
                         "b\0"sv),
            "\xef\xbf\xbd"
            "b");
  EXPECT_EQ(decoded_from("UTF-16LE", "a\0b"sv), "a\xef\xbf\xbd");
  EXPECT_EQ(decoded_from("UTF-32LE", "\0\0\x11\0b\0\0\0"sv),
            "\xef\xbf\xbd"
            "b");
  EXPECT_EQ(decoded_from("UTF-32BE", "\0\x11\0\0\0\0\0b"sv),
            "\xef\xbf\xbd"
            "b");
  EXPECT_EQ(decoded_from("UTF-32", "\0\x11\0\0\0\0\0b\0"sv),
            "\xef\xbf\xbd"
            "b\xef\xbf\xbd");
}

TEST(StringFormat, WritesOtherCharacterSetsAsJava) {
  using namespace std::string_literals;
  EXPECT_EQ(encoded_as("ISO-8859-1", "café €"), "caf\xe9 ?");
  EXPECT_EQ(encoded_as("US-ASCII", "a😀b"), "a?b");
  EXPECT_EQ(encoded_as("UTF-16", "ab"), "\xfe\xff\0a\0b"s);
  EXPECT_EQ(encoded_as("UTF-16LE", "a"), "a\0"s);
  EXPECT_EQ(encoded_as("utf-8", "é"), "é");
  EXPECT_THROW(encoded_as("klingon", "a"), Error);
  EXPECT_THROW(encoded_as("", "a"), Error);
  EXPECT_THROW(encoded_as("ASCII//TRANSLIT", "a"), Error);
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
