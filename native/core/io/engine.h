// The engine: one media thread, its calls, and the hand-over to the thread that owns the engine ("owner": JavaScript).
// Every public function is called by the owner; none of them waits for the media thread, except stop().
#pragma once
#include <atomic>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "audio/memory.h"
#include "io/media_thread.h"
#include "playout/clip.h"

namespace parley {

struct EngineOptions {
  std::string host;
  uint16_t portMin = 0;  // inclusive; RTP takes even ports, the odd one above is its RTCP
  uint16_t portMax = 0;
  uint32_t maxCalls = 0;
  uint32_t historyMs = 0;
  bool realtime = true;  // ask for SCHED_FIFO
  bool sharedSocket = false;  // one RTP port for all calls, told apart by their peers' addresses
  bool keepSent = false; // also keep what is sent, for recorders
  void (*notify)(void*) = nullptr;  // called on the media thread when events wait, at most once until drain()
  void* notifyContext = nullptr;
};

struct CallRef {
  uint32_t slot = 0;
  uint32_t generation = 0;
};

class Engine {
 public:
  explicit Engine(EngineOptions options) : options_(std::move(options)) {}
  ~Engine() { stop(); }

  // 0 or an errno.
  int start();
  void stop();

  enum class OpenError : uint8_t { none, portsExhausted, callsExhausted, system };
  struct Opened {
    OpenError error = OpenError::none;
    int systemError = 0;
    CallRef call;
    uint16_t port = 0;
  };
  // `clean` is left out where cleaningAvailable() is false.
  Opened open(Codec receive, Codec send, uint8_t dtmfPayloadType, CleanOptions clean = {});
  static bool cleaningAvailable();
  // False: the call is closed (or, for setRemote, the host is no numeric address of the engine's family).
  bool setRemote(CallRef call, const std::string& host, uint16_t port);
  bool control(CallRef call, Control what, float value = 0.0f);
  bool sendDtmf(CallRef call, char digit, uint32_t durationMs);
  bool close(CallRef call);

  // 0 when the call is closed or the rate cannot be converted.
  // `loop`: after endClip() it begins again, until lastRound() or stopClip().
  uint32_t openClip(CallRef call, uint32_t rateHz, bool held, std::vector<uint64_t> marks, bool loop = false);
  // False: no such clip any more (played, stopped, or the call is over).
  bool writeClip(CallRef call, uint32_t clip, std::span<const int16_t> pcm);
  bool endClip(CallRef call, uint32_t clip);
  bool releaseClip(CallRef call, uint32_t clip);
  bool lastRound(CallRef call, uint32_t clip);
  bool stopClip(CallRef call, uint32_t clip, uint32_t fadeMs);

  // Takes up to `capacity` events; frees what the media thread has let go of.
  size_t drain(Event* out, size_t capacity);
  // Null when the call is closed.
  const SessionStats* stats(CallRef call) const;
  const AudioMemory& audio() const { return audio_; }
  const ThreadStats& threadStats() const { return thread_->stats; }
  uint32_t openCalls() const { return openCalls_; }

  static bool rateSupported(uint32_t rateHz);

 private:
  // The owner's half of a call; the media thread's half is MediaThread::Call.
  struct Entry {
    enum class State : uint8_t { free, open, closing } state = State::free;
    uint32_t generation = 0;
    int fd = -1;
    int rtcpFd = -1;
    uint16_t port = 0;
    uint32_t phase = 0;
    uint32_t wireHz = 8000;
    uint32_t nextClip = 1;
    std::unordered_map<uint32_t, std::unique_ptr<Clip>> clips;
    std::unique_ptr<Cleaner> cleaner;
  };

  Entry* entryOf(CallRef call);
  const Entry* entryOf(CallRef call) const;
  Clip* clipOf(CallRef call, uint32_t clip);
  // An RTP socket and its RTCP socket on the port above; the result is an errno.
  struct Sockets {
    int rtp = -1;
    int rtcp = -1;
    uint16_t port = 0;
  };
  int bindPorts(Sockets& sockets);
  Sockets shared_;
  void reap();
  void free(Entry& entry, uint32_t slot);
  void waitForClosing();
  uint32_t leastLoadedPhase() const;
  Command* command(CommandType type, CallRef call);
  void send(Command* command);
  std::shared_ptr<const FilterBank> bankFor(uint32_t rateHz, uint32_t wireHz);

  EngineOptions options_;
  AudioMemory audio_;
  std::unique_ptr<MediaThread> thread_;
  std::vector<Entry> entries_;
  std::vector<bool> portUsed_;
  uint32_t lastPort_ = 0;
  uint32_t lastSlot_ = 0;
  uint32_t openCalls_ = 0;
  uint32_t closing_ = 0;
  std::array<uint32_t, 20> phaseLoad_{};
  std::unordered_map<uint64_t, std::shared_ptr<const FilterBank>> banks_;
};

}  // namespace parley
