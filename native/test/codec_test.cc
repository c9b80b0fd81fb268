#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "codec/codec.h"
#include "codec/g711.h"
#include "tap.h"
#include "tone.h"
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
  Encoder encoder;
  encoder.open(Codec::slin);
  CHECK_EQ(encoder.encode(pcm, bytes.data()), 6u);
  CHECK((bytes == std::array<uint8_t, 6>{0, 1, 0xff, 0xfe, 0x7f, 0xff}));
  std::array<int16_t, 3> back{};
  Decoder decoder;
  decoder.open(Codec::slin16);
  CHECK_EQ(decoder.decode(bytes, back.data()), 3u);
  CHECK(back == pcm);
  CHECK_EQ(unitsIn(Codec::slin, 5), 0u);
  CHECK_EQ(unitsIn(Codec::slin16, 6), 3u);
  CHECK_EQ(unitsIn(Codec::ulaw, 160), 160u);
  CHECK_EQ(unitsIn(Codec::g722, 160), 160u);
}

namespace {

uint32_t fnv(uint32_t hash, int value) { return (hash ^ static_cast<uint32_t>(value & 0xffff)) * 16777619u; }

// Integers only, so that every machine makes the same signal: quiet, loud and overdriven noise, and a square wave.
std::vector<int16_t> g722Signal() {
  std::vector<int16_t> pcm(64000);
  uint32_t random = 1;
  int32_t low = 0;
  for (size_t i = 0; i < pcm.size(); i++) {
    random = random * 1664525u + 1013904223u;
    const int32_t noise = static_cast<int32_t>(random >> 16) - 32768;
    low += (noise - low) / 4;
    const int32_t level = std::array<int32_t, 4>{8, 100, 400, 256}[i / 8000 % 4];
    const int32_t wave = i / 8000 % 8 == 7 ? (i / 20 % 2 == 0 ? 15000 : -15000) : 0;
    pcm[i] = static_cast<int16_t>(std::clamp(low * level / 128 + wave, -32768, 32767));
  }
  return pcm;
}

}  // namespace

// The sums were taken from spandsp 0.0.6, which passes the vectors of the recommendation; where it lets an overdriven output
// wrap around, ours saturates as the recommendation says.
TEST("g722: octets and samples are those of an independent implementation, bit for bit, over good and damaged streams") {
  const auto pcm = g722Signal();
  std::vector<uint8_t> codes(pcm.size() / 2);
  G722Encoder encoder;
  for (size_t at = 0; at < pcm.size(); at += 320) encoder.encode(std::span(pcm).subspan(at, 320), &codes[at / 2]);
  uint32_t hash = 2166136261u;
  for (uint8_t code : codes) hash = fnv(hash, code);
  CHECK_EQ(hash, 3838541868u);
  for (size_t i = 0; i < codes.size(); i += 97) codes[i] = static_cast<uint8_t>(codes[i] ^ i);
  std::vector<int16_t> out(pcm.size());
  G722Decoder decoder;
  decoder.decode(codes, out.data());
  hash = 2166136261u;
  for (int16_t sample : out) hash = fnv(hash, sample);
  CHECK_EQ(hash, 1355798015u);
}

TEST("g722: speech-band tones come through with their level") {
  for (double hz : {200.0, 1000.0, 3000.0, 5000.0, 6800.0}) {
    const auto pcm = toneOf(32000, hz, 8000, 16000);
    std::vector<uint8_t> codes(16000);
    std::vector<int16_t> out(32000);
    G722Encoder encoder;
    G722Decoder decoder;
    encoder.encode(pcm, codes.data());
    decoder.decode(codes, out.data());
    const ToneFit fit = fitTone(middle(out), hz, 16000);
    CHECK_NEAR(decibel(fit.amplitude / 8000.0), 0.0, 0.5);
    CHECK(decibel(fit.residual / (8000.0 / std::sqrt(2.0))) < -20.0);
  }
}
