// A histogram of durations with one writer: eight buckets per power of two, so a percentile is right within 12 %.
#pragma once
#include <array>
#include <bit>
#include <cstdint>

#include "util/queue.h"

namespace parley {

class DurationHistogram {
 public:
  void add(int64_t us) {
    const uint64_t value = us < 0 ? 0 : static_cast<uint64_t>(us);
    buckets_[bucketOf(value)].add();
    if (value > max_.get()) max_.set(value);
  }
  uint64_t maxUs() const { return max_.get(); }

  // The upper edge of the bucket that holds the given share (0..1) of all values.
  uint64_t percentileUs(double share) const {
    std::array<uint64_t, kBuckets> copy;
    uint64_t total = 0;
    for (size_t i = 0; i < kBuckets; i++) total += copy[i] = buckets_[i].get();
    const auto wanted = static_cast<uint64_t>(static_cast<double>(total) * share);
    uint64_t seen = 0;
    for (size_t i = 0; i < kBuckets; i++) {
      seen += copy[i];
      if (seen > wanted) return upperEdge(i);
    }
    return max_.get();
  }

 private:
  static constexpr size_t kBuckets = 8 * 28;
  static size_t bucketOf(uint64_t value) {
    if (value < 8) return static_cast<size_t>(value);
    const auto power = static_cast<size_t>(std::bit_width(value)) - 1;
    const size_t index = 8 * (power - 2) + ((value >> (power - 3)) & 7);
    return index < kBuckets ? index : kBuckets - 1;
  }
  static uint64_t upperEdge(size_t index) {
    if (index < 8) return index;
    const size_t power = index / 8 + 2;
    return ((8 + index % 8 + 1) << (power - 3)) - 1;
  }

  std::array<Counter, kBuckets> buckets_;
  Counter max_;
};

}  // namespace parley
