#include "audio_ring.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include <algorithm>

#include "../core/audio/audio_memory.h"

namespace parley {
namespace {

constexpr int kPollMs = 2;

void sleepMs(int ms) {
  const timespec time{ms / 1000, (ms % 1000) * 1000000L};
  nanosleep(&time, nullptr);
}

AudioResult resultOf(parley_audio_result result) {
  switch (result) {
    case PARLEY_AUDIO_OK: return AudioResult::ok;
    case PARLEY_AUDIO_GONE: return AudioResult::gone;
    case PARLEY_AUDIO_CLOSED: return AudioResult::closed;
    case PARLEY_AUDIO_NOT_YET:
    case PARLEY_AUDIO_BAD_RANGE: return AudioResult::badRange;
  }
  return AudioResult::badRange;
}

}  // namespace

AudioRing::~AudioRing() {
  if (memory_) munmap(const_cast<void*>(memory_), bytes_);
}

std::string AudioRing::map(int fd) {
  struct stat info {};
  if (fstat(fd, &info) != 0 || info.st_size <= 0) return "file descriptor " + std::to_string(fd) + " holds no audio memory";
  bytes_ = static_cast<size_t>(info.st_size);
  void* memory = mmap(nullptr, bytes_, PROT_READ, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return "the audio memory cannot be mapped";
  memory_ = memory;
  // A core file must not hold what callers say.
  madvise(memory, bytes_, MADV_DONTDUMP);
  return parley_audio_valid(memory_, bytes_) ? "" : "the audio memory has another layout than this program was built for";
}

bool AudioRing::hasSlot(uint64_t slot) const { return slot < static_cast<const parley_audio_header*>(memory_)->slot_count; }

uint32_t AudioRing::ringSamples() const { return static_cast<const parley_audio_header*>(memory_)->ring_samples; }

AudioResult AudioRing::read(uint32_t slot, uint32_t generation, uint64_t from, uint64_t to, int waitMs, const std::function<bool()>& stop,
                            std::vector<float>& out) const {
  if (!hasSlot(slot)) return AudioResult::badRange;
  const parley_audio_slot* control = parley_audio_slot_at(memory_, slot);
  for (int waited = 0; waited < waitMs && parley_audio_write_sample(control) < to; waited += kPollMs) {
    if (parley_audio_generation(control) != generation) return AudioResult::closed;
    if (stop()) return AudioResult::stopped;
    sleepMs(kPollMs);
  }
  if (parley_audio_generation(control) != generation) return AudioResult::closed;
  const uint64_t last = std::min(to, parley_audio_write_sample(control));
  if (from > last) return AudioResult::badRange;
  std::vector<int16_t> samples(static_cast<size_t>(std::min<uint64_t>(last - from, ringSamples())));
  if (last - from > samples.size()) return AudioResult::badRange;
  const parley_audio_result result = parley_audio_read(memory_, slot, generation, from, last, samples.data(), nullptr);
  if (result != PARLEY_AUDIO_OK) return resultOf(result);
  out.resize(samples.size());
  std::transform(samples.begin(), samples.end(), out.begin(), [](int16_t sample) { return static_cast<float>(sample) / 32768.0f; });
  return AudioResult::ok;
}

}  // namespace parley
