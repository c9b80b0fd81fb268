#include "dsp/concealer.h"

#include <algorithm>

namespace parley {

void Concealer::open(uint32_t rateHz) {
  perMs_ = rateHz / 1000;
  history_.fill(0);
  filled_ = 0;
}

void Concealer::remember(std::span<const int16_t> pcm) {
  if (pcm.size() > history()) pcm = pcm.last(history());
  const auto size = static_cast<std::ptrdiff_t>(pcm.size());
  const auto end = history_.begin() + static_cast<std::ptrdiff_t>(history());
  std::copy(history_.begin() + size, end, history_.begin());
  std::copy(pcm.begin(), pcm.end(), end - size);
}

size_t Concealer::findPitch() const {
  const size_t window = history() - maxPitch();
  const int16_t* recent = &history_[maxPitch()];
  size_t best = maxPitch();
  double bestScore = 0.0;
  for (size_t lag = minPitch(); lag <= maxPitch(); lag++) {
    int64_t product = 0;
    int64_t energy = 1;
    for (size_t i = 0; i < window; i++) {
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
  if (filled_ >= fade()) return 0;
  const int32_t source = history_[history() - pitch_ + filled_ % pitch_];
  int32_t gain = 1024;
  if (filled_ > plain()) gain = static_cast<int32_t>((fade() - filled_) * 1024 / (fade() - plain()));
  filled_++;
  return static_cast<int16_t>(source * gain / 1024);
}

void Concealer::fill(std::span<int16_t> out) {
  if (filled_ == 0) pitch_ = findPitch();
  for (int16_t& sample : out) sample = nextSample();
}

void Concealer::good(std::span<int16_t> pcm) {
  if (filled_ > 0) {
    const size_t count = std::min(overlap(), pcm.size());
    for (size_t i = 0; i < count; i++) {
      const int32_t rise = static_cast<int32_t>(i + 1);
      const int32_t total = static_cast<int32_t>(count + 1);
      pcm[i] = static_cast<int16_t>((nextSample() * (total - rise) + pcm[i] * rise) / total);
    }
    filled_ = 0;
  }
  remember(pcm);
}

}  // namespace parley
