#include "audio/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

namespace parley {

namespace {

constexpr uint64_t kPage = 4096;
uint64_t roundToPage(uint64_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

// Readers run at any time, so every store is atomic; words of four samples keep that as cheap as a copy.
void storeSamples(int16_t* ring, std::span<const int16_t> pcm) {
  size_t i = 0;
  for (; i < pcm.size() && (reinterpret_cast<uintptr_t>(ring + i) & 7) != 0; i++)
    __atomic_store_n(ring + i, pcm[i], __ATOMIC_RELAXED);
  for (; i + 4 <= pcm.size(); i += 4) {
    uint64_t word;
    __builtin_memcpy(&word, &pcm[i], sizeof(word));
    __atomic_store_n(reinterpret_cast<uint64_t*>(ring + i), word, __ATOMIC_RELAXED);
  }
  for (; i < pcm.size(); i++) __atomic_store_n(ring + i, pcm[i], __ATOMIC_RELAXED);
}

}  // namespace

AudioMemory::~AudioMemory() {
  if (base_ != nullptr) munmap(base_, bytes_);
  if (fd_ >= 0) close(fd_);
  if (readerFd_ >= 0) close(readerFd_);
}

int AudioMemory::create(uint32_t slots, uint32_t historySamples, bool keepSent) {
  ringSamples_ = std::bit_ceil(std::max<uint32_t>(historySamples, 4096));
  pcmOffset_ = kPage;
  const uint64_t pcmBytes = uint64_t{ringSamples_} * sizeof(int16_t);
  flagsOffset_ = static_cast<uint32_t>(pcmOffset_ + pcmBytes);
  slotStride_ = roundToPage(flagsOffset_ + ringSamples_ / PARLEY_AUDIO_FLAG_BLOCK_SAMPLES);
  if (keepSent) {
    sentOffset_ = static_cast<uint32_t>(slotStride_);
    slotStride_ += roundToPage(pcmBytes);
  }
  bytes_ = kPage + slotStride_ * slots;

  fd_ = memfd_create("parley-audio", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd_ < 0) return errno;
  if (ftruncate(fd_, static_cast<off_t>(bytes_)) != 0) return errno;
  void* base = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
  if (base == MAP_FAILED) return errno;
  base_ = base;
  // A core file must not hold what callers say.
  madvise(base_, bytes_, MADV_DONTDUMP);
  // Nobody can resize the memory under a reader, and what workers inherit cannot be mapped for writing. (A write seal would
  // do the same, but it also forbids giving pages back.)
  fcntl(fd_, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  readerFd_ = open(("/proc/self/fd/" + std::to_string(fd_)).c_str(), O_RDONLY | O_CLOEXEC);
  if (readerFd_ < 0) return errno;

  auto* header = static_cast<parley_audio_header*>(base_);
  header->version = PARLEY_AUDIO_VERSION;
  header->rate_hz = PARLEY_AUDIO_RATE_HZ;
  header->slot_count = slots;
  header->ring_samples = ringSamples_;
  header->slot_stride = slotStride_;
  header->slots_offset = kPage;
  header->pcm_offset = pcmOffset_;
  header->flags_offset = flagsOffset_;
  header->flag_block_samples = PARLEY_AUDIO_FLAG_BLOCK_SAMPLES;
  header->sent_offset = sentOffset_;
  header->magic = PARLEY_AUDIO_MAGIC;
  return 0;
}

parley_audio_slot* AudioMemory::slotAt(uint32_t slot) const {
  return reinterpret_cast<parley_audio_slot*>(static_cast<char*>(base_) + kPage + slotStride_ * slot);
}

uint32_t AudioMemory::openSlot(uint32_t slot) {
  parley_audio_slot* s = slotAt(slot);
  __atomic_store_n(&s->start_sample, 0, __ATOMIC_RELAXED);
  __atomic_store_n(&s->write_sample, 0, __ATOMIC_RELAXED);
  __atomic_store_n(&s->sent_start_sample, 0, __ATOMIC_RELAXED);
  __atomic_store_n(&s->sent_origin_sample, 0, __ATOMIC_RELAXED);
  __atomic_store_n(&s->sent_write_sample, 0, __ATOMIC_RELAXED);
  // The writer shall never take a page fault: it would wait for whoever changes the memory map of the process, at any
  // priority. Kernels before 5.14 refuse, and the writer faults.
  madvise(s, slotStride_, MADV_POPULATE_WRITE);
  const uint32_t generation = (__atomic_load_n(&s->generation, __ATOMIC_RELAXED) | 1u);
  __atomic_store_n(&s->generation, generation, __ATOMIC_RELEASE);
  return generation;
}

void AudioMemory::closeSlot(uint32_t slot) {
  parley_audio_slot* s = slotAt(slot);
  __atomic_store_n(&s->generation, (s->generation | 1u) + 1u, __ATOMIC_RELEASE);
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  // Back to the system, and zero when it is read again; where the system will not, at least zero.
  char* audio = reinterpret_cast<char*>(s) + pcmOffset_;
  const auto offset = static_cast<off_t>(audio - static_cast<char*>(base_));
  const auto bytes = static_cast<off_t>(slotStride_ - pcmOffset_);
  if (fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, bytes) != 0) std::memset(audio, 0, static_cast<size_t>(bytes));
}

void AudioMemory::append(uint32_t slot, std::span<const int16_t> pcm, uint8_t flags) {
  parley_audio_slot* s = slotAt(slot);
  char* bytes = reinterpret_cast<char*>(s);
  auto* ring = reinterpret_cast<int16_t*>(bytes + pcmOffset_);
  auto* blocks = reinterpret_cast<uint8_t*>(bytes + flagsOffset_);
  const uint64_t mask = ringSamples_ - 1u;
  constexpr uint64_t kBlock = PARLEY_AUDIO_FLAG_BLOCK_SAMPLES;
  while (!pcm.empty()) {
    const uint64_t at = s->write_sample;
    const uint64_t ringAt = at & mask;
    const size_t count = std::min<size_t>({pcm.size(), ringSamples_ - ringAt, ringSamples_ / 4});
    const uint64_t end = at + count;
    // Announce what is about to be overwritten before touching it. A block's flag byte is shared with its oldest samples.
    const uint64_t blockEnd = (end + kBlock - 1) / kBlock * kBlock;
    if (blockEnd > ringSamples_) __atomic_store_n(&s->start_sample, blockEnd - ringSamples_, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    storeSamples(ring + ringAt, pcm.first(count));
    for (uint64_t n = at / kBlock * kBlock; n < end; n += kBlock) {
      uint8_t* block = &blocks[(n & mask) / kBlock];
      // A block begun by the append before keeps its flags.
      const uint8_t before = n < at ? __atomic_load_n(block, __ATOMIC_RELAXED) : uint8_t{0};
      __atomic_store_n(block, static_cast<uint8_t>(before | flags), __ATOMIC_RELAXED);
    }
    __atomic_store_n(&s->write_sample, end, __ATOMIC_RELEASE);
    pcm = pcm.subspan(count);
  }
}

void AudioMemory::appendSent(uint32_t slot, std::span<const int16_t> pcm) {
  parley_audio_slot* s = slotAt(slot);
  auto* ring = reinterpret_cast<int16_t*>(reinterpret_cast<char*>(s) + sentOffset_);
  if (s->sent_write_sample == 0) __atomic_store_n(&s->sent_origin_sample, s->write_sample, __ATOMIC_RELAXED);
  while (!pcm.empty()) {
    const uint64_t at = s->sent_write_sample;
    const uint64_t ringAt = at & (ringSamples_ - 1u);
    const size_t count = std::min<size_t>({pcm.size(), ringSamples_ - ringAt, ringSamples_ / 4});
    if (at + count > ringSamples_) __atomic_store_n(&s->sent_start_sample, at + count - ringSamples_, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    storeSamples(ring + ringAt, pcm.first(count));
    __atomic_store_n(&s->sent_write_sample, at + count, __ATOMIC_RELEASE);
    pcm = pcm.subspan(count);
  }
}

}  // namespace parley
