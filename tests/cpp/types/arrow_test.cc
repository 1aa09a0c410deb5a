#include "types/arrow.h"

#include "base/error.h"
#include "tests/cpp/types/samples.h"
#include "tests/harness/fake_host.h"

#include <gtest/gtest.h>

#include <limits>

namespace flott {
namespace {

BatchPtr through_arrow(const Batch& batch) {
  ArrowArray array{};
  ArrowSchema schema{};
  export_batch(batch, &array, &schema);
  return import_batch(&array, &schema);
}

BatchPtr random_batch(const LogicalTypePtr& type, std::size_t rows, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  BatchBuilder builder(type);
  for (std::size_t i = 0; i < rows; ++i) {
    std::vector<Value> fields;
    for (const LogicalTypePtr& child : type->children()) {
      fields.push_back(random_value(*child, random));
    }
    builder.append(type->is_composite() ? Value::row(std::move(fields))
                                        : random_value(*type, random));
  }
  return builder.finish();
}

/// A producer's arrays, built by hand; the vectors live as long as the test.
struct Producer {
  std::vector<const void*> buffers;
  std::vector<Producer*> children{};
  std::string format;
  std::string name = "c";
  std::int64_t length = 0;
  std::int64_t null_count = 0;
  std::int64_t offset = 0;
  Producer* dictionary = nullptr;

  std::vector<ArrowArray> arrays{};
  std::vector<ArrowArray*> array_pointers{};
  std::vector<ArrowSchema> schemas{};
  std::vector<ArrowSchema*> schema_pointers{};
  ArrowArray dictionary_array{};
  ArrowSchema dictionary_schema{};
  bool array_released = false;
  bool schema_released = false;

