#pragma once

// Frames (state/frame_format.h) in files: savepoints of state that need not fit into memory. Any
// backend reads them.
//
// Grammar of KeyedStateFiles::description, `backend` being "frames":
//   description := version:u8 (1)  frames:varint frame*
//   frame       := group:varint  offset:u64  size:u64      in the one file; `keys` of the frame is
//                                                          a varint of ten bytes, most of them
//                                                          empty

#include "base/bytes.h"
#include "checkpoint/snapshot.h"

#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace flott {

class OwnedPath;

inline constexpr std::string_view kFrameFiles = "frames";

/// Writes the frames of one subtask, key group after key group. Throws kExternal, retryable, when
/// the file cannot be written.
class FrameFileWriter {
 public:
  /// `path`: a new file, removed when `keep` and all copies of the result are gone.
  FrameFileWriter(std::string path, std::shared_ptr<const void> keep);

  /// Begins the frame of a group, which no frame had before, with its header.
  void begin(KeyGroup group, std::string_view header);
  /// Content of the present frame is appended here.
  std::string& content() { return content_; }
  /// A key has been appended.
  void end_key() {
    ++keys_;
    if (content_.size() >= kBufferBytes) {
      write_content();
    }
  }
  void end();
  KeyedStateFiles finish(KeyGroupRange range);

 private:
  static constexpr std::size_t kBufferBytes = 1 << 20;

  void write_content();
  void check();

  const std::shared_ptr<const OwnedPath> file_;
  std::ofstream out_;
  std::string content_;
  std::string frames_;  ///< of the description
  std::uint64_t frame_count_ = 0;
  KeyGroup group_ = 0;
  std::uint64_t written_ = 0;
  std::uint64_t frame_at_ = 0;
  std::uint64_t count_at_ = 0;
  std::uint64_t keys_ = 0;
};

/// Calls visit(group, frame) with each frame of the key groups in `range`; the bytes are valid
/// during the call. Throws kExternal for a damaged description and a file that cannot be read.
void each_frame(const KeyedStateFiles& files,
                KeyGroupRange range,
                const std::function<void(KeyGroup, std::string_view)>& visit);

}  // namespace flott
