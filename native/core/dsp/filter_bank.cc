#include "dsp/filter_bank.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <span>

#include "util/avx2.h"

namespace parley {

namespace {

constexpr double kStopBandDb = 70.0;
constexpr double kHalfLengthSeconds = 0.002;  // at a 4 kHz edge; shorter for a wider band

double besselI0(double x) {
  double sum = 1.0;
  double term = 1.0;
  for (int k = 1; k < 60; k++) {
    term *= (x / (2.0 * k)) * (x / (2.0 * k));
    sum += term;
    if (term < sum * 1e-17) break;
  }
  return sum;
}

double sinc(double x) {
  if (std::abs(x) < 1e-12) return 1.0;
  const double t = std::numbers::pi * x;
  return std::sin(t) / t;
}

// Rounds a phase so that its sum is exactly one: the remainder goes to the taps with the largest rounding error.
void quantise(std::span<const double> wanted, int shift, int16_t* out) {
  const size_t taps = wanted.size();
  std::vector<std::pair<double, size_t>> errors(taps);
  int total = 0;
  for (size_t k = 0; k < taps; k++) {
    const double exact = wanted[k] * (1 << shift);
    const double rounded = std::round(exact);
    out[k] = static_cast<int16_t>(rounded);
    total += static_cast<int>(rounded);
    errors[k] = {exact - rounded, k};
  }
  std::sort(errors.begin(), errors.end());
  const int missing = (1 << shift) - total;
  for (int i = 0; i < std::abs(missing); i++) {
    const size_t at = missing > 0 ? errors[taps - 1 - static_cast<size_t>(i)].second : errors[static_cast<size_t>(i)].second;
    out[at] = static_cast<int16_t>(out[at] + (missing > 0 ? 1 : -1));
  }
}

}  // namespace

FilterBank::FilterBank(uint32_t inRateHz, uint32_t outRateHz) : inRateHz_(inRateHz), outRateHz_(outRateHz) {
  const uint32_t divisor = std::gcd(inRateHz, outRateHz);
  phases_ = outRateHz / divisor;
  step_ = inRateHz / divisor;
  const double edgeHz = std::min(inRateHz, outRateHz) / 2.0;
  const double halfSeconds = kHalfLengthSeconds * std::min(1.0, 4000.0 / edgeHz);
  taps_ = 2 * static_cast<uint32_t>(std::lround(halfSeconds * inRateHz));
  table_.resize(static_cast<size_t>(phases_) * taps_);

  const double beta = 0.1102 * (kStopBandDb - 8.7);
  const double cutoff = 2.0 * edgeHz / inRateHz;
  const double half = taps_ / 2.0;
  std::vector<double> wanted(table_.size());
  double largestTap = 0.0;
  double largestSum = 0.0;
  for (uint32_t p = 0; p < phases_; p++) {
    const double centre = half - 1.0 + static_cast<double>(p) / phases_;
    double* row = &wanted[static_cast<size_t>(p) * taps_];
    double sum = 0.0;
    for (uint32_t k = 0; k < taps_; k++) {
      const double distance = k - centre;
      const double u = distance / half;
      const double window = std::abs(u) >= 1.0 ? 0.0 : besselI0(beta * std::sqrt(1.0 - u * u)) / besselI0(beta);
      row[k] = cutoff * sinc(cutoff * distance) * window;
      sum += row[k];
    }
    double absolute = 0.0;
    for (uint32_t k = 0; k < taps_; k++) {
      row[k] /= sum;
      absolute += std::abs(row[k]);
      largestTap = std::max(largestTap, std::abs(row[k]));
    }
    largestSum = std::max(largestSum, absolute);
  }
  shift_ = largestTap < 0.999 && largestSum < 1.99 ? 15 : 14;
  for (uint32_t p = 0; p < phases_; p++)
    quantise(std::span(wanted).subspan(static_cast<size_t>(p) * taps_, taps_), shift_, &table_[static_cast<size_t>(p) * taps_]);
}

namespace {

// Integer sums may be taken in any order, so the compiler is free to use the widest multiply-add there is.
PARLEY_KERNEL int16_t dot(const int16_t* x, const int16_t* h, uint32_t taps, int shift) {
  int32_t sum = 1 << (shift - 1);
  for (uint32_t k = 0; k < taps; k++) sum += x[k] * h[k];
  return clipToInt16(sum >> shift);
}

// `kTaps` lets the compiler unroll; 0 takes the bank's own number.
template <uint32_t kTaps>
PARLEY_KERNEL void filterKernel(const FilterBank& bank, const int16_t* x, int64_t xStart, uint64_t first, size_t count,
                                int16_t* out) {
  const uint32_t taps = kTaps > 0 ? kTaps : bank.taps();
  const uint32_t phases = bank.phases();
  const uint64_t position = first * bank.step();
  const uint32_t wholeStep = bank.step() / phases;
  const uint32_t partStep = bank.step() % phases;
  const int shift = bank.shift();
  auto phase = static_cast<uint32_t>(position % phases);
  const int16_t* from = x + (static_cast<int64_t>(position / phases) - taps / 2 + 1 - xStart);
  for (size_t n = 0; n < count; n++) {
    out[n] = dot(from, bank.phase(phase), taps, shift);
    from += wholeStep;
    phase += partStep;
    if (phase >= phases) {
      phase -= phases;
      from++;
    }
  }
}

PARLEY_KERNEL void filterAny(const FilterBank& bank, const int16_t* x, int64_t xStart, uint64_t first, size_t count, int16_t* out) {
  switch (bank.taps()) {
    case 64:
      return filterKernel<64>(bank, x, xStart, first, count, out);
    case 88:
      return filterKernel<88>(bank, x, xStart, first, count, out);
    case 96:
      return filterKernel<96>(bank, x, xStart, first, count, out);
    case 192:
      return filterKernel<192>(bank, x, xStart, first, count, out);
    default:
      return filterKernel<0>(bank, x, xStart, first, count, out);
  }
}

PARLEY_KERNEL void upsampleKernel(const FilterBank& bank, const int16_t* x, size_t count, int16_t* out) {
  const int16_t* halfway = bank.phase(1);
  for (size_t n = 0; n < count; n++) {
    out[2 * n] = x[n + 15];
    out[2 * n + 1] = dot(x + n, halfway, 32, 14);
  }
}

#if PARLEY_HAS_AVX2
// Eight outputs at a time.
template <uint32_t kTaps>
PARLEY_INLINE_AVX2 void filterWide(const FilterBank& bank, const int16_t* x, int64_t xStart, uint64_t first, size_t count, int16_t* out) {
  const uint32_t phases = bank.phases();
  const uint64_t position = first * bank.step();
  const uint32_t wholeStep = bank.step() / phases;
  const uint32_t partStep = bank.step() % phases;
  auto phase = static_cast<uint32_t>(position % phases);
  const int16_t* from = x + (static_cast<int64_t>(position / phases) - kTaps / 2 + 1 - xStart);
  size_t n = 0;
  for (; n + 8 <= count; n += 8) {
    __m256i partial[8];
    for (__m256i& sum : partial) {
      sum = productsWide(from, bank.phase(phase), kTaps);
      from += wholeStep;
      phase += partStep;
      if (phase >= phases) {
        phase -= phases;
        from++;
      }
    }
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + n), roundedWide(sumsOf(partial), bank.shift()));
  }
  filterKernel<kTaps>(bank, x, xStart, first + n, count - n, out + n);
}

