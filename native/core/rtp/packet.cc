#include "rtp/packet.h"

#include "util/bytes.h"

namespace parley {

RtpParse parseRtp(std::span<const uint8_t> datagram, RtpView& view) {
  const size_t size = datagram.size();
  if (size < kRtpHeaderBytes) return RtpParse::notRtp;
  const uint8_t* p = datagram.data();
  if ((p[0] >> 6) != 2) return RtpParse::notRtp;
  if (p[1] >= 192 && p[1] <= 223) return RtpParse::rtcp;

  size_t begin = kRtpHeaderBytes + static_cast<size_t>(p[0] & 0x0f) * 4;
  if (begin > size) return RtpParse::badLength;
  if ((p[0] & 0x10) != 0) {
    if (size - begin < 4) return RtpParse::badLength;
    const size_t extension = 4 + static_cast<size_t>(readU16(p + begin + 2)) * 4;
    if (size - begin < extension) return RtpParse::badLength;
    begin += extension;
  }
  size_t end = size;
  if ((p[0] & 0x20) != 0) {
    const size_t padding = p[size - 1];
    if (padding == 0 || padding > size - begin) return RtpParse::badLength;
    end -= padding;
  }
  view.payloadType = p[1] & 0x7f;
  view.marker = (p[1] & 0x80) != 0;
  view.seq = readU16(p + 2);
  view.timestamp = readU32(p + 4);
  view.ssrc = readU32(p + 8);
  view.payload = datagram.subspan(begin, end - begin);
  return RtpParse::ok;
}

void writeRtpHeader(uint8_t* out, uint8_t payloadType, bool marker, uint16_t seq, uint32_t timestamp, uint32_t ssrc) {
  out[0] = 0x80;
  out[1] = static_cast<uint8_t>((marker ? 0x80 : 0) | (payloadType & 0x7f));
  writeU16(out + 2, seq);
  writeU32(out + 4, timestamp);
  writeU32(out + 8, ssrc);
}

}  // namespace parley
