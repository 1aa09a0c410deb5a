#include "types/key.h"

#include "base/error.h"
#include "tests/harness/fake_host.h"
#include "types/batch.h"
#include "types/decimal.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

namespace flott {
namespace {

std::string key_of(const Value& value) {
  std::string out;
  encode_key(value, out);
  return out;
}

std::string decimal_key(bool negative, std::string_view digits, std::int64_t exponent) {
  std::string out;
  encode_key_decimal(negative, digits, exponent, out);
  return out;
}

TEST(Key, EqualValuesHaveOneKeyAndOthersDiffer) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto tuple = LogicalType::tuple({LogicalType::object(), LogicalType::object()});
  const std::vector<std::vector<Value>> classes = {
      {Value::null()},
      {Value::integer(1),
       Value::boolean(true),
       Value::real(1),
       Value::decimal(1, 0),
       Value::decimal(100, 2)},
      {Value::integer(0),
       Value::boolean(false),
       Value::real(0),
       Value::real(-0.0),
       Value::decimal(0, 3)},
      {Value::integer(-1), Value::real(-1), Value::decimal(-10, 1)},
      {Value::real(nan), Value::real(-nan)},
      {Value::real(0.5), Value::decimal(5, 1), Value::decimal(500, 3)},
      {Value::real(-0.125), Value::decimal(-125, 3)},
      {Value::real(0.1)},
      {Value::decimal(1, 1), Value::decimal(10, 2)},
      {Value::real(std::numeric_limits<double>::infinity())},
      {Value::real(-std::numeric_limits<double>::infinity())},
      {Value::integer(std::numeric_limits<std::int64_t>::min()),
       Value::real(-9223372036854775808.0),
       Value::decimal(-(int128{1} << 63), 0)},
      {Value::real(9223372036854775808.0), Value::decimal(int128{1} << 63, 0)},
      {Value::real(std::ldexp(1, 100)), Value::decimal(int128{1} << 100, 0)},
      {Value::real(-std::ldexp(1, 100)), Value::decimal(-(int128{1} << 100), 0)},
      {Value::real(1e22), Value::decimal(pow10_int128(22), 0)},
      {Value::real(1e23)},  // not 10^23
      {Value::decimal(pow10_int128(23), 0)},
      {Value::real(1e300)},
      {Value::string("1")},
      {Value::bytes("1")},
      {Value::string("")},
      {Value::date(1)},
      {Value::time(1)},
      {Value::timestamp(1)},
      {Value::timestamp(1, 1)},
      {Value::timestamp_ltz(1)},
      {Value::interval_months(1)},
      {Value::interval_millis(1)},
      {Value::array({Value::integer(1), Value::string("a")}),
       Value::row({Value::real(1), Value::string("a")}, tuple)},
      {Value::row({Value::integer(1), Value::string("a")}),
       Value::row({Value::boolean(true), Value::string("a")}, nullptr, RowKind::kDelete)},
      {Value::row({Value::string("ab"), Value::string("c")})},
      {Value::row({Value::string("a"), Value::string("bc")})},
      {Value::row({})},
  };
  std::set<std::string> seen;
  for (const auto& equal : classes) {
    const std::string first = key_of(equal[0]);
    for (const Value& value : equal) {
      EXPECT_EQ(key_of(value), first) << value.to_string();
    }
    EXPECT_TRUE(seen.insert(first).second) << equal[0].to_string();
  }
}

TEST(Key, BytesStayAsTheyAre) {
  // Key groups of stored checkpoints depend on every byte.
  EXPECT_EQ(key_of(Value::integer(258)), std::string("I\x02\x01\0\0\0\0\0\0", 9));
  EXPECT_EQ(key_of(Value::string("ab")),
            "S\x02"
            "ab");
  EXPECT_EQ(key_of(Value::decimal(1, 1)),
            "M\x04"
            "1E-1");
  EXPECT_EQ(key_of(Value::decimal(int128{1} << 64, 0)),
            std::string("J\x0a\0\0\0\0\0\0\0\0\0\x01", 12));
  EXPECT_EQ(key_of(Value::array({Value::null()})), "(\x01N");
  EXPECT_EQ(hash_bytes(key_of(Value::string("key"))),
            hash_bytes("S\x03"
                       "key"));
}

TEST(Key, DecimalsOfAnySize) {
  EXPECT_EQ(decimal_key(false, "1", 300), decimal_key(false, "1000", 297));
  EXPECT_NE(decimal_key(false, "1", 300), key_of(Value::real(1e300)));
  EXPECT_EQ(decimal_key(false, "000", 5), key_of(Value::integer(0)));
  EXPECT_EQ(decimal_key(true, "5", -1), key_of(Value::real(-0.5)));
  EXPECT_EQ(decimal_key(false, "1", -400),
            "M\x06"
            "1E-400");
  EXPECT_EQ(decimal_key(false, "1", 1'000'000'000),
            "M\x0c"
            "1E1000000000");
  // The exact expansion of the double 0.1 is that double; 0.1 is not.
  EXPECT_EQ(decimal_key(false, "1000000000000000055511151231257827021181583404541015625", -55),
            key_of(Value::real(0.1)));
  // The smallest positive double, written out.
  const std::string tiny = fmt::format("{:.{}e}", std::numeric_limits<double>::denorm_min(), 750);
  EXPECT_EQ(decimal_key(false, tiny.substr(0, 1) + tiny.substr(2, 750), -324 - 750),
            key_of(Value::real(std::numeric_limits<double>::denorm_min())));
}

TEST(Key, ObjectsEncodeThroughTheHost) {
  FakeHost host;
  {
    EXPECT_EQ(key_of(host.number(1)), key_of(Value::boolean(true)));
    EXPECT_EQ(key_of(host.text("a")), key_of(Value::string("a")));
    EXPECT_THROW(key_of(host.list({1})), Error);
    EXPECT_THROW(key_of(Value::map({})), Error);
    EXPECT_EQ(key_of(Value::array({host.number(1)})), key_of(Value::array({Value::integer(1)})));
  }
  EXPECT_EQ(host.live(), 0);
}

TEST(Key, BatchRowsEqualTheirDetachedForm) {
  const auto type = LogicalType::row({"a"}, {LogicalType::of(TypeKind::kInt)});
  BatchBuilder builder(type);
  builder.append(Value::row({Value::integer(4)}));
  const BatchPtr batch = builder.finish();
  EXPECT_EQ(key_of(batch->value_at(0)), key_of(Value::row({Value::integer(4)})));
}

TEST(KeyGroups, RangesCoverEveryGroupOnce) {
  for (const int max : {1, 2, 7, 128, 1000}) {
    for (int parallelism = 1; parallelism <= max && parallelism < 40; ++parallelism) {
      KeyGroup next = 0;
      for (int subtask = 0; subtask < parallelism; ++subtask) {
        const KeyGroupRange range = key_group_range_of(subtask, max, parallelism);
        EXPECT_EQ(range.begin, next);
        EXPECT_LT(range.begin, range.end);
        for (KeyGroup g = range.begin; g < range.end; ++g) {
          EXPECT_EQ(subtask_of(g, max, parallelism), subtask);
        }
        next = range.end;
      }
      EXPECT_EQ(next, static_cast<KeyGroup>(max));
    }
  }
  EXPECT_THROW(key_group_range_of(2, 128, 2), Error);
}

TEST(KeyColumn, KeepsKeysApart) {
  FakeHost host;
  {
    KeyColumn keys;
    keys.append("", Value::null());
    EXPECT_FALSE(keys.has_objects());
    const Value value = host.number(7);
    keys.append(Key::of("bytes", value));
    keys.append("more", Value::integer(1));
    EXPECT_TRUE(keys.has_objects());
    ASSERT_EQ(keys.size(), 3U);
    EXPECT_EQ(keys.at(0).bytes, "");
    EXPECT_EQ(keys.at(1).bytes, "bytes");
    EXPECT_EQ(keys.at(1).hash, hash_bytes("bytes"));
    EXPECT_EQ(*keys.at(1).value, value);
    EXPECT_EQ(keys.at(2).bytes, "more");
  }
  EXPECT_EQ(host.live(), 0);
}

TEST(KeyColumn, NullsIntegersAndStringsAreTheirBytes) {
  KeyColumn keys;
  keys.append_int(-7);
  keys.append_null();
  keys.append_string("user");
  EXPECT_EQ(keys.at(0).value, nullptr);
  EXPECT_EQ(key_value(keys.at(0)), Value::integer(-7));
  EXPECT_TRUE(key_value(keys.at(1)).is_null());
  EXPECT_EQ(key_value(keys.at(2)), Value::string("user"));
  const Value values[] = {Value::integer(-7), Value(), Value::string("user")};
  for (std::size_t row = 0; row < keys.size(); ++row) {
    std::string bytes;
    encode_key(values[row], bytes);
    EXPECT_EQ(keys.at(row).bytes, bytes);
    EXPECT_EQ(keys.at(row).hash, hash_bytes(bytes));
  }
}

TEST(KeyColumn, AValueBehindKeysWithoutOne) {
  KeyColumn keys;
  keys.append_int(1);
  keys.append_string("a");
  keys.append("opaque", Value::real(2.5));
  keys.append_null();
  const KeyColumn copied = [&] {
    KeyColumn out;
    for (std::size_t row = 0; row < keys.size(); ++row) {
      out.append(keys.at(row));
    }
    return out;
  }();
  for (const KeyColumn* column : std::initializer_list<const KeyColumn*>{&keys, &copied}) {
    ASSERT_EQ(column->size(), 4U);
    EXPECT_EQ(key_value(column->at(0)), Value::integer(1));
    EXPECT_EQ(key_value(column->at(1)), Value::string("a"));
    EXPECT_EQ(key_value(column->at(2)), Value::real(2.5));
    EXPECT_TRUE(key_value(column->at(3)).is_null());
  }
}

TEST(KeyColumn, OtherKeysNeedTheirValue) {
  EXPECT_THROW(key_value({"D", 0, nullptr}), Error);
}

}  // namespace
}  // namespace flott
