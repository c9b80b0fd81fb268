// What the media thread tells JavaScript: plain records in one lock-free ring per engine.
#pragma once
#include <cstdint>

#include "clock/mono.h"
#include "dsp/prosody.h"

namespace parley {

// The numbers are part of the edge: src/media/native.ts lists them in the same order.
enum class EventType : uint8_t {
  rtpStart = 0,
  speechStart = 1,
  speechEnd = 2,
  dtmf = 3,       // a = digit (character code), b = duration ms
  clipStart = 4,  // a = clip
  clipMark = 5,   // a = clip, b = mark index
  clipPlayed = 6, // a = clip, b = played 16 kHz samples
  clipStopped = 7,
  rtpIdle = 8,    // a = ms
  speechHint = 9,
  speechNear = 10,
};

struct Event {
  EventType type;
  uint32_t slot;
  uint32_t generation;
  uint32_t a;
  uint64_t b;
  uint64_t sample;  // caller sample or sent sample, 16 kHz
  MonoUs atUs;
  Prosody voice{};  // of speechEnd
};

}  // namespace parley
