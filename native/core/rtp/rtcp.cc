#include "rtp/rtcp.h"

#include <algorithm>

#include "util/bytes.h"

namespace parley {

namespace {
constexpr uint8_t kSr = 200;
constexpr uint8_t kRr = 201;
constexpr uint8_t kSdes = 202;
constexpr uint8_t kBye = 203;
constexpr size_t kBlockBytes = 24;
constexpr uint64_t kNtpEpochSeconds = 2208988800u;  // from 1900 to 1970
constexpr int64_t kLongestRoundTripUs = 60000000;

int32_t signed24(uint32_t v) { return static_cast<int32_t>(v << 8) >> 8; }
void writeU24(uint8_t* p, uint32_t v) {
  p[0] = static_cast<uint8_t>(v >> 16);
  p[1] = static_cast<uint8_t>(v >> 8);
  p[2] = static_cast<uint8_t>(v);
}

void readBlocks(const uint8_t* p, size_t count, uint32_t ourSsrc, RtcpHeard& heard) {
  for (size_t i = 0; i < count; i++, p += kBlockBytes) {
    if (readU32(p) != ourSsrc) continue;
    heard.aboutUs = true;
    heard.fractionLost = p[4];
    heard.cumulativeLost = signed24(readU32(p + 4) & 0xffffff);
    heard.jitter = readU32(p + 12);
    heard.echoedSr = readU32(p + 16);
    heard.echoDelay = readU32(p + 20);
  }
}

}  // namespace

void ReceptionStats::count(uint16_t seq) {
  if (received_ == 0) {
    base_ = highest_ = seq;
  } else {
    highest_ = std::max<int64_t>(highest_, highest_ + static_cast<int16_t>(seq - static_cast<uint16_t>(highest_)));
  }
  received_++;
}

void ReceptionStats::packet(uint16_t seq, uint32_t timestamp, MonoUs arrivalUs) {
  count(seq);
  const auto arrivalTs = static_cast<uint32_t>(static_cast<uint64_t>(arrivalUs) * clockHz_ / 1000000);
  const uint32_t transit = arrivalTs - timestamp;
  if (transitKnown_) {
    const auto step = static_cast<int32_t>(transit - lastTransit_);
    const uint64_t distance = step < 0 ? static_cast<uint64_t>(-static_cast<int64_t>(step)) : static_cast<uint64_t>(step);
    // A jump of the time line is no jitter.
    if (distance < clockHz_) jitter_ += distance - ((jitter_ + 8) >> 4);
  }
  lastTransit_ = transit;
  transitKnown_ = true;
}

ReceptionStats::Report ReceptionStats::report() {
  const int64_t expectedNow = expected() - expectedBefore_;
  const int64_t lostNow = expectedNow - (received_ - receivedBefore_);
  expectedBefore_ = expected();
  receivedBefore_ = received_;
  Report report{};
  report.fractionLost =
      expectedNow <= 0 || lostNow <= 0 ? uint8_t{0} : static_cast<uint8_t>(std::min<int64_t>(255, lostNow * 256 / expectedNow));
  report.cumulativeLost = static_cast<int32_t>(std::clamp<int64_t>(lost(), -0x800000, 0x7fffff));
  report.highestSeq = static_cast<uint32_t>(highest_);
  report.jitter = static_cast<uint32_t>(jitter_ >> 4);
  return report;
}

bool parseRtcp(std::span<const uint8_t> datagram, uint32_t ourSsrc, RtcpHeard& heard) {
  RtcpHeard found = heard;
  found.aboutUs = false;
  if (datagram.empty()) return false;
  while (!datagram.empty()) {
    if (datagram.size() < 4) return false;
    const uint8_t* p = datagram.data();
    const size_t bytes = (static_cast<size_t>(readU16(p + 2)) + 1) * 4;
    if ((p[0] >> 6) != 2 || bytes > datagram.size()) return false;
    const size_t blocks = p[0] & 0x1f;
    if (p[1] == kSr) {
      if (bytes < 28 + blocks * kBlockBytes) return false;
      found.senderReport = true;
      found.senderSsrc = readU32(p + 4);
      found.lastSr = readU32(p + 10);
      readBlocks(p + 28, blocks, ourSsrc, found);
    } else if (p[1] == kRr) {
      if (bytes < 8 + blocks * kBlockBytes) return false;
      readBlocks(p + 8, blocks, ourSsrc, found);
    } else if (p[1] == kBye) {
      found.bye = true;
    }
    datagram = datagram.subspan(bytes);
  }
  heard = found;
  return true;
}

size_t writeRtcp(uint8_t* out, const RtcpSender& sender, const ReceptionStats::Report* about, uint32_t aboutSsrc,
                 uint32_t lastSr, uint32_t sinceLastSr, std::span<const char> cname) {
  const size_t reportBytes = 28 + (about != nullptr ? kBlockBytes : 0);
  out[0] = static_cast<uint8_t>(0x80 | (about != nullptr ? 1 : 0));
  out[1] = kSr;
  writeU16(out + 2, static_cast<uint16_t>(reportBytes / 4 - 1));
  writeU32(out + 4, sender.ssrc);
  writeU32(out + 8, static_cast<uint32_t>(sender.ntp >> 32));
  writeU32(out + 12, static_cast<uint32_t>(sender.ntp));
  writeU32(out + 16, sender.timestamp);
  writeU32(out + 20, sender.packets);
  writeU32(out + 24, sender.octets);
  if (about != nullptr) {
    uint8_t* block = out + 28;
    writeU32(block, aboutSsrc);
    block[4] = about->fractionLost;
    writeU24(block + 5, static_cast<uint32_t>(about->cumulativeLost) & 0xffffff);
    writeU32(block + 8, about->highestSeq);
    writeU32(block + 12, about->jitter);
    writeU32(block + 16, lastSr);
    writeU32(block + 20, sinceLastSr);
  }
  uint8_t* sdes = out + reportBytes;
  const size_t name = std::min<size_t>(cname.size(), 16);
  const size_t sdesBytes = (8 + 2 + name + 1 + 3) / 4 * 4;
  std::fill(sdes, sdes + sdesBytes, uint8_t{0});
  sdes[0] = 0x81;
  sdes[1] = kSdes;
  writeU16(sdes + 2, static_cast<uint16_t>(sdesBytes / 4 - 1));
  writeU32(sdes + 4, sender.ssrc);
  sdes[8] = 1;  // CNAME
  sdes[9] = static_cast<uint8_t>(name);
  std::copy_n(cname.begin(), name, sdes + 10);
  return reportBytes + sdesBytes;
}

int64_t roundTripUs(uint32_t nowMiddle, uint32_t echoedSr, uint32_t echoDelay) {
  if (echoedSr == 0) return -1;
  const auto units = static_cast<int32_t>(nowMiddle - echoedSr - echoDelay);
  if (units < 0) return -1;
  const int64_t us = static_cast<int64_t>(units) * 1000000 / 65536;
  return us <= kLongestRoundTripUs ? us : -1;
}

uint64_t ntpOf(MonoUs monoUs, int64_t unixOffsetUs) {
  const auto us = static_cast<uint64_t>(monoUs + unixOffsetUs);
  const uint64_t seconds = us / 1000000 + kNtpEpochSeconds;
  const uint64_t fraction = (us % 1000000 << 32) / 1000000;
  return seconds << 32 | fraction;
}

}  // namespace parley
