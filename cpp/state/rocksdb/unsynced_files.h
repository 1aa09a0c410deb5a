#pragma once

#include <rocksdb/env.h>

namespace flott::rocks {

/// The system's files, but nobody waits until all of one is on the disk: the database lives no
/// longer than its job's attempt, and who stores a checkpoint's files syncs them. Never destroyed.
rocksdb::Env* unsynced_files();

}  // namespace flott::rocks
