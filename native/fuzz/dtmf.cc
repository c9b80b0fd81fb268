// RFC 4733: sequences of event packets; each key is reported at most once per start time.
#include "bytes.h"
#include "dtmf/dtmf.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace parley;
  Bytes in(data, size);
  DtmfReceiver receiver;
  DtmfSender sender;
  MonoUs nowUs = 0;
  uint32_t slotTs = 0;
  size_t starts = 0;
  size_t keys = 0;
  uint32_t lastTs = 0;
  while (!in.empty()) {
    DtmfKey key{};
    switch (in.u8() & 3) {
      case 0: {
        RtpView view;
        view.timestamp = (in.u8() & 1) != 0 ? lastTs : in.u32();
        if (view.timestamp != lastTs || starts == 0) starts++;
        lastTs = view.timestamp;
        const auto payload = in.take(in.u8() & 7);
        view.payload = payload;
        const auto verdict = receiver.push(view, nowUs, (in.u8() & 1) != 0, key);
        MUST((verdict == DtmfReceiver::Verdict::bad) == (payload.size() < 4));
        if (verdict == DtmfReceiver::Verdict::finished) keys++;
        break;
      }
      case 1:
        nowUs += in.u8() * 2000;
        if (receiver.poll(nowUs, key)) keys++;
        break;
      case 2:
        sender.enqueue(static_cast<char>(in.u8()), in.u16());
        break;
      default: {
        const bool busy = sender.busy();
        const auto packet = sender.slot(slotTs += DtmfSender::kSlotTs);
        MUST(busy || !packet.send);
        MUST(!packet.send || packet.payload[0] < 16);
        MUST(!packet.marker || packet.timestamp == slotTs);
      }
    }
    MUST(keys <= starts);
    MUST(key.digit == '\0' || eventOfDigit(key.digit) >= 0);
  }
  return 0;
}
