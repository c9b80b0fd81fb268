// What the wide forms of sums of products share. Only for functions that carry PARLEY_TARGET_AVX2.
#pragma once
#include "util/simd.h"

#if PARLEY_HAS_AVX2
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace parley {

#define PARLEY_INLINE_AVX2 static inline __attribute__((always_inline, target("avx2")))

// Eight partial sums of x[k] * h[k]; `count` is a multiple of 8.
PARLEY_INLINE_AVX2 __m256i productsWide(const int16_t* x, const int16_t* h, size_t count) {
  __m256i sum = _mm256_setzero_si256();
  size_t k = 0;
  for (; k + 16 <= count; k += 16)
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + k)),
                                                  _mm256_loadu_si256(reinterpret_cast<const __m256i*>(h + k))));
  if (k < count)
    sum = _mm256_add_epi32(sum, _mm256_zextsi128_si256(_mm_madd_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x + k)),
                                                                      _mm_loadu_si128(reinterpret_cast<const __m128i*>(h + k)))));
  return sum;
}

// The whole sums of eight of them, in order: adding across one register at a time costs more than a short filter itself.
PARLEY_INLINE_AVX2 __m256i sumsOf(const __m256i (&partial)[8]) {
  const __m256i first = _mm256_hadd_epi32(_mm256_hadd_epi32(partial[0], partial[1]), _mm256_hadd_epi32(partial[2], partial[3]));
  const __m256i second = _mm256_hadd_epi32(_mm256_hadd_epi32(partial[4], partial[5]), _mm256_hadd_epi32(partial[6], partial[7]));
  return _mm256_add_epi32(_mm256_permute2x128_si256(first, second, 0x20), _mm256_permute2x128_si256(first, second, 0x31));
}

// Rounded, shifted and clipped to 16 bits, in order.
PARLEY_INLINE_AVX2 __m128i roundedWide(__m256i sums, int shift) {
  const __m256i rounded = _mm256_sra_epi32(_mm256_add_epi32(sums, _mm256_set1_epi32(1 << (shift - 1))), _mm_cvtsi32_si128(shift));
  return _mm256_castsi256_si128(_mm256_permute4x64_epi64(_mm256_packs_epi32(rounded, rounded), 0x08));
}

}  // namespace parley
#endif
