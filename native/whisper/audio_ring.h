// The caller's audio, read where the media thread wrote it: no sample passes through a pipe or through JavaScript.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace parley {

enum class AudioResult { ok, gone, closed, badRange, stopped };

class AudioRing {
 public:
  AudioRing() = default;
  ~AudioRing();
  AudioRing(const AudioRing&) = delete;
  AudioRing& operator=(const AudioRing&) = delete;

  // Maps the memory behind `fd` read-only. Returns what is wrong, or nothing.
  std::string map(int fd);
  bool hasSlot(uint64_t slot) const;
  uint32_t ringSamples() const;

  // Copies [from, to) as floats of -1..1 into `out` (16 kHz). When `to` has not been written yet, waits for it, at most
  // `waitMs`; then takes what there is: a caller whose packets stopped has said no more. `stop` ends the wait.
  AudioResult read(uint32_t slot, uint32_t generation, uint64_t from, uint64_t to, int waitMs, const std::function<bool()>& stop,
                   std::vector<float>& out) const;

 private:
  const void* memory_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace parley
