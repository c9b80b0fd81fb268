// How a voice sounded before a pause: melody, level and pace of its last stretch. Computed once per pause, not per frame.
#pragma once
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace parley {

// NaN where there was too little voice to tell.
struct Prosody {
  static constexpr float kUnknown = std::numeric_limits<float>::quiet_NaN();
  float pitchSlope = kUnknown;     // semitones per second over the last voiced 300 to 500 ms: a fall is negative
  float levelDropDb = kUnknown;    // the last voiced 100 ms against the voiced stretch before it: dying away is negative
  float syllablesPerS = kUnknown;  // over `energies`
};

constexpr uint32_t kProsodyRateHz = 16000;
constexpr size_t kProsodySamples = kProsodyRateHz * 64 / 100;  // what melody and level look at, at most

// `pcm`: 16 kHz, at most kProsodySamples, its end is the end of the voice. `energies`: mean squares of 10 ms frames up to the
// same end, of the whole stretch (1.6 s are enough). Pitch is found by normalised autocorrelation at 4 kHz: telephone lines
// cut the fundamental off and keep it in its harmonics.
Prosody prosodyOf(std::span<const int16_t> pcm, std::span<const float> energies);
// Builds its tables now, so that the first pause does not.
void warmProsody();

}  // namespace parley
