#pragma once

#include "types/batch.h"

#include <cstdint>

// The two structures of Arrow's C data interface, with the layout and the include guard that its
// specification fixes, so that this header may meet another one that defines them.
#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE
#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE 2
#define ARROW_FLAG_MAP_KEYS_SORTED 4
extern "C" {
struct ArrowSchema {
  const char* format;
  const char* name;
  const char* metadata;
  std::int64_t flags;
  std::int64_t n_children;
  struct ArrowSchema** children;
  struct ArrowSchema* dictionary;
  void (*release)(struct ArrowSchema*);
  void* private_data;
};
struct ArrowArray {
  std::int64_t length;
  std::int64_t null_count;
  std::int64_t offset;
  std::int64_t n_buffers;
  std::int64_t n_children;
  const void** buffers;
  struct ArrowArray** children;
  struct ArrowArray* dictionary;
  void (*release)(struct ArrowArray*);
  void* private_data;
};
}
#endif

namespace flott {

/// Fills `schema` with a batch's type as a struct; the consumer calls its release. A type that is
/// no row is a struct with the one field `f0`. Lengths of CHAR / VARCHAR are not carried; a
/// MULTISET is a map to BIGINT, a tuple a struct. Throws kInvalidArgument for a type with opaque
/// values.
void export_schema(const LogicalType& type, ArrowSchema* schema);

/// Exports the rows (without timestamps, kinds and keys) as a struct array. No buffer is copied but
/// those of INTERVAL YEAR TO MONTH; the array holds the columns until it is released, which may
/// happen on any thread. On an error nothing is exported.
void export_batch(const Batch& batch, ArrowArray* array, ArrowSchema* schema);

/// The type of a struct schema, as a ROW. Does not release the schema.
LogicalTypePtr import_schema(const ArrowSchema& schema);

/// Takes over both structures, also on an error, and makes a batch of a struct array. Buffers whose
/// layout is ours are shared, others converted: timestamps of s and ms, date64, time32 and ns
/// times, unsigned integers, half floats, 64-bit offsets, string views, dictionaries. Throws
/// kInvalidArgument for what has no type here or does not fit (uint64 beyond int64, decimal256),
/// with the column's name. The producer's memory is trusted, as the interface demands.
BatchPtr import_batch(ArrowArray* array, ArrowSchema* schema);

}  // namespace flott
