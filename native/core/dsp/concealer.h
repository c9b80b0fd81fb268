// Packet loss concealment: repeats the last pitch period, fading to silence. What it makes is always flagged.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "util/prefetch.h"

namespace parley {

class Concealer {
 public:
  // A good frame came: fades it in over 5 ms when a gap was filled before it. `pcm` is changed in place.
  void good(std::span<int16_t> pcm);
  // Fills a hole of any length. After 60 ms of one hole all is silence.
  void fill(std::span<int16_t> out);
  void warm() const { prefetch(this, history() * sizeof(int16_t)); }
  // `rateHz` 8000 or 16000.
  void open(uint32_t rateHz);

 private:
  static constexpr size_t kMostHistory = 640;
  size_t history() const { return 40 * perMs_; }
  size_t minPitch() const { return 5 * perMs_; }   // 200 Hz
  size_t maxPitch() const { return 20 * perMs_; }  // 50 Hz
  size_t plain() const { return 10 * perMs_; }     // at full level
  size_t fade() const { return 60 * perMs_; }      // silent from here on
  size_t overlap() const { return 5 * perMs_; }

  void remember(std::span<const int16_t> pcm);
  size_t findPitch() const;
  int16_t nextSample();

  size_t perMs_ = 8;
  std::array<int16_t, kMostHistory> history_{};
  size_t pitch_ = 0;
  size_t filled_ = 0;  // samples made in this hole
};

}  // namespace parley
