// The level of a line on which nobody speaks: the smallest smoothed energy of the last one to two windows of 0.8 s.
#pragma once
#include <algorithm>
#include <cstdint>

namespace parley {

struct NoiseFloor {
  static constexpr uint32_t kWindowFrames = 80;
  static constexpr float kSmallest = 26.0f * 26.0f;
  static constexpr float kMinimumBias = 1.5f;  // the minimum of a smoothed noise lies below its mean

  float smooth = 0.0f;
  float older = 0.0f;
  float oldest = 0.0f;
  float windowMin = 1e12f;
  float lastWindowMin = 1e12f;
  uint32_t windowFrames = 0;

  void learn(float energy, bool inSpeech) {
    smooth += (energy - smooth) * 0.3f;
    // The gaps between a talker's words are too short for the mean: it would take the words themselves for the floor, and lose
    // their ends. Not single frames either: those of a car vary so much that the quietest lies far below the noise.
    const float gap = (energy + older + oldest) / 3.0f;
    oldest = older;
    older = energy;
    const float quiet = inSpeech ? std::min(smooth, gap) : smooth;
    windowMin = std::min(windowMin, quiet);
    if (++windowFrames < kWindowFrames) return;
    lastWindowMin = windowMin;
    windowMin = quiet;
    windowFrames = 0;
  }

  float level(float smallest = kSmallest) const { return std::max(smallest, std::min(windowMin, lastWindowMin) * kMinimumBias); }
};

}  // namespace parley
