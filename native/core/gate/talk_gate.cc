#include "gate/talk_gate.h"

#include <algorithm>
#include <bit>

namespace parley {

namespace {
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
    sentHissSum_ += hissOf(part, sentBefore_);
    sentFilled_ += part.size();
    if (sentFilled_ < sentFrame_) continue;
    sentEnergy_[sentAt_] = static_cast<float>(sentSum_) / static_cast<float>(sentFrame_);
    sentHiss_[sentAt_] = static_cast<float>(sentHissSum_) / static_cast<float>(sentFrame_);
    noteLoudest(sentEnergy_, loudest_);
    noteLoudest(sentHiss_, loudestHiss_);
    sentAt_ = (sentAt_ + 1) % kSentFrames;
    sentSum_ = sentHissSum_ = 0;
    sentFilled_ = 0;
  }
}

// The loudest frame of the window, looked for again only when it has left the window.
void TalkGate::noteLoudest(const std::array<float, kSentFrames>& ring, Loudest& loudest) const {
  const auto window = static_cast<uint32_t>(std::min<size_t>(config_.echoWindowFrames, kSentFrames));
  if (window == 0) return;
  const float newest = ring[sentAt_];
  if (newest >= loudest.energy) {
    loudest = {newest, 0};
    return;
  }
  if (++loudest.age < window) return;
  loudest = {newest, 0};
  for (uint32_t age = 1; age < window; age++) {
    const float sent = ring[(sentAt_ + kSentFrames - age) % kSentFrames];
    if (sent > loudest.energy) loudest = {sent, age};
  }
}

// Halved first, so that a square fits 32 bits.
int64_t TalkGate::hissOf(std::span<const int16_t> pcm, int16_t& before) {
  if (pcm.empty()) return 0;
  uint32_t high = 0;
  uint32_t low = 0;
  const auto add = [&](int32_t from, int32_t to) {
    const int32_t step = (to - from) / 2;
    const auto square = static_cast<uint32_t>(step * step);
    high += square >> 16;
    low += square & 0xffff;
  };
  add(before, pcm[0]);
  // Neighbours, not a running sample: so the loop vectorises.
  for (size_t i = 1; i < pcm.size(); i++) add(pcm[i - 1], pcm[i]);
  before = pcm.back();
  return (static_cast<int64_t>(high) << 16) + low;
}

// A line that returns little of our voice earns a lower threshold, so that quiet callers can interrupt.
void TalkGate::learnEcho(float energy, float reference) {
  const float seen = energy / reference * kCouplingMargin;
  coupling_ = std::max(coupling_ * kCouplingDecay, seen);
  coupling_ = std::clamp(coupling_, config_.echoBest, config_.echoWorst);
}

TalkGateEdge TalkGate::frame(float energy, float hiss, bool natural) {
  if (coupling_ < 0.0f) coupling_ = config_.echoWorst;
  changed_ = false;
  heard_[(position_ / frame_ - 1) % kHeardRing] = energy;
  const float minimum = config_.minRms * config_.minRms;
  float quiet = minimum;
  if (natural) {
    noise_.learn(energy, open_);
    hissNoise_.learn(hiss, open_);
    quiet = std::max(minimum, noise_.level() * config_.overNoise);
  }
  const float reference = loudest_.energy;
  const bool weSpeak = reference > minimum * 4.0f;
  const float echo = weSpeak ? reference * coupling_ : 0.0f;
  const float threshold = std::max(quiet, echo);
  const bool voiced = natural && energy > threshold;
  if (weSpeak && natural && !voiced && !open_) learnEcho(energy, reference);

  recent_ = (recent_ << 1) | (voiced ? 1u : 0u);
  const HintFrame seen{energy, hiss, reference, loudestHiss_.energy, natural, voiced || open_, open_ && !paused_};
  hintedFrames_ = hint_.frame(seen, noise_, hissNoise_);
  const float nearMinimum = config_.nearMinRms * config_.nearMinRms;
  lookForNear(natural && energy > std::max({nearMinimum, noise_.level() * config_.nearOverNoise, echo}));
  // The tail of a word counts while it hangs together with the voice before it.
  const bool tail = natural && open_ && !paused_ &&
                    (energy > std::max({quiet * config_.closeShare, noise_.level() * config_.closeOverNoise, echo}) ||
                     (config_.hissOverNoise > 0.0f && !weSpeak && hiss > hissNoise_.level() * config_.hissOverNoise));
  if (voiced || tail) lastVoicedEnd_ = position_;
  const auto last = [this](uint32_t frames) { return recent_ & ((1u << frames) - 1u); };
  const auto count = [&](uint32_t frames) { return static_cast<uint32_t>(std::popcount(last(frames))); };
  if (!open_) {
    if (count(config_.openWindowFrames) < config_.openFrames) return {};
    open_ = true;
    const TalkGateEdge edge = opened(last(config_.openWindowFrames));
    stretchFrom_ = edge.sample;
    return edge;
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

size_t TalkGate::heard(const TalkGateEdge& edge, std::array<float, kHeardFrames>& out) const {
  const uint64_t end = edge.sample / frame_;
  const uint64_t from = std::max(stretchFrom_ / frame_, end - std::min<uint64_t>(end, kHeardFrames));
  size_t count = 0;
  for (uint64_t at = from; at < end; at++) out[count++] = heard_[at % kHeardRing];
  return count;
}

void TalkGate::lookForNear(bool sound) {
  nearRecent_ = (nearRecent_ << 1) | (sound ? 1u : 0u);
  nearAge_++;
  const auto count = static_cast<uint32_t>(std::popcount(nearRecent_ & ((1u << config_.nearWindowFrames) - 1u)));
  near_ = config_.nearFrames > 0 && count >= config_.nearFrames && (!open_ || paused_) && nearAge_ >= config_.nearAgainFrames;
  if (near_) nearAge_ = 0;
}

TalkGateEdge TalkGate::opened(uint32_t window) {
  changed_ = true;
  paused_ = false;
  const auto oldest = static_cast<uint32_t>(std::bit_width(window));
  return {true, position_ - static_cast<uint64_t>(oldest) * frame_};
}

}  // namespace parley
