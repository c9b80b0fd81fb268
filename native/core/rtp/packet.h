// RTP packets (RFC 3550 section 5.1): a bounds-checked view over foreign bytes, and a writer.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

namespace parley {

constexpr size_t kRtpHeaderBytes = 12;
constexpr size_t kMaxDatagramBytes = 1500;

struct RtpView {
  uint8_t payloadType = 0;
  bool marker = false;
  uint16_t seq = 0;
  uint32_t timestamp = 0;
  uint32_t ssrc = 0;
  std::span<const uint8_t> payload;  // borrowed from the datagram
};

enum class RtpParse : uint8_t { ok, notRtp, badLength, rtcp };

// Fills `view` only when it answers ok. notRtp: too short or another version; badLength: CSRC list, extension or padding
// reach beyond the datagram; rtcp: a control packet multiplexed on the RTP port (RFC 5761).
RtpParse parseRtp(std::span<const uint8_t> datagram, RtpView& view);

// Writes the 12 fixed bytes; `out` must have room for them.
void writeRtpHeader(uint8_t* out, uint8_t payloadType, bool marker, uint16_t seq, uint32_t timestamp, uint32_t ssrc);

}  // namespace parley
