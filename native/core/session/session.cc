#include "session/session.h"

#include <algorithm>

namespace parley {

namespace {
constexpr MonoUs kIdleEventUs = 1000000;
constexpr uint32_t kSlotTs = 160;  // of 20 ms, whatever the codec: what we send has an 8 kHz clock
constexpr size_t kPiece = 320;
constexpr uint8_t kComfortNoise = 13;  // RFC 3389
constexpr uint32_t kNearFrames = 2;     // 20 ms: whoever judges voices may begin early, and look at more than voices
constexpr uint32_t kPauseFrames = 6;   // 60 ms: whoever answers after 160 must know early that the caller has stopped
}  // namespace

Session::Session(PayloadPool& pool, AudioMemory& audio, EventSink& events)
    : audio_(audio), events_(events), ingest_(pool, *this), playout_(*this) {}

void Session::open(const SessionOptions& options, MonoUs nowUs) {
  options_ = options;
  nowUs_ = nowUs;
  decoder_.open(options.receive);
  encoder_.open(options.send);
  IngestConfig config;
  config.clockHz = decoder_.info().clockHz;
  config.hiddenLossTs = config.clockHz * 60 / 1000;
  ingest_.open(config, nowUs);
  playout_.open(encoder_.info().rateHz);
  concealer_.open(decoder_.info().rateHz);
  upsampler_.reset();
  sentUpsampler_.reset();
  gate_ = TalkGate(decoder_.info().rateHz, encoder_.info().rateHz, TalkGateConfig{.nearFrames = kNearFrames, .pauseFrames = kPauseFrames});
  dtmfIn_.reset();
  dtmfOut_ = DtmfSender();
  sample_ = flooded_ = 0;
  started_ = idleReported_ = false;
  secure_ = Secure::off;
  seq_ = options.firstSeq;
  firstFrame_ = true;
  reception_.reset(config.clockHz);
  receptionSsrc_ = lastSr_ = octets_ = 0;
  timestamp_ = options.firstTimestamp;
}

void Session::close() {
  ingest_.releaseBlocks();
  stats.reset();
}

void Session::emit(EventType type, uint64_t sample, uint32_t a, uint64_t b) {
  events_.event({type, options_.slot, options_.generation, a, b, sample, nowUs_});
}

void Session::warm() {
  prefetchTo(this, &ingest_);
  ingest_.warm();
  prefetch(&decoder_, sizeof(Codec));
  concealer_.warm();
  prefetch(&upsampler_, sizeof(upsampler_));
  gate_.warm();
  prefetchTo(&sample_, &frame_);
  audio_.warm(options_.slot, sample_, PARLEY_AUDIO_RATE_HZ / 50);
}

void Session::receive(std::span<const uint8_t> datagram, MonoUs nowUs) {
  nowUs_ = nowUs;
  RtpView packet;
  switch (parseRtp(datagram, packet)) {
    case RtpParse::ok:
      break;
    case RtpParse::notRtp:
      return countDrop(Drop::notRtp);
    case RtpParse::badLength:
      return countDrop(Drop::badLength);
    case RtpParse::rtcp:
      return receiveRtcp(datagram, nowUs);
  }
  uint32_t samples = 0;
  PayloadKind kind = PayloadKind::audio;
  if (packet.payloadType == options_.dtmfPayloadType) {
    kind = PayloadKind::event;
    if (packet.payload.size() < 4) return countDrop(Drop::badLength);
  } else if (packet.payloadType == kComfortNoise) {
    kind = PayloadKind::event;  // "I am silent now": the time line fills itself
  } else if (packet.payloadType == decoder_.info().payloadType) {
    samples = static_cast<uint32_t>(unitsIn(options_.receive, packet.payload.size()));
    if (samples == 0) return countDrop(Drop::badLength);
  } else {
    return countDrop(Drop::payloadType);
  }
  stats.packetsReceived.add();
  if (!started_) {
    started_ = true;
    emit(EventType::rtpStart, sample_);
  }
  idleReported_ = false;
  // Keys need no order: a key's packets repeat its start time. Only the locked stream may press keys.
  if (packet.payloadType == options_.dtmfPayloadType && (!ingest_.started() || packet.ssrc == ingest_.ssrc())) {
    DtmfKey key{};
    if (dtmfIn_.push(packet, nowUs, secure_ != Secure::off, key) == DtmfReceiver::Verdict::finished) dtmfKey(key);
  }
  ingest_.push(packet, kind, samples, nowUs);
  noteReception(packet, kind);
  publishCounters();
}

void Session::noteReception(const RtpView& packet, PayloadKind kind) {
  if (packet.ssrc != ingest_.ssrc()) return;
  if (!reception_.any() || receptionSsrc_ != packet.ssrc) {
    reception_.reset(decoder_.info().clockHz);
    receptionSsrc_ = packet.ssrc;
    lastSr_ = 0;
  }
  if (kind == PayloadKind::event) {
    reception_.eventPacket(packet.seq);
  } else {
    reception_.packet(packet.seq, packet.timestamp, nowUs_);
  }
}

void Session::receiveRtcp(std::span<const uint8_t> datagram, MonoUs nowUs) {
  RtcpHeard heard;
  if (!parseRtcp(datagram, options_.ssrc, heard)) return countDrop(Drop::rtcp);
  stats.reportsReceived.add();
  if (heard.senderReport && heard.senderSsrc == receptionSsrc_) {
    lastSr_ = heard.lastSr;
    lastSrUs_ = nowUs;
  }
  if (!heard.aboutUs) return;
  stats.remoteLostShare.set(heard.fractionLost);
  stats.remoteJitterUs.set(uint64_t{heard.jitter} * 1000000 / encoder_.info().clockHz);
  const int64_t trip = roundTripUs(ntpMiddle(ntpOf(nowUs, options_.unixOffsetUs)), heard.echoedSr, heard.echoDelay);
  if (trip >= 0) stats.roundTripUs.set(static_cast<uint64_t>(trip));
}

size_t Session::writeReport(uint8_t* out, MonoUs nowUs) {
  const RtcpSender sender{options_.ssrc, static_cast<uint32_t>(stats.packetsSent.get()), octets_, timestamp_,
                          ntpOf(nowUs, options_.unixOffsetUs)};
  const bool heard = reception_.any();
  const ReceptionStats::Report about = heard ? reception_.report() : ReceptionStats::Report{};
  const uint32_t since = lastSr_ == 0 ? 0 : static_cast<uint32_t>((nowUs - lastSrUs_) * 65536 / 1000000);
  stats.reportsSent.add();
  return writeRtcp(out, sender, heard ? &about : nullptr, receptionSsrc_, lastSr_, since, options_.cname);
}

void Session::dtmfKey(const DtmfKey& key) {
  emit(EventType::dtmf, sample_, static_cast<uint32_t>(key.digit), key.durationMs);
}

void Session::poll(MonoUs nowUs) {
  nowUs_ = nowUs;
  DtmfKey key{};
  if (dtmfIn_.poll(nowUs, key)) dtmfKey(key);
  ingest_.poll(nowUs);
  if (started_ && !idleReported_ && nowUs - ingest_.lastArrivalUs() >= kIdleEventUs) {
    idleReported_ = true;
    emit(EventType::rtpIdle, sample_, static_cast<uint32_t>((nowUs - ingest_.lastArrivalUs()) / 1000));
  }
  publishCounters();
}

void Session::publishCounters() {
  const IngestCounters& c = ingest_.counters();
  stats.framesConcealed.set(c.concealed);
  stats.lateFrames.set(c.late);
  stats.duplicates.set(c.duplicates);
  stats.reordered.set(c.reordered);
  stats.reanchored.set(c.reanchored);
  stats.dropped[static_cast<size_t>(Drop::foreignSsrc)].set(c.foreignSsrc);
  stats.dropped[static_cast<size_t>(Drop::seqJump)].set(c.seqJump);
  stats.dropped[static_cast<size_t>(Drop::overrun)].set(c.overrun + flooded_);
  stats.sample.set(sample_);
  stats.jitterUs.set(reception_.jitterUs());
  stats.packetsLost.set(static_cast<uint64_t>(std::max<int64_t>(0, reception_.lost())));
}

uint32_t Session::samplesOf(uint32_t timestampUnits) const {
  return timestampUnits * (decoder_.info().rateHz / decoder_.info().clockHz);
}

void Session::audio(std::span<const uint8_t> payload, MonoUs) {
  std::array<int16_t, 2 * kMaxDatagramBytes> pcm;
  const size_t count = decoder_.decode(payload, pcm.data());
  std::span<int16_t> decoded(pcm.data(), count);
  concealer_.good(decoded);
  deliver(decoded, 0);
}

void Session::lost(uint32_t units) {
  std::array<int16_t, kPiece> pcm;
  for (uint32_t samples = samplesOf(units); samples > 0;) {
    std::span<int16_t> piece(pcm.data(), std::min<size_t>(samples, kPiece));
    concealer_.fill(piece);
    deliver(piece, PARLEY_AUDIO_CONCEALED);
    samples -= static_cast<uint32_t>(piece.size());
  }
}

void Session::silence(uint32_t units) {
  std::array<int16_t, kPiece> pcm;
  for (uint32_t samples = samplesOf(units); samples > 0;) {
    std::span<int16_t> piece(pcm.data(), std::min<size_t>(samples, kPiece));
    std::fill(piece.begin(), piece.end(), int16_t{0});
    concealer_.good(piece);
    deliver(piece, PARLEY_AUDIO_SILENCE);
    samples -= static_cast<uint32_t>(piece.size());
  }
}

// Caller audio in order, whatever its origin: cleaned where that was asked for, then kept.
void Session::deliver(std::span<int16_t> pcm, uint8_t flags) {
  const bool blank = secure_ == Secure::on;
  if (blank) std::fill(pcm.begin(), pcm.end(), int16_t{0});
  if (secure_ != Secure::off) flags |= PARLEY_AUDIO_SECURE;
  if (gate_.echoPossible()) flags |= PARLEY_AUDIO_WE_PLAY;
  if (options_.cleaner == nullptr) return store(pcm, flags);
  options_.cleaner->push(pcm, flags, [this](std::span<const int16_t> clean, uint8_t cleanFlags) { store(clean, cleanFlags); });
}

// 16 kHz into the audio memory, then the gate.
void Session::store(std::span<const int16_t> pcm, uint8_t flags) {
  std::array<int16_t, 2 * kPiece> wide;
  for (size_t at = 0; at < pcm.size(); at += kPiece) {
    const auto piece = pcm.subspan(at, std::min(kPiece, pcm.size() - at));
    if (decoder_.info().rateHz == PARLEY_AUDIO_RATE_HZ) {
      audio_.append(options_.slot, piece, flags);
    } else {
      upsampler_.process(piece, wide.data());
      audio_.append(options_.slot, {wide.data(), 2 * piece.size()}, flags);
    }
    sample_ += callerTime(piece.size());
  }
  // After the audio is readable, so that whoever hears of speech can read it.
  const bool blank = (flags & PARLEY_AUDIO_SECURE) != 0 && secure_ != Secure::spoken;
  const bool natural = !blank && (flags & (PARLEY_AUDIO_CONCEALED | PARLEY_AUDIO_SILENCE)) == 0;
  gate_.push(
      pcm, natural,
      [this](const TalkGateEdge& edge) {
        if (!edge.open) return speechEnded(edge);
        emit(EventType::speechStart, callerTime(edge.sample));
      },
      [this](uint64_t sample) {
        // Only whoever speaks can speak softer: otherwise it would wake JavaScript for nothing.
        if (gate_.echoPossible()) emit(EventType::speechHint, callerTime(sample));
      },
      [this](uint64_t sample) { emit(EventType::speechNear, callerTime(sample)); });
}

// With how it sounded: whoever weighs the pause must not go and look at audio.
void Session::speechEnded(const TalkGateEdge& edge) {
  std::array<float, TalkGate::kHeardFrames> energies;
  const size_t frames = gate_.heard(edge, energies);
  std::array<int16_t, kProsodySamples> pcm;
  const uint64_t to = callerTime(edge.sample);
  const uint64_t from = std::max(callerTime(gate_.stretchFrom()), to - std::min<uint64_t>(to, kProsodySamples));
  const bool readable = parley_audio_read(audio_.data(), options_.slot, options_.generation, from, to, pcm.data(), nullptr) == PARLEY_AUDIO_OK;
  Event event{EventType::speechEnd, options_.slot, options_.generation, 0, 0, to, nowUs_};
  event.voice = prosodyOf({pcm.data(), readable ? static_cast<size_t>(to - from) : 0}, {energies.data(), frames});
  events_.event(event);
}

void Session::playoutEvent(const PlayoutEvent& event) {
  Event out{EventType::clipStart, options_.slot, options_.generation, event.clip, 0, sentTime(event.sentWire), 0};
  switch (event.type) {
    case PlayoutEventType::clipStart:
      break;
    case PlayoutEventType::clipMark:
      out.type = EventType::clipMark;
      out.b = event.mark;
      break;
    case PlayoutEventType::clipPlayed:
      out.type = EventType::clipPlayed;
      out.b = sentTime(event.playedWire);
      break;
    case PlayoutEventType::clipStopped:
      out.type = EventType::clipStopped;
      out.b = sentTime(event.playedWire);
      break;
  }
  events_.eventAtSend(out);
}

size_t Session::renderFrame(uint64_t slotIndex, uint8_t* out) {
  const uint32_t timestamp = options_.firstTimestamp + static_cast<uint32_t>(slotIndex * kSlotTs);
  timestamp_ = timestamp;
  if (dtmfOut_.busy()) {
    const DtmfSender::Packet key = dtmfOut_.slot(timestamp);
    if (key.send) {
      playout_.skipFrame();
      frame_.fill(0);
      writeRtpHeader(out, options_.dtmfPayloadType, key.marker, seq_++, key.timestamp, options_.ssrc);
      std::copy(key.payload.begin(), key.payload.end(), out + kRtpHeaderBytes);
      frameBytes_ = key.payload.size();
      return kRtpHeaderBytes + frameBytes_;
    }
  }
  playout_.render(frame());
  writeRtpHeader(out, encoder_.info().payloadType, firstFrame_, seq_++, timestamp, options_.ssrc);
  firstFrame_ = false;
  frameBytes_ = encoder_.encode(frame(), out + kRtpHeaderBytes);
  return kRtpHeaderBytes + frameBytes_;
}

// The agent's side of a recording. Secure mode blanks it as it blanks the caller's.
void Session::keepSent() {
  std::array<int16_t, 2 * kPiece> wide;
  const auto sent = frame();
  if (secure_ != Secure::off) std::fill(sent.begin(), sent.end(), int16_t{0});
  if (encoder_.info().rateHz == PARLEY_AUDIO_RATE_HZ) return audio_.appendSent(options_.slot, sent);
  sentUpsampler_.process(sent, wide.data());
  audio_.appendSent(options_.slot, {wide.data(), 2 * sent.size()});
}

void Session::frameSent() {
  gate_.sent(frame());
  if (options_.cleaner != nullptr) options_.cleaner->sent(frame());
  if (audio_.keepsSent()) keepSent();
  stats.packetsSent.add();
  octets_ += static_cast<uint32_t>(frameBytes_);
  stats.sentSample.set(sentTime(playout_.sentWire()));
  stats.underruns.set(playout_.underruns());
}

}  // namespace parley
