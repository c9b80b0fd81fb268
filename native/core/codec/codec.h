// The codecs of a call: RTP payload types as Asterisk's external media uses them.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "codec/g722.h"

namespace parley {

// slin16 is receive only: Asterisk sends it, but takes only static payload types. So a wideband phone is heard as slin16 and
// answered in g722.
enum class Codec : uint8_t { ulaw = 0, alaw = 1, slin = 2, g722 = 3, slin16 = 4 };
constexpr int kCodecCount = 5;

struct CodecInfo {
  uint8_t payloadType;    // RFC 3551 table 4; 10 and 118 are Asterisk's for L16 at 8 and 16 kHz
  uint32_t rateHz;        // of the PCM
  uint32_t clockHz;       // of RTP timestamps
  uint32_t octetsPer20Ms;
};
const CodecInfo& infoOf(Codec codec);

// Timestamp units in a payload of this many bytes; 0 when the length is impossible for the codec.
size_t unitsIn(Codec codec, size_t payloadBytes);

// One direction of one call: most codecs have no memory, G.722 has.
class Decoder {
 public:
  void open(Codec codec);
  const CodecInfo& info() const { return infoOf(codec_); }
  // A payload whose length unitsIn() accepted; returns the samples written to `out`, at most two per byte.
  size_t decode(std::span<const uint8_t> payload, int16_t* out);

 private:
  Codec codec_ = Codec::ulaw;
  G722Decoder g722_;
};

class Encoder {
 public:
  void open(Codec codec);
  const CodecInfo& info() const { return infoOf(codec_); }
  // Returns the bytes written (at most two per sample).
  size_t encode(std::span<const int16_t> pcm, uint8_t* out);

 private:
  Codec codec_ = Codec::ulaw;
  G722Encoder g722_;
};

}  // namespace parley
