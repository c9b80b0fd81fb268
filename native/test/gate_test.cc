// The talk gate: where a voice begins, pauses and ends, in noise and in our own echo; hints; tails of words.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>
#include <vector>

#include "gate/talk_gate.h"
#include "tap.h"

using namespace parley;

namespace {

struct GateRun {
  explicit GateRun(const TalkGateConfig& config = {}) : gate(8000, 8000, config) {}
  std::vector<TalkGateEdge> edges;
  std::vector<uint64_t> hints;
  std::vector<uint64_t> nears;
  TalkGate gate;
  std::mt19937 random{1};

  // `voice` and `noise` are RMS levels; `played` is what we send meanwhile.
  void push(size_t ms, double voice, double noise, double played = 0, bool natural = true) {
    std::normal_distribution<double> normal;
    std::vector<int16_t> pcm(8);
    std::vector<int16_t> sent(8);
    for (size_t i = 0; i < ms; i++) {
      for (size_t n = 0; n < 8; n++, at++) {
        const double wave = std::sin(0.35 * static_cast<double>(at)) * std::numbers::sqrt2;
        pcm[n] = static_cast<int16_t>(voice * wave + noise * normal(random));
        sent[n] = static_cast<int16_t>(played * wave);
      }
      gate.sent(sent);
      gate.push(
          pcm, natural, [this](const TalkGateEdge& edge) { edges.push_back(edge); }, [this](uint64_t sample) { hints.push_back(sample); },
          [this](uint64_t sample) { nears.push_back(sample); });
    }
  }
  size_t at = 0;
};

}  // namespace

TEST("gate: finds the first and the last voiced sample, in quiet and in noise") {
  for (double noise : {0.0, 30.0, 200.0, 600.0}) {
    GateRun run;
    run.push(1000, 0, noise);
    run.push(600, 3000, noise);
    run.push(1000, 0, noise);
    CHECK_EQ(run.edges.size(), 2u);
    if (run.edges.size() != 2) continue;
    CHECK(run.edges[0].open);
    CHECK_NEAR(run.edges[0].sample, 8000, 160);
    CHECK(!run.edges[1].open);
    CHECK_NEAR(run.edges[1].sample, 12800, 160);
  }
}

TEST("gate: a pause is told after 60 ms, its end after 30, and the end of speech only once") {
  GateRun run(TalkGateConfig{.pauseFrames = 6});
  run.push(1000, 0, 20);
  run.push(600, 3000, 20);
  run.push(80, 0, 20);
  CHECK_EQ(run.edges.size(), 2u);
  CHECK(run.gate.open());
  run.push(60, 3000, 20);
  CHECK_EQ(run.edges.size(), 3u);
  run.push(300, 3000, 20);
  run.push(1000, 0, 20);
  CHECK(!run.gate.open());
  CHECK_EQ(run.edges.size(), 4u);
  if (run.edges.size() != 4) return;
  CHECK(run.edges[0].open && !run.edges[1].open && run.edges[2].open && !run.edges[3].open);
  CHECK_NEAR(run.edges[1].sample, 12800, 160);
  CHECK_NEAR(run.edges[2].sample, 13440, 160);
  CHECK_NEAR(run.edges[3].sample, 16320, 160);
}

TEST("gate: a stop in a word, shorter than a pause, is none") {
  GateRun run(TalkGateConfig{.pauseFrames = 6});
  run.push(1000, 0, 20);
  for (int i = 0; i < 5; i++) {
    run.push(150, 3000, 20);
    run.push(40, 0, 20);
  }
  CHECK_EQ(run.edges.size(), 1u);
}

TEST("gate: a click, steady noise, digital silence and filled audio do not open it") {
  GateRun run;
  run.push(1000, 0, 20);
  run.push(20, 8000, 0);
  run.push(500, 0, 20);
  CHECK_EQ(run.edges.size(), 0u);
  run.push(3000, 0, 0);
  run.push(600, 3000, 0, 0, false);
  CHECK_EQ(run.edges.size(), 0u);
}

TEST("gate: noise that sets in closes again by itself, and speech above it is still found") {
  GateRun run;
  run.push(1000, 0, 20);
  run.push(4000, 0, 800);
  CHECK_EQ(run.gate.open(), false);
  const size_t before = run.edges.size();
  run.push(500, 6000, 800);
  run.push(500, 0, 800);
  CHECK_EQ(run.edges.size(), before + 2);
}

