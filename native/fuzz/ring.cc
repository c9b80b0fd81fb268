// The audio memory: any lengths written and any ranges asked for, against a plain vector; and any header, checked before use.
#include "audio/memory.h"
#include "bytes.h"

#include <algorithm>
#include <cstring>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace parley;
  Bytes in(data, size);
  if ((in.u8() & 1) != 0) {
    // A header from elsewhere: whatever passes the check can be read within its bounds.
    std::vector<uint8_t> memory(16384);
    const auto bytes = in.take(memory.size());
    parley_audio_header header{};
    std::memcpy(memory.data(), bytes.data(), bytes.size());
    header.magic = PARLEY_AUDIO_MAGIC;
    header.version = PARLEY_AUDIO_VERSION;
    std::memcpy(memory.data(), &header, 12);
    if (!parley_audio_valid(memory.data(), memory.size())) return 0;
    const auto* h = reinterpret_cast<const parley_audio_header*>(memory.data());
    std::vector<int16_t> out(h->ring_samples);
    for (uint32_t slot = 0; slot < h->slot_count && slot < 4; slot++) {
      const parley_audio_slot* s = parley_audio_slot_at(memory.data(), slot);
      uint8_t flags = 0;
      const uint64_t to = parley_audio_write_sample(s);
      const uint64_t from = to < h->ring_samples ? 0 : to - h->ring_samples;
      parley_audio_read(memory.data(), slot, parley_audio_generation(s), from, to, out.data(), &flags);
    }
    return 0;
  }
  AudioMemory memory;
  MUST(memory.create(2, 4096) == 0);
  std::vector<int16_t> all;
  uint32_t generation = memory.openSlot(1);
  int16_t next = 0;
  while (!in.empty() && all.size() < 200000) {
    const uint8_t op = in.u8();
    if (op < 8) {
      memory.closeSlot(1);
      generation = memory.openSlot(1);
      all.clear();
      continue;
    }
    std::vector<int16_t> pcm(op < 128 ? 320u : in.u16() % 5000u);
    for (auto& sample : pcm) sample = next++;
    memory.append(1, pcm, op & 0x0f);
    all.insert(all.end(), pcm.begin(), pcm.end());
    const uint64_t from = in.u32() % (all.size() + 1);
    const uint64_t to = from + in.u16() % 4200u;
    std::vector<int16_t> out(to - from);
    uint8_t flags = 0;
    const auto result = parley_audio_read(memory.data(), 1, generation, from, to, out.data(), &flags);
    const uint64_t oldest = all.size() > 4096 ? (all.size() + 31) / 32 * 32 - 4096 : 0;
    if (to - from > 4096) {
      MUST(result == PARLEY_AUDIO_BAD_RANGE);
    } else if (to > all.size()) {
      MUST(result == PARLEY_AUDIO_NOT_YET);
    } else if (from < oldest) {
      MUST(result == PARLEY_AUDIO_GONE);
    } else {
      MUST(result == PARLEY_AUDIO_OK);
      MUST(std::equal(out.begin(), out.end(), all.begin() + static_cast<std::ptrdiff_t>(from)));
    }
  }
  return 0;
}
