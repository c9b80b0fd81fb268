// A whole session without sockets: datagrams as they come, time, clips, keys, secure mode; what goes out is RTP.
#include "bytes.h"
#include "session/session.h"

#include <memory>
#include <vector>

namespace {

using namespace parley;

struct Events final : public EventSink {
  void event(const Event& event) override { note(event); }
  void eventAtSend(const Event& event) override { note(event); }
  void note(const Event& event) {
    if (event.type == EventType::speechStart || event.type == EventType::speechEnd) {
      MUST(open == (event.type == EventType::speechEnd));
      open = !open;
      MUST(event.sample >= lastEdge);
      lastEdge = event.sample;
    }
  }
  bool open = false;
  uint64_t lastEdge = 0;
};

AudioMemory& memory() {
  static AudioMemory instance;
  static const int created = instance.create(1, 4096);
  MUST(created == 0);
  return instance;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Bytes in(data, size);
  PayloadPool pool(16);
  Events events;
  auto session = std::make_unique<Session>(pool, memory(), events);
  SessionOptions options;
  options.generation = memory().openSlot(0);
  options.receive = static_cast<Codec>(in.u8() % kCodecCount);
  const uint8_t send = in.u8();
  options.send = static_cast<Codec>(send % (kCodecCount - 1));
  const CleanOptions clean{.noise = (send & 0xc0) == 0x80, .echo = (send & 0xc0) == 0xc0};
  const auto cleaner = Cleaner::make(infoOf(options.receive).rateHz, infoOf(options.send).rateHz, clean);
  options.cleaner = cleaner.get();
  MonoUs nowUs = 5000;
  session->open(options, nowUs);
  uint64_t slot = 0;
  uint16_t seq = 0;
  uint32_t timestamp = 0;
  while (!in.empty()) {
    const uint8_t op = in.u8();
    switch (op & 7) {
      case 0:
        session->receive(in.take(in.u8()), nowUs);
        break;
      case 1:
        session->secure(static_cast<Secure>((op >> 3) % 3));
        break;
      case 2:
        session->sendDtmf(static_cast<char>(in.u8()), in.u16());
        break;
      case 3: {
        std::array<uint8_t, Session::kMaxFrameBytes> out;
        const size_t bytes = session->renderFrame(slot, out.data());
        session->frameSent();
        slot += 1u + (op >> 6);
        RtpView view;
        MUST(bytes <= out.size() && parseRtp({out.data(), bytes}, view) == RtpParse::ok);
        break;
      }
      case 4:
        nowUs += 1000 * in.u8();
        session->poll(nowUs);
        break;
      default: {
        std::vector<uint8_t> packet(kRtpHeaderBytes + 160, in.u8());
        seq = static_cast<uint16_t>(seq + 1 + (op >> 6));
        timestamp += 160u * (1 + (op >> 6));
        writeRtpHeader(packet.data(), (op & 0x20) != 0 ? 101 : infoOf(options.receive).payloadType, false, seq, timestamp, op >> 4 & 1);
        session->receive(packet, nowUs += 20000);
        session->poll(nowUs);
      }
    }
  }
  MUST(session->stats.sample.get() <= parley_audio_write_sample(parley_audio_slot_at(memory().data(), 0)));
  session->close();
  memory().closeSlot(0);
  MUST(pool.available() == 16);
  return 0;
}
