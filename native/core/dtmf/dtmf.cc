#include "dtmf/dtmf.h"

#include <algorithm>

#include "util/bytes.h"

namespace parley {

namespace {
constexpr char kDigits[] = "0123456789*#ABCD";
constexpr MonoUs kLostEndUs = 200000;
constexpr uint32_t kTsPerMs = 8;
constexpr uint32_t kSegmentTs = 0xffff;
constexpr uint8_t kVolume = 10;  // -10 dBm0
constexpr uint32_t kEndPackets = 3;
constexpr uint32_t kPauseSlots = 3;
}  // namespace

char digitOfEvent(uint8_t event) { return event < 16 ? kDigits[event] : '\0'; }

int eventOfDigit(char digit) {
  if (digit >= 'a' && digit <= 'd') digit = static_cast<char>(digit - 'a' + 'A');
  for (int i = 0; i < 16; i++)
    if (kDigits[i] == digit) return i;
  return -1;
}

bool DtmfReceiver::finish(DtmfKey& key) {
  active_ = false;
  key.digit = digitOfEvent(event_);
  key.durationMs = (earlierTs_ + durationTs_) / kTsPerMs;
  return key.digit != '\0' && !swallowed_;
}

DtmfReceiver::Verdict DtmfReceiver::push(const RtpView& packet, MonoUs nowUs, bool swallow, DtmfKey& key) {
  if (packet.payload.size() < 4) return Verdict::bad;
  const uint8_t event = packet.payload[0];
  const bool end = (packet.payload[1] & 0x80) != 0;
  const uint32_t duration = readU16(packet.payload.data() + 2);

  if (seen_ && static_cast<int32_t>(packet.timestamp - segmentTs_) < 0) return Verdict::going;  // a repeat of an older key
  bool hadEnd = false;
  if (!seen_ || packet.timestamp != segmentTs_) {
    const bool continues = active_ && event == event_ && packet.timestamp == segmentTs_ + kSegmentTs;
    if (continues) {
      earlierTs_ += kSegmentTs;
    } else {
      hadEnd = active_ && finish(key);  // the end of the key before was lost
      active_ = true;
      swallowed_ = false;
      event_ = event;
      earlierTs_ = 0;
    }
    segmentTs_ = packet.timestamp;
    durationTs_ = 0;
    seen_ = true;
  } else if (!active_) {
    return Verdict::going;  // a repeat of the end that was reported
  }
  swallowed_ = swallowed_ || swallow;
  durationTs_ = std::max(durationTs_, duration);
  lastUs_ = nowUs;
  if (hadEnd) return Verdict::finished;  // this key's own end is repeated, or found by poll()
  if (end && finish(key)) return Verdict::finished;
  return Verdict::going;
}

bool DtmfReceiver::poll(MonoUs nowUs, DtmfKey& key) {
  if (!active_ || nowUs - lastUs_ < kLostEndUs) return false;
  return finish(key);
}

bool DtmfSender::enqueue(char digit, uint32_t durationMs) {
  const int event = eventOfDigit(digit);
  if (event < 0 || count_ == kQueue) return false;
  const size_t at = (first_ + count_) % kQueue;
  events_[at] = static_cast<uint8_t>(event);
  slots_[at] = static_cast<uint16_t>((std::clamp<uint32_t>(durationMs, 40, 8000) + 19) / 20);
  count_++;
  return true;
}

DtmfSender::Packet DtmfSender::slot(uint32_t timestamp) {
  Packet packet;
  if (phase_ == Phase::idle) {
    if (count_ == 0) return packet;
    phase_ = Phase::key;
    event_ = events_[first_];
    slotsWanted_ = slots_[first_];
    first_ = (first_ + 1) % kQueue;
    count_--;
    startTs_ = timestamp;
    slotsDone_ = 0;
    repeats_ = 0;
    packet.marker = true;
  }
  if (phase_ == Phase::pause) {
    if (++repeats_ >= kPauseSlots) phase_ = Phase::idle;
    return packet;
  }
  if (phase_ == Phase::key) slotsDone_++;
  const bool end = slotsDone_ >= slotsWanted_;
  packet.send = true;
  packet.timestamp = startTs_;
  packet.payload[0] = event_;
  packet.payload[1] = static_cast<uint8_t>((end ? 0x80 : 0) | kVolume);
  writeU16(&packet.payload[2], static_cast<uint16_t>(std::min<uint32_t>(slotsDone_ * kSlotTs, 0xffff)));
  if (end) {
    phase_ = Phase::ending;
    if (++repeats_ >= kEndPackets) {
      phase_ = Phase::pause;
      repeats_ = 0;
    }
  }
  return packet;
}

}  // namespace parley
