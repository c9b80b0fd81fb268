// Cleaning before recognition. On a machine without libspeexdsp these say so and check that calls go on without.
#include "clean/cleaner.h"

#include <cmath>
#include <random>
#include <vector>

#include "clean/speexdsp.h"
#include "tap.h"
#include "tone.h"

using namespace parley;

namespace {

bool available() {
  if (SpeexDsp::find() != nullptr) return true;
  std::printf("# libspeexdsp is not here: only its absence is tested\n");
  CHECK(Cleaner::make(8000, 8000, {true, true}) == nullptr);
  return false;
}

struct Bed {
  explicit Bed(CleanOptions options, uint32_t callerHz = 8000, uint32_t sentHz = 8000) : cleaner(Cleaner::make(callerHz, sentHz, options)) {}
  void hear(std::span<const int16_t> pcm, uint8_t with = 0) {
    cleaner->push(pcm, with, [this](std::span<const int16_t> clean, uint8_t frameFlags) {
      out.insert(out.end(), clean.begin(), clean.end());
      flags.push_back(frameFlags);
    });
  }
  std::unique_ptr<Cleaner> cleaner;
  std::vector<int16_t> out;
  std::vector<uint8_t> flags;
};

std::vector<int16_t> noiseOf(size_t samples, double rms, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  std::vector<int16_t> pcm(samples);
  for (auto& sample : pcm) sample = static_cast<int16_t>(rms * normal(random));
  return pcm;
}

// Noise that comes in syllables, so that a canceller has something to hold on to.
std::vector<int16_t> voiceLike(size_t samples, double rms, uint32_t seed) {
  auto pcm = noiseOf(samples, rms, seed);
  double low = 0.0;
  for (size_t i = 0; i < pcm.size(); i++) {
    low = 0.7 * low + 0.6 * pcm[i];
    pcm[i] = static_cast<int16_t>(std::clamp(low * (i / 1600 % 3 == 2 ? 0.05 : 1.0), -30000.0, 30000.0));
  }
  return pcm;
}

}  // namespace

TEST("clean: nothing asked for is no cleaner; what comes out lies where it came in, one frame later, in any pieces") {
  CHECK(Cleaner::make(8000, 8000, {}) == nullptr);
  if (!available()) return;
  for (uint32_t rate : {8000u, 16000u}) {
    const size_t frame = rate / 100;
    Bed bed({.noise = true}, rate, rate);
    const auto tone = toneOf(rate, 1000, 6000, rate);
    std::vector<int16_t> pcm(rate, 0);
    pcm.insert(pcm.end(), tone.begin(), tone.end());
    for (size_t at = 0, step = 1; at < pcm.size(); at += step, step = 1 + (step * 7) % 500)
      bed.hear(std::span(pcm).subspan(at, std::min(step, pcm.size() - at)));
    CHECK_EQ(bed.out.size(), pcm.size() - frame);
    size_t onset = 0;
    while (onset < bed.out.size() && std::abs(bed.out[onset]) < 1500) onset++;
    CHECK_NEAR(onset, rate, 20.0 * rate / 8000);  // the line is where it was
  }
}

TEST("clean: flags stay with their frames") {
  if (!available()) return;
  Bed bed({.noise = true});
  for (uint8_t i = 0; i < 20; i++) bed.hear(std::vector<int16_t>(80, 0), i);
  CHECK_EQ(bed.flags.size(), 19u);
  for (uint8_t i = 0; i < 19; i++) CHECK_EQ(bed.flags[i], i);
  Bed halves({.noise = true});
  halves.hear(std::vector<int16_t>(120, 0), 1);
  halves.hear(std::vector<int16_t>(120, 0), 2);
  CHECK_EQ(halves.flags.size(), 2u);
  CHECK_EQ(halves.flags[0], 1);
  CHECK_EQ(halves.flags[1], 3);  // a frame that holds both is both
}

