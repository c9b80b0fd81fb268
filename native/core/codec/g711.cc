#include "codec/g711.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>

#include "util/simd.h"

#if PARLEY_HAS_AVX2
#include <immintrin.h>
#endif

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
  Tables() {
    for (int code = 0; code < 256; code++) {
      ulawToLinear[static_cast<size_t>(code)] = ulawExpand(static_cast<uint8_t>(code));
      alawToLinear[static_cast<size_t>(code)] = alawExpand(static_cast<uint8_t>(code));
    }
  }
};

const Tables& tables() {
  static const Tables instance;
  return instance;
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

namespace {

// Encoding by way of floats: exponent and top mantissa bits of a magnitude are segment and step. Branch-free, so the
// compiler vectorises it; exact, because 15-bit integers are exact floats.
PARLEY_KERNEL void ulawEncodeKernel(const int16_t* in, uint8_t* out, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const int32_t sample = in[i];
    const int32_t magnitude = std::min(std::abs(sample), kUlawClip) + kUlawBias;
    const auto bits = std::bit_cast<int32_t>(static_cast<float>(magnitude));
    out[i] = static_cast<uint8_t>(~(((sample >> 8) & 0x80) | ((bits >> 19) - ((127 + 7) << 4))));
  }
}

PARLEY_KERNEL void alawEncodeKernel(const int16_t* in, uint8_t* out, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const int32_t sample = in[i] >> 3;
    const int32_t magnitude = sample ^ (sample >> 31);
    const auto bits = std::bit_cast<int32_t>(static_cast<float>(magnitude));
    // Segment 0 is linear. A mask, not a branch, so that the loop vectorises.
    const int32_t linear = (magnitude - 32) >> 31;
    const int32_t steps = (linear & (magnitude >> 1)) | (~linear & ((bits >> 19) - ((127 + 4) << 4)));
    out[i] = static_cast<uint8_t>((((~in[i] >> 8) & 0x80) | steps) ^ 0x55);
  }
}

#if PARLEY_HAS_AVX2

// 2^segment for 16 words at once: the byte shuffle is the table.
PARLEY_TARGET_AVX2 inline __m256i powers(__m256i segment, __m256i table) {
  return _mm256_shuffle_epi8(table, _mm256_or_si256(segment, _mm256_set1_epi16(static_cast<int16_t>(0x8000))));
}

PARLEY_TARGET_AVX2 size_t ulawDecodeAvx2(const uint8_t* in, int16_t* out, size_t count) {
  const __m256i table = _mm256_broadcastsi128_si256(_mm_setr_epi8(1, 2, 4, 8, 16, 32, 64, -128, 0, 0, 0, 0, 0, 0, 0, 0));
  const __m256i bias = _mm256_set1_epi16(kUlawBias);
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    const __m256i code = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(in + i)));
    const __m256i inverted = _mm256_xor_si256(code, _mm256_set1_epi16(0xff));
    const __m256i segment = _mm256_and_si256(_mm256_srli_epi16(inverted, 4), _mm256_set1_epi16(7));
    const __m256i step = _mm256_slli_epi16(_mm256_and_si256(inverted, _mm256_set1_epi16(15)), 3);
    const __m256i magnitude = _mm256_sub_epi16(_mm256_mullo_epi16(_mm256_add_epi16(step, bias), powers(segment, table)), bias);
    const __m256i negative = _mm256_srai_epi16(_mm256_slli_epi16(inverted, 8), 15);
    const __m256i sample = _mm256_sub_epi16(_mm256_xor_si256(magnitude, negative), negative);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), sample);
  }
  return i;
}

PARLEY_TARGET_AVX2 size_t alawDecodeAvx2(const uint8_t* in, int16_t* out, size_t count) {
  const __m256i table = _mm256_broadcastsi128_si256(_mm_setr_epi8(1, 1, 2, 4, 8, 16, 32, 64, 0, 0, 0, 0, 0, 0, 0, 0));
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    const __m256i code = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(in + i)));
    const __m256i toggled = _mm256_xor_si256(code, _mm256_set1_epi16(0x55));
    const __m256i segment = _mm256_and_si256(_mm256_srli_epi16(toggled, 4), _mm256_set1_epi16(7));
    const __m256i step = _mm256_add_epi16(_mm256_slli_epi16(_mm256_and_si256(toggled, _mm256_set1_epi16(15)), 4), _mm256_set1_epi16(8));
    const __m256i leading = _mm256_and_si256(_mm256_cmpgt_epi16(segment, _mm256_setzero_si256()), _mm256_set1_epi16(0x100));
    const __m256i magnitude = _mm256_mullo_epi16(_mm256_add_epi16(step, leading), powers(segment, table));
    // The sign bit says positive.
    const __m256i negative = _mm256_xor_si256(_mm256_srai_epi16(_mm256_slli_epi16(toggled, 8), 15), _mm256_set1_epi16(-1));
    const __m256i sample = _mm256_sub_epi16(_mm256_xor_si256(magnitude, negative), negative);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), sample);
  }
  return i;
}

