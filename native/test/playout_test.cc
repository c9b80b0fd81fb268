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

  Clip& clip(uint32_t rateHz, bool held, std::vector<uint64_t> marks = {}, bool loop = false) {
    auto bank = rateHz == 8000 ? nullptr : std::make_shared<const FilterBank>(rateHz, 8000);
    clips.push_back(std::make_unique<Clip>(static_cast<uint32_t>(clips.size() + 1), rateHz, held, bank, std::move(marks), loop));
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

TEST("playout: gain falls within 5 ms, rises over a frame, and clips at full scale") {
  Stage s;
  s.clip(8000, false).append(std::vector<int16_t>(1600, 30000));
  s.frames(1);
  s.playout.gain(0.25f);
  s.frames(2);
  CHECK(s.out[160] > 29000);
  for (size_t i = 161; i < 320; i++) CHECK(s.out[i] <= s.out[i - 1]);
  CHECK_EQ(s.out[199], 7500);
  CHECK_EQ(s.out[320], 7500);
  s.playout.gain(4.0f);
  s.frames(2);
  CHECK(s.out[480] < 8300);
  CHECK_EQ(s.out[480 + 159], 32767);
}

TEST("playout: a loop begins again without a seam, with its marks, until its last round; then the next clip follows") {
  Stage s;
  Clip& tone = s.clip(8000, false, {0, 300, 400, 9999}, true);
  Clip& next = s.clip(8000, false);
  next.append(std::vector<int16_t>(160, 7));
  next.end();
  std::vector<int16_t> round(401);
  for (size_t i = 0; i < round.size(); i++) round[i] = static_cast<int16_t>(i + 1);
  tone.append(std::span(round).first(100));
  s.frames(1);
  CHECK(s.silent(100, 160));  // its length is not known yet: it waits
  tone.append(std::span(round).subspan(100));
  tone.end();
  s.frames(11);
  for (size_t i = 160; i < s.out.size(); i++) CHECK_EQ(s.out[i], round[(i - 60) % 401]);
  tone.lastRound();  // 1860 samples of it are out: in round 4
  s.frames(3);
  for (size_t i = 160; i < 60 + 5 * 401; i++) CHECK_EQ(s.out[i], round[(i - 60) % 401]);
  CHECK_EQ(s.out[60 + 5 * 401], 7);
  std::vector<uint64_t> marks;
  for (const auto& event : s.events) {
    if (event.type == PlayoutEventType::clipMark) marks.push_back(event.sentWire);
    if (event.type == PlayoutEventType::clipPlayed && event.clip == 1) CHECK_EQ(event.playedWire, 5 * 401u);
  }
  CHECK_EQ(marks.size(), 15u);
  constexpr std::array<size_t, 3> kAt{0, 300, 400};
  for (size_t i = 1; i < marks.size(); i++) CHECK_EQ(marks[i], 60 + i / 3 * 401 + kAt[i % 3]);
}

TEST("playout: a loop at another rate has no seam either: a whole number of waves stays one wave") {
  Stage s;
  Clip& tone = s.clip(24000, false, {}, true);
  tone.append(toneOf(2400, 400, 8000, 24000));
  tone.end();
  s.frames(100);
  const ToneFit fit = fitTone(std::span(s.out).subspan(160, 15000), 400, 8000);
  CHECK_NEAR(fit.amplitude, 8000.0, 40.0);
  CHECK(fit.residual < 8.0);
  tone.lastRound();
  s.frames(6);
  CHECK_EQ(s.events.back().type, PlayoutEventType::clipPlayed);
  CHECK_EQ(s.events.back().playedWire, 16800u);
}

TEST("playout: a loop without a sample is over at once; one of a single sample is a level") {
  Stage s;
  s.clip(8000, false, {0}, true).end();
  s.frames(1);
  CHECK_EQ(s.events.back().type, PlayoutEventType::clipPlayed);
  CHECK_EQ(s.events.back().playedWire, 0u);
  Clip& level = s.clip(8000, false, {}, true);
  level.append(std::vector<int16_t>(1, 42));
  level.end();
  s.frames(2);
  for (size_t i = 160; i < 480; i++) CHECK_EQ(s.out[i], 42);
}

TEST("playout: one clip is stopped with a fade of its own, the next follows; clips that wait are dropped from any place") {
  Stage s;
  Clip& hold = s.clip(8000, false, {}, true);
  hold.append(std::vector<int16_t>(100, 10000));
  hold.end();
  s.clip(8000, true).append(std::vector<int16_t>(10, 1));
  Clip& reply = s.clip(8000, false);
  reply.append(std::vector<int16_t>(800, 500));
  reply.end();
  s.clip(8000, true);
  s.frames(2);
  s.playout.stopClip(2, 5);
  s.playout.stopClip(4, 5);
  s.playout.stopClip(4, 5);
  s.playout.stopClip(1, 50);  // 400 samples: two and a half frames
  s.playout.stopClip(1, 5);   // the first word counts
  s.frames(3);
  for (size_t i = 321; i < 720; i++) CHECK(s.out[i] <= s.out[i - 1]);
  CHECK(s.out[320] > 9900 && s.out[520] < 5100 && s.out[520] > 4800);
  CHECK_EQ(s.out[719], 0);
  CHECK_EQ(s.out[720], 500);
  std::vector<std::pair<uint32_t, uint64_t>> stopped;
  for (const auto& event : s.events)
    if (event.type == PlayoutEventType::clipStopped) stopped.emplace_back(event.clip, event.playedWire);
  CHECK(stopped == (std::vector<std::pair<uint32_t, uint64_t>>{{2, 0}, {4, 0}, {1, 720}}));
  Clip& last = s.clip(8000, false);
  last.append(std::vector<int16_t>(10, 3));
  last.end();
  s.frames(6);
  CHECK_EQ(s.events.back().clip, 5u);
}

TEST("playout: a clip stopped while paused, or whose writer is behind, does not hold up the next one") {
  Stage s;
  s.clip(8000, false).append(std::vector<int16_t>(200, 900));
  Clip& next = s.clip(8000, false);
  next.append(std::vector<int16_t>(160, 5));
  next.end();
  s.frames(1);
  s.playout.stopClip(1, 1000);  // 40 samples are left of it
  s.frames(2);
  CHECK_EQ(s.events[1].type, PlayoutEventType::clipStopped);
  CHECK_EQ(s.events[1].playedWire, 200u);
  CHECK_EQ(s.out[200], 5);
  s.frames(3);
  s.clip(8000, false).append(std::vector<int16_t>(2000, 900));
  s.frames(1);
  s.playout.pause();
  s.frames(1);
  s.playout.stopClip(3, 1000);
  CHECK_EQ(s.events.back().type, PlayoutEventType::clipStopped);
  s.playout.resume();
  s.frames(1);
  CHECK(s.silent(s.out.size() - 160, s.out.size()));
}

TEST("playout: stop() in the middle of a clip's own fade never gets louder again") {
  Stage s;
  s.clip(8000, false).append(std::vector<int16_t>(4000, 10000));
  s.frames(1);
  s.playout.stopClip(1, 100);
  s.frames(1);
  s.playout.stop();
  s.frames(1);
  for (size_t i = 161; i < 480; i++) CHECK(s.out[i] <= s.out[i - 1]);
  CHECK_EQ(s.events.back().type, PlayoutEventType::clipStopped);
}
