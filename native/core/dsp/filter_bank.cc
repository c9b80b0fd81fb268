#include "dsp/filter_bank.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <span>

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

int16_t filterDot(const int16_t* x, const int16_t* h, size_t taps, int shift) {
  int32_t sum = 1 << (shift - 1);
  for (size_t k = 0; k < taps; k++) sum += x[k] * h[k];
  return clipToInt16(sum >> shift);
}

}  // namespace parley
