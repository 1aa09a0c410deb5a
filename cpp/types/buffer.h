#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <utility>
#include <vector>

namespace flott {

/// Immutable bytes that share ownership of the memory behind them: memory of a ColumnBuilder, of a
/// vector, or of an Arrow producer. A part of a buffer keeps the whole alive. Behaves like a shared
/// pointer to a byte vector: `buffer->data()`, `(*buffer)[i]`, `if (buffer)`.
class Buffer {
 public:
  Buffer() = default;
  Buffer(std::nullptr_t) {}  // NOLINT(google-explicit-constructor)
  template <typename Vector>
    requires std::is_same_v<std::remove_const_t<Vector>, std::vector<std::uint8_t>>
  Buffer(std::shared_ptr<Vector> bytes) {  // NOLINT(google-explicit-constructor)
    if (bytes) {
      data_ = bytes->data() != nullptr ? bytes->data() : empty_bytes();
      size_ = bytes->size();
      owner_ = std::move(bytes);
    }
  }
  Buffer(const std::uint8_t* data, std::size_t size, std::shared_ptr<const void> owner)
      : data_(data != nullptr ? data : empty_bytes()), size_(size), owner_(std::move(owner)) {}

  explicit operator bool() const { return data_ != nullptr; }
  const Buffer* operator->() const { return this; }
  const Buffer& operator*() const { return *this; }
  const std::uint8_t* data() const { return data_; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::uint8_t operator[](std::size_t i) const { return data_[i]; }
  /// Bytes [begin, begin + size), sharing the owner.
  Buffer part(std::size_t begin, std::size_t size) const { return {data_ + begin, size, owner_}; }
  const std::shared_ptr<const void>& owner() const { return owner_; }

 private:
  /// Something to point at that is aligned for every column type, so that an empty buffer differs
  /// from no buffer.
  static const std::uint8_t* empty_bytes() {
    alignas(64) static const std::uint8_t bytes[64] = {};
    return bytes;
  }
  const std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
  std::shared_ptr<const void> owner_;
};

/// Bytes that grow without being cleared first; the writing side of Buffer.
class ByteVector {
 public:
  ByteVector() = default;
  ~ByteVector() { std::free(data_); }
  ByteVector(ByteVector&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  ByteVector& operator=(ByteVector&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    return *this;
  }

  std::uint8_t* data() { return data_; }
  const std::uint8_t* data() const { return data_; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::uint8_t& operator[](std::size_t i) { return data_[i]; }
  std::uint8_t operator[](std::size_t i) const { return data_[i]; }

  template <typename T>
  void push(T v) {
    if (capacity_ - size_ < sizeof v) [[unlikely]] {
      grow(sizeof v);
    }
    std::memcpy(data_ + size_, &v, sizeof v);
    size_ += sizeof v;
  }
  void append(const void* bytes, std::size_t size) {
    if (capacity_ - size_ < size) [[unlikely]] {
      grow(size);
    }
    if (size > 0) {
      std::memcpy(data_ + size_, bytes, size);
      size_ += size;
    }
  }
  void append_filled(std::size_t count, std::uint8_t byte) {
    if (capacity_ - size_ < count) {
      grow(count);
    }
    if (count > 0) {
      std::memset(data_ + size_, byte, count);
      size_ += count;
    }
  }
  void reserve(std::size_t capacity) {
    if (capacity > capacity_) {
      reallocate(capacity);
    }
  }
  /// Drops the end; never grows.
  void truncate(std::size_t size) {
    if (size < size_) {
      size_ = size;
    }
  }
  /// Hands the memory over; empty afterwards.
  Buffer finish() {
    // A large over-allocation must not live as long as the column.
    if (capacity_ - size_ > 4096 && capacity_ > size_ + size_ / 2) {
      reallocate(size_);
    }
    std::uint8_t* const data = std::exchange(data_, nullptr);
    const std::size_t size = std::exchange(size_, 0);
    capacity_ = 0;
    return {data, size, std::shared_ptr<const void>(data, [](void* p) { std::free(p); })};
  }

 private:
  void grow(std::size_t more) {
    const std::size_t doubled = capacity_ * 2;
    const std::size_t wanted = size_ + more;
    reallocate(doubled > wanted ? doubled : (wanted < 64 ? 64 : wanted));
  }
  void reallocate(std::size_t capacity) {
    auto* const data =
        static_cast<std::uint8_t*>(std::realloc(data_, capacity == 0 ? 1 : capacity));
    if (data == nullptr) {
      throw std::bad_alloc();
    }
    data_ = data;
    capacity_ = capacity;
  }
  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace flott
