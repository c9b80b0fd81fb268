#include "codec/g711.h"

#include <array>
#include <memory>

namespace parley {

namespace {

constexpr int kUlawBias = 0x84;
constexpr int kUlawClip = 32635;

// The position of the highest set bit of a value in 1..0x7fff, counted from bit `base`.
int segmentOf(int value, int base) {
  int segment = 0;
  for (int shifted = value >> (base + 1); shifted != 0; shifted >>= 1) segment++;
  return segment;
}

struct Tables {
  std::array<int16_t, 256> ulawToLinear;
  std::array<int16_t, 256> alawToLinear;
  std::array<uint8_t, 65536> linearToUlaw;
  std::array<uint8_t, 65536> linearToAlaw;
  Tables() {
    for (int code = 0; code < 256; code++) {
      ulawToLinear[static_cast<size_t>(code)] = ulawExpand(static_cast<uint8_t>(code));
      alawToLinear[static_cast<size_t>(code)] = alawExpand(static_cast<uint8_t>(code));
    }
    for (int sample = -32768; sample < 32768; sample++) {
      const auto index = static_cast<size_t>(static_cast<uint16_t>(sample));
      linearToUlaw[index] = ulawCompress(static_cast<int16_t>(sample));
      linearToAlaw[index] = alawCompress(static_cast<int16_t>(sample));
    }
  }
};

const Tables& tables() {
  static const std::unique_ptr<const Tables> instance = std::make_unique<const Tables>();
  return *instance;
}

}  // namespace

int16_t ulawExpand(uint8_t code) {
  const int inverted = ~code & 0xff;
  const int segment = (inverted >> 4) & 7;
  const int magnitude = ((((inverted & 0x0f) << 3) + kUlawBias) << segment) - kUlawBias;
  return static_cast<int16_t>((inverted & 0x80) != 0 ? -magnitude : magnitude);
}

uint8_t ulawCompress(int16_t sample) {
  const int sign = sample < 0 ? 0x80 : 0;
  int magnitude = sample < 0 ? -static_cast<int>(sample) : sample;
  if (magnitude > kUlawClip) magnitude = kUlawClip;
  magnitude += kUlawBias;
  const int segment = segmentOf(magnitude, 7);
  return static_cast<uint8_t>(~(sign | (segment << 4) | ((magnitude >> (segment + 3)) & 0x0f)));
}

int16_t alawExpand(uint8_t code) {
  const int toggled = code ^ 0x55;
  const int segment = (toggled >> 4) & 7;
  int magnitude = ((toggled & 0x0f) << 4) + 8;
  if (segment > 0) magnitude = (magnitude + 0x100) << (segment - 1);
  return static_cast<int16_t>((toggled & 0x80) != 0 ? magnitude : -magnitude);
}

uint8_t alawCompress(int16_t sample) {
  // 13-bit magnitude; a negative value is its ones' complement, as the recommendation's decision values imply.
  const int sign = sample < 0 ? 0 : 0x80;
  const int magnitude = sample < 0 ? ~(sample >> 3) : sample >> 3;
  const int segment = segmentOf(magnitude, 4);
  const int mantissa = segment == 0 ? (magnitude >> 1) & 0x0f : (magnitude >> segment) & 0x0f;
  return static_cast<uint8_t>((sign | (segment << 4) | mantissa) ^ 0x55);
}

void ulawDecode(const uint8_t* in, int16_t* out, size_t count) {
  const auto& table = tables().ulawToLinear;
  for (size_t i = 0; i < count; i++) out[i] = table[in[i]];
}

void alawDecode(const uint8_t* in, int16_t* out, size_t count) {
  const auto& table = tables().alawToLinear;
  for (size_t i = 0; i < count; i++) out[i] = table[in[i]];
}

void ulawEncode(const int16_t* in, uint8_t* out, size_t count) {
  const auto& table = tables().linearToUlaw;
  for (size_t i = 0; i < count; i++) out[i] = table[static_cast<uint16_t>(in[i])];
}

void alawEncode(const int16_t* in, uint8_t* out, size_t count) {
  const auto& table = tables().linearToAlaw;
  for (size_t i = 0; i < count; i++) out[i] = table[static_cast<uint16_t>(in[i])];
}

}  // namespace parley
