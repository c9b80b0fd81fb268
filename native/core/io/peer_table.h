// Which call a datagram on the shared socket belongs to: its source address decides. Rebuilt after calls came or went, so
// that looking up is one hash and, nearly always, one comparison.
#pragma once
#include <bit>
#include <cstdint>
#include <vector>

#include "io/udp.h"

namespace parley {

template <typename Call>
class PeerTable {
 public:
  // Never grows afterwards.
  explicit PeerTable(uint32_t calls) : places_(std::bit_ceil(calls * 2 + 2), nullptr) {}

  void clear() { places_.assign(places_.size(), nullptr); }
  void add(Call* call) {
    size_t at = placeOf(call->remote);
    while (places_[at] != nullptr) at = (at + 1) & (places_.size() - 1);
    places_[at] = call;
  }
  Call* find(const UdpAddress& remote) const {
    for (size_t at = placeOf(remote); places_[at] != nullptr; at = (at + 1) & (places_.size() - 1))
      if (places_[at]->remote == remote) return places_[at];
    return nullptr;
  }

 private:
  size_t placeOf(const UdpAddress& remote) const { return static_cast<size_t>(remote.hash()) & (places_.size() - 1); }

  std::vector<Call*> places_;
};

}  // namespace parley