  void fill(ArrowArray* array, ArrowSchema* schema) {
    arrays.resize(children.size());
    schemas.resize(children.size());
    for (std::size_t i = 0; i < children.size(); ++i) {
      children[i]->fill(&arrays[i], &schemas[i]);
      array_pointers.push_back(&arrays[i]);
      schema_pointers.push_back(&schemas[i]);
    }
    *array = ArrowArray{};
    *schema = ArrowSchema{};
    array->length = length;
    array->null_count = null_count;
    array->offset = offset;
    array->n_buffers = static_cast<std::int64_t>(buffers.size());
    array->buffers = buffers.data();
    array->n_children = static_cast<std::int64_t>(children.size());
    array->children = array_pointers.data();
    schema->format = format.c_str();
    schema->name = name.c_str();
    schema->flags = ARROW_FLAG_NULLABLE;
    schema->n_children = array->n_children;
    schema->children = schema_pointers.data();
    if (dictionary != nullptr) {
      dictionary->fill(&dictionary_array, &dictionary_schema);
      array->dictionary = &dictionary_array;
      schema->dictionary = &dictionary_schema;
    }
    array->private_data = this;
    schema->private_data = this;
    array->release = [](ArrowArray* a) {
      static_cast<Producer*>(a->private_data)->array_released = true;
      a->release = nullptr;
    };
    schema->release = [](ArrowSchema* s) {
      static_cast<Producer*>(s->private_data)->schema_released = true;
      s->release = nullptr;
    };
  }
};

/// The one column `c` of a batch made from a hand-built array.
BatchPtr import_one(Producer& column, std::int64_t rows, std::int64_t struct_offset = 0) {
  Producer top{.buffers = {nullptr},
               .children = {&column},
               .format = "+s",
               .length = rows,
               .offset = struct_offset};
  ArrowArray array{};
  ArrowSchema schema{};
  top.fill(&array, &schema);
  BatchPtr out;
  try {
    out = import_batch(&array, &schema);
  } catch (...) {
    EXPECT_TRUE(top.schema_released);
    EXPECT_TRUE(top.array_released);
    throw;
  }
  EXPECT_TRUE(top.schema_released);
  // The batch may share what `top` releases when it goes: the tests below look at a copy.
  const std::string text = out->to_string();
  BatchBuilder copy(out->type());
  for (std::int64_t i = 0; i < out->num_rows(); ++i) {
    copy.append(out->value_at(i));
  }
  out = nullptr;
  EXPECT_TRUE(top.array_released);
  BatchPtr copied = copy.finish();
  EXPECT_EQ(copied->to_string(), text);
  return copied;
}

template <typename T>
std::string imported(const std::string& format, std::vector<T> values) {
  Producer column{.buffers = {nullptr, values.data()},
                  .format = format,
                  .length = static_cast<std::int64_t>(values.size())};
  const BatchPtr batch = import_one(column, column.length);
  return batch->type()->children()[0]->to_string() + "\n" + batch->to_string();
}

TEST(Arrow, EveryTypeRoundTrips) {
  for (const LogicalTypePtr& type : sample_types()) {
    const BatchPtr batch =
        random_batch(LogicalType::row({"v", "n"}, {type, LogicalType::of(TypeKind::kInt)}), 60, 1);
    for (const auto& [begin, end] : {std::pair{0, 60}, {0, 0}, {16, 48}, {5, 37}, {59, 60}}) {
      const BatchPtr slice = batch->slice(begin, end);
      const BatchPtr back = through_arrow(*slice);
      ASSERT_EQ(back->num_rows(), slice->num_rows());
      for (std::int64_t i = 0; i < slice->num_rows(); ++i) {
        EXPECT_EQ(back->value_at(i), slice->value_at(i)) << type->to_string();
      }
    }
  }
}

TEST(Arrow, SharesBuffersAndKeepsThemAlive) {
  BatchPtr batch =
      random_batch(LogicalType::row({"a"}, {LogicalType::of(TypeKind::kBigInt, false)}), 100, 2);
  const std::uint8_t* const data = batch->column(0).values.data();
  const std::string text = batch->to_string();
  ArrowArray array{};
  ArrowSchema schema{};
  export_batch(*batch, &array, &schema);
  batch = nullptr;
  EXPECT_EQ(array.children[0]->buffers[1], data);
  EXPECT_STREQ(schema.children[0]->format, "l");
  EXPECT_EQ(schema.children[0]->flags & ARROW_FLAG_NULLABLE, 0);
  BatchPtr back = import_batch(&array, &schema);
  EXPECT_EQ(array.release, nullptr);
  EXPECT_EQ(schema.release, nullptr);
  EXPECT_EQ(back->column(0).values.data(), data);
  EXPECT_EQ(back->to_string(), text);
}

TEST(Arrow, ChildrenMayBeMovedOut) {
  const BatchPtr batch = random_batch(
      LogicalType::row({"a", "b"},
                       {LogicalType::of(TypeKind::kInt), LogicalType::of(TypeKind::kString)}),
      10,
      3);
  ArrowArray array{};
  ArrowSchema schema{};
  export_batch(*batch, &array, &schema);
  ArrowArray child = *array.children[1];
  array.children[1]->release = nullptr;
  array.release(&array);
  schema.release(&schema);
  EXPECT_EQ(child.length, 10);
  child.release(&child);
  EXPECT_EQ(child.release, nullptr);
}

TEST(Arrow, SingleColumnsAreNamedAndOpaqueOnesRefused) {
  FakeHost host;
  {
    const BatchPtr numbers = random_batch(LogicalType::of(TypeKind::kInt), 3, 4);
    EXPECT_EQ(through_arrow(*numbers)->type()->to_string(), "ROW<f0 INT>");
    BatchBuilder builder(
        LogicalType::row({"a", "o"}, {LogicalType::of(TypeKind::kInt), LogicalType::object()}));
    builder.append(Value::row({Value::integer(1), host.number(1)}));
    const BatchPtr opaque = builder.finish();
    ArrowArray array{};
    ArrowSchema schema{};
    try {
      export_batch(*opaque, &array, &schema);
      ADD_FAILURE() << "exported";
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::kInvalidArgument);
      EXPECT_STREQ(e.what(),
                   "field 'o': RAW has no Arrow form: its values are opaque Python objects; "
                   "declare a type for the stream");
    }
    EXPECT_EQ(array.release, nullptr);
    EXPECT_EQ(schema.release, nullptr);
  }
  EXPECT_EQ(host.live(), 0);
}

TEST(ArrowImport, ConvertsForeignNumbers) {
  EXPECT_EQ(imported<std::uint8_t>("C", {0, 255}), "SMALLINT\n+I[0]\n+I[255]");
  EXPECT_EQ(imported<std::uint16_t>("S", {65535}), "INT\n+I[65535]");
  EXPECT_EQ(imported<std::uint32_t>("I", {4294967295U}), "BIGINT\n+I[4294967295]");
  EXPECT_EQ(imported<std::uint64_t>("L", {7}), "BIGINT\n+I[7]");
  EXPECT_EQ(imported<std::uint16_t>("e", {0x3c00, 0xc000, 0x0001, 0x7c00}),
            "FLOAT\n+I[1.0]\n+I[-2.0]\n+I[5.960464477539063e-08]\n+I[inf]");
  EXPECT_EQ(imported<std::int32_t>("d:5,2,32", {1234}), "DECIMAL(5, 2)\n+I[12.34]");
  try {
    imported<std::uint64_t>("L", {std::numeric_limits<std::uint64_t>::max()});
    ADD_FAILURE();
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(),
                 "column 'c': the unsigned number 18446744073709551615 does not fit BIGINT; "
                 "cast the column to DECIMAL(20, 0)");
  }
}