TEST("gate: words with short gaps are not taken for noise: the soft last one counts") {
  GateRun run(TalkGateConfig{.pauseFrames = 6});
  run.push(1000, 0, 20);
  for (int word = 0; word < 12; word++) {
    run.push(220, 3000, 20);
    run.push(30, 0, 20);
  }
  run.push(200, 1200, 20);
  run.push(1000, 0, 20);
  CHECK_EQ(run.edges.size(), 2u);
  if (run.edges.size() != 2) return;
  CHECK_NEAR(run.edges[1].sample, (1000 + 12 * 250 + 200) * 8, 160);
}

TEST("gate: our own voice coming back at -20 dB is not the caller; the caller over it is") {
  GateRun run;
  run.push(500, 0, 20);
  for (int i = 0; i < 20; i++) {
    run.push(800, 300, 20, 3000);  // echo 20 dB down
    run.push(200, 0, 20, 0);
  }
  CHECK_EQ(run.edges.size(), 0u);
  CHECK_EQ(run.hints.size(), 0u);
  run.push(400, 2500, 20, 3000);
  CHECK_EQ(run.edges.size(), 1u);
  CHECK_EQ(run.hints.size(), 1u);
}

TEST("gate: on a line that proved free of echo a quiet caller can interrupt") {
  GateRun run;
  run.push(10000, 0, 20, 3000);
  CHECK_EQ(run.edges.size(), 0u);
  run.push(400, 400, 20, 3000);
  CHECK_EQ(run.edges.size(), 1u);
}

TEST("gate: a hint comes after 20 ms of voice, once for each candidate, and says where it began") {
  GateRun run(TalkGateConfig{.pauseFrames = 6});
  run.push(1000, 0, 20);
  run.push(20, 3000, 20);
  CHECK_EQ(run.hints.size(), 1u);
  CHECK_EQ(run.edges.size(), 0u);
  if (!run.hints.empty()) CHECK_NEAR(run.hints[0], 8000, 80);
  run.push(400, 3000, 20);
  CHECK_EQ(run.hints.size(), 1u);
  run.push(100, 0, 20);  // a pause, and a voice that goes on
  run.push(200, 3000, 20);
  CHECK_EQ(run.hints.size(), 2u);
  run.push(500, 0, 20);
  for (int click = 0; click < 3; click++) {
    run.push(10, 3000, 20);  // one frame is none
    run.push(200, 0, 20);
  }
  CHECK_EQ(run.hints.size(), 2u);
  run.push(25, 8000, 20);  // a knock is one, and no opening follows
  run.push(200, 0, 20);
  CHECK_EQ(run.hints.size(), 3u);
  CHECK_EQ(run.edges.size(), 4u);
  run.push(1000, 3000, 0, 0, false);
  CHECK_EQ(run.hints.size(), 3u);
}

TEST("gate: a soft beginning hints on a quiet line, and so does hiss under a rumble; neither opens the gate") {
  GateRun soft(TalkGateConfig{.pauseFrames = 6});
  soft.push(1000, 0, 4);
  soft.push(40, 70, 4);
  CHECK_EQ(soft.hints.size(), 1u);
  if (!soft.hints.empty()) CHECK_NEAR(soft.hints[0], 8000, 80);
  soft.push(300, 3000, 4);
  CHECK_EQ(soft.hints.size(), 1u);  // the voice that follows is the same one
  CHECK_EQ(soft.edges.size(), 1u);

  TalkGate gate(8000, 8000, TalkGateConfig{});
  std::mt19937 random(5);
  std::normal_distribution<double> normal;
  std::vector<int16_t> pcm(80);
  size_t hints = 0;
  size_t edges = 0;
  for (int frame = 0; frame < 220; frame++) {
    for (size_t i = 0; i < 80; i++) {
      const double rumble = 400.0 * std::sin(0.02 * static_cast<double>(frame * 80 + static_cast<int>(i)));
      pcm[i] = static_cast<int16_t>(rumble + (frame >= 200 && frame < 210 ? 90.0 : 4.0) * normal(random));
    }
    gate.push(pcm, true, [&](const TalkGateEdge&) { edges++; }, [&](uint64_t) { hints++; });
  }
  CHECK_EQ(hints, 1u);
  CHECK_EQ(edges, 0u);
}

