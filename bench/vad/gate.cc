// The talk gate as a filter, for bench/vad: stdin holds frames of 20 ms at 8 kHz, each 160 samples of what we sent, 160 samples of
// the caller, and one int16 that is 0 where the frame was filled in; stdout gets a line per edge: what sample known (8 kHz samples),
// what: 0 the gate closes, 1 it opens, 2 a sound is near.
#include <array>
#include <cinttypes>
#include <cstdio>

#include "gate/talk_gate.h"

int main() {
  parley::TalkGateConfig config;
  // As in native/core/session.
  config.pauseFrames = 6;
  config.nearFrames = 2;
  std::array<int16_t, 321> frame;
  parley::TalkGate gate(8000, 8000, config);
  uint64_t position = 0;
  while (std::fread(frame.data(), sizeof(int16_t), frame.size(), stdin) == frame.size()) {
    position += 160;
    gate.sent({frame.data(), 160});
    const auto say = [&](int what, uint64_t sample) { std::printf("%d %" PRIu64 " %" PRIu64 "\n", what, sample, position); };
    gate.push(
        {frame.data() + 160, 160}, frame[320] != 0, [&](const parley::TalkGateEdge& edge) { say(edge.open ? 1 : 0, edge.sample); },
        [](uint64_t) {}, [&](uint64_t sample) { say(2, sample); });
  }
  return 0;
}
