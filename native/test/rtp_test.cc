#include <cstring>
#include <vector>

#include "dtmf/dtmf.h"
#include "rtp/packet.h"
#include "rtp/rtcp.h"
#include "tap.h"
#include "util/bytes.h"

using namespace parley;

namespace {

std::vector<uint8_t> packetOf(uint8_t first, std::vector<uint8_t> after, uint8_t type = 0) {
  std::vector<uint8_t> bytes(kRtpHeaderBytes);
  writeRtpHeader(bytes.data(), type, false, 7, 160, 0xdeadbeef);
  bytes[0] = first;
  bytes.insert(bytes.end(), after.begin(), after.end());
  return bytes;
}

RtpParse parse(const std::vector<uint8_t>& bytes, RtpView& view) { return parseRtp(bytes, view); }

RtpView eventOf(uint32_t timestamp, std::vector<uint8_t>& payload, uint8_t event, bool end, uint16_t duration) {
  payload.assign(4, 0);
  payload[0] = event;
  payload[1] = end ? 0x8a : 0x0a;
  writeU16(&payload[2], duration);
  RtpView view;
  view.timestamp = timestamp;
  view.payload = payload;
  return view;
}

}  // namespace

TEST("rtp: what is written is read back") {
  std::vector<uint8_t> bytes(kRtpHeaderBytes + 3, 9);
  writeRtpHeader(bytes.data(), 101, true, 65535, 0xfffffff0u, 0x01020304u);
  RtpView view;
  CHECK_EQ(parse(bytes, view), RtpParse::ok);
  CHECK_EQ(view.payloadType, 101);
  CHECK(view.marker);
  CHECK_EQ(view.seq, 65535);
  CHECK_EQ(view.timestamp, 0xfffffff0u);
  CHECK_EQ(view.ssrc, 0x01020304u);
  CHECK_EQ(view.payload.size(), 3u);
}

TEST("rtp: CSRC, extension and padding are skipped") {
  std::vector<uint8_t> after(8, 1);                                       // two CSRC
  const std::vector<uint8_t> extension{0xbe, 0xde, 0, 1, 9, 9, 9, 9};
  after.insert(after.end(), extension.begin(), extension.end());
  after.insert(after.end(), {5, 6, 7, 0, 0, 3});                          // payload 5 6 7, padding 3
  RtpView view;
  const std::vector<uint8_t> bytes = packetOf(0x80 | 0x20 | 0x10 | 2, after);
  CHECK_EQ(parse(bytes, view), RtpParse::ok);
  CHECK_EQ(view.payload.size(), 3u);
  CHECK_EQ(view.payload[0], 5);
  CHECK_EQ(view.payload[2], 7);
}

TEST("rtp: no length, flag or version takes the reader out of the datagram") {
  // Every first byte, every size: the payload always lies inside.
  for (int first = 0; first < 256; first++) {
    for (size_t size = 0; size < 90; size++) {
      std::vector<uint8_t> bytes(size);
      for (size_t i = 0; i < size; i++) bytes[i] = static_cast<uint8_t>(i * 37 + 11);
      if (size > 0) bytes[0] = static_cast<uint8_t>(first);
      if (size > 1) bytes[1] = 0;
      RtpView view;
      const RtpParse result = parse(bytes, view);
      if (size < 12 || first >> 6 != 2) CHECK_EQ(result, RtpParse::notRtp);
      if (result != RtpParse::ok) continue;
      CHECK(view.payload.data() >= bytes.data() + 12 || view.payload.empty());
      CHECK(view.payload.data() + view.payload.size() <= bytes.data() + size);
    }
  }
  RtpView view;
  CHECK_EQ(parse(packetOf(0x8f, std::vector<uint8_t>(59)), view), RtpParse::badLength);
  CHECK_EQ(parse(packetOf(0x90, {0, 0, 0}), view), RtpParse::badLength);
  CHECK_EQ(parse(packetOf(0x90, {0, 0, 0xff, 0xff}), view), RtpParse::badLength);
  CHECK_EQ(parse(packetOf(0xa0, {1, 0}), view), RtpParse::badLength);
  CHECK_EQ(parse(packetOf(0xa0, {1, 3}), view), RtpParse::badLength);
  CHECK_EQ(parse(packetOf(0xa0, {1, 2}), view), RtpParse::ok);
  CHECK_EQ(parse(packetOf(0x80, {1, 2}, 72), view), RtpParse::ok);
  std::vector<uint8_t> rtcp = packetOf(0x80, {});
  rtcp[1] = 200;
  CHECK_EQ(parse(rtcp, view), RtpParse::rtcp);
}

