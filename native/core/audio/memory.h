// The writing side of the audio memory: one memfd for all calls, laid out by audio_memory.h.
#pragma once
#include <cstdint>
#include <span>

#include "audio/audio_memory.h"
#include "util/prefetch.h"

namespace parley {

class AudioMemory {
 public:
  AudioMemory() = default;
  ~AudioMemory();
  AudioMemory(const AudioMemory&) = delete;
  AudioMemory& operator=(const AudioMemory&) = delete;

  // 0, or an errno. `historySamples` is rounded up to a power of two. `keepSent`: rings for what we send, too.
  int create(uint32_t slots, uint32_t historySamples, bool keepSent = false);

  // For workers to inherit: read-only.
  int fd() const { return readerFd_; }
  uint64_t bytes() const { return bytes_; }
  uint32_t ringSamples() const { return ringSamples_; }
  const void* data() const { return base_; }
  bool keepsSent() const { return sentOffset_ != 0; }

  // Begins a call in a slot; returns its generation (odd). Owner: the thread that opens calls.
  uint32_t openSlot(uint32_t slot);
  // Ends it: readers get CLOSED from now on, and the pages go back to the system, so no audio outlives its call.
  // The writer must have stopped.
  void closeSlot(uint32_t slot);

  // Writer thread: appends at the call's time line. `flags` describe the samples written.
  void append(uint32_t slot, std::span<const int16_t> pcm, uint8_t flags);
  // Writer thread: what went out, when keepsSent().
  void appendSent(uint32_t slot, std::span<const int16_t> pcm);
  // Writer thread: what the next append() of `samples` at `sample` of the call touches.
  void warm(uint32_t slot, uint64_t sample, size_t samples) const {
    const auto* bytes = reinterpret_cast<const char*>(slotAt(slot));
    const uint64_t at = sample & (ringSamples_ - 1u);
    prefetch(bytes, sizeof(parley_audio_slot));
    prefetch(bytes + pcmOffset_ + at * sizeof(int16_t), samples * sizeof(int16_t));
    prefetch(bytes + flagsOffset_ + at / PARLEY_AUDIO_FLAG_BLOCK_SAMPLES, 1);
  }

 private:
  parley_audio_slot* slotAt(uint32_t slot) const;

  int fd_ = -1;
  int readerFd_ = -1;
  void* base_ = nullptr;
  uint64_t bytes_ = 0;
  uint64_t slotStride_ = 0;
  uint32_t ringSamples_ = 0;
  uint32_t pcmOffset_ = 0;
  uint32_t flagsOffset_ = 0;
  uint32_t sentOffset_ = 0;
};

}  // namespace parley
