#include "runtime/spill_file.h"

#include "base/bytes.h"
#include "base/error.h"
#include "types/host.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

// Grammar of a file: block*. Read once, by the process that wrote it.
//
//   block := size:u64 (of what follows)  input:varint  type:varint (position in types_)  flags:u8
//            rows:varint row*
//            flags: 1 = rows have keys, 2 = there are objects among keys or values
//   row   := [key:string  key value:string (Value::encode)]  timestamp:i64  kind:u8
//            value (Value::encode)

namespace flott {
namespace {

constexpr std::uint8_t kKeys = 1;
constexpr std::uint8_t kObjects = 2;

std::string folder_of(const std::string& directory) {
  if (!directory.empty()) {
    return directory;
  }
  const char* temporary = std::getenv("TMPDIR");
  return temporary != nullptr && *temporary != '\0' ? temporary : "/tmp";
}

bool holds_objects(const Batch& batch) {
  return !batch.type()->is_native() || (batch.keys() != nullptr && batch.keys()->has_objects());
}

void encode(const Batch& batch, std::string& block) {
  BytesWriter writer(block);
  std::string bytes;
  for (std::int64_t row = 0; row < batch.num_rows(); ++row) {
    if (batch.keys() != nullptr) {
      const Key key = batch.keys()->at(static_cast<std::size_t>(row));
      writer.string(key.bytes);
      bytes.clear();
      key_value(key).encode(bytes);
      writer.string(bytes);
    }
    writer.i64(batch.timestamp_at(row));
    writer.u8(static_cast<std::uint8_t>(batch.kind_at(row)));
    batch.value_at(row).encode(block);
  }
}

}  // namespace

void SpillFile::fail(const char* what) const {
  const int error = errno;
  throw_error(ErrorKind::kExternal,
              "rows of a BATCH job cannot be {} in '{}': {}; {}",
              what,
              folder_,
              std::strerror(error),
              error == EMFILE || error == ENFILE
                  ? "allow the process more open files (ulimit -n), or raise "
                    "execution.sorted-inputs.memory, so that fewer are needed"
                  : "set the environment variable TMPDIR to a folder with room, or raise "
                    "execution.sorted-inputs.memory");
}

SpillFile::SpillFile(const std::string& directory) : folder_(folder_of(directory)) {
  std::string path = folder_ + "/flott-sort-XXXXXX";
  const int descriptor = ::mkostemp(path.data(), O_CLOEXEC);
  if (descriptor < 0) {
    fail("written to a file");
  }
  ::unlink(path.c_str());
  file_.reset(::fdopen(descriptor, "w+b"));
  if (file_ == nullptr) {
    ::close(descriptor);
    fail("written to a file");
  }
}

void SpillFile::write(const Batch& batch, int input) {
  auto type = std::find_if(types_.begin(), types_.end(), [&](const auto& known) {
    return known == batch.type() || *known == *batch.type();
  });
  if (type == types_.end()) {
    type = types_.insert(type, batch.type());
  }
  const bool objects = holds_objects(batch);
  std::string block;
  BytesWriter writer(block);
  writer.u64(0);
  writer.varint(static_cast<std::uint64_t>(input));
  writer.varint(static_cast<std::uint64_t>(type - types_.begin()));
  writer.u8(
      static_cast<std::uint8_t>((batch.keys() != nullptr ? kKeys : 0) | (objects ? kObjects : 0)));
  writer.varint(static_cast<std::uint64_t>(batch.num_rows()));
  if (objects) {
    const HostScope scope;
    encode(batch, block);
  } else {
    encode(batch, block);
  }
  const std::uint64_t size = block.size() - sizeof size;
  std::memcpy(block.data(), &size, sizeof size);
  const HostRelease others_may_run;
  if (std::fwrite(block.data(), 1, block.size(), file_.get()) != block.size()) {
    fail("written to a file");
  }
}

void SpillFile::rewind() {
  const HostRelease others_may_run;
  if (std::fflush(file_.get()) != 0) {
    fail("written to a file");
  }
  std::rewind(file_.get());
}

std::optional<InputBatch> SpillFile::read() {
  std::string block;
  {
    const HostRelease others_may_run;
    std::uint64_t size = 0;
    if (std::fread(&size, sizeof size, 1, file_.get()) != 1) {
      if (std::ferror(file_.get()) != 0) {
        fail("read back from a file");
      }
      return std::nullopt;
    }
    block.resize(size);
    if (std::fread(block.data(), 1, size, file_.get()) != size) {
      fail("read back from a file");
    }
  }
  BytesReader in(block);
  const auto input = static_cast<int>(in.varint());
  const LogicalTypePtr& type = types_[static_cast<std::size_t>(in.varint())];
  const std::uint8_t flags = in.u8();
  std::optional<HostScope> scope;
  if ((flags & kObjects) != 0) {
    scope.emplace();
  }
  BatchBuilder builder(type);
  for (std::uint64_t left = in.varint(); left > 0; --left) {
    std::string_view key_bytes;
    Value key_value;
    if ((flags & kKeys) != 0) {
      key_bytes = in.string();
      BytesReader key_in(in.string());
      key_value = Value::decode(key_in);
    }
    const Key key = Key::of(key_bytes, key_value);
    const Timestamp timestamp = in.i64();
    const auto kind = static_cast<RowKind>(in.u8());
    builder.append(Value::decode(in), timestamp, kind, (flags & kKeys) != 0 ? &key : nullptr);
  }
  return InputBatch{builder.finish(), input};
}

}  // namespace flott
