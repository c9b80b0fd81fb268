// 8 kHz to 16 kHz for one caller, streaming: every call of process() returns twice as many samples as it got.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace parley {

// Half-band: even outputs are the input itself, odd outputs a 32-tap symmetric filter. Delay 15 samples of 8 kHz
// (1.9 ms), which the caller's time line includes.
class Upsampler {
 public:
  static constexpr size_t kMaxInput = 1472;
  static constexpr size_t kTaps = 32;

  // `in` at most kMaxInput samples; `out` has room for twice as many.
  void process(std::span<const int16_t> in, int16_t* out);
  void reset() { history_.fill(0); }

 private:
  std::array<int16_t, kTaps - 1> history_{};
};

}  // namespace parley
