#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "playout/playout.h"
#include "tap.h"
#include "tone.h"

using namespace parley;

constexpr size_t kFrame = 160;  // 20 ms at 8 kHz

namespace {

class Stage final : public PlayoutSink {
 public:
  Stage() : playout(*this) { playout.open(8000); }
  void playoutEvent(const PlayoutEvent& event) override { events.push_back(event); }

  Clip& clip(uint32_t rateHz, bool held, std::vector<uint64_t> marks = {}) {
    auto bank = rateHz == 8000 ? nullptr : std::make_shared<const FilterBank>(rateHz, 8000);
    clips.push_back(std::make_unique<Clip>(static_cast<uint32_t>(clips.size() + 1), rateHz, held, bank, std::move(marks)));
    playout.add(clips.back().get());
    return *clips.back();
  }
  void frames(size_t count) {
    for (size_t i = 0; i < count; i++) {
      std::array<int16_t, kFrame> frame;
      playout.render(frame);
      out.insert(out.end(), frame.begin(), frame.end());
    }
  }
  bool silent(size_t from, size_t to) const {
    return std::all_of(out.begin() + static_cast<std::ptrdiff_t>(from), out.begin() + static_cast<std::ptrdiff_t>(to),
                       [](int16_t s) { return s == 0; });
  }

  Playout playout;
  std::vector<std::unique_ptr<Clip>> clips;
  std::vector<PlayoutEvent> events;
  std::vector<int16_t> out;
};

}  // namespace

TEST("playout: silence without end, sent time counts it") {
  Stage s;
  s.frames(10);
  CHECK(s.silent(0, 1600));
  CHECK_EQ(s.playout.sentWire(), 1600u);
  CHECK(s.events.empty());
}

TEST("playout: clips follow each other without a hole, at exact positions") {
  Stage s;
  s.frames(1);
  Clip& a = s.clip(8000, false, {0, 50, 399});
  Clip& b = s.clip(8000, false);
  const std::vector<int16_t> ones(400, 1000);
  const std::vector<int16_t> twos(100, 2000);
  a.append(ones);
  a.end();
  b.append(twos);
  b.end();
  s.frames(4);
  for (size_t i = 0; i < 400; i++) CHECK_EQ(s.out[160 + i], 1000);
  for (size_t i = 0; i < 100; i++) CHECK_EQ(s.out[560 + i], 2000);
  CHECK(s.silent(660, 800));
  const std::vector<std::pair<PlayoutEventType, uint64_t>> expected{
      {PlayoutEventType::clipStart, 160}, {PlayoutEventType::clipMark, 160},   {PlayoutEventType::clipMark, 210},
      {PlayoutEventType::clipMark, 559},  {PlayoutEventType::clipPlayed, 560}, {PlayoutEventType::clipStart, 560},
      {PlayoutEventType::clipPlayed, 660}};
  CHECK_EQ(s.events.size(), expected.size());
  for (size_t i = 0; i < expected.size() && i < s.events.size(); i++) {
    CHECK_EQ(s.events[i].type, expected[i].first);
    CHECK_EQ(s.events[i].sentWire, expected[i].second);
  }
}

TEST("playout: a clip that fills its last frame ends in that frame") {
  Stage s;
  Clip& a = s.clip(8000, false);
  a.append(std::vector<int16_t>(320, 7));
  a.end();
  s.frames(2);
  CHECK_EQ(s.events.size(), 2u);
  CHECK_EQ(s.events.back().playedWire, 320u);
}

TEST("playout: a held clip waits and holds those behind it; release acts in the next frame") {
  Stage s;
  Clip& a = s.clip(8000, true);
  Clip& b = s.clip(8000, false);
  a.append(std::vector<int16_t>(80, 100));
  a.end();
  b.append(std::vector<int16_t>(80, 200));
  b.end();
  s.frames(3);
  CHECK(s.silent(0, 480));
  s.playout.release(1);
  s.frames(1);
  CHECK_EQ(s.out[480], 100);
  CHECK_EQ(s.out[560], 200);
}

TEST("playout: a slow writer leaves silence, nothing is lost, the position goes on") {
  Stage s;
  Clip& a = s.clip(22050, false);
  const auto pcm = toneOf(22050, 500, 8000, 22050);
  a.append(std::span(pcm).first(10));
  s.frames(2);
  CHECK(s.events.empty());
  a.append(std::span(pcm).subspan(10, 5000));
  s.frames(20);
  a.append(std::span(pcm).subspan(5010));
  a.end();
  s.frames(60);
  CHECK_EQ(s.events.back().type, PlayoutEventType::clipPlayed);
  CHECK_EQ(s.events.back().playedWire, 8000u);
  CHECK(s.playout.underruns() > 0);
}

TEST("playout: stop fades 5 ms from where it is, drops all that wait, and what is added later plays") {
  Stage s;
  s.clip(8000, false).append(std::vector<int16_t>(8000, 10000));
  s.clip(16000, true).append(std::vector<int16_t>(100, 1));
  s.clip(8000, false).end();
  s.frames(2);
  s.playout.stop();
  s.frames(1);
  CHECK(s.out[320] > 9000 && s.out[320] < 10000);
  CHECK_EQ(s.out[359], 0);
  CHECK(s.silent(360, 480));
  for (size_t i = 321; i < 360; i++) CHECK(s.out[i] <= s.out[i - 1]);
  CHECK_EQ(s.events.size(), 4u);
  CHECK_EQ(s.events[1].type, PlayoutEventType::clipStopped);
  CHECK_EQ(s.events[1].playedWire, 360u);
  CHECK_EQ(s.events[1].sentWire, 360u);
  CHECK_EQ(s.events[2].playedWire, 0u);
  CHECK_EQ(s.events[3].type, PlayoutEventType::clipStopped);
  Clip& next = s.clip(8000, false);
  next.append(std::vector<int16_t>(10, 5));
  next.end();
  s.frames(1);
  CHECK_EQ(s.out[480], 5);
  s.playout.stop();
  s.frames(1);
  CHECK_EQ(s.events.back().type, PlayoutEventType::clipPlayed);
}

TEST("playout: pause fades out, holds the position, resume fades in; stop while paused is silent") {
  Stage s;
  s.clip(8000, false).append(std::vector<int16_t>(1600, 1000));
  s.frames(1);
  s.playout.pause();
  s.frames(3);
  CHECK_EQ(s.out[199], 0);
  CHECK(s.silent(200, 640));
  s.playout.resume();
  s.frames(1);
  CHECK(s.out[640] < 100);
  CHECK_EQ(s.out[700], 1000);
  s.playout.pause();
  s.frames(1);
  s.playout.stop();
  s.frames(1);
  CHECK(s.silent(960, 1120));
  CHECK_EQ(s.events.back().playedWire, 160u + 40u + 160u + 40u);
}

TEST("playout: gain ramps over one frame and clips at full scale") {
  Stage s;
  s.clip(8000, false).append(std::vector<int16_t>(1600, 30000));
  s.frames(1);
  s.playout.gain(0.25f);
  s.frames(2);
  CHECK(s.out[160] > 29000);
  for (size_t i = 161; i < 320; i++) CHECK(s.out[i] <= s.out[i - 1]);
  CHECK_EQ(s.out[320], 7500);
  s.playout.gain(4.0f);
  s.frames(2);
  CHECK_EQ(s.out[480 + 159], 32767);
}
