// Tones and how to find them again: least-squares fit of a sine.
#pragma once
#include <cmath>
#include <cstdint>
#include <numbers>
#include <span>
#include <vector>

inline std::vector<int16_t> toneOf(size_t samples, double hz, double amplitude, double rateHz) {
  std::vector<int16_t> pcm(samples);
  for (size_t n = 0; n < samples; n++)
    pcm[n] = static_cast<int16_t>(std::lround(amplitude * std::sin(2.0 * std::numbers::pi * hz * static_cast<double>(n) / rateHz)));
  return pcm;
}

inline double rmsOf(std::span<const int16_t> pcm) {
  double sum = 0.0;
  for (int16_t s : pcm) sum += static_cast<double>(s) * s;
  return std::sqrt(sum / static_cast<double>(std::max<size_t>(1, pcm.size())));
}

inline double decibel(double ratio) { return 20.0 * std::log10(std::max(ratio, 1e-9)); }

inline std::span<const int16_t> middle(const std::vector<int16_t>& pcm) {
  return std::span(pcm).subspan(pcm.size() / 4, pcm.size() / 2);
}

struct ToneFit {
  double amplitude;
  double residual;  // RMS of what is not the tone
};

inline ToneFit fitTone(std::span<const int16_t> pcm, double hz, double rateHz) {
  double ss = 0.0, cc = 0.0, sc = 0.0, xs = 0.0, xc = 0.0;
  for (size_t n = 0; n < pcm.size(); n++) {
    const double w = 2.0 * std::numbers::pi * hz * static_cast<double>(n) / rateHz;
    const double s = std::sin(w);
    const double c = std::cos(w);
    ss += s * s;
    cc += c * c;
    sc += s * c;
    xs += pcm[n] * s;
    xc += pcm[n] * c;
  }
  const double det = ss * cc - sc * sc;
  const double a = (xs * cc - xc * sc) / det;
  const double b = (xc * ss - xs * sc) / det;
  double rest = 0.0;
  for (size_t n = 0; n < pcm.size(); n++) {
    const double w = 2.0 * std::numbers::pi * hz * static_cast<double>(n) / rateHz;
    const double e = pcm[n] - a * std::sin(w) - b * std::cos(w);
    rest += e * e;
  }
  return {std::hypot(a, b), std::sqrt(rest / static_cast<double>(std::max<size_t>(1, pcm.size())))};
}
