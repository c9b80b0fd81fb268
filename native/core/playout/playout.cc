#include "playout/playout.h"

#include <algorithm>
#include <cmath>

namespace parley {

namespace {

// Silence comes `left` samples after the first one of `pcm`, of a fade that is `total` long.
void fadeTowards(std::span<int16_t> pcm, uint32_t left, uint32_t total) {
  for (int16_t& sample : pcm) {
    left -= left > 0 ? 1 : 0;
    sample = static_cast<int16_t>(int64_t{sample} * left / total);
  }
}

void fade(std::span<int16_t> pcm, bool in) {
  const auto n = static_cast<int32_t>(pcm.size());
  for (int32_t i = 0; i < n; i++) {
    const int32_t weight = in ? i + 1 : n - i - 1;
    auto& sample = pcm[static_cast<size_t>(i)];
    sample = static_cast<int16_t>(sample * weight / n);
  }
}

}  // namespace

void Playout::open(uint32_t wireHz) {
  frame_ = wireHz / 50;
  first_ = last_ = nullptr;
  sentWire_ = underruns_ = 0;
  stopping_ = paused_ = wasPaused_ = false;
  gain_ = gainWanted_ = 1.0f;
}

void Playout::add(Clip* clip) {
  clip->queueNext = nullptr;
  if (last_ == nullptr) {
    first_ = clip;
  } else {
    last_->queueNext = clip;
  }
  last_ = clip;
}

void Playout::release(uint32_t clipId) {
  for (Clip* clip = first_; clip != nullptr; clip = clip->queueNext)
    if (clip->id == clipId) clip->held = false;
}

void Playout::finishClip(PlayoutEventType type, uint64_t at) {
  Clip* clip = first_;
  first_ = clip->queueNext;
  if (first_ == nullptr) last_ = nullptr;
  // The last touch of the clip: its owner may free it once the event is read.
  sink_.playoutEvent({type, clip->id, 0, clip->playedWire, at});
}

void Playout::stopClip(uint32_t clipId, uint32_t fadeMs) {
  Clip* before = nullptr;
  Clip* clip = first_;
  while (clip != nullptr && clip->id != clipId) {
    before = clip;
    clip = clip->queueNext;
  }
  if (clip == nullptr || clip->fadeSamples > 0) return;
  if (clip == first_ && clip->started && !paused_ && !wasPaused_) {
    clip->fadeSamples = clip->fadeLeft = std::max(static_cast<uint32_t>(fadeSamples()), fadeMs * static_cast<uint32_t>(frame_ / 20));
    return;
  }
  if (before == nullptr) return finishClip(PlayoutEventType::clipStopped, sentWire_);
  before->queueNext = clip->queueNext;
  if (last_ == clip) last_ = before;
  sink_.playoutEvent({PlayoutEventType::clipStopped, clip->id, 0, clip->playedWire, sentWire_});
}

// Produces up to out.size() samples of the wire's rate; `finished` when the clip has none left.
size_t Playout::convert(Clip& clip, std::span<int16_t> out, bool& finished) {
  const FilterBank& bank = *clip.bank;
  const auto half = static_cast<int64_t>(bank.taps() / 2);
  if (!clip.primed) {
    clip.primed = true;
    // As if silence had come before the first sample, so that the first output is centred on it.
    workStart_ = 1 - half;
    workCount_ = static_cast<size_t>(half - 1);
    std::fill_n(work_.begin(), workCount_, int16_t{0});
    inputs_ = 0;
    inputOver_ = false;
  }
  size_t made = 0;
  inputOver_ = inputOver_ || clip.exhausted();
  while (true) {
    const uint64_t position = (clip.playedWire + made) * bank.step();
    const auto index = static_cast<int64_t>(position / bank.phases());
    finished = inputOver_ && index >= static_cast<int64_t>(inputs_);
    if (finished || made == out.size()) break;
    const int64_t from = index - half + 1;
    const int64_t to = index + half + 1;
    if (to > workStart_ + static_cast<int64_t>(workCount_)) {
      // Drop what no output needs any more, then take as much as fits.
      const auto drop = static_cast<size_t>(std::clamp<int64_t>(from - workStart_, 0, static_cast<int64_t>(workCount_)));
      std::copy(work_.begin() + static_cast<std::ptrdiff_t>(drop), work_.begin() + static_cast<std::ptrdiff_t>(workCount_),
                work_.begin());
      workStart_ += static_cast<int64_t>(drop);
      workCount_ -= drop;
      // A loop is not read far ahead, so that its last round is the one that sounds.
      size_t got = clip.take(&work_[workCount_], std::min(kWork - workCount_, clip.loops() ? size_t{bank.taps()} : kWork));
      inputs_ += got;
      inputOver_ = inputOver_ || clip.exhausted();
      if (got == 0 && inputOver_) {
        got = std::min<size_t>(kWork - workCount_, bank.taps());
        std::fill_n(work_.begin() + static_cast<std::ptrdiff_t>(workCount_), got, int16_t{0});
      }
      if (got == 0) break;  // underrun: the writer is behind
      workCount_ += got;
      continue;
    }
    // As many outputs as the inputs at hand allow; they begin before the clip's end.
    const int64_t lastIndex = std::min<int64_t>(workStart_ + static_cast<int64_t>(workCount_) - half - 1,
                                                inputOver_ ? static_cast<int64_t>(inputs_) - 1 : INT64_MAX);
    const uint64_t end = ((static_cast<uint64_t>(lastIndex) + 1) * bank.phases() + bank.step() - 1) / bank.step();
    const size_t count = std::min<size_t>(out.size() - made, end - (clip.playedWire + made));
    filterBlock(bank, work_.data(), workStart_, clip.playedWire + made, count, &out[made]);
    made += count;
  }
  return made;
}

size_t Playout::renderClip(Clip& clip, std::span<int16_t> out, bool& finished) {
  size_t made = 0;
  if (clip.fadeSamples > 0) out = out.first(std::min<size_t>(out.size(), clip.fadeLeft));
  if (clip.bank != nullptr) {
    made = convert(clip, out, finished);
  } else {
    made = clip.take(out.data(), out.size());
    finished = clip.exhausted();
  }
  if (clip.fadeSamples == 0) return made;
  fadeTowards(out.first(made), clip.fadeLeft, clip.fadeSamples);
  // What its writer has not written in time does not fade.
  clip.fadeLeft = made == out.size() ? clip.fadeLeft - static_cast<uint32_t>(made) : 0;
  return made;
}

void Playout::noteProgress(Clip& clip, uint64_t before, size_t count, uint64_t at) {
  if (count > 0 && !clip.started) {
    clip.started = true;
    sink_.playoutEvent({PlayoutEventType::clipStart, clip.id, 0, 0, at});
  }
  const uint64_t wireHz = clip.bank != nullptr ? clip.bank->outRateHz() : clip.rateHz;
  while (!clip.marks.empty()) {
    const bool again = clip.rounds() > clip.markRound;
    if (clip.nextMark == clip.marks.size() || (again && clip.marks[clip.nextMark] >= clip.roundSamples())) {
      if (!again) break;
      clip.nextMark = 0;
      clip.markRound++;
      continue;
    }
    const uint64_t mark = (clip.markRound * clip.roundSamples() + clip.marks[clip.nextMark]) * wireHz / clip.rateHz;
    if (mark >= before + count) break;
    const uint64_t offset = mark > before ? mark - before : 0;
    sink_.playoutEvent({PlayoutEventType::clipMark, clip.id, static_cast<uint32_t>(clip.nextMark), mark, at + offset});
    clip.nextMark++;
  }
}

// Fills `out` from the queue; what cannot be filled is silence.
void Playout::renderAudible(std::span<int16_t> out) {
  size_t at = 0;
  while (at < out.size() && first_ != nullptr && !first_->held) {
    Clip& clip = *first_;
    bool finished = false;
    const uint64_t before = clip.playedWire;
    const size_t made = renderClip(clip, out.subspan(at), finished);
    clip.playedWire += made;
    noteProgress(clip, before, made, sentWire_ + at);
    at += made;
    if (finished) {
      finishClip(PlayoutEventType::clipPlayed, sentWire_ + at);
    } else if (clip.fadeSamples > 0 && clip.fadeLeft == 0) {
      finishClip(PlayoutEventType::clipStopped, sentWire_ + at);
    } else if (at < out.size()) {
      if (clip.started) underruns_++;
      break;
    }
  }
  std::fill(out.begin() + static_cast<std::ptrdiff_t>(at), out.end(), int16_t{0});
}

void Playout::stopNow(std::span<int16_t> out) {
  // Only what was sounding fades; a clip that has not begun is dropped whole.
  uint64_t at = sentWire_;
  if (first_ != nullptr && first_->started && !paused_ && !wasPaused_) {
    auto tail = out.first(fadeSamples());
    bool finished = false;
    Clip& clip = *first_;
    const uint64_t before = clip.playedWire;
    const size_t made = renderClip(clip, tail, finished);
    fade(tail.first(made), false);
    clip.playedWire += made;
    noteProgress(clip, before, made, sentWire_);
    std::fill(out.begin() + static_cast<std::ptrdiff_t>(made), out.end(), int16_t{0});
    at += made;
    finishClip(finished ? PlayoutEventType::clipPlayed : PlayoutEventType::clipStopped, at);
  } else {
    std::fill(out.begin(), out.end(), int16_t{0});
  }
  while (first_ != nullptr) finishClip(PlayoutEventType::clipStopped, at);
  stopping_ = false;
  paused_ = false;
}

void Playout::applyGain(std::span<int16_t> out) {
  if (gain_ == 1.0f && gainWanted_ == 1.0f) return;
  // Softer within 5 ms, so that whoever speaks into us hears it in the next frame; louder over the frame. No click either way.
  const size_t ramp = gainWanted_ < gain_ ? fadeSamples() : out.size();
  const float step = (gainWanted_ - gain_) / static_cast<float>(ramp);
  for (size_t i = 0; i < out.size(); i++) {
    const float g = i < ramp ? gain_ + step * static_cast<float>(i + 1) : gainWanted_;
    out[i] = clipToInt16(static_cast<int32_t>(std::lround(static_cast<float>(out[i]) * g)));
  }
  gain_ = gainWanted_;
}

void Playout::render(std::span<int16_t> out) {
  if (stopping_) {
    stopNow(out);
  } else if (paused_ && wasPaused_) {
    std::fill(out.begin(), out.end(), int16_t{0});
  } else if (paused_) {
    renderAudible(out.first(fadeSamples()));
    fade(out.first(fadeSamples()), false);
    std::fill(out.begin() + static_cast<std::ptrdiff_t>(fadeSamples()), out.end(), int16_t{0});
  } else {
    renderAudible(out);
    if (wasPaused_) fade(out.first(fadeSamples()), true);
  }
  wasPaused_ = paused_;
  applyGain(out);
  sentWire_ += frame_;
}

}  // namespace parley
