#include "dsp/concealer.h"

#include <algorithm>

namespace parley {

void Concealer::reset() {
  history_.fill(0);
  filled_ = 0;
}

void Concealer::remember(std::span<const int16_t> pcm) {
  if (pcm.size() >= kHistory) {
    std::copy(pcm.end() - kHistory, pcm.end(), history_.begin());
    return;
  }
  std::copy(history_.begin() + static_cast<std::ptrdiff_t>(pcm.size()), history_.end(), history_.begin());
  std::copy(pcm.begin(), pcm.end(), history_.end() - static_cast<std::ptrdiff_t>(pcm.size()));
}

size_t Concealer::findPitch() const {
  constexpr size_t kWindow = kHistory - kMaxPitch;
  const int16_t* recent = &history_[kHistory - kWindow];
  size_t best = kMaxPitch;
  double bestScore = 0.0;
  for (size_t lag = kMinPitch; lag <= kMaxPitch; lag++) {
    int64_t product = 0;
    int64_t energy = 1;
    for (size_t i = 0; i < kWindow; i++) {
      const int32_t past = recent[static_cast<std::ptrdiff_t>(i) - static_cast<std::ptrdiff_t>(lag)];
      product += static_cast<int64_t>(past) * recent[i];
      energy += static_cast<int64_t>(past) * past;
    }
    if (product <= 0) continue;
    const double score = static_cast<double>(product) * static_cast<double>(product) / static_cast<double>(energy);
    if (score > bestScore) {
      bestScore = score;
      best = lag;
    }
  }
  return best;
}

int16_t Concealer::nextSample() {
  if (filled_ >= kFadeSamples) return 0;
  const int32_t source = history_[kHistory - pitch_ + filled_ % pitch_];
  int32_t gain = 1024;
  if (filled_ > kPlainSamples) gain = static_cast<int32_t>((kFadeSamples - filled_) * 1024 / (kFadeSamples - kPlainSamples));
  filled_++;
  return static_cast<int16_t>(source * gain / 1024);
}

void Concealer::fill(std::span<int16_t> out) {
  if (filled_ == 0) pitch_ = findPitch();
  for (int16_t& sample : out) {
    sample = nextSample();
    if (filled_ >= kFadeSamples) sample = 0;
  }
}

void Concealer::good(std::span<int16_t> pcm) {
  if (filled_ > 0) {
    const size_t overlap = std::min(kOverlapSamples, pcm.size());
    for (size_t i = 0; i < overlap; i++) {
      const int32_t rise = static_cast<int32_t>(i + 1);
      const int32_t total = static_cast<int32_t>(overlap + 1);
      pcm[i] = static_cast<int16_t>((nextSample() * (total - rise) + pcm[i] * rise) / total);
    }
    filled_ = 0;
  }
  remember(pcm);
}

}  // namespace parley
