// The digital test sequences of ITU-T G.722, Appendix II, on the sub-band coders with the filters by-passed, in mode 1 (64 kbit/s).
// usage: parley_g722_vectors FOLDER    with ITU's little-endian files, bt1c1.xmt to bt3l3.rc1. They are ITU's and not kept here.
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "codec/g722.h"

namespace {

using Words = std::vector<uint16_t>;

// Lowest bit set: the reset and synchronisation signal (RSS), not a sample.
bool isReset(uint16_t word) { return (word & 1) == 1; }

Words read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  Words words;
  char pair[2];
  while (file.read(pair, 2))
    words.push_back(static_cast<uint16_t>(static_cast<uint8_t>(pair[0]) | static_cast<uint8_t>(pair[1]) << 8));
  return words;
}

Words encoded(const Words& in) {
  parley::G722Encoder encoder;
  Words out;
  for (const uint16_t word : in) {
    if (isReset(word)) encoder.reset();
    const int32_t sample = static_cast<int16_t>(word) >> 1;
    out.push_back(isReset(word) ? uint16_t{1} : static_cast<uint16_t>(encoder.encodeBands(sample, sample) << 8));
  }
  return out;
}

void decoded(const Words& in, Words& low, Words& high) {
  parley::G722Decoder decoder;
  for (const uint16_t word : in) {
    if (isReset(word)) decoder.reset();
    const auto bands = isReset(word) ? parley::G722Bands{} : decoder.decodeBands(static_cast<uint8_t>(word >> 8));
    low.push_back(isReset(word) ? uint16_t{1} : static_cast<uint16_t>(bands.low * 2));
    high.push_back(isReset(word) ? uint16_t{1} : static_cast<uint16_t>(bands.high * 2));
  }
}

int failures = 0;

void compare(const std::string& name, const Words& got, const Words& wanted) {
  size_t different = wanted.empty() || got.size() != wanted.size() ? 1 : 0;
  for (size_t i = 0; i < got.size() && i < wanted.size(); i++) different += got[i] != wanted[i];
  if (different > 0) failures++;
  std::printf("%s - %s: %zu of %zu words differ\n", different == 0 ? "ok" : "not ok", name.c_str(), different, wanted.size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
    return 2;
  }
  const std::string folder = std::string(argv[1]) + "/";
  for (const auto& [in, wanted] : {std::pair{"bt1c1.xmt", "bt2r1.cod"}, {"bt1c2.xmt", "bt2r2.cod"}})
    compare(std::string(in) + " to " + wanted, encoded(read(folder + in)), read(folder + wanted));
  struct Leg {
    const char* codes;
    const char* low;
    const char* high;
  };
  const Leg legs[] = {{"bt2r1.cod", "bt3l1.rc1", "bt3h1.rc0"}, {"bt2r2.cod", "bt3l2.rc1", "bt3h2.rc0"}, {"bt1d3.cod", "bt3l3.rc1", "bt3h3.rc0"}};
  for (const Leg& leg : legs) {
    Words low;
    Words high;
    decoded(read(folder + leg.codes), low, high);
    compare(std::string(leg.codes) + " to " + leg.low, low, read(folder + leg.low));
    compare(std::string(leg.codes) + " to " + leg.high, high, read(folder + leg.high));
  }
  return failures == 0 ? 0 : 1;
}
