// The codecs of a call: static RTP payload types, because Asterisk's external media is two-way only for these.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

namespace parley {

enum class Codec : uint8_t { ulaw = 0, alaw = 1, slin = 2 };
constexpr int kCodecCount = 3;

// RFC 3551 table 4; L16 at 8 kHz has no static type there, 10 is what Asterisk uses for its "slin".
uint8_t payloadTypeOf(Codec codec);

// Samples in a payload of this many bytes; 0 when the length is impossible for the codec.
size_t samplesIn(Codec codec, size_t payloadBytes);

// Decodes a payload whose length samplesIn() accepted; `out` holds that many samples.
void decode(Codec codec, std::span<const uint8_t> payload, int16_t* out);

// Encodes; returns the payload bytes written (at most two per sample).
size_t encode(Codec codec, std::span<const int16_t> pcm, uint8_t* out);

}  // namespace parley
