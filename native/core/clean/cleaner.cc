#include "clean/cleaner.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "clean/speexdsp.h"
#include "dsp/filter_bank.h"

namespace parley {

namespace {
constexpr double kRumbleHz = 180.0;  // telephones carry speech from 300 Hz on
constexpr uint32_t kMostBehindMs = 400;
}  // namespace

std::unique_ptr<Cleaner> Cleaner::make(uint32_t callerHz, uint32_t sentHz, CleanOptions options) {
  if (!options.any() || SpeexDsp::find() == nullptr) return nullptr;
  std::unique_ptr<Cleaner> made(new Cleaner(callerHz, sentHz, options));
  return made->open() ? std::move(made) : nullptr;
}

Cleaner::Cleaner(uint32_t callerHz, uint32_t sentHz, CleanOptions options)
    : callerHz_(callerHz), sentHz_(sentHz), options_(options), frame_(callerHz / 100) {
  // Butterworth of fourth order: two sections of these qualities (bilinear transform).
  constexpr std::array<double, 2> kQuality{0.54119610, 1.3065630};
  const double k = std::tan(std::numbers::pi * kRumbleHz / callerHz);
  for (size_t i = 0; i < rumble_.size(); i++) {
    const double norm = 1.0 / (1.0 + k / kQuality[i] + k * k);
    rumble_[i].b0 = rumble_[i].b2 = static_cast<float>(norm);
    rumble_[i].b1 = static_cast<float>(-2.0 * norm);
    rumble_[i].a1 = static_cast<float>(2.0 * (k * k - 1.0) * norm);
    rumble_[i].a2 = static_cast<float>((1.0 - k / kQuality[i] + k * k) * norm);
  }
}

bool Cleaner::open() {
  const SpeexDsp& speex = *SpeexDsp::find();
  const auto frame = static_cast<int>(frame_);
  auto rate = static_cast<int>(callerHz_);
  preprocess_ = speex.preprocessInit(frame, rate);
  if (preprocess_ == nullptr) return false;
  int denoise = options_.noise ? 1 : 0;
  speex.preprocessControl(preprocess_, SpeexDsp::kPreprocessSetDenoise, &denoise);
  if (!options_.echo) return true;
  ring_.assign(kSentRing, 0);
  echo_ = speex.echoInit(frame, rate * static_cast<int>(kTailMs) / 1000);
  if (echo_ == nullptr) return false;
  speex.echoControl(echo_, SpeexDsp::kEchoSetRate, &rate);
  // What the canceller leaves is suppressed by the other half.
  speex.preprocessControl(preprocess_, SpeexDsp::kPreprocessSetEchoState, echo_);
  return true;
}

Cleaner::~Cleaner() {
  const SpeexDsp* speex = SpeexDsp::find();
  if (preprocess_ != nullptr) speex->preprocessDestroy(preprocess_);
  if (echo_ != nullptr) speex->echoDestroy(echo_);
}

void Cleaner::keepSent(int16_t sample) { ring_[sentSamples_++ % kSentRing] = sample; }

// At the caller's rate. What lies above the narrower band makes no echo there, so plain steps between rates are enough.
void Cleaner::sent(std::span<const int16_t> pcm) {
  if (echo_ == nullptr) return;
  for (const int16_t sample : pcm) {
    const auto between = static_cast<int16_t>((sample + sentBefore_) / 2);
    sentBefore_ = sample;
    if (sentHz_ == callerHz_) {
      keepSent(sample);
    } else if (sentHz_ < callerHz_) {
      keepSent(between);
      keepSent(sample);
    } else if (sentOdd_ = !sentOdd_; !sentOdd_) {
      keepSent(between);
    }
  }
}

void Cleaner::filterRumble() {
  for (size_t i = 0; i < frame_; i++) {
    auto x = static_cast<float>(heard_[i]);
    for (Section& s : rumble_) {
      const float y = s.b0 * x + s.s1;
      s.s1 = s.b1 * x - s.a1 * y + s.s2;
      s.s2 = s.b2 * x - s.a2 * y;
      x = y;
    }
    heard_[i] = clipToInt16(static_cast<int32_t>(std::lrint(x)));
  }
}

// Both lines are without holes, so one offset holds them together; it is learnt from the earliest packets: an echo cannot come
// back before it was sent, and what the network delays is only later audio of the same line.
void Cleaner::cancelEcho() {
  const auto frame = static_cast<int64_t>(frame_);
  const auto newest = static_cast<int64_t>(sentSamples_);
  const int64_t mostBehind = int64_t{callerHz_} * kMostBehindMs / 1000;
  int64_t from = static_cast<int64_t>(heardSamples_) + offset_;
  if (!aligned_ || from + frame > newest || from + frame < newest - mostBehind) {
    offset_ = newest - frame - static_cast<int64_t>(heardSamples_);
    from = newest - frame;
    aligned_ = newest > 0;
  }
  std::array<int16_t, kMostFrame> played{};
  bool silent = true;
  for (int64_t i = 0; i < frame; i++) {
    if (from + i < 0) continue;
    played[static_cast<size_t>(i)] = ring_[static_cast<size_t>(from + i) % kSentRing];
    silent = silent && played[static_cast<size_t>(i)] == 0;
  }
  // While nothing of ours can be on its way back, there is nothing to cancel.
  silentFrames_ = silent ? silentFrames_ + 1 : 0;
  if (silentFrames_ > kTailMs / 10 + 5) return;
  std::array<int16_t, kMostFrame> out{};
  SpeexDsp::find()->echoCancel(echo_, heard_.data(), played.data(), out.data());
  heard_ = out;
}

void Cleaner::process() {
  filterRumble();
  if (echo_ != nullptr) cancelEcho();
  SpeexDsp::find()->preprocessRun(preprocess_, heard_.data());
  heardSamples_ += frame_;
}

}  // namespace parley
