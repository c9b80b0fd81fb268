#include "codec/codec.h"

#include <array>

#include "codec/g711.h"
#include "util/bytes.h"

namespace parley {

namespace {
constexpr std::array<CodecInfo, kCodecCount> kInfo{{
    {0, 8000, 8000, 160},
    {8, 8000, 8000, 160},
    {10, 8000, 8000, 320},
    {9, 16000, 8000, 160},
    {118, 16000, 16000, 640},
}};
}  // namespace

const CodecInfo& infoOf(Codec codec) { return kInfo[static_cast<size_t>(codec)]; }

size_t unitsIn(Codec codec, size_t payloadBytes) {
  if (codec != Codec::slin && codec != Codec::slin16) return payloadBytes;
  return payloadBytes % 2 == 0 ? payloadBytes / 2 : 0;
}

void Decoder::open(Codec codec) {
  codec_ = codec;
  g722_.reset();
}

size_t Decoder::decode(std::span<const uint8_t> payload, int16_t* out) {
  switch (codec_) {
    case Codec::ulaw:
      ulawDecode(payload.data(), out, payload.size());
      return payload.size();
    case Codec::alaw:
      alawDecode(payload.data(), out, payload.size());
      return payload.size();
    case Codec::g722:
      g722_.decode(payload, out);
      return payload.size() * 2;
    case Codec::slin:
    case Codec::slin16:
      for (size_t i = 0; i < payload.size() / 2; i++) out[i] = static_cast<int16_t>(readU16(payload.data() + 2 * i));
      return payload.size() / 2;
  }
  return 0;
}

void Encoder::open(Codec codec) {
  codec_ = codec;
  g722_.reset();
}

size_t Encoder::encode(std::span<const int16_t> pcm, uint8_t* out) {
  switch (codec_) {
    case Codec::ulaw:
      ulawEncode(pcm.data(), out, pcm.size());
      return pcm.size();
    case Codec::alaw:
      alawEncode(pcm.data(), out, pcm.size());
      return pcm.size();
    case Codec::g722:
      g722_.encode(pcm, out);
      return pcm.size() / 2;
    case Codec::slin:
    case Codec::slin16:
      for (size_t i = 0; i < pcm.size(); i++) writeU16(out + 2 * i, static_cast<uint16_t>(pcm[i]));
      return pcm.size() * 2;
  }
  return 0;
}

}  // namespace parley
