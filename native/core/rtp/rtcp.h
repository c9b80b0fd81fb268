// RTCP (RFC 3550 section 6): reception statistics, sender and receiver reports out, reports about our stream in.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "clock/mono.h"

namespace parley {

// What we see of the peer's stream (RFC 3550 appendix A.1, A.3, A.8).
class ReceptionStats {
 public:
  void reset(uint32_t clockHz) {
    *this = {};
    clockHz_ = clockHz;
  }
  // Each packet of the stream, in the order of arrival, duplicates too.
  void packet(uint16_t seq, uint32_t timestamp, MonoUs arrivalUs);
  // An event packet: its timestamp stands still, so it says nothing about jitter.
  void eventPacket(uint16_t seq) { count(seq); }

  struct Report {
    uint8_t fractionLost;  // since the report before, of 256
    int32_t cumulativeLost;
    uint32_t highestSeq;
    uint32_t jitter;  // timestamp units
  };
  // For a report block; begins the next interval.
  Report report();

  uint32_t jitterUs() const { return static_cast<uint32_t>(jitter_ / 16 * 1000000 / clockHz_); }
  // Negative when there were duplicates and no loss.
  int64_t lost() const { return expected() - received_; }
  bool any() const { return received_ > 0; }

 private:
  void count(uint16_t seq);
  int64_t expected() const { return received_ == 0 ? 0 : highest_ - base_ + 1; }

  uint64_t clockHz_ = 8000;
  int64_t base_ = 0;
  int64_t highest_ = 0;
  int64_t received_ = 0;
  int64_t expectedBefore_ = 0;
  int64_t receivedBefore_ = 0;
  uint32_t lastTransit_ = 0;
  bool transitKnown_ = false;
  uint64_t jitter_ = 0;  // times 16
};

struct RtcpSender {
  uint32_t ssrc = 0;
  uint32_t packets = 0;
  uint32_t octets = 0;
  uint32_t timestamp = 0;  // the media clock now
  uint64_t ntp = 0;        // RFC 3550 section 4: seconds since 1900 in the upper half
};

// What the peer said: its last sender report, and its view of our stream.
struct RtcpHeard {
  bool senderReport = false;
  uint32_t senderSsrc = 0;
  uint32_t lastSr = 0;  // middle 32 bits of its NTP time
  bool aboutUs = false;
  uint8_t fractionLost = 0;
  int32_t cumulativeLost = 0;
  uint32_t jitter = 0;
  uint32_t echoedSr = 0;  // LSR and DLSR of its report block
  uint32_t echoDelay = 0;
  bool bye = false;
};

constexpr size_t kMaxRtcpBytes = 96;

// Reads a compound packet; false (and `heard` untouched) when any length in it is wrong.
bool parseRtcp(std::span<const uint8_t> datagram, uint32_t ourSsrc, RtcpHeard& heard);

// Writes SR, one report block when `about` is not null, and SDES with a CNAME. Returns the bytes (at most kMaxRtcpBytes).
// `lastSr` and `sinceLastSr` (1/65536 s) answer the peer's last sender report, 0 when there was none.
size_t writeRtcp(uint8_t* out, const RtcpSender& sender, const ReceptionStats::Report* about, uint32_t aboutSsrc,
                 uint32_t lastSr, uint32_t sinceLastSr, std::span<const char> cname);

// Time on the wire there and back from a report block, in microseconds; -1 when the block holds no echo or an impossible one.
int64_t roundTripUs(uint32_t nowMiddle, uint32_t echoedSr, uint32_t echoDelay);

// NTP time of a monotonic moment, given the offset between the two clocks taken once: steps of the wall clock do no harm.
uint64_t ntpOf(MonoUs monoUs, int64_t unixOffsetUs);
inline uint32_t ntpMiddle(uint64_t ntp) { return static_cast<uint32_t>(ntp >> 16); }

}  // namespace parley
