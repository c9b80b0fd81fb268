// Time as the engine counts it: microseconds of CLOCK_MONOTONIC. Only io/ looks at the clock; all else gets it as a parameter.
#pragma once
#include <time.h>

#include <cstdint>

namespace parley {

using MonoUs = int64_t;

inline MonoUs monoNowUs() {
  timespec ts{};
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return static_cast<MonoUs>(ts.tv_sec) * 1000000 + ts.tv_nsec / 1000;
}

}  // namespace parley
