#include "ingest/ingest.h"

#include <algorithm>
#include <cstring>

namespace parley {

namespace {
constexpr int64_t kCandidateStep = 3;  // the second packet of a new stream may follow one or two lost ones
constexpr MonoUs kCandidateLifeUs = 200000;
// A clock that steps (a machine that was moved) must not make hours of silence in one go: each look makes a second of it at most ...
constexpr MonoUs kMostSilenceUs = 1000000;
// ... and what a packet would have to bridge beyond this is another time line.
constexpr MonoUs kLongestBridgeUs = 30000000;
}  // namespace

void Ingest::open(const IngestConfig& config, MonoUs openUs) {
  releaseBlocks();
  config_ = config;
  counters_ = {};
  started_ = relock_ = anchored_ = afterEvent_ = false;
  held_ = 0;
  missing_ = idleFilled_ = ahead_ = 0;
  frameTs_ = config.clockHz / 50;
  holdUs_ = config.holdUs;
  reorderUntilUs_ = 0;
  lastAudioUs_ = lastPacketUs_ = openUs;
}

void Ingest::releaseBlocks() {
  for (Held& held : window_) {
    if (held.used && held.block != PayloadPool::kNone) pool_.give(held.block);
    held = {};
  }
  held_ = 0;
  if (candidate_.used && candidate_.block != PayloadPool::kNone) pool_.give(candidate_.block);
  candidate_ = {};
}

void Ingest::start(const RtpView& packet, MonoUs nowUs) {
  started_ = true;
  relock_ = false;
  ssrc_ = packet.ssrc;
  // Far from zero, so that extended numbers of older packets stay positive.
  next_ = highest_ = (int64_t{1} << 32) + packet.seq;
  cameMask_ = 0;
  missing_ = 0;
  anchored_ = false;
  lastPacketUs_ = nowUs;
}

void Ingest::push(const RtpView& packet, PayloadKind kind, uint32_t samples, MonoUs nowUs) {
  if (!started_) start(packet, nowUs);
  if (packet.ssrc != ssrc_) {
    if (!relock_) return consider(packet, kind, samples, nowUs);
    flush();
    start(packet, nowUs);
    counters_.reanchored++;
  }
  const int64_t seq = extend(packet.seq);
  const int64_t distance = seq - next_;
  constexpr auto kFar = static_cast<int64_t>(kWindow);
  if (distance >= kFar || distance < -kFar) return consider(packet, kind, samples, nowUs);
  dropCandidate();
  relock_ = false;
  lastPacketUs_ = nowUs;
  accept(packet, kind, samples, nowUs, seq);
}

// A packet of another SSRC, or far outside the window: believed only when a second one follows it while the present
// stream is silent. So one forged or stray packet changes nothing, and a transfer costs no audio.
void Ingest::consider(const RtpView& packet, PayloadKind kind, uint32_t samples, MonoUs nowUs) {
  const int64_t step = static_cast<int16_t>(packet.seq - candidateSeq_);
  const bool follows = candidate_.used && candidateSsrc_ == packet.ssrc && step >= 1 && step <= kCandidateStep;
  if (!follows) {
    if (candidate_.used && candidateSsrc_ == packet.ssrc && step == 0) {
      counters_.duplicates++;
      return;
    }
    dropCandidate();
    if (!hold(candidate_, packet, kind, samples, nowUs, 0)) return;
    candidateSsrc_ = packet.ssrc;
    candidateSeq_ = packet.seq;
    return;
  }
  flush();
  counters_.reanchored++;
  Held first = candidate_;
  candidate_ = {};
  RtpView view;
  view.ssrc = packet.ssrc;
  view.seq = candidateSeq_;
  view.timestamp = first.timestamp;
  view.marker = first.marker;
  view.payload = {pool_.bytes(first.block), first.bytes};
  start(view, first.arrivalUs);
  accept(view, first.kind, first.samples, first.arrivalUs, next_);
  pool_.give(first.block);
  push(packet, kind, samples, nowUs);
}

void Ingest::dropCandidate() {
  if (!candidate_.used) return;
  if (candidateSsrc_ == ssrc_) {
    counters_.seqJump++;
  } else {
    counters_.foreignSsrc++;
  }
  pool_.give(candidate_.block);
  candidate_ = {};
}

bool Ingest::hold(Held& slot, const RtpView& packet, PayloadKind kind, uint32_t samples, MonoUs nowUs, int64_t seq) {
  const PayloadPool::Block block = packet.payload.size() <= PayloadPool::kBlockBytes ? pool_.take() : PayloadPool::kNone;
  if (block == PayloadPool::kNone) {
    counters_.overrun++;
    return false;
  }
  if (!packet.payload.empty()) std::memcpy(pool_.bytes(block), packet.payload.data(), packet.payload.size());
  slot.block = block;
  slot.used = true;
  slot.marker = packet.marker;
  slot.kind = kind;
  slot.bytes = static_cast<uint16_t>(packet.payload.size());
  slot.samples = samples;
  slot.timestamp = packet.timestamp;
  slot.seq = seq;
  slot.arrivalUs = nowUs;
  return true;
}

void Ingest::accept(const RtpView& packet, PayloadKind kind, uint32_t samples, MonoUs nowUs, int64_t seq) {
  if (seq < next_) {
    const bool came = ((cameMask_ >> (next_ - 1 - seq)) & 1) != 0;
    if (came) {
      counters_.duplicates++;
      return;
    }
    counters_.late++;
  } else if (slotOf(seq).used) {
    counters_.duplicates++;
    return;
  }
  if (seq < highest_) {
    counters_.reordered++;
    reorderUntilUs_ = nowUs + config_.reorderMemoryUs;
  }
  highest_ = std::max(highest_, seq);
  holdUs_ = nowUs < reorderUntilUs_ ? config_.longHoldUs : config_.holdUs;
  if (seq < next_) return;

  if (seq == next_) {
    next_++;
    cameMask_ = (cameMask_ << 1) | 1;
    release(packet.payload, kind, packet.marker, samples, packet.timestamp, nowUs);
    if (held_ > 0) {
      releaseRun();
      recomputeGap();
    }
    return;
  }
  if (!hold(slotOf(seq), packet, kind, samples, nowUs, seq)) return;
  if (held_++ == 0) gapSinceUs_ = nowUs;
}

void Ingest::releaseHeld(Held& held) {
  Held taken = held;
  held = {};
  held_--;
  next_++;
  cameMask_ = (cameMask_ << 1) | 1;
  release({pool_.bytes(taken.block), taken.bytes}, taken.kind, taken.marker, taken.samples, taken.timestamp, taken.arrivalUs);
  pool_.give(taken.block);
}

void Ingest::releaseRun() {
  while (held_ > 0 && slotOf(next_).used) releaseHeld(slotOf(next_));
}

void Ingest::giveUpGap() {
  while (!slotOf(next_).used) {
    next_++;
    cameMask_ <<= 1;
    missing_++;
    counters_.lostPackets++;
  }
  releaseRun();
  recomputeGap();
}

// The next gap is as old as the first packet that revealed it.
void Ingest::recomputeGap() {
  if (held_ == 0) return;
  bool found = false;
  for (const Held& held : window_) {
    if (!held.used || (found && held.arrivalUs >= gapSinceUs_)) continue;
    gapSinceUs_ = held.arrivalUs;
    found = true;
  }
}

void Ingest::flush() {
  while (held_ > 0) giveUpGap();
}

void Ingest::fillLost(uint32_t samples) {
  if (samples > 0) sink_.lost(samples);
}

void Ingest::fillSilence(uint32_t samples) {
  const uint32_t paidBack = std::min(samples, ahead_);
  ahead_ -= paidBack;
  if (samples > paidBack) sink_.silence(samples - paidBack);
}

// Fills the hole of `hole` samples before a packet, given `missing_` sequence numbers given up before it.
void Ingest::bridge(uint32_t hole, bool marker, MonoUs arrivalUs) {
  const MonoUs passedUs = std::max<MonoUs>(0, arrivalUs - lastAudioUs_);
  const bool jump = tsToUs(hole) > passedUs + tsToUs(missing_ * frameTs_) + config_.jumpUs;
  uint32_t lost = missing_ * frameTs_;
  if (jump) {
    counters_.reanchored++;
    hole = lost;
  }
  if (missing_ == 0 && !marker && !afterEvent_ && hole <= config_.hiddenLossTs) lost = hole;
  lost = std::min(lost, hole);
  counters_.concealed += (lost + frameTs_ / 2) / std::max<uint32_t>(1, frameTs_);
  // The clock may have filled a part of the hole, or more than all of it.
  const uint32_t already = std::min(hole, idleFilled_);
  ahead_ += idleFilled_ - already;
  uint32_t rest = hole - already;
  if (tsToUs(rest) > kLongestBridgeUs) {
    counters_.reanchored++;
    rest = lost = 0;
  }
  if (already > 0) {
    fillSilence(rest);
    return;
  }
  fillLost(lost);
  fillSilence(rest - lost);
}

void Ingest::release(std::span<const uint8_t> payload, PayloadKind kind, bool marker, uint32_t samples, uint32_t timestamp,
                     MonoUs arrivalUs) {
  if (kind == PayloadKind::event) {
    afterEvent_ = true;
    missing_ = 0;
    return;
  }
  if (anchored_) {
    const auto hole = static_cast<int32_t>(timestamp - nextTs_);
    if (hole > 0) {
      bridge(static_cast<uint32_t>(hole), marker, arrivalUs);
    } else {
      if (hole < 0) counters_.reanchored++;
      ahead_ += idleFilled_;
    }
  }
  sink_.audio(payload, arrivalUs);
  anchored_ = true;
  nextTs_ = timestamp + samples;
  frameTs_ = samples;
  missing_ = 0;
  idleFilled_ = 0;
  afterEvent_ = false;
  lastAudioUs_ = arrivalUs;
}

void Ingest::idle(MonoUs nowUs) {
  const MonoUs passedUs = nowUs - lastAudioUs_;
  const bool before = !anchored_ && !started_;
  if (!before && passedUs < config_.idleAfterUs) return;
  const MonoUs target = passedUs - (before ? 0 : config_.idleMarginUs);
  const auto due = static_cast<uint32_t>(std::max<MonoUs>(0, target) * config_.clockHz / 1000000);
  if (due <= idleFilled_) return;
  const auto most = static_cast<uint32_t>(kMostSilenceUs * config_.clockHz / 1000000);
  const uint32_t samples = std::min(due - idleFilled_, most);
  idleFilled_ += samples;
  fillSilence(samples);
}

void Ingest::poll(MonoUs nowUs) {
  if (candidate_.used && nowUs - candidate_.arrivalUs > kCandidateLifeUs) dropCandidate();
  while (held_ > 0 && nowUs >= deadlineUs()) giveUpGap();
  if (held_ == 0) idle(nowUs);
}

}  // namespace parley
