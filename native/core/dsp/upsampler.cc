#include "dsp/upsampler.h"

#include <algorithm>

#include "dsp/filter_bank.h"

namespace parley {

namespace {

const FilterBank& bank() {
  static const FilterBank instance(8000, 16000);
  return instance;
}

}  // namespace

void Upsampler::process(std::span<const int16_t> in, int16_t* out) {
  // Long inputs go in pieces, so that the work space stays small and on the stack.
  constexpr size_t kPiece = 320;
  std::array<int16_t, kTaps - 1 + kPiece> work;
  while (!in.empty()) {
    const size_t count = std::min(in.size(), kPiece);
    std::copy(history_.begin(), history_.end(), work.begin());
    std::copy_n(in.begin(), count, work.begin() + (kTaps - 1));
    upsampleBlock(bank(), work.data(), count, out);
    std::copy_n(work.begin() + static_cast<std::ptrdiff_t>(count), kTaps - 1, history_.begin());
    in = in.subspan(count);
    out += 2 * count;
  }
}

}  // namespace parley
