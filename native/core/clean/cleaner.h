// What one caller says, cleaned before recognition: rumble filtered out, noise suppressed, our own voice cancelled. Never for
// the ears of people: it is judged by what recognisers and the talk gate make of it.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace parley {

struct CleanOptions {
  bool noise = false;
  bool echo = false;
  bool any() const { return noise || echo; }
};

class Cleaner {
 public:
  // On the owner's thread (it allocates); null when libspeexdsp is missing. Rates: 8000 or 16000.
  static std::unique_ptr<Cleaner> make(uint32_t callerHz, uint32_t sentHz, CleanOptions options);
  ~Cleaner();
  Cleaner(const Cleaner&) = delete;
  Cleaner& operator=(const Cleaner&) = delete;

  // Media thread. What went out, at the sent rate, without a hole.
  void sent(std::span<const int16_t> pcm);
  // Caller audio in order, any length; calls `clean(pcm, flags)` for frames of 10 ms, one frame later, with the flags of what was
  // given in their place: the time line is the same.
  template <typename OnFrame>
  void push(std::span<const int16_t> pcm, uint8_t flags, OnFrame&& clean) {
    while (!pcm.empty()) {
      const auto part = pcm.first(std::min(pcm.size(), frame_ - filled_));
      pcm = pcm.subspan(part.size());
      std::copy(part.begin(), part.end(), heard_.begin() + static_cast<std::ptrdiff_t>(filled_));
      filled_ += part.size();
      flags_ = static_cast<uint8_t>(flags_ | flags);
      if (filled_ < frame_) continue;
      filled_ = 0;
      process();
      // The first frame out is what was before the first frame in.
      if (begun_) clean(std::span(heard_).first(frame_), flagsBefore_);
      begun_ = true;
      flagsBefore_ = flags_;
      flags_ = 0;
    }
  }

 private:
  static constexpr size_t kMostFrame = 160;
  static constexpr size_t kSentRing = 16384;  // 1 s at 16 kHz
  static constexpr uint32_t kTailMs = 250;    // echoes come back after up to this time

  Cleaner(uint32_t callerHz, uint32_t sentHz, CleanOptions options);
  bool open();
  void process();
  void filterRumble();
  void cancelEcho();
  void keepSent(int16_t sample);

  uint32_t callerHz_;
  uint32_t sentHz_;
  CleanOptions options_;
  size_t frame_;
  void* echo_ = nullptr;
  void* preprocess_ = nullptr;
  // The frame under way, cleaned in place.
  std::array<int16_t, kMostFrame> heard_{};
  size_t filled_ = 0;
  uint8_t flags_ = 0;
  uint8_t flagsBefore_ = 0;
  bool begun_ = false;
  uint64_t heardSamples_ = 0;  // of whole frames
  // Two second-order high-pass sections.
  struct Section {
    float b0 = 1.0f, b1 = 0.0f, b2 = 0.0f, a1 = 0.0f, a2 = 0.0f;
    float s1 = 0.0f, s2 = 0.0f;
  };
  std::array<Section, 2> rumble_{};
  // What we sent, at the caller's rate, and which of it lies beside which caller sample.
  std::vector<int16_t> ring_;
  uint64_t sentSamples_ = 0;
  int64_t offset_ = 0;
  bool aligned_ = false;
  int16_t sentBefore_ = 0;
  bool sentOdd_ = false;
  uint32_t silentFrames_ = 0;  // in a row, of what we sent
};

}  // namespace parley
