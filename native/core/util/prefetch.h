// With a thousand calls, what a call needs has left the caches by the time of its next packet. Asking for the lines of the next
// call while this one is worked on hides the way to memory.
#pragma once
#include <cstddef>

namespace parley {

inline void prefetch(const void* from, size_t bytes) {
  constexpr size_t kLine = 64;
  const auto* at = static_cast<const char*>(from);
  for (size_t offset = 0; offset < bytes; offset += kLine) __builtin_prefetch(at + offset, 1);
  if (bytes > 0) __builtin_prefetch(at + bytes - 1, 1);
}

// Up to the byte before `to`.
inline void prefetchTo(const void* from, const void* to) {
  prefetch(from, static_cast<size_t>(static_cast<const char*>(to) - static_cast<const char*>(from)));
}

}  // namespace parley
