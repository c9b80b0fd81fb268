// Packet loss concealment: repeats the last pitch period, fading to silence. What it makes is always flagged.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace parley {

class Concealer {
 public:
  // A good frame came: fades it in over 5 ms when a gap was filled before it. `pcm` is changed in place.
  void good(std::span<int16_t> pcm);
  // Fills a hole of any length. After kFadeSamples of one hole all is silence.
  void fill(std::span<int16_t> out);
  void reset();

 private:
  static constexpr size_t kHistory = 320;       // 40 ms at 8 kHz
  static constexpr size_t kMinPitch = 40;       // 200 Hz
  static constexpr size_t kMaxPitch = 160;      // 50 Hz
  static constexpr size_t kPlainSamples = 80;   // 10 ms at full level
  static constexpr size_t kFadeSamples = 480;   // silent after 60 ms
  static constexpr size_t kOverlapSamples = 40; // 5 ms

  void remember(std::span<const int16_t> pcm);
  size_t findPitch() const;
  int16_t nextSample();

  std::array<int16_t, kHistory> history_{};
  size_t pitch_ = 0;
  size_t filled_ = 0;  // samples made in this hole
};

}  // namespace parley
