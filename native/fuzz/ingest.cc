// Ingest: any sequence of packets and time steps. Nothing is heard twice, memory comes back, the time line is bounded.
#include "bytes.h"
#include "ingest/ingest.h"

#include <bitset>
#include <memory>
#include <vector>

namespace {

using namespace parley;

class Listener final : public IngestSink {
 public:
  void audio(std::span<const uint8_t> payload, MonoUs) override {
    MUST(payload.size() >= 2);
    const size_t name = static_cast<size_t>(payload[0]) << 8 | payload[1];
    MUST(!heard[name]);
    heard[name] = true;
    samples += payload.size();
  }
  void lost(uint32_t count) override {
    MUST(count > 0 && count <= 64 * 1472 + 8000);
    samples += count;
  }
  void silence(uint32_t count) override {
    MUST(count > 0);
    samples += count;
  }
  std::bitset<65536> heard;
  uint64_t samples = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Bytes in(data, size);
  constexpr uint32_t kBlocks = 24;
  PayloadPool pool(kBlocks);
  auto listener = std::make_unique<Listener>();
  {
    Ingest ingest(pool, *listener);
    MonoUs nowUs = 1000;
    ingest.open({}, nowUs);
    uint16_t seq = 0;
    uint32_t timestamp = 0;
    uint16_t name = 0;
    uint64_t pushed = 0;
    while (!in.empty() && name < 60000) {
      const uint8_t op = in.u8();
      switch (op & 7) {
        case 0:
          nowUs += 1000 * in.u8();
          ingest.poll(nowUs);
          break;
        case 1:
          nowUs += 100000 * in.u8();
          ingest.poll(nowUs);
          break;
        case 2:
          ingest.relock();
          break;
        default: {
          const uint8_t how = in.u8();
          seq = (how & 1) != 0 ? in.u16() : static_cast<uint16_t>(seq + static_cast<int8_t>(how >> 4) - 4);
          timestamp = (how & 2) != 0 ? in.u32() : timestamp + 160;
          std::vector<uint8_t> payload((how & 4) != 0 ? 2 + in.u8() * 5u : 160u);
          payload[0] = static_cast<uint8_t>(name >> 8);
          payload[1] = static_cast<uint8_t>(name);
          name++;
          RtpView view;
          view.seq = seq;
          view.timestamp = timestamp;
          view.ssrc = op >> 6;
          view.marker = (op & 8) != 0;
          view.payload = payload;
          const auto kind = (op & 0x30) == 0x30 ? PayloadKind::event : PayloadKind::audio;
          ingest.push(view, kind, kind == PayloadKind::audio ? static_cast<uint32_t>(payload.size()) : 0, nowUs);
          pushed += payload.size();
        }
      }
      MUST(!ingest.gapPending() || ingest.deadlineUs() >= nowUs - 80000 || (op & 7) > 2);
    }
    ingest.poll(nowUs += 1000000);
    MUST(!ingest.gapPending());
    // Filled audio is bounded by time passed and packets lost, so no sender can make the engine write for ever.
    MUST(listener->samples <= pushed + static_cast<uint64_t>(nowUs) / 125 + (static_cast<uint64_t>(name) + 1) * 100000);
  }
  MUST(pool.available() == kBlocks);
  return 0;
}