PARLEY_TARGET_AVX2 void filterAvx2(const FilterBank& bank, const int16_t* x, int64_t xStart, uint64_t first, size_t count,
                                   int16_t* out) {
  switch (bank.taps()) {
    case 64:
      return filterWide<64>(bank, x, xStart, first, count, out);
    case 88:
      return filterWide<88>(bank, x, xStart, first, count, out);
    case 96:
      return filterWide<96>(bank, x, xStart, first, count, out);
    case 192:
      return filterWide<192>(bank, x, xStart, first, count, out);
    default:
      return filterKernel<0>(bank, x, xStart, first, count, out);
  }
}
PARLEY_TARGET_AVX2 void upsampleAvx2(const FilterBank& bank, const int16_t* x, size_t count, int16_t* out) {
  const int16_t* halfway = bank.phase(1);
  size_t n = 0;
  for (; n + 8 <= count; n += 8) {
    __m256i partial[8];
    for (size_t i = 0; i < 8; i++) partial[i] = productsWide(x + n + i, halfway, 32);
    const __m128i between = roundedWide(sumsOf(partial), 14);
    const __m128i same = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x + n + 15));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 2 * n), _mm_unpacklo_epi16(same, between));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 2 * n + 8), _mm_unpackhi_epi16(same, between));
  }
  upsampleKernel(bank, x + n, count - n, out + 2 * n);
}
#endif

}  // namespace

void filterBlock(const FilterBank& bank, const int16_t* x, int64_t xStart, uint64_t first, size_t count, int16_t* out) {
#if PARLEY_HAS_AVX2
  if (useAvx2()) return filterAvx2(bank, x, xStart, first, count, out);
#endif
  filterAny(bank, x, xStart, first, count, out);
}

void upsampleBlock(const FilterBank& bank, const int16_t* x, size_t count, int16_t* out) {
#if PARLEY_HAS_AVX2
  if (useAvx2()) return upsampleAvx2(bank, x, count, out);
#endif
  upsampleKernel(bank, x, count, out);
}

}  // namespace parley
