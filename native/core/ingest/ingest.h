// Ingest: orders one caller's packets and lays them on the caller's time line. There is no playout clock: a packet in order
// passes at once; only behind a gap packets are held, 40 ms, or 80 ms while the network has shown reordering within 10 s.
// Sequence numbers give order and duplicates, timestamps give the time line and its holes (some PBXs renumber sequence
// numbers without gaps, and none promises a marker). Nothing at all arriving is normal: the clock makes silence.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "clock/mono.h"
#include "ingest/payload_pool.h"
#include "rtp/packet.h"
#include "util/prefetch.h"

namespace parley {

// What a packet carries, decided by the payload type map of the session.
enum class PayloadKind : uint8_t { audio, event };

struct IngestConfig {
  uint32_t clockHz = 8000;           // of RTP timestamps
  MonoUs holdUs = 40000;
  MonoUs longHoldUs = 80000;
  MonoUs reorderMemoryUs = 10000000;
  MonoUs idleAfterUs = 200000;       // nothing for this long: the clock takes over ...
  MonoUs idleMarginUs = 60000;       // ... and stays this far behind, for a frame that is late
  MonoUs jumpUs = 500000;            // a timestamp this far ahead of the time passed is another time line
  uint32_t hiddenLossTs = 480;       // a hole of up to 60 ms without a sequence gap is a hidden loss, a longer one a pause
};

// Receives the time line in order. Spans are borrowed for the call.
class IngestSink {
 public:
  virtual void audio(std::span<const uint8_t> payload, MonoUs arrivalUs) = 0;
  // Lost audio: `samples` of the timestamp clock to be filled and flagged.
  virtual void lost(uint32_t samples) = 0;
  // The caller sent nothing here.
  virtual void silence(uint32_t samples) = 0;

 protected:
  ~IngestSink() = default;
};

enum class IngestDrop : uint8_t { none, duplicate, late, foreignSsrc, seqJump, poolEmpty };

struct IngestCounters {
  uint64_t duplicates = 0;
  uint64_t late = 0;         // came after its place was filled
  uint64_t foreignSsrc = 0;
  uint64_t seqJump = 0;      // a single packet far outside the window
  uint64_t overrun = 0;      // no memory to hold it
  uint64_t concealed = 0;    // frames
  uint64_t reordered = 0;
  uint64_t reanchored = 0;   // SSRC, sequence or timestamp jumps followed
  uint64_t lostPackets = 0;  // sequence numbers given up
};

class Ingest {
 public:
  static constexpr size_t kWindow = 64;

  Ingest(PayloadPool& pool, IngestSink& sink) : pool_(pool), sink_(sink) {}
  ~Ingest() { releaseBlocks(); }
  Ingest(const Ingest&) = delete;
  Ingest& operator=(const Ingest&) = delete;

  // `openUs`: caller time begins now.
  void open(const IngestConfig& config, MonoUs openUs);
  // `samples`: audio samples in the payload (timestamp clock); 0 for an event. Payload is copied when it must wait.
  void push(const RtpView& packet, PayloadKind kind, uint32_t samples, MonoUs nowUs);
  // Call at least every 20 ms: gives up gaps that waited long enough and makes silence by the clock.
  void poll(MonoUs nowUs);
  // The peer was changed on purpose: the next packet may have any SSRC.
  void relock() { relock_ = true; }
  // Gives back all held packets (call over).
  void releaseBlocks();

  // What the next push() reads and writes.
  void warm() {
    prefetchTo(this, &window_);
    prefetch(&slotOf(next_), sizeof(Held));
    prefetchTo(&held_, this + 1);
  }

  bool gapPending() const { return held_ > 0; }
  // When poll() would give up the present gap; only while gapPending().
  MonoUs deadlineUs() const { return gapSinceUs_ + holdUs_; }
  bool started() const { return started_; }
  uint32_t ssrc() const { return ssrc_; }
  MonoUs lastArrivalUs() const { return lastPacketUs_; }
  const IngestCounters& counters() const { return counters_; }

 private:
  struct Held {
    PayloadPool::Block block = PayloadPool::kNone;
    bool used = false;
    bool marker = false;
    PayloadKind kind = PayloadKind::audio;
    uint16_t bytes = 0;
    uint32_t samples = 0;
    uint32_t timestamp = 0;
    int64_t seq = 0;
    MonoUs arrivalUs = 0;
  };

  void start(const RtpView& packet, MonoUs nowUs);
  void consider(const RtpView& packet, PayloadKind kind, uint32_t samples, MonoUs nowUs);
  void dropCandidate();
  void accept(const RtpView& packet, PayloadKind kind, uint32_t samples, MonoUs nowUs, int64_t seq);
  bool hold(Held& slot, const RtpView& packet, PayloadKind kind, uint32_t samples, MonoUs nowUs, int64_t seq);
  void release(std::span<const uint8_t> payload, PayloadKind kind, bool marker, uint32_t samples, uint32_t timestamp,
               MonoUs arrivalUs);
  void releaseHeld(Held& held);
  void releaseRun();
  void giveUpGap();
  void flush();
  void recomputeGap();
  void bridge(uint32_t hole, bool marker, MonoUs arrivalUs);
  void fillLost(uint32_t samples);
  void fillSilence(uint32_t samples);
  void idle(MonoUs nowUs);
  Held& slotOf(int64_t seq) { return window_[static_cast<size_t>(seq) % kWindow]; }
  int64_t extend(uint16_t seq) const { return highest_ + static_cast<int16_t>(seq - static_cast<uint16_t>(highest_)); }
  MonoUs tsToUs(uint32_t samples) const { return static_cast<MonoUs>(samples) * 1000000 / config_.clockHz; }

  PayloadPool& pool_;
  IngestSink& sink_;
  IngestConfig config_;
  IngestCounters counters_;

  bool started_ = false;
  bool relock_ = false;
  uint32_t ssrc_ = 0;
  int64_t next_ = 0;        // sequence to be released next
  int64_t highest_ = 0;     // highest seen
  uint64_t cameMask_ = 0;   // bit i: sequence next_-1-i came (else it was given up)
  uint32_t nextTs_ = 0;     // timestamp at the end of what was released
  uint32_t frameTs_ = 160;  // length of the last audio packet
  uint32_t missing_ = 0;    // sequence numbers given up just before the packet being released
  bool afterEvent_ = false;
  bool anchored_ = false;   // nextTs_ is valid

  std::array<Held, kWindow> window_{};
  size_t held_ = 0;
  MonoUs gapSinceUs_ = 0;
  MonoUs holdUs_ = 40000;
  MonoUs reorderUntilUs_ = 0;

  Held candidate_;
  uint32_t candidateSsrc_ = 0;
  uint16_t candidateSeq_ = 0;

  MonoUs lastAudioUs_ = 0;
  MonoUs lastPacketUs_ = 0;
  uint32_t idleFilled_ = 0;  // samples the clock made since the last audio
  uint32_t ahead_ = 0;       // samples by which clock-made silence pushed the time line; paid back in the next pause
};

}  // namespace parley
