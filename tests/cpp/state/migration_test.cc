#include "state/migration.h"

#include "base/error.h"
#include "state/keyed_state_backend.h"
#include "types/key.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace flott {
namespace {

using enum TypeKind;

LogicalTypePtr of(TypeKind kind, bool nullable = true) {
  return LogicalType::of(kind)->with_nullable(nullable);
}

TEST(Migration, WidensNumbersAndNothingElse) {
  const auto fits = [](TypeKind from, TypeKind to) { return can_migrate(*of(from), *of(to)); };
  EXPECT_TRUE(fits(kTinyInt, kSmallInt));
  EXPECT_TRUE(fits(kInt, kBigInt));
  EXPECT_TRUE(fits(kInt, kDouble));
  EXPECT_TRUE(fits(kSmallInt, kFloat));
  EXPECT_TRUE(fits(kFloat, kDouble));
  EXPECT_FALSE(fits(kBigInt, kInt));
  EXPECT_FALSE(fits(kBigInt, kDouble)) << "not every value is there";
  EXPECT_FALSE(fits(kInt, kFloat));
  EXPECT_FALSE(fits(kDouble, kFloat));
  EXPECT_FALSE(fits(kInt, kString));
  EXPECT_FALSE(fits(kBoolean, kInt));
  EXPECT_FALSE(fits(kDate, kTimestamp));
  EXPECT_TRUE(can_migrate(*of(kInt, false), *of(kBigInt, true)));
  EXPECT_FALSE(can_migrate(*of(kInt, true), *of(kInt, false))) << "nulls may be stored";
  EXPECT_EQ(migrate(Value::integer(7), *of(kInt), of(kDouble)).as_double(), 7.0);
  EXPECT_EQ(migrate(Value::integer(7), *of(kInt), of(kBigInt)), Value::integer(7));
  EXPECT_TRUE(migrate(Value(), *of(kInt), of(kDouble)).is_null());
}

TEST(Migration, RowsChangeByTheNamesOfTheirFields) {
  const auto inner_before = LogicalType::row({"x"}, {of(kInt)});
  const auto inner_after = LogicalType::row({"y", "x"}, {of(kString), of(kBigInt)});
  const auto before =
      LogicalType::row({"a", "gone", "inner", "list"},
                       {of(kInt), of(kString), inner_before, LogicalType::array(inner_before)});
  const auto after = LogicalType::row(
      {"list", "a", "new", "zero", "inner"},
      {LogicalType::array(inner_after), of(kBigInt), of(kString), of(kInt, false), inner_after});
  ASSERT_TRUE(can_migrate(*before, *after));
  const Value inner = Value::row({Value::integer(5)}, inner_before);
  const Value value = Value::row(
      {Value::integer(1), Value::string("lost"), inner, Value::array({inner, Value()})}, before);
  const Value inner_now = Value::row({Value(), Value::integer(5)}, inner_after);
  EXPECT_EQ(migrate(value, *before, after),
            Value::row({Value::array({inner_now, Value()}),
                        Value::integer(1),
                        Value(),
                        Value::integer(0),
                        inner_now}));
  EXPECT_EQ(migrate(value, *before, after).as_row().type, after);
  EXPECT_FALSE(can_migrate(*before, *LogicalType::row({"other"}, {of(kInt)})))
      << "all of it would be lost";
  EXPECT_FALSE(can_migrate(*before, *LogicalType::row({"a"}, {of(kString)})));
  EXPECT_FALSE(can_migrate(*before, *of(kInt)));
}

TEST(Migration, GoesIntoMapsAndTuplesAndLeavesKeysAlone) {
  const auto row = LogicalType::row({"a"}, {of(kInt)});
  const auto wider = LogicalType::row({"a", "b"}, {of(kInt), of(kInt)});
  const auto map = LogicalType::map(of(kString), row);
  const auto map_after = LogicalType::map(of(kString), wider);
  ASSERT_TRUE(can_migrate(*map, *map_after));
  EXPECT_EQ(
      migrate(Value::map({{Value::string("k"), Value::row({Value::integer(1)})}}), *map, map_after),
      Value::map({{Value::string("k"), Value::row({Value::integer(1), Value()})}}));
  EXPECT_FALSE(can_migrate(*LogicalType::map(row, of(kInt)), *LogicalType::map(wider, of(kInt))));
  EXPECT_TRUE(can_migrate(*LogicalType::tuple({of(kInt)}), *LogicalType::tuple({of(kBigInt)})));
  EXPECT_FALSE(
      can_migrate(*LogicalType::tuple({of(kInt)}), *LogicalType::tuple({of(kInt), of(kInt)})));
}

// --- In state ---------------------------------------------------------------------------------

StateDescriptor declared(StateKind kind, LogicalTypePtr type) {
  StateDescriptor descriptor;
  descriptor.kind = kind;
  descriptor.name = "people";
  descriptor.value_type = std::move(type);
  descriptor.key_type = LogicalType::of(kString);
  return descriptor;
}

void use_key(KeyedStateBackend& backend) {
  std::string bytes;
  encode_key(Value::string("k"), bytes);
  backend.set_current_key(Key::of(bytes, Value::string("k")));
}

class StateMigration : public ::testing::TestWithParam<std::tuple<StateKind, bool, bool>> {};

TEST_P(StateMigration, HappensOnRestoreWheneverTheStateIsDeclared) {
  const auto [kind, as_files, declared_before] = GetParam();
  const auto before = LogicalType::row({"name", "visits"}, {of(kString), of(kInt)});
  const auto after =
      LogicalType::row({"visits", "city", "name"}, {of(kBigInt), of(kString), of(kString)});
  const auto put = [&, kind = kind](KeyedStateBackend& backend, const Value& value) {
    switch (kind) {
      case StateKind::kList:
        return backend.list_state(declared(kind, before)).add(value);
      case StateKind::kMap:
        return backend.map_state(declared(kind, before)).put(Value::string("x"), value);
      default:
        return backend.value_state(declared(kind, before)).update(value);
    }
  };
  const auto get = [kind = kind](KeyedStateBackend& backend, const LogicalTypePtr& type) {
    switch (kind) {
      case StateKind::kList:
        return backend.list_state(declared(kind, type)).get().at(0);
      case StateKind::kMap:
        return backend.map_state(declared(kind, type)).get(Value::string("x"));
      default:
        return backend.value_state(declared(kind, type)).value();
    }
  };
  auto backend = make_heap_keyed_state_backend({});
  use_key(*backend);
  put(*backend, Value::row({Value::string("ann"), Value::integer(3)}, before));
  const auto restored_into = [&, files = as_files](KeyedStateBackend& into) {
    if (files) {
      into.restore_files(*backend->snapshot_files());
    } else {
      into.restore(backend->snapshot());
    }
  };
  const auto declare = [kind = kind](KeyedStateBackend& in, const LogicalTypePtr& type) {
    switch (kind) {
      case StateKind::kList:
        in.list_state(declared(kind, type));
        break;
      case StateKind::kMap:
        in.map_state(declared(kind, type));
        break;
      default:
        in.value_state(declared(kind, type));
    }
  };
  auto restored = make_heap_keyed_state_backend({});
  if (declared_before) {
    declare(*restored, after);
  }
  restored_into(*restored);
  use_key(*restored);
  EXPECT_EQ(get(*restored, after),
            Value::row({Value::integer(3), Value(), Value::string("ann")}, after));
  const auto renamed = LogicalType::row({"first_name"}, {of(kString)});
  auto refusing = make_heap_keyed_state_backend({});
  try {
    if (declared_before) {
      declare(*refusing, renamed);
    }
    restored_into(*refusing);
    declare(*refusing, renamed);
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    for (const char* part : {"'people'", "first_name", "visits", "another name", "widened"}) {
      EXPECT_NE(message.find(part), std::string::npos) << message;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Heap,
    StateMigration,
    ::testing::Combine(::testing::Values(StateKind::kValue, StateKind::kList, StateKind::kMap),
                       ::testing::Bool(),
                       ::testing::Bool()));

}  // namespace
}  // namespace flott