TEST("dtmf: a key is reported once, at its end, whatever is repeated, lost or late") {
  DtmfReceiver receiver;
  DtmfKey key{};
  std::vector<uint8_t> payload;
  for (uint16_t i = 1; i <= 5; i++)
    CHECK_EQ(receiver.push(eventOf(1000, payload, 1, false, static_cast<uint16_t>(i * 160)), i * 20000, false, key),
             DtmfReceiver::Verdict::going);
  CHECK_EQ(receiver.push(eventOf(1000, payload, 1, true, 960), 120000, false, key), DtmfReceiver::Verdict::finished);
  CHECK_EQ(key.digit, '1');
  CHECK_EQ(key.durationMs, 120u);
  for (int i = 0; i < 2; i++)
    CHECK_EQ(receiver.push(eventOf(1000, payload, 1, true, 960), 140000, false, key), DtmfReceiver::Verdict::going);
  // A late repeat of the first key while the second is under way.
  CHECK_EQ(receiver.push(eventOf(5000, payload, 2, false, 160), 200000, false, key), DtmfReceiver::Verdict::going);
  CHECK_EQ(receiver.push(eventOf(1000, payload, 1, true, 960), 201000, false, key), DtmfReceiver::Verdict::going);
  CHECK(!receiver.poll(300000, key));
  CHECK(receiver.poll(401000, key));
  CHECK_EQ(key.digit, '2');
  CHECK(!receiver.poll(900000, key));
}

TEST("dtmf: a key whose end was lost is reported when the next begins; its own repeats are not") {
  DtmfReceiver receiver;
  DtmfKey key{};
  std::vector<uint8_t> payload;
  receiver.push(eventOf(1000, payload, 3, false, 320), 0, false, key);
  CHECK_EQ(receiver.push(eventOf(3000, payload, 4, true, 480), 60000, false, key), DtmfReceiver::Verdict::finished);
  CHECK_EQ(key.digit, '3');
  CHECK_EQ(receiver.push(eventOf(3000, payload, 4, true, 480), 60000, false, key), DtmfReceiver::Verdict::finished);
  CHECK_EQ(key.digit, '4');
  CHECK_EQ(receiver.push(eventOf(3000, payload, 4, true, 480), 60000, false, key), DtmfReceiver::Verdict::going);
}

TEST("dtmf: long keys continue over segments, secure keys are swallowed, other events are none, short payloads are bad") {
  DtmfReceiver receiver;
  DtmfKey key{};
  std::vector<uint8_t> payload;
  receiver.push(eventOf(1000, payload, 5, false, 0xffff), 0, false, key);
  receiver.push(eventOf(1000 + 0xffff, payload, 5, false, 160), 20000, false, key);
  CHECK_EQ(receiver.push(eventOf(1000 + 0xffff, payload, 5, true, 320), 40000, false, key), DtmfReceiver::Verdict::finished);
  CHECK_EQ(key.durationMs, (0xffffu + 320u) / 8u);
  receiver.push(eventOf(200000, payload, 6, false, 160), 0, true, key);
  CHECK_EQ(receiver.push(eventOf(200000, payload, 6, true, 320), 0, false, key), DtmfReceiver::Verdict::going);
  CHECK_EQ(receiver.push(eventOf(300000, payload, 16, true, 320), 0, false, key), DtmfReceiver::Verdict::going);
  RtpView cut = eventOf(400000, payload, 7, true, 320);
  cut.payload = cut.payload.first(3);
  CHECK_EQ(receiver.push(cut, 0, false, key), DtmfReceiver::Verdict::bad);
}