TEST("gate: our own s coming back at -20 dB is no hint, not even the first one") {
  TalkGate gate;
  std::mt19937 random(7);
  std::normal_distribution<double> normal;
  std::vector<int16_t> line(240);  // comes back 30 ms later
  std::vector<int16_t> sent(80);
  std::vector<int16_t> pcm(80);
  size_t hints = 0;
  for (int frame = 0; frame < 3000; frame++) {
    const int place = frame % 40;
    const double voice = place < 20 ? 3000.0 : 0.0;
    const double hiss = place >= 20 && place < 30 ? 900.0 : 0.0;
    for (size_t i = 0; i < 80; i++) {
      const double wave = std::sin(0.35 * static_cast<double>(frame * 80 + static_cast<int>(i))) * std::numbers::sqrt2;
      sent[i] = static_cast<int16_t>(voice * wave + hiss * normal(random));
      pcm[i] = static_cast<int16_t>(line[i] * 0.1 + 8.0 * normal(random));
    }
    std::rotate(line.begin(), line.begin() + 80, line.end());
    std::copy(sent.begin(), sent.end(), line.end() - 80);
    gate.sent(sent);
    gate.push(pcm, true, [](const TalkGateEdge&) {}, [&](uint64_t) { hints++; });
  }
  CHECK_EQ(hints, 0u);
}

TEST("gate: a listener who speaks softly over us is not taken for our echo") {
  GateRun run(TalkGateConfig{.pauseFrames = 6});
  run.push(10000, 0, 4, 3000);
  for (int word = 0; word < 4; word++) {
    run.push(60, 150, 4, 3000);  // too short to open the gate, or the soft end of what did
    run.push(120, 400, 4, 3000);
    run.push(80, 150, 4, 3000);
    run.push(500, 0, 4, 3000);
  }
  const size_t before = run.hints.size();
  run.push(20, 150, 4, 3000);
  CHECK_EQ(run.hints.size(), before + 1);
}

TEST("gate: a word lasts until it has died away, and until its last hiss") {
  for (double tail : {100.0, 60.0}) {
    GateRun run(TalkGateConfig{.pauseFrames = 6});
    run.push(1000, 0, 4);
    run.push(300, 3000, 4);
    run.push(180, tail, 4);  // what would open no gate
    run.push(500, 0, 4);
    CHECK_EQ(run.edges.size(), 2u);
    if (run.edges.size() == 2) CHECK_NEAR(run.edges[1].sample, 8000 + 480 * 8, 160);
  }
  // Hiss above the hiss of the line; the same on its own begins nothing.
  GateRun run(TalkGateConfig{.pauseFrames = 6});
  run.push(1000, 0, 8);
  run.push(300, 3000, 8);
  run.push(150, 0, 100);
  run.push(500, 0, 8);
  CHECK_EQ(run.edges.size(), 2u);
  if (run.edges.size() == 2) CHECK_NEAR(run.edges[1].sample, 8000 + 450 * 8, 160);
  run.push(150, 0, 100);
  CHECK_EQ(run.edges.size(), 2u);
}

TEST("gate: a tail is no voice: our own echo does not hold the gate open, nor does the noise of the line") {
  GateRun run;
  for (int i = 0; i < 10; i++) {
    run.push(500, 300, 20, 3000);
    run.push(100, 0, 20, 0);
  }
  run.push(300, 4000, 20, 3000);
  run.push(400, 300, 20, 3000);  // the caller has stopped, we go on and come back at -20 dB
  CHECK_EQ(run.edges.size(), 2u);
  for (double noise : {30.0, 200.0, 600.0}) {
    GateRun line(TalkGateConfig{.pauseFrames = 6});
    line.push(2000, 0, noise);
    line.push(300, 12000, noise);
    line.push(1000, 0, noise);
    CHECK_EQ(line.edges.size(), 2u);
    if (line.edges.size() == 2) CHECK_NEAR(line.edges[1].sample, 16000 + 300 * 8, 160);
  }
}

