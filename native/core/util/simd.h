// Run-time choice of instruction set. Every routine has a baseline form that the compiler vectorises for what the machine
// surely has (SSE2, NEON), and may have a wider one. All forms give the same bits; the tests hold each against the other.
#pragma once
#include <atomic>

namespace parley {

#if defined(__x86_64__) && defined(__GNUC__)
#define PARLEY_HAS_AVX2 1
#define PARLEY_TARGET_AVX2 __attribute__((target("avx2")))
#else
#define PARLEY_HAS_AVX2 0
#endif

// Inlined into functions of any target, and vectorised for that target.
#define PARLEY_KERNEL static inline __attribute__((always_inline))

// False turns the wider forms off (tests, benches).
inline std::atomic<bool>& simdAllowed() {
  static std::atomic<bool> allowed{true};
  return allowed;
}

inline bool useAvx2() {
#if PARLEY_HAS_AVX2
  static const bool supported = [] {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") != 0;
  }();
  return supported && simdAllowed().load(std::memory_order_relaxed);
#else
  return false;
#endif
}

}  // namespace parley
