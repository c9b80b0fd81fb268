#include "gate/talk_gate.h"

#include <algorithm>
#include <bit>

namespace parley {

namespace {
constexpr uint32_t kNoiseWindowFrames = 80;
constexpr float kSmallestFloor = 26.0f * 26.0f;
constexpr float kMinimumBias = 1.5f;      // the minimum of a smoothed noise lies below its mean
constexpr float kCouplingDecay = 0.9954f; // -2 dB per second of our own speech
constexpr float kCouplingMargin = 4.0f;   // stay 6 dB above what was seen
}  // namespace

int64_t TalkGate::energyOf(std::span<const int16_t> pcm) {
  // Halves of a square fit 32 bits for a whole frame: high and low parts are summed apart, so the loop vectorises.
  uint32_t high = 0;
  uint32_t low = 0;
  for (int16_t sample : pcm) {
    const auto square = static_cast<uint32_t>(sample * sample);
    high += square >> 16;
    low += square & 0xffff;
  }
  return (static_cast<int64_t>(high) << 16) + low;
}

void TalkGate::sent(std::span<const int16_t> pcm) {
  while (!pcm.empty()) {
    const auto part = pcm.first(std::min(pcm.size(), sentFrame_ - sentFilled_));
    pcm = pcm.subspan(part.size());
    sentSum_ += energyOf(part);
    sentFilled_ += part.size();
    if (sentFilled_ < sentFrame_) continue;
    sentEnergy_[sentAt_] = static_cast<float>(sentSum_) / static_cast<float>(sentFrame_);
    sentAt_ = (sentAt_ + 1) % kSentFrames;
    sentSum_ = 0;
    sentFilled_ = 0;
  }
}

float TalkGate::echoReference() const {
  float most = 0.0f;
  const size_t window = std::min<size_t>(config_.echoWindowFrames, kSentFrames);
  for (size_t i = 1; i <= window; i++) most = std::max(most, sentEnergy_[(sentAt_ + kSentFrames - i) % kSentFrames]);
  return most;
}

void TalkGate::learnNoise(float energy) {
  smooth_ += (energy - smooth_) * 0.3f;
  // The gaps between a talker's words are too short for the mean: it would take the words themselves for the floor, and lose their ends.
  const float quiet = open_ ? std::min(smooth_, energy) : smooth_;
  windowMin_ = std::min(windowMin_, quiet);
  if (++windowFrames_ < kNoiseWindowFrames) return;
  lastWindowMin_ = windowMin_;
  windowMin_ = quiet;
  windowFrames_ = 0;
}

// A line that returns little of our voice earns a lower threshold, so that quiet callers can interrupt.
void TalkGate::learnEcho(float energy, float reference) {
  const float seen = energy / reference * kCouplingMargin;
  coupling_ = std::max(coupling_ * kCouplingDecay, seen);
  coupling_ = std::clamp(coupling_, config_.echoBest, config_.echoWorst);
}

TalkGateEdge TalkGate::frame(float energy, bool natural) {
  if (coupling_ < 0.0f) coupling_ = config_.echoWorst;
  changed_ = false;
  const float minimum = config_.minRms * config_.minRms;
  float threshold = minimum;
  if (natural) {
    learnNoise(energy);
    const float floor = std::max(kSmallestFloor, std::min(windowMin_, lastWindowMin_) * kMinimumBias);
    threshold = std::max(threshold, floor * config_.overNoise);
  }
  const float reference = echoReference();
  const bool weSpeak = reference > minimum * 4.0f;
  if (weSpeak) threshold = std::max(threshold, reference * coupling_);
  const bool voiced = natural && energy > threshold;
  if (weSpeak && natural && !voiced && !open_) learnEcho(energy, reference);

  recent_ = (recent_ << 1) | (voiced ? 1u : 0u);
  if (voiced) lastVoicedEnd_ = position_;
  const auto last = [this](uint32_t frames) { return recent_ & ((1u << frames) - 1u); };
  const auto count = [&](uint32_t frames) { return static_cast<uint32_t>(std::popcount(last(frames))); };
  if (!open_) {
    if (count(config_.openWindowFrames) < config_.openFrames) return {};
    open_ = true;
    return opened(last(config_.openWindowFrames));
  }
  if (paused_ && count(config_.resumeWindowFrames) >= config_.resumeFrames) return opened(last(config_.resumeWindowFrames));
  const uint64_t silent = position_ - lastVoicedEnd_;
  const bool over = silent >= static_cast<uint64_t>(config_.hangoverFrames) * frame_;
  const bool pause = config_.pauseFrames > 0 && silent >= static_cast<uint64_t>(config_.pauseFrames) * frame_;
  if (over) open_ = false;
  if (!over && (!pause || paused_)) return {};
  changed_ = !paused_;  // an end that was told as a pause is not told again
  paused_ = !over;
  recent_ = 0;
  return {false, lastVoicedEnd_};
}

TalkGateEdge TalkGate::opened(uint32_t window) {
  changed_ = true;
  paused_ = false;
  const auto oldest = static_cast<uint32_t>(std::bit_width(window));
  return {true, position_ - static_cast<uint64_t>(oldest) * frame_};
}

}  // namespace parley
