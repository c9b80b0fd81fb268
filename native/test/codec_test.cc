#include <array>
#include <vector>

#include "codec/codec.h"
#include "codec/g711.h"
#include "tap.h"
#include "util/simd.h"

using namespace parley;

namespace {

void blockFormsAreTheArithmetic() {
  std::vector<uint8_t> codes(256 + 31);
  std::vector<int16_t> linear(65536 + 31);
  for (size_t i = 0; i < codes.size(); i++) codes[i] = static_cast<uint8_t>(i);
  for (size_t i = 0; i < linear.size(); i++) linear[i] = static_cast<int16_t>(static_cast<int>(i) - 32768);
  std::vector<int16_t> decoded(codes.size());
  std::vector<uint8_t> encoded(linear.size());
  for (size_t shift = 0; shift < 31; shift++) {
    ulawDecode(codes.data() + shift, decoded.data(), 256);
    for (size_t i = 0; i < 256; i++) CHECK_EQ(decoded[i], ulawExpand(codes[shift + i]));
    alawDecode(codes.data() + shift, decoded.data(), 256);
    for (size_t i = 0; i < 256; i++) CHECK_EQ(decoded[i], alawExpand(codes[shift + i]));
  }
  for (size_t shift : {0, 1, 7}) {
    ulawEncode(linear.data() + shift, encoded.data(), 65536);
    for (size_t i = 0; i < 65536; i++) CHECK_EQ(encoded[i], ulawCompress(linear[shift + i]));
    alawEncode(linear.data() + shift, encoded.data(), 65536);
    for (size_t i = 0; i < 65536; i++) CHECK_EQ(encoded[i], alawCompress(linear[shift + i]));
  }
  for (size_t length = 0; length < 70; length++) {
    std::vector<uint8_t> guard(length + 1, 0xee);
    ulawEncode(linear.data() + 40000, guard.data(), length);
    CHECK_EQ(guard[length], 0xee);
    alawEncode(linear.data() + 40000, guard.data(), length);
    CHECK_EQ(guard[length], 0xee);
    std::vector<int16_t> wide(length + 1, 0x1234);
    ulawDecode(codes.data(), wide.data(), length);
    CHECK_EQ(wide[length], 0x1234);
    alawDecode(codes.data(), wide.data(), length);
    CHECK_EQ(wide[length], 0x1234);
  }
}

}  // namespace

TEST("g711: every block form is the arithmetic, over all codes and all samples, at any length and alignment") {
  for (bool wide : {true, false}) {
    simdAllowed() = wide;
    blockFormsAreTheArithmetic();
  }
  simdAllowed() = true;
}

TEST("g711: encoding a decoded code gives it back, but for mu-law's negative zero") {
  for (int code = 0; code < 256; code++) {
    const auto c = static_cast<uint8_t>(code);
    CHECK_EQ(alawCompress(alawExpand(c)), c);
    CHECK_EQ(ulawCompress(ulawExpand(c)), code == 0x7f ? 0xff : code);
  }
}

TEST("g711: values of the recommendation") {
  CHECK_EQ(ulawExpand(0x80), 32124);
  CHECK_EQ(ulawExpand(0x00), -32124);
  CHECK_EQ(ulawExpand(0xff), 0);
  CHECK_EQ(alawExpand(0xaa), 32256);
  CHECK_EQ(alawExpand(0x2a), -32256);
  CHECK_EQ(alawExpand(0xd5), 8);
  CHECK_EQ(alawExpand(0x55), -8);
  CHECK_EQ(ulawCompress(0), 0xff);
  CHECK_EQ(ulawCompress(32767), 0x80);
  CHECK_EQ(ulawCompress(-32768), 0x00);
  CHECK_EQ(alawCompress(32767), 0xaa);
  CHECK_EQ(alawCompress(-32768), 0x2a);
}

TEST("codec: L16 is big-endian; half a sample is no payload") {
  const std::array<int16_t, 3> pcm{1, -2, 32767};
  std::array<uint8_t, 6> bytes{};
  CHECK_EQ(encode(Codec::slin, pcm, bytes.data()), 6u);
  CHECK((bytes == std::array<uint8_t, 6>{0, 1, 0xff, 0xfe, 0x7f, 0xff}));
  std::array<int16_t, 3> back{};
  decode(Codec::slin, bytes, back.data());
  CHECK(back == pcm);
  CHECK_EQ(samplesIn(Codec::slin, 5), 0u);
  CHECK_EQ(samplesIn(Codec::slin, 6), 3u);
  CHECK_EQ(samplesIn(Codec::ulaw, 160), 160u);
}