TEST(ArrowImport, ConvertsForeignTimes) {
  EXPECT_EQ(imported<std::int64_t>("tss:", {1}), "TIMESTAMP(0)\n+I[1970-01-01T00:00:01]");
  EXPECT_EQ(imported<std::int64_t>("tsm:", {-1}), "TIMESTAMP(3)\n+I[1969-12-31T23:59:59.999]");
  EXPECT_EQ(imported<std::int64_t>("tsu:Europe/Berlin", {1}),
            "TIMESTAMP_LTZ(6)\n+I[1970-01-01T00:00:00.000001Z]");
  EXPECT_EQ(imported<std::int64_t>("tsn:", {-1}),
            "TIMESTAMP(9)\n+I[1969-12-31T23:59:59.999999999]");
  EXPECT_EQ(imported<std::int64_t>("tdm", {-1, 86'400'000}),
            "DATE\n+I[1969-12-31]\n+I[1970-01-02]");
  EXPECT_EQ(imported<std::int32_t>("tdD", {1}), "DATE\n+I[1970-01-02]");
  EXPECT_EQ(imported<std::int32_t>("tts", {1}), "TIME(0)\n+I[00:00:01]");
  EXPECT_EQ(imported<std::int32_t>("ttm", {1}), "TIME(3)\n+I[00:00:00.001]");
  EXPECT_EQ(imported<std::int64_t>("ttn", {1999}), "TIME(6)\n+I[00:00:00.000001]");
  EXPECT_EQ(imported<std::int64_t>("tDs", {2}), "INTERVAL DAY TO SECOND(3)\n+I[2000 ms]");
  EXPECT_EQ(imported<std::int64_t>("tDn", {2'000'000}), "INTERVAL DAY TO SECOND(3)\n+I[2 ms]");
  EXPECT_EQ(imported<std::int32_t>("tiM", {14}), "INTERVAL YEAR TO MONTH\n+I[14 months]");
  EXPECT_THROW(imported<std::int64_t>("tss:", {std::numeric_limits<std::int64_t>::max()}), Error);
  EXPECT_THROW(imported<std::int64_t>("tin", {1}), Error);
}

TEST(ArrowImport, HonoursOffsetsOfStructAndColumn) {
  const std::vector<std::int32_t> values = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  const std::vector<std::uint8_t> valid = {0b11101111, 0b1};  // row 4 is null, 9 too
  Producer column{.buffers = {valid.data(), values.data()},
                  .format = "i",
                  .length = 9,
                  .null_count = -1,
                  .offset = 1};
  EXPECT_EQ(import_one(column, 4, 2)->to_string(), "+I[3]\n+I[null]\n+I[5]\n+I[6]");
}

