#include "dsp/prosody.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "dsp/filter_bank.h"
#include "util/avx2.h"

namespace parley {

namespace {

constexpr uint32_t kLowHz = 4000;
constexpr size_t kHop = kLowHz / 50;      // 20 ms
constexpr size_t kWindow = 128;           // 32 ms
constexpr size_t kMinLag = kLowHz / 400;  // 400 Hz
constexpr size_t kMaxLag = kLowHz / 60;   // 60 Hz
constexpr size_t kMostLow = kProsodySamples * kLowHz / kProsodyRateHz;
constexpr size_t kMostFrames = kMostLow / kHop;
constexpr float kVoicedLikeness = 0.6f;
constexpr float kSameAsBest = 0.88f;      // a shorter period nearly as good is the true one: longer ones repeat it
constexpr float kSlopeS = 0.5f;
constexpr size_t kFewestVoiced = 6;       // 120 ms of voice ...
constexpr float kShortestSpanS = 0.15f;   // ... over this much time make a melody
constexpr float kOutlierSemitones = 4.0f;
constexpr size_t kLastSamples = kLowHz / 10;
constexpr float kSyllableDipDb = 3.0f;
constexpr float kSyllableRangeDb = 24.0f;
constexpr size_t kShortestPaceFrames = 40;

const FilterBank& downBank() {
  static const FilterBank bank(kProsodyRateHz, kLowHz);
  return bank;
}

struct Voiced {
  float semitones;
  float atS;  // before the end, negative
};

// sum[lag] = x[0..kWindow) * x[lag..), for lags kMinLag - 1 to kMaxLag + 1. Integer, so that it vectorises.
using Products = std::array<int32_t, kMaxLag + 2>;
PARLEY_KERNEL void productsKernel(const int16_t* x, Products& sums, size_t firstLag = kMinLag - 1) {
  for (size_t lag = firstLag; lag <= kMaxLag + 1; lag++) {
    int32_t sum = 0;
    for (size_t n = 0; n < kWindow; n++) sum += x[n] * x[n + lag];
    sums[lag] = sum;
  }
}
#if PARLEY_HAS_AVX2
// Eight lags at a time.
PARLEY_TARGET_AVX2 void productsAvx2(const int16_t* x, Products& sums) {
  size_t lag = kMinLag - 1;
  for (; lag + 8 <= kMaxLag + 2; lag += 8) {
    __m256i partial[8];
    for (size_t i = 0; i < 8; i++) partial[i] = productsWide(x, x + lag + i, kWindow);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(&sums[lag]), sumsOf(partial));
  }
  productsKernel(x, sums, lag);
}
#endif
void productsOf(const int16_t* x, Products& sums) {
#if PARLEY_HAS_AVX2
  if (useAvx2()) return productsAvx2(x, sums);
#endif
  productsKernel(x, sums);
}

float energyOf(const int16_t* x) {
  int32_t sum = 0;
  for (size_t n = 0; n < kWindow; n++) sum += x[n] * x[n];
  return static_cast<float>(sum);
}

// The period at x in samples; 0 where there is no voice.
float periodAt(const int16_t* x) {
  Products products;
  productsOf(x, products);
  const float here = energyOf(x);
  std::array<float, kMaxLag + 2> likeness;
  float there = energyOf(x + kMinLag - 1);
  float best = 0.0f;
  for (size_t lag = kMinLag - 1; lag <= kMaxLag + 1; lag++) {
    likeness[lag] = static_cast<float>(products[lag]) / std::sqrt(here * there + 1.0f);
    best = std::max(best, likeness[lag]);
    const float leaves = x[lag];
    const float enters = x[lag + kWindow];
    there = std::max(0.0f, there + enters * enters - leaves * leaves);
  }
  if (best < kVoicedLikeness) return 0.0f;
  for (size_t lag = kMinLag; lag <= kMaxLag; lag++) {
    const float mid = likeness[lag];
    if (mid < best * kSameAsBest || mid < likeness[lag - 1] || mid <= likeness[lag + 1]) continue;
    const float bend = likeness[lag - 1] - 2.0f * mid + likeness[lag + 1];
    const float shift = bend < 0.0f ? 0.5f * (likeness[lag - 1] - likeness[lag + 1]) / bend : 0.0f;
    return static_cast<float>(lag) + shift;
  }
  return 0.0f;
}

struct Line {
  float mean;
  float slope;
  float meanAt;
};
Line lineThrough(std::span<const Voiced> frames) {
  double at = 0.0;
  double pitch = 0.0;
  for (const Voiced& f : frames) {
    at += f.atS;
    pitch += f.semitones;
  }
  const auto n = static_cast<double>(frames.size());
  at /= n;
  pitch /= n;
  double square = 1e-9;
  double cross = 0.0;
  for (const Voiced& f : frames) {
    square += (f.atS - at) * (f.atS - at);
    cross += (f.atS - at) * (f.semitones - pitch);
  }
  return {static_cast<float>(pitch), static_cast<float>(cross / square), static_cast<float>(at)};
}

// Frames that jump away from the middle are octave errors.
float slopeOf(std::span<const Voiced> frames) {
  std::array<Voiced, kMostFrames> kept{};
  std::array<float, kMostFrames> sorted{};
  size_t count = 0;
  if (frames.empty()) return Prosody::kUnknown;
  const float lastS = frames.back().atS;
  for (const Voiced& f : frames)
    if (f.atS > lastS - kSlopeS) kept[count++] = f;
  for (size_t i = 0; i < count; i++) sorted[i] = kept[i].semitones;
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(count / 2), sorted.begin() + static_cast<std::ptrdiff_t>(count));
  const float middle = sorted[count / 2];
  const auto first = kept.begin();
  const auto end = std::remove_if(first, first + static_cast<std::ptrdiff_t>(count),
                                  [middle](const Voiced& f) { return std::abs(f.semitones - middle) > kOutlierSemitones * 1.5f; });
  count = static_cast<size_t>(end - first);
  if (count < kFewestVoiced || kept[count - 1].atS - kept[0].atS < kShortestSpanS) return Prosody::kUnknown;
  // Once more without what lies far from the line.
  const Line line = lineThrough({kept.data(), count});
  const auto straight = std::remove_if(first, end, [&line](const Voiced& f) {
    return std::abs(f.semitones - (line.mean + line.slope * (f.atS - line.meanAt))) > kOutlierSemitones;
  });
  count = static_cast<size_t>(straight - first);
  return count < kFewestVoiced ? Prosody::kUnknown : lineThrough({kept.data(), count}).slope;
}

