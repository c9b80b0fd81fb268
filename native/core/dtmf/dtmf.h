// Telephone keys as RTP events (RFC 4733): each key reported once in, and sent as a well-formed event out.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "clock/mono.h"
#include "rtp/packet.h"

namespace parley {

// '0'..'9', '*', '#', 'A'..'D' for events 0..15; 0 for any other event.
char digitOfEvent(uint8_t event);
// -1 for a character that is no key.
int eventOfDigit(char digit);

struct DtmfKey {
  char digit;
  uint32_t durationMs;
};

class DtmfReceiver {
 public:
  enum class Verdict : uint8_t { bad, going, finished };

  // One event packet, in any order and repeated as often as the sender likes. `key` is filled on `finished`.
  // `swallow` true marks the key under way as never to be reported (secure mode).
  Verdict push(const RtpView& packet, MonoUs nowUs, bool swallow, DtmfKey& key);
  // The end packets were all lost: true (and `key` filled) once nothing came for 200 ms.
  bool poll(MonoUs nowUs, DtmfKey& key);
  void reset() { active_ = false; seen_ = false; }

 private:
  bool finish(DtmfKey& key);

  bool active_ = false;
  bool seen_ = false;  // segmentTs_ is valid
  bool swallowed_ = false;
  uint8_t event_ = 0;
  uint32_t segmentTs_ = 0;
  uint32_t durationTs_ = 0;
  uint32_t earlierTs_ = 0;  // whole segments of a key longer than 8 s
  MonoUs lastUs_ = 0;
};

// Writes events slot by slot in place of audio: updates every 20 ms, the end three times, then a pause of 60 ms.
class DtmfSender {
 public:
  static constexpr size_t kQueue = 32;
  static constexpr uint32_t kSlotTs = 160;

  // False when the queue is full or the digit unknown. Duration is clamped to 40..8000 ms.
  bool enqueue(char digit, uint32_t durationMs);
  bool busy() const { return phase_ != Phase::idle || count_ > 0; }

  struct Packet {
    bool send = false;  // false: a slot of the pause, send audio
    bool marker = false;
    uint32_t timestamp = 0;
    std::array<uint8_t, 4> payload{};
  };
  // What goes out in the slot with this timestamp, while busy().
  Packet slot(uint32_t timestamp);

 private:
  enum class Phase : uint8_t { idle, key, ending, pause };
  std::array<uint8_t, kQueue> events_{};
  std::array<uint16_t, kQueue> slots_{};
  size_t first_ = 0;
  size_t count_ = 0;
  Phase phase_ = Phase::idle;
  uint8_t event_ = 0;
  uint32_t startTs_ = 0;
  uint32_t slotsDone_ = 0;
  uint32_t slotsWanted_ = 0;
  uint32_t repeats_ = 0;
};

}  // namespace parley
