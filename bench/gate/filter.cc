// The media engine's talk gate as a filter, for bench/gate.ts: stdin holds frames of 20 ms at 8 kHz, each 160 samples of what we
// sent, 160 samples of the caller, and one int16 that is 0 where the frame was filled in. stdout gets a line per edge or hint:
// kind (0 end, 1 start, 2 hint) sample known (8 kHz samples; known: the end of the packet that brought it).
// Arguments: closeShare closeFloor hissOverNoise hintFrames, all or none.
#include <array>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>

#include "gate/talk_gate.h"

int main(int argc, char** argv) {
  parley::TalkGateConfig config{.pauseFrames = 6};
  if (argc == 5) {
    config.closeShare = static_cast<float>(std::atof(argv[1]));
    config.closeOverNoise = static_cast<float>(std::atof(argv[2]));
    config.hissOverNoise = static_cast<float>(std::atof(argv[3]));
    config.hint.frames = static_cast<uint32_t>(std::atoi(argv[4]));
  }
  std::array<int16_t, 321> frame;
  parley::TalkGate gate(8000, 8000, config);
  uint64_t position = 0;
  while (std::fread(frame.data(), sizeof(int16_t), frame.size(), stdin) == frame.size()) {
    position += 160;
    gate.sent({frame.data(), 160});
    gate.push(
        {frame.data() + 160, 160}, frame[320] != 0,
        [&](const parley::TalkGateEdge& edge) {
          std::printf("%d %" PRIu64 " %" PRIu64 "\n", edge.open ? 1 : 0, edge.sample, position);
        },
        [&](uint64_t sample) { std::printf("2 %" PRIu64 " %" PRIu64 "\n", sample, position); });
  }
  return 0;
}
