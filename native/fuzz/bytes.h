// Takes numbers out of a fuzzer's input; zeros once it is used up.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

class Bytes {
 public:
  Bytes(const uint8_t* data, size_t size) : data_(data), size_(size) {}
  bool empty() const { return at_ >= size_; }
  uint8_t u8() { return at_ < size_ ? data_[at_++] : uint8_t{0}; }
  uint16_t u16() { return static_cast<uint16_t>(u8() << 8 | u8()); }
  uint32_t u32() { return static_cast<uint32_t>(u16()) << 16 | u16(); }
  std::span<const uint8_t> take(size_t count) {
    const size_t n = count < size_ - at_ ? count : size_ - at_;
    const std::span<const uint8_t> taken(data_ + at_, n);
    at_ += n;
    return taken;
  }

 private:
  const uint8_t* data_;
  size_t size_;
  size_t at_ = 0;
};

// What must hold whatever the input: a failure stops the fuzzer with this input.
#define MUST(condition) \
  do {                  \
    if (!(condition)) __builtin_trap(); \
  } while (0)
