// The talk gate as a filter, for bench/vad: stdin holds frames of 20 ms at 8 kHz, each 160 samples of what we sent, 160 samples of
// the caller, and one int16 that is 0 where the frame was filled in; stdout gets a line per edge: open sample known (8 kHz samples).
// Arguments, all or none: openFrames openWindowFrames overNoise.
#include <array>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>

#include "gate/talk_gate.h"

int main(int argc, char** argv) {
  parley::TalkGateConfig config;
  if (argc == 4) {
    config.openFrames = static_cast<uint32_t>(std::atoi(argv[1]));
    config.openWindowFrames = static_cast<uint32_t>(std::atoi(argv[2]));
    config.overNoise = static_cast<float>(std::atof(argv[3]));
  }
  std::array<int16_t, 321> frame;
  parley::TalkGate gate(8000, 8000, config);
  uint64_t position = 0;
  while (std::fread(frame.data(), sizeof(int16_t), frame.size(), stdin) == frame.size()) {
    position += 160;
    gate.sent({frame.data(), 160});
    gate.push({frame.data() + 160, 160}, frame[320] != 0, [&](const parley::TalkGateEdge& edge) {
      std::printf("%d %" PRIu64 " %" PRIu64 "\n", edge.open ? 1 : 0, edge.sample, position);
    });
  }
  return 0;
}