// Segment and step of 16 magnitudes; `offset` is the float exponent of segment 0, shifted into place.
PARLEY_TARGET_AVX2 inline __m256i segmentAndStep(__m256i magnitude, int offset) {
  const __m256i zero = _mm256_setzero_si256();
  const __m256i low = _mm256_castps_si256(_mm256_cvtepi32_ps(_mm256_unpacklo_epi16(magnitude, zero)));
  const __m256i high = _mm256_castps_si256(_mm256_cvtepi32_ps(_mm256_unpackhi_epi16(magnitude, zero)));
  const __m256i base = _mm256_set1_epi32(offset);
  return _mm256_packs_epi32(_mm256_sub_epi32(_mm256_srli_epi32(low, 19), base), _mm256_sub_epi32(_mm256_srli_epi32(high, 19), base));
}

PARLEY_TARGET_AVX2 inline __m256i ulawCodes(__m256i sample) {
  const __m256i magnitude =
      _mm256_add_epi16(_mm256_min_epu16(_mm256_abs_epi16(sample), _mm256_set1_epi16(kUlawClip)), _mm256_set1_epi16(kUlawBias));
  const __m256i sign = _mm256_and_si256(_mm256_srli_epi16(sample, 8), _mm256_set1_epi16(0x80));
  return _mm256_xor_si256(_mm256_or_si256(sign, segmentAndStep(magnitude, (127 + 7) << 4)), _mm256_set1_epi16(0xff));
}

PARLEY_TARGET_AVX2 inline __m256i alawCodes(__m256i sample) {
  const __m256i reduced = _mm256_srai_epi16(sample, 3);
  const __m256i magnitude = _mm256_xor_si256(reduced, _mm256_srai_epi16(reduced, 15));
  const __m256i linear = _mm256_cmpgt_epi16(_mm256_set1_epi16(32), magnitude);
  const __m256i steps = _mm256_blendv_epi8(segmentAndStep(magnitude, (127 + 4) << 4), _mm256_srli_epi16(magnitude, 1), linear);
  const __m256i sign = _mm256_andnot_si256(_mm256_srli_epi16(sample, 8), _mm256_set1_epi16(0x80));
  return _mm256_xor_si256(_mm256_or_si256(sign, steps), _mm256_set1_epi16(0x55));
}

template <typename Codes>
PARLEY_TARGET_AVX2 inline size_t encodeAvx2(const int16_t* in, uint8_t* out, size_t count, Codes codes) {
  size_t i = 0;
  for (; i + 32 <= count; i += 32) {
    const __m256i first = codes(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(in + i)));
    const __m256i second = codes(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(in + i + 16)));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), _mm256_permute4x64_epi64(_mm256_packus_epi16(first, second), 0xd8));
  }
  return i;
}

PARLEY_TARGET_AVX2 size_t ulawEncodeAvx2(const int16_t* in, uint8_t* out, size_t count) {
  return encodeAvx2(in, out, count, ulawCodes);
}

PARLEY_TARGET_AVX2 size_t alawEncodeAvx2(const int16_t* in, uint8_t* out, size_t count) {
  return encodeAvx2(in, out, count, alawCodes);
}

#endif

}  // namespace

void ulawDecode(const uint8_t* in, int16_t* out, size_t count) {
  size_t i = 0;
#if PARLEY_HAS_AVX2
  if (useAvx2()) i = ulawDecodeAvx2(in, out, count);
#endif
  for (; i < count; i++) out[i] = tables().ulawToLinear[in[i]];
}

void alawDecode(const uint8_t* in, int16_t* out, size_t count) {
  size_t i = 0;
#if PARLEY_HAS_AVX2
  if (useAvx2()) i = alawDecodeAvx2(in, out, count);
#endif
  for (; i < count; i++) out[i] = tables().alawToLinear[in[i]];
}

void ulawEncode(const int16_t* in, uint8_t* out, size_t count) {
  size_t i = 0;
#if PARLEY_HAS_AVX2
  if (useAvx2()) i = ulawEncodeAvx2(in, out, count);
#endif
  ulawEncodeKernel(in + i, out + i, count - i);
}

void alawEncode(const int16_t* in, uint8_t* out, size_t count) {
  size_t i = 0;
#if PARLEY_HAS_AVX2
  if (useAvx2()) i = alawEncodeAvx2(in, out, count);
#endif
  alawEncodeKernel(in + i, out + i, count - i);
}

}  // namespace parley
