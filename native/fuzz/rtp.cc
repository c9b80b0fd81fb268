// The RTP parser: any datagram; the payload always lies inside it.
#include "bytes.h"
#include "codec/codec.h"
#include "rtp/packet.h"

#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace parley;
  RtpView view;
  if (parseRtp({data, size}, view) != RtpParse::ok) return 0;
  MUST(view.payload.empty() || (view.payload.data() >= data + kRtpHeaderBytes && view.payload.data() + view.payload.size() <= data + size));
  std::vector<int16_t> pcm;
  for (int i = 0; i < kCodecCount; i++) {
    const auto codec = static_cast<Codec>(i);
    if (unitsIn(codec, view.payload.size()) == 0) continue;
    const CodecInfo& info = infoOf(codec);
    // Exactly as long as it may be, so that one sample too many is found.
    pcm.resize(unitsIn(codec, view.payload.size()) * (info.rateHz / info.clockHz));
    Decoder decoder;
    decoder.open(codec);
    MUST(decoder.decode(view.payload, pcm.data()) == pcm.size());
  }
  return 0;
}