TEST("gate: what was heard of a stretch reaches back over short pauses, and no further than 1.6 s") {
  GateRun run(TalkGateConfig{.pauseFrames = 6});
  std::array<float, TalkGate::kHeardFrames> energies;
  run.push(1000, 0, 20);
  run.push(200, 3000, 20);
  run.push(100, 0, 20);
  run.push(200, 3000, 20);
  run.push(80, 0, 20);
  CHECK_EQ(run.edges.size(), 4u);
  const size_t frames = run.gate.heard(run.edges.back(), energies);
  CHECK_NEAR(frames, 50, 2);
  CHECK(energies[5] > 4e6f && energies[25] < 1e4f && energies[45] > 4e6f);
  run.push(500, 0, 20);
  for (int syllable = 0; syllable < 15; syllable++) {
    run.push(170, 3000, 20);
    run.push(100, 0, 20);
  }
  CHECK_EQ(run.gate.heard(run.edges.back(), energies), 160u);
  CHECK_NEAR(std::count_if(energies.begin(), energies.end(), [](float e) { return e > 4e6f; }), 160 * 170 / 270, 12);
}

TEST("gate: the rumble of a car, which comes and goes from frame to frame, does not open it again and again") {
  GateRun run(TalkGateConfig{.pauseFrames = 6});
  std::normal_distribution<double> normal;
  std::mt19937 random(3);
  double low = 0.0;
  std::vector<int16_t> pcm(80);
  size_t openings = 0;
  for (int frame = 0; frame < 6000; frame++) {  // a minute; the caller speaks for 0.5 s of each 3
    const bool speaks = frame % 300 >= 250;
    for (auto& sample : pcm) {
      low = 0.97 * low + 0.03 * normal(random);
      const double voice = speaks ? 4000.0 * std::sin(0.35 * static_cast<double>(run.at)) : 0.0;
      run.at++;
      sample = static_cast<int16_t>(voice + low * 5000.0);
    }
    run.gate.push(pcm, true, [&](const TalkGateEdge& edge) { openings += edge.open ? 1 : 0; });
  }
  CHECK_NEAR(openings, 20, 2);
}

TEST("gate: what we sent counts for as long as it may take to come back, whatever follows it") {
  for (float minRms : {40.0f, 80.0f, 160.0f, 240.0f}) {
    TalkGate gate(8000, 8000, TalkGateConfig{.minRms = minRms, .echoWindowFrames = 30});
    std::mt19937 random(7);
    std::vector<int16_t> levels;
    for (int frame = 0; frame < 5000; frame++) {
      // Mostly fading, now and then loud: the loudest frame leaves the window while others are in it.
      const auto level = static_cast<int16_t>(random() % 40 == 0 ? random() % 256 : 100 - frame % 100);
      levels.push_back(level);
      gate.sent(std::vector<int16_t>(80, level));
      const auto window = std::min<std::ptrdiff_t>(30, static_cast<std::ptrdiff_t>(levels.size()));
      const int16_t loudest = *std::max_element(levels.end() - window, levels.end());
      CHECK_EQ(gate.echoPossible(), static_cast<float>(loudest) > minRms / 2);
    }
  }
}

TEST("gate: what is too soft for a voice is told of as near, again while it lasts, and not inside a voice") {
  GateRun run(TalkGateConfig{.nearFrames = 2, .pauseFrames = 6});
  // Until the noise is known, it may be anything.
  run.push(2000, 0, 100);
  const size_t unknown = run.nears.size();
  CHECK(unknown <= 2000 / 120);
  run.push(2000, 0, 100);
  const size_t inNoise = run.nears.size();
  CHECK_EQ(inNoise, unknown);
  run.push(600, 180, 100);
  CHECK(run.edges.empty());
  const size_t soft = run.nears.size() - inNoise;
  CHECK(soft >= 4 && soft <= 6);
  if (soft > 0) CHECK_NEAR(run.nears[inNoise], 32000, 240);
  run.push(1000, 0, 100);
  const size_t before = run.nears.size();
  run.push(1000, 4000, 100);
  CHECK_EQ(run.edges.size(), 1u);
  // One comes before the gate opens.
  CHECK_EQ(run.nears.size(), before + 1);
  if (run.edges.size() == 1 && run.nears.size() > before) CHECK_NEAR(run.nears[before], run.edges[0].sample, 160);
}

TEST("gate: filled audio and our own voice coming back are not near") {
  GateRun filled(TalkGateConfig{.nearFrames = 2});
  filled.push(500, 0, 20);
  filled.push(500, 3000, 20, 0, false);
  CHECK(filled.nears.empty());
  GateRun echo(TalkGateConfig{.nearFrames = 2});
  echo.push(500, 0, 10);
  echo.push(3000, 300, 10, 3000);
  CHECK(echo.nears.empty());
  CHECK(echo.edges.empty());
}