double powerOf(std::span<const int16_t> pcm) {
  double sum = 1.0;
  for (int16_t s : pcm) sum += static_cast<double>(s) * s;
  return sum / static_cast<double>(pcm.size());
}

// `pcm` is voice from end to end, with the stops between.
float levelDropOf(std::span<const int16_t> pcm) {
  if (pcm.size() < 2 * kLastSamples) return Prosody::kUnknown;
  return static_cast<float>(10.0 * std::log10(powerOf(pcm.last(kLastSamples)) / powerOf(pcm.first(pcm.size() - kLastSamples))));
}

// Syllables are humps of the level that stand out from the dips beside them.
float paceOf(std::span<const float> energies) {
  size_t from = 0;
  float most = 0.0f;
  for (float e : energies) most = std::max(most, e);
  const float least = most * std::pow(10.0f, -kSyllableRangeDb / 10.0f);
  while (from < energies.size() && energies[from] < least) from++;
  if (most <= 0.0f || energies.size() - from < kShortestPaceFrames) return Prosody::kUnknown;
  size_t syllables = 0;
  float low = -200.0f;
  float high = -200.0f;
  bool rising = true;
  for (size_t i = from; i < energies.size(); i++) {
    // Three frames together: a glottal pulse is no syllable.
    const float sum = energies[i] + (i > from ? energies[i - 1] : 0.0f) + (i + 1 < energies.size() ? energies[i + 1] : 0.0f);
    const float db = 10.0f * std::log10(sum / 3.0f + 1e-3f);
    if (rising) {
      high = std::max(high, db);
      if (db > high - kSyllableDipDb) continue;
      if (high > 10.0f * std::log10(least)) syllables++;
      rising = false;
      low = db;
    } else {
      low = std::min(low, db);
      if (db < low + kSyllableDipDb) continue;
      rising = true;
      high = db;
    }
  }
  if (rising && high > 10.0f * std::log10(least)) syllables++;
  return static_cast<float>(syllables) * 100.0f / static_cast<float>(energies.size() - from);
}

// Levels fit products of kWindow samples into 32 bits; relative levels are all that is asked.
void normalise(std::span<int16_t> pcm) {
  int32_t peak = 1;
  for (int16_t s : pcm) peak = std::max(peak, std::abs(int32_t{s}));
  for (int16_t& s : pcm) s = static_cast<int16_t>(int32_t{s} * 4000 / peak);
}

}  // namespace

void warmProsody() { (void)downBank(); }

Prosody prosodyOf(std::span<const int16_t> pcm, std::span<const float> energies) {
  Prosody found;
  found.syllablesPerS = paceOf(energies);
  const FilterBank& bank = downBank();
  const size_t half = bank.taps() / 2;
  if (pcm.size() > kProsodySamples) pcm = pcm.last(kProsodySamples);
  if (pcm.size() < 2 * half + (kWindow + kMaxLag) * bank.step()) return found;
  std::array<int16_t, kMostLow> low;
  // The first output that has all its inputs; the last one too.
  const size_t first = (half + bank.step() - 1) / bank.step();
  const size_t count = (pcm.size() - half) / bank.step() - first;
  filterBlock(bank, pcm.data(), 0, first, count, low.data());
  normalise({low.data(), count});
  std::array<Voiced, kMostFrames> frames;
  size_t voiced = 0;
  size_t voiceFrom = 0;
  size_t voiceTo = 0;
  for (size_t at = 0; at + kWindow + kMaxLag + 1 < count; at += kHop) {
    const float period = periodAt(&low[at]);
    if (period == 0.0f) continue;
    if (voiced == 0) voiceFrom = at;
    voiceTo = at + kWindow + static_cast<size_t>(period);
    const float before = static_cast<float>(count - at - kWindow / 2) / kLowHz;
    frames[voiced++] = {12.0f * std::log2(static_cast<float>(kLowHz) / period), -before};
  }
  found.pitchSlope = slopeOf({frames.data(), voiced});
  // The last windows that fit end up to a period before the audio does.
  if (voiceTo + kMaxLag + kHop >= count) voiceTo = count;
  if (voiced >= kFewestVoiced) found.levelDropDb = levelDropOf({low.data() + voiceFrom, voiceTo - voiceFrom});
  return found;
}

}  // namespace parley
