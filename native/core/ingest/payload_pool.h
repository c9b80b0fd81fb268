// Payload blocks for packets that wait behind a gap: one pool per media thread, so that a call costs nothing while all is
// in order. Last given back is first taken, so only as much memory is touched as was ever needed at once.
#pragma once
#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "rtp/packet.h"
#include "util/pages.h"

namespace parley {

class PayloadPool {
 public:
  using Block = uint32_t;
  static constexpr Block kNone = 0xffffffffu;
  static constexpr size_t kBlockBytes = kMaxDatagramBytes;

  explicit PayloadPool(uint32_t blocks) : bytes_(static_cast<size_t>(blocks) * kBlockBytes, false) {
    free_.reserve(blocks);
    for (uint32_t i = blocks; i > 0; i--) free_.push_back(i - 1);
    // The first ones are all that most days need: no page fault for them on the media thread.
    std::fill_n(bytes_.data(), std::min<size_t>(blocks, 256) * kBlockBytes, uint8_t{0});
  }

  // kNone when all are taken.
  Block take() {
    if (free_.empty()) return kNone;
    const Block block = free_.back();
    free_.pop_back();
    return block;
  }
  // Never allocates: the list was reserved for all blocks.
  void give(Block block) { free_.push_back(block); }
  uint8_t* bytes(Block block) { return &bytes_[static_cast<size_t>(block) * kBlockBytes]; }
  size_t available() const { return free_.size(); }

 private:
  PageArray<uint8_t> bytes_;  // untouched pages cost nothing
  std::vector<Block> free_;
};

}  // namespace parley
