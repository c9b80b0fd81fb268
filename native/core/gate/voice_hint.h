// The first sign of a voice while we speak, before the talk gate opens: two or three frames of 10 ms that are no noise of the line
// and no echo of ours. It looks below the gate's threshold and at hiss, for words that begin with s, f or h. What follows a hint can be
// taken back, so it may be wrong about a click, but not about our own voice.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

#include "gate/noise_floor.h"

namespace parley {

struct VoiceHintConfig {
  uint32_t frames = 2;       // in a row, one more where there is hiss alone: the end of a click hisses; 0: never
  float minRms = 40.0f;      // nothing below this is a voice (-58 dBov)
  float overNoise = 8.0f;    // energy ratio to the noise floor (9 dB)
  float minHissRms = 30.0f;  // the same of the first difference
  float hissOverNoise = 8.0f;
  float echoWorst = 0.04f;  // energy ratio: our echo may come back at -14 dB until the line has proved better, down to -40 dB
  float echoBest = 0.0001f;
  float hissEchoWorst = 0.2f;  // a line may return hiss better than voice: -7 dB
};

// How much of what we send comes back, by energy: what was seen at worst, forgotten by 4 dB per second of our speech. What lies
// within the expectation is learnt at once; what lies above it may be a caller who speaks softly over us: it is learnt 240 ms
// later, if no voice was near it.
class EchoReturn {
 public:
  EchoReturn(float margin, float worst, float best) : margin_(margin), worst_(worst), best_(best), coupling_(worst) {}
  // One frame. `reference`: the most we sent within the echo window; `sign`: it may be a voice; `voice`: somebody speaks.
  void learn(float energy, float reference, bool sign, bool voice);
  float expected(float reference) const { return reference * coupling_; }

 private:
  static constexpr size_t kDelayFrames = 24;
  float margin_;  // stay so far above what was seen
  float worst_;
  float best_;
  float coupling_;
  std::array<float, kDelayFrames> unsure_{};
  size_t at_ = 0;
  size_t afterVoice_ = 0;  // frames that may be the end of a voice
};

// One frame of 10 ms: of the caller, and the most of what was sent within the echo window. Mean squares of the signal and of half
// its first difference.
struct HintFrame {
  float energy;
  float hiss;
  float sentEnergy;
  float sentHiss;
  bool natural;  // false: filled in
  bool voice;    // the talk gate hears a voice, or is open after one
  bool open;     // it is open, and not in a pause: there is nothing to hint at
};

class VoiceHint {
 public:
  explicit VoiceHint(const VoiceHintConfig& config = {});
  // How many frames ago what may be a voice began; 0: nothing new. Told once for each candidate: the next one comes after 60 ms
  // without a sign.
  uint32_t frame(const HintFrame& frame, const NoiseFloor& noise, const NoiseFloor& hissNoise);

 private:
  VoiceHintConfig config_;
  EchoReturn voiceEcho_;
  EchoReturn hissEcho_;
  uint32_t row_ = 0;  // frames with a sign
  uint32_t voiceRow_ = 0;
  uint32_t quiet_ = 0;
  bool told_ = false;
};

}  // namespace parley
