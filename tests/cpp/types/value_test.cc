#include "types/value.h"

#include "base/bytes.h"
#include "base/error.h"
#include "tests/cpp/types/samples.h"
#include "tests/harness/fake_host.h"
#include "types/batch.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>

namespace flott {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

Value encoded_and_back(const Value& value) {
  std::string bytes;
  value.encode(bytes);
  BytesReader in(bytes);
  Value out = Value::decode(in);
  EXPECT_TRUE(in.empty());
  return out;
}

TEST(Value, PrintsReadably) {
  EXPECT_EQ(Value::null().to_string(), "null");
  EXPECT_EQ(Value::boolean(true).to_string(), "true");
  EXPECT_EQ(Value::integer(-5).to_string(), "-5");
  EXPECT_EQ(Value::real(1).to_string(), "1.0");
  EXPECT_EQ(Value::real(0.1).to_string(), "0.1");
  EXPECT_EQ(Value::real(-kInfinity).to_string(), "-inf");
  EXPECT_EQ(Value::date(0).to_string(), "1970-01-01");
  EXPECT_EQ(Value::date(-1).to_string(), "1969-12-31");
  EXPECT_EQ(Value::date(19782).to_string(), "2024-02-29");
  EXPECT_EQ(Value::time(45'296'500'000).to_string(), "12:34:56.5");
  EXPECT_EQ(Value::timestamp(-1).to_string(), "1969-12-31T23:59:59.999999");
  EXPECT_EQ(Value::timestamp_ltz(1'000'000, 7).to_string(), "1970-01-01T00:00:01.000000007Z");
  EXPECT_EQ(Value::decimal(-1250, 2).to_string(), "-12.50");
  EXPECT_EQ(Value::string("a'b\n").to_string(), "'a\\'b\\n'");
  EXPECT_EQ(Value::bytes("a\xff").to_string(), "b'a\\xff'");
  EXPECT_EQ(Value::array({Value::integer(1), Value::null()}).to_string(), "[1, null]");
  EXPECT_EQ(Value::map({{Value::string("k"), Value::integer(1)}}).to_string(), "{'k': 1}");
  EXPECT_EQ(Value::row({Value::integer(1), Value::string("a")}).to_string(), "+I[1, 'a']");
  EXPECT_EQ(Value::row({Value::integer(1)}, nullptr, RowKind::kDelete).to_string(), "-D[1]");
  const auto tuple = LogicalType::tuple({LogicalType::object()});
  EXPECT_EQ(Value::row({Value::integer(1)}, tuple).to_string(), "(1,)");
}

TEST(Value, CopiesShareAndMovesLeaveNull) {
  Value a = Value::string("shared");
  const Value b = a;
  EXPECT_EQ(&a.as_string(), &b.as_string());
  const Value c = std::move(a);
  EXPECT_TRUE(a.is_null());  // NOLINT(bugprone-use-after-move): what is tested
  EXPECT_EQ(c.as_string(), "shared");
  Value d = Value::integer(1);
  d = c;
  EXPECT_EQ(&d.as_string(), &c.as_string());
  const Value& alias = d;
  d = alias;
  EXPECT_EQ(d.as_string(), "shared");
}

TEST(Value, NodesMayBeSharedBetweenThreads) {
  const Value shared = Value::array({Value::string("a"), Value::decimal(5, 0)});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([copy = shared] {
      for (int i = 0; i < 1000; ++i) {
        const Value other = copy.field(0);
        EXPECT_EQ(other.as_string(), "a");
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(shared.field_count(), 2U);
}

TEST(Value, NumbersCompareExactlyAcrossKinds) {
  const std::vector<std::vector<Value>> ascending = {
      {Value::null()},
      {Value::real(-kInfinity)},
      {Value::real(-1e300)},
      {Value::decimal(-(pow10_int128(38) - 1), 0)},
      {Value::integer(std::numeric_limits<std::int64_t>::min()),
       Value::real(-9223372036854775808.0)},
      {Value::integer(-1), Value::real(-1), Value::decimal(-10, 1)},
      {Value::integer(0),
       Value::boolean(false),
       Value::real(-0.0),
       Value::real(0),
       Value::decimal(0, 5)},
      {Value::decimal(1, 1)},
      {Value::real(0.1)},  // slightly more than the decimal
      {Value::real(0.5), Value::decimal(5, 1)},
      {Value::integer(1), Value::boolean(true), Value::real(1), Value::decimal(1, 0)},
      {Value::real(9007199254740992.0), Value::integer(9007199254740992)},
      {Value::integer(9007199254740993)},
      {Value::real(9007199254740994.0)},
      {Value::integer(std::numeric_limits<std::int64_t>::max())},
      {Value::real(9223372036854775808.0), Value::decimal(int128{1} << 63, 0)},
      {Value::real(1e300)},
      {Value::real(kInfinity)},
      {Value::real(kNan), Value::real(-kNan)},
  };
  for (std::size_t i = 0; i < ascending.size(); ++i) {
    for (std::size_t j = 0; j < ascending.size(); ++j) {
      for (const Value& a : ascending[i]) {
        for (const Value& b : ascending[j]) {
          EXPECT_EQ(a == b, i == j) << a.to_string() << " " << b.to_string();
          EXPECT_EQ(Value::less(a, b), i < j) << a.to_string() << " " << b.to_string();
        }
      }
    }
  }
}

TEST(Value, ComparesDeeply) {
  const auto list = [](std::int64_t v) {
    return Value::array({Value::integer(v), Value::string("x")});
  };
  EXPECT_EQ(list(1), list(1));
  EXPECT_FALSE(list(1) == list(2));
  EXPECT_TRUE(Value::less(list(1), list(2)));
  EXPECT_TRUE(Value::less(Value::array({}), list(1)));
  EXPECT_EQ(Value::map({{Value::integer(1), list(1)}, {Value::integer(2), list(2)}}),
            Value::map({{Value::integer(2), list(2)}, {Value::integer(1), list(1)}}));
  EXPECT_FALSE(Value::map({{Value::integer(1), list(1)}}) ==
               Value::map({{Value::integer(1), list(2)}}));
  EXPECT_FALSE(Value::row({Value::integer(1)}) ==
               Value::row({Value::integer(1)}, nullptr, RowKind::kDelete));
  EXPECT_FALSE(Value::row({Value::integer(1)}) == Value::array({Value::integer(1)}));
  const auto tuple = LogicalType::tuple({LogicalType::object()});
  EXPECT_EQ(Value::row({Value::integer(1)}, tuple), Value::array({Value::integer(1)}));
  EXPECT_FALSE(Value::string("a") == Value::bytes("a"));
  EXPECT_FALSE(Value::timestamp(1) == Value::timestamp(1, 5));
  EXPECT_TRUE(Value::less(Value::timestamp(1), Value::timestamp(1, 5)));
  EXPECT_THROW(Value::less(Value::string("a"), Value::integer(1)), Error);
  EXPECT_THROW(Value::less(Value::map({}), Value::map({})), Error);
}

TEST(Value, ObjectsAreCountedAndCompared) {
  FakeHost host;
  {
    Value a = host.number(5);
    const Value b = a;
    EXPECT_EQ(FakeHost::refs(a), 2);
    const Value moved = std::move(a);
    EXPECT_EQ(FakeHost::refs(moved), 2);
    EXPECT_EQ(moved, host.number(5));
    EXPECT_EQ(moved, Value::integer(5));
    EXPECT_EQ(Value::integer(5), moved);
    EXPECT_FALSE(moved == Value::null());
    EXPECT_TRUE(Value::less(moved, Value::integer(6)));
    EXPECT_TRUE(Value::less(Value::null(), moved));
    EXPECT_EQ(moved.to_string(), "5");
    Value given = host.text("x");
    void* const handle = given.release_object();
    EXPECT_TRUE(given.is_null());
    host.release(handle);
  }
  EXPECT_EQ(host.live(), 0);
}

TEST(Value, IsolationCopiesWhatOthersCouldChange) {
  FakeHost host;
  {
    const Value list = host.list({1, 2});
    const Value text = host.text("same");
    const Value nested = Value::row({list, Value::map({{Value::string("k"), text}})});
    const Value isolated = nested.isolated();
    FakeHost::list_of(list).push_back(3);
    EXPECT_EQ(FakeHost::payload(isolated.field(0)), FakeHost::Payload(FakeHost::List{1, 2}));
    EXPECT_EQ(isolated.field(1).as_map()[0].second.as_object(), text.as_object());
    const Value plain = Value::array({Value::string("a")});
    EXPECT_EQ(&plain.isolated().as_array(), &plain.as_array());
    EXPECT_EQ(host.copies(), 1);
  }
  EXPECT_EQ(host.live(), 0);
}

TEST(Value, BatchRowsDetach) {
  FakeHost host;
  {
    BatchBuilder builder(
        LogicalType::row({"a", "b"}, {LogicalType::of(TypeKind::kInt), LogicalType::object()}));
    builder.append(Value::row({Value::integer(1), host.list({1})}), 10, RowKind::kUpdateAfter);
    BatchPtr batch = builder.finish();
    const Value row = batch->value_at(0);
    EXPECT_EQ(row.kind(), ValueKind::kBatchRow);
    batch = nullptr;  // the view keeps it alive
    EXPECT_EQ(row.to_string(), "+U[1, [1]]");
    const Value detached = row.detached();
    const Value isolated = row.isolated();
    EXPECT_EQ(detached.kind(), ValueKind::kRow);
    EXPECT_EQ(detached, row);
    FakeHost::list_of(detached.field(1)).push_back(2);
    EXPECT_EQ(row.to_string(), "+U[1, [1, 2]]");
    EXPECT_EQ(isolated.to_string(), "+U[1, [1]]");
    EXPECT_EQ(isolated.as_row().type, row.as_batch().type());
  }
  EXPECT_EQ(host.live(), 0);
}

TEST(ValueEncoding, EveryTypeRoundTrips) {
  std::mt19937_64 random(42);
  for (const LogicalTypePtr& type : sample_types()) {
    for (int i = 0; i < 200; ++i) {
      const Value value = random_value(*type, random);
      const Value back = encoded_and_back(value);
      EXPECT_EQ(back, value);
      EXPECT_EQ(back.kind(), value.kind());
      EXPECT_EQ(back.to_string(), value.to_string());
    }
  }
  EXPECT_TRUE(std::isnan(encoded_and_back(Value::real(kNan)).as_double()));
  EXPECT_TRUE(std::signbit(encoded_and_back(Value::real(-0.0)).as_double()));
  EXPECT_EQ(encoded_and_back(Value::integer(std::numeric_limits<std::int64_t>::min())).as_int(),
            std::numeric_limits<std::int64_t>::min());
  const Value row = Value::row({Value::boolean(true)}, nullptr, RowKind::kUpdateBefore);
  EXPECT_EQ(encoded_and_back(row).as_row().kind, RowKind::kUpdateBefore);
}

TEST(ValueEncoding, ObjectsGoThroughTheHost) {
  FakeHost host;
  {
    const Value value = Value::array({host.list({1, 2}), host.text("t"), Value::integer(1)});
    EXPECT_EQ(encoded_and_back(value), value);
  }
  EXPECT_EQ(host.live(), 0);
}

TEST(ValueEncoding, BytesStayAsTheyAre) {
  // Written by the first version: state of old checkpoints must stay readable.
  const Value value = Value::array({Value::null(),
                                    Value::boolean(true),
                                    Value::integer(-3),
                                    Value::string("ab"),
                                    Value::timestamp(5, 7),
                                    Value::decimal(-1, 2)});
  std::string bytes;
  value.encode(bytes);
  const std::string stored(
      "a\x06Nti\x05s\x02"
      "abS\x0a\x07"
      "c\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
      31);
  EXPECT_EQ(bytes, stored);
  BytesReader in(stored);
  EXPECT_EQ(Value::decode(in), value);
}

TEST(ValueEncoding, DamagedBytesAreAnError) {
  FakeHost host;
  std::mt19937_64 random(3);
  for (const LogicalTypePtr& type : sample_types()) {
    const Value value = random_value(*type, random, 0);
    std::string bytes;
    value.encode(bytes);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      BytesReader in(std::string_view(bytes).substr(0, size));
      EXPECT_THROW(Value::decode(in), Error) << value.to_string();
    }
    for (int i = 0; i < 500; ++i) {
      std::string damaged = bytes;
      for (std::uint64_t n = random() % 3 + 1; n > 0; --n) {
        damaged[random() % damaged.size()] = static_cast<char>(random());
      }
      BytesReader in(damaged);
      try {
        Value::decode(in).to_string();
      } catch (const Error& e) {
        EXPECT_EQ(e.kind(), ErrorKind::kExternal) << e.what();
      }
    }
  }
  std::string deep;
  for (int i = 0; i < 100'000; ++i) {
    deep += "a\x01";
  }
  BytesReader in(deep);
  EXPECT_THROW(Value::decode(in), Error);
  EXPECT_EQ(host.live(), 0);
}

struct CoerceCase {
  LogicalTypePtr type;
  Value from;
  std::string to;
};

TEST(Coerce, FollowsFlinksSerializers) {
  using T = LogicalType;
  const std::vector<CoerceCase> cases = {
      {T::of(TypeKind::kSmallInt), Value::integer(43878), "-21658"},
      {T::of(TypeKind::kInt), Value::integer(9147483648), "557549056"},
      {T::of(TypeKind::kTinyInt), Value::integer(128), "-128"},
      {T::of(TypeKind::kBigInt), Value::boolean(true), "1"},
      {T::of(TypeKind::kBigInt), Value::real(3.0), "3"},
      {T::of(TypeKind::kBigInt), Value::decimal(300, 2), "3"},
      {T::of(TypeKind::kFloat), Value::real(1.23), "1.2300000190734863"},
      {T::of(TypeKind::kDouble), Value::integer(3), "3.0"},
      {T::of(TypeKind::kDouble), Value::decimal(15, 1), "1.5"},
      {T::decimal(5, 2), Value::decimal(1005, 3), "1.01"},
      {T::decimal(5, 2), Value::integer(7), "7.00"},
      {T::decimal(5, 2), Value::real(0.1), "0.10"},
      {T::bounded(TypeKind::kString, 2, false), Value::string("longer"), "'longer'"},
      {T::temporal(TypeKind::kTimestamp, 3), Value::timestamp(-1), "1969-12-31T23:59:59.999"},
      {T::temporal(TypeKind::kTimestamp, 0), Value::timestamp(1'999'999), "1970-01-01T00:00:01"},
      {T::temporal(TypeKind::kTimestamp, 9),
       Value::timestamp(1, 5),
       "1970-01-01T00:00:00.000001005"},
      {T::temporal(TypeKind::kTimestampLtz, 6), Value::timestamp(1), "1970-01-01T00:00:00.000001Z"},
      {T::array(T::of(TypeKind::kTinyInt)), Value::array({Value::integer(256)}), "[0]"},
      {T::row({"a", "b"}, {T::of(TypeKind::kInt), T::of(TypeKind::kString)}),
       Value::map({{Value::string("b"), Value::string("x")}}),
       "+I[null, 'x']"},
      {T::tuple({T::of(TypeKind::kInt)}), Value::array({Value::integer(1)}), "(1,)"},
      {T::of(TypeKind::kInt), Value::null(), "null"},
  };
  for (const CoerceCase& c : cases) {
    const Value coerced = coerce(c.from, *c.type);
    EXPECT_EQ(coerced.to_string(), c.to) << c.type->to_string();
    ColumnBuilder column(c.type);  // the same rules, without the Value between
    column.append(c.from);
    EXPECT_EQ(column.finish()->value_at(0).to_string(), c.to) << c.type->to_string();
  }
}

TEST(Coerce, NamesValueAndTypeWhenItDoesNotFit) {
  using T = LogicalType;
  const std::vector<CoerceCase> cases = {
      {T::of(TypeKind::kInt), Value::string("a"), "value 'a' does not fit the type INT"},
      {T::of(TypeKind::kInt),
       Value::real(1.5),
       "value 1.5 does not fit the type INT: it is no integer; round it first"},
      {T::of(TypeKind::kBigInt),
       Value::real(1e19),
       "value 1e+19 does not fit the type BIGINT: it is no integer; round it first"},
      {T::of(TypeKind::kString), Value::integer(1), "value 1 does not fit the type STRING"},
      {T::of(TypeKind::kInt, false),
       Value::null(),
       "null does not fit the type INT NOT NULL; declare it nullable"},
      {T::decimal(3, 2),
       Value::integer(10),
       "value 10 does not fit the type DECIMAL(3, 2): it has too many digits before the decimal "
       "point"},
      {T::row({"a", "b"}, {T::of(TypeKind::kInt), T::row({"c"}, {T::of(TypeKind::kInt)})}),
       Value::row({Value::integer(1), Value::row({Value::string("x")})}),
       "field 'b': field 'c': value 'x' does not fit the type INT"},
      {T::row({"a"}, {T::of(TypeKind::kInt)}),
       Value::row({Value::integer(1), Value::integer(2)}),
       "value +I[1, 2] does not fit the type ROW<a INT>: it has 2 fields, the type has 1"},
      {T::temporal(TypeKind::kTimestamp, 9),
       Value::timestamp(std::numeric_limits<std::int64_t>::max()),
       "nanoseconds reach from 1677 to 2262 only"},
  };
  for (const CoerceCase& c : cases) {
    for (const bool through_column : {false, true}) {
      try {
        if (through_column) {
          ColumnBuilder(c.type).append(c.from);
        } else {
          coerce(c.from, *c.type);
        }
        ADD_FAILURE() << "no error for " << c.type->to_string();
      } catch (const Error& e) {
        EXPECT_EQ(e.kind(), ErrorKind::kUserCode);
        EXPECT_NE(std::string(e.what()).find(c.to), std::string::npos) << e.what();
      }
    }
  }
}

TEST(Coerce, RowsGoByNameWhenTheyHaveThemAll) {
  using T = LogicalType;
  const auto source = T::row({"b", "a"}, {T::of(TypeKind::kString), T::of(TypeKind::kInt)});
  const auto target = T::row({"a", "b"}, {T::of(TypeKind::kInt), T::of(TypeKind::kString)});
  const auto other = T::row({"x", "y"}, {T::of(TypeKind::kString), T::of(TypeKind::kInt)});
  const Value row = Value::row({Value::string("s"), Value::integer(1)}, source);
  EXPECT_EQ(coerce(row, *target).to_string(), "+I[1, 's']");
  EXPECT_EQ(coerce(row, *other).to_string(), "+I['s', 1]");
}

TEST(Coerce, OpaqueValuesAreConvertedByTheHost) {
  FakeHost host;
  {
    EXPECT_EQ(coerce(host.number(300), *LogicalType::of(TypeKind::kTinyInt)).as_int(), 44);
    EXPECT_EQ(
        coerce(host.list({1, 2}), *LogicalType::array(LogicalType::of(TypeKind::kInt))).to_string(),
        "[1, 2]");
    EXPECT_THROW(coerce(host.text("a"), *LogicalType::of(TypeKind::kInt)), Error);
  }
  EXPECT_EQ(host.live(), 0);
}

}  // namespace
}  // namespace flott