TEST("clean: steady noise falls by 10 dB, a tone over it stays, rumble goes") {
  if (!available()) return;
  Bed bed({.noise = true});
  auto pcm = noiseOf(32000, 300, 1);
  const auto tone = toneOf(8000, 1000, 6000, 8000);
  for (size_t i = 0; i < tone.size(); i++) pcm[24000 + i] = static_cast<int16_t>(pcm[24000 + i] + tone[i]);
  bed.hear(pcm);
  CHECK(decibel(rmsOf(std::span(bed.out).subspan(16000, 7000)) / 300.0) < -10.0);
  CHECK_NEAR(decibel(fitTone(std::span(bed.out).subspan(25000, 4000), 1000, 8000).amplitude / 6000.0), 0.0, 2.0);
  Bed car({.noise = true});
  car.hear(toneOf(16000, 60, 3000, 8000));
  CHECK(decibel(rmsOf(std::span(car.out).subspan(8000, 7000)) / 2121.0) < -30.0);
}

TEST("clean: our own voice is taken out, after any path, whatever the rates; the caller over it stays") {
  if (!available()) return;
  struct Rates {
    uint32_t caller, sent;
  };
  for (const Rates rates : {Rates{8000, 8000}, Rates{16000, 16000}, Rates{16000, 8000}, Rates{8000, 16000}})
    for (uint32_t delayMs : {40u, 200u}) {
      Bed bed({.echo = true}, rates.caller, rates.sent);
      const size_t seconds = 10;
      const auto sent = voiceLike(seconds * rates.sent, 3000, 3);
      std::vector<int16_t> heard(seconds * rates.caller);
      double smear = 0.0;
      for (size_t i = delayMs * rates.caller / 1000; i < heard.size(); i++) {
        const size_t from = (i - delayMs * rates.caller / 1000) * rates.sent / rates.caller;
        smear = 0.6 * smear + 0.4 * sent[from];
        heard[i] = static_cast<int16_t>(smear * 0.2);
      }
      const auto caller = toneOf(rates.caller, 700, 3000, rates.caller);
      std::copy(caller.begin(), caller.end(), heard.end() - static_cast<std::ptrdiff_t>(caller.size()));
      for (size_t slot = 0; slot < seconds * 50; slot++) {
        bed.cleaner->sent(std::span(sent).subspan(slot * rates.sent / 50, rates.sent / 50));
        bed.hear(std::span(heard).subspan(slot * rates.caller / 50, rates.caller / 50));
      }
      const size_t second = rates.caller;
      const double before = rmsOf(std::span(heard).subspan(7 * second, 2 * second));
      const double after = rmsOf(std::span(bed.out).subspan(7 * second, 2 * second));
      CHECK(decibel(after / before) < -12.0);
      CHECK(decibel(rmsOf(std::span(bed.out).subspan(9 * second + second / 4, second / 2)) / 2121.0) > -6.0);
    }
}

TEST("clean: packets that come in bursts, and nothing sent for long, do not lose the path") {
  if (!available()) return;
  Bed bed({.echo = true});
  const auto sent = voiceLike(12 * 8000, 3000, 5);
  std::vector<int16_t> heard(sent.size());
  for (size_t i = 800; i < heard.size(); i++) heard[i] = static_cast<int16_t>(sent[i - 800] / 5);
  size_t given = 0;
  std::mt19937 random(2);
  for (size_t slot = 0; slot < 600; slot++) {
    bed.cleaner->sent(std::span(sent).subspan(slot * 160, 160));
    // Up to three packets lie in the network; they come together.
    if (random() % 3 != 0 && slot - given < 3) continue;
    for (; given <= slot; given++) bed.hear(std::span(heard).subspan(given * 160, 160));
  }
  CHECK(decibel(rmsOf(std::span(bed.out).subspan(9 * 8000, 16000)) / rmsOf(std::span(heard).subspan(9 * 8000, 16000))) < -10.0);
  const auto voice = toneOf(8000, 700, 3000, 8000);
  for (int i = 0; i < 100; i++) {
    bed.cleaner->sent(std::vector<int16_t>(160, 0));
    bed.hear(std::vector<int16_t>(160, 0));
  }
  const size_t at = bed.out.size();
  for (size_t i = 0; i < 50; i++) {
    bed.cleaner->sent(std::vector<int16_t>(160, 0));
    bed.hear(std::span(voice).subspan(i * 160, 160));
  }
  CHECK_NEAR(decibel(rmsOf(std::span(bed.out).subspan(at + 2000, 5000)) / 2121.0), 0.0, 3.0);
}
