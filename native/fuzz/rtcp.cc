// RTCP: any datagram read, any reception turned into a report that reads back.
#include "bytes.h"
#include "rtp/rtcp.h"

#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace parley;
  RtcpHeard heard;
  const std::vector<uint8_t> exact(data, data + size);
  parseRtcp(exact, 0x01020304, heard);
  roundTripUs(heard.lastSr, heard.echoedSr, heard.echoDelay);

  Bytes in(data, size);
  ReceptionStats stats;
  stats.reset(8000);
  MonoUs nowUs = 0;
  while (!in.empty()) {
    stats.packet(in.u16(), in.u32(), nowUs += in.u16());
    MUST(stats.jitterUs() <= 16000000);
  }
  const ReceptionStats::Report report = stats.report();
  std::array<uint8_t, kMaxRtcpBytes> out;
  const RtcpSender sender{7, 1, 2, 3, ntpOf(nowUs, 1)};
  const size_t bytes = writeRtcp(out.data(), sender, &report, 9, heard.lastSr, 5, std::array<char, 3>{'a', 'b', 'c'});
  MUST(bytes <= out.size());
  RtcpHeard back;
  MUST(parseRtcp({out.data(), bytes}, 9, back));
  MUST(back.senderReport && back.aboutUs && back.senderSsrc == 7);
  MUST(back.fractionLost == report.fractionLost && back.cumulativeLost == report.cumulativeLost && back.jitter == report.jitter);
  return 0;
}
