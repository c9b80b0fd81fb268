#include "gate/voice_hint.h"

#include <algorithm>

namespace parley {

namespace {
constexpr float kDecay = 0.9908f;     // -4 dB per second of our own speech
constexpr float kVoiceMargin = 4.0f;  // 6 dB
constexpr float kHissMargin = 8.0f;   // 9 dB: hiss comes in short bursts, which a line returns unevenly
constexpr float kSpeaking = 100.0f * 100.0f;  // what we say more softly tells nothing about the echo
constexpr float kSmallestFloor = 4.0f * 4.0f;
constexpr uint32_t kPauseFrames = 6;
}  // namespace

void EchoReturn::learn(float energy, float reference, bool sign, bool voice) {
  if (voice) {
    unsure_.fill(0.0f);
    afterVoice_ = kDelayFrames;
    return;
  }
  const bool speaking = reference > kSpeaking;
  const float seen = speaking && afterVoice_ == 0 ? energy / reference * margin_ : 0.0f;
  if (afterVoice_ > 0) afterVoice_--;
  const float late = unsure_[at_];
  unsure_[at_] = sign ? seen : 0.0f;
  at_ = (at_ + 1) % kDelayFrames;
  const float kept = speaking ? coupling_ * kDecay : coupling_;
  coupling_ = std::clamp(std::max({kept, late, sign ? 0.0f : seen}), best_, worst_);
}

VoiceHint::VoiceHint(const VoiceHintConfig& config)
    : config_(config),
      voiceEcho_(kVoiceMargin, config.echoWorst, config.echoBest),
      hissEcho_(kHissMargin, config.hissEchoWorst, config.echoBest) {}

uint32_t VoiceHint::frame(const HintFrame& frame, const NoiseFloor& noise, const NoiseFloor& hissNoise) {
  const auto above = [&](float energy, float leastRms, float noiseFloor, float echo) {
    return frame.natural && energy > std::max({leastRms * leastRms, noiseFloor, echo});
  };
  const float floor = noise.level(kSmallestFloor) * config_.overNoise;
  const float hissFloor = hissNoise.level(kSmallestFloor) * config_.hissOverNoise;
  const bool voice = above(frame.energy, config_.minRms, floor, voiceEcho_.expected(frame.sentEnergy));
  const bool hiss = above(frame.hiss, config_.minHissRms, hissFloor, hissEcho_.expected(frame.sentHiss));
  const bool sign = voice || hiss;
  if (frame.natural) {
    voiceEcho_.learn(frame.energy, frame.sentEnergy, sign, frame.voice);
    hissEcho_.learn(frame.hiss, frame.sentHiss, sign, frame.voice);
  }
  quiet_ = sign ? 0 : quiet_ + 1;
  row_ = sign ? row_ + 1 : 0;
  voiceRow_ = voice ? voiceRow_ + 1 : 0;
  if (frame.open) told_ = true;
  if (quiet_ >= kPauseFrames) told_ = false;
  const bool enough = voiceRow_ >= config_.frames || row_ > config_.frames;
  if (told_ || config_.frames == 0 || !enough) return 0;
  told_ = true;
  return row_;
}

}  // namespace parley
