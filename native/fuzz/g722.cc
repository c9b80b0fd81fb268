// G.722: any octets decode, any samples encode, within their buffers and without overflow.
#include "bytes.h"
#include "codec/g722.h"

#include <cstring>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace parley;
  std::vector<int16_t> pcm(size * 2);
  G722Decoder decoder;
  decoder.decode({data, size}, pcm.data());
  std::vector<uint8_t> codes(size);
  G722Encoder encoder;
  encoder.encode(pcm, codes.data());
  std::vector<int16_t> raw(size / 4 * 2);
  if (!raw.empty()) std::memcpy(raw.data(), data, raw.size() * 2);
  encoder.encode(raw, codes.data());
  return 0;
}
