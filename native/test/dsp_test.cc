// The mask of dsp/filter_bank.h, measured with tones; concealment.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>
#include <vector>

#include "dsp/concealer.h"
#include "dsp/filter_bank.h"
#include "dsp/upsampler.h"
#include "playout/playout.h"
#include "tap.h"
#include "tone.h"
#include "util/simd.h"

using namespace parley;

constexpr size_t kFrame = 160;  // 20 ms at 8 kHz

namespace {

class NoEvents final : public PlayoutSink {
 public:
  void playoutEvent(const PlayoutEvent&) override {}
};

// One clip of `pcm` at `rateHz`, rendered frame by frame.
std::vector<int16_t> playAll(std::vector<int16_t> pcm, uint32_t rateHz) {
  NoEvents sink;
  Playout playout(sink);
  playout.open(8000);
  auto bank = rateHz == 8000 ? nullptr : std::make_shared<const FilterBank>(rateHz, 8000);
  Clip clip(1, rateHz, false, bank, {});
  // Pieces of odd sizes, as a synthesiser delivers them.
  for (size_t at = 0, piece = 1; at < pcm.size(); at += piece, piece = piece * 5 % 1999 + 1)
    clip.append(std::span(pcm).subspan(at, std::min(piece, pcm.size() - at)));
  clip.end();
  playout.add(&clip);
  std::vector<int16_t> out;
  std::array<int16_t, kFrame> frame;
  while (!playout.silent()) {
    playout.render(frame);
    out.insert(out.end(), frame.begin(), frame.end());
  }
  return out;
}

std::vector<int16_t> upsample(const std::vector<int16_t>& pcm, size_t chunk) {
  Upsampler upsampler;
  std::vector<int16_t> out(pcm.size() * 2);
  for (size_t at = 0; at < pcm.size(); at += chunk) {
    const size_t n = std::min(chunk, pcm.size() - at);
    upsampler.process(std::span(pcm).subspan(at, n), &out[2 * at]);
  }
  return out;
}

}  // namespace

TEST("resampling: to 8 kHz the pass band is flat and tones above are gone, from every rate") {
  for (uint32_t rate : {11025u, 12000u, 16000u, 22050u, 24000u, 32000u, 44100u, 48000u}) {
    double least = 1e9;
    double most = -1e9;
    for (double hz = 200; hz <= 3400; hz += 200) {
      const auto out = playAll(toneOf(rate, hz, 16384, rate), rate);
      const double gain = decibel(fitTone(middle(out), hz, 8000).amplitude / 16384.0);
      least = std::min(least, gain);
      most = std::max(most, gain);
    }
    CHECK(least > -0.05);
    CHECK(most < 0.05);
    double alias = -1e9;
    for (double hz = 4600; hz < 0.49 * rate; hz += 370) {
      const auto out = playAll(toneOf(rate, hz, 16384, rate), rate);
      alias = std::max(alias, decibel(rmsOf(middle(out)) / (16384.0 / std::sqrt(2.0))));
    }
    std::printf("# %u -> 8000: ripple %.4f dB, alias %.1f dB\n", rate, most - least, alias);
    CHECK(alias < -65.0);
  }
}

TEST("resampling: 8 to 16 kHz is flat, its images are gone, its delay is at most 2 ms, and chunks do not matter") {
  double least = 1e9;
  double most = -1e9;
  double image = -1e9;
  for (double hz = 200; hz <= 3400; hz += 200) {
    const auto out = upsample(toneOf(8000, hz, 16384, 8000), 160);
    const ToneFit fit = fitTone(middle(out), hz, 16000);
    least = std::min(least, decibel(fit.amplitude / 16384.0));
    most = std::max(most, decibel(fit.amplitude / 16384.0));
    image = std::max(image, decibel(fit.residual / (16384.0 / std::sqrt(2.0))));
  }
  std::printf("# 8000 -> 16000: ripple %.4f dB, image %.1f dB\n", most - least, image);
  CHECK(least > -0.05);
  CHECK(most < 0.05);
  CHECK(image < -65.0);
  std::vector<int16_t> pulse(200, 0);
  pulse[50] = 20000;
  const auto out = upsample(pulse, 160);
  const auto peak = std::max_element(out.begin(), out.end()) - out.begin();
  CHECK_EQ(peak, 100 + 32);
  const auto noise = toneOf(5000, 1234, 20000, 8000);
  CHECK(upsample(noise, 160) == upsample(noise, 1));
  CHECK(upsample(noise, 160) == upsample(noise, 1472));
}

TEST("resampling: every instruction set gives the same samples") {
  std::mt19937 random(5);
  std::vector<int16_t> noise(20000);
  for (auto& sample : noise) sample = static_cast<int16_t>(random());
  std::vector<std::vector<int16_t>> results[2];
  for (int wide = 0; wide < 2; wide++) {
    simdAllowed() = wide == 1;
    results[wide].push_back(upsample(noise, 160));
    for (uint32_t rate : {11025u, 12000u, 16000u, 22050u, 24000u, 32000u, 44100u, 48000u}) results[wide].push_back(playAll(noise, rate));
  }
  simdAllowed() = true;
  CHECK(results[0] == results[1]);
}

TEST("resampling: full-scale square waves clip, they do not wrap") {
  std::vector<int16_t> square(8000);
  for (size_t i = 0; i < square.size(); i++) square[i] = i / 20 % 2 == 0 ? 32767 : -32768;
  const auto out = upsample(square, 160);
  // In the middle of a half wave the sign is the input's.
  for (size_t half = 10; half < 300; half++) CHECK_EQ(out[half * 40 + 20 + 32] > 0, half % 2 == 0);
}

TEST("concealment: a tone goes on for 10 ms, fades, is silent after 60 ms, and comes back without a click") {
  Concealer concealer;
  concealer.open(8000);
  auto pcm = toneOf(1600, 200, 10000, 8000);
  for (size_t at = 0; at < 1600; at += 160) concealer.good(std::span(pcm).subspan(at, 160));
  std::vector<int16_t> hole(800);
  concealer.fill(std::span(hole).first(160));
  concealer.fill(std::span(hole).subspan(160));
  const auto truth = toneOf(2400, 200, 10000, 8000);
  for (size_t i = 0; i < 80; i++) CHECK_NEAR(hole[i], truth[1600 + i], 600);
  CHECK(rmsOf(std::span(hole).subspan(0, 80)) > 6000);
  CHECK(rmsOf(std::span(hole).subspan(400, 80)) < 3000);
  for (size_t i = 480; i < 800; i++) CHECK_EQ(hole[i], 0);
  auto after = toneOf(160, 200, 10000, 8000);
  for (auto& sample : after) sample = 10000;
  concealer.good(after);
  CHECK(after[0] < 1000);
  CHECK_EQ(after[159], 10000);
  CHECK_EQ(after[40], 10000);
}