TEST("dtmf: sent keys are RFC 4733 events, one after the other") {
  DtmfSender sender;
  CHECK(!sender.enqueue('x', 100));
  CHECK(sender.enqueue('A', 60));
  CHECK(sender.enqueue('*', 1));
  std::vector<int> ends;
  uint32_t timestamp = 0;
  int packets = 0;
  for (int slot = 0; slot < 40 && sender.busy(); slot++, timestamp += 160) {
    const DtmfSender::Packet packet = sender.slot(timestamp);
    if (!packet.send) continue;
    packets++;
    CHECK_EQ(packet.marker, packet.timestamp == timestamp);
    if ((packet.payload[1] & 0x80) != 0) ends.push_back(packet.payload[0]);
  }
  CHECK_EQ(packets, (3 + 2) + (2 + 2));
  CHECK(ends == (std::vector<int>{12, 12, 12, 10, 10, 10}));
  CHECK(!sender.busy());
  for (int i = 0; i < 32; i++) CHECK(sender.enqueue('1', 40));
  CHECK(!sender.enqueue('1', 40));
}

TEST("rtcp: loss, highest sequence and jitter as RFC 3550 counts them, over the wrap") {
  ReceptionStats stats;
  stats.reset(8000);
  // 100 packets from 65500 on, each tenth lost, every second one 5 ms late.
  for (uint32_t i = 0; i < 100; i++)
    if (i % 10 != 5) stats.packet(static_cast<uint16_t>(65500 + i), 160 * i, static_cast<MonoUs>(1000000 + i * 20000 + (i % 2) * 5000));
  CHECK_EQ(stats.lost(), 10);
  const ReceptionStats::Report first = stats.report();
  CHECK_EQ(first.fractionLost, 25);
  CHECK_EQ(first.cumulativeLost, 10);
  CHECK_EQ(first.highestSeq, 65599u);
  CHECK_NEAR(stats.jitterUs(), 5000, 700);
  CHECK_EQ(stats.report().fractionLost, 0);
  stats.packet(65599 & 0xffff, 0, 9000000);
  CHECK_EQ(stats.lost(), 9);
}

TEST("rtcp: a report reads back; the round trip is what is left of the echo; other SSRCs and wrong lengths are nothing") {
  ReceptionStats stats;
  stats.reset(8000);
  for (uint16_t i = 0; i < 8; i++)
    if (i != 3) stats.packet(i, 160u * i, i * 20000);
  const ReceptionStats::Report about = stats.report();
  std::array<uint8_t, kMaxRtcpBytes> out{};
  const uint64_t ntp = ntpOf(1000000, 1700000000000000);
  CHECK_EQ(ntp >> 32, 1700000001u + 2208988800u);
  const RtcpSender sender{0xabcd, 50, 8000, 777, ntp};
  const size_t bytes = writeRtcp(out.data(), sender, &about, 0x1234, 99, 65536, std::array<char, 4>{'n', 'a', 'm', 'e'});
  CHECK_EQ(bytes % 4, 0u);
  RtcpHeard heard;
  CHECK(parseRtcp({out.data(), bytes}, 0x1234, heard));
  CHECK(heard.senderReport && heard.aboutUs && !heard.bye);
  CHECK_EQ(heard.senderSsrc, 0xabcdu);
  CHECK_EQ(heard.lastSr, ntpMiddle(ntp));
  CHECK_EQ(heard.cumulativeLost, 1);
  CHECK_EQ(heard.fractionLost, 32);
  CHECK_EQ(heard.echoedSr, 99u);
  RtcpHeard other;
  CHECK(parseRtcp({out.data(), bytes}, 0x9999, other));
  CHECK(!other.aboutUs);
  for (size_t cut = 1; cut < bytes; cut++)
    if (cut != 28 + 24) CHECK(!parseRtcp({out.data(), cut}, 0x1234, other));
  out[0] = 0x9f;
  CHECK(!parseRtcp({out.data(), bytes}, 0x1234, other));
  const uint32_t now = 0x10000;
  CHECK_EQ(roundTripUs(now, now - 65536 - 6554, 65536), 100006);
  CHECK_EQ(roundTripUs(now, 0, 5), -1);
  CHECK_EQ(roundTripUs(now, now + 10, 0), -1);
}
