#include "window.h"

#include <algorithm>
#include <cmath>

namespace parley {
namespace {

constexpr int kBucket = 64;
constexpr int kMargin = 128;  // 2.56 s; with less the decoder repeats itself
constexpr size_t kCutSamples = 320;
constexpr float kSilence = 0.0010f;        // -60 dBFS: below it a G.711 line carries no speech
constexpr float kBelowLoudest = 0.03162f;  // 30 dB under the loudest frame
constexpr size_t kSteadyFrames = 40;       // 0.4 s: a shorter sound may be one vowel
constexpr float kSteadySpread = 1.7f;      // 4.6 dB between quiet and loud frames; one spoken word has more than 15

float level(std::span<const float> frame) {
  double sum = 0;
  for (const float sample : frame) sum += static_cast<double>(sample) * static_cast<double>(sample);
  return frame.empty() ? 0.0f : static_cast<float>(std::sqrt(sum / static_cast<double>(frame.size())));
}

std::vector<float> frameLevels(std::span<const float> audio) {
  std::vector<float> levels;
  for (size_t at = 0; at < audio.size(); at += kFrameSamples)
    levels.push_back(level(audio.subspan(at, std::min(kFrameSamples, audio.size() - at))));
  return levels;
}

}  // namespace

int audioContextFor(size_t samples, int modelContext) {
  const auto steps = static_cast<int>((samples + kSamplesPerContext - 1) / kSamplesPerContext) + kMargin;
  return std::min(modelContext, (steps + kBucket - 1) / kBucket * kBucket);
}

std::vector<std::pair<size_t, size_t>> splitAudio(std::span<const float> audio, size_t most) {
  std::vector<std::pair<size_t, size_t>> pieces;
  size_t from = 0;
  while (audio.size() - from > most) {
    size_t cut = from + most;
    float quietest = 2.0f;
    for (size_t at = from + most - most / 3; at + kCutSamples <= from + most; at += kCutSamples / 2) {
      const float here = level(audio.subspan(at, kCutSamples));
      if (here < quietest) {
        quietest = here;
        cut = at + kCutSamples / 2;
      }
    }
    pieces.emplace_back(from, cut);
    from = cut;
  }
  if (from < audio.size()) pieces.emplace_back(from, audio.size());
  return pieces;
}

std::vector<bool> voicedFrames(std::span<const float> audio) {
  const std::vector<float> levels = frameLevels(audio);
  const float loudest = levels.empty() ? 0.0f : *std::max_element(levels.begin(), levels.end());
  const float threshold = std::max(kSilence, loudest * kBelowLoudest);
  std::vector<bool> voiced(levels.size());
  for (size_t i = 0; i < levels.size(); i++) voiced[i] = levels[i] > threshold;
  return voiced;
}

bool steadySound(std::span<const float> audio) {
  std::vector<float> levels = frameLevels(audio);
  if (levels.size() < kSteadyFrames) return false;
  std::sort(levels.begin(), levels.end());
  const float low = levels[levels.size() / 20];
  const float high = levels[levels.size() - 1 - levels.size() / 20];
  return high < low * kSteadySpread;
}

}  // namespace parley
