/*
 * The audio memory: 16 kHz caller PCM of all calls in one memfd, written by the media thread, mapped read-only by
 * worker processes (the recogniser) that inherit its file descriptor. Plain C so that any program can include it.
 *
 *   byte 0            parley_audio_header, padded to slots_offset
 *   slots_offset      slot 0 | slot 1 | ... each slot_stride bytes:
 *                       parley_audio_slot (control block), padded to pcm_offset
 *                       int16_t pcm[ring_samples]                           at pcm_offset
 *                       uint8_t flags[ring_samples / flag_block_samples]    at flags_offset
 *                       int16_t sent[ring_samples]                          at sent_offset, when that is not 0
 *
 * Samples are numbered from 0 since the call opened ("caller time"); sample n lies at pcm[n & (ring_samples - 1)] and is
 * described by flags[(n & (ring_samples - 1)) / flag_block_samples].
 *
 * Writer (one thread):  start_sample = oldest sample that survives; release fence; PCM; write_sample (release).
 * Reader (any number):  parley_audio_read() below. It never blocks, and it never returns overwritten audio.
 *
 * `sent` is what we sent to the caller (the agent's side of a recording), numbered from 0 since the first frame went out;
 * that was when the caller's line had come to sent_origin_sample. parley_audio_read_sent() reads it.
 *
 * All integers are native-endian: the memory never leaves the machine.
 */
#ifndef PARLEY_AUDIO_MEMORY_H
#define PARLEY_AUDIO_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PARLEY_AUDIO_MAGIC UINT64_C(0x44554159454c5250) /* "PRLEYAUD" */
#define PARLEY_AUDIO_VERSION 1u
#define PARLEY_AUDIO_RATE_HZ 16000u
#define PARLEY_AUDIO_FLAG_BLOCK_SAMPLES 32u /* 2 ms */

/* What a 2 ms block holds. 0 = the caller's audio as it came. */
#define PARLEY_AUDIO_CONCEALED 0x01u /* lost on the network, filled by us */
#define PARLEY_AUDIO_SILENCE 0x02u   /* nothing came: silence made by the clock */
#define PARLEY_AUDIO_SECURE 0x04u    /* a secret was given meanwhile: not for recorders (blanked, unless it was spoken) */
#define PARLEY_AUDIO_WE_PLAY 0x08u   /* our own voice went out meanwhile: echo is possible */

struct parley_audio_header {
  uint64_t magic;
  uint32_t version;
  uint32_t rate_hz;
  uint32_t slot_count;
  uint32_t ring_samples; /* a power of two */
  uint64_t slot_stride;  /* bytes from one slot to the next, a multiple of the page size */
  uint64_t slots_offset; /* bytes from the start of the memory to slot 0 */
  uint32_t pcm_offset;   /* bytes from the start of a slot */
  uint32_t flags_offset; /* bytes from the start of a slot */
  uint32_t flag_block_samples;
  uint32_t sent_offset; /* bytes from the start of a slot; 0: not kept */
};

/* Changed by the media thread at any moment: read the fields only with the functions below. */
struct parley_audio_slot {
  uint32_t generation; /* odd: a call is open in this slot; even: none. Grows by one at each open and at each close. */
  uint32_t reserved0;
  uint64_t start_sample; /* oldest sample that is still whole */
  uint64_t sent_start_sample;
  uint64_t sent_origin_sample; /* caller sample at which sent sample 0 went out */
  uint64_t reserved1[4];       /* write_sample has a cache line of its own */
  uint64_t write_sample; /* one past the newest sample */
  uint64_t sent_write_sample;
  uint64_t reserved2[6];
};

enum parley_audio_result {
  PARLEY_AUDIO_OK = 0,
  PARLEY_AUDIO_NOT_YET = 1,  /* to_sample has not been written yet */
  PARLEY_AUDIO_GONE = 2,     /* from_sample has been overwritten (the ring is shorter than asked) */
  PARLEY_AUDIO_CLOSED = 3,   /* the generation is another one: that call is over */
  PARLEY_AUDIO_BAD_RANGE = 4 /* slot out of range, from > to, or longer than the ring */
};

/* True when `memory` of `bytes` is an audio memory of this version whose slots lie inside it. Check once after mmap. */
static inline int parley_audio_valid(const void *memory, uint64_t bytes) {
  const struct parley_audio_header *h = (const struct parley_audio_header *)memory;
  if (bytes < sizeof(*h) || h->magic != PARLEY_AUDIO_MAGIC || h->version != PARLEY_AUDIO_VERSION) return 0;
  if (h->ring_samples == 0 || (h->ring_samples & (h->ring_samples - 1)) != 0 || h->flag_block_samples == 0) return 0;
  if (h->slots_offset > bytes || h->slot_stride == 0 || h->slot_count > (bytes - h->slots_offset) / h->slot_stride) return 0;
  if (h->pcm_offset < sizeof(struct parley_audio_slot) || h->pcm_offset % 8 != 0) return 0;
  if ((uint64_t)h->pcm_offset + (uint64_t)h->ring_samples * 2u > h->flags_offset) return 0;
  if (h->sent_offset % 8 != 0 || (h->sent_offset != 0 && h->sent_offset < sizeof(struct parley_audio_slot))) return 0;
  if ((uint64_t)h->sent_offset + (h->sent_offset != 0 ? (uint64_t)h->ring_samples * 2u : 0) > h->slot_stride) return 0;
  return (uint64_t)h->flags_offset + h->ring_samples / h->flag_block_samples <= h->slot_stride;
}

