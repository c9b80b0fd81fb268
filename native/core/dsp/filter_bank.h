// Polyphase windowed-sinc tables for a pair of rates, built once and shared by all calls.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace parley {

// The mask: gain within 0.05 dB to 3.4 kHz (7 kHz between wideband rates), stop band >= 65 dB from 1.15 x the narrow Nyquist
// frequency, group delay <= 2 ms. Kaiser window for 70 dB, -6 dB point at the narrow Nyquist frequency. Integer
// coefficients, so that every instruction set gives the same samples; each phase sums to exactly one.
class FilterBank {
 public:
  FilterBank(uint32_t inRateHz, uint32_t outRateHz);

  uint32_t inRateHz() const { return inRateHz_; }
  uint32_t outRateHz() const { return outRateHz_; }
  uint32_t phases() const { return phases_; }  // output rate / gcd
  uint32_t step() const { return step_; }      // input rate / gcd
  uint32_t taps() const { return taps_; }      // even; counted at the input rate
  // Coefficients of a phase, oldest input first. Output n is centred on input n * step / phases: it needs the inputs from
  // floor(that) - taps/2 + 1 to floor(that) + taps/2.
  const int16_t* phase(uint32_t index) const { return &table_[static_cast<size_t>(index) * taps_]; }
  // The coefficients are scaled by 2^shift: 15 where no sum can overflow 32 bits, else 14.
  int shift() const { return shift_; }

 private:
  uint32_t inRateHz_;
  uint32_t outRateHz_;
  uint32_t phases_;
  uint32_t step_;
  uint32_t taps_;
  int shift_ = 14;
  std::vector<int16_t> table_;
};

inline int16_t clipToInt16(int32_t value) {
  if (value > 32767) return 32767;
  if (value < -32768) return -32768;
  return static_cast<int16_t>(value);
}

// Outputs `first` .. `first + count - 1` of a stream, counted from its start. `x` holds the inputs from number `xStart` on,
// and all that these outputs need.
void filterBlock(const FilterBank& bank, const int16_t* x, int64_t xStart, uint64_t first, size_t count, int16_t* out);

// The odd outputs of 8 to 16 kHz: out[2n+1] from x[n .. n+31]; even ones are x[n+15].
void upsampleBlock(const FilterBank& bank, const int16_t* x, size_t count, int16_t* out);

}  // namespace parley
