// Playout: any sequence of clips, orders and frames. Every clip ends exactly once; positions only grow and agree.
#include "bytes.h"
#include "playout/playout.h"

#include <array>
#include <map>
#include <memory>
#include <vector>

namespace {

using namespace parley;

constexpr size_t kFrame = 160;  // 20 ms at 8 kHz

struct Stage final : public PlayoutSink {
  Stage() : playout(*this) { playout.open(8000); }
  void playoutEvent(const PlayoutEvent& event) override {
    MUST(event.sentWire >= lastSent && event.sentWire <= playout.sentWire() + kFrame);
    lastSent = event.sentWire;
    const auto found = clips.find(event.clip);
    MUST(found != clips.end());
    if (event.type == PlayoutEventType::clipPlayed) {
      // A loop is played in whole rounds.
      const Clip& clip = *found->second;
      const uint64_t samples = clip.writtenSamples() * (clip.rounds() + 1);
      const uint64_t wire = (samples * 8000 + clip.rateHz - 1) / clip.rateHz;
      MUST(!clip.loops() || samples == 0);
      MUST(event.playedWire == wire);
      MUST(clip.rounds() == 0 || clip.roundSamples() == clip.writtenSamples());
      MUST(clip.nextMark == clip.marks.size() || clip.marks[clip.nextMark] * 8000 / clip.rateHz >= wire ||
           clip.marks[clip.nextMark] >= clip.writtenSamples() || clip.rounds() > 0);
    }
    // Freed at once, as the owner may.
    if (event.type == PlayoutEventType::clipPlayed || event.type == PlayoutEventType::clipStopped) clips.erase(found);
  }
  Playout playout;
  uint64_t lastSent = 0;
  std::map<uint32_t, std::unique_ptr<Clip>> clips;
};

std::shared_ptr<const FilterBank> bankFor(uint32_t rateHz) {
  static std::map<uint32_t, std::shared_ptr<const FilterBank>> banks;
  auto& bank = banks[rateHz];
  if (bank == nullptr) bank = std::make_shared<const FilterBank>(rateHz, 8000);
  return bank;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr std::array<uint32_t, 8> kRates{8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000};
  Bytes in(data, size);
  Stage stage;
  uint32_t next = 1;
  uint32_t random = 1;
  uint64_t frames = 0;
  const auto pick = [&]() -> Clip* {
    if (stage.clips.empty()) return nullptr;
    auto it = stage.clips.begin();
    std::advance(it, in.u8() % stage.clips.size());
    return it->second.get();
  };
  std::map<uint32_t, bool> ended;
  while (!in.empty() && next < 200 && frames < 2000) {
    switch (in.u8() & 15) {
      case 0:
      case 1: {
        const uint32_t rate = kRates[in.u8() & 7];
        std::vector<uint64_t> marks;
        for (uint64_t at = 0, count = in.u8() & 3; count > 0; count--) marks.push_back(at += in.u16());
        const uint8_t kind = in.u8();
        auto clip = std::make_unique<Clip>(next, rate, (kind & 1) != 0, rate == 8000 ? nullptr : bankFor(rate), marks, (kind & 6) == 6);
        Clip* added = clip.get();
        stage.clips.emplace(next++, std::move(clip));
        stage.playout.add(added);
        break;
      }
      case 2:
      case 3:
        if (Clip* clip = pick(); clip != nullptr && !ended[clip->id]) {
          std::vector<int16_t> pcm(in.u8() * (in.u8() & 15u));
          for (auto& sample : pcm) sample = static_cast<int16_t>((random = random * 1664525 + 1013904223) >> 16);
          clip->append(pcm);
        }
        break;
      case 4:
        if (Clip* clip = pick(); clip != nullptr) {
          clip->end();
          ended[clip->id] = true;
        }
        break;
      case 5:
        if (Clip* clip = pick(); clip != nullptr) stage.playout.release(clip->id);
        break;
      case 6:
        stage.playout.stop();
        break;
      case 7:
        stage.playout.pause();
        break;
      case 8:
        stage.playout.resume();
        break;
      case 9:
        stage.playout.gain(static_cast<float>(in.u8()) / 64.0f);
        break;
      case 10:
        stage.playout.skipFrame();
        break;
      case 11:
        if (Clip* clip = pick(); clip != nullptr) clip->lastRound();
        break;
      case 12:
        stage.playout.stopClip(in.u8() % (next + 1), in.u8() * 4u);
        break;
      default: {
        std::array<int16_t, kFrame> frame;
        const uint64_t before = stage.playout.sentWire();
        stage.playout.render(frame);
        MUST(stage.playout.sentWire() == before + kFrame);
        frames++;
      }
    }
  }
  stage.playout.stop();
  std::array<int16_t, kFrame> frame;
  stage.playout.render(frame);
  MUST(stage.clips.empty());
  return 0;
}