static inline const struct parley_audio_slot *parley_audio_slot_at(const void *memory, uint32_t slot) {
  const struct parley_audio_header *h = (const struct parley_audio_header *)memory;
  return (const struct parley_audio_slot *)((const char *)memory + h->slots_offset + (uint64_t)slot * h->slot_stride);
}

/* How far the call has come: one past its newest sample. */
static inline uint64_t parley_audio_write_sample(const struct parley_audio_slot *slot) {
  return __atomic_load_n(&slot->write_sample, __ATOMIC_ACQUIRE);
}

static inline uint32_t parley_audio_generation(const struct parley_audio_slot *slot) {
  return __atomic_load_n(&slot->generation, __ATOMIC_ACQUIRE);
}

/*
 * Copies samples [from_sample, to_sample) of the call `generation` in `slot` to `out`. When `flags` is not NULL it gets
 * the OR of the flags of all blocks touched. On any result but OK `out` holds nothing of use.
 * `memory` must have passed parley_audio_valid().
 */
static inline enum parley_audio_result parley_audio_read(const void *memory, uint32_t slot, uint32_t generation,
                                                         uint64_t from_sample, uint64_t to_sample, int16_t *out,
                                                         uint8_t *flags) {
  const struct parley_audio_header *h = (const struct parley_audio_header *)memory;
  if (slot >= h->slot_count || from_sample > to_sample || to_sample - from_sample > h->ring_samples)
    return PARLEY_AUDIO_BAD_RANGE;
  const struct parley_audio_slot *s = parley_audio_slot_at(memory, slot);
  const int16_t *pcm = (const int16_t *)((const char *)s + h->pcm_offset);
  const uint8_t *blocks = (const uint8_t *)((const char *)s + h->flags_offset);
  const uint64_t mask = h->ring_samples - 1u;
  if (parley_audio_generation(s) != generation) return PARLEY_AUDIO_CLOSED;
  if (to_sample > parley_audio_write_sample(s)) return PARLEY_AUDIO_NOT_YET;
  if (from_sample < __atomic_load_n(&s->start_sample, __ATOMIC_RELAXED)) return PARLEY_AUDIO_GONE;
  for (uint64_t n = from_sample; n < to_sample; n++)
    out[n - from_sample] = __atomic_load_n(&pcm[n & mask], __ATOMIC_RELAXED);
  if (flags != NULL) {
    uint8_t all = 0;
    const uint64_t step = h->flag_block_samples;
    for (uint64_t n = from_sample - from_sample % step; n < to_sample; n += step)
      all = (uint8_t)(all | __atomic_load_n(&blocks[(n & mask) / step], __ATOMIC_RELAXED));
    *flags = all;
  }
  __atomic_thread_fence(__ATOMIC_ACQUIRE);
  if (from_sample < __atomic_load_n(&s->start_sample, __ATOMIC_RELAXED)) return PARLEY_AUDIO_GONE;
  if (__atomic_load_n(&s->generation, __ATOMIC_RELAXED) != generation) return PARLEY_AUDIO_CLOSED;
  return PARLEY_AUDIO_OK;
}

/* The same for what we sent. A memory that does not keep it answers BAD_RANGE. */
static inline enum parley_audio_result parley_audio_read_sent(const void *memory, uint32_t slot, uint32_t generation,
                                                              uint64_t from_sample, uint64_t to_sample, int16_t *out) {
  const struct parley_audio_header *h = (const struct parley_audio_header *)memory;
  if (slot >= h->slot_count || h->sent_offset == 0 || from_sample > to_sample || to_sample - from_sample > h->ring_samples)
    return PARLEY_AUDIO_BAD_RANGE;
  const struct parley_audio_slot *s = parley_audio_slot_at(memory, slot);
  const int16_t *pcm = (const int16_t *)((const char *)s + h->sent_offset);
  const uint64_t mask = h->ring_samples - 1u;
  if (parley_audio_generation(s) != generation) return PARLEY_AUDIO_CLOSED;
  if (to_sample > __atomic_load_n(&s->sent_write_sample, __ATOMIC_ACQUIRE)) return PARLEY_AUDIO_NOT_YET;
  if (from_sample < __atomic_load_n(&s->sent_start_sample, __ATOMIC_RELAXED)) return PARLEY_AUDIO_GONE;
  for (uint64_t n = from_sample; n < to_sample; n++)
    out[n - from_sample] = __atomic_load_n(&pcm[n & mask], __ATOMIC_RELAXED);
  __atomic_thread_fence(__ATOMIC_ACQUIRE);
  if (from_sample < __atomic_load_n(&s->sent_start_sample, __ATOMIC_RELAXED)) return PARLEY_AUDIO_GONE;
  if (__atomic_load_n(&s->generation, __ATOMIC_RELAXED) != generation) return PARLEY_AUDIO_CLOSED;
  return PARLEY_AUDIO_OK;
}

#ifdef __cplusplus
}
#endif

#endif
