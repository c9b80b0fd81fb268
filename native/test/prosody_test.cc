// Melody, level and pace of vowels whose contours are known.
#include "dsp/prosody.h"

#include <cmath>
#include <functional>
#include <numbers>
#include <random>
#include <vector>

#include "tap.h"

using namespace parley;

namespace {

struct Vowel {
  double seconds = 0.64;
  std::function<double(double)> hz = [](double) { return 120.0; };
  std::function<double(double)> level = [](double) { return 4000.0; };
  double lowestHz = 300.0;  // a telephone line carries 300 to 3400 Hz
  double highestHz = 3400.0;
  double noise = 0.0;
};

// Harmonics that fall by 6 dB per octave, as a voice has them.
std::vector<int16_t> speak(const Vowel& vowel) {
  std::vector<int16_t> pcm(static_cast<size_t>(vowel.seconds * kProsodyRateHz));
  std::mt19937 random(1);
  std::normal_distribution<double> normal;
  double phase = 0.0;
  for (size_t n = 0; n < pcm.size(); n++) {
    const double at = static_cast<double>(n) / kProsodyRateHz;
    const double hz = vowel.hz(at);
    phase += 2.0 * std::numbers::pi * hz / kProsodyRateHz;
    double sum = 0.0;
    for (int k = 1; k * hz <= vowel.highestHz; k++)
      if (k * hz >= vowel.lowestHz) sum += std::sin(k * phase + 0.3 * k * k) / k;
    pcm[n] = static_cast<int16_t>(sum * vowel.level(at) + vowel.noise * normal(random));
  }
  return pcm;
}

std::vector<float> energiesOf(const std::vector<int16_t>& pcm) {
  std::vector<float> energies(pcm.size() / 160);
  for (size_t i = 0; i < pcm.size() / 160 * 160; i++) energies[i / 160] += static_cast<float>(pcm[i]) * static_cast<float>(pcm[i]) / 160.0f;
  return energies;
}

Prosody of(const Vowel& vowel) {
  const auto pcm = speak(vowel);
  const auto energies = energiesOf(pcm);
  return prosodyOf({pcm.data(), pcm.size()}, {energies.data(), energies.size()});
}

std::function<double(double)> gliding(double hz, double semitonesPerS) {
  return [=](double at) { return hz * std::exp2(at * semitonesPerS / 12.0); };
}

}  // namespace

TEST("prosody: the slope of the pitch, for deep and high voices, over a telephone line, in noise") {
  for (double hz : {85.0, 120.0, 210.0, 300.0})
    for (double slope : {-20.0, -8.0, 0.0, 12.0})
      for (double noise : {0.0, 300.0}) {
        const Prosody found = of({.hz = gliding(hz, slope), .noise = noise});
        CHECK_NEAR(found.pitchSlope, slope, 1.5);
      }
}

TEST("prosody: only the last half second counts for the slope") {
  const Prosody found = of({.hz = [](double at) { return at < 0.2 ? 140.0 * std::exp2(at) : 140.0 * std::exp2(0.2 - (at - 0.2)); }});
  CHECK_NEAR(found.pitchSlope, -12.0, 3.0);
}

TEST("prosody: a voice that dies away, and one that does not") {
  CHECK_NEAR(of({}).levelDropDb, 0.0, 0.5);
  CHECK_NEAR(of({.level = [](double at) { return at < 0.53 ? 4000.0 : 1000.0; }}).levelDropDb, -12.0, 2.0);
  CHECK_NEAR(of({.level = [](double at) { return at < 0.53 ? 1000.0 : 4000.0; }}).levelDropDb, 12.0, 2.0);
}

TEST("prosody: syllables are counted by their humps, whatever the level") {
  for (double perS : {2.5, 4.0, 6.0})
    for (double loud : {300.0, 6000.0}) {
      const auto hump = [=](double at) { return loud * (0.52 - 0.48 * std::cos(2.0 * std::numbers::pi * perS * at)); };
      CHECK_NEAR(of({.seconds = 1.6, .level = hump}).syllablesPerS, perS, 0.7);
    }
}

TEST("prosody: noise, silence, a short vowel and nothing at all have none") {
  const auto none = [](float value) { return std::isnan(value); };
  const Prosody hiss = of({.level = [](double) { return 0.0; }, .noise = 3000.0});
  CHECK(none(hiss.pitchSlope) && none(hiss.levelDropDb));
  const Prosody silence = of({.level = [](double) { return 0.0; }});
  CHECK(none(silence.pitchSlope) && none(silence.levelDropDb) && none(silence.syllablesPerS));
  const Prosody shortVowel = of({.seconds = 0.12});
  CHECK(none(shortVowel.pitchSlope) && none(shortVowel.levelDropDb) && none(shortVowel.syllablesPerS));
  const Prosody nothing = prosodyOf({}, {});
  CHECK(none(nothing.pitchSlope) && none(nothing.levelDropDb) && none(nothing.syllablesPerS));
}

TEST("prosody: full scale and the loudest negative sample stay within their integers") {
  std::vector<int16_t> square(kProsodySamples + 500);
  for (size_t i = 0; i < square.size(); i++) square[i] = i / 64 % 2 == 0 ? int16_t{32767} : int16_t{-32768};
  const Prosody found = prosodyOf({square.data(), square.size()}, {});
  CHECK_NEAR(found.pitchSlope, 0.0, 0.5);
}