TEST(ArrowImport, LargeFixedAndViewTexts) {
  const std::vector<std::int64_t> offsets = {0, 1, 1, 4, 5};
  const std::string data = "abcde";
  Producer large{
      .buffers = {nullptr, offsets.data(), data.data()}, .format = "U", .length = 3, .offset = 1};
  EXPECT_EQ(import_one(large, 3)->to_string(), "+I['']\n+I['bcd']\n+I['e']");
  Producer fixed{.buffers = {nullptr, data.data()}, .format = "w:2", .length = 1, .offset = 1};
  EXPECT_EQ(import_one(fixed, 1)->to_string(), "+I[b'cd']");
  struct View {
    std::int32_t size;
    std::int32_t rest[3];
  };
  View views[2] = {{3, {}}, {20, {0, 0, 2}}};
  std::memcpy(views[0].rest, "xyz", 3);
  const std::string heap = "--a text of 20 letters";
  Producer view{.buffers = {nullptr, views, heap.data()}, .format = "vu", .length = 2};
  EXPECT_EQ(import_one(view, 2)->to_string(), "+I['xyz']\n+I['a text of 20 letters']");
}

TEST(ArrowImport, ListsOfEveryKind) {
  const std::vector<std::int32_t> items = {1, 2, 3, 4, 5, 6};
  const std::vector<std::int64_t> large_offsets = {0, 2, 3, 5};
  Producer values{.buffers = {nullptr, items.data()}, .format = "i", .name = "item", .length = 6};
  Producer large{.buffers = {nullptr, large_offsets.data()},
                 .children = {&values},
                 .format = "+L",
                 .length = 2,
                 .offset = 1};
  EXPECT_EQ(import_one(large, 2)->to_string(), "+I[[3]]\n+I[[4, 5]]");
  Producer again{.buffers = {nullptr, items.data()}, .format = "i", .name = "item", .length = 6};
  Producer fixed{
      .buffers = {nullptr}, .children = {&again}, .format = "+w:2", .length = 2, .offset = 1};
  EXPECT_EQ(import_one(fixed, 2)->to_string(), "+I[[3, 4]]\n+I[[5, 6]]");
}

TEST(ArrowImport, DecodesDictionaries) {
  const std::vector<std::int32_t> offsets = {0, 1, 3};
  const std::string data = "abb";
  const std::vector<std::uint8_t> indices = {1, 0, 9, 1};
  const std::vector<std::uint8_t> valid = {0b1011};
  Producer words{.buffers = {nullptr, offsets.data(), data.data()}, .format = "u", .length = 2};
  Producer column{.buffers = {valid.data(), indices.data()},
                  .format = "C",
                  .length = 4,
                  .null_count = 1,
                  .dictionary = &words};
  EXPECT_EQ(import_one(column, 4)->to_string(), "+I['bb']\n+I['a']\n+I[null]\n+I['bb']");
  Producer words_again{
      .buffers = {nullptr, offsets.data(), data.data()}, .format = "u", .length = 2};
  Producer wrong{
      .buffers = {nullptr, indices.data()}, .format = "C", .length = 4, .dictionary = &words_again};
  EXPECT_THROW(import_one(wrong, 4), Error);
}

TEST(ArrowImport, RefusesWhatIsNoBatch) {
  const std::vector<std::int32_t> values = {1};
  Producer column{.buffers = {nullptr, values.data()}, .format = "i", .length = 1};
  ArrowArray array{};
  ArrowSchema schema{};
  column.fill(&array, &schema);
  EXPECT_THROW(import_batch(&array, &schema), Error);
  EXPECT_TRUE(column.array_released && column.schema_released);
  EXPECT_THROW(imported<std::int32_t>("d:50,2,256", {1}), Error);
  EXPECT_THROW(imported<std::int32_t>("+r", {1}), Error);
}

}  // namespace
}  // namespace flott
