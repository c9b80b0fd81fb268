// One call's media: packets in, audio memory and events out; clips in, packets out. Lives on the media thread; other
// threads read `stats` only.
#pragma once
#include <array>
#include <cstdint>
#include <span>

#include "audio/memory.h"
#include "clean/cleaner.h"
#include "codec/codec.h"
#include "dsp/concealer.h"
#include "dsp/upsampler.h"
#include "dtmf/dtmf.h"
#include "gate/talk_gate.h"
#include "ingest/ingest.h"
#include "playout/playout.h"
#include "rtp/rtcp.h"
#include "session/events.h"
#include "util/queue.h"

namespace parley {

class EventSink {
 public:
  virtual void event(const Event& event) = 0;
  // Events of a frame that will be sent at the next tick: published after the send.
  virtual void eventAtSend(const Event& event) = 0;

 protected:
  ~EventSink() = default;
};

// Why a datagram never reached audio. The order is part of the edge (src/media/native.ts).
enum class Drop : uint8_t {
  notRtp,
  badLength,
  payloadType,
  foreignSource,
  foreignSsrc,
  seqJump,
  overrun,
  noRemote,
  rtcp,  // a control packet that is none
  count
};

struct SessionStats {
  Counter packetsReceived;
  Counter packetsSent;
  Counter framesConcealed;
  Counter lateFrames;
  Counter duplicates;
  Counter reordered;
  Counter reanchored;
  Counter underruns;
  Counter sendErrors;
  Counter sample;
  Counter sentSample;
  // From RTCP and for it.
  Counter jitterUs;           // of the caller's packets, RFC 3550
  Counter packetsLost;        // of the caller's
  Counter roundTripUs;        // 0: not known
  Counter remoteLostShare;    // of our packets, as the peer says, in 1/256
  Counter remoteJitterUs;
  Counter reportsReceived;
  Counter reportsSent;
  std::array<Counter, static_cast<size_t>(Drop::count)> dropped;

  void reset() {
    for (Counter* c : {&packetsReceived, &packetsSent, &framesConcealed, &lateFrames, &duplicates, &reordered, &reanchored,
                       &underruns, &sendErrors, &sample, &sentSample, &jitterUs, &packetsLost, &roundTripUs, &remoteLostShare,
                       &remoteJitterUs, &reportsReceived, &reportsSent})
      c->set(0);
    for (Counter& c : dropped) c.set(0);
  }
};

struct SessionOptions {
  uint32_t slot = 0;
  uint32_t generation = 0;
  Codec receive = Codec::ulaw;
  Codec send = Codec::ulaw;
  uint8_t dtmfPayloadType = 101;
  uint32_t ssrc = 0;
  uint16_t firstSeq = 0;
  uint32_t firstTimestamp = 0;
  int64_t unixOffsetUs = 0;          // wall clock minus monotonic clock when the call opened
  std::array<char, 12> cname{};      // random, without a terminator (RFC 7022)
  Cleaner* cleaner = nullptr;        // the owner's, until the call is reaped
};

// The caller gives a secret. `on`: the audio memory gets silence. `spoken`: it gets the audio, marked, so that the recogniser hears
// and recorders know what to leave out. Keys are swallowed in both.
enum class Secure : uint8_t { off, on, spoken };

class Session final : private IngestSink, private PlayoutSink {
 public:
  static constexpr size_t kMaxFrameBytes = kRtpHeaderBytes + 2 * Playout::kMostFrame;

  Session(PayloadPool& pool, AudioMemory& audio, EventSink& events);

  void open(const SessionOptions& options, MonoUs nowUs);
  void close();

  // A datagram will come soon: fetches what its way touches into the caches.
  void warm();
  // A datagram from the locked source.
  void receive(std::span<const uint8_t> datagram, MonoUs nowUs);
  // A control packet from the locked source.
  void receiveRtcp(std::span<const uint8_t> datagram, MonoUs nowUs);
  // Our sender report; `out` has room for kMaxRtcpBytes.
  size_t writeReport(uint8_t* out, MonoUs nowUs);
  void countDrop(Drop reason) { stats.dropped[static_cast<size_t>(reason)].add(); }
  // A datagram beyond the rate that any sender of voice needs: dropped unread.
  void countFlood() { flooded_++; }
  // Gives up gaps, makes silence, ends lost keys. Once per slot, and at deadlineUs() while gapPending().
  void poll(MonoUs nowUs);
  bool gapPending() const { return ingest_.gapPending(); }
  MonoUs gapDeadlineUs() const { return ingest_.deadlineUs(); }

  void remoteChanged() { ingest_.relock(); }
  void secure(Secure mode) { secure_ = mode; }
  void sendDtmf(char digit, uint32_t durationMs) { dtmfOut_.enqueue(digit, durationMs); }
  Playout& playout() { return playout_; }

  // Writes the next packet; `slotIndex` counts 20 ms slots of the engine's clock since the first frame and so carries the
  // timestamp over slots that were never sent. Returns the bytes written to `out` (kMaxFrameBytes).
  size_t renderFrame(uint64_t slotIndex, uint8_t* out);
  // The frame went out.
  void frameSent();

  uint32_t slot() const { return options_.slot; }
  uint32_t generation() const { return options_.generation; }

  SessionStats stats;

 private:
  void audio(std::span<const uint8_t> payload, MonoUs arrivalUs) override;
  void lost(uint32_t samples) override;
  void silence(uint32_t samples) override;
  void playoutEvent(const PlayoutEvent& event) override;

  // Samples at the caller's rate, and the 16 kHz time line of both directions.
  uint32_t samplesOf(uint32_t timestampUnits) const;
  uint64_t callerTime(uint64_t samples) const { return samples * PARLEY_AUDIO_RATE_HZ / decoder_.info().rateHz; }
  uint64_t sentTime(uint64_t samples) const { return samples * PARLEY_AUDIO_RATE_HZ / encoder_.info().rateHz; }
  std::span<int16_t> frame() { return std::span(frame_).first(playout_.frameSamples()); }
  void keepSent();
  void deliver(std::span<int16_t> pcm, uint8_t flags);
  void store(std::span<const int16_t> pcm, uint8_t flags);
  void speechEnded(const TalkGateEdge& edge);
  void dtmfKey(const DtmfKey& key);
  void noteReception(const RtpView& packet, PayloadKind kind);
  void publishCounters();
  void emit(EventType type, uint64_t sample, uint32_t a = 0, uint64_t b = 0);

  AudioMemory& audio_;
  EventSink& events_;
  SessionOptions options_;
  Ingest ingest_;
  Playout playout_;
  Decoder decoder_;
  Encoder encoder_;
  Concealer concealer_;
  Upsampler upsampler_;
  Upsampler sentUpsampler_;
  TalkGate gate_;
  DtmfReceiver dtmfIn_;
  DtmfSender dtmfOut_;
  uint64_t sample_ = 0;
  MonoUs nowUs_ = 0;
  Secure secure_ = Secure::off;
  bool started_ = false;
  bool idleReported_ = false;
  uint64_t flooded_ = 0;
  ReceptionStats reception_;
  uint32_t receptionSsrc_ = 0;
  uint32_t lastSr_ = 0;
  MonoUs lastSrUs_ = 0;
  // Sending.
  uint32_t timestamp_ = 0;
  uint32_t octets_ = 0;
  size_t frameBytes_ = 0;
  uint16_t seq_ = 0;
  bool firstFrame_ = true;
  std::array<int16_t, Playout::kMostFrame> frame_{};
};

}  // namespace parley
