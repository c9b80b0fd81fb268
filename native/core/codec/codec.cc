#include "codec/codec.h"

#include "codec/g711.h"
#include "util/bytes.h"

namespace parley {

uint8_t payloadTypeOf(Codec codec) {
  switch (codec) {
    case Codec::ulaw:
      return 0;
    case Codec::alaw:
      return 8;
    case Codec::slin:
      return 10;
  }
  return 0;
}

size_t samplesIn(Codec codec, size_t payloadBytes) {
  if (codec != Codec::slin) return payloadBytes;
  return payloadBytes % 2 == 0 ? payloadBytes / 2 : 0;
}

void decode(Codec codec, std::span<const uint8_t> payload, int16_t* out) {
  switch (codec) {
    case Codec::ulaw:
      ulawDecode(payload.data(), out, payload.size());
      return;
    case Codec::alaw:
      alawDecode(payload.data(), out, payload.size());
      return;
    case Codec::slin:
      for (size_t i = 0; i < payload.size() / 2; i++) out[i] = static_cast<int16_t>(readU16(payload.data() + 2 * i));
      return;
  }
}

size_t encode(Codec codec, std::span<const int16_t> pcm, uint8_t* out) {
  switch (codec) {
    case Codec::ulaw:
      ulawEncode(pcm.data(), out, pcm.size());
      return pcm.size();
    case Codec::alaw:
      alawEncode(pcm.data(), out, pcm.size());
      return pcm.size();
    case Codec::slin:
      for (size_t i = 0; i < pcm.size(); i++) writeU16(out + 2 * i, static_cast<uint16_t>(pcm[i]));
      return pcm.size() * 2;
  }
  return 0;
}

}  // namespace parley
