// The talk gate: says where the caller's voice begins and ends, from energy alone, in 10 ms frames.
// It is a cheap first stage: it must not miss speech; a false opening costs a decode, not a wrong word.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "gate/noise_floor.h"
#include "gate/voice_hint.h"
#include "util/prefetch.h"

namespace parley {

struct TalkGateConfig {
  float minRms = 120.0f;            // nothing below this is speech (-49 dBov)
  float overNoise = 8.0f;           // energy ratio to the noise floor (9 dB)
  // A voice that is open dies away below what opened it: it lasts while it is above this share of the threshold and above the
  // noise by this much. Hiss (what a first difference leaves: s, f, t) lasts by its own noise floor, unless we speak: an echo of
  // our own s must not hold the gate open. 1, 0, 0: one threshold for all.
  float closeShare = 0.1f;
  float closeOverNoise = 4.0f;
  float hissOverNoise = 4.0f;
  // Sound that a finer ear should judge: less sure than a voice, and told again while it goes on without becoming one. 0 frames: never.
  uint32_t nearFrames = 0;          // 10 ms frames ...
  uint32_t nearWindowFrames = 3;    // ... within this many
  uint32_t nearAgainFrames = 12;
  float nearMinRms = 60.0f;
  float nearOverNoise = 2.0f;       // 3 dB
  uint32_t openFrames = 4;          // voiced 10 ms frames ...
  uint32_t openWindowFrames = 6;    // ... within this many
  uint32_t hangoverFrames = 20;     // unvoiced frames until the gate closes
  // Pauses inside an open gate, 0: not told. A turn that ends is known after this many unvoiced frames, not after the
  // hangover; a voice that goes on within the hangover is told after fewer voiced frames than an opening needs.
  uint32_t pauseFrames = 0;
  uint32_t resumeFrames = 3;
  uint32_t resumeWindowFrames = 4;
  float echoWorst = 0.04f;          // energy ratio: an echo of our voice may come back at -14 dB ...
  float echoBest = 0.0001f;         // ... until the line has proved better, down to -40 dB
  uint32_t echoWindowFrames = 30;   // how long a sent frame may take to come back
  VoiceHintConfig hint{};           // what may become an opening, told at once
};

struct TalkGateEdge {
  bool open;        // voice begins or goes on; false: it ends or pauses
  uint64_t sample;  // at the caller's rate: first voiced sample, or one past the last voiced one
};

class TalkGate {
 public:
  // Rates of what comes and of what we send: 8000 or 16000.
  explicit TalkGate(uint32_t callerHz = 8000, uint32_t sentHz = 8000, const TalkGateConfig& config = {})
      : config_(config), frame_(callerHz / 100), sentFrame_(sentHz / 100), hint_(config.hint) {}

  // What we sent, for the echo threshold; any length.
  void sent(std::span<const int16_t> pcm);

  // Caller audio in order; calls `edge(TalkGateEdge)` for each change. `natural` is false for filled or silent audio,
  // which neither opens the gate nor teaches the noise floor. `hint(sample)`: a voice may have begun there, once per candidate;
  // an edge that opens follows within the opening window, or it was nothing. `near(sample)`: see TalkGateConfig.
  template <typename OnEdge, typename OnHint = void (*)(uint64_t), typename OnNear = void (*)(uint64_t)>
  void push(
      std::span<const int16_t> pcm, bool natural, OnEdge&& edge, OnHint&& hint = [](uint64_t) {}, OnNear&& near = [](uint64_t) {}) {
    while (!pcm.empty()) {
      const auto part = pcm.first(std::min(pcm.size(), frame_ - filled_));
      pcm = pcm.subspan(part.size());
      energy_ += energyOf(part);
      hiss_ += hissOf(part, before_);
      natural_ = natural_ && natural;
      filled_ += part.size();
      if (filled_ < frame_) continue;
      position_ += frame_;
      const float samples = static_cast<float>(frame_);
      const TalkGateEdge change = frame(static_cast<float>(energy_) / samples, static_cast<float>(hiss_) / samples, natural_);
      energy_ = hiss_ = 0;
      filled_ = 0;
      natural_ = true;
      if (near_) near(position_ - uint64_t{config_.nearWindowFrames} * frame_);
      if (hintedFrames_ > 0) hint(position_ - uint64_t{hintedFrames_} * frame_);
      if (changed_) edge(change);
    }
  }

  bool open() const { return open_; }
  // What the next push() reads and writes.
  void warm() const {
    prefetchTo(this, &heard_);
    prefetch(&heard_[position_ / frame_ % kHeardRing], sizeof(float));
    prefetchTo(&sentAt_, this + 1);
  }
  // For an edge that closes: where its stretch began, pauses shorter than the hangover included, and the mean squares of its
  // newest 10 ms frames up to the edge. Returns how many were written.
  static constexpr size_t kHeardFrames = 160;
  uint64_t stretchFrom() const { return stretchFrom_; }
  size_t heard(const TalkGateEdge& edge, std::array<float, kHeardFrames>& out) const;
  // True while our own voice was sent within the echo window.
  bool echoPossible() const { return loudest_.energy > config_.minRms * config_.minRms * 0.25f; }

 private:
  static constexpr size_t kSentFrames = 64;
  struct Loudest {
    float energy = 0.0f;
    uint32_t age = 0;  // frames ago
  };
  // Sum of squares of at most one frame; the same of half its first difference, `before` being the sample before it.
  static int64_t energyOf(std::span<const int16_t> pcm);
  static int64_t hissOf(std::span<const int16_t> pcm, int16_t& before);
  TalkGateEdge frame(float energy, float hiss, bool natural);
  void lookForNear(bool sound);
  TalkGateEdge opened(uint32_t window);
  void learnEcho(float energy, float reference);
  void noteLoudest(const std::array<float, kSentFrames>& ring, Loudest& loudest) const;

  TalkGateConfig config_;
  size_t frame_;
  size_t sentFrame_;
  // Frame under way.
  int64_t energy_ = 0;
  int64_t hiss_ = 0;
  int16_t before_ = 0;  // the sample before it
  size_t filled_ = 0;
  bool natural_ = true;
  uint64_t position_ = 0;  // samples of whole frames
  // Decision.
  bool open_ = false;
  bool paused_ = false;
  bool changed_ = false;
  uint32_t recent_ = 0;  // voiced flags, newest in bit 0
  uint64_t lastVoicedEnd_ = 0;
  VoiceHint hint_;
  uint32_t hintedFrames_ = 0;  // ago; 0: no hint
  bool near_ = false;        // told of with this frame
  uint32_t nearRecent_ = 0;  // flags, newest in bit 0
  uint32_t nearAge_ = 0;     // frames since it was told
  NoiseFloor noise_;
  NoiseFloor hissNoise_;
  // Energies of heard frames, by their number.
  static constexpr size_t kHeardRing = 192;  // with room for the hangover
  std::array<float, kHeardRing> heard_{};
  uint64_t stretchFrom_ = 0;
  // Echo: energies of sent frames, and how much of it came back at worst.
  std::array<float, kSentFrames> sentEnergy_{};
  std::array<float, kSentFrames> sentHiss_{};
  size_t sentAt_ = 0;
  Loudest loudest_;  // of what was sent within the echo window
  Loudest loudestHiss_;
  int64_t sentSum_ = 0;
  int64_t sentHissSum_ = 0;
  int16_t sentBefore_ = 0;
  size_t sentFilled_ = 0;
  float coupling_ = -1.0f;
};

}  // namespace parley
