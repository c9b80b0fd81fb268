#include "codec/g722.h"

#include <algorithm>

namespace parley {

namespace {

// Tables of the recommendation, by their names there.
constexpr std::array<int32_t, 12> kQmf{3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11};
constexpr std::array<int32_t, 32> kIlb{2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834,
                                       2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008};
constexpr std::array<int32_t, 8> kWl{-60, -30, 58, 172, 334, 538, 1198, 3042};
constexpr std::array<uint8_t, 16> kRl42{0, 7, 6, 5, 4, 3, 2, 1, 7, 6, 5, 4, 3, 2, 1, 0};
constexpr std::array<int32_t, 3> kWh{0, -214, 798};
constexpr std::array<uint8_t, 4> kRh2{2, 1, 2, 1};
constexpr std::array<int32_t, 4> kQm2{-7408, -1616, 7408, 1616};
constexpr std::array<int32_t, 16> kQm4{0,     -20456, -12896, -8968, -6288, -4240, -2584, -1200,
                                       20456, 12896,  8968,   6288,  4240,  2584,  1200,  0};
constexpr std::array<int32_t, 64> kQm6{
    -136,  -136,  -136,  -136,  -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360, -8576, -7856,
    -7192, -6576, -6000, -5456, -4944,  -4464,  -4008,  -3576,  -3168,  -2776,  -2400,  -2032,  -1688,  -1360, -1040, -728,
    24808, 21904, 19008, 16704, 14984,  13512,  12280,  11192,  10232,  9360,   8576,   7856,   7192,   6576,  6000,  5456,
    4944,  4464,  4008,  3576,  3168,   2776,   2400,   2032,   1688,   1360,   1040,   728,    432,    136,   -432,  -136};
constexpr std::array<int32_t, 30> kQ6{0,   35,  72,  110, 150, 190, 233, 276,  323,  370,  422,  473,  530,  587,  650,
                                      714, 786, 858, 940, 1023, 1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919};
constexpr std::array<uint8_t, 31> kIln{0,  63, 62, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19,
                                       18, 17, 16, 15, 14, 13, 12, 11, 10, 9,  8,  7,  6,  5,  4};
constexpr std::array<uint8_t, 31> kIlp{0,  61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47,
                                       46, 45, 44, 43, 42, 41, 40, 39, 38, 37, 36, 35, 34, 33, 32};
constexpr std::array<uint8_t, 3> kIhn{0, 1, 0};
constexpr std::array<uint8_t, 3> kIhp{0, 3, 2};
constexpr int32_t kHighDecision = 564;

int32_t saturate(int32_t v) { return std::clamp(v, -32768, 32767); }
int32_t saturate15(int32_t v) { return std::clamp(v, -16384, 16383); }
int32_t scaled(int32_t a, int32_t b) { return (a * b) >> 15; }

// Quantiser scale from its logarithm: LOGSCL and SCALEL, LOGSCH and SCALEH.
void rescale(G722Band& band, int32_t step, int32_t limit, int32_t shift) {
  band.logScale = std::clamp(((band.logScale * 127) >> 7) + step, 0, limit);
  const int32_t mantissa = kIlb[static_cast<size_t>((band.logScale >> 6) & 31)];
  const int32_t down = shift - (band.logScale >> 11);
  band.scale = (down < 0 ? mantissa << -down : mantissa >> down) << 2;
}
void rescaleLow(G722Band& band, size_t code4) { rescale(band, kWl[kRl42[code4]], 18432, 8); }
void rescaleHigh(G722Band& band, size_t code2) { rescale(band, kWh[kRh2[code2]], 22528, 10); }

void start(G722Band& low, G722Band& high) {
  low = {};
  high = {};
  low.scale = 32;
  high.scale = 8;
}

}  // namespace

void G722Band::adapt(int32_t d) {
  const int32_t r = saturate(signal + d);
  const int32_t p = saturate(zeroSignal + d);
  const bool sameAsLast = (p < 0) == (partial[1] < 0);
  const bool sameAsOlder = (p < 0) == (partial[2] < 0);

  // Second pole (UPPOL2), then the first within its bound (UPPOL1).
  int32_t lean = saturate(pole[1] * 4);
  lean = sameAsLast ? -lean : lean;
  lean = std::min(lean, 32767);
  int32_t second = (sameAsOlder ? 128 : -128) + (lean >> 7) + scaled(pole[2], 32512);
  second = std::clamp(second, -12288, 12288);
  const int32_t bound = saturate(15360 - second);
  const int32_t first = std::clamp(saturate((sameAsLast ? 192 : -192) + scaled(pole[1], 32640)), -bound, bound);

  // Zeros (UPZERO).
  const int32_t step = d == 0 ? 0 : 128;
  for (size_t i = 6; i >= 1; i--) {
    const bool same = (difference[i] < 0) == (d < 0);
    zero[i] = saturate((same ? step : -step) + scaled(zero[i], 32640));
  }

  for (size_t i = 6; i >= 2; i--) difference[i] = difference[i - 1];
  difference[1] = d;
  reconstructed[2] = reconstructed[1];
  reconstructed[1] = r;
  partial[2] = partial[1];
  partial[1] = p;
  pole[1] = first;
  pole[2] = second;

  // The next prediction (FILTEP, FILTEZ, PREDIC).
  const int32_t poles = saturate(scaled(pole[1], saturate(2 * reconstructed[1])) + scaled(pole[2], saturate(2 * reconstructed[2])));
  int32_t zeros = 0;
  for (size_t i = 6; i >= 1; i--) zeros += scaled(zero[i], saturate(2 * difference[i]));
  zeroSignal = saturate(zeros);
  signal = saturate(poles + zeroSignal);
}

void G722Encoder::reset() {
  start(low_, high_);
  history_.fill(0);
}

void G722Encoder::encode(std::span<const int16_t> pcm, uint8_t* out) {
  for (size_t at = 0; at + 1 < pcm.size(); at += 2) {
    std::copy(history_.begin() + 2, history_.end(), history_.begin());
    history_[22] = pcm[at];
    history_[23] = pcm[at + 1];
    int32_t odd = 0;
    int32_t even = 0;
    for (size_t i = 0; i < 12; i++) {
      odd += history_[2 * i] * kQmf[i];
      even += history_[2 * i + 1] * kQmf[11 - i];
    }
    const int32_t lowIn = (even + odd) >> 14;
    const int32_t highIn = (even - odd) >> 14;

    *out++ = encodeBands(lowIn, highIn);
  }
}

uint8_t G722Encoder::encodeBands(int32_t lowIn, int32_t highIn) {
  const int32_t lowError = saturate(lowIn - low_.signal);
  const int32_t lowSize = lowError >= 0 ? lowError : -(lowError + 1);
  size_t level = 1;
  while (level < 30 && lowSize >= (kQ6[level] * low_.scale) >> 12) level++;
  const uint8_t lowCode = lowError < 0 ? kIln[level] : kIlp[level];
  const size_t code4 = lowCode >> 2;
  const int32_t lowDifference = scaled(low_.scale, kQm4[code4]);
  rescaleLow(low_, code4);
  low_.adapt(lowDifference);

  const int32_t highError = saturate(highIn - high_.signal);
  const int32_t highSize = highError >= 0 ? highError : -(highError + 1);
  const size_t highLevel = highSize >= (kHighDecision * high_.scale) >> 12 ? 2 : 1;
  const uint8_t code2 = highError < 0 ? kIhn[highLevel] : kIhp[highLevel];
  const int32_t highDifference = scaled(high_.scale, kQm2[code2]);
  rescaleHigh(high_, code2);
  high_.adapt(highDifference);

  return static_cast<uint8_t>(code2 << 6 | lowCode);
}

void G722Decoder::reset() {
  start(low_, high_);
  history_.fill(0);
}

void G722Decoder::decode(std::span<const uint8_t> codes, int16_t* out) {
  for (const uint8_t code : codes) {
    const auto [lowOut, highOut] = decodeBands(code);
    std::copy(history_.begin() + 2, history_.end(), history_.begin());
    history_[22] = lowOut + highOut;
    history_[23] = lowOut - highOut;
    int32_t first = 0;
    int32_t second = 0;
    for (size_t i = 0; i < 12; i++) {
      second += history_[2 * i] * kQmf[i];
      first += history_[2 * i + 1] * kQmf[11 - i];
    }
    *out++ = static_cast<int16_t>(saturate(first >> 11));
    *out++ = static_cast<int16_t>(saturate(second >> 11));
  }
}

G722Bands G722Decoder::decodeBands(uint8_t code) {
  const size_t code6 = code & 0x3f;
  const size_t code4 = code6 >> 2;
  const size_t code2 = code >> 6;
  const int32_t lowOut = saturate15(low_.signal + scaled(low_.scale, kQm6[code6]));
  const int32_t lowDifference = scaled(low_.scale, kQm4[code4]);
  rescaleLow(low_, code4);
  low_.adapt(lowDifference);

  const int32_t highDifference = scaled(high_.scale, kQm2[code2]);
  const int32_t highOut = saturate15(high_.signal + highDifference);
  rescaleHigh(high_, code2);
  high_.adapt(highDifference);
  return {lowOut, highOut};
}

}  // namespace parley
