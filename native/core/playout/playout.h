// Playout: what one call sends, in frames of 20 ms without end. Clips play in the order in which they were opened; a held
// clip waits (and all behind it) until it is released; between clips there is silence. Positions are exact.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "playout/clip.h"

namespace parley {

enum class PlayoutEventType : uint8_t { clipStart, clipMark, clipPlayed, clipStopped };

struct PlayoutEvent {
  PlayoutEventType type;
  uint32_t clip;
  uint32_t mark;              // index, for clipMark
  uint64_t playedWire;        // samples of the clip sent so far, at the rate of the wire
  uint64_t sentWire;          // sent time at the event, at the rate of the wire
};

class PlayoutSink {
 public:
  virtual void playoutEvent(const PlayoutEvent& event) = 0;

 protected:
  ~PlayoutSink() = default;
};

class Playout {
 public:
  static constexpr size_t kMostFrame = 320;  // 20 ms of 16 kHz

  explicit Playout(PlayoutSink& sink) : sink_(sink) {}

  // `wireHz`: 8000 or 16000, what frames are rendered at.
  void open(uint32_t wireHz);
  size_t frameSamples() const { return frame_; }
  // The clip stays owned by its writer, who may free it after clipPlayed or clipStopped (or after the call closed).
  void add(Clip* clip);
  void release(uint32_t clipId);
  // Ends one clip: what sounds fades over `fadeMs` (5 at least), then the next clip follows without a hole; one that has not
  // begun, or is paused, is dropped.
  void stopClip(uint32_t clipId, uint32_t fadeMs);
  void stop() { stopping_ = true; }
  void gain(float linear) { gainWanted_ = linear; }
  void pause() { paused_ = true; }
  void resume() { paused_ = false; }

  // The next frame of frameSamples(), silence included.
  void render(std::span<int16_t> out);
  // A slot that carried something else (a key): time passes, the clip waits.
  void skipFrame() { sentWire_ += frame_; }
  uint64_t sentWire() const { return sentWire_; }
  uint64_t underruns() const { return underruns_; }
  bool silent() const { return first_ == nullptr; }

 private:
  size_t renderClip(Clip& clip, std::span<int16_t> out, bool& finished);
  size_t convert(Clip& clip, std::span<int16_t> out, bool& finished);
  void noteProgress(Clip& clip, uint64_t before, size_t count, uint64_t at);
  void finishClip(PlayoutEventType type, uint64_t at);
  void renderAudible(std::span<int16_t> out);
  void stopNow(std::span<int16_t> out);
  size_t fadeSamples() const { return frame_ / 4; }  // 5 ms
  void applyGain(std::span<int16_t> out);

  PlayoutSink& sink_;
  Clip* first_ = nullptr;
  Clip* last_ = nullptr;
  size_t frame_ = 160;
  uint64_t sentWire_ = 0;
  uint64_t underruns_ = 0;
  bool stopping_ = false;
  bool paused_ = false;
  bool wasPaused_ = false;
  float gain_ = 1.0f;
  float gainWanted_ = 1.0f;

  // Rate conversion of the playing clip: inputs [workStart_, workStart_ + workCount_) counted from the clip's start.
  static constexpr size_t kWork = 1280;
  std::array<int16_t, kWork> work_{};
  size_t workCount_ = 0;
  int64_t workStart_ = 0;
  uint64_t inputs_ = 0;     // clip samples taken so far
  bool inputOver_ = false;
};

}  // namespace parley
